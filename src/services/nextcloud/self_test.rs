//! `/test/*`: the routes of `occ notify_push:self-test` and the setup wizard (`specs/nextcloud.md`
//! section 5), each also below `/push`.
//!
//! The test cookie, a random number, is public; everything else requires the token that Nextcloud put
//! into Redis.

use super::{
    event_handler::TestCookie,
    http::{NextcloudError, SelfTestClient},
    mount_store::MountStore,
    settings::CompatVersion,
};
use crate::{
    client::{SourceBarrier, redis::RedisClient},
    server,
    server::peer::ConnectionPeer,
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use warp::{
    Filter,
    filters::BoxedFilter,
    reply::{Reply, Response},
};

/// The key that holds the token of the running self-test.
const TOKEN_KEY: &str = "test-token";

/// The key from which Nextcloud reads the daemon's version.
const VERSION_KEY: &str = "notify_push_version";

/// The key in which Nextcloud writes its app's version when it is asked to.
pub(super) const APP_VERSION_KEY: &str = "notify_push_app_version";

/// Reported while the app's version is unknown.
const FALLBACK_VERSION: &str = "1.4.0";

/// The longest version that is repeated, in bytes.
const MAX_VERSION: usize = 32;

/// The longest token that is compared, in bytes.
const MAX_TOKEN: usize = 512;

/// How long `/test/cookie` waits for the first subscription and for earlier messages.
const COOKIE_WAIT: Duration = Duration::from_secs(2);

/// Requests that may be checked at once; a self-test sends one after the other. Further ones are
/// answered "try again later", so that a flood doesn't reach Redis.
const MAX_CONCURRENT: usize = 8;

/// Any error, for the log.
pub type SelfTestError = Box<dyn Error + Send + Sync>;

/// The keys that Nextcloud and the daemon share.
pub trait KeyStore: Send + Sync {
    /// The value of a key, if it exists.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SelfTestError>>;
    /// Sets a key to a value.
    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), SelfTestError>>;
}

impl KeyStore for RedisClient {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SelfTestError>> {
        async move { Ok(RedisClient::get(self, key).await?) }.boxed()
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), SelfTestError>> {
        async move { Ok(RedisClient::set(self, key, value).await?) }.boxed()
    }
}

/// Counts the mounts of a storage.
pub trait MountCounter: Send + Sync {
    /// How many mounts show all of this storage.
    fn count(&self, storage: i64) -> BoxFuture<'_, Result<i64, SelfTestError>>;
}

impl MountCounter for MountStore {
    fn count(&self, storage: i64) -> BoxFuture<'_, Result<i64, SelfTestError>> {
        async move { Ok(self.count_whole(storage).await?) }.boxed()
    }
}

/// The parts that the self-test uses.
pub struct SelfTestContext {
    /// Redis; without it there is no valid token.
    pub keys: Option<Arc<dyn KeyStore>>,
    /// The database, when there is one.
    pub mounts: Option<Arc<dyn MountCounter>>,
    /// Nextcloud over HTTP, when its URL is known.
    pub nextcloud: Option<SelfTestClient>,
    /// The cookie from Redis.
    pub cookie: TestCookie,
    /// Waits for everything that Redis has published before.
    pub barrier: SourceBarrier,
    /// The version that the daemon reports (`COMPAT_VERSION`).
    pub version: CompatVersion,
    /// The headers that hold the forwarded chain.
    pub forwarded: Arc<[HeaderName]>,
}

/// The JSON answer of `/test/chain`: the client address as the daemon receives it. The original has
/// no such route; the doctor uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardedChain {
    /// The socket's remote address; none for a unix socket.
    pub peer: Option<IpAddr>,
    /// The forwarded chain as received, the client first.
    pub forwarded: Vec<String>,
}

/// The routes; a request for anything else is rejected, so that others can follow.
pub fn routes(test: SelfTestContext) -> BoxedFilter<(Response,)> {
    let (cookie, barrier) = (test.cookie.clone(), test.barrier.clone());
    let open = warp::path!("cookie").and(warp::get()).then(move || {
        let (cookie, barrier) = (cookie.clone(), barrier.clone());
        async move {
            // Nextcloud asks right after it has published the number.
            barrier.reached(COOKIE_WAIT).await;
            plain(cookie.get().to_string())
        }
    });
    let names = Arc::clone(&test.forwarded);
    let handler = Arc::new(SelfTestHandler { test, permits: Semaphore::new(MAX_CONCURRENT) });
    let guarded = checks(names)
        .and(warp::header::optional("token"))
        .then(move |check, token: Option<String>| Arc::clone(&handler).answer(check, token));
    let routes = warp::path("test").and(open.or(guarded).unify()).boxed();
    warp::path("push").and(routes.clone()).or(routes).unify().boxed()
}

/// The question of a request with a token.
#[derive(Debug, Clone)]
enum SelfTestQuery {
    Mapping(i64),
    ReverseCookie,
    Remote(IpAddr),
    Version,
    Chain(ConnectionPeer),
}

fn checks(names: Arc<[HeaderName]>) -> BoxedFilter<(SelfTestQuery,)> {
    let mapping = warp::path!("mapping" / i64).and(warp::get()).map(SelfTestQuery::Mapping);
    let cookie =
        warp::path!("reverse_cookie").and(warp::get()).map(|| SelfTestQuery::ReverseCookie);
    let remote = warp::path!("remote" / IpAddr).and(warp::get()).map(SelfTestQuery::Remote);
    let version = warp::path!("version").and(warp::post()).map(|| SelfTestQuery::Version);
    let chain =
        warp::path!("chain").and(warp::get()).and(server::peer(names)).map(SelfTestQuery::Chain);
    let usual = mapping.or(cookie).unify().or(remote).unify().or(version).unify();
    usual.or(chain).unify().boxed()
}

struct SelfTestHandler {
    test: SelfTestContext,
    permits: Semaphore,
}

/// Why a request gets no answer.
enum SelfTestDenial {
    NoToken,
    WrongToken,
    TryLater,
}

impl SelfTestHandler {
    /// A check that fails is answered with status 200 and the reason, which the self-test shows.
    async fn answer(self: Arc<Self>, check: SelfTestQuery, token: Option<String>) -> Response {
        let Ok(_turn) = self.permits.try_acquire() else {
            return SelfTestDenial::TryLater.into_response();
        };
        let (token, keys) = match self.admit(token).await {
            Ok(admitted) => admitted,
            Err(denied) => return denied.into_response(),
        };
        plain(match check {
            SelfTestQuery::Mapping(storage) => self.mapping(storage).await,
            SelfTestQuery::ReverseCookie => {
                self.ask(async |probe| probe.test_cookie(&token).await).await
            }
            SelfTestQuery::Remote(ip) => {
                self.ask(async |probe| probe.test_remote(&token, ip).await).await
            }
            SelfTestQuery::Version => self.version(&token, keys).await,
            SelfTestQuery::Chain(peer) => seen(peer),
        })
    }

    async fn admit(
        &self,
        token: Option<String>,
    ) -> Result<(String, &dyn KeyStore), SelfTestDenial> {
        let token = token.filter(|token| !token.is_empty()).ok_or(SelfTestDenial::NoToken)?;
        if token.len() > MAX_TOKEN {
            return Err(SelfTestDenial::WrongToken);
        }
        let keys = self.test.keys.as_deref().ok_or(SelfTestDenial::WrongToken)?;
        let expected = keys.get(TOKEN_KEY).await.map_err(|cause| {
            tracing::debug!("the self-test's token can't be read: {cause}");
            SelfTestDenial::TryLater
        })?;
        let right = expected.is_some_and(|expected| token.as_bytes().ct_eq(&expected).into());
        if right { Ok((token, keys)) } else { Err(SelfTestDenial::WrongToken) }
    }

    async fn mapping(&self, storage: i64) -> String {
        let Some(mounts) = &self.test.mounts else {
            return "no database is set: give the path of config.php or DATABASE_URL".to_owned();
        };
        match mounts.count(storage).await {
            Ok(count) => count.to_string(),
            Err(cause) => {
                tracing::warn!("the self-test's mounts can't be counted: {cause}");
                "the database can't be read: see the log of notify_push".to_owned()
            }
        }
    }

    async fn ask(
        &self,
        question: impl AsyncFnOnce(&SelfTestClient) -> Result<String, NextcloudError>,
    ) -> String {
        let Some(nextcloud) = &self.test.nextcloud else {
            return "the address of Nextcloud is not known: set NEXTCLOUD_URL".to_owned();
        };
        question(nextcloud).await.unwrap_or_else(|trouble| trouble.to_string())
    }

    /// Has Nextcloud write its app's version, and writes the daemon's; the self-test compares both.
    async fn version(&self, token: &str, keys: &dyn KeyStore) -> String {
        if let Some(nextcloud) = &self.test.nextcloud
            && let Err(trouble) = nextcloud.test_version(token).await
        {
            tracing::warn!("Nextcloud could not be asked for its app's version: {trouble}");
        }
        let version = match &self.test.version {
            CompatVersion::Fixed(version) => version.clone(),
            CompatVersion::App => app_version(keys).await,
        };
        if let Err(cause) = keys.set(VERSION_KEY, &version).await {
            tracing::warn!("the self-test's version can't be written: {cause}");
            return "Redis can't be written: see the log of notify_push".to_owned();
        }
        "set".to_owned()
    }
}

/// The app's version as Redis has it.
async fn app_version(keys: &dyn KeyStore) -> String {
    let version = match keys.get(APP_VERSION_KEY).await {
        Ok(version) => version.and_then(|version| String::from_utf8(version.into()).ok()),
        Err(cause) => {
            tracing::warn!("the version of Nextcloud's app can't be read: {cause}");
            None
        }
    };
    let plain = |version: &String| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        (1..=MAX_VERSION).contains(&version.len()) && version.bytes().all(allowed)
    };
    version.filter(plain).unwrap_or_else(|| FALLBACK_VERSION.to_owned())
}

fn seen(peer: ConnectionPeer) -> String {
    let seen = ForwardedChain { peer: peer.ip(), forwarded: peer.forwarded };
    serde_json::to_string(&seen).unwrap_or_else(|error| error.to_string())
}

impl Reply for SelfTestDenial {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "Token required\n"),
            Self::WrongToken => (StatusCode::FORBIDDEN, "Wrong token\n"),
            Self::TryLater => (StatusCode::SERVICE_UNAVAILABLE, "Try again later\n"),
        };
        warp::reply::with_status(text, status).into_response()
    }
}

/// A plain text that no cache stores.
fn plain(text: String) -> Response {
    warp::reply::with_header(text, "cache-control", "no-store").into_response()
}

#[cfg(test)]
mod tests;
