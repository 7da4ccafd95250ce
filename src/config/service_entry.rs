//! The name of a service, and which requests are routed to it.

use std::{fmt, sync::Arc};

/// A service's name in log, metrics and commands: lower-case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The longest name, in bytes.
    pub const MAX: usize = 32;

    /// A name, if the text is a valid one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a listener's requests are for a service: all by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceRoute {
    /// The names that clients use for the service (`Host` header), lower case; empty: any.
    pub server_names: Vec<String>,
    /// The prefix of the path: `/a`, without a slash at its end; empty: any.
    pub path: String,
}

/// A service in the settings. `S` is what its kind makes of its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceEntry<S> {
    /// Its name; none if it is the only one and has no name.
    pub name: Option<ServiceName>,
    /// Which requests are for it.
    pub route: ServiceRoute,
    /// The service, ready to start.
    pub service: S,
}

impl<S> ServiceEntry<S> {
    /// The only service of a daemon: without a name, and every request is routed to it.
    pub fn only(service: S) -> Self {
        Self { name: None, route: ServiceRoute::default(), service }
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceName;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "cloud-1", "0", &"x".repeat(ServiceName::MAX)] {
            assert_eq!(ServiceName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "A", "a b", "a.b", "ü", "a\"b", &"x".repeat(ServiceName::MAX + 1)] {
            assert_eq!(ServiceName::parse(name), None, "{name}");
        }
    }
}
