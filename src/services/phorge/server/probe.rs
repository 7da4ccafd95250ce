//! The daemon's probe of itself, the way of a browser: subscribe, then hear what is published.

use crate::{
    client::websocket::{Request, Visitor},
    config::Place,
    push::{PROBE, Room},
    services::{
        Probe, ProbeError, Stream,
        phorge::{desk::Desk, instance::Instance},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Mutex, PoisonError};

/// Answers a ping.
const PING: &str = r#"{"command":"ping","data":null}"#;

/// Knows the way.
pub(super) struct WayBack {
    desk: Desk,
    room: Room,
    /// What it belongs to: a secret, as whoever belongs to it gets in where there is no room.
    instance: Instance,
    rng: Mutex<fastrand::Rng>,
}

impl WayBack {
    pub(super) fn new(desk: Desk, room: Room, instance: Instance, rng: fastrand::Rng) -> Self {
        Self { desk, room, instance, rng: Mutex::new(rng) }
    }

    async fn visit(&self, stream: Box<dyn Stream>, place: &Place) -> Result<(), ProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let id = format!("{:032x}", rng.u128(..));
        let host = place.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/~{}/?{PROBE}", place.path, self.instance.name());
        let request = Request { host, path };
        let _aside = self.room.aside();
        let mut visitor = Visitor::upgrade(stream, &request, rng).await?;
        visitor.say(&format!(r#"{{"command":"subscribe","data":["{id}"]}}"#)).await?;
        // Who has been answered has been subscribed before.
        visitor.say(PING).await?;
        visitor.next().await?;
        let to = self.instance.recipient(&id).ok_or("the probe's instance has no recipients")?;
        self.desk.probe(to, &id).await?;
        while visitor.next().await? != id {}
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
