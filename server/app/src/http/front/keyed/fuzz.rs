//! Paths with a key in front.

use http::Uri;

use super::{behind, is_bridge, meant, split};

/// What is let in further leads to a bridge, says the rest of what was asked, and nothing of the secret.
pub(crate) fn keyed_path(data: &[u8]) {
    let Ok(uri) = Uri::try_from(data) else { return };
    let Some((secret, rest)) = split(uri.path()) else { return };
    assert!(!secret.contains('/'));
    assert_eq!(format!("/k/{secret}{rest}"), uri.path());
    let lab = ["/lab/wisp/".parse().expect("a prefix")];
    for prefixes in [&[][..], &lab] {
        let Ok(inner) = behind(prefixes, &uri, rest) else { continue };
        assert!(is_bridge(inner.path()), "{inner}");
        let path = meant(prefixes, rest).unwrap_or_else(|| rest.to_owned());
        assert_eq!((inner.path(), inner.query()), (path.as_str(), uri.query()));
        assert_eq!((inner.scheme(), inner.authority()), (uri.scheme(), uri.authority()));
    }
}
