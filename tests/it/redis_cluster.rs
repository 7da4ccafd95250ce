//! A Redis Cluster: any node will do, keys are found wherever they live.

use crate::support::{
    redis::Redis,
    redis_cluster::RedisCluster,
    subscriber::{Subscriber, hurried, local, settings},
    until,
};
use notify_push::client::redis::{RedisClient, RedisSettings, RedisTopology};

fn seeds<'a>(nodes: impl IntoIterator<Item = &'a Redis>) -> RedisSettings {
    settings(RedisTopology::Cluster(nodes.into_iter().map(|node| local(node.port())).collect()))
}

fn keys(settings: RedisSettings) -> RedisClient {
    RedisClient::new(settings, hurried(), fastrand::Rng::with_seed(7))
}

/// Where the subscription is.
async fn listening_at(cluster: &RedisCluster) -> usize {
    until("a node with a subscriber", async || {
        for (index, node) in cluster.nodes.iter().enumerate() {
            let mut question = redis::cmd("PUBSUB");
            question.arg("NUMSUB").arg("notify_custom");
            let (_, count): (String, usize) = node.query(&question).await;
            if count > 0 {
                return Some(index);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn what_any_node_is_given_is_heard_though_the_first_seed_is_down() {
    let mut cluster = RedisCluster::start().await;
    let all = seeds(&cluster.nodes);
    cluster.nodes[0].kill();
    let mut subscriber = Subscriber::start(all);
    subscriber.connected().await;
    for node in &cluster.nodes[1..] {
        node.publish("notify_custom", "from anywhere").await;
        subscriber.hears("notify_custom", "from anywhere").await;
    }
}

#[tokio::test]
async fn when_all_seeds_are_gone_the_nodes_they_told_of_are_used() {
    let mut cluster = RedisCluster::start().await;
    let mut subscriber = Subscriber::start(seeds(&cluster.nodes[..1]));
    subscriber.connected().await;
    cluster.nodes[0].kill();
    subscriber.has_a_gap().await;
    cluster.nodes[2].publish("notify_custom", "still").await;
    subscriber.hears("notify_custom", "still").await;
}

#[tokio::test]
async fn a_node_cut_off_from_its_cluster_is_left() {
    let cluster = RedisCluster::start().await;
    let mut subscriber = Subscriber::start(seeds(&cluster.nodes));
    subscriber.connected().await;
    let lost = listening_at(&cluster).await;
    cluster.nodes[lost].query::<()>(redis::cmd("CLUSTER").arg("RESET").arg("HARD")).await;
    subscriber.has_a_gap().await;
    cluster.nodes[(lost + 1) % 3].publish("notify_custom", "together").await;
    subscriber.hears("notify_custom", "together").await;
}

#[tokio::test]
async fn keys_are_set_and_read_wherever_they_live() {
    let cluster = RedisCluster::start().await;
    let (writing, reading) = (keys(seeds(&cluster.nodes[..1])), keys(seeds(&cluster.nodes[1..2])));
    for n in 0..60 {
        let key = format!("notify_{n}");
        writing.set(&key, n.to_string()).await.unwrap();
        assert_eq!(reading.get(&key).await.unwrap().unwrap(), n.to_string().as_bytes());
    }
    for node in &cluster.nodes {
        assert!(node.query::<usize>(&redis::cmd("DBSIZE")).await > 5);
    }
}

#[tokio::test]
async fn a_key_on_its_way_to_another_node_is_found_there() {
    let cluster = RedisCluster::start().await;
    let key = "notify_push_version";
    let slot: u16 = cluster.nodes[0].query(redis::cmd("CLUSTER").arg("KEYSLOT").arg(key)).await;
    let (from, to) = (usize::from(slot / 5462), (usize::from(slot / 5462) + 1) % 3);
    for (node, state, other) in [(to, "IMPORTING", from), (from, "MIGRATING", to)] {
        let other: String = cluster.nodes[other].query(redis::cmd("CLUSTER").arg("MYID")).await;
        let mut command = redis::cmd("CLUSTER");
        command.arg("SETSLOT").arg(slot).arg(state).arg(other);
        cluster.nodes[node].query::<()>(&command).await;
    }
    let keys = keys(seeds(&cluster.nodes));
    keys.set(key, "moving").await.unwrap();
    assert_eq!(keys.get(key).await.unwrap().as_deref(), Some(b"moving".as_slice()));
    assert_eq!(cluster.nodes[to].query::<usize>(&redis::cmd("DBSIZE")).await, 1);
}

#[tokio::test]
async fn keys_of_living_nodes_work_while_another_is_down() {
    let mut cluster = RedisCluster::start().await;
    let keys = keys(seeds(&cluster.nodes));
    for n in 0..20 {
        keys.set(&format!("notify_{n}"), "before").await.unwrap();
    }
    cluster.nodes[1].kill();
    let mut read = 0;
    for n in 0..20 {
        read += usize::from(keys.get(&format!("notify_{n}")).await.is_ok());
    }
    assert!(read >= 5, "only {read} of 20");
}
