//! The limits on the browsers of one address, and on floods of subscriptions.

use crate::support::{
    client::Client,
    phorge::{Aphlict, LeaderTab},
    until,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A browser behind a proxy on this machine that forwards its address.
async fn browser_of(server: &Aphlict, address: &str) -> Option<LeaderTab> {
    let url = format!("ws://{}/ws/", server.clients());
    let connected = Client::connect_with(&url, &[("X-Forwarded-For", address)]).await;
    connected.ok().map(LeaderTab)
}

#[tokio::test]
async fn one_address_has_so_many_browsers() {
    let limit = [("MAX_SESSIONS_PER_ADDRESS", "2")];
    let server = Aphlict::with_environment(|_| {}, &limit).await;
    let mut first = browser_of(&server, "192.0.2.1").await.unwrap();
    let _second = browser_of(&server, "192.0.2.1").await.unwrap();
    first.ping().await;
    assert!(browser_of(&server, "192.0.2.1").await.is_none());
    assert!(browser_of(&server, "192.0.2.2").await.is_some());
    drop(first);
    until("the place is free", async || browser_of(&server, "192.0.2.1").await).await;
}

/// Attack A1 in a bounded form: a client that loops the largest commands costs only itself.
#[tokio::test]
async fn a_flood_of_subscriptions_delays_no_other_browser() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    browser.subscribe(&["PHID-USER-a"]).await;
    let mut floods = JoinSet::new();
    for number in 0..4 {
        let mut attacker = server.browser("").await;
        let ids: Vec<Value> =
            (0..8192).map(|id| json!(format!("PHID-{number}-{id:024}"))).collect();
        floods.spawn(async move {
            for _ in 0..8 {
                attacker.say("subscribe", &json!(ids)).await;
                attacker.say("unsubscribe", &json!(ids)).await;
                attacker.say("replay", &json!({})).await;
            }
        });
    }
    for number in 0..20 {
        let unique = number.to_string();
        server.tell("", &["PHID-USER-a"], &unique).await;
        assert_eq!(browser.next().await["uniqueID"], unique.as_str());
    }
    floods.abort_all();
}
