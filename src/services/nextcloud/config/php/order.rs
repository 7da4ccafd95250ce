//! PHP's natural order, in which Nextcloud merges `*.config.php` (`natsort` over `glob`).

use std::cmp::Ordering;

/// Compares as PHP's `strnatcmp`: runs of digits by their number, white space aside, the rest by
/// byte.
pub(super) fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        left = left.trim_ascii_start();
        right = right.trim_ascii_start();
        let (Some(l), Some(r)) = (left.first(), right.first()) else {
            return left.len().cmp(&right.len());
        };
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (a, b) = (take_number(&mut left), take_number(&mut right));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else {
            let order = l.cmp(r);
            left = left.get(1..).unwrap_or_default();
            right = right.get(1..).unwrap_or_default();
            order
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the run of digits at the front and returns it without leading zeros.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(length);
    *text = rest;
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_count_as_numbers_and_capitals_come_first() {
        let mut names = [
            "b.config.php",
            "10.config.php",
            "a.config.php",
            "2.config.php",
            "Z.config.php",
            "02b.config.php",
            "a10.config.php",
            "a9.config.php",
        ];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "2.config.php",
                "02b.config.php",
                "10.config.php",
                "Z.config.php",
                "a.config.php",
                "a9.config.php",
                "a10.config.php",
                "b.config.php"
            ]
        );
    }
}
