//! Reads `authtoken`: tokens of simultaneous logins share one query.

use super::{
    DISABLED, PasswordFingerprinter,
    app_password::{AuthTokenRow, TokenDigests},
};
use crate::client::database::{
    Database, DatabaseClientError, MAX_LIST, SqlRow, SqlStatement, SqlValue,
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Semaphore;

/// Queries that run at a time. Further callers wait and share the next query: ten thousand clients
/// that come back at once cost some seventy queries, and fewer the slower the database is.
const MAX_QUERIES: usize = 2;

const FIND: &str = "SELECT t.token, t.id, t.login_name, t.type, t.expires, t.password_invalid, \
    t.password, t.last_check, u.uid, p.configvalue, u.password \
    FROM {p}authtoken t LEFT JOIN {p}users u ON u.uid = t.uid \
    LEFT JOIN {p}preferences p ON p.userid = t.uid AND p.appid = 'core' AND p.configkey = 'enabled' \
    WHERE t.version = 2 AND t.token IN ({list})";

/// The rows found, by `authtoken.token`.
type TokenRowsResult = Result<Arc<HashMap<String, AuthTokenRow>>, DatabaseClientError>;
type TokenQuery = BoxFuture<'static, TokenRowsResult>;

/// Looks app passwords up.
pub(super) struct TokenLookup {
    reader: Arc<TokenReader>,
    /// The query that further callers can still join.
    next: Mutex<Option<TokenBatch>>,
}

struct TokenReader {
    database: Arc<Database>,
    find: SqlStatement,
    fingerprint: PasswordFingerprinter,
    permits: Semaphore,
}

/// Callers that share one query, which goes on as long as one of them waits.
struct TokenBatch {
    /// `None` once the query has begun.
    queued_digests: Arc<Mutex<Option<Vec<String>>>>,
    query: Option<WeakShared<TokenQuery>>,
}

impl TokenLookup {
    pub(super) fn new(database: &Arc<Database>, fingerprint: PasswordFingerprinter) -> Self {
        let (database, find) = (Arc::clone(database), database.statement(FIND));
        let permits = Semaphore::new(MAX_QUERIES);
        Self {
            reader: Arc::new(TokenReader { database, find, fingerprint, permits }),
            next: Mutex::default(),
        }
    }

    /// The row for these digests; the digest with the secret has precedence.
    pub(super) async fn find(
        &self,
        digests: TokenDigests,
    ) -> Result<Option<AuthTokenRow>, DatabaseClientError> {
        let rows = self.join(&digests).await?;
        let row = rows.get(&digests.with_secret).or_else(|| rows.get(&digests.without));
        Ok(row.cloned())
    }

    fn join(&self, digests: &TokenDigests) -> Shared<TokenQuery> {
        let mut next = self.next.lock();
        let running = next.as_ref().and_then(|batch| batch.try_add(digests));
        running.unwrap_or_else(|| {
            let (batch, query) = TokenBatch::begin(Arc::clone(&self.reader), digests);
            *next = Some(batch);
            query
        })
    }
}

impl TokenBatch {
    fn begin(reader: Arc<TokenReader>, digests: &TokenDigests) -> (Self, Shared<TokenQuery>) {
        let queued_digests = Arc::new(Mutex::new(Some(digests.both().into())));
        let taken = Arc::clone(&queued_digests);
        let query = async move {
            // The semaphore is never closed.
            let _turn = reader.permits.acquire().await;
            let queued_digests: Option<Vec<_>> = taken.lock().take();
            reader.read(&queued_digests.unwrap_or_default()).await.map(Arc::new)
        };
        let query = query.boxed().shared();
        (Self { queued_digests, query: query.downgrade() }, query)
    }

    /// The pending query, if these digests can still join it.
    fn try_add(&self, digests: &TokenDigests) -> Option<Shared<TokenQuery>> {
        let query = self.query.as_ref()?.upgrade()?;
        let mut queued_digests = self.queued_digests.lock();
        let queued_digests = queued_digests
            .as_mut()
            .filter(|queued_digests| queued_digests.len() + 2 <= MAX_LIST)?;
        queued_digests.extend(digests.both());
        Some(query)
    }
}

impl TokenReader {
    async fn read(
        &self,
        queued_digests: &[String],
    ) -> Result<HashMap<String, AuthTokenRow>, DatabaseClientError> {
        let values: Vec<_> = queued_digests.iter().map(|digest| SqlValue::Text(digest)).collect();
        let mut rows = HashMap::new();
        let mut each = |row: &SqlRow<'_>| {
            if let Some(digest) = row.text(0)? {
                rows.insert(digest.to_owned(), token(row, &self.fingerprint)?);
            }
            Ok(())
        };
        self.database.query_list(&self.find, &values, &mut each).await?;
        Ok(rows)
    }
}

fn token(
    row: &SqlRow<'_>,
    fingerprint: &PasswordFingerprinter,
) -> Result<AuthTokenRow, sqlx::Error> {
    let number = |column| row.int(column).map(Option::unwrap_or_default);
    Ok(AuthTokenRow {
        id: number(1)?,
        login_name: row.text(2)?.unwrap_or_default().to_owned(),
        kind: number(3)?,
        expires: number(4)?,
        password_invalid: number(5)? != 0,
        stored: row.text(6)?.map(|stored| fingerprint.short(stored)),
        last_check: number(7)?,
        uid: row.text(8)?.map(str::to_owned),
        account: fingerprint.short(row.text(10)?.unwrap_or_default()),
        disabled: row.text(9)? == Some(DISABLED),
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_QUERIES, TokenBatch, TokenLookup, TokenReader};
    use crate::{
        client::database::{
            Database, DatabaseClientError, DatabaseEngine, DatabaseSettings, MAX_LIST,
        },
        services::nextcloud::accounts::{PasswordFingerprinter, app_password::TokenDigests},
    };
    use futures_util::{FutureExt as _, future::join_all, poll};
    use std::{pin::pin, sync::Arc};

    fn digests(number: usize) -> TokenDigests {
        let password = format!("an app password, number {number}");
        TokenDigests::of(&password.as_str().into(), &"secret".into()).expect("long enough")
    }

    /// A lookup in a database that doesn't exist: each query fails.
    fn tokens() -> TokenLookup {
        let engine = DatabaseEngine::Sqlite("/nowhere/at/all.db".into());
        let settings = DatabaseSettings { engine, prefix: String::new() };
        let database = Database::new(&settings, fastrand::Rng::with_seed(1)).expect("a prefix");
        TokenLookup::new(&Arc::new(database), PasswordFingerprinter::default())
    }

    async fn busy(reader: &TokenReader) -> tokio::sync::SemaphorePermit<'_> {
        reader
            .permits
            .acquire_many(u32::try_from(MAX_QUERIES).expect("few"))
            .await
            .expect("never closed")
    }

    fn waiting(batch: Option<&TokenBatch>) -> Option<usize> {
        let queued_digests = batch?.queued_digests.lock();
        queued_digests.as_ref().map(Vec::len)
    }

    #[tokio::test]
    async fn callers_that_arrive_during_a_query_share_the_next() {
        let tokens = tokens();
        let permits = busy(&tokens.reader).await;
        let mut all = join_all((0..100).map(|number| tokens.join(&digests(number)))).boxed();
        assert!(poll!(&mut all).is_pending());
        assert_eq!(waiting(tokens.next.lock().as_ref()), Some(200));
        drop(permits);
        let answers = all.await;
        assert!(
            answers.iter().all(|answer| matches!(answer, Err(DatabaseClientError::Unavailable(_))))
        );
        // A later caller doesn't get an earlier result.
        let late = tokens.join(&digests(1));
        assert_eq!(waiting(tokens.next.lock().as_ref()), Some(2));
        drop(late);
    }

    #[tokio::test]
    async fn a_query_holds_no_more_than_fit() {
        let tokens = tokens();
        let _turns = busy(&tokens.reader).await;
        let fit = MAX_LIST / 2;
        let all: Vec<_> = (0..=fit).map(|number| tokens.join(&digests(number))).collect();
        assert!(all[0].ptr_eq(&all[fit - 1]));
        assert!(!all[0].ptr_eq(&all[fit]));
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_does_not_cancel_the_others() {
        let tokens = tokens();
        let permits = busy(&tokens.reader).await;
        let (first, second) = (tokens.join(&digests(1)), tokens.join(&digests(2)));
        let mut second = pin!(second);
        {
            let mut first = pin!(first);
            assert!(poll!(&mut first).is_pending());
            assert!(poll!(&mut second).is_pending());
        }
        drop(permits);
        assert!(second.await.is_err(), "the query ran: the database is unavailable");
        assert_eq!(tokens.reader.permits.available_permits(), MAX_QUERIES);
    }

    #[tokio::test]
    async fn when_no_caller_waits_nothing_is_left() {
        let tokens = tokens();
        let permits = busy(&tokens.reader).await;
        let mut only = tokens.join(&digests(1)).boxed();
        assert!(poll!(&mut only).is_pending());
        drop(permits);
        drop(only);
        assert_eq!(tokens.reader.permits.available_permits(), MAX_QUERIES);
        let next = tokens.join(&digests(2));
        assert_eq!(waiting(tokens.next.lock().as_ref()), Some(2));
        drop(next);
    }
}
