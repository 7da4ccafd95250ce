//! Handlers of the REST API and of private URLs.

use super::{
    invalid_request::InvalidRequest,
    query, response,
    response::{HTML, JSON},
    route::{RestRoute, parameter},
};
use crate::{
    delivery::{DeliveryOutcome, Reason},
    server::RequestOrigin,
    services::webhook::{
        backend_access::BackendAccess,
        body,
        body::MessageBodyError,
        cors,
        hooks::{HookCallResult, HookCapability, HookError, HookRequest, HookService},
        intake::MessageIntake,
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey, is_name},
        store::{RegistrationStore, RegistrationStoreError},
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::RwLock;
use std::{sync::Arc, time::Duration};
use warp::reply::Response;

/// Body of `/api/status/info`, as the original's tests expect it.
const INFO: &str = r#"{"name":"notification-server","version":"1.0.0"}"#;
/// The OpenAPI description of the REST API.
const DESCRIPTION: &str = include_str!("../openapi.json");
/// Response header with the id of an accepted message; the original's response has no body.
const MESSAGE_ID: &str = "x-message-id";
/// When a caller may retry what the store doesn't answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Handles requests of back ends and calls of hooks.
pub struct RestHandler {
    store: Arc<dyn RegistrationStore>,
    intake: MessageIntake,
    hooks: HookService,
    access: RwLock<BackendAccess>,
    counts: PushCounters,
}

/// One request with its body.
pub struct RestRequest<'a> {
    /// The route of its path.
    pub route: RestRoute,
    /// Its raw query.
    pub query: &'a str,
    /// The headers of the request.
    pub headers: &'a HeaderMap,
    /// The body of the request.
    pub body: Result<Bytes, MessageBodyError>,
    /// The connection of the request.
    pub origin: Option<&'a RequestOrigin>,
}

/// Counters of accepted messages.
pub struct PushCounters {
    /// Accepted from back ends.
    pub pushes: Box<dyn Fn() + Send + Sync>,
    /// Accepted through hooks.
    pub hooks: Box<dyn Fn() + Send + Sync>,
}

/// Response to a refused request.
type RestRejection = Box<Response>;

impl RestHandler {
    /// Creates a handler on this store.
    pub fn new(
        store: Arc<dyn RegistrationStore>,
        intake: MessageIntake,
        hooks: HookService,
        access: BackendAccess,
        counts: PushCounters,
    ) -> Self {
        Self { store, intake, hooks, access: RwLock::new(access), counts }
    }

    /// Whether a request has the token; never without a token.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        self.access.read().has_token(headers)
    }

    /// Changes the access control.
    pub fn allow(&self, access: BackendAccess) {
        *self.access.write() = access;
    }

    /// Handles a request. As in the original the body is checked before the token.
    pub async fn answer(&self, request: RestRequest<'_>) -> Response {
        let headers = request.headers;
        match &request.route {
            RestRoute::Ping => response::lasting(headers, HTML, "pong"),
            RestRoute::Info => response::lasting(headers, JSON, INFO),
            RestRoute::Description => response::lasting(headers, JSON, DESCRIPTION),
            RestRoute::HookPreflight => cors::preflight(headers),
            RestRoute::Hook(capability) => {
                let response = self.hook(capability, headers, &request.body, request.origin).await;
                cors::allow_any(response)
            }
            _ => self.back_end(request).await.unwrap_or_else(|denied| *denied),
        }
    }

    async fn hook(
        &self,
        capability: &str,
        headers: &HeaderMap,
        body: &Result<Bytes, MessageBodyError>,
        origin: Option<&RequestOrigin>,
    ) -> Response {
        let body = match body {
            Ok(body) => body,
            Err(bad) => return *denied(*bad),
        };
        match self.hooks.call(&HookCapability::given(capability), headers, body).await {
            HookCallResult::Accepted => {
                // The rate of the hook bounds how many such connections a caller may have.
                origin.inspect(|origin| origin.mark_joined());
                (self.counts.hooks)();
                response::empty(StatusCode::OK)
            }
            HookCallResult::Gone => response::message(StatusCode::NOT_FOUND),
            HookCallResult::TooMany => response::message(StatusCode::TOO_MANY_REQUESTS),
            HookCallResult::Bad(bad) => *denied(bad),
            HookCallResult::Empty => *bad_request(InvalidRequest::of_message(headers)),
            HookCallResult::TryLater(after) => response::retry(after),
        }
    }

    async fn back_end(&self, request: RestRequest<'_>) -> Result<Response, RestRejection> {
        let RestRequest { route, query, headers, body, origin } = request;
        let body = body.map_err(denied)?;
        let message = body::message(headers, &body).map_err(denied)?;
        if !self.access.read().admits(headers) {
            return Err(Box::new(response::empty(StatusCode::UNAUTHORIZED)));
        }
        // A back end isn't an unauthenticated client, which others could evict.
        origin.filter(|_| self.has_token(headers)).inspect(|origin| origin.mark_joined());
        match route {
            RestRoute::Register(user) => self.register(&pair(&user, query)?).await,
            RestRoute::Unregister(user) => self.unregister(&pair(&user, query)?).await,
            RestRoute::Push(user) => self.push(name(&user)?, message, headers).await,
            RestRoute::MakeHook(user) => self.make_hook(name(&user)?, &body).await,
            RestRoute::ListHooks(user) => self.list_hooks(&name(&user)?).await,
            RestRoute::RevokeHook(user, id) => {
                let (user, id) = (
                    name(&user)?,
                    parameter(&id).ok_or_else(|| bad_request(InvalidRequest::HookId))?,
                );
                let revoked =
                    self.hooks.revoke(&MessageTarget::User(user), &id).await.map_err(refused)?;
                Ok(found(revoked))
            }
            // Handled by the caller.
            RestRoute::Ping
            | RestRoute::Info
            | RestRoute::Description
            | RestRoute::Hook(_)
            | RestRoute::HookPreflight => Ok(response::message(StatusCode::NOT_FOUND)),
        }
    }

    async fn register(&self, claim: &RegistrationKey) -> Result<Response, RestRejection> {
        self.store.register(claim).await.map_err(store_error)?;
        Ok(response::empty(StatusCode::OK))
    }

    async fn unregister(&self, claim: &RegistrationKey) -> Result<Response, RestRejection> {
        self.store.unregister(claim).await.map(found).map_err(store_error)
    }

    async fn push(
        &self,
        user: String,
        message: Option<MessageValue>,
        headers: &HeaderMap,
    ) -> Result<Response, RestRejection> {
        let invalid = || bad_request(InvalidRequest::of_message(headers));
        let message = message.ok_or_else(invalid)?;
        let target = MessageTarget::User(user);
        let id = self.intake.publish(&target, &message).await.map_err(undelivered)?;
        (self.counts.pushes)();
        Ok(named(id))
    }

    async fn make_hook(&self, user: String, body: &[u8]) -> Result<Response, RestRejection> {
        let request = match body {
            [] => HookRequest::default(),
            // serde would accept an array too.
            body if !body.trim_ascii_start().starts_with(b"{") => {
                return Err(bad_request(InvalidRequest::HookBody));
            }
            body => {
                serde_json::from_slice(body).map_err(|_| bad_request(InvalidRequest::HookBody))?
            }
        };
        if request.to.is_some() {
            // A back end must name the connection itself.
            return Err(bad_request(InvalidRequest::HookScope));
        }
        let to = match &request.connection {
            None => MessageTarget::User(user),
            Some(connection) => MessageTarget::Connection(
                RegistrationKey::new(user, connection)
                    .ok_or_else(|| bad_request(InvalidRequest::Connection))?,
            ),
        };
        let made = self.hooks.make(to, &request).await.map_err(refused)?;
        Ok(response::private(StatusCode::CREATED, &made.json()))
    }

    async fn list_hooks(&self, user: &str) -> Result<Response, RestRejection> {
        let listed = self.hooks.list(user).await.map_err(refused)?;
        let hooks: Vec<_> = listed.iter().map(|hook| hook.json()).collect();
        Ok(response::private(StatusCode::OK, &hooks.into()))
    }
}

fn named(id: MessageId) -> Response {
    let mut answer = response::empty(StatusCode::OK);
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        answer.headers_mut().insert(MESSAGE_ID, id);
    }
    answer
}

fn found(found: bool) -> Response {
    match found {
        true => response::empty(StatusCode::OK),
        false => response::message(StatusCode::NOT_FOUND),
    }
}

fn name(user: &str) -> Result<String, RestRejection> {
    parameter(user).filter(|user| is_name(user)).ok_or_else(|| bad_request(InvalidRequest::User))
}

fn pair(user: &str, query: &str) -> Result<RegistrationKey, RestRejection> {
    let user = name(user)?;
    let key = query::single(query, "connectionId").and_then(|id| RegistrationKey::new(user, id));
    key.ok_or_else(|| bad_request(InvalidRequest::Connection))
}

fn bad_request(invalid: InvalidRequest) -> RestRejection {
    Box::new(response::explained(StatusCode::BAD_REQUEST, format!("Bad Request: {invalid}")))
}

fn denied(bad: MessageBodyError) -> RestRejection {
    match bad {
        MessageBodyError::Malformed => bad_request(InvalidRequest::Body),
        MessageBodyError::TooLarge => Box::new(response::message(StatusCode::PAYLOAD_TOO_LARGE)),
        MessageBodyError::Encoding => {
            Box::new(response::message(StatusCode::UNSUPPORTED_MEDIA_TYPE))
        }
        MessageBodyError::Busy => Box::new(response::retry(RETRY_DELAY)),
    }
}

fn undelivered(outcome: DeliveryOutcome) -> RestRejection {
    Box::new(match outcome {
        DeliveryOutcome::Done => response::empty(StatusCode::OK),
        DeliveryOutcome::Retry(after) => response::retry(after),
        DeliveryOutcome::Reject(Reason::Malformed) => {
            return bad_request(InvalidRequest::Body);
        }
        DeliveryOutcome::Reject(Reason::LimitReached) => {
            response::message(StatusCode::TOO_MANY_REQUESTS)
        }
    })
}

fn store_error(error: RegistrationStoreError) -> RestRejection {
    refused(HookError::from(error))
}

fn refused(error: HookError) -> RestRejection {
    match error {
        HookError::Malformed => bad_request(InvalidRequest::HookLifetime),
        HookError::Full => Box::new(response::message(StatusCode::TOO_MANY_REQUESTS)),
        HookError::TryLater => Box::new(response::retry(RETRY_DELAY)),
    }
}
