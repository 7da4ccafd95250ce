//! Integration tests: one binary, one file per behaviour.

#[cfg(test)]
mod metrics_format;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod support;
