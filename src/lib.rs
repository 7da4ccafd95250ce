//! `notify_push`: tells exactly the clients concerned that something changed.
//!
//! ```text
//! source ─Message▶ host.decode ─Event▶ recipients ─[Recipient]▶ hub ─Notice▶ outbox ▶ session ─Frame▶ stream ▶ client
//!                                                     auth chain ◀─Credentials─ front ◀──────────────────────┘
//! ```
//!
//! The modules below are declared in the order of that road; `ARCHITECTURE.md` is the map.

// Vocabulary: plain values, no I/O.
pub mod causes;
pub mod condition;
pub mod event;
pub mod finding;
pub mod frame;
pub mod notice;
pub mod peer;
pub mod recipient;
pub mod secret;
pub mod websocket;

// A client's connection, in its two lives.
pub mod stream;

// TLS connections that we open.
pub mod trust;

// Core: decides; owns no socket and no clock.
pub mod auth;
pub mod hub;
pub mod recipients;
pub mod session;

// Edges: sockets, files, processes.
pub mod front;
pub mod source;
pub mod store;

// Seam and hosts.
pub mod host;
pub mod hosts;
pub mod pipeline;

// What surrounds the road.
pub mod app;
pub mod config;
// It plays with both.
#[cfg(all(feature = "nextcloud", feature = "webhook"))]
pub mod demo;
pub mod doctor;
pub mod lifecycle;
pub mod status;
pub mod telemetry;
