//! Tells the program its target and commit, for `--version`.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script gets everything from its environment"
)]

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NOTIFY_PUSH_COMMIT");
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=NOTIFY_PUSH_TARGET={target}");
    let commit = env::var("NOTIFY_PUSH_COMMIT").ok().or_else(commit);
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=NOTIFY_PUSH_COMMIT={commit}");
}

/// The commit of a release build. Other builds don't look, or each commit would build them anew.
fn commit() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    // Without the file, as in an unpacked archive, Cargo would build everything each time.
    if std::path::Path::new(".git/HEAD").exists() {
        println!("cargo::rerun-if-changed=.git/HEAD");
    }
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
