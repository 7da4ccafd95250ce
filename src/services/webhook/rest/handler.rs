//! Handlers of the REST API and of private URLs.

use super::{
    query, response,
    response::{HTML, JSON},
    route::{RestRoute, parameter},
};
use crate::services::webhook::{
    backend_access::BackendAccess,
    body,
    body::MessageBodyError,
    hooks::{HookCallResult, HookCapability, HookError, HookRequest, HookService},
    message_id::MessageId,
    message_value::MessageValue,
    registration_key::{MessageTarget, RegistrationKey, is_name},
    store::{RegistrationStore, RegistrationStoreError},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::{Arc, PoisonError, RwLock};
use warp::reply::Response;

/// Body of `/api/status/info`, as the original's tests expect it.
const INFO: &str = r#"{"name":"notification-server","version":"1.0.0"}"#;
/// The OpenAPI description of the REST API.
const DESCRIPTION: &str = include_str!("../openapi.json");
/// Response header with the id of an accepted message; the original's response has no body.
const MESSAGE_ID: &str = "x-message-id";

/// Handles requests of back ends and calls of hooks.
pub struct RestHandler {
    store: Arc<dyn RegistrationStore>,
    hooks: HookService,
    access: RwLock<BackendAccess>,
    counts: PushCounters,
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
        hooks: HookService,
        access: BackendAccess,
        counts: PushCounters,
    ) -> Self {
        Self { store, hooks, access: RwLock::new(access), counts }
    }

    /// Changes the access control.
    pub fn allow(&self, access: BackendAccess) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// Handles a request. As in the original the body is checked before the token.
    pub async fn answer(
        &self,
        call: RestRoute,
        query: &str,
        headers: &HeaderMap,
        body: Result<Bytes, MessageBodyError>,
    ) -> Response {
        match call {
            RestRoute::Ping => response::lasting(headers, HTML, "pong"),
            RestRoute::Info => response::lasting(headers, JSON, INFO),
            RestRoute::Description => response::lasting(headers, JSON, DESCRIPTION),
            RestRoute::Hook(capability) => self.hook(&capability, headers, body).await,
            call => {
                self.back_end(call, query, headers, body).await.unwrap_or_else(|denied| *denied)
            }
        }
    }

    async fn hook(
        &self,
        capability: &str,
        headers: &HeaderMap,
        body: Result<Bytes, MessageBodyError>,
    ) -> Response {
        let body = match body {
            Ok(body) => body,
            Err(bad) => return *denied(bad),
        };
        match self.hooks.call(&HookCapability::given(capability), headers, &body).await {
            HookCallResult::Accepted => {
                (self.counts.hooks)();
                response::empty(StatusCode::OK)
            }
            HookCallResult::Gone => response::message(StatusCode::NOT_FOUND),
            HookCallResult::TooMany => response::message(StatusCode::TOO_MANY_REQUESTS),
            HookCallResult::Bad(bad) => *denied(bad),
            HookCallResult::Empty => response::message(StatusCode::BAD_REQUEST),
            HookCallResult::TryLater => response::message(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn back_end(
        &self,
        call: RestRoute,
        query: &str,
        headers: &HeaderMap,
        body: Result<Bytes, MessageBodyError>,
    ) -> Result<Response, RestRejection> {
        let body = body.map_err(denied)?;
        let message = body::message(headers, &body).map_err(denied)?;
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !access.admits(headers) {
            return Err(Box::new(response::empty(StatusCode::UNAUTHORIZED)));
        }
        match call {
            RestRoute::Register(user) => self.register(&pair(&user, query)?).await,
            RestRoute::Unregister(user) => self.unregister(&pair(&user, query)?).await,
            RestRoute::Push(user) => self.push(name(&user)?, message).await,
            RestRoute::MakeHook(user) => self.make_hook(name(&user)?, &body).await,
            RestRoute::ListHooks(user) => self.list_hooks(&name(&user)?).await,
            RestRoute::RevokeHook(user, id) => {
                let (user, id) = (name(&user)?, parameter(&id).ok_or_else(bad_request)?);
                let revoked =
                    self.hooks.revoke(&MessageTarget::User(user), &id).await.map_err(refused)?;
                Ok(found(revoked))
            }
            // Handled by the caller.
            RestRoute::Ping | RestRoute::Info | RestRoute::Description | RestRoute::Hook(_) => {
                Ok(response::message(StatusCode::NOT_FOUND))
            }
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
    ) -> Result<Response, RestRejection> {
        let message = message.ok_or_else(bad_request)?;
        let id =
            self.store.post(&MessageTarget::User(user), &message).await.map_err(store_error)?;
        (self.counts.pushes)();
        Ok(named(id))
    }

    async fn make_hook(&self, user: String, body: &[u8]) -> Result<Response, RestRejection> {
        let request = match body {
            [] => HookRequest::default(),
            // serde would accept an array too.
            body if !body.trim_ascii_start().starts_with(b"{") => return Err(bad_request()),
            body => serde_json::from_slice(body).map_err(|_| bad_request())?,
        };
        if request.to.is_some() {
            // A back end must name the connection itself.
            return Err(bad_request());
        }
        let to = match &request.connection {
            None => MessageTarget::User(user),
            Some(connection) => MessageTarget::Connection(
                RegistrationKey::new(user, connection).ok_or_else(bad_request)?,
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
    parameter(user).filter(|user| is_name(user)).ok_or_else(bad_request)
}

fn pair(user: &str, query: &str) -> Result<RegistrationKey, RestRejection> {
    let connection = query::single(query, "connectionId").ok_or_else(bad_request)?;
    RegistrationKey::new(name(user)?, connection).ok_or_else(bad_request)
}

fn bad_request() -> RestRejection {
    Box::new(response::message(StatusCode::BAD_REQUEST))
}

fn denied(bad: MessageBodyError) -> RestRejection {
    Box::new(response::message(match bad {
        MessageBodyError::Malformed => StatusCode::BAD_REQUEST,
        MessageBodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        MessageBodyError::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }))
}

fn store_error(error: RegistrationStoreError) -> RestRejection {
    refused(HookError::from(error))
}

fn refused(error: HookError) -> RestRejection {
    Box::new(response::message(match error {
        HookError::Malformed => StatusCode::BAD_REQUEST,
        HookError::Full => StatusCode::TOO_MANY_REQUESTS,
        HookError::TryLater => StatusCode::SERVICE_UNAVAILABLE,
    }))
}
