//! The demo's script as data: the events that Nextcloud would publish and the texts that each user receives.

use super::users::DemoPerson;
use DemoPerson::{Alice, Bob};

/// One step: an event and the expected texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptStep {
    /// The event in words.
    pub title: &'static str,
    /// The Redis channel of the event.
    pub channel: &'static str,
    /// The payload of the event.
    pub payload: String,
    /// All texts that users must receive.
    pub expected: Vec<(DemoPerson, String)>,
    /// A user to show as receiving nothing.
    pub silent: Option<DemoPerson>,
}

/// The tour: each kind of message once, and a change that one user must not see.
///
/// File changes alternate with other events, so that none waits for the debounce of the one before. The
/// last step shows whether the first one was wrongly sent to bob: his message would contain its id.
pub fn tour() -> Vec<ScriptStep> {
    vec![
        diary(11),
        step(
            "alice is to hear of an activity",
            "notify_activity",
            r#"{"user":"alice"}"#,
            [(Alice, "notify_activity")],
        ),
        plans(21),
        step(
            "bob gets a notification",
            "notify_notification",
            r#"{"user":"bob"}"#,
            [(Bob, "notify_notification")],
        ),
        step(
            "somebody shares something with bob: no file ids are known",
            "notify_user_share_created",
            r#"{"user":"bob"}"#,
            [(Bob, "notify_file")],
        ),
        step(
            "an app sends alice a message of its own",
            "notify_custom",
            r#"{"user":"alice","message":"text_steps","body":{"doc":7,"version":3}}"#,
            [(Alice, r#"text_steps {"doc":7,"version":3}"#)],
        ),
        diary(12),
        step(
            "bob is to hear of an activity",
            "notify_activity",
            r#"{"user":"bob"}"#,
            [(Bob, "notify_activity")],
        ),
        plans(22),
    ]
}

/// The step after the tour with this number; they repeat without end.
pub fn recurring_step(turn: u64) -> ScriptStep {
    let id = 100 + turn;
    if turn.is_multiple_of(3) { plans(id) } else { diary(id) }
}

/// A change of a file that only alice sees.
fn diary(id: u64) -> ScriptStep {
    let ids = format!("notify_file_id [{id}]");
    let alone = step(
        "alice writes her diary, which only she sees",
        "notify_storage_update",
        &format!(r#"{{"storage":1,"path":"files\/diary.txt","file_id":{id}}}"#),
        [(Alice, &*ids)],
    );
    ScriptStep { silent: Some(Bob), ..alone }
}

/// A change of a file in the folder that alice shares with bob.
fn plans(id: u64) -> ScriptStep {
    let ids = format!("notify_file_id [{id}]");
    step(
        "alice writes in a folder that she shares with bob",
        "notify_storage_update",
        &format!(r#"{{"storage":1,"path":"files\/plans\/party.txt","file_id":{id}}}"#),
        [(Alice, &*ids), (Bob, &*ids)],
    )
}

fn step<const N: usize>(
    title: &'static str,
    channel: &'static str,
    payload: &str,
    expected: [(DemoPerson, &str); N],
) -> ScriptStep {
    let expected = expected.map(|(person, text)| (person, text.to_owned())).into();
    ScriptStep { title, channel, payload: payload.to_owned(), expected, silent: None }
}

#[cfg(test)]
mod tests {
    use super::{Bob, tour};
    use crate::services::nextcloud::channels::CHANNELS;

    #[test]
    fn the_tour_has_each_kind_of_message() {
        let tour = tour();
        let texts: Vec<&str> =
            tour.iter().flat_map(|step| &step.expected).map(|(_, text)| text.as_str()).collect();
        for kind in ["notify_file", "notify_activity", "notify_notification"] {
            assert!(texts.contains(&kind), "{kind}");
        }
        assert!(texts.iter().any(|text| text.starts_with("notify_file_id [")));
        assert!(texts.iter().any(|text| !text.starts_with("notify_")));
        assert!(tour.iter().all(|step| CHANNELS.contains(&step.channel)));
    }

    #[test]
    fn a_later_step_detects_a_wrong_recipient() {
        let tour = tour();
        let file = |step: &&super::ScriptStep| step.channel == "notify_storage_update";
        let mut files = tour.iter().filter(file);
        let receives =
            |step: &super::ScriptStep| step.expected.iter().any(|(person, _)| *person == Bob);
        assert!(!receives(files.next().unwrap()));
        assert!(files.next_back().is_some_and(receives));
    }
}
