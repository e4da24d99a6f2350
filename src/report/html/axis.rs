//! The time axis that timeline and plots of an input share.
//!
//! Everything across is in per cent of the width or, in curves, in thousandths of it, so that a page
//! is as sharp and as readable on a telephone as on a desk.

use super::super::ReportEvent;
use super::page::{Page, short};
use avwatch_actors::severity::Severity;

/// Width of a plot in its own units.
pub(super) const WIDTH: f64 = 1_000.0;

/// Narrowest band, in these units: it must be seen.
const BAND_MIN: f64 = 2.0;

/// Most ticks.
const TICKS_MAX: f64 = 8.0;

/// Distances of ticks in seconds; beyond them, multiples of a day.
const STEPS: [f64; 21] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    14_400.0, 21_600.0, 43_200.0, 86_400.0,
];

/// The time axis of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    duration: f64,
}

impl Axis {
    /// An axis of that many seconds; nothing when there is no length to draw.
    pub(super) fn new(duration: Option<f64>) -> Option<Self> {
        duration.filter(|duration| *duration > 0.0).map(|duration| Self { duration })
    }

    /// Where a time stands, in units of [`WIDTH`].
    pub(super) fn place(self, seconds: f64) -> f64 {
        (seconds / self.duration * WIDTH).clamp(0.0, WIDTH)
    }

    /// Begin and width of an event's band, in the same units.
    pub(super) fn band(self, event: &ReportEvent) -> (f64, f64) {
        let from = self.place(event.start_s).min(WIDTH - BAND_MIN);
        (from, (self.place(event.end_s) - from).max(BAND_MIN))
    }

    /// Times to mark.
    pub(super) fn ticks(self) -> Vec<f64> {
        let enough = |step: &f64| self.duration / step <= TICKS_MAX;
        let days = || (self.duration / TICKS_MAX / 86_400.0).ceil() * 86_400.0;
        let step = STEPS.into_iter().find(enough).unwrap_or_else(days);
        // At most TICKS_MAX of them, by the choice of the step.
        (0..=(self.duration / step + 1e-9) as u32).map(|tick| f64::from(tick) * step).collect()
    }

    /// A time as it is written beside a tick.
    pub(super) fn label(self, seconds: f64) -> String {
        let whole = seconds.round() as u64;
        if self.duration < 1.0 {
            format!("{seconds:.1} s")
        } else if self.duration < 120.0 {
            format!("{} s", short(seconds))
        } else if self.duration < 3_600.0 {
            format!("{}:{:02}", whole / 60, whole % 60)
        } else {
            format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60)
        }
    }

    /// Adds the upright lines of the ticks to a drawing.
    pub(super) fn write_lines(self, page: &mut Page) {
        for tick in self.ticks() {
            let x = short(self.place(tick) / 10.0);
            page.put(format_args!("<line class=\"grid\" x1=\"{x}%\" x2=\"{x}%\" y1=\"0\" y2=\"100%\"/>"));
        }
    }

    /// Adds the row of a grid that names the ticks.
    pub(super) fn write_row(self, page: &mut Page) {
        page.raw("<div></div><div><svg height=\"20\" role=\"img\" aria-label=\"time axis\">");
        for tick in self.ticks() {
            let place = self.place(tick) / 10.0;
            let (x, anchor) = (
                short(place),
                if place > 96.0 {
                    "end"
                } else if place < 4.0 {
                    "start"
                } else {
                    "middle"
                },
            );
            page.put(format_args!("<line class=\"grid\" x1=\"{x}%\" x2=\"{x}%\" y1=\"0\" y2=\"5\"/>"));
            page.put(format_args!("<text x=\"{x}%\" y=\"16\" text-anchor=\"{anchor}\">{}</text>", self.label(tick)));
        }
        page.raw("</svg></div>\n");
    }

    /// Adds bands of the worst severity at each time, as few shapes as there are severities: as high as
    /// `height`, from `top` on.
    pub(super) fn write_bands<'a>(
        self,
        page: &mut Page,
        events: impl Iterator<Item = &'a ReportEvent>,
        (top, height): (u32, u32),
    ) {
        let mut cells = [None; WIDTH as usize];
        for event in events {
            let (from, width) = self.band(event);
            let until = ((from + width).ceil() as usize).min(cells.len());
            for cell in &mut cells[from as usize..until] {
                *cell = (*cell).max(Some(event.severity));
            }
        }
        for severity in Severity::ALL {
            let mut path = String::new();
            let mut from = 0;
            for run in cells.chunk_by(|one, next| one == next) {
                if run[0] == Some(severity) {
                    path.push_str(&format!("M{from},{top}h{0}v{height}h-{0}z", run.len()));
                }
                from += run.len();
            }
            if !path.is_empty() {
                page.put(format_args!("<path class=\"band {severity}\" d=\"{path}\"/>"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::event;
    use super::*;

    fn axis(duration: f64) -> Axis {
        Axis::new(Some(duration)).expect("has a length")
    }

    #[test]
    fn ticks_are_round_and_few_whatever_the_length() {
        assert_eq!(axis(0.3).ticks().len(), 4);
        assert_eq!(axis(12.0).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        assert_eq!(axis(3_600.0).ticks(), [0.0, 600.0, 1_200.0, 1_800.0, 2_400.0, 3_000.0, 3_600.0]);
        assert_eq!(axis(40.0 * 86_400.0).ticks().len(), 9);
    }

    #[test]
    fn labels_read_as_times() {
        assert_eq!(axis(12.0).label(2.0), "2 s");
        assert_eq!(axis(600.0).label(90.0), "1:30");
        assert_eq!(axis(7_200.0).label(3_690.0), "1:01:30");
    }

    #[test]
    fn what_has_no_length_has_no_axis() {
        assert!(Axis::new(None).is_none() && Axis::new(Some(0.0)).is_none());
    }

    #[test]
    fn bands_show_the_worst_severity_at_every_time() {
        let events = [
            event("black", 1, Severity::Minor, 0, 10_000),
            event("freeze", 2, Severity::Critical, 5_000, 6_000),
            event("flash", 8, Severity::Info, 20_000, 20_000),
        ];
        let mut page = Page::default();
        axis(20.0).write_bands(&mut page, events.iter(), (0, 9));
        assert_eq!(
            page.0,
            "<path class=\"band info\" d=\"M998,0h2v9h-2z\"/>\
             <path class=\"band minor\" d=\"M0,0h250v9h-250zM300,0h200v9h-200z\"/>\
             <path class=\"band critical\" d=\"M250,0h50v9h-50z\"/>"
        );
    }
}
