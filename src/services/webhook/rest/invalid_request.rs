//! What is wrong with a request that is answered 400.

use crate::services::webhook::body;
use http::HeaderMap;

/// The reason of a 400, for the author of a back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The user in the path.
    #[error("the user id in the path must have 1 to 256 bytes in percent-encoded UTF-8")]
    User,
    /// The connection id in the query or body.
    #[error("connectionId is needed exactly once, with 1 to 256 bytes")]
    Connection,
    /// The syntax of the body.
    #[error("the body is not a complete JSON object or array, or is not valid JSON")]
    Body,
    /// The content type of the body.
    #[error(
        "send the message with the Content-Type application/json or \
         application/x-www-form-urlencoded"
    )]
    ContentType,
    /// The message of the body.
    #[error("the body needs a message other than null, false, 0 and an empty string")]
    Message,
    /// The body of a request for a hook.
    #[error(
        "the body must be a JSON object with no other fields than connection, seconds and signed"
    )]
    HookBody,
    /// The field `to` of a request for a hook.
    #[error("use connection instead of to; without it the hook reaches all of the user's clients")]
    HookScope,
    /// The lifetime of a hook.
    #[error("seconds must be at least 1 and at most MAX_HOOK_TIME")]
    HookLifetime,
    /// The hook's id in the path.
    #[error("the hook's id in the path is badly encoded")]
    HookId,
}

impl InvalidRequest {
    /// Why a body has no message.
    pub fn of_message(headers: &HeaderMap) -> Self {
        if body::has_known_type(headers) { Self::Message } else { Self::ContentType }
    }
}
