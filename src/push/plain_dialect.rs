//! A dialect for tests that shows what each frame was made from.

use super::{
    notice::{ChangedIds, TopicId},
    recipient::Recipient,
    session::{
        BacklogEntry, ClientDialect, ClientRequest, DebounceInterval, RejectReason, ReplaySource,
        TopicSpec,
    },
};
use crate::websocket::frame::Frame;

/// Plain words: `listen ids`, `subscribe a b`, `unsubscribe a`, `whoami ?`, `replay a:1 b:2`.
pub struct PlainDialect;

impl ClientDialect for PlainDialect {
    fn topics(&self) -> &[TopicSpec] {
        const TOPICS: &[TopicSpec] = &[
            TopicSpec { name: "file", debounce_interval: DebounceInterval::Adaptive },
            TopicSpec { name: "activity", debounce_interval: DebounceInterval::Adaptive },
            TopicSpec { name: "notification", debounce_interval: DebounceInterval::Fixed(1000) },
        ];
        TOPICS
    }

    fn receives_changes(&self, primary: &Recipient) -> bool {
        !primary.starts_with("without changes")
    }

    fn change(&self, topic: TopicId, ids: &ChangedIds) -> Frame {
        match ids {
            ChangedIds::Unknown => Frame::text(&format!("t{}", topic.0)),
            ChangedIds::Known(ids) => Frame::text(&format!("t{} {ids:?}", topic.0)),
        }
    }

    fn receive(&self, text: &str, primary: &Recipient) -> ClientRequest {
        let names = |names: &str| names.split(' ').map(Recipient::from).collect();
        match text.split_once(' ') {
            Some(("listen", "ids")) => ClientRequest::WantIds,
            Some(("subscribe", more)) => ClientRequest::Subscribe(names(more)),
            Some(("unsubscribe", less)) => ClientRequest::Unsubscribe(names(less)),
            Some(("whoami", _)) => ClientRequest::Answer(Frame::text(primary)),
            Some(("replay", past)) => {
                let entries: Vec<BacklogEntry> = past.split(' ').map(backlog_entry).collect();
                ClientRequest::Replay(ReplaySource::new(|| entries))
            }
            _ => ClientRequest::Nothing,
        }
    }

    fn welcome(&self) -> Option<Frame> {
        Some(Frame::text("hello"))
    }

    fn refusal(&self, refusal: RejectReason) -> Option<Frame> {
        Some(Frame::text(&format!("err: {refusal:?}")))
    }
}

/// `alice,bob:text` as a message of the past.
pub fn backlog_entry(past: &str) -> BacklogEntry {
    let (to, text) = past.split_once(':').unwrap();
    BacklogEntry { to: to.split(',').map(Recipient::from).collect(), frame: Frame::text(text) }
}
