//! Nextcloud's Redis channels and what their payloads mean: `specs/nextcloud.md` section 2.

use crate::{
    client::Message,
    config::secret::Secret,
    push::{
        notice::{Ids, Notice, Topic},
        recipient::Recipient,
        session::Close,
    },
    services::nextcloud::{
        decoder::Malformed,
        event::{Access, Event, Place, To},
    },
    websocket::frame::Frame,
};
use serde::Deserialize;
use std::borrow::Cow;

/// File changes.
pub const FILE: Topic = Topic(0);
/// Activities.
pub const ACTIVITY: Topic = Topic(1);
/// Notifications.
pub const NOTIFICATION: Topic = Topic(2);

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
pub enum Order {
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
/// [`Malformed`] for an unknown channel or a payload that is not what the channel carries.
pub fn decode(message: &Message) -> Result<Event<Order>, Malformed> {
    let payload = &message.payload[..];
    if payload.len() > MAX_PAYLOAD {
        return Err(Malformed("more than a megabyte"));
    }
    match message.channel {
        STORAGE_UPDATE => storage_update(payload),
        GROUP_MEMBERSHIP | SHARE_CREATED => tell(payload, FILE, Access::Changed),
        ACTIVITY_CHANNEL => tell(payload, ACTIVITY, Access::Same),
        NOTIFICATION_CHANNEL => tell(payload, NOTIFICATION, Access::Perhaps),
        PRE_AUTH => ticket(payload),
        CUSTOM => custom(payload),
        TEST_COOKIE => Ok(Event::Order(Order::Cookie(parse(payload)?))),
        CONFIG => config(payload),
        QUERY => query(payload),
        SIGNAL => signal(payload),
        _ => Err(Malformed("unknown channel")),
    }
}

#[derive(Deserialize)]
struct StorageUpdate<'a> {
    storage: i64,
    #[serde(borrow)]
    path: Cow<'a, str>,
    file_id: Option<i64>,
}

fn storage_update(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    let StorageUpdate { storage, path, file_id } = parse(payload)?;
    let ids = file_id.map_or(Ids::Unknown, Ids::one);
    Ok(Event::Changed(Place { storage, path: path.into() }, ids))
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
}

fn tell(payload: &[u8], topic: Topic, access: Access) -> Result<Event<Order>, Malformed> {
    let User { user } = parse(payload)?;
    let notice = Notice::Change { topic, ids: Ids::Unknown };
    Ok(Event::Tell { to: To::One(Recipient::new(user)), notice, access })
}

#[derive(Deserialize)]
struct PreAuth<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    token: String,
}

fn ticket(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    let PreAuth { user, token } = parse(payload)?;
    if user.is_empty() || token.is_empty() {
        return Err(Malformed("a ticket without a user or without a token"));
    }
    Ok(Event::Order(Order::Ticket(Recipient::new(user), Secret::new(token))))
}

#[derive(Deserialize)]
struct Custom<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    body: Option<serde_json::Value>,
}

/// Sent as `name` or `name <compact json>`; clients take what follows the first blank for JSON.
fn custom(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    let Custom { user, message, body } = parse(payload)?;
    let frame = match body {
        None => Frame::text(&message),
        Some(body) => Frame::text(&format!("{message} {body}")),
    };
    let to = To::One(Recipient::new(user));
    Ok(Event::Tell { to, notice: Notice::Opaque(frame), access: Access::Same })
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Config {
    LogSpec(String),
    LogRestore,
}

fn config(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    Ok(Event::Order(match parse(payload)? {
        Config::LogSpec(filter) => Order::SetLog(filter),
        Config::LogRestore => Order::RestoreLog,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Query {
    Metrics,
}

fn query(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    let Query::Metrics = parse(payload)?;
    Ok(Event::Order(Order::ReportMetrics))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Signal {
    Reset,
    Revoke(String),
}

fn signal(payload: &[u8]) -> Result<Event<Order>, Malformed> {
    Ok(match parse(payload)? {
        Signal::Reset => Event::Disconnect(None, Close::Reset),
        Signal::Revoke(user) => Event::Disconnect(Some(user.into()), Close::Revoked),
    })
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(payload).map_err(|_| Malformed("not the JSON this channel carries"))
}

#[cfg(test)]
mod tests {
    use super::{ACTIVITY, CHANNELS, FILE, NOTIFICATION, Order, decode};
    use crate::{
        client::Message,
        push::{
            notice::{Ids, Notice, Topic},
            session::Close,
        },
        services::nextcloud::event::{Access, Event, Place, To},
        websocket::frame::Frame,
    };
    use bytes::Bytes;
    use proptest::prelude::*;

    fn read(channel: &'static str, payload: &str) -> Option<Event<Order>> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        decode(&Message { channel, payload }).ok()
    }

    fn told(user: &str, topic: Topic, access: Access) -> Option<Event<Order>> {
        let notice = Notice::Change { topic, ids: Ids::Unknown };
        Some(Event::Tell { to: To::One(user.into()), notice, access })
    }

    #[test]
    fn a_storage_update_with_escaped_slashes_and_64_bit_ids() {
        let payload = r#"{"storage":9007199254740993,"path":"files\/a\/b.txt","file_id":4611686018427387905}"#;
        let place = Place { storage: 9_007_199_254_740_993, path: "files/a/b.txt".into() };
        let event = Event::Changed(place, Ids::one(4_611_686_018_427_387_905));
        assert_eq!(read("notify_storage_update", payload), Some(event));
    }

    #[test]
    fn what_concerns_one_user() {
        let user = r#"{"user":"bob"}"#;
        let group = r#"{"user":"bob","group":"staff"}"#;
        assert_eq!(read("notify_user_share_created", user), told("bob", FILE, Access::Changed));
        assert_eq!(
            read("notify_group_membership_update", group),
            told("bob", FILE, Access::Changed)
        );
        assert_eq!(read("notify_activity", user), told("bob", ACTIVITY, Access::Same));
        assert_eq!(read("notify_notification", user), told("bob", NOTIFICATION, Access::Perhaps));
    }

    #[test]
    fn custom_messages_with_and_without_a_body() {
        let text = |payload| match read("notify_custom", payload) {
            Some(Event::Tell { notice: Notice::Opaque(frame), .. }) => frame,
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
        assert_eq!(event, Event::Order(Order::Ticket("alice".into(), "MId7/2u+x".into())));
        assert!(!format!("{event:?}").contains("MId7"));
    }

    #[test]
    fn orders() {
        let order = |channel, payload| match read(channel, payload) {
            Some(Event::Order(order)) => order,
            other => panic!("{other:?}"),
        };
        assert_eq!(order("notify_test_cookie", "119367958"), Order::Cookie(119_367_958));
        let spec = r#"{"log_spec":"notify_push=debug"}"#;
        assert_eq!(order("notify_config", spec), Order::SetLog("notify_push=debug".into()));
        assert_eq!(order("notify_config", "\"log_restore\""), Order::RestoreLog);
        assert_eq!(order("notify_query", "\"metrics\""), Order::ReportMetrics);
    }

    #[test]
    fn signals() {
        let all = Event::Disconnect(None, Close::Reset);
        let one = Event::Disconnect(Some("bob".into()), Close::Revoked);
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
            let _ = decode(&Message { channel: CHANNELS[channel], payload: payload.into() });
        }
    }
}
