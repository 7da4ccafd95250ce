//! A real Redis Cluster: three masters, no replicas.

use super::{free_port, redis::Redis, until};

/// Hash slots of a cluster, shared out in three.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// Three masters that know each other.
pub(crate) struct RedisCluster {
    /// The nodes: any of them can be killed, paused or asked.
    pub(crate) nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three nodes and waits until each says that the cluster is whole.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more directives for each node.
    pub(crate) async fn start_with(directives: &[&str]) -> Self {
        let mut nodes = Vec::new();
        for slots in SLOTS {
            nodes.push(node(slots, directives).await);
        }
        let cluster = Self { nodes };
        cluster.introduce().await;
        cluster.whole().await;
        cluster
    }

    /// `redis://127.0.0.1:port` of each node.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// Each node learns of the first; gossip does the rest.
    async fn introduce(&self) {
        let first = &self.nodes[0];
        let bus: Vec<String> =
            first.query(redis::cmd("CONFIG").arg("GET").arg("cluster-port")).await;
        for node in &self.nodes[1..] {
            let mut meet = redis::cmd("CLUSTER");
            meet.arg("MEET").arg("127.0.0.1").arg(first.port()).arg(&bus[1]);
            node.query::<()>(&meet).await;
        }
    }

    async fn whole(&self) {
        for node in &self.nodes {
            until("the cluster is whole", async || {
                let info: String = node.query(redis::cmd("CLUSTER").arg("INFO")).await;
                let nodes: String = node.query(redis::cmd("CLUSTER").arg("NODES")).await;
                (info.contains("cluster_state:ok") && all_linked(&nodes)).then_some(())
            })
            .await;
        }
    }
}

/// A node publishes to those it has a link with: not to one it has only heard of.
fn all_linked(nodes: &str) -> bool {
    let linked = |line: &str| !line.contains("handshake") && line.contains(" connected ");
    nodes.lines().count() == SLOTS.len() && nodes.lines().all(linked)
}

async fn node((first, last): (u16, u16), directives: &[&str]) -> Redis {
    let bus = free_port().to_string();
    let ours =
        ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "2000"];
    // A cluster of which a part is away still carries publish and subscribe.
    let lenient = ["--cluster-require-full-coverage", "no"];
    let all: Vec<&str> = ours.iter().chain(&lenient).chain(directives).copied().collect();
    let node = Redis::start_with(&all).await;
    let mut slots = redis::cmd("CLUSTER");
    node.query::<()>(slots.arg("ADDSLOTSRANGE").arg(first).arg(last)).await;
    node
}
