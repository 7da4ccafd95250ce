//! Wraps text to a width: prose at blanks and behind punctuation, commands so that they can be pasted.

/// Wraps prose into lines of at most `width` characters.
pub(super) fn prose(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let words = paragraph.split_whitespace().flat_map(|word| pieces(word, width));
        fold(words, width, "", &mut lines);
    }
    lines
}

/// Splits a long word, such as a path, into pieces that fit.
fn pieces(mut word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while length(word) > width {
        let end = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
        let seam = word[..end].rfind(['/', '?', '&', ',', '=']).map(|at| at + 1);
        let (piece, rest) = word.split_at(seam.unwrap_or(end));
        pieces.push(piece);
        word = rest;
    }
    pieces.push(word);
    pieces
}

/// Wraps a shell command with backslashes, never inside quotes.
pub(super) fn shell(command: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in command.lines() {
        fold(words(line).into_iter(), width.saturating_sub(2), " \\", &mut lines);
    }
    indent_continued(lines, |before| before.ends_with(" \\"))
}

/// Wraps an SQL statement outside quotes.
pub(super) fn sql(statement: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in statement.lines() {
        fold(words(line).into_iter(), width.saturating_sub(2), "", &mut lines);
    }
    indent_continued(lines, |before| !before.ends_with(';'))
}

fn indent_continued(lines: Vec<String>, goes_on: impl Fn(&str) -> bool) -> Vec<String> {
    let mut continued = false;
    let indent = |line: String| {
        let indented = if continued { format!("  {line}") } else { line.clone() };
        continued = goes_on(&line);
        indented
    };
    lines.into_iter().map(indent).collect()
}

/// Fills lines; all except the last end with `end`.
fn fold<'a>(
    words: impl Iterator<Item = &'a str>,
    width: usize,
    end: &str,
    lines: &mut Vec<String>,
) {
    let mut line = String::new();
    for word in words {
        let longer = length(&line) + 1 + length(word) + length(end);
        if !line.is_empty() && longer > width {
            lines.push(std::mem::take(&mut line) + end);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Splits at blanks outside quotes.
fn words(line: &str) -> Vec<&str> {
    let mut quote = None;
    line.split(|letter: char| {
        match (quote, letter) {
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        quote.is_none() && letter == ' '
    })
    .filter(|word| !word.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{prose, shell, sql};
    use proptest::prelude::*;

    #[test]
    fn commands_are_continued_with_backslashes_outside_quotes() {
        let lines = shell("occ config:system:set 'a b c d e f' --value=10.0.0.1", 30);
        assert_eq!(lines, ["occ config:system:set \\", "  'a b c d e f' \\", "  --value=10.0.0.1"]);
    }

    #[test]
    fn long_paths_break_behind_a_slash() {
        let lines = prose("in /srv/nextcloud/config/config.php there", 16);
        assert_eq!(lines, ["in", "/srv/nextcloud/", "config/", "config.php there"]);
        assert_eq!(prose("éééééé", 4), ["éééé", "éé"]);
    }

    #[test]
    fn continued_statements_are_indented() {
        let lines = sql("GRANT SELECT ON a TO b;\nGRANT SELECT ON a_long_name TO b;", 26);
        let expected = ["GRANT SELECT ON a TO b;", "GRANT SELECT ON", "  a_long_name TO b;"];
        assert_eq!(lines, expected);
    }

    proptest! {
        #[test]
        fn prose_keeps_its_words_and_its_width(text in "[a-z]{1,9}( [a-z]{1,9}){0,40}") {
            let lines = prose(&text, 20);
            prop_assert!(lines.iter().all(|line| line.len() <= 20));
            prop_assert_eq!(lines.join(" "), text);
        }

        #[test]
        fn a_folded_command_is_the_same_command(text in "[a-z]{1,9}( [a-z'\"]{1,9}){0,40}") {
            let folded = shell(&text, 24).join("\n").replace(" \\\n  ", " ");
            prop_assert_eq!(folded, text);
        }
    }
}
