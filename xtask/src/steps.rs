//! Named steps, timed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Runs one step under its name; the name becomes the outermost context of its error.
    pub(crate) fn run<T>(&mut self, name: impl Into<String>, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let name = name.into();
        eprintln!("\n==> {name}");
        let begun = Instant::now();
        let result = work();
        self.done.push(Step { name: name.clone(), took: begun.elapsed(), passed: result.is_ok() });
        result.context(name)
    }

    /// Prints what was done and how long it took, where there was more than one thing.
    pub(crate) fn print_table(&self) {
        if self.done.len() < 2 {
            return;
        }
        eprintln!();
        for step in &self.done {
            let mark = if step.passed { "ok" } else { "FAILED" };
            eprintln!("{:>8.1} s  {:<24} {mark}", step.took.as_secs_f64(), step.name);
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        eprintln!("{:>8.1} s  total", total.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_step_is_the_outermost_context() -> Result<()> {
        let mut steps = Steps::default();
        steps.run("first", || Ok(()))?;
        let error = steps.run("second", || -> Result<()> { anyhow::bail!("the reason") });
        let error = error.expect_err("it bailed");
        assert_eq!(error.to_string(), "second");
        assert_eq!(error.root_cause().to_string(), "the reason");
        assert_eq!(steps.done.iter().map(|step| step.passed).collect::<Vec<_>>(), [true, false]);
        Ok(())
    }
}
