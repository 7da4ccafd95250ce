//! Logins over HTTP: the requests, the meaning of answers, and many clients at once.

use crate::support::{
    folder,
    nextcloud::{Answer, Nextcloud, NextcloudSetup, ReceivedRequest},
    within,
};
use notify_push::{
    lifecycle::TaskGroup,
    push::{AuthDecision, AuthMethod, LoginAttempt, LoginCredentials},
    server::{client_address::ClientAddressResolver, peer::ConnectionPeer},
    services::nextcloud::{
        http::{NextcloudAuthenticator, NextcloudClientSettings, NextcloudError, SelfTestClient},
        login::{AttemptRecord, Authenticator, ClaimFingerprinter},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

const UID: &str = "/index.php/apps/notify_push/uid";

fn settings(nextcloud: &Nextcloud) -> NextcloudClientSettings {
    NextcloudClientSettings::new(nextcloud.url().parse().unwrap())
}

fn remote(settings: NextcloudClientSettings) -> NextcloudAuthenticator {
    let prints = ClaimFingerprinter::new([7; 32]);
    NextcloudAuthenticator::new(
        settings,
        TaskGroup::default(),
        ClientAddressResolver::new(vec![]),
        prints,
        Arc::new(|_| true),
    )
}

fn attempt(user: &str, password: &str) -> LoginAttempt {
    from(user, password, "203.0.113.5")
}

/// Through a proxy on loopback.
fn from(user: &str, password: &str, client: &str) -> LoginAttempt {
    LoginAttempt {
        credentials: LoginCredentials { user: user.into(), password: password.into() },
        peer: ConnectionPeer {
            address: Some(([127, 0, 0, 1], 4711).into()),
            forwarded: vec![client.into()],
        },
    }
}

async fn check(remote: &NextcloudAuthenticator, attempt: &LoginAttempt) -> AuthDecision {
    remote.check(attempt, &AttemptRecord::default()).await
}

/// The canonical id, `no`, or `later`.
async fn said(remote: &NextcloudAuthenticator, attempt: &LoginAttempt) -> String {
    match within("Nextcloud's answer", check(remote, attempt)).await {
        AuthDecision::Accept(authenticated) => authenticated.recipient.to_string(),
        AuthDecision::Reject => "no".to_owned(),
        AuthDecision::Unavailable => "later".to_owned(),
        AuthDecision::Abstain => "not mine".to_owned(),
    }
}

#[tokio::test]
async fn requests_carry_the_credentials_and_the_chain_and_return_the_canonical_id() {
    let nextcloud =
        Nextcloud::start(NextcloudSetup { base: "/nextcloud", ..NextcloudSetup::default() }).await;
    nextcloud.account("ALICE@example.com", "s3cr:et ü", "alice");
    let remote =
        remote(NextcloudClientSettings { user_agent: "pusher".into(), ..settings(&nextcloud) });
    let attempt = attempt("ALICE@example.com", "s3cr:et ü");
    let AuthDecision::Accept(authenticated) = check(&remote, &attempt).await else {
        panic!("not accepted")
    };
    assert_eq!(&*authenticated.recipient, "alice");
    let AuthMethod::Service(again) = authenticated.auth_method else {
        panic!("Nextcloud is not asked again")
    };
    assert_eq!(again.credentials.password, attempt.credentials.password);
    let expected = ReceivedRequest {
        method: "GET".into(),
        path: UID.into(),
        user: Some("ALICE@example.com".into()),
        password: Some("s3cr:et ü".into()),
        forwarded: Some("203.0.113.5, 127.0.0.1".into()),
        user_agent: Some("pusher".into()),
        token: None,
    };
    assert_eq!(nextcloud.asked(), [expected]);
}

#[tokio::test]
async fn only_status_401_is_a_rejection() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let remote = remote(settings(&nextcloud));
    assert_eq!(said(&remote, &attempt("alice", "wrong")).await, "no");
    nextcloud.answer(UID, Some(Answer::new(401, "Account disabled")));
    assert_eq!(said(&remote, &attempt("alice", "right")).await, "no");
    for status in [400, 403, 404, 500, 502, 503] {
        nextcloud.answer(UID, Some(Answer::new(status, "alice")));
        assert_eq!(
            said(&remote, &attempt("alice", &status.to_string())).await,
            "later",
            "{status}"
        );
    }
    for body in ["", "<html>Please log in</html>", &"a".repeat(100_000)] {
        nextcloud.answer(UID, Some(Answer::new(200, body)));
        let length = body.len();
        assert_eq!(
            said(&remote, &attempt("alice", &length.to_string())).await,
            "later",
            "{length}"
        );
    }
}

#[tokio::test]
async fn each_login_is_a_new_request() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.account("alice", "right", "alice");
    let (remote, alice) = (remote(settings(&nextcloud)), attempt("alice", "right"));
    assert_eq!(said(&remote, &alice).await, "alice");
    nextcloud.forget("alice", "right");
    assert_eq!(said(&remote, &alice).await, "no");
}

#[tokio::test]
async fn one_connection_serves_right_and_wrong_passwords() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.account("alice", "right", "alice");
    let remote = remote(NextcloudClientSettings { at_once: 1, ..settings(&nextcloud) });
    for n in 0..20 {
        assert_eq!(said(&remote, &attempt("alice", &n.to_string())).await, "no");
        assert_eq!(said(&remote, &attempt("alice", "right")).await, "alice");
    }
    assert_eq!((nextcloud.asked().len(), nextcloud.connections()), (40, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let elsewhere = Nextcloud::start(NextcloudSetup::default()).await;
    elsewhere.account("alice", "right", "alice");
    let to = format!("{}{UID}", elsewhere.url());
    nextcloud.answer(UID, Some(Answer::redirect(302, to)));
    assert_eq!(said(&remote(settings(&nextcloud)), &attempt("alice", "right")).await, "later");
    assert_eq!(elsewhere.asked(), []);
}

#[tokio::test]
async fn an_unreachable_nextcloud_is_no_rejection() {
    let gone = Nextcloud::start(NextcloudSetup::default()).await;
    let settings = settings(&gone);
    drop(gone);
    assert_eq!(said(&remote(settings), &attempt("alice", "right")).await, "later");
}

#[tokio::test]
async fn a_self_signed_certificate_needs_trust() {
    let nextcloud =
        Nextcloud::start(NextcloudSetup { tls: true, ..NextcloudSetup::default() }).await;
    nextcloud.account("alice", "right", "alice");
    let alice = attempt("alice", "right");
    let strict = settings(&nextcloud);
    assert_eq!(said(&remote(strict.clone()), &alice).await, "later");
    assert_eq!(nextcloud.asked(), []);

    let lax = NextcloudClientSettings { allow_self_signed: true, ..strict.clone() };
    assert_eq!(said(&remote(lax), &alice).await, "alice");

    let folder = folder("ca");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, nextcloud.certificate()).unwrap();
    let trusting = NextcloudClientSettings { ca: Some(file), ..strict.clone() };
    assert_eq!(said(&remote(trusting.clone()), &alice).await, "alice");

    let by_ip = nextcloud.url().replace("localhost", "127.0.0.1").parse().unwrap();
    let other_name = NextcloudClientSettings { url: by_ip, ..trusting };
    assert_eq!(said(&remote(other_name), &alice).await, "later");

    let missing = NextcloudClientSettings { ca: Some("/nowhere/ca.pem".into()), ..strict };
    assert_eq!(said(&remote(missing), &alice).await, "later");
}

#[tokio::test]
async fn many_clients_wait_in_the_daemon_and_not_at_nextcloud() {
    let delay = Duration::from_millis(5);
    let setup = NextcloudSetup { delay, workers: 4, backlog: Some(0), ..NextcloudSetup::default() };
    let nextcloud = Nextcloud::start(setup).await;
    let remote = remote(NextcloudClientSettings { at_once: 4, ..settings(&nextcloud) });
    let clients = (0..200).map(|n| {
        let name = format!("user{n}");
        nextcloud.account(&name, "right", &name);
        let remote = remote.clone();
        async move { (said(&remote, &attempt(&name, "right")).await, name) }
    });
    for (said, name) in futures_util::future::join_all(clients).await {
        assert_eq!(said, name);
    }
    assert_eq!((nextcloud.most_at_once(), nextcloud.asked().len()), (4, 200));
}

#[tokio::test]
async fn the_same_claim_made_many_times_is_asked_about_once() {
    let setup = NextcloudSetup { delay: Duration::from_millis(50), ..NextcloudSetup::default() };
    let nextcloud = Nextcloud::start(setup).await;
    nextcloud.account("alice", "right", "alice");
    let (remote, alice) = (remote(settings(&nextcloud)), attempt("alice", "right"));
    let clients = (0..50).map(|_| said(&remote, &alice));
    assert!(futures_util::future::join_all(clients).await.iter().all(|said| said == "alice"));
    assert_eq!(nextcloud.asked().len(), 1);
}

/// Clients that give up long before their turn and come back, as after a restart of the daemon.
#[tokio::test]
async fn impatient_clients_all_log_in_and_no_request_is_wasted() {
    const CLIENTS: usize = 120;
    let setup = NextcloudSetup {
        delay: Duration::from_millis(20),
        workers: 4,
        ..NextcloudSetup::default()
    };
    let nextcloud = Nextcloud::start(setup).await;
    let remote = remote(NextcloudClientSettings { at_once: 4, ..settings(&nextcloud) });
    let clients = (0..CLIENTS).map(|n| {
        let name = format!("user{n}");
        nextcloud.account(&name, "right", &name);
        let (remote, attempt) = (remote.clone(), attempt(&name, "right"));
        async move {
            // A twentieth of what the whole clients takes.
            let impatience = Duration::from_millis(30);
            while timeout(impatience, check(&remote, &attempt)).await.is_err() {}
        }
    });
    within("everybody to get in", futures_util::future::join_all(clients)).await;
    let asked = nextcloud.asked().len();
    assert!((CLIENTS..=CLIENTS + CLIENTS / 20).contains(&asked), "{asked} requests");
}

#[tokio::test]
async fn a_client_that_left_is_not_asked_about_and_later_finds_its_answer() {
    let setup = NextcloudSetup { delay: Duration::from_millis(50), ..NextcloudSetup::default() };
    let nextcloud = Nextcloud::start(setup).await;
    for user in ["first", "leaver", "last"] {
        nextcloud.account(user, "right", user);
    }
    let remote = remote(NextcloudClientSettings { at_once: 1, ..settings(&nextcloud) });
    let (first, leaver, last) =
        (attempt("first", "right"), attempt("leaver", "right"), attempt("last", "right"));
    {
        // `first` leaves while Nextcloud works on it, `leaver` before its turn.
        let mut waiting = (Box::pin(check(&remote, &first)), Box::pin(check(&remote, &leaver)));
        assert!(futures_util::poll!(&mut waiting.0).is_pending());
        assert!(futures_util::poll!(&mut waiting.1).is_pending());
        nextcloud.asked_at_least(1).await;
    }
    assert_eq!(said(&remote, &last).await, "last");
    assert_eq!(said(&remote, &first).await, "first");
    let asked: Vec<_> = nextcloud.asked().into_iter().filter_map(|asked| asked.user).collect();
    assert_eq!(asked, ["first", "last"]);
}

#[tokio::test]
async fn an_address_that_nextcloud_throttles_is_left_alone_for_a_while() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let remote = remote(settings(&nextcloud));
    nextcloud.answer(UID, Some(Answer::new(429, "")));
    assert_eq!(said(&remote, &from("alice", "a", "203.0.113.5")).await, "later");
    nextcloud.answer(UID, None);
    nextcloud.account("alice", "right", "alice");
    assert_eq!(said(&remote, &from("alice", "right", "203.0.113.5")).await, "later");
    assert_eq!(said(&remote, &from("alice", "right", "203.0.113.6")).await, "alice");
    assert_eq!(nextcloud.asked().len(), 2);
}

#[tokio::test]
async fn a_network_that_is_refused_meanwhile_is_not_asked_about() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let (tasks, prints) = (TaskGroup::default(), ClaimFingerprinter::new([7; 32]));
    let refused = Arc::new(|_| false);
    let remote = NextcloudAuthenticator::new(
        settings(&nextcloud),
        tasks,
        ClientAddressResolver::new(vec![]),
        prints,
        refused,
    );
    assert_eq!(said(&remote, &attempt("alice", "right")).await, "later");
    assert_eq!(nextcloud.asked(), []);
}

#[tokio::test]
async fn while_nextcloud_hangs_clients_get_an_answer_within_35_s() {
    let hang = Duration::from_secs(3600);
    let nextcloud =
        Nextcloud::start(NextcloudSetup { delay: hang, workers: 100, ..NextcloudSetup::default() })
            .await;
    nextcloud.account("alice", "right", "alice");
    let remote = remote(NextcloudClientSettings { at_once: 1, ..settings(&nextcloud) });
    let (asked, queued) = (attempt("bob", "right"), attempt("alice", "right"));
    let mut waiting =
        Box::pin(futures_util::future::join(check(&remote, &asked), check(&remote, &queued)));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    nextcloud.asked_at_least(1).await;
    tokio::time::pause();
    let before = Instant::now();
    let told = waiting.await;
    assert!(matches!(told, (AuthDecision::Unavailable, AuthDecision::Unavailable)));
    assert!(before.elapsed() <= Duration::from_secs(35), "{:?}", before.elapsed());
    tokio::time::resume();
    nextcloud.delay(Duration::ZERO);
    assert_eq!(said(&remote, &queued).await, "alice");
}

#[tokio::test]
async fn tickets_and_inexpressible_names_never_reach_nextcloud() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    let remote = remote(settings(&nextcloud));
    assert_eq!(said(&remote, &attempt("", "ticket")).await, "not mine");
    assert_eq!(said(&remote, &attempt("ali:ce", "x")).await, "no");
    assert_eq!(nextcloud.asked(), []);
}

#[tokio::test]
async fn the_self_test_sends_its_token() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.cookie("119367958");
    let probe = SelfTestClient::new(&remote(settings(&nextcloud)));
    assert_eq!(probe.test_cookie("t0ken").await.unwrap(), "119367958");
    let ip = "1.2.3.4".parse().unwrap();
    assert_eq!(probe.test_remote("t0ken", ip).await.unwrap(), "1.2.3.4");
    probe.test_version("t0ken").await.unwrap();
    assert!(nextcloud.asked().iter().all(|asked| asked.token.as_deref() == Some("t0ken")));

    nextcloud.answer("*", Some(Answer::new(400, "")));
    assert_eq!(probe.test_cookie("t0ken").await, Err(NextcloudError::Untrusted));
}
