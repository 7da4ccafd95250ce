//! What the decoder makes of whole, cut, huge and broken frames.

use super::{Decoder, MAX_FRAME, Malformed, Value, encode};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Result<Option<Value>, Malformed> {
    Decoder::default().next(&mut BytesMut::from(bytes))
}

fn bulk(text: &str) -> Value {
    Value::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn commands_are_arrays_of_bulk_strings() {
    assert_eq!(encode(&[b"GET", b"a\r\nb"]), b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
}

#[test]
fn every_kind_of_value_is_read() {
    let cases: [(&[u8], Value); 8] = [
        (b"+OK\r\n", Value::Simple(Bytes::from_static(b"OK"))),
        (b"-ERR no\r\n", Value::Error(Bytes::from_static(b"ERR no"))),
        (b":-12\r\n", Value::Integer(-12)),
        (b"$3\r\na\r\n\r\n", bulk("a\r\n")),
        (b"$0\r\n\r\n", bulk("")),
        (b"$-1\r\n", Value::Nil),
        (b"*-1\r\n", Value::Nil),
        (b"*2\r\n*0\r\n:1\r\n", Value::Array(vec![Value::Array(vec![]), Value::Integer(1)])),
    ];
    for (bytes, value) in cases {
        assert_eq!(decode(bytes), Ok(Some(value)), "{:?}", Bytes::from_static(bytes));
    }
}

#[test]
fn a_frame_cut_at_any_byte_is_waited_for() {
    let whole = b"*3\r\n$7\r\nmessage\r\n$5\r\ntopic\r\n$12\r\n{\"a\":\"b\r\nc\"}\r\n";
    for cut in 0..whole.len() {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(&whole[..cut]));
        assert_eq!(decoder.next(&mut buffer), Ok(None), "cut at {cut}");
        buffer.extend_from_slice(&whole[cut..]);
        let value = decoder.next(&mut buffer).unwrap().unwrap();
        assert_eq!(value.elements(), [bulk("message"), bulk("topic"), bulk("{\"a\":\"b\r\nc\"}")]);
        assert!(buffer.is_empty());
    }
}

#[test]
fn a_message_is_taken_whole_and_nothing_else_is() {
    let whole = b"*3\r\n$7\r\nmessage\r\n$5\r\ntopic\r\n$4\r\n\r\n\r\n\r\n+OK\r\n";
    let (mut decoder, end) = (Decoder::default(), whole.len() - 5);
    for cut in 0..end {
        let mut buffer = BytesMut::from(&whole[..cut]);
        assert_eq!(decoder.message(&mut buffer), None, "cut at {cut}");
        assert_eq!(buffer.len(), cut);
    }
    let mut buffer = BytesMut::from(&whole[..]);
    let taken = decoder.message(&mut buffer).unwrap();
    assert_eq!(taken, (Bytes::from_static(b"topic"), Bytes::from_static(b"\r\n\r\n")));
    assert_eq!(&buffer[..], b"+OK\r\n");
    assert_eq!(decoder.message(&mut buffer), None);
    let others: [&[u8]; 3] = [
        b"*3\r\n$9\r\nsubscribe\r\n$5\r\ntopic\r\n:1\r\n",
        b"*3\r\n$7\r\nmessage\r\n$5\r\ntopic\r\n:1\r\n",
        b"*3\r\n$7\r\nmessage\r\n$5\r\ntopic\r\n$18446744073709551615\r\n",
    ];
    for other in others {
        assert_eq!(decoder.message(&mut BytesMut::from(other)), None);
    }
}

#[test]
fn what_is_not_redis_is_refused() {
    let nested = b"*1\r\n".repeat(100);
    let cases: Vec<&[u8]> = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02F",
        b"\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"$99999999999999999999\r\n",
        b"*99999999\r\n",
        b":1x\r\n",
        b"+OK\rX",
        b"$3\r\nfooXX",
        b"%1\r\n",
        &nested,
    ];
    for bytes in cases {
        let refused = match decode(bytes) {
            Ok(None) => decode(&[bytes, b":1\r\n"].concat()),
            other => other,
        };
        assert_eq!(refused, Err(Malformed), "{:?}", Bytes::copy_from_slice(bytes));
    }
}

#[test]
fn an_endless_line_is_refused_and_not_kept() {
    assert_eq!(decode(&[b"+".as_slice(), &vec![b'x'; 64 << 10]].concat()), Err(Malformed));
}

#[test]
fn an_oversized_message_is_dropped_as_it_arrives_and_the_next_one_is_read() {
    let size = MAX_FRAME + 1;
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::from(format!("*2\r\n$1\r\nc\r\n${size}\r\n").as_bytes());
    let head = buffer.len();
    for _ in 0..size / 1024 {
        buffer.extend_from_slice(&[b'x'; 1024]);
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        assert!(buffer.is_empty());
    }
    buffer.extend_from_slice(&vec![b'x'; size % 1024]);
    buffer.extend_from_slice(b"\r\n+PONG\r\n");
    assert_eq!(decoder.next(&mut buffer), Ok(Some(Value::Skipped(head + size + 2))));
    assert_eq!(decoder.next(&mut buffer), Ok(Some(Value::Simple(Bytes::from_static(b"PONG")))));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_end_in_values_or_an_error(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::new());
        'stream: for piece in pieces {
            buffer.extend_from_slice(&piece);
            loop {
                match decoder.next(&mut buffer) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(Malformed) => break 'stream,
                }
            }
        }
    }

    #[test]
    fn what_is_encoded_is_read_back(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..9)) {
        let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let value = decode(&encode(&slices)).unwrap().unwrap();
        let read: Vec<&[u8]> = value.elements().iter().map(|word| word.text().unwrap()).collect();
        prop_assert_eq!(read, slices);
    }
}
