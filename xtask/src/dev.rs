//! `cargo xtask dev`: the page with hot reload in front of a debug server.

use std::{
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{npm, paths, rust, server::Server, sh, steps::Steps};

/// Where Vite serves the page.
const PAGE: &str = "http://127.0.0.1:5173";

/// Starts both; ends when either does. Ctrl-C reaches both, because the terminal sends it to the whole group.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    steps.run("page packages", || npm::install(&paths::web()))?;
    steps.run("debug build", || sh::run(rust::cargo().args(["build", "--package", "sockscope"])))?;
    steps.run("development servers", || {
        let mut command = Command::new(paths::sockscope("debug")?);
        let mut server = Server::start(command.args(["--listen", "127.0.0.1:0"]).args(args))?;
        let mut vite = Vite::start(server.authority())?;
        println!("\n  the page with hot reload:  {PAGE}/#{}\n", server.fragment());
        loop {
            if server.has_ended()? {
                bail!("the server ended");
            }
            if vite.has_ended()? {
                bail!("Vite ended");
            }
            thread::sleep(Duration::from_millis(200));
        }
    })
}

/// Vite's own server; dropping it ends it.
struct Vite(Child);

impl Vite {
    fn start(server: &str) -> Result<Self> {
        // Without npm in between: npm would not pass our end on.
        let mut command = Command::new("node");
        command.args(["node_modules/vite/bin/vite.js", "--strictPort"]);
        command.args(["--host", "127.0.0.1", "--port", "5173"]).current_dir(paths::web());
        command.env("SOCKSCOPE_DEV_SERVER", format!("http://{server}"));
        sh::announce(&command);
        Ok(Self(command.spawn().with_context(|| sh::cannot_start(&command))?))
    }

    fn has_ended(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }
}

impl Drop for Vite {
    fn drop(&mut self) {
        // Both fail only where it has already ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
