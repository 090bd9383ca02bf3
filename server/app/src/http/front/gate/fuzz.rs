//! Whatever a browser that was lied to may say in Host.

use std::net::IpAddr;

use super::Gate;

/// What is ours is, without a port, one of the names that are.
pub(crate) fn host(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if !Gate::new(["scope.example".to_owned(), "192.0.2.7".to_owned()]).knows(text) {
        return;
    }
    let port = text.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = match port {
        Some((name, port)) if !text.ends_with(']') => {
            assert!(port.parse::<u16>().is_ok(), "{text:?}");
            name
        }
        _ => text,
    };
    let bare = name.to_ascii_lowercase();
    let bare = bare.strip_suffix('.').unwrap_or(&bare);
    let address = match bare.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => bare.parse().ok().filter(IpAddr::is_ipv4),
    };
    let ours = matches!(bare, "localhost" | "scope.example" | "192.0.2.7");
    assert!(ours || address.is_some_and(|address| address.is_loopback()), "{text:?}");
}
