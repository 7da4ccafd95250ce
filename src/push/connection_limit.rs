//! The limit on the clients of one service (`MAX_CONNECTIONS`).
//!
//! A client is counted from the moment its login is accepted until its session ends: the permit that
//! it receives at the login travels with it into the hub, which keeps the count from then on. So the
//! limit holds however many clients connect at once.

use crate::{
    push::recipient::Recipient,
    server::{self, HttpRoutes},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// How many clients a hub has, with those that hold a permit and haven't joined yet. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCount(Arc<ConnectionCountState>);

#[derive(Debug)]
struct ConnectionCountState {
    clients: AtomicUsize,
    /// The service's share of the process's file descriptors, in clients.
    share: AtomicUsize,
}

impl Default for ConnectionCountState {
    fn default() -> Self {
        Self { clients: AtomicUsize::new(0), share: AtomicUsize::new(usize::MAX) }
    }
}

impl ConnectionCount {
    /// The number of clients.
    pub fn get(&self) -> usize {
        self.0.clients.load(Relaxed)
    }

    /// Sets the limit that holds while the service has none of its own.
    pub fn set_share(&self, share: usize) {
        self.0.share.store(share, Relaxed);
    }

    fn share(&self) -> usize {
        self.0.share.load(Relaxed)
    }

    /// Counts a client that joins without a permit.
    pub(super) fn add(&self) {
        self.0.clients.fetch_add(1, Relaxed);
    }

    /// A session has ended.
    pub(super) fn subtract(&self) {
        self.0.clients.fetch_sub(1, Relaxed);
    }

    /// Counts one more if there are fewer than `maximum`.
    fn add_below(&self, maximum: usize) -> bool {
        let next = |count| (count < maximum).then_some(count + 1);
        self.0.clients.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

/// Limits how many clients of a service may be logged in. Cheap to clone; all clones share one count.
///
/// Unauthenticated connections have a limit of their own: they can't keep logged-in clients out.
#[derive(Clone)]
pub struct ConnectionLimit(Arc<ConnectionLimitState>);

struct ConnectionLimitState {
    /// `usize::MAX`: the service's share of the file descriptors.
    maximum: AtomicUsize,
    count: ConnectionCount,
    /// How many of the counted clients don't use up the limit.
    exempt: AtomicUsize,
    on_refused: Box<dyn Fn() + Send + Sync>,
    probe: Recipient,
}

/// Counts one client until it is dropped, or until the hub counts that client as its own.
#[derive(Debug)]
pub struct ConnectionPermit(Option<ConnectionCount>);

/// Raises the limit by one while it is held.
#[derive(Debug)]
pub struct ExemptPermit(ConnectionLimit);

impl ConnectionLimit {
    /// Admits `maximum` clients (`None`: any number) to the hub that keeps `count`. `on_refused` is
    /// called for each client that is refused. Clients that log in as `probe` are always admitted.
    pub fn new(
        maximum: Option<usize>,
        probe: Recipient,
        count: ConnectionCount,
        on_refused: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ConnectionLimitState {
            maximum: AtomicUsize::new(maximum.unwrap_or(usize::MAX)),
            count,
            exempt: AtomicUsize::new(0),
            on_refused: Box::new(on_refused),
            probe,
        }))
    }

    /// Changes the limit; connected clients stay.
    pub fn set_maximum(&self, maximum: Option<usize>) {
        self.0.maximum.store(maximum.unwrap_or(usize::MAX), Relaxed);
    }

    /// A permit for a client that has logged in as this recipient; `None` while the limit is reached.
    pub fn acquire(&self, recipient: &Recipient) -> Option<ConnectionPermit> {
        if *recipient == self.0.probe {
            self.0.count.add();
        } else if !self.0.count.add_below(self.maximum()) {
            (self.0.on_refused)();
            return None;
        }
        Some(ConnectionPermit(Some(self.0.count.clone())))
    }

    /// The same routes, except that a WebSocket request receives 503 while the limit is reached.
    pub fn reject_when_full(&self, routes: HttpRoutes) -> HttpRoutes {
        let limit = self.clone();
        server::reject_websockets_while(move || limit.refuses(), routes)
    }

    /// Whether the limit is reached; then one more client is refused.
    fn refuses(&self) -> bool {
        let full = self.0.count.get() >= self.maximum();
        if full {
            (self.0.on_refused)();
        }
        full
    }

    /// Lets the daemon's probe connect without using up a client's place. (If the probe's session ends
    /// after this is dropped, a client may be refused in between.)
    pub fn exempt(&self) -> ExemptPermit {
        self.0.exempt.fetch_add(1, Relaxed);
        ExemptPermit(self.clone())
    }

    fn maximum(&self) -> usize {
        let maximum = match self.0.maximum.load(Relaxed) {
            usize::MAX => self.0.count.share(),
            maximum => maximum,
        };
        maximum.saturating_add(self.0.exempt.load(Relaxed))
    }
}

impl ConnectionPermit {
    /// The hub counts the client from now on.
    pub(super) fn transfer(mut self) {
        self.0 = None;
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            count.subtract();
        }
    }
}

impl Drop for ExemptPermit {
    fn drop(&mut self) {
        self.0.0.exempt.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for ConnectionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionLimit").field(&self.0.count.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, AtomicUsize, ConnectionCount, ConnectionLimit, Recipient, Relaxed};
    use bytes::Bytes;
    use http::Request;
    use http_body_util::Empty;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use warp::{Filter, reply::Response};

    struct ConnectionLimitFixture {
        limit: ConnectionLimit,
        count: ConnectionCount,
        refused: Arc<AtomicUsize>,
    }

    fn fixture(maximum: usize) -> ConnectionLimitFixture {
        let (count, refused) = (ConnectionCount::default(), Arc::<AtomicUsize>::default());
        let counter = Arc::clone(&refused);
        let on_refused = move || {
            counter.fetch_add(1, Relaxed);
        };
        let limit = ConnectionLimit::new(Some(maximum), "probe".into(), count.clone(), on_refused);
        ConnectionLimitFixture { limit, count, refused }
    }

    #[test]
    fn without_a_limit_the_share_of_the_descriptors_counts() {
        let count = ConnectionCount::default();
        let limit = ConnectionLimit::new(None, "probe".into(), count.clone(), || ());
        count.set_share(1);
        let first = limit.acquire(&"a".into());
        assert!(first.is_some() && limit.acquire(&"b".into()).is_none());
        limit.set_maximum(Some(2));
        assert!(limit.acquire(&"b".into()).is_some());
    }

    #[test]
    fn permits_and_sessions_fill_the_limit_together() {
        let ConnectionLimitFixture { limit, count, refused } = fixture(2);
        let alice = Recipient::from("alice");
        count.add();
        let permit = limit.acquire(&alice).unwrap();
        assert!(limit.acquire(&alice).is_none() && limit.acquire(&alice).is_none());
        assert_eq!(refused.load(Relaxed), 2);
        drop(permit);
        limit.acquire(&alice).unwrap().transfer();
        assert!(limit.acquire(&alice).is_none());
        count.subtract();
        assert!(limit.acquire(&alice).is_some());
    }

    #[test]
    fn a_changed_limit_applies_to_later_clients() {
        let ConnectionLimitFixture { limit, count, .. } = fixture(1);
        let alice = Recipient::from("alice");
        (0..5).for_each(|_| count.add());
        assert!(limit.acquire(&alice).is_none());
        limit.set_maximum(Some(6));
        let _permit = limit.acquire(&alice).unwrap();
        assert!(limit.acquire(&alice).is_none());
        limit.set_maximum(None);
        assert!(limit.acquire(&alice).is_some());
    }

    #[tokio::test]
    async fn a_full_service_answers_websocket_requests_with_retry_after_and_others_as_usual() {
        let ConnectionLimitFixture { limit, count, refused } = fixture(1);
        let routes = limit.reject_when_full(warp::any().map(Response::default).boxed());
        let service = TowerToHyperService::new(warp::service(routes));
        let answer = async |key: &'static str, uri: &'static str| {
            let request = Request::builder().uri(uri).header(key, "x");
            let reply = service.call(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
            let later = reply.headers().get("retry-after").map(|later| later.to_str().unwrap());
            (reply.status().as_u16(), later.map(str::to_owned))
        };
        let (websocket, accepted) = ("sec-websocket-key", (200, None));
        assert_eq!(answer(websocket, "/ws").await, accepted);
        count.add();
        assert_eq!(answer(websocket, "/ws").await, (503, Some("30".to_owned())));
        assert_eq!(answer(websocket, "/ws?x").await, (503, Some("30".to_owned())));
        assert_eq!(answer(websocket, "/ws?probe").await, accepted);
        assert_eq!(answer("accept", "/ws").await, accepted);
        assert_eq!(refused.load(Relaxed), 2);
    }

    #[test]
    fn the_probe_is_admitted_to_a_full_service_and_uses_up_no_place() {
        let ConnectionLimitFixture { limit, count, refused } = fixture(1);
        count.add();
        assert!(limit.acquire(&Recipient::from("probe")).is_some());
        assert_eq!(refused.load(Relaxed), 0);
        count.subtract();
        let exempt = limit.exempt();
        let _probe = limit.acquire(&Recipient::from("probe")).unwrap();
        let alice = Recipient::from("alice");
        assert!(limit.acquire(&alice).is_some());
        drop(exempt);
        assert!(limit.acquire(&alice).is_none());
    }
}
