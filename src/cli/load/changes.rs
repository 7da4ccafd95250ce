//! For every setting of every kind of service: a reload reports a changed value.

use super::{
    precedence::{SAMPLES, SettingSample, samples},
    tests::{LoadCase, RUN},
};
use crate::{
    cli::{LoadInputs, ProgramCommand, load},
    config::{
        ChangeEffect, SettingChange, SettingRow, SystemProbes, apply_rows,
        setting::{SettingEffect, daemon_settings},
    },
    services,
};

/// Samples of the settings that only other kinds have.
const OTHER_SAMPLES: &[SettingSample] = &[
    ("AUTH_TOKEN", "hunter2", "", &[]),
    ("INSECURE_NO_TOKEN", "true", "", &[]),
    ("REDIS_HOST", "cache", "", &[]),
    ("PUBLIC_URL", "https://push.example", "", &[]),
    ("REGISTRATION_TIME", "7", "", &[]),
    ("MAX_REGISTRATIONS", "7", "", &[]),
    ("REPLAY_TIME", "7", "", &[]),
    ("HOOK_TIME", "7", "", &[]),
    ("MAX_HOOK_TIME", "7", "", &[]),
    ("HOOK_RATE", "7", "", &[]),
    ("CLIENT_LISTEN", "7", "", &[]),
    ("CLIENT_TLS_CERT", "/c", "", &["--client-tls-key=/k"]),
    ("CLIENT_TLS_KEY", "/k", "", &["--client-tls-cert=/c"]),
    ("PUBLISH_LISTEN", "7", "", &[]),
    ("PUBLISH_TLS_CERT", "/c", "", &["--publish-tls-key=/k"]),
    ("PUBLISH_TLS_KEY", "/k", "", &["--publish-tls-cert=/c"]),
    ("PEERS", "http://peer:1", "", &[]),
    ("PEERS_CA", "/ca", "", &[]),
    ("MAX_SUBSCRIPTIONS", "7", "", &[]),
    ("MAX_SESSIONS_PER_ADDRESS", "7", "", &[]),
    ("PIDFILE", "/pid", "", &[]),
    ("ALLOW_ROOT", "true", "", &[]),
];

/// The rows of a daemon that serves one service of a kind.
fn rows(kind: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Vec<SettingRow> {
    let command = if kind == "nextcloud" { "--database-url=sqlite:///x" } else { kind };
    // What a kind requires is given in the weakest layer.
    let needed = if kind == "webhook" { "AUTH_TOKEN=x\n" } else { "" };
    let loaded = load(LoadInputs {
        arguments: ["notify_push", command].iter().chain(arguments).map(Into::into).collect(),
        environment: environment.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        probes: SystemProbes { read: &|_| Ok(needed.to_owned()), ..SystemProbes::NONE },
        kinds: &services::kinds(),
    });
    match loaded {
        Ok(ProgramCommand::Serve(config)) => config.rows,
        other => panic!("{kind} {environment:?}: {other:?}"),
    }
}

#[test]
fn a_reload_reports_every_changed_setting() {
    for kind in services::kinds() {
        for setting in kind.settings.iter().copied().chain(daemon_settings()) {
            let variable = setting.variable;
            if ["NOTIFY_PUSH_CONFIG", "DATABASE_URL"].contains(&variable) {
                continue;
            }
            let mut all = SAMPLES.iter().chain(OTHER_SAMPLES);
            let (_, value, _, others) = all.find(|sample| sample.0 == variable).unwrap();
            let mut in_force = rows(kind.name, &[], &[]);
            let fresh = rows(kind.name, others, &[(variable, value)]);
            let changes = apply_rows(&mut in_force, &fresh);
            let change = changes.iter().find(|change| change.name == variable);
            let change = change.unwrap_or_else(|| panic!("{} {variable}: {changes:?}", kind.name));
            let live = setting.effect == SettingEffect::Live;
            assert_eq!(change.effect == ChangeEffect::Immediately, live, "{variable}");
            let again = apply_rows(&mut in_force, &fresh);
            let waiting = |change: &SettingChange| change.effect == ChangeEffect::AtRestart;
            assert!(again.iter().all(waiting), "{variable} is reported once: {again:?}");
        }
    }
}

#[test]
fn a_setting_is_taken_over_exactly_if_the_table_says_that_it_is_live() {
    for (setting, (variable, value, _, others)) in samples() {
        let old = RUN.settings();
        let environment = [(variable, value)];
        let new = LoadCase { arguments: others, environment: &environment, ..RUN }.settings();
        let mut after = old.clone();
        after.0.apply_live(&new.0);
        after.1.apply_live(&new.1);
        match setting.effect {
            SettingEffect::Live => assert!(after == new, "{variable} is not taken over"),
            _ => assert!(after == old, "{variable} is taken over"),
        }
    }
}

#[test]
fn certificates_are_taken_over_as_long_as_tls_stays_on() {
    let tls = |cert| {
        let arguments = ["--tls-cert", cert, "--tls-key=/k"];
        let run = LoadCase { arguments: &arguments, ..RUN };
        (run.rows(), run.settings().0)
    };
    let ((mut rows, mut settings), (fresh_rows, fresh)) = (tls("/a"), tls("/b"));
    let changes = apply_rows(&mut rows, &fresh_rows);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].to_string(), "TLS_CERT changed: in effect now");
    settings.apply_live(&fresh);
    assert_eq!(settings, fresh);
    let changes = apply_rows(&mut RUN.rows(), &rows);
    assert!(changes.iter().all(|change| change.effect == ChangeEffect::AtRestart), "{changes:?}");
}

#[test]
fn a_change_says_when_it_takes_effect_and_shows_no_secret() {
    let change = |old: &[(&str, &str)], new: &[(&str, &str)]| {
        let mut old = LoadCase { environment: old, ..RUN }.rows();
        let new = LoadCase { environment: new, ..RUN }.rows();
        apply_rows(&mut old, &new).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(change(&[], &[("PUSH_RATE", "7")]), ["PUSH_RATE changed: in effect now"]);
    assert_eq!(
        change(&[], &[("PORT", "7")]),
        ["PORT changed: takes effect at the next start, systemctl restart notify_push"]
    );
    let secrets = change(&[("REDIS_URL", "redis://:a@r")], &[("REDIS_URL", "redis://:b@r")]);
    assert_eq!(secrets.len(), 1, "a changed password alone is noticed");
    assert!(secrets[0].starts_with("REDIS_URL changed"), "{secrets:?}");
    let same = [("REDIS_URL", "redis://:a@r"), ("PORT", "7")];
    assert!(change(&same, &same).is_empty());
}
