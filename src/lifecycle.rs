//! Signals, drain, tracked tasks, service-manager notification.
