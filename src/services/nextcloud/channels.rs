//! Nextcloud's Redis channels and what their payloads mean: `specs/nextcloud.md` section 2.

use crate::{
    client::SourceMessage,
    config::secret::Secret,
    push::{
        notice::{ChangedIds, Notice, TopicId},
        recipient::Recipient,
        session::CloseReason,
    },
    services::nextcloud::{
        event::{AccessChange, NoticeTarget, ServiceEvent, StoragePath},
        message_handler::UndecodableMessage,
    },
    websocket::frame::Frame,
};
use serde::Deserialize;
use std::borrow::Cow;

/// File changes.
pub const FILE: TopicId = TopicId(0);
/// Activities.
pub const ACTIVITY: TopicId = TopicId(1);
/// Notifications.
pub const NOTIFICATION: TopicId = TopicId(2);

/// Larger payloads are not read: what Nextcloud publishes is a few hundred bytes, and a custom
/// message goes to every client of its user.
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

/// All of them, to subscribe to.
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

/// What only the Nextcloud host can carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextcloudCommand {
    /// A one-time ticket for this user.
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

/// Understands a message.
///
/// # Errors
/// [`UndecodableMessage`] for an unknown channel or a payload that is not what the channel carries.
pub fn decode(
    message: &SourceMessage,
) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let payload = &message.payload[..];
    if payload.len() > MAX_PAYLOAD {
        return Err(UndecodableMessage("more than a megabyte"));
    }
    match message.channel {
        STORAGE_UPDATE => storage_update(payload),
        GROUP_MEMBERSHIP | SHARE_CREATED => notify_user(payload, FILE, AccessChange::Changed),
        ACTIVITY_CHANNEL => notify_user(payload, ACTIVITY, AccessChange::Same),
        NOTIFICATION_CHANNEL => notify_user(payload, NOTIFICATION, AccessChange::Possible),
        PRE_AUTH => ticket(payload),
        CUSTOM => custom(payload),
        TEST_COOKIE => Ok(ServiceEvent::Order(NextcloudCommand::Cookie(parse(payload)?))),
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

fn storage_update(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let StorageUpdatePayload { storage, path, file_id } = parse(payload)?;
    let ids = file_id.map_or(ChangedIds::Unknown, ChangedIds::one);
    Ok(ServiceEvent::Changed(StoragePath { storage, path: path.into() }, ids))
}

#[derive(Deserialize)]
struct UserPayload<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
}

fn notify_user(
    payload: &[u8],
    topic: TopicId,
    access: AccessChange,
) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let UserPayload { user } = parse(payload)?;
    let notice = Notice::Change { topic, ids: ChangedIds::Unknown };
    Ok(ServiceEvent::Notify { to: NoticeTarget::One(Recipient::new(user)), notice, access })
}

#[derive(Deserialize)]
struct TicketPayload<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    token: String,
}

fn ticket(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let TicketPayload { user, token } = parse(payload)?;
    if user.is_empty() || token.is_empty() {
        return Err(UndecodableMessage("a ticket without a user or without a token"));
    }
    Ok(ServiceEvent::Order(NextcloudCommand::Ticket(Recipient::new(user), Secret::new(token))))
}

#[derive(Deserialize)]
struct CustomPayload<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    body: Option<serde_json::Value>,
}

/// Sent as `name` or `name <compact json>`; clients take what follows the first blank for JSON.
fn custom(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let CustomPayload { user, message, body } = parse(payload)?;
    let frame = match body {
        None => Frame::text(&message),
        Some(body) => Frame::text(&format!("{message} {body}")),
    };
    let to = NoticeTarget::One(Recipient::new(user));
    Ok(ServiceEvent::Notify { to, notice: Notice::Opaque(frame), access: AccessChange::Same })
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConfigPayload {
    LogSpec(String),
    LogRestore,
}

fn config(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    Ok(ServiceEvent::Order(match parse(payload)? {
        ConfigPayload::LogSpec(filter) => NextcloudCommand::SetLog(filter),
        ConfigPayload::LogRestore => NextcloudCommand::RestoreLog,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum QueryPayload {
    Metrics,
}

fn query(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    let QueryPayload::Metrics = parse(payload)?;
    Ok(ServiceEvent::Order(NextcloudCommand::ReportMetrics))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignalPayload {
    Reset,
    Revoke(String),
}

fn signal(payload: &[u8]) -> Result<ServiceEvent<NextcloudCommand>, UndecodableMessage> {
    Ok(match parse(payload)? {
        SignalPayload::Reset => ServiceEvent::Disconnect(None, CloseReason::Reset),
        SignalPayload::Revoke(user) => {
            ServiceEvent::Disconnect(Some(user.into()), CloseReason::Revoked)
        }
    })
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, UndecodableMessage> {
    serde_json::from_slice(payload)
        .map_err(|_| UndecodableMessage("not the JSON this channel carries"))
}

#[cfg(test)]
mod tests {
    use super::{ACTIVITY, CHANNELS, FILE, NOTIFICATION, NextcloudCommand, decode};
    use crate::{
        client::SourceMessage,
        push::{
            notice::{ChangedIds, Notice, TopicId},
            session::CloseReason,
        },
        services::nextcloud::event::{AccessChange, NoticeTarget, ServiceEvent, StoragePath},
        websocket::frame::Frame,
    };
    use bytes::Bytes;
    use proptest::prelude::*;

    fn read(channel: &'static str, payload: &str) -> Option<ServiceEvent<NextcloudCommand>> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        decode(&SourceMessage { channel, payload }).ok()
    }

    fn user_event(
        user: &str,
        topic: TopicId,
        access: AccessChange,
    ) -> Option<ServiceEvent<NextcloudCommand>> {
        let notice = Notice::Change { topic, ids: ChangedIds::Unknown };
        Some(ServiceEvent::Notify { to: NoticeTarget::One(user.into()), notice, access })
    }

    #[test]
    fn a_storage_update_with_escaped_slashes_and_64_bit_ids() {
        let payload = r#"{"storage":9007199254740993,"path":"files\/a\/b.txt","file_id":4611686018427387905}"#;
        let place = StoragePath { storage: 9_007_199_254_740_993, path: "files/a/b.txt".into() };
        let event = ServiceEvent::Changed(place, ChangedIds::one(4_611_686_018_427_387_905));
        assert_eq!(read("notify_storage_update", payload), Some(event));
    }

    #[test]
    fn what_concerns_one_user() {
        let user = r#"{"user":"bob"}"#;
        let group = r#"{"user":"bob","group":"staff"}"#;
        assert_eq!(
            read("notify_user_share_created", user),
            user_event("bob", FILE, AccessChange::Changed)
        );
        assert_eq!(
            read("notify_group_membership_update", group),
            user_event("bob", FILE, AccessChange::Changed)
        );
        assert_eq!(read("notify_activity", user), user_event("bob", ACTIVITY, AccessChange::Same));
        assert_eq!(
            read("notify_notification", user),
            user_event("bob", NOTIFICATION, AccessChange::Possible)
        );
    }

    #[test]
    fn custom_messages_with_and_without_a_body() {
        let text = |payload| match read("notify_custom", payload) {
            Some(ServiceEvent::Notify { notice: Notice::Opaque(frame), .. }) => frame,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(r#"{"user":"bob","message":"my_type"}"#), Frame::text("my_type"));
        let body = r#"{"user":"bob","message":"text_steps","body":{"z": 1, "a":["x\/y", null]}}"#;
        assert_eq!(text(body), Frame::text(r#"text_steps {"z":1,"a":["x/y",null]}"#));
        assert_eq!(text(r#"{"user":"b","message":"n","body":0}"#), Frame::text("n 0"));
    }

    #[test]
    fn a_ticket_keeps_its_plus_and_slash_and_hides_in_debug() {
        let event = read("notify_pre_auth", r#"{"user":"alice","token":"MId7\/2u+x"}"#).unwrap();
        assert_eq!(
            event,
            ServiceEvent::Order(NextcloudCommand::Ticket("alice".into(), "MId7/2u+x".into()))
        );
        assert!(!format!("{event:?}").contains("MId7"));
    }

    #[test]
    fn orders() {
        let order = |channel, payload| match read(channel, payload) {
            Some(ServiceEvent::Order(order)) => order,
            other => panic!("{other:?}"),
        };
        assert_eq!(order("notify_test_cookie", "119367958"), NextcloudCommand::Cookie(119_367_958));
        let spec = r#"{"log_spec":"notify_push=debug"}"#;
        assert_eq!(
            order("notify_config", spec),
            NextcloudCommand::SetLog("notify_push=debug".into())
        );
        assert_eq!(order("notify_config", "\"log_restore\""), NextcloudCommand::RestoreLog);
        assert_eq!(order("notify_query", "\"metrics\""), NextcloudCommand::ReportMetrics);
    }

    #[test]
    fn signals() {
        let all = ServiceEvent::Disconnect(None, CloseReason::Reset);
        let one = ServiceEvent::Disconnect(Some("bob".into()), CloseReason::Revoked);
        assert_eq!(read("notify_signal", "\"reset\""), Some(all));
        assert_eq!(read("notify_signal", r#"{"revoke":"bob"}"#), Some(one));
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for channel in CHANNELS {
            for payload in ["", "{", "null", "[]", "\"x\"", "{\"user\":7}", "\u{0}", "-"] {
                assert_eq!(read(channel, payload), None, "{channel} {payload}");
            }
        }
        assert_eq!(read("notify_activity", &" ".repeat(2_000_000)), None);
    }

    proptest! {
        #[test]
        fn garbage_is_survived(channel in 0..CHANNELS.len(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&SourceMessage { channel: CHANNELS[channel], payload: payload.into() });
        }
    }
}
