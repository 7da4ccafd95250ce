//! A TCP proxy that misbehaves on demand, between anything and anything else.

use super::until;
use bytes::BytesMut;
use socket2::SockRef;
use std::{future::pending, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// What the proxy does to all its connections, those it has and those to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing: it forwards.
    None,
    /// Closes them in order, as a server that ends does.
    Cut,
    /// Resets them, as a server that crashed does.
    Reset,
    /// Forwards nothing for as long as this lasts; nothing is lost.
    Stall,
    /// Forwards at most so many bytes each 10 ms.
    Slow(usize),
    /// Swallows everything without a word, as when the other machine was switched off; connections that
    /// suffered this never recover.
    HalfOpen,
    /// What the server answers arrives as so many random bytes.
    Garbage,
}

/// A proxy on 127.0.0.1 in front of a server; gone with its connections when dropped.
pub(crate) struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    /// Held by the proxy, its accept loop, and each connection.
    alive: Arc<()>,
    _tasks: JoinSet<()>,
}

/// The two directions differ in one fault only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxyDirection {
    ToServer,
    ToClient,
}

impl FaultProxy {
    /// A proxy in front of `server` (`127.0.0.1:6379`) that forwards until told otherwise.
    pub(crate) async fn to(server: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (fault, alive) = (watch::Sender::new(Fault::None), Arc::new(()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server.into(), fault.subscribe(), Arc::clone(&alive)));
        Self { address, fault, alive, _tasks: tasks }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Breaks what is connected now and forwards what comes then.
    pub(crate) async fn reset_connections(&self) {
        self.set(Fault::Reset);
        until("all connections are reset", async || (self.connections() == 0).then_some(())).await;
        self.set(Fault::None);
    }

    /// How many connections it holds.
    pub(crate) fn connections(&self) -> usize {
        Arc::strong_count(&self.alive).saturating_sub(2)
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    fault: watch::Receiver<Fault>,
    alive: Arc<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let (connection, alive) =
            (connection(client, server.clone(), fault.clone()), Arc::clone(&alive));
        connections.spawn(async move {
            connection.await;
            drop(alive);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut client: TcpStream, server: String, mut fault: watch::Receiver<Fault>) {
    let talks = |fault: &Fault| !matches!(fault, Fault::Stall | Fault::HalfOpen);
    let Ok(now) = fault.wait_for(talks).await.map(|now| *now) else { return };
    if matches!(now, Fault::Cut | Fault::Reset) {
        return end(&client, now);
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // Either direction may end in order alone; an error ends both.
    let _ = tokio::try_join!(
        carry(ProxyDirection::ToServer, from_client, to_server, fault.clone()),
        carry(ProxyDirection::ToClient, from_server, to_client, fault.clone()),
    );
    let last = *fault.borrow();
    end(&client, last);
}

/// A reset is what closing does to a socket without linger time.
fn end(client: &TcpStream, fault: Fault) {
    if fault == Fault::Reset {
        let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
    }
}

async fn carry(
    direction: ProxyDirection,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut held = BytesMut::new();
    loop {
        let now = *fault.borrow_and_update();
        let more = tokio::select! {
            changed = fault.changed() => changed.map_err(io::Error::other).map(|()| true)?,
            more = step(direction, now, &mut from, &mut to, &mut held) => more?,
        };
        if !more {
            return to.shutdown().await;
        }
    }
}

/// One read or one write, cancelled without loss; `false` at the end of the stream.
async fn step(
    direction: ProxyDirection,
    fault: Fault,
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    held: &mut BytesMut,
) -> io::Result<bool> {
    match fault {
        Fault::Cut | Fault::Reset => return Err(io::ErrorKind::ConnectionAborted.into()),
        Fault::Stall => return pending().await,
        Fault::HalfOpen => return swallow(from).await,
        Fault::Slow(bytes) if held.is_empty() => {
            // The fault itself; nobody waits here for anything.
            tokio::time::sleep(Duration::from_millis(10)).await;
            held.reserve(bytes);
            return Ok(from.take(bytes as u64).read_buf(held).await? > 0);
        }
        _ => {}
    }
    if !held.is_empty() {
        to.write_buf(held).await?;
        return Ok(true);
    }
    held.reserve(1 << 16);
    let read = from.read_buf(held).await?;
    if fault == Fault::Garbage && direction == ProxyDirection::ToClient {
        // The first is of no protocol: one that begins an answer would have the client wait for its end.
        let bytes = held.iter_mut().enumerate();
        bytes.for_each(|(at, byte)| *byte = if at == 0 { 0xff } else { fastrand::u8(..) });
    }
    Ok(read > 0)
}

/// Never says a word again, not even good-bye.
async fn swallow(from: &mut ReadHalf<'_>) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    pending().await
}
