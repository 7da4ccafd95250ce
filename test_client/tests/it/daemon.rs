//! Against the real daemon, as its demo runs it.

use crate::support::{
    Task,
    probe::{command, finish},
    within,
};
use notify_push::{
    demo::{self, DemoScreen},
    lifecycle::ServiceManager,
    runtime::RuntimeEnvironment,
    telemetry::log::{LogFilter, LogFormat, build},
};
use std::{
    io::{self, Write},
    sync::Arc,
    time::SystemTime,
};
use tokio::sync::mpsc;

/// What is shown, line by line or in larger pieces.
struct Shown(mpsc::UnboundedSender<String>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A demo that goes on, and its address.
async fn demo() -> (Task, mpsc::UnboundedReceiver<String>, String) {
    let (sender, mut shown) = mpsc::unbounded_channel();
    let (_, log) = build(LogFilter::default(), LogFormat::Json, io::sink);
    let demo = Task::start(async move {
        let rim = RuntimeEnvironment {
            log,
            manager: ServiceManager::default(),
            clock: Arc::new(|| SystemTime::UNIX_EPOCH),
            rng: fastrand::Rng::new(),
            cores: 2,
            play: None,
        };
        let screen = DemoScreen::new(Shown(sender), false);
        demo::run(demo::DemoOptions::default(), rim, &std::env::temp_dir(), screen)
            .await
            .expect("a demo");
    });
    let url = within("the demo shows its address", async {
        let mut text = String::new();
        loop {
            text.push_str(&shown.recv().await.expect("it goes on"));
            let word = text.split_whitespace().find(|word| word.starts_with("ws://"));
            if let Some(url) = word.filter(|_| text.ends_with('\n')) {
                return url.to_owned();
            }
        }
    })
    .await;
    (demo, shown, url)
}

#[tokio::test]
async fn it_hears_what_the_daemon_says() {
    let (_demo, _shown, url) = demo().await;
    let mut probe = command(&[&url, "ALICE", "--count", "2", "--json"]);
    probe.env("NEXTCLOUD_PASSWORD", "demo-app-password-of-alice");
    let outcome = finish(probe).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains(r#""kind":"authenticated""#), "{outcome:?}");
    assert!(outcome.stdout.contains(r#""text":"notify_"#), "{outcome:?}");
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_path_have_different_errors() {
    let (_demo, _shown, url) = demo().await;
    let outcome = finish(command(&[&url, "alice"])).await;
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    let outcome = finish(command(&[&url.replace("/push/ws", "/elsewhere"), "alice"])).await;
    assert_eq!(outcome.code, Some(6), "{outcome:?}");
    assert!(outcome.stderr.contains("404"), "{outcome:?}");
}
