//! The actions on the demo's status page: a visitor connects as carol or dave and triggers events for them.
//! They are independent of alice and bob in the terminal.

use crate::{
    client::memory::MemorySource,
    runtime::status::{DemoAction, DemoControls, DemoUser},
};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The page's users; their passwords are no secrets, as [`super::users::DemoPerson::password`].
const PEOPLE: &[DemoUser] = &[
    DemoUser { name: "carol", password: "demo-app-password-of-carol" },
    DemoUser { name: "dave", password: "demo-app-password-of-dave" },
];

const ACTIONS: &[DemoAction] = &[
    DemoAction { id: "file", label: "Change a file", about: "carol changes a file of her own" },
    DemoAction {
        id: "shared",
        label: "Change a shared file",
        about: "carol changes a file in a folder that she shares with dave",
    },
    DemoAction { id: "notification", label: "Notify dave", about: "dave gets a notification" },
    DemoAction {
        id: "custom",
        label: "Message from an app",
        about: "an app sends carol a message",
    },
];

/// The first id of a changed file, outside the script's range.
const FIRST_ID: u64 = 5000;

/// Controls that publish the events of Nextcloud for visitors.
pub fn demo_controls(memory: MemorySource) -> DemoControls {
    let next = Arc::new(AtomicU64::new(FIRST_ID));
    let act = move |what: String| {
        let (memory, id) = (memory.clone(), next.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            let Some((channel, payload)) = event(&what, id) else { return false };
            memory.publish(channel, payload).await.is_ok()
        }) as _
    };
    DemoControls {
        socket: Arc::new(OnceLock::new()),
        people: PEOPLE,
        acts: ACTIONS,
        act: Arc::new(act),
    }
}

fn event(what: &str, id: u64) -> Option<(&'static str, String)> {
    let change = |path: &str| {
        let payload = format!(r#"{{"storage":3,"path":"files\/{path}","file_id":{id}}}"#);
        Some(("notify_storage_update", payload))
    };
    match what {
        "file" => change("letter.md"),
        "shared" => change("trip\\/tickets.pdf"),
        "notification" => Some(("notify_notification", r#"{"user":"dave"}"#.to_owned())),
        "custom" => {
            let payload =
                format!(r#"{{"user":"carol","message":"text_steps","body":{{"version":{id}}}}}"#);
            Some(("notify_custom", payload))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ACTIONS, PEOPLE, event};
    use crate::{client::SourceMessage, services::nextcloud::channels::decode};
    use sha2::{Digest as _, Sha512};
    use std::fmt::Write as _;

    #[test]
    fn every_action_is_a_valid_event() {
        for offer in ACTIONS {
            let (channel, payload) = event(offer.id, 7).unwrap();
            let message = SourceMessage { channel, payload: payload.into() };
            assert!(decode(&message).is_ok(), "{}", offer.id);
        }
        assert!(event("reboot", 7).is_none());
    }

    #[test]
    fn the_tables_contain_the_visitors_app_passwords() {
        for actor in PEOPLE {
            let digest = Sha512::digest(format!("{}demo-secret", actor.password));
            let mut hex = String::new();
            digest.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
            let row = format!("('{0}', '{0}', 1, 2, '{hex}')", actor.name);
            assert!(super::super::TABLES.contains(&row), "{row}");
        }
    }
}
