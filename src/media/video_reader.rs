//! The pictures of one track: adopted, measured, stamped.
//!
//! Owned by a track of a session, on its thread. At most two pictures are handed out at a time; a
//! frame beyond that travels with its facts alone. The previous picture is kept only when motion is
//! measured.

use std::sync::{Arc, Weak};

use avwatch_actors::frame::{Picture, PictureFacts, VideoFrame};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::VideoFormat;
use ffmpeg_next::ffi;

use super::adopt::{AdoptError, Adopter, HeldPicture, SharedPicture};
use super::captions;
use super::inventory::StreamEntry;
use super::stamper::{Stamper, Work};
use crate::measure::{MeasurePlan, PictureMeasurer};

/// Most pictures of a track that are with detectors at a time.
const HANDED_OUT_MAX: usize = 2;
/// How long a picture lasts when nothing says so.
const LASTS_UNKNOWN: MediaTime = MediaTime::from_millis(40);
/// The longest that one picture may claim to last.
const LASTS_MAX: MediaTime = MediaTime::from_millis(3_600_000);

/// What makes one picture incomparable with the next.
type Shape = (i32, i32, i32, bool);

/// The picture side of a track.
pub(crate) struct VideoReader {
    plan: MeasurePlan,
    base: (i32, i32),
    frame_lasts: Option<MediaTime>,
    adopter: Adopter,
    measurer: PictureMeasurer,
    previous: Option<Arc<HeldPicture>>,
    handed_out: [Weak<HeldPicture>; HANDED_OUT_MAX],
    shape: Option<Shape>,
    /// When a picture was last handed out as a still.
    still: Option<MediaTime>,
    /// What is known of the pictures.
    pub format: Option<VideoFormat>,
    /// Some picture yet was of two fields.
    has_shown_interlaced: bool,
}

impl VideoReader {
    pub(crate) fn new(plan: &MeasurePlan, entry: &StreamEntry, format: Option<VideoFormat>) -> Self {
        let frame_lasts = (entry.frame_rate > 0.0).then(|| MediaTime::from_secs_f64(1.0 / entry.frame_rate));
        Self {
            plan: *plan,
            base: entry.base,
            frame_lasts,
            adopter: Adopter::default(),
            measurer: PictureMeasurer::new(plan),
            previous: None,
            handed_out: [Weak::new(), Weak::new()],
            shape: None,
            still: None,
            format,
            has_shown_interlaced: false,
        }
    }

    /// Whether pictures of two fields may be among those of the track, by what is known of it.
    pub(crate) fn may_be_interlaced(&self) -> bool {
        let is_unknown = self.shape.is_none();
        is_unknown || self.has_shown_interlaced || self.format.as_ref().is_some_and(|format| format.interlaced)
    }

    /// Takes a decoded picture, leaving the frame empty; gives its facts and how long it lasts.
    pub(crate) fn frame(
        &mut self,
        frame: &mut ffi::AVFrame,
        stamper: &mut Stamper,
        work: &mut Work<'_>,
    ) -> Result<(PictureFacts, MediaTime), AdoptError> {
        let signs = stamper.signs(frame);
        let lasts = self.lasts(frame, stamper.fields_apart(frame));
        let shape = (frame.width, frame.height, frame.format, super::adopt::is_full_range(frame));
        // Adopting empties the frame: what it says is read before.
        let (interlaced, top_first) = (frame.interlaced_frame != 0, frame.top_field_first != 0);
        self.has_shown_interlaced |= interlaced;
        let unfiltered = stamper.is_unfiltered(frame);
        let changed = self.shape != Some(shape);
        if changed {
            self.change(frame, shape);
        }
        let (mut stamp, _) = stamper.place(frame, lasts, work);
        if changed {
            work.outlet.changed(stamp.media_time);
        }
        let captions = captions::facts_of(frame);
        let picture = Arc::new(self.adopter.adopt(frame)?);
        let view = picture.view();
        let before = self.previous.as_ref().map(|previous| previous.view());
        self.measurer.look_at_blocks(!unfiltered);
        let measures = self.measurer.measure(&view, before.as_ref(), stamp.media_time);
        let facts = PictureFacts {
            width: shape.0.unsigned_abs(),
            height: shape.1.unsigned_abs(),
            depth: view.depth,
            interlaced,
            top_first,
            signs,
            captions,
            ..measures.facts()
        };
        let is_wanted = self.plan.wants_picture(stamp.media_time, &mut self.still);
        let handed = is_wanted.then(|| self.hand_out(&picture)).flatten();
        self.previous = self.plan.needs_previous().then_some(picture);
        stamp.ready = std::time::Instant::now();
        work.outlet.video(VideoFrame::new(stamp, facts, handed));
        Ok((facts, lasts))
    }

    fn change(&mut self, frame: &ffi::AVFrame, shape: Shape) {
        self.measurer.reset();
        self.previous = None;
        self.shape = Some(shape);
        let known = self.format.take().unwrap_or_default();
        let aspect = super::inventory::ratio(frame.sample_aspect_ratio);
        self.format = Some(VideoFormat {
            width: frame.width.unsigned_abs(),
            height: frame.height.unsigned_abs(),
            pixel_format: super::adopt::pixel_format_name(frame.format),
            interlaced: known.interlaced || frame.interlaced_frame != 0,
            full_range: shape.3,
            pixel_aspect: if aspect > 0.0 { aspect } else { 1.0 },
            frame_rate: known.frame_rate,
        });
    }

    /// The picture for detectors, unless as many as may be are still with them.
    fn hand_out(&mut self, picture: &Arc<HeldPicture>) -> Option<Box<dyn Picture>> {
        let free = self.handed_out.iter_mut().find(|handed| handed.strong_count() == 0)?;
        *free = Arc::downgrade(picture);
        Some(Box::new(SharedPicture(picture.clone())))
    }

    /// For how long a picture is shown: as the container says, else by the rate and repeated fields; for as long as
    /// both its fields, if they came that far apart.
    fn lasts(&self, frame: &ffi::AVFrame, fields_apart: Option<i64>) -> MediaTime {
        let time = |ticks| MediaTime::from_ticks(ticks, self.base.0, self.base.1);
        let said = if frame.pkt_duration > 0 {
            time(frame.pkt_duration).min(LASTS_MAX)
        } else {
            let one = self.frame_lasts.unwrap_or(LASTS_UNKNOWN);
            let fields = i64::from(frame.repeat_pict.clamp(0, 6));
            one + MediaTime::from_nanos(one.as_nanos() / 2 * fields)
        };
        fields_apart.map_or(said, |apart| of_both_fields(said, time(apart)))
    }
}

/// How long a picture lasts of which that is said, and whose fields are so far apart: with fields in packets of their
/// own it may be said of each. Durations are rounded down and distances are not; one that is far longer is no field's.
fn of_both_fields(said: MediaTime, apart: MediaTime) -> MediaTime {
    let is_fields = apart + apart <= said + said + said;
    if is_fields { said.max(apart + apart) } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_lasts_as_long_as_both_its_fields_whatever_the_container_rounds() {
        // 60,000 fields in 1,001 seconds are 1,501.5 ticks apart.
        let time = |ticks| MediaTime::from_ticks(ticks, 1, 90_000);
        for (said, apart, lasts) in [
            (1_501, 1_501, 3_002),
            (1_501, 1_502, 3_004),
            (1_502, 1_501, 3_002),
            (3_003, 1_501, 3_003),
            (3_600, 1_800, 3_600),
            (1_800, 90_000, 1_800),
        ] {
            let (expected, found) = (time(lasts), of_both_fields(time(said), time(apart)));
            assert!(found.distance(expected) <= MediaTime::from_nanos(2), "{found:?} of {said} and {apart}");
        }
    }
}
