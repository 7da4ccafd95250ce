//! The seam between the road and a host.
