//! An echo server on the daemon's own accept loop, upgrade and codec, for WebSocket test suites:
//! `cargo run --example echo -- 9001`. Prints its address. See `tests/autobahn`.

mod echo;

use notify_push::{
    lifecycle::TaskGroup,
    server::{
        BindAddress, BoundListener, ConnectionTimeouts, HttpServer, NoopConnectionObserver,
        PreAuthLimiter, PreAuthLimits, X_FORWARDED_FOR, routes, upgrade,
    },
    websocket::DecoderRules,
};
use std::{error::Error, sync::Arc};
use warp::Filter;

/// Test suites send messages of 16 MiB.
const RULES: DecoderRules = DecoderRules { masked: true, max_message: 64 * 1024 * 1024 };

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the script that starts it reads the port")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9001".into()).parse()?;
    let address = Some([127, 0, 0, 1].into());
    let listener = BoundListener::bind(&BindAddress::Tcp { address, port })?;
    println!("{}", listener.local()?);
    let tasks = TaskGroup::default();
    let names = Arc::new([X_FORWARDED_FOR]);
    let echo = upgrade(tasks.clone(), names, |client| echo::echo(client, RULES));
    let front = HttpServer {
        routes: routes(warp::path::end().and(echo)),
        pre_auth: PreAuthLimiter::new(
            PreAuthLimits { total: 20_000, per_address: 20_000 },
            |_| true,
            Arc::new(NoopConnectionObserver),
        ),
        limits: ConnectionTimeouts::default(),
        tasks,
        observer: Arc::new(NoopConnectionObserver),
    };
    front.serve(listener, None).await;
    Ok(())
}
