//! HTTP requests to Nextcloud: bounded in time and size, redirects explained instead of followed.

use super::{NextcloudClientSettings, error::NextcloudError, reply::NextcloudReply, tls};
use crate::{
    client::tls::certificate_problem,
    health::{DependencyRecord, DependencyState},
    push::LoginCredentials,
};
use reqwest::{Error, RequestBuilder, Response, redirect};
use std::{error::Error as _, time::Duration};
use tokio::{sync::OnceCell, time::Instant};
use url::Url;

/// The time limit for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The time limit for a whole request.
const TOTAL: Duration = Duration::from_secs(30);

/// How long an idle connection is kept. Apache closes after 5 s by default; a connection that it
/// closes while it is used costs a request.
const IDLE: Duration = Duration::from_secs(4);

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 4096;

/// The path of the app below Nextcloud's base.
const APP: [&str; 3] = ["index.php", "apps", "notify_push"];

/// A client for one Nextcloud. It connects on first use, so that the start doesn't wait for
/// certificate files.
#[derive(Debug)]
pub(super) struct NextcloudHttpClient {
    settings: NextcloudClientSettings,
    http: OnceCell<reqwest::Client>,
    /// The state of Nextcloud according to its answers.
    condition: DependencyRecord,
}

/// Optional parts of a request.
#[derive(Debug, Default)]
pub(super) struct RequestExtras<'a> {
    /// Credentials for basic auth.
    pub(super) credentials: Option<&'a LoginCredentials>,
    /// The header `X-Forwarded-For`.
    pub(super) forwarded: Option<String>,
    /// The self-test's header `token`.
    pub(super) token: Option<&'a str>,
    /// Adds the header that Nextcloud demands for its OCS routes.
    pub(super) ocs: bool,
}

impl NextcloudHttpClient {
    pub(super) fn new(settings: NextcloudClientSettings) -> Self {
        Self { settings, http: OnceCell::new(), condition: DependencyRecord::default() }
    }

    /// The base URL without user, password and query.
    pub(super) fn display_url(&self) -> String {
        let mut url = self.settings.url.clone();
        // These fail only on URLs that can't hold such parts.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.to_string()
    }

    /// The state of Nextcloud.
    pub(super) fn condition(&self) -> DependencyState {
        self.condition.get()
    }

    /// Records what a result means for Nextcloud's state, and returns it.
    pub(super) fn record_health<T>(
        &self,
        outcome: Result<T, NextcloudError>,
    ) -> Result<T, NextcloudError> {
        match &outcome {
            // Both concern the daemon or one client, not Nextcloud.
            Err(NextcloudError::Busy | NextcloudError::Throttled) => {}
            Err(error) => self.condition.failed(error.to_string(), Instant::now()),
            Ok(_) => self.condition.succeeded(Instant::now()),
        }
        outcome
    }

    /// Sends a request to `<base>/index.php/apps/notify_push/<path>`.
    pub(super) async fn get(
        &self,
        path: &[&str],
        extras: RequestExtras<'_>,
    ) -> Result<NextcloudReply, NextcloudError> {
        self.fetch(self.url(path)?, extras, MAX_BODY).await
    }

    /// Requests `<base>/<path>`; the body may have `most` bytes.
    pub(super) async fn get_from_base(
        &self,
        path: &str,
        extras: RequestExtras<'_>,
        most: usize,
    ) -> Result<NextcloudReply, NextcloudError> {
        let wrong = |cause: url::ParseError| NextcloudError::Setup(cause.to_string());
        self.fetch(self.url_of(&[], &[""])?.join(path).map_err(wrong)?, extras, most).await
    }

    async fn fetch(
        &self,
        url: Url,
        extras: RequestExtras<'_>,
        most: usize,
    ) -> Result<NextcloudReply, NextcloudError> {
        let http = self.http.get_or_try_init(|| build(&self.settings)).await?;
        let mut asked = send(http, &url, &extras).await;
        // The server closed an idle connection in the moment it was used: retry on a new one.
        if asked.as_ref().is_err_and(was_stale) {
            asked = send(http, &url, &extras).await;
        }
        read(asked.map_err(|error| describe(&error))?, most).await
    }

    fn url(&self, path: &[&str]) -> Result<Url, NextcloudError> {
        self.url_of(&APP, path)
    }

    fn url_of(&self, folder: &[&str], path: &[&str]) -> Result<Url, NextcloudError> {
        let mut url = self.settings.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut()
            .map_err(|()| NextcloudError::Setup("NEXTCLOUD_URL is not an http(s) URL".to_owned()))?
            .pop_if_empty()
            .extend(folder)
            .extend(path);
        Ok(url)
    }
}

async fn build(settings: &NextcloudClientSettings) -> Result<reqwest::Client, NextcloudError> {
    let settings = settings.clone();
    // Reading the system's certificates takes a while.
    let tls = tokio::task::spawn_blocking(move || {
        tls::client_config(&settings).map(|tls| (tls, settings))
    });
    let (tls, settings) = tls.await.map_err(|cause| NextcloudError::Setup(cause.to_string()))??;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(settings.user_agent)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.at_once.max(1))
        .build()
        .map_err(|cause| NextcloudError::Setup(cause.without_url().to_string()))
}

async fn send(
    http: &reqwest::Client,
    url: &Url,
    extras: &RequestExtras<'_>,
) -> Result<Response, Error> {
    let mut request: RequestBuilder = http.get(url.clone());
    if let Some(claim) = extras.credentials {
        request = request.basic_auth(&claim.user, Some(claim.password.expose()));
    }
    if let Some(chain) = &extras.forwarded {
        request = request.header("x-forwarded-for", chain);
    }
    if let Some(token) = extras.token {
        request = request.header("token", token);
    }
    if extras.ocs {
        request = request.header("ocs-apirequest", "true");
    }
    request.send().await
}

async fn read(mut response: Response, most: usize) -> Result<NextcloudReply, NextcloudError> {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let (location, date) =
        (header("location").map(str::to_owned), header("date").map(str::to_owned));
    let mut body = Vec::new();
    // The body of an error is ignored, but a connection can only be used again once it is read to its
    // end: without that every wrong password would cost a new connection.
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > most {
            if status == 200 {
                return Err(NextcloudError::TooLong);
            }
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(NextcloudReply { status, location, date, body })
}

/// Whether the connection broke before any byte of the answer, other than by a timeout.
fn was_stale(error: &Error) -> bool {
    error.is_request() && !error.is_timeout() && !error.is_connect()
}

fn describe(error: &Error) -> NextcloudError {
    if error.is_timeout() {
        return NextcloudError::Late;
    }
    let (certificate, cause) = root(error);
    match (certificate, error.is_connect()) {
        (true, _) => NextcloudError::Certificate(cause),
        (false, true) => NextcloudError::Unreachable(cause),
        (false, false) => NextcloudError::Broken(cause),
    }
}

/// The innermost cause, which names no URL, and whether it is about a certificate.
fn root(error: &Error) -> (bool, String) {
    let mut cause: &dyn std::error::Error = error;
    loop {
        // An I/O error hides what it wraps from `source`.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let wrapped = wrapped.map(|inner| inner as &dyn std::error::Error);
        let Some(inner) = wrapped.or_else(|| cause.source()) else { break };
        if let Some(rustls::Error::InvalidCertificate(why)) = inner.downcast_ref() {
            return (true, certificate_problem(why));
        }
        cause = inner;
    }
    let text = if error.source().is_some() { cause.to_string() } else { "no details".to_owned() };
    (false, text)
}

#[cfg(test)]
mod tests {
    use super::{NextcloudClientSettings, NextcloudHttpClient};

    fn client(url: &str) -> NextcloudHttpClient {
        NextcloudHttpClient::new(NextcloudClientSettings::new(url.parse().unwrap()))
    }

    #[test]
    fn the_base_may_have_a_folder_and_a_trailing_slash() {
        for (base, expected) in [
            ("http://cloud", "http://cloud/index.php/apps/notify_push/uid"),
            ("http://cloud/", "http://cloud/index.php/apps/notify_push/uid"),
            ("https://cloud:8443/nc", "https://cloud:8443/nc/index.php/apps/notify_push/uid"),
            ("https://cloud/a/nc/?x=1#y", "https://cloud/a/nc/index.php/apps/notify_push/uid"),
        ] {
            assert_eq!(client(base).url(&["uid"]).unwrap().as_str(), expected);
        }
        assert!(client("mailto:cloud").url(&["uid"]).is_err());
    }

    #[test]
    fn a_password_in_the_url_is_not_shown() {
        let client = client("https://admin:hunter2@cloud/nc?key=hunter2");
        assert_eq!(client.display_url(), "https://cloud/nc");
    }
}
