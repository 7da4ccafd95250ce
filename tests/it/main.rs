//! Integration tests: one binary, one file per behaviour.
#![cfg(test)]

mod fault_proxy;
mod metrics_format;
#[cfg(test)]
mod nextcloud_http;
mod proxies;
#[cfg(test)]
mod redis_faults;
#[cfg(test)]
mod redis_keys;
#[cfg(test)]
mod redis_listening;
mod servers;
mod support;
#[cfg(test)]
mod websocket;
mod nextcloud_http;
mod proxies;
mod redis_faults;
mod redis_keys;
mod redis_listening;
mod servers;
mod support;
mod systemd;
