//! Who gets which answer; what Nextcloud itself answers is in `tests/it/self_test.rs`.

use super::{
    KeyStore, MAX_CONCURRENT, MAX_TOKEN, MountCounter, SelfTestContext, SelfTestError, routes,
};
use crate::{
    client::SourceBarrier,
    services::nextcloud::{event_handler::TestCookie, settings::CompatVersion},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;

/// Redis as a map; `None` is away.
struct FakeKeyStore(Mutex<Option<HashMap<String, String>>>, Semaphore);

impl KeyStore for FakeKeyStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SelfTestError>> {
        async move {
            let _open = self.1.acquire().await?;
            let keys = self.0.lock().unwrap();
            let keys = keys.as_ref().ok_or("redis://:hunter2@10.0.0.1 is away")?;
            Ok(keys.get(key).cloned().map(Bytes::from))
        }
        .boxed()
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), SelfTestError>> {
        async move {
            let mut keys = self.0.lock().unwrap();
            let keys = keys.as_mut().ok_or("away")?;
            if keys.contains_key("read-only") {
                return Err("NOPERM at 10.0.0.1".into());
            }
            keys.insert(key.into(), value.into());
            Ok(())
        }
        .boxed()
    }
}

struct FakeMountCounter;

impl MountCounter for FakeMountCounter {
    fn count(&self, storage: i64) -> BoxFuture<'_, Result<i64, SelfTestError>> {
        let count = match storage {
            7 => Ok(3),
            i64::MIN..0 => Err("mysql://nc:hunter2@10.0.0.2 is away".into()),
            _ => Ok(0),
        };
        std::future::ready(count).boxed()
    }
}

fn store(keys: &[(&str, &str)]) -> Arc<FakeKeyStore> {
    let keys = keys.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Arc::new(FakeKeyStore(Mutex::new(Some(keys)), Semaphore::new(100)))
}

fn self_test(keys: &Arc<FakeKeyStore>) -> SelfTestContext {
    let cookie = TestCookie::default();
    cookie.set(119_367_958);
    let keys = Some(Arc::clone(keys) as Arc<dyn KeyStore>);
    SelfTestContext {
        keys,
        mounts: Some(Arc::new(FakeMountCounter)),
        nextcloud: None,
        cookie,
        // No source: nothing to wait for.
        barrier: SourceBarrier::new().0,
        version: CompatVersion::Fixed("1.4.0".into()),
        forwarded: [crate::server::X_FORWARDED_FOR].into(),
    }
}

async fn ask(
    test: SelfTestContext,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("token", token);
    }
    let service = TowerToHyperService::new(warp::service(routes(test)));
    let reply = service.call(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let status = reply.status();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(test: SelfTestContext, path: &str, token: Option<&str>) -> (u16, String) {
    let (status, body) = ask(test, Method::GET, path, token).await;
    (status.as_u16(), body)
}

fn is(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

#[tokio::test]
async fn the_cookie_is_for_everybody_with_and_without_push() {
    let keys = store(&[]);
    for path in ["/test/cookie", "/push/test/cookie"] {
        assert_eq!(get(self_test(&keys), path, None).await, is(200, "119367958"));
        assert_eq!(get(self_test(&keys), path, Some("wrong")).await, is(200, "119367958"));
    }
}

#[tokio::test]
async fn everything_else_wants_the_token() {
    let keys = store(&[("test-token", "s3cret")]);
    let long = "s".repeat(MAX_TOKEN + 1);
    for (method, path) in [
        (Method::GET, "/test/mapping/7"),
        (Method::GET, "/push/test/reverse_cookie"),
        (Method::GET, "/test/remote/1.2.3.4"),
        (Method::POST, "/push/test/version"),
    ] {
        let ask = |token| ask(self_test(&keys), method.clone(), path, token);
        assert_eq!(ask(None).await.0, 401, "{path}");
        assert_eq!(ask(Some("")).await.0, 401, "{path}");
        for wrong in ["s3cre", "s3crets", "S3CRET", long.as_str()] {
            assert_eq!(
                ask(Some(wrong)).await,
                (StatusCode::FORBIDDEN, "Wrong token\n".into()),
                "{path}"
            );
        }
        assert_eq!(ask(Some("s3cret")).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_in_redis_no_token_is_right() {
    assert_eq!(get(self_test(&store(&[])), "/test/mapping/7", Some("x")).await.0, 403);
    assert_eq!(
        get(self_test(&store(&[("test-token", "")])), "/test/mapping/7", Some("")).await.0,
        401
    );
    let without_redis = SelfTestContext { keys: None, ..self_test(&store(&[])) };
    assert_eq!(get(without_redis, "/test/mapping/7", Some("x")).await.0, 403);
}

#[tokio::test]
async fn mounts_are_counted_and_a_failure_shows_nothing_internal() {
    let keys = store(&[("test-token", "t")]);
    assert_eq!(get(self_test(&keys), "/test/mapping/7", Some("t")).await, is(200, "3"));
    assert_eq!(get(self_test(&keys), "/push/test/mapping/8", Some("t")).await, is(200, "0"));
    let (status, reason) = get(self_test(&keys), "/test/mapping/-1", Some("t")).await;
    assert_eq!(
        (status, reason.as_str()),
        (200, "the database can't be read: see the log of notify_push")
    );
    assert_eq!(get(self_test(&keys), "/test/mapping/seven", Some("t")).await.0, 404);
}

#[tokio::test]
async fn the_version_is_written_for_nextcloud() {
    let keys = store(&[("test-token", "t")]);
    let post = ask(self_test(&keys), Method::POST, "/test/version", Some("t")).await;
    assert_eq!(post, (StatusCode::OK, "set".into()));
    let written = keys.0.lock().unwrap().as_ref().unwrap()["notify_push_version"].clone();
    assert_eq!(written, "1.4.0");
    assert_eq!(ask(self_test(&keys), Method::GET, "/test/version", Some("t")).await.0, 405);

    let keys = store(&[("test-token", "t"), ("read-only", "")]);
    let (status, reason) = ask(self_test(&keys), Method::POST, "/test/version", Some("t")).await;
    assert!(status == 200 && !reason.contains("10.0.0.1") && reason != "set", "{reason}");
}

#[tokio::test]
async fn the_app_s_own_version_is_reported_unless_one_is_fixed() {
    let long = "1".repeat(33);
    for (app, reported) in [
        (Some("2.7.1"), "2.7.1"),
        (Some("3.0.0-beta.1"), "3.0.0-beta.1"),
        (None, "1.4.0"),
        (Some(""), "1.4.0"),
        (Some("1.5.0\nx"), "1.4.0"),
        (Some(&*long), "1.4.0"),
    ] {
        let mut known = vec![("test-token", "t")];
        known.extend(app.map(|app| ("notify_push_app_version", app)));
        let keys = store(&known);
        let test = SelfTestContext { version: CompatVersion::App, ..self_test(&keys) };
        let post = ask(test, Method::POST, "/test/version", Some("t")).await;
        assert_eq!(post, (StatusCode::OK, "set".into()));
        let written = keys.0.lock().unwrap().as_ref().unwrap()["notify_push_version"].clone();
        assert_eq!(written, reported, "{app:?}");
    }
}

#[tokio::test]
async fn without_redis_the_answer_is_try_later() {
    let keys = store(&[]);
    *keys.0.lock().unwrap() = None;
    assert_eq!(
        get(self_test(&keys), "/test/mapping/7", Some("t")).await,
        is(503, "Try again later\n")
    );
    assert_eq!(get(self_test(&keys), "/test/cookie", None).await, is(200, "119367958"));
}

#[tokio::test]
async fn a_flood_does_not_reach_redis() {
    let keys = store(&[("test-token", "t")]);
    keys.1.forget_permits(100);
    let service = TowerToHyperService::new(warp::service(routes(self_test(&keys))));
    let call = || {
        let request = Request::get("/test/mapping/7").header("token", "t");
        Box::pin(service.call(request.body(Empty::<Bytes>::new()).unwrap()))
    };
    let mut waiting: Vec<_> = (0..MAX_CONCURRENT).map(|_| call()).collect();
    for one in &mut waiting {
        assert!(futures_util::poll!(one).is_pending());
    }
    assert_eq!(call().await.unwrap().status(), 503);
    keys.1.add_permits(100);
    for one in waiting {
        assert_eq!(one.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn other_paths_are_left_to_others() {
    for path in ["/", "/test", "/test/cookie/more", "/push/push/test/cookie", "/ws"] {
        assert_eq!(get(self_test(&store(&[])), path, None).await.0, 404, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookie_waits_for_the_first_subscription_but_not_for_ever() {
    let (barrier, queue) = SourceBarrier::new();
    let test = SelfTestContext { barrier, ..self_test(&store(&[])) };
    let before = tokio::time::Instant::now();
    let (status, body) = ask(test, Method::GET, "/test/cookie", None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "119367958"));
    assert_eq!(before.elapsed(), super::COOKIE_WAIT);
    drop(queue);
}
