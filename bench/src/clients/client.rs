//! One client: connect, upgrade, log in, listen.

use super::wire;
use crate::stack;
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientStage {
    Disconnected,
    Connecting,
    Upgrading,
    LoggingIn,
    LoggedIn,
}

/// Whether a client is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// It is.
    Going,
    /// It is not.
    Lost,
}

/// One client.
pub struct BenchClient {
    number: usize,
    stage: ClientStage,
    since: Instant,
    stream: Option<TcpStream>,
    /// Bytes of a frame that is not complete yet.
    rest: Vec<u8>,
}

impl BenchClient {
    /// The client of this user.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            stage: ClientStage::Disconnected,
            since: Instant::now(),
            stream: None,
            rest: Vec::new(),
        }
    }

    /// Whether it is logged in.
    pub fn is_inside(&self) -> bool {
        self.stage == ClientStage::LoggedIn
    }

    /// Whether it has a socket.
    pub fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether it tries in vain for so long.
    pub fn is_waiting_longer_than(&self, patience: Duration) -> bool {
        self.is_connected() && !self.is_inside() && self.since.elapsed() > patience
    }

    /// Begins to connect, from an address of its own among a few hundred.
    pub fn connect(&mut self, port: u16) -> io::Result<&mut TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(8 * 1024)?;
        let last = u8::try_from(self.number % 200).unwrap_or(0) + 2;
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
        socket.bind(&source.into())?;
        match socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
            Err(error)
                if error.raw_os_error() != Some(115) && error.kind() != ErrorKind::WouldBlock =>
            {
                return Err(error);
            }
            _ => {}
        }
        (self.stage, self.since) = (ClientStage::Connecting, Instant::now());
        Ok(self.stream.insert(TcpStream::from_std(socket.into())))
    }

    /// Forgets its socket.
    pub fn disconnect(&mut self) {
        (self.stage, self.stream) = (ClientStage::Disconnected, None);
        self.rest = Vec::new();
    }

    /// Does what can be done; says what it hears.
    pub fn work(
        &mut self,
        buffer: &mut [u8],
        mut hear: impl FnMut(Option<u64>),
    ) -> ConnectionState {
        self.try_work(buffer, &mut hear).unwrap_or(ConnectionState::Lost)
    }

    fn try_work(
        &mut self,
        buffer: &mut [u8],
        hear: &mut impl FnMut(Option<u64>),
    ) -> io::Result<ConnectionState> {
        let Some(stream) = &mut self.stream else { return Ok(ConnectionState::Lost) };
        if self.stage == ClientStage::Connecting {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            match stream.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    return Ok(ConnectionState::Going);
                }
                other => other?,
            };
            stream.set_nodelay(true)?;
            stream.write_all(wire::UPGRADE)?;
            self.stage = ClientStage::Upgrading;
        }
        loop {
            let Some(stream) = &mut self.stream else { return Ok(ConnectionState::Lost) };
            match stream.read(buffer) {
                Ok(0) => return Ok(ConnectionState::Lost),
                Ok(count) => self.take_in(&mut buffer[..count], hear)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(ConnectionState::Going);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_in(&mut self, bytes: &mut [u8], hear: &mut impl FnMut(Option<u64>)) -> io::Result<()> {
        let joined;
        let mut bytes: &[u8] = if self.rest.is_empty() {
            bytes
        } else {
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(bytes);
            joined = rest;
            &joined
        };
        if self.stage == ClientStage::Upgrading {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                self.rest = bytes.to_vec();
                return Ok(());
            };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                return Err(io::Error::other("no upgrade"));
            }
            bytes = &bytes[end + 4..];
            self.log_in()?;
        }
        while let Some((opcode, payload, length)) = wire::frame(bytes) {
            self.answer(opcode, payload, hear)?;
            bytes = &bytes[length..];
        }
        self.rest = if bytes.is_empty() { Vec::new() } else { bytes.to_vec() };
        Ok(())
    }

    fn log_in(&mut self) -> io::Result<()> {
        let mut frames = wire::masked(0x81, stack::user(self.number).as_bytes());
        frames.extend(wire::masked(0x81, stack::app_password(self.number).as_bytes()));
        self.stage = ClientStage::LoggingIn;
        self.write(&frames)
    }

    fn answer(
        &mut self,
        opcode: u8,
        payload: &[u8],
        hear: &mut impl FnMut(Option<u64>),
    ) -> io::Result<()> {
        match (opcode, self.stage) {
            (wire::TEXT, ClientStage::LoggingIn) if payload == b"authenticated" => {
                self.stage = ClientStage::LoggedIn;
            }
            (wire::TEXT, ClientStage::LoggedIn) => hear(wire::number(payload)),
            (wire::PING, _) => return self.write(&wire::masked(0x8a, payload)),
            (wire::TEXT, _) => return Err(io::Error::other("refused")),
            (wire::CLOSE, _) => return Err(io::Error::other("closed")),
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Some(stream) => stream.write_all(bytes),
            None => Ok(()),
        }
    }
}
