//! A name server in the process: says what the test wants, and counts how often it was asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::policy::Resolver;

/// What the server says to one question.
pub(super) enum Say {
    /// These addresses of the family asked for, with TTL 0.
    Addresses(Vec<IpAddr>),
    /// The addresses, to be kept for a day.
    ForADay(Vec<IpAddr>),
    /// A code and nothing else.
    Code(ResponseCode),
    /// The addresses, late.
    Late(Duration, Vec<IpAddr>),
    Nothing,
}

/// Short for [`Say::Addresses`].
pub(super) fn addresses(texts: &[&str]) -> Say {
    Say::Addresses(texts.iter().map(|text| text.parse().expect(text)).collect())
}

pub(super) struct NameServer {
    pub(super) at: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
    task: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NameServer {
    /// Answers each question by the name, the type and how often this type has been asked for before.
    #[expect(clippy::disallowed_methods, reason = "the other side of the wire, not ours")]
    pub(super) async fn start(say: impl Fn(&str, RecordType, usize) -> Say + Send + 'static) -> Self {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port of loopback"));
        let at = socket.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..len]).expect("a question");
                let query = question.queries.first().expect("one question");
                let name = query.name().to_ascii().to_lowercase().trim_end_matches('.').to_owned();
                let before = {
                    let mut seen = seen.lock().expect("the list of questions");
                    let before = seen.iter().filter(|(_, asked)| *asked == query.query_type()).count();
                    seen.push((name.clone(), query.query_type()));
                    before
                };
                let (wait, answer) = answer(&question, say(&name, query.query_type(), before));
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    if let Some(answer) = answer {
                        socket.send_to(&answer, from).await.expect("an answer sent");
                    }
                });
            }
        });
        Self { at, asked, task }
    }

    pub(super) fn resolver(&self) -> Resolver {
        Resolver::with_servers(vec![self.at])
    }

    /// The questions so far.
    pub(super) fn asked(&self) -> Vec<(String, RecordType)> {
        self.asked.lock().expect("the list of questions").clone()
    }
}

fn answer(question: &Message, say: Say) -> (Duration, Option<Vec<u8>>) {
    let query = question.queries.first().expect("one question").clone();
    let ttl = if matches!(say, Say::ForADay(_)) { 86_400 } else { 0 };
    let (wait, code, addresses) = match say {
        Say::Addresses(addresses) | Say::ForADay(addresses) => {
            (Duration::ZERO, ResponseCode::NoError, addresses)
        }
        Say::Late(wait, addresses) => (wait, ResponseCode::NoError, addresses),
        Say::Code(code) => (Duration::ZERO, code, Vec::new()),
        Say::Nothing => return (Duration::ZERO, None),
    };
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.metadata.response_code = code;
    message.metadata.recursion_available = true;
    let fits = |ip: &IpAddr| ip.is_ipv4() == (query.query_type() == RecordType::A);
    for ip in addresses.into_iter().filter(fits) {
        message.add_answer(Record::from_rdata(query.name().clone(), ttl, RData::from(ip)));
    }
    message.add_query(query);
    (wait, Some(message.to_vec().expect("a message")))
}
