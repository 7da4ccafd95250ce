//! The changes of one storage that still wait to be sent: merged and bounded.

use crate::push::notice::ChangedIds;
use tokio::time::Instant;

/// More paths than this at once become "the whole storage changed".
const MAX_PATHS: usize = 64;

/// Changed paths with the ids that changed there; `None`: everything may have changed.
pub(super) type ChangedPaths = Option<Vec<(Box<str>, ChangedIds)>>;

/// The changes of one storage that still wait to be sent.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    paths: Vec<(Box<str>, ChangedIds)>,
    everything: bool,
    since: Option<Instant>,
}

impl PendingChanges {
    /// Merges a change.
    pub(super) fn add(&mut self, path: &str, ids: &ChangedIds, at: Instant) {
        self.since.get_or_insert(at);
        if self.everything {
            return;
        }
        if let Some((_, mine)) = self.paths.iter_mut().find(|(known, _)| **known == *path) {
            mine.merge(ids);
        } else if self.paths.len() < MAX_PATHS {
            self.paths.push((path.into(), ids.clone()));
        } else {
            self.everything = true;
            self.paths = Vec::new();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// Takes the waiting changes and the time of the first one.
    pub(super) fn take(&mut self) -> Option<(Instant, ChangedPaths)> {
        let since = self.since.take()?;
        let paths = std::mem::take(&mut self.paths);
        let everything = std::mem::take(&mut self.everything);
        Some((since, (!everything).then_some(paths)))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PATHS, PendingChanges};
    use crate::push::notice::ChangedIds;
    use tokio::time::Instant;

    #[test]
    fn the_same_path_is_kept_once_with_the_time_of_the_first_change() {
        let (mut pending_changes, start) = (PendingChanges::default(), Instant::now());
        pending_changes.add("files", &ChangedIds::one(1), start);
        pending_changes.add(
            "files",
            &ChangedIds::one(2),
            start + std::time::Duration::from_secs(1),
        );
        let (since, paths) = pending_changes.take().unwrap();
        assert_eq!(since, start);
        assert_eq!(
            paths,
            Some(vec![("files".into(), ChangedIds::Known([1, 2].into_iter().collect()))])
        );
        assert!(pending_changes.is_empty());
    }

    #[test]
    fn too_many_paths_become_everything() {
        let mut pending_changes = PendingChanges::default();
        for n in 0..=MAX_PATHS {
            pending_changes.add(&format!("files/{n}"), &ChangedIds::Unknown, Instant::now());
        }
        assert_eq!(pending_changes.take().unwrap().1, None);
    }
}
