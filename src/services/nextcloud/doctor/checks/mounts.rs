//! Checks that the users of a storage can be looked up quickly.

use super::database::number;
use crate::{
    client::database::{Database, DatabaseClientError},
    doctor::{CheckFinding, CheckId},
    services::nextcloud::mount_store::MountStore,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A slower look-up is a hint: an index may be missing.
const SLOW: Duration = Duration::from_secs(1);

/// Looks up one storage as the daemon does for a change.
pub(in crate::services::nextcloud::doctor) async fn check(
    database: &Arc<Database>,
    occ: &str,
) -> CheckFinding {
    match look_up(database).await {
        Ok(None) => CheckFinding::hint(CheckId::Mounts, "Nextcloud has no mounts yet")
            .why("users get theirs with their first request; until then no client is notified")
            .advise("Log in to Nextcloud once, then run the doctor again."),
        Ok(Some((storage, users, took))) => judge(storage, users, took, occ),
        Err(error) => CheckFinding::wrong(CheckId::Mounts, error.to_string())
            .why("this query finds the users that a change concerns"),
    }
}

async fn look_up(
    database: &Arc<Database>,
) -> Result<Option<(i64, usize, Duration)>, DatabaseClientError> {
    let latest = number(database, "SELECT MAX(storage_id) FROM {p}mounts").await?;
    let Some(storage) = latest else { return Ok(None) };
    let directory = MountStore::new(Arc::clone(database), |_, _| {});
    let started = Instant::now();
    let mounts = directory.mounts_of_storages(&[storage]).await?;
    Ok(Some((storage, mounts.len(), started.elapsed())))
}

fn judge(storage: i64, users: usize, took: Duration, occ: &str) -> CheckFinding {
    let s = if users == 1 { "" } else { "s" };
    let found = format!("found {users} mount{s} of storage {storage}");
    let millis = took.as_millis();
    if took < SLOW {
        return CheckFinding::fine(CheckId::Mounts, format!("{found} in {millis} ms"));
    }
    CheckFinding::hint(CheckId::Mounts, format!("{found}, but it took {millis} ms"))
        .why("each first change of a storage waits for this query")
        .advise("Add the indices that are missing, and see what else the database is busy with:")
        .run(format!("{occ} db:add-missing-indices"))
}

#[cfg(test)]
mod tests {
    use super::{Duration, judge};
    use crate::doctor::finding::FindingState;

    #[test]
    fn a_slow_look_up_is_a_hint() {
        assert_eq!(judge(1, 1, Duration::from_millis(3), "occ").state, FindingState::Fine);
        assert_eq!(judge(1, 9, Duration::from_secs(2), "occ").state, FindingState::Hint);
    }
}
