//! What a client asks to have opened.

use std::net::IpAddr;

use serde::Deserialize;
use sockscope_sockets::{
    open::Family,
    target::{Host, Scheme, Target},
};
use sockscope_wire::{Code, Role, SocketOptions};

use crate::{
    ask,
    problem::{Refused, problem},
    workspace::Wish,
};

/// The payload of OPEN. The names are those of the standard, where it has one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    kind: Kind,
    /// A name or an address; where to listen is an address. IPv6 with brackets or without.
    host: String,
    /// 0 is any that is free, where something listens.
    #[serde(default)]
    port: u16,
    no_delay: Option<bool>,
    /// In ms: how long nothing is heard before it is asked for, and between two such questions.
    keep_alive_delay: Option<u32>,
    send_buffer_size: Option<u32>,
    receive_buffer_size: Option<u32>,
    backlog: Option<u32>,
    ipv6_only: Option<bool>,
    dns_query_type: Option<DnsQueryType>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Tcp,
    Udp,
    Listen,
    UdpBind,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DnsQueryType {
    Ipv4,
    Ipv6,
}

/// What is sent over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    Bytes,
    Datagrams,
    Connections,
}

/// Reads one.
///
/// # Errors
/// What is not understood.
pub(super) fn read(asked: &[u8]) -> Result<(Wish, Carries), Refused> {
    let Asked {
        kind,
        host,
        port,
        no_delay,
        keep_alive_delay,
        send_buffer_size,
        receive_buffer_size,
        backlog,
        ipv6_only,
        dns_query_type,
    } = serde_json::from_slice(asked).map_err(|error| problem(Code::MalformedJson, error.to_string()))?;
    let (scheme, role, carries) = match kind {
        Kind::Tcp => (Scheme::Tcp, Role::Client, Carries::Bytes),
        Kind::Udp => (Scheme::Udp, Role::Connected, Carries::Datagrams),
        Kind::Listen => (Scheme::TcpListen, Role::Listener, Carries::Connections),
        Kind::UdpBind => (Scheme::UdpBind, Role::Bound, Carries::Datagrams),
    };
    let target: Target = url(scheme, &host, port).parse().map_err(|error| ask::target_problem(&error))?;
    if scheme.is_local() && !matches!(target.host, Host::Ip { .. }) {
        return Err(problem(Code::InvalidHost, "where to listen is an address"));
    }
    // The kernel takes whole seconds.
    let seconds = keep_alive_delay.map(|ms| ms.div_ceil(1000).clamp(1, 32_767));
    let options = SocketOptions {
        backlog,
        nodelay: no_delay,
        keepalive: seconds.is_some().then_some(true),
        keepalive_idle_s: seconds,
        keepalive_interval_s: seconds,
        // More than the kernel grants is granted as much as it does.
        recv_buffer: receive_buffer_size.map(|bytes| bytes.min(1 << 30)),
        send_buffer: send_buffer_size.map(|bytes| bytes.min(1 << 30)),
        ipv6_only,
        ..SocketOptions::default()
    };
    let family = dns_query_type.map(|family| match family {
        DnsQueryType::Ipv4 => Family::V4,
        DnsQueryType::Ipv6 => Family::V6,
    });
    Ok((Wish { target, options: ask::options(&options, role)?, family }, carries))
}

/// The URL of a target whose IPv6 address may have no brackets.
pub(super) fn url(scheme: Scheme, host: &str, port: u16) -> String {
    let bare = host.split('%').next().is_some_and(|host| matches!(host.parse(), Ok(IpAddr::V6(_))));
    if bare { format!("{scheme}://[{host}]:{port}") } else { format!("{scheme}://{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(asked: &str) -> Result<String, Code> {
        read(asked.as_bytes()).map(|(wish, _)| wish.target.to_string()).map_err(|refused| refused.code)
    }

    #[test]
    fn each_kind_is_a_target() {
        for (asked, target) in [
            (r#"{"kind":"tcp","host":"localhost","port":80}"#, "tcp://localhost:80"),
            (r#"{"kind":"tcp","host":"::1","port":80,"dnsQueryType":"ipv6"}"#, "tcp://[::1]:80"),
            (r#"{"kind":"udp","host":"[::1]","port":53}"#, "udp://[::1]:53"),
            (r#"{"kind":"listen","host":"127.0.0.1","backlog":5}"#, "tcp-listen://127.0.0.1:0"),
            (r#"{"kind":"udp-bind","host":"::","port":9,"ipv6Only":true}"#, "udp-bind://[::]:9"),
        ] {
            assert_eq!(shown(asked).as_deref(), Ok(target), "{asked}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (asked, code) in [
            ("", Code::MalformedJson),
            ("[]", Code::MalformedJson),
            (r#"{"kind":"tls","host":"a","port":1}"#, Code::MalformedJson),
            (r#"{"kind":"tcp","host":"a","port":65536}"#, Code::MalformedJson),
            (r#"{"kind":"tcp","host":"a","port":1,"more":1}"#, Code::MalformedJson),
            (r#"{"kind":"tcp","host":"a"}"#, Code::InvalidPort),
            (r#"{"kind":"tcp","host":"","port":1}"#, Code::InvalidHost),
            (r#"{"kind":"listen","host":"localhost","port":1}"#, Code::InvalidHost),
            (r#"{"kind":"udp-bind","host":"","port":1}"#, Code::InvalidHost),
            (r#"{"kind":"udp","host":"a","port":1,"noDelay":true}"#, Code::InvalidOption),
            (r#"{"kind":"tcp","host":"a","port":1,"backlog":1}"#, Code::InvalidOption),
        ] {
            assert_eq!(shown(asked), Err(code), "{asked}");
        }
    }

    #[test]
    fn a_keepalive_delay_sets_both_times_in_whole_seconds() {
        let (wish, _) = read(br#"{"kind":"tcp","host":"a","port":1,"keepAliveDelay":1001}"#).expect("fine");
        let options = wish.options;
        assert_eq!(
            (options.keepalive, options.keepalive_idle_s, options.keepalive_interval_s),
            (Some(true), Some(2), Some(2))
        );
    }
}
