//! Integration tests: one binary, one file per behaviour.
#![cfg(test)]

mod fault_proxy;
mod metrics_format;
mod servers;
mod support;
