//! TLS with a server whose certificate sqlx can't use, although it needn't be verified, or although it is
//! its own authority. sqlx brings its own TLS and opens its own sockets, so it connects without TLS to a
//! unix socket of this process, and the relay behind it speaks TLS with the server.

mod mysql;
mod postgres;

use super::settings::{DatabaseAddress, DatabaseServer, DatabaseTls, DatabaseTlsMode};
use crate::client::{
    ByteStream,
    tls::{CertificateCheck, ClientTlsFiles, server_name},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Fuse},
};
use rustls::ClientConfig;
use sqlx::Error;
use std::{
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener as StdUnixListener},
    },
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::{TcpStream, UnixListener, UnixStream},
    task::spawn_blocking,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// PostgreSQL's port, which sqlx makes a part of the socket's path.
const PORT: u16 = 5432;

/// The two protocols. Each begins without TLS and changes to it in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelayProtocol {
    MySql,
    Postgres,
}

/// Makes relays for the connections to one server.
#[derive(Debug)]
pub(super) struct TlsRelay {
    protocol: RelayProtocol,
    server: DatabaseServer,
    /// Makes the names of the sockets unique among processes, and the count among connections.
    seed: u64,
    count: AtomicU64,
}

/// Runs for as long as its connection; it makes progress only while it is polled.
pub(super) type RelayTask = Fuse<BoxFuture<'static, Result<(), Error>>>;

impl TlsRelay {
    pub(super) fn new(protocol: RelayProtocol, server: DatabaseServer, seed: u64) -> Self {
        Self { protocol, server, seed, count: AtomicU64::new(0) }
    }

    /// A relay for one connection, and the settings with which sqlx reaches it.
    pub(super) fn start(&self) -> io::Result<(RelayTask, DatabaseServer)> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("notify_push-{:016x}-{count}", self.seed);
        // An abstract name needs no folder and vanishes with the socket. sqlx joins paths with `/`.
        let address = match self.protocol {
            RelayProtocol::MySql => name.clone(),
            RelayProtocol::Postgres => format!("{name}/.s.PGSQL.{PORT}"),
        };
        let listener = StdUnixListener::bind_addr(&SocketAddr::from_abstract_name(address)?)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let reached = DatabaseServer {
            address: DatabaseAddress::Unix(PathBuf::from(format!("\0{name}")), PORT),
            tls: DatabaseTls { mode: DatabaseTlsMode::Disable, ..DatabaseTls::default() },
            ..self.server.clone()
        };
        let task = relay(listener, self.protocol, self.server.clone());
        Ok((task.boxed().fuse(), reached))
    }
}

async fn relay(
    listener: UnixListener,
    protocol: RelayProtocol,
    server: DatabaseServer,
) -> Result<(), Error> {
    let local = accept_own(&listener).await?;
    drop(listener);
    let target = RelayTarget::new(server).await?;
    let stream = target.connect().await?;
    match protocol {
        RelayProtocol::MySql => mysql::relay(local, stream, &target).await,
        RelayProtocol::Postgres => postgres::relay(local, stream, &target).await,
    }
}

/// Other processes may reach the socket, too: their connections are closed.
async fn accept_own(listener: &UnixListener) -> io::Result<UnixStream> {
    let own = i32::try_from(std::process::id()).ok();
    loop {
        let (stream, _) = listener.accept().await?;
        if stream.peer_cred()?.pid() == own {
            return Ok(stream);
        }
    }
}

/// The real server and how to speak TLS with it.
struct RelayTarget {
    server: DatabaseServer,
    config: Arc<ClientConfig>,
}

impl RelayTarget {
    async fn new(server: DatabaseServer) -> Result<Self, Error> {
        let tls = server.tls.clone();
        let reading = spawn_blocking(move || {
            let client = tls.cert.as_deref().zip(tls.key.as_deref());
            ClientTlsFiles { ca: tls.ca.as_deref(), client }.config(check(tls.mode))
        });
        let config = reading.await.map_err(|error| Error::Tls(error.into()))?;
        let config = Arc::new(config.map_err(|error| Error::Tls(error.into()))?);
        Ok(Self { server, config })
    }

    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        match &self.server.address {
            DatabaseAddress::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            // sqlx uses TLS on unix sockets of MySQL, too.
            DatabaseAddress::Unix(path, _) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    async fn handshake(
        &self,
        stream: Box<dyn ByteStream>,
    ) -> Result<TlsStream<Box<dyn ByteStream>>, Error> {
        let host = match &self.server.address {
            DatabaseAddress::Tcp(host, _) => host,
            DatabaseAddress::Unix(..) => "localhost",
        };
        let checked = self.server.tls.mode == DatabaseTlsMode::VerifyFull;
        let name = server_name(host, checked).map_err(|error| Error::Tls(error.into()))?;
        Ok(TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?)
    }
}

fn check(mode: DatabaseTlsMode) -> CertificateCheck {
    match mode {
        DatabaseTlsMode::Disable | DatabaseTlsMode::Prefer | DatabaseTlsMode::Require => {
            CertificateCheck::Nothing
        }
        DatabaseTlsMode::VerifyCa => CertificateCheck::Issuer,
        DatabaseTlsMode::VerifyFull => CertificateCheck::IssuerAndName,
    }
}

fn no_tls() -> Error {
    Error::Tls("server does not support TLS".into())
}
