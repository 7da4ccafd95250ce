//! What one authenticator decides, and how a whole login ends for the client.

use super::AuthenticatedClient;
use crate::telemetry::metrics::MetricLabel;

/// The decision of one authenticator. `A` is what is known about a client that is accepted;
/// `AuthDecision<()>` is the decision as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthDecision<A = AuthenticatedClient> {
    /// The credentials are right.
    Accept(A),
    /// The credentials are wrong; no other authenticator needs to be asked.
    Reject,
    /// Another authenticator has to decide.
    Abstain,
    /// This authenticator would decide, but what it needs can't be reached. Without another
    /// decision the client reads "try again later", never "invalid credentials".
    Unavailable,
}

impl<A> AuthDecision<A> {
    /// Applies `convert` to what is known about an accepted client.
    pub fn map<B>(self, convert: impl FnOnce(A) -> B) -> AuthDecision<B> {
        match self {
            Self::Accept(accepted) => AuthDecision::Accept(convert(accepted)),
            Self::Reject => AuthDecision::Reject,
            Self::Abstain => AuthDecision::Abstain,
            Self::Unavailable => AuthDecision::Unavailable,
        }
    }

    /// The decision without the client, for metrics.
    pub fn kind(&self) -> AuthDecision<()> {
        match self {
            Self::Accept(_) => AuthDecision::Accept(()),
            Self::Reject => AuthDecision::Reject,
            Self::Abstain => AuthDecision::Abstain,
            Self::Unavailable => AuthDecision::Unavailable,
        }
    }
}

impl MetricLabel for AuthDecision<()> {
    const ALL: &'static [Self] =
        &[Self::Accept(()), Self::Reject, Self::Abstain, Self::Unavailable];

    fn index(self) -> usize {
        match self {
            Self::Accept(()) => 0,
            Self::Reject => 1,
            Self::Abstain => 2,
            Self::Unavailable => 3,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Accept(()) => "accept",
            Self::Reject => "reject",
            Self::Abstain => "abstain",
            Self::Unavailable => "unavailable",
        }
    }
}

/// How a login ends. `A` is what is known about the client if it is accepted; `LoginResult<()>` is
/// the result as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult<A = ()> {
    /// The client is logged in.
    Accepted(A),
    /// The credentials are wrong.
    Rejected,
    /// No authenticator could decide, or a queue was full: "try again later".
    Unavailable,
    /// The attempt was not checked because its network failed too often.
    Throttled,
    /// The client sent no credentials in time.
    TimedOut,
    /// The client disconnected before the decision.
    Abandoned,
}

impl<A> LoginResult<A> {
    /// The result without the client, for metrics and logs.
    pub fn kind(&self) -> LoginResult {
        match self {
            Self::Accepted(_) => LoginResult::Accepted(()),
            Self::Rejected => LoginResult::Rejected,
            Self::Unavailable => LoginResult::Unavailable,
            Self::Throttled => LoginResult::Throttled,
            Self::TimedOut => LoginResult::TimedOut,
            Self::Abandoned => LoginResult::Abandoned,
        }
    }
}

impl MetricLabel for LoginResult {
    const ALL: &'static [Self] = &[
        Self::Accepted(()),
        Self::Rejected,
        Self::Unavailable,
        Self::Throttled,
        Self::TimedOut,
        Self::Abandoned,
    ];

    fn index(self) -> usize {
        match self {
            Self::Accepted(()) => 0,
            Self::Rejected => 1,
            Self::Unavailable => 2,
            Self::Throttled => 3,
            Self::TimedOut => 4,
            Self::Abandoned => 5,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Accepted(()) => "accepted",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Abandoned => "abandoned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthDecision, LoginResult, MetricLabel};

    #[test]
    fn labels_are_numbered_in_their_order() {
        for (index, label) in AuthDecision::<()>::ALL.iter().enumerate() {
            assert_eq!(label.index(), index, "{}", label.text());
        }
        for (index, label) in LoginResult::<()>::ALL.iter().enumerate() {
            assert_eq!(label.index(), index, "{}", label.text());
        }
    }
}
