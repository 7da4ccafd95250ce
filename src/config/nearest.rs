//! The known word that a mistyped one is most similar to.

/// The most letters that may differ in a word.
const MAX_EDITS: usize = 3;

/// The known word that takes the fewest edits; none if all are other words altogether.
pub(crate) fn nearest<'k, K: AsRef<str>>(word: &str, known: &'k [K]) -> Option<&'k str> {
    within(word, known, MAX_EDITS.min(word.len().div_ceil(2)))
}

/// The same where most words are unrelated ones: one edit, and one more for every four letters.
pub(crate) fn nearest_typo<'k, K: AsRef<str>>(word: &str, known: &'k [K]) -> Option<&'k str> {
    within(word, known, MAX_EDITS.min(word.len().div_ceil(4)))
}

fn within<'k, K: AsRef<str>>(word: &str, known: &'k [K], most: usize) -> Option<&'k str> {
    let distances = known.iter().map(|one| (edits(word, one.as_ref()), one.as_ref()));
    let (edits, near) = distances.min_by_key(|(edits, _)| *edits)?;
    (edits <= most).then_some(near)
}

/// Letters to insert, delete, replace, or swap with their neighbour (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for row in 1..=a.len() {
        let mut current = vec![row; b.len() + 1];
        for column in 1..=b.len() {
            let replaced = above[column - 1] + usize::from(a[row - 1] != b[column - 1]);
            let mut fewest = replaced.min(above[column] + 1).min(current[column - 1] + 1);
            let swapped =
                row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1];
            if swapped {
                fewest = fewest.min(before[column - 2] + 1);
            }
            current[column] = fewest;
        }
        before = std::mem::replace(&mut above, current);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edits, nearest, nearest_typo};

    #[test]
    fn a_typo_is_recognized_and_another_word_is_not() {
        let known = ["port", "bind", "metrics_port"];
        assert_eq!(nearest("prot", &known), Some("port"));
        assert_eq!(nearest("metric_port", &known), Some("metrics_port"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("x", &known), None);
        assert_eq!((edits("", "abc"), edits("kitten", "sitting")), (3, 3));
    }

    #[test]
    fn among_unrelated_words_only_a_slip_counts() {
        let known = ["PORT", "DATABASE_URL"];
        assert_eq!(nearest_typo("PROT", &known), Some("PORT"));
        assert_eq!(nearest_typo("DATABSE_URl", &known), Some("DATABASE_URL"));
        assert_eq!(nearest_typo("PATH", &known), None);
        assert_eq!(nearest_typo("HOST", &known), None);
    }
}
