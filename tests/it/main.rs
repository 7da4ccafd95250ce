//! Integration tests: one binary, one file per behaviour.
#![cfg(test)]

mod admin;
mod architecture;
mod captured_events;
mod config_php;
mod database_connections;
mod database_faults;
mod database_logins;
mod database_mounts;
mod database_revocation;
mod delivery;
mod demo;
mod exposure;
mod fault_matrix;
mod fault_proxy;
mod flood;
mod life_cycle;
mod log_in;
mod metrics_format;
mod nextcloud_http;
mod operator;
mod proxies;
mod redis_acl;
mod redis_cluster;
mod redis_faults;
mod redis_keys;
mod redis_listening;
mod redis_sentinel;
mod redis_tls;
mod revocation;
mod self_test;
mod servers;
mod support;
mod systemd;
mod watchdog;
mod websocket;
