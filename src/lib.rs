//! `notify_push`: tells exactly the clients concerned that something changed.
//!
//! ```text
//! source ─Message▶ host.decode ─Event▶ recipients ─[Recipient]▶ hub ─Notice▶ pending_notices ▶ session ─Frame▶ stream ▶ client
//!                                                     auth chain ◀─Credentials─ front ◀──────────────────────┘
//! ```
//!
//! The modules below are declared in the order of that road; `ARCHITECTURE.md` is the map.

pub mod cli;
pub mod health;
pub mod push;
// Vocabulary: plain values, no I/O.

pub mod websocket;

// A client's connection, in its two lives.

// TLS connections that we open.

// Core: decides; owns no socket and no clock.

// Edges: sockets, files, processes.
pub mod client;
pub mod server;

// Seam and hosts.

pub mod services;

// What surrounds the road.
pub mod config;
pub mod runtime;
// It plays with both.
#[cfg(all(feature = "nextcloud", feature = "webhook"))]
pub mod demo;
pub mod doctor;
pub mod lifecycle;

pub mod telemetry;
