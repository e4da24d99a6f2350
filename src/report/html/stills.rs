//! Small pictures: the first one of a file, and one at the onset of each event that concerns pictures.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{TrackId, TrackKind};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::ReportInput;
use super::page::Page;
use super::{EVENTS_MAX, Place};
use crate::record::{Record, Still};

/// Most pictures of an input.
const STILLS_MAX: usize = 24;
/// Most bytes of JPEG of a page, shared by its inputs; a third more as text.
const PAGE_BYTES_MAX: usize = 480_000;
/// Most events that are named below one picture.
const NAMES_MAX: usize = 6;

/// How many bytes each of so many inputs may have.
pub(super) fn bytes_max(inputs: usize) -> usize {
    PAGE_BYTES_MAX / inputs.max(1)
}

/// A picture to show, with the numbers of the events that begin at it.
struct Shown<'a> {
    still: &'a Still,
    events: Vec<usize>,
}

pub(super) fn write(page: &mut Page, input: &ReportInput, record: &Record, place: Place, bytes_max: usize) {
    let (shown, left_out) = choose(input, record, bytes_max);
    if shown.is_empty() {
        return;
    }
    page.raw("<h3>Pictures</h3>\n<div class=\"stills\">\n");
    for ((_, track), shown) in &shown {
        write_still(page, input, *track, shown, place);
    }
    page.raw("</div>\n");
    if left_out > 0 {
        page.put(format_args!(
            "<p class=\"dim\">And {left_out} more pictures that would make the page too large.</p>\n"
        ));
    }
}

/// Chooses pictures, the first one and those of the worst events first, until there are enough; gives
/// them in order of time, and how many were left out.
fn choose<'a>(
    input: &ReportInput,
    record: &'a Record,
    bytes_max: usize,
) -> (BTreeMap<(MediaTime, TrackId), Shown<'a>>, usize) {
    let mut wanted: Vec<((MediaTime, TrackId), &Still, Option<usize>)> = Vec::new();
    for (track, pictures) in &record.pictures {
        wanted.extend(pictures.stills.first().map(|still| ((still.at, *track), still, None)));
    }
    let mut order: Vec<usize> = (0..input.events.len().min(EVENTS_MAX)).collect();
    // The sort is stable: events of one severity stay in order of time.
    order.sort_by_key(|number| Reverse(input.events[*number].severity));
    for number in order {
        let event = &input.events[number];
        let found = record.pictures.get(&event.track).filter(|_| event.track.kind == TrackKind::Video);
        let still = found.and_then(|pictures| pictures.stills.nearest(MediaTime::from_secs_f64(event.start_s)));
        wanted.extend(still.map(|still| ((still.at, event.track), still, Some(number))));
    }
    let mut shown: BTreeMap<(MediaTime, TrackId), Shown<'a>> = BTreeMap::new();
    let (mut bytes, mut left_out) = (0, std::collections::BTreeSet::new());
    for (key, still, event) in wanted {
        if !shown.contains_key(&key) {
            if shown.len() >= STILLS_MAX || bytes + still.jpeg.len() > bytes_max {
                left_out.insert(key);
                continue;
            }
            bytes += still.jpeg.len();
        }
        shown.entry(key).or_insert_with(|| Shown { still, events: Vec::new() }).events.extend(event);
    }
    shown.values_mut().for_each(|shown| shown.events.sort_unstable());
    (shown, left_out.len())
}

fn write_still(page: &mut Page, input: &ReportInput, track: TrackId, shown: &Shown<'_>, place: Place) {
    let Still { at, width, height, jpeg } = shown.still;
    let seconds = at.as_report_secs();
    page.put(format_args!("<figure><img width=\"{width}\" height=\"{height}\" alt=\"{track} at {seconds:.3} s\" "));
    page.raw("src=\"data:image/jpeg;base64,");
    BASE64_STANDARD.encode_string(jpeg, &mut page.0);
    page.put(format_args!("\"/><figcaption><b>{seconds:.3} s</b> <span class=\"dim\">{track}</span>"));
    for number in shown.events.iter().take(NAMES_MAX) {
        let event = &input.events[*number];
        page.put(format_args!("<a href=\"#{}e{number}\">", place.id())).severity(event.severity.name()).raw(" ");
        page.text(&event.detector).put(format_args!(" <span class=\"w\">from {:.3} s</span>", event.start_s));
        // The picture says nothing of an event that was over before it, or had not begun.
        if event.duration_s > 0.0 && event.end_s <= seconds {
            page.raw(", over before this picture");
        } else if event.start_s > seconds {
            page.raw(", begins after this picture, the last one");
        }
        page.raw("</a>");
    }
    if shown.events.len() > NAMES_MAX {
        page.put(format_args!("and {} more", shown.events.len() - NAMES_MAX));
    }
    page.raw("</figcaption></figure>\n");
}
