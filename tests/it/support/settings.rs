//! A test's database as the daemon's settings.

use super::database::{Database, PASSWORD};
use notify_push::client::database::{
    ConnectionOptions, Database as Store, DatabaseAddress, DatabaseEngine, DatabaseServer,
    DatabaseSettings, DatabaseTls,
};
use std::sync::Arc;

impl Database {
    /// What config.php would say: TCP, prefix `oc_`, TLS if the server offers it.
    pub(crate) fn settings(&self) -> DatabaseSettings {
        let engine = match self {
            Self::MySql(options) => DatabaseEngine::MySql(server(
                DatabaseAddress::Tcp(options.get_host().to_owned(), options.get_port()),
                options.get_username(),
                options.get_database(),
            )),
            Self::Postgres(options) => DatabaseEngine::Postgres(server(
                DatabaseAddress::Tcp(options.get_host().to_owned(), options.get_port()),
                options.get_username(),
                options.get_database(),
            )),
            Self::Sqlite(path) => DatabaseEngine::Sqlite(path.clone()),
        };
        DatabaseSettings { engine, prefix: "oc_".to_owned() }
    }

    /// The daemon's side of it.
    pub(crate) fn store(&self) -> Arc<Store> {
        store(&self.settings())
    }
}

/// A store with these settings.
pub(crate) fn store(settings: &DatabaseSettings) -> Arc<Store> {
    Arc::new(Store::new(settings, fastrand::Rng::with_seed(7)).expect("a plain prefix"))
}

fn server(address: DatabaseAddress, user: &str, database: Option<&str>) -> DatabaseServer {
    DatabaseServer {
        address,
        user: Some(user.to_owned()),
        password: Some(PASSWORD.into()),
        database: database.expect("a database of the test's own").to_owned(),
        tls: DatabaseTls::default(),
        options: ConnectionOptions::default(),
    }
}
/// The server in settings that have one.
pub(crate) fn server_of(settings: &mut DatabaseSettings) -> &mut DatabaseServer {
    match &mut settings.engine {
        DatabaseEngine::MySql(server) | DatabaseEngine::Postgres(server) => server,
        DatabaseEngine::Sqlite(_) => panic!("SQLite has no server"),
    }
}
