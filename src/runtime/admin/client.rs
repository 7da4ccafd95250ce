//! The client of the admin listener: the commands `log`, `revoke`, `metrics`, `healthcheck`.

use super::{LOG_LEVEL, MAX_BODY, METRICS, REVOKE, SERVICE};
use crate::{
    runtime::health_routes::{HEALTH, LIVE, READY},
    server::{BindAddress, ClientStream},
};
use http::{Method, Request, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// The time from connecting to the end of the answer.
const TIME: Duration = Duration::from_secs(5);

/// The longest answer read, in bytes: a filter, a number, a report.
const MAX_ANSWER: usize = 4 * MAX_BODY;
/// The longest metrics page read, in bytes.
const MAX_METRICS: usize = 4 << 20;

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminCommand {
    /// Shows the current log filter.
    ShowLog,
    /// Sets the log filter.
    SetLog(String),
    /// Restores the configured log filter.
    RestoreLog,
    /// Closes the sessions of a user.
    Revoke {
        /// The user's service, if there are several.
        service: Option<String>,
        /// The user's id.
        user: String,
    },
    /// Reads the metrics page.
    Metrics,
    /// Asks whether the process runs.
    Live,
    /// Asks whether it is ready, and for its dependencies.
    Ready,
}

/// Why a request failed; each text names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum AdminClientError {
    /// The settings name no listener for operators.
    #[error(
        "no admin listener is configured: give --admin-socket (ADMIN_SOCKET_PATH) or --admin-port \
         (ADMIN_PORT) both to the daemon and to this command"
    )]
    NoListener,
    /// Commands use loopback or a unix socket only.
    #[error(
        "the metrics listener is bound to {0} only, which this command doesn't use: give the daemon \
         --admin-socket (ADMIN_SOCKET_PATH) or --admin-port (ADMIN_PORT)"
    )]
    NotLocal(IpAddr),
    /// No daemon listens there.
    #[error(
        "no daemon answers at {0}. Is it running, and with the same listeners as this command \
         (ADMIN_SOCKET_PATH, ADMIN_PORT; for metrics and healthcheck also METRICS_SOCKET_PATH, \
         METRICS_PORT)? A daemon without an admin listener needs ADMIN_SOCKET_PATH"
    )]
    Unreachable(AdminAddress, #[source] io::Error),
    /// A unix socket without permission for this user.
    #[error("not allowed to use {0}: run this as the daemon's user, or as root")]
    NotAllowed(AdminAddress, #[source] io::Error),
    /// The listener is no notify_push daemon.
    #[error("{0} is not the listener of a notify_push daemon")]
    NotADaemon(AdminAddress),
    /// No answer within five seconds.
    #[error("the daemon at {0} did not answer within {TIME:?}")]
    TimedOut(AdminAddress),
    /// The daemon rejected the request.
    #[error("the daemon at {0} refuses to be controlled from here")]
    Refused(AdminAddress),
    /// The daemon is not ready, with its report.
    #[error("{0}")]
    NotReady(String),
    /// The request is invalid, with the daemon's reason.
    #[error("{0}")]
    BadRequest(String),
}

/// The address of an admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A port on loopback.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Sends a request to the first listener that answers, unix sockets first, and returns the answer
/// without its line break.
///
/// # Errors
/// [`AdminClientError`], of the address tried last.
pub async fn ask(
    listeners: &[BindAddress],
    command: &AdminCommand,
) -> Result<String, AdminClientError> {
    first_answer(addresses(listeners)?, async |place| {
        say(connect(place).await?, place, command).await
    })
    .await
}

/// The answer of the first listener that can be reached; a listener has [`TIME`] for it.
pub(super) async fn first_answer(
    addresses: Vec<AdminAddress>,
    ask: impl AsyncFn(&AdminAddress) -> Result<String, AdminClientError>,
) -> Result<String, AdminClientError> {
    let mut failed = AdminClientError::NoListener;
    for place in addresses {
        match timeout(TIME, ask(&place)).await {
            Ok(Err(
                error @ (AdminClientError::Unreachable(..) | AdminClientError::NotAllowed(..)),
            )) => failed = error,
            Ok(answer) => return answer,
            Err(_) => return Err(AdminClientError::TimedOut(place)),
        }
    }
    Err(failed)
}

/// The local addresses of listeners that are bound like this.
pub(super) fn addresses(listeners: &[BindAddress]) -> Result<Vec<AdminAddress>, AdminClientError> {
    let (mut unix, mut tcp, mut far) = (Vec::new(), Vec::new(), None);
    for bind in listeners {
        match bind {
            BindAddress::Unix { path, .. } => unix.push(AdminAddress::Unix(path.clone())),
            BindAddress::Tcp { address, port } => match address.filter(|ip| !ip.is_unspecified()) {
                Some(ip) if !ip.to_canonical().is_loopback() => far = Some(ip),
                Some(ip) => tcp.push(AdminAddress::Tcp((ip, *port).into())),
                None => {
                    tcp.push(AdminAddress::Tcp((Ipv6Addr::LOCALHOST, *port).into()));
                    tcp.push(AdminAddress::Tcp((Ipv4Addr::LOCALHOST, *port).into()));
                }
            },
        }
    }
    unix.append(&mut tcp);
    match far {
        Some(ip) if unix.is_empty() => Err(AdminClientError::NotLocal(ip)),
        _ => Ok(unix),
    }
}

/// Sends a request over an open connection.
pub(super) async fn say<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    place: &AdminAddress,
    command: &AdminCommand,
) -> Result<String, AdminClientError> {
    let not_a_daemon = || AdminClientError::NotADaemon(place.clone());
    let most = if *command == AdminCommand::Metrics { MAX_METRICS } else { MAX_ANSWER };
    let (status, body) = exchange(stream, request(command), most).await.ok_or_else(not_a_daemon)?;
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::SERVICE_UNAVAILABLE if *command == AdminCommand::Ready => {
            Err(AdminClientError::NotReady(body))
        }
        StatusCode::BAD_REQUEST => Err(AdminClientError::BadRequest(body)),
        StatusCode::FORBIDDEN => Err(AdminClientError::Refused(place.clone())),
        _ => Err(not_a_daemon()),
    }
}

/// Connects to an admin listener.
pub(super) async fn connect(place: &AdminAddress) -> Result<ClientStream, AdminClientError> {
    let connected = match place {
        AdminAddress::Tcp(address) => TcpStream::connect(address).await.map(ClientStream::Tcp),
        AdminAddress::Unix(path) => UnixStream::connect(path).await.map(ClientStream::Unix),
    };
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AdminClientError::NotAllowed(place.clone(), error),
        _ => AdminClientError::Unreachable(place.clone(), error),
    })
}

fn request(command: &AdminCommand) -> Request<Full<bytes::Bytes>> {
    let health = |what| format!("{HEALTH}/{what}");
    let (method, path, body) = match command {
        AdminCommand::ShowLog => (Method::GET, LOG_LEVEL.to_owned(), ""),
        AdminCommand::SetLog(filter) => (Method::PUT, LOG_LEVEL.to_owned(), filter.as_str()),
        AdminCommand::RestoreLog => (Method::DELETE, LOG_LEVEL.to_owned(), ""),
        AdminCommand::Revoke { service, user } => {
            let service = service.as_ref().map(|name| {
                let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
                format!("?{SERVICE}={name}").replace("%2D", "-")
            });
            let path = format!("{REVOKE}{}", service.unwrap_or_default());
            (Method::POST, path, user.as_str())
        }
        AdminCommand::Metrics => (Method::GET, METRICS.to_owned(), ""),
        AdminCommand::Live => (Method::GET, health(LIVE), ""),
        AdminCommand::Ready => (Method::GET, health(READY), ""),
    };
    let mut request = Request::new(Full::from(body.to_owned()));
    *request.method_mut() = method;
    // Both are valid constants.
    *request.uri_mut() = format!("/{path}").parse().unwrap_or_default();
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    request
}

/// `None` if the answer isn't HTTP, or is too long.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    request: Request<Full<bytes::Bytes>>,
    most: usize,
) -> Option<(StatusCode, String)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let answer = async move {
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await.ok()?;
        let text = String::from_utf8(body.to_bytes().into()).ok()?;
        Some((status, text.trim_end().to_owned()))
    };
    // The connection ends when the sender is dropped; a failure shows in the answer.
    tokio::join!(answer, connection).0
}

#[cfg(test)]
mod tests {
    use super::{AdminAddress, AdminClientError, AdminCommand, BindAddress, addresses, ask};
    use std::net::IpAddr;
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    fn tcp(address: Option<&str>, port: u16) -> BindAddress {
        BindAddress::Tcp { address: address.map(|ip| ip.parse().unwrap()), port }
    }

    #[test]
    fn unix_sockets_are_tried_first_and_loopback_stands_for_everywhere() {
        let unix = BindAddress::Unix { path: "/run/x".into(), permissions: 0o660 };
        let everywhere = [tcp(None, 1), tcp(Some("0.0.0.0"), 2), unix];
        let found: Vec<_> =
            addresses(&everywhere).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/run/x", "[::1]:1", "127.0.0.1:1", "[::1]:2", "127.0.0.1:2"]);
        assert_eq!(addresses(&[tcp(Some("127.0.0.9"), 3)]).unwrap().len(), 1);
    }

    #[test]
    fn a_listener_that_loopback_does_not_reach_has_a_remedy() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let error = addresses(&[tcp(Some("192.0.2.7"), 3)]).unwrap_err();
        assert!(matches!(error, AdminClientError::NotLocal(ip) if ip == address), "{error}");
        assert!(error.to_string().contains("ADMIN_SOCKET_PATH"), "{error}");
    }

    #[tokio::test]
    async fn without_a_daemon_the_message_says_what_to_set() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let unreachable =
            ask(&[tcp(Some("127.0.0.1"), closed.port())], &AdminCommand::ShowLog).await;
        let unreachable = unreachable.unwrap_err().to_string();
        assert!(
            unreachable.contains(&closed.to_string()) && unreachable.contains("METRICS_PORT"),
            "{unreachable}"
        );
        let none = ask(&[], &AdminCommand::RestoreLog).await.unwrap_err();
        assert!(matches!(none, AdminClientError::NoListener), "{none}");
    }

    async fn answered(bytes: &'static [u8]) -> AdminClientError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bind = tcp(Some("127.0.0.1"), listener.local_addr().unwrap().port());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The client may be gone before all of it is written.
            for piece in bytes.chunks(512) {
                if stream.write_all(piece).await.is_err() {
                    break;
                }
            }
            stream
        };
        let (answer, _stream) =
            tokio::join!(ask(std::slice::from_ref(&bind), &AdminCommand::ShowLog), server);
        answer.unwrap_err()
    }

    #[tokio::test]
    async fn whatever_else_listens_there_is_recognized_within_bounds() {
        const LONG: &[u8] = &{
            let mut long = [b'x'; 9000];
            let head = *b"HTTP/1.1 200 OK\r\ncontent-length: 8000\r\n\r\n";
            let mut at = 0;
            while at < head.len() {
                long[at] = head[at];
                at += 1;
            }
            long
        };
        for bytes in [
            b"220 smtp ready\r\n".as_slice(),
            b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
            LONG,
        ] {
            let error = answered(bytes).await;
            assert!(matches!(error, AdminClientError::NotADaemon(AdminAddress::Tcp(_))), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_hangs_is_not_waited_for() {
        assert!(matches!(answered(b"").await, AdminClientError::TimedOut(_)));
    }
}
