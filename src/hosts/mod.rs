//! The hosts we push for, one folder each.

pub mod nextcloud;
