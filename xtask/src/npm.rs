//! npm, in a folder with a lockfile of its own.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::sh;

/// A copy of the lockfile, left in `node_modules` by a successful install.
const STAMP: &str = "node_modules/.installed-package-lock.json";

/// Installs exactly what the lockfile says, unless that is what is there.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json")).context("cannot read package-lock.json")?;
    if is_installed(folder, &lock) {
        eprintln!("packages are as package-lock.json says");
        return Ok(());
    }
    sh::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    fs::write(folder.join(STAMP), lock).context("cannot leave a stamp in node_modules")
}

/// Runs a script of the folder's package.json.
pub(crate) fn script(folder: &Path, name: &str) -> Result<()> {
    sh::run(Command::new("npm").args(["run", "--silent", name]).current_dir(folder))
}

fn is_installed(folder: &Path, lock: &[u8]) -> bool {
    // `npm ci` empties node_modules first, so a stamp never outlives a failed install.
    fs::read(folder.join(STAMP)).is_ok_and(|stamp| stamp == lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_lockfile_asks_for_an_install() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(!is_installed(folder.path(), b"one"));
        fs::create_dir(folder.path().join("node_modules"))?;
        fs::write(folder.path().join(STAMP), b"one")?;
        assert!(is_installed(folder.path(), b"one"));
        assert!(!is_installed(folder.path(), b"two"));
        Ok(())
    }
}
