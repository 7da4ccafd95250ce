//! How soon changes of mounts and shares show in what users receive, on each of the three databases.

use crate::support::{
    client::Client, daemon::Daemon, installation::Installation, mariadb::MariaDb,
    postgres::Postgres, within,
};

/// alice's home storage, and the file ids of its root and of a folder that she shares.
const HOME: i64 = 7;
const ROOT: i64 = 100;
const FOLDER: i64 = 461;

/// alice has shared a folder with bob; both are connected.
struct SharedFolder {
    installation: Installation,
    _daemon: Daemon,
    bob: Client,
    markers: i64,
}

impl SharedFolder {
    async fn start(installation: Installation) -> Self {
        installation.user_with_home("alice", HOME, ROOT).await;
        installation.user_with_home("bob", 8, 253).await;
        installation.file(HOME, FOLDER, "files/above/shared").await;
        installation.share_mount("bob", HOME, FOLDER).await;
        let daemon = installation.daemon(&[]).await;
        let mut bob = Client::log_in(&daemon.url(), "bob", "bob-password").await;
        bob.wants_ids().await;
        Self { installation, _daemon: daemon, bob, markers: 900_000 }
    }

    /// Whether bob is sent the id of a change at this path.
    async fn receives(&mut self, path: &str) -> bool {
        self.markers += 1;
        let id = self.markers.to_string();
        self.installation.changed(HOME, path, self.markers).await;
        let mut found = false;
        while let Some(text) = self.bob.text_soon().await {
            found |= text.contains(&id);
            if found {
                break;
            }
        }
        found
    }

    async fn until_receives(&mut self, path: &str, expected: bool) {
        within("the list of mounts follows", async {
            while self.receives(path).await != expected {}
        })
        .await;
    }
}

async fn mounts_are_followed(installation: Installation) {
    let mut scene = SharedFolder::start(installation).await;
    scene.until_receives("files/above/shared/a", true).await;
    // The share's own event says where it is: no lookup is needed.
    let sql = "UPDATE oc_filecache SET path = 'files/above/moved' WHERE fileid = 461";
    scene.installation.database.execute(sql).await;
    scene.installation.changed(HOME, "files/above/moved", FOLDER).await;
    assert!(scene.receives("files/above/moved/b").await);
    assert!(!scene.receives("files/above/shared/private").await);
    // A folder above it is renamed: only the database says where the share is now.
    let sql = "UPDATE oc_filecache SET path = 'files/renamed/moved' WHERE fileid = 461";
    scene.installation.database.execute(sql).await;
    scene.installation.changed(HOME, "files/renamed", 5).await;
    scene.until_receives("files/renamed/moved/c", true).await;
    // The share ends; the mount row stays until bob's next visit.
    scene.installation.database.execute("DELETE FROM oc_share WHERE file_source = 461").await;
    scene.until_receives("files/renamed/moved/d", false).await;
    // It is shared with a group, whose members get a new row.
    let sql = "INSERT INTO oc_share (id, share_type, share_with, file_source) VALUES (90, 1, 'staff', 461)";
    scene.installation.database.execute(sql).await;
    scene.until_receives("files/renamed/moved/e", true).await;
    // His visit after the group has lost it takes the row away.
    scene.installation.database.execute("DELETE FROM oc_mounts WHERE root_id = 461").await;
    scene.until_receives("files/renamed/moved/f", false).await;
}

#[tokio::test]
async fn mounts_are_followed_on_sqlite() {
    mounts_are_followed(Installation::start().await).await;
}

#[tokio::test]
async fn mounts_are_followed_on_mariadb() {
    let database = MariaDb::shared().await.nextcloud().await;
    mounts_are_followed(Installation::on(database).await).await;
}

#[tokio::test]
async fn mounts_are_followed_on_postgresql() {
    let database = Postgres::shared().await.nextcloud().await;
    mounts_are_followed(Installation::on(database).await).await;
}

/// Nothing is published for a group folder: only its mount row shows it.
#[tokio::test]
async fn a_new_group_folder_is_found_by_its_row() {
    let mut scene = SharedFolder::start(Installation::start().await).await;
    scene.installation.file(50, 500, "__groupfolders/1").await;
    // Another one on the same storage: its change makes the daemon list the storage.
    scene.installation.file(50, 600, "__groupfolders/2").await;
    scene.installation.mount("bob", 50, 600).await;
    scene.installation.changed(50, "__groupfolders/2/x", 601).await;
    while scene.bob.text().await != "notify_file_id [601]" {}
    scene.installation.changed(50, "__groupfolders/1/first", 501).await;
    scene.installation.mount("bob", 50, 500).await;
    assert_eq!(scene.bob.text().await, "notify_file");
    scene.installation.changed(50, "__groupfolders/1/second", 502).await;
    assert_eq!(scene.bob.text().await, "notify_file_id [502]");
}
