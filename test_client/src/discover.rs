//! Asks Nextcloud where push is, and for tickets: `specs/nextcloud.md` section 1.

use crate::{failure::Failure, password::Password, trust};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header::LOCATION, redirect::Policy};
use rustls::ClientConfig;
use serde_json::Value;
use std::{error::Error, time::Duration};
use url::Url;

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(30);
/// Capabilities are a few kilobytes.
const LONGEST: usize = 4 * 1024 * 1024;
/// Every OCS request must carry it.
const OCS: (&str, &str) = ("OCS-APIRequest", "true");

/// Where push is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushEndpoints {
    /// Where clients connect.
    pub websocket: Url,
    /// Where tickets are handed out.
    pub pre_auth: Option<Url>,
}

/// A Nextcloud to be asked.
pub struct Nextcloud {
    http: Client,
    base: Url,
}

impl Nextcloud {
    /// `base` ends with a slash.
    pub fn new(base: Url, tls: ClientConfig) -> Result<Self, Failure> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("notify_push-test_client/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .build()
            .map_err(|error| Failure::Io(std::io::Error::other(error.without_url())))?;
        Ok(Self { http, base })
    }

    /// What the capabilities say.
    pub async fn endpoints(
        &self,
        user: &str,
        password: &Password,
    ) -> Result<PushEndpoints, Failure> {
        // Without credentials first: a redirect or a wrong host must not get to see them.
        self.status().await?;
        let url = self.url("ocs/v2.php/cloud/capabilities?format=json")?;
        let place = place(&url);
        let request = self.http.get(url).basic_auth(user, Some(password.expose()));
        let body = text(&place, self.send(&place, request).await?).await?;
        let capabilities: Value = serde_json::from_str(&body)
            .map_err(|_| Failure::NotNextcloud(place, "no JSON".to_owned()))?;
        endpoints(&capabilities)
    }

    /// A one-time ticket.
    pub async fn ticket(
        &self,
        from: &Url,
        user: &str,
        password: &Password,
    ) -> Result<Password, Failure> {
        let request = self.http.post(from.clone()).basic_auth(user, Some(password.expose()));
        let place = place(from);
        let ticket = text(&place, self.send(&place, request).await?).await?;
        match ticket.trim() {
            ticket if ticket.is_empty() || ticket.len() > 1024 || ticket.contains(['<', '\n']) => {
                Err(Failure::NotNextcloud(place, "no ticket".to_owned()))
            }
            ticket => Ok(ticket.to_owned().into()),
        }
    }

    /// Is it there at all, and open? Proxies may keep this page to themselves: only what is clear
    /// counts.
    async fn status(&self) -> Result<(), Failure> {
        let url = self.url("status.php")?;
        let place = place(&url);
        let answer = self.http.get(url).send().await.map_err(|error| unreachable(&place, error))?;
        if let Some(failure) = redirect(&place, &answer) {
            return Err(failure);
        }
        if answer.status() != StatusCode::OK {
            return Ok(());
        }
        let status: Option<Value> = serde_json::from_str(&text(&place, answer).await?).ok();
        match status.as_ref().and_then(|status| status.get("maintenance")) {
            Some(Value::Bool(true)) => Err(Failure::Maintenance),
            _ => Ok(()),
        }
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let wrong =
            |error: url::ParseError| Failure::NotNextcloud(place(&self.base), error.to_string());
        self.base.join(path).map_err(wrong)
    }

    async fn send(&self, place: &str, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.header(OCS.0, OCS.1).send().await;
        let answer = answer.map_err(|error| unreachable(place, error))?;
        let place = || place.to_owned();
        Err(match answer.status().as_u16() {
            200 => return Ok(answer),
            400 => Failure::UntrustedDomain(place()),
            401 => Failure::Credentials("Nextcloud"),
            404 | 405 => Failure::NotNextcloud(place(), "no such page".to_owned()),
            429 => Failure::Throttled,
            503 => Failure::Maintenance,
            status => match redirect(&place(), &answer) {
                Some(failure) => failure,
                None => Failure::Status(place(), status),
            },
        })
    }
}

/// An address without query, for messages.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn redirect(place: &str, answer: &Response) -> Option<Failure> {
    if !answer.status().is_redirection() {
        return None;
    }
    let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
    let to = to.split('?').next().unwrap_or_default();
    Some(Failure::Redirect(place.to_owned(), to.to_owned()))
}

fn unreachable(place: &str, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(failure) = trust::failure(place, &error) {
        return failure;
    }
    let mut deepest: &dyn Error = &error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { deepest.to_string() };
    Failure::NoNextcloud(place.to_owned(), why)
}

async fn text(place: &str, mut answer: Response) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(place, error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(Failure::NotNextcloud(place.to_owned(), "it says too much".to_owned()));
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn endpoints(answer: &Value) -> Result<PushEndpoints, Failure> {
    let Some(capabilities) = answer.pointer("/ocs/data/capabilities") else {
        let why = "no capabilities in its answer".to_owned();
        return Err(Failure::NotNextcloud("the capabilities' address".to_owned(), why));
    };
    let push = capabilities.get("notify_push").ok_or(Failure::NoApp)?;
    let url = |name: &str| -> Result<Option<Url>, Failure> {
        let Some(text) = push.pointer(&format!("/endpoints/{name}")).and_then(Value::as_str) else {
            return Ok(None);
        };
        let unusable = |error| Failure::NoEndpoint(format!("{name} is {text:?}: {error}"));
        Url::parse(text).map(Some).map_err(unusable)
    };
    let websocket = url("websocket")?
        .ok_or_else(|| Failure::NoEndpoint("endpoints.websocket is missing".to_owned()))?;
    if !matches!(websocket.scheme(), "ws" | "wss") {
        return Err(Failure::NoEndpoint(format!("{websocket} is no ws(s):// address")));
    }
    Ok(PushEndpoints { websocket, pre_auth: url("pre_auth")? })
}

#[cfg(test)]
mod tests {
    use super::endpoints;
    use serde_json::json;

    #[test]
    fn the_endpoints_as_nextcloud_gives_them() {
        let answer = json!({"ocs": {"data": {"capabilities": {"notify_push": {
            "type": ["files", "activities", "notifications"],
            "endpoints": {
                "websocket": "wss://cloud.example.com/push/ws",
                "pre_auth": "https://cloud.example.com/apps/notify_push/pre_auth",
            },
        }}}}});
        let found = endpoints(&answer).unwrap();
        assert_eq!(found.websocket.as_str(), "wss://cloud.example.com/push/ws");
        assert!(found.pre_auth.is_some());
    }

    #[test]
    fn missing_parts_have_errors_of_their_own() {
        let code = |capabilities| {
            let answer = json!({"ocs": {"data": {"capabilities": capabilities}}});
            endpoints(&answer).unwrap_err().exit_code()
        };
        assert_eq!(code(json!({"core": {}})), 4);
        assert_eq!(code(json!({"notify_push": {"endpoints": {}}})), 4);
        assert_eq!(code(json!({"notify_push": {"endpoints": {"websocket": "https://a/ws"}}})), 4);
        assert_eq!(endpoints(&json!({"status": "ok"})).unwrap_err().exit_code(), 3);
    }
}
