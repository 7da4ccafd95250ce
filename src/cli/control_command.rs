//! The commands that ask a running daemon: `log`, `revoke`, `healthcheck`, `metrics`.

use super::{CommandFailure, LogAction};
use crate::{
    client::ConnectionPreamble,
    runtime::{
        admin,
        admin::{AdminClientError, AdminCommand},
        status::metrics_view::{MetricsScrape, view},
    },
    server::BindAddress,
};
use std::time::Duration;
use tokio::time::Instant;

/// The output of a command and the exit code of the process.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The text for standard output.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

/// Shows or changes the log filter; the output is the one that is then in force.
///
/// # Errors
/// [`CommandFailure`] if no daemon answers.
pub async fn log(
    endpoints: &[BindAddress],
    action: LogAction,
) -> Result<CommandOutput, CommandFailure> {
    let command = match action {
        LogAction::Show => AdminCommand::ShowLog,
        LogAction::Set(filter) => AdminCommand::SetLog(filter),
        LogAction::Restore => AdminCommand::RestoreLog,
    };
    let filter = admin::ask(endpoints, &command).await.map_err(CommandFailure::new)?;
    Ok(CommandOutput { text: format!("{filter}\n"), code: 0 })
}

/// Closes the connections of a user; the exit code is 1 if there were none.
///
/// # Errors
/// [`CommandFailure`] if no daemon answers.
pub async fn revoke(
    endpoints: &[BindAddress],
    user: String,
    service: Option<String>,
) -> Result<CommandOutput, CommandFailure> {
    let command = AdminCommand::Revoke { service, user: user.clone() };
    let closed = admin::ask(endpoints, &command).await.map_err(CommandFailure::new)?;
    Ok(revoked(&user, &closed))
}

fn revoked(user: &str, closed: &str) -> CommandOutput {
    let plural = if closed == "1" { "" } else { "s" };
    let text = format!("closed {closed} connection{plural} of {user}\n");
    CommandOutput { text, code: u8::from(closed == "0") }
}

/// Asks whether the daemon is ready; the exit code is 1 if it isn't.
///
/// # Errors
/// [`CommandFailure`] if no daemon answers.
pub async fn healthcheck(
    endpoints: &[BindAddress],
    clients: &BindAddress,
    opening: ConnectionPreamble,
    live: bool,
) -> Result<CommandOutput, CommandFailure> {
    let (report, code) = match admin::healthcheck(endpoints, clients, opening, live).await {
        Ok(report) => (report, 0),
        Err(AdminClientError::NotReady(report)) => (report, 1),
        Err(error) => return Err(CommandFailure::new(error)),
    };
    Ok(CommandOutput { text: format!("{report}\n"), code })
}

/// Reads the counters twice and renders them with the rates in between.
///
/// # Errors
/// [`CommandFailure`] if no daemon answers.
pub async fn metrics(
    endpoints: &[BindAddress],
    over: Duration,
) -> Result<CommandOutput, CommandFailure> {
    let scrape = async || {
        let page = admin::ask(endpoints, &AdminCommand::Metrics).await;
        let page = page.map_err(CommandFailure::new)?;
        Ok::<_, CommandFailure>((MetricsScrape::parse(&page), Instant::now()))
    };
    let (before, begun) = scrape().await?;
    tokio::time::sleep(over).await;
    let (now, ended) = scrape().await?;
    let text = view(&before, &now, (ended - begun).as_secs_f64());
    Ok(CommandOutput { text, code: 0 })
}

#[cfg(test)]
mod tests {
    use super::revoked;

    #[test]
    fn revoke_says_how_many_connections_of_which_user() {
        let output = revoked("alice", "3");
        assert_eq!((output.text.as_str(), output.code), ("closed 3 connections of alice\n", 0));
        assert_eq!(revoked("bob", "1").text, "closed 1 connection of bob\n");
        assert_eq!(revoked("bob", "0").code, 1);
    }
}
