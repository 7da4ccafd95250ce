//! The daemon's probe of itself, the way of a browser: subscribe, then hear what is published.

use crate::{
    client::websocket::{UpgradeRequest, WebSocketClient},
    config::ServiceRoute,
    push::{ConnectionLimit, PROBE},
    services::{
        ByteStream, SelfProbe, SelfProbeError,
        phorge::{instance::PhorgeInstance, publish_queue::PublishQueue},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Mutex, PoisonError};

/// Answers a ping.
const PING: &str = r#"{"command":"ping","data":null}"#;

/// Knows the way.
pub(super) struct PhorgeSelfProbe {
    publish_queue: PublishQueue,
    room: ConnectionLimit,
    /// What it belongs to: a secret, as whoever belongs to it gets in where there is no room.
    instance: PhorgeInstance,
    rng: Mutex<fastrand::Rng>,
}

impl PhorgeSelfProbe {
    pub(super) fn new(
        publish_queue: PublishQueue,
        room: ConnectionLimit,
        instance: PhorgeInstance,
        rng: fastrand::Rng,
    ) -> Self {
        Self { publish_queue, room, instance, rng: Mutex::new(rng) }
    }

    async fn run_probe(
        &self,
        stream: Box<dyn ByteStream>,
        place: &ServiceRoute,
    ) -> Result<(), SelfProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let id = format!("{:032x}", rng.u128(..));
        let host = place.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/~{}/?{PROBE}", place.path, self.instance.name());
        let request = UpgradeRequest { host, path };
        let _exempt = self.room.exempt();
        let mut visitor = WebSocketClient::upgrade(stream, &request, rng).await?;
        visitor.say(&format!(r#"{{"command":"subscribe","data":["{id}"]}}"#)).await?;
        // Who has been answered has been subscribed before.
        visitor.say(PING).await?;
        visitor.next().await?;
        let to = self.instance.recipient(&id).ok_or("the probe's instance has no recipients")?;
        self.publish_queue.probe(to, &id).await?;
        while visitor.next().await? != id {}
        Ok(())
    }
}

impl SelfProbe for PhorgeSelfProbe {
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        place: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>> {
        self.run_probe(stream, place).boxed()
    }
}
