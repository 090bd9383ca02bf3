//! The source of a comparison: a held ticker, the socket that reads it, and what both say in the log.

use anyhow::Context as _;
use http::Method;
use serde_json::json;
use sockscope_wire::{
    Arrivals as Spread, Event, Fact, Page, PeerKind, PracticeRequest, PracticeStarted, Seq, Socket, SocketId,
    TickerSettings,
};
use tokio::time::timeout;

use super::{
    Settings,
    delays::Arrivals,
    link::{Http, PATIENCE, Place},
};

/// The ticker, the socket that reads it, and the ticker's end of that connection.
pub(super) struct Source {
    /// Reads the ticker.
    pub(super) socket: SocketId,
    ticker: SocketId,
}

impl Source {
    pub(super) async fn start(http: &mut Http, settings: &Settings) -> anyhow::Result<Self> {
        let request = PracticeRequest {
            peer: PeerKind::Ticker,
            ticker: Some(TickerSettings {
                rate: Some(settings.rate),
                payload: Some(settings.payload),
                arrivals: Some(if settings.regular { Spread::Regular } else { Spread::Poisson }),
                seconds: Some(settings.seconds),
                hold: true,
            }),
            middlebox: None,
        };
        let started: PracticeStarted = http.json(Method::POST, &Place::path("practice"), &request).await?;
        let open = json!({ "open": started.target, "name": "the source" });
        let socket: Socket = http.json(Method::POST, &Place::path("sockets"), &open).await?;
        let accepted = timeout(PATIENCE, async {
            loop {
                let path = Place::path(&format!("events?socket={}&type=accepted&wait=1", started.id));
                let page: Page = http.json(Method::GET, &path, &()).await?;
                if let Some(Fact::Accepted { child, .. }) = page.events.first().map(|event| &event.fact) {
                    return anyhow::Ok(*child);
                }
            }
        });
        let ticker = accepted.await.context("the ticker did not accept")??;
        Ok(Self { socket: socket.id, ticker })
    }

    /// When each message was sent, on the server's clock in µs, and when the server had read it from its socket.
    pub(super) async fn told(&self, http: &mut Http, payload: u32) -> anyhow::Result<(Vec<f64>, Arrivals)> {
        let mut sent = Vec::new();
        let mut bytes = 0;
        each(http, self.ticker, "sent", |event| {
            if let Fact::Sent { len, .. } = event.fact {
                // A message is sent when the call that carries its first byte is entered.
                let entered = event.t_us - event.took_us.unwrap_or(0);
                if bytes % u64::from(payload) == 0 {
                    sent.push(entered as f64);
                }
                bytes += u64::from(len);
            }
        })
        .await?;
        let mut read = Arrivals::new(u64::from(payload));
        each(http, self.socket, "received", |event| {
            if let Fact::Received { len, offset: Some(offset), .. } = event.fact {
                read.bytes(offset, u64::from(len), event.t_us as f64);
            }
        })
        .await?;
        Ok((sent, read))
    }
}

/// Every event of a type of a socket.
async fn each(
    http: &mut Http,
    socket: SocketId,
    kind: &str,
    mut take: impl FnMut(Event),
) -> anyhow::Result<()> {
    let mut after = Seq(0);
    loop {
        let query = format!("events?after={after}&socket={socket}&type={kind}&limit=10000&payload=none");
        let page: Page = http.json(Method::GET, &Place::path(&query), &()).await?;
        page.events.into_iter().for_each(&mut take);
        after = page.next;
        if page.next >= page.head {
            return Ok(());
        }
    }
}
