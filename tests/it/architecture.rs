//! The invariants of ARCHITECTURE.md, read off the sources.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A module of `src/` and the modules it may use; `lib.rs` declares them in this order. What every
/// module may use is [`EVERYWHERE`].
const LAYERS: &[(&str, &[&str])] = &[
    ("causes", &[]),
    ("condition", &[]),
    ("frame", &[]),
    ("finding", &[]),
    ("secret", &[]),
    ("recipient", &[]),
    ("peer", &[]),
    ("notice", &[]),
    ("websocket", &[]),
    ("stream", &[]),
    ("trust", &[]),
    ("event", &["session"]),
    ("auth", &[]),
    ("session", &["auth", "websocket"]),
    ("hub", &["auth", "lifecycle", "session", "stream", "websocket"]),
    ("recipients", &["event", "hub", "lifecycle"]),
    ("source", &["trust"]),
    ("store", &[]),
    (
        "front",
        &[
            "auth",
            "hub",
            "lifecycle",
            "session",
            "status",
            "stream",
            "telemetry",
            "trust",
            "websocket",
        ],
    ),
    ("host", &["event", "source"]),
    ("pipeline", &["event", "host", "hub", "recipients", "source"]),
    ("telemetry", &["front", "hub", "pipeline", "session", "source"]),
    ("lifecycle", &[]),
    ("status", &["source"]),
];

/// Plain values.
const EVERYWHERE: &[&str] =
    &["causes", "condition", "finding", "frame", "notice", "peer", "recipient", "secret"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The source files below a path, with what is in them before their unit tests.
fn files(below: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((path, code));
            }
        }
    }
    found
}

fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["tests.rs", "/tests/", "simulation", "properties.rs", "cases.rs"]
        .iter()
        .any(|part| name.contains(part))
}

/// The module of `src/` that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(sources()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that a text names behind `crate::`, alone or in a list.
fn used(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.extend(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (at, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            names.extend(word(list[start..at].trim_start()));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.extend(word(list[start..at].trim_start()));
                            start = at + 1;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn modules_use_only_what_lies_before_them_on_the_road() {
    for (path, text) in files(&sources()) {
        let module = module(&path);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else { continue };
        if is_test(&path) {
            continue;
        }
        for name in used(&text) {
            let known = LAYERS.iter().any(|(layer, _)| *layer == name)
                || ["app", "config", "demo", "doctor", "hosts"].contains(&&*name);
            let fine = !known
                || name == module
                || EVERYWHERE.contains(&&*name)
                || allowed.contains(&&*name);
            assert!(fine, "{} uses {name}; {module} may not", path.display());
        }
    }
}

#[test]
fn every_foreign_crate_has_its_owner() {
    let owners: &[(&str, &[&str])] = &[
        (
            "warp::",
            &[
                "front",
                "app",
                "hosts/running",
                "hosts/nextcloud/endpoints",
                "hosts/nextcloud/instance",
                "hosts/phorge/admin",
                "hosts/phorge/doorstep",
                "hosts/phorge/server",
                "demo/webhook/page",
                "hosts/webhook/event_stream",
                "hosts/webhook/socketio",
                "hosts/webhook/instance",
                "hosts/webhook/rest",
                "hosts/webhook/socket",
            ],
        ),
        ("socketioxide::", &["hosts/webhook/socketio"]),
        ("sqlx::", &["store", "hosts/nextcloud/directory", "hosts/nextcloud/accounts"]),
        ("redis::", &["source/redis"]),
        (
            "reqwest::",
            &["hosts/nextcloud/remote", "hosts/phorge/peers", "hosts/phorge/server/diagnose"],
        ),
        ("structopt::", &["config/command_line"]),
        ("prometheus::", &["telemetry/metrics"]),
        ("mio::", &["hub/event_loop"]),
        ("argon2::", &["auth/hashing"]),
        ("rustls_native_certs::", &["trust"]),
    ];
    for (path, text) in files(&sources()) {
        let inside = path.strip_prefix(sources()).unwrap().to_string_lossy().into_owned();
        for (name, owners) in owners {
            // `source::redis::` is ours.
            let foreign = text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                !before.is_alphanumeric() && before != '_' && before != ':'
            });
            let owned = owners.iter().any(|owner| inside.starts_with(owner)) || is_test(&path);
            let ours = *name == "redis::"
                && ["mod redis;", "source::redis", "source::{"].iter().any(|it| text.contains(it));
            assert!(!foreign || owned || ours, "{inside} uses {name}, which belongs to {owners:?}");
        }
    }
}

#[test]
fn hosts_do_not_know_each_other() {
    let hosts = sources().join("hosts");
    let names: Vec<String> = fs::read_dir(&hosts)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            path.is_dir().then(|| path.file_name().unwrap().to_string_lossy().into_owned())
        })
        .collect();
    for host in &names {
        for (path, text) in files(&hosts.join(host)) {
            for other in names.iter().filter(|other| *other != host) {
                let uses = text.contains(&format!("hosts::{other}"));
                assert!(!uses, "{} uses the host {other}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in files(&sources()) {
        assert!(text.starts_with("//! "), "{} has no opening sentence", path.display());
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines: cut it along a noun", path.display());
    }
}

#[test]
fn the_core_asks_nobody_for_the_time() {
    let shard = ["hub/shard.rs", "hub/departure.rs", "hub/fan_out.rs", "hub/listening.rs"];
    for module in ["session", "auth/throttle", "recipients/audiences.rs"].into_iter().chain(shard) {
        let path = sources().join(module);
        let found = if path.is_dir() {
            files(&path)
        } else {
            vec![(path.clone(), fs::read_to_string(&path).unwrap())]
        };
        for (path, text) in found {
            let asks = text.contains("Instant::now()") || text.contains("SystemTime::now");
            assert!(!asks || is_test(&path), "{} reads a clock", path.display());
        }
    }
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(sources().join("../ARCHITECTURE.md")).unwrap();
    for (path, _) in files(&sources()) {
        let module = module(&path);
        assert!(map.contains(&format!("`{module}")), "ARCHITECTURE.md does not name {module}");
    }
}
