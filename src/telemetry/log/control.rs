//! Changes the log filter while the daemon runs, and restores the configured one.

use super::{
    filter::{LogFilter, LogFilterError},
    recent_warnings::RecentWarnings,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Handle to the filter of a running log. Cheap to clone; clones share the log.
///
/// There is one configured filter and at most one temporary one over it: however often a temporary
/// one is set, [`LogControl::restore`] goes back to the configured one (`log_restore`,
/// `specs/nextcloud.md` section 2).
#[derive(Clone)]
pub struct LogControl {
    inner: Arc<LogControlInner>,
}

struct LogControlInner {
    state: Mutex<LogFilterState>,
    recent: RecentWarnings,
    apply: Box<dyn Fn(&LogFilter) + Send + Sync>,
}

struct LogFilterState {
    configured: LogFilter,
    current: LogFilter,
}

impl LogControl {
    pub(super) fn new(
        filter: LogFilter,
        recent: RecentWarnings,
        apply: impl Fn(&LogFilter) + Send + Sync + 'static,
    ) -> Self {
        let state = LogFilterState { configured: filter.clone(), current: filter };
        let (state, apply) = (Mutex::new(state), Box::new(apply));
        Self { inner: Arc::new(LogControlInner { state, recent, apply }) }
    }

    /// Applies this filter until [`LogControl::restore`].
    ///
    /// # Errors
    /// [`LogFilterError`]; the filter is then unchanged.
    pub fn set(&self, filter: &str) -> Result<(), LogFilterError> {
        let filter = LogFilter::parse(filter)?;
        self.change(&mut self.state(), filter);
        Ok(())
    }

    /// Restores the configured filter.
    pub fn restore(&self) {
        let mut state = self.state();
        let configured = state.configured.clone();
        self.change(&mut state, configured);
    }

    /// Sets the configured filter after a reload. It takes effect at once unless a temporary one is set.
    pub fn configure(&self, filter: LogFilter) {
        let mut state = self.state();
        let temporary = state.current != state.configured;
        state.configured = filter.clone();
        if !temporary {
            self.change(&mut state, filter);
        }
    }

    /// The current filter, as [`LogControl::set`] accepts it.
    pub fn current(&self) -> String {
        self.state().current.to_string()
    }

    /// The last warnings that were logged.
    pub fn recent(&self) -> &RecentWarnings {
        &self.inner.recent
    }

    // Applied under the lock, so that the recorded filter is the current one.
    fn change(&self, state: &mut LogFilterState, filter: LogFilter) {
        (self.inner.apply)(&filter);
        state.current = filter;
    }

    fn state(&self) -> MutexGuard<'_, LogFilterState> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for LogControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogControl").field(&self.current()).finish()
    }
}
