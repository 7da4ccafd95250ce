//! Shards on simulated sockets and a simulated clock: the guarantees one by one, and all of them in
//! thousands of random events.

mod client;
mod cluster;
mod harness;
mod invariants;
mod slices;
mod subscriptions;
mod wire;
