//! A hook's life, called as strangers call it.

use super::*;
use crate::services::webhook::{
    book::{BookLimits, MemoryBook},
    news::News,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header::CONTENT_TYPE};
use sha2::Sha256;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};
use tokio::sync::mpsc;

struct World {
    hooks: Hooks,
    told: mpsc::Receiver<News>,
    now: Arc<AtomicU64>,
}

const BODY: &[u8] = br#"{"message":"hi"}"#;

fn world(per_minute: u32) -> World {
    let (news, told) = mpsc::channel(16);
    let now = Arc::new(AtomicU64::new(1_700_000_000));
    let read = Arc::clone(&now);
    let clock: Clock =
        Arc::new(move || UNIX_EPOCH + Duration::from_secs(read.load(Ordering::Relaxed)));
    let book = Arc::new(MemoryBook::new(BookLimits::default(), Arc::clone(&clock), news));
    let (usual, longest) = (Duration::from_secs(3600), Duration::from_secs(86_400));
    let base = "https://push.example.org/push".to_owned();
    let rules = HookRules { usual, longest, per_minute, base };
    World { hooks: Hooks::new(book, clock, rules), told, now }
}

fn claim() -> Claim {
    Claim::new("alice", "c1").unwrap()
}

fn json() -> HeaderMap {
    [(CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect()
}

fn asked(text: &str) -> Asked {
    serde_json::from_str(text).unwrap()
}

impl World {
    /// The answer of a client's wish, and the capability in its URL.
    async fn ask(&self, wish: &str) -> (serde_json::Value, Capability) {
        let answer = self.hooks.ask(&claim(), &asked(wish)).await;
        let url = answer["url"].as_str().unwrap_or_default();
        let text = url.strip_prefix("https://push.example.org/push/hook/").unwrap_or_default();
        (answer.clone(), Capability::given(text))
    }

    async fn call(&self, capability: &Capability, headers: &HeaderMap) -> Answer {
        self.hooks.call(capability, headers, BODY).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_reaches_whom_the_hook_is_bound_to_until_its_time_is_over() {
    let mut world = world(60);
    for (wish, to) in [
        ("{}", Target::Connection(claim())),
        (r#"{"to":"connection","seconds":60}"#, Target::Connection(claim())),
        (r#"{"to":"user","seconds":60}"#, Target::User("alice".into())),
    ] {
        let (_, capability) = world.ask(wish).await;
        assert_eq!(world.call(&capability, &json()).await, Answer::Accepted, "{wish}");
        let Some(News::Message(message)) = world.told.recv().await else { panic!("{wish}") };
        assert_eq!((message.to, message.value.as_str()), (to, r#""hi""#));
    }
    let (answer, capability) = world.ask(r#"{"seconds":60}"#).await;
    assert_eq!(answer["expires"], 1_700_000_060);
    world.now.store(1_700_000_060, Ordering::Relaxed);
    assert_eq!(world.call(&capability, &json()).await, Answer::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_cannot_tell_a_guess_from_a_hook_that_was() {
    let world = world(60);
    let (answer, capability) = world.ask("{}").await;
    let id = answer["id"].as_str().unwrap();
    assert!(!answer["url"].as_str().unwrap().contains(id));
    let revoked = world.hooks.ask(&claim(), &asked(&format!(r#"{{"revoke":"{id}"}}"#))).await;
    assert_eq!(revoked, serde_json::json!({ "revoked": true }));
    for gone in [&capability, &Capability::given("guess"), &Capability::given("")] {
        assert_eq!(world.call(gone, &json()).await, Answer::Gone);
        assert_eq!(world.hooks.call(gone, &json(), b"{").await, Answer::Gone);
    }
}

#[tokio::test(start_paused = true)]
async fn another_users_client_cannot_revoke() {
    let world = world(60);
    let (answer, capability) = world.ask("{}").await;
    let revoke = asked(&format!(r#"{{"revoke":{}}}"#, answer["id"]));
    let other = Claim::new("mallory", "c1").unwrap();
    let refused = world.hooks.ask(&other, &revoke).await;
    assert_eq!(refused, serde_json::json!({ "revoked": false }));
    assert_eq!(world.call(&capability, &json()).await, Answer::Accepted);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_are_refused_whether_there_is_a_hook_or_not() {
    let world = world(3);
    let (_, capability) = world.ask("{}").await;
    for (capability, first) in
        [(&capability, Answer::Accepted), (&Capability::given("x"), Answer::Gone)]
    {
        for expected in [first, first, first, Answer::TooMany] {
            assert_eq!(world.call(capability, &json()).await, expected);
        }
    }
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(world.call(&capability, &json()).await, Answer::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_signed_hook_takes_each_signature_once() {
    let world = world(60);
    let (answer, capability) = world.ask(r#"{"signed":true}"#).await;
    let sign = |secret: &str, stamp: u64| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{stamp}.").as_bytes());
        mac.update(BODY);
        let mac: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut headers = json();
        headers.insert(TIMESTAMP, stamp.into());
        headers.insert(SIGNATURE, format!("sha256={mac}").parse().unwrap());
        headers
    };
    let secret = answer["secret"].as_str().unwrap();
    assert_eq!(world.call(&capability, &json()).await, Answer::Gone);
    assert_eq!(world.call(&capability, &sign("other", 1_700_000_000)).await, Answer::Gone);
    let signed = sign(secret, 1_700_000_000);
    assert_eq!(world.call(&capability, &signed).await, Answer::Accepted);
    assert_eq!(world.call(&capability, &signed).await, Answer::Gone, "the same again");
    assert_eq!(world.call(&capability, &sign(secret, 1_700_000_001)).await, Answer::Accepted);
}

#[tokio::test(start_paused = true)]
async fn wishes_that_cannot_be_are_refused_and_secrets_do_not_show() {
    let world = world(60);
    for wish in [r#"{"seconds":0}"#, r#"{"seconds":86401}"#] {
        let answer = world.hooks.ask(&claim(), &asked(wish)).await;
        assert_eq!(answer, serde_json::json!({ "error": "malformed" }), "{wish}");
    }
    for text in [r#"{"to":"all"}"#, r#"{"seconds":-1}"#, r#"{"unknown":1}"#, "1"] {
        assert!(serde_json::from_str::<Asked>(text).is_err(), "{text}");
    }
    let wish = Wish { signed: true, ..Wish::default() };
    let made = world.hooks.make(Target::User("u".into()), &wish).await.unwrap();
    let debug = format!("{made:?}");
    assert!(!debug.contains("/hook/") && !debug.contains(made.hook.secret.unwrap().expose()));
}
