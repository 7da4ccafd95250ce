//! What clients say: `register`, with whatever arguments, and `hook`.

use super::{
    engine::SocketIoEngine,
    event_arguments::{EventArguments, RawArguments},
    forwarder::{NO_ROOM, RegistrationErrorEvent, SocketIoForwarder, encoded},
    io_client::SocketIoClient,
};
use crate::{
    lifecycle::TaskGroup,
    push::SessionBridge,
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
use std::{convert::Infallible, sync::Arc};
use tokio::time::sleep;

/// What events come to.
#[derive(Clone)]
pub struct SocketIoEvents {
    /// The way in, and private URLs.
    pub inside: WebhookHandlers,
    /// The library.
    pub engine: SocketIoEngine,
    /// Where what is told is carried.
    pub tasks: TaskGroup,
}

impl SocketIoEvents {
    /// Has the library call us. Before a client hears that it is connected everything is set up, so
    /// that its first word isn't lost.
    pub fn listen(self) {
        let io = self.engine.io().clone();
        let set_up = move |socket: SocketRef| {
            self.clone().welcome(&socket);
            std::future::ready(Ok::<(), Infallible>(()))
        };
        io.ns("/", (async || ()).with(set_up));
    }

    fn welcome(self, socket: &SocketRef) {
        let Some(io_client) = socket.req_parts().extensions.get::<Arc<SocketIoClient>>().cloned()
        else {
            return tracing::error!("a Socket.IO client came past us");
        };
        io_client.set_sid(&socket.id.to_string());
        let gone = io_client.enter_namespace();
        socket.on_disconnect(async move || gone.cancel());
        // The library keeps the handlers with the socket: they must not keep what keeps the socket.
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
        let _turn = io_client.turns.try_acquire().map_err(|_| AdmissionError::TryLater)?;
        let _alone = io_client.begin_registration(&claim).ok_or(AdmissionError::TryLater)?;
        if !io_client.has_room_for(&claim) {
            return Err(AdmissionError::Full);
        }
        let (stream, relay) = SessionBridge::pair().map_err(|error| {
            tracing::warn!(%error, "no descriptors left for a client of Socket.IO");
            AdmissionError::TryLater
        })?;
        io_client.protect_from_eviction();
        io_client.set_renewing(&claim, true);
        let authenticated = &self.inside.authenticated;
        let entered =
            authenticated.enter(claim.clone(), &io_client.peer, stream, Bytes::new(), since).await;
        if let Err(refused) = entered {
            io_client.set_renewing(&claim, false);
            return Err(refused);
        }
        let over = io_client.bind(claim.clone());
        let (socket, io_client, ids) =
            (socket.clone(), Arc::clone(io_client), event_arguments.wants_ids());
        let carrier = SocketIoForwarder { socket, io_client, claim, ids, relay, over };
        self.tasks.spawn(carrier.run(self.engine.clone()));
        Ok(())
    }

    /// What a client wants of the private URLs of a pair that it is registered as.
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
        match io_client.turns.try_acquire() {
            Ok(_turn) => self.inside.hooks.ask(claim, &command).await,
            Err(_) => refused(AdmissionError::TryLater),
        }
    }
}

/// Tells a client how it went, if it wants to know: by its callback, or else, where it went wrong, by
/// an event.
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

/// By its callback, or else by an event. For as many answers as a client has turns it is waited until
/// there is room: it may not have fetched yet what it was sent before.
async fn respond(
    socket: &SocketRef,
    io_client: &SocketIoClient,
    call: &EventAcknowledgement,
    event: &str,
    answer: &impl Serialize,
) {
    let Ok(encoded) = encoded(socket, answer) else { return };
    let turn = io_client.turns.try_acquire();
    let sent = loop {
        let sent = match call.ack {
            Some(_) => call.sender().send(&encoded),
            None => socket.emit(event, &encoded),
        };
        match sent {
            Err(SendError::Socket(SocketError::InternalChannelFull)) if turn.is_ok() => {
                sleep(NO_ROOM).await;
            }
            sent => break sent,
        }
    };
    // It has gone, or doesn't listen.
    if sent.is_err() {
        tracing::debug!(event, "a client of Socket.IO could not be answered");
    }
}

/// What can't be read says nothing.
fn read(TryData(event_arguments): TryData<RawArguments>) -> EventArguments {
    event_arguments.map_or_else(
        |_| EventArguments::default(),
        |RawArguments(arguments)| EventArguments::read(arguments),
    )
}

/// What a client called us with: whether it gave a callback along, and which.
struct EventAcknowledgement {
    socket: Arc<Socket>,
    ack: Option<i64>,
}

impl EventAcknowledgement {
    /// Calls the callback, if there is one. The library's own can be tried once only.
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
