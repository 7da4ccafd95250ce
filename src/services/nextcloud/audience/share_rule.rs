//! Which users still have a share of a root: `oc_share` loses its row when a share ends, `oc_mounts`
//! only at the user's next visit.

use super::directory::ShareRow;
use std::collections::HashSet;

/// Kinds of share that give one named user a mount.
const USER: i64 = 0;
/// Kinds that give no mount on this Nextcloud: a user's own setting for a group's share (2, 11, 13),
/// links (3), e-mail (4) and shares with other servers (6, 9).
const WITHOUT_MOUNT: [i64; 7] = [2, 3, 4, 6, 9, 11, 13];

/// What `oc_share` says of one root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ShareRule {
    /// Users with a share of their own.
    users: HashSet<Box<str>>,
    /// Ids of the shares with groups, teams and rooms; their members aren't known here.
    groups: Vec<i64>,
    /// One of several group shares has ended: its members can't be told from the others'.
    uncertain: bool,
}

/// What a user with a share mount may be sent about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShareAccess {
    /// Ids of changed files.
    Ids,
    /// Only that something has changed.
    NoIds,
    /// Nothing: the share has ended.
    Ended,
}

impl ShareRule {
    /// Makes the rule from the rows of one root; `before` is the one that it replaces.
    pub(super) fn new<'a>(
        rows: impl Iterator<Item = &'a ShareRow>,
        before: Option<&ShareRule>,
    ) -> Self {
        let mut rule = Self::default();
        for row in rows {
            if row.kind == USER {
                rule.users.insert(row.with.clone());
            } else if !WITHOUT_MOUNT.contains(&row.kind) {
                rule.groups.push(row.id);
            }
        }
        rule.uncertain = before.is_some_and(|before| {
            before.uncertain || before.groups.iter().any(|id| !rule.groups.contains(id))
        });
        rule
    }

    /// A mount row has just been written for this user, so Nextcloud has found a share.
    pub(super) fn allow(&mut self, user: &str) {
        self.users.insert(user.into());
    }

    /// What this user may be sent.
    pub(super) fn access(&self, user: &str) -> ShareAccess {
        if self.users.contains(user) {
            ShareAccess::Ids
        } else if self.groups.is_empty() {
            ShareAccess::Ended
        } else if self.uncertain {
            ShareAccess::NoIds
        } else {
            ShareAccess::Ids
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ShareAccess, ShareRow, ShareRule};

    fn rule(rows: &[(i64, i64, &str)], before: Option<&ShareRule>) -> ShareRule {
        let rows: Vec<_> = rows
            .iter()
            .map(|(id, kind, with)| ShareRow {
                id: *id,
                root: 1,
                kind: *kind,
                with: (*with).into(),
            })
            .collect();
        ShareRule::new(rows.iter(), before)
    }

    #[test]
    fn a_user_needs_a_share_of_their_own_or_any_group_share() {
        let own = rule(&[(1, 0, "bob"), (2, 3, "token"), (3, 2, "carol")], None);
        assert_eq!(own.access("bob"), ShareAccess::Ids);
        assert_eq!(own.access("carol"), ShareAccess::Ended);
        for kind in [1, 7, 10] {
            assert_eq!(rule(&[(1, kind, "some")], None).access("carol"), ShareAccess::Ids);
        }
        assert_eq!(rule(&[], None).access("bob"), ShareAccess::Ended);
    }

    #[test]
    fn when_one_of_two_group_shares_ends_members_get_no_ids() {
        let both = rule(&[(1, 1, "staff"), (2, 7, "team"), (3, 0, "bob")], None);
        let one = rule(&[(2, 7, "team"), (3, 0, "bob")], Some(&both));
        assert_eq!(one.access("carol"), ShareAccess::NoIds);
        assert_eq!(one.access("bob"), ShareAccess::Ids);
        let same = rule(&[(2, 7, "team")], Some(&one));
        assert_eq!(same.access("carol"), ShareAccess::NoIds);
    }

    #[test]
    fn a_new_mount_row_counts_until_the_shares_are_read_again() {
        let mut before = rule(&[(1, 0, "bob")], None);
        before.allow("carol");
        assert_eq!(before.access("carol"), ShareAccess::Ids);
        assert_eq!(rule(&[(1, 0, "bob")], Some(&before)).access("carol"), ShareAccess::Ended);
    }
}
