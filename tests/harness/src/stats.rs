//! Metrics as Prometheus would see them.

use std::collections::BTreeMap;
use std::fmt;

/// One time series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name: Envoy's own begin with `envoy_`, those of Wasm filters are as the filter names them.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// Whether it has all of these labels.
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|found| found == value))
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
        write!(f, "{}{{{}}} {}", self.name, labels.join(","), self.value)
    }
}

/// All metrics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// The time series in the order of the page.
    pub samples: Vec<Sample>,
}

impl Stats {
    /// Reads the Prometheus text format; lines it does not understand are left out.
    pub fn parse(text: &str) -> Self {
        Self { samples: text.lines().filter(|line| !line.starts_with('#')).filter_map(parse_line).collect() }
    }

    /// The sum of all series of that exact name that have (at least) these labels; 0 when there is none.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let found = self.samples.iter().filter(|sample| sample.name == name && sample.has(labels));
        found.map(|sample| sample.value).sum::<f64>() as u64
    }

    /// The value of the only series of that exact name with (at least) these labels; `None` when there is none or more than one.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.samples.iter().filter(|sample| sample.name == name && sample.has(labels));
        found.next().filter(|_| found.next().is_none()).map(|sample| sample.value)
    }

    /// All series whose name begins so.
    pub fn named(&self, prefix: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name.starts_with(prefix))
    }
}

fn parse_line(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return Some(Sample { name: series.trim().into(), labels: BTreeMap::new(), value });
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest.strip_suffix('}')?;
    while let Some((key, tail)) = rest.split_once("=\"") {
        let mut text = String::new();
        let mut chars = tail.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    other => text.push(other),
                },
                (_, other) => text.push(other),
            }
        };
        labels.insert(key.trim_start_matches(',').to_owned(), text);
        rest = &tail[end + 1..];
    }
    Some(Sample { name: name.into(), labels, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_labels_and_escapes() {
        let stats = Stats::parse("# TYPE a counter\na{x=\"1\",y=\"a \\\"b\\\" \\\\ }\"} 3\na{x=\"2\"} 4\nb 2.5\n");
        assert_eq!(stats.counter("a", &[]), 7);
        assert_eq!(stats.counter("a", &[("x", "1")]), 3);
        assert_eq!(stats.samples[0].labels["y"], "a \"b\" \\ }");
        assert_eq!(stats.gauge("b", &[]), Some(2.5));
        assert_eq!(stats.gauge("a", &[]), None);
    }
}
