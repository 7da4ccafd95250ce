//! The status page's document, with a content security policy that allows only its own scripts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};
use warp::reply::{Reply, Response};

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const SCRIPTS: [&str; 3] =
    [include_str!("figures.js"), include_str!("charts.js"), include_str!("page.js")];

/// The page as it is served.
pub(super) struct StatusPage {
    html: Bytes,
    /// Content-Security-Policy up to `connect-src 'self'`.
    policy: String,
}

impl StatusPage {
    pub(super) fn new() -> Self {
        let script = SCRIPTS.concat();
        let html = HTML.replace("/* page.css */", CSS).replace("/* page.js */", &script);
        let policy = format!(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             style-src '{}'; script-src '{}'; connect-src 'self'",
            hash(CSS),
            hash(&script),
        );
        Self { html: html.into(), policy }
    }

    /// In a demo the page is also a client of the daemon at `socket`.
    pub(super) fn response(&self, socket: Option<&str>) -> Response {
        let socket =
            socket.and_then(|url| url.split_inclusive('/').take(3).collect::<String>().into());
        let policy = socket.map_or(self.policy.clone(), |origin: String| {
            format!("{} {}", self.policy, origin.trim_end_matches('/'))
        });
        let mut response = warp::reply::html(self.html.clone()).into_response();
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Hashes and our own address are always valid. Without a policy nothing harmful would run either:
        // the page contains no foreign content.
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// CSP level 3, section 2.3.1: a hash of the text between the tags.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::{HTML, StatusPage};

    #[test]
    fn the_page_is_whole_and_asks_nobody_else() {
        let page = StatusPage::new();
        let html = std::str::from_utf8(&page.html).unwrap();
        assert!(HTML.contains("<style>/* page.css */</style>"), "the hash is of the whole element");
        assert!(HTML.contains("<script>/* page.js */</script>"));
        assert!(!html.contains("/* page."), "filled in");
        let elsewhere = ["https://", "src=", "@import", "url(", "<link", " style=", " onclick="];
        for word in elsewhere {
            assert!(!html.contains(word), "{word}");
        }
        let svg = "http://www.w3.org/2000/svg";
        assert!(!html.replace(svg, "").contains("http://"), "only the name of SVG");
    }

    #[test]
    fn the_policy_opens_one_socket_in_a_demo_and_none_otherwise() {
        let page = StatusPage::new();
        let policy = |socket| {
            let response = page.response(socket);
            response.headers()["content-security-policy"].to_str().unwrap().to_owned()
        };
        assert!(policy(None).ends_with("connect-src 'self'"), "{}", policy(None));
        assert!(policy(None).contains("default-src 'none'") && !policy(None).contains("unsafe"));
        let demo = policy(Some("ws://127.0.0.1:7867/push/ws"));
        assert!(demo.ends_with("connect-src 'self' ws://127.0.0.1:7867"), "{demo}");
    }
}
