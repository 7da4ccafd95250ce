//! The webhook demo: the real daemon with nothing installed, a back end that registers every visitor, and a
//! page with a button that creates its private URL.

mod back_end;
mod page;

use super::{DemoError, DemoOptions, DemoScreen, FAULTY, signals_or_end, tcp, users};
use crate::{
    client::websocket::{UpgradeRequest, WebSocketClient, WebSocketClientError},
    config::ServiceEntry,
    lifecycle::{ExitReason, SignalStream},
    runtime::{Daemon, RuntimeEnvironment},
    server::proxy_settings::ProxySettings,
    services::{
        BoxedService,
        webhook::{WebhookService, settings::WebhookSettings, store::StoreLimits},
    },
};
use back_end::DemoBackEnd;
use page::DemoPageService;
use serde_json::{Value, json};
use std::{net::SocketAddr, pin::pin, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// The token of the demo; no secret, as only this machine reaches its daemon.
const TOKEN: &str = "demo-token";
/// The one user, to which all visitors of the page belong.
const USER: &str = "visitor";
/// The time limit for a message.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The life of a private URL, by default and at most.
const HOOK_TIME: Duration = Duration::from_secs(3600);
/// The most calls of one URL in a minute.
const HOOK_RATE: u32 = 60;
/// The body of a call to the private URL.
const MESSAGE: &str = r#"{"message":{"title":"Build finished","body":"main is green ☃"}}"#;

const INTRODUCTION: &str = "\
A daemon, a back end and a client in one process. The back end registers a
connection for the client; the client asks for a private URL, which it may give
to anybody: who calls it needs no token, and reaches this client alone.
";

/// Runs the demo: with [`DemoOptions::once`] one message through a private URL, else until a signal. Returns the exit
/// code: 0 without faults or after a signal.
///
/// # Errors
/// [`DemoError`].
pub async fn run(
    options: DemoOptions,
    mut environment: RuntimeEnvironment,
    screen: DemoScreen,
) -> Result<u8, DemoError> {
    let signals = SignalStream::listen().map_err(DemoError::Signals)?;
    let (rng, back_end) = (environment.rng.fork(), DemoBackEnd::new(environment.rng.fork()));
    let host: BoxedService = Box::new(DemoPageService {
        webhook: WebhookService { settings: settings() },
        back_end: back_end.clone(),
    });
    let daemon =
        Daemon::start(&users::settings(options.port), vec![ServiceEntry::only(host)], environment)
            .await?;
    let address = tcp(daemon.local())?;
    back_end.set_address(address);
    let mut end = None;
    let play = async { end = Some(play(options.once, address, back_end, screen, rng).await) };
    let exit = daemon.run(pin!(signals_or_end(Box::pin(play), signals))).await;
    match (exit, end) {
        (ExitReason::Clean, Some(played)) => played.map(|right| if right { 0 } else { FAULTY }),
        (exit, _) => Ok(exit.code()),
    }
}

fn settings() -> WebhookSettings {
    WebhookSettings {
        token: Some(TOKEN.into()),
        redis: None,
        public_url: None,
        limits: StoreLimits::default(),
        hook_time: (HOOK_TIME, HOOK_TIME),
        hook_rate: HOOK_RATE,
        max_connections: None,
        max_connection: None,
        proxies: ProxySettings { trusted: Vec::new(), headers: Vec::new() },
    }
}

/// Runs the script; returns whether the message arrived.
async fn play(
    once: bool,
    address: SocketAddr,
    back_end: DemoBackEnd,
    mut screen: DemoScreen,
    rng: fastrand::Rng,
) -> Result<bool, DemoError> {
    screen.title(&format!("notify_push demo webhook on http://{address}/"), INTRODUCTION)?;
    let connection = back_end.register().await.map_err(DemoError::BackEnd)?;
    screen.line(&format!("PUT  /api/{USER}/register?connectionId={connection}"))?;
    let mut client = connect(address, &connection, rng).await?;
    client.send_text(r#"{"hook":{"to":"connection"}}"#).await?;
    let made = next_message(&mut client).await?;
    let Some(path) = made["hook"]["url"].as_str() else {
        screen.fault(&format!("no private URL, but {made}"))?;
        return Ok(false);
    };
    screen.line(&format!("the client's private URL: http://{address}{path}\n"))?;
    screen.line(&curl(address, path))?;
    let status = back_end.call(path, MESSAGE).await.map_err(DemoError::BackEnd)?;
    screen.line(&format!("\nthe sender gets {status}, and the client receives"))?;
    let heard = next_message(&mut client).await?;
    screen.good(&format!("  {}", heard["message"]))?;
    let sent: Value = serde_json::from_str(MESSAGE).unwrap_or_default();
    let right = heard["message"] == sent["message"];
    if !right {
        screen.fault(&"it is not what was sent")?;
    }
    if once {
        return Ok(right);
    }
    screen.line("")?;
    screen.title(&format!("Open http://{address}/ in a browser and press the button."), LAST)?;
    std::future::pending().await
}

const LAST: &str = "\
Then run the curl line that the page shows, and see what arrives. Ctrl-C ends
the demo.
";

fn curl(address: SocketAddr, path: &str) -> String {
    format!(
        "  curl -H 'Content-Type: application/json' \\\n    -d '{MESSAGE}' \\\n    \
         http://{address}{path}"
    )
}

async fn connect(
    address: SocketAddr,
    connection: &str,
    rng: fastrand::Rng,
) -> Result<WebSocketClient<TcpStream>, DemoError> {
    let stream = TcpStream::connect(address).await.map_err(DemoError::BackEnd)?;
    let path = format!("/ws/{USER}?connectionId={connection}");
    let request = UpgradeRequest { host: address.to_string(), path };
    let mut client = WebSocketClient::upgrade(stream, &request, rng).await?;
    match next_message(&mut client).await? {
        welcome if welcome == json!({ "registered": true }) => Ok(client),
        other => Err(WebSocketClientError::Refused(other.to_string()).into()),
    }
}

/// The next message of a client; null if it is late or not JSON.
async fn next_message(client: &mut WebSocketClient<TcpStream>) -> Result<Value, DemoError> {
    match timeout(TIMEOUT, client.next()).await {
        Ok(text) => Ok(serde_json::from_str(&text?).unwrap_or_default()),
        Err(_) => Ok(Value::Null),
    }
}
