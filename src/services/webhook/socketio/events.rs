//! Handlers of the clients' events: `register` and `hook`.

use super::{
    engine::SocketIoEngine,
    event_arguments::{EventArguments, RawArguments},
    forwarder::{FULL_QUEUE_RETRY, RegistrationErrorEvent, SocketIoForwarder, encoded},
    io_client::SocketIoClient,
};
use crate::{
    lifecycle::TaskGroup,
    services::webhook::{WebhookHandlers, admission::AdmissionError, hooks::HookCommand},
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use socketioxide::{
    SendError, SocketError,
    adapter::LocalAdapter,
    extract::{AckSender, SocketRef, TryData},
    handler::{ConnectHandler as _, FromMessageParts},
    socket::Socket,
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Delay between the refusal of a registration and the end of the connection, for the client to read it.
const CLOSE_DELAY: Duration = Duration::from_millis(500);

/// Dependencies of the event handlers.
#[derive(Clone)]
pub struct SocketIoEvents {
    /// Admission of clients and their private URLs.
    pub handlers: WebhookHandlers,
    /// The Socket.IO library.
    pub engine: SocketIoEngine,
    /// Tasks that forward messages.
    pub tasks: TaskGroup,
}

impl SocketIoEvents {
    /// Installs the handlers. They are set up before a client learns that it is connected, so that
    /// its first event isn't lost.
    pub fn listen(self) {
        let io = self.engine.io().clone();
        let connected = move |socket: SocketRef| {
            self.clone().set_up(&socket);
            std::future::ready(Ok::<(), Infallible>(()))
        };
        io.ns("/", (async || ()).with(connected));
    }

    fn set_up(self, socket: &SocketRef) {
        let Some(io_client) = socket.req_parts().extensions.get::<Arc<SocketIoClient>>().cloned()
        else {
            return tracing::error!("Socket.IO client without connection state");
        };
        io_client.set_sid(&socket.id.to_string());
        let left = io_client.enter_namespace();
        socket.on_disconnect(async move || left.cancel());
        // The library keeps the handlers with the socket, so they must not own the socket's owner.
        let io_client = Arc::downgrade(&io_client);
        let (events, whose) = (self.clone(), io_client.clone());
        let register = async move |socket: SocketRef,
                                   event_arguments: TryData<RawArguments>,
                                   call: EventAcknowledgement| {
            let (Some(io_client), event_arguments) = (whose.upgrade(), read(event_arguments))
            else {
                return;
            };
            let answer = events.register(&socket, &io_client, &event_arguments).await;
            acknowledge(&socket, &io_client, &call, &event_arguments, answer).await;
            events.reconnect_later(&io_client, &event_arguments, answer).await;
        };
        socket.on("register", register);
        let hook = async move |socket: SocketRef,
                               event_arguments: TryData<RawArguments>,
                               call: EventAcknowledgement| {
            let (Some(io_client), event_arguments) = (io_client.upgrade(), read(event_arguments))
            else {
                return;
            };
            let answer = self.hook(&io_client, &event_arguments).await;
            respond(&socket, &io_client, &call, "hook", &answer).await;
        };
        socket.on("hook", hook);
    }

    async fn register(
        &self,
        socket: &SocketRef,
        io_client: &Arc<SocketIoClient>,
        event_arguments: &EventArguments,
    ) -> Result<(), AdmissionError> {
        let claim = event_arguments.claim.clone().ok_or(AdmissionError::Malformed)?;
        let since = event_arguments.since().map_err(|_| AdmissionError::Malformed)?;
        let _turn =
            io_client.request_permits.try_acquire().map_err(|_| AdmissionError::TryLater)?;
        let _alone = io_client.begin_registration(&claim).ok_or(AdmissionError::TryLater)?;
        if !io_client.has_room_for(&claim) {
            return Err(AdmissionError::Full);
        }
        io_client.set_renewing(&claim, true);
        let (admission, connection) = (&self.handlers.admission, io_client.pre_auth_connection());
        let entered =
            admission.enter(claim.clone(), &io_client.peer, connection.as_ref(), since).await;
        let bridge = entered.inspect_err(|_| io_client.set_renewing(&claim, false))?;
        let over = io_client.bind(claim.clone());
        let (socket, io_client, ids) =
            (socket.clone(), Arc::clone(io_client), event_arguments.wants_ids());
        let forwarder = SocketIoForwarder { socket, io_client, claim, ids, bridge, over };
        self.tasks.spawn(forwarder.run(self.engine.clone()));
        Ok(())
    }

    /// Ends the session of a client whose registration may succeed later, after it has read the answer.
    /// Old clients register only when they connect, and reconnect by themselves.
    async fn reconnect_later(
        &self,
        io_client: &SocketIoClient,
        event_arguments: &EventArguments,
        answer: Result<(), AdmissionError>,
    ) {
        let is_temporary = match answer {
            Err(AdmissionError::TryLater) => true,
            // Reconnecting doesn't help a client that registers too many pairs.
            Err(AdmissionError::Full) => {
                event_arguments.claim.as_ref().is_some_and(|claim| io_client.has_room_for(claim))
            }
            Ok(()) | Err(AdmissionError::Malformed | AdmissionError::Unknown) => false,
        };
        if !is_temporary {
            return;
        }
        sleep(CLOSE_DELAY).await;
        // Another attempt with the same pair may be under way, or have succeeded.
        let claim = event_arguments.claim.as_ref();
        if !claim.is_some_and(|claim| io_client.is_registering(claim) || io_client.is_bound(claim))
        {
            self.engine.end(io_client).await;
        }
    }

    /// Handles a request about the private URLs of a registered pair.
    async fn hook(&self, io_client: &SocketIoClient, event_arguments: &EventArguments) -> Value {
        let refused = |why: AdmissionError| json!({ "error": why.name() });
        let Some(claim) = &event_arguments.claim else { return refused(AdmissionError::Malformed) };
        if !io_client.is_bound(claim) {
            return refused(AdmissionError::Unknown);
        }
        let options = if event_arguments.options.is_null() {
            json!({})
        } else {
            event_arguments.options.clone()
        };
        let Ok(command) = serde_json::from_value::<HookCommand>(options) else {
            return refused(AdmissionError::Malformed);
        };
        match io_client.request_permits.try_acquire() {
            Ok(_turn) => self.handlers.hooks.ask(claim, &command).await,
            Err(_) => refused(AdmissionError::TryLater),
        }
    }
}

/// Sends the result of a registration: by the callback, or else, for an error, by an event.
async fn acknowledge(
    socket: &SocketRef,
    io_client: &SocketIoClient,
    call: &EventAcknowledgement,
    event_arguments: &EventArguments,
    answer: Result<(), AdmissionError>,
) {
    match answer {
        Ok(()) if call.ack.is_none() => {}
        Ok(()) => respond(socket, io_client, call, "registered", &json!({ "ok": true })).await,
        Err(refused) => {
            let refusal =
                RegistrationErrorEvent::new(refused.name(), event_arguments.claim.as_ref());
            respond(socket, io_client, call, "error", &refusal).await;
        }
    }
}

/// Answers by the callback, or else by an event. Waits for room in the client's queue while it has
/// a turn, since it may not have polled yet.
async fn respond(
    socket: &SocketRef,
    io_client: &SocketIoClient,
    call: &EventAcknowledgement,
    event: &str,
    answer: &impl Serialize,
) {
    let Ok(encoded) = encoded(socket, answer) else { return };
    let turn = io_client.request_permits.try_acquire();
    let sent = loop {
        let sent = match call.ack {
            Some(_) => call.sender().send(&encoded),
            None => socket.emit(event, &encoded),
        };
        match sent {
            Err(SendError::Socket(SocketError::InternalChannelFull)) if turn.is_ok() => {
                sleep(FULL_QUEUE_RETRY).await;
            }
            sent => break sent,
        }
    };
    // The client has disconnected or doesn't handle the event.
    if sent.is_err() {
        tracing::debug!(event, "Socket.IO client could not be answered");
    }
}

/// Unreadable arguments count as absent.
fn read(TryData(event_arguments): TryData<RawArguments>) -> EventArguments {
    event_arguments.map_or_else(
        |_| EventArguments::default(),
        |RawArguments(arguments)| EventArguments::read(arguments),
    )
}

/// An event's callback, if the client gave one.
struct EventAcknowledgement {
    socket: Arc<Socket>,
    ack: Option<i64>,
}

impl EventAcknowledgement {
    /// A new sender for the callback, since the library's own can be used only once.
    fn sender(&self) -> AckSender {
        let mut nothing = socketioxide_core::Value::Bytes(Bytes::new());
        let Ok(sender) = AckSender::from_message_parts(&self.socket, &mut nothing, &self.ack);
        sender
    }
}

impl FromMessageParts<LocalAdapter> for EventAcknowledgement {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket>,
        _: &mut socketioxide_core::Value,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self { socket: Arc::clone(socket), ack: *ack })
    }
}
