//! Hubs of several shards with real sockets.

use super::{Hub, HubSettings, TaskGroup};
use crate::{
    push::{
        AuthMethod, AuthenticatedClient, ConnectionLimit, ConnectionPermit,
        hub::{BacklogMemory, HubLimits, HubObserver, JoinRequest, SessionPolicy, ShardPolicy},
        notice::{Notice, NoticeAudience},
        plain_dialect::PlainDialect,
        recipient::Recipient,
        session::{CloseReason, DebouncePolicy},
    },
    server::stream::ClientStream,
    websocket::frame::Frame,
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, net::UnixStream, time::Instant};

struct NoopHubObserver;

impl HubObserver for NoopHubObserver {}

fn hub(shard_policy: ShardPolicy, tasks: &TaskGroup) -> Hub {
    let limits = HubLimits {
        per_recipient: 9,
        max_connection: None,
        subscriptions: 9,
        subscription_bytes: usize::MAX,
    };
    let settings = HubSettings {
        dialect: Arc::new(PlainDialect),
        session_policy: SessionPolicy {
            debounce: DebouncePolicy { max: 1000, enabled: true },
            limits,
        },
        push_rate: 0,
        shards: 3,
        shard_policy,
        grace: Duration::ZERO,
        observer: Arc::new(NoopHubObserver),
    };
    Hub::start(settings, BacklogMemory::default(), tasks, &mut fastrand::Rng::with_seed(7)).unwrap()
}

async fn join(hub: &Hub, primary: &str, subscriptions: &[&str]) -> UnixStream {
    join_with(hub, primary, subscriptions, None).await
}

async fn join_with(
    hub: &Hub,
    primary: &str,
    subscriptions: &[&str],
    permit: Option<ConnectionPermit>,
) -> UnixStream {
    let (near, far) = UnixStream::pair().unwrap();
    let authenticated =
        AuthenticatedClient { recipient: primary.into(), auth_method: AuthMethod::Open };
    let transport = ClientStream::Unix(near).into_idle().unwrap();
    let join_request = JoinRequest {
        subscriptions: subscriptions.iter().map(|name| Recipient::from(*name)).collect(),
        greeting: Some(Box::new(Vec::new)),
        permit,
        ..JoinRequest::new(transport, Bytes::new(), authenticated)
    };
    hub.join(join_request).await.unwrap();
    far
}

async fn receives(client: &mut UnixStream, text: &str) {
    let expected = Frame::text(text);
    let mut received = vec![0; expected.bytes().len()];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected.bytes()[..]);
}

#[tokio::test]
async fn a_connection_limit_holds_when_three_times_as_many_join_at_once() {
    let tasks = TaskGroup::default();
    let hub = hub(ShardPolicy::ByRecipient, &tasks);
    let count = hub.connection_count().clone();
    let limit = ConnectionLimit::new(Some(100), "probe".into(), count, || ());
    let mut clients = Vec::new();
    for number in 0..300 {
        let name = format!("user {number}");
        // None of the shards runs in between.
        if let Some(permit) = limit.acquire(&name.as_str().into()) {
            clients.push(join_with(&hub, &name, &[], Some(permit)).await);
        }
    }
    assert_eq!(clients.len(), 100);
    let joined = async || hub.list(0, 0, 999).await.unwrap().len();
    assert!(joined().await <= 100);
    assert_eq!(hub.connections(), 100);
    drop(clients);
    until(async || hub.connections() == 0).await;
    assert!(limit.acquire(&"late".into()).is_some());
    tasks.stopping().cancel();
}

/// Lets the shards run until this is so.
async fn until(condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited for too long");
        tokio::task::yield_now().await;
    }
}

fn opaque(text: &str) -> Notice {
    Notice::Opaque(Frame::text(text))
}

#[tokio::test]
async fn each_client_receives_its_own_notices_once_and_in_order_under_every_shard_policy() {
    let both = &["a", "b"][..];
    let ways = [
        (ShardPolicy::ByRecipient, &[][..]),
        (ShardPolicy::ByPrimary, both),
        (ShardPolicy::RoundRobin, both),
    ];
    for (shard_policy, subscriptions) in ways {
        let tasks = TaskGroup::default();
        let hub = hub(shard_policy, &tasks);
        let mut clients = Vec::new();
        for number in 0..6 {
            clients.push(join(&hub, &format!("primary {number}"), subscriptions).await);
        }
        let several = ["primary 3", "a", "b", "absent"].map(Recipient::from);
        hub.broadcast(NoticeAudience::Many(several.into()), opaque("several"), Instant::now())
            .await
            .unwrap();
        hub.notify("primary 3".into(), opaque("one"), Instant::now()).await.unwrap();
        hub.broadcast(
            NoticeAudience::Many(["primary 3".into()].into()),
            opaque("only"),
            Instant::now(),
        )
        .await
        .unwrap();
        hub.broadcast(NoticeAudience::Everyone, opaque("all"), Instant::now()).await.unwrap();
        for (number, client) in clients.iter_mut().enumerate() {
            if number == 3 || !subscriptions.is_empty() {
                receives(client, "several").await;
            }
            if number == 3 {
                receives(client, "one").await;
                receives(client, "only").await;
            }
            receives(client, "all").await;
        }
        let subscribers = if subscriptions.is_empty() { 0 } else { 6 };
        assert_eq!(hub.count(&"a".into()).await, Ok(subscribers));
        assert_eq!(hub.count(&"primary 3".into()).await, Ok(1));
        assert_eq!(hub.disconnect(Some("b".into()), CloseReason::Replaced).await, Ok(subscribers));
        tasks.stopping().cancel();
    }
}

#[tokio::test]
async fn a_recipient_is_absent_once_its_last_client_has_left() {
    let tasks = TaskGroup::default();
    let hub = hub(ShardPolicy::ByPrimary, &tasks);
    let presence = hub.watch_presence();
    let (first, second) = (join(&hub, "primary", &[]).await, join(&hub, "primary", &[]).await);
    drop(first);
    until(async || hub.count(&"primary".into()).await == Ok(1)).await;
    assert_eq!(presence.take().get("primary"), Some(&true));
    drop(second);
    presence.changed().await;
    while presence.take().get("primary") != Some(&false) {
        presence.changed().await;
    }
    tasks.stopping().cancel();
}

#[tokio::test]
async fn round_robin_spreads_subscribers_over_all_shards() {
    let tasks = TaskGroup::default();
    let hub = hub(ShardPolicy::RoundRobin, &tasks);
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(join(&hub, "primary", &["a"]).await);
    }
    hub.notify("a".into(), opaque("a"), Instant::now()).await.unwrap();
    for client in &mut clients {
        receives(client, "a").await;
    }
    for shard in 0..3 {
        assert_eq!(hub.list(shard, 0, 9).await.unwrap().len(), 2);
    }
    tasks.stopping().cancel();
}
