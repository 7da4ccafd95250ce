//! The key of a registration: a user and one of its connections.

use crate::push::recipient::Recipient;

/// Maximum length of a user's or connection's name, in bytes.
pub const MAX_NAME: usize = 256;

/// A pair that a back end registers and a client presents. Names are plain strings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistrationKey {
    /// Name of the user.
    pub user: String,
    /// Name of the connection.
    pub connection: String,
}

/// Recipients of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageTarget {
    /// All connections of a user.
    User(String),
    /// One connection only.
    Connection(RegistrationKey),
}

impl RegistrationKey {
    /// Creates a key if both names have a valid length.
    pub fn new(user: impl Into<String>, connection: impl Into<String>) -> Option<Self> {
        let (user, connection) = (user.into(), connection.into());
        (is_name(&user) && is_name(&connection)).then_some(Self { user, connection })
    }

    /// Primary subscription of the connection.
    pub fn primary(&self) -> Recipient {
        let Self { user, connection } = self;
        Recipient::from(format!("c{}:{user}{connection}", user.len()))
    }

    /// Subscription that all connections of a user share.
    pub fn user_recipient(user: &str) -> Recipient {
        Recipient::from(format!("u{user}"))
    }

    /// Parses the result of [`RegistrationKey::primary`].
    pub fn from_primary(primary: &Recipient) -> Option<Self> {
        let (length, names) = primary.strip_prefix('c')?.split_once(':')?;
        let (user, connection) = names.split_at_checked(length.parse().ok()?)?;
        Some(Self { user: user.to_owned(), connection: connection.to_owned() })
    }
}

impl MessageTarget {
    /// Parses the result of [`MessageTarget::recipient`].
    pub fn from_topic(topic: &str) -> Option<Self> {
        match topic.strip_prefix('u') {
            Some(user) => Some(Self::User(user.to_owned())),
            None => RegistrationKey::from_primary(&Recipient::from(topic)).map(Self::Connection),
        }
    }

    /// The user of the target.
    pub fn user(&self) -> &str {
        match self {
            Self::User(user) => user,
            Self::Connection(claim) => &claim.user,
        }
    }

    /// The connection, if the target is a single one.
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::User(_) => None,
            Self::Connection(claim) => Some(&claim.connection),
        }
    }

    /// The subscription that reaches the target.
    pub fn recipient(&self) -> Recipient {
        match self {
            Self::User(user) => RegistrationKey::user_recipient(user),
            Self::Connection(claim) => claim.primary(),
        }
    }
}

/// Whether a name of a user or connection has a valid length.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, MessageTarget, RegistrationKey};

    #[test]
    fn a_primary_subscription_identifies_one_pair() {
        for (user, connection) in [("u1", "c1"), ("u", "1c1"), ("ü:3", "é"), ("__proto__", "x")] {
            let claim = RegistrationKey::new(user, connection).unwrap();
            assert_eq!(RegistrationKey::from_primary(&claim.primary()), Some(claim));
        }
        let (one, other) =
            (RegistrationKey::new("u1", "c1").unwrap(), RegistrationKey::new("u", "1c1").unwrap());
        assert_ne!(one.primary(), other.primary());
        assert_eq!(RegistrationKey::from_primary(&RegistrationKey::user_recipient("c1:ab")), None);
    }

    #[test]
    fn names_have_a_valid_length() {
        assert!(RegistrationKey::new("", "c").is_none() && RegistrationKey::new("u", "").is_none());
        let long = "x".repeat(MAX_NAME + 1);
        assert!(
            RegistrationKey::new(&*long, "c").is_none()
                && RegistrationKey::new("u", &long[1..]).is_some()
        );
    }

    #[test]
    fn user_and_connection_subscriptions_differ() {
        let claim = RegistrationKey::new("u1", "c1").unwrap();
        let user = MessageTarget::User(claim.primary().as_str().to_owned());
        assert_ne!(user.recipient(), MessageTarget::Connection(claim).recipient());
    }
}
