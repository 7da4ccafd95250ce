//! Sends every message back, and otherwise follows RFC 6455 for servers.

use notify_push::{
    server::UpgradedClient,
    websocket::{CloseFrame, DecodedItem, DecoderRules, FrameDecoder, frame::Frame},
};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a client may take to end the connection after our close frame.
const GOODBYE: Duration = Duration::from_secs(5);

/// Echoes until the client closes the connection or violates the protocol.
pub(crate) async fn echo(mut client: UpgradedClient, rules: DecoderRules) {
    let served = converse(&mut client, rules).await;
    if served.is_ok() {
        // Read the client's remaining data, so that a reset doesn't discard our close frame.
        let goodbye = say_goodbye(&mut client);
        drop(tokio::time::timeout(GOODBYE, goodbye).await);
    }
}

async fn converse(client: &mut UpgradedClient, rules: DecoderRules) -> io::Result<()> {
    let mut decoder = FrameDecoder::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut unread = std::mem::take(&mut client.leftover).to_vec();
    loop {
        let (answers, over) = answer(&mut decoder, rules, &mut unread);
        for frame in answers {
            client.stream.write_all(frame.bytes()).await?;
        }
        client.stream.flush().await?;
        if over {
            return Ok(());
        }
        let read = client.stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        unread.clear();
        unread.extend_from_slice(&buffer[..read]);
    }
}

/// Returns the response to these bytes, and whether the connection is finished.
fn answer(decoder: &mut FrameDecoder, rules: DecoderRules, bytes: &mut [u8]) -> (Vec<Frame>, bool) {
    let mut answers = Vec::new();
    let mut items = decoder.feed(rules, bytes);
    while let Some(item) = items.next() {
        answers.push(match item {
            Ok(DecodedItem::Text(text)) => Frame::text(text),
            Ok(DecodedItem::Binary(bytes)) => Frame::binary(bytes),
            Ok(DecodedItem::Ping(payload)) => Frame::pong(payload),
            Ok(DecodedItem::Pong(_)) => continue,
            Ok(DecodedItem::Close(None)) => Frame::close_empty(),
            Ok(DecodedItem::Close(Some(CloseFrame { code, .. }))) => Frame::close(code, ""),
            Err(error) => Frame::close(error.close_code(), &error.to_string()),
        });
    }
    let over = answers.last().is_some_and(Frame::is_close);
    (answers, over)
}

async fn say_goodbye(client: &mut UpgradedClient) -> io::Result<()> {
    client.stream.shutdown().await?;
    tokio::io::copy(&mut client.stream, &mut tokio::io::sink()).await.map(drop)
}
