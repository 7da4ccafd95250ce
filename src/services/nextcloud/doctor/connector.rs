//! Opens a WebSocket as a client would: TCP, TLS and upgrade, each with a time limit.

use crate::{
    client::{
        ConnectionPreamble, self_tls_connector, send_proxy_preamble,
        tls::certificate_problem,
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

/// The time limit of each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// A WebSocket client of an endpoint.
pub(super) type EndpointClient = WebSocketClient<Box<dyn ByteStream>>;

/// Connects to an address that clients use.
#[derive(Clone)]
pub(super) struct EndpointConnector {
    address: EndpointAddress,
    request: UpgradeRequest,
    tls: Option<(String, TlsConnector)>,
    /// Whether to send a PROXY protocol header first.
    proxy_protocol: bool,
}

#[derive(Clone)]
enum EndpointAddress {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Why the endpoint can't be used.
#[derive(Debug)]
pub(super) enum EndpointFailure {
    /// The connection failed, with the system's error.
    Unreachable(io::Error),
    /// A step exceeded its time limit.
    TimedOut,
    /// The certificate is not trusted.
    Certificate(String),
    /// TLS failed for another reason.
    Tls(String),
    /// The answer has another status than 101.
    Refused(UpgradeRejection),
    /// The connection broke or the answer was invalid.
    Broken(WebSocketClientError),
}

impl EndpointConnector {
    /// A connector for a `ws:` or `wss:` URL; `tls` is used for the latter.
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
            address: EndpointAddress::Tcp(host, port),
            proxy_protocol: false,
        })
    }

    /// A connector for the daemon's own listener.
    pub(super) fn own(
        address: Result<(String, u16), PathBuf>,
        request: UpgradeRequest,
        ConnectionPreamble { tls, proxy_protocol }: ConnectionPreamble,
    ) -> Result<Self, rustls::Error> {
        let address = match address {
            Ok((host, port)) => EndpointAddress::Tcp(host, port),
            Err(path) => EndpointAddress::Unix(path),
        };
        let tls =
            tls.then(self_tls_connector).transpose()?.map(|tls| ("localhost".to_owned(), tls));
        Ok(Self { address, request, tls, proxy_protocol })
    }

    /// Opens a WebSocket as a client does.
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
                let connected = bounded(connector.connect(name, stream)).await?;
                Box::new(connected.map_err(|error| EndpointFailure::of_tls(&error))?)
            }
        };
        match bounded(WebSocketClient::upgrade(stream, &self.request, rng)).await? {
            Ok(client) => Ok(client),
            Err(WebSocketClientError::Upgrade(refusal)) => Err(EndpointFailure::Refused(refusal)),
            Err(other) => Err(EndpointFailure::Broken(other)),
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(match &self.address {
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
            Some(rustls::Error::InvalidCertificate(why)) => {
                Self::Certificate(certificate_problem(why))
            }
            Some(other) => Self::Tls(other.to_string()),
            None => Self::Tls(error.to_string()),
        }
    }
}

async fn bounded<T>(step: impl Future<Output = T>) -> Result<T, EndpointFailure> {
    timeout(STEP_TIMEOUT, step).await.map_err(|_| EndpointFailure::TimedOut)
}
