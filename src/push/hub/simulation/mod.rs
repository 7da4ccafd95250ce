//! Shards on made-up sockets and a made-up clock: what the promises are, one by one and by the
//! thousand.

mod client;
mod cluster;
mod harness;
mod invariants;
mod subscriptions;
mod wire;
