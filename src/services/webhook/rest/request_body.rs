//! Reads request bodies up to the size limit.

use crate::services::webhook::{
    body::{MAX_BODY, MessageBodyError},
    body_budget::{BodyAllowance, BodyBudget},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, header::CONTENT_LENGTH};
use std::pin::pin;

/// Up to this many bytes of a body that is too long are discarded, since closing the connection
/// while the client sends could lose the response.
const MAX_DISCARDED: usize = 1 << 20;

/// Reads a whole body, and returns it with its share of the budget, if it needs one.
///
/// # Errors
/// [`MessageBodyError::TooLarge`]; [`MessageBodyError::Malformed`] when it ends early;
/// [`MessageBodyError::Busy`] when the budget is used up.
pub async fn read<B: Buf>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
    budget: Option<&BodyBudget>,
) -> (Result<Bytes, MessageBodyError>, Option<BodyAllowance>) {
    let mut allowance = budget.map(BodyBudget::body);
    let body = collect(headers, body, allowance.as_mut()).await;
    (body, allowance)
}

async fn collect<B: Buf>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
    mut allowance: Option<&mut BodyAllowance>,
) -> Result<Bytes, MessageBodyError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok()).unwrap_or_default();
    let (mut body, mut read) = (pin!(body), BytesMut::new());
    let mut length = 0;
    while let Some(part) = body.next().await {
        let part = part.map_err(|_| MessageBodyError::Malformed)?;
        length += part.remaining();
        if length.max(announced) <= MAX_BODY {
            if !allowance.as_mut().is_none_or(|allowance| allowance.extend_to(length)) {
                return Err(MessageBodyError::Busy);
            }
            read.put(part);
        } else if length.max(announced) > MAX_DISCARDED {
            return Err(MessageBodyError::TooLarge);
        }
    }
    if length > MAX_BODY { Err(MessageBodyError::TooLarge) } else { Ok(read.freeze()) }
}
