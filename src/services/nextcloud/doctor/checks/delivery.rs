//! An event comes out at the other end: from Redis through the daemon and all proxies to a client.

use super::{
    endpoint::{self, Reached},
    events::{CUSTOM, NOBODY, message},
};
use crate::{
    client::{redis::Keys, websocket::VisitError},
    services::nextcloud::doctor::{
        door::Guest,
        outcome::{Check, Finding, Outcome},
        patient::Tools,
    },
    telemetry::error_chain::chain,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What an app publishes to let somebody in for once.
const PRE_AUTH: &str = "notify_pre_auth";
/// What takes longer is held up by somebody.
const AT_ONCE: Duration = Duration::from_secs(8);

const WHY: &str = "this is what the daemon is there for";

/// Logs in as nobody with a ticket of its own, and publishes a message for nobody.
pub(in crate::services::nextcloud::doctor) async fn check(
    reached: &Reached,
    keys: &Keys,
    tools: &mut Tools,
) -> Outcome<Guest> {
    let mut guest = match reached.door.enter(tools.rng.fork()).await {
        Ok(guest) => guest,
        Err(shut) => return Outcome::bad(endpoint::shut(Check::Delivery, reached, &shut)),
    };
    let ticket = format!("{:032x}", tools.rng.u128(..));
    let claim = serde_json::json!({ "user": NOBODY, "token": ticket }).to_string();
    if let Err(fault) = keys.publish(PRE_AUTH, claim).await {
        return Outcome::bad(Finding::wrong(Check::Delivery, fault.to_string()).why(WHY));
    }
    match timeout(AT_ONCE, guest.credentials("", &ticket)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Outcome::bad(stranger(&error)),
        Err(_) => return Outcome::bad(late(reached, "the answer to a log-in")),
    }
    let mark = tools.rng.u64(..).to_string();
    let begun = Instant::now();
    if let Err(fault) = keys.publish(CUSTOM, message(&mark)).await {
        return Outcome::bad(Finding::wrong(Check::Delivery, fault.to_string()).why(WHY));
    }
    match timeout(AT_ONCE, hear(&mut guest, &mark)).await {
        Ok(Ok(())) => {
            let millis = begun.elapsed().as_millis();
            let seen = format!("from Redis to a client at the endpoint in {millis} ms");
            Outcome::good(Finding::fine(Check::Delivery, seen), guest)
        }
        Ok(Err(error)) => Outcome::bad(stranger(&error)),
        Err(_) => Outcome::bad(late(reached, "a message")),
    }
}

async fn hear(guest: &mut Guest, mark: &str) -> Result<(), VisitError> {
    while !guest.next().await?.contains(mark) {}
    Ok(())
}

fn stranger(error: &VisitError) -> Finding {
    let seen =
        format!("the daemon at the endpoint doesn't hear what is published: {}", chain(error));
    Finding::wrong(Check::Delivery, seen)
        .why(WHY)
        .advise(
            "It listens to another Redis than the doctor, or has lost it, or is another program. \
             See what it says:",
        )
        .run("journalctl -u notify_push -n 50")
}

fn late(reached: &Reached, what: &str) -> Finding {
    let held = endpoint::held_up(&reached.url, &format!("{what} does not arrive at once"));
    Finding { check: Check::Delivery, ..held }
}
