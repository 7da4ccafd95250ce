//! Records of the store.

use crate::{
    config::secret::Secret,
    services::webhook::{
        message_id::MessageId,
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
    },
};
use std::time::{Duration, SystemTime};

/// How long a broken connection may stay unnoticed: the ping interval plus the time limit of the
/// answer.
pub const MAX_UNNOTICED_BREAK: Duration = Duration::from_secs(45);

/// A client whose pair is registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionEntry {
    /// Position of its entry in the order of messages; distinguishes sessions with the same pair.
    pub at: MessageId,
    /// The last message that its connection has received, or that preceded its registration. None
    /// if a session with the same pair seems to be connected.
    pub notified: Option<MessageId>,
    /// [`SessionEntry::at`] of the previous session, or the time of the registration.
    pub before: MessageId,
}

impl SessionEntry {
    /// What the client has certainly received. A session that seems connected may have a broken
    /// connection, so its last messages may be lost.
    pub fn received(&self) -> MessageId {
        let lately = u64::try_from(MAX_UNNOTICED_BREAK.as_micros()).unwrap_or(u64::MAX);
        self.notified.unwrap_or(MessageId(self.at.0.saturating_sub(lately)).max(self.before))
    }
}

/// State of a registered connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    /// It has a session.
    Online,
    /// Its session has ended and received all messages up to this one.
    Offline(MessageId),
}

/// A registration to renew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRenewal {
    /// Key of the registration.
    pub claim: RegistrationKey,
    /// [`SessionEntry::at`] of the session; newer sessions aren't changed.
    pub at: MessageId,
    /// Its new state.
    pub state: RegistrationState,
}

/// A session that continues although its registration has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredRegistration {
    /// Key of the registration.
    pub claim: RegistrationKey,
    /// [`SessionEntry::at`] of the session.
    pub at: MessageId,
    /// Whether a newer session has replaced it; otherwise its pair was unregistered.
    pub newer: bool,
}

/// A message that is kept for replay.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// Id of the message.
    pub id: MessageId,
    /// Recipients of the message.
    pub to: MessageTarget,
    /// Value of the message.
    pub value: MessageValue,
}

/// Key of a hook: the digest of its capability, which is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookKey(pub [u8; 32]);

/// A private hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateHook {
    /// Name for its owner; not secret.
    pub id: String,
    /// Recipients of its messages.
    pub to: MessageTarget,
    /// End of its life.
    pub expires: SystemTime,
    /// Secret that callers sign with, if they must.
    pub secret: Option<Secret>,
}

/// A hook as shown to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSummary {
    /// The hook, as in [`PrivateHook::id`].
    pub id: String,
    /// The single connection that receives its messages, if it is bound to one.
    pub connection: Option<String>,
    /// The end, as in [`PrivateHook::expires`].
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
