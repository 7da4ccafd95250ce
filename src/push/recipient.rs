//! The address of notices: a user id, an object id, an account.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

/// An address within one service. Cheap to clone; compared by its text, case included.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Recipient(Arc<str>);

impl Recipient {
    /// An address with this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text of the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Recipient {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Recipient {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Recipient {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Recipient {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
