//! One measurement over media time, in a fixed number of buckets that double their width when full.
//!
//! Owned by a record. Every bucket keeps lowest, highest and mean value, so that neither a peak nor a
//! drop of a single picture is lost, however long the input is.

use avwatch_actors::media_time::MediaTime;

/// Most buckets of a series.
const BUCKETS_MAX: usize = 512;

/// Width of the first buckets: a hop of sound.
const WIDTH: MediaTime = MediaTime::from_millis(10);

/// A stretch without values that is longer than this interrupts the curve.
const GAP: MediaTime = MediaTime::from_millis(250);

/// One measurement over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    width: MediaTime,
    buckets: Vec<Option<Point>>,
}

impl Default for Series {
    fn default() -> Self {
        Self { width: WIDTH, buckets: Vec::new() }
    }
}

/// The values of one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the first of them holds.
    pub from: MediaTime,
    /// Until when the last of them holds.
    pub until: MediaTime,
    /// The lowest of them.
    pub low: f32,
    /// The highest of them.
    pub high: f32,
    sum: f64,
    count: u32,
}

impl Point {
    /// The mean of the values.
    pub fn mean(&self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }

    /// Where it stands on the time axis: its middle, or the begin of a single value.
    pub fn at(&self) -> MediaTime {
        if self.count <= 1 {
            return self.from;
        }
        self.from + MediaTime::from_nanos((self.until - self.from).as_nanos() / 2)
    }

    /// True when nothing is known of a stretch between the two that one would see.
    pub fn is_apart_from(&self, next: &Self) -> bool {
        next.from - self.until > GAP
    }

    fn join(&mut self, next: &Self) {
        self.from = self.from.min(next.from);
        self.until = self.until.max(next.until);
        self.low = self.low.min(next.low);
        self.high = self.high.max(next.high);
        self.sum += next.sum;
        self.count = self.count.saturating_add(next.count);
    }
}

impl Series {
    /// Adds a value that holds from `at` on. What is no number is left out; what lies before the
    /// timeline's origin counts as its begin.
    pub fn push(&mut self, at: MediaTime, lasts: MediaTime, value: f32) {
        if !value.is_finite() {
            return;
        }
        let from = at.max(MediaTime::ZERO);
        let until = (at + lasts).max(from);
        let point = Point { from, until, low: value, high: value, sum: f64::from(value), count: 1 };
        while place(from, self.width) >= BUCKETS_MAX {
            self.width += self.width;
            self.buckets = merged(&self.buckets);
        }
        let place = place(from, self.width);
        if self.buckets.len() <= place {
            self.buckets.resize(place + 1, None);
        }
        add(&mut self.buckets[place], &point);
    }

    /// True when it holds no value.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// What it holds, in order of time, as at most `points_max` points.
    pub fn points(&self, points_max: usize) -> Vec<Point> {
        let mut points: Vec<Point> = self.buckets.iter().flatten().copied().collect();
        let mut buckets = self.buckets.clone();
        while points.len() > points_max.max(1) {
            buckets = merged(&buckets);
            points = buckets.iter().flatten().copied().collect();
        }
        points
    }
}

/// The bucket of a time that is not negative.
fn place(at: MediaTime, width: MediaTime) -> usize {
    usize::try_from(at.as_nanos() / width.as_nanos()).unwrap_or(0)
}

fn add(bucket: &mut Option<Point>, point: &Point) {
    match bucket {
        Some(known) => known.join(point),
        None => *bucket = Some(*point),
    }
}

/// Buckets of twice the width.
fn merged(buckets: &[Option<Point>]) -> Vec<Option<Point>> {
    let join = |pair: &[Option<Point>]| {
        let mut joined = None;
        for point in pair.iter().flatten() {
            add(&mut joined, point);
        }
        joined
    };
    buckets.chunks(2).map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seconds: i64, value: impl Fn(i64) -> f32) -> Series {
        let mut series = Series::default();
        for picture in 0..seconds * 25 {
            series.push(MediaTime::from_millis(picture * 40), MediaTime::from_millis(40), value(picture));
        }
        series
    }

    #[test]
    fn a_short_series_keeps_every_value() {
        let points = series(4, |picture| picture as f32).points(1_000);
        let told: Vec<(i64, f32, f32)> =
            points.iter().map(|point| (point.at().as_millis(), point.low, point.high)).collect();
        let all: Vec<(i64, f32, f32)> =
            (0..100).map(|picture| (picture * 40, picture as f32, picture as f32)).collect();
        assert_eq!(told, all);
    }

    #[test]
    fn a_single_picture_stands_out_of_many_hours() {
        let series = series(40_000, |picture| if picture == 654_321 { 255.0 } else { 16.0 });
        let points = series.points(1_000);
        assert!((256..=512).contains(&points.len()), "{}", points.len());
        let high: Vec<&Point> = points.iter().filter(|point| point.high > 16.0).collect();
        assert_eq!(high.len(), 1);
        assert!(high[0].from.as_millis() <= 654_321 * 40 && 654_321 * 40 < high[0].until.as_millis());
        assert_eq!((high[0].low, high[0].high), (16.0, 255.0));
        assert!((high[0].mean() - 16.0).abs() < 1.0, "{}", high[0].mean());
    }

    #[test]
    fn fewer_points_are_the_same_values_closer_together() {
        let series = series(10, |picture| picture as f32);
        let points = series.points(16);
        assert!((8..=16).contains(&points.len()), "{}", points.len());
        assert_eq!((points[0].low, points[points.len() - 1].high), (0.0, 249.0));
        assert_eq!(points[points.len() - 1].until, MediaTime::from_millis(10_000));
    }

    #[test]
    fn a_stretch_without_values_interrupts_the_curve() {
        let mut series = Series::default();
        for at in [0, 100, 1_000] {
            series.push(MediaTime::from_millis(at), MediaTime::from_millis(100), 1.0);
        }
        let points = series.points(100);
        assert!(!points[0].is_apart_from(&points[1]) && points[1].is_apart_from(&points[2]));
    }

    #[test]
    fn no_time_and_no_number_breaks_it() {
        let mut series = Series::default();
        series.push(MediaTime::from_millis(-20), MediaTime::from_millis(40), 3.0);
        series.push(MediaTime::MAX, MediaTime::MAX, 4.0);
        series.push(MediaTime::ZERO, MediaTime::ZERO, f32::NAN);
        let points = series.points(10);
        assert_eq!(points.iter().map(|point| point.high).collect::<Vec<_>>(), [3.0, 4.0]);
        assert_eq!(points[0].from, MediaTime::ZERO);
    }
}
