//! The demo's page beside the service's own routes; it loads everything from the daemon itself.

use super::{USER, back_end::DemoBackEnd};
use crate::{
    doctor::{CheckRun, DiagnosisContext},
    services::{
        RunningService, Service, ServiceContext, ServiceInput, ServiceStartError,
        webhook::WebhookService,
    },
};
use futures_util::future::BoxFuture;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};
use ipnet::IpNet;
use warp::{
    Filter,
    filters::BoxedFilter,
    reply::{Reply, Response},
};

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
/// The policy that only allows content from this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";

/// A webhook service with the demo's page.
#[derive(Debug)]
pub struct DemoPageService {
    /// The wrapped service.
    pub webhook: WebhookService,
    /// Registers the visitors.
    pub back_end: DemoBackEnd,
}

impl Service for DemoPageService {
    fn trusted_proxies(&self) -> &[IpNet] {
        self.webhook.trusted_proxies()
    }

    fn inputs(&self) -> Vec<ServiceInput> {
        self.webhook.inputs()
    }

    fn needs_shared_listener(&self) -> bool {
        self.webhook.needs_shared_listener()
    }

    fn diagnose<'a, 'r: 'a>(
        &'a self,
        context: DiagnosisContext,
        run: &'a mut CheckRun<'r>,
    ) -> BoxFuture<'a, ()> {
        self.webhook.diagnose(context, run)
    }

    fn start(self: Box<Self>, ground: ServiceContext) -> Result<RunningService, ServiceStartError> {
        let Self { webhook, back_end } = *self;
        let running = Box::new(webhook).start(ground)?;
        let page = page(back_end);
        let routes = match running.routes.clone() {
            Some(routes) => page.or(routes).unify().boxed(),
            None => page,
        };
        Ok(RunningService { routes: Some(routes), ..running })
    }
}

fn page(back_end: DemoBackEnd) -> BoxedFilter<(Response,)> {
    let files = warp::path::end()
        .map(|| file(PAGE, "text/html; charset=UTF-8"))
        .or(warp::path!("demo" / "page.js").map(|| file(SCRIPT, "text/javascript; charset=UTF-8")))
        .unify()
        .or(warp::path!("demo" / "page.css").map(|| file(STYLE, "text/css; charset=UTF-8")))
        .unify();
    let join = warp::path!("demo" / "join").and(warp::post()).then(move || {
        let back_end = back_end.clone();
        async move { join_response(back_end.register().await) }
    });
    warp::get().and(files).or(join).unify().boxed()
}

/// The application server's answer to its page: the user and the connection id.
fn join_response(registered: std::io::Result<String>) -> Response {
    match registered {
        Ok(connection) => {
            let pair = serde_json::json!({ "userId": USER, "connectionId": connection });
            warp::reply::json(&pair).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the demo's back end failed to register a visitor");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn file(text: &'static str, kind: &'static str) -> Response {
    let mut answer = text.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
