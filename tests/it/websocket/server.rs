//! An echo server on a free port, and clients that speak in bytes.

use super::echo::echo;
use notify_push::{
    lifecycle::Tasks,
    server::{
        Bind, Client, Front, Limits, Listener, Local, Observer, StrangerLimits, Strangers, Tls,
        Unobserved, X_FORWARDED_FOR, peer::Peer, routes, upgrade,
    },
    websocket::Rules,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use warp::Filter;

/// Nothing takes that long unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const RULES: Rules = Rules { masked: true, max_message: 4096 };

/// The request of RFC 6455 section 1.2.
pub(super) const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: push.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A running server; it stops when dropped.
pub(super) struct Server {
    pub(super) local: Local,
    pub(super) strangers: Strangers,
    pub(super) peers: Arc<Mutex<Vec<Peer>>>,
    tasks: Tasks,
}

/// What a test wants different.
pub(super) struct Options {
    pub(super) bind: Bind,
    pub(super) limits: Limits,
    pub(super) strangers: StrangerLimits,
    pub(super) exempt: bool,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) observer: Arc<dyn Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: Bind::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 },
            limits: Limits::default(),
            strangers: StrangerLimits { total: 1000, per_address: 1000 },
            exempt: false,
            tls: None,
            observer: Arc::new(Unobserved),
        }
    }
}

impl Server {
    pub(super) fn start(options: Options) -> Self {
        let listener = Listener::bind(&options.bind).unwrap();
        let (tasks, peers) = (Tasks::default(), Arc::<Mutex<Vec<Peer>>>::default());
        let seen = Arc::clone(&peers);
        let answer = move |client: Client| {
            seen.lock().unwrap().push(client.peer.clone());
            echo(client, RULES)
        };
        let ws = warp::path!("ws").and(upgrade(tasks.clone(), Arc::new([X_FORWARDED_FOR]), answer));
        let hello = warp::path!("hello").and(warp::get()).map(|| "hello");
        let exempt = options.exempt;
        let observer = options.observer;
        let strangers = Strangers::new(options.strangers, move |_| exempt, Arc::clone(&observer));
        let front = Front {
            routes: routes(ws.or(hello)),
            strangers: strangers.clone(),
            limits: options.limits,
            tasks: tasks.clone(),
            observer,
        };
        let local = listener.local().unwrap();
        tasks.core("listener", front.serve(listener, options.tls));
        Self { local, strangers, peers, tasks }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.local {
            Local::Tcp(address) => *address,
            Local::Unix(path) => panic!("{path:?} is no TCP address"),
        }
    }

    pub(super) async fn connect(&self) -> Peeker {
        Peeker(TcpStream::connect(self.address()).await.unwrap())
    }

    /// A client that has shaken hands.
    pub(super) async fn websocket(&self) -> Peeker {
        let mut client = self.connect().await;
        client.send(REQUEST.as_bytes()).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("HTTP/1.1 101"), "{reply}");
        client
    }

    /// Waits until this many strangers are there.
    pub(super) async fn strangers(&self, wanted: usize) {
        let there = async {
            while self.strangers.count() != wanted {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, there).await.expect("the number of strangers is never reached");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

/// A client that speaks in bytes.
pub(super) struct Peeker<S = TcpStream>(pub(super) S);

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Peeker<S> {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The head of an HTTP reply, byte by byte so that nothing behind it is lost.
    pub(super) async fn reply(&mut self) -> String {
        let mut head = Vec::new();
        let whole = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.expect("the reply ends early"));
            }
        };
        timeout(PATIENCE, whole).await.expect("no reply");
        String::from_utf8(head).unwrap()
    }

    /// Exactly these bytes come.
    #[track_caller]
    pub(super) fn expect(&mut self, wanted: &[u8]) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let mut bytes = vec![0; wanted.len()];
            let read = timeout(PATIENCE, self.0.read_exact(&mut bytes)).await;
            assert!(matches!(read, Ok(Ok(_))), "{place}: {read:?} instead of {wanted:x?}");
            assert_eq!(bytes, wanted, "{place}");
        }
    }

    /// Nothing more comes: the server ends the connection, cleanly or not.
    pub(super) async fn expect_end(&mut self) {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection stays open");
        assert!(rest.is_empty(), "{rest:x?} came before the end");
    }

    /// A close frame with this code comes, then the end.
    pub(super) async fn expect_close(&mut self, code: u16) {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection stays open");
        assert!(rest.len() >= 4, "no close frame but {rest:x?}");
        assert_eq!((rest[0], usize::from(rest[1])), (0x88, rest.len() - 2), "{rest:x?}");
        assert_eq!(u16::from_be_bytes([rest[2], rest[3]]), code);
    }
}
