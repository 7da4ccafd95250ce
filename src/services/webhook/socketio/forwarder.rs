//! Forwards messages from a hub session to a client's socket.

use super::{encoding::ascii, engine::SocketIoEngine, io_client::SocketIoClient};
use crate::{
    push::{BridgeEvent, SessionBridge},
    services::webhook::{
        dialect::MESSAGES_MISSING, envelope::MessageEnvelope, registration_key::RegistrationKey,
    },
    websocket::frame::CloseCode,
};
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::{ProtocolVersion, SendError, SocketError, extract::SocketRef};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Interval in which a full client queue is retried; the library doesn't notify about room.
pub const FULL_QUEUE_RETRY: Duration = Duration::from_millis(50);
/// Close codes of [`crate::push::session::CloseReason`] after which this pair's session shouldn't
/// come back.
const REPLACED: CloseCode = CloseCode(4409);
const REVOKED: CloseCode = CloseCode(4401);

/// One registration of a client and its session.
pub struct SocketIoForwarder {
    /// Socket of the client.
    pub socket: SocketRef,
    /// State of the client.
    pub io_client: Arc<SocketIoClient>,
    /// The registered pair.
    pub claim: RegistrationKey,
    /// Whether the client wants message ids.
    pub ids: bool,
    /// The hub session.
    pub bridge: SessionBridge,
    /// Cancelled when the registration ends.
    pub over: CancellationToken,
}

/// The client has disconnected.
struct SocketIoDisconnected;

impl SocketIoForwarder {
    /// Forwards until the session or the client ends.
    pub async fn run(mut self, engine: SocketIoEngine) {
        let over = self.over.clone();
        let Some(code) = over.run_until_cancelled(self.forward()).await else { return };
        // A client that registers the same pair again knows that it replaces itself.
        let replaced = matches!(code, Ok(REPLACED));
        if (replaced && self.io_client.is_renewing(&self.claim)) || over.is_cancelled() {
            return;
        }
        self.io_client.unbind(&self.claim, &over);
        let why = match code {
            Ok(REPLACED) => "replaced",
            Ok(REVOKED) => "unknown",
            // Overload, restart or a lost socket: the client reconnects and registers again.
            Ok(_) => return engine.end(&self.io_client).await,
            Err(SocketIoDisconnected) => return,
        };
        let error = RegistrationErrorEvent::new(why, Some(&self.claim));
        if say(&self.socket, "error", &error, None).await.is_err() {
            tracing::debug!("client disconnected before it was notified of its ended registration");
        }
    }

    async fn forward(&mut self) -> Result<CloseCode, SocketIoDisconnected> {
        loop {
            match self.bridge.next().await {
                Some(BridgeEvent::Message(text)) => self.deliver(&text).await?,
                Some(BridgeEvent::Closed(code, _)) => return Ok(code),
                None => return Ok(CloseCode::GOING_AWAY),
            }
        }
    }

    async fn deliver(&self, text: &[u8]) -> Result<(), SocketIoDisconnected> {
        if text == MESSAGES_MISSING.as_bytes() {
            return say(&self.socket, "missing", &MissingEvent::new(&self.claim), None).await;
        }
        let Some(MessageEnvelope { id, message }) = MessageEnvelope::read(text) else {
            return Ok(());
        };
        say(&self.socket, "message", message, self.ids.then_some(&*id)).await
    }
}

/// Error event of a registration: the reason and the client's pair.
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
    /// Creates an error about this pair.
    pub fn new(error: &'static str, claim: Option<&'a RegistrationKey>) -> Self {
        let user_id = claim.map(|claim| &*claim.user);
        let connection_id = claim.map(|claim| &*claim.connection);
        Self { ok: false, error, user_id, connection_id }
    }
}

/// Event for a client that has missed messages which aren't kept any more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MissingEvent<'a> {
    user_id: &'a str,
    connection_id: &'a str,
}

impl<'a> MissingEvent<'a> {
    fn new(claim: &'a RegistrationKey) -> Self {
        Self { user_id: &claim.user, connection_id: &claim.connection }
    }
}

/// Serializes a value in an encoding that this client understands.
pub fn encoded(
    socket: &SocketRef,
    value: &(impl Serialize + ?Sized),
) -> serde_json::Result<Box<RawValue>> {
    match socket.protocol() {
        ProtocolVersion::V4 => ascii(value),
        ProtocolVersion::V5 => serde_json::value::to_raw_value(value),
    }
}

/// Sends an event as soon as there is room.
async fn say(
    socket: &SocketRef,
    event: &str,
    value: &(impl Serialize + ?Sized),
    id: Option<&str>,
) -> Result<(), SocketIoDisconnected> {
    let value = encoded(socket, value).map_err(|error| {
        tracing::warn!(%error, "message can't be encoded for Socket.IO");
        SocketIoDisconnected
    })?;
    loop {
        let sent = match id {
            None => socket.emit(event, &value),
            Some(id) => socket.emit(event, &(&value, id)),
        };
        match sent {
            Ok(()) => return Ok(()),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                sleep(FULL_QUEUE_RETRY).await
            }
            Err(_) => return Err(SocketIoDisconnected),
        }
    }
}
