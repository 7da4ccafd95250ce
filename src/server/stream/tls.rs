//! A TLS session over a non-blocking socket, without a runtime.

use rustls::ServerConnection;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

/// The most plaintext that one session may hold while its socket is full.
const PENDING: usize = 16 * 1024;

/// `read` and `write` work as in [`super::IdleStream`].
#[derive(Debug)]
pub struct IdleTlsStream {
    socket: TcpStream,
    session: ServerConnection,
}

impl IdleTlsStream {
    pub(super) fn new(socket: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(PENDING));
        Self { socket, session }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    pub(super) fn shutdown_write(&mut self) -> io::Result<()> {
        self.session.send_close_notify();
        // The socket signals the end too; what can't be sent now never will be.
        self.drain()?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Writes encrypted bytes until the socket is full.
    fn drain(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the socket once. `false`: the socket has ended.
    fn fill(&mut self) -> io::Result<bool> {
        let read = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // Send the alert, if the client still reads.
            self.drain()?;
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        // Key updates and alerts are answered without a write of ours.
        self.drain()?;
        Ok(read > 0)
    }
}

impl Read for IdleTlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buf) {
                Ok(read) => return Ok(read),
                // The socket ended without a TLS alert: WebSocket has its own closing handshake.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for IdleTlsStream {
    /// Accepts no new bytes while older ones wait for the socket.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.drain()?;
        if self.session.wants_write() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.session.writer().write(buf)?;
        self.drain()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        if self.session.wants_write() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}
