//! The time axis that timeline and plots of an input share.
//!
//! Everything across is in per cent of the width or, in curves, in thousandths of it, so that a page
//! is as sharp and as readable on a telephone as on a desk.

use super::super::{ReportEvent, ticks};
use super::page::{Page, short};
use avwatch_actors::severity::Severity;

/// Width of a plot in its own units.
pub(super) const WIDTH: f64 = 1_000.0;

/// Narrowest band, in these units: it must be seen.
const BAND_MIN: f64 = 2.0;

/// Most ticks.
const TICKS_MAX: f64 = 8.0;

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
    fn ticks(self) -> Vec<f64> {
        ticks::ticks(self.duration, TICKS_MAX)
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
            page.put(format_args!(
                "<text x=\"{x}%\" y=\"16\" text-anchor=\"{anchor}\">{}</text>",
                ticks::label(tick, self.duration)
            ));
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
