//! Where things lie.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the root")
}

/// The page's sources.
pub(crate) fn web() -> PathBuf {
    root().join("web")
}

/// The built page.
pub(crate) fn dist() -> PathBuf {
    web().join("dist")
}

/// The browser tests.
pub(crate) fn browser_tests() -> PathBuf {
    root().join("tests/browser")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    // Cargo put this very program at <target>/<profile>/xtask, wherever the target directory is.
    let own = env::current_exe().context("cannot tell where xtask lies")?;
    let target = own.ancestors().nth(2).context("xtask does not lie in a target directory")?;
    Ok(target.to_owned())
}

/// A built sockscope; `profile` is `debug` or `release`.
pub(crate) fn sockscope(profile: &str) -> Result<PathBuf> {
    Ok(target()?.join(profile).join("sockscope"))
}
