//! Channel silence: one channel of a track is dead while another one carries the programme.
//!
//! A channel is silent below `level_dbfs` (as in `silence`); the condition holds while, besides,
//! some other channel but LFE has been above `other_dbfs` within the last second. When all are
//! low nothing can be said: a track that is silent as a whole is `silence`'s business. Onset is the
//! first moment at which both held. Score: the level of the dead channel in dBFS.
//!
//! Several dead channels are told as one: a main channel before the centre, the centre before the
//! others, then by number. The class carries the channel's number (low four bits) and role. Front
//! left and right and mono follow the ladder. The centre is quiet in music for long and waits 30 s;
//! surrounds and LFE are silent by nature for most of a programme: `info` after `surround_after`. A
//! channel that plays again ends its event although a less urgent one is dead.
//!
//! Sources: −60 against −40 dBFS and the centre's 30 s from broadcast practice; hold times are the
//! published defaults. Secondary tracks: `info` only.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{ClassLimit, LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, ChannelHop, SoundHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::{Critical, Info, Warning};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::kind::lasted;
use super::quiet::{CLICK_LASTS, ChannelSpan, Quiet, QuietRun, dbfs_of, power_of};
use super::silence::roles_of;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::{Table, info_only};
use super::{Defaults, DetectorKind, OptionDoc, OptionValue, Options};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 202,
    name: "channel_silence",
    summary: "One channel is silent while another carries sound",
    unit: "dBFS",
    worse: Worse::Lower,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    cheapest: Tier::Audio,
    standard_ref: None,
    source: "Broadcast practice: a channel below -60 dBFS while another is above -40 dBFS",
    options: &[
        OptionDoc {
            name: "level_dbfs",
            doc: "AC level in dBFS below which a channel is silent.",
            default: |_| OptionValue::Number(-60.0),
            range: (-100.0, -20.0),
        },
        OptionDoc {
            name: "other_dbfs",
            doc: "AC level in dBFS that another channel must have reached within the last second.",
            default: |_| OptionValue::Number(-40.0),
            range: (-80.0, -10.0),
        },
        OptionDoc {
            name: "surround_after",
            doc: "Time in the condition after which surround and LFE channels are reported, as info.",
            default: |_| OptionValue::Span(Duration::from_secs(120)),
            range: (1.0, 86_400.0),
        },
    ],
    defaults,
    needs: |_, plan| plan.sound = true,
    threshold: |options| Some(options.number("level_dbfs") as f32),
    class_limits: |options: &Options| {
        let surround_after = options.span("surround_after");
        Some(Arc::new(move |class| limit_of(class, surround_after)))
    },
    applies: |track| {
        track.track.kind == TrackKind::Audio && track.audio.as_ref().is_none_or(|format| format.channels != 1)
    },
    message,
    build: |options, _| {
        let (level, other) = (options.number("level_dbfs"), options.number("other_dbfs"));
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, ChannelSilence::new(track, level, other)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let table = Table { live: &[(30_000, Warning)], fast: &[(15_000, Warning)], file: &[(3_000, Warning)] };
    let mut defaults = table.defaults(profile);
    defaults.secondary_steps = Some(info_only(&defaults.steps));
    defaults
}

/// Time after which a silent centre matters.
const CENTER_AFTER: Duration = Duration::from_secs(30);
/// Another channel that was loud counts as carrying sound for so long.
const ARMED: MediaTime = MediaTime::from_millis(1_000);
/// How long a channel that plays again is told clear while a less urgent one is dead: what an event of
/// a live stream takes to end.
const RELEASE: MediaTime = MediaTime::from_millis(10_000);

/// What a class stands for: how urgent the channel is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Main,
    Center,
    Side,
}

fn urgency(role: ChannelRole) -> Urgency {
    match role {
        ChannelRole::Left | ChannelRole::Right | ChannelRole::Mono | ChannelRole::Other => Urgency::Main,
        ChannelRole::Center => Urgency::Center,
        ChannelRole::Lfe | ChannelRole::Surround => Urgency::Side,
    }
}

const ROLES: [ChannelRole; 7] = [
    ChannelRole::Other,
    ChannelRole::Left,
    ChannelRole::Right,
    ChannelRole::Center,
    ChannelRole::Lfe,
    ChannelRole::Surround,
    ChannelRole::Mono,
];

/// The class of a channel: its role above its number, both small enough for one byte.
fn class_of(channel: usize, role: ChannelRole) -> u8 {
    let role = ROLES.iter().position(|known| *known == role).unwrap_or(0);
    (role as u8) << 4 | (channel as u8 & 15)
}

fn role_of(class: u8) -> ChannelRole {
    ROLES.get(usize::from(class >> 4)).copied().unwrap_or_default()
}

fn limit_of(class: u8, surround_after: Duration) -> Option<ClassLimit> {
    match urgency(role_of(class)) {
        Urgency::Main => None,
        Urgency::Center => Some(ClassLimit { most: Critical, raise_after: CENTER_AFTER }),
        Urgency::Side => Some(ClassLimit { most: Info, raise_after: surround_after }),
    }
}

fn message(situation: &Situation) -> String {
    let number = (situation.class & 15) + 1;
    let lasted = lasted(situation);
    match role_of(situation.class) {
        ChannelRole::Other => format!("channel {number} silent for {lasted}"),
        role @ (ChannelRole::Left
        | ChannelRole::Right
        | ChannelRole::Center
        | ChannelRole::Lfe
        | ChannelRole::Surround
        | ChannelRole::Mono) => format!("channel {number} ({}) silent for {lasted}", role.name()),
    }
}

/// One channel.
#[derive(Clone)]
struct Channel {
    run: QuietRun,
    span: ChannelSpan,
    /// How it stands after the newest hop.
    quiet: Quiet,
    power: f32,
    /// Since when it is dead while another is not.
    dead_since: Option<MediaTime>,
}

struct ChannelSilence {
    level_dbfs: f64,
    other_power: f32,
    roles: [ChannelRole; CHANNELS_MAX],
    channels: Vec<Channel>,
    /// Since when no channel is dead.
    clear_since: Option<MediaTime>,
    /// How urgent the channel is that was told dead by the newest verdict.
    told: Option<Urgency>,
    /// Since when a channel that was dead plays again, while a less urgent one is dead.
    released: Option<MediaTime>,
    /// The newest hops in which a channel carried sound: by one channel, and by any other.
    carried: [Option<(usize, MediaTime)>; 2],
}

impl ChannelSilence {
    fn new(track: &TrackInfo, level_dbfs: f64, other_dbfs: f64) -> Self {
        Self {
            level_dbfs,
            other_power: power_of(other_dbfs),
            roles: roles_of(track),
            channels: Vec::with_capacity(CHANNELS_MAX),
            clear_since: None,
            told: None,
            released: None,
            carried: [None; 2],
        }
    }

    fn reset(&mut self) {
        self.channels.clear();
        self.clear_since = None;
        (self.told, self.released) = (None, None);
        self.carried = [None; 2];
    }

    fn step(&mut self, hop: &SoundHop, channels: &[ChannelHop]) -> Verdict {
        let mut began = hop.at;
        for (number, (state, channel)) in self.channels.iter_mut().zip(channels).enumerate() {
            state.power = state.span.power(channel, state.run.limit());
            state.quiet = state.run.step(hop, state.power);
            // A click in a silent channel is no programme.
            let plays = matches!(state.quiet, Quiet::Loud(_)) && channel.power >= self.other_power;
            if let Quiet::Loud(since) = state.quiet
                && plays
                && hop.at - since <= CLICK_LASTS
            {
                // Its first hops could still have been a click.
                began = began.min(since);
            }
            if plays && self.roles[number] != ChannelRole::Lfe {
                // Two different channels are enough: at least one of them is another than the dead one.
                match &mut self.carried {
                    [Some((first, at)), _] if *first == number => *at = hop.at,
                    [first, second] => *second = first.replace((number, hop.at)),
                }
            }
        }
        let mut worst: Option<(Urgency, usize, MediaTime)> = None;
        let mut judged = false;
        let mut ended = None;
        for number in 0..self.channels.len() {
            let carried_at = self.carried_beside(number);
            let state = &mut self.channels[number];
            match state.quiet {
                Quiet::Loud(since) => {
                    if state.dead_since.take().is_some() {
                        ended = ended.max(Some(since));
                    }
                    judged = true;
                }
                // Sound from before the channel fell silent proves nothing: all may pause together.
                Quiet::Silent(since) if carried_at.is_some_and(|at| at >= since && hop.at - at <= ARMED) => {
                    let since = *state.dead_since.get_or_insert(began.max(since));
                    let candidate = (urgency(self.roles[number]), number, since);
                    worst = Some(worst.map_or(candidate, |worst| worst.min(candidate)));
                }
                Quiet::Silent(_) | Quiet::Clicked => {}
            }
        }
        match worst {
            Some((urgency, number, since)) => {
                self.clear_since = None;
                if let Some(since) = self.release(urgency, hop.at, ended) {
                    return Verdict::Clear { since, score: self.loudest_dbfs() };
                }
                let (score, class) = (dbfs_of(self.channels[number].power), class_of(number, self.roles[number]));
                Verdict::Faulty { since, score, class }
            }
            None if judged && self.channels.iter().all(|channel| channel.dead_since.is_none()) => {
                (self.told, self.released) = (None, None);
                let since = *self.clear_since.get_or_insert(ended.unwrap_or(hop.at));
                Verdict::Clear { since, score: self.loudest_dbfs() }
            }
            None => Verdict::Undecided,
        }
    }

    /// Since when a more urgent channel plays again than the one that is dead now, for as long as the
    /// event of the former takes to end.
    fn release(&mut self, urgency: Urgency, at: MediaTime, ended: Option<MediaTime>) -> Option<MediaTime> {
        match self.told {
            Some(told) if urgency > told => self.released = Some(ended.unwrap_or(at)),
            Some(told) if urgency < told => self.released = None,
            Some(_) | None => {}
        }
        self.told = Some(urgency);
        self.released = self.released.filter(|since| at - *since <= RELEASE);
        self.released
    }

    fn loudest_dbfs(&self) -> f32 {
        dbfs_of(self.channels.iter().fold(0.0_f32, |loudest, channel| loudest.max(channel.power)))
    }

    /// The newest hop in which some channel other than that one carried sound.
    fn carried_beside(&self, channel: usize) -> Option<MediaTime> {
        self.carried.iter().flatten().filter(|(number, _)| *number != channel).map(|(_, at)| *at).max()
    }
}

impl SoundJudge for ChannelSilence {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        let count = frame.hops.channel_count().min(CHANNELS_MAX);
        if self.channels.len() != count {
            self.reset();
            let run = QuietRun::new(self.level_dbfs);
            let quiet = Quiet::Clicked;
            let channel = Channel { run, span: ChannelSpan::default(), quiet, power: 0.0, dead_since: None };
            self.channels.resize(count, channel);
        }
        for (hop, channels) in frame.hops.iter() {
            out.say(self.step(hop, channels));
        }
    }

    fn learn(&mut self, track: &TrackInfo) {
        self.roles = roles_of(track);
    }

    fn begin(&mut self) {
        self.reset();
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::detector::Detector;

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level, stretches};
    use super::*;

    fn detector(roles: &[ChannelRole]) -> Box<dyn Detector> {
        build(&KIND, Profile::File, &audio_track(roles), &[])
    }

    #[test]
    fn a_dead_channel_is_found_from_its_hop_on_and_named() {
        let items = Track::new().stereo(2.0, -20.0, -20.0).stereo(4.0, -20.0, -200.0).stereo(1.0, -20.0, -20.0).items;
        let found = stretches(&mut *detector(STEREO), &items);
        assert_eq!((found.len(), found[0].start, found[0].end), (1, 2.0, Some(6.0)));
        let situation = Situation { lasted: MediaTime::from_millis(4_000), peak: -200.0, class: found[0].class };
        assert_eq!(message(&situation), "channel 2 (right) silent for 4.0 s");
    }

    #[test]
    fn a_track_that_is_silent_as_a_whole_is_not_judged() {
        let items = Track::new().stereo(5.0, -200.0, -200.0).items;
        assert_eq!(stretches(&mut *detector(STEREO), &items), []);
    }

    #[test]
    fn a_channel_dead_from_the_start_counts_from_when_the_other_speaks() {
        let items = Track::new().stereo(5.0, -200.0, -200.0).stereo(5.0, -25.0, -200.0).items;
        assert_eq!(lasting(&mut *detector(STEREO), &items, 3.0), [(5.0, None)]);
    }

    #[test]
    fn pauses_of_the_live_channel_do_not_end_it() {
        let speech = |index: u64| vec![level(if index % 300 < 150 { -25.0 } else { -70.0 }), level(-200.0)];
        let items = Track::new().then(12.0, speech).items;
        assert_eq!(lasting(&mut *detector(STEREO), &items, 3.0), [(0.0, None)]);
    }

    #[test]
    fn a_quiet_but_living_channel_is_not_dead() {
        let items = Track::new().stereo(8.0, -20.0, -50.0).items;
        assert_eq!(stretches(&mut *detector(STEREO), &items), []);
    }

    #[test]
    fn a_main_channel_is_told_before_a_surround() {
        let roles = [ChannelRole::Left, ChannelRole::Right, ChannelRole::Surround];
        let items = Track::new().then(5.0, |_| vec![level(-20.0), level(-200.0), level(-200.0)]).items;
        let found = stretches(&mut *detector(&roles), &items);
        assert_eq!(role_of(found[0].class), ChannelRole::Right);
    }

    #[test]
    fn a_dead_left_ends_when_it_plays_again_though_the_lfe_is_silent_as_it_mostly_is() {
        let roles = [ChannelRole::Left, ChannelRole::Right, ChannelRole::Lfe];
        let of_left = |left: f32| move |_| vec![level(left), level(-20.0), level(-200.0)];
        let items = Track::new().then(2.0, of_left(-20.0)).then(4.0, of_left(-200.0)).then(5.0, of_left(-20.0)).items;
        let found = stretches(&mut *detector(&roles), &items);
        assert_eq!((role_of(found[0].class), found[0].end), (ChannelRole::Left, Some(6.0)));
    }

    #[test]
    fn surrounds_and_lfe_are_info_after_two_minutes_and_the_centre_waits_half_a_minute() {
        let wait = Duration::from_secs(120);
        for role in [ChannelRole::Surround, ChannelRole::Lfe] {
            assert_eq!(limit_of(class_of(5, role), wait), Some(ClassLimit { most: Info, raise_after: wait }));
        }
        assert_eq!(limit_of(class_of(0, ChannelRole::Left), wait), None);
        let center = limit_of(class_of(2, ChannelRole::Center), wait).map(|limit| limit.raise_after);
        assert_eq!(center, Some(CENTER_AFTER));
    }

    #[test]
    fn a_channel_that_only_the_lfe_outlives_is_not_called_dead() {
        let roles = [ChannelRole::Left, ChannelRole::Right, ChannelRole::Lfe];
        let items = Track::new().then(5.0, |_| vec![level(-200.0), level(-200.0), level(-20.0)]).items;
        assert_eq!(stretches(&mut *detector(&roles), &items), []);
    }
}
