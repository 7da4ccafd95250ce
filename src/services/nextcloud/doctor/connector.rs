//! From an address to a WebSocket that clients would get there: TCP, TLS, upgrade, each bounded.

use crate::{
    client::{
        ConnectionPreamble, self_tls_connector, send_proxy_preamble,
        websocket::{UpgradeRejection, UpgradeRequest, WebSocketClient, WebSocketClientError},
    },
    services::ByteStream,
};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

/// For each of the steps.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the address.
pub(super) type EndpointClient = WebSocketClient<Box<dyn ByteStream>>;

/// An address that clients connect to.
#[derive(Clone)]
pub(super) struct EndpointConnector {
    place: EndpointAddress,
    request: UpgradeRequest,
    tls: Option<(String, TlsConnector)>,
    /// Whether to say first who we are, as a proxy would.
    proxy_protocol: bool,
}

#[derive(Clone)]
enum EndpointAddress {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Why nobody gets in there.
#[derive(Debug)]
pub(super) enum EndpointFailure {
    /// No connection: the system's words.
    Unreachable(io::Error),
    /// Nobody answers in time.
    TimedOut,
    /// The certificate isn't good.
    Certificate(String),
    /// TLS fails otherwise.
    Tls(String),
    /// An answer that is no 101.
    Refused(UpgradeRejection),
    /// Anything else.
    Broken(WebSocketClientError),
}

impl EndpointConnector {
    /// Of a `ws:` or `wss:` address; `tls` is used for the latter.
    pub(super) fn at(url: &Url, tls: ClientConfig) -> Option<Self> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default()?;
        let authority = url.port().map_or_else(
            || url.host_str().map(str::to_owned),
            |port| url.host_str().map(|host| format!("{host}:{port}")),
        );
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self {
            request: UpgradeRequest { host: authority?, path: format!("{}{query}", url.path()) },
            tls: (url.scheme() == "wss").then(|| (host.clone(), Arc::new(tls).into())),
            place: EndpointAddress::Tcp(host, port),
            proxy_protocol: false,
        })
    }

    /// Of the daemon itself.
    pub(super) fn own(
        place: Result<(String, u16), PathBuf>,
        request: UpgradeRequest,
        ConnectionPreamble { tls, proxy_protocol }: ConnectionPreamble,
    ) -> Result<Self, rustls::Error> {
        let place = match place {
            Ok((host, port)) => EndpointAddress::Tcp(host, port),
            Err(path) => EndpointAddress::Unix(path),
        };
        let tls =
            tls.then(self_tls_connector).transpose()?.map(|tls| ("localhost".to_owned(), tls));
        Ok(Self { place, request, tls, proxy_protocol })
    }

    /// Connects as a client does.
    pub(super) async fn open_websocket(
        &self,
        rng: fastrand::Rng,
    ) -> Result<EndpointClient, EndpointFailure> {
        let mut stream = bounded(self.connect()).await?.map_err(EndpointFailure::Unreachable)?;
        let opening =
            ConnectionPreamble { tls: self.tls.is_some(), proxy_protocol: self.proxy_protocol };
        send_proxy_preamble(&mut stream, opening).await.map_err(EndpointFailure::Unreachable)?;
        let stream = match &self.tls {
            None => stream,
            Some((name, connector)) => {
                let name = ServerName::try_from(name.clone())
                    .map_err(|error| EndpointFailure::Tls(error.to_string()))?;
                let shaken = bounded(connector.connect(name, stream)).await?;
                Box::new(shaken.map_err(|error| EndpointFailure::of_tls(&error))?)
            }
        };
        match bounded(WebSocketClient::upgrade(stream, &self.request, rng)).await? {
            Ok(client) => Ok(client),
            Err(WebSocketClientError::Upgrade(refusal)) => Err(EndpointFailure::Refused(refusal)),
            Err(other) => Err(EndpointFailure::Broken(other)),
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(match &self.place {
            EndpointAddress::Tcp(host, port) => {
                Box::new(TcpStream::connect((host.as_str(), *port)).await?)
            }
            EndpointAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

impl EndpointFailure {
    fn of_tls(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) => Self::Certificate(why.to_string()),
            Some(other) => Self::Tls(other.to_string()),
            None => Self::Tls(error.to_string()),
        }
    }
}

async fn bounded<T>(step: impl Future<Output = T>) -> Result<T, EndpointFailure> {
    timeout(STEP_TIMEOUT, step).await.map_err(|_| EndpointFailure::TimedOut)
}
