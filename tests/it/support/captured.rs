//! What a real Nextcloud published for each kind of user action, and what the original daemon then told
//! the clients: `tests/data/nextcloud-32/events.txt`.

const TEXT: &str = include_str!("../../data/nextcloud-32/events.txt");

/// One user action.
pub(crate) struct CapturedAction {
    /// What the user did.
    pub(crate) title: &'static str,
    /// Channel and payload, in order.
    pub(crate) published: Vec<(String, String)>,
    /// User and text, as the original daemon sent it.
    pub(crate) told: Vec<(&'static str, &'static str)>,
}

/// All of them, in order.
pub(crate) fn actions() -> Vec<CapturedAction> {
    TEXT.split("\n## ").skip(1).map(action).collect()
}

fn action(section: &'static str) -> CapturedAction {
    let mut lines = section.lines();
    CapturedAction {
        title: lines.next().unwrap_or_default(),
        published: lines.clone().filter_map(published).collect(),
        told: lines.filter_map(told).collect(),
    }
}

/// `redis + 0.058s "PUBLISH" "channel" "payload"`, quoted as `redis-cli MONITOR` does.
fn published(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("\"PUBLISH\" \"")?;
    let (channel, payload) = rest.split_once("\" \"")?;
    let payload = payload.strip_suffix('"')?.replace("\\\"", "\"").replace("\\\\", "\\");
    Some((channel.to_owned(), payload))
}

/// `ws 08:22:56.234 alice TEXT notify_file_id [459,188]`
fn told(line: &'static str) -> Option<(&'static str, &'static str)> {
    let (head, text) = line.trim_start().strip_prefix("ws ")?.split_once(" TEXT ")?;
    Some((head.split(' ').nth(1)?, text))
}
