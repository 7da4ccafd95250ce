//! What clients say: `register`, with whatever arguments, and `hook`.

use super::{
    carry::{Carrier, NO_ROOM, Refusal, worded},
    engine::Engine,
    guest::Guest,
    said::{Arguments, Said},
};
use crate::{
    lifecycle::Tasks,
    push::Relay,
    services::webhook::{Inside, door::Refused, hooks::Asked},
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
pub struct Events {
    /// The way in, and private URLs.
    pub inside: Inside,
    /// The library.
    pub engine: Engine,
    /// Where what is told is carried.
    pub tasks: Tasks,
}

impl Events {
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
        let Some(guest) = socket.req_parts().extensions.get::<Arc<Guest>>().cloned() else {
            return tracing::error!("a Socket.IO client came past us");
        };
        guest.named(&socket.id.to_string());
        let gone = guest.enters();
        socket.on_disconnect(async move || gone.cancel());
        // The library keeps the handlers with the socket: they must not keep what keeps the socket.
        let guest = Arc::downgrade(&guest);
        let (events, whose) = (self.clone(), guest.clone());
        let register = async move |socket: SocketRef, said: TryData<Arguments>, call: Call| {
            let (Some(guest), said) = (whose.upgrade(), read(said)) else { return };
            let answer = events.register(&socket, &guest, &said).await;
            acknowledge(&socket, &guest, &call, &said, answer).await;
        };
        socket.on("register", register);
        let hook = async move |socket: SocketRef, said: TryData<Arguments>, call: Call| {
            let (Some(guest), said) = (guest.upgrade(), read(said)) else { return };
            let answer = self.hook(&guest, &said).await;
            tell(&socket, &guest, &call, "hook", &answer).await;
        };
        socket.on("hook", hook);
    }

    async fn register(
        &self,
        socket: &SocketRef,
        guest: &Arc<Guest>,
        said: &Said,
    ) -> Result<(), Refused> {
        let claim = said.claim.clone().ok_or(Refused::Malformed)?;
        let since = said.since().map_err(|_| Refused::Malformed)?;
        let _turn = guest.turns.try_acquire().map_err(|_| Refused::TryLater)?;
        let _alone = guest.registers(&claim).ok_or(Refused::TryLater)?;
        if !guest.has_room_for(&claim) {
            return Err(Refused::Full);
        }
        let (stream, relay) = Relay::pair().map_err(|error| {
            tracing::warn!(%error, "no descriptors left for a client of Socket.IO");
            Refused::TryLater
        })?;
        guest.claims();
        guest.renews(&claim, true);
        let door = &self.inside.door;
        let entered = door.enter(claim.clone(), &guest.peer, stream, Bytes::new(), since).await;
        if let Err(refused) = entered {
            guest.renews(&claim, false);
            return Err(refused);
        }
        let over = guest.bind(claim.clone());
        let (socket, guest, ids) = (socket.clone(), Arc::clone(guest), said.wants_ids());
        let carrier = Carrier { socket, guest, claim, ids, relay, over };
        self.tasks.spawn(carrier.run(self.engine.clone()));
        Ok(())
    }

    /// What a client wants of the private URLs of a pair that it is registered as.
    async fn hook(&self, guest: &Guest, said: &Said) -> Value {
        let refused = |why: Refused| json!({ "error": why.name() });
        let Some(claim) = &said.claim else { return refused(Refused::Malformed) };
        if !guest.is_bound(claim) {
            return refused(Refused::Unknown);
        }
        let options = if said.options.is_null() { json!({}) } else { said.options.clone() };
        let Ok(asked) = serde_json::from_value::<Asked>(options) else {
            return refused(Refused::Malformed);
        };
        match guest.turns.try_acquire() {
            Ok(_turn) => self.inside.hooks.ask(claim, &asked).await,
            Err(_) => refused(Refused::TryLater),
        }
    }
}

/// Tells a client how it went, if it wants to know: by its callback, or else, where it went wrong, by
/// an event.
async fn acknowledge(
    socket: &SocketRef,
    guest: &Guest,
    call: &Call,
    said: &Said,
    answer: Result<(), Refused>,
) {
    match answer {
        Ok(()) if call.ack.is_none() => {}
        Ok(()) => tell(socket, guest, call, "registered", &json!({ "ok": true })).await,
        Err(refused) => {
            let refusal = Refusal::new(refused.name(), said.claim.as_ref());
            tell(socket, guest, call, "error", &refusal).await;
        }
    }
}

/// By its callback, or else by an event. For as many answers as a client has turns it is waited until
/// there is room: it may not have fetched yet what it was sent before.
async fn tell(
    socket: &SocketRef,
    guest: &Guest,
    call: &Call,
    event: &str,
    answer: &impl Serialize,
) {
    let Ok(worded) = worded(socket, answer) else { return };
    let turn = guest.turns.try_acquire();
    let sent = loop {
        let sent = match call.ack {
            Some(_) => call.sender().send(&worded),
            None => socket.emit(event, &worded),
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
fn read(TryData(said): TryData<Arguments>) -> Said {
    said.map_or_else(|_| Said::default(), |Arguments(arguments)| Said::read(arguments))
}

/// What a client called us with: whether it gave a callback along, and which.
struct Call {
    socket: Arc<Socket>,
    ack: Option<i64>,
}

impl Call {
    /// Calls the callback, if there is one. The library's own can be tried once only.
    fn sender(&self) -> AckSender {
        let mut nothing = socketioxide_core::Value::Bytes(Bytes::new());
        let Ok(sender) = AckSender::from_message_parts(&self.socket, &mut nothing, &self.ack);
        sender
    }
}

impl FromMessageParts<LocalAdapter> for Call {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket>,
        _: &mut socketioxide_core::Value,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self { socket: Arc::clone(socket), ack: *ack })
    }
}
