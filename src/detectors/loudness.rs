//! Loudness: the programme is louder or quieter than its target.
//!
//! Judged only where `target_lufs` is set; the measurement is made in any case. Over a rolling
//! window the loudness is gated as in ITU-R BS.1770-5: momentary values (400 ms, one every 100 ms)
//! at or below −70 LUFS are left out, then those more than 10 LU below the mean power of the rest;
//! the loudness is the mean power of what remains. It is kept in ten histograms of a tenth of the
//! window each, in steps of 0.1 LU (error at most 0.05 LU), and judged once a second, from one
//! minute of programme above the gate on. With `window` 0 (profile `file`) the integrated
//! loudness of the whole programme is judged once, at its end.
//!
//! Score: distance from the target in LU. Class 0: over the tolerance; 1: by 3 LU or more; 2: by
//! 6 LU or more; 4 is added when the programme is too quiet. Class 0 is `info`, class 1 at most
//! `warning`, class 2 follows the ladder: `major` after 60 s.
//!
//! Sources: EBU R 128 (−23.0 LUFS; ±0.5 LU for finished programmes, ±1.0 LU live), ATSC A/85
//! (−24 LKFS ± 2 LU), EBU Tech 3341. Secondary tracks: `info` only.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{
    ClassLimit, Detector, Finding, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse,
};
use avwatch_actors::frame::LoudnessReading;
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Info, Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackId, TrackInfo, TrackKind};

use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 203,
    name: "loudness",
    summary: "The programme is louder or quieter than its target; always measured, judged where a target is set",
    unit: "LU",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Apart,
    cheapest: Tier::Audio,
    standard_ref: Some("EBU R 128"),
    source: "EBU R 128 (-23 LUFS, live +-1 LU), ATSC A/85 (-24 LKFS +-2 LU), gating of ITU-R BS.1770-5",
    options: &[
        OptionDoc {
            name: "target_lufs",
            doc: "Target loudness in LUFS, or \"none\" to measure only.",
            default: |profile| {
                OptionValue::Maybe(match profile {
                    Profile::BroadcastEu => Some(-23.0),
                    Profile::BroadcastUs => Some(-24.0),
                    Profile::File | Profile::Ott | Profile::Radio | Profile::StaticOk | Profile::NewsSport => None,
                })
            },
            range: (-40.0, -5.0),
        },
        OptionDoc {
            name: "tolerance_lu",
            doc: "Distance from the target in LU that is still right.",
            default: |profile| {
                OptionValue::Number(match profile {
                    Profile::File => 0.5,
                    Profile::BroadcastUs => 2.0,
                    Profile::Ott | Profile::BroadcastEu | Profile::Radio | Profile::StaticOk | Profile::NewsSport => {
                        1.0
                    }
                })
            },
            range: (0.1, 10.0),
        },
        OptionDoc {
            name: "window",
            doc: "Span of the rolling judgement; 0s judges the whole programme at its end.",
            default: |profile| OptionValue::Span(Duration::from_secs(if profile == Profile::File { 0 } else { 600 })),
            range: (0.0, 7_200.0),
        },
    ],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.loudness = true;
    },
    threshold: |options| options.maybe("target_lufs").map(|_| options.number("tolerance_lu") as f32),
    class_limits: |_| Some(Arc::new(limit_of)),
    applies: |track| track.track.kind == TrackKind::Audio,
    message,
    build: |options, _| {
        let target = options.maybe("target_lufs");
        let tolerance = options.number("tolerance_lu");
        let window = MediaTime::from(options.span("window"));
        Arc::new(move |track: &TrackInfo| -> Box<dyn Detector> {
            match target {
                None => Box::new(MeasuredOnly),
                Some(target) if window == MediaTime::ZERO => {
                    Box::new(Whole { track: track.track, target, tolerance, newest: None, at: MediaTime::ZERO })
                }
                Some(target) => Box::new(Rolling::new(track.track, target, tolerance, window)),
            }
        })
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(0, Info), (0, Warning), (60_000, Major)];
    let table = Table { live, fast: live, file: &[(0, Info)] };
    let mut defaults = table.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

/// Added to the class of a programme that is too quiet.
const QUIETER: u8 = 4;

fn limit_of(class: u8) -> Option<ClassLimit> {
    let at_most = |most| Some(ClassLimit { most, raise_after: Duration::ZERO });
    match class % QUIETER {
        0 => at_most(Info),
        1 => at_most(Warning),
        _ => None,
    }
}

fn message(situation: &Situation) -> String {
    let direction = if situation.class >= QUIETER { "quieter" } else { "louder" };
    format!("programme {:.1} LU {direction} than its target", situation.peak)
}

/// No target: the reading is published by the measurer, there is nothing to judge.
struct MeasuredOnly;

impl Detector for MeasuredOnly {
    fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
}

/// Judges a finished programme at its end.
struct Whole {
    track: TrackId,
    target: f64,
    tolerance: f64,
    newest: Option<LoudnessReading>,
    at: MediaTime,
}

impl Detector for Whole {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Audio(frame) if frame.stamp.track == self.track => {
                self.newest = frame.loudness.or(self.newest);
                self.at = frame.stamp.end();
            }
            Item::Ended(_) => {
                let Some(integrated) = self.newest.take().and_then(|reading| reading.integrated_lufs) else { return };
                let off = integrated - self.target;
                if off.abs() > self.tolerance {
                    out.find(Finding {
                        at: self.at,
                        severity: None,
                        score: Some(off.abs() as f32),
                        message: format!("integrated loudness {integrated:.1} LUFS, target {:.1} LUFS", self.target),
                    });
                }
            }
            Item::Video(_) | Item::Audio(_) | Item::Started(_) | Item::Packets(_) | Item::Clock(_) | Item::Gap(_) => {}
        }
    }
}

/// Parts of the rolling window, each with a histogram of its own.
const PARTS: usize = 10;
/// Steps of 0.1 LU from −70 to +10 LUFS.
const BINS: usize = 801;
/// Programme above the gate before a first judgement: one minute of momentary values.
const PROGRAMME_MIN: u32 = 600;
/// The distance between two judgements.
const EVERY: MediaTime = MediaTime::from_millis(1_000);
/// Distance between two momentary values that enter.
const HOP: MediaTime = MediaTime::from_millis(95);

struct Rolling {
    track: TrackId,
    target: f64,
    tolerance: f64,
    part: MediaTime,
    /// Number of the newest part since the beginning.
    newest: i64,
    /// Counts per part and level; a part of two hours at ten a second has 7,200 values.
    parts: Box<[[u16; BINS]; PARTS]>,
    taken_at: Option<MediaTime>,
    judged_at: Option<MediaTime>,
    /// The verdict that holds and since when its side (off or right) does.
    off: Option<bool>,
    since: MediaTime,
    verdict: Verdict,
}

impl Rolling {
    fn new(track: TrackId, target: f64, tolerance: f64, window: MediaTime) -> Self {
        Self {
            track,
            target,
            tolerance,
            part: MediaTime::from_nanos((window.as_nanos() / PARTS as i64).max(1)),
            newest: 0,
            parts: Box::new([[0; BINS]; PARTS]),
            taken_at: None,
            judged_at: None,
            off: None,
            since: MediaTime::ZERO,
            verdict: Verdict::Undecided,
        }
    }

    fn take(&mut self, at: MediaTime, momentary: f64) {
        let part = at.as_nanos().div_euclid(self.part.as_nanos());
        if self.taken_at.is_none() {
            self.newest = part;
        }
        // Parts that passed, and those that a jump of the timeline skipped, begin empty.
        for number in (self.newest + 1..=part).rev().take(PARTS) {
            self.parts[number.rem_euclid(PARTS as i64) as usize] = [0; BINS];
        }
        self.newest = self.newest.max(part);
        self.taken_at = Some(at);
        if momentary > -70.0 {
            let bin = ((momentary + 70.0) * 10.0).round().clamp(0.0, (BINS - 1) as f64) as usize;
            let count = &mut self.parts[self.newest.rem_euclid(PARTS as i64) as usize][bin];
            *count = count.saturating_add(1);
        }
    }

    /// The gated loudness of the window; `None` before a minute of programme.
    fn loudness(&self) -> Option<f64> {
        let mut counts = [0_u32; BINS];
        for part in self.parts.iter() {
            for (count, more) in counts.iter_mut().zip(part) {
                *count += u32::from(*more);
            }
        }
        let (_, mean) = mean_above(&counts, 0);
        let gate = ((mean? - 10.0 + 70.0) * 10.0).ceil().max(0.0) as usize;
        let (values, loudness) = mean_above(&counts, gate);
        loudness.filter(|_| values >= PROGRAMME_MIN)
    }

    fn judge(&mut self, at: MediaTime) {
        let Some(loudness) = self.loudness() else {
            self.verdict = Verdict::Undecided;
            return;
        };
        let distance = (loudness - self.target).abs();
        let off = distance > self.tolerance;
        if self.off != Some(off) {
            self.since = at;
            self.off = Some(off);
        }
        let (since, score) = (self.since, distance as f32);
        let size = u8::from(distance >= 3.0) + u8::from(distance >= 6.0);
        let class = if loudness < self.target { size + QUIETER } else { size };
        self.verdict = if off { Verdict::Faulty { since, score, class } } else { Verdict::Clear { since, score } };
    }
}

/// Number and power mean, in LUFS, of the values from that bin on.
fn mean_above(counts: &[u32; BINS], from: usize) -> (u32, Option<f64>) {
    let (mut values, mut power) = (0_u32, 0.0_f64);
    for (bin, count) in counts.iter().enumerate().skip(from).filter(|(_, count)| **count > 0) {
        values += count;
        power += f64::from(*count) * 10f64.powf((bin as f64 / 10.0 - 70.0) / 10.0);
    }
    (values, (values > 0).then(|| 10.0 * (power / f64::from(values)).log10()))
}

impl Detector for Rolling {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Audio(frame) if frame.stamp.track == self.track => {
                let at = frame.stamp.end();
                if let Some(momentary) = frame.loudness.and_then(|reading| reading.momentary_lufs)
                    && self.taken_at.is_none_or(|taken| at - taken >= HOP)
                {
                    self.take(at, momentary);
                }
                if self.judged_at.is_none_or(|judged| at - judged >= EVERY) {
                    self.judged_at = Some(at);
                    self.judge(at);
                }
                out.say(self.verdict);
            }
            // The timeline goes on across sessions, and so does the window.
            Item::Video(_)
            | Item::Audio(_)
            | Item::Started(_)
            | Item::Packets(_)
            | Item::Clock(_)
            | Item::Gap(_)
            | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use avwatch_actors::item::EndReason;

    use super::super::testing::{STEREO, Track, audio_track, build, findings, stretches};
    use super::*;

    fn at(momentary: f64) -> LoudnessReading {
        LoudnessReading {
            momentary_lufs: Some(momentary),
            integrated_lufs: Some(momentary),
            ..LoudnessReading::default()
        }
    }

    fn rolling(profile: Profile) -> Box<dyn Detector> {
        build(&KIND, profile, &audio_track(STEREO), &[])
    }

    #[test]
    fn without_a_target_nothing_is_judged() {
        let items = Track::new().readings(700.0, |_| at(-5.0)).items;
        assert_eq!(stretches(&mut *rolling(Profile::Ott), &items), []);
    }

    #[test]
    fn a_programme_on_target_is_right_and_one_five_above_is_a_warning() {
        let items = Track::new().readings(300.0, |_| at(-23.4)).items;
        assert_eq!(stretches(&mut *rolling(Profile::BroadcastEu), &items), []);
        let items = Track::new().readings(300.0, |_| at(-18.0)).items;
        let found = stretches(&mut *rolling(Profile::BroadcastEu), &items);
        assert_eq!((found.len(), found[0].class), (1, 1));
        assert!((found[0].score - 5.0).abs() < 0.06, "{}", found[0].score);
        assert_eq!(limit_of(1).map(|limit| limit.most), Some(Warning));
    }

    #[test]
    fn a_programme_much_too_quiet_may_become_major() {
        let items = Track::new().readings(120.0, |_| at(-31.0)).items;
        let found = stretches(&mut *rolling(Profile::BroadcastUs), &items);
        assert_eq!((found[0].class, limit_of(found[0].class)), (2 + QUIETER, None));
        let situation = Situation { lasted: MediaTime::ZERO, peak: 7.0, class: found[0].class };
        assert_eq!(message(&situation), "programme 7.0 LU quieter than its target");
    }

    #[test]
    fn quiet_passages_are_gated_as_in_bs_1770() {
        // EBU Tech 3341 case 3: 10 s at −36, 60 s at −23, 10 s at −36 measure −23.0.
        let mut rolling = Rolling::new(TrackId::audio(0), -23.0, 1.0, MediaTime::from_millis(600_000));
        let mut out = Verdicts::default();
        let case = |index: u64| at(if (100..700).contains(&index) { -23.0 } else { -36.0 });
        for item in Track::new().readings(80.0, case).items {
            rolling.inspect(&item, &mut out);
        }
        let loudness = rolling.loudness().unwrap();
        assert!((loudness + 23.0).abs() <= 0.1, "{loudness}");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let items = Track::new().readings(300.0, |_| at(-10.0)).readings(700.0, |_| at(-23.0)).items;
        let found = stretches(&mut *rolling(Profile::BroadcastEu), &items);
        assert_eq!(found.len(), 1);
        let end = found[0].end.unwrap();
        assert!((830.0..=905.0).contains(&end), "{end}");
    }

    #[test]
    fn a_minute_of_programme_is_awaited() {
        let items = Track::new().readings(55.0, |_| at(-10.0)).items;
        assert_eq!(stretches(&mut *rolling(Profile::BroadcastEu), &items), []);
    }

    #[test]
    fn a_file_is_judged_once_at_its_end_against_a_target() {
        let target = [("target_lufs", OptionValue::Maybe(Some(-23.0)))];
        let mut items = Track::new().readings(30.0, |_| at(-20.0)).items;
        items.push(Item::Ended(EndReason::Finished));
        let found = findings(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &target), &items);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "integrated loudness -20.0 LUFS, target -23.0 LUFS");
        assert_eq!(findings(&mut *rolling(Profile::File), &items), []);
    }
}
