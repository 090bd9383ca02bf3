//! The table, and the file it goes to.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::machine::Machine;

const BEGIN: &str = "<!-- bench -->";
const END: &str = "<!-- /bench -->";

/// One line of the table.
pub(crate) struct Row {
    what: String,
    measured: String,
    target: String,
    met: Option<bool>,
    note: String,
}

impl Row {
    /// A figure without a target.
    pub(crate) fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            measured: measured.into(),
            target: String::new(),
            met: None,
            note: String::new(),
        }
    }

    /// What was aimed for, and whether it was reached; `None` where that was not measured.
    pub(crate) fn target(mut self, target: impl Into<String>, met: impl Into<Option<bool>>) -> Self {
        (self.target, self.met) = (target.into(), met.into());
        self
    }

    /// What the figure includes.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn markdown(&self) -> String {
        let Self { what, measured, target, met, note } = self;
        let mark = match met {
            Some(true) => " ✓",
            Some(false) => " **missed**",
            None => "",
        };
        format!("| {what} | {measured} | {target}{mark} | {note} |\n")
    }
}

/// All tables of a run.
pub(crate) struct Report {
    machine: Machine,
    tables: String,
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(machine: Machine) -> Self {
        Self { machine, tables: String::new() }
    }

    /// Adds a table.
    pub(crate) fn add(&mut self, title: &str, rows: &[Row]) {
        let head = "| figure | measured | target | what it includes |\n|---|---|---|---|\n";
        let lines: String = rows.iter().map(Row::markdown).collect();
        self.tables.push_str(&format!("\n### {title}\n\n{head}{lines}"));
    }

    /// The text between the markers.
    pub(crate) fn markdown(&self) -> String {
        format!("{}\n{}", self.machine.sentence(), self.tables)
    }

    /// Puts it into `docs/BENCHMARKS.md`, between its markers.
    pub(crate) fn write(&self) -> Result<()> {
        let file = root().join("docs/BENCHMARKS.md");
        let text = fs::read_to_string(&file).context("cannot read docs/BENCHMARKS.md")?;
        let (before, rest) =
            text.split_once(BEGIN).context("docs/BENCHMARKS.md has lost its first marker")?;
        let (_, after) = rest.split_once(END).context("docs/BENCHMARKS.md has lost its second marker")?;
        let new = format!("{before}{BEGIN}\n{}{END}{after}", self.markdown());
        fs::write(&file, new).context("cannot write docs/BENCHMARKS.md")
    }
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench/ lies in the root")
}

/// Whole MiB.
pub(crate) fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
