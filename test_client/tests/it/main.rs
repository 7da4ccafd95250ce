//! The probe, run as a user runs it, against small real servers and the real daemon.
#![cfg(test)]

mod daemon;
mod discovery;
mod listening;
mod secure;
mod support;
mod trouble;
