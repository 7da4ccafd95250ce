//! Life cycle of hooks, as their callers see it.

use super::*;
use crate::services::webhook::{
    intake,
    replica_events::ReplicaEvent,
    store::{MemoryStore, StoreLimits},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header::CONTENT_TYPE};
use sha2::Sha256;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::UNIX_EPOCH,
};
use tokio::sync::mpsc;

struct HookHarness {
    hooks: HookService,
    notified: mpsc::Receiver<ReplicaEvent>,
    now: Arc<AtomicU64>,
}

const BODY: &[u8] = br#"{"message":"hi"}"#;

fn harness(per_minute: u32) -> HookHarness {
    let (replica_events, notified) = mpsc::channel(16);
    let now = Arc::new(AtomicU64::new(1_700_000_000));
    let read = Arc::clone(&now);
    let clock: WallClock =
        Arc::new(move || UNIX_EPOCH + Duration::from_secs(read.load(Ordering::Relaxed)));
    let store =
        Arc::new(MemoryStore::new(StoreLimits::default(), Arc::clone(&clock), replica_events));
    let (usual, longest) = (Duration::from_secs(3600), Duration::from_secs(86_400));
    let base = "https://push.example.org/push".to_owned();
    let rules = HookRules { usual, longest, per_minute, base };
    let (intake, jobs) = MessageIntake::new();
    #[expect(clippy::disallowed_methods, reason = "a test spawns without a group")]
    tokio::spawn(intake::run(Arc::clone(&store) as _, jobs));
    HookHarness { hooks: HookService::new(store, intake, clock, rules), notified, now }
}

fn claim() -> RegistrationKey {
    RegistrationKey::new("alice", "c1").unwrap()
}

fn json() -> HeaderMap {
    [(CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect()
}

fn command(text: &str) -> HookCommand {
    serde_json::from_str(text).unwrap()
}

impl HookHarness {
    /// Answer to a client's request, and the capability of its URL.
    async fn ask(&self, request: &str) -> (serde_json::Value, HookCapability) {
        let answer = self.hooks.ask(&claim(), &command(request)).await;
        let url = answer["url"].as_str().unwrap_or_default();
        let text = url.strip_prefix("https://push.example.org/push/hook/").unwrap_or_default();
        (answer.clone(), HookCapability::given(text))
    }

    async fn call(&self, capability: &HookCapability, headers: &HeaderMap) -> HookCallResult {
        self.hooks.call(capability, headers, BODY).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_reaches_the_bound_recipients_until_the_hook_expires() {
    let mut harness = harness(60);
    for (request, to) in [
        ("{}", MessageTarget::Connection(claim())),
        (r#"{"to":"connection","seconds":60}"#, MessageTarget::Connection(claim())),
        (r#"{"to":"user","seconds":60}"#, MessageTarget::User("alice".into())),
    ] {
        let (_, capability) = harness.ask(request).await;
        assert_eq!(harness.call(&capability, &json()).await, HookCallResult::Accepted, "{request}");
        let Some(ReplicaEvent::Message(message)) = harness.notified.recv().await else {
            panic!("{request}")
        };
        assert_eq!((message.to, message.value.as_str()), (to, r#""hi""#));
    }
    let (answer, capability) = harness.ask(r#"{"seconds":60}"#).await;
    assert_eq!(answer["expires"], 1_700_000_060);
    harness.now.store(1_700_000_060, Ordering::Relaxed);
    assert_eq!(harness.call(&capability, &json()).await, HookCallResult::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_guess_and_an_expired_hook_are_answered_alike() {
    let harness = harness(60);
    let (answer, capability) = harness.ask("{}").await;
    let id = answer["id"].as_str().unwrap();
    assert!(!answer["url"].as_str().unwrap().contains(id));
    let revoked = harness.hooks.ask(&claim(), &command(&format!(r#"{{"revoke":"{id}"}}"#))).await;
    assert_eq!(revoked, serde_json::json!({ "revoked": true }));
    for unknown in [&capability, &HookCapability::given("guess"), &HookCapability::given("")] {
        assert_eq!(harness.call(unknown, &json()).await, HookCallResult::Gone);
        assert_eq!(harness.hooks.call(unknown, &json(), b"{").await, HookCallResult::Gone);
    }
}

#[tokio::test(start_paused = true)]
async fn another_users_client_cannot_revoke() {
    let harness = harness(60);
    let (answer, capability) = harness.ask("{}").await;
    let revoke = command(&format!(r#"{{"revoke":{}}}"#, answer["id"]));
    let other = RegistrationKey::new("mallory", "c1").unwrap();
    let refused = harness.hooks.ask(&other, &revoke).await;
    assert_eq!(refused, serde_json::json!({ "revoked": false }));
    assert_eq!(harness.call(&capability, &json()).await, HookCallResult::Accepted);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_are_refused_whether_there_is_a_hook_or_not() {
    let harness = harness(3);
    let (_, capability) = harness.ask("{}").await;
    for (capability, first) in [
        (&capability, HookCallResult::Accepted),
        (&HookCapability::given("x"), HookCallResult::Gone),
    ] {
        for expected in [first, first, first, HookCallResult::TooMany] {
            assert_eq!(harness.call(capability, &json()).await, expected);
        }
    }
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(harness.call(&capability, &json()).await, HookCallResult::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_signed_hook_takes_each_signature_once() {
    let harness = harness(60);
    let (answer, capability) = harness.ask(r#"{"signed":true}"#).await;
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
    assert_eq!(harness.call(&capability, &json()).await, HookCallResult::Gone);
    assert_eq!(
        harness.call(&capability, &sign("other", 1_700_000_000)).await,
        HookCallResult::Gone
    );
    let signed = sign(secret, 1_700_000_000);
    assert_eq!(harness.call(&capability, &signed).await, HookCallResult::Accepted);
    assert_eq!(harness.call(&capability, &signed).await, HookCallResult::Gone, "the same again");
    assert_eq!(
        harness.call(&capability, &sign(secret, 1_700_000_001)).await,
        HookCallResult::Accepted
    );
}

#[tokio::test(start_paused = true)]
async fn invalid_requests_are_refused_and_secrets_are_redacted() {
    let harness = harness(60);
    for request in [r#"{"seconds":0}"#, r#"{"seconds":86401}"#] {
        let answer = harness.hooks.ask(&claim(), &command(request)).await;
        assert_eq!(answer, serde_json::json!({ "error": "malformed" }), "{request}");
    }
    for text in [r#"{"to":"all"}"#, r#"{"seconds":-1}"#, r#"{"unknown":1}"#, "1"] {
        assert!(serde_json::from_str::<HookCommand>(text).is_err(), "{text}");
    }
    let request = HookRequest { signed: true, ..HookRequest::default() };
    let made = harness.hooks.make(MessageTarget::User("u".into()), &request).await.unwrap();
    let debug = format!("{made:?}");
    assert!(!debug.contains("/hook/") && !debug.contains(made.hook.secret.unwrap().expose()));
}
