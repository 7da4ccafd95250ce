//! Who somebody says to be: a user and one of the user's connections.

use crate::push::recipient::Recipient;

/// The longest name of a user or a connection, in bytes.
pub const MAX_NAME: usize = 256;

/// A pair that a back end registers and a client then names. Names are plain strings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistrationKey {
    /// The user's id.
    pub user: String,
    /// The connection's id.
    pub connection: String,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageTarget {
    /// All of a user's connections.
    User(String),
    /// One of them.
    Connection(RegistrationKey),
}

impl RegistrationKey {
    /// A pair, if both names are there and not too long.
    pub fn new(user: impl Into<String>, connection: impl Into<String>) -> Option<Self> {
        let (user, connection) = (user.into(), connection.into());
        (is_name(&user) && is_name(&connection)).then_some(Self { user, connection })
    }

    /// What this connection alone listens as: its home.
    pub fn home(&self) -> Recipient {
        let Self { user, connection } = self;
        Recipient::from(format!("c{}:{user}{connection}", user.len()))
    }

    /// What all of a user's connections listen as besides.
    pub fn user_recipient(user: &str) -> Recipient {
        Recipient::from(format!("u{user}"))
    }

    /// The pair whose [`RegistrationKey::home`] this is.
    pub fn from_home(home: &Recipient) -> Option<Self> {
        let (length, names) = home.strip_prefix('c')?.split_once(':')?;
        let (user, connection) = names.split_at_checked(length.parse().ok()?)?;
        Some(Self { user: user.to_owned(), connection: connection.to_owned() })
    }
}

impl MessageTarget {
    /// Whose it is.
    pub fn user(&self) -> &str {
        match self {
            Self::User(user) => user,
            Self::Connection(claim) => &claim.user,
        }
    }

    /// The one connection it is for, if it isn't for all.
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::User(_) => None,
            Self::Connection(claim) => Some(&claim.connection),
        }
    }

    /// What those listen as whom it is for.
    pub fn recipient(&self) -> Recipient {
        match self {
            Self::User(user) => RegistrationKey::user_recipient(user),
            Self::Connection(claim) => claim.home(),
        }
    }
}

/// Whether this can be a user's or a connection's name.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, MessageTarget, RegistrationKey};

    #[test]
    fn a_home_names_its_pair_and_no_other() {
        for (user, connection) in [("u1", "c1"), ("u", "1c1"), ("ü:3", "é"), ("__proto__", "x")] {
            let claim = RegistrationKey::new(user, connection).unwrap();
            assert_eq!(RegistrationKey::from_home(&claim.home()), Some(claim));
        }
        let (one, other) =
            (RegistrationKey::new("u1", "c1").unwrap(), RegistrationKey::new("u", "1c1").unwrap());
        assert_ne!(one.home(), other.home());
        assert_eq!(RegistrationKey::from_home(&RegistrationKey::user_recipient("c1:ab")), None);
    }

    #[test]
    fn names_are_neither_empty_nor_endless() {
        assert!(RegistrationKey::new("", "c").is_none() && RegistrationKey::new("u", "").is_none());
        let long = "x".repeat(MAX_NAME + 1);
        assert!(
            RegistrationKey::new(&*long, "c").is_none()
                && RegistrationKey::new("u", &long[1..]).is_some()
        );
    }

    #[test]
    fn a_user_cannot_be_taken_for_a_connection() {
        let claim = RegistrationKey::new("u1", "c1").unwrap();
        let user = MessageTarget::User(claim.home().as_str().to_owned());
        assert_ne!(user.recipient(), MessageTarget::Connection(claim).recipient());
    }
}
