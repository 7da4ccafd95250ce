//! RFC 6455 byte by byte against the real daemon: a client before and after its login receives the same.

use super::{
    bytes::{answer, frame},
    server::{REQUEST, RawClient},
};
use crate::support::{daemon::Daemon, installation::Installation};
use tokio::net::TcpStream;

const PASSWORD: &str = "correct horse";

struct DaemonFixture {
    installation: Installation,
    daemon: Daemon,
}

impl DaemonFixture {
    async fn start() -> Self {
        let installation = Installation::start().await;
        installation.user("alice", PASSWORD).await;
        let daemon = installation.daemon(&[]).await;
        Self { installation, daemon }
    }

    /// A client that has shaken hands.
    async fn unauthenticated(&self) -> RawClient {
        let mut client = RawClient(TcpStream::connect(self.daemon.address()).await.unwrap());
        client.0.set_nodelay(true).unwrap();
        client.send(REQUEST.as_bytes()).await;
        let reply = client.reply().await;
        assert!(reply.starts_with("HTTP/1.1 101"), "{reply}");
        client
    }

    /// A client that has logged in.
    async fn session(&self) -> RawClient {
        let mut client = self.unauthenticated().await;
        client.send(&log_in()).await;
        client.expect(&answer(0x81, b"authenticated")).await;
        client
    }

    /// A client that sends `bytes` is closed with `code`, logged in or not.
    async fn refuses(&self, bytes: impl AsRef<[u8]>, code: u16) {
        for mut client in [self.unauthenticated().await, self.session().await] {
            client.send(bytes.as_ref()).await;
            client.expect_close(code).await;
        }
    }
}

fn log_in() -> Vec<u8> {
    [frame(0x81, b"alice"), frame(0x81, PASSWORD.as_bytes())].concat()
}

/// The client is still served: its ping is answered.
async fn assert_alive(client: &mut RawClient) {
    client.send(&frame(0x89, b"alive?")).await;
    client.expect(&answer(0x8a, b"alive?")).await;
}

#[tokio::test]
async fn sections_5_1_and_5_2_malformed_frames_close_the_connection() {
    let place = DaemonFixture::start().await;
    place.refuses(b"\x81\x05Hello", 1002).await;
    place.refuses(b"\x81\xfe\x00\x05\0\0\0\0Hello", 1002).await;
    place.refuses(b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002).await;
    for bits in [0x10, 0x20, 0x40] {
        place.refuses(frame(0x81 | bits, b"x"), 1002).await;
    }
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        place.refuses(frame(0x80 | opcode, b"x"), 1002).await;
    }
}

#[tokio::test]
async fn section_5_4_fragments_make_a_log_in_and_an_order() {
    let place = DaemonFixture::start().await;
    let mut client = place.unauthenticated().await;
    let (user, password) = (b"alice", PASSWORD.as_bytes());
    for bytes in [
        frame(0x01, &user[..2]),
        frame(0x89, b"between"),
        frame(0x80, &user[2..]),
        frame(0x01, &password[..3]),
        frame(0x00, b""),
        frame(0x80, &password[3..]),
    ] {
        client.send(&bytes).await;
    }
    client.expect(&answer(0x8a, b"between")).await;
    client.expect(&answer(0x81, b"authenticated")).await;
    let order = [frame(0x01, b"listen notify_"), frame(0x89, b"2"), frame(0x80, b"file_id")];
    client.send(&order.concat()).await;
    client.expect(&answer(0x8a, b"2")).await;
    // Answered after the order was heard.
    assert_alive(&mut client).await;
    place.installation.user_with_home("bob", 7, 70).await;
    place.installation.mount("alice", 7, 70).await;
    place.installation.changed(7, "files/a.txt", 459).await;
    client.expect(&answer(0x81, b"notify_file_id [459]")).await;
}

#[tokio::test]
async fn section_5_4_fragments_out_of_order_close_the_connection() {
    let place = DaemonFixture::start().await;
    place.refuses(frame(0x80, b"x"), 1002).await;
    place.refuses([frame(0x01, b"a"), frame(0x82, b"b")].concat(), 1002).await;
}

#[tokio::test]
async fn section_5_4_cut_at_every_byte_a_log_in_stays_the_same() {
    let place = DaemonFixture::start().await;
    let bytes = [log_in(), frame(0x89, b"then")].concat();
    let answers = [answer(0x81, b"authenticated"), answer(0x8a, b"then")].concat();
    for cut in 0..bytes.len() {
        let mut client = place.unauthenticated().await;
        client.send(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        client.send(&bytes[cut..]).await;
        client.expect(&answers).await;
    }
}

#[tokio::test]
async fn section_5_4_cut_at_every_byte_a_session_goes_on() {
    let place = DaemonFixture::start().await;
    let mut client = place.session().await;
    let bytes = [frame(0x89, b"1"), frame(0x01, b"list"), frame(0x8a, b""), frame(0x80, b"en x")];
    let bytes = [bytes.concat(), frame(0x82, &[0; 130]), frame(0x89, b"2")].concat();
    for cut in 0..bytes.len() {
        client.send(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        client.send(&bytes[cut..]).await;
        client.expect(&[answer(0x8a, b"1"), answer(0x8a, b"2")].concat()).await;
    }
}

#[tokio::test]
async fn section_5_5_control_frames_are_short_whole_and_answered() {
    let place = DaemonFixture::start().await;
    for mut client in [place.unauthenticated().await, place.session().await] {
        for length in [0, 1, 125] {
            client.send(&frame(0x89, &vec![0xfe; length])).await;
            client.expect(&answer(0x8a, &vec![0xfe; length])).await;
        }
        client.send(&frame(0x8a, b"unasked")).await;
        assert_alive(&mut client).await;
    }
    for opcode in [0x88, 0x89, 0x8a] {
        place.refuses(frame(opcode, &[0; 126]), 1002).await;
        place.refuses(frame(opcode & 0x0f, b""), 1002).await;
    }
}

#[tokio::test]
async fn section_5_5_1_a_close_is_echoed_and_ends_the_connection() {
    let place = DaemonFixture::start().await;
    place.refuses(frame(0x88, b"\x03\xe8bye"), 1000).await;
    place.refuses(frame(0x88, b"\x0b\xb8"), 3000).await;
    place.refuses(frame(0x88, b""), 1000).await;
    place.refuses([frame(0x88, b"\x03\xe9"), frame(0x89, b"late")].concat(), 1001).await;
}

#[tokio::test]
async fn section_7_4_close_codes_that_may_not_be_sent_are_refused() {
    let place = DaemonFixture::start().await;
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535_u16] {
        place.refuses(frame(0x88, &code.to_be_bytes()), 1002).await;
    }
    place.refuses(frame(0x88, b"\x03"), 1002).await;
    place.refuses(frame(0x88, b"\x03\xe8\xff"), 1007).await;
}

#[tokio::test]
async fn section_8_1_text_that_is_not_utf8_closes_the_connection() {
    let place = DaemonFixture::start().await;
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce"] {
        place.refuses(frame(0x81, bad), 1007).await;
    }
    place.refuses(frame(0x01, b"\xf4\x90"), 1007).await;
}

#[tokio::test]
async fn section_10_4_more_than_4_kib_closes_the_connection() {
    let place = DaemonFixture::start().await;
    let mut client = place.session().await;
    client.send(&frame(0x82, &[0; 4096])).await;
    assert_alive(&mut client).await;
    place.refuses(frame(0x82, &[0; 4097]), 1009).await;
    place.refuses([frame(0x01, &[b'x'; 4000]), frame(0x80, &[b'x'; 97])].concat(), 1009).await;
    place.refuses(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009).await;
}
