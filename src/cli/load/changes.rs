//! For every setting: that it is another is noticed, and taken over if it can be.

use super::{
    precedence::SAMPLES,
    tests::{LoadCase, RUN},
};
use crate::{
    config::{ChangeEffect, SettingChange},
    runtime::settings::DaemonSettings,
    services::nextcloud::settings::NextcloudServiceSettings,
};

type SettingsPair = (DaemonSettings, NextcloudServiceSettings);

fn changes(old: &SettingsPair, new: &SettingsPair) -> Vec<SettingChange> {
    [old.0.changes(&new.0), old.1.changes(&new.1)].concat()
}

#[test]
fn whatever_differs_is_named_and_what_takes_effect_at_once_is_taken_over() {
    for &(setting, value, _, others) in SAMPLES {
        let environment = [(setting.variable, value)];
        let old = RUN.settings();
        let new = LoadCase { arguments: others, environment: &environment, ..RUN }.settings();
        let told = changes(&old, &new);
        assert_eq!(told.is_empty(), old == new, "{}", setting.name);
        let mut after = old.clone();
        after.0.take_over(&new.0);
        after.1.take_over(&new.1);
        let left = told.iter().filter(|change| change.effect == ChangeEffect::AtRestart);
        assert!(changes(&after, &new).iter().eq(left), "{}", setting.name);
    }
}

#[test]
fn a_change_says_when_it_takes_effect() {
    let change = |variable, value| {
        let new = LoadCase { environment: &[(variable, value)], ..RUN }.settings();
        changes(&RUN.settings(), &new).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(change("PUSH_RATE", "7"), ["PUSH_RATE changed: in effect now"]);
    assert_eq!(
        change("PORT", "7"),
        ["PORT, BIND or SOCKET_PATH changed: takes effect at the next start, \
          systemctl restart notify_push"]
    );
}

#[test]
fn no_secret_is_in_what_is_told() {
    let run = |url| LoadCase { environment: &[("REDIS_URL", url)], ..RUN }.settings();
    let told = changes(&run("redis://:hunter2@r"), &run("redis://:hunter3@r"));
    assert_eq!(told.len(), 1);
    assert!(!told[0].to_string().contains("hunter"), "{}", told[0]);
}
