//! What the documents tell people to run, paste or read: commands are understood by the programs they
//! name, configuration by the servers it is for, files and links are there.

pub(crate) mod blocks;
mod commands;
mod configuration;

use blocks::{CodeBlock, blocks};
use std::path::{Path, PathBuf};

/// The top of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document for people: those at the top and all under docs/.
fn documents() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join("docs")]);
    let top = std::fs::read_dir(root()).expect("our own folder");
    found.extend(top.flatten().map(|entry| entry.path()).filter(|path| is_markdown(path)));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("our own folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_markdown(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// What is wrong with a block; nothing if all is well.
fn complaint(block: &CodeBlock) -> Option<String> {
    match block.language.as_str() {
        "sh" => commands::complaint(&block.text),
        "nginx" => configuration::nginx(&block.text),
        "apache" => configuration::apache(&block.text),
        "haproxy" => configuration::haproxy(&block.text),
        "caddy" => configuration::caddy(&block.text),
        "ini" => configuration::unit(&block.text),
        "json" => {
            serde_json::from_str::<serde_json::Value>(&block.text).err().map(|e| e.to_string())
        }
        "yaml" => configuration::yaml(&block.text),
        "toml" => configuration::toml(&block.text),
        "sysctl" => configuration::sysctl(&block.text),
        "php" => configuration::php(&block.text),
        "javascript" => commands::javascript(&block.text),
        // Run in a browser by tests/it/socketio_page.rs.
        "html" => None,
        // Pictures, output and requests: there is nothing to run.
        "text" | "http" | "mermaid" => None,
        other => Some(format!("nobody checks blocks of language {other:?}")),
    }
}

#[test]
fn what_they_tell_to_run_or_paste_is_understood() {
    let mut complaints = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("a document");
        for block in blocks(&text) {
            if let Some(complaint) = complaint(&block) {
                let name = document.strip_prefix(root()).expect("below it").display();
                complaints.push(format!("{name}:{}: {complaint}", block.line));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn files_they_link_to_are_there() {
    let mut missing = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("a document");
        for link in blocks::links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            let outside = link.contains("://") || link.starts_with("mailto:");
            let folder = document.parent().expect("a file is in a folder");
            if !outside && !file.is_empty() && !folder.join(file).exists() {
                missing.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
