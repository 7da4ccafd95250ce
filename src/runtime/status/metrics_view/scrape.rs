//! Reads the Prometheus text format, as this daemon writes it, back into numbers.

/// One page of metrics.
#[derive(Debug, Default)]
pub struct MetricsScrape(Vec<MetricSample>);

/// One sample of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// Its name with prefix and suffix.
    pub name: String,
    /// Its labels in the order of the page.
    pub labels: Vec<(String, String)>,
    /// The value of the sample.
    pub value: f64,
}

impl MetricSample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The values of all labels but this one: they identify the member of a family.
    pub fn key(&self, without: &str) -> String {
        let values = self.labels.iter().filter(|(name, _)| name != without);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl MetricsScrape {
    /// Parses a page. Lines that are no samples are skipped.
    pub fn parse(page: &str) -> Self {
        Self(page.lines().filter_map(sample).collect())
    }

    /// All samples in the order of the page.
    pub fn samples(&self) -> impl Iterator<Item = &MetricSample> {
        self.0.iter()
    }

    /// The samples of this name.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s MetricSample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The sum over all of this name.
    pub fn sum(&self, name: &str) -> f64 {
        self.all(name).map(|sample| sample.value).sum()
    }

    /// The value of the sample with the same name and labels.
    pub fn same(&self, sample: &MetricSample) -> Option<f64> {
        let same =
            |other: &&MetricSample| other.name == sample.name && other.labels == sample.labels;
        self.0.iter().find(same).map(|other| other.value)
    }

    /// All names, each once, in the order of the page.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|sample| sample.name.as_str()).collect();
        names.dedup();
        names
    }

    /// The quantile of a histogram in seconds, interpolated between two bounds; the last bound beyond it.
    /// `None` while the histogram is empty.
    pub fn quantile(&self, name: &str, key: &str, quantile: f64) -> Option<f64> {
        let bucket = format!("{name}_bucket");
        let mine = self.all(&bucket).filter(|sample| sample.key("le") == key);
        let bound =
            |sample: &MetricSample| sample.label("le").and_then(|le| le.parse::<f64>().ok());
        let buckets: Vec<(f64, f64)> =
            mine.filter_map(|sample| Some((bound(sample)?, sample.value))).collect();
        let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let (mut low, mut below) = (0.0, 0.0);
        for (high, count) in buckets {
            if count >= quantile * total {
                let share = (quantile * total - below) / (count - below).max(1.0);
                return Some(if high.is_finite() { low + (high - low) * share } else { low });
            }
            (low, below) = (high, count);
        }
        Some(low)
    }
}

// `name{label="value",…} number`: Prometheus, "exposition formats", text-based format.
fn sample(line: &str) -> Option<MetricSample> {
    let (head, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
    let (name, rest) = head.split_once('{').unwrap_or((head, ""));
    let value = if value == "+Inf" { f64::INFINITY } else { value.parse().ok()? };
    Some(MetricSample { name: name.to_owned(), labels: labels(rest), value })
}

fn labels(mut rest: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let (mut value, mut escaped, mut end) = (String::new(), false, quoted.len());
        for (at, letter) in quoted.char_indices() {
            match (escaped, letter) {
                (true, 'n') => value.push('\n'),
                (true, letter) => value.push(letter),
                (false, '"') => {
                    end = at;
                    break;
                }
                (false, '\\') => {}
                (false, letter) => value.push(letter),
            }
            escaped = !escaped && letter == '\\';
        }
        labels.push((name.trim_start_matches(',').to_owned(), value));
        rest = quoted.get(end + 1..).unwrap_or_default();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::MetricsScrape;

    const PAGE: &str = "# HELP waits Waits.\n# TYPE waits histogram\n\
        waits_bucket{way=\"a\",le=\"0.1\"} 50\nwaits_bucket{way=\"a\",le=\"0.2\"} 100\n\
        waits_bucket{way=\"a\",le=\"+Inf\"} 101\nwaits_sum{way=\"a\"} 12\n\
        info{version=\"1 \\\"x\\\\y\\n\",b=\"c\"} 1\nplain 2.5\n";

    #[test]
    fn names_labels_and_values_come_back_as_they_went() {
        let scrape = MetricsScrape::parse(PAGE);
        let info = scrape.all("info").next().unwrap();
        assert_eq!((info.label("version"), info.label("b")), (Some("1 \"x\\y\n"), Some("c")));
        assert_eq!((scrape.sum("plain"), scrape.sum("waits_bucket")), (2.5, 251.0));
        assert_eq!(scrape.names(), ["waits_bucket", "waits_sum", "info", "plain"]);
    }

    #[test]
    fn quantiles_lie_between_their_bounds() {
        let scrape = MetricsScrape::parse(PAGE);
        assert_eq!(scrape.quantile("waits", "a", 0.25), Some(0.050_5));
        assert_eq!(scrape.quantile("waits", "a", 0.999), Some(0.2));
        assert_eq!(scrape.quantile("waits", "b", 0.5), None);
    }
}
