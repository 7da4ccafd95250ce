//! `notify_push`: notifies exactly the affected clients that something changed.
//!
//! ```text
//!            client::redis                services::nextcloud             push::hub            server
//! Redis ──▶ subscription ──SourceEvent──▶ decode ─▶ audience ──Notice──▶ shards ─▶ session ─▶ WebSocket ──▶ client
//!            server::upgrade              services::nextcloud             push::hub
//! client ──▶ WebSocket ──LoginAttempt──▶ login: ticket, database, HTTP ──JoinRequest──▶ shard
//! ```
//!
//! The modules are declared from the bottom up: each uses only those before it. `ARCHITECTURE.md` is the map.

// The log and the metrics registry.
pub mod telemetry;

// The settings table, its layers, and the values that they hold.
pub mod config;

// Signals, tracked tasks, phases of a shutdown, the service manager and its watchdog.
pub mod lifecycle;

// RFC 6455 without a socket: bytes in, items out.
pub mod websocket;

// The state of what services depend on.
pub mod health;

// A message with its acknowledgement, between a source and a service.
pub mod delivery;

// Everything that connects out: databases, Redis, TLS.
pub mod client;

// Everything that listens: accept, TLS, limits before authentication, HTTP, WebSocket.
pub mod server;

// Only for services with clients: the hub, sessions and notices.
pub mod push;

// Findings, and the run of all checks.
pub mod doctor;

// The services, one folder each, and their interface to the daemon.
pub mod services;

// The daemon: start, reload, admin API, status page.
pub mod runtime;

// The main jobs with nothing installed.
#[cfg(all(feature = "nextcloud", feature = "webhook"))]
pub mod demo;

// The command line.
pub mod cli;
