//! A plain HTTP request to a server under test, byte by byte, without a client library's opinions.

use super::within;
use std::fmt::Write;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Status, headers and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values = pairs.filter(|(header, _)| header.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }
}

/// `request("GET", "127.0.0.1:80", "/test/cookie", &[("token", "x")], "")`; asks for the connection to be
/// closed and reads to its end.
pub(crate) async fn request(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").expect("memory");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("memory");
    let answer = within("an HTTP answer", exchange(address, &text)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("not HTTP: {answer:?}")),
        head: head.to_owned(),
        body: if is_chunked(head) { unchunk(body) } else { body.to_owned() },
    }
}

/// [`request`] with the method GET.
pub(crate) async fn get(address: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    request("GET", address, path, headers, "").await
}

async fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server answers");
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_chunked(head: &str) -> bool {
    head.to_ascii_lowercase().contains("transfer-encoding: chunked")
}

/// RFC 9112 section 7.1, without extensions and trailers.
fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        let Some((chunk, next)) = after.split_at_checked(size) else { break };
        body.push_str(chunk);
        rest = next.trim_start_matches("\r\n");
    }
    body
}
