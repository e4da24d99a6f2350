//! Hum: a mains frequency and its multiples stand in the sound.
//!
//! Once a second a spectrum of the last 4 s is looked at. There is hum when, for 50 or for 60 Hz, at least
//! `harmonics` of the first six multiples stand 15 dB or more above the median of their neighbours
//! within 9 Hz, 10 dB above the highest within 5 Hz, and above −75 dBFS, none is 40 dB weaker than another,
//! and each is as loud as a second before within 1 dB. Notes of a bass are not that steady, and beating or
//! repeated ones leave side tones; a tone of 50 Hz has no multiples. No note of the scale is within 0.2 Hz
//! of a mains frequency or its next two multiples.
//!
//! Music hides some of them. One less is enough when the mains frequency itself is among them and keeps its
//! level within half a decibel, they stand 20 and 12 dB out, in four spectra one after the other, and what is
//! missing of the first three is hidden by other sound. A voice as
//! deep as one of them masks it: while hum holds, 10, 5 and 2 dB and two multiples are enough.
//!
//! Onset and end are exact to about a second: the begin of the first spectrum that shows as much as the
//! next, and the end of the last one that shows it. Score: the level of the multiples together in dBFS.
//!
//! Sources: own measurements on hum at −34/−40/−44 dBFS; hold times are the published defaults. `info`, and off
//! in `news-sport`.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, HARMONICS, Harmonic, MainsReading};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::kind::lasted;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 210,
    name: "hum",
    summary: "A mains frequency and its multiples stand in the sound",
    unit: "dBFS",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Own measurements: three multiples of 50 or 60 Hz 15 dB above their neighbours, steady within 1 dB",
    options: &[OptionDoc {
        name: "harmonics",
        doc: "Multiples of the mains frequency, out of six, that must stand out.",
        default: |_| OptionValue::Number(3.0),
        range: (2.0, 6.0),
    }],
    defaults,
    needs: |_, plan| {
        plan.sound = true;
        plan.mains = true;
    },
    threshold: |_| None,
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| {
        let mains = if situation.class == 0 { 50 } else { 60 };
        format!("hum of {mains} Hz at {:.0} dBFS for {}", situation.peak, lasted(situation))
    },
    build: |options, _| {
        let least = options.number("harmonics").ceil() as usize;
        Arc::new(move |track: &TrackInfo| {
            OfSound::boxed(
                track,
                Hum { least, newest: None, clearly: [None; 2], holds: None, seen: MediaTime::ZERO, clear_since: None },
            )
        })
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(10_000, Info)];
    let mut defaults = Table { live, fast: live, file: &[(2_000, Info)] }.defaults(profile);
    defaults.enabled = profile != Profile::NewsSport;
    defaults
}

/// What a multiple must show.
#[derive(Clone, Copy)]
struct Demand {
    above_median_db: f32,
    above_highest_db: f32,
    steady_db: f32,
}

const TO_BEGIN: Demand = Demand { above_median_db: 15.0, above_highest_db: 10.0, steady_db: 1.0 };
/// Of the mains frequency and of its multiples, of which one less is enough then, for [`CLEAR_MIN`] spectra
/// compared with the one before.
const CLEARLY: Demand = Demand { above_median_db: 20.0, above_highest_db: 12.0, steady_db: 2.0 };
const CLEAR_MAINS: Demand = Demand { steady_db: 0.5, ..CLEARLY };
const CLEAR_MIN: u8 = 3;
const TO_STAY: Demand = Demand { above_median_db: 10.0, above_highest_db: 5.0, steady_db: 2.0 };
/// Multiples below this are rounding and distortion of something else, not hum.
const LEVEL_MIN: f32 = -75.0;
/// So are those that are so much weaker than the strongest that stands out.
const WEAKER_MAX_DB: f32 = 40.0;
/// Multiples that are enough for hum to stay.
const STAY_MIN: usize = 2;
/// How much weaker than the weakest multiple that stands out the sound that hides another may be.
const HIDDEN_DB: f32 = 20.0;
/// The spectrum before shows the whole of it if the multiples were no weaker by more: half a second is missing then.
const WHOLE_DB: f32 = 0.3;
/// Readings further apart are not compared.
const APART_MAX: MediaTime = MediaTime::from_millis(1_500);

struct Hum {
    least: usize,
    newest: Option<MainsReading>,
    /// For each grid, since when so many spectra in a row have shown it clearly.
    clearly: [Option<(MediaTime, u8)>; 2],
    /// Onset and grid of the hum that lasts.
    holds: Option<(MediaTime, usize)>,
    /// Up to when it was seen.
    seen: MediaTime,
    clear_since: Option<MediaTime>,
}

impl Hum {
    fn judge(&mut self, reading: &MainsReading) -> Verdict {
        let before = self.newest.replace(*reading);
        let Some(before) = before.filter(|before| reading.until - before.until <= APART_MAX) else {
            return Verdict::Undecided;
        };
        if let Some((since, grid)) = self.holds {
            let level = standing(&reading.grids[grid], &before.grids[grid], TO_STAY, STAY_MIN);
            if let Some(score) = level {
                self.seen = reading.until;
                return Verdict::Faulty { since, score, class: grid as u8 };
            }
            self.holds = None;
            self.clear_since = Some(self.seen.max(since));
        } else {
            for grid in 0..reading.grids.len() {
                if let Some((since, score)) = self.begins(grid, reading, &before) {
                    (self.holds, self.seen, self.clear_since) = (Some((since, grid)), reading.until, None);
                    return Verdict::Faulty { since, score, class: grid as u8 };
                }
            }
        }
        let since = *self.clear_since.get_or_insert(reading.until - reading.lasts);
        Verdict::Clear { since, score: -200.0 }
    }

    /// Whether hum of a grid is there: since when, and how loud.
    fn begins(&mut self, grid: usize, reading: &MainsReading, before: &MainsReading) -> Option<(MediaTime, f32)> {
        let (now, then) = (&reading.grids[grid], &before.grids[grid]);
        let level = standing(now, then, TO_BEGIN, self.least);
        let clear = standing(&now[..], &then[..], CLEARLY, self.least.saturating_sub(1).max(2));
        // The mains frequency itself is among them.
        let clear = clear.filter(|_| standing(&now[..1], &then[..1], CLEAR_MAINS, 1).is_some() && lacks_nothing(now));
        let since = begin_of(grid, reading, before);
        self.clearly[grid] = clear.map(|_| match self.clearly[grid] {
            Some((since, spectra)) => (since, spectra.saturating_add(1)),
            None => (since, 1),
        });
        let long = self.clearly[grid].filter(|(_, spectra)| *spectra >= CLEAR_MIN).map(|(since, _)| since);
        level.map(|level| (since, level)).or(long.zip(clear))
    }
}

/// Whether those of the first three multiples that do not stand out are hidden by what is beside them.
fn lacks_nothing(grid: &[Harmonic; HARMONICS]) -> bool {
    let stands = |harmonic: &Harmonic| {
        harmonic.above_median_db >= CLEARLY.above_median_db && harmonic.above_highest_db >= CLEARLY.above_highest_db
    };
    let weakest =
        grid.iter().filter(|harmonic| stands(harmonic)).fold(0.0_f32, |weakest, one| weakest.min(one.level_dbfs));
    let is_hidden = |harmonic: &Harmonic| harmonic.level_dbfs - harmonic.above_highest_db >= weakest - HIDDEN_DB;
    grid[..3].iter().all(|harmonic| stands(harmonic) || is_hidden(harmonic))
}

/// Where the hum of a grid that both readings show begins: with the earlier one if that shows the whole of it.
fn begin_of(grid: usize, reading: &MainsReading, before: &MainsReading) -> MediaTime {
    let power = |grid: &[Harmonic; HARMONICS]| -> f32 {
        let strong = grid.iter().filter(|harmonic| harmonic.above_median_db >= TO_BEGIN.above_median_db);
        strong.map(|harmonic| 10f32.powf(harmonic.level_dbfs / 10.0)).sum()
    };
    let rise_db = 10.0 * (power(&reading.grids[grid]) / power(&before.grids[grid]).max(1e-20)).log10();
    if rise_db <= WHOLE_DB { before.until - before.lasts } else { reading.until - reading.lasts }
}

/// The level of the multiples that meet the demand, if those are enough.
fn standing(now: &[Harmonic], before: &[Harmonic], demand: Demand, least: usize) -> Option<f32> {
    let strongest = now.iter().fold(LEVEL_MIN, |most, harmonic| most.max(harmonic.level_dbfs));
    let weakest = LEVEL_MIN.max(strongest - WEAKER_MAX_DB);
    let (mut count, mut power) = (0, 0.0);
    for (now, before) in now.iter().zip(before) {
        if now.level_dbfs >= weakest
            && now.above_median_db >= demand.above_median_db
            && now.above_highest_db >= demand.above_highest_db
            && (now.level_dbfs - before.level_dbfs).abs() <= demand.steady_db
        {
            count += 1;
            power += 10f32.powf(now.level_dbfs / 10.0);
        }
    }
    (count >= least).then(|| 10.0 * power.log10())
}

impl SoundJudge for Hum {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        if let Some(reading) = frame.hops.mains() {
            out.say(self.judge(reading));
        }
    }

    fn begin(&mut self) {
        (self.newest, self.clearly, self.holds, self.clear_since) = (None, [None; 2], None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use avwatch_actors::frame::{DecodeSigns, SoundHops};
    use avwatch_actors::item::Item;
    use avwatch_actors::track::TrackId;

    use super::super::testing::{STEREO, at, audio_track, build, lasting, stamp};
    use super::*;

    fn harmonic(level_dbfs: f32, above_median_db: f32) -> Harmonic {
        Harmonic { level_dbfs, above_median_db, above_highest_db: above_median_db - 8.0 }
    }

    /// A reading at every second from 4 s on, of the multiples of 50 or 60 Hz.
    fn readings(grid: usize, count: usize, multiples: impl Fn(usize) -> [Harmonic; HARMONICS]) -> Vec<Item> {
        let one = |index: usize| {
            let mut hops = SoundHops::new(2);
            let mut reading = MainsReading {
                until: at(4.0 + index as f64),
                lasts: MediaTime::from_millis(4_096),
                ..Default::default()
            };
            reading.grids[grid] = multiples(index);
            hops.set_mains(reading);
            let stamp = stamp(TrackId::audio(0), index as u64, at(3.98 + index as f64), at(4.0 + index as f64));
            Item::Audio(Arc::new(AudioFrame::new(stamp, DecodeSigns::default(), hops, None, None)))
        };
        (0..count).map(one).collect()
    }

    fn found(items: &[Item]) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *build(&KIND, Profile::File, &audio_track(STEREO), &[]), items, 2.0)
    }

    /// So many multiples stand out.
    fn standing_out(count: usize, level: f32) -> [Harmonic; HARMONICS] {
        std::array::from_fn(|index| if index < count { harmonic(level, 25.0) } else { harmonic(-80.0, 3.0) })
    }

    #[test]
    fn three_steady_multiples_are_hum_of_either_mains() {
        for grid in [0, 1] {
            let items = readings(grid, 12, |index| standing_out(if (5..9).contains(&index) { 3 } else { 0 }, -40.0));
            // Seen from the reading at 9 s on, up to the one at 12 s.
            let found = found(&items);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!((found[0].0 - 4.904).abs() < 1e-6 && found[0].1 == Some(12.0), "{found:?}");
        }
    }

    #[test]
    fn a_single_tone_and_two_multiples_are_no_hum() {
        for count in [1, 2] {
            assert_eq!(found(&readings(0, 12, |_| standing_out(count, -30.0))), []);
        }
    }

    #[test]
    fn under_music_the_mains_frequency_and_one_multiple_are_enough_when_they_stay() {
        let masked = |first: f32, shown: std::ops::Range<usize>| {
            let reading = move |index: usize| {
                let mut all = [harmonic(-50.0, 4.0); HARMONICS];
                if shown.contains(&index) {
                    (all[0], all[2]) = (harmonic(-37.0, first), harmonic(-47.0, 25.0));
                }
                all
            };
            found(&readings(0, 12, reading))
        };
        let told = masked(30.0, 2..9);
        assert!(told.len() == 1 && (told[0].0 - 1.904).abs() < 1e-6, "{told:?}");
        assert_eq!(masked(30.0, 2..5), [], "too short");
        assert_eq!(masked(10.0, 2..9), [], "multiples of nothing");
    }

    #[test]
    fn an_onset_in_the_middle_of_a_spectrum_is_that_of_the_next_one() {
        let items = readings(0, 12, |index| match index {
            0..4 => standing_out(0, -40.0),
            4 => standing_out(3, -40.8),
            _ => standing_out(3, -40.0),
        });
        let told = found(&items);
        assert!(told.len() == 1 && (told[0].0 - 4.904).abs() < 1e-6, "{told:?}");
    }

    #[test]
    fn notes_that_swell_and_decay_are_no_hum() {
        assert_eq!(found(&readings(0, 12, |index| standing_out(4, -30.0 - 2.0 * (index % 3) as f32))), []);
    }

    #[test]
    fn notes_with_side_tones_are_no_hum() {
        let beaten = Harmonic { level_dbfs: -30.0, above_median_db: 30.0, above_highest_db: 2.0 };
        assert_eq!(found(&readings(0, 12, |_| [beaten; HARMONICS])), []);
    }

    #[test]
    fn programme_over_it_does_not_end_it_as_long_as_two_multiples_can_be_seen() {
        let masked = |index: usize| {
            let all = standing_out(3, -40.0);
            if index == 6 { [all[0], harmonic(-40.5, 14.0), harmonic(-40.0, 3.0), all[3], all[4], all[5]] } else { all }
        };
        assert_eq!(found(&readings(0, 12, masked)).len(), 1);
    }

    #[test]
    fn it_is_off_in_news() {
        assert!(!defaults(Profile::NewsSport).enabled && defaults(Profile::BroadcastEu).enabled);
    }
}
