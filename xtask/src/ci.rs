//! `cargo xtask ci`: exactly what CI runs.

use anyhow::Result;

use crate::{container, embed, rust, steps::Steps, test, web};

/// Quick and likely failures first, long ones last.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    steps.run("Rust format", rust::format_check)?;
    steps.run("clippy", rust::clippy)?;
    steps.run("Rust docs", rust::docs)?;
    steps.run("fuzz package", rust::fuzz_lock)?;
    steps.run("generated files", || rust::codegen("check"))?;
    steps.run("page packages", web::install)?;
    steps.run("page lint", || web::script("lint"))?;
    steps.run("page types", || web::script("check"))?;
    test::all(steps)?;
    steps.run("embedded page", embed::check)?;
    steps.run("container", container::test)
}
