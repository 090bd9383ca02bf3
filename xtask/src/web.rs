//! The page: packages, build, checks; and `cargo xtask run`.

use std::{fs, os::unix::process::CommandExt as _, path::Path, time::SystemTime};

use anyhow::{Context as _, Result};

use crate::{npm, paths, rust, sh, steps::Steps};

/// Packages as the lockfile says.
pub(crate) fn install() -> Result<()> {
    npm::install(&paths::web())
}

/// Builds `web/dist`, unless it is newer than all it is made from; then it needs no Node.
pub(crate) fn build(steps: &mut Steps) -> Result<()> {
    let built = fs::metadata(paths::dist().join("index.html")).and_then(|meta| meta.modified()).ok();
    if built.is_some_and(|built| newest(&paths::web()).is_ok_and(|source| source < built)) {
        eprintln!("web/dist is newer than its sources");
        return Ok(());
    }
    steps.run("page packages", install)?;
    steps.run("page build", || npm::script(&paths::web(), "build"))
}

/// One of the page's own checks: `lint`, `check` or `test`.
pub(crate) fn script(name: &str) -> Result<()> {
    npm::script(&paths::web(), name)
}

/// Builds page and server and becomes the server.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    build(steps)?;
    steps.run("server", || {
        let mut command = rust::cargo();
        command.args(["run", "--release", "--package", "sockscope", "--", "--open"]).args(args);
        sh::announce(&command);
        // Becoming cargo, which becomes the server, leaves nobody between the terminal's Ctrl-C and the server.
        Err(command.exec()).context("cannot start cargo")
    })
}

/// When the youngest thing the page is made from was changed; folders count, because a file may have left them.
fn newest(web: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut folders = vec![web.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "node_modules" || name == "dist" {
                continue;
            }
            let meta = entry.metadata()?;
            newest = newest.max(meta.modified()?);
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_sources_count_as_sources() -> Result<()> {
        let web = tempfile::tempdir()?;
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let changed = |path: &str, seconds| -> Result<()> {
            let path = web.path().join(path);
            fs::create_dir_all(path.parent().context("a path below web")?)?;
            Ok(fs::File::create(&path)?.set_modified(at(seconds))?)
        };
        changed("index.html", 1_000)?;
        changed("node_modules/svelte/index.js", 9_000)?;
        changed("dist/index.html", 8_000)?;
        assert_eq!(newest(web.path())?, at(1_000));
        changed("src/main.ts", 2_000)?;
        assert!(newest(web.path())? > at(2_000), "a new folder is a change of its own");
        Ok(())
    }
}
