//! Two servers behind the file for nginx that we ship, in the real nginx.

use crate::support::{
    Folder, Server,
    certificates::Certificates,
    client::Client,
    folder, free_port, http,
    phorge::{Aphlict, AphlictPorts, LeaderTab},
    until,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const SHIPPED: &str = include_str!("../../nginx/phorge.conf");
const TRIES: usize = 5;

/// nginx with our file.
struct NginxProxy {
    server: Server,
    plain: u16,
    tls: u16,
    _folder: Folder,
}

impl NginxProxy {
    async fn start(servers: &[Aphlict], certificates: &Certificates) -> Self {
        for _ in 0..TRIES {
            let (folder, plain, tls) = (folder("nginx"), free_port(), free_port());
            write(&folder, [plain, tls], servers, certificates);
            let home = folder.path().to_owned();
            let server = Server::start("nginx", &folder.path().join("log"), move |command| {
                command.current_dir(&home).args(["-p", ".", "-c", "nginx.conf", "-e", "stderr"]);
            });
            let mut nginx = Self { server, plain, tls, _folder: folder };
            if nginx.ready().await {
                return nginx;
            }
            let log = nginx.server.log().to_lowercase();
            assert!(log.contains("address already in use"), "no start: {log}");
        }
        panic!("no free ports for nginx");
    }

    async fn ready(&mut self) -> bool {
        until("nginx listens or ends", async || {
            if self.server.ended().is_some() {
                return Some(false);
            }
            TcpStream::connect(("127.0.0.1", self.plain)).await.ok()?;
            TcpStream::connect(("127.0.0.1", self.tls)).await.ok().map(|_| true)
        })
        .await
    }

    async fn browser(&self) -> LeaderTab {
        LeaderTab(Client::connect(&format!("ws://127.0.0.1:{}/ws/~acme/", self.plain)).await)
    }
}

fn write(folder: &Folder, ports: [u16; 2], servers: &[Aphlict], certificates: &Certificates) {
    let ([plain, tls], pair) = (ports, certificates.server());
    let upstream = |number: usize| format!("127.0.0.1:{}", servers[number].ports.client);
    let mut file = SHIPPED.to_owned();
    for (part, other) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{tls} ssl; listen 127.0.0.1:{plain};")),
        ("server 127.0.0.1:22280", format!("server {}", upstream(0))),
        ("server 127.0.0.1:22290", format!("server {}", upstream(1))),
        ("/etc/ssl/certs/phorge.pem", pair.cert.display().to_string()),
        ("/etc/ssl/private/phorge.key", pair.key.display().to_string()),
    ] {
        assert_eq!(file.matches(part).count(), 1, "{part}");
        file = file.replace(part, &other);
    }
    let place = folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
        .concat();
    let whole = format!(
        "daemon off; worker_processes 1; pid {place}/pid;\nevents {{ worker_connections 128; }}\n\
         http {{\n{temporary}access_log off;\n{file}}}\n"
    );
    std::fs::write(folder.path().join("nginx.conf"), whole).unwrap();
}

async fn two_servers() -> Vec<Aphlict> {
    for _ in 0..TRIES {
        let ports: [AphlictPorts; 2] = AphlictPorts::several();
        let peer = |ports: &AphlictPorts| json!({"host": "127.0.0.1", "port": ports.admin, "protocol": "http"});
        let cluster: Vec<Value> = ports.iter().map(peer).collect();
        let mut servers = Vec::new();
        for own in ports {
            servers.extend(Aphlict::at(own, &|file| file["cluster"] = json!(cluster)).await);
        }
        if servers.len() == 2 {
            return servers;
        }
    }
    panic!("no free ports for two servers");
}

#[tokio::test]
async fn browsers_are_served_through_nginx_by_whichever_server_is_there() {
    let (mut servers, certificates) = (two_servers().await, Certificates::new());
    let nginx = NginxProxy::start(&servers, &certificates).await;
    let answer = http::get(&format!("127.0.0.1:{}", nginx.plain), "/ws/", &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (501, "HTTP/501 Use Websockets\n"));
    let url = format!("wss://localhost:{}/ws/~acme/?instance=acme", nginx.tls);
    let mut tls = LeaderTab(Client::connect_tls(&url, &certificates, &[]).await);
    let mut plain = nginx.browser().await;
    for browser in [&mut tls, &mut plain] {
        browser.subscribe(&["a"]).await;
    }
    for (number, server) in servers.iter().enumerate() {
        server.tell("acme", &["a"], &number.to_string()).await;
        for browser in [&mut tls, &mut plain] {
            assert_eq!(browser.next().await["uniqueID"], number.to_string());
        }
    }
    for server in &servers {
        until("each has what the other was told", async || {
            (server.status("acme").await["history.size"] == 2).then_some(())
        })
        .await;
    }
    // One address is one server's: that one goes.
    let mut theirs = usize::MAX;
    for (number, server) in servers.iter().enumerate() {
        if server.status("acme").await["clients.active"] == 2 {
            theirs = number;
        }
    }
    assert_eq!(servers[theirs].daemon.stop().await.code(), Some(0));
    assert!(plain.0.closed().await.is_some_and(|(code, _)| code == 1012));
    let mut back = nginx.browser().await;
    back.subscribe(&["a"]).await;
    let mut missed = back.replay(0).await;
    missed.sort_unstable();
    assert_eq!(missed, ["0", "1"], "the other holds what was published before");
    servers[1 - theirs].tell("acme", &["a"], "2").await;
    assert_eq!(back.next().await["uniqueID"], "2");
}
