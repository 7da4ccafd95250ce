//! What stands around our file in each server's own configuration, and how the server is started.

use super::{Kind, write};
use crate::support::{
    Server,
    certificates::{CertificatePair, Certificates},
};
use std::path::Path;

/// Where Debian keeps Apache's modules.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// Starts the server with `notify_push.conf` of the folder, on a plain port and one with TLS.
pub(super) fn launch(
    kind: Kind,
    folder: &Path,
    ports: [u16; 2],
    certificates: &Certificates,
) -> Server {
    let pair = certificates.server();
    let (name, text) = match kind {
        Kind::Nginx => ("nginx.conf", nginx(folder, ports, &pair)),
        Kind::Apache => ("apache.conf", apache(folder, ports, &pair)),
        Kind::Caddy => ("Caddyfile", caddy(folder, ports, &pair)),
        Kind::HaProxy => ("haproxy.cfg", haproxy(folder, ports, &pair)),
        Kind::Traefik => ("traefik.yml", traefik(folder, ports, &pair)),
    };
    write(folder, name, &text);
    let (program, arguments) = command(kind);
    let home = folder.to_owned();
    Server::start(program, &folder.join("log"), move |command| {
        command.current_dir(&home).env("HOME", &home).args(arguments);
    })
}

/// Program and arguments, in the folder.
fn command(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::Nginx => ("nginx", &["-p", ".", "-c", "nginx.conf", "-e", "stderr"]),
        Kind::Apache => ("apache2", &["-d", ".", "-D", "FOREGROUND", "-f", "apache.conf"]),
        Kind::Caddy => ("caddy", &["run", "--config", "Caddyfile", "--adapter", "caddyfile"]),
        Kind::HaProxy => ("haproxy", &["-db", "-f", "haproxy.cfg", "-f", "notify_push.conf"]),
        Kind::Traefik => ("traefik", &["--configFile=traefik.yml"]),
    }
}

fn nginx(
    folder: &Path,
    [plain, tls]: [u16; 2],
    CertificatePair { cert, key }: &CertificatePair,
) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off; master_process on; worker_processes 1; pid {folder}/pid;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n{temporary}access_log off;\n\
         server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;\n\
         ssl_certificate {}; ssl_certificate_key {};\n\
         include {folder}/notify_push.conf; }} }}\n",
        cert.display(),
        key.display(),
    )
}

fn apache(
    folder: &Path,
    [plain, tls]: [u16; 2],
    CertificatePair { cert, key }: &CertificatePair,
) -> String {
    let folder = folder.display();
    let modules: String =
        ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "ssl"]
            .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
            .concat();
    format!(
        "ServerRoot {folder}\nServerName localhost\nTimeout 10\nPidFile {folder}/pid\nDefaultRuntimeDir {folder}\n\
         ErrorLog /dev/stderr\nStartServers 1\n{modules}User nobody\nGroup nogroup\n\
         Listen 127.0.0.1:{plain}\nListen 127.0.0.1:{tls}\n\
         <VirtualHost *:{plain}>\nInclude {folder}/notify_push.conf\n</VirtualHost>\n\
         <VirtualHost *:{tls}>\nSSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n\
         Include {folder}/notify_push.conf\n</VirtualHost>\n",
        cert.display(),
        key.display(),
    )
}

fn caddy(
    folder: &Path,
    [plain, tls]: [u16; 2],
    CertificatePair { cert, key }: &CertificatePair,
) -> String {
    let folder = folder.display();
    format!(
        "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}/storage\n}}\n\
         http://:{plain} {{\n\tbind 127.0.0.1\n\timport {folder}/notify_push.conf\n}}\n\
         https://localhost:{tls} {{\n\tbind 127.0.0.1\n\ttls {} {}\n\
         \timport {folder}/notify_push.conf\n}}\n",
        cert.display(),
        key.display(),
    )
}

fn haproxy(
    folder: &Path,
    [plain, tls]: [u16; 2],
    CertificatePair { cert, key }: &CertificatePair,
) -> String {
    let read = |path: &Path| std::fs::read_to_string(path).expect("a certificate and its key");
    write(folder, "both.pem", &(read(cert) + &read(key)));
    format!(
        "global\n    maxconn 512\nfrontend nextcloud\n    mode http\n\
         \x20   bind 127.0.0.1:{plain}\n    bind 127.0.0.1:{tls} ssl crt {}/both.pem\n\
         \x20   timeout http-request 10s\n    timeout client 1m\n\
         \x20   use_backend notify_push if {{ path_beg /push/ }}\n",
        folder.display(),
    )
}

fn traefik(
    folder: &Path,
    [plain, tls]: [u16; 2],
    CertificatePair { cert, key }: &CertificatePair,
) -> String {
    let dynamic = folder.join("dynamic");
    std::fs::create_dir(&dynamic).expect("a folder in a folder of our own");
    std::fs::copy(folder.join("notify_push.conf"), dynamic.join("notify_push.yml"))
        .expect("a second file");
    let certificate = format!(
        "tls:\n  certificates:\n    - certFile: {}\n      keyFile: {}\n",
        cert.display(),
        key.display(),
    );
    write(&dynamic, "certificate.yml", &certificate);
    format!(
        "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\nlog:\n  level: INFO\n\
         entryPoints:\n  plain:\n    address: 127.0.0.1:{plain}\n  tls:\n    address: 127.0.0.1:{tls}\n\
         providers:\n  file:\n    directory: {}\n",
        dynamic.display(),
    )
}
