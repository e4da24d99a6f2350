//! A page of `/metrics`, as it was.

/// Samples of one moment.
#[derive(Debug, Default)]
pub struct Metrics(Vec<(String, f64)>);

impl Metrics {
    /// Reads the text format; what is no sample is passed over.
    pub fn parse(page: &str) -> Self {
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        };
        Self(page.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of a series, its labels as written.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.0.iter().find(|(name, _)| name == series).map(|(_, value)| *value)
    }

    /// Samples whose series begins with `family{` (or is it) and holds every one of the words.
    pub fn of<'a>(&'a self, family: &'a str, words: &'a [&str]) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(family)?;
            let is_it =
                (labels.is_empty() || labels.starts_with('{')) && words.iter().all(|word| labels.contains(word));
            is_it.then_some((series.as_str(), *value))
        })
    }

    /// The sum of those.
    pub fn sum(&self, family: &str, words: &[&str]) -> f64 {
        self.of(family, words).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_family_and_labels() {
        let page = Metrics::parse("# HELP a b\na{x=\"1\"} 2\na{x=\"2\"} 3\nab{x=\"1\"} 5\nc 7\n");
        assert_eq!((page.len(), page.value("c"), page.value("a{x=\"2\"}")), (4, Some(7.0), Some(3.0)));
        assert_eq!((page.sum("a", &[]), page.sum("a", &["x=\"1\""]), page.sum("c", &[])), (5.0, 2.0, 7.0));
    }
}
