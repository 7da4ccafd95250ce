//! What is request at `/socket.io/`: handshakes, polls, upgrades.

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
    server::{RequestOrigin, UpgradedClient, peer::ConnectionPeer},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, time::timeout};

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(20);
/// How long a connection that is to take over from polling may stay silent: a proxy may let the upgrade
/// through but no frames.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Read at once of these.
const FIRST_READ: usize = 1024;

/// What requests are answered from. Cheap to clone.
#[derive(Clone)]
pub struct SocketIoHandler {
    /// The library.
    pub engine: SocketIoEngine,
    /// Who has begun by polling.
    pub polling_clients: PollingClients,
    /// Where connections are served.
    pub tasks: TaskGroup,
    /// Which headers say who a client is.
    pub names: Arc<[HeaderName]>,
}

/// What one request says.
pub struct SocketIoRequest {
    /// How.
    pub method: Method,
    /// For what.
    pub query: EngineQuery,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who asks.
    pub peer: ConnectionPeer,
    /// Over which connection.
    pub origin: Option<RequestOrigin>,
}

type EngineResponse = Response<Bytes>;

impl SocketIoHandler {
    /// Answers a request that is no upgrade.
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
        let worded =
            |answer: EngineResponse| match SocketIoError::of(answer.status(), answer.body()) {
                Some(fault) => fault.answer(),
                None => answer,
            };
        let answered = answered.map_or_else(SocketIoError::answer, worded);
        response::wrap_jsonp(answered, &request.query, posted)
    }

    /// Begins a session by polling.
    async fn open(&self, request: &SocketIoRequest) -> Result<EngineResponse, SocketIoError> {
        let pre_auth_connection = request.origin.as_ref().and_then(|origin| origin.another().ok());
        let pre_auth_connection = pre_auth_connection.ok_or(SocketIoError::Full)?;
        let io_client = SocketIoClient::new(
            request.peer.clone(),
            request.query.generation,
            pre_auth_connection,
        );
        let nothing = (None, Bytes::new());
        let mut answered =
            self.engine.answer(Method::GET, &request.query, nothing, Some(&io_client)).await;
        let sid = response::opened(answered.body()).ok_or(SocketIoError::Request)?;
        self.polling_clients.list(&io_client, &sid);
        self.watch(&io_client);
        response::cookie(&mut answered, &sid);
        Ok(answered)
    }

    /// Goes on with a session.
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
            Method::POST => read(request, &io_client, collected(body).await?)?,
            _ => (None, Bytes::new()),
        };
        let answering = self.engine.answer(request.method.clone(), &request.query, body, None);
        // Nothing else ends a poll of a session that is cut off.
        io_client.cut.run_until_cancelled(answering).await.ok_or(SocketIoError::Session)
    }

    /// Makes a WebSocket of a request: a session of its own, or what a session that polls goes on with.
    /// What can't become one is answered by [`SocketIoError`].
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
        let io_client = SocketIoClient::new(peer, query.generation, pre_auth_connection);
        self.watch(&io_client);
        self.engine.serve(stream, leftover, query, &io_client);
    }

    /// Only once the client has been heard over the new connection: as soon as the library has it, the
    /// session ends unless the connection works, although polling might go on for ever.
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
            let heard = io_client
                .cut
                .run_until_cancelled(timeout(FIRST_FRAME, stream.read_buf(&mut first)));
            if !matches!(heard.await, Some(Ok(Ok(1..)))) {
                return tracing::debug!(
                    "a Socket.IO client goes on polling: its WebSocket is mute"
                );
            }
        }
        self.engine.serve(stream, first.freeze(), query, io_client);
    }

    /// Sends a client away that must make room before it has registered.
    fn watch(&self, io_client: &Arc<SocketIoClient>) {
        let Some((eviction, settled)) = io_client.evictions() else { return };
        let (io_client, engine) = (Arc::downgrade(io_client), self.engine.clone());
        self.tasks.spawn(async move {
            let evicted = settled.run_until_cancelled(eviction.cancelled()).await.is_some();
            if evicted && let Some(io_client) = io_client.upgrade() {
                tracing::debug!("a Socket.IO client that hasn't registered made room for another");
                engine.end(&io_client).await;
            }
        });
    }
}

/// What is done with a client once its connection is a WebSocket.
pub type ServeUpgraded =
    Box<dyn FnOnce(UpgradedClient) -> futures_util::future::BoxFuture<'static, ()> + Send>;

/// A body as the library reads it.
type EngineBody = (Option<HeaderValue>, Bytes);

/// Undoes what old clients and forms do to a payload.
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

async fn collected<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Bytes, SocketIoError> {
    let collecting = async {
        let (mut body, mut whole) = (pin!(body), BytesMut::new());
        while let Some(part) = body.next().await {
            let part = part.map_err(|_| SocketIoError::Request)?;
            if whole.len() + part.remaining() > MAX_PAYLOAD {
                return Err(SocketIoError::Request);
            }
            whole.put(part);
        }
        Ok(whole.freeze())
    };
    timeout(BODY_TIME, collecting).await.unwrap_or(Err(SocketIoError::Request))
}
