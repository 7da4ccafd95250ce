//! Faults between a client and the daemon, and how they are reported.

use crate::support::{
    probe::run,
    push::{Do, Push},
    web::Web,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

#[tokio::test]
async fn a_proxy_that_lets_no_websocket_through_is_exit_code_6_with_the_remedy_for_its_status() {
    for (status, word) in [
        (200, "a rule for /push/"),
        (301, "no redirects"),
        (400, "swallows the upgrade"),
        (404, "/push/ws"),
        (426, "swallows the upgrade"),
        (502, "does not reach the daemon"),
    ] {
        let web = Web::always(status, "Location: https://elsewhere/\r\n", "").await;
        let outcome = run(&[&format!("ws://{}/push/ws", web.address), "bob"]).await;
        assert_eq!(outcome.code, Some(6), "{status}: {outcome:?}");
        let message = outcome.stderr;
        assert!(message.contains(&status.to_string()) && message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn nobody_there_is_exit_code_6_for_push_and_3_for_nextcloud() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (url, code) in [(format!("ws://{address}/ws"), 6), (format!("http://{address}"), 3)] {
        let outcome = run(&[&url, "bob"]).await;
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.stderr.contains("refused"), "{outcome:?}");
    }
}

#[tokio::test]
async fn something_that_is_no_web_server_has_an_error_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let ssh = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.unwrap();
        stream
    };
    let arguments = [url.as_str(), "bob"];
    let (outcome, _stream) = tokio::join!(run(&arguments), ssh);
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
    assert!(outcome.stderr.contains("does not speak WebSocket"), "{outcome:?}");
}

#[tokio::test]
async fn what_the_daemon_answers_decides_the_exit_code() {
    for (answer, code) in [
        (Do::Say("err: Invalid credentials"), 5),
        (Do::Say("err: something is wrong on our side, please try again later"), 8),
        (Do::Close(1008, ""), 9),
        (Do::Hang, 9),
    ] {
        let script: &'static [Do] = Box::leak(Box::new([answer]));
        let push = Push::start(&[script]).await;
        let outcome = run(&[&push.url(), "bob"]).await;
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.stderr.contains("remedy: "), "{outcome:?}");
    }
}

#[tokio::test]
async fn wrong_options_are_exit_code_2_and_help_lists_all_codes() {
    assert_eq!(run(&["ftp://a", "bob"]).await.code, Some(2));
    assert_eq!(run(&["ws://127.0.0.1:1/ws", "bob", "--pre-auth"]).await.code, Some(2));
    let help = run(&["--help"]).await;
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("Exit codes:"), "{help:?}");
}
