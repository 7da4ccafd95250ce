//! The messages to and from Nextcloud's clients (`specs/nextcloud.md` section 3).

use super::channels::{FILE, is_anonymous};
use crate::{
    push::{
        notice::{ChangedIds, TOPICS, TopicId},
        recipient::Recipient,
        session::{ClientDialect, ClientRequest, DebounceInterval, RejectReason, TopicSpec},
    },
    websocket::frame::Frame,
};
use std::fmt::Write;

/// Names and debounce intervals of the topics, in the order of their numbers.
pub const TOPIC_SPECS: [TopicSpec; TOPICS] = [
    TopicSpec { name: "file", debounce_interval: DebounceInterval::Adaptive },
    TopicSpec { name: "activity", debounce_interval: DebounceInterval::Adaptive },
    TopicSpec { name: "notification", debounce_interval: DebounceInterval::Fixed(1000) },
];

/// Nextcloud's messages; frames that never change are built once.
pub struct NextcloudDialect {
    plain: [Frame; TOPICS],
    welcome: Frame,
}

impl Default for NextcloudDialect {
    fn default() -> Self {
        let plain = ["notify_file", "notify_activity", "notify_notification"].map(Frame::text);
        Self { plain, welcome: Frame::text("authenticated") }
    }
}

impl ClientDialect for NextcloudDialect {
    fn topics(&self) -> &[TopicSpec] {
        &TOPIC_SPECS
    }

    fn receives_changes(&self, primary: &Recipient) -> bool {
        !is_anonymous(primary)
    }

    fn change(&self, topic: TopicId, ids: &ChangedIds) -> Frame {
        match ids {
            ChangedIds::Known(ids) if topic == FILE => {
                let mut text = String::from("notify_file_id [");
                for (position, id) in ids.iter().enumerate() {
                    let comma = if position > 0 { "," } else { "" };
                    // Writing to a String can't fail.
                    let _ = write!(text, "{comma}{id}");
                }
                text.push(']');
                Frame::text(&text)
            }
            _ => self.plain.get(topic.index()).unwrap_or(&self.plain[0]).clone(),
        }
    }

    fn receive(&self, text: &str, _home: &Recipient) -> ClientRequest {
        match text.trim().strip_prefix("listen ").map(str::trim) {
            Some("notify_file_id") => ClientRequest::WantIds,
            _ => ClientRequest::Nothing,
        }
    }

    fn welcome(&self) -> Option<Frame> {
        Some(self.welcome.clone())
    }

    fn refusal(&self, refusal: RejectReason) -> Option<Frame> {
        Some(Frame::text(match refusal {
            // The only error text clients know.
            RejectReason::Invalid => "err: Invalid credentials",
            RejectReason::TryLater => "err: Try again later",
            RejectReason::TooMany => "err: Too many connections",
            RejectReason::TimedOut => "err: Authentication timeout",
            RejectReason::Revoked => "err: Login revoked",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::channels::{ACTIVITY, NOTIFICATION},
        FILE, NextcloudDialect,
    };
    use crate::{
        push::{
            notice::ChangedIds,
            session::{ClientDialect, ClientRequest},
        },
        websocket::frame::Frame,
    };

    #[test]
    fn changes_as_clients_know_them() {
        let dialect = NextcloudDialect::default();
        let ids = ChangedIds::Known([459, 188].into_iter().collect());
        assert_eq!(dialect.change(FILE, &ids), Frame::text("notify_file_id [459,188]"));
        assert_eq!(dialect.change(FILE, &ChangedIds::Unknown), Frame::text("notify_file"));
        assert_eq!(dialect.change(ACTIVITY, &ChangedIds::Unknown), Frame::text("notify_activity"));
        assert_eq!(dialect.change(NOTIFICATION, &ids), Frame::text("notify_notification"));
    }

    #[test]
    fn only_listening_for_file_ids_changes_anything() {
        let dialect = NextcloudDialect::default();
        assert_eq!(
            dialect.receive(" listen notify_file_id\n", &"alice".into()),
            ClientRequest::WantIds
        );
        for text in ["listen notify_file", "listen", "", "notify_file_id", "listen my_type"] {
            assert_eq!(dialect.receive(text, &"alice".into()), ClientRequest::Nothing, "{text}");
        }
    }
}
