//! PostgreSQL: the client asks for TLS before anything else.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>

use super::{RelayTarget, no_tls};
use crate::client::ByteStream;
use sqlx::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::UnixStream,
};

/// Length and code of an SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) async fn relay(
    mut local: UnixStream,
    mut server: Box<dyn ByteStream>,
    target: &RelayTarget,
) -> Result<(), Error> {
    server.write_all(&SSL_REQUEST).await?;
    if server.read_u8().await? != b'S' {
        return Err(no_tls());
    }
    let mut server = target.handshake(server).await?;
    copy_bidirectional(&mut local, &mut server).await?;
    Ok(())
}
