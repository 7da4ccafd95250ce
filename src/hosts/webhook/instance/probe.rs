//! The daemon's probe of itself, the way of a client and its back end: a registration, a WebSocket, a
//! message for it.

use crate::{
    config::Place,
    front::{Request, Room, VisitError, Visitor},
    hosts::{
        Probe, ProbeError, Stream,
        webhook::{
            book::Book,
            claim::{Claim, Target},
            value::Value,
        },
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Arc, Mutex, PoisonError};

/// What the probe's name begins with: no back end has a user whose name begins with a control
/// character.
const NAME: &str = "\u{1}probe";

/// Knows the way.
pub(super) struct WayBack {
    book: Arc<dyn Book>,
    room: Room,
    claim: Claim,
    rng: Mutex<fastrand::Rng>,
}

/// A pair for the probe of one daemon, which nobody can guess: its client always finds a place.
pub(super) fn claim(rng: &mut fastrand::Rng) -> Claim {
    let random = |rng: &mut fastrand::Rng| format!("{:032x}", rng.u128(..));
    Claim { user: format!("{NAME} {}", random(rng)), connection: random(rng) }
}

impl WayBack {
    pub(super) fn new(book: Arc<dyn Book>, room: Room, claim: Claim, rng: fastrand::Rng) -> Self {
        Self { book, room, claim, rng: Mutex::new(rng) }
    }

    async fn visit(&self, stream: Box<dyn Stream>, place: &Place) -> Result<(), ProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let message = format!("probe {:016x}", rng.u64(..));
        self.book.register(&self.claim).await?;
        let _aside = self.room.aside();
        let host = place.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/ws?probe", place.path);
        let mut visitor = Visitor::upgrade(stream, &Request { host, path }, rng).await?;
        let Claim { user, connection } = &self.claim;
        let pair = serde_json::json!({ "userId": user, "connectionId": connection });
        visitor.say(&serde_json::json!({ "register": pair }).to_string()).await?;
        match visitor.next().await?.as_str() {
            r#"{"registered":true}"# => {}
            other => return Err(VisitError::Refused(other.to_owned()).into()),
        }
        let to = Target::Connection(self.claim.clone());
        let id = self.book.post(&to, &Value::text(&message)).await?;
        let expected = format!(r#"{{"id":"{id}","message":"{message}"}}"#);
        while visitor.next().await? != expected {}
        Ok(())
    }
}

impl Probe for WayBack {
    fn go<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<(), ProbeError>> {
        self.visit(stream, place).boxed()
    }
}
