//! Finds where strings end: quotes, interpolated code within them, heredocs.

use super::{Kind, name_length};
use std::ops::Range;

/// Strings in code in strings in code … beyond this are taken as never closed.
const MAX_NESTING: usize = 8;

/// The length of the string that `text` begins with, quotes included.
pub(super) fn end(text: &str, quote: char) -> Option<usize> {
    string_end(text.as_bytes(), 1, u8::try_from(quote).ok()?, 0)
}

/// Where the code that begins at `at`, behind a `{`, ends: the position of the matching `}`.
pub(in super::super) fn code_end(text: &str, at: usize) -> Option<usize> {
    brace_end(text.as_bytes(), at, 0)
}

/// The position behind the closing `quote` of a string whose inside begins at `at`.
fn string_end(bytes: &[u8], mut at: usize, quote: u8, nesting: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => return Some(at + 1),
            b'{' if quote != b'\'' && bytes.get(at + 1) == Some(&b'$') => {
                at = brace_end(bytes, at + 1, nesting)? + 1;
            }
            b'$' if quote != b'\'' && bytes.get(at + 1) == Some(&b'{') => {
                at = brace_end(bytes, at + 2, nesting)? + 1;
            }
            _ => at += 1,
        }
    }
}

fn brace_end(bytes: &[u8], mut at: usize, nesting: usize) -> Option<usize> {
    if nesting > MAX_NESTING {
        return None;
    }
    let mut open = 1_usize;
    loop {
        match bytes.get(at)? {
            quote @ (b'\'' | b'"' | b'`') => {
                at = string_end(bytes, at + 1, *quote, nesting + 1)?;
                continue;
            }
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
        at += 1;
    }
}

/// Kind, where the body stands, and the length of all of it; the error says what is wrong.
type Doc = Result<(Kind, Range<usize>, usize), &'static str>;

/// The heredoc or nowdoc that `text` begins with; none when `<<<` is something else.
pub(super) fn heredoc(text: &str) -> Option<Doc> {
    let head = text.get(3..)?.trim_start_matches([' ', '\t']);
    let quote = head.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let head = head.get(usize::from(quote.is_some())..)?;
    let label = head.get(..name_length(head)).filter(|label| !label.is_empty())?;
    let tail = head.get(label.len()..)?;
    let tail = quote.map_or(Some(tail), |quote| tail.strip_prefix(quote))?;
    let tail = tail.strip_prefix('\r').unwrap_or(tail).strip_prefix('\n')?;
    let body = text.len() - tail.len();
    let Some((end, indent, length)) = closing(text, body, label) else {
        return Some(Err("the heredoc that begins here is never closed"));
    };
    let kind = if quote == Some('\'') { Kind::Nowdoc { indent } } else { Kind::Heredoc { indent } };
    Some(Ok((kind, body..end, length)))
}

/// Where the body ends, how far the closing label is indented, and where the label ends.
fn closing(text: &str, body: usize, label: &str) -> Option<(usize, usize, usize)> {
    let mut start = body;
    loop {
        let line = text.get(start..)?;
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let word = line.get(indent..)?;
        if name_length(word) == label.len() && word.starts_with(label) {
            let before = text.get(body..start)?;
            let before = before.strip_suffix('\n').unwrap_or(before);
            let before = before.strip_suffix('\r').unwrap_or(before);
            return Some((body + before.len(), indent, start + indent + label.len()));
        }
        start += line.find('\n')? + 1;
    }
}
