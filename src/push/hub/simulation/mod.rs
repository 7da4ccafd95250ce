//! Shards on made-up sockets and a made-up clock: what the promises are, one by one and by the
//! thousand.

mod listener;
mod promises;
mod subscribers;
mod town;
mod wire;
mod world;
