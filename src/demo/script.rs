//! What happens in the demo, as data: what Nextcloud would publish, and who must hear what.

use super::users::DemoPerson;
use DemoPerson::{Alice, Bob};

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptStep {
    /// In words.
    pub what: &'static str,
    /// The channel that Nextcloud publishes it on.
    pub channel: &'static str,
    /// What it publishes.
    pub payload: String,
    /// Who must hear what, exactly; all others must hear nothing.
    pub heard: Vec<(DemoPerson, String)>,
    /// Of whom it is worth telling that they hear nothing.
    pub silent: Option<DemoPerson>,
}

/// Each kind of message once, and what one user must not hear of the other.
///
/// Changes of files alternate with other things, so that none waits for the debounce of the one
/// before. The last step tells whether the first one was told to bob too: his message would name
/// the id of the first, too.
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

/// What goes on after the tour, for ever: `turn` counts from 0.
pub fn recurring_step(turn: u64) -> ScriptStep {
    let id = 100 + turn;
    if turn.is_multiple_of(3) { plans(id) } else { diary(id) }
}

/// A file that only alice sees.
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

/// A file in the folder that alice shares with bob.
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
    what: &'static str,
    channel: &'static str,
    payload: &str,
    heard: [(DemoPerson, &str); N],
) -> ScriptStep {
    let heard = heard.map(|(person, text)| (person, text.to_owned())).into();
    ScriptStep { what, channel, payload: payload.to_owned(), heard, silent: None }
}

#[cfg(test)]
mod tests {
    use super::{Bob, tour};
    use crate::services::nextcloud::channels::CHANNELS;

    #[test]
    fn each_kind_of_message_is_in_the_tour() {
        let tour = tour();
        let texts: Vec<&str> =
            tour.iter().flat_map(|step| &step.heard).map(|(_, text)| text.as_str()).collect();
        for kind in ["notify_file", "notify_activity", "notify_notification"] {
            assert!(texts.contains(&kind), "{kind}");
        }
        assert!(texts.iter().any(|text| text.starts_with("notify_file_id [")));
        assert!(texts.iter().any(|text| !text.starts_with("notify_")));
        assert!(tour.iter().all(|step| CHANNELS.contains(&step.channel)));
    }

    #[test]
    fn what_bob_must_not_hear_would_be_noticed_by_a_later_step_of_the_same_kind() {
        let tour = tour();
        let file = |step: &&super::ScriptStep| step.channel == "notify_storage_update";
        let mut files = tour.iter().filter(file);
        let hears = |step: &super::ScriptStep| step.heard.iter().any(|(person, _)| *person == Bob);
        assert!(!hears(files.next().unwrap()));
        assert!(files.next_back().is_some_and(hears));
    }
}
