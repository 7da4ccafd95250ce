//! RFC 6455 sections 5, 7 and 8: what a client may send, and what it hears when it may not.

use super::{
    bytes::{answer, frame},
    server::{RawClient, ServerOptions, TestServer},
};

async fn client() -> (TestServer, RawClient) {
    let server = TestServer::start(ServerOptions::default());
    let client = server.websocket().await;
    (server, client)
}

/// A fresh client sends `bytes` and is closed with `code`.
async fn refused(server: &TestServer, bytes: &[u8], code: u16) {
    let mut client = server.websocket().await;
    client.send(bytes).await;
    client.expect_close(code).await;
}

#[tokio::test]
async fn section_5_1_an_unmasked_frame_closes_the_connection() {
    let server = TestServer::start(ServerOptions::default());
    refused(&server, b"\x81\x05Hello", 1002).await;
}

#[tokio::test]
async fn section_5_2_messages_of_every_length_encoding_come_back() {
    let (_server, mut client) = client().await;
    for length in [0, 1, 125, 126, 127, 4095, 4096] {
        let payload = vec![b'x'; length];
        client.send(&frame(0x81, &payload)).await;
        client.expect(&answer(0x81, &payload)).await;
    }
}

#[tokio::test]
async fn section_5_2_a_length_in_a_longer_form_than_needed_is_refused() {
    let server = TestServer::start(ServerOptions::default());
    refused(&server, b"\x81\xfe\x00\x05\0\0\0\0Hello", 1002).await;
    refused(&server, b"\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0Hello", 1002).await;
}

#[tokio::test]
async fn section_5_2_reserved_bits_and_opcodes_are_refused() {
    let server = TestServer::start(ServerOptions::default());
    for bits in [0x10, 0x20, 0x40] {
        refused(&server, &frame(0x81 | bits, b"x"), 1002).await;
    }
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        refused(&server, &frame(0x80 | opcode, b"x"), 1002).await;
    }
}

#[tokio::test]
async fn section_5_3_whatever_the_key_the_payload_is_read() {
    let (_server, mut client) = client().await;
    client.send(b"\x81\x85\0\0\0\0Hello").await;
    client.expect(b"\x81\x05Hello").await;
    client.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").await;
    client.expect(b"\x81\x05Hello").await;
}

#[tokio::test]
async fn section_5_4_fragments_with_a_ping_between_are_one_message() {
    let (_server, mut client) = client().await;
    for bytes in [frame(0x01, b"Hel"), frame(0x89, b"p"), frame(0x00, b""), frame(0x80, b"lo")] {
        client.send(&bytes).await;
    }
    client.expect(&answer(0x8a, b"p")).await;
    client.expect(&answer(0x81, b"Hello")).await;
}

#[tokio::test]
async fn section_5_4_fragments_out_of_order_are_refused() {
    let server = TestServer::start(ServerOptions::default());
    refused(&server, &frame(0x80, b"x"), 1002).await;
    refused(&server, &[frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002).await;
}

#[tokio::test]
async fn section_5_4_cut_at_every_byte_a_conversation_stays_the_same() {
    let (_server, mut client) = client().await;
    let bytes = [
        frame(0x81, "grüße".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x02, b"bin"),
        frame(0x80, b"ary"),
        frame(0x81, &[b'y'; 130]),
    ]
    .concat();
    let answers = [
        answer(0x81, "grüße".as_bytes()),
        answer(0x8a, b"ping"),
        answer(0x82, b"binary"),
        answer(0x81, &[b'y'; 130]),
    ]
    .concat();
    client.0.set_nodelay(true).unwrap();
    for cut in 0..bytes.len() {
        client.send(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        client.send(&bytes[cut..]).await;
        client.expect(&answers).await;
    }
}

#[tokio::test]
async fn section_5_5_control_frames_are_whole_and_at_most_125_bytes() {
    let server = TestServer::start(ServerOptions::default());
    for opcode in [0x88, 0x89, 0x8a] {
        refused(&server, &frame(opcode, &[0; 126]), 1002).await;
        refused(&server, &frame(opcode & 0x0f, b""), 1002).await;
    }
}

#[tokio::test]
async fn section_5_5_1_a_close_is_echoed_with_its_code() {
    let server = TestServer::start(ServerOptions::default());
    refused(&server, &frame(0x88, b"\x03\xe8bye"), 1000).await;
    refused(&server, &frame(0x88, b"\x0b\xb8"), 3000).await;
    let mut client = server.websocket().await;
    client.send(&frame(0x88, b"")).await;
    client.expect(&answer(0x88, b"")).await;
    client.expect_end().await;
}

#[tokio::test]
async fn section_5_5_1_nothing_is_answered_after_a_close() {
    let server = TestServer::start(ServerOptions::default());
    let bytes = [frame(0x88, b"\x03\xe8"), frame(0x89, b"late"), frame(0x81, b"later")].concat();
    refused(&server, &bytes, 1000).await;
}

#[tokio::test]
async fn section_5_5_2_pings_of_0_1_and_125_bytes_are_answered() {
    let (_server, mut client) = client().await;
    for length in [0, 1, 125] {
        client.send(&frame(0x89, &vec![0xfe; length])).await;
        client.expect(&answer(0x8a, &vec![0xfe; length])).await;
    }
}

#[tokio::test]
async fn section_5_5_3_an_unsolicited_pong_is_ignored() {
    let (_server, mut client) = client().await;
    client.send(&frame(0x8a, b"unasked")).await;
    client.send(&frame(0x81, b"still here")).await;
    client.expect(&answer(0x81, b"still here")).await;
}

#[tokio::test]
async fn section_7_4_close_codes_that_may_not_be_sent_are_refused() {
    let server = TestServer::start(ServerOptions::default());
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535_u16] {
        refused(&server, &frame(0x88, &code.to_be_bytes()), 1002).await;
    }
    refused(&server, &frame(0x88, b"\x03"), 1002).await;
    refused(&server, &frame(0x88, b"\x03\xe8\xff"), 1007).await;
}

#[tokio::test]
async fn section_8_1_text_is_utf8_whatever_its_fragments() {
    let (server, mut client) = client().await;
    let word = "κόσμε😀".as_bytes();
    for cut in 0..=word.len() {
        client.send(&frame(0x01, &word[..cut])).await;
        client.send(&frame(0x80, &word[cut..])).await;
        client.expect(&answer(0x81, word)).await;
    }
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce"] {
        refused(&server, &frame(0x81, bad), 1007).await;
    }
    refused(&server, &frame(0x01, b"\xf4\x90"), 1007).await;
}

#[tokio::test]
async fn section_10_4_a_message_above_the_limit_closes_the_connection() {
    let server = TestServer::start(ServerOptions::default());
    refused(&server, &frame(0x81, &[b'x'; 4097]), 1009).await;
    refused(&server, b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009).await;
    let fragments = [frame(0x01, &[b'x'; 4000]), frame(0x80, &[b'x'; 97])].concat();
    refused(&server, &fragments, 1009).await;
}
