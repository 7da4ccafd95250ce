//! The REST side of webhook push, over real sockets: `specs/webhook-push.md` section 2.

use crate::support::{
    daemon::Daemon,
    http::{self, Answer},
    redis::Redis,
    webhook::{JSON, TOKEN, Webhook},
};

use tokio::process::Command;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

async fn ask(
    host: &Webhook,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    http::request(method, &host.daemon.address(), path, headers, body).await
}

#[tokio::test]
async fn each_request_is_answered_as_by_the_original() {
    let host = Webhook::start().await;
    let token = ("X-AUTH-TOKEN", TOKEN);
    let wrong = ("x-auth-token", "wrong");
    let user =
        "Bad Request: the user id in the path must have 1 to 256 bytes in percent-encoded UTF-8";
    let connection = "Bad Request: connectionId is needed exactly once, with 1 to 256 bytes";
    let json = "Bad Request: the body is not a complete JSON object or array, or is not valid JSON";
    let message =
        "Bad Request: the body needs a message other than null, false, 0 and an empty string";
    let kind = "Bad Request: send the message with the Content-Type application/json or \
                application/x-www-form-urlencoded";
    for (method, path, headers, body, status, answered) in [
        ("PUT", "/api/u-1/register?connectionId=c-1", &[token][..], "", 200, ""),
        ("PUT", "/api/u-1/register?connectionId=c-1", &[token], "", 200, ""),
        ("PUT", "/API/u-1/Register/?connectionId=c-1", &[token], "", 200, ""),
        ("PUT", "/api/a%2Fb/register?connectionId=c%201", &[token], "", 200, ""),
        ("PUT", "/api/u-1/register?connectionId=c-1", &[token, JSON], r#"{"x":1}"#, 200, ""),
        ("PUT", "/api/u-1/register?connectionId=c-1", &[], "", 401, ""),
        ("PUT", "/api/u-1/register?connectionId=c-1", &[wrong], "", 401, ""),
        ("PUT", "/api/u-1/register", &[token], "", 400, connection),
        ("PUT", "/api/u-1/register?connectionId=", &[token], "", 400, connection),
        ("PUT", "/api/u-1/register?connectionId=a&connectionId=b", &[token], "", 400, connection),
        ("PUT", "/api/%ff/register?connectionId=a", &[token], "", 400, user),
        ("POST", "/api/u-1/push", &[token, JSON], r#"{"message":{"title":"x"}}"#, 200, ""),
        ("POST", "/api/nobody/push", &[token, JSON], r#"{"message":1}"#, 200, ""),
        ("POST", "/api/status/push", &[token, JSON], r#"{"message":1}"#, 200, ""),
        ("POST", "/api/u-1/push", &[token, FORM], "message[title]=hi", 200, ""),
        ("POST", "/api/u-1/push", &[JSON], r#"{"message":1}"#, 401, ""),
        ("POST", "/api/u-1/push", &[JSON], r#"{"message":1"#, 400, json),
        ("POST", "/api/u-1/push", &[token, JSON], "{}", 400, message),
        ("POST", "/api/u-1/push", &[token, JSON], r#"{"message":0}"#, 400, message),
        ("POST", "/api/u-1/push", &[token, JSON], r#"{"message":""}"#, 400, message),
        ("POST", "/api/u-1/push", &[token, JSON], r#"{"message":false}"#, 400, message),
        ("POST", "/api/u-1/push", &[token, JSON], r#"{"message":null}"#, 400, message),
        ("POST", "/api/u-1/push", &[token, JSON], r#""message""#, 400, json),
        ("POST", "/api/u-1/push", &[token, FORM], "message=", 400, message),
        ("POST", "/api/u-1/push", &[token], r#"{"message":1}"#, 400, kind),
        ("GET", "/api/status/ping", &[], "", 200, "pong"),
        (
            "GET",
            "/api/status/info",
            &[],
            "",
            200,
            r#"{"name":"notification-server","version":"1.0.0"}"#,
        ),
        ("GET", "/api/u-1/push", &[token], "", 404, "Not found\n"),
        ("GET", "/", &[], "", 404, "Not found\n"),
        ("POST", "/api/status/ping", &[], "", 404, "Not found\n"),
    ] {
        let answer = ask(&host, method, path, headers, body).await;
        let given = (answer.status, &*answer.body);
        assert_eq!(given, (status, answered), "{method} {path} {headers:?} {body}");
        let length = answered.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length), "{method} {path}");
    }
}

#[tokio::test]
async fn types_are_the_originals_and_etags_are_honoured() {
    let host = Webhook::start().await;
    for (path, kind) in [
        ("/api/status/ping", "text/html; charset=utf-8"),
        ("/api/status/info", "application/json; charset=utf-8"),
        ("/api/openapi.json", "application/json; charset=utf-8"),
    ] {
        let first = ask(&host, "GET", path, &[], "").await;
        assert_eq!((first.status, first.header("content-type")), (200, Some(kind)));
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with("W/\""), "{tag}");
        let again = ask(&host, "GET", path, &[("If-None-Match", tag)], "").await;
        assert_eq!((again.status, &*again.body), (304, ""), "{path}");
        let head = ask(&host, "HEAD", path, &[], "").await;
        assert_eq!((head.status, &*head.body), (200, ""));
    }
    let bad = ask(&host, "POST", "/api/u/push", &[("X-Auth-Token", TOKEN)], "").await;
    assert_eq!(bad.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_body_has_at_most_a_hundred_kilobytes() {
    let host = Webhook::start().await;
    let body = |length: usize| {
        let frame = r#"{"message":""}"#.len();
        format!(r#"{{"message":"{}"}}"#, "x".repeat(length - frame))
    };
    let token = [("X-AUTH-TOKEN", TOKEN), JSON];
    let most = 100 * 1024;
    assert_eq!(ask(&host, "POST", "/api/u/push", &token, &body(most)).await.status, 200);
    for headers in [&token[..], &[JSON]] {
        for length in [most + 1, 2 * most] {
            let answer = ask(&host, "POST", "/api/u/push", headers, &body(length)).await;
            assert_eq!((answer.status, &*answer.body), (413, "Payload Too Large"));
        }
    }
    let zipped = [token[0], JSON, ("Content-Encoding", "gzip")];
    assert_eq!(ask(&host, "POST", "/api/u/push", &zipped, "x").await.status, 415);
}

#[tokio::test]
async fn without_a_token_it_starts_only_with_the_explicit_flag() {
    let mut refused = Daemon::launch(&["webhook"], &[]);
    assert_eq!(refused.ends().await.code(), Some(1));
    let log = refused.log();
    assert!(log.contains("AUTH_TOKEN") && log.contains("--insecure-no-token"), "{log}");
    let open = Daemon::start(&["webhook", "--insecure-no-token"], &[]).await;
    let path = "/api/u/register?connectionId=c";
    let answer = http::request("PUT", &open.address(), path, &[], "").await;
    assert_eq!(answer.status, 200);
    open.logs("any client of the port may push to all users").await;
    open.logs("in memory").await;
}

#[tokio::test]
async fn the_token_is_read_from_a_file_and_redacted() {
    let folder = crate::support::folder("token");
    let file = folder.path().join("token");
    std::fs::write(&file, "from-a-file\n").unwrap();
    let environment = [("AUTH_TOKEN_FILE", file.to_str().unwrap()), ("LOG", "trace")];
    let daemon = Daemon::start(&["webhook"], &environment).await;
    let path = "/api/u/register?connectionId=c";
    for (token, status) in [("from-a-file", 200), ("from-a-file\n", 401), ("another", 401)] {
        let headers = [("X-AUTH-TOKEN", token.trim_end_matches('\n'))];
        let headers = if token.ends_with('\n') { [("X-AUTH-TOKEN", "")] } else { headers };
        let answer = http::request("PUT", &daemon.address(), path, &headers, "").await;
        assert_eq!(answer.status, status, "{token:?}");
    }
    assert!(!daemon.log().contains("from-a-file"));
}

#[tokio::test]
async fn it_runs_in_a_services_file_below_its_path() {
    let folder = crate::support::folder("hosts");
    let (file, token) = (folder.path().join("services.toml"), folder.path().join("token"));
    std::fs::write(&token, TOKEN).unwrap();
    let text = format!(
        "[[service]]\nname = \"push\"\nkind = \"webhook\"\npath = \"/push\"\nauth_token_file = \"{}\"\n",
        token.display()
    );
    std::fs::write(&file, text).unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()], &[]).await;
    let host = Webhook { daemon };
    let registered = host.ask("PUT", "/push/api/u/register?connectionId=c", "").await;
    assert_eq!((registered.status, &*registered.body), (200, ""));
    assert_eq!(host.ask("PUT", "/api/u/register?connectionId=c", "").await.status, 404);
    let url = format!("ws://{}/push/ws/u?connectionId=c", host.daemon.address());
    let mut client = host.client_at(&url).await;
    client.say(r#"{"hook":{}}"#).await;
    let made = client.text().await;
    assert!(made.contains(r#""url":"/push/hook/"#), "{made}");
}

/// What the program prints, with these variables and no others.
async fn printed(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    let output = command.current_dir("/").output().await.expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn the_doctor_checks_redis_and_redacts_secrets() {
    let redis = Redis::start().await;
    let url = redis.url();
    let set = [("AUTH_TOKEN", TOKEN), ("REDIS_HOST", &url)];
    let (code, report) = printed(&["webhook", "doctor"], &set).await;
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("accepts us") && !report.contains(TOKEN), "{report}");
    drop(redis);
    let (code, report) = printed(&["webhook", "doctor"], &set).await;
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("is Redis running"), "{report}");
    let (code, report) = printed(&["webhook", "doctor"], &[("AUTH_TOKEN", TOKEN)]).await;
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("in memory"), "{report}");
}

#[tokio::test]
async fn settings_are_dumped_and_invalid_ones_refused() {
    let set = [("AUTH_TOKEN", TOKEN), ("REPLAY_TIME", "2m"), ("HOOK_RATE", "7")];
    let (code, dump) = printed(&["webhook", "--dump-config", "--hook-rate", "8"], &set).await;
    assert_eq!(code, Some(0), "{dump}");
    for shown in ["replay-time", "120 s", "hook-rate", "command line --hook-rate", "3000"] {
        assert!(dump.contains(shown), "no {shown:?} in {dump}");
    }
    assert!(!dump.contains(TOKEN), "{dump}");
    for (name, value) in [
        ("HOOK_RATE", "0"),
        ("REPLAY_TIME", "2h"),
        ("REGISTRATION_TIME", "0"),
        ("PUBLIC_URL", "push.example.org"),
        ("PUBLIC_URL", "https://user:password@push.example.org"),
        ("REDIS_HOST", "mysql://cache"),
        ("MAX_CONNECTIONS", "many"),
    ] {
        let set = [("AUTH_TOKEN", TOKEN), (name, value)];
        let (code, said) = printed(&["webhook", "--dump-config"], &set).await;
        assert_eq!(code, Some(1), "{name}={value}: {said}");
        assert!(said.contains(name) && !said.contains("password@"), "{said}");
    }
}
