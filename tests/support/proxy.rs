//! A relay in front of the server that counts every byte: what a meter says is held against it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A running relay; it ends with the test.
pub struct Proxy {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Arc<Passed>>>>,
    _accepting: JoinSet<()>,
}

/// What passed over one connection.
#[derive(Default)]
pub struct Passed {
    up: AtomicU64,
    down: AtomicU64,
    /// The first bytes to the server: its first request, at least the line.
    first: OnceLock<String>,
}

impl Passed {
    /// The first request line.
    pub fn first_line(&self) -> &str {
        self.first.get().and_then(|first| first.lines().next()).unwrap_or_default()
    }

    /// Bytes to the server and from it.
    pub fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::SeqCst), self.down.load(Ordering::SeqCst))
    }
}

impl Proxy {
    /// In front of that address.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(Mutex::new(Vec::new()));
        let mut accepting = JoinSet::new();
        let list = Arc::clone(&connections);
        accepting.spawn(async move {
            let mut relaying = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                let server = TcpStream::connect(server).await.expect("the server listens");
                let passed = Arc::new(Passed::default());
                list.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&passed));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (up, down) = (Arc::clone(&passed), passed);
                relaying.spawn(async move {
                    let first = |bytes: &[u8]| {
                        up.first.get_or_init(|| String::from_utf8_lossy(bytes).into_owned());
                    };
                    relay(from_client, to_server, &up.up, first).await;
                });
                relaying.spawn(async move { relay(from_server, to_client, &down.down, |_| ()).await });
            }
        });
        Self { address, connections, _accepting: accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its connections, in the order they came.
    pub fn connections(&self) -> Vec<Arc<Passed>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What passed over all of them.
    pub fn bytes(&self) -> (u64, u64) {
        let each = self.connections();
        each.iter().map(|passed| passed.bytes()).fold((0, 0), |(up, down), (a, b)| (up + a, down + b))
    }
}

/// Counts before it hands on, so that nobody has bytes that are not counted.
async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
    see: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(n as u64, Ordering::SeqCst);
        see(&buffer[..n]);
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}
