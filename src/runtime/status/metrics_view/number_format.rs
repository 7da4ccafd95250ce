//! Formats numbers for people.

/// `12 345`; a fraction has one decimal.
#[expect(clippy::cast_possible_truncation, reason = "shown, not counted on")]
pub fn whole(number: f64) -> String {
    if number.fract() != 0.0 {
        return format!("{number:.1}");
    }
    let digits = (number as i64).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `173/s`, `0.5/s`; empty for zero.
pub fn rate(grown: f64, seconds: f64) -> String {
    let rate = grown / seconds.max(f64::EPSILON);
    match rate {
        rate if rate <= 0.0 || !rate.is_finite() => String::new(),
        rate if rate < 10.0 => format!("{rate:.1}/s"),
        rate => format!("{}/s", whole(rate.round())),
    }
}

/// `250 µs`, `98 ms`, `2.5 s`, `15 s`.
pub fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// Bytes with a binary unit: `7.3 MiB`.
pub fn bytes(number: f64) -> String {
    match number / 1024.0 / 1024.0 {
        mib if mib >= 1024.0 => format!("{:.1} GiB", mib / 1024.0),
        mib => format!("{mib:.1} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, rate, span, whole};

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0.0, 999.0, 1000.0, 1_234_567.0, -1000.0, 0.25].map(whole);
        assert_eq!(shown, ["0", "999", "1 000", "1 234 567", "-1 000", "0.2"]);
    }

    #[test]
    fn times_rates_and_sizes_have_two_digits_that_matter() {
        let spans = [0.000_25, 0.001_5, 0.098, 2.5, 15.0].map(span);
        assert_eq!(spans, ["250 µs", "1.5 ms", "98 ms", "2.5 s", "15 s"]);
        assert_eq!([rate(0.0, 1.0), rate(1.0, 2.0), rate(3000.0, 2.0)], ["", "0.5/s", "1 500/s"]);
        assert_eq!([bytes(7.3 * 1_048_576.0), bytes(3e9)], ["7.3 MiB", "2.8 GiB"]);
    }
}
