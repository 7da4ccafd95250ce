//! The instance (tenant) of a client or message (`specs/aphlict.md` section 4), and the recipients that its
//! ids become in the hub.

use crate::push::recipient::Recipient;
use percent_encoding::percent_decode_str;
use std::{borrow::Cow, fmt};

/// The instance of requests that name none.
const DEFAULT: &str = "default";

/// The longest name of an instance, in bytes; the name is a prefix of every id in the hub.
pub const MAX_NAME: usize = 256;

/// The name is longer than [`MAX_NAME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the instance's name is longer than {MAX_NAME} bytes")]
pub struct InstanceNameTooLong;

/// One Phorge installation among those that share a server. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhorgeInstance(Recipient);

impl PhorgeInstance {
    /// Reads the publisher's query parameter `instance`, percent-decoded; the first one counts.
    ///
    /// # Errors
    /// [`InstanceNameTooLong`].
    pub fn of_query(query: &str) -> Result<Self, InstanceNameTooLong> {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let from_name = pairs.find(|(name, _)| name == "instance");
        Self::from_name(&from_name.map(|(_, name)| name).unwrap_or_default())
    }

    /// Reads the client's path: the text between its first two `~`, without slashes, percent-decoded as
    /// for publishers.
    ///
    /// # Errors
    /// [`InstanceNameTooLong`].
    pub fn of_path(path: &str) -> Result<Self, InstanceNameTooLong> {
        let marked = path.split('~').nth(1).unwrap_or_default();
        let decoded = percent_decode_str(marked).decode_utf8().unwrap_or(Cow::Borrowed(marked));
        Self::from_name(&decoded.replace('/', ""))
    }

    /// A random instance for the self-probe, which no Phorge uses.
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        Self(Recipient::from(format!("probe-{:032x}", rng.u128(..))))
    }

    fn from_name(name: &str) -> Result<Self, InstanceNameTooLong> {
        if name.len() > MAX_NAME {
            return Err(InstanceNameTooLong);
        }
        Ok(Self(Recipient::from(if name.is_empty() { DEFAULT } else { name })))
    }

    /// The name as publishers write it.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The primary subscription that all its clients have.
    pub fn home(&self) -> &Recipient {
        &self.0
    }

    /// The recipient of an id. None where the instance can't have clients: its name has a slash, so that
    /// `a/b` with the id `c` would equal `a` with the id `b/c`.
    pub fn recipient(&self, id: &str) -> Option<Recipient> {
        self.accepts_clients().then(|| Self::recipient_at(&self.0, id))
    }

    /// Whether a client can belong to this instance; a client's path can't name one with a slash, whose
    /// `home` may equal another instance's id.
    pub fn accepts_clients(&self) -> bool {
        !self.0.contains('/')
    }

    /// The recipient of an id for a client of which only the primary subscription is known.
    pub fn recipient_at(home: &Recipient, id: &str) -> Recipient {
        Recipient::from(format!("{home}/{id}"))
    }
}

impl fmt::Display for PhorgeInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{InstanceNameTooLong, MAX_NAME, PhorgeInstance};

    #[test]
    fn paths_name_the_instance() {
        for (path, name) in [
            ("/ws/~acme/", "acme"),
            ("/~a/b~c/", "ab"),
            ("/~/", "default"),
            ("/ws/", "default"),
            ("/", "default"),
            ("/~~acme/", "default"),
            ("/~acme", "acme"),
            ("/ws/~__proto__/", "__proto__"),
            ("/ws/~gr%C3%BCn/", "grün"),
            ("/ws/~a%2Fb/", "ab"),
            ("/ws/~%ff/", "%ff"),
        ] {
            assert_eq!(PhorgeInstance::of_path(path).unwrap().name(), name, "{path}");
        }
    }

    #[test]
    fn queries_name_the_instance() {
        for (query, name) in [
            ("instance=acme", "acme"),
            ("", "default"),
            ("instance=", "default"),
            ("x=1&instance=a%20b%2Fc", "a b/c"),
            ("instance=a+b", "a b"),
            ("instance=one&instance=two", "one"),
            ("instances=acme", "default"),
            ("instance=toString", "toString"),
        ] {
            assert_eq!(PhorgeInstance::of_query(query).unwrap().name(), name, "{query}");
        }
    }

    #[test]
    fn instances_share_no_recipient() {
        let acme = PhorgeInstance::of_query("instance=acme").unwrap();
        assert_eq!(acme.recipient("x/y").unwrap().as_str(), "acme/x/y");
        assert_eq!(PhorgeInstance::of_query("instance=acme/x").unwrap().recipient("y"), None);
        assert_ne!(acme.recipient("").as_ref(), Some(acme.home()));
    }

    #[test]
    fn long_names_are_refused() {
        let (longest, longer) = ("x".repeat(MAX_NAME), "x".repeat(MAX_NAME + 1));
        assert_eq!(PhorgeInstance::of_path(&format!("/~{longest}/")).unwrap().name(), longest);
        assert_eq!(PhorgeInstance::of_path(&format!("/~{longer}/")), Err(InstanceNameTooLong));
        assert_eq!(
            PhorgeInstance::of_query(&format!("instance={longest}")).unwrap().name(),
            longest
        );
        assert_eq!(
            PhorgeInstance::of_query(&format!("instance={longer}")),
            Err(InstanceNameTooLong)
        );
        // The decoded length counts: each of these is one byte written as three.
        let escaped = "%61".repeat(MAX_NAME);
        assert_eq!(PhorgeInstance::of_path(&escaped).unwrap().name(), "default");
        assert!(PhorgeInstance::of_path(&format!("/~{escaped}/")).is_ok());
    }
}
