//! Nextcloud's Redis channels and their payloads: `specs/nextcloud.md` section 2.

use crate::{
    client::SourceMessage,
    config::secret::Secret,
    push::{
        notice::{ChangedIds, Notice, TopicId},
        recipient::Recipient,
        session::CloseReason,
    },
    services::nextcloud::event::{NextcloudEvent, StoragePath},
    websocket::frame::Frame,
};
use serde::Deserialize;
use std::borrow::Cow;

/// The topic of file changes.
pub const FILE: TopicId = TopicId(0);
/// The topic of activities.
pub const ACTIVITY: TopicId = TopicId(1);
/// The topic of notifications.
pub const NOTIFICATION: TopicId = TopicId(2);

/// Larger payloads are dropped with a warning: Nextcloud publishes a few hundred bytes, and a custom
/// message is sent to every client of its user.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

const STORAGE_UPDATE: &str = "notify_storage_update";
const GROUP_MEMBERSHIP: &str = "notify_group_membership_update";
const SHARE_CREATED: &str = "notify_user_share_created";
const ACTIVITY_CHANNEL: &str = "notify_activity";
const NOTIFICATION_CHANNEL: &str = "notify_notification";
const PRE_AUTH: &str = "notify_pre_auth";
const CUSTOM: &str = "notify_custom";
const TEST_COOKIE: &str = "notify_test_cookie";
const CONFIG: &str = "notify_config";
const QUERY: &str = "notify_query";
const SIGNAL: &str = "notify_signal";

/// All channels to subscribe to.
pub const CHANNELS: &[&str] = &[
    STORAGE_UPDATE,
    GROUP_MEMBERSHIP,
    SHARE_CREATED,
    ACTIVITY_CHANNEL,
    NOTIFICATION_CHANNEL,
    PRE_AUTH,
    CUSTOM,
    TEST_COOKIE,
    CONFIG,
    QUERY,
    SIGNAL,
];

/// Begins the recipients that stand for sessions without a user (`specs/nextcloud.md` section 10). No
/// user id begins so: [`decode`] refuses it.
const ANONYMOUS: char = '\u{2}';

/// The recipient that stands for a session without a user.
fn anonymous(session: &str) -> Recipient {
    Recipient::from(format!("{ANONYMOUS}{session}"))
}

/// Whether a recipient stands for a session without a user.
pub fn is_anonymous(recipient: &Recipient) -> bool {
    recipient.starts_with(ANONYMOUS)
}

/// What the daemon itself has to do about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextcloudCommand {
    /// A one-time ticket for this user, or for a session without a user.
    Ticket(Recipient, Secret),
    /// Remember this number for `/test/cookie`.
    Cookie(u64),
    /// Set this log filter.
    SetLog(String),
    /// Go back to the configured log filter.
    RestoreLog,
    /// Write the metrics to Redis.
    ReportMetrics,
}

/// A message that is counted and ignored, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UndecodableMessage(pub &'static str);

/// Decodes a message.
///
/// # Errors
/// [`UndecodableMessage`] for an unknown channel or a payload that the channel doesn't carry; it names
/// the problem, but nothing of the message itself.
pub fn decode(message: &SourceMessage) -> Result<NextcloudEvent, UndecodableMessage> {
    let payload = &message.payload[..];
    if payload.len() > MAX_PAYLOAD {
        return Err(UndecodableMessage(
            "larger than 1 MiB; send clients a reference to the data instead",
        ));
    }
    match message.channel {
        STORAGE_UPDATE => storage_update(payload),
        GROUP_MEMBERSHIP | SHARE_CREATED => notify_user(payload, FILE),
        ACTIVITY_CHANNEL => notify_user(payload, ACTIVITY),
        NOTIFICATION_CHANNEL => notify_user(payload, NOTIFICATION),
        PRE_AUTH => ticket(payload),
        CUSTOM => custom(payload),
        TEST_COOKIE => Ok(NextcloudEvent::Command(NextcloudCommand::Cookie(parse(payload)?))),
        CONFIG => config(payload),
        QUERY => query(payload),
        SIGNAL => signal(payload),
        _ => Err(UndecodableMessage("unknown channel")),
    }
}

#[derive(Deserialize)]
struct StorageUpdatePayload<'a> {
    storage: i64,
    #[serde(borrow)]
    path: Cow<'a, str>,
    file_id: Option<i64>,
}

fn storage_update(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    let StorageUpdatePayload { storage, path, file_id } = parse(payload)?;
    let ids = file_id.map_or(ChangedIds::Unknown, ChangedIds::one);
    Ok(NextcloudEvent::StorageChanged(StoragePath { storage, path: path.into() }, ids))
}

#[derive(Deserialize)]
struct UserPayload<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
}

fn notify_user(payload: &[u8], topic: TopicId) -> Result<NextcloudEvent, UndecodableMessage> {
    let UserPayload { user } = parse(payload)?;
    let notice = Notice::Change { topic, ids: ChangedIds::Unknown };
    Ok(NextcloudEvent::Notify(user_recipient(user)?, notice))
}

/// The one of two fields that names the recipient of a ticket or a custom message.
/// Text that isn't copied where the JSON has it without escapes. Serde copies an `Option<Cow<str>>`.
#[derive(Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

fn user_or_session(
    user: Option<BorrowedText<'_>>,
    session: Option<BorrowedText<'_>>,
) -> Result<Recipient, UndecodableMessage> {
    match (user, session) {
        (Some(BorrowedText(user)), None) => user_recipient(user),
        (None, Some(BorrowedText(session))) if !session.is_empty() => Ok(anonymous(&session)),
        _ => Err(UndecodableMessage("not exactly one of user and session")),
    }
}

fn user_recipient(user: Cow<'_, str>) -> Result<Recipient, UndecodableMessage> {
    let recipient = Recipient::new(user);
    if is_anonymous(&recipient) {
        return Err(UndecodableMessage("a user id that Nextcloud doesn't have"));
    }
    Ok(recipient)
}

#[derive(Deserialize)]
struct TicketPayload<'a> {
    #[serde(borrow)]
    user: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    session: Option<BorrowedText<'a>>,
    token: String,
}

fn ticket(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    let TicketPayload { user, session, token } = parse(payload)?;
    let recipient = user_or_session(user, session)?;
    if recipient.is_empty() || token.is_empty() {
        return Err(UndecodableMessage("a ticket without a user or a token"));
    }
    Ok(NextcloudEvent::Command(NextcloudCommand::Ticket(recipient, Secret::new(token))))
}

#[derive(Deserialize)]
struct CustomPayload<'a> {
    #[serde(borrow)]
    user: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    session: Option<BorrowedText<'a>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    body: Option<serde_json::Value>,
}

/// Makes `name` or `name <compact json>`; clients parse what follows the first blank as JSON.
fn custom(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    let CustomPayload { user, session, message, body } = parse(payload)?;
    let recipient = user_or_session(user, session)?;
    let frame = match body {
        None => Frame::text(&message),
        Some(body) => Frame::text(&format!("{message} {body}")),
    };
    Ok(NextcloudEvent::Notify(recipient, Notice::Opaque(frame)))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConfigPayload {
    LogSpec(String),
    LogRestore,
}

fn config(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    Ok(NextcloudEvent::Command(match parse(payload)? {
        ConfigPayload::LogSpec(filter) => NextcloudCommand::SetLog(filter),
        ConfigPayload::LogRestore => NextcloudCommand::RestoreLog,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum QueryPayload {
    Metrics,
}

fn query(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    let QueryPayload::Metrics = parse(payload)?;
    Ok(NextcloudEvent::Command(NextcloudCommand::ReportMetrics))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignalPayload {
    Reset,
    Revoke(String),
}

fn signal(payload: &[u8]) -> Result<NextcloudEvent, UndecodableMessage> {
    Ok(match parse(payload)? {
        SignalPayload::Reset => NextcloudEvent::Disconnect(None, CloseReason::Reset),
        SignalPayload::Revoke(user) => {
            NextcloudEvent::Disconnect(Some(user.into()), CloseReason::Revoked)
        }
    })
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, UndecodableMessage> {
    serde_json::from_slice(payload)
        .map_err(|_| UndecodableMessage("not the JSON this channel carries"))
}

#[cfg(test)]
mod tests {
    use super::{ACTIVITY, CHANNELS, FILE, NOTIFICATION, NextcloudCommand, decode, is_anonymous};
    use crate::{
        client::SourceMessage,
        push::{
            notice::{ChangedIds, Notice, TopicId},
            session::CloseReason,
        },
        services::nextcloud::event::{NextcloudEvent, StoragePath},
        websocket::frame::Frame,
    };
    use bytes::Bytes;
    use proptest::prelude::*;

    fn read(channel: &'static str, payload: &str) -> Option<NextcloudEvent> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        decode(&SourceMessage { channel, payload }).ok()
    }

    fn user_event(user: &str, topic: TopicId) -> Option<NextcloudEvent> {
        let notice = Notice::Change { topic, ids: ChangedIds::Unknown };
        Some(NextcloudEvent::Notify(user.into(), notice))
    }

    #[test]
    fn a_storage_update_with_escaped_slashes_and_64_bit_ids() {
        let payload = r#"{"storage":9007199254740993,"path":"files\/a\/b.txt","file_id":4611686018427387905}"#;
        let place = StoragePath { storage: 9_007_199_254_740_993, path: "files/a/b.txt".into() };
        let event =
            NextcloudEvent::StorageChanged(place, ChangedIds::one(4_611_686_018_427_387_905));
        assert_eq!(read("notify_storage_update", payload), Some(event));
    }

    #[test]
    fn events_of_one_user_notify_that_user() {
        let user = r#"{"user":"bob"}"#;
        let group = r#"{"user":"bob","group":"staff"}"#;
        assert_eq!(read("notify_user_share_created", user), user_event("bob", FILE));
        assert_eq!(read("notify_group_membership_update", group), user_event("bob", FILE));
        assert_eq!(read("notify_activity", user), user_event("bob", ACTIVITY));
        assert_eq!(read("notify_notification", user), user_event("bob", NOTIFICATION));
    }

    #[test]
    fn custom_messages_with_and_without_a_body() {
        let text = |payload| match read("notify_custom", payload) {
            Some(NextcloudEvent::Notify(_, Notice::Opaque(frame))) => frame,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(r#"{"user":"bob","message":"my_type"}"#), Frame::text("my_type"));
        let body = r#"{"user":"bob","message":"text_steps","body":{"z": 1, "a":["x\/y", null]}}"#;
        assert_eq!(text(body), Frame::text(r#"text_steps {"z":1,"a":["x/y",null]}"#));
        assert_eq!(text(r#"{"user":"b","message":"n","body":0}"#), Frame::text("n 0"));
    }

    #[test]
    fn sessions_without_a_user_have_a_namespace_of_their_own() {
        let recipient = |payload| match read("notify_custom", payload) {
            Some(NextcloudEvent::Notify(recipient, Notice::Opaque(_))) => Some(recipient),
            _ => None,
        };
        let user = recipient(r#"{"user":"myapp:x1","message":"m"}"#).unwrap();
        let session = recipient(r#"{"session":"myapp:x1","message":"m"}"#).unwrap();
        assert_ne!(user, session);
        assert!(is_anonymous(&session) && !is_anonymous(&user));
        let ticket = read("notify_pre_auth", r#"{"session":"myapp:x1","token":"t"}"#);
        let command = NextcloudCommand::Ticket(session, "t".into());
        assert_eq!(ticket, Some(NextcloudEvent::Command(command)));
    }

    #[test]
    fn a_payload_names_a_user_or_a_session_but_not_both() {
        let more = r#""message":"m","token":"t""#;
        for who in [
            r#""user":"a","session":"b","#,
            "",
            r#""session":"","#,
            r#""user":"\u0002myapp:x1","#,
            r#""user":null,"session":null,"#,
            r#""session":7,"#,
        ] {
            let payload = format!("{{{who}{more}}}");
            for channel in ["notify_custom", "notify_pre_auth"] {
                assert_eq!(read(channel, &payload), None, "{channel} {payload}");
            }
        }
        for channel in ["notify_activity", "notify_notification", "notify_user_share_created"] {
            assert_eq!(read(channel, r#"{"session":"myapp:x1"}"#), None);
            assert_eq!(read(channel, r#"{"user":"\u0002myapp:x1"}"#), None);
        }
    }

    #[test]
    fn a_ticket_keeps_its_plus_and_slash_and_hides_in_debug() {
        let event = read("notify_pre_auth", r#"{"user":"alice","token":"MId7\/2u+x"}"#).unwrap();
        assert_eq!(
            event,
            NextcloudEvent::Command(NextcloudCommand::Ticket("alice".into(), "MId7/2u+x".into()))
        );
        assert!(!format!("{event:?}").contains("MId7"));
    }

    #[test]
    fn commands_are_decoded() {
        let command = |channel, payload| match read(channel, payload) {
            Some(NextcloudEvent::Command(command)) => command,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            command("notify_test_cookie", "119367958"),
            NextcloudCommand::Cookie(119_367_958)
        );
        let spec = r#"{"log_spec":"notify_push=debug"}"#;
        assert_eq!(
            command("notify_config", spec),
            NextcloudCommand::SetLog("notify_push=debug".into())
        );
        assert_eq!(command("notify_config", "\"log_restore\""), NextcloudCommand::RestoreLog);
        assert_eq!(command("notify_query", "\"metrics\""), NextcloudCommand::ReportMetrics);
    }

    #[test]
    fn signals_close_sessions() {
        let all = NextcloudEvent::Disconnect(None, CloseReason::Reset);
        let one = NextcloudEvent::Disconnect(Some("bob".into()), CloseReason::Revoked);
        assert_eq!(read("notify_signal", "\"reset\""), Some(all));
        assert_eq!(read("notify_signal", r#"{"revoke":"bob"}"#), Some(one));
    }

    #[test]
    fn garbage_is_malformed_on_every_channel() {
        for channel in CHANNELS {
            for payload in ["", "{", "null", "[]", "\"x\"", "{\"user\":7}", "\u{0}", "-"] {
                assert_eq!(read(channel, payload), None, "{channel} {payload}");
            }
        }
        assert_eq!(read("notify_activity", &" ".repeat(2_000_000)), None);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(channel in 0..CHANNELS.len(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&SourceMessage { channel: CHANNELS[channel], payload: payload.into() });
        }
    }
}
