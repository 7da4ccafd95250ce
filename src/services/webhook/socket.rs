//! Plain WebSocket clients: `/ws/{user}?connectionId=…&since=…`, or `/ws` with the pair as the
//! first message.

use super::{
    admission::{AdmissionError, ClientAdmission},
    dialect,
    message_id::MessageId,
    registration_key::RegistrationKey,
    rest,
};
use crate::{
    lifecycle::TaskGroup,
    server::{ClientStream, UpgradedClient, WebSocketHandshake, handshake},
    websocket::{DecodedItem, DecoderRules, FrameDecoder, frame::Frame},
};
use bytes::{Bytes, BytesMut};
use http::HeaderName;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use warp::{Filter, filters::BoxedFilter, path::Tail, reply::Response};

/// Time limit for a client's first message.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(15);
/// Time limit for a refused client to read the reason.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Read buffer for the first message, in bytes.
const BUFFER: usize = 4096;

/// The pair of a client, and its last message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WebSocketRegistration {
    claim: RegistrationKey,
    since: Option<MessageId>,
}

/// `{"register":{"userId":"…","connectionId":"…","since":"…"}}`.
#[derive(Deserialize)]
struct RegisterMessage {
    register: RegisterFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterFields {
    user_id: String,
    connection_id: String,
    since: Option<String>,
}

/// The route; `names` are the headers with the forwarded chain.
pub fn routes(
    admission: ClientAdmission,
    tasks: TaskGroup,
    names: Arc<[HeaderName]>,
) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("ws")
        .and(warp::path::tail())
        .and(query)
        .and(handshake())
        .map(move |tail: Tail, query: String, handshake: WebSocketHandshake| {
            let (admission, registration) = (admission.clone(), from_path(tail.as_str(), &query));
            handshake.accept(&tasks, &names, move |client| serve(admission, registration, client))
        })
        .boxed()
}

/// Some if the path names a user; then the pair must be valid.
fn from_path(path: &str, query: &str) -> Option<Result<WebSocketRegistration, AdmissionError>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return None;
    }
    let user = Some(path).filter(|path| !path.contains('/')).and_then(rest::parameter);
    let connection = rest::single(query, "connectionId");
    let since = rest::single(query, "since");
    Some(match (user, connection) {
        (Some(user), Some(connection)) => parse_registration(user, connection, since),
        _ => Err(AdmissionError::Malformed),
    })
}

fn parse_registration(
    user: String,
    connection: String,
    since: Option<String>,
) -> Result<WebSocketRegistration, AdmissionError> {
    let claim = RegistrationKey::new(user, connection).ok_or(AdmissionError::Malformed)?;
    let since = since.map(|id| id.parse()).transpose().map_err(|_| AdmissionError::Malformed)?;
    Ok(WebSocketRegistration { claim, since })
}

async fn serve(
    admission: ClientAdmission,
    registration: Option<Result<WebSocketRegistration, AdmissionError>>,
    client: UpgradedClient,
) {
    let UpgradedClient { mut stream, leftover, peer, pre_auth_connection } = client;
    let (registration, leftover) = match registration {
        Some(registration) => (registration, leftover),
        None => match timeout(REGISTER_TIMEOUT, first_message(&mut stream, &leftover)).await {
            Ok(Some((text, rest))) => (read(&text), rest),
            Ok(None) => return,
            Err(_) => (Err(AdmissionError::Malformed), Bytes::new()),
        },
    };
    let admitted = match registration {
        Ok(parse_registration) => {
            let WebSocketRegistration { claim, since } = parse_registration;
            admission
                .admit(claim, &peer, Some(&pre_auth_connection))
                .await
                .map(|admitted| (admitted, since))
        }
        Err(refused) => Err(refused),
    };
    match admitted {
        Ok((admitted, since)) => {
            let greeting = Some(dialect::registered());
            if let Err(refused) = admission.join(admitted, stream, leftover, since, greeting).await
            {
                tracing::debug!(why = refused.name(), "client dropped");
            }
        }
        Err(refused) => {
            if timeout(CLOSE_TIMEOUT, reject(&mut stream, refused)).await.is_err() {
                stream.abort();
            }
        }
    }
    drop(pre_auth_connection);
}

fn read(text: &str) -> Result<WebSocketRegistration, AdmissionError> {
    let RegisterMessage { register } =
        serde_json::from_str(text).map_err(|_| AdmissionError::Malformed)?;
    parse_registration(register.user_id, register.connection_id, register.since)
}

/// The first text and the bytes after it. None if the client disconnects or violates the protocol.
async fn first_message(stream: &mut ClientStream, leftover: &[u8]) -> Option<(String, Bytes)> {
    let (mut decoder, mut buffer) = (FrameDecoder::default(), BytesMut::from(leftover));
    loop {
        let mut bytes = buffer.split();
        let (mut pongs, mut first) = (Vec::new(), None);
        let mut items = decoder.feed(DecoderRules::FROM_CLIENT, &mut bytes);
        while let Some(item) = items.next() {
            match item {
                Ok(DecodedItem::Text(text)) => {
                    let text = text.to_owned();
                    first = Some((text, Bytes::copy_from_slice(items.rest())));
                    break;
                }
                Ok(DecodedItem::Ping(payload)) => pongs.push(Frame::pong(payload)),
                Ok(DecodedItem::Pong(_)) => {}
                Ok(DecodedItem::Binary(_) | DecodedItem::Close(_)) | Err(_) => return None,
            }
        }
        drop(items);
        for pong in pongs {
            stream.write_all(pong.bytes()).await.ok()?;
        }
        if first.is_some() {
            return first;
        }
        buffer.reserve(BUFFER);
        if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return None;
        }
    }
}

/// Sends the reason, then waits until the client has read it: closing a socket with unread data
/// discards what was sent last.
async fn reject(stream: &mut ClientStream, refused: AdmissionError) {
    for frame in [dialect::refused(refused), Frame::close(refused.code(), refused.name())] {
        if stream.write_all(frame.bytes()).await.is_err() {
            return;
        }
    }
    let mut ignored = [0; 256];
    let shut = stream.shutdown().await;
    while shut.is_ok() && matches!(stream.read(&mut ignored).await, Ok(1..)) {}
}

#[cfg(test)]
mod tests {
    use super::{
        AdmissionError, MessageId, RegistrationKey, WebSocketRegistration, from_path, read,
    };

    fn alice(since: Option<u64>) -> Result<WebSocketRegistration, AdmissionError> {
        let claim = RegistrationKey::new("alice", "c 1").unwrap();
        Ok(WebSocketRegistration { claim, since: since.map(MessageId) })
    }

    #[test]
    fn a_path_needs_both_names() {
        assert_eq!(from_path("", "connectionId=c"), None);
        for (path, query, expected) in [
            ("alice", "connectionId=c%201", alice(None)),
            ("alice/", "since=7&connectionId=c+1", alice(Some(7))),
            ("alice", "", Err(AdmissionError::Malformed)),
            ("alice", "connectionId=c&since=x", Err(AdmissionError::Malformed)),
            ("alice/x", "connectionId=c", Err(AdmissionError::Malformed)),
            ("%ff", "connectionId=c", Err(AdmissionError::Malformed)),
        ] {
            assert_eq!(from_path(path, query), Some(expected), "{path} {query}");
        }
    }

    #[test]
    fn a_first_message_needs_both_names() {
        let pair = r#""userId":"alice","connectionId":"c 1""#;
        assert_eq!(read(&format!(r#"{{"register":{{{pair}}}}}"#)), alice(None));
        assert_eq!(read(&format!(r#"{{"register":{{{pair},"since":"7"}}}}"#)), alice(Some(7)));
        for text in [
            "",
            "{}",
            r#"{"register":{}}"#,
            r#"{"register":{"userId":"a"}}"#,
            r#"{"register":{"userId":1,"connectionId":2}}"#,
            r#"{"register":{"userId":"a","connectionId":""}}"#,
            r#"{"register":{"userId":"a","connectionId":"c","since":"-1"}}"#,
        ] {
            assert_eq!(read(text), Err(AdmissionError::Malformed), "{text}");
        }
    }
}
