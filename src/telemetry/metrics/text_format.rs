//! Writes one metric family in the Prometheus text format.

/// One family in the Prometheus text format; each value with its labels, braces included.
pub fn write_family<L: std::fmt::Display, V: std::fmt::Display>(
    name: &str,
    kind: &str,
    help: &str,
    values: &[(L, V)],
) -> String {
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in values {
        text += &format!("{name}{labels} {value}\n");
    }
    text
}
