//! How clients join: registered first and greeted then, so that no event is lost in between.

use super::{
    backlog::OutgoingFrame,
    client::ShardClient,
    command::{GreetingFrames, JoinRequest},
    membership::MembershipChange,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::{
    push::{
        AuthMethod,
        session::{Millis, Session},
    },
    websocket::frame::Frame,
};

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Adds a client, or refuses it.
    pub(super) fn join(&mut self, join_request: JoinRequest<T>, now: Millis) {
        let JoinRequest {
            transport,
            leftover,
            authenticated,
            subscriptions,
            greeting,
            permit,
            guard,
        } = join_request;
        let recipient = authenticated.recipient;
        let client = self.new_client(transport, authenticated.auth_method, now);
        if self.draining || self.count(&recipient) >= self.policy.limits.per_recipient {
            return self.reject(client, now);
        }
        let Some(id) = self.clients.vacant_id() else { return self.reject(client, now) };
        if self.watcher.add(&client.transport, id).is_err() {
            return client.transport.abort();
        }
        self.clients.insert(client);
        let change = self.members.join(id, &recipient);
        let first = matches!(change, MembershipChange::Edge(_)).then_some(recipient);
        self.context.arrived(first, permit);
        self.guards.extend(guard.map(|guard| (id, guard)));
        self.subscribe(id, &subscriptions, now);
        self.greet(id, greeting, now);
        self.receive_leftover(id, &leftover, now);
        self.clients.schedule(id);
    }

    fn new_client(&mut self, transport: T, auth_method: AuthMethod, now: Millis) -> ShardClient<T> {
        let factor = self.rng.u8(..);
        let max_connection = self.policy.limits.max_connection;
        let ends_at = max_connection.map_or(Millis::MAX, |max| now.saturating_add(max));
        let session = Session::new(now, factor, ends_at);
        ShardClient::new(transport, session, auth_method, self.clients.next_serial(), now)
    }

    /// Sends the first frames as one piece.
    fn greet(&mut self, id: u32, greeting: Option<GreetingFrames>, now: Millis) {
        let frames = match greeting {
            Some(greeting) => greeting(),
            None => self.context.dialect.welcome().into_iter().collect(),
        };
        let frame = match &frames[..] {
            [] => return,
            [only] => only.clone(),
            several => Frame::joined(several),
        };
        self.send(id, &mut OutgoingFrame::new(frame), now);
    }
}
