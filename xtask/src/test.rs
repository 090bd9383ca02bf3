//! `cargo xtask test`: every test there is.

use anyhow::Result;

use crate::{browser, rust, steps::Steps, web};

/// Runs all tests; the release build it leaves embeds the page.
pub(crate) fn all(steps: &mut Steps) -> Result<()> {
    steps.run("Rust tests", rust::tests)?;
    steps.run("Rust doc tests", rust::doc_tests)?;
    steps.run("page packages", web::install)?;
    steps.run("page unit tests", || web::script("test"))?;
    web::build(steps)?;
    steps.run("release build", rust::build_release)?;
    let chromium = steps.run("Chromium", browser::chromium)?;
    steps.run("browser tests", || browser::tests(&chromium))
}
