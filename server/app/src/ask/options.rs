//! Options of a socket: which have a meaning for it, and in which range.

use std::time::Duration;

use sockscope_sockets::options::{MAX_DATAGRAM, MAX_READ, Options};
use sockscope_wire::{Code, Role, SocketOptions};

use crate::problem::{Refused, Saying as _, problem};

/// Options to open a socket of that role with.
///
/// # Errors
/// When one is out of range, or has no meaning for such a socket.
pub fn options(asked: &SocketOptions, role: Role) -> Result<Options, Refused> {
    let SocketOptions {
        connect_timeout_ms,
        reuse_addr,
        backlog,
        read_size,
        nodelay,
        keepalive,
        keepalive_idle_s,
        keepalive_interval_s,
        keepalive_count,
        user_timeout_ms,
        recv_buffer,
        send_buffer,
        cork,
        quickack,
        maxseg,
        reading,
        accepting,
        broadcast,
        ipv6_only,
    } = asked;
    let datagrams = matches!(role, Role::Bound | Role::Connected);
    // A listener hands its options on to what it accepts, so those of a stream apply to it, too.
    let only = |name, given: bool, applies: bool| match given && !applies {
        true => Err(problem(Code::InvalidOption, format!("{name} means nothing to such a socket"))
            .with("option", name)),
        false => Ok(()),
    };
    let dials = matches!(role, Role::Client | Role::Connected);
    let binds = matches!(role, Role::Listener | Role::Bound);
    only("connect_timeout_ms", connect_timeout_ms.is_some(), dials)?;
    only("reuse_addr", reuse_addr.is_some(), binds)?;
    only("ipv6_only", ipv6_only.is_some(), binds)?;
    only("backlog", backlog.is_some(), role == Role::Listener)?;
    only("nodelay", nodelay.is_some(), !datagrams)?;
    only("keepalive", keepalive.is_some(), !datagrams)?;
    only("keepalive_idle_s", keepalive_idle_s.is_some(), !datagrams)?;
    only("keepalive_interval_s", keepalive_interval_s.is_some(), !datagrams)?;
    only("keepalive_count", keepalive_count.is_some(), !datagrams)?;
    only("user_timeout_ms", user_timeout_ms.is_some(), !datagrams)?;
    only("cork", cork.is_some(), !datagrams)?;
    only("quickack", quickack.is_some(), !datagrams)?;
    only("maxseg", maxseg.is_some(), !datagrams)?;
    only("reading", reading.is_some(), !datagrams)?;
    only("accepting", accepting.is_some(), role == Role::Listener)?;
    only("broadcast", broadcast.is_some(), datagrams)?;
    let most = if datagrams { MAX_DATAGRAM } else { MAX_READ };
    in_range("connect_timeout_ms", *connect_timeout_ms, 1, 600_000)?;
    in_range("backlog", *backlog, 0, 65_535)?;
    in_range("read_size", *read_size, 1, u32::try_from(most).unwrap_or(u32::MAX))?;
    in_range("keepalive_idle_s", *keepalive_idle_s, 1, 32_767)?;
    in_range("keepalive_interval_s", *keepalive_interval_s, 1, 32_767)?;
    in_range("keepalive_count", *keepalive_count, 1, 127)?;
    in_range("user_timeout_ms", *user_timeout_ms, 0, 3_600_000)?;
    in_range("maxseg", *maxseg, 88, 32_767)?;
    in_range("recv_buffer", *recv_buffer, 1, 1 << 30)?;
    in_range("send_buffer", *send_buffer, 1, 1 << 30)?;
    Ok(Options {
        connect_timeout: connect_timeout_ms.map(|ms| Duration::from_millis(u64::from(ms))),
        reuse_addr: *reuse_addr,
        backlog: *backlog,
        read_size: *read_size,
        nodelay: *nodelay,
        keepalive: *keepalive,
        keepalive_idle_s: *keepalive_idle_s,
        keepalive_interval_s: *keepalive_interval_s,
        keepalive_count: *keepalive_count,
        user_timeout_ms: *user_timeout_ms,
        recv_buffer: *recv_buffer,
        send_buffer: *send_buffer,
        cork: *cork,
        quickack: *quickack,
        maxseg: *maxseg,
        reading: *reading,
        accepting: *accepting,
        broadcast: *broadcast,
        ipv6_only: *ipv6_only,
    })
}

/// Options to set on an open socket, and how many they are.
///
/// # Errors
/// When one is out of range, or only has a meaning before the socket opens, or for another kind of
/// socket.
pub fn live_options(asked: &SocketOptions, role: Role) -> Result<(Options, usize), Refused> {
    for (name, given) in [
        ("connect_timeout_ms", asked.connect_timeout_ms.is_some()),
        ("backlog", asked.backlog.is_some()),
        ("reuse_addr", asked.reuse_addr.is_some()),
        ("ipv6_only", asked.ipv6_only.is_some()),
    ] {
        if given {
            return Err(problem(Code::InvalidOption, format!("{name} is given when the socket is opened"))
                .with("option", name));
        }
    }
    let options = options(asked, role)?;
    let given = [
        options.read_size.is_some(),
        options.nodelay.is_some(),
        options.keepalive.is_some(),
        options.keepalive_idle_s.is_some(),
        options.keepalive_interval_s.is_some(),
        options.keepalive_count.is_some(),
        options.user_timeout_ms.is_some(),
        options.recv_buffer.is_some(),
        options.send_buffer.is_some(),
        options.cork.is_some(),
        options.quickack.is_some(),
        options.maxseg.is_some(),
        options.reading.is_some(),
        options.accepting.is_some(),
        options.broadcast.is_some(),
    ];
    Ok((options, given.into_iter().filter(|given| *given).count()))
}

fn in_range(name: &str, value: Option<u32>, min: u32, max: u32) -> Result<(), Refused> {
    match value {
        Some(value) if value < min || value > max => {
            let refused = problem(Code::InvalidOption, format!("{name} is {min} to {max}"));
            Err(refused.with("option", name).with("min", min).with("max", max))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// One line of `tests/vectors/options.json`, which the page's tests read too: what an option may be for the sockets that
    /// are opened so. One without a range is on or off.
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        option: String,
        opens: Vec<String>,
        min: Option<u32>,
        max: Option<u32>,
    }

    #[test]
    fn the_page_offers_the_same_options_with_the_same_ranges() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../../tests/vectors/options.json")).expect("cases");
        let roles = [
            ("tcp", Role::Client),
            ("tcp-listen", Role::Listener),
            ("udp", Role::Connected),
            ("udp-bind", Role::Bound),
        ];
        for Case { option, opens, min, max } in &cases {
            assert!(opens.iter().all(|scheme| roles.iter().any(|(known, _)| known == scheme)), "{option}");
            for (scheme, role) in roles {
                let ask = |value: Value| {
                    let asked = serde_json::from_value(json!({ option: value })).expect("an option");
                    options(&asked, role).map_err(|refused| refused.params)
                };
                let meant =
                    |case: &Case| case.option == *option && case.opens.iter().any(|one| one == scheme);
                if !cases.iter().any(meant) {
                    assert!(ask(min.map_or(json!(true), Value::from)).is_err(), "{option} for {scheme}");
                } else if opens.iter().any(|one| one == scheme) {
                    let (Some(min), Some(max)) = (*min, *max) else {
                        assert!(ask(json!(true)).is_ok(), "{option} for {scheme}");
                        continue;
                    };
                    assert!(ask(json!(min)).is_ok() && ask(json!(max)).is_ok(), "{option} for {scheme}");
                    for beyond in min.checked_sub(1).into_iter().chain([max + 1]) {
                        let params = ask(json!(beyond)).expect_err("out of range");
                        assert_eq!(
                            (&params["min"], &params["max"]),
                            (&min.to_string(), &max.to_string()),
                            "{option}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_option_that_means_nothing_to_a_socket_is_refused_by_name() {
        let with = |set: fn(&mut SocketOptions)| {
            let mut options = SocketOptions::default();
            set(&mut options);
            options
        };
        let cases: [(&str, SocketOptions, &[Role]); 10] = [
            ("accepting", with(|o| o.accepting = Some(false)), &[Role::Listener]),
            ("reading", with(|o| o.reading = Some(false)), &[Role::Client, Role::Listener, Role::Accepted]),
            (
                "connect_timeout_ms",
                with(|o| o.connect_timeout_ms = Some(5)),
                &[Role::Client, Role::Connected],
            ),
            ("reuse_addr", with(|o| o.reuse_addr = Some(true)), &[Role::Listener, Role::Bound]),
            ("ipv6_only", with(|o| o.ipv6_only = Some(true)), &[Role::Listener, Role::Bound]),
            ("backlog", with(|o| o.backlog = Some(1)), &[Role::Listener]),
            ("nodelay", with(|o| o.nodelay = Some(true)), &[Role::Client, Role::Listener, Role::Accepted]),
            (
                "keepalive",
                with(|o| o.keepalive = Some(true)),
                &[Role::Client, Role::Listener, Role::Accepted],
            ),
            ("broadcast", with(|o| o.broadcast = Some(true)), &[Role::Bound, Role::Connected]),
            (
                "read_size",
                with(|o| o.read_size = Some(65_537)),
                &[Role::Client, Role::Listener, Role::Accepted],
            ),
        ];
        for (name, asked, meant_for) in cases {
            for role in [Role::Client, Role::Listener, Role::Accepted, Role::Bound, Role::Connected] {
                match options(&asked, role) {
                    Ok(_) => assert!(meant_for.contains(&role), "{name} for {role:?}"),
                    Err(refused) => {
                        assert!(!meant_for.contains(&role), "{name} for {role:?}");
                        assert_eq!(refused.code, Code::InvalidOption);
                        assert_eq!(refused.params["option"], name);
                    }
                }
            }
        }
    }
}
