//! Thousands of clients in one process: as little as a client can be, on a task each.

use super::within;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// Who log in at the same time.
const AT_ONCE: usize = 64;

/// Raises this process's limit of descriptors as far as it may, once and for all tests, and those of
/// the servers they start. A shell's usual 1 024 are too few for a crowd.
pub(crate) fn allow_descriptors(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most >= count),
        "{count} descriptors are needed: raise the hard limit (ulimit -Hn)"
    );
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("our own limit");
}

/// Clients that are logged in and answer pings. All are gone at once when this is dropped.
pub(crate) struct LoggedInClients {
    _clients: JoinSet<io::Result<()>>,
}

impl LoggedInClients {
    /// Lets all of them in: user name and password each.
    pub(crate) async fn log_in(address: &str, people: Vec<(String, String)>) -> Self {
        let (mut clients, permits) = (JoinSet::new(), Semaphore::new(AT_ONCE));
        let permits = Arc::new(permits);
        let count = u32::try_from(people.len()).expect("a crowd");
        let inside = Arc::new(Semaphore::new(0));
        for (user, password) in people {
            let (address, permits, inside) =
                (address.to_owned(), Arc::clone(&permits), Arc::clone(&inside));
            clients.spawn(async move {
                let door = permits.acquire().await.expect("it is never closed");
                let mut stream = enter(&address, &user, &password).await?;
                drop(door);
                inside.add_permits(1);
                answer_pings(&mut stream).await
            });
        }
        tokio::select! {
            all = inside.acquire_many(count) => all.expect("it is never closed").forget(),
            ended = clients.join_next() => panic!("a client has ended: {ended:?}"),
        }
        Self { _clients: clients }
    }
}

async fn enter(address: &str, user: &str, password: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let mut words = UPGRADE.as_bytes().to_vec();
    for word in [user, password] {
        words.extend(frame(0x81, word.as_bytes()));
    }
    stream.write_all(&words).await?;
    let mut said = Vec::new();
    let admitted = async {
        while !said.ends_with(b"authenticated") {
            if stream.read_buf(&mut said).await? == 0 {
                let said = String::from_utf8_lossy(&said).into_owned();
                return Err(io::Error::other(said));
            }
        }
        Ok(())
    };
    within("a login", admitted).await?;
    Ok(stream)
}

/// Until the daemon closes. Nothing but pings is sent to a crowd, each of less than 126 bytes.
async fn answer_pings(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = [0; 2];
    loop {
        stream.read_exact(&mut head).await?;
        let mut payload = vec![0; usize::from(head[1])];
        stream.read_exact(&mut payload).await?;
        if head[0] == 0x89 {
            stream.write_all(&frame(0x8a, &payload)).await?;
        }
    }
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    let mut bytes = vec![first, 0x80 | length, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}
