//! An echo server on the daemon's own accept loop, upgrade and codec, for WebSocket test suites:
//! `cargo run --example echo -- 9001`. Prints its address. See `tests/autobahn`.

mod echo;

use notify_push::{
    lifecycle::Tasks,
    server::{
        Bind, Front, Limits, Listener, StrangerLimits, Strangers, Unobserved, X_FORWARDED_FOR,
        routes, upgrade,
    },
    websocket::Rules,
};
use std::{error::Error, sync::Arc};
use warp::Filter;

/// Test suites send messages of 16 MiB.
const RULES: Rules = Rules { masked: true, max_message: 64 * 1024 * 1024 };

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the script that starts it reads the port")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "9001".into()).parse()?;
    let address = Some([127, 0, 0, 1].into());
    let listener = Listener::bind(&Bind::Tcp { address, port })?;
    println!("{}", listener.local()?);
    let tasks = Tasks::default();
    let names = Arc::new([X_FORWARDED_FOR]);
    let echo = upgrade(tasks.clone(), names, |client| echo::echo(client, RULES));
    let front = Front {
        routes: routes(warp::path::end().and(echo)),
        strangers: Strangers::new(
            StrangerLimits { total: 20_000, per_address: 20_000 },
            |_| true,
            Arc::new(Unobserved),
        ),
        limits: Limits::default(),
        tasks,
        observer: Arc::new(Unobserved),
    };
    front.serve(listener, None).await;
    Ok(())
}
