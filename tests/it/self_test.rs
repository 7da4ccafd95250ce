//! The self-test's routes with Nextcloud behind them: what `occ notify_push:self-test` gets to see.

use crate::support::nextcloud::{Answer, Nextcloud, Setup};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use notify_push::{
    lifecycle::Tasks,
    server::client_address::Origins,
    services::nextcloud::{
        endpoints::{Cause, KeyStore, SelfTest, routes},
        host::Cookie,
        login::Fingerprints,
        remote::{Probe, Remote, RemoteSettings},
    },
};
use std::sync::Arc;

/// Knows the token and takes everything.
struct Store;

impl KeyStore for Store {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Cause>> {
        let token = (key == "test-token").then(|| Bytes::from_static(b"t0ken"));
        std::future::ready(Ok(token)).boxed()
    }

    fn set<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Cause>> {
        std::future::ready(Ok(())).boxed()
    }
}

async fn ask(nextcloud: &Nextcloud, method: &str, path: &str) -> String {
    let settings = RemoteSettings::new(nextcloud.url().parse().unwrap());
    let (tasks, prints) = (Tasks::default(), Fingerprints::new([7; 32]));
    let remote = Remote::new(settings, tasks, Origins::new(vec![]), prints, Arc::new(|_| true));
    let test = SelfTest {
        keys: Some(Arc::new(Store)),
        mounts: None,
        nextcloud: Some(Probe::new(&remote)),
        cookie: Cookie::default(),
        version: "1.4.0".into(),
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
    let nextcloud = Nextcloud::start(Setup::default()).await;
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
async fn what_is_wrong_is_said_with_its_remedy_and_without_the_address() {
    let nextcloud = Nextcloud::start(Setup::default()).await;
    for (status, hint) in
        [(400, "trusted_domains"), (404, "Client Push"), (503, "maintenance"), (403, "403")]
    {
        nextcloud.answer("*", Some(Answer::new(status, "")));
        let reason = ask(&nextcloud, "GET", "/test/reverse_cookie").await;
        assert!(reason.contains(hint), "{reason}");
        assert!(!reason.contains("127.0.0.1"), "{reason}");
    }
    let gone = Nextcloud::start(Setup::default()).await;
    let url = gone.url();
    drop(gone);
    nextcloud.answer("*", Some(Answer::redirect(301, format!("{url}/elsewhere"))));
    assert!(ask(&nextcloud, "GET", "/test/remote/1.2.3.4").await.contains("/elsewhere"));
}
