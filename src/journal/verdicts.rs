//! Spans of verdicts as bytes: what detectors said, in rows of a minute.
//!
//! Only what held, and what came near, has a record; a healthy stream takes next to nothing. Of two records with the
//! same place both count, in their order. Pure.

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{TrackId, TrackKind};
use avwatch_actors::verdict_notes::{NotedSpan, Onset, SCORES_MAX, SpanKind, VerdictSpan};

const HELD: u8 = 1;
const GOES_ON: u8 = 2;
const SECONDARY: u8 = 4;

/// A span as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptSpan {
    /// The second since 1970 in which it ended.
    pub at: u64,
    /// The track.
    pub track: TrackId,
    /// True for tracks that are not the main one of their kind.
    pub secondary: bool,
    /// What was said.
    pub span: VerdictSpan,
}

/// Appends a span at a place of its row.
pub(super) fn write(into: &mut Vec<u8>, place: u8, noted: &NotedSpan) {
    let span = &noted.span;
    let mut flags = 0;
    flags |= if span.kind == SpanKind::Held { HELD } else { 0 };
    flags |= if span.onset == Onset::GoesOn { GOES_ON } else { 0 };
    flags |= if noted.secondary { SECONDARY } else { 0 };
    into.extend([place, flags, kind_number(noted.track.kind), noted.track.number, span.class]);
    into.extend(noted.detector.to_le_bytes());
    into.extend(micros(span.clear_before).to_le_bytes());
    into.extend(micros(span.lasts).to_le_bytes());
    let scores = &span.scores[..span.scores.len().min(2 * SCORES_MAX)];
    into.push(scores.len() as u8);
    for score in scores {
        into.extend(score.to_le_bytes());
    }
}

/// Reads a row: each span with its place and the detector's number. Ends at the first one that is cut off.
pub(super) fn read(row: &[u8], mut each: impl FnMut(u8, u16, KeptSpan)) {
    let mut rest = row;
    while let Some((place, detector, span)) = record(&mut rest) {
        each(place, detector, span);
    }
}

fn record(rest: &mut &[u8]) -> Option<(u8, u16, KeptSpan)> {
    let [place, flags, kind, number, class] = take(rest)?;
    let detector = u16::from_le_bytes(take(rest)?);
    let clear_before = MediaTime::from_micros(i64::from_le_bytes(take(rest)?));
    let lasts = MediaTime::from_micros(i64::from_le_bytes(take(rest)?));
    let [count] = take(rest)?;
    let mut scores = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        scores.push(f32::from_le_bytes(take(rest)?));
    }
    let kind_of = |is_held: bool| if is_held { SpanKind::Held } else { SpanKind::Near };
    let span = VerdictSpan {
        kind: kind_of(flags & HELD != 0),
        onset: if flags & GOES_ON != 0 { Onset::GoesOn } else { Onset::Fresh },
        class,
        clear_before,
        lasts,
        scores,
    };
    let track = TrackId { kind: track_kind(kind), number };
    Some((place, detector, KeptSpan { at: 0, track, secondary: flags & SECONDARY != 0, span }))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

/// Whole microseconds: hold times are compared exactly, and frames begin at fractions of milliseconds.
fn micros(time: MediaTime) -> i64 {
    (time.as_nanos().max(0) + 500) / 1_000
}

fn kind_number(kind: TrackKind) -> u8 {
    match kind {
        TrackKind::Video => 0,
        TrackKind::Audio => 1,
        TrackKind::Subtitle => 2,
        TrackKind::Data => 3,
        TrackKind::Input => 4,
    }
}

fn track_kind(number: u8) -> TrackKind {
    match number {
        0 => TrackKind::Video,
        1 => TrackKind::Audio,
        2 => TrackKind::Subtitle,
        3 => TrackKind::Data,
        _ => TrackKind::Input,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use avwatch_actors::event::Wall;

    use super::*;

    #[test]
    fn spans_are_read_as_they_were_written_and_a_cut_row_ends_there() {
        let span = |kind, onset, lasts| VerdictSpan {
            kind,
            onset,
            class: 3,
            clear_before: MediaTime::from_millis(1_500),
            lasts: MediaTime::from_millis(lasts),
            scores: vec![0.5, -60.25],
        };
        let noted = |track, secondary, span| NotedSpan {
            stream: "a".into(),
            detector: 401,
            track,
            secondary,
            ended_at: Wall(SystemTime::UNIX_EPOCH),
            span,
        };
        let all = [
            noted(TrackId::video(0), false, span(SpanKind::Held, Onset::Fresh, 2_000)),
            noted(TrackId::audio(3), true, span(SpanKind::Near, Onset::Fresh, 700)),
            noted(TrackId::INPUT, false, span(SpanKind::Held, Onset::GoesOn, 10_000)),
        ];
        let mut row = Vec::new();
        for (place, noted) in all.iter().enumerate() {
            write(&mut row, place as u8, noted);
        }
        let mut found = Vec::new();
        read(&row, |place, detector, span| found.push((place, detector, span.track, span.secondary, span.span)));
        let expected: Vec<_> = (0..)
            .zip(&all)
            .map(|(place, noted)| (place, noted.detector, noted.track, noted.secondary, noted.span.clone()))
            .collect();
        assert_eq!(found, expected);
        let mut count = 0;
        read(&row[..row.len() - 1], |_, _, _| count += 1);
        assert_eq!(count, 2);
    }
}
