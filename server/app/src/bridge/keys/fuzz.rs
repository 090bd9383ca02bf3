//! Whatever may be asked of a key, and shown as a permit of one.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use sockscope_sockets::target::Target;
use sockscope_wire::KeyRequest;

use super::{
    Grant, Keys, hash,
    key::Key,
    pattern::Pattern,
    terms::{Terms, origin},
};

/// What is taken means what it shows: shown, it reads back as itself, and it matches the targets it names.
pub(crate) fn key_target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(pattern) = Pattern::parse(text) else { return };
    let shown = pattern.to_string();
    assert_eq!(Pattern::parse(&shown).as_ref(), Ok(&pattern), "{shown}");
    let (before, ports) = shown.rsplit_once(':').expect("a port is shown");
    let before = before.replace("//*", "//any.example");
    let ports = if ports == "*" { "1-65535" } else { ports };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let target = |port: u16| format!("{before}:{port}").parse::<Target>().ok();
    let matches = |port| target(port).is_some_and(|target| pattern.matches(&target));
    let (first, last): (u16, u16) = (first.parse().expect("a port"), last.parse().expect("a port"));
    assert!(matches(first) && matches(last), "{shown}");
    assert!(!matches(first - 1) && !matches(last.wrapping_add(1)), "{shown}");
}

/// What is taken is an origin as a browser writes it: a scheme and an authority, in lower case, and nothing behind.
pub(crate) fn key_origin(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(taken) = origin(text) else { return };
    assert_eq!(&*taken, text);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
    // The other reader knows no scheme that is longer.
    if text.find(':').is_some_and(|len| len > 64) {
        return;
    }
    let uri: http::Uri = text.parse().expect("an origin is a URI");
    let (scheme, authority) = (uri.scheme_str().expect("a scheme"), uri.authority().expect("an authority"));
    assert_eq!(format!("{scheme}://{authority}"), text, "and nothing else");
    assert!(!authority.as_str().contains(['@', '*']));
}

const ID: &str = "kfuzz";
const SECRET: &str = "what permits are signed with";

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let request = KeyRequest {
        name: None,
        targets: vec!["tcp://*:*".to_owned()],
        origins: Vec::new(),
        max_streams: None,
        connects_per_second: None,
        max_bytes: None,
        record: false,
    };
    let terms = Terms::of(&request).expect("they are fine");
    let keys = Keys::default();
    keys.kept()
        .keys
        .insert(hash(SECRET), Grant::new(Key::new(ID.to_owned(), SECRET.into(), 1, String::new(), terms)));
    keys
});

/// A token as it is; or, in two lines, the header and the claims of one that is to be signed. What lets somebody in is signed by
/// the key it names, ends at some time, and lets nobody in when any byte of it is another.
pub(crate) fn permit(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let token = match text.split_once('\n') {
        Some((header, claims)) => {
            let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
            format!("{signed}.{}", BASE64URL.encode(mac(&signed).finalize().into_bytes()))
        }
        None => text.to_owned(),
    };
    let admitted = |token: &str| KEYS.permit(token).and_then(Result::ok);
    let Some((grant, _)) = admitted(&token) else { return };
    assert_eq!(grant.id(), ID);
    let [header, claims, code] = *token.split('.').collect::<Vec<_>>() else { panic!("it has three parts") };
    let code = BASE64URL.decode(code).expect("base64url");
    mac(&format!("{header}.{claims}")).verify_slice(&code).expect("it is signed");
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64URL.decode(part).expect("base64url")).expect("JSON")
    };
    assert_eq!(read(header)["alg"], "HS256");
    assert!(read(claims)["exp"].as_f64().is_some_and(|exp| exp > 1.7e9), "{claims}");
    for at in 0..token.len() {
        let mut other = token.clone().into_bytes();
        // What is base64url stays ASCII.
        other[at] ^= 1;
        let other = String::from_utf8(other).expect("ASCII");
        assert!(admitted(&other).is_none(), "byte {at} of {token}");
    }
}

fn mac(signed: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(SECRET.as_bytes()).expect("of any length").chain_update(signed)
}
