//! How Nextcloud's clients are spoken to: `specs/nextcloud.md` section 3.

use super::channels::FILE;
use crate::{
    push::{
        notice::{Ids, TOPICS, Topic},
        recipient::Recipient,
        session::{Dialect, Heard, Refusal, Tempo, TopicSpec},
    },
    websocket::frame::Frame,
};
use std::fmt::Write;

/// Names and paces of the topics, in the order of their numbers.
pub const TOPIC_SPECS: [TopicSpec; TOPICS] = [
    TopicSpec { name: "file", tempo: Tempo::Crowd },
    TopicSpec { name: "activity", tempo: Tempo::Crowd },
    TopicSpec { name: "notification", tempo: Tempo::Fixed(1000) },
];

/// Nextcloud's wording, with the frames that are always alike made once.
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

impl Dialect for NextcloudDialect {
    fn topics(&self) -> &[TopicSpec] {
        &TOPIC_SPECS
    }

    fn change(&self, topic: Topic, ids: &Ids) -> Frame {
        match ids {
            Ids::Known(ids) if topic == FILE => {
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

    fn hear(&self, text: &str, _home: &Recipient) -> Heard {
        match text.trim().strip_prefix("listen ").map(str::trim) {
            Some("notify_file_id") => Heard::WantIds,
            _ => Heard::Nothing,
        }
    }

    fn welcome(&self) -> Option<Frame> {
        Some(self.welcome.clone())
    }

    fn refusal(&self, refusal: Refusal) -> Option<Frame> {
        Some(Frame::text(match refusal {
            // The only error text clients know.
            Refusal::Invalid => "err: Invalid credentials",
            Refusal::TryLater => "err: Try again later",
            Refusal::TooMany => "err: Too many connections",
            Refusal::TimedOut => "err: Authentication timeout",
            Refusal::Revoked => "err: Login revoked",
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
            notice::Ids,
            session::{Dialect, Heard},
        },
        websocket::frame::Frame,
    };

    #[test]
    fn changes_as_clients_know_them() {
        let dialect = NextcloudDialect::default();
        let ids = Ids::Known([459, 188].into_iter().collect());
        assert_eq!(dialect.change(FILE, &ids), Frame::text("notify_file_id [459,188]"));
        assert_eq!(dialect.change(FILE, &Ids::Unknown), Frame::text("notify_file"));
        assert_eq!(dialect.change(ACTIVITY, &Ids::Unknown), Frame::text("notify_activity"));
        assert_eq!(dialect.change(NOTIFICATION, &ids), Frame::text("notify_notification"));
    }

    #[test]
    fn only_listening_for_file_ids_changes_anything() {
        let dialect = NextcloudDialect::default();
        assert_eq!(dialect.hear(" listen notify_file_id\n", &"alice".into()), Heard::WantIds);
        for text in ["listen notify_file", "listen", "", "notify_file_id", "listen my_type"] {
            assert_eq!(dialect.hear(text, &"alice".into()), Heard::Nothing, "{text}");
        }
    }
}
