//! Further names of `/wisp/`. The gate puts that in the place of each, so that nothing holds for one and not for another.

use std::str::FromStr;

use crate::http::routes::is_own;

/// A path that stands for `/wisp/` (`--wisp-prefix`).
#[derive(Debug, Clone)]
pub struct WispPrefix(String);

/// Why a path cannot stand for `/wisp/`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPrefix {
    /// No path of a directory, or one that might be spelled otherwise.
    #[error("a path that begins and ends with /, of letters, digits and -._~ between them, like /lab/wisp/")]
    Shape,
    /// What is ours means something else.
    #[error("paths that begin with /{0}/ are sockscope's own")]
    Own(String),
}

impl FromStr for WispPrefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).ok_or(BadPrefix::Shape)?;
        if !inner.split('/').all(is_plain) {
            return Err(BadPrefix::Shape);
        }
        match inner.split('/').next() {
            Some(first) if is_own(first) => Err(BadPrefix::Own(first.to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Whether a segment is spelled in one way only: unreserved characters (RFC 3986 §2.3), and no dot segment (§3.3).
fn is_plain(segment: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(unreserved)
}

/// The path that is meant by one below a prefix; `None` of any other.
pub(super) fn meant(prefixes: &[WispPrefix], path: &str) -> Option<String> {
    let rests = prefixes.iter().filter_map(|prefix| path.strip_prefix(&prefix.0));
    // Where one prefix begins another, the longer is meant.
    rests.min_by_key(|rest| rest.len()).map(|rest| format!("/wisp/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::table;

    #[test]
    fn a_prefix_is_a_plain_path_of_nobody_else() {
        for fine in ["/w/", "/lab/wisp/", "/A-b._~9/", "/lab/api/", "/..lab/"] {
            assert!(fine.parse::<WispPrefix>().is_ok(), "{fine}");
        }
        let shapeless = [
            "", "/", "//", "w", "/w", "w/", "//w/", "/w//", "/a//b/", "/./", "/../", "/a/../b/", "/%77/",
            "/a b/", "/ü/", "/a?b/", "/{w}/", "/*w/", "/a:1/", "/a#/",
        ];
        for wrong in shapeless {
            assert_eq!(wrong.parse::<WispPrefix>().err(), Some(BadPrefix::Shape), "{wrong}");
        }
        for own in
            ["/api/", "/api/v1/wisp/", "/bridge/", "/bridge/tcp/", "/k/", "/sdk/", "/assets/", "/wisp/"]
        {
            assert!(matches!(own.parse::<WispPrefix>(), Err(BadPrefix::Own(_))), "{own}");
        }
    }

    #[test]
    fn no_route_lies_below_a_prefix() {
        for route in table() {
            let ends = route.path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
            for end in ends.chain([route.path.len()]) {
                let prefix = format!("{}/", &route.path[..end]);
                assert!(prefix.parse::<WispPrefix>().is_err(), "{prefix} of {}", route.path);
            }
        }
    }

    #[test]
    fn what_lies_below_a_prefix_lies_below_wisp() {
        let prefixes = ["/lab/", "/lab/deep/", "/w/"].map(|text| text.parse().expect("a prefix"));
        for (path, known) in [
            ("/lab/", Some("/wisp/")),
            ("/w/", Some("/wisp/")),
            ("/lab/deep/", Some("/wisp/")),
            ("/lab/deep/host:1", Some("/wisp/host:1")),
            ("/lab/else/", Some("/wisp/else/")),
            ("/lab", None),
            ("/W/", None),
            ("/labs/", None),
            ("//lab/", None),
            ("/wisp/", None),
            ("/", None),
        ] {
            assert_eq!(meant(&prefixes, path).as_deref(), known, "{path}");
        }
    }
}
