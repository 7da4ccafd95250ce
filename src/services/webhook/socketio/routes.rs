//! What is asked at `/socket.io/`: handshakes, polls, upgrades.

use super::{
    answer::{self, Fault},
    encoding::decoded_once,
    engine::{Engine, MAX_PAYLOAD},
    guest::{Guest, Guests},
    jsonp,
    query::{Generation, Query},
};
use crate::{
    lifecycle::Tasks,
    server::{Client, Origin, peer::Peer},
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
pub struct Requests {
    /// The library.
    pub engine: Engine,
    /// Who has begun by polling.
    pub guests: Guests,
    /// Where connections are served.
    pub tasks: Tasks,
    /// Which headers say who a client is.
    pub names: Arc<[HeaderName]>,
}

/// What one request says.
pub struct Asked {
    /// How.
    pub method: Method,
    /// For what.
    pub query: Query,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who asks.
    pub peer: Peer,
    /// Over which connection.
    pub origin: Option<Origin>,
}

type Answer = Response<Bytes>;

impl Requests {
    /// Answers a request that is no upgrade.
    pub async fn answer<B: Buf>(
        &self,
        asked: Asked,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Answer {
        let posted = asked.method == Method::POST;
        let answered = match (&asked.method, &asked.query.sid) {
            (&Method::OPTIONS, _) => Ok(answer::preflight()),
            _ if asked.query.transport.is_none() => Err(Fault::Transport),
            (&Method::GET, None) => self.open(&asked).await,
            (_, None) => Err(Fault::Method),
            (&Method::GET | &Method::POST, Some(sid)) => self.poll(&asked, sid, body).await,
            _ => Err(Fault::Request),
        };
        let worded = |answer: Answer| match Fault::of(answer.status(), answer.body()) {
            Some(fault) => fault.answer(),
            None => answer,
        };
        let answered = answered.map_or_else(Fault::answer, worded);
        answer::wrap(answered, &asked.query, posted)
    }

    /// Begins a session by polling.
    async fn open(&self, asked: &Asked) -> Result<Answer, Fault> {
        let stranger = asked.origin.as_ref().and_then(|origin| origin.another().ok());
        let stranger = stranger.ok_or(Fault::Full)?;
        let guest = Guest::new(asked.peer.clone(), asked.query.generation, stranger);
        let nothing = (None, Bytes::new());
        let mut answered =
            self.engine.answer(Method::GET, &asked.query, nothing, Some(&guest)).await;
        let sid = answer::opened(answered.body()).ok_or(Fault::Request)?;
        self.guests.list(&guest, &sid);
        self.watch(&guest);
        answer::cookie(&mut answered, &sid);
        Ok(answered)
    }

    /// Goes on with a session.
    async fn poll<B: Buf>(
        &self,
        asked: &Asked,
        sid: &str,
        body: impl Stream<Item = Result<B, warp::Error>> + Send,
    ) -> Result<Answer, Fault> {
        let guest = self.guests.get(sid).ok_or(Fault::Session)?;
        if guest.has_joined()
            && let Some(origin) = &asked.origin
        {
            origin.joins();
        }
        let body = match asked.method {
            Method::POST => read(asked, &guest, collected(body).await?)?,
            _ => (None, Bytes::new()),
        };
        let answering = self.engine.answer(asked.method.clone(), &asked.query, body, None);
        // Nothing else ends a poll of a session that is cut off.
        guest.cut.run_until_cancelled(answering).await.ok_or(Fault::Session)
    }

    /// Makes a WebSocket of a request: a session of its own, or what a session that polls goes on with.
    /// What can't become one is answered by [`Fault`].
    pub fn upgrade<A>(
        &self,
        asked: Asked,
        accept: impl FnOnce(&Tasks, &[HeaderName], Serve) -> http::Response<A>,
    ) -> Result<http::Response<A>, Fault> {
        let former = match &asked.query.sid {
            Some(sid) => Some(self.guests.get(sid).ok_or(Fault::Session)?),
            None => None,
        };
        let (requests, query) = (self.clone(), asked.query);
        let serve: Serve = Box::new(move |client| {
            Box::pin(async move {
                match former {
                    Some(guest) => requests.take_over(client, &query, &guest).await,
                    None => requests.begin(client, &query),
                }
            })
        });
        let accepted = accept(&self.tasks, &self.names, serve);
        let switched = accepted.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched { Ok(accepted) } else { Err(Fault::Request) }
    }

    fn begin(&self, client: Client, query: &Query) {
        let Client { stream, leftover, peer, stranger } = client;
        let guest = Guest::new(peer, query.generation, stranger);
        self.watch(&guest);
        self.engine.serve(stream, leftover, query, &guest);
    }

    /// Only once the client has been heard over the new connection: as soon as the library has it, the
    /// session ends unless the connection works, although polling might go on for ever.
    async fn take_over(&self, client: Client, query: &Query, guest: &Arc<Guest>) {
        let Client { mut stream, leftover, .. } = client;
        let mut first = BytesMut::from(&leftover[..]);
        if first.is_empty() {
            first.reserve(FIRST_READ);
            let heard =
                guest.cut.run_until_cancelled(timeout(FIRST_FRAME, stream.read_buf(&mut first)));
            if !matches!(heard.await, Some(Ok(Ok(1..)))) {
                return tracing::debug!(
                    "a Socket.IO client goes on polling: its WebSocket is mute"
                );
            }
        }
        self.engine.serve(stream, first.freeze(), query, guest);
    }

    /// Sends a client away that must make room before it has registered.
    fn watch(&self, guest: &Arc<Guest>) {
        let Some((eviction, settled)) = guest.evictions() else { return };
        let (guest, engine) = (Arc::downgrade(guest), self.engine.clone());
        self.tasks.spawn(async move {
            let evicted = settled.run_until_cancelled(eviction.cancelled()).await.is_some();
            if evicted && let Some(guest) = guest.upgrade() {
                tracing::debug!("a Socket.IO client that hasn't registered made room for another");
                engine.end(&guest).await;
            }
        });
    }
}

/// What is done with a client once its connection is a WebSocket.
pub type Serve = Box<dyn FnOnce(Client) -> futures_util::future::BoxFuture<'static, ()> + Send>;

/// A body as the library reads it.
type Body = (Option<HeaderValue>, Bytes);

/// Undoes what old clients and forms do to a payload.
fn read(asked: &Asked, guest: &Guest, body: Bytes) -> Result<Body, Fault> {
    let kind = asked.headers.get(CONTENT_TYPE).cloned();
    let form = asked.query.callback.is_some();
    let binary = kind.as_ref().is_some_and(|kind| kind == "application/octet-stream");
    if !form && (binary || guest.generation == Generation::Fourth) {
        return Ok((kind, body));
    }
    let text = jsonp::text(&body, form).ok_or(Fault::Request)?;
    let decoded = match guest.generation {
        Generation::Third => decoded_once(&text),
        Generation::Fourth => None,
    };
    Ok((None, Bytes::from(decoded.unwrap_or_else(|| text.into_owned()))))
}

async fn collected<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Bytes, Fault> {
    let collecting = async {
        let (mut body, mut whole) = (pin!(body), BytesMut::new());
        while let Some(part) = body.next().await {
            let part = part.map_err(|_| Fault::Request)?;
            if whole.len() + part.remaining() > MAX_PAYLOAD {
                return Err(Fault::Request);
            }
            whole.put(part);
        }
        Ok(whole.freeze())
    };
    timeout(BODY_TIME, collecting).await.unwrap_or(Err(Fault::Request))
}
