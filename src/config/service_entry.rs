//! What a service is called, and which requests are its own.

use std::{fmt, sync::Arc};

/// A service's name in log, metrics and commands: lower-case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The longest name, in bytes.
    pub const MAX: usize = 32;

    /// A name, if this can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(fits);
        good.then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a listener's requests are for a service: all, unless something is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceRoute {
    /// The names that clients know the service by (`Host` header), lower case; empty: any.
    pub server_names: Vec<String>,
    /// What the path begins with: `/a`, without a slash at its end; empty: anything.
    pub path: String,
}

/// A service in the settings. `H` is whatever its kind makes of what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceEntry<H> {
    /// Its name; none where it is the only one and nobody gave it a name.
    pub name: Option<ServiceName>,
    /// Which requests are for it.
    pub route: ServiceRoute,
    /// The service.
    pub service: H,
}

impl<H> ServiceEntry<H> {
    /// The only service of a daemon: without a name, and every request is for it.
    pub fn only(service: H) -> Self {
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
