use proptest::prelude::*;

use super::*;

const CREDITS: u32 = 64;

/// RFC 8032 §7.1, TEST SHA(abc): what is signed is 64 bytes long, as the challenge is.
const PUBLIC: &str = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";
const MESSAGE: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                       2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
const SIGNATURE: &str = "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
                         09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704";
/// SHA-256 of the 32 bytes of the public key, by OpenSSL.
const HASH: &str = "5f9b247e2a654719f198e4f241d6b0df9a1a937a13ef5ef899f64d9285fce224";
/// The public key of another test there, TEST 2.
const OTHER: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let byte = |at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex");
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(byte)
}

fn open() -> Settings {
    let credits = NonZeroU32::new(CREDITS).expect("some");
    Settings { credits, passwords: None, keys: None, motd: None }
}

fn passwords(required: bool) -> Option<Passwords> {
    Some(Passwords::new(required, [("ann", "one"), ("bob", "two"), ("", "three")]).expect("short names"))
}

fn keys(required: bool) -> Option<Keys> {
    Some(Keys::new(required, [hex(OTHER), hex(PUBLIC)]).expect("keys"))
}

fn waiting<'a>(settings: &'a Settings, out: &mut Vec<u8>) -> Handshake<'a> {
    match Handshake::begin(Version::V2, settings, hex(MESSAGE), out) {
        Begun::Waiting(handshake) => handshake,
        Begun::Over(outcome) => panic!("{outcome:?} before the client said anything"),
    }
}

/// What was written is what the outcome says, and nothing else.
fn told(outcome: Outcome, out: &[u8]) -> Outcome {
    match outcome {
        Outcome::Accepted(_) => assert_eq!(out, continue_packet(0, CREDITS)),
        Outcome::Refused(reason) => assert_eq!(out, close_packet(0, reason)),
        Outcome::Left(_) => assert!(out.is_empty()),
    }
    outcome
}

fn receive(settings: &Settings, message: &[u8]) -> Outcome {
    let mut out = Vec::new();
    let handshake = waiting(settings, &mut out);
    out.clear();
    let outcome = handshake.receive(message, &mut out);
    told(outcome, &out)
}

fn silent(settings: &Settings) -> Outcome {
    let mut out = Vec::new();
    let handshake = waiting(settings, &mut out);
    out.clear();
    let outcome = handshake.silent(&mut out);
    told(outcome, &out)
}

fn version_1(settings: &Settings) -> Outcome {
    let mut out = Vec::new();
    match Handshake::begin(Version::V1, settings, hex(MESSAGE), &mut out) {
        Begun::Over(outcome) => told(outcome, &out),
        Begun::Waiting(_) => panic!("v1 has no INFO"),
    }
}

fn info(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let listed = extensions.iter().map(|(id, payload)| Extension { id: *id, payload });
    info_packet(&mut out, 2, 0, &listed.collect::<Vec<_>>());
    out
}

fn with_password(user: &str, password: &str) -> Vec<u8> {
    [&[user.len() as u8], user.as_bytes(), password.as_bytes()].concat()
}

fn with_key() -> Vec<u8> {
    [&[1][..], &hex::<32>(HASH), &hex::<64>(SIGNATURE)].concat()
}

const V1: Accepted = Accepted { version: Version::V1, udp: true, confirm_open: false, pending: false };
const V2: Accepted = Accepted { version: Version::V2, udp: false, confirm_open: false, pending: false };

#[test]
fn without_a_subprotocol_continue_is_said_at_once() {
    assert_eq!(version_1(&open()), Outcome::Accepted(V1));
    let optional = Settings { passwords: passwords(false), keys: keys(false), ..open() };
    assert_eq!(version_1(&optional), Outcome::Accepted(V1));
}

#[test]
fn where_credentials_are_required_nobody_gets_in_by_an_older_version() {
    let connect = [1, 9, 0, 0, 0, 1, 80, 0, b'a'];
    for settings in [
        Settings { passwords: passwords(true), ..open() },
        Settings { keys: keys(true), ..open() },
        Settings { passwords: passwords(false), keys: keys(true), ..open() },
    ] {
        let refused = Outcome::Refused(reason::CREDENTIALS);
        assert_eq!(version_1(&settings), refused);
        assert_eq!(silent(&settings), refused);
        assert_eq!(receive(&settings, &connect), refused);
        assert_eq!(receive(&settings, &[]), refused);
    }
}

/// By hand from the tables of the specification.
#[test]
fn info_says_what_the_server_has_and_asks_for() {
    let mut out = Vec::new();
    waiting(&open(), &mut out);
    assert_eq!(out, [5, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0]);

    let all =
        Settings { passwords: passwords(false), keys: keys(true), motd: Some("hallo".to_owned()), ..open() };
    out.clear();
    waiting(&all, &mut out);
    let expected = [
        &[5, 0, 0, 0, 0, 2, 0][..],
        &[1, 0, 0, 0, 0],
        &[2, 1, 0, 0, 0, 0],
        &[3, 66, 0, 0, 0, 1, 1],
        &hex::<64>(MESSAGE),
        &[4, 5, 0, 0, 0],
        b"hallo",
        &[5, 0, 0, 0, 0],
    ];
    assert_eq!(out, expected.concat());
}

#[test]
fn an_extension_is_there_when_both_have_it() {
    for (udp, confirm_open) in [(false, false), (false, true), (true, false), (true, true)] {
        let listed = [(udp, (1, &[][..])), (confirm_open, (5, &[][..]))];
        let listed = listed.iter().filter(|(has, _)| *has).map(|(_, each)| *each).collect::<Vec<_>>();
        let expected = Accepted { udp, confirm_open, ..V2 };
        assert_eq!(receive(&open(), &info(&listed)), Outcome::Accepted(expected));
    }
}

/// Version 0.4, unless told otherwise: UDP and MOTD.
#[test]
fn the_info_of_wisp_js_is_accepted() {
    let message = [5, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    assert_eq!(receive(&open(), &message), Outcome::Accepted(Accepted { udp: true, ..V2 }));
}

#[test]
fn an_extension_that_is_unknown_or_not_offered_is_skipped() {
    let listed = [(0x77, &b"whatever"[..]), (2, b"\x03annone"), (3, b"no signature"), (1, &[])];
    assert_eq!(receive(&open(), &info(&listed)), Outcome::Accepted(Accepted { udp: true, ..V2 }));
}

#[test]
fn an_info_cut_anywhere_within_is_refused() {
    let settings = Settings { passwords: passwords(true), ..open() };
    let whole = info(&[(0x77, b"abc"), (2, &with_password("ann", "one")), (1, &[])]);
    let boundaries = [(7, false), (15, false), (27, true), (32, true)];
    assert_eq!(whole.len(), 32);
    for cut in 1..=whole.len() {
        let expected = match boundaries.iter().find(|(end, _)| *end == cut) {
            Some((_, true)) => Outcome::Accepted(Accepted { udp: cut == 32, ..V2 }),
            Some((_, false)) => Outcome::Refused(reason::CREDENTIALS),
            None => Outcome::Refused(reason::INCOMPATIBLE),
        };
        assert_eq!(receive(&settings, &whole[..cut]), expected, "cut at {cut}");
    }
}

#[test]
fn an_info_of_a_stream_is_refused() {
    assert_eq!(receive(&open(), &[5, 1, 0, 0, 0, 2, 0]), Outcome::Refused(reason::INCOMPATIBLE));
}

#[test]
fn another_major_version_is_refused_and_a_minor_one_is_not() {
    for major in (0..=u8::MAX).filter(|major| *major != 2) {
        let message = [5, 0, 0, 0, 0, major, 0];
        assert_eq!(receive(&open(), &message), Outcome::Refused(reason::INCOMPATIBLE));
    }
    for minor in 0..=u8::MAX {
        assert_eq!(receive(&open(), &[5, 0, 0, 0, 0, 2, minor]), Outcome::Accepted(V2));
    }
}

#[test]
fn a_client_that_refuses_is_not_answered() {
    let message = close_packet(0, reason::INCOMPATIBLE);
    assert_eq!(receive(&open(), &message), Outcome::Left(reason::INCOMPATIBLE));
}

#[test]
fn a_client_that_knows_no_info_is_spoken_to_in_v1() {
    let data = [2, 9, 0, 0, 0, b'x'];
    for message in [&[1, 9, 0, 0, 0, 1, 80, 0, b'a'][..], &data, &close_packet(9, 2), &[0xff], &[]] {
        assert_eq!(receive(&open(), message), Outcome::Accepted(Accepted { pending: true, ..V1 }));
    }
    assert_eq!(silent(&open()), Outcome::Accepted(V1));
}

#[test]
fn only_a_user_with_the_right_password_gets_in() {
    let check = |required, payload: &[u8]| {
        receive(&Settings { passwords: passwords(required), ..open() }, &info(&[(2, payload)]))
    };
    for required in [true, false] {
        for (user, password) in [("ann", "one"), ("bob", "two"), ("", "three")] {
            let accepted = Outcome::Accepted(V2);
            assert_eq!(check(required, &with_password(user, password)), accepted, "{user}");
            let (name, len) = (user.len() as u8, password.len() as u8);
            let counted = [&[name, len, 0], user.as_bytes(), password.as_bytes()].concat();
            assert_eq!(check(required, &counted), accepted, "{user}, as drafts before 6 have it");
        }
        let wrong = [
            with_password("ann", "two"),
            with_password("ann", "on"),
            with_password("ann", "onee"),
            with_password("ann", ""),
            with_password("Ann", "one"),
            with_password("eve", "one"),
            with_password("annone", ""),
            // A name that is longer than what there is.
            b"\xffannone".to_vec(),
            b"\x00".to_vec(),
            b"\x03\x04\x00annone".to_vec(),
        ];
        for payload in wrong {
            assert_eq!(check(required, &payload), Outcome::Refused(reason::PASSWORD), "{payload:?}");
        }
    }
}

#[test]
fn without_credentials_a_client_gets_in_where_none_are_required() {
    for listed in [&[][..], &[(2, &[][..]), (3, &[])]] {
        for required in [true, false] {
            let expected =
                if required { Outcome::Refused(reason::CREDENTIALS) } else { Outcome::Accepted(V2) };
            let settings = Settings { passwords: passwords(required), ..open() };
            assert_eq!(receive(&settings, &info(listed)), expected);
            let settings = Settings { keys: keys(required), ..open() };
            assert_eq!(receive(&settings, &info(listed)), expected);
        }
    }
}

#[test]
fn only_who_signs_the_challenge_with_a_known_key_gets_in() {
    let check = |required, payload: &[u8]| {
        receive(&Settings { keys: keys(required), ..open() }, &info(&[(3, payload)]))
    };
    let refused = Outcome::Refused(reason::SIGNATURE);
    for required in [true, false] {
        assert_eq!(check(required, &with_key()), Outcome::Accepted(V2));
        // The algorithm, the name of the key, both halves of the signature.
        for at in [0, 1, 32, 33, 64, 65, 96] {
            let mut payload = with_key();
            payload[at] ^= 1;
            assert_eq!(check(required, &payload), refused, "byte {at} is another");
        }
        for len in [1, 32, 33, 96] {
            assert_eq!(check(required, &with_key()[..len]), refused, "cut at {len}");
        }
        assert_eq!(check(required, &[&with_key()[..], &[0]].concat()), refused, "longer");
    }
    let stranger = Settings { keys: Some(Keys::new(true, [hex(OTHER)]).expect("a key")), ..open() };
    assert_eq!(receive(&stranger, &info(&[(3, &with_key())])), refused, "another key is known");
}

#[test]
fn a_signature_of_another_challenge_is_refused() {
    let settings = Settings { keys: keys(true), ..open() };
    let mut challenge = hex::<CHALLENGE>(MESSAGE);
    challenge[63] ^= 1;
    let mut out = Vec::new();
    let Begun::Waiting(handshake) = Handshake::begin(Version::V2, &settings, challenge, &mut out) else {
        panic!("it waits for INFO")
    };
    let outcome = handshake.receive(&info(&[(3, &with_key())]), &mut Vec::new());
    assert_eq!(outcome, Outcome::Refused(reason::SIGNATURE));
}

#[test]
fn where_both_are_required_either_is_enough() {
    let both = Settings { passwords: passwords(true), keys: keys(true), ..open() };
    let (password, key) = (with_password("bob", "two"), with_key());
    assert_eq!(receive(&both, &info(&[(2, &password)])), Outcome::Accepted(V2));
    assert_eq!(receive(&both, &info(&[(3, &key)])), Outcome::Accepted(V2));
    assert_eq!(receive(&both, &info(&[(2, &password), (3, &key)])), Outcome::Accepted(V2));
    assert_eq!(receive(&both, &info(&[])), Outcome::Refused(reason::CREDENTIALS));
}

#[test]
fn where_one_is_required_the_other_is_not_enough() {
    let refused = Outcome::Refused(reason::CREDENTIALS);
    let settings = Settings { passwords: passwords(true), keys: keys(false), ..open() };
    assert_eq!(receive(&settings, &info(&[(3, &with_key())])), refused);
    let settings = Settings { passwords: passwords(false), keys: keys(true), ..open() };
    assert_eq!(receive(&settings, &info(&[(2, &with_password("bob", "two"))])), refused);
}

#[test]
fn wrong_credentials_are_refused_beside_right_ones() {
    let both = Settings { passwords: passwords(true), keys: keys(true), ..open() };
    let (right, wrong) = (with_password("bob", "two"), with_password("bob", "three"));
    let refused = Outcome::Refused(reason::PASSWORD);
    assert_eq!(receive(&both, &info(&[(2, &wrong), (3, &with_key())])), refused);
    assert_eq!(receive(&both, &info(&[(2, &wrong), (2, &right)])), refused);
    assert_eq!(receive(&both, &info(&[(2, &right), (2, &wrong)])), refused);
    let forged = [0; 97];
    assert_eq!(receive(&both, &info(&[(2, &right), (3, &forged)])), Outcome::Refused(reason::SIGNATURE));
}

proptest! {
    #[test]
    fn whatever_is_said_first_nobody_gets_in_without_credentials(
        start in prop_oneof![Just(vec![]), Just(vec![5, 0, 0, 0, 0, 2, 0])],
        rest in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..60),
    ) {
        let message = [start, rest].concat();
        let closed = Settings { passwords: passwords(true), keys: keys(true), ..open() };
        prop_assert!(!matches!(receive(&closed, &message), Outcome::Accepted(_)));
        let listed_wrong = matches!(receive(&open(), &message), Outcome::Refused(reason::PASSWORD | reason::SIGNATURE));
        prop_assert!(!listed_wrong, "nobody is asked");
    }
}
