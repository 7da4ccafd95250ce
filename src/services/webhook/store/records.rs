//! What stands in the store.

use crate::{
    config::secret::Secret,
    services::webhook::{
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
    },
};
use std::time::{Duration, SystemTime};

/// So long a broken connection may go unnoticed: an interval between two pings, and the time that the
/// answer may take.
pub const UNNOTICED: Duration = Duration::from_secs(45);

/// A client that may enter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionEntry {
    /// When, in the order of messages: tells an older session with the same pair from a newer one.
    pub at: MessageId,
    /// The last message that its connection has been notified, or that came before it was registered.
    /// None: a session with the same pair is there, and notified everything, as far as is known.
    pub notified: Option<MessageId>,
    /// [`SessionEntry::at`] of the session before, or when its connection was registered.
    pub before: MessageId,
}

impl SessionEntry {
    /// What its client has surely received. A session that seems to live may be one whose connection has
    /// broken, so that what it was notified lately went nowhere.
    pub fn received(&self) -> MessageId {
        let lately = u64::try_from(UNNOTICED.as_micros()).unwrap_or(u64::MAX);
        self.notified.unwrap_or(MessageId(self.at.0.saturating_sub(lately)).max(self.before))
    }
}

/// How a registered connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    /// A session lives.
    Online,
    /// Its session has ended, and was notified all messages up to this one.
    Offline(MessageId),
}

/// A registration whose time is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRenewal {
    /// Which.
    pub claim: RegistrationKey,
    /// [`SessionEntry::at`] of the session that it is about: a newer one's isn't touched.
    pub at: MessageId,
    /// How it is from now on.
    pub state: RegistrationState,
}

/// A session that goes on, though its registration doesn't stand any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredRegistration {
    /// Whose.
    pub claim: RegistrationKey,
    /// [`SessionEntry::at`] of the session.
    pub at: MessageId,
    /// A newer session has taken its place; otherwise its pair was unregistered.
    pub newer: bool,
}

/// A message that may still be wanted.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// Its id.
    pub id: MessageId,
    /// Whom it is for.
    pub to: MessageTarget,
    /// What it says.
    pub value: MessageValue,
}

/// What a hook is known by: a digest of its unguessable part, which itself is nowhere kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookKey(pub [u8; 32]);

/// A private hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateHook {
    /// What its owner calls it by: no secret, and no way to the hook.
    pub id: String,
    /// Who is notified.
    pub to: MessageTarget,
    /// Until when.
    pub expires: SystemTime,
    /// What callers sign with, where they must.
    pub secret: Option<Secret>,
}

/// A hook as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSummary {
    /// See [`PrivateHook::id`].
    pub id: String,
    /// The one connection that is notified, if it isn't all of the user's.
    pub connection: Option<String>,
    /// See [`PrivateHook::expires`].
    pub expires: SystemTime,
    /// Whether callers must sign.
    pub signed: bool,
}

impl From<&PrivateHook> for HookSummary {
    fn from(hook: &PrivateHook) -> Self {
        Self {
            id: hook.id.clone(),
            connection: hook.to.connection().map(str::to_owned),
            expires: hook.expires,
            signed: hook.secret.is_some(),
        }
    }
}
