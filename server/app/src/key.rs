//! `sockscope key`: keys for bridges, made, listed and revoked on the running server, as any program would do it.

use std::{fmt::Write as _, net::SocketAddr};

use anyhow::{Context as _, ensure};
use clap::Args;
use http::Method;
use serde::Serialize;
use sockscope_wire::{BridgeKey, KeyList, KeyMade, KeyRequest, SessionRequest, SessionToken};

use crate::{
    compare::{Http, Place},
    config::ReachArgs,
    launch,
};

/// What to do with keys.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Where the server is.
    #[command(flatten)]
    reach: ReachArgs,
    /// What the key may reach: tcp://host:port or udp://host:port, and where it may listen: tcp-listen://address:port or
    /// udp-bind://address:port; with * for any host or port, or a range of ports; may be repeated
    #[arg(long = "target", value_name = "TARGET", required_unless_present_any = ["list", "revoke"])]
    targets: Vec<String>,
    /// A page that may use it, by its origin, like `https://example.com`; may be repeated
    #[arg(long = "origin", value_name = "ORIGIN", requires = "targets")]
    origins: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", requires = "targets")]
    name: Option<String>,
    /// The most sockets at once [default: 64]
    #[arg(long, value_name = "N", requires = "targets")]
    max_streams: Option<u32>,
    /// The most sockets opened in a second [default: 100]
    #[arg(long, value_name = "N", requires = "targets")]
    connects_per_second: Option<u32>,
    /// The most bytes in all, both ways together
    #[arg(long, value_name = "N", requires = "targets")]
    max_bytes: Option<u64>,
    /// Put every byte into the log, not only the first ones
    #[arg(long, requires = "targets")]
    record: bool,
    /// List the keys there are
    #[arg(long, conflicts_with_all = ["targets", "revoke"])]
    list: bool,
    /// Revoke the key of this name, and close what it opened
    #[arg(long, value_name = "ID", conflicts_with = "targets")]
    revoke: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A key that was made, and where it opens what.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    made: KeyMade,
    urls: Vec<String>,
}

/// Does it, and gives what is to be printed.
///
/// # Errors
/// When there is no server, it lets nobody in, or it refuses.
pub async fn run(args: &KeyArgs) -> anyhow::Result<String> {
    let place = place(&args.reach).await?;
    let mut http = Http::new(&place);
    let keys = Place::path("keys");
    if let Some(id) = &args.revoke {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        ensure!(plain && !id.is_empty(), "{id:?} is no key's name: --list shows them");
        http.whole(Method::DELETE, &format!("{keys}/{id}"), &()).await?;
        return Ok(if args.json { "{}\n".to_owned() } else { format!("{id} is revoked.\n") });
    }
    if args.list {
        let list: KeyList = http.json(Method::GET, &keys, &()).await?;
        return if args.json { json(&list) } else { table(&list) };
    }
    let request = KeyRequest {
        name: args.name.clone(),
        targets: args.targets.clone(),
        origins: args.origins.clone(),
        max_streams: args.max_streams,
        connects_per_second: args.connects_per_second,
        max_bytes: args.max_bytes,
        record: args.record,
    };
    let made: KeyMade = http.json(Method::POST, &keys, &request).await?;
    let urls = urls(&made, place.address);
    if args.json {
        return json(&Made { made, urls });
    }
    let mut text = format!("{} opens, told this once:\n", made.key.id);
    for url in urls {
        writeln!(text, "  {url}")?;
    }
    Ok(text)
}

/// The server, and its token: from the environment, or by a launch code as a browser has it.
async fn place(reach: &ReachArgs) -> anyhow::Result<Place> {
    let address = reach.address();
    let given = std::env::var("SOCKSCOPE_TOKEN").ok().filter(|token| !token.is_empty());
    if given.is_some() {
        return Ok(Place { address, token: given });
    }
    let link = launch::ask(address.port())?;
    let token = match link.split_once("#c=") {
        None => None,
        Some((_, code)) => {
            let code = SessionRequest { code: code.to_owned() };
            let mut http = Http::new(&Place { address, token: None });
            let session: SessionToken = http.json(Method::POST, "/api/v1/session", &code).await?;
            Some(session.token)
        }
    };
    Ok(Place { address, token })
}

/// Where a key opens what: a path for each target, as far as it is named, and the contracts that name targets elsewhere.
fn urls(made: &KeyMade, address: SocketAddr) -> Vec<String> {
    let base = format!("ws://{address}/k/{}", made.secret);
    let of = |target: &String| {
        let (scheme, rest) =
            target.split_once("://").filter(|(scheme, _)| matches!(*scheme, "tcp" | "udp"))?;
        let (host, port) = rest.rsplit_once(':')?;
        let host = if host == "*" { "{host}" } else { host };
        let port = if port.bytes().all(|byte| byte.is_ascii_digit()) { port } else { "{port}" };
        Some(format!("{base}/bridge/{scheme}/{host}/{port}"))
    };
    let dials = |scheme: &str| made.key.targets.iter().any(|target| target.starts_with(scheme));
    let elsewhere = [
        ("/websockify", dials("tcp://")),
        ("/wisp/", dials("tcp://") || dials("udp://")),
        ("/bridge/sockets", true),
    ];
    let elsewhere = elsewhere.iter().filter(|(_, leads)| *leads).map(|(path, _)| format!("{base}{path}"));
    made.key.targets.iter().filter_map(of).chain(elsewhere).collect()
}

fn table(list: &KeyList) -> anyhow::Result<String> {
    let mut text = String::new();
    for key in &list.keys {
        let (open, targets) = (key.sockets.len(), key.targets.join(" "));
        let BridgeKey { id, connections, opened, bytes, .. } = key;
        write!(text, "{id}  {open} open over {connections}, {opened} in all, {bytes} bytes  {targets}")?;
        match &key.name {
            // Anybody with the token may have named it: what a terminal would obey is shown as an escape.
            Some(name) => writeln!(text, "  {}", name.escape_debug())?,
            None => writeln!(text)?,
        }
    }
    Ok(text)
}

fn json(value: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string(value).context("the answer cannot be written as JSON")?;
    Ok(text + "\n")
}
