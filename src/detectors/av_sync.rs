//! Audio-video sync: sound is early or late against the picture, where markers tell.
//!
//! Only markers are a measure: flashes and beeps that a test generator sends at the same moment
//! (found by `measure/markers.rs`). Ordinary programmes carry none, and then nothing is said.
//!
//! Three flashes in a row that are evenly spaced (within 100 ms) make a period; each is paired with the
//! nearest beep within half of it. When all three have one, and the leads of sound over picture
//! differ by less than 20 ms, their median is the measure, since the first of them. So neither
//! shots in the dark nor cuts from black to the beat add up to a measure, unless they keep time to
//! 20 ms. It holds until no such three came for five periods; then nothing is known any more, and an
//! event ends with its last pair. An offset of more than half the period cannot be told from its complement.
//!
//! Score: how far sound is off, unit `ms`. Classes: 1, 2 sound early, 3, 4 sound late; 1 and 3 are at most
//! a warning. Accurate to 1 ms of sound and, as a flash begins with its picture, to the picture: up
//! to half a picture for what was filmed.
//!
//! Sources: +40 and −60 ms from EBU R 37, +90 and −185 ms from ITU-R BT.1359-1 (acceptability); early is
//! positive in both. The 20 ms are half a picture at 25 pictures a second.
//!
//! Owned by the input actor of a stream, on its arbiter. Sees markers only.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{ClassLimit, Detector, LaneKind, Precedence, Situation, Verdicts, Worse};
use avwatch_actors::item::{Item, MarkerKind, PacketFacts};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Major, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{TrackInfo, TrackKind};

use super::spell::Spell;
use super::table::Table;
use super::{DetectorKind, OptionDoc, OptionValue, Options};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 301,
    name: "av_sync",
    summary: "Sound is early or late against the picture, by flash-and-beep markers",
    unit: "ms",
    worse: Worse::Higher,
    lanes: &[LaneKind::Input],
    precedence: Precedence::Apart,
    cheapest: Tier::Full,
    standard_ref: Some("EBU R 37, ITU-R BT.1359-1"),
    source: "EBU R 37 (warning), ITU-R BT.1359-1 acceptability (major)",
    options: &[
        milliseconds("early_warning_ms", "Milliseconds by which sound may be early.", |_| OptionValue::Number(40.0)),
        milliseconds("late_warning_ms", "Milliseconds by which sound may be late.", |_| OptionValue::Number(60.0)),
        milliseconds("early_major_ms", "Milliseconds beyond which early sound is major.", |_| {
            OptionValue::Number(90.0)
        }),
        milliseconds("late_major_ms", "Milliseconds beyond which late sound is major.", |_| OptionValue::Number(185.0)),
    ],
    defaults: |profile| {
        let all = &[(0, Warning), (0, Major)];
        let mut defaults = Table { live: all, fast: all, file: all }.defaults(profile);
        defaults.enabled = profile != Profile::Radio;
        defaults
    },
    needs: |_, plan| (plan.flash, plan.luma, plan.sound) = (true, true, true),
    threshold: |_| None,
    class_limits: |_| Some(Arc::new(limit_of)),
    applies: |track| track.track.kind == TrackKind::Input,
    message: |situation: &Situation| {
        let direction = if situation.class >= LATE { "late" } else { "early" };
        format!("sound {:.0} ms {direction} (flash-and-beep markers)", situation.peak)
    },
    build: |options, _| {
        let limits = Limits::new(options);
        Arc::new(move |_: &TrackInfo| Box::new(AvSync::new(limits)) as Box<dyn Detector>)
    },
};

const fn milliseconds(name: &'static str, doc: &'static str, default: fn(Profile) -> OptionValue) -> OptionDoc {
    OptionDoc { name, doc, default, range: (1.0, 5_000.0) }
}

/// Classes of sound that is early or late by a warning's worth; one more is major.
const EARLY: u8 = 1;
const LATE: u8 = 3;

fn limit_of(class: u8) -> Option<ClassLimit> {
    matches!(class, EARLY | LATE).then_some(ClassLimit { most: Warning, raise_after: Duration::ZERO })
}

/// Markers of a kind that are remembered: three pairs, and those on their way.
const MARKERS_MAX: usize = 8;
/// Pairs that make a measure.
const PAIRS: usize = 3;
/// By how much the distances of three flashes may differ.
const UNEVEN_MAX: MediaTime = MediaTime::from_millis(100);
/// By how much the leads of three pairs differ less.
const SPREAD_BELOW: MediaTime = MediaTime::from_millis(20);
/// Flashes further apart than this make no period.
const PERIOD_MAX: MediaTime = MediaTime::from_millis(20_000);
/// Periods for which a measure holds: a lost marker is replaced after four.
const HOLDS: i64 = 5;

/// How far sound may be off, in milliseconds.
#[derive(Clone, Copy)]
struct Limits {
    early: [f64; 2],
    late: [f64; 2],
}

impl Limits {
    fn new(options: &Options) -> Self {
        Self {
            early: [options.number("early_warning_ms"), options.number("early_major_ms")],
            late: [options.number("late_warning_ms"), options.number("late_major_ms")],
        }
    }

    /// The class of a lead of sound over picture in milliseconds; nothing within the limits.
    fn class(&self, lead_ms: f64) -> Option<u8> {
        let ([warning, major], class) = if lead_ms > 0.0 { (self.early, EARLY) } else { (self.late, LATE) };
        match lead_ms.abs() {
            off if off > major => Some(class + 1),
            off if off > warning => Some(class),
            _ => None,
        }
    }
}

/// What three pairs say.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Measure {
    /// How much earlier the sound is than the picture.
    lead: MediaTime,
    /// The earlier half of the first pair.
    from: MediaTime,
    /// The later half of the last pair.
    to: MediaTime,
    period: MediaTime,
}

struct AvSync {
    limits: Limits,
    flashes: VecDeque<MediaTime>,
    beeps: VecDeque<MediaTime>,
    measure: Option<Measure>,
    /// Whether sound is off; its class and by how many milliseconds.
    state: Spell,
    class: u8,
    off_ms: f32,
}

impl AvSync {
    fn new(limits: Limits) -> Self {
        let (flashes, beeps) = (VecDeque::with_capacity(MARKERS_MAX), VecDeque::with_capacity(MARKERS_MAX));
        Self { limits, flashes, beeps, measure: None, state: Spell::Unknown, class: 0, off_ms: 0.0 }
    }

    fn look(&mut self, facts: &PacketFacts, out: &mut Verdicts) {
        for marker in &facts.markers {
            let known = match marker.kind {
                MarkerKind::Flash => &mut self.flashes,
                MarkerKind::Beep => &mut self.beeps,
            };
            if known.len() == MARKERS_MAX {
                known.pop_front();
            }
            known.push_back(marker.at);
        }
        if !facts.markers.is_empty()
            && let Some(measure) = self.newest_measure()
        {
            self.take(measure);
        }
        self.expire(facts.at);
        self.state.say(self.off_ms, self.class, out);
    }

    /// The measure of the last three flashes, or of those before while the last one's beep is on its way.
    fn newest_measure(&self) -> Option<Measure> {
        let count = self.flashes.len();
        [count, count.saturating_sub(1)].into_iter().find_map(|end| {
            let begin = end.checked_sub(PAIRS)?;
            let [one, two, three] = [0, 1, 2].map(|offset| self.flashes[begin + offset]);
            self.measure([one, two, three])
        })
    }

    fn measure(&self, flashes: [MediaTime; PAIRS]) -> Option<Measure> {
        let [one, two, three] = flashes;
        let period = MediaTime::from_nanos((three - one).as_nanos() / 2);
        let even = (two - one).distance(three - two) <= UNEVEN_MAX;
        if !even || period <= MediaTime::ZERO || period > PERIOD_MAX {
            return None;
        }
        let mut leads = [MediaTime::ZERO; PAIRS];
        for (lead, flash) in leads.iter_mut().zip(flashes) {
            let nearest = self.beeps.iter().min_by_key(|beep| beep.distance(flash))?;
            let within = nearest.distance(flash) + nearest.distance(flash) <= period;
            *lead = Some(flash - *nearest).filter(|_| within)?;
        }
        let (from, to) = (one.min(one - leads[0]), three.max(three - leads[2]));
        leads.sort_unstable();
        (leads[2] - leads[0] < SPREAD_BELOW).then_some(Measure { lead: leads[1], from, to, period })
    }

    fn take(&mut self, measure: Measure) {
        if self.measure == Some(measure) {
            return;
        }
        self.measure = Some(measure);
        let lead_ms = measure.lead.as_secs_f64() * 1e3;
        let class = self.limits.class(lead_ms);
        self.off_ms = lead_ms.abs() as f32;
        self.class = class.unwrap_or(0);
        self.state.turn(class.is_some(), measure.from);
    }

    /// After five periods without a measure nothing is known: what was off was so up to its last pair.
    fn expire(&mut self, now: MediaTime) {
        let Some(measure) = self.measure else { return };
        if now - measure.to > MediaTime::from_nanos(measure.period.as_nanos() * HOLDS) {
            self.measure = None;
            (self.off_ms, self.class) = (0.0, 0);
            self.state.turn(false, measure.to);
        }
    }
}

impl Detector for AvSync {
    fn inspect(&mut self, item: &Item, out: &mut Verdicts) {
        match item {
            Item::Packets(facts) => self.look(facts, out),
            Item::Started(info) if info.revision == 0 => *self = Self::new(self.limits),
            Item::Video(_) | Item::Audio(_) | Item::Started(_) | Item::Clock(_) | Item::Gap(_) | Item::Ended(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::item::SyncMarker;
    use avwatch_actors::track::TrackId;

    use super::super::testing::{Packets, Stretch, at, build, stretches};
    use super::*;

    fn flash(seconds: f64) -> SyncMarker {
        SyncMarker { kind: MarkerKind::Flash, at: at(seconds) }
    }

    fn beep(seconds: f64) -> SyncMarker {
        SyncMarker { kind: MarkerKind::Beep, at: at(seconds) }
    }

    /// A flash every two seconds, and a beep that is early by as much as `lead` says of its number.
    fn markers(count: usize, lead: impl Fn(usize) -> f64) -> Vec<SyncMarker> {
        let pair = |index: usize| [flash(index as f64 * 2.0 + 2.0), beep(index as f64 * 2.0 + 2.0 - lead(index))];
        (0..count).flat_map(pair).collect()
    }

    /// Reports each marker 60 ms after it began, and a beep 40 ms later.
    fn told(seconds: f64, markers: &[SyncMarker]) -> Vec<Stretch> {
        let mut packets = Packets::new();
        for index in 0..(seconds * 10.0) as i64 {
            let known = |marker: &&SyncMarker| {
                let delay = if marker.kind == MarkerKind::Beep { 100 } else { 60 };
                (marker.at.as_millis() + delay).div_euclid(100) == index
            };
            packets = packets.stretch(0.1, |facts| facts.markers = markers.iter().filter(known).copied().collect());
        }
        let mut detector = build(&KIND, Profile::Ott, &TrackInfo::bare(TrackId::INPUT), &[]);
        stretches(&mut *detector, &packets.items)
    }

    #[test]
    fn the_limits_of_ebu_r_37_and_itu_r_bt_1359_1_hold_to_the_millisecond() {
        let cases = [
            (0.040, None),
            (0.041, Some(EARLY)),
            (0.090, Some(EARLY)),
            (0.091, Some(EARLY + 1)),
            (-0.060, None),
            (-0.061, Some(LATE)),
            (-0.185, Some(LATE)),
            (-0.186, Some(LATE + 1)),
            (0.0, None),
        ];
        for (lead, class) in cases {
            let found = told(14.0, &markers(6, |_| lead));
            assert_eq!(found.first().map(|found| found.class), class, "{lead}");
        }
    }

    #[test]
    fn classes_within_r_37_and_bt_1359_1_are_a_warning_and_beyond_they_are_major() {
        let most = |class| limit_of(class).map(|limit| limit.most);
        assert_eq!([EARLY, EARLY + 1, LATE, LATE + 1].map(most), [Some(Warning), None, Some(Warning), None]);
    }

    #[test]
    fn late_sound_is_told_from_the_first_pair_with_direction_and_method() {
        let found = told(14.0, &markers(6, |_| -0.12));
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 2.0, None));
        let situation = Situation { lasted: at(1.0), peak: found[0].score, class: found[0].class };
        assert_eq!((KIND.message)(&situation), "sound 120 ms late (flash-and-beep markers)");
    }

    #[test]
    fn early_sound_is_told_from_its_first_beep() {
        let found = told(14.0, &markers(6, |_| 0.1));
        assert_eq!((found.len(), found[0].start, found[0].class), (1, 1.9, EARLY + 1));
    }

    #[test]
    fn two_pairs_are_not_enough_and_three_that_differ_by_20_ms_neither() {
        assert_eq!(told(14.0, &markers(2, |_| -0.12)), []);
        assert_eq!(told(14.0, &markers(6, |index| -0.12 + 0.02 * (index % 2) as f64)), []);
        assert_eq!(told(14.0, &markers(6, |index| -0.12 + 0.019 * (index % 2) as f64)).len(), 1);
    }

    #[test]
    fn a_shift_within_the_markers_begins_with_its_first_pair_and_ends_likewise() {
        let lead = |index: usize| if (5..10).contains(&index) { -0.12 } else { 0.01 };
        let found = told(34.0, &markers(15, lead));
        assert_eq!((found.len(), found[0].start), (1, 12.0));
        assert!(found[0].end.is_some_and(|end| (end - 22.0).abs() < 0.02), "{found:?}");
    }

    #[test]
    fn it_ends_with_the_last_pair_when_the_markers_do() {
        let found = told(40.0, &markers(6, |_| -0.12));
        assert_eq!((found.len(), found[0].end), (1, Some(12.12)));
    }

    #[test]
    fn a_lost_beep_delays_the_measure_and_makes_no_wrong_one() {
        let mut lost = markers(8, |_| -0.12);
        lost.remove(7);
        let found = told(18.0, &lost);
        assert_eq!((found.len(), found[0].start, found[0].class), (1, 2.0, LATE));
        assert!((found[0].score - 120.0).abs() < 1e-3);
    }

    #[test]
    fn shots_in_the_dark_and_cuts_from_black_are_no_markers() {
        // Flashes at random moments, each followed by a bang after the same 120 ms.
        let shots: Vec<SyncMarker> = [2.0, 3.1, 5.7, 6.4, 9.9, 11.0, 14.2, 15.0, 18.8]
            .into_iter()
            .flat_map(|time| [flash(time), beep(time + 0.12)])
            .collect();
        assert_eq!(told(20.0, &shots), []);
        // A beat, and flashes that do not keep to it.
        let late = [0.12, 0.30, -0.2, 0.05, 0.4, -0.1, 0.22, 0.33];
        assert_eq!(told(20.0, &markers(8, |index| -late[index])), []);
    }

    #[test]
    fn flashes_alone_and_beeps_alone_say_nothing() {
        let all = markers(8, |_| -0.12);
        for kind in [MarkerKind::Flash, MarkerKind::Beep] {
            let half: Vec<SyncMarker> = all.iter().filter(|marker| marker.kind == kind).copied().collect();
            assert_eq!(told(20.0, &half), []);
        }
    }
}
