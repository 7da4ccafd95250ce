//! Checks that a real account can log in through the address that its clients use.

use super::{endpoint, endpoint::ReachedEndpoint};
use crate::{
    client::websocket::WebSocketClientError,
    doctor::{CheckFinding, CheckId, CheckOutcome},
    push::LoginCredentials,
    services::nextcloud::doctor::{
        connector::EndpointClient,
        target::{NextcloudCheckContext, NextcloudTarget},
    },
    telemetry::error_chain::chain,
};

/// Logs in as a client does.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    credentials: &LoginCredentials,
    reached: &ReachedEndpoint,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<EndpointClient> {
    let mut client = match reached.connector.open_websocket(context.rng.fork()).await {
        Ok(client) => client,
        Err(failure) => {
            return CheckOutcome::bad(endpoint::failure(
                CheckId::Login,
                &target.listen,
                reached,
                &failure,
            ));
        }
    };
    let LoginCredentials { user, password } = credentials;
    match client.credentials(user, password.expose()).await {
        Ok(()) => CheckOutcome::good(
            CheckFinding::fine(CheckId::Login, format!("{user} can log in")),
            client,
        ),
        Err(error) => CheckOutcome::bad(refused(target, user, &error)),
    }
}

fn refused(target: &NextcloudTarget, user: &str, error: &WebSocketClientError) -> CheckFinding {
    let occ = &target.occ;
    let WebSocketClientError::Refused(words) = error else {
        return CheckFinding::wrong(CheckId::Login, format!("{user}: {}", chain(error)));
    };
    let finding = CheckFinding::wrong(CheckId::Login, format!("{user} cannot log in: {words}"))
        .why("clients of such an account receive nothing");
    if words.contains("Invalid credentials") {
        let user = super::super::target::quoted(user);
        return finding
            .advise(
                "The password is wrong, the account is disabled, or only app passwords are \
                 accepted: two-factor login, token_auth_enforced. Try with an app password \
                 (Settings, Security, Devices & sessions), and look at the account:",
            )
            .run(format!("{occ} user:info {user}"));
    }
    finding
        .advise(
            "The login could not be checked: there were too many failed logins from this address, or \
             Nextcloud and the database don't answer the daemon. See the checks above, and:",
        )
        .run("journalctl -u notify_push -n 50")
        .run(format!("for ip in $(hostname -I); do {occ} security:bruteforce:attempts $ip; done"))
}
