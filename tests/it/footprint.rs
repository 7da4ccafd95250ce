//! The cost of clients and messages in bytes, allocations, queries and wake-ups, never in time: guards
//! against regressions. `bench/` measures real costs.

use crate::support::{
    client::Client, crowd::IdleConnections, daemon::Daemon, free_port, http,
    installation::Installation, until,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Clients that are measured.
const MEASURED: u32 = 1_000;
/// Clients that connect before, so that code and caches that the first ones need aren't counted.
const EARLY: u32 = 200;

/// Memory that one idle client may cost, in bytes. Measured: about 800, less than a tenth of the
/// original's; a thousand clients don't average out what an allocator does in whole pages.
const BYTES_EACH: u64 = 1_800;

/// A daemon rests if all its threads together wake no more often than [`WAKE_UPS`] in this time.
const REST: Duration = Duration::from_secs(2);
/// Measured: 5 to 22, and up to 250 while the shares of new clients are looked up. A timer for each
/// client every ten seconds would be as much as this.
const WAKE_UPS: u64 = 200;

/// Two sizes of the same work: their difference excludes the cost of start and end.
const LITTLE: u32 = 1_000;
const MUCH: u32 = 11_000;
/// How many messages are published at once.
const BATCH: u32 = 200;

/// Allocations for a custom message, from Redis to the socket, in all threads. Measured: 7.1, four of
/// them the parser's.
const FOR_A_MESSAGE: f64 = 8.0;
/// Allocations for a change that merges with one that waits. Measured: 7.3.
const FOR_A_CHANGE: f64 = 8.0;

fn allow_many_sockets() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("our own limit");
}

/// The daemon's private memory in bytes (proc(5), `smaps_rollup`): its part of the memory that it shares
/// with the daemons of other tests changes with their number.
fn memory(daemon: &Daemon) -> u64 {
    let smaps = fs::read_to_string(format!("/proc/{}/smaps_rollup", daemon.id())).unwrap();
    number(&smaps, "Anonymous:") * 1024
}

/// How often any thread has gone to sleep so far (proc(5), `status`).
fn sleeps(daemon: &Daemon) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let status =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    status.map(|status| number(&status, "voluntary_ctxt_switches:")).sum()
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect(name)
}

#[tokio::test]
#[cfg_attr(not(feature = "jemalloc"), ignore = "measures jemalloc")]
async fn an_idle_client_costs_little_memory_and_no_wake_ups() {
    allow_many_sockets();
    let installation = Installation::start().await;
    IdleConnections::register(&installation, 0..EARLY + MEASURED).await;
    let daemon = installation.daemon(&[("LOG", "warn")]).await;
    let early = IdleConnections::log_in(&daemon, 0..EARLY).await;
    let before = settled(&daemon).await;
    let measured = IdleConnections::log_in(&daemon, EARLY..EARLY + MEASURED).await;
    let each = settled(&daemon).await.saturating_sub(before) / u64::from(MEASURED);
    assert!(each <= BYTES_EACH, "{each} bytes for a client");
    rests(&daemon).await;
    drop((early, measured));
}

/// Waits for a time with hardly any wake-ups: between two pings, and between the lookups of new clients'
/// shares, there is nothing to do.
async fn rests(daemon: &Daemon) {
    let (mut since, mut slept) = (Instant::now(), sleeps(daemon));
    until("a daemon with a thousand idle clients rests", async || {
        if since.elapsed() < REST {
            return None;
        }
        let woken = sleeps(daemon) - slept;
        (since, slept) = (Instant::now(), sleeps(daemon));
        (woken <= WAKE_UPS).then_some(())
    })
    .await;
}

/// The memory once it no longer falls.
async fn settled(daemon: &Daemon) -> u64 {
    let mut last = u64::MAX;
    let mut looks = 0;
    until("memory settles", async || {
        let now = memory(daemon);
        looks = if now < last { 0 } else { looks + 1 };
        last = last.min(now);
        (looks > 200).then_some(last)
    })
    .await
}

#[tokio::test]
async fn ten_cold_storages_cost_at_most_ten_listings_however_many_changes_come() {
    let installation = Installation::start().await;
    for number in 0..10 {
        let uid = format!("user{number}");
        installation.user_with_home(&uid, 100 + number, 1000 + number).await;
        installation.mount("alice", 100 + number, 1000 + number).await;
    }
    installation.user("alice", "alice-password").await;
    let port = free_port().to_string();
    let daemon = installation.daemon(&[("METRICS_PORT", &port), ("LOG", "warn")]).await;
    let mut alice = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    let change = |number| format!(r#"{{"storage":{},"path":"files\/a"}}"#, 100 + number % 10);
    publish(&installation, "notify_storage_update", (0..2_000).map(change)).await;
    let address = format!("127.0.0.1:{port}");
    let listings = async || -> u32 {
        let page = http::get(&address, "/metrics", &[]).await.body;
        let count = page.lines().find_map(|line| line.strip_prefix("mapping_query_count "));
        count.unwrap().parse().unwrap()
    };
    until("a listing", async || (listings().await > 0).then_some(())).await;
    installation.custom("alice", "marker").await;
    alice.texts_before("marker").await;
    publish(&installation, "notify_storage_update", (0..2_000).map(change)).await;
    assert_eq!(alice.text().await, "notify_file");
    let first = listings().await;
    assert!(first <= 10, "{first} listings");
    publish(&installation, "notify_storage_update", (0..2_000).map(change)).await;
    assert_eq!(alice.text().await, "notify_file");
    assert_eq!(listings().await, first);
}

/// Publishes many payloads at once.
async fn publish(
    installation: &Installation,
    channel: &str,
    payloads: impl Iterator<Item = String>,
) {
    let mut pipe = redis::pipe();
    for payload in payloads {
        pipe.cmd("PUBLISH").arg(channel).arg(payload).ignore();
    }
    installation.redis.pipe(&pipe).await;
}

/// The allocations of one daemon from its start to its end: jemalloc prints them as JSON at the end.
async fn allocations(work: impl AsyncFnOnce(&Installation, &mut Client)) -> f64 {
    let installation = Installation::start().await;
    installation.user_with_home("alice", 7, 70).await;
    let statistics = ("_RJEM_MALLOC_CONF", "stats_print:true,stats_print_opts:Jablxe");
    let mut daemon = installation.daemon(&[("LOG", "warn"), statistics]).await;
    let mut alice = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    work(&installation, &mut alice).await;
    daemon.stop().await;
    let log = daemon.log();
    let json = &log[log.find("{\"jemalloc\"").expect("statistics")..];
    let read = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>().next();
    let all = read.expect("statistics").expect("JSON");
    let merged = &all["jemalloc"]["stats.arenas"]["merged"];
    let count = |size: &str| merged[size]["nrequests"].as_f64().unwrap_or_else(|| panic!("{all}"));
    count("small") + count("large")
}

/// Allocations for each piece of work, without those for start, login and end.
async fn each(work: impl AsyncFn(&Installation, &mut Client, u32)) -> f64 {
    let little = allocations(async |installation, alice| work(installation, alice, LITTLE).await);
    let much = allocations(async |installation, alice| work(installation, alice, MUCH).await);
    (much.await - little.await) / f64::from(MUCH - LITTLE)
}

#[tokio::test]
#[cfg_attr(not(feature = "jemalloc"), ignore = "measures jemalloc")]
async fn a_message_takes_few_allocations() {
    let each = each(async |installation, alice, count| {
        for batch in 0..count / BATCH {
            let payload = |number| format!(r#"{{"user":"alice","message":"n","body":{number}}}"#);
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            publish(installation, "notify_custom", numbers.clone().map(payload)).await;
            for number in numbers {
                assert_eq!(alice.text().await, format!("n {number}"));
            }
        }
    })
    .await;
    assert!(each <= FOR_A_MESSAGE, "{each} allocations for a message");
}

#[tokio::test]
#[cfg_attr(not(feature = "jemalloc"), ignore = "measures jemalloc")]
async fn a_change_takes_few_allocations() {
    let each = each(async |installation, alice, count| {
        for _ in 0..count / BATCH {
            let payload = |id| format!(r#"{{"storage":7,"path":"files\/a\/{id}","file_id":{id}}}"#);
            publish(installation, "notify_storage_update", (0..BATCH).map(payload)).await;
            installation.custom("alice", "marker").await;
            alice.texts_before("marker").await;
        }
    })
    .await;
    assert!(each <= FOR_A_CHANGE, "{each} allocations for a change");
}
