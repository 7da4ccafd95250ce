//! A database that is absent, killed, restarted or frozen delays and breaks nothing else, and is used
//! again once it is back.

use crate::support::{
    database::Database, mariadb::MariaDb, postgres::Postgres, settings::store, until, within,
};
use notify_push::{
    client::database::{
        Database as Store, DatabaseAddress, DatabaseClientError, DatabaseEngine,
        DatabaseServer as Settings, DatabaseSettings, DatabaseTls, SqlRow,
    },
    health::DependencyState,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::net::TcpListener;

async fn ask(store: &Store) -> Result<(), DatabaseClientError> {
    let statement = store.statement("SELECT COUNT(*) FROM {p}users");
    store.query(&statement, &[], &mut |_| Ok(())).await
}

fn is_unavailable(outcome: &Result<(), DatabaseClientError>) -> bool {
    matches!(outcome, Err(DatabaseClientError::Unavailable(_)))
}

/// Runs what looks after the store besides.
async fn tended<T>(store: &Store, test: impl Future<Output = T>) -> T {
    tokio::select! {
        outcome = test => outcome,
        () = store.monitor() => unreachable!("it never ends"),
    }
}

async fn becomes(store: &Store, what: &str, wanted: impl Fn(&DependencyState) -> bool) {
    let mut health = store.health();
    let what = format!("{what}: {:?}", *health.borrow());
    within(&what, health.wait_for(wanted)).await.expect("the store lives");
}

fn up(health: &DependencyState) -> bool {
    matches!(health, DependencyState::Up { .. })
}

fn down(health: &DependencyState) -> bool {
    matches!(health, DependencyState::Down { .. })
}

/// A server of the test's own that can be killed, frozen and started again.
trait FaultyServer {
    async fn come_back(&mut self);
    fn kill_it(&mut self);
    fn freeze(&self);
    fn thaw(&self);
}

impl FaultyServer for MariaDb {
    async fn come_back(&mut self) {
        self.restart().await;
    }
    fn kill_it(&mut self) {
        self.kill();
    }
    fn freeze(&self) {
        self.pause();
    }
    fn thaw(&self) {
        self.resume();
    }
}

impl FaultyServer for Postgres {
    async fn come_back(&mut self) {
        self.restart().await;
    }
    fn kill_it(&mut self) {
        self.kill();
    }
    fn freeze(&self) {
        self.pause();
    }
    fn thaw(&self) {
        self.resume();
    }
}

async fn survives(server: &mut impl FaultyServer, database: &Database) {
    server.kill_it();
    let store = database.store();
    tended(&store, async {
        becomes(&store, "absent at the start", down).await;
        assert!(is_unavailable(&ask(&store).await));
        server.come_back().await;
        becomes(&store, "it came", up).await;
        assert_eq!(ask(&store).await, Ok(()));
        server.kill_it();
        assert!(is_unavailable(&ask(&store).await), "killed");
        assert!(down(&store.health().borrow()));
        server.come_back().await;
        becomes(&store, "it came back", up).await;
        assert_eq!(ask(&store).await, Ok(()));
    })
    .await;
    restarted_unnoticed(server, &store).await;
}

/// Nobody asked while it was away: the connections that waited are dead, and the first question
/// after is answered all the same.
async fn restarted_unnoticed(server: &mut impl FaultyServer, store: &Store) {
    let (one, two) = tokio::join!(ask(store), ask(store));
    assert_eq!((one, two), (Ok(()), Ok(())));
    server.come_back().await;
    let (one, two) = tokio::join!(ask(store), ask(store));
    assert_eq!((one, two), (Ok(()), Ok(())));
}

async fn thaws(server: &impl FaultyServer, database: &Database) {
    let store = database.store();
    assert_eq!(ask(&store).await, Ok(()));
    server.freeze();
    tended(&store, async {
        let asked: Vec<_> = (0..20).map(|_| ask(&store)).collect();
        let answers = within("nobody hangs", futures_util::future::join_all(asked)).await;
        assert!(answers.iter().all(is_unavailable), "{answers:?}");
        becomes(&store, "noticed", down).await;
        server.thaw();
        becomes(&store, "it thawed", up).await;
        until("it answers again", async || ask(&store).await.ok()).await;
    })
    .await;
}

#[tokio::test]
async fn mariadb_may_come_and_go() {
    let mut server = MariaDb::start().await;
    let database = server.nextcloud().await;
    Box::pin(survives(&mut server, &database)).await;
}

#[tokio::test]
async fn postgresql_may_come_and_go() {
    let mut server = Postgres::start().await;
    let database = server.nextcloud().await;
    Box::pin(survives(&mut server, &database)).await;
}

#[tokio::test]
async fn a_frozen_mariadb_hangs_nobody() {
    let server = MariaDb::start().await;
    thaws(&server, &server.nextcloud().await).await;
}

#[tokio::test]
async fn a_frozen_postgresql_hangs_nobody() {
    let server = Postgres::start().await;
    thaws(&server, &server.nextcloud().await).await;
}

/// Takes connections and drops them at once, counting.
async fn hang_up(listener: TcpListener, taken: Arc<AtomicU32>) {
    while let Ok((stream, _)) = listener.accept().await {
        taken.fetch_add(1, Ordering::Relaxed);
        drop(stream);
    }
}

#[tokio::test]
async fn an_absent_database_is_not_hammered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = DatabaseSettings {
        engine: DatabaseEngine::MySql(Settings {
            address: DatabaseAddress::Tcp("127.0.0.1".to_owned(), port),
            user: None,
            password: None,
            database: "nextcloud".to_owned(),
            options: Default::default(),
            tls: DatabaseTls::default(),
        }),
        prefix: "oc_".to_owned(),
    };
    let (store, taken) = (store(&settings), Arc::new(AtomicU32::new(0)));
    let test = async {
        for _ in 0..1000 {
            assert!(is_unavailable(&ask(&store).await));
        }
    };
    tokio::select! {
        () = test => {}
        () = hang_up(listener, Arc::clone(&taken)) => unreachable!("it never ends"),
    }
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 10, "1000 questions made {taken} connections");
}

/// One query that takes for ever holds up its own caller alone.
#[tokio::test]
async fn a_slow_query_delays_only_its_caller() {
    let database = MariaDb::shared().await.nextcloud().await;
    let store = database.store();
    let slow = store.statement("SELECT SLEEP(60)");
    let mut each = |_: &SqlRow<'_>| Ok(());
    let slow = store.query(&slow, &[], &mut each);
    tokio::pin!(slow);
    tokio::select! {
        biased;
        _ = &mut slow => panic!("it sleeps"),
        answer = ask(&store) => assert_eq!(answer, Ok(())),
    }
    let outcome = within("it is given up", slow).await;
    // MariaDB interrupts SLEEP when the session's limit is reached: then it returns 1.
    assert!(outcome.is_ok() || is_unavailable(&outcome), "{outcome:?}");
    assert_eq!(ask(&store).await, Ok(()));
    assert!(up(&store.health().borrow()));
}
