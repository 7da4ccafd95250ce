//! The main job on real input: what a real Nextcloud published is published again, and real clients of
//! the real daemon hear of exactly what concerns them, on each of the three databases.

use crate::support::{
    captured::{CapturedAction, actions},
    client::Client,
    daemon::Daemon,
    installation::Installation,
    mariadb::MariaDb,
    postgres::Postgres,
    within,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Users, their home storages, and the file ids of these storages' roots.
const HOMES: [(&str, i64, i64); 3] = [("alice", 7, 100), ("bob", 8, 253), ("carol", 9, 320)];

/// The storage on which everything happens.
const ALICES: i64 = 7;

/// File ids from here on belong to markers of this test.
const MARKERS: i64 = 900_000;

/// Where we tell something else than the original did: a share's receiver heard nothing of it for
/// minutes, and a share of `dirS` told of `dirS-sibling` too.
const BETTER: [(&str, &str); 6] = [
    ("alice uploads into the folder shared with bob", "bob"),
    ("bob overwrites the shared file", "bob"),
    ("alice uploads into group-shared folder again", "carol"),
    ("alice uploads into group-shared folder (bob just added)", "carol"),
    ("alice uploads into dirS-sibling (prefix match only)", "bob"),
    ("alice uploads into dirS-sibling (prefix match only)", "carol"),
];

/// What one client receives about one action.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct ReceivedEvents {
    /// Ids of changed files.
    ids: BTreeSet<i64>,
    /// Something changed, nobody knows what.
    unknown: bool,
    activity: bool,
    notification: bool,
}

impl ReceivedEvents {
    fn take(&mut self, text: &str) {
        match text.split_once(' ') {
            Some(("notify_file_id", _)) => self.ids.extend(ids(text)),
            None if text == "notify_file" => self.unknown = true,
            None if text == "notify_activity" => self.activity = true,
            None if text == "notify_notification" => self.notification = true,
            _ => panic!("an unknown message: {text}"),
        }
    }

    fn lacks(&self, topics_of: &Self) -> bool {
        topics_of.activity && !self.activity || topics_of.notification && !self.notification
    }

    /// Whether this tells the same as a client that may not have asked for ids was told.
    fn is_covered_by(&self, other: &Self) -> bool {
        let files = match other.unknown {
            true => self.unknown || !self.ids.is_empty(),
            false => self.ids == other.ids,
        };
        files && (self.activity, self.notification) == (other.activity, other.notification)
    }
}

fn ids(text: &str) -> Vec<i64> {
    let list = text.strip_prefix("notify_file_id ");
    list.map(|list| serde_json::from_str(list).unwrap()).unwrap_or_default()
}

/// A connected user, and a place of which this user hears.
struct ConnectedUser {
    client: Client,
    place: (i64, String),
}

/// The installation as it is at one moment of the capture.
struct CapturedInstallation {
    installation: Installation,
    daemon: Daemon,
    listeners: BTreeMap<&'static str, ConnectedUser>,
    /// Which parts of alice's storage a user sees.
    parts: BTreeMap<&'static str, Vec<&'static str>>,
    markers: i64,
}

impl CapturedInstallation {
    async fn set(installation: Installation) -> Self {
        for (user, storage, root) in HOMES {
            installation.user_with_home(user, storage, root).await;
        }
        let shared = [(461, "files/dirB"), (472, "files/dirG"), (481, "files/dirS")];
        for (id, path) in shared {
            installation.file(ALICES, id, path).await;
        }
        let daemon = installation.daemon(&[]).await;
        let parts = BTreeMap::from([("alice", vec![""])]);
        let listeners = BTreeMap::new();
        let mut scene = Self { installation, daemon, listeners, parts, markers: MARKERS };
        scene.connect().await;
        scene
    }

    async fn connect(&mut self) {
        for (user, storage, _) in HOMES {
            let mut client =
                Client::log_in(&self.daemon.url(), user, &format!("{user}-password")).await;
            client.wants_ids().await;
            let place = (storage, "files/marker".to_owned());
            self.listeners.insert(user, ConnectedUser { client, place });
        }
    }

    /// What changes in the database with an action, as captured.
    async fn prepare(&mut self, title: &str) {
        match title {
            "bob PROPFIND (mount set up)" => self.mount("bob", 461, "files/dirB").await,
            "carol PROPFIND" => self.mount("carol", 472, "files/dirG").await,
            "PROPFIND bob + carol" => {
                self.mount("bob", 481, "files/dirS").await;
                self.mount("carol", 481, "files/dirS").await;
            }
            "alice renames dirS -> dirS2 (root of a share)" => {
                let sql = "UPDATE oc_filecache SET path = 'files/dirS2' WHERE fileid = 481";
                self.installation.database.execute(sql).await;
                // No wait: the rename's own event tells the daemon.
                for user in ["bob", "carol"] {
                    self.parts.entry(user).or_default().push("files/dirS2");
                    let listener = self.listeners.get_mut(user).unwrap();
                    listener.place = (ALICES, "files/dirS2/marker".to_owned());
                }
            }
            _ => {}
        }
    }

    /// A share reaches its receiver: the row appears when the receiver's file system is set up.
    async fn mount(&mut self, user: &'static str, root: i64, path: &'static str) {
        self.installation.mount(user, ALICES, root).await;
        self.sees_from_now_on(user, path).await;
    }

    /// Nextcloud says nothing of it; the daemon finds it out.
    async fn sees_from_now_on(&mut self, user: &'static str, path: &'static str) {
        let Self { installation, listeners, markers, .. } = self;
        self.parts.entry(user).or_default().push(path);
        let listener = listeners.get_mut(user).unwrap();
        listener.place = (ALICES, format!("{path}/marker"));
        let first = *markers + 1;
        let reached = async {
            loop {
                *markers += 1;
                installation.changed(ALICES, &listener.place.1, *markers).await;
                let text = listener.client.text_soon().await.unwrap_or_default();
                if ids(&text).iter().any(|id| *id >= first) {
                    return;
                }
            }
        };
        within("the receiver of a share is notified of changes in it", reached).await;
    }

    /// Publishes what Nextcloud published and returns what the users hear.
    async fn play(&mut self, action: &CapturedAction) -> BTreeMap<&'static str, ReceivedEvents> {
        for (channel, payload) in &action.published {
            self.installation.redis.publish(channel, payload).await;
        }
        let expected = self.expected(action);
        let mut all = BTreeMap::new();
        for (user, _, _) in HOMES {
            all.insert(user, self.hears(user, &expected[user]).await);
        }
        all
    }

    /// What a user hears up to a marker, which is a change that comes after the others.
    async fn hears(&mut self, user: &str, expected: &ReceivedEvents) -> ReceivedEvents {
        let Self { installation, listeners, markers, .. } = self;
        let ConnectedUser { client, place } = listeners.get_mut(user).unwrap();
        let mut heard = ReceivedEvents::default();
        'marked: loop {
            *markers += 1;
            installation.changed(place.0, &place.1, *markers).await;
            loop {
                let text = client.text().await;
                heard.take(&text);
                if ids(&text).contains(markers) {
                    break 'marked;
                }
                if text == "notify_file" {
                    // The marker may have been merged into it.
                    break;
                }
            }
        }
        while heard.lacks(expected) {
            heard.take(&client.text().await);
        }
        heard.ids.retain(|id| *id < MARKERS);
        heard
    }

    /// What section 2 of the specification says that each user hears.
    fn expected(&self, action: &CapturedAction) -> BTreeMap<&'static str, ReceivedEvents> {
        let hears = |(user, _, _)| (user, self.expected_of(user, action));
        HOMES.map(hears).into_iter().collect()
    }

    fn expected_of(&self, user: &str, action: &CapturedAction) -> ReceivedEvents {
        let mut heard = ReceivedEvents::default();
        for (channel, payload) in &action.published {
            let payload: Value = serde_json::from_str(payload).unwrap();
            let concerned = payload["user"] == user;
            match channel.as_str() {
                "notify_storage_update" if self.sees(user, payload["path"].as_str().unwrap()) => {
                    heard.ids.insert(payload["file_id"].as_i64().unwrap());
                }
                "notify_user_share_created" | "notify_group_membership_update" => {
                    heard.unknown |= concerned;
                }
                "notify_activity" => heard.activity |= concerned,
                "notify_notification" => heard.notification |= concerned,
                _ => {}
            }
        }
        heard
    }

    /// By path segments.
    fn sees(&self, user: &str, path: &str) -> bool {
        let covers = |part: &&str| {
            let rest = path.strip_prefix(part);
            part.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.parts.get(user).is_some_and(|parts| parts.iter().any(covers))
    }

    async fn is_reset(&mut self) {
        for (_, mut listener) in std::mem::take(&mut self.listeners) {
            assert!(listener.client.closed().await.is_some());
        }
        self.connect().await;
    }
}

/// What the original daemon told a user.
fn originally(action: &CapturedAction, user: &str) -> ReceivedEvents {
    let mut heard = ReceivedEvents::default();
    action.told.iter().filter(|(to, _)| *to == user).for_each(|(_, text)| heard.take(text));
    heard
}

async fn everyone_hears_what_concerns_them(installation: Installation) {
    let mut scene = CapturedInstallation::set(installation).await;
    let mut different = Vec::new();
    for action in actions() {
        if action.title == "occ notify_push:reset" {
            scene.installation.redis.publish("notify_signal", "\"reset\"").await;
            scene.is_reset().await;
            continue;
        }
        scene.prepare(action.title).await;
        let expected = scene.expected(&action);
        assert_eq!(scene.play(&action).await, expected, "{}", action.title);
        let differs = |user| !expected[user].is_covered_by(&originally(&action, user));
        let users = HOMES.map(|(user, _, _)| user).into_iter().filter(|&user| differs(user));
        different.extend(users.map(|user| (action.title, user)));
    }
    assert_eq!(different, BETTER);
}

#[tokio::test]
async fn everyone_hears_what_concerns_them_on_sqlite() {
    everyone_hears_what_concerns_them(Installation::start().await).await;
}

#[tokio::test]
async fn everyone_hears_what_concerns_them_on_mariadb() {
    let database = MariaDb::shared().await.nextcloud().await;
    everyone_hears_what_concerns_them(Installation::on(database).await).await;
}

#[tokio::test]
async fn everyone_hears_what_concerns_them_on_postgresql() {
    let database = Postgres::shared().await.nextcloud().await;
    everyone_hears_what_concerns_them(Installation::on(database).await).await;
}
