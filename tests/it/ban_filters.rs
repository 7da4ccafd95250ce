//! The fail2ban filter in `contrib/` finds the addresses of refused logins in the daemon's real log.

use crate::support::{client::Client, find, folder, installation::Installation};
use std::{path::Path, process::Command};

const FILTER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/fail2ban/filter.d/notify_push.conf");

/// The addresses that fail2ban would count, one for each matching line.
fn counted(log: &Path) -> Vec<String> {
    let output = Command::new(find("fail2ban-regex"))
        .args(["-o", "ip"])
        .arg(log)
        .arg(FILTER)
        .output()
        .expect("fail2ban-regex runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn fail2ban_finds_the_addresses_of_refused_logins_in_a_real_log() {
    let installation = Installation::start().await;
    let folder = folder("fail2ban");
    for format in ["text", "json"] {
        let environment = [("LOG", "warn,notify_push::login=info"), ("LOG_FORMAT", format)];
        let daemon = installation.daemon(&environment).await;
        for (address, user) in [
            ("203.0.113.7", "alice"),
            ("2001:db8::7", r#"login refused address=198.51.100.1 reason=rejected user="x""#),
            ("", "behind a proxy that forwards no address"),
        ] {
            let mut client =
                Client::connect_with(&daemon.url(), &[("x-forwarded-for", address)]).await.unwrap();
            assert_eq!(client.credentials(user, "guess").await, "err: Invalid credentials");
        }
        let file = folder.path().join(format);
        std::fs::write(&file, daemon.log()).unwrap();
        assert_eq!(counted(&file), ["203.0.113.7", "2001:db8::7"], "{}", daemon.log());
    }
}

#[test]
fn fail2ban_counts_refusals_only_and_no_forged_address() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/refused_logins");
    let expected = ["203.0.113.7", "203.0.113.7", "2001:db8::7", "203.0.113.7"];
    assert_eq!(counted(&data.join("matched.log")), expected);
    assert_eq!(counted(&data.join("ignored.log")), [""; 0]);
}
