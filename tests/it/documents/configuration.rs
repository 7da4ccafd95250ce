//! Configuration in documents, as the program it is for sees it.

use crate::support::{find, folder};
use std::{path::Path, process::Command};

/// Part of nginx's server block, or a whole one, or several.
pub(super) fn nginx(text: &str) -> Option<String> {
    let whole = ["server {", "map ", "upstream ", "stream {", "http {"];
    let http = match text {
        _ if text.contains("http {") || text.contains("stream {") => text.to_owned(),
        _ if whole.iter().any(|start| text.contains(start)) => format!("http {{\n{text}\n}}"),
        _ => format!("http {{ server {{ listen 80;\n{text}\n}} }}"),
    };
    let folder = folder("nginx");
    let place = folder.path().display();
    // nginx binds also for a test, and these ports are root's.
    let http = ["listen 80", "listen 443"]
        .into_iter()
        .enumerate()
        .fold(http, |http, (n, port)| http.replace(port, &format!("listen unix:{place}/{n}")));
    // An ordinary user may write neither to the system's log nor to its folders.
    let mut own = "http { access_log off;".to_owned();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        own += &format!(" {kind}_temp_path {place}/{kind};");
    }
    let http = http.replacen("http {", &own, 1);
    let text = format!("pid {place}/pid; error_log stderr; events {{}}\n{http}");
    checked("nginx", &text, folder.path(), |file, command| {
        // Before it reads its configuration it opens the log of the system, unless given another.
        let folder = file.parent().expect("a folder");
        command.args(["-t", "-e", "stderr", "-p"]).arg(folder).arg("-c").arg(file);
    })
}

/// Part of Apache's virtual host, or a whole one.
pub(super) fn apache(text: &str) -> Option<String> {
    const MODULES: [&str; 9] = [
        "mpm_event",
        "authz_core",
        "proxy",
        "proxy_http",
        "proxy_wstunnel",
        "rewrite",
        "headers",
        "ssl",
        "remoteip",
    ];
    let folder = folder("apache");
    let place = folder.path().display();
    let mut whole = format!(
        "ServerRoot {place}\nServerName localhost\nErrorLog {place}/log\nPidFile {place}/pid\n"
    );
    for module in MODULES {
        let file = format!("/usr/lib/apache2/modules/mod_{module}.so");
        whole += &format!("LoadModule {module}_module {file}\n");
    }
    whole += text;
    checked("apache2", &whole, folder.path(), |file, command| {
        command.arg("-t").arg("-f").arg(file);
    })
}

/// A whole haproxy.cfg, or a frontend and a backend of one.
pub(super) fn haproxy(text: &str) -> Option<String> {
    let folder = folder("haproxy");
    checked("haproxy", text, folder.path(), |file, command| {
        command.arg("-c").arg("-f").arg(file);
    })
}

/// A Caddyfile.
pub(super) fn caddy(text: &str) -> Option<String> {
    let folder = folder("caddy");
    let home = folder.path().to_owned();
    checked("caddy", text, folder.path(), |file, command| {
        command.args(["validate", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("HOME", &home);
    })
}

/// Part of a unit file of systemd: a drop-in for ours.
pub(super) fn unit(text: &str) -> Option<String> {
    let sections = ["[Unit]", "[Service]", "[Socket]", "[Install]", "[Path]"];
    let known = |line: &str| match line.trim() {
        "" => true,
        line if line.starts_with(['#', ';']) => true,
        line if line.starts_with('[') => sections.contains(&line),
        line => line.contains('='),
    };
    text.lines().find(|line| !known(line)).map(|line| format!("not of a unit file: {line}"))
}

/// Settings of the kernel, of which this one has those that are not a module's.
pub(super) fn sysctl(text: &str) -> Option<String> {
    let settings = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let unknown = |line: &&str| {
        let Some((name, _)) = line.split_once('=') else { return true };
        let name = name.trim();
        !name.starts_with("net.netfilter.")
            && !Path::new("/proc/sys").join(name.replace('.', "/")).exists()
    };
    let mut unknown = settings.filter(unknown);
    unknown.next().map(|line| format!("the kernel knows no {line}"))
}

/// YAML of any kind: it can be read.
pub(super) fn yaml(text: &str) -> Option<String> {
    let folder = folder("yaml");
    checked("/usr/bin/python3", text, folder.path(), |file, command| {
        let read = "import sys, yaml; list(yaml.safe_load_all(open(sys.argv[1])))";
        command.args(["-c", read]).arg(file);
    })
}

/// TOML of any kind: it can be read.
pub(super) fn toml(text: &str) -> Option<String> {
    let folder = folder("toml");
    checked("python3", text, folder.path(), |file, command| {
        let read = "import sys, tomllib; tomllib.load(open(sys.argv[1], 'rb'))";
        command.args(["-c", read]).arg(file);
    })
}

/// Lines of config.php: the daemon reads them.
pub(super) fn php(text: &str) -> Option<String> {
    let folder = folder("php");
    let text = match text.contains("$CONFIG") {
        true => format!("<?php\n{text}"),
        false => format!("<?php\n$CONFIG = array (\n{text}\n);\n"),
    };
    checked(env!("CARGO_BIN_EXE_notify_push"), &text, folder.path(), |file, command| {
        command.args(["--dump-config", "--database-url", "sqlite:///x.db"]).arg(file);
    })
}

fn checked(
    program: &str,
    text: &str,
    folder: &Path,
    arguments: impl FnOnce(&Path, &mut Command),
) -> Option<String> {
    let file = folder.join("checked");
    std::fs::write(&file, text).expect("our own folder");
    let mut command = Command::new(find(program));
    arguments(&file, &mut command);
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(said)
}

#[test]
fn wrong_configuration_is_found() {
    assert_eq!(nginx("location /push/ { proxy_pass http://127.0.0.1:7867/; }"), None);
    assert!(nginx("location /push/ { proxy_pas http://127.0.0.1:7867/; }").is_some());
    assert_eq!(apache("ProxyPass /push/ws ws://127.0.0.1:7867/ws\n"), None);
    assert!(apache("ProxyPas /push/ws ws://127.0.0.1:7867/ws\n").is_some());
    assert_eq!(unit("[Service]\nLimitNOFILE=1\n"), None);
    assert!(unit("[Sevice]\nLimitNOFILE=1\n").is_some());
    assert_eq!(toml("[a]\nb = 1\n"), None);
    assert!(toml("[a\nb = 1\n").is_some());
}
