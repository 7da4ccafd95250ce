//! What clients say: `register`, with whatever arguments, and `hook`.

use super::{
    carry::{Carrier, Refusal, worded},
    engine::Engine,
    guest::Guest,
};
use crate::{
    front::Relay,
    hosts::webhook::{
        claim::Claim,
        door::{Door, Refused},
        id::MessageId,
    },
    lifecycle::Tasks,
};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, json};
use socketioxide::{
    adapter::Adapter,
    extract::{AckSender, SocketRef, TryData},
    handler::{ConnectHandler as _, FromMessageParts},
    socket::Socket,
};
use std::{convert::Infallible, fmt, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Arguments of an event that are looked at.
const ARGUMENTS: usize = 3;

/// What events come to.
#[derive(Clone)]
pub struct Events {
    /// The way in.
    pub door: Door,
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
        let gone: CancellationToken = guest.gone.clone();
        socket.on_disconnect(async move || gone.cancel());
        // The library keeps the handlers with the socket: they must not keep what keeps the socket.
        let guest = Arc::downgrade(&guest);
        socket.on(
            "register",
            async move |socket: SocketRef,
                        TryData(said): TryData<Arguments>,
                        call: Call,
                        ack: AckSender| {
                let Some(guest) = guest.upgrade() else { return };
                let said = Said::read(said.map_or_else(|_| Vec::new(), |arguments| arguments.0));
                let answer = self.register(&socket, &guest, &said).await;
                acknowledge(&socket, ack, call, &said, answer);
            },
        );
    }

    async fn register(
        &self,
        socket: &SocketRef,
        guest: &Arc<Guest>,
        said: &Said,
    ) -> Result<(), Refused> {
        let claim = said.claim.clone().ok_or(Refused::Malformed)?;
        let since = said.since.map_err(|_| Refused::Malformed)?;
        let _turn = guest.turns.try_acquire().map_err(|_| Refused::TryLater)?;
        if !guest.has_room_for(&claim) {
            return Err(Refused::Full);
        }
        let (stream, relay) = Relay::pair().map_err(|error| {
            tracing::warn!(%error, "no descriptors left for a client of Socket.IO");
            Refused::TryLater
        })?;
        self.door.enter(claim.clone(), &guest.peer, stream, Bytes::new(), since).await?;
        let over = guest.bind(claim.clone());
        let (socket, guest, ids) = (socket.clone(), Arc::clone(guest), said.ids);
        let carrier = Carrier { socket, guest, claim, ids, relay, over };
        self.tasks.spawn(carrier.run(self.engine.clone()));
        Ok(())
    }
}

/// Tells a client how it went, if it wants to know: by its callback, or else, where it went wrong, by
/// an event.
fn acknowledge(
    socket: &SocketRef,
    ack: AckSender,
    Call { wants_answer }: Call,
    said: &Said,
    answer: Result<(), Refused>,
) {
    let told = match answer {
        Ok(()) if !wants_answer => return,
        Ok(()) => worded(socket, &json!({ "ok": true })),
        Err(refused) => worded(socket, &Refusal::new(refused.name(), said.claim.as_ref())),
    };
    let sent = told.map(|told| match wants_answer {
        true => ack.send(&told),
        false => socket.emit("error", &told),
    });
    // It has gone, or doesn't listen.
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!("a client could not be told how its registration went");
    }
}

/// Whether a client gave a callback along.
struct Call {
    wants_answer: bool,
}

impl<A: Adapter> FromMessageParts<A> for Call {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<Socket<A>>,
        _: &mut socketioxide_core::Value,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self { wants_answer: ack.is_some() })
    }
}

/// The first arguments of an event, whatever they are.
struct Arguments(Vec<Value>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(ARGUMENTS, FirstOnes)
    }
}

struct FirstOnes;

impl<'de> Visitor<'de> for FirstOnes {
    type Value = Arguments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Arguments, A::Error> {
        let mut first = Vec::with_capacity(ARGUMENTS);
        while first.len() < ARGUMENTS {
            match all.next_element()? {
                Some(argument) => first.push(argument),
                None => return Ok(Arguments(first)),
            }
        }
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Arguments(first))
    }
}

/// What `register` says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    claim: Option<Claim>,
    /// `ids`: the id of each message is wanted as second argument.
    ids: bool,
    /// `since`: the last message it had.
    since: Result<Option<MessageId>, NoSince>,
}

/// Not the id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoSince;

impl Said {
    fn read(arguments: Vec<Value>) -> Self {
        let mut arguments = arguments.into_iter();
        let mut name = || match arguments.next() {
            Some(Value::String(name)) => Some(name),
            _ => None,
        };
        let names = (name(), name());
        let claim =
            names.0.zip(names.1).and_then(|(user, connection)| Claim::new(user, connection));
        let options = arguments.next().unwrap_or_default();
        let since = match &options["since"] {
            Value::Null => Ok(None),
            Value::String(id) => id.parse().map(Some).map_err(|_| NoSince),
            _ => Err(NoSince),
        };
        Self { claim, ids: options["ids"] == true, since }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Claim, MessageId, NoSince, Said};
    use serde_json::json;

    fn said(arguments: serde_json::Value) -> Said {
        Said::read(serde_json::from_value::<Arguments>(arguments).unwrap().0)
    }

    #[test]
    fn a_pair_is_two_strings_and_whatever_follows() {
        let expected = Claim::new("u", "c");
        for more in [json!(["u", "c"]), json!(["u", "c", null]), json!(["u", "c", {}, 4, [5]])] {
            assert_eq!(said(more), Said { claim: expected.clone(), ids: false, since: Ok(None) });
        }
        let options = said(json!(["u", "c", { "ids": true, "since": "17" }]));
        assert_eq!(options, Said { claim: expected, ids: true, since: Ok(Some(MessageId(17))) });
        assert_eq!(said(json!(["u", "c", { "since": 17 }])).since, Err(NoSince));
    }

    #[test]
    fn anything_else_is_no_pair() {
        for bad in [
            json!([]),
            json!(["u"]),
            json!([1, 2]),
            json!(["u", 2]),
            json!([["u"], "c"]),
            json!(["", "c"]),
            json!([{}, null]),
            json!(["u", "x".repeat(300)]),
        ] {
            assert_eq!(said(bad).claim, None);
        }
        assert_eq!(said(json!(["__proto__", "c"])).claim, Claim::new("__proto__", "c"));
    }
}
