//! How many clients a host takes.

use crate::{push::recipient::Recipient, server::text};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, SEC_WEBSOCKET_KEY},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use warp::{Filter, filters::BoxedFilter, reply::Response};

/// The query of the daemon's probe of itself, which is not turned away at the door: to be full is no
/// reason to be taken for dead. Whoever else uses it finds no place once it has logged in.
pub const PROBE: &str = "probe";

/// After how many seconds a client for whom there is no room may try again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("30");

/// A host's room for clients that have logged in. Cheap to clone; all clones are one.
///
/// Strangers take none of it: they have a limit of their own, and could keep everybody else out. Who
/// is handed over to the hub at the moment is in neither count: those few may be too many.
#[derive(Clone)]
pub struct ConnectionLimit(Arc<ConnectionLimitState>);

struct ConnectionLimitState {
    /// `usize::MAX`: as many as there are descriptors for.
    most: AtomicUsize,
    entering: AtomicUsize,
    /// How many of those that are here take nobody's place.
    aside: AtomicUsize,
    here: Box<dyn Fn() -> usize + Send + Sync>,
    refused: Box<dyn Fn() + Send + Sync>,
    probe: Recipient,
}

/// A client's place on its way in; free again when dropped.
#[derive(Debug)]
pub struct ConnectionPermit(ConnectionLimit);

/// Room for one more, as long as it is held.
#[derive(Debug)]
pub struct ExemptPermit(ConnectionLimit);

impl ConnectionLimit {
    /// For `most` clients (`None`: any number), where `here` says how many have a session; `refused`
    /// is told of each that is sent away. Whoever listens as `probe` always finds a place.
    pub fn new(
        most: Option<usize>,
        probe: Recipient,
        here: impl Fn() -> usize + Send + Sync + 'static,
        refused: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ConnectionLimitState {
            most: AtomicUsize::new(most.unwrap_or(usize::MAX)),
            entering: AtomicUsize::new(0),
            aside: AtomicUsize::new(0),
            here: Box::new(here),
            refused: Box::new(refused),
            probe,
        }))
    }

    /// Takes so many from now on. Who is there stays.
    pub fn allow(&self, most: Option<usize>) {
        self.0.most.store(most.unwrap_or(usize::MAX), Relaxed);
    }

    /// A place for whoever has logged in as this recipient.
    pub fn enter(&self, recipient: &Recipient) -> Option<ConnectionPermit> {
        self.0.entering.fetch_add(1, Relaxed);
        let permit = ConnectionPermit(self.clone());
        if self.taken() <= self.0.most.load(Relaxed) || *recipient == self.0.probe {
            return Some(permit);
        }
        (self.0.refused)();
        None
    }

    /// The same routes; while there is no room a WebSocket client is told at once to come back later.
    pub fn before(&self, routes: BoxedFilter<(Response,)>) -> BoxedFilter<(Response,)> {
        let room = self.clone();
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let full = warp::header::headers_cloned().and(query).and_then(
            move |headers: HeaderMap, query: String| {
                let rejected = headers.contains_key(SEC_WEBSOCKET_KEY)
                    && query != PROBE
                    && room.taken() >= room.0.most.load(Relaxed);
                std::future::ready(if rejected {
                    (room.0.refused)();
                    Ok(retry_later())
                } else {
                    Err(warp::reject::not_found())
                })
            },
        );
        full.or(routes).unify().boxed()
    }

    /// Room for the probe besides: it takes no client's place. (It may leave a moment after this is
    /// dropped, and a client be sent back that would find a place now.)
    pub fn aside(&self) -> ExemptPermit {
        self.0.aside.fetch_add(1, Relaxed);
        ExemptPermit(self.clone())
    }

    fn taken(&self) -> usize {
        let all = self.0.entering.load(Relaxed).saturating_add((self.0.here)());
        all.saturating_sub(self.0.aside.load(Relaxed))
    }
}

fn retry_later() -> Response {
    let words = "No room for more clients, come back later\n";
    let mut reply = text(StatusCode::SERVICE_UNAVAILABLE, words);
    reply.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    reply
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.0.entering.fetch_sub(1, Relaxed);
    }
}

impl Drop for ExemptPermit {
    fn drop(&mut self) {
        self.0.0.aside.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for ConnectionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Room").field(&self.taken()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, AtomicUsize, ConnectionLimit, Filter, Recipient, Relaxed, Response};
    use bytes::Bytes;
    use http::Request;
    use http_body_util::Empty;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    struct ConnectionLimitFixture {
        room: ConnectionLimit,
        here: Arc<AtomicUsize>,
        refused: Arc<AtomicUsize>,
    }

    fn scene(most: usize) -> ConnectionLimitFixture {
        let (here, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (inside, outside) = (Arc::clone(&here), Arc::clone(&refused));
        let count = move || {
            outside.fetch_add(1, Relaxed);
        };
        let probe = Recipient::from("probe");
        let room = ConnectionLimit::new(Some(most), probe, move || inside.load(Relaxed), count);
        ConnectionLimitFixture { room, here, refused }
    }

    #[test]
    fn who_is_here_and_who_is_coming_in_fill_it_together() {
        let ConnectionLimitFixture { room, here, refused } = scene(2);
        let alice = Recipient::from("alice");
        here.store(1, Relaxed);
        let permit = room.enter(&alice).unwrap();
        assert!(room.enter(&alice).is_none() && room.enter(&alice).is_none());
        assert_eq!(refused.load(Relaxed), 2);
        drop(permit);
        assert!(room.enter(&alice).is_some());
        here.store(2, Relaxed);
        assert!(room.enter(&alice).is_none());
    }

    #[test]
    fn another_limit_counts_for_those_who_come_later() {
        let ConnectionLimitFixture { room, here, .. } = scene(1);
        let alice = Recipient::from("alice");
        here.store(5, Relaxed);
        assert!(room.enter(&alice).is_none());
        room.allow(Some(6));
        let _seat = room.enter(&alice).unwrap();
        assert!(room.enter(&alice).is_none());
        room.allow(None);
        assert!(room.enter(&alice).is_some());
    }

    #[tokio::test]
    async fn a_full_host_tells_clients_when_to_come_back_and_answers_everybody_else() {
        let ConnectionLimitFixture { room, here, refused } = scene(1);
        let routes = room.before(warp::any().map(Response::default).boxed());
        let service = TowerToHyperService::new(warp::service(routes));
        let answer = async |key: &'static str, uri: &'static str| {
            let request = Request::builder().uri(uri).header(key, "x");
            let reply = service.call(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
            let later = reply.headers().get("retry-after").map(|later| later.to_str().unwrap());
            (reply.status().as_u16(), later.map(str::to_owned))
        };
        let (client, taken) = ("sec-websocket-key", (200, None));
        assert_eq!(answer(client, "/ws").await, taken);
        here.store(1, Relaxed);
        assert_eq!(answer(client, "/ws").await, (503, Some("30".to_owned())));
        assert_eq!(answer(client, "/ws?x").await, (503, Some("30".to_owned())));
        assert_eq!(answer(client, "/ws?probe").await, taken);
        assert_eq!(answer("accept", "/ws").await, taken);
        assert_eq!(refused.load(Relaxed), 2);
    }

    #[test]
    fn the_probe_gets_in_where_nobody_else_does_and_takes_no_place() {
        let ConnectionLimitFixture { room, here, refused } = scene(1);
        here.store(1, Relaxed);
        assert!(room.enter(&Recipient::from("probe")).is_some());
        assert_eq!(refused.load(Relaxed), 0);
        here.store(0, Relaxed);
        let aside = room.aside();
        let _probe = room.enter(&Recipient::from("probe")).unwrap();
        let alice = Recipient::from("alice");
        assert!(room.enter(&alice).is_some());
        drop(aside);
        assert!(room.enter(&alice).is_none());
    }
}
