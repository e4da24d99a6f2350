//! Curves: a series as the path of its means and the area between lowest and highest value.

use super::axis::{Axis, WIDTH};
use super::page::{Page, short};
use crate::record::{Point, Series};

/// A scale upwards: which values a plot shows, and where.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// The value at the bottom.
    pub(super) low: f64,
    /// The value at the top.
    pub(super) high: f64,
    /// Small values get more room: by the square root.
    pub(super) rooted: bool,
    /// Height in pixels.
    pub(super) height: f64,
}

impl Scale {
    /// Where a value stands, in pixels from the top; what lies outside stands at the edge.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let share = if self.rooted { share.sqrt() } else { share };
        (1.0 - share) * self.height
    }
}

/// How a series is drawn.
pub(super) struct Curve<'a> {
    /// What is drawn.
    pub(super) series: &'a Series,
    /// Class of its colour.
    pub(super) class: &'static str,
    /// From what is recorded to what is shown, such as from power to dBFS.
    pub(super) shown: fn(f64) -> f64,
    /// Which values the line connects; the area is drawn for [`Line::Mean`] only.
    pub(super) line: Line,
}

/// Which values of its buckets a line connects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The mean; the area reaches from the lowest to the highest.
    Mean,
    /// The lowest.
    Low,
    /// The highest.
    High,
}

impl Curve<'_> {
    /// Adds the curve to a drawing that is 1,000 units wide.
    pub(super) fn write(&self, page: &mut Page, axis: Axis, scale: &Scale, points_max: usize) {
        let points = self.series.points(points_max);
        let runs = || points.chunk_by(|one, next| !one.is_apart_from(next));
        if self.line == Line::Mean && points.iter().any(|point| point.low < point.high) {
            page.put(format_args!("<path class=\"area {}\" d=\"", self.class));
            for run in runs() {
                self.write_area(page, run, axis, scale);
            }
            page.raw("\"/>");
        }
        page.put(format_args!("<path class=\"curve {}\" d=\"", self.class));
        for run in runs() {
            self.write_line(page, run, axis, scale);
        }
        page.raw("\"/>");
    }

    fn write_line(&self, page: &mut Page, run: &[Point], axis: Axis, scale: &Scale) {
        let mut begin = "M";
        for point in run {
            let value = match self.line {
                Line::Mean => point.mean(),
                Line::Low => f64::from(point.low),
                Line::High => f64::from(point.high),
            };
            let y = short(scale.place((self.shown)(value)));
            page.put(format_args!("{begin}{},{y}", short(axis.place(point.at().as_secs_f64()))));
            begin = " ";
        }
        // The last value holds until it ends; one that stands alone would not be seen otherwise.
        if let Some(last) = run.last() {
            let end = axis.place(last.until.as_secs_f64()).min(WIDTH);
            page.put(format_args!("H{}", short(end)));
        }
    }

    fn write_area(&self, page: &mut Page, run: &[Point], axis: Axis, scale: &Scale) {
        let mut begin = "M";
        let mut put = |point: &Point, value: f32| {
            let (x, y) = (axis.place(point.at().as_secs_f64()), scale.place((self.shown)(f64::from(value))));
            page.put(format_args!("{begin}{},{}", short(x), short(y)));
            begin = " ";
        };
        run.iter().for_each(|point| put(point, point.high));
        run.iter().rev().for_each(|point| put(point, point.low));
        page.raw("z");
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::media_time::MediaTime;

    use super::*;

    const SCALE: Scale = Scale { low: 0.0, high: 100.0, rooted: false, height: 100.0 };

    fn drawn(values: &[(i64, f32)], points_max: usize, line: Line) -> String {
        let mut series = Series::default();
        for (at, value) in values {
            series.push(MediaTime::from_millis(*at), MediaTime::from_millis(100), *value);
        }
        let mut page = Page::default();
        let axis = Axis::new(Some(10.0)).expect("has a length");
        Curve { series: &series, class: "a", shown: |value| value, line }.write(&mut page, axis, &SCALE, points_max);
        page.0
    }

    #[test]
    fn a_line_goes_through_every_value_at_its_time() {
        let line = drawn(&[(0, 10.0), (100, 20.0), (200, 100.0)], 1_000, Line::Mean);
        assert_eq!(line, "<path class=\"curve a\" d=\"M0,90 10,80 20,0H30\"/>");
    }

    #[test]
    fn nothing_is_drawn_where_nothing_is_known() {
        let line = drawn(&[(0, 10.0), (5_000, 20.0)], 1_000, Line::High);
        assert_eq!(line, "<path class=\"curve a\" d=\"M0,90H10M500,80H510\"/>");
    }

    #[test]
    fn the_area_keeps_the_peaks_that_the_mean_loses() {
        let values: Vec<(i64, f32)> = (0..100).map(|n| (n * 100, if n == 50 { 100.0 } else { 40.0 })).collect();
        let both = drawn(&values, 10, Line::Mean);
        assert!(both.starts_with("<path class=\"area a\" d=\"M") && both.contains(",0 "), "{both}");
        assert!(drawn(&values, 10, Line::High).contains(",0 "));
        assert!(!drawn(&values, 10, Line::Low).contains(",0 "));
    }

    #[test]
    fn values_outside_of_the_scale_stand_at_its_edge() {
        assert_eq!([-200.0, 0.0, 50.0, 100.0, 900.0].map(|value| SCALE.place(value)), [100.0, 100.0, 50.0, 0.0, 0.0]);
        let rooted = Scale { rooted: true, ..SCALE };
        assert_eq!([0.0, 25.0, 100.0].map(|value| rooted.place(value)), [100.0, 50.0, 0.0]);
    }
}
