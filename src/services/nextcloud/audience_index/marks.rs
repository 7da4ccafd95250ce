//! What changed on a storage and has not been told yet: merged, bounded.

use crate::push::notice::Ids;
use tokio::time::Instant;

/// More paths than this at once are remembered as "the whole storage changed".
const MAX_PATHS: usize = 64;

/// Changed paths with the ids that changed there; `None`: everything may have changed.
pub(super) type Paths = Option<Vec<(Box<str>, Ids)>>;

/// The changes of one storage that still wait to be told.
#[derive(Debug, Default)]
pub(super) struct Marks {
    paths: Vec<(Box<str>, Ids)>,
    everything: bool,
    since: Option<Instant>,
}

impl Marks {
    /// Takes in a change.
    pub(super) fn add(&mut self, path: &str, ids: &Ids, at: Instant) {
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

    /// Takes what waits, and since when: what changed.
    pub(super) fn take(&mut self) -> Option<(Instant, Paths)> {
        let since = self.since.take()?;
        let paths = std::mem::take(&mut self.paths);
        let everything = std::mem::take(&mut self.everything);
        Some((since, (!everything).then_some(paths)))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PATHS, Marks};
    use crate::push::notice::Ids;
    use tokio::time::Instant;

    #[test]
    fn the_same_path_is_kept_once_and_the_first_time_counts() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        marks.add("files", &Ids::one(1), start);
        marks.add("files", &Ids::one(2), start + std::time::Duration::from_secs(1));
        let (since, paths) = marks.take().unwrap();
        assert_eq!(since, start);
        assert_eq!(paths, Some(vec![("files".into(), Ids::Known([1, 2].into_iter().collect()))]));
        assert!(marks.is_empty());
    }

    #[test]
    fn too_many_paths_become_everything() {
        let mut marks = Marks::default();
        for n in 0..=MAX_PATHS {
            marks.add(&format!("files/{n}"), &Ids::Unknown, Instant::now());
        }
        assert_eq!(marks.take().unwrap().1, None);
    }
}
