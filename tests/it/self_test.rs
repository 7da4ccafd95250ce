//! The self-test's routes with Nextcloud behind them: what `occ notify_push:self-test` reads.

use crate::support::{
    installation::Installation,
    nextcloud::{Answer, Nextcloud, NextcloudSetup},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use notify_push::{
    client::SourceBarrier,
    lifecycle::TaskGroup,
    server::client_address::ClientAddressResolver,
    services::nextcloud::{
        event_handler::TestCookie,
        http::{NextcloudAuthenticator, NextcloudClientSettings, SelfTestClient},
        login::ClaimFingerprinter,
        self_test::{KeyStore, SelfTestContext, SelfTestError, routes},
        settings::CompatVersion,
    },
};
use std::sync::Arc;

/// Knows the token and takes everything.
struct TokenStore;

impl KeyStore for TokenStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SelfTestError>> {
        let token = (key == "test-token").then(|| Bytes::from_static(b"t0ken"));
        std::future::ready(Ok(token)).boxed()
    }

    fn set<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), SelfTestError>> {
        std::future::ready(Ok(())).boxed()
    }
}

async fn ask(nextcloud: &Nextcloud, method: &str, path: &str) -> String {
    let settings = NextcloudClientSettings::new(nextcloud.url().parse().unwrap());
    let (tasks, prints) = (TaskGroup::default(), ClaimFingerprinter::new([7; 32]));
    let remote = NextcloudAuthenticator::new(
        settings,
        tasks,
        ClientAddressResolver::new(vec![]),
        prints,
        Arc::new(|_| true),
    );
    let test = SelfTestContext {
        keys: Some(Arc::new(TokenStore)),
        mounts: None,
        nextcloud: Some(SelfTestClient::new(&remote)),
        barrier: SourceBarrier::new().0,
        cookie: TestCookie::default(),
        version: CompatVersion::Fixed("1.4.0".into()),
        forwarded: [].into(),
    };
    let request = Request::builder().method(method).uri(path).header("token", "t0ken");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let service = TowerToHyperService::new(warp::service(routes(test)));
    let reply = service.call(request).await.unwrap();
    assert_eq!(reply.status(), 200);
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn nextclouds_answers_are_handed_on() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.cookie("119367958");
    assert_eq!(ask(&nextcloud, "GET", "/push/test/reverse_cookie").await, "119367958");
    assert_eq!(ask(&nextcloud, "GET", "/test/remote/1.2.3.4").await, "1.2.3.4");
    assert_eq!(ask(&nextcloud, "GET", "/test/remote/2001:db8::1").await, "2001:db8::1");
    assert_eq!(ask(&nextcloud, "POST", "/test/version").await, "set");
    let last = nextcloud.asked().pop().unwrap();
    assert_eq!(last.path, "/index.php/apps/notify_push/test/version");
    assert_eq!(last.token.as_deref(), Some("t0ken"));
}

#[tokio::test]
async fn failures_name_the_remedy_and_hide_the_address() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    for (status, hint) in
        [(400, "trusted_domains"), (404, "Client Push"), (503, "maintenance"), (403, "403")]
    {
        nextcloud.answer("*", Some(Answer::new(status, "")));
        let reason = ask(&nextcloud, "GET", "/test/reverse_cookie").await;
        assert!(reason.contains(hint), "{reason}");
        assert!(!reason.contains("127.0.0.1"), "{reason}");
    }
    let gone = Nextcloud::start(NextcloudSetup::default()).await;
    let url = gone.url();
    drop(gone);
    nextcloud.answer("*", Some(Answer::redirect(301, format!("{url}/elsewhere"))));
    assert!(ask(&nextcloud, "GET", "/test/remote/1.2.3.4").await.contains("/elsewhere"));
}

/// The set-up wizard asks within milliseconds of its PUBLISH.
#[tokio::test]
async fn the_cookie_is_never_stale() {
    let installation = Installation::start().await;
    let daemon = installation.daemon(&[]).await;
    for number in 1..=200 {
        installation.redis.publish("notify_test_cookie", number.to_string()).await;
        assert_eq!(daemon.get("/test/cookie", &[]).await.body, number.to_string());
    }
}
