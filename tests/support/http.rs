//! HTTP/1.1 by hand: any bytes can be sent, and any answer is read exactly.

use std::{fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::within;

/// A request, header by header; nothing is added but `Content-Length` for a body.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Without any header, not even Host.
    pub fn bare(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With a JSON body.
    pub fn json(self, body: &str) -> Self {
        self.header("Content-Type", "application/json").body(body.as_bytes())
    }

    /// With a body.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            writeln!(text, "{name}: {value}\r").expect("writing to a String succeeds");
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PATCH" | "PUT") {
            writeln!(text, "Content-Length: {}\r", self.body.len()).expect("writing to a String succeeds");
        }
        text.push_str("\r\n");
        [text.as_bytes(), &self.body].concat()
    }
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    Close,
}

/// A connection.
pub struct Conn {
    stream: BufReader<TcpStream>,
}

impl Conn {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("connecting to the server", TcpStream::connect(address)).await.expect("connects");
        stream.set_nodelay(true).ok();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are. That the server has closed meanwhile is seen in the answer.
    pub async fn send(&mut self, bytes: &[u8]) {
        within("sending a request", self.stream.get_mut().write_all(bytes)).await.ok();
    }

    /// Ends our direction.
    pub async fn finish(&mut self) {
        self.stream.get_mut().shutdown().await.ok();
    }

    /// A line without its end; `None` at the end of the stream.
    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                while line.last().is_some_and(|last| matches!(last, b'\r' | b'\n')) {
                    line.pop();
                }
                Some(String::from_utf8_lossy(&line).into_owned())
            }
        }
    }

    /// A response's head: status, headers in lower case, and how the body ends. `None` when the server closed instead.
    pub async fn head(&mut self) -> Option<(Response, Framing)> {
        let status = self.line().await?;
        let status = status
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("no status line: {status:?}"));
        let mut headers: Vec<(String, String)> = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let response = Response { status, headers, body: Vec::new() };
        let framing = match (response.header("transfer-encoding"), response.header("content-length")) {
            _ if matches!(status, 101 | 204 | 304) => Framing::Length(0),
            (Some("chunked"), _) => Framing::Chunked,
            (_, Some(length)) => Framing::Length(length.parse().expect("Content-Length is a number")),
            _ => Framing::Close,
        };
        Some((response, framing))
    }

    /// One chunk of a chunked body; `None` at its end, `Err` when the connection ended within it.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let size = self.line().await.ok_or(())?;
        let size =
            usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(|_| ())?;
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk).await.map_err(|_| ())?;
        self.line().await.ok_or(())?;
        Ok((size > 0).then_some(chunk))
    }

    /// A whole response to a request of this method; `None` when the server closed without one.
    pub async fn response_to(&mut self, method: &str) -> Option<Response> {
        within("reading a response", async {
            let (mut response, framing) = self.head().await?;
            match framing {
                _ if method == "HEAD" => {}
                Framing::Length(length) => {
                    response.body = vec![0; length];
                    self.stream.read_exact(&mut response.body).await.ok()?;
                }
                Framing::Chunked => {
                    while let Some(chunk) = self.chunk().await.ok()? {
                        response.body.extend_from_slice(&chunk);
                    }
                }
                Framing::Close => {
                    self.stream.read_to_end(&mut response.body).await.ok()?;
                }
            }
            Some(response)
        })
        .await
    }

    /// Sends a request and reads the whole response; `None` when the server closed without one.
    pub async fn ask(&mut self, request: &Request) -> Option<Response> {
        self.send(&request.bytes()).await;
        self.response_to(&request.method).await
    }

    /// Waits until the server has closed the connection; what it said until then.
    pub async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.ok();
        rest
    }

    /// The connection itself.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

/// One request on a connection of its own.
pub async fn ask(address: SocketAddr, request: &Request) -> Response {
    let mut conn = Conn::connect(address).await;
    conn.ask(request).await.unwrap_or_else(|| panic!("no answer to {} {}", request.method, request.target))
}
