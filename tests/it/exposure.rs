//! The promises of SECURITY.md: what an unauthenticated client of the real daemon learns, and where
//! its secrets must not appear.

use crate::support::{
    Folder,
    client::Client,
    daemon::Daemon,
    faults::{Fault, FaultProxy},
    folder, free_port, http,
    installation::{Installation, SECRET},
    mariadb::MariaDb,
    nextcloud::{Answer, Nextcloud, NextcloudSetup},
    redis::Redis,
    until,
};
use std::{
    path::Path,
    process::{Command, Output},
};
use tokio_tungstenite::tungstenite::Message;

const TOKEN: &str = "jwOLYqIvtIVuSCbGa3YR0NwkPk//++i9";

/// What no answer to an unauthenticated client may hold: places, errors and names of the
/// installation's parts.
const INTERNAL: [&str; 10] =
    ["127.0.0.1", "sql", "redis", "Redis", "/tmp", ".rs", "panic", "warp", "hyper", "notify_push/"];

fn holds_nothing_internal(what: &str, answer: &str) {
    for word in INTERNAL {
        assert!(!answer.contains(word), "{what} says {word:?}: {answer}");
    }
}

#[tokio::test]
async fn the_main_listener_gives_unauthenticated_clients_a_closed_set_of_answers() {
    let installation = Installation::start().await;
    installation.redis.set("test-token", TOKEN).await;
    let daemon = installation.daemon(&[]).await;
    let wrong: &[(&str, &str)] = &[("token", "jwOLYqIvtIVuSCbGa3YR0NwkPk//++i8")];
    let long = "x".repeat(600);
    let long: &[(&str, &str)] = &[("token", &long)];
    for (method, path, headers, status, body) in [
        ("GET", "/test/mapping/7", &[][..], 401, "Token required\n"),
        ("GET", "/test/mapping/7", &[("token", "")], 401, "Token required\n"),
        ("GET", "/test/mapping/7", wrong, 403, "Wrong token\n"),
        ("GET", "/test/mapping/7", long, 403, "Wrong token\n"),
        ("GET", "/test/reverse_cookie", wrong, 403, "Wrong token\n"),
        ("GET", "/test/remote/1.2.3.4", wrong, 403, "Wrong token\n"),
        ("POST", "/test/version", wrong, 403, "Wrong token\n"),
        ("GET", "/test/chain", wrong, 403, "Wrong token\n"),
        ("GET", "/test/mapping/x", wrong, 404, "Not found\n"),
        ("GET", "/metrics", &[], 404, "Not found\n"),
        ("GET", "/log-level", &[], 404, "Not found\n"),
        ("POST", "/revoke", &[], 404, "Not found\n"),
        ("GET", "/health/live", &[], 200, "live\n"),
        ("GET", "/health/ready", &[], 200, "ready\n"),
        ("POST", "/health/ready", &[], 405, "Method not allowed\n"),
        ("GET", "/health", &[], 404, "Not found\n"),
        ("GET", "/", &[], 404, "Not found\n"),
        ("GET", "/.env", &[], 404, "Not found\n"),
    ] {
        for prefix in ["", "/push"] {
            let path = format!("{prefix}{path}");
            let answer = http::request(method, &daemon.address(), &path, headers, "").await;
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{method} {path}");
        }
    }
    assert!(daemon.get("/test/cookie", &[]).await.body.parse::<u32>().is_ok());
    let plain = daemon.get("/ws", &[]).await;
    assert!((400..500).contains(&plain.status), "{plain:?}");
    holds_nothing_internal("/ws without upgrade", &plain.body);
}

#[tokio::test]
async fn without_redis_the_self_test_answers_only_try_again() {
    let mut installation = Installation::start().await;
    let daemon = installation.daemon(&[]).await;
    installation.redis.kill();
    for path in ["/test/mapping/7", "/push/test/reverse_cookie"] {
        let answer = daemon.get(path, &[("token", TOKEN)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (503, "Try again later\n"), "{path}");
    }
}

#[tokio::test]
async fn a_refused_websocket_gets_one_of_a_few_texts() {
    let installation = Installation::start().await;
    installation.user("alice", "correct horse").await;
    let daemon = installation.daemon(&[]).await;
    for (user, password) in
        [("alice", "wrong"), ("nobody", "wrong"), ("' OR 1=1 --", "x"), ("", "no ticket")]
    {
        let mut client = Client::connect(&daemon.url()).await;
        assert_eq!(client.credentials(user, password).await, "err: Invalid credentials");
        assert_eq!(client.closed().await, Some((1008, String::new())));
    }
    let mut client = Client::connect(&daemon.url()).await;
    client.send(Message::binary(vec![0, 159, 146, 150])).await;
    assert_eq!(client.closed().await, Some((1003, String::new())));
    let mut client = Client::connect(&daemon.url()).await;
    client.say(&"x".repeat(5000)).await;
    assert_eq!(client.closed().await, Some((1009, String::new())));
}

#[tokio::test]
async fn the_metrics_listener_serves_metrics_and_no_control() {
    let port = free_port().to_string();
    let installation = Installation::start().await;
    installation.user("alice", "correct horse").await;
    let daemon = installation.daemon(&[("METRICS_PORT", &port)]).await;
    let _client = Client::log_in(&daemon.url(), "alice", "correct horse").await;
    let address = format!("127.0.0.1:{port}");
    let far = [("x-forwarded-for", "203.0.113.7")];
    let page = http::get(&address, "/metrics", &far).await;
    assert_eq!(page.status, 200);
    for secret in ["alice", "correct horse", SECRET, "oc_", "127.0.0.1", "owncloud.db"] {
        assert!(!page.body.contains(secret), "{secret}");
    }
    // Not even for a program on this machine: a proxy that speaks HTTP/1.1 is one.
    for (method, path) in [
        ("GET", "/log-level"),
        ("PUT", "/log-level"),
        ("POST", "/revoke"),
        ("GET", "/sessions"),
        ("GET", "/status"),
        ("GET", "/status/events"),
    ] {
        for headers in [&far[..], &[]] {
            let answer = http::request(method, &address, path, headers, "alice").await;
            assert_eq!((answer.status, answer.body.as_str()), (404, "Not found\n"), "{path}");
        }
    }
    for path in ["/ws", "/push/ws", "/test/cookie"] {
        assert_eq!(http::get(&address, path, &[]).await.status, 404, "{path}");
    }
}

/// An installation in which every secret can be told from anything else.
struct MarkedSecrets {
    installation: Installation,
    nextcloud: Nextcloud,
    redis: Redis,
    to_redis: FaultProxy,
    to_database: FaultProxy,
    variables: Vec<(&'static str, String)>,
    _folder: Folder,
}

const REDIS_PASSWORD: &str = "redis-s3cret-Qw7";
const NEXTCLOUD_PASSWORD: &str = "url-s3cret-Zx9";
const ACCOUNT_PASSWORD: &str = "account-s3cret-Lk2";
const WRONG_PASSWORD: &str = "wrong-s3cret-Pp4";
const TICKET: &str = "ticket-s3cret-Mm5";
const APP_PASSWORD: &str =
    "app-s3cret-0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ";
const DATABASE_PASSWORD: &str = crate::support::database::PASSWORD;

/// Also in the form they have in a URL, and what stands in config.php.
fn secrets() -> Vec<String> {
    let plain = [
        REDIS_PASSWORD,
        NEXTCLOUD_PASSWORD,
        ACCOUNT_PASSWORD,
        WRONG_PASSWORD,
        TICKET,
        APP_PASSWORD,
        DATABASE_PASSWORD,
        SECRET,
        TOKEN,
    ];
    let encoded = url::form_urlencoded::byte_serialize(DATABASE_PASSWORD.as_bytes()).collect();
    plain.iter().map(|secret| (*secret).to_owned()).chain([encoded]).collect()
}

fn holds_no_secret(what: &str, text: &str) {
    for secret in secrets() {
        let line = text.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{what} holds {secret:?}: {line:?}");
    }
}

impl MarkedSecrets {
    async fn prepare() -> Self {
        let mariadb = MariaDb::shared().await;
        let installation = Installation::on(mariadb.nextcloud().await).await;
        installation.user("alice", ACCOUNT_PASSWORD).await;
        installation.app_password("alice", APP_PASSWORD).await;
        let redis = Redis::start_with(&["--requirepass", REDIS_PASSWORD]).await;
        redis.set("test-token", TOKEN).await;
        let to_redis = FaultProxy::to(format!("127.0.0.1:{}", redis.port())).await;
        let to_database = FaultProxy::to(format!("127.0.0.1:{}", mariadb.port())).await;
        let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
        let database = installation.database.url();
        let database =
            database.replace(&mariadb.port().to_string(), &to_database.port().to_string());
        let redis_url = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{}", to_redis.port());
        let folder = folder("secrets");
        let variables = vec![
            ("DATABASE_URL_FILE", file(folder.path(), "database", &database)),
            ("REDIS_URL_FILE", file(folder.path(), "redis", &redis_url)),
            ("AUTH", "database,nextcloud".into()),
            ("LOG", "trace".into()),
            ("METRICS_PORT", free_port().to_string()),
            ("NEXTCLOUD_URL", nextcloud.url()),
        ];
        let _folder = folder;
        Self { installation, nextcloud, redis, to_redis, to_database, variables, _folder }
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Logins right and wrong, by every method.
    async fn log_in(&self, daemon: &Daemon) {
        for password in [ACCOUNT_PASSWORD, APP_PASSWORD, WRONG_PASSWORD, WRONG_PASSWORD] {
            let mut client = Client::connect(&daemon.url()).await;
            client.credentials("alice", password).await;
        }
        let payload = format!(r#"{{"user":"alice","token":"{TICKET}"}}"#);
        self.redis.publish("notify_pre_auth", payload).await;
        let mut client = Client::connect(&daemon.url()).await;
        assert_eq!(client.credentials("", TICKET).await, "authenticated");
        // Not the JSON it should be, with a secret in it.
        self.redis.publish("notify_pre_auth", format!(r#"{{"token":"{TICKET}","#)).await;
        daemon.get("/test/mapping/7", &[("token", TOKEN)]).await;
        daemon.get("/test/reverse_cookie", &[("token", TOKEN)]).await;
    }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file in a folder of our own");
    path.display().to_string()
}

#[tokio::test]
async fn no_secret_appears_in_log_metrics_settings_or_process_list() {
    let setting = MarkedSecrets::prepare().await;
    let config = setting.installation.config_php("").display().to_string();
    let daemon = Daemon::start(&[&config], &setting.environment()).await;
    setting.redis.subscribed("notify_pre_auth").await;
    setting.log_in(&daemon).await;
    setting.nextcloud.answer("*", Some(Answer::new(500, WRONG_PASSWORD)));
    for fault in [Fault::Cut, Fault::Garbage, Fault::Reset] {
        setting.to_database.set(fault);
        setting.to_redis.set(fault);
        let mut client = Client::connect(&daemon.url()).await;
        let said = client.credentials("alice", ACCOUNT_PASSWORD).await;
        holds_nothing_internal("a refusal", &said);
    }
    setting.to_database.set(Fault::None);
    setting.to_redis.set(Fault::None);
    until("the daemon listens again", async || {
        let mut client = Client::connect(&daemon.url()).await;
        (client.credentials("alice", APP_PASSWORD).await == "authenticated").then_some(())
    })
    .await;

    let log = daemon.log();
    assert!(log.contains("TRACE") || log.contains("trace"), "nothing is traced: {log}");
    holds_no_secret("the log", &log);
    let port = &setting.variables.iter().find(|(name, _)| *name == "METRICS_PORT").unwrap().1;
    holds_no_secret(
        "/metrics",
        &http::get(&format!("127.0.0.1:{port}"), "/metrics", &[]).await.body,
    );
    let command_line = std::fs::read(format!("/proc/{}/cmdline", daemon.id())).unwrap();
    holds_no_secret("the process list", &String::from_utf8_lossy(&command_line));
    let dump = notify_push(&["--dump-config", &config], &setting.environment());
    assert!(dump.status.success(), "{dump:?}");
    holds_no_secret("--dump-config", &printed(&dump));
}

fn notify_push(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    let environment = environment.iter().copied();
    command.args(arguments).env_clear().envs(environment).output().expect("our own program")
}

fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn errors_about_settings_hold_no_secret() {
    let password = NEXTCLOUD_PASSWORD;
    for (name, value) in [
        ("NEXTCLOUD_URL", format!("https://push:{password}@cloud.example")),
        ("DATABASE_URL", format!("mysql://nc:{password}@127.0.0.1:99999/nc")),
        ("DATABASE_URL", format!("mysql//nc:{password}@127.0.0.1/nc")),
        ("REDIS_URL", format!("redis://:{password}@[::1/0")),
        ("REDIS_URL", format!("redis://:{password}@127.0.0.1/x")),
    ] {
        let output = notify_push(&["--dump-config"], &[(name, &value)]);
        let printed = printed(&output);
        assert!(!output.status.success() && printed.contains(name), "{value}: {printed}");
        holds_no_secret(name, &printed);
    }
    let value = format!("postgres://nc:{password}@127.0.0.1/nc?sslpassword={password}");
    let output = notify_push(&["--dump-config"], &[("DATABASE_URL", &value)]);
    holds_no_secret("a parameter of the URL", &printed(&output));
}
