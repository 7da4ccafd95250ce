//! Hashes that cost as much as those of real users, for names that don't exist.

use super::{PasswordFingerprinter, account_password};
use crate::{
    client::database::{Database, SqlRow, SqlStatement},
    services::nextcloud::login::hashing::DUMMY,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::Instant};

/// A sample of the stored hashes. Installations hold more than one algorithm and cost while users
/// move to newer ones.
const SAMPLE: &str = "SELECT password FROM {p}users WHERE password LIKE '_|$%' LIMIT 64";

/// How long a sample is used.
const SAMPLE_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Salt and digest of bcrypt dummies.
const BCRYPT_TAIL: &str = "6MLMHtFYccnGw.p8zWl8lOhJ0g1sVTq3bYxkPzqv7Ee5cN1rZ0a4W";

/// Dummy hashes with the costs of real ones.
pub(super) struct HashCosts {
    sample: SqlStatement,
    names: PasswordFingerprinter,
    current: Mutex<CostSample>,
}

struct CostSample {
    since: Instant,
    dummies: Arc<OnceCell<Vec<String>>>,
}

impl HashCosts {
    /// Reads nothing yet.
    pub(super) fn new(database: &Database) -> Self {
        let current = CostSample { since: Instant::now(), dummies: Arc::default() };
        Self {
            sample: database.statement(SAMPLE),
            names: PasswordFingerprinter::default(),
            current: Mutex::new(current),
        }
    }

    /// A hash that fits no password and costs as much as that of some real user: always the same one
    /// for the same name, so that the costs of unknown names spread like those of known ones.
    pub(super) async fn dummy(&self, database: &Database, name: &str) -> String {
        let sample = self.sample();
        let read = sample.get_or_try_init(async || self.read(database).await).await;
        // Without a database no user is known, and the default cost does.
        let dummies = read.map(Vec::as_slice).unwrap_or_default();
        let digest = self.names.of(&name.to_lowercase());
        let pick = digest % u64::try_from(dummies.len().max(1)).unwrap_or(1);
        let dummy = usize::try_from(pick).ok().and_then(|pick| dummies.get(pick));
        dummy.map_or_else(|| DUMMY.to_owned(), Clone::clone)
    }

    /// The current sample, which may not have been read yet.
    fn sample(&self) -> Arc<OnceCell<Vec<String>>> {
        let mut current = self.current.lock();
        if current.since.elapsed() >= SAMPLE_LIFETIME {
            *current = CostSample { since: Instant::now(), dummies: Arc::default() };
        }
        Arc::clone(&current.dummies)
    }

    async fn read(
        &self,
        database: &Database,
    ) -> Result<Vec<String>, crate::client::database::DatabaseClientError> {
        let mut dummies = Vec::new();
        let mut each = |row: &SqlRow<'_>| {
            let hash = row.text(0)?.and_then(account_password::hash);
            dummies.extend(hash.and_then(dummy_like));
            Ok(())
        };
        database.query(&self.sample, &[], &mut each).await?;
        Ok(dummies)
    }
}

/// A hash of the same algorithm and cost with another salt and digest.
fn dummy_like(hash: &str) -> Option<String> {
    let mut parts: Vec<&str> = hash.split('$').collect();
    match parts.get(1).copied()? {
        "2a" | "2b" | "2y" if parts.len() == 4 => parts[3] = BCRYPT_TAIL,
        "argon2i" | "argon2id" if parts.len() >= 5 => {
            let mut dummy = DUMMY.rsplit('$');
            let (digest, salt) = (dummy.next()?, dummy.next()?);
            let end = parts.len();
            (parts[end - 2], parts[end - 1]) = (salt, digest);
        }
        _ => return None,
    }
    Some(parts.join("$"))
}

#[cfg(test)]
mod tests {
    use super::dummy_like;
    use crate::services::nextcloud::login::hashing::check;

    #[test]
    fn a_dummy_has_the_algorithm_and_cost_of_its_model_and_fits_no_password() {
        for (hash, prefix) in [
            ("$2y$05$VpulAdBkE6RHjRCLez/ZR.EnKr/h0TwxGK8PxMnMmaACY8QYPIcPS", "$2y$05$"),
            ("$2b$05$BSsiV93HeqXFtsP9aiQEoeo46zX1oG.4v5Dgc4nHZPmpheIl/vXf.", "$2b$05$"),
            (
                "$argon2id$v=19$m=1024,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$u5YhQfuIn2N9Oz/vbO2IoiQG7P3Toq5aLlQ60U+ik0Q",
                "$argon2id$v=19$m=1024,t=2,p=2$",
            ),
            (
                "$argon2i$m=1024,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$alc1CzcUUec4TeZ4i1Mv82USOHWJBysnFctr+3ySMF0",
                "$argon2i$m=1024,t=2,p=1$",
            ),
        ] {
            let dummy = dummy_like(hash).expect("a known algorithm");
            assert!(dummy.starts_with(prefix) && dummy != hash, "{dummy}");
            assert_eq!(check(&dummy, "Grüße, w@rld!"), Ok(false), "{dummy}");
        }
        assert_eq!(dummy_like("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"), None);
        assert_eq!(dummy_like("$2y$05"), None);
    }
}
