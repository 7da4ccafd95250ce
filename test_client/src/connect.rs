//! From an address to a WebSocket: TCP, TLS, upgrade.

use crate::{failure::Failure, trust};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{error::Error as _, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, error::ProtocolError, protocol::WebSocketConfig},
};
use url::Url;

/// For each of the three steps.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message; an app's own may be large.
const LONGEST: usize = 4 * 1024 * 1024;

/// A connection, with TLS or without.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for T {}

/// A WebSocket over either.
pub type ClientSocket = WebSocketStream<Box<dyn ClientStream>>;

/// Connects to a `ws:` or `wss:` address.
pub async fn connect(url: &Url, tls: &Arc<ClientConfig>) -> Result<ClientSocket, Failure> {
    let late = || Failure::NoPush(url.clone(), "no answer in time".to_owned());
    let tcp = timeout(PATIENCE, tcp(url)).await.map_err(|_| late())?;
    let tcp = tcp.map_err(|error| Failure::NoPush(url.clone(), error.to_string()))?;
    let stream: Box<dyn ClientStream> = match url.scheme() {
        "wss" => {
            let silent = |_| Failure::Tls(url.to_string(), "no answer to the handshake".to_owned());
            let secured = timeout(PATIENCE, secure(url, tcp, Arc::clone(tls))).await;
            Box::new(secured.map_err(silent)??)
        }
        _ => Box::new(tcp),
    };
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST));
    let upgrade = client_async_with_config(url.as_str(), stream, Some(config));
    match timeout(PATIENCE, upgrade).await.map_err(|_| late())? {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(refused(url, &error)),
    }
}

async fn tcp(url: &Url) -> io::Result<TcpStream> {
    let addresses = url.socket_addrs(|| None)?;
    let stream = TcpStream::connect(&*addresses).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(
    url: &Url,
    tcp: TcpStream,
    tls: Arc<ClientConfig>,
) -> Result<impl ClientStream + use<>, Failure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let broken = |why: String| Failure::Tls(url.to_string(), why);
    let name = ServerName::try_from(host).map_err(|error| broken(error.to_string()))?;
    TlsConnector::from(tls).connect(name, tcp).await.map_err(|error| {
        trust::failure(url.as_str(), &error).unwrap_or_else(|| broken(error.to_string()))
    })
}

/// Why there is no WebSocket.
fn refused(url: &Url, error: &Error) -> Failure {
    match error {
        Error::Http(answer) => Failure::Upgrade(url.clone(), answer.status().as_u16()),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            Failure::NotWebSocket(url.clone(), "it closes the connection".to_owned())
        }
        other => {
            let why = other.source().map_or_else(|| other.to_string(), ToString::to_string);
            Failure::NotWebSocket(url.clone(), why)
        }
    }
}
