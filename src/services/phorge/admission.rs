//! The client server: any path becomes a WebSocket, and other requests get status 501 (`specs/aphlict.md`
//! sections 3 and 4).

use super::{
    address_limit::{AddressLimit, AddressPermit},
    instance::PhorgeInstance,
    status::ClientTotals,
};
use crate::{
    lifecycle::TaskGroup,
    push::{
        AuthMethod, AuthenticatedClient, ConnectionLimit,
        hub::{Hub, JoinRequest},
    },
    server::{UpgradedClient, WebSocketHandshake, handshake, text},
};
use http::{HeaderName, StatusCode};
use std::sync::Arc;
use warp::{
    Filter,
    filters::{BoxedFilter, path::Tail},
    reply::Response,
};

/// The body that goes with status 501, which Phorge's status page expects.
const USE_WEBSOCKETS: &str = "HTTP/501 Use Websockets\n";

const TOO_MANY: &str = "Too many connections from this address, retry later\n";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const NAME_TOO_LONG: &str = "The instance's name is too long\n";

/// Accepts browsers into the hub. Cheap to clone.
#[derive(Clone)]
pub struct BrowserAdmission {
    /// Takes their connections.
    pub hub: Hub,
    /// Limits how many are connected.
    pub room: ConnectionLimit,
    /// Limits how many one address has.
    pub address_limit: AddressLimit,
    /// Counts them for the status page.
    pub arrivals: Arc<ClientTotals>,
    /// Runs their handshakes.
    pub tasks: TaskGroup,
}

/// The routes of the client server; they answer every path.
pub fn routes(admission: BrowserAdmission) -> BoxedFilter<(Response,)> {
    let room = admission.room.clone();
    let all = warp::path::tail()
        .and(handshake())
        .map(move |tail: Tail, asked: WebSocketHandshake| {
            if !asked.is_for_websocket() {
                return text(StatusCode::NOT_IMPLEMENTED, USE_WEBSOCKETS);
            }
            let Ok(instance) = PhorgeInstance::of_path(tail.as_str()) else {
                return text(StatusCode::BAD_REQUEST, NAME_TOO_LONG);
            };
            let forwarded = [X_FORWARDED_FOR];
            let Some(permit) = admission.address_limit.acquire(&asked.peer(&forwarded)) else {
                return text(StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
            };
            let handler = admission.clone();
            asked
                .agreeing()
                .accept(&admission.tasks, &[], |client| handler.enter(instance, client, permit))
        })
        .boxed();
    room.reject_when_full(all)
}

impl BrowserAdmission {
    /// Moves an upgraded client into the hub; the protocol has no authentication.
    async fn enter(
        self,
        instance: PhorgeInstance,
        client: UpgradedClient,
        address_permit: AddressPermit,
    ) {
        let UpgradedClient { stream, leftover, pre_auth_connection, .. } = client;
        pre_auth_connection.protect_from_eviction();
        // A client above the limit that connected at the same moment as others is cut off here; when it
        // connects again it receives 503.
        let Some(permit) = self.room.acquire(instance.home()) else { return };
        let transport = match stream.into_idle() {
            Ok(transport) => transport,
            Err(error) => {
                tracing::debug!(%error, "failed to hand a client to the hub");
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
            guard: Some(Box::new(address_permit)),
            ..JoinRequest::new(transport, leftover, authenticated)
        };
        // The hub ends only with the process, which closes this connection as well.
        let _ = self.hub.join(join_request).await;
    }
}
