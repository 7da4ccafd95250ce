//! Webhook push: back ends POST, clients hear it (`specs/webhook-push.md`).
//!
//! ```text
//! rest, hook ─▶ book ─News▶ feed ▶ teller ─▶ hub ▶ clients
//!                 ▲                   ▲
//!                 └──────── door ─────┘ ◀─ socket, Socket.IO, event stream
//! ```

pub mod body;
pub mod book;
pub mod claim;
pub mod cors;
pub mod dialect;
pub mod door;
pub mod envelope;
pub mod event_stream;
pub mod feed;
pub mod form;
pub mod guesses;
pub mod hooks;
pub mod id;
mod instance;
pub mod keeper;
pub mod news;
pub mod replay;
pub mod rest;
pub mod settings;
pub mod socket;
pub mod socketio;
pub mod teller;
pub mod token;
pub mod value;

pub use instance::{Inside, KIND, Webhook};
