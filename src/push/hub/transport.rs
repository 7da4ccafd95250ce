//! What the hub asks of a socket and of whoever watches sockets: two small traits, so that the
//! shard runs on a real event loop and in a simulation alike.

use std::io::{Read, Result, Write};

/// A non-blocking connection. `read`, `write` and `flush` answer `WouldBlock` when they can't go on.
pub trait ClientTransport: Read + Write {
    /// Ends the connection without leaving anything unsent behind in the kernel.
    fn abort(self);

    /// Says that nothing more will be written; what was written still goes out.
    fn finish(&mut self);
}

/// Watches transports and says when they can go on. Edge-triggered: a side is reported once and
/// must then be used until it answers `WouldBlock`.
pub trait TransportWatcher<T> {
    /// Begins to watch for reading; reports carry `id`.
    fn add(&mut self, transport: &T, id: u32) -> Result<()>;

    /// Watches for writing too, or no longer.
    fn want_write(&mut self, transport: &T, id: u32, wanted: bool) -> Result<()>;

    /// Forgets the transport.
    fn remove(&mut self, transport: &T);
}
