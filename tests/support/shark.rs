//! Wireshark's programs, as a second witness: what they read of a file, and what they see beside the server.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Runs one of them on a file: what it says. Panics where it complains of anything.
pub fn ask(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| missing(program, &error));
    let complaints = complaints(&String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && complaints.is_empty(), "{program} {args:?}: {complaints}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What streams and datagrams carry is data: a port that the kernel chose may be one that Wireshark knows, and what is no
/// packet of that protocol would be called malformed.
const DATA: [&str; 4] = ["-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data"];

/// tshark on a capture.
pub fn tshark(file: &Path, args: &[&str]) -> String {
    let file = file.to_str().expect("UTF-8");
    ask("tshark", &[&["-r", file][..], &DATA, args].concat())
}

/// Fields of every frame that passes the filter, one row a frame.
pub fn fields(file: &Path, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    if filter.is_empty() { fields_with(file, &[], names) } else { fields_with(file, &["-Y", filter], names) }
}

/// Fields of every frame of a capture that is read with these arguments.
pub fn fields_with(file: &Path, args: &[&str], names: &[&str]) -> Vec<Vec<String>> {
    let mut args = [&["-T", "fields", "-E", "separator=|", "-E", "occurrence=f"], args].concat();
    names.iter().for_each(|name| args.extend(["-e", name]));
    tshark(file, &args).lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// What each end of a connection sent, as "follow stream" puts it together: the first to speak first.
pub fn follow(file: &Path, kind: &str, stream: usize) -> [Vec<u8>; 2] {
    let told = tshark(file, &["-q", "-z", &format!("follow,{kind},raw,{stream}")]);
    let mut sides = [Vec::new(), Vec::new()];
    let lines = told.lines().skip_while(|line| !line.starts_with("Node 1:")).skip(1);
    for line in lines.take_while(|line| !line.starts_with("===")) {
        let (side, hex) = line.strip_prefix('\t').map_or((0, line), |hex| (1, hex));
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("no byte: {pair:?} in {told}"))
        };
        sides[side].extend(hex.as_bytes().chunks(2).map(byte));
    }
    sides
}

fn missing(program: &str, error: &std::io::Error) -> ! {
    panic!("{program}: {error}; this test needs it: apt-get install --no-install-recommends tshark")
}

/// What is left of standard error without what it always says.
fn complaints(said: &str) -> String {
    said.lines().filter(|line| !line.starts_with("Running as user")).collect::<Vec<_>>().join("\n")
}

/// dumpcap on an interface of the namespace it is started in.
pub struct Dump {
    child: Child,
    file: PathBuf,
    said: BufReader<std::process::ChildStderr>,
}

impl Dump {
    /// Starts it, and returns once it sees what passes.
    pub fn start(interface: &str, file: &Path) -> Self {
        let mut child = Command::new("dumpcap")
            .args(["-q", "-i", interface, "-s", "320", "-B", "32", "-w"])
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing("dumpcap", &error));
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut all = String::new();
        while !all.contains("File: ") {
            assert!(said.read_line(&mut all).expect("UTF-8") > 0, "dumpcap does not capture: {all}");
        }
        Self { child, file: file.to_owned(), said }
    }

    /// Ends it: the file, which has every frame.
    pub fn end(mut self) -> PathBuf {
        let pid = i32::try_from(self.child.id()).expect("a pid is an i32");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("our own child can be signalled");
        let mut said = String::new();
        while self.said.read_line(&mut said).expect("UTF-8") > 0 {}
        assert!(self.child.wait().expect("our own child").success(), "{said}");
        let dropped =
            said.lines().find(|line| line.contains("received/dropped")).expect("it says what it lost");
        assert!(dropped.contains("/0 ("), "it lost some: {dropped}");
        std::mem::take(&mut self.file)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
