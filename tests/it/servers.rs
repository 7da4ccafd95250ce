//! The fixtures keep their promises: real servers answer, pause, die, come back and are gone when dropped.

use crate::support::{
    certificates::Certificates,
    client::Client,
    database::Database,
    mariadb::MariaDb,
    postgres::Postgres,
    redis::{Redis, patiently},
    redis_cluster::RedisCluster,
    redis_sentinel::RedisSentinel,
    sqlite::Sqlite,
    until, within,
};
use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use sqlx::{ConnectOptions, Row, mysql::MySqlSslMode, postgres::PgSslMode};
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// Long enough for a server that is not frozen, short enough to wait for one that is.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn redis_answers_freezes_and_comes_back_empty_on_the_same_port() {
    let mut redis = Redis::start().await;
    redis.set("key", "value").await;
    assert_eq!(redis.get("key").await.as_deref(), Some("value"));
    assert_eq!(redis.publish("nobody", "hears").await, 0);
    redis.pause();
    assert!(timeout(SILENCE, redis.get("key")).await.is_err());
    redis.resume();
    assert!(redis.get("key").await.is_some());
    let port = redis.port();
    redis.restart().await;
    assert_eq!((redis.port(), redis.get("key").await), (port, None));
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_folder() {
    let redis = Redis::start().await;
    let (id, socket) = (redis.id(), redis.socket());
    assert!(socket.exists());
    drop(redis);
    assert!(!socket.exists());
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[tokio::test]
async fn redis_takes_further_directives() {
    let redis = Redis::start_with(&["--requirepass", "secret"]).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut client = patiently(&client).await.unwrap();
    let refused = redis::cmd("GET").arg("key").query_async::<()>(&mut client).await;
    assert!(refused.unwrap_err().to_string().contains("NOAUTH"));
}

#[tokio::test]
async fn mariadb_keeps_databases_apart() {
    let server = MariaDb::shared().await;
    let (one, two) = (server.nextcloud().await, server.empty().await);
    assert_ne!(one.url(), two.url());
    one.execute("INSERT INTO oc_users (uid) VALUES ('alice')").await;
    two.execute("CREATE TABLE oc_users (uid INT)").await;
}

#[tokio::test]
async fn mariadb_comes_back_with_its_data() {
    let mut server = MariaDb::start().await;
    let database = server.nextcloud().await;
    server.restart().await;
    database.execute("INSERT INTO oc_users (uid) VALUES ('alice')").await;
}

#[tokio::test]
async fn postgres_keeps_databases_apart() {
    let server = Postgres::shared().await;
    let (one, two) = (server.nextcloud().await, server.empty().await);
    assert_ne!(one.url(), two.url());
    one.execute("INSERT INTO oc_users (uid) VALUES ('alice')").await;
    two.execute("CREATE TABLE oc_users (uid INT)").await;
}

#[tokio::test]
async fn postgres_freezes_with_all_its_processes_and_comes_back_with_its_data() {
    let mut server = Postgres::start().await;
    let Database::Postgres(options) = server.nextcloud().await else { panic!("PostgreSQL") };
    let mut connection = options.connect().await.unwrap();
    server.pause();
    let asked = sqlx::query("SELECT uid FROM oc_users").fetch_all(&mut connection);
    assert!(timeout(SILENCE, asked).await.is_err());
    server.resume();
    server.restart().await;
    Database::Postgres(options).execute("INSERT INTO oc_users (uid) VALUES ('alice')").await;
}

#[tokio::test]
async fn sqlite_has_the_tables() {
    let sqlite = Sqlite::create().await;
    sqlite.database().execute("INSERT INTO oc_users (uid) VALUES ('alice')").await;
}

#[tokio::test]
async fn a_subscriber_is_waited_for() {
    let redis = Redis::start().await;
    let subscriber = redis::Client::open(redis.url()).unwrap();
    let mut subscriber = subscriber.get_async_pubsub().await.unwrap();
    subscriber.subscribe("channel").await.unwrap();
    redis.subscribed("channel").await;
    assert_eq!(redis.publish("channel", "heard").await, 1);
}

#[tokio::test]
async fn a_stopped_server_has_ended() {
    let mut redis = Redis::start().await;
    redis.signal(Signal::TERM);
    let ended = until("Redis ends", async || redis.ended()).await;
    assert!(ended.success(), "{}", redis.log());
}

#[tokio::test]
async fn database_servers_listen_on_their_ports() {
    let (mariadb, postgres) = (MariaDb::shared().await, Postgres::shared().await);
    for port in [mariadb.port(), postgres.port()] {
        within("a connection", TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    }
}

#[tokio::test]
async fn redis_speaks_tls_on_its_second_port() {
    let certificates = Certificates::new();
    let redis = Redis::start_tls(&certificates, &[]).await;
    let stream = TcpStream::connect(("127.0.0.1", redis.tls_port())).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = certificates.connector().connect(name, stream);
    let mut stream = within("a TLS handshake", stream).await.unwrap();
    stream.write_all(b"PING\r\n").await.unwrap();
    let mut answer = [0; 7];
    within("an answer", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[tokio::test]
async fn a_cluster_carries_a_message_from_any_node_to_any_other() {
    let cluster = RedisCluster::start().await;
    assert_eq!(cluster.urls().len(), 3);
    let subscriber = redis::Client::open(cluster.urls().remove(0)).unwrap();
    let mut subscriber = subscriber.get_async_pubsub().await.unwrap();
    subscriber.subscribe("channel").await.unwrap();
    cluster.nodes[2].publish("channel", "heard").await;
    let message = within("the message", subscriber.on_message().next()).await.unwrap();
    assert_eq!(message.get_payload::<String>().unwrap(), "heard");
}

#[tokio::test]
async fn a_sentinel_makes_the_replica_master() {
    let mut redis = RedisSentinel::start().await;
    assert!(redis.url().ends_with(&format!(":{}/mymaster", redis.port())));
    redis.fail_over().await;
    redis.replica.set("key", "value").await;
}

#[tokio::test]
async fn mariadb_speaks_tls_with_our_certificate() {
    let certificates = Certificates::new();
    let server = MariaDb::start_tls(&certificates).await;
    let Database::MySql(options) = server.empty().await else { panic!("MariaDB") };
    let options = options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(certificates.ca());
    let mut connection = options.connect().await.unwrap();
    let status = sqlx::query("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&mut connection).await;
    assert_ne!(status.unwrap().get::<String, _>("Value"), "");
}

#[tokio::test]
async fn postgres_speaks_tls_with_our_certificate() {
    let certificates = Certificates::new();
    let server = Postgres::start_tls(&certificates).await;
    let Database::Postgres(options) = server.empty().await else { panic!("PostgreSQL") };
    let options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(certificates.ca());
    let mut connection = options.connect().await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    assert!(row.get::<bool, _>("ssl"));
}

#[tokio::test]
async fn a_client_logs_in_and_hears_everything_up_to_a_marker_and_the_close_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let server = async {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let said = [socket.next().await, socket.next().await];
        for text in ["authenticated", "notify_file", "notify_activity", "marker"] {
            socket.send(Message::text(text)).await.unwrap();
        }
        let frame = CloseFrame { code: CloseCode::Restart, reason: "restart".into() };
        socket.close(Some(frame)).await.unwrap();
        said.map(|message| message.unwrap().unwrap().to_string())
    };
    let client = async {
        let mut client = Client::log_in(&url, "alice", "password").await;
        (client.texts_before("marker").await, client.closed().await)
    };
    let (said, (heard, closed)) = tokio::join!(server, client);
    assert_eq!(said, ["alice", "password"]);
    assert_eq!(heard, ["notify_file", "notify_activity"]);
    assert_eq!(closed, Some((1012, "restart".to_owned())));
}
