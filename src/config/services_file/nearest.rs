//! Which known word a mistyped one is most like.

/// So many letters may be wrong.
const AT_MOST: usize = 3;

/// The known word that takes the fewest changes; none when that is another word altogether.
pub(crate) fn nearest<'k>(word: &str, known: &'k [String]) -> Option<&'k str> {
    let near = known.iter().map(|one| (changes(word, one), one));
    let (changes, near) = near.min_by_key(|(changes, _)| *changes)?;
    (changes <= AT_MOST.min(word.len().div_ceil(2))).then_some(near)
}

/// Letters to be put in, left out or replaced (Levenshtein's distance).
fn changes(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{changes, nearest};

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["port", "bind", "metrics_port"].map(str::to_owned);
        assert_eq!(nearest("prot", &known), Some("port"));
        assert_eq!(nearest("metric_port", &known), Some("metrics_port"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("x", &known), None);
        assert_eq!((changes("", "abc"), changes("kitten", "sitting")), (3, 3));
    }
}
