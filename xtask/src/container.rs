//! The container image, built and run for real.

use std::process::Command;

use anyhow::Result;

use crate::{paths, sh};

/// Builds the image and tests it; the script says what it needs.
pub(crate) fn test() -> Result<()> {
    sh::run(Command::new("bash").arg("tests/container.sh").current_dir(paths::root()))
}
