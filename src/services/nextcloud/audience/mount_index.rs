//! One storage's mounts by path: which roots cover a path, and who of those who see them is here.

use super::{
    directory::trimmed,
    registry::{RecipientId, RecipientRegistry},
};
use crate::push::recipient::Recipient;
use std::{collections::HashMap, sync::Arc};

/// Everyone who sees a part of one storage.
#[derive(Debug, Default)]
pub(super) struct MountIndex {
    roots: Vec<MountRoot>,
    by_path: HashMap<Box<str>, u32>,
    rows: usize,
}

#[derive(Debug, Default)]
struct MountRoot {
    /// Sorted.
    members: Vec<RecipientId>,
    /// The members who are here; `None` after somebody came or went.
    audience: Option<Arc<[Recipient]>>,
}

impl MountIndex {
    /// How many mounts it holds.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The number of the root with this path, made now if need be.
    pub(super) fn root(&mut self, path: &str) -> u32 {
        let path = trimmed(path);
        if let Some(root) = self.by_path.get(path) {
            return *root;
        }
        let root = u32::try_from(self.roots.len()).unwrap_or(u32::MAX);
        self.roots.push(MountRoot::default());
        self.by_path.insert(path.into(), root);
        root
    }

    /// Lists all of these under a new root at once; returns them without repetitions.
    pub(super) fn fill(&mut self, root: u32, mut members: Vec<RecipientId>) -> &[RecipientId] {
        members.sort_unstable();
        members.dedup();
        members.shrink_to_fit();
        let Some(root) = self.roots.get_mut(root as usize) else { return &[] };
        self.rows += members.len();
        root.members = members;
        &root.members
    }

    /// Lists a recipient under a root; `false` if it was already.
    pub(super) fn add(&mut self, root: u32, name: RecipientId) -> bool {
        let Some(root) = self.roots.get_mut(root as usize) else { return false };
        let Err(position) = root.members.binary_search(&name) else { return false };
        root.members.insert(position, name);
        root.audience = None;
        self.rows += 1;
        true
    }

    /// Takes a recipient off a root's list.
    pub(super) fn remove(&mut self, root: u32, name: RecipientId) {
        let Some(root) = self.roots.get_mut(root as usize) else { return };
        if let Ok(position) = root.members.binary_search(&name) {
            root.members.remove(position);
            root.audience = None;
            self.rows -= 1;
        }
    }

    /// A member of this root has come or gone.
    pub(super) fn presence_changed(&mut self, root: u32) {
        if let Some(root) = self.roots.get_mut(root as usize) {
            root.audience = None;
        }
    }

    /// All roots with their members.
    pub(super) fn members(&self) -> impl Iterator<Item = (u32, &[RecipientId])> {
        (0..).zip(self.roots.iter().map(|root| root.members.as_slice()))
    }

    /// The roots that cover a path: those with the path of one of its ancestors, or its own.
    pub(super) fn covering(&self, path: &str) -> impl Iterator<Item = u32> {
        ancestors(trimmed(path)).filter_map(|path| self.by_path.get(path).copied())
    }

    /// All roots.
    pub(super) fn roots(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.roots).map(|(root, _)| root)
    }

    /// Those who see this root and are here.
    pub(super) fn audience(
        &mut self,
        root: u32,
        names: &RecipientRegistry,
    ) -> Option<Arc<[Recipient]>> {
        let root = self.roots.get_mut(root as usize)?;
        let audience = root.audience.get_or_insert_with(|| {
            let members = root.members.iter().filter_map(|id| names.get(*id));
            members.filter(|name| name.here).map(|name| name.recipient.clone()).collect()
        });
        (!audience.is_empty()).then(|| Arc::clone(audience))
    }
}

/// A path and every folder above it, by segments: `a/b`, `a`, and the storage itself, `""`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(parent, _)| parent))
}

#[cfg(test)]
mod tests {
    use super::{MountIndex, ancestors};
    use proptest::prelude::*;

    #[test]
    fn a_path_is_covered_by_segments_not_by_letters() {
        let mut index = MountIndex::default();
        let [all, files, foo, foobar] =
            ["", "files", "files/foo", "files/foobar"].map(|p| index.root(p));
        let covering = |path| index.covering(path).collect::<Vec<_>>();
        assert_eq!(covering("files/foobar/x"), [foobar, files, all]);
        assert_eq!(covering("files/foo"), [foo, files, all]);
        assert_eq!(covering("files_trashbin/foo"), [all]);
        assert_eq!(covering(""), [all]);
    }

    #[test]
    fn adding_and_removing_keeps_the_count() {
        let mut index = MountIndex::default();
        let root = index.root("files");
        assert_eq!(index.fill(root, vec![3, 1, 3, 2]), [1, 2, 3]);
        assert!(!index.add(root, 2) && index.add(root, 9));
        index.remove(root, 1);
        index.remove(root, 1);
        assert_eq!(index.rows(), 3);
    }

    proptest! {
        #[test]
        fn ancestors_are_the_prefixes_that_end_at_a_segment(path in "[a-c/]{0,12}") {
            let path = path.trim_matches('/');
            for other in ["", "a", "a/b", "ab", "a/b/c", "b"] {
                let covers = other.is_empty() || path == other
                    || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
                prop_assert_eq!(ancestors(path).any(|ancestor| ancestor == other), covers);
            }
        }
    }
}
