//! Checks that a real account can log in through the address that its clients use.

use super::{endpoint, endpoint::ReachedEndpoint};
use crate::{
    client::{database::Database, websocket::WebSocketClientError},
    doctor::{CheckFinding, CheckId, CheckOutcome},
    push::{LoginAttempt, LoginCredentials},
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::{
        accounts::{
            ChainPosition, DatabaseAuthenticator, LoginRules, PasswordFingerprinter,
            UncheckedTokens,
        },
        doctor::{
            connector::EndpointClient,
            target::{NextcloudCheckContext, NextcloudTarget},
        },
        login::{AttemptRecord, Authenticator, hashing::HashingPool},
    },
    telemetry::error_chain::chain,
};
use std::sync::Arc;

/// Logs in as a client does.
pub(in crate::services::nextcloud::doctor) async fn check(
    target: &NextcloudTarget,
    credentials: &LoginCredentials,
    reached: &ReachedEndpoint,
    context: &mut NextcloudCheckContext,
) -> CheckOutcome<EndpointClient> {
    let mut client = match endpoint::reopen(CheckId::Login, &target.listen, reached, context).await
    {
        Ok(client) => client,
        Err(finding) => return CheckOutcome::bad(finding),
    };
    let LoginCredentials { user, password } = credentials;
    match client.credentials(user, password.expose()).await {
        Ok(()) => {
            let unrecognized = is_unrecognized_app_password(target, credentials, context).await;
            let finding = if unrecognized {
                unrecognized_app_password(user)
            } else {
                CheckFinding::fine(CheckId::Login, format!("{user} can log in"))
            };
            CheckOutcome::good(finding, client)
        }
        Err(error) => CheckOutcome::bad(refused(target, user, &error)),
    }
}

/// Whether only Nextcloud knows this app password, although the user is in the database.
async fn is_unrecognized_app_password(
    target: &NextcloudTarget,
    credentials: &LoginCredentials,
    context: &mut NextcloudCheckContext,
) -> bool {
    let settings = target.settings();
    let Some(database) = &settings.database else { return false };
    // Another check reports what is wrong with the database.
    let Ok(database) = Database::new(database, context.rng.fork()) else { return false };
    let rules = LoginRules {
        secret: settings.auth.secret.clone().unwrap_or_default(),
        token_auth_enforced: false,
        two_factor_enforced: false,
        unchecked_tokens: UncheckedTokens::Accept,
        chain_position: ChainPosition::BeforeNextcloud,
    };
    let passwords = HashingPool::new(1, ClientAddressResolver::new(Vec::new()), Arc::new(|_| true));
    let accounts = DatabaseAuthenticator::new(
        Arc::new(database),
        rules,
        passwords,
        PasswordFingerprinter::default(),
        Arc::clone(&context.clock),
    );
    let attempt =
        LoginAttempt { credentials: credentials.clone(), peer: ConnectionPeer::default() };
    let record = AttemptRecord::default();
    accounts.check(&attempt, &record).await;
    record.is_unrecognized_token()
}

fn unrecognized_app_password(user: &str) -> CheckFinding {
    let observed = format!(
        "{user} can log in, but the database doesn't hold this app password under the configured \
         secret"
    );
    CheckFinding::hint(CheckId::Login, observed)
        .why("every login with an app password costs Nextcloud a PHP request")
        .advise(
            "Give the daemon the path of Nextcloud's own config.php, or set NEXTCLOUD_SECRET to \
             the value of secret in it, and check that the database is Nextcloud's own",
        )
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
