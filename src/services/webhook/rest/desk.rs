//! Answers what back ends and callers of hooks ask.

use super::{
    answer::{self, HTML, JSON},
    call::{Call, parameter},
    query,
};
use crate::services::webhook::{
    body,
    body::BadBody,
    book::{Book, BookError},
    claim::{Claim, Target, is_name},
    hooks::{Answer, Capability, HookError, Hooks, Wish},
    id::MessageId,
    token::Access,
    value::Value,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::{Arc, PoisonError, RwLock};
use warp::reply::Response;

/// What `/api/status/info` says: the original's words, which its tests compare.
const INFO: &str = r#"{"name":"notification-server","version":"1.0.0"}"#;
/// The description of all this.
const DESCRIPTION: &str = include_str!("../openapi.json");
/// The header that names a message that was taken in; the original's answer has no body.
const MESSAGE_ID: &str = "x-message-id";

/// Who answers.
pub struct Desk {
    book: Arc<dyn Book>,
    hooks: Hooks,
    access: RwLock<Access>,
    counts: Counts,
}

/// What is counted.
pub struct Counts {
    /// Messages taken in from back ends.
    pub pushes: Box<dyn Fn() + Send + Sync>,
    /// Messages taken in over hooks.
    pub hooks: Box<dyn Fn() + Send + Sync>,
}

/// Nothing came of it: what the caller hears.
type Denied = Box<Response>;

impl Desk {
    /// At this book, for those who may.
    pub fn new(book: Arc<dyn Book>, hooks: Hooks, access: Access, counts: Counts) -> Self {
        Self { book, hooks, access: RwLock::new(access), counts }
    }

    /// Others may from now on.
    pub fn allow(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// The answer. As in the original bodies are looked at first, then who sends them.
    pub async fn answer(
        &self,
        call: Call,
        query: &str,
        headers: &HeaderMap,
        body: Result<Bytes, BadBody>,
    ) -> Response {
        match call {
            Call::Ping => answer::lasting(headers, HTML, "pong"),
            Call::Info => answer::lasting(headers, JSON, INFO),
            Call::Description => answer::lasting(headers, JSON, DESCRIPTION),
            Call::Hook(capability) => self.hook(&capability, headers, body).await,
            call => {
                self.back_end(call, query, headers, body).await.unwrap_or_else(|denied| *denied)
            }
        }
    }

    async fn hook(
        &self,
        capability: &str,
        headers: &HeaderMap,
        body: Result<Bytes, BadBody>,
    ) -> Response {
        let body = match body {
            Ok(body) => body,
            Err(bad) => return *denied(bad),
        };
        match self.hooks.call(&Capability::given(capability), headers, &body).await {
            Answer::Accepted => {
                (self.counts.hooks)();
                answer::empty(StatusCode::OK)
            }
            Answer::Gone => answer::words(StatusCode::NOT_FOUND),
            Answer::TooMany => answer::words(StatusCode::TOO_MANY_REQUESTS),
            Answer::Bad(bad) => *denied(bad),
            Answer::Empty => answer::words(StatusCode::BAD_REQUEST),
            Answer::TryLater => answer::words(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    async fn back_end(
        &self,
        call: Call,
        query: &str,
        headers: &HeaderMap,
        body: Result<Bytes, BadBody>,
    ) -> Result<Response, Denied> {
        let body = body.map_err(denied)?;
        let message = body::message(headers, &body).map_err(denied)?;
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !access.admits(headers) {
            return Err(Box::new(answer::empty(StatusCode::UNAUTHORIZED)));
        }
        match call {
            Call::Register(user) => self.register(&pair(&user, query)?).await,
            Call::Unregister(user) => self.unregister(&pair(&user, query)?).await,
            Call::Push(user) => self.push(name(&user)?, message).await,
            Call::MakeHook(user) => self.make_hook(name(&user)?, &body).await,
            Call::ListHooks(user) => self.list_hooks(&name(&user)?).await,
            Call::RevokeHook(user, id) => {
                let (user, id) = (name(&user)?, parameter(&id).ok_or_else(bad_request)?);
                let revoked = self.hooks.revoke(&Target::User(user), &id).await.map_err(refused)?;
                Ok(found(revoked))
            }
            // Answered before.
            Call::Ping | Call::Info | Call::Description | Call::Hook(_) => {
                Ok(answer::words(StatusCode::NOT_FOUND))
            }
        }
    }

    async fn register(&self, claim: &Claim) -> Result<Response, Denied> {
        self.book.register(claim).await.map_err(unwritten)?;
        Ok(answer::empty(StatusCode::OK))
    }

    async fn unregister(&self, claim: &Claim) -> Result<Response, Denied> {
        self.book.unregister(claim).await.map(found).map_err(unwritten)
    }

    async fn push(&self, user: String, message: Option<Value>) -> Result<Response, Denied> {
        let message = message.ok_or_else(bad_request)?;
        let id = self.book.post(&Target::User(user), &message).await.map_err(unwritten)?;
        (self.counts.pushes)();
        Ok(named(id))
    }

    async fn make_hook(&self, user: String, body: &[u8]) -> Result<Response, Denied> {
        let wish = match body {
            [] => Wish::default(),
            // A list could be read as one, too.
            body if !body.trim_ascii_start().starts_with(b"{") => return Err(bad_request()),
            body => serde_json::from_slice(body).map_err(|_| bad_request())?,
        };
        if wish.to.is_some() {
            // Which connection, a back end has to say.
            return Err(bad_request());
        }
        let to = match &wish.connection {
            None => Target::User(user),
            Some(connection) => {
                Target::Connection(Claim::new(user, connection).ok_or_else(bad_request)?)
            }
        };
        let made = self.hooks.make(to, &wish).await.map_err(refused)?;
        Ok(answer::private(StatusCode::CREATED, &made.json()))
    }

    async fn list_hooks(&self, user: &str) -> Result<Response, Denied> {
        let listed = self.hooks.list(user).await.map_err(refused)?;
        let hooks: Vec<_> = listed.iter().map(|hook| hook.json()).collect();
        Ok(answer::private(StatusCode::OK, &hooks.into()))
    }
}

fn named(id: MessageId) -> Response {
    let mut answer = answer::empty(StatusCode::OK);
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        answer.headers_mut().insert(MESSAGE_ID, id);
    }
    answer
}

fn found(found: bool) -> Response {
    match found {
        true => answer::empty(StatusCode::OK),
        false => answer::words(StatusCode::NOT_FOUND),
    }
}

fn name(user: &str) -> Result<String, Denied> {
    parameter(user).filter(|user| is_name(user)).ok_or_else(bad_request)
}

fn pair(user: &str, query: &str) -> Result<Claim, Denied> {
    let connection = query::single(query, "connectionId").ok_or_else(bad_request)?;
    Claim::new(name(user)?, connection).ok_or_else(bad_request)
}

fn bad_request() -> Denied {
    Box::new(answer::words(StatusCode::BAD_REQUEST))
}

fn denied(bad: BadBody) -> Denied {
    Box::new(answer::words(match bad {
        BadBody::Malformed => StatusCode::BAD_REQUEST,
        BadBody::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BadBody::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }))
}

fn unwritten(error: BookError) -> Denied {
    refused(HookError::from(error))
}

fn refused(error: HookError) -> Denied {
    Box::new(answer::words(match error {
        HookError::Malformed => StatusCode::BAD_REQUEST,
        HookError::Full => StatusCode::TOO_MANY_REQUESTS,
        HookError::TryLater => StatusCode::SERVICE_UNAVAILABLE,
    }))
}
