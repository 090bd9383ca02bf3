//! Tests in a real Chromium.

use std::{
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{npm, paths, sh};

/// What Debian calls the browser and a font with Chinese characters, which screenshots and layout tests need.
const DEBIAN_PACKAGES: [&str; 2] = ["chromium", "fonts-noto-cjk"];

/// Finds Chromium, or installs it where that is one command away; never goes on without.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM") {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "CHROMIUM names {}, which is no file", path.display());
        return Ok(path);
    }
    if let Some(path) = on_path() {
        eprintln!("found {}", path.display());
        return Ok(path);
    }
    if !(is_debian() && is_root()) {
        bail!(
            "the browser tests need Chromium or Chrome. Install it (Debian: `apt-get install {}`), \
             or name the program in the variable CHROMIUM",
            DEBIAN_PACKAGES.join(" ")
        );
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]);
        command
    };
    sh::run(apt().arg("update"))?;
    sh::run(apt().args(["install", "-y", "--no-install-recommends"]).args(DEBIAN_PACKAGES))?;
    on_path().context("apt-get installed chromium, and it is still not on PATH")
}

/// Runs the tests in `tests/browser` against the release build.
pub(crate) fn tests(chromium: &Path) -> Result<()> {
    let folder = paths::browser_tests();
    npm::install(&folder)?;
    let mut command = Command::new("npm");
    command.args(["run", "--silent", "test"]).current_dir(folder);
    sh::run(command.env("CHROMIUM", chromium).env("SOCKSCOPE_BIN", paths::sockscope("release")?))
}

fn on_path() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].into_iter().find_map(sh::which)
}

fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
