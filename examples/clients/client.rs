//! A client of notify_push in Rust: logs in, receives notifications, reconnects after a lost connection.
//!
//! `cargo run --example client -- wss://cloud.example.com/push/ws alice < file-with-the-password`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "prints the messages it receives")]

use futures_util::{SinkExt as _, StreamExt as _};
use std::{error::Error, io::Read as _, process::ExitCode, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The server pings after 30 s of silence, so a longer silence means a dead connection.
const SILENCE: Duration = Duration::from_secs(75);

/// How a connection ended.
enum End {
    /// Reconnect, after a short wait if the login had succeeded.
    Lost { worked: bool },
    /// A retry with the same password can't succeed.
    Refused(String),
}

/// One connection, from login to close. `on_message` receives each message's type and its JSON, if any.
async fn listen(
    url: &str,
    user: &str,
    password: &str,
    worked: &mut bool,
    on_message: &mut impl FnMut(&str, Option<&str>),
) -> Result<Option<String>, Box<dyn Error>> {
    let (mut socket, _) = connect_async(url).await?;
    socket.send(Message::text(user)).await?;
    socket.send(Message::text(password)).await?;
    // The library answers pings while it waits.
    while let Some(message) = timeout(SILENCE, socket.next()).await? {
        let Message::Text(text) = message? else { continue };
        match text.as_str() {
            "err: Invalid credentials" | "err: Login revoked" => {
                return Ok(text.strip_prefix("err: ").map(str::to_owned));
            }
            // The server closes now.
            text if text.starts_with("err: ") => continue,
            // Resync now, because you may have missed messages.
            "authenticated" => {
                *worked = true;
                socket.send(Message::text("listen notify_file_id")).await?;
            }
            _ => {}
        }
        match text.split_once(' ') {
            Some((kind, body)) => on_message(kind, Some(body)),
            None => on_message(&text, None),
        }
    }
    Ok(None)
}

async fn connection(
    url: &str,
    user: &str,
    password: &str,
    on_message: &mut impl FnMut(&str, Option<&str>),
) -> End {
    let mut worked = false;
    match listen(url, user, password, &mut worked, on_message).await {
        Ok(Some(reason)) => End::Refused(reason),
        Ok(None) => End::Lost { worked },
        Err(error) => {
            eprintln!("{error}");
            End::Lost { worked }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, user] = arguments.as_slice() else { return Err("expected: <url> <user>".into()) };
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password)?;
    let mut print = |kind: &str, body: Option<&str>| match body {
        Some(body) => println!("{kind} {body}"),
        None => println!("{kind}"),
    };
    let mut wait = FIRST_WAIT;
    loop {
        match connection(url, user, password.trim(), &mut print).await {
            End::Refused(reason) => {
                eprintln!("{reason}");
                return Ok(ExitCode::FAILURE);
            }
            End::Lost { worked: true } => wait = FIRST_WAIT,
            End::Lost { worked: false } => wait = (wait * 2).min(LONGEST_WAIT),
        }
        // All clients lose their connection at the same time, so spread the reconnects.
        sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
    }
}
