//! Requests to `/socket.io/`: handshakes, polls, upgrades.

use super::{
    encoding::decoded_once,
    engine::{MAX_PAYLOAD, SocketIoEngine},
    io_client::{PollingClients, SocketIoClient},
    jsonp,
    query::{EngineGeneration, EngineQuery},
    response,
    response::SocketIoError,
};
use crate::{
    lifecycle::TaskGroup,
    server::{PreAuthLimiter, RequestOrigin, UpgradedClient, peer::ConnectionPeer},
    services::webhook::body_budget::{BodyAllowance, BodyBudget},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, time::timeout};

/// Time limit for a request body.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Time limit for the first frame of an upgrade from polling: a proxy may forward the upgrade but
/// no frames.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Bytes of the first read after an upgrade.
const FIRST_READ: usize = 1024;

/// Handles requests. Cheap to clone.
#[derive(Clone)]
pub struct SocketIoHandler {
    /// The Socket.IO library.
    pub engine: SocketIoEngine,
    /// Clients that began with polling.
    pub polling_clients: PollingClients,
    /// Clients that haven't registered yet, of this service; the oldest is evicted for a new one.
    pub unregistered: PreAuthLimiter,
    /// Memory for the bodies of such clients.
    pub bodies: BodyBudget,
    /// Tasks that serve connections.
    pub tasks: TaskGroup,
    /// Headers with the forwarded chain.
    pub names: Arc<[HeaderName]>,
}

/// Parsed head of a request.
pub struct SocketIoRequest {
    /// Method of the request.
    pub method: Method,
    /// Query of the request.
    pub query: EngineQuery,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Address of the client.
    pub peer: ConnectionPeer,
    /// Connection of the request.
    pub origin: Option<RequestOrigin>,
}

type EngineResponse = Response<Bytes>;

impl SocketIoHandler {
    /// Answers a request without upgrade.
    pub async fn answer<B: Buf>(
        &self,
        request: SocketIoRequest,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> EngineResponse {
        let posted = request.method == Method::POST;
        let answered = match (&request.method, &request.query.sid) {
            (&Method::OPTIONS, _) => Ok(response::preflight()),
            _ if request.query.transport.is_none() => Err(SocketIoError::Transport),
            (&Method::GET, None) => self.open(&request).await,
            (_, None) => Err(SocketIoError::Method),
            (&Method::GET | &Method::POST, Some(sid)) => self.poll(&request, sid, body).await,
            _ => Err(SocketIoError::Request),
        };
        let normalized =
            |answer: EngineResponse| match SocketIoError::of(answer.status(), answer.body()) {
                Some(fault) => fault.answer(),
                None => answer,
            };
        let answered = answered.map_or_else(SocketIoError::answer, normalized);
        response::wrap_jsonp(answered, &request.query, posted)
    }

    /// Opens a session that polls.
    async fn open(&self, request: &SocketIoRequest) -> Result<EngineResponse, SocketIoError> {
        let pre_auth_connection = request.origin.as_ref().and_then(|origin| origin.another().ok());
        let pre_auth_connection = pre_auth_connection.ok_or(SocketIoError::Full)?;
        let slot = self.unregistered.admit(None).map_err(|_| SocketIoError::Full)?;
        let (peer, generation) = (request.peer.clone(), request.query.generation);
        let io_client = SocketIoClient::new(peer, generation, pre_auth_connection, slot);
        let nothing = (None, Bytes::new());
        let mut answered =
            self.engine.answer(Method::GET, &request.query, nothing, Some(&io_client)).await;
        let sid = response::opened(answered.body()).ok_or(SocketIoError::Request)?;
        self.polling_clients.list(&io_client, &sid);
        self.watch(&io_client);
        response::cookie(&mut answered, &sid);
        Ok(answered)
    }

    /// Continues a session that polls.
    async fn poll<B: Buf>(
        &self,
        request: &SocketIoRequest,
        sid: &str,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Result<EngineResponse, SocketIoError> {
        let io_client = self.polling_clients.get(sid).ok_or(SocketIoError::Session)?;
        if io_client.is_joined()
            && let Some(origin) = &request.origin
        {
            origin.mark_joined();
        }
        let body = match request.method {
            Method::POST => read(request, &io_client, self.collect(&io_client, body).await?)?,
            _ => (None, Bytes::new()),
        };
        let answering = self.engine.answer(request.method.clone(), &request.query, body, None);
        // A poll of a cancelled session would never end otherwise.
        io_client.cut.run_until_cancelled(answering).await.ok_or(SocketIoError::Session)
    }

    async fn collect<B: Buf>(
        &self,
        io_client: &SocketIoClient,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Result<Bytes, SocketIoError> {
        let mut allowance = (!io_client.is_joined()).then(|| self.bodies.body());
        let extend = |length| {
            allowance
                .as_mut()
                .is_none_or(|allowance: &mut BodyAllowance| allowance.extend_to(length))
        };
        timeout(BODY_TIME, collected(body, extend)).await.unwrap_or(Err(SocketIoError::Request))
    }

    /// Upgrades a request to a WebSocket: for a new session, or for one that has polled so far.
    /// Otherwise answers with a [`SocketIoError`].
    pub fn upgrade<A>(
        &self,
        request: SocketIoRequest,
        accept: impl FnOnce(&TaskGroup, &[HeaderName], ServeUpgraded) -> http::Response<A>,
    ) -> Result<http::Response<A>, SocketIoError> {
        let former = match &request.query.sid {
            Some(sid) => Some(self.polling_clients.get(sid).ok_or(SocketIoError::Session)?),
            None => None,
        };
        let (requests, query) = (self.clone(), request.query);
        let serve: ServeUpgraded = Box::new(move |client| {
            Box::pin(async move {
                match former {
                    Some(io_client) => requests.take_over(client, &query, &io_client).await,
                    None => requests.begin(client, &query),
                }
            })
        });
        let accepted = accept(&self.tasks, &self.names, serve);
        let switched = accepted.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched { Ok(accepted) } else { Err(SocketIoError::Request) }
    }

    fn begin(&self, client: UpgradedClient, query: &EngineQuery) {
        let UpgradedClient { stream, leftover, peer, pre_auth_connection } = client;
        let Ok(slot) = self.unregistered.admit(None) else { return };
        let io_client = SocketIoClient::new(peer, query.generation, pre_auth_connection, slot);
        self.watch(&io_client);
        self.engine.serve(stream, leftover, query, &io_client);
    }

    /// Waits for the first frame before the library takes the connection: from then on the session
    /// depends on it, even if only polling works.
    async fn take_over(
        &self,
        client: UpgradedClient,
        query: &EngineQuery,
        io_client: &Arc<SocketIoClient>,
    ) {
        let UpgradedClient { mut stream, leftover, .. } = client;
        let mut first = BytesMut::from(&leftover[..]);
        if first.is_empty() {
            first.reserve(FIRST_READ);
            let received = io_client
                .cut
                .run_until_cancelled(timeout(FIRST_FRAME, stream.read_buf(&mut first)));
            if !matches!(received.await, Some(Ok(Ok(1..)))) {
                return tracing::debug!(
                    "Socket.IO client keeps polling: no frame arrived over its WebSocket"
                );
            }
        }
        self.engine.serve(stream, first.freeze(), query, io_client);
    }

    /// Ends the client's session if it is evicted before it registers.
    fn watch(&self, io_client: &Arc<SocketIoClient>) {
        let evicted = io_client.evicted();
        let (io_client, engine) = (Arc::downgrade(io_client), self.engine.clone());
        self.tasks.spawn(async move {
            if evicted.await
                && let Some(io_client) = io_client.upgrade()
            {
                tracing::debug!("unregistered Socket.IO client evicted");
                engine.end(&io_client).await;
            }
        });
    }
}

/// Serves a client whose connection has become a WebSocket.
pub type ServeUpgraded =
    Box<dyn FnOnce(UpgradedClient) -> futures_util::future::BoxFuture<'static, ()> + Send>;

/// Content type and body for the library.
type EngineBody = (Option<HeaderValue>, Bytes);

/// Normalizes the payload of older clients and forms.
fn read(
    request: &SocketIoRequest,
    io_client: &SocketIoClient,
    body: Bytes,
) -> Result<EngineBody, SocketIoError> {
    let kind = request.headers.get(CONTENT_TYPE).cloned();
    let form = request.query.callback.is_some();
    let binary = kind.as_ref().is_some_and(|kind| kind == "application/octet-stream");
    if !form && (binary || io_client.generation == EngineGeneration::Fourth) {
        return Ok((kind, body));
    }
    let text = jsonp::text(&body, form).ok_or(SocketIoError::Request)?;
    let decoded = match io_client.generation {
        EngineGeneration::Third => decoded_once(&text),
        EngineGeneration::Fourth => None,
    };
    Ok((None, Bytes::from(decoded.unwrap_or_else(|| text.into_owned()))))
}

/// Collects a body; `extend` grants memory for its length.
async fn collected<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
    mut extend: impl FnMut(usize) -> bool,
) -> Result<Bytes, SocketIoError> {
    let (mut body, mut whole) = (pin!(body), BytesMut::new());
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| SocketIoError::Request)?;
        let length = whole.len() + part.remaining();
        if length > MAX_PAYLOAD {
            return Err(SocketIoError::Request);
        }
        if !extend(length) {
            return Err(SocketIoError::Full);
        }
        whole.put(part);
    }
    Ok(whole.freeze())
}
