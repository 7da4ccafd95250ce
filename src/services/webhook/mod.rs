//! Webhook push: back ends POST, connected clients receive it (`specs/webhook-push.md`).
//!
//! ```text
//! REST, hooks ─▶ store ─event▶ feed ▶ dispatcher ─▶ hub ▶ clients
//!                 ▲                   ▲
//!                 └──────── admission ─────────┘ ◀─ socket, Socket.IO, event stream
//! ```

pub mod admission;
pub mod backend_access;
pub mod body;
mod body_budget;
pub mod cors;
pub mod dialect;
pub mod dispatcher;
pub mod envelope;
pub mod event_stream;
pub mod feed;
pub mod form;
pub mod guess_limiter;
pub mod hooks;
mod instance;
pub mod intake;
mod lookup_queue;
pub mod message_id;
pub mod message_value;
pub mod registration_key;
pub mod replay;
pub mod replica_events;
pub mod rest;
mod setting_table;
pub mod settings;
pub mod socket;
pub mod socketio;
pub mod state_writer;
pub mod store;

pub use instance::{KIND, WebhookHandlers, WebhookService};
