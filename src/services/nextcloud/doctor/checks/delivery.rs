//! Checks that an event travels from Redis through the daemon and all proxies to a client.

use super::{
    endpoint,
    endpoint::ReachedEndpoint,
    events::{CUSTOM, DOCTOR_USER, message},
};
use crate::{
    client::{redis::RedisClient, websocket::WebSocketClientError},
    doctor::{CheckFinding, CheckId, CheckOutcome},
    services::nextcloud::doctor::{
        connector::EndpointClient,
        target::{NextcloudCheckContext, NextcloudTarget},
    },
    telemetry::error_chain::chain,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The channel on which an app publishes one-time tickets.
const PRE_AUTH: &str = "notify_pre_auth";
/// A longer delay means that something in between buffers.
const PROMPT: Duration = Duration::from_secs(8);

const WHY: &str = "this is the daemon's purpose";

/// Logs in with a ticket for a user that doesn't exist, and publishes a message for that user.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    reached: &ReachedEndpoint,
    keys: &RedisClient,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<EndpointClient> {
    let mut client =
        match endpoint::reopen(CheckId::Delivery, &target.listen, reached, context).await {
            Ok(client) => client,
            Err(finding) => return CheckOutcome::bad(finding),
        };
    let ticket = format!("{:032x}", context.rng.u128(..));
    let claim = serde_json::json!({ "user": DOCTOR_USER, "token": ticket }).to_string();
    if let Err(fault) = keys.publish(PRE_AUTH, claim).await {
        return CheckOutcome::bad(
            CheckFinding::wrong(CheckId::Delivery, fault.to_string()).why(WHY),
        );
    }
    match timeout(PROMPT, client.credentials("", &ticket)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return CheckOutcome::bad(connect_failure(&error)),
        Err(_) => return CheckOutcome::bad(late(reached, "the answer to a login")),
    }
    let marker = context.rng.u64(..).to_string();
    let started = Instant::now();
    if let Err(fault) = keys.publish(CUSTOM, message(&marker)).await {
        return CheckOutcome::bad(
            CheckFinding::wrong(CheckId::Delivery, fault.to_string()).why(WHY),
        );
    }
    match timeout(PROMPT, receive(&mut client, &marker)).await {
        Ok(Ok(())) => {
            let millis = started.elapsed().as_millis();
            let seen = format!("from Redis to a client at the endpoint in {millis} ms");
            CheckOutcome::good(CheckFinding::fine(CheckId::Delivery, seen), client)
        }
        Ok(Err(error)) => CheckOutcome::bad(connect_failure(&error)),
        Err(_) => CheckOutcome::bad(late(reached, "a message")),
    }
}

async fn receive(client: &mut EndpointClient, marker: &str) -> Result<(), WebSocketClientError> {
    while !client.next().await?.contains(marker) {}
    Ok(())
}

fn connect_failure(error: &WebSocketClientError) -> CheckFinding {
    let seen =
        format!("the daemon at the endpoint doesn't receive what is published: {}", chain(error));
    CheckFinding::wrong(CheckId::Delivery, seen)
        .why(WHY)
        .advise(
            "It uses another Redis than the doctor, has lost the connection, or is another program. \
             Read its log:",
        )
        .run("journalctl -u notify_push -n 50")
}

fn late(reached: &ReachedEndpoint, what: &str) -> CheckFinding {
    let held = endpoint::delayed(&reached.url, &format!("{what} does not arrive at once"));
    CheckFinding { check: CheckId::Delivery, ..held }
}
