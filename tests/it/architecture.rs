//! The invariants of ARCHITECTURE.md, checked against the sources: layers, owners, names and words.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The modules of `src/` from the bottom up. A module uses only modules that stand before it.
const LAYERS: &[&str] = &[
    "telemetry",
    "config",
    "lifecycle",
    "websocket",
    "health",
    "delivery",
    "client",
    "server",
    "push",
    "doctor",
    "services",
    "runtime",
    "demo",
    "cli",
];

/// Entries at the top of `src/` at most.
const MAX_TOP_LEVEL: usize = 22;

/// Files outside `services/`, `demo/` and the registry that may name a service: the command line's text
/// for the service without a name, and feature flags.
const NAMING_SERVICES: &[&str] = &[
    "lib.rs",
    "main.rs",
    "cli/",
    "services/mod.rs",
    // Remedies and examples that an administrator of Nextcloud reads.
    "client/database/error.rs",
    "client/database/url.rs",
    "client/redis/client.rs",
    "doctor/finding.rs",
];

/// Type names of one word that the field uses as they are; others say what they are of.
const MAX_ONE_WORD_SHARE: f64 = 0.35;
/// Type names that several modules may declare.
const SHARED_NAMES: &[&str] = &[];

/// Words of the private vocabulary that must not come back, as whole words of comments, messages,
/// identifiers and documents. Words of a protocol that we speak are exempt where it is spoken.
const BANNED: &[&str] = &[
    "whom",
    "stranger",
    "strangers",
    "unintroduced",
    "errand",
    "clerk",
    "teller",
    "desk",
    "doorway",
    "doorways",
    "doorstep",
    "outfit",
    "wayback",
    "household",
    "telling",
    "tellings",
    "forsake",
    "latecomer",
    "mend",
    "mends",
    "mended",
    "seen off",
    "see off",
    "sees off",
    "turn away",
    "turned away",
    "sent away",
    "let in",
    "lets in",
    "belongs into",
    "look over",
    "looked over",
    "looks over",
    "hears of",
    "is said",
    "is told",
    "are told",
    "whoever",
    "log-in",
    "log-ins",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> PathBuf {
    root().join("src")
}

/// The source files below a path, with their text before their unit tests.
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
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["tests.rs", "/tests/", "simulation", "properties.rs", "rfc_cases.rs", "plain_dialect.rs"]
        .iter()
        .any(|part| name.contains(part))
}

fn inside(path: &Path) -> String {
    path.strip_prefix(sources()).unwrap().to_string_lossy().into_owned()
}

/// The top-level module of `src/` that a file belongs to; none for `main.rs` and `lib.rs`.
fn module(path: &Path) -> Option<String> {
    let inside = inside(path);
    let first = inside.split('/').next()?.trim_end_matches(".rs").to_owned();
    (!["main", "lib"].contains(&first.as_str())).then_some(first)
}

/// The modules that a text names behind `crate::`, alone or in a list.
fn used(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
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
fn every_module_has_a_layer_and_uses_only_lower_ones() {
    let level = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    for (path, text) in files(&sources()) {
        let Some(module) = module(&path) else { continue };
        let own =
            level(&module).unwrap_or_else(|| panic!("{module} is not in the table of layers"));
        if is_test(&path) {
            continue;
        }
        for name in used(&text) {
            let other =
                level(&name).unwrap_or_else(|| panic!("{}: crate::{name}?", path.display()));
            assert!(other <= own, "{} uses {name}, a higher layer than {module}", path.display());
        }
    }
}

#[test]
fn the_top_of_the_tree_is_short_and_declared_in_the_order_of_the_layers() {
    let entries = fs::read_dir(sources()).unwrap().count();
    assert!(entries <= MAX_TOP_LEVEL, "src/ has {entries} entries");
    let lib = fs::read_to_string(sources().join("lib.rs")).unwrap();
    let declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let expected: Vec<&str> =
        LAYERS.iter().copied().filter(|layer| declared.contains(layer)).collect();
    assert_eq!(declared, expected, "lib.rs declares the modules in the order of the layers");
}

#[test]
fn no_service_is_named_outside_its_folder() {
    for (path, text) in files(&sources()) {
        let inside = inside(&path);
        let own = inside.starts_with("services/") && inside.matches('/').count() > 1;
        let allowed = NAMING_SERVICES.iter().any(|allowed| inside.starts_with(allowed));
        if own || allowed || inside.starts_with("demo/") || is_test(&path) {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let lower = line.to_lowercase();
            for name in ["nextcloud", "phorge", "aphlict", "webhook"] {
                assert!(!lower.contains(name), "{inside} names {name}: {line}");
            }
        }
    }
}

#[test]
fn services_do_not_know_each_other() {
    let services = sources().join("services");
    let names: Vec<String> = fs::read_dir(&services)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for service in &names {
        for (path, text) in files(&services.join(service)) {
            for other in names.iter().filter(|other| *other != service) {
                let uses = text.contains(&format!("services::{other}"))
                    || text.contains(&format!("super::{other}::"));
                assert!(!uses, "{} uses the service {other}", path.display());
            }
        }
    }
}

#[test]
fn every_foreign_crate_has_its_owner() {
    let owners: &[(&str, &[&str])] = &[
        ("warp::", &["server", "runtime", "services", "demo/webhook/page"]),
        ("socketioxide::", &["services/webhook/socketio"]),
        (
            "sqlx::",
            &["client/database", "services/nextcloud/mount_store", "services/nextcloud/accounts"],
        ),
        ("redis::", &["client/redis"]),
        (
            "reqwest::",
            &["services/nextcloud/http", "services/phorge/peers", "services/phorge/service"],
        ),
        ("structopt::", &["cli"]),
        ("prometheus::", &["telemetry/metrics"]),
        ("mio::", &["push/hub/event_loop"]),
        ("argon2::", &["services/nextcloud/login/hashing"]),
        ("rustls_native_certs::", &["client/tls"]),
    ];
    for (path, text) in files(&sources()) {
        let inside = inside(&path);
        for (name, owners) in owners {
            // `client::redis::` is ours.
            let foreign = text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                !before.is_alphanumeric() && before != '_' && before != ':'
            });
            let owned = owners.iter().any(|owner| inside.starts_with(owner)) || is_test(&path);
            let ours = *name == "redis::"
                && ["mod redis;", "client::redis", "client::{", "redis::{"]
                    .iter()
                    .any(|it| text.contains(it))
                && (text.contains("mod redis;") || !text.contains("use redis::"));
            assert!(!foreign || owned || ours, "{inside} uses {name}, which belongs to {owners:?}");
        }
    }
}

/// Every struct, enum, trait, union and type alias declared in `src/`, with its files.
fn type_names() -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, _) in files(&sources()) {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let item = line.trim_start();
            let item = item.strip_prefix("pub ").unwrap_or(item);
            let item = item
                .strip_prefix("pub(super) ")
                .or(item.strip_prefix("pub(crate) "))
                .unwrap_or(item);
            let name = ["struct ", "enum ", "trait ", "union "]
                .iter()
                .find_map(|keyword| item.strip_prefix(keyword))
                .or_else(|| line.starts_with(['t', 'p']).then(|| item.strip_prefix("type "))?);
            let Some(name) = name else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            if name.starts_with(|c: char| c.is_ascii_uppercase()) {
                names.entry(name).or_default().push(inside(&path));
            }
        }
    }
    names
}

#[test]
fn type_names_are_unique_and_mostly_two_words() {
    let names = type_names();
    assert!(names.len() > 500, "{}", names.len());
    for (name, files) in &names {
        let unique = files.len() == 1 || SHARED_NAMES.contains(&name.as_str());
        assert!(unique, "{name} is declared in {files:?}");
    }
    let is_one_word = |name: &&String| name.chars().filter(char::is_ascii_uppercase).count() == 1;
    let short: Vec<_> = names.keys().filter(is_one_word).collect();
    #[expect(clippy::cast_precision_loss, reason = "there are a thousand names")]
    let share = short.len() as f64 / names.len() as f64;
    assert!(share <= MAX_ONE_WORD_SHARE, "{share}: {short:?}");
    for name in names.keys() {
        for part in ["Helper", "Util", "Manager", "Data", "Info"] {
            let kept = ["ServiceManager", "Database"].iter().any(|kept| name.contains(kept));
            assert!(kept || !name.contains(part), "{name} says {part}");
        }
    }
}

/// The places of a banned word in a text: at a word's boundary, in identifiers between underscores too.
fn banned_words(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase().replace('_', " ");
        for word in BANNED {
            for (at, _) in lower.match_indices(word) {
                let before = lower[..at].chars().next_back();
                let after = lower[at + word.len()..].chars().next();
                let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
                if !inside(before) && !inside(after) {
                    found.push((number + 1, *word));
                }
            }
        }
    }
    found
}

#[test]
fn the_banned_words_are_found() {
    let text =
        "let door_way = 1;\n// Who is let in is seen off.\nfn tell_whom() {}\nDeskTop desktop";
    let found = banned_words(text);
    assert_eq!(found, [(2, "seen off"), (2, "let in"), (3, "whom")]);
}

#[test]
fn no_banned_word_is_in_the_repository() {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let written = |name: &&str| {
        let ends = [".rs", ".md", ".8", ".js", ".mjs", ".html", ".py", ".sh", ".toml"];
        // Captured data is as it was, and this file lists the words.
        let kept = name.starts_with("tests/data/") || name.ends_with("it/architecture.rs");
        ends.iter().any(|end| name.ends_with(end)) && !kept
    };
    let files: Vec<&str> = listed.lines().filter(written).collect();
    assert!(files.len() > 600, "{} files", files.len());
    let mut found = Vec::new();
    for name in files {
        // A file that has just been moved is listed until the move is committed.
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        let places = banned_words(&text).into_iter();
        found.extend(places.map(|(line, word)| format!("{name}:{line}: {word}")));
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_file_opens_with_its_purpose_and_stays_short() {
    for (path, text) in files(&sources()) {
        assert!(text.starts_with("//! "), "{} has no opening sentence", path.display());
        assert!(!text.contains("//! TODO"), "{} has no purpose yet", path.display());
        let lines = text.lines().count();
        assert!(
            is_test(&path) || lines <= 400,
            "{} has {lines} lines: split it along a noun",
            path.display()
        );
    }
}

#[test]
fn no_doc_comment_is_shorter_than_three_words() {
    let mut found = Vec::new();
    for (path, text) in files(&sources()) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(words) = line.strip_prefix("/// ") else { continue };
            let neighbour = |at: Option<usize>| {
                at.and_then(|at| lines.get(at)).is_some_and(|line| line.starts_with("///"))
            };
            let alone = !neighbour(number.checked_sub(1)) && !neighbour(Some(number + 1));
            let is_syntax = words.starts_with('`');
            if alone && !is_syntax && words.split_whitespace().count() < 3 {
                found.push(format!("{}:{}: {words}", inside(&path), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_core_never_reads_a_clock() {
    let core = [
        "push/session",
        "push/hub/shard.rs",
        "push/hub/closing.rs",
        "push/hub/fan_out.rs",
        "push/hub/requests.rs",
        "services/nextcloud/login/throttle",
        "services/nextcloud/audience",
    ];
    for module in core {
        let path = sources().join(module);
        let found = if path.is_dir() {
            files(&path)
        } else {
            vec![(path.clone(), fs::read_to_string(&path).unwrap())]
        };
        for (path, text) in found {
            // The resolver is the task around the audience's decisions.
            let edge = path.ends_with("resolver.rs");
            let asks = text.contains("Instant::now()") || text.contains("SystemTime::now");
            assert!(!asks || edge || is_test(&path), "{} reads a clock", path.display());
        }
    }
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for layer in LAYERS.iter().filter(|layer| {
        sources().join(layer).exists() || sources().join(format!("{layer}.rs")).exists()
    }) {
        assert!(map.contains(&format!("`{layer}")), "ARCHITECTURE.md does not name {layer}");
    }
}
