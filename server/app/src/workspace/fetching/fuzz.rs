//! Requests that somebody wants made.

use sockscope_wire::HttpRequest;

use super::Asked;

/// A URL, a method, and headers, a line each. What is understood can be asked, of the host that was named.
pub(crate) fn http_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n').map(str::to_owned);
    let wanted = HttpRequest {
        url: lines.next().unwrap_or_default(),
        method: lines.next(),
        headers: lines
            .filter_map(|line| line.split_once(':').map(|(name, value)| (name.into(), value.into())))
            .collect(),
        body: None,
        times: None,
        keep_alive: None,
    };
    let Ok(asked) = Asked::of(&wanted) else { return };
    assert_eq!(asked.target.to_string().parse().as_ref(), Ok(&asked.target));
    let request = asked.request().expect("what is understood can be asked");
    assert!(request.uri().path().starts_with('/') || request.uri().path() == "*", "{}", request.uri());
    assert!(request.headers().contains_key(http::header::HOST));
}
