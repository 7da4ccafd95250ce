//! Plain WebSockets: `/ws/{user}?connectionId=…&since=…`, or `/ws` and the pair as the first message.

use super::{
    claim::Claim,
    dialect,
    door::{Door, Refused},
    id::MessageId,
    rest,
};
use crate::{
    lifecycle::Tasks,
    server::{Client, ClientStream, Handshake, handshake},
    websocket::{Decoder, Item, Rules, frame::Frame},
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

/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one that is sent away may take to read why.
const LINGER: Duration = Duration::from_secs(2);
/// Read at once from a stranger.
const BUFFER: usize = 4096;

/// Who a client says to be, and what it had last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Introduction {
    claim: Claim,
    since: Option<MessageId>,
}

/// `{"register":{"userId":"…","connectionId":"…","since":"…"}}`.
#[derive(Deserialize)]
struct First {
    register: Register,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Register {
    user_id: String,
    connection_id: String,
    since: Option<String>,
}

/// The route; `names` are the headers that hold the forwarded chain.
pub fn routes(door: Door, tasks: Tasks, names: Arc<[HeaderName]>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("ws")
        .and(warp::path::tail())
        .and(query)
        .and(handshake())
        .map(move |tail: Tail, query: String, asked: Handshake| {
            let (door, introduced) = (door.clone(), in_the_path(tail.as_str(), &query));
            asked.accept(&tasks, &names, move |client| serve(door, introduced, client))
        })
        .boxed()
}

/// Some, if the path names a user; then it has to be right.
fn in_the_path(path: &str, query: &str) -> Option<Result<Introduction, Refused>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return None;
    }
    let user = Some(path).filter(|path| !path.contains('/')).and_then(rest::parameter);
    let connection = rest::single(query, "connectionId");
    let since = rest::single(query, "since");
    Some(match (user, connection) {
        (Some(user), Some(connection)) => introduction(user, connection, since),
        _ => Err(Refused::Malformed),
    })
}

fn introduction(
    user: String,
    connection: String,
    since: Option<String>,
) -> Result<Introduction, Refused> {
    let claim = Claim::new(user, connection).ok_or(Refused::Malformed)?;
    let since = since.map(|id| id.parse()).transpose().map_err(|_| Refused::Malformed)?;
    Ok(Introduction { claim, since })
}

async fn serve(door: Door, introduced: Option<Result<Introduction, Refused>>, client: Client) {
    let Client { mut stream, leftover, peer, stranger } = client;
    let (introduced, leftover) = match introduced {
        Some(introduced) => (introduced, leftover),
        None => match timeout(PATIENCE, first_message(&mut stream, &leftover)).await {
            Ok(Some((text, rest))) => (read(&text), rest),
            Ok(None) => return,
            Err(_) => (Err(Refused::Malformed), Bytes::new()),
        },
    };
    stranger.claims();
    let admitted = match introduced {
        Ok(introduction) => {
            let Introduction { claim, since } = introduction;
            door.admit(claim, &peer).await.map(|admitted| (admitted, since))
        }
        Err(refused) => Err(refused),
    };
    match admitted {
        Ok((admitted, since)) => {
            let welcome = Some(dialect::registered());
            if let Err(refused) = door.join(admitted, stream, leftover, since, welcome).await {
                tracing::debug!(why = refused.name(), "a client is dropped");
            }
        }
        Err(refused) => {
            if timeout(LINGER, send_away(&mut stream, refused)).await.is_err() {
                stream.abort();
            }
        }
    }
    drop(stranger);
}

fn read(text: &str) -> Result<Introduction, Refused> {
    let First { register } = serde_json::from_str(text).map_err(|_| Refused::Malformed)?;
    introduction(register.user_id, register.connection_id, register.since)
}

/// The first text, and what came behind it; none: the client has gone or speaks no WebSocket.
async fn first_message(stream: &mut ClientStream, leftover: &[u8]) -> Option<(String, Bytes)> {
    let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(leftover));
    loop {
        let mut bytes = buffer.split();
        let (mut pongs, mut first) = (Vec::new(), None);
        let mut items = decoder.feed(Rules::FROM_CLIENT, &mut bytes);
        while let Some(item) = items.next() {
            match item {
                Ok(Item::Text(text)) => {
                    let text = text.to_owned();
                    first = Some((text, Bytes::copy_from_slice(items.rest())));
                    break;
                }
                Ok(Item::Ping(payload)) => pongs.push(Frame::pong(payload)),
                Ok(Item::Pong(_)) => {}
                Ok(Item::Binary(_) | Item::Close(_)) | Err(_) => return None,
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

/// Says why, then waits for the client to read it: a socket closed with unread data in it takes back
/// what was sent last.
async fn send_away(stream: &mut ClientStream, refused: Refused) {
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
    use super::{Claim, Introduction, MessageId, Refused, in_the_path, read};

    fn alice(since: Option<u64>) -> Result<Introduction, Refused> {
        let claim = Claim::new("alice", "c 1").unwrap();
        Ok(Introduction { claim, since: since.map(MessageId) })
    }

    #[test]
    fn a_path_names_both_or_is_wrong() {
        assert_eq!(in_the_path("", "connectionId=c"), None);
        for (path, query, expected) in [
            ("alice", "connectionId=c%201", alice(None)),
            ("alice/", "since=7&connectionId=c+1", alice(Some(7))),
            ("alice", "", Err(Refused::Malformed)),
            ("alice", "connectionId=c&since=x", Err(Refused::Malformed)),
            ("alice/x", "connectionId=c", Err(Refused::Malformed)),
            ("%ff", "connectionId=c", Err(Refused::Malformed)),
        ] {
            assert_eq!(in_the_path(path, query), Some(expected), "{path} {query}");
        }
    }

    #[test]
    fn a_first_message_names_both_or_is_wrong() {
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
            assert_eq!(read(text), Err(Refused::Malformed), "{text}");
        }
    }
}
