//! From a session of the hub to a client's socket.

use super::{encoding::ascii, engine::SocketIoEngine, io_client::SocketIoClient};
use crate::{
    push::{BridgeEvent, SessionBridge},
    services::webhook::{envelope::MessageEnvelope, registration_key::RegistrationKey},
    websocket::frame::CloseCode,
};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::{ProtocolVersion, SendError, SocketError, extract::SocketRef};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long to wait for room at a client that has not fetched what it was sent: the library doesn't
/// tell when there is some.
pub const NO_ROOM: Duration = Duration::from_millis(50);
/// Close codes of [`crate::push::session::CloseReason`] that say that this pair's session isn't to come back.
const REPLACED: CloseCode = CloseCode(4409);
const REVOKED: CloseCode = CloseCode(4401);

/// One registration of a client, and what is carried to it.
pub struct SocketIoForwarder {
    /// The client's socket.
    pub socket: SocketRef,
    /// The client.
    pub io_client: Arc<SocketIoClient>,
    /// What it is registered as.
    pub claim: RegistrationKey,
    /// Whether it wants to be told the ids of messages.
    pub ids: bool,
    /// The session.
    pub relay: SessionBridge,
    /// Cancelled when the registration is over.
    pub over: CancellationToken,
}

/// The client is gone.
struct SocketIoDisconnected;

impl SocketIoForwarder {
    /// Carries until either end goes.
    pub async fn run(mut self, engine: SocketIoEngine) {
        let over = self.over.clone();
        let Some(code) = over.run_until_cancelled(self.forward()).await else { return };
        // Replaced by the same client is no news to it.
        let replaced = matches!(code, Ok(REPLACED));
        if (replaced && self.io_client.is_renewing(&self.claim)) || over.is_cancelled() {
            return;
        }
        self.io_client.unbind(&self.claim, &over);
        let why = match code {
            Ok(REPLACED) => "replaced",
            Ok(REVOKED) => "unknown",
            // Overload, a restart, a lost socket: the client comes back and registers anew.
            Ok(_) => return engine.end(&self.io_client).await,
            Err(SocketIoDisconnected) => return,
        };
        let told = RegistrationErrorEvent::new(why, Some(&self.claim));
        if say(&self.socket, "error", &told, None).await.is_err() {
            tracing::debug!("a client was gone before it heard that its registration is over");
        }
    }

    async fn forward(&mut self) -> Result<CloseCode, SocketIoDisconnected> {
        loop {
            match self.relay.next().await {
                Some(BridgeEvent::Message(text)) => self.deliver(&text).await?,
                Some(BridgeEvent::Closed(code, _)) => return Ok(code),
                None => return Ok(CloseCode::GOING_AWAY),
            }
        }
    }

    async fn deliver(&self, text: &[u8]) -> Result<(), SocketIoDisconnected> {
        let Some(MessageEnvelope { id, message }) = MessageEnvelope::read(text) else {
            return Ok(());
        };
        say(&self.socket, "message", message, self.ids.then_some(&*id)).await
    }
}

/// Why a client isn't registered, as it hears it: a word of a closed set, and its own words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationErrorEvent<'a> {
    ok: bool,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<&'a str>,
}

impl<'a> RegistrationErrorEvent<'a> {
    /// Of this pair, if it said one.
    pub fn new(error: &'static str, claim: Option<&'a RegistrationKey>) -> Self {
        let user_id = claim.map(|claim| &*claim.user);
        let connection_id = claim.map(|claim| &*claim.connection);
        Self { ok: false, error, user_id, connection_id }
    }
}

/// What is to be sent, in the letters this client understands.
pub fn encoded(
    socket: &SocketRef,
    value: &(impl Serialize + ?Sized),
) -> serde_json::Result<Box<RawValue>> {
    match socket.protocol() {
        ProtocolVersion::V4 => ascii(value),
        ProtocolVersion::V5 => serde_json::value::to_raw_value(value),
    }
}

/// Sends an event, when there is room.
async fn say(
    socket: &SocketRef,
    event: &str,
    value: &(impl Serialize + ?Sized),
    id: Option<&str>,
) -> Result<(), SocketIoDisconnected> {
    let value = encoded(socket, value).map_err(|error| {
        tracing::warn!(%error, "a message can't be encoded for Socket.IO");
        SocketIoDisconnected
    })?;
    loop {
        let sent = match id {
            None => socket.emit(event, &value),
            Some(id) => socket.emit(event, &(&value, id)),
        };
        match sent {
            Ok(()) => return Ok(()),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => sleep(NO_ROOM).await,
            Err(_) => return Err(SocketIoDisconnected),
        }
    }
}
