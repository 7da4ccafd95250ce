//! What the daemon says: `specs/nextcloud.md` section 3.

use serde_json::Value;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Files changed; `None`: which ones is not known.
    File(Option<Vec<i64>>),
    /// There is an activity.
    Activity,
    /// There is a notification.
    Notification,
    /// An app's own message, with what comes with it.
    Custom(String, Option<Value>),
    /// Something that no client could read.
    Unreadable(String),
}

impl Message {
    /// Reads a text frame. What follows the first blank is JSON.
    pub fn parse(text: &str) -> Self {
        let (name, rest) = match text.split_once(' ') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        let body = rest.map(serde_json::from_str::<Value>);
        let read = match (name, body) {
            ("notify_file", None) => Some(Self::File(None)),
            ("notify_file_id", Some(Ok(ids))) => {
                serde_json::from_value(ids).map(|ids| Self::File(Some(ids))).ok()
            }
            ("notify_file_id", _) => None,
            ("notify_activity", None) => Some(Self::Activity),
            ("notify_notification", None) => Some(Self::Notification),
            ("", _) => None,
            (_, Some(Err(_))) => None,
            (name, body) => Some(Self::Custom(name.to_owned(), body.and_then(Result::ok))),
        };
        read.unwrap_or_else(|| Self::Unreadable(text.to_owned()))
    }

    /// The kind in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Activity => "activity",
            Self::Notification => "notification",
            Self::Custom(..) => "custom",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Message;
    use serde_json::json;

    #[test]
    fn the_kinds() {
        let custom = |name: &str, body| Message::Custom(name.to_owned(), body);
        for (text, message) in [
            ("notify_file", Message::File(None)),
            (
                "notify_file_id [459,4611686018427387905]",
                Message::File(Some(vec![459, 4_611_686_018_427_387_905])),
            ),
            ("notify_activity", Message::Activity),
            ("notify_notification", Message::Notification),
            ("my_type", custom("my_type", None)),
            (r#"text_steps {"doc":7}"#, custom("text_steps", Some(json!({"doc": 7})))),
            ("flag null", custom("flag", Some(json!(null)))),
        ] {
            assert_eq!(Message::parse(text), message, "{text}");
        }
    }

    #[test]
    fn messages_that_clients_cannot_read_are_marked() {
        for text in
            ["", "my_type two words", "notify_file_id", "notify_file_id {}", "notify_file_id null"]
        {
            assert_eq!(Message::parse(text).kind(), "unreadable", "{text}");
        }
    }
}
