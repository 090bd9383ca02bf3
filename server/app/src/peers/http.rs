//! The HTTP practice peer: just enough HTTP/1.1 (RFC 9112) that a request typed by hand is answered as a server would.

use std::convert::Infallible;

use sockscope_sockets::fact::EndReason;

use super::connection::{Connection, Stop};
use crate::ask::number;

/// The longest request head it reads.
const HEAD: usize = 16 * 1024;

const PAGE: &str =
    "<!doctype html>\n<title>sockscope practice</title>\n<p>This page came over a plain TCP socket.</p>\n";

/// What `/chunked` says, a chunk each.
const CHUNKS: [&str; 3] = [
    "This body comes in chunks.\n",
    "Each says how long it is, in hexadecimal.\n",
    "An empty one ends it.\n",
];

/// What to do after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
}

/// Answers requests until the client closes or asks for it.
pub(super) async fn serve(connection: &mut Connection) -> Result<Infallible, Stop> {
    let mut held = Vec::new();
    let mut buffer = vec![0; 4096];
    loop {
        while let Some(end) = head_end(&held) {
            let (answer, body, then) = answer(&held[..end]);
            connection.send(answer.as_bytes()).await?;
            if then == Then::Close {
                return Err(Stop::Close(None, EndReason::Closed));
            }
            held.drain(..end);
            // A body follows: read past it, it changes nothing.
            let mut left = body;
            while left > 0 {
                if held.is_empty() {
                    let n = receive(connection, &mut buffer).await?;
                    held.extend_from_slice(&buffer[..n]);
                }
                let part = left.min(held.len());
                held.drain(..part);
                left -= part;
            }
        }
        if held.len() > HEAD {
            connection
                .send(response("431 Request Header Fields Too Large", "", Then::Close, true).as_bytes())
                .await?;
            return Err(Stop::Close(None, EndReason::Closed));
        }
        let n = receive(connection, &mut buffer).await?;
        held.extend_from_slice(&buffer[..n]);
    }
}

async fn receive(connection: &mut Connection, buffer: &mut [u8]) -> Result<usize, Stop> {
    match connection.receive(buffer).await? {
        0 => Err(Stop::Close(None, EndReason::Closed)),
        n => Ok(n),
    }
}

/// Where the first request head ends: after an empty line. A bare LF counts, since people type it.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            let length = at - line - usize::from(at > line && bytes[at - 1] == b'\r');
            if length == 0 && line > 0 {
                return Some(at + 1);
            }
            line = at + 1;
        }
    }
    None
}

/// The answer to one request, how long its body is, and whether the connection stays.
fn answer(head: &[u8]) -> (String, usize, Then) {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines().skip_while(|line| line.is_empty());
    let request = lines.next().unwrap_or_default();
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |name: &str| headers.iter().find(|(this, _)| this == name).map(|(_, value)| *value);
    let mut words = request.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let bad =
        |why: &str| (response("400 Bad Request", &format!("{why}\n"), Then::Close, true), 0, Then::Close);
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next()) else {
        return bad("A request line has three words: method, target, version.");
    };
    if !version.starts_with("HTTP/1.") {
        return bad("This server speaks HTTP/1.0 and HTTP/1.1.");
    }
    if version == "HTTP/1.1" && header("host").is_none() {
        return bad("HTTP/1.1 needs a Host header (RFC 9112, 3.2).");
    }
    let then = match header("connection").map(str::to_ascii_lowercase).as_deref() {
        Some("close") => Then::Close,
        Some("keep-alive") => Then::Keep,
        _ if version == "HTTP/1.0" => Then::Close,
        _ => Then::Keep,
    };
    let Some(body) = header("content-length").map_or(Some(0), number) else {
        return bad("Content-Length is a number.");
    };
    let path = target.split('?').next().unwrap_or_default();
    let (status, text) = match (method, path) {
        ("GET" | "HEAD", "/") => ("200 OK", PAGE),
        ("GET", "/chunked") if version != "HTTP/1.0" => return (chunked(then), body, then),
        ("GET" | "HEAD", _) => ("404 Not Found", "There are two pages here: / and /chunked\n"),
        _ => ("405 Method Not Allowed", "This server takes GET and HEAD.\n"),
    };
    let text = response(status, text, then, method != "HEAD");
    (text, body, then)
}

/// The page in pieces whose number is not known before (RFC 9112 §7.1), with a trailer at the end.
fn chunked(then: Then) -> String {
    let connection = if then == Then::Close { "close" } else { "keep-alive" };
    let mut text = format!(
        "HTTP/1.1 200 OK\r\nServer: sockscope-practice\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X-Pieces\r\nConnection: {connection}\r\n\r\n"
    );
    for piece in CHUNKS {
        text.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    text.push_str(&format!("0\r\nX-Pieces: {}\r\n\r\n", CHUNKS.len()));
    text
}

fn response(status: &str, body: &str, then: Then, with_body: bool) -> String {
    let kind = if body.starts_with('<') { "text/html" } else { "text/plain" };
    let connection = if then == Then::Close { "close" } else { "keep-alive" };
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nServer: sockscope-practice\r\nContent-Type: {kind}; charset=utf-8\r\n\
         Content-Length: {}\r\n{allow}Connection: {connection}\r\n\r\n{}",
        body.len(),
        if with_body { body } else { "" }
    )
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_typed_by_hand_is_answered() {
        let (text, body, then) = answer(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with(PAGE));
        assert_eq!((body, then), (0, Then::Keep));
        let (text, _, then) = answer(b"GET / HTTP/1.1\nHost: x\nConnection: close\n\n");
        assert!(text.contains("Connection: close\r\n"));
        assert_eq!(then, Then::Close);
    }

    #[test]
    fn a_chunked_page_says_how_long_each_chunk_is_and_ends_with_an_empty_one() {
        let (text, _, _) = answer(b"GET /chunked?x HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, mut rest) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("Transfer-Encoding: chunked") && !head.contains("Content-Length"));
        let mut whole = String::new();
        loop {
            let (size, after) = rest.split_once("\r\n").expect("a size");
            let size = usize::from_str_radix(size, 16).expect("hexadecimal");
            if size == 0 {
                assert_eq!(after, "X-Pieces: 3\r\n\r\n");
                break;
            }
            whole.push_str(&after[..size]);
            rest = after[size..].strip_prefix("\r\n").expect("a chunk ends with CRLF");
        }
        assert_eq!(whole, CHUNKS.concat());
        let (text, _, _) = answer(b"GET /chunked HTTP/1.0\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 404"), "HTTP/1.0 knows no chunks: {text}");
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line_however_it_is_typed() {
        assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: x\r\n"), None);
        assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest"), Some(27));
        assert_eq!(head_end(b"GET / HTTP/1.0\n\n"), Some(16));
        assert_eq!(head_end(b"\r\n"), None, "an empty line before a request is passed over (RFC 9112, 2.2)");
    }

    #[test]
    fn what_is_no_request_is_told_why() {
        for head in [
            "hello\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
        ] {
            let (text, _, then) = answer(head.as_bytes());
            assert!(text.starts_with("HTTP/1.1 400 "), "{head:?}: {text}");
            assert_eq!(then, Then::Close);
        }
    }
}
