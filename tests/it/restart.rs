//! After a restart all clients are back at once, and Nextcloud is asked about old app passwords at a
//! bounded rate.

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
/// Clients that connect at the same time.
const AT_ONCE: usize = 100;
/// The time limit for all of them, on a busy machine.
const ALL: Duration = Duration::from_secs(300);

fn user(number: usize) -> (String, String) {
    let user = format!("user{}", number % USERS);
    let password = format!("{user}-{}", "app-password".repeat(5));
    (user, password)
}

/// A client that tries again until it is logged in.
async fn log_in(url: &str, number: usize) -> Client {
    let (user, password) = user(number);
    loop {
        let mut client = Client::connect(url).await;
        if client.credentials(&user, &password).await == "authenticated" {
            return client;
        }
    }
}

async fn all_clients(url: &str) -> Vec<Client> {
    let logins = stream::iter(0..CLIENTS).map(|number| log_in(url, number));
    let all = logins.buffer_unordered(AT_ONCE).collect();
    tokio::time::timeout(ALL, all).await.expect("all clients are logged in")
}

#[tokio::test]
async fn a_thousand_clients_with_old_app_passwords_are_back_without_waiting_for_nextcloud() {
    let installation = Installation::start().await;
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    for number in 0..USERS {
        let (user, password) = user(number);
        installation.user(&user, "unused").await;
        installation.unchecked_app_password(&user, &password).await;
        nextcloud.account(&user, &password, &user);
    }
    let url = nextcloud.url();
    // A Nextcloud that answers no request before all are back.
    nextcloud.delay(ALL);
    let environment = [("AUTH", "database,nextcloud"), ("NEXTCLOUD_URL", url.as_str())];
    let mut daemon = installation.daemon(&environment).await;
    let before = all_clients(&daemon.url()).await;
    daemon.start_again();
    assert!(within("the daemon is back", daemon.ready()).await, "{}", daemon.log());
    drop(before);
    let back = all_clients(&daemon.url()).await;
    assert_eq!(back.len(), CLIENTS);
    let asked = nextcloud.asked().len();
    assert!(asked < CLIENTS / 4, "{asked} requests");
}
