//! RFC 6455 byte by byte over real sockets, against the daemon's own accept loop, upgrade and codec
//! (an echo behind them); and what clients that have not logged in can't do there.

#[path = "../../examples/echo/echo.rs"]
mod echo;

mod bytes;
mod daemon;
mod framing;
mod handshake;
mod server;
mod tls;
mod unauthenticated;
