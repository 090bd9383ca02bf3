//! Names: resolved once, every answer judged, every failure told apart.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use proptest::prelude::*;

use super::dns::{NameServer, Say, addresses};
use crate::policy::{
    Checked, CheckedAddr, Class, Policy, PolicyConfig, Purpose, Refusal, ResolveError, Resolver,
};
use crate::policy::{classify, rule};
use crate::target::Host;

fn policy() -> Policy {
    Policy::new(PolicyConfig {
        control: vec!["127.0.0.1:7625".parse().expect("an address")],
        listen_ports: None,
        default_listen_host: IpAddr::from([127, 0, 0, 1]),
    })
}

async fn connect(resolver: &Resolver, name: &str, port: u16) -> Result<Checked, Refusal> {
    policy().targets(resolver, &Host::Name(name.into()), port, Purpose::Connect).await
}

fn shown(allowed: &[CheckedAddr]) -> Vec<String> {
    allowed.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn families_are_asked_once_each_and_alternate_ipv6_first() {
    let server = NameServer::start(|_, _, _| {
        addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "2606:4700::1", "2606:4700::2"])
    })
    .await;
    let checked = connect(&server.resolver(), "a.example", 80).await.expect("addresses");
    let order = ["[2606:4700::1]:80", "10.0.0.1:80", "[2606:4700::2]:80", "10.0.0.2:80", "10.0.0.3:80"];
    assert_eq!(shown(&checked.allowed), order);
    assert_eq!(checked.resolved.expect("a name").iter().map(ToString::to_string).collect::<Vec<_>>(), order);
    let mut asked = server.asked();
    asked.sort();
    assert_eq!(asked, [("a.example".into(), RecordType::A), ("a.example".into(), RecordType::AAAA)]);
}

#[tokio::test]
async fn to_bind_ipv4_comes_first() {
    let server = NameServer::start(|_, _, _| addresses(&["10.0.0.1", "2606:4700::1"])).await;
    let host = Host::Name("a.example".into());
    let checked = policy().targets(&server.resolver(), &host, 9000, Purpose::Bind).await.expect("addresses");
    assert_eq!(shown(&checked.allowed), ["10.0.0.1:9000", "[2606:4700::1]:9000"]);
}

/// DNS rebinding: the answer is harmless when it is looked at, and something else a moment later.
#[tokio::test]
async fn an_answer_that_changes_is_judged_again_and_never_mixed_up() {
    let server = NameServer::start(|name, _, before| {
        let answer = if before % 2 == 0 { [93, 184, 216, 34] } else { [169, 254, 169, 254] };
        let answer = vec![IpAddr::from(answer)];
        if name == "kept.example" { Say::ForADay(answer) } else { Say::Addresses(answer) }
    })
    .await;
    let resolver = server.resolver();
    for (round, name) in ["fast.example", "fast.example", "kept.example", "kept.example"].iter().enumerate() {
        let checked = connect(&resolver, name, 80).await.expect("the harmless answer");
        assert_eq!(shown(&checked.allowed), ["93.184.216.34:80"]);
        assert_eq!(server.asked().len(), 4 * round + 2, "one question for each family, nothing kept");
        let refusal = connect(&resolver, name, 80).await.expect_err("the harmful answer");
        let Refusal::Denied(denied) = refusal else { panic!("{refusal}") };
        assert_eq!(denied.len(), 1);
        assert_eq!((denied[0].class, denied[0].rule), (Some(Class::Metadata), rule::METADATA));
        assert_eq!(denied[0].address, Some(SocketAddr::from(([169, 254, 169, 254], 80))));
    }
}

#[tokio::test]
async fn of_mixed_answers_the_allowed_remain_and_the_denied_are_told() {
    let server = NameServer::start(|_, _, _| {
        addresses(&[
            "10.0.0.1",
            "169.254.169.254",
            "240.0.0.1",
            "::ffff:169.254.169.254",
            "2606:4700::1",
            "64:ff9b::a9fe:a9fe",
        ])
    })
    .await;
    let checked = connect(&server.resolver(), "mixed.example", 80).await.expect("the allowed");
    assert_eq!(shown(&checked.allowed), ["[2606:4700::1]:80", "10.0.0.1:80"]);
    assert_eq!(checked.resolved.map(|all| all.len()), Some(6));
    let mut rules: Vec<_> = checked.denied.iter().map(|denial| denial.rule).collect();
    rules.sort_unstable();
    assert_eq!(rules, [rule::METADATA, rule::METADATA, rule::METADATA, rule::RESERVED]);
}

#[tokio::test]
async fn a_name_that_leads_to_the_control_port_is_denied_at_that_port_only() {
    let server = NameServer::start(|_, _, _| addresses(&["127.0.0.1", "::"])).await;
    let resolver = server.resolver();
    let Err(Refusal::Denied(denied)) = connect(&resolver, "me.example", 7625).await else {
        panic!("not denied")
    };
    assert!(
        denied
            .iter()
            .all(|denial| denial.rule == rule::SELF_CONTROL && denial.class == Some(Class::SelfControl))
    );
    assert_eq!(denied.len(), 2);
    assert!(connect(&resolver, "me.example", 7626).await.is_ok());
}

#[tokio::test]
async fn names_of_metadata_services_are_denied_unasked() {
    let server = NameServer::start(|_, _, _| addresses(&["93.184.216.34"])).await;
    for name in ["metadata.google.internal", "metadata", "instance-data", "instance-data.ec2.internal"] {
        let Err(Refusal::Denied(denied)) = connect(&server.resolver(), name, 80).await else {
            panic!("{name}")
        };
        assert_eq!((denied[0].rule, denied[0].address), (rule::METADATA_NAME, None));
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn localhost_is_this_host_whatever_dns_says() {
    let server = NameServer::start(|_, _, _| addresses(&["93.184.216.34"])).await;
    for name in ["localhost", "app.localhost"] {
        let checked = connect(&server.resolver(), name, 80).await.expect("loopback");
        assert_eq!(shown(&checked.allowed), ["[::1]:80", "127.0.0.1:80"]);
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn no_more_than_sixteen_answers_evenly_from_both_families() {
    let server = NameServer::start(|_, _, _| {
        let v4 = (1..=20).map(|n| IpAddr::from([10, 0, 0, n]));
        let v6 = (1..=20).map(|n| IpAddr::from([0x2606, 0, 0, 0, 0, 0, 0, n]));
        Say::Addresses(v4.chain(v6).collect())
    })
    .await;
    let found = server.resolver().resolve("many.example").await.expect("addresses");
    assert_eq!(found.len(), 16);
    assert_eq!(found.iter().filter(|ip| ip.is_ipv6()).count(), 8);
}

#[tokio::test]
async fn failures_are_told_apart() {
    use ResolveError::{Failed, NameNotFound, NoAddress, TimedOut};
    let code = |name: &str, family: RecordType| match (name, family) {
        ("nx.example", _) | ("half.example", RecordType::AAAA) => Say::Code(ResponseCode::NXDomain),
        ("empty.example" | "half.example", _) => Say::Code(ResponseCode::NoError),
        ("fail.example", _) | ("nodata-and-fail.example", RecordType::A) => Say::Code(ResponseCode::ServFail),
        ("nodata-and-fail.example", _) => Say::Code(ResponseCode::NoError),
        ("refused.example", _) => Say::Code(ResponseCode::Refused),
        ("v4-and-fail.example", RecordType::AAAA) => Say::Code(ResponseCode::ServFail),
        ("v4-and-nx.example", RecordType::AAAA) => Say::Code(ResponseCode::NXDomain),
        ("v4-and-fail.example" | "v4-and-nx.example", _) => addresses(&["10.0.0.1"]),
        _ => Say::Nothing,
    };
    let server = NameServer::start(move |name, family, _| code(name, family)).await;
    let resolver = server.resolver().within(Duration::from_millis(400));
    for (name, errno) in [
        ("nx.example", "EAI_NONAME"),
        ("empty.example", "EAI_NODATA"),
        ("half.example", "EAI_NODATA"),
        ("fail.example", "EAI_FAIL"),
        ("nodata-and-fail.example", "EAI_FAIL"),
        ("refused.example", "EAI_FAIL"),
        ("silent.example", "EAI_AGAIN"),
    ] {
        let error = resolver.resolve(name).await.expect_err(name);
        assert_eq!(error.errno(), errno, "{name}: {error}");
        let sort = matches!(
            (errno, &error),
            ("EAI_NONAME", NameNotFound)
                | ("EAI_NODATA", NoAddress)
                | ("EAI_FAIL", Failed(_))
                | ("EAI_AGAIN", TimedOut)
        );
        assert!(sort, "{name}: {error:?}");
    }
    for name in ["v4-and-fail.example", "v4-and-nx.example"] {
        assert_eq!(resolver.resolve(name).await, Ok(vec![IpAddr::from([10, 0, 0, 1])]), "{name}");
    }
}

#[tokio::test]
async fn the_limit_holds_and_a_lost_question_is_asked_again() {
    let server = NameServer::start(|name, _, before| match name {
        "lost.example" if before > 0 => addresses(&["10.0.0.1"]),
        _ => Say::Nothing,
    })
    .await;
    assert!(server.resolver().resolve("lost.example").await.is_ok());
    assert!(server.asked().len() > 2, "{:?}", server.asked());
    let began = Instant::now();
    assert_eq!(server.resolver().resolve("silent.example").await, Err(ResolveError::TimedOut));
    let took = began.elapsed();
    let began = Instant::now();
    let resolver = server.resolver().within(Duration::from_millis(200));
    assert_eq!(resolver.resolve("silent.example").await, Err(ResolveError::TimedOut));
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    assert!((Duration::from_millis(2900)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_family_that_never_answers_costs_half_a_second_and_one_that_is_late_is_waited_for() {
    let server = NameServer::start(|name, family, _| match (name, family) {
        (_, RecordType::A) => addresses(&["10.0.0.1"]),
        ("late.example", _) => {
            Say::Late(Duration::from_millis(150), vec!["2606:4700::1".parse().expect("an address")])
        }
        _ => Say::Nothing,
    })
    .await;
    let began = Instant::now();
    assert_eq!(server.resolver().resolve("deaf.example").await.map(|found| found.len()), Ok(1));
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(server.resolver().resolve("late.example").await.map(|found| found.len()), Ok(2));
}

#[tokio::test]
async fn no_name_server_is_a_failure_and_not_a_hang() {
    let error = Resolver::with_servers(Vec::new()).resolve("a.example").await.expect_err("nobody to ask");
    assert_eq!(error.errno(), "EAI_FAIL", "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever DNS answers: what may be dialled is one of the answers, is in order, and is no metadata.
    #[test]
    fn what_may_be_dialled_is_an_answer_and_no_metadata(
        bits in prop::collection::vec(any::<u128>(), 0..6),
        evil in prop::collection::vec(prop::sample::select(vec![
            "169.254.169.254", "fd00:ec2::254", "::ffff:100.100.100.200", "2002:a9fe:a9fe::1", "0.0.0.0", "::1",
            "10.0.0.1", "192.0.0.192",
        ]), 0..4),
        port in prop_oneof![Just(80u16), Just(7625)],
    ) {
        let answers: Vec<IpAddr> = bits
            .iter()
            .map(|&bits| if bits & 1 == 0 { IpAddr::from(bits.to_be_bytes()) } else { IpAddr::from(((bits >> 1) as u32).to_be_bytes()) })
            .chain(evil.iter().map(|text| text.parse().expect("an address")))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let told = answers.clone();
        let result = runtime.block_on(async {
            let server = NameServer::start(move |_, _, _| Say::Addresses(told.clone())).await;
            connect(&server.resolver(), "any.example", port).await
        });
        match result {
            Ok(Checked { resolved, allowed, denied }) => {
                let resolved = resolved.expect("a name");
                prop_assert!(!allowed.is_empty());
                prop_assert_eq!(allowed.len() + denied.len(), resolved.len());
                for address in allowed {
                    prop_assert!(answers.contains(&address.get().ip()));
                    prop_assert!(resolved.contains(&address.get()));
                    prop_assert_eq!(address.get().port(), port);
                    prop_assert!(!matches!(classify(address.get().ip()), Class::Metadata | Class::Reserved));
                    prop_assert!(port != 7625 || !matches!(classify(address.get().ip()), Class::Loopback | Class::Unspecified));
                }
            }
            Err(Refusal::Denied(denied)) => prop_assert!(!denied.is_empty()),
            Err(Refusal::Resolve(error)) => prop_assert!(answers.is_empty(), "{}", error),
        }
    }
}
