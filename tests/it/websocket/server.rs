//! An echo server on a free port, and clients that speak in bytes.

use super::echo::echo;
use notify_push::{
    lifecycle::TaskGroup,
    server::{
        BindAddress, BoundListener, ConnectionObserver, ConnectionTimeouts, HttpServer,
        LocalAddress, NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, ReloadableTls,
        UpgradedClient, X_FORWARDED_FOR, peer::ConnectionPeer, routes, upgrade,
    },
    websocket::DecoderRules,
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

pub(super) const RULES: DecoderRules = DecoderRules { masked: true, max_message: 4096 };

/// The request of RFC 6455 section 1.2.
pub(super) const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: push.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A running server; it stops when dropped.
pub(super) struct TestServer {
    pub(super) local: LocalAddress,
    pub(super) pre_auth: PreAuthLimiter,
    pub(super) peers: Arc<Mutex<Vec<ConnectionPeer>>>,
    tasks: TaskGroup,
}

/// What a test wants different.
pub(super) struct ServerOptions {
    pub(super) bind: BindAddress,
    pub(super) limits: ConnectionTimeouts,
    pub(super) pre_auth: PreAuthLimits,
    pub(super) exempt: bool,
    pub(super) tls: Option<Arc<ReloadableTls>>,
    pub(super) observer: Arc<dyn ConnectionObserver>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            bind: BindAddress::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 },
            limits: ConnectionTimeouts::default(),
            pre_auth: PreAuthLimits { total: 1000, per_address: 1000 },
            exempt: false,
            tls: None,
            observer: Arc::new(NoopConnectionObserver),
        }
    }
}

impl TestServer {
    pub(super) fn start(options: ServerOptions) -> Self {
        let listener = BoundListener::bind(&options.bind).unwrap();
        let (tasks, peers) = (TaskGroup::default(), Arc::<Mutex<Vec<ConnectionPeer>>>::default());
        let seen = Arc::clone(&peers);
        let answer = move |client: UpgradedClient| {
            seen.lock().unwrap().push(client.peer.clone());
            echo(client, RULES)
        };
        let ws = warp::path!("ws").and(upgrade(tasks.clone(), Arc::new([X_FORWARDED_FOR]), answer));
        let hello = warp::path!("hello").and(warp::get()).map(|| "hello");
        let exempt = options.exempt;
        let observer = options.observer;
        let pre_auth =
            PreAuthLimiter::new(options.pre_auth, move |_| exempt, Arc::clone(&observer));
        let front = HttpServer {
            routes: routes(ws.or(hello)),
            pre_auth: pre_auth.clone(),
            limits: options.limits,
            tasks: tasks.clone(),
            observer,
        };
        let local = listener.local().unwrap();
        tasks.core("listener", front.serve(listener, options.tls));
        Self { local, pre_auth, peers, tasks }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match &self.local {
            LocalAddress::Tcp(address) => *address,
            LocalAddress::Unix(path) => panic!("{path:?} is no TCP address"),
        }
    }

    pub(super) async fn connect(&self) -> RawClient {
        RawClient(TcpStream::connect(self.address()).await.unwrap())
    }

    /// A client that has shaken hands.
    pub(super) async fn websocket(&self) -> RawClient {
        let mut client = self.connect().await;
        client.send(REQUEST.as_bytes()).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("HTTP/1.1 101"), "{reply}");
        client
    }

    /// Waits until this many pre_auth are there.
    pub(super) async fn pre_auth(&self, wanted: usize) {
        let there = async {
            while self.pre_auth.count() != wanted {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, there).await.expect("the number of pre_auth is never reached");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

/// A client that speaks in bytes.
pub(super) struct RawClient<S = TcpStream>(pub(super) S);

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> RawClient<S> {
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
