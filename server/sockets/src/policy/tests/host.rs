//! Addresses of this host: the control port, what may be bound, zones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nameindex;

use crate::policy::{Class, Denial, Policy, PolicyConfig, Purpose, Refusal, ResolveError, Resolver};
use crate::policy::{display_addr, is_this_host, rule};
use crate::target::{Host, Target};

const CONTROL: u16 = 7625;

fn policy(control: &str, ports: Option<std::ops::RangeInclusive<u16>>) -> Policy {
    Policy::new(PolicyConfig {
        control: vec![control.parse().expect(control)],
        listen_ports: ports,
        default_listen_host: Ipv4Addr::LOCALHOST.into(),
    })
}

fn interface_addresses() -> Vec<SocketAddr> {
    let all = getifaddrs().expect("interfaces").filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), 0)));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    });
    all.collect()
}

#[test]
fn the_control_port_is_denied_at_every_address_of_this_host() {
    let mut spellings: Vec<SocketAddr> = [
        "127.0.0.1",
        "127.1.2.3",
        "127.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fe80::5efe:7f00:1",
    ]
    .map(|text| SocketAddr::new(text.parse().expect(text), CONTROL))
    .into();
    for mut own in interface_addresses() {
        own.set_port(CONTROL);
        spellings.push(own);
        if let IpAddr::V4(v4) = own.ip() {
            spellings.push(SocketAddr::new(v4.to_ipv6_mapped().into(), CONTROL));
            let [a, b, c, d] = v4.octets();
            let nat64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d];
            spellings.push(SocketAddr::new(nat64.into(), CONTROL));
        }
    }
    for control in ["127.0.0.1:7625", "0.0.0.0:7625", "[::]:7625", "[::1]:7625", "192.168.7.7:7625"] {
        let policy = policy(control, None);
        for &at in &spellings {
            for purpose in [Purpose::Connect, Purpose::SendTo, Purpose::Bind] {
                let denial =
                    Denial { address: Some(at), class: Some(Class::SelfControl), rule: rule::SELF_CONTROL };
                assert_eq!(policy.check(at, purpose), Err(denial), "{at} {purpose:?} with {control}");
                let mut other = at;
                other.set_port(CONTROL + 1);
                assert!(policy.check(other, purpose).is_ok(), "{other} {purpose:?}");
            }
        }
    }
}

#[test]
fn the_same_port_of_another_host_is_nothing_special() {
    let policy = policy("0.0.0.0:7625", None);
    for text in ["93.184.216.34:7625", "[2606:4700::1]:7625", "239.1.2.3:7625", "255.255.255.255:7625"] {
        let at: SocketAddr = text.parse().expect(text);
        assert_eq!(policy.check(at, Purpose::Connect).map(|checked| checked.get()), Ok(at));
    }
}

#[test]
fn this_host_is_what_the_kernel_says() {
    for own in interface_addresses() {
        assert!(is_this_host(own), "{own}");
    }
    for other in ["93.184.216.34:0", "203.0.113.9:0", "[2606:4700::1]:0"] {
        assert!(!is_this_host(other.parse().expect(other)), "{other}");
    }
}

#[test]
fn to_bind_the_kernel_says_which_addresses_and_we_say_which_ports() {
    let (free, limited) = (policy("127.0.0.1:7625", None), policy("127.0.0.1:7625", Some(20000..=20099)));
    assert_eq!(limited.listen_ports(), Some(20000..=20099));
    for host in ["127.0.0.1", "0.0.0.0", "::", "::1", "10.9.8.7", "224.0.0.251", "240.0.0.1"] {
        for (port, within) in [(0, false), (19999, false), (20000, true), (20099, true), (20100, false)] {
            let at = SocketAddr::new(host.parse().expect(host), port);
            assert!(free.check(at, Purpose::Bind).is_ok(), "{at}");
            match limited.check(at, Purpose::Bind) {
                Ok(_) => assert!(within, "{at}"),
                Err(denial) => assert_eq!((denial.rule, within), (rule::LISTEN_PORTS, false), "{at}"),
            }
            assert_eq!(
                limited.check(at, Purpose::Connect).is_ok(),
                host != "240.0.0.1",
                "only binding is limited: {at}"
            );
        }
    }
    let metadata = "169.254.169.254:20000".parse().expect("an address");
    assert_eq!(free.check(metadata, Purpose::Bind).map_err(|denial| denial.rule), Err(rule::METADATA));
}

#[tokio::test]
async fn no_host_is_the_default_to_bind_and_nothing_to_connect_to() {
    let (policy, resolver) = (policy("127.0.0.1:7625", None), Resolver::with_servers(Vec::new()));
    let bound = policy.targets(&resolver, &Host::Empty, 9000, Purpose::Bind).await.expect("an address");
    assert_eq!((bound.allowed[0].to_string().as_str(), bound.resolved), ("127.0.0.1:9000", None));
    let refusal = policy.targets(&resolver, &Host::Empty, 9000, Purpose::Connect).await;
    assert_eq!(refusal, Err(Refusal::Resolve(ResolveError::NoAddress)));
}

#[tokio::test]
async fn a_zone_is_an_interface_by_name_or_number() {
    let (policy, resolver) = (policy("127.0.0.1:7625", None), Resolver::with_servers(Vec::new()));
    let lo =
        if_nameindex().expect("interfaces").iter().next().map(|one| (one.index(), one.name().to_owned()));
    let (index, name) = lo.expect("at least one interface");
    let name = name.to_str().expect("a readable name");
    for zone in [name.to_owned(), index.to_string(), format!("25{name}")] {
        let target: Target = format!("udp://[fe80::1%{zone}]:53").parse().expect("a target");
        let checked =
            policy.targets(&resolver, &target.host, 53, Purpose::Connect).await.expect("an address");
        let SocketAddr::V6(v6) = checked.allowed[0].get() else { panic!("IPv6 became IPv4") };
        assert_eq!((v6.scope_id(), v6.ip().to_string().as_str()), (index, "fe80::1"));
        assert_eq!(checked.allowed[0].to_string(), format!("[fe80::1%{name}]:53"));
    }
    for zone in ["nosuch0", "4000000000"] {
        let target: Target = format!("udp://[fe80::1%{zone}]:53").parse().expect("a target");
        let refusal = policy.targets(&resolver, &target.host, 53, Purpose::Connect).await;
        assert_eq!(refusal, Err(Refusal::Resolve(ResolveError::UnknownZone)));
    }
    let metadata: Target = format!("udp://[fe80::a9fe:a9fe%{name}]:80").parse().expect("a target");
    let refusal = policy.targets(&resolver, &metadata.host, 80, Purpose::SendTo).await;
    assert!(matches!(refusal, Err(Refusal::Denied(denied)) if denied[0].rule == rule::METADATA));
}

#[test]
fn addresses_are_shown_as_what_they_are() {
    for text in ["127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "[fe80::1]:80", "0.0.0.0:0"] {
        assert_eq!(display_addr(&text.parse().expect(text)), text);
    }
    // An interface that is gone is its number, written so that it reads back as that number.
    assert_eq!(
        display_addr(&"[fe80::1%4000000000]:80".parse().expect("an address")),
        "[fe80::1%4000000000]:80"
    );
    assert_eq!(
        display_addr(&"[fe80::1%2500000000]:80".parse().expect("an address")),
        "[fe80::1%252500000000]:80"
    );
}
