//! A reader of server-sent events over a streaming GET.

use sockscope_wire::{Event, Gap, Seq};

use super::{Client, Conn, http::Framing, within};

/// One message of the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `message` where none is given.
    pub event: String,
    pub id: String,
    pub data: String,
}

impl Message {
    /// It as an event, if it is one.
    pub fn as_event(&self) -> Option<Event> {
        (self.event == "message").then(|| serde_json::from_str(&self.data).expect("an event"))
    }

    /// It as a gap, if it is one.
    pub fn as_gap(&self) -> Option<Gap> {
        (self.event == "gap").then(|| serde_json::from_str(&self.data).expect("a gap"))
    }

    /// The seq of its id.
    pub fn seq(&self) -> Seq {
        let seq = self.id.rsplit(':').next().and_then(|seq| seq.parse().ok());
        Seq(seq.unwrap_or_else(|| panic!("no seq in the id {:?}", self.id)))
    }
}

/// A stream.
pub struct Sse {
    conn: Conn,
    unread: String,
    /// What the stream said of itself first.
    pub hello: serde_json::Value,
    /// The headers of the response, in lower case.
    pub headers: Vec<(String, String)>,
}

impl Sse {
    /// Opens a stream; `query` without `?`, `last` as `Last-Event-ID`.
    pub async fn open(client: &Client, query: &str, last: Option<&str>) -> Self {
        let mut request =
            client.request("GET", &format!("events?{query}")).header("Accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let mut conn = Conn::connect(client.address()).await;
        conn.send(&request.bytes()).await;
        let (head, framing) = within("the stream's head", conn.head()).await.expect("an answer");
        assert_eq!((head.status, framing), (200, Framing::Chunked));
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        let mut sse =
            Self { conn, unread: String::new(), hello: serde_json::Value::Null, headers: head.headers };
        let hello = sse.next().await.expect("hello");
        assert_eq!(hello.event, "hello");
        sse.hello = serde_json::from_str(&hello.data).expect("JSON");
        sse
    }

    /// The next message; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<Message> {
        within("a message of the stream", async {
            loop {
                while let Some(end) = self.unread.find("\n\n") {
                    let block: String = self.unread.drain(..end + 2).collect();
                    if let Some(message) = parse(&block) {
                        return Some(message);
                    }
                }
                let chunk = self.conn.chunk().await.ok()??;
                self.unread.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            }
        })
        .await
    }

    /// The next events, that many; panics on anything else.
    pub async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let message = self.next().await.expect("the stream goes on");
            events.push(message.as_event().unwrap_or_else(|| panic!("an event, not {message:?}")));
        }
        events
    }

    /// The bytes that follow, read however few they are: for cutting in the middle of a message.
    pub fn into_conn(self) -> Conn {
        self.conn
    }
}

/// A block of lines as a message; a comment is none.
fn parse(block: &str) -> Option<Message> {
    let mut message = Message { event: "message".to_owned(), ..Message::default() };
    let mut said = false;
    for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        said = true;
        match line.split_once(": ") {
            Some(("event", event)) => event.clone_into(&mut message.event),
            Some(("id", id)) => id.clone_into(&mut message.id),
            Some(("data", data)) => message.data.push_str(data),
            _ => panic!("no line of ours: {line:?}"),
        }
    }
    said.then_some(message)
}
