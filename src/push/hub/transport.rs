//! What the hub needs of a socket and of an event queue: two small traits, so that a shard runs on real
//! sockets and in a simulation alike.

use std::io::{Read, Result, Write};

/// A non-blocking connection. `read`, `write` and `flush` return `WouldBlock` when they can't go on.
pub trait ClientTransport: Read + Write {
    /// Ends the connection and drops what the kernel hasn't sent yet.
    fn abort(self);

    /// Nothing more is written; what was written is still sent.
    fn finish(&mut self);
}

/// Watches transports and reports when they can go on. Edge-triggered: a side is reported once and
/// must then be used until it returns `WouldBlock`.
pub trait TransportWatcher<T> {
    /// Begins to watch for reading; reports carry `id`.
    fn add(&mut self, transport: &T, id: u32) -> Result<()>;

    /// Watches for writing too, or no longer.
    fn want_write(&mut self, transport: &T, id: u32, wanted: bool) -> Result<()>;

    /// Stops watching the transport.
    fn remove(&mut self, transport: &T);
}
