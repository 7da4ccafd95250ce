//! MySQL and MariaDB: the client asks for TLS after the server's greeting, with the first part of its
//! own response. <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use super::{RelayTarget, no_tls};
use crate::{client::ByteStream, config::secret::Secret};
use sqlx::Error;
use std::io;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::UnixStream,
};
use zeroize::Zeroizing;

/// No packet of a login is longer.
const MAX_PACKET: usize = 64 << 10;

/// Capabilities, packet size and character set: all of an SSL request.
const SSL_REQUEST: usize = 32;

/// CLIENT_SSL, bit 11 of the capabilities, in their second byte.
const CLIENT_SSL: u8 = 0x08;

/// caching_sha2_password: the server doesn't know the digest and wants the password.
const FULL_AUTHENTICATION: [u8; 2] = [1, 4];
/// The digest was right; the server's OK follows.
const FAST_AUTHENTICATION: [u8; 2] = [1, 3];

const OK: u8 = 0;
const ERROR: u8 = 0xff;

/// A packet of the login, with its number.
struct LoginPacket {
    number: u8,
    payload: Zeroizing<Vec<u8>>,
}

pub(super) async fn relay(
    mut local: UnixStream,
    mut server: Box<dyn ByteStream>,
    target: &RelayTarget,
) -> Result<(), Error> {
    let mut greeting = LoginPacket::read(&mut server).await?;
    if greeting.payload.first() == Some(&ERROR) {
        greeting.write(&mut local).await?;
        return Ok(());
    }
    let capabilities = capabilities(&mut greeting.payload).ok_or_else(no_tls)?;
    if *capabilities & CLIENT_SSL == 0 {
        return Err(no_tls());
    }
    *capabilities &= !CLIENT_SSL;
    greeting.write(&mut local).await?;

    let mut response = LoginPacket::read(&mut local).await?;
    if response.payload.len() < SSL_REQUEST {
        return Err(invalid("the login response is too short").into());
    }
    response.payload[1] |= CLIENT_SSL;
    let request = Zeroizing::new(response.payload[..SSL_REQUEST].to_vec());
    LoginPacket { number: response.number, payload: request }.write(&mut server).await?;
    let mut server = target.handshake(server).await?;
    response.number = response.number.wrapping_add(1);
    response.write(&mut server).await?;

    log_in(&mut local, &mut server, target.server.password.as_ref()).await?;
    copy_bidirectional(&mut local, &mut server).await?;
    Ok(())
}

/// Passes the packets of the login on until the server has decided. sqlx doesn't know that the connection
/// is encrypted and would ask for an RSA key, so the password is sent from here.
async fn log_in(
    local: &mut UnixStream,
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    password: Option<&Secret>,
) -> io::Result<()> {
    loop {
        let packet = LoginPacket::read(server).await?;
        let number = packet.number.wrapping_add(1);
        if packet.payload[..] == FULL_AUTHENTICATION {
            let mut payload = Zeroizing::new(Vec::new());
            payload.extend_from_slice(password.map(Secret::expose).unwrap_or_default().as_bytes());
            payload.push(0);
            LoginPacket { number, payload }.write(server).await?;
            continue;
        }
        packet.write(local).await?;
        match packet.payload.first() {
            Some(&OK | &ERROR) | None => return Ok(()),
            _ if packet.payload[..] == FAST_AUTHENTICATION => {}
            Some(_) => {
                let mut answer = LoginPacket::read(local).await?;
                answer.number = number;
                answer.write(server).await?;
            }
        }
    }
}

/// The byte with the SSL bit in a greeting: protocol version, server version up to its NUL, connection
/// id, first part of the nonce, filler, then the capabilities.
fn capabilities(greeting: &mut [u8]) -> Option<&mut u8> {
    let end = greeting.iter().skip(1).position(|byte| *byte == 0)? + 1;
    greeting.get_mut(end + 1 + 4 + 8 + 1 + 1)
}

impl LoginPacket {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_PACKET {
            return Err(invalid("a packet of the login is too long"));
        }
        let mut payload = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut payload).await?;
        Ok(Self { number: head[3], payload })
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 + self.payload.len()));
        bytes.extend_from_slice(&[length[0], length[1], length[2], self.number]);
        bytes.extend_from_slice(&self.payload);
        stream.write_all(&bytes).await?;
        stream.flush().await
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::{CLIENT_SSL, FULL_AUTHENTICATION, LoginPacket, capabilities, log_in};
    use tokio::{io::duplex, net::UnixStream};
    use zeroize::Zeroizing;

    fn packet(number: u8, payload: &[u8]) -> LoginPacket {
        LoginPacket { number, payload: Zeroizing::new(payload.to_vec()) }
    }

    #[test]
    fn the_capability_of_tls_is_found() {
        let mut greeting = b"\x0a8.0.40\0\x07\0\0\0saltsalt\0".to_vec();
        greeting.extend([0xff, CLIENT_SSL]);
        assert_eq!(capabilities(&mut greeting).copied(), Some(CLIENT_SSL));
        assert!(capabilities(&mut b"\x0a8.0.40\0\x07".to_vec()).is_none());
    }

    #[tokio::test]
    async fn the_password_is_sent_when_the_server_wants_it() {
        let (mut near, mut far) = duplex(1024);
        let (mut local, mut client) = UnixStream::pair().unwrap();
        let server = async {
            packet(3, &FULL_AUTHENTICATION).write(&mut far).await.unwrap();
            let password = LoginPacket::read(&mut far).await.unwrap();
            assert_eq!((password.number, &password.payload[..]), (4, &b"secret\0"[..]));
            packet(5, &[0, 0, 0]).write(&mut far).await.unwrap();
        };
        let secret = "secret".into();
        let (done, ()) = tokio::join!(log_in(&mut local, &mut near, Some(&secret)), server);
        done.unwrap();
        assert_eq!(LoginPacket::read(&mut client).await.unwrap().number, 5);
    }

    #[tokio::test]
    async fn a_packet_that_is_too_long_is_refused() {
        let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0];
        assert!(LoginPacket::read(&mut bytes).await.is_err());
    }
}
