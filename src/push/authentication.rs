//! What a client claims, and what is known of it once it has been let in.

use crate::{config::secret::Secret, push::recipient::Recipient, server::peer::ConnectionPeer};

/// What a client sent to log in: `specs/nextcloud.md` section 3. An empty user name means that the
/// password is a ticket.
#[derive(Debug, Clone)]
pub struct LoginCredentials {
    /// As typed; the canonical id comes from whoever accepts.
    pub user: String,
    /// Account password, app password or ticket.
    pub password: Secret,
}

/// One log-in attempt: who claims what, from where.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    /// The claim.
    pub credentials: LoginCredentials,
    /// The connection it came on.
    pub peer: ConnectionPeer,
}

/// A client that was let in.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    /// The canonical address it listens as.
    pub recipient: Recipient,
    /// Why it was let in, which is what later decides whether it may stay.
    pub auth_method: AuthMethod,
}

/// Why a session may be here; looked at again while it lives.
#[derive(Debug, Clone)]
pub enum AuthMethod {
    /// A one-time ticket: only the user's own state can end it.
    Ticket,
    /// An app password: the id of its `authtoken` row.
    AppPassword(i64),
    /// The account password, decided from the database: a fingerprint of the stored hash, which
    /// tells later whether the password was changed, and nothing else.
    AccountPassword(u64),
    /// The host said yes: it is asked again with the same credentials.
    Service(Box<LoginAttempt>),
    /// Nothing to look at again (the demo, tests).
    Open,
}
