//! After a restart a crowd is back without Nextcloud having been asked anything.

use crate::support::{
    client::Client,
    installation::Installation,
    nextcloud::{Nextcloud, NextcloudSetup},
    within,
};
use futures_util::{StreamExt, stream};
use std::time::Duration;

const CLIENTS: usize = 1_000;
/// A user may have 64 sessions.
const USERS: usize = 20;
/// Who connects at the same time; the others come as soon as one is in.
const AT_ONCE: usize = 100;
/// For all of them, on a machine that has other things to do.
const ALL: Duration = Duration::from_secs(300);

fn user(number: usize) -> (String, String) {
    let user = format!("user{}", number % USERS);
    let password = format!("{user}-{}", "app-password".repeat(5));
    (user, password)
}

/// A client as it comes back: again and again until it is in.
async fn come(url: &str, number: usize) -> Client {
    let (user, password) = user(number);
    loop {
        let mut client = Client::connect(url).await;
        if client.credentials(&user, &password).await == "authenticated" {
            return client;
        }
    }
}

async fn crowd(url: &str) -> Vec<Client> {
    let coming = stream::iter(0..CLIENTS).map(|number| come(url, number));
    let all = coming.buffer_unordered(AT_ONCE).collect();
    tokio::time::timeout(ALL, all).await.expect("everybody is in")
}

#[tokio::test]
async fn a_thousand_clients_with_app_passwords_are_back_without_one_request_to_nextcloud() {
    let installation = Installation::start().await;
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    for number in 0..USERS {
        let (user, password) = user(number);
        installation.user(&user, "unused").await;
        installation.app_password(&user, &password).await;
    }
    let url = nextcloud.url();
    let environment = [("AUTH", "database,nextcloud"), ("NEXTCLOUD_URL", url.as_str())];
    let mut daemon = installation.daemon(&environment).await;
    let before = crowd(&daemon.url()).await;
    daemon.start_again();
    assert!(within("the daemon is back", daemon.ready()).await, "{}", daemon.log());
    drop(before);
    let back = crowd(&daemon.url()).await;
    assert_eq!((back.len(), nextcloud.asked()), (CLIENTS, Vec::new()));
}
