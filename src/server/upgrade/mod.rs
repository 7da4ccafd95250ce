//! From an HTTP request to a WebSocket: we send the 101 and keep only the bare stream.

mod handshake;

use super::{ClientStream, PreAuthConnection, forwarded, http::RequestOrigin};
use crate::{lifecycle::TaskGroup, server::peer::ConnectionPeer};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, future::Future, sync::Arc};
use warp::{Filter, reply::Response};

/// A client whose connection has become a WebSocket. Only `leftover` has been read of it.
#[derive(Debug)]
pub struct UpgradedClient {
    /// The connection's byte stream.
    pub stream: ClientStream,
    /// Bytes that followed the request: the first of the WebSocket stream.
    pub leftover: Bytes,
    /// The peer's address and forwarded chain.
    pub peer: ConnectionPeer,
    /// Its entry in the limiter: drop it when the client has logged in.
    pub pre_auth_connection: PreAuthConnection,
}

/// Turns what the filters extract into a reply and, if it is a 101, passes the client to `handler` in a
/// task of its own once the 101 is written. The handler is dropped at its next await if the connection
/// is evicted before [`PreAuthConnection::protect_from_eviction`] is called.
///
/// `names` are the headers that carry the forwarded chain, in order of preference.
pub fn upgrade<H, F>(
    tasks: TaskGroup,
    names: Arc<[HeaderName]>,
    handler: H,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
where
    H: Fn(UpgradedClient) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    handshake().map(move |asked: WebSocketHandshake| asked.accept(&tasks, &names, handler.clone()))
}

/// Any request, for routes that read it before they make a WebSocket of it
/// ([`WebSocketHandshake::accept`]).
pub fn handshake()
-> impl Filter<Extract = (WebSocketHandshake,), Error = Infallible> + Clone + Send + Sync + 'static
{
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<RequestOrigin>())
        .and(warp::ext::optional::<OnUpgrade>())
        .map(|method, headers, origin, pending| WebSocketHandshake {
            method,
            headers,
            origin,
            pending,
            agreed: None,
        })
}

/// The parts of a request that matter for the handshake.
pub struct WebSocketHandshake {
    method: Method,
    headers: HeaderMap,
    origin: Option<RequestOrigin>,
    pending: Option<OnUpgrade>,
    /// The subprotocol that the reply agrees to.
    agreed: Option<HeaderValue>,
}

impl WebSocketHandshake {
    /// Whether it requests a WebSocket, correctly or not.
    pub fn is_for_websocket(&self) -> bool {
        use handshake::HandshakeRejection::{Method, NoUpgrade};
        let Some(origin) = &self.origin else { return false };
        let verdict = handshake::check(&self.method, origin.version, &self.headers);
        !matches!(verdict, Err(Method | NoUpgrade))
    }

    /// The same request; the reply accepts the first subprotocol that it offers, if any.
    #[must_use]
    pub fn agreeing(mut self) -> Self {
        self.agreed = handshake::protocol(&self.headers);
        self
    }

    /// The other end of the connection, with the forwarded chain from these headers.
    pub fn peer(&self, names: &[HeaderName]) -> ConnectionPeer {
        let address = self.origin.as_ref().and_then(|origin| origin.address);
        ConnectionPeer { address, forwarded: forwarded::chain(&self.headers, names) }
    }

    /// Does what [`upgrade`] does for this one request.
    pub fn accept<F>(
        self,
        tasks: &TaskGroup,
        names: &[HeaderName],
        handler: impl FnOnce(UpgradedClient) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (reply, accepted) = self.respond(names);
        if let Some((pending, origin, peer)) = accepted {
            let eviction = origin.pre_auth_connection.eviction();
            let served = async move {
                if let Some(client) = into_client(pending, origin, peer).await {
                    handler(client).await;
                }
            };
            tasks.spawn(async move { eviction.run_until_cancelled(served).await });
        }
        reply
    }

    /// The reply, and the upgrade if it is a 101.
    fn respond(
        self,
        names: &[HeaderName],
    ) -> (Response, Option<(OnUpgrade, RequestOrigin, ConnectionPeer)>) {
        let (Some(origin), pending) = (self.origin, self.pending) else {
            return (handshake::HandshakeRejection::NoUpgrade.reply(), None);
        };
        match (handshake::check(&self.method, origin.version, &self.headers), pending) {
            (Ok(accept), Some(pending)) => {
                let forwarded = forwarded::chain(&self.headers, names);
                let peer = ConnectionPeer { address: origin.address, forwarded };
                (accept.reply(self.agreed), Some((pending, origin, peer)))
            }
            (Ok(_), None) => (handshake::HandshakeRejection::NoUpgrade.reply(), None),
            (Err(refusal), _) => (refusal.reply(), None),
        }
    }
}

/// Waits until the 101 is written, then removes HTTP from the stream.
async fn into_client(
    pending: OnUpgrade,
    origin: RequestOrigin,
    peer: ConnectionPeer,
) -> Option<UpgradedClient> {
    let upgraded = match pending.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "client disconnected before the upgrade");
            return None;
        }
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<ClientStream>>() else {
        tracing::error!("an upgraded stream is not one of ours");
        return None;
    };
    // Copied: its buffer has eight kilobytes and would live as long.
    let leftover = Bytes::copy_from_slice(&parts.read_buf);
    Some(UpgradedClient {
        stream: parts.io.into_inner(),
        leftover,
        peer,
        pre_auth_connection: origin.pre_auth_connection,
    })
}
