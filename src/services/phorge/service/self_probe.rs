//! The daemon's self-probe over a browser's path: it subscribes and then receives a published message.

use crate::{
    client::websocket::{UpgradeRequest, WebSocketClient},
    config::ServiceRoute,
    push::ConnectionLimit,
    server::PROBE,
    services::{
        ByteStream, SelfProbe, SelfProbeError,
        phorge::{instance::PhorgeInstance, publish_queue::PublishQueue},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;

/// A ping, as a browser sends it.
const PING: &str = r#"{"command":"ping","data":null}"#;

/// Probes the service as a browser would.
pub(super) struct PhorgeSelfProbe {
    publish_queue: PublishQueue,
    room: ConnectionLimit,
    /// The probe's instance. A secret: its clients are admitted beyond MAX_CONNECTIONS.
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
        let mut rng = self.rng.lock().fork();
        let id = format!("{:032x}", rng.u128(..));
        let host = place.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/~{}/?{PROBE}", place.path, self.instance.name());
        let request = UpgradeRequest { host, path };
        let _exempt = self.room.exempt();
        let mut visitor = WebSocketClient::upgrade(stream, &request, rng).await?;
        visitor.send_text(&format!(r#"{{"command":"subscribe","data":["{id}"]}}"#)).await?;
        // Commands are handled in order: after the pong the subscription is in force.
        visitor.send_text(PING).await?;
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
