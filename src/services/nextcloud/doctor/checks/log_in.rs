//! A real account is let in, through the address that its clients use.

use super::endpoint::{self, Reached};
use crate::{
    client::websocket::VisitError,
    services::nextcloud::{
        doctor::{
            door::Guest,
            outcome::{Check, Finding, Outcome},
            patient::{Patient, Tools},
        },
        login::Credentials,
    },
    telemetry::error_chain::chain,
};

/// Logs in as a client does.
pub(in crate::services::nextcloud::doctor) async fn check(
    patient: &Patient,
    credentials: &Credentials,
    reached: &Reached,
    tools: &mut Tools,
) -> Outcome<Guest> {
    let mut guest = match reached.door.enter(tools.rng.fork()).await {
        Ok(guest) => guest,
        Err(shut) => return Outcome::bad(endpoint::shut(Check::LogIn, reached, &shut)),
    };
    let Credentials { user, password } = credentials;
    match guest.credentials(user, password.expose()).await {
        Ok(()) => Outcome::good(Finding::fine(Check::LogIn, format!("{user} is let in")), guest),
        Err(error) => Outcome::bad(refused(patient, user, &error)),
    }
}

fn refused(patient: &Patient, user: &str, error: &VisitError) -> Finding {
    let occ = &patient.occ;
    let VisitError::Refused(words) = error else {
        return Finding::wrong(Check::LogIn, format!("{user}: {}", chain(error)));
    };
    let finding = Finding::wrong(Check::LogIn, format!("{user} is not let in: {words}"))
        .why("clients of such an account hear nothing");
    if words.contains("Invalid credentials") {
        let user = super::super::patient::quoted(user);
        return finding
            .advise(
                "The password is wrong, the account is disabled, or only app passwords are \
                 accepted: two-factor log-in, token_auth_enforced. Try with an app password \
                 (Settings, Security, Devices & sessions), and look at the account:",
            )
            .run(format!("{occ} user:info {user}"));
    }
    finding
        .advise(
            "The account could not be asked about: too many failed log-ins from this address, or \
             Nextcloud and the database don't answer the daemon. See the checks above, and:",
        )
        .run("journalctl -u notify_push -n 50")
        .run(format!("for ip in $(hostname -I); do {occ} security:bruteforce:attempts $ip; done"))
}
