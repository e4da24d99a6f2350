//! The timeline of an input: for each track a strip of its worst severities, and below it a lane for
//! each detector that found something, with a band for each event that leads to its row.

use std::collections::BTreeSet;

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;

use super::super::{ReportEvent, ReportInput};
use super::axis::{Axis, WIDTH};
use super::page::{Page, short};
use super::{EVENTS_MAX, Place};

/// Height of the strip of a track, with room for what a band is called above it.
const STRIP: u32 = 22;
/// Height of a lane.
const LANE: u32 = 18;

pub(super) fn write(page: &mut Page, input: &ReportInput, axis: Axis, place: Place) {
    page.raw("<h3>Timeline</h3>\n<p class=\"legend\">");
    for severity in Severity::ALL {
        page.severity(severity.name()).raw(" ");
    }
    page.raw("</p>\n<div class=\"g\">\n");
    let mut tracks: BTreeSet<TrackId> = input.tracks.iter().map(|track| track.track).collect();
    tracks.extend(input.events.iter().map(|event| event.track));
    for track in tracks {
        write_track(page, input, track, axis, place);
    }
    axis.write_row(page);
    page.raw("</div>\n");
}

fn write_track(page: &mut Page, input: &ReportInput, track: TrackId, axis: Axis, place: Place) {
    let events = || input.events.iter().filter(move |event| event.track == track);
    let lanes: BTreeSet<(u16, &str)> = events().map(|event| (event.number, &*event.detector)).collect();
    let lanes: Vec<(u16, &str)> = lanes.into_iter().collect();
    let height = STRIP + LANE * u32::try_from(lanes.len()).unwrap_or(0) + 4;
    page.put(format_args!("<div><svg height=\"{height}\"><text class=\"t\" x=\"0\" y=\"19\">{track}</text>"));
    for ((_, detector), y) in lanes.iter().zip((STRIP..).step_by(LANE as usize)) {
        page.put(format_args!("<text x=\"100%\" y=\"{}\" text-anchor=\"end\">", y + 13)).text(detector).raw("</text>");
    }
    page.put(format_args!("</svg></div><div class=\"row\"><svg height=\"{height}\" role=\"group\" "));
    page.put(format_args!("aria-label=\"timeline of {track}\">"));
    page.put(format_args!("<rect class=\"bg\" x=\"0\" y=\"12\" width=\"100%\" height=\"{}\"/>", height - 12));
    axis.write_lines(page);
    page.raw("<svg class=\"strip\" width=\"100%\" height=\"22\" viewBox=\"0 0 1000 22\" preserveAspectRatio=\"none\">");
    axis.write_bands(page, events(), (14, 6));
    page.raw("</svg>");
    for (number, event) in input.events.iter().enumerate().take(EVENTS_MAX).filter(|(_, event)| event.track == track) {
        let lane = lanes.iter().position(|lane| *lane == (event.number, &*event.detector)).unwrap_or(0);
        write_band(page, event, axis, (place, number), STRIP + LANE * u32::try_from(lane).unwrap_or(0) + 2);
    }
    page.raw("</svg></div>\n");
}

fn write_band(page: &mut Page, event: &ReportEvent, axis: Axis, (place, number): (Place, usize), y: u32) {
    let (from, width) = axis.band(event);
    let (x, across) = (from / 10.0, width / 10.0);
    let severity = event.severity.name();
    page.put(format_args!("<a id=\"{0}b{number}\" href=\"#{0}e{number}\" class=\"{severity}\">", place.id()));
    page.raw("<title>").text(&format!("{} {}, {severity}: {}", event.detector, event.span(), event.message));
    page.put(format_args!(
        "</title><rect x=\"{x:.2}%\" y=\"{y}\" width=\"{across:.2}%\" height=\"{}\" rx=\"2\"/>",
        LANE - 4
    ));
    // What a band is called stands above the strip, at its begin, or at its end on the right half.
    let (at, anchor) = if from + width / 2.0 < WIDTH / 2.0 { (x, "start") } else { (x + across, "end") };
    page.put(format_args!("<text x=\"{}%\" y=\"11\" text-anchor=\"{anchor}\">", short(at)));
    page.text(&format!("{} {}", event.detector, event.span())).raw("</text></a>\n");
}
