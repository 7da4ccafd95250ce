//! The client server: any path becomes a WebSocket, and whoever wants none is told so (`specs/aphlict.md`
//! sections 3 and 4).

use super::{instance::PhorgeInstance, status::ClientTotals};
use crate::{
    lifecycle::TaskGroup,
    push::{
        AuthMethod, AuthenticatedClient, ConnectionLimit,
        hub::{Hub, JoinRequest},
    },
    server::{UpgradedClient, WebSocketHandshake, handshake, text},
};
use http::StatusCode;
use std::sync::Arc;
use warp::{
    Filter,
    filters::{BoxedFilter, path::Tail},
    reply::Response,
};

/// What Phorge's status page wants to see: this status, and nothing else.
const USE_WEBSOCKETS: &str = "HTTP/501 Use Websockets\n";

const NAME_TOO_LONG: &str = "The instance's name is too long\n";

/// Lets browsers in. Cheap to clone.
#[derive(Clone)]
pub struct BrowserAdmission {
    /// Where they go.
    pub hub: Hub,
    /// How many may be there.
    pub room: ConnectionLimit,
    /// Who counts them.
    pub arrivals: Arc<ClientTotals>,
    /// Where they are seen in.
    pub tasks: TaskGroup,
}

/// Answers everything there is below its place.
pub fn routes(doorstep: BrowserAdmission) -> BoxedFilter<(Response,)> {
    let room = doorstep.room.clone();
    let all = warp::path::tail()
        .and(handshake())
        .map(move |tail: Tail, asked: WebSocketHandshake| {
            if !asked.is_for_websocket() {
                return text(StatusCode::NOT_IMPLEMENTED, USE_WEBSOCKETS);
            }
            let Ok(instance) = PhorgeInstance::of_path(tail.as_str()) else {
                return text(StatusCode::BAD_REQUEST, NAME_TOO_LONG);
            };
            let handler = doorstep.clone();
            asked.agreeing().accept(&doorstep.tasks, &[], |client| handler.enter(instance, client))
        })
        .boxed();
    room.reject_when_full(all)
}

impl BrowserAdmission {
    /// Nobody has to say who it is.
    async fn enter(self, instance: PhorgeInstance, client: UpgradedClient) {
        let UpgradedClient { stream, leftover, pre_auth_connection, .. } = client;
        pre_auth_connection.protect_from_eviction();
        // A client above the limit that connected at the same moment as others is cut off here; when it
        // connects again it receives 503.
        let Some(permit) = self.room.acquire(instance.home()) else { return };
        let transport = match stream.into_idle() {
            Ok(transport) => transport,
            Err(error) => {
                tracing::debug!(%error, "a client could not be handed over");
                return;
            }
        };
        self.arrivals.count(&instance);
        let authenticated = AuthenticatedClient {
            recipient: instance.home().clone(),
            auth_method: AuthMethod::Open,
        };
        let join_request = JoinRequest {
            permit: Some(permit),
            ..JoinRequest::new(transport, leftover, authenticated)
        };
        // The hub ends only with the process, which closes this connection as well.
        let _ = self.hub.join(join_request).await;
    }
}
