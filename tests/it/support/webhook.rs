//! A daemon that serves webhook push, and its back end.

use super::{
    client::Client,
    daemon::Daemon,
    http::{self, Answer},
};
use serde_json::Value;

/// What the back end is known by.
pub(crate) const TOKEN: &str = "s3cr3t";

/// The type of a JSON body.
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// `notify_push webhook` with a token.
pub(crate) struct Webhook {
    pub(crate) daemon: Daemon,
}

impl Webhook {
    /// One that is alone.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more variables.
    pub(crate) async fn start_with(more: &[(&str, &str)]) -> Self {
        let mut environment = vec![("AUTH_TOKEN", TOKEN), ("LOG", "notify_push=debug")];
        environment.extend(more);
        Self { daemon: Daemon::start(&["webhook"], &environment).await }
    }

    /// A replica on this Redis, once it hears what the others tell.
    pub(crate) async fn on(redis: &super::redis::Redis) -> Self {
        let host = Self::start_with(&[("REDIS_URL", &redis.url())]).await;
        host.daemon.logs("subscribed to Redis").await;
        host
    }

    /// A request with the token.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("X-AUTH-TOKEN", TOKEN), JSON];
        http::request(method, &self.daemon.address(), path, &headers, body).await
    }

    /// Registers a pair.
    pub(crate) async fn register(&self, user: &str, connection: &str) {
        let path = format!("/api/{user}/register?connectionId={connection}");
        let answer = self.ask("PUT", &path, "").await;
        assert_eq!((answer.status, &*answer.body), (200, ""));
    }

    /// Pushes a JSON value and says its id.
    pub(crate) async fn push(&self, user: &str, message: &str) -> String {
        let body = format!(r#"{{"message":{message}}}"#);
        let answer = self.ask("POST", &format!("/api/{user}/push"), &body).await;
        assert_eq!((answer.status, &*answer.body), (200, ""), "{message}");
        answer.header("x-message-id").expect("an id").to_owned()
    }

    /// Where a pair's client connects.
    pub(crate) fn socket(&self, user: &str, connection: &str) -> String {
        let address = self.daemon.address();
        format!("ws://{address}/ws/{user}?connectionId={connection}")
    }

    /// A client of a pair that is registered.
    pub(crate) async fn client(&self, user: &str, connection: &str) -> Client {
        self.client_at(&self.socket(user, connection)).await
    }

    /// The same at a URL.
    pub(crate) async fn client_at(&self, url: &str) -> Client {
        let mut client = Client::connect(url).await;
        assert_eq!(client.text().await, r#"{"registered":true}"#);
        client
    }

    /// The answer to a client that is rejected.
    pub(crate) async fn refusal(&self, url: &str) -> String {
        Client::connect(url).await.text().await
    }
}

/// The message in a text, and its id.
pub(crate) fn message(text: &str) -> (String, Value) {
    let json: Value = serde_json::from_str(text).expect("JSON");
    (json["id"].as_str().expect("an id").to_owned(), json["message"].clone())
}
