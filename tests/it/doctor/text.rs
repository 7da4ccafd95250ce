//! The complete report as text: `tests/data/doctor/`. Update the files with
//! `UPDATE_GOLDEN=1 cargo test --test it doctor::text`, and review the difference.

use super::fixture::{DoctorFixture, described, diagnose};
use notify_push::doctor::{CheckFinding, FindingState, RemedyStep, ReportStyle};
use std::path::Path;

fn compare(name: &str, findings: &[CheckFinding]) {
    let text = ReportStyle { colours: false }.text(findings);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/doctor").join(name);
    #[expect(clippy::disallowed_methods, reason = "a switch to update the files")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, expected, "{name} differs:\n{text}");
}

/// Replaces what differs between runs and machines, in the findings, so that lines wrap as usual.
fn same_everywhere(findings: &mut [CheckFinding], replace: &[(String, &str)]) {
    let tidy = |text: &mut String| {
        for (found, with) in replace {
            *text = text.replace(found, with);
        }
        let words = text.split(' ').collect::<Vec<_>>();
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        for at in 1..words.len() {
            if words[at].trim_end_matches([',', ';']) == "ms" {
                words[at - 1] = "3".to_owned();
            }
            let number = words[at].starts_with(|c: char| c.is_ascii_digit());
            if number && ["Redis", "SQLite", "MariaDB", "PostgreSQL"].contains(&&*words[at - 1]) {
                words[at] = "1.2.3".to_owned();
            }
        }
        *text = words.join(" ");
    };
    for finding in findings {
        tidy(&mut finding.observed);
        finding.details.iter_mut().for_each(tidy);
        for step in &mut finding.remedy {
            let (RemedyStep::Do(text)
            | RemedyStep::Shell(text)
            | RemedyStep::Sql(text)
            | RemedyStep::Lines(text)) = step;
            tidy(text);
        }
    }
}

#[tokio::test]
async fn a_healthy_installation_has_no_problems() {
    let fixture = DoctorFixture::healthy().await;
    let mut findings = fixture.findings_as("alice", "alice-password").await;
    assert!(findings.iter().all(|finding| finding.state == FindingState::Fine), "{findings:#?}");
    let folder = fixture.installation.config_php("").parent().unwrap().display().to_string();
    let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
    let replace = [
        (folder, "/srv/nextcloud/config"),
        (fixture.daemon.port().to_string(), "7867"),
        (fixture.installation.redis.port().to_string(), "6379"),
        (port(&fixture.nextcloud.url()), "8080"),
        (port(&fixture.proxy.address()), "8443"),
    ];
    same_everywhere(&mut findings, &replace);
    compare("healthy.txt", &findings);
}

#[tokio::test]
async fn unreachable_servers_have_remedies() {
    let described = described(&[
        "--database-url",
        "mysql://nextcloud:hunter2@127.0.0.1:1/nextcloud",
        "--redis-url",
        "redis://push:hunter2@127.0.0.1:1/",
        "--nextcloud-url",
        "http://127.0.0.1:1/",
        "--port",
        "1",
    ]);
    let findings = diagnose(described, None).await;
    compare("broken.txt", &findings);
    let text = format!("{findings:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
