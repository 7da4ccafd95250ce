//! Several daemons behind one proxy, on one Redis and one database: each client hears everything,
//! wherever it ended up.

use crate::support::{
    certificates::Certificates,
    client::Client,
    daemon::Daemon,
    free_port, http,
    installation::Installation,
    reverse_proxy::{Kind, ReverseProxy},
};

const CLIENTS: usize = 8;

/// What `haproxy/notify_push.cfg` says of several daemons.
const REPLICAS: &str = "option httpchk GET /health/ready
    option redispatch 1
    server first 127.0.0.1:7867 check
    server second 127.0.0.1:7868 check";

/// The file with its comments as if they were none.
fn documented(file: &str) -> String {
    file.replace("    #     ", "    ")
}

struct ReplicaPair {
    installation: Installation,
    replicas: [(Daemon, u16); 2],
    proxy: ReverseProxy,
}

impl ReplicaPair {
    /// Two replicas, to which HAProxy deals out connections in turn.
    async fn start() -> Self {
        let installation = Installation::start().await;
        installation.user_with_home("alice", 1, 1).await;
        let replicas = [replica(&installation).await, replica(&installation).await];
        let [first, second] = [replicas[0].0.port(), replicas[1].0.port()];
        let line = "server notify_push 127.0.0.1:7867";
        let both = REPLICAS.replace("127.0.0.1:7868", &format!("127.0.0.1:{second}"));
        assert!(documented(Kind::HaProxy.shipped()).contains(REPLICAS));
        let (changes, certificates) = ([(line, &*both)], Certificates::new());
        let proxy = ReverseProxy::with(Kind::HaProxy, first, &certificates, &changes).await;
        Self { installation, replicas, proxy }
    }

    /// How many clients each replica has.
    async fn clients(&self) -> [String; 2] {
        let [first, second] = &self.replicas;
        [clients(first.1).await, clients(second.1).await]
    }
}

async fn replica(installation: &Installation) -> (Daemon, u16) {
    let metrics = free_port();
    let daemon = installation.daemon(&[("METRICS_PORT", &metrics.to_string())]).await;
    // Ready is who listens: the other replica's subscriptions don't count for this one.
    crate::support::until("the replica is ready", async || {
        (daemon.get("/health/ready", &[]).await.status == 200).then_some(())
    })
    .await;
    (daemon, metrics)
}

async fn clients(port: u16) -> String {
    let page = http::get(&format!("127.0.0.1:{port}"), "/metrics", &[]).await.body;
    let line = page.lines().find_map(|line| line.strip_prefix("active_connection_count "));
    line.unwrap_or_else(|| panic!("no such figure in {page}")).to_owned()
}

#[tokio::test]
async fn an_event_reaches_the_clients_of_every_replica_and_each_counts_its_own() {
    let scene = ReplicaPair::start().await;
    let mut crowd = Vec::new();
    for _ in 0..CLIENTS {
        crowd.push(Client::log_in(&scene.proxy.url(), "alice", "alice-password").await);
    }
    assert_eq!(scene.clients().await, ["4", "4"]);
    scene.installation.changed(1, "files/a", 12).await;
    scene.installation.custom("alice", "marker").await;
    for client in &mut crowd {
        // The custom message overtakes the change, which waits to be merged with others.
        let mut heard = [client.text().await, client.text().await];
        heard.sort();
        assert_eq!(heard, ["marker", "notify_file"]);
    }
}

#[tokio::test]
async fn a_ticket_opens_whichever_replica_it_comes_to() {
    let scene = ReplicaPair::start().await;
    for number in 0..4 {
        let ticket = format!("ticket-{number}-{}", "x".repeat(20));
        scene.installation.ticket("alice", &ticket).await;
        let mut client = Client::connect(&scene.proxy.url()).await;
        assert_eq!(client.credentials("", &ticket).await, "authenticated", "{number}");
    }
}

#[tokio::test]
async fn while_one_replica_restarts_the_other_takes_everybody() {
    let mut scene = ReplicaPair::start().await;
    let one = Client::log_in(&scene.proxy.url(), "alice", "alice-password").await;
    let other = Client::log_in(&scene.proxy.url(), "alice", "alice-password").await;
    assert_eq!(scene.replicas[0].0.stop().await.code(), Some(0));
    // One of the two has drained its clients; new ones log in at the other replica.
    let mut late = Client::log_in(&scene.proxy.url(), "alice", "alice-password").await;
    assert_eq!(clients(scene.replicas[1].1).await, "2");
    scene.installation.custom("alice", "marker").await;
    late.texts_before("marker").await;
    let mut told = Vec::new();
    for mut client in [one, other] {
        told.push(client.next().await.is_some_and(|message| message.is_text()));
    }
    told.sort_unstable();
    assert_eq!(told, [false, true]);
}
