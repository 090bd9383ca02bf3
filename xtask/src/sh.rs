//! Running other programs, always saying so first.

use std::{ffi::OsStr, process::Command};

use anyhow::{Context as _, Result, ensure};

/// Prints the command, runs it to its end and fails if it failed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    ensure!(status.success(), "`{}` ended with {status}", shown(command));
    Ok(())
}

/// Prints the command about to be run.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

/// What to say where a command cannot even be started.
pub(crate) fn cannot_start(command: &Command) -> String {
    format!("cannot start {}: is it installed?", command.get_program().display())
}

/// The path of a program, looked for as a shell would.
pub(crate) fn which(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// The command as one would type it: `cd`, variables set for it, program, arguments.
fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(dir) = command.get_current_dir() {
        let dir = dir.strip_prefix(crate::paths::root()).unwrap_or(dir);
        if !dir.as_os_str().is_empty() {
            words.push(format!("cd {} &&", dir.display()));
        }
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), quoted(value)));
        }
    }
    let program = std::path::Path::new(command.get_program());
    words.push(quoted(program.file_name().unwrap_or(program.as_os_str())));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "it's"]).env("RUSTDOCFLAGS", "-D warnings").current_dir(crate::paths::root());
        assert_eq!(shown(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
        command.current_dir(crate::paths::web());
        assert!(shown(&command).starts_with("cd web && "));
    }
}
