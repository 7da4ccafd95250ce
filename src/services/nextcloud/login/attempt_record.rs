//! What speaks against one login attempt, counted also when nobody waits for the decision any more.

use super::throttle::{AttemptKey, Throttle};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::Instant;

/// The evidence about one attempt. Clones share it: work that goes on after the client has
/// disconnected (a hash, a request to Nextcloud) still reports here.
///
/// A password that doesn't fit counts at once, an unknown user when the attempt ends without a
/// decision. Both are taken back if a check of the same attempt accepts it.
#[derive(Clone, Default)]
pub struct AttemptRecord(Arc<AttemptState>);

#[derive(Default)]
struct AttemptState {
    progress: Mutex<AttemptProgress>,
    /// Without a throttle nothing is counted.
    throttle: Option<(Arc<Mutex<Throttle>>, AttemptKey)>,
}

#[derive(Default)]
struct AttemptProgress {
    unknown_user: bool,
    hash_spent: bool,
    unrecognized_token: bool,
    ending: Option<AttemptEnding>,
}

/// How an attempt ended for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AttemptEnding {
    /// The throttle knows the decision.
    Decided,
    /// The client disconnected, or no authenticator decided.
    Undecided,
}

impl AttemptRecord {
    /// A record that reports to this throttle.
    pub(super) fn reporting(throttle: Arc<Mutex<Throttle>>, key: AttemptKey) -> Self {
        let (progress, throttle) = (Mutex::default(), Some((throttle, key)));
        Self(Arc::new(AttemptState { progress, throttle }))
    }

    /// A check has found the password wrong.
    pub fn comparison_failed(&self) {
        if self.0.progress.lock().ending != Some(AttemptEnding::Decided) {
            self.0.suspect();
        }
    }

    /// A check doesn't know the user. Another one may.
    pub fn unknown_user(&self) {
        let ending = {
            let mut progress = self.0.progress.lock();
            progress.unknown_user = true;
            progress.ending
        };
        if ending == Some(AttemptEnding::Undecided) {
            self.0.suspect();
        }
    }

    /// Whether [`AttemptRecord::unknown_user`] was called.
    pub fn is_unknown_user(&self) -> bool {
        self.0.progress.lock().unknown_user
    }

    /// A check has accepted the attempt. Needed only from work that goes on without its client.
    pub fn accepted(&self) {
        let ending = self.0.progress.lock().ending;
        if let (Some(AttemptEnding::Undecided), Some((throttle, key))) = (ending, &self.0.throttle)
        {
            throttle.lock().succeeded(key, Instant::now());
        }
    }

    /// The password may be an app password of a known user, but the database holds no such token.
    pub fn set_unrecognized_token(&self) {
        self.0.progress.lock().unrecognized_token = true;
    }

    /// Whether [`AttemptRecord::set_unrecognized_token`] was called.
    pub fn is_unrecognized_token(&self) -> bool {
        self.0.progress.lock().unrecognized_token
    }

    /// A password hash was computed for this attempt, or nothing about it depends on one.
    pub fn set_hash_spent(&self) {
        self.0.progress.lock().hash_spent = true;
    }

    /// Whether [`AttemptRecord::set_hash_spent`] was called.
    pub fn is_hash_spent(&self) -> bool {
        self.0.progress.lock().hash_spent
    }

    /// The throttle has been told the decision: nothing else counts any more.
    pub(super) fn decided(&self) {
        self.0.progress.lock().ending = Some(AttemptEnding::Decided);
    }

    /// The client waits no longer. An unknown user counts now, unless the attempt was decided.
    pub(super) fn end(&self) {
        let counts = {
            let mut progress = self.0.progress.lock();
            let decided = progress.ending.get_or_insert(AttemptEnding::Undecided);
            *decided == AttemptEnding::Undecided && progress.unknown_user
        };
        if counts {
            self.0.suspect();
        }
    }
}

impl AttemptState {
    fn suspect(&self) {
        if let Some((throttle, key)) = &self.throttle {
            throttle.lock().suspected(key, Instant::now());
        }
    }
}
