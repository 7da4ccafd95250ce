//! Webhook push behind the reverse proxies that we ship files for, with these files as they are: polling,
//! the change to WebSocket, and event streams, which a proxy must not keep back.

use crate::support::{
    Server,
    certificates::Certificates,
    daemon::Daemon,
    folder, http, installed,
    node::NodeClient,
    reverse_proxy::{Kind, ReverseProxy},
    until,
    webhook::Webhook,
};
use serde_json::json;

/// A host below the path that the files pass on.
const SERVICES: &str = "[[service]]\nname = \"push\"\nkind = \"webhook\"\npath = \"/push\"\n\
                     auth_token = \"s3cr3t\"\n";

async fn through(kind: Kind, host: &Webhook, certificates: &Certificates) {
    let proxy = ReverseProxy::start(kind, host.daemon.port(), certificates).await;
    // Some listen before they know where to.
    let answers = async || {
        let answer = http::get(&proxy.address(), "/push/api/status/ping", &[]).await;
        (answer.body == "pong").then_some(())
    };
    until(&format!("{kind:?} passes requests on"), answers).await;
    let user = format!("{kind:?}");
    let clients = [("1.7", "polling"), ("1.7", "default"), ("4.8", "default")];
    let clients = clients.map(|client| (client, client.0.to_owned() + client.1));
    for (_, connection) in &clients {
        register(host, &user, connection).await;
    }
    let start = |client, connection: &str| {
        let options = json!({ "path": "/push/socket.io" });
        let url = format!("http://{}", proxy.address());
        NodeClient::at(&url, client, (&user, connection), &options)
    };
    let clients = clients.map(|(client, connection)| (client.1, start(client, &connection)));
    register(host, &user, "events").await;
    let (folder, events) = (folder("curl"), format!("/push/events/{user}?connectionId=events"));
    let url = format!("http://{}{events}", proxy.address());
    let curl = Server::start("curl", &folder.path().join("log"), move |command| {
        command.args(["--silent", "--no-buffer", &url]);
    });
    let says = async |text: &str| {
        let what = format!("{kind:?} lets {text:?} through");
        until(&what, async || curl.log().contains(text).then_some(())).await;
    };
    says(": registered").await;
    for (transport, client) in &clients {
        assert_eq!(client.says("registered", 1).await, json!({ "ok": true }), "{}", client.log());
        if *transport == "default" {
            assert_eq!(client.says("upgraded", 1).await, "websocket", "{kind:?}");
        }
    }
    let path = format!("/push/api/{user}/push");
    assert_eq!(host.ask("POST", &path, r#"{"message":"é☃😀"}"#).await.status, 200);
    for (_, client) in &clients {
        assert_eq!(client.says("message", 1).await, json!(["é☃😀"]), "{kind:?}: {}", client.log());
    }
    says("data: \"é☃😀\"").await;
}

async fn register(host: &Webhook, user: &str, connection: &str) {
    let path = format!("/push/api/{user}/register?connectionId={connection}");
    assert_eq!(host.ask("PUT", &path, "").await.status, 200);
}

#[tokio::test]
async fn all_transports_work_through_the_shipped_proxies() {
    let (folder, certificates) = (folder("hosts"), Certificates::new());
    let file = folder.path().join("services.toml");
    std::fs::write(&file, SERVICES).unwrap();
    let arguments = ["--config", &file.display().to_string()];
    let host = Webhook { daemon: Daemon::start(&arguments, &[]).await };
    for kind in [Kind::Nginx, Kind::Apache, Kind::Caddy, Kind::HaProxy, Kind::Traefik] {
        if kind == Kind::Traefik && !installed("traefik", "Socket.IO behind Traefik") {
            continue;
        }
        through(kind, &host, &certificates).await;
    }
}
