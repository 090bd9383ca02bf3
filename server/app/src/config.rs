//! What the command line and the environment say. Parsed and rejected whole before anything is bound.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sockscope_wire::LogFull;

use crate::{
    bridge::{Websockify, wisp},
    compare::Settings,
    http::WispPrefix,
    key::KeyArgs,
    workspace::Eyes,
};

/// The default port: S-O-C-K on a phone.
pub const PORT: u16 = 7625;

/// The shortest token taken: 128 bits in hexadecimal.
const MIN_TOKEN: usize = 32;

/// An oscilloscope for sockets.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default)
    Serve(ServeArgs),
    /// Print a fresh launch link of the running server
    Link(ReachArgs),
    /// Ask the running server whether it is well; exit status 0 if so
    Health(ReachArgs),
    /// Measure socket versus HTTP: the same events by polling, long polling, streaming and WebSocket
    Compare(CompareArgs),
    /// Make a key for bridges on the running server, list the keys there are, or revoke one
    Key(KeyArgs),
    /// Be many clients of one lane, as standard input says (used by `compare` and the page)
    #[command(hide = true)]
    Crowd,
}

impl Cli {
    /// The command; `serve` when none is named.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// How to reach a running server.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// The address it listens on
    #[arg(long, env = "SOCKSCOPE_LISTEN", default_value = "127.0.0.1:7625", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
}

impl ReachArgs {
    /// Where to connect to: a wildcard address is no place anybody goes to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }
}

/// What to compare, and how to say it.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// With which settings.
    #[command(flatten)]
    pub settings: Settings,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What a full log does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFullArg {
    /// Give up old history
    Evict,
    /// Stop reading sockets until somebody trims the log
    Pause,
}

/// What is recorded of the kernel's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelArg {
    /// States, counters, and segments where this process may capture (CAP_NET_RAW)
    All,
    /// States and counters
    States,
    /// Nothing
    Off,
}

/// How to run the server.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one and prints it
    #[arg(long, env = "SOCKSCOPE_LISTEN", default_value = "127.0.0.1:7625", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Let anybody in who reaches the port; only on a loopback address
    #[arg(long, env = "SOCKSCOPE_NO_TOKEN", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0, default_missing_value = "true", default_value = "false")]
    pub no_token: bool,
    /// A file that holds the fixed token
    #[arg(long, env = "SOCKSCOPE_TOKEN_FILE", value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Open the launch link in a browser
    #[arg(long, env = "SOCKSCOPE_OPEN", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0, default_missing_value = "true", default_value = "false")]
    pub open: bool,
    /// Memory for the log: bytes, or with K, M, G (at least 4M)
    #[arg(long, env = "SOCKSCOPE_LOG_BYTES", default_value = "256M", value_name = "N", value_parser = parse_bytes)]
    pub log_bytes: usize,
    /// What a full log does
    #[arg(long, env = "SOCKSCOPE_LOG_FULL", default_value = "evict")]
    log_full: LogFullArg,
    /// The most sockets open at once [default: 1024, or what descriptors allow]
    #[arg(long, env = "SOCKSCOPE_MAX_SOCKETS", value_name = "N")]
    pub max_sockets: Option<usize>,
    /// The most HTTP connections at once [default: 2048, or what descriptors allow]
    #[arg(long, env = "SOCKSCOPE_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// The ports listeners may use; an empty host in a target then means every address
    #[arg(long, env = "SOCKSCOPE_LISTEN_PORTS", value_name = "A-B", value_parser = parse_ports)]
    pub listen_ports: Option<RangeInclusive<u16>>,
    /// A host name under which the page may be reached, beside loopback ones; may be repeated
    #[arg(long = "host", env = "SOCKSCOPE_HOST", value_name = "NAME", value_delimiter = ',', value_parser = parse_host)]
    pub hosts: Vec<String>,
    /// What to record of the kernel's side of the sockets that are open here
    #[arg(long, env = "SOCKSCOPE_KERNEL", default_value = "all")]
    kernel: KernelArg,
    /// End when the process that started this one does, which is that one (used by `compare`)
    #[arg(long, hide = true, value_name = "PID")]
    pub with_parent: Option<i32>,
    /// What Wisp clients are told and asked for.
    #[command(flatten)]
    pub wisp: WispArgs,
    /// Where the tokens of websockify's clients lead.
    #[command(flatten)]
    pub websockify: Websockify,
    /// Name servers to ask instead of the system's; may be repeated
    #[arg(long = "dns", env = "SOCKSCOPE_DNS", value_name = "ADDR:PORT", value_delimiter = ',')]
    pub dns: Vec<SocketAddr>,
}

/// What Wisp clients are told and asked for.
#[derive(Debug, Args)]
pub struct WispArgs {
    /// A path for Wisp clients beside /wisp/, like /lab/wisp/; may be repeated
    #[arg(long = "wisp-prefix", env = "SOCKSCOPE_WISP_PREFIX", value_name = "PATH", value_delimiter = ',')]
    pub prefixes: Vec<WispPrefix>,
    /// A sentence that Wisp clients may show to people
    #[arg(long, env = "SOCKSCOPE_WISP_MOTD", value_name = "TEXT")]
    wisp_motd: Option<String>,
    /// A file with a line user:password for each who may open Wisp streams; all others may not
    #[arg(long, env = "SOCKSCOPE_WISP_PASSWORDS_FILE", value_name = "PATH")]
    wisp_passwords_file: Option<PathBuf>,
    /// A file with a line for each Ed25519 public key (64 hexadecimal digits) that may open Wisp streams; all others may not
    #[arg(long, env = "SOCKSCOPE_WISP_KEYS_FILE", value_name = "PATH")]
    wisp_keys_file: Option<PathBuf>,
}

impl WispArgs {
    /// What the files hold.
    ///
    /// # Errors
    /// When one cannot be read, or has a line that is not understood.
    pub fn settings(&self) -> anyhow::Result<wisp::Settings> {
        let passwords = self.wisp_passwords_file.as_deref().map(|path| {
            let text = read(path)?;
            let lines = lines(&text).map(|line| {
                line.split_once(':').with_context(|| format!("{}: a line is user:password", path.display()))
            });
            let pairs = lines.collect::<anyhow::Result<Vec<_>>>()?;
            wisp::Passwords::new(true, pairs).with_context(|| format!("{}", path.display()))
        });
        let keys = self.wisp_keys_file.as_deref().map(|path| {
            let text = read(path)?;
            let keys = lines(&text).map(|line| {
                key(line).with_context(|| {
                    format!("{}: a line is a public key in 64 hexadecimal digits", path.display())
                })
            });
            let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
            wisp::Keys::new(true, keys).with_context(|| format!("{}", path.display()))
        });
        Ok(wisp::Settings {
            credits: wisp::credits_for(wisp::LARGEST).unwrap_or(NonZeroU32::MIN),
            passwords: passwords.transpose()?,
            keys: keys.transpose()?,
            motd: self.wisp_motd.clone(),
        })
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A public key.
fn key(line: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if line.len() != 64 || !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&line[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

/// The command line contradicts itself, or asks for what is not safe.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Everybody on the network could drive sockets here.
    #[error("--no-token only goes with a loopback address, and {0} is none: leave --no-token away")]
    OpenToAll(SocketAddr),
    /// A guessable token.
    #[error("the token has {0} characters; take at least {MIN_TOKEN} random ones (openssl rand -hex 32)")]
    ShortToken(usize),
    /// A token that cannot be sent in a header.
    #[error("the token may only have visible ASCII characters")]
    BadToken,
    /// Two sources for one token.
    #[error("give SOCKSCOPE_TOKEN or SOCKSCOPE_TOKEN_FILE, not both")]
    TwoTokens,
    /// A token, and none.
    #[error("--no-token contradicts a fixed token")]
    TokenAndNone,
    /// The file cannot be read.
    #[error("cannot read the token from {path}: {source}")]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ServeArgs {
    /// The token to ask for; `None` with `--no-token`. `given` is what SOCKSCOPE_TOKEN says: there is no flag for it,
    /// since every user of the machine can read command lines.
    ///
    /// # Errors
    /// When what was asked for is contradictory or not safe.
    pub fn token(&self, given: Option<&str>) -> Result<Option<String>, ConfigError> {
        let fixed = match (given, &self.token_file) {
            (Some(_), Some(_)) => return Err(ConfigError::TwoTokens),
            (Some(token), None) => Some(token.trim().to_owned()),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|source| ConfigError::TokenFile { path: path.clone(), source })?;
                Some(text.trim().to_owned())
            }
            (None, None) => None,
        };
        if self.no_token {
            return match fixed {
                Some(_) => Err(ConfigError::TokenAndNone),
                None if !self.listen.ip().to_canonical().is_loopback() => {
                    Err(ConfigError::OpenToAll(self.listen))
                }
                None => Ok(None),
            };
        }
        match fixed {
            Some(token) if token.len() < MIN_TOKEN => Err(ConfigError::ShortToken(token.len())),
            Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => Err(ConfigError::BadToken),
            Some(token) => Ok(Some(token)),
            None => Ok(Some(crate::secret::random_secret())),
        }
    }

    /// What is recorded of the kernel's side.
    #[must_use]
    pub fn eyes(&self) -> Eyes {
        match self.kernel {
            KernelArg::All => Eyes::All,
            KernelArg::States => Eyes::States,
            KernelArg::Off => Eyes::Shut,
        }
    }

    /// What a full log does.
    #[must_use]
    pub fn log_full(&self) -> LogFull {
        match self.log_full {
            LogFullArg::Evict => LogFull::Evict,
            LogFullArg::Pause => LogFull::Pause,
        }
    }

    /// What an empty host in a listener's target means.
    #[must_use]
    pub fn default_listen_host(&self) -> IpAddr {
        IpAddr::V4(if self.listen_ports.is_some() { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST })
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.find(|char: char| !char.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return Err("bytes, or with K, M or G".to_owned()),
    };
    let bytes: usize = digits.parse().map_err(|_| "bytes, or with K, M or G".to_owned())?;
    let bytes = bytes.checked_shl(shift).filter(|all| all >> shift == bytes).ok_or("too many bytes")?;
    if bytes < crate::log::MIN_BYTES {
        return Err(format!("at least {}M", crate::log::MIN_BYTES >> 20));
    }
    Ok(bytes)
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || "two ports, like 20000-20099".to_owned();
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last): (u16, u16) =
        (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
    if first == 0 || first > last { Err(wrong()) } else { Ok(first..=last) }
}

fn parse_host(text: &str) -> Result<String, String> {
    let fine =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
    if fine { Ok(text.to_owned()) } else { Err("a host name without scheme, port or wildcard".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &[&str]) -> ServeArgs {
        match Cli::try_parse_from([&["sockscope"], line].concat()).expect("parses").into_command() {
            Command::Serve(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn default_bind_is_loopback() {
        assert_eq!(args(&[]).listen, SocketAddr::from(([127, 0, 0, 1], PORT)));
        assert!(args(&[]).token(None).expect("fine").is_some(), "and a token is needed");
    }

    #[test]
    fn no_token_needs_loopback() {
        assert!(args(&["--no-token"]).token(None).expect("fine").is_none());
        let open = args(&["--no-token", "--listen", "0.0.0.0:7625"]);
        assert!(matches!(open.token(None), Err(ConfigError::OpenToAll(_))));
        assert!(args(&["serve", "--no-token", "--listen", "[::1]:0"]).token(None).expect("fine").is_none());
    }

    #[test]
    fn a_fixed_token_must_be_long_and_printable() {
        assert!(matches!(args(&[]).token(Some("short")), Err(ConfigError::ShortToken(5))));
        let long = "0123456789abcdef0123456789abcdef";
        assert_eq!(args(&[]).token(Some(long)).expect("fine").as_deref(), Some(long));
        assert!(matches!(args(&["--no-token"]).token(Some(long)), Err(ConfigError::TokenAndNone)));
        assert!(matches!(args(&[]).token(Some(&"ü".repeat(40))), Err(ConfigError::BadToken)));
    }

    #[test]
    fn sizes_and_ports_are_read() {
        assert_eq!(parse_bytes("256M"), Ok(256 << 20));
        assert_eq!(parse_bytes("4194304"), Ok(4 << 20));
        assert_eq!(parse_bytes("1GiB"), Ok(1 << 30));
        for wrong in ["", "M", "1T", "1M", "-5", "99999999999G"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_ports("20000-20099"), Ok(20_000..=20_099));
        for wrong in ["", "1", "2-1", "0-5", "1-70000"] {
            assert!(parse_ports(wrong).is_err(), "{wrong}");
        }
    }
}
