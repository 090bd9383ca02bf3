//! What the figures were measured on.

use std::{fs, process::Command, thread};

/// The machine and the build.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: f64,
    kernel: String,
    rustc: String,
    /// The commit and its date, as git knows them.
    commit: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            memory_gib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok())
                .map_or(0.0, |kib| kib / (1 << 20) as f64),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            rustc: said("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: said("git", &["log", "-1", "--format=%h of %cs"]).unwrap_or_else(|| "no git".to_owned()),
        }
    }

    /// As one sentence.
    pub(crate) fn sentence(&self) -> String {
        let Self { cores, processor, memory_gib, kernel, rustc, commit } = self;
        format!(
            "{cores} cores ({processor}), {memory_gib:.0} GiB, Linux {kernel}, {rustc}, release build of {commit}; \
             loopback."
        )
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(crate::report::root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn unknown() -> String {
    "unknown".to_owned()
}
