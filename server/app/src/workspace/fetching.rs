//! Requests made by an HTTP client library over recorded sockets: what it sends and gets can be seen in bytes.

use std::{
    str::FromStr as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use sockscope_sockets::{
    fact::EndReason,
    mailbox::{Ending as Ends, Inbox},
    open::Opened,
    options::Options,
    target::Target,
};
use sockscope_wire::{Code, HttpAnswer, HttpExchange, HttpRequest, Payload, Phase, SocketId};
use tokio::{
    io::AsyncReadExt as _,
    time::{Instant, timeout_at},
};

use super::{
    Attached, Order, Workspace,
    opening::Making,
    recorded::{Allowance, Ending, Recorded},
};
use crate::{
    ask,
    problem::{Refused, Saying as _, problem},
};

/// The most of a body that is handed on; the log has the rest.
const BODY: usize = 256 * 1024;

/// The most of a body that is read at all, what it is wrapped in included.
const READ: u64 = 16 << 20;

/// The longest head that is read, with all interim answers before it; what goes on beyond it is no head, and is said so.
const HEAD: u64 = 64 * 1024;

/// The most headers an answer may have.
const ANSWER_HEADERS: usize = 1024;

/// How long all of it may take, every exchange included. The page waits a little longer (`HTTP_MS` in `web/src/link/api.ts`).
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the end of a connection is waited for that the server has announced.
const END: Duration = Duration::from_secs(1);

/// The most headers a request may add.
const HEADERS: usize = 64;

/// A request as it was understood.
struct Asked {
    target: Target,
    /// `host:port` as in the URL.
    authority: String,
    path: PathAndQuery,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    times: u8,
    keep_alive: bool,
}

impl Workspace {
    /// Makes the requests, one after the other.
    ///
    /// # Errors
    /// When the request is not understood, the server cannot be reached, or what it says is no HTTP.
    pub async fn fetch(
        self: &Arc<Self>,
        order: &Order,
        request: &HttpRequest,
    ) -> Result<HttpAnswer, Refused> {
        let asked = Asked::of(request)?;
        let deadline = Instant::now() + PATIENCE;
        let mut exchanges = Vec::new();
        let sockets = if asked.keep_alive { 1 } else { asked.times };
        for _ in 0..sockets {
            self.fetch_over_one(order, &asked, deadline, &mut exchanges).await?;
        }
        Ok(HttpAnswer { exchanges })
    }

    async fn fetch_over_one(
        self: &Arc<Self>,
        order: &Order,
        asked: &Asked,
        deadline: Instant,
        exchanges: &mut Vec<HttpExchange>,
    ) -> Result<(), Refused> {
        let opening = timeout_at(deadline, Line::open(self, order, &asked.target));
        let mut line = opening.await.unwrap_or_else(|_| Err(late(None)))?;
        let stream = TokioIo::new(line.stream.take().ok_or_else(|| problem(Code::Internal, "just opened"))?);
        let (id, allowance) = (line.id, Arc::clone(&line.allowance));
        let (mut sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_headers(ANSWER_HEADERS)
            .handshake(stream)
            .await
            .map_err(|error| broken(id, &error, &allowance))?;
        let work = async move {
            let mut closes = false;
            for nth in 0..if asked.keep_alive { asked.times } else { 1 } {
                let exchange = timeout_at(deadline, async {
                    if sender.ready().await.is_err() {
                        // The server closed after its last answer, as it may: what was asked until then is told.
                        return Ok(None);
                    }
                    asked.exchange(&mut sender, id, nth > 0, &allowance).await.map(Some)
                });
                let Some(exchange) = exchange.await.unwrap_or_else(|_| Err(late(Some(id))))? else { break };
                closes = !asked.keep_alive || announces_end(&exchange);
                exchanges.push(exchange);
            }
            Ok::<_, Refused>(closes)
        };
        tokio::pin!(work);
        let mut connection = Some(Box::pin(connection.without_shutdown()));
        let mut over = None;
        let closes = loop {
            let driven = async {
                match &mut connection {
                    // How it ended, whoever asks over it is told.
                    Some(connection) => connection.await.ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut work => break done?,
                // Let go, so that whoever waits to ask over it hears that it is over.
                parts = driven => (connection, over) = (None, parts),
                ended = line.inbox.end() => return Err(line.ended(ended)),
            }
        };
        if !closes {
            return Ok(());
        }
        // The server said that it ends the connection. That is waited for, so that the log tells who did.
        let end = async {
            let parts = match connection {
                Some(connection) => connection.await.ok(),
                None => over,
            };
            let Some(mut stream) = parts.map(|parts| parts.io.into_inner()) else { return };
            line.allowance.only(HEAD);
            let mut beyond = [0; 4096];
            while stream.read(&mut beyond).await.is_ok_and(|n| n > 0) {}
        };
        tokio::select! {
            biased;
            // What was answered stays answered.
            ended = line.inbox.end() => drop(line.ended(ended)),
            // It does not have to end: then it is closed from here.
            _ = timeout_at(deadline.min(Instant::now() + END), end) => {}
        }
        Ok(())
    }
}

/// Whether after this answer the server ends the connection (RFC 9112, 9.3).
fn announces_end(HttpExchange { version, headers, truncated, .. }: &HttpExchange) -> bool {
    let says = |option: &str| {
        let connection = headers.iter().filter(|(name, _)| name == "connection");
        let mut options = connection.flat_map(|(_, value)| value.split(','));
        options.any(|one| one.trim().eq_ignore_ascii_case(option))
    };
    !truncated && (says("close") || (version == "HTTP/1.0" && !says("keep-alive")))
}

/// A recorded socket and how it ends.
struct Line {
    id: SocketId,
    /// Taken once the HTTP client has it.
    stream: Option<Recorded>,
    inbox: Inbox,
    ending: Ending,
    allowance: Arc<Allowance>,
}

impl Line {
    async fn open(workspace: &Arc<Workspace>, order: &Order, target: &Target) -> Result<Self, Refused> {
        let options = Options::default();
        let making = Making { name: Some("HTTP client".into()), ..Making::of(target, &options) };
        let Attached { id, opened, recorder, inbox } =
            workspace.attach(order, making, workspace.seat()?).await?;
        match opened {
            Opened::Stream(stream) => {
                let ending: Ending = Arc::new(Mutex::new((order.cause(), EndReason::Closed)));
                let allowance = Arc::<Allowance>::default();
                let (ends, allows) = (Arc::clone(&ending), Arc::clone(&allowance));
                let stream = Recorded::new(stream, recorder, order.cause(), ends, allows);
                Ok(Self { id, stream: Some(stream), inbox, ending, allowance })
            }
            Opened::Listener(_) | Opened::Datagram(_) => Err(problem(Code::Internal, "HTTP needs a stream")),
        }
    }

    /// Somebody ended the socket meanwhile: whoever did is named when it closes.
    fn ended(&self, how: Ends) -> Refused {
        let (cause, reason) = match how {
            Ends::Close(cause, reason) => (cause, reason),
            Ends::Reset(cause) => (cause, EndReason::Closed),
        };
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = (cause, reason);
        let mut refused = problem(Code::Cancelled, "the socket was closed meanwhile");
        refused.socket = Some(self.id);
        refused
    }
}

impl Asked {
    fn of(request: &HttpRequest) -> Result<Self, Refused> {
        let HttpRequest { url, method, headers, body, times, keep_alive } = request;
        let wrong = |field: &'static str, detail: &str| {
            problem(Code::InvalidHttp, detail).in_phase(Phase::Parse).with("field", field)
        };
        let uri = Uri::from_str(url).map_err(|error| wrong("url", &error.to_string()))?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) if !authority.as_str().contains('@') => authority,
            _ => return Err(wrong("url", "http://host:port/path, without a user name")),
        };
        let port: u16 = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            None | Some("") => 80,
            Some(digits) => {
                ask::number(digits).ok_or_else(|| wrong("url", "a port is a number from 0 to 65535"))?
            }
        };
        let target = format!("tcp://{}:{port}", authority.host());
        let target = target.parse().map_err(|error| ask::target_problem(&error))?;
        // With a fragment right behind the host it is empty, which only its text makes good.
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = PathAndQuery::from_str(path).map_err(|error| wrong("url", &error.to_string()))?;
        let method = method.as_deref().unwrap_or("GET");
        let method = Method::from_str(method).map_err(|_| wrong("method", "a method is a token"))?;
        if method == Method::CONNECT {
            return Err(wrong("method", "CONNECT asks for a tunnel, and there is none here"));
        }
        if headers.len() > HEADERS {
            return Err(wrong("headers", &format!("at most {HEADERS}")).with("max", HEADERS));
        }
        let header = |(name, value): &(String, String)| {
            let name =
                HeaderName::from_str(name).map_err(|_| wrong("headers", "a header's name is a token"))?;
            let value =
                HeaderValue::from_str(value).map_err(|_| wrong("headers", "a header's value is one line"))?;
            Ok((name, value))
        };
        let headers = headers.iter().map(header).collect::<Result<Vec<_>, Refused>>()?;
        let times = times.unwrap_or(1);
        if !(1..=5).contains(&times) {
            return Err(wrong("times", "times is 1 to 5").with("min", 1).with("max", 5));
        }
        Ok(Self {
            target,
            authority: authority.to_string(),
            path,
            method,
            headers,
            body: body.clone().unwrap_or_default().into(),
            times,
            keep_alive: keep_alive.unwrap_or(true),
        })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Refused> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.path.clone());
        let given = request.headers_mut();
        let host = HeaderValue::from_str(&self.authority);
        given.insert(header::HOST, host.map_err(|_| problem(Code::InvalidHttp, "the host is no header"))?);
        given.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("sockscope/", env!("CARGO_PKG_VERSION"))),
        );
        given.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        if !self.keep_alive {
            given.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // What somebody gives replaces what is usual; several of one name stay several.
        for (name, _) in &self.headers {
            given.remove(name);
        }
        for (name, value) in &self.headers {
            given.append(name, value.clone());
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        id: SocketId,
        reused: bool,
        allowance: &Allowance,
    ) -> Result<HttpExchange, Refused> {
        let broken = |error: hyper::Error| broken(id, &error, allowance);
        allowance.only(HEAD);
        let answer = sender.send_request(self.request()?).await.map_err(broken)?;
        allowance.any();
        let (head, mut incoming): (_, Incoming) = Response::into_parts(answer);
        let (mut body, mut length, mut cut) = (Vec::new(), 0_u64, false);
        let begun = allowance.received();
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            length += data.len() as u64;
            body.extend_from_slice(&data[..data.len().min(BODY - body.len())]);
            cut = allowance.received() - begun > READ;
            if cut {
                break;
            }
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(HttpExchange {
            socket: id,
            reused,
            version: format!("{:?}", head.version),
            status: head.status.as_u16(),
            reason: head.extensions.get::<hyper::ext::ReasonPhrase>().map_or_else(
                || head.status.canonical_reason().unwrap_or_default().to_owned(),
                |reason| String::from_utf8_lossy(reason.as_bytes()).into_owned(),
            ),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            truncated: cut || length > body.len() as u64,
            body: Payload(body.into()),
            body_bytes: length,
        })
    }
}

fn broken(id: SocketId, error: &hyper::Error, allowance: &Allowance) -> Refused {
    let mut refused = if allowance.spent() || error.is_parse_too_large() {
        let kibibytes = HEAD / 1024;
        problem(
            Code::HeadTooLong,
            format!("more than {kibibytes} KiB or {ANSWER_HEADERS} headers, and no end"),
        )
        .with("kibibytes", kibibytes)
        .with("headers", ANSWER_HEADERS)
    } else {
        problem(Code::NotHttp, error.to_string())
    };
    refused.socket = Some(id);
    refused
}

fn late(id: Option<SocketId>) -> Refused {
    let seconds = PATIENCE.as_secs();
    let mut refused = problem(Code::AnswerTimedOut, format!("no whole answer came within {seconds} s"))
        .with("seconds", seconds);
    refused.socket = id;
    refused
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;

#[cfg(test)]
mod tests {
    use sockscope_sockets::policy::{Policy, PolicyConfig, Resolver};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::sleep,
    };

    use super::*;
    use crate::workspace::WorkspaceConfig;

    fn workspace() -> Arc<Workspace> {
        let policy = Arc::new(Policy::new(PolicyConfig {
            control: Vec::new(),
            listen_ports: None,
            default_listen_host: std::net::Ipv4Addr::LOCALHOST.into(),
        }));
        Workspace::new(WorkspaceConfig {
            log_bytes: 1 << 20,
            log_full: sockscope_wire::LogFull::Evict,
            max_sockets: 16,
            practice_policy: Arc::clone(&policy),
            policy,
            resolver: Arc::new(Resolver::system()),
            eyes: crate::workspace::Eyes::Shut,
        })
    }

    /// A server that takes so long for each answer.
    #[expect(clippy::disallowed_methods, reason = "a peer of the test's own, not something a user asked for")]
    async fn slow(pause: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("somebody connects");
            let mut request = [0; 1024];
            while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                sleep(pause).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.ok();
            }
        });
        url
    }

    fn get(url: &str) -> HttpRequest {
        HttpRequest {
            url: url.to_owned(),
            method: None,
            headers: Vec::new(),
            body: None,
            times: None,
            keep_alive: None,
        }
    }

    #[test]
    fn a_port_is_a_number_and_no_more() {
        for url in
            ["http://host:+1/", "http://host:-1/", "http://host:65536/", "http://host:0/", "http://host:1:2/"]
        {
            assert!(Asked::of(&get(url)).is_err(), "{url}");
        }
        assert_eq!(Asked::of(&get("http://host:/")).expect("none is 80").target.port, 80);
    }

    #[test]
    fn whatever_is_behind_the_host_what_is_asked_for_begins_with_a_slash() {
        for (url, asked) in [
            ("http://host", "/"),
            ("http://host:80?q", "/?q"),
            ("http://host:80#part", "/"),
            ("http://host/path?q#part", "/path?q"),
        ] {
            let request = Asked::of(&get(url)).expect(url).request().expect(url);
            assert_eq!(request.uri().to_string(), asked, "{url}");
        }
    }

    /// The page waits a little longer than this, so that it hears who did not finish.
    #[tokio::test(start_paused = true)]
    async fn the_patience_is_for_the_whole_request_and_the_problem_says_who_was_late() {
        let url = slow(PATIENCE * 2 / 3).await;
        let request = |times| HttpRequest { times: Some(times), ..get(&url) };
        let begun = Instant::now();
        let order = Order::new("r1".into(), "somebody");
        let problem =
            workspace().fetch(&order, &request(2)).await.expect_err("the second answer comes too late");
        assert_eq!((problem.code, problem.status), (Code::AnswerTimedOut, 504));
        assert!(problem.socket.is_some(), "{problem:?}");
        assert!(begun.elapsed() < PATIENCE + END, "{:?}", begun.elapsed());
    }
}
