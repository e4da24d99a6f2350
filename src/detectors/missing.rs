//! Missing frames: a track brings nothing although its stream goes on. Shared by `video_missing`
//! and `audio_missing`.
//!
//! When the stream's clock has passed the end of the track's last frame (or the start of the
//! session) by more than the tolerance, the track is missing since then, until its next frame. The
//! tolerance is one second or three frame intervals, whichever is more, and grows by the lag with
//! which the track's frames were seen to trail the clock, up to five seconds, so that neither a slow
//! slate nor loose interleaving is an absence. A track of which exactly one frame came is a poster:
//! nothing is said of it. When everything stops there is no clock: that is `input_down`.
//! Score: seconds without a frame, unit `s`.

use std::time::Duration;

use avwatch_actors::detector::{Detector, Situation, Verdicts};
use avwatch_actors::frame::Stamp;
use avwatch_actors::item::{Gap, GapReason, Item};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Critical, Major, Warning};
use avwatch_actors::track::{SessionInfo, TrackId, TrackInfo};

use super::Defaults;
use super::table::Table;
use crate::profile::Profile;

/// The least absence that counts.
const TOLERANCE: MediaTime = MediaTime::from_millis(1_000);
/// The longest frame interval and lag that are made allowance for.
const ALLOWANCE_MAX: MediaTime = MediaTime::from_millis(5_000);

pub(super) fn defaults(profile: Profile) -> Defaults {
    let table = Table {
        live: &[(5_000, Major), (30_000, Critical)],
        fast: &[(3_000, Major), (15_000, Critical)],
        file: &[(1_000, Warning)],
    };
    // That nothing comes is no matter of contents, and worst right after a change.
    Defaults { settle_after_change: Duration::ZERO, ..table.defaults(profile) }
}

pub(super) fn message(what: &str, situation: &Situation) -> String {
    format!("no {what} for {:.1} s while the stream goes on", situation.lasted.as_secs_f64())
}

pub(super) struct Missing {
    track: TrackId,
    /// End of the last frame, or start of the session.
    until: Option<MediaTime>,
    /// How much of the time since then this machine dropped of the whole input, and where that ends.
    excused: MediaTime,
    excused_to: MediaTime,
    /// Frames in this session, counted up to two.
    frames: u8,
    /// Usual distance between two frames.
    interval: MediaTime,
    last_at: MediaTime,
    clock: MediaTime,
    lag: MediaTime,
    /// The allowance before the newest frame, in case what looked like a lag was a hole.
    lag_before: MediaTime,
    missing: bool,
    /// The newest frame showed a hole before it.
    hole: bool,
    present_since: MediaTime,
}

impl Missing {
    pub(super) fn new(track: &TrackInfo) -> Self {
        Self {
            track: track.track,
            until: None,
            excused: MediaTime::ZERO,
            excused_to: MediaTime::ZERO,
            frames: 0,
            interval: nominal(track),
            last_at: MediaTime::ZERO,
            clock: MediaTime::ZERO,
            lag: MediaTime::ZERO,
            lag_before: MediaTime::ZERO,
            missing: false,
            hole: false,
            present_since: MediaTime::ZERO,
        }
    }

    fn start(&mut self, info: &SessionInfo) {
        if info.revision > 0 {
            return;
        }
        let interval = info.track(self.track).map_or(MediaTime::ZERO, nominal);
        *self = Self { track: self.track, interval, ..Self::new(&TrackInfo::bare(self.track)) };
        self.until = Some(info.at);
        self.clock = info.at;
    }

    fn frame(&mut self, stamp: &Stamp, out: &mut Verdicts) {
        let at = stamp.media_time;
        if let Some(until) = self.until.filter(|until| self.frames > 1 && self.absent(*until, at) >= self.hole_min()) {
            // The decoder held the frames before the hole back until this one came: the hole shows
            // only now, in full. That they came late was no lag.
            self.lag = self.lag_before;
            self.missing = true;
            self.hole = true;
            out.faulty(until, self.absent(until, at).as_secs_f64() as f32);
            self.last_at = at;
            self.heard(stamp.end());
            return;
        }
        self.lag_before = self.lag;
        let followed = self.until.is_none_or(|until| self.absent(until, at) <= TOLERANCE);
        if followed && self.frames > 0 && self.excused == MediaTime::ZERO {
            // It came after all, only later than the clock: make allowance for that from now on.
            let lag = (self.clock - stamp.end()).clamp(MediaTime::ZERO, ALLOWANCE_MAX);
            self.lag = self.lag.max(lag);
        }
        let before = self.last_at;
        if self.frames > 0 && !self.missing {
            let seen = (at - self.last_at - self.excused).clamp(MediaTime::ZERO, ALLOWANCE_MAX);
            // Decays by an eighth per frame, so that one hiccup is soon forgotten.
            let decayed = MediaTime::from_nanos(self.interval.as_nanos() / 8 * 7);
            self.interval = seen.max(decayed).max(stamp.lasts.min(ALLOWANCE_MAX));
        }
        if self.missing || self.frames == 0 {
            // After a hole, the frame that showed it was the first one present.
            self.present_since = if std::mem::take(&mut self.hole) { before } else { at };
        }
        self.missing = false;
        self.frames = (self.frames + 1).min(2);
        self.last_at = at;
        self.heard(stamp.end());
        out.clear(self.present_since, 0.0);
    }

    fn tick(&mut self, now: MediaTime, out: &mut Verdicts) {
        self.clock = self.clock.max(now);
        let Some(until) = self.until else { return };
        let absent = self.absent(until, now);
        if self.frames != 1 && absent >= self.tolerance() {
            self.missing = true;
            out.faulty(until, absent.as_secs_f64() as f32);
        }
    }

    /// The track was there up to `end`.
    fn heard(&mut self, end: MediaTime) {
        let until = self.until.map_or(end, |until| until.max(end));
        self.until = Some(until);
        self.excused = self.excused.min((self.excused_to - until).max(MediaTime::ZERO));
    }

    /// We dropped all of the input for a while: whether the track was there nobody knows. What lies before and behind
    /// counts on.
    fn excuse(&mut self, gap: &Gap) {
        let Some(until) = self.until else { return };
        let from = gap.from.max(until).max(self.excused_to);
        self.excused += (gap.to - from).max(MediaTime::ZERO);
        self.excused_to = self.excused_to.max(gap.to);
    }

    /// How long the track, heard of up to `until`, was missing at `now`.
    fn absent(&self, until: MediaTime, now: MediaTime) -> MediaTime {
        now - until - self.excused
    }

    /// How long nothing may be heard of the track by the clock.
    fn tolerance(&self) -> MediaTime {
        self.hole_min() + self.lag
    }

    /// The least distance of two frames that is a hole; by their own times, so that no lag matters.
    fn hole_min(&self) -> MediaTime {
        TOLERANCE.max(MediaTime::from_nanos(self.interval.as_nanos().saturating_mul(3)))
    }
}

/// The frame interval that the format announces; zero when unknown.
fn nominal(track: &TrackInfo) -> MediaTime {
    let rate = track.video.as_ref().map_or(0.0, |format| format.frame_rate);
    if rate > 0.0 { MediaTime::from_secs_f64(1.0 / rate).min(ALLOWANCE_MAX) } else { MediaTime::ZERO }
}

impl Detector for Missing {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Video(frame) if frame.stamp.track == self.track => self.frame(&frame.stamp, out),
            Item::Audio(frame) if frame.stamp.track == self.track => self.frame(&frame.stamp, out),
            Item::Clock(now) => self.tick(*now, out),
            Item::Started(info) => self.start(info),
            Item::Gap(gap) if gap.track == self.track && gap.why == GapReason::Displaced => {
                // We dropped these frames ourselves: they were there.
                self.heard(gap.to);
                self.last_at = self.last_at.max(gap.to);
            }
            Item::Gap(gap) if gap.track == TrackId::INPUT && gap.why == GapReason::Displaced => self.excuse(gap),
            Item::Video(_) | Item::Audio(_) | Item::Packets(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Film, at, lasting, picture, started, stretches, video_track};
    use super::*;
    use avwatch_actors::frame::PictureFacts;

    fn clock(from: f64, to: f64) -> Vec<Item> {
        (0..=((to - from) * 10.0).round() as i64).map(|tick| Item::Clock(at(from + tick as f64 / 10.0))).collect()
    }

    /// Frames with the clock ticking along at their ends.
    fn with_clock(items: Vec<Item>) -> Vec<Item> {
        items
            .into_iter()
            .flat_map(|item| match &item {
                Item::Video(frame) => vec![item.clone(), Item::Clock(frame.stamp.end())],
                _ => vec![item],
            })
            .collect()
    }

    fn film(from: f64, seconds: f64) -> Vec<Item> {
        with_clock(Film::from(25.0, from).then(seconds, |_| PictureFacts::default()).items)
    }

    fn missing(rate: f64, items: &[Item]) -> Vec<(f64, Option<f64>)> {
        let track = video_track(rate);
        let mut all = vec![started(1, 0, 0.0, vec![track.clone()])];
        all.extend_from_slice(items);
        lasting(&mut Missing::new(&track), &all, 1.0)
    }

    #[test]
    fn a_track_that_stops_and_resumes_is_missing_in_between() {
        let items = [film(0.0, 4.0), clock(4.0, 9.0), film(9.0, 1.0)].concat();
        assert_eq!(missing(25.0, &items), [(4.0, Some(9.0))]);
    }

    #[test]
    fn an_announced_track_that_never_starts_is_missing_from_the_start() {
        assert_eq!(missing(25.0, &clock(0.0, 3.0)), [(0.0, None)]);
    }

    #[test]
    fn a_track_that_ends_a_little_before_the_others_is_not_missing() {
        let items = [film(0.0, 4.0), clock(4.0, 4.9)].concat();
        assert_eq!(missing(25.0, &items), []);
    }

    #[test]
    fn a_poster_of_one_frame_is_not_missing() {
        let mut items = vec![picture(0.0, 0.04, PictureFacts::default())];
        items.extend(clock(0.1, 60.0));
        assert_eq!(missing(0.0, &items), []);
    }

    #[test]
    fn a_slate_of_one_picture_in_two_seconds_is_not_missing() {
        let slate = Film::new(0.5).then(30.0, |_| PictureFacts::default()).items;
        let ticking: Vec<Item> = slate
            .into_iter()
            .enumerate()
            .flat_map(|(index, item)| [vec![item], clock(index as f64 * 2.0, index as f64 * 2.0 + 2.0)].concat())
            .collect();
        assert_eq!(missing(0.5, &ticking), []);
    }

    #[test]
    fn frames_that_trail_the_clock_are_not_missing_once_that_is_known() {
        let late = |item: Item| match &item {
            Item::Video(frame) => vec![Item::Clock(frame.stamp.end() + at(1.8)), item.clone()],
            _ => vec![item],
        };
        let items = Film::new(25.0).then(10.0, |_| PictureFacts::default()).items;
        let items: Vec<Item> = items.into_iter().flat_map(late).collect();
        let track = video_track(25.0);
        let mut all = vec![started(1, 0, 0.0, vec![track.clone()])];
        all.extend(items);
        let said = super::super::testing::verdicts(&mut Missing::new(&track), &all);
        let late = said[10..].iter().filter(|said| matches!(said, avwatch_actors::detector::Verdict::Faulty { .. }));
        assert_eq!(late.count(), 0);
    }

    #[test]
    fn a_hole_is_missing_though_the_last_picture_before_it_came_with_the_first_one_after() {
        let held_back = vec![picture(3.96, 4.0, PictureFacts::default())];
        let items = [film(0.0, 3.96), clock(4.0, 6.2), held_back, film(7.0, 1.0)].concat();
        assert_eq!(missing(25.0, &items), [(4.0, Some(7.0))]);
    }

    #[test]
    fn frames_that_we_displaced_ourselves_are_not_missing() {
        let mut items = film(0.0, 4.0);
        for step in 0..50 {
            let from = at(4.0 + f64::from(step) * 0.1);
            let gap = Gap { track: TrackId::video(0), from, to: from + at(0.1), why: GapReason::Displaced };
            items.extend([Item::Gap(gap), Item::Clock(gap.to)]);
        }
        assert_eq!(missing(25.0, &items), []);
    }

    /// The clock ticking from `from` to `to`, told first that all of the input was dropped here in between.
    fn dropped(from: f64, to: f64) -> Vec<Item> {
        let gap = Gap { track: TrackId::INPUT, from: at(from), to: at(to), why: GapReason::Displaced };
        [vec![Item::Gap(gap)], clock(from, to)].concat()
    }

    #[test]
    fn what_we_dropped_of_the_whole_input_is_not_missing() {
        let items = [film(0.0, 4.0), dropped(4.2, 12.0), dropped(4.4, 12.2), film(12.4, 2.0)].concat();
        assert_eq!(missing(25.0, &items), []);
    }

    #[test]
    fn a_track_that_is_gone_behind_what_we_dropped_is_missing() {
        let items = [film(0.0, 4.0), dropped(4.0, 12.0), clock(12.0, 15.0)].concat();
        let said = missing(25.0, &items);
        assert_eq!(said, [(4.0, None)]);
    }

    #[test]
    fn a_track_that_is_gone_is_missing_however_often_we_drop_the_rest() {
        let often = (0..10).flat_map(|time| {
            let from = 4.0 + f64::from(time) * 2.0;
            [dropped(from, from + 1.5), clock(from + 1.5, from + 2.0)].concat()
        });
        let items = [film(0.0, 4.0), often.collect()].concat();
        assert_eq!(missing(25.0, &items), [(4.0, None)]);
    }

    #[test]
    fn a_new_session_counts_from_its_own_start() {
        let track = video_track(25.0);
        let mut items = film(0.0, 2.0);
        items.push(started(2, 0, 30.0, vec![track.clone()]));
        items.extend(clock(30.0, 33.0));
        assert_eq!(stretches(&mut Missing::new(&track), &items)[0].start, 30.0);
    }
}
