//! Writes metric families in the Prometheus text format without the prefix of our own.

use std::fmt;

/// One sample under a name that another daemon gave it; dashboards know these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompatMetric {
    /// The family's name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// Its help text.
    pub help: &'static str,
    /// A label of its own, as `type="file"`; or empty.
    pub label: &'static str,
    /// The sample's value.
    pub value: u64,
}

/// The families of several services, each written once; a named service's samples have the label
/// `service`.
pub fn write_compat(services: &[(Option<&str>, Vec<CompatMetric>)]) -> String {
    let mut families: Vec<(CompatMetric, Vec<(String, u64)>)> = Vec::new();
    for (service, metrics) in services {
        for metric in metrics {
            let sample = (labels(metric.label, *service), metric.value);
            match families.iter_mut().find(|(family, _)| family.name == metric.name) {
                Some((_, samples)) => samples.push(sample),
                None => families.push((*metric, vec![sample])),
            }
        }
    }
    let text = families.iter().map(|(CompatMetric { name, kind, help, .. }, samples)| {
        write_family(name, kind, help, samples)
    });
    text.collect()
}

/// Labels in their braces, or nothing.
fn labels(own: &str, service: Option<&str>) -> String {
    let service = service.map(|name| format!("service=\"{name}\""));
    let all = [own, service.as_deref().unwrap_or_default()];
    let all: Vec<&str> = all.into_iter().filter(|label| !label.is_empty()).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// One family; each value with its labels, braces included.
pub fn write_family<L: fmt::Display, V: fmt::Display>(
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
