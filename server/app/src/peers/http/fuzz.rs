//! Whatever is typed into a connection to the HTTP practice peer.

use super::{Then, answer, head_end};

/// A head ends where it ends, however it comes; what is answered is HTTP, as long as it says, and repeats nothing.
pub(crate) fn practice_http(data: &[u8]) {
    let Some(end) = head_end(data) else { return };
    assert!(end <= data.len() && data[end - 1] == b'\n');
    assert_eq!((head_end(&data[..end - 1]), head_end(&data[..end])), (None, Some(end)));
    let (text, body, then) = answer(&data[..end]);
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let (status, fields) = head.split_once("\r\n").expect("headers");
    assert!(status.starts_with("HTTP/1.1 "), "{status}");
    assert_eq!(fields.contains("\r\nConnection: close"), then == Then::Close);
    assert!(body == 0 || !status.contains(" 400 "), "what is no request has no body");
    if let Some(len) = fields.split("\r\n").find_map(|field| field.strip_prefix("Content-Length: ")) {
        let len: usize = len.parse().expect("a number");
        assert!(content.is_empty() || content.len() == len);
    } else {
        assert!(content.ends_with("\r\n\r\n"), "chunks end");
    }
}
