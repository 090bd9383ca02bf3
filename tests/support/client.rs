//! A program that uses the API.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sockscope_wire::{
    Code, Event, Page, PracticeStarted, Problem, SendAnswer, Seq, Socket, SocketId, SocketList,
};

use super::http::{self, Request, Response};

/// A client with a token. Every request is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    token: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    asked: String,
    pub response: Response,
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The body as JSON.
    pub fn value(&self) -> Value {
        self.to()
    }

    /// The body as a type of the contract, whatever the status.
    pub fn to<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.response.body).unwrap_or_else(|error| {
            panic!("{}: {error}: {} {}", self.asked, self.status(), self.response.text())
        })
    }

    /// The body of an answer that must be a success.
    pub fn ok<T: DeserializeOwned>(&self) -> T {
        assert!(
            (200..300).contains(&self.status()),
            "{}: {} {}",
            self.asked,
            self.status(),
            self.response.text()
        );
        self.to()
    }

    /// The problem of an answer that must be one, well-formed as RFC 9457 says.
    pub fn problem(&self) -> Problem {
        let kind = self.response.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{}: {}", self.asked, self.response.text());
        let problem: Problem = self.to();
        assert_eq!(problem.status, self.status(), "{}", self.asked);
        assert_eq!(problem.r#type, format!("urn:sockscope:{}", problem.code.as_str()));
        problem
    }

    /// Asserts status and code of a problem.
    #[track_caller]
    pub fn refused(&self, status: u16, code: Code) -> Problem {
        let problem = self.problem();
        assert_eq!((problem.status, problem.code), (status, code), "{}: {}", self.asked, problem.detail);
        problem
    }
}

impl Client {
    /// With this token; with none when it is empty.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: token.to_owned() }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The full path of one within the workspace (`sockets`), or of any (`/healthz`).
    pub fn path(path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/workspaces/default/{path}") }
    }

    /// A request with Host and token, to be changed before it is [asked](Self::ask).
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::bare(method, &Self::path(path)).header("Host", &self.address.to_string());
        if self.token.is_empty() { request } else { request.bearer(&self.token) }
    }

    /// Asks.
    pub async fn ask(&self, request: &Request) -> Answer {
        let response = http::ask(self.address, request).await;
        Answer { asked: format!("{} {}", request.method, request.target), response }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&self.request("GET", path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(&self.request("POST", path).json(&body.to_string())).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask(&self.request("PATCH", path).json(&body.to_string())).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(&self.request("DELETE", path)).await
    }

    /// Opens a socket that must open.
    pub async fn open(&self, target: &str) -> Socket {
        self.post("sockets", &json!({ "open": target })).await.ok()
    }

    /// Sends text that must be taken.
    pub async fn send(&self, id: SocketId, text: &str) -> SendAnswer {
        self.post(&format!("sockets/{id}/send"), &json!({ "text": text })).await.ok()
    }

    /// Sends bytes that must be taken.
    pub async fn send_bytes(&self, id: SocketId, bytes: &[u8]) -> SendAnswer {
        let request = self.request("POST", &format!("sockets/{id}/send"));
        self.ask(&request.header("Content-Type", "application/octet-stream").body(bytes)).await.ok()
    }

    /// Closes a socket, or removes a closed one.
    pub async fn close(&self, id: SocketId) {
        let answer = self.delete(&format!("sockets/{id}")).await;
        assert_eq!(answer.status(), 204, "{}", answer.response.text());
    }

    /// One socket.
    pub async fn socket(&self, id: SocketId) -> Socket {
        self.get(&format!("sockets/{id}")).await.ok()
    }

    /// The sockets, practice peers too.
    pub async fn sockets(&self) -> SocketList {
        self.get("sockets?hidden=true").await.ok()
    }

    /// Starts a practice peer, by its name.
    pub async fn practice(&self, peer: &str) -> PracticeStarted {
        self.post("practice", &json!({ "peer": peer })).await.ok()
    }

    /// One page of events; `query` without `?`.
    pub async fn page(&self, query: &str) -> Page {
        self.get(&format!("events?{query}")).await.ok()
    }

    /// Every event after a seq that there is now; `query` may filter. Panics on a gap.
    pub async fn events_after(&self, mut after: Seq, query: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let page = self.page(&format!("after={after}&{query}")).await;
            assert_eq!(page.gaps, [], "nothing was given up");
            events.extend(page.events);
            if page.next >= page.head {
                return events;
            }
            assert!(page.next > after, "a page moves on");
            after = page.next;
        }
    }

    /// Every event there is now.
    pub async fn events(&self) -> Vec<Event> {
        self.events_after(Seq(0), "").await
    }

    /// The last event there is.
    pub async fn head(&self) -> Seq {
        self.page("after=head").await.head
    }

    /// The log's epoch.
    pub async fn epoch(&self) -> String {
        self.page("after=head").await.epoch
    }
}
