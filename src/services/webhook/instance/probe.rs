//! The self probe: connects as a WebSocket client and sends itself a message. It doesn't need
//! Redis, since a daemon that waits for Redis is alive.

use crate::{
    client::websocket::{UpgradeRequest, WebSocketClient, WebSocketClientError},
    config::ServiceRoute,
    push::{ConnectionLimit, hub::Hub, notice::Notice},
    services::{
        ByteStream, SelfProbe, SelfProbeError,
        webhook::{
            message_id::MessageId, message_value::MessageValue, registration_key::RegistrationKey,
        },
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Prefix of the probe's user. No back end has a user that begins with a control character.
const NAME: &str = "\u{1}probe";

/// Probes the service as a client.
pub(super) struct WebhookSelfProbe {
    hub: Hub,
    connection_limit: ConnectionLimit,
    claim: RegistrationKey,
    rng: Mutex<fastrand::Rng>,
}

/// A random pair for the probe of this daemon; its client is exempt from the connection limit.
pub(super) fn claim(rng: &mut fastrand::Rng) -> RegistrationKey {
    let random = |rng: &mut fastrand::Rng| format!("{:032x}", rng.u128(..));
    RegistrationKey { user: format!("{NAME} {}", random(rng)), connection: random(rng) }
}

impl WebhookSelfProbe {
    pub(super) fn new(
        hub: Hub,
        connection_limit: ConnectionLimit,
        claim: RegistrationKey,
        rng: fastrand::Rng,
    ) -> Self {
        Self { hub, connection_limit, claim, rng: Mutex::new(rng) }
    }

    async fn probe(
        &self,
        stream: Box<dyn ByteStream>,
        route: &ServiceRoute,
    ) -> Result<(), SelfProbeError> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let message = format!("probe {:016x}", rng.u64(..));
        let _exempt = self.connection_limit.exempt();
        let host = route.server_names.first().map_or("localhost", String::as_str).to_owned();
        let path = format!("{}/ws?probe", route.path);
        let mut client =
            WebSocketClient::upgrade(stream, &UpgradeRequest { host, path }, rng).await?;
        let RegistrationKey { user, connection } = &self.claim;
        let pair = serde_json::json!({ "userId": user, "connectionId": connection });
        client.send_text(&serde_json::json!({ "register": pair }).to_string()).await?;
        match client.next().await?.as_str() {
            r#"{"registered":true}"# => {}
            other => return Err(WebSocketClientError::Refused(other.to_owned()).into()),
        }
        let notice = Notice::Opaque(MessageValue::text(&message).frame(MessageId::default()));
        self.hub.notify(self.claim.primary(), notice, Instant::now()).await?;
        let expected = format!(r#"{{"id":"{}","message":"{message}"}}"#, MessageId::default());
        while client.next().await? != expected {}
        Ok(())
    }
}

impl SelfProbe for WebhookSelfProbe {
    fn go<'a>(
        &'a self,
        stream: Box<dyn ByteStream>,
        route: &'a ServiceRoute,
    ) -> BoxFuture<'a, Result<(), SelfProbeError>> {
        self.probe(stream, route).boxed()
    }
}
