//! Phorge's notification server, Aphlict: who speaks its protocol can't tell the difference but where
//! the original fails (`specs/aphlict.md`).

pub mod admin;
pub mod command;
pub mod config;
pub mod desk;
pub mod dialect;
pub mod doorstep;
pub mod fingerprint;
pub mod history;
pub mod instance;
mod launch;
pub mod message;
pub mod peers;
mod server;
pub mod tally;

pub use config::PhorgeSettings;
pub use server::{AphlictServer, KIND};
