//! Event decoding: any payload on any channel is understood or refused, the same each time.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use {notify_push::services::nextcloud::channels::CHANNELS, notify_push::services::nextcloud::channels::decode, notify_push::client::SourceMessage};

fuzz_target!(|input: (u8, &[u8])| {
    let (channel, payload) = input;
    let channel = CHANNELS[usize::from(channel) % CHANNELS.len()];
    let message = SourceMessage { channel, payload: Bytes::copy_from_slice(payload) };
    let first = format!("{:?}", decode(&message));
    assert_eq!(format!("{:?}", decode(&message)), first);
});
