//! What a client claims when it logs in, and what the hub knows of it once it is admitted.

use super::recipient::Recipient;
use crate::{config::secret::Secret, server::peer::ConnectionPeer};

/// User name and password as the client sent them. An empty user name means that the password is a
/// one-time ticket.
#[derive(Debug, Clone)]
pub struct LoginCredentials {
    /// As typed; the authenticator that accepts it returns the canonical id.
    pub user: String,
    /// An account password, an app password or a ticket.
    pub password: Secret,
}

/// One login attempt: credentials and the connection that they came on.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    /// What the client claims.
    pub credentials: LoginCredentials,
    /// The connection that sent them.
    pub peer: ConnectionPeer,
}

/// A client whose login was accepted.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    /// The canonical address that it receives notices for.
    pub recipient: Recipient,
    /// How it logged in, which later decides whether it may stay.
    pub auth_method: AuthMethod,
}

/// How a session was authenticated; rechecked while the session lasts.
#[derive(Debug, Clone)]
pub enum AuthMethod {
    /// A one-time ticket: only a change of the user's own state can end the session.
    Ticket(TicketOwner),
    /// An app password, by its row in the service's database.
    AppPassword(AppPasswordLogin),
    /// An app password that the service has not checked for a while: the service is asked once,
    /// after the login.
    UncheckedAppPassword(Box<(AppPasswordLogin, LoginAttempt)>),
    /// The account password, compared with the database: a fingerprint of the stored hash, which
    /// reveals a changed password and nothing else.
    AccountPassword(u64),
    /// The service itself accepted the credentials and is asked again with the same ones.
    Service(Box<LoginAttempt>),
    /// No login (services without one, tests): nothing to recheck.
    Open,
}

/// The state of an app password when its client logged in. The fingerprints show later only whether
/// a value has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppPasswordLogin {
    /// The id of its row.
    pub token: i64,
    /// A fingerprint of the user's stored account password.
    pub account: u32,
    /// A fingerprint of the account password that is stored with the app password.
    pub stored: u32,
}

/// Where the user of a ticket was found when its client logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketOwner {
    /// In the service's own table of users: a fingerprint of the stored password.
    Account(u64),
    /// In another back end, with traces in the service's database.
    OtherBackEnd,
    /// Nowhere, or the database could not be asked in time.
    Unknown,
}
