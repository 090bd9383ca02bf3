//! Does the release binary carry the page that was built, and not its stand-in?

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{paths, server::Server};

/// Asks the release binary for every file of `web/dist` and compares byte for byte.
pub(crate) fn check() -> Result<()> {
    let binary = paths::sockscope("release")?;
    // From an empty folder, so that nothing can be read from `web/dist` at run time by a relative path.
    let elsewhere = std::env::temp_dir();
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0"]).current_dir(elsewhere);
    let server = Server::start(command.env("SOCKSCOPE_TOKEN", "embed-check-embed-check-embed-check"))?;

    let dist = paths::dist();
    let index = fs::read(dist.join("index.html")).context("there is no built page")?;
    ensure!(server.get("/")? == index, "`/` is not web/dist/index.html");
    let files = files_below(&dist)?;
    ensure!(files.iter().any(|file| file.ends_with(".js")), "web/dist has no script: is it the real page?");
    for file in &files {
        let built = fs::read(dist.join(file))?;
        ensure!(server.get(&format!("/{file}"))? == built, "/{file} is not what was built");
    }
    eprintln!("all {} files of web/dist are in the binary", files.len());
    Ok(())
}

/// Paths below `folder`, with `/`.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot list {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
