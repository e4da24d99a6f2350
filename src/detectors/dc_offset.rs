//! DC offset: the sound of a channel does not swing around zero.
//!
//! The mean of the samples over `window` is further from zero than `limit` (relative to full scale), and
//! stands out from how eighths of the window scatter, by five standard errors: sub-bass and rumble swing to
//! both. LFE channels are not watched. The mean follows an offset
//! slowly, so onset and end are looked up afterwards: the moments that split the window best into
//! hops around zero and hops around more than half the limit. Programme with strong bass can put them off by some tens
//! of milliseconds. Score: the magnitude of the mean.
//!
//! Sources: 0.005 (−46 dBFS) over 10 s is broadcast practice; in files 2 s, so that every
//! occurrence can be listed. Hold times are the published defaults. `info`, and off in `news-sport`.
//!
//! Owned by the sound actor of a stream, on its arbiter. Sees facts only.

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{LaneKind, Precedence, Situation, Verdict, Verdicts, Worse};
use avwatch_actors::frame::{AudioFrame, ChannelHop};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::severity::Severity::Info;
use avwatch_actors::track::{CHANNELS_MAX, ChannelRole, TrackInfo, TrackKind};

use super::kind::lasted;
use super::silence::roles_of;
use super::sound_judge::{OfSound, SoundJudge};
use super::table::Table;
use super::{Defaults, DetectorKind, OptionDoc, OptionValue};
use crate::profile::Profile;

/// The row.
pub(super) const KIND: DetectorKind = DetectorKind {
    number: 209,
    name: "dc_offset",
    summary: "The sound of a channel does not swing around zero",
    unit: "full scale",
    worse: Worse::Higher,
    lanes: &[LaneKind::Sound],
    precedence: Precedence::Rest,
    standard_ref: None,
    source: "Broadcast practice: a mean above 0.005 (-46 dBFS) over 10 s",
    options: &[
        OptionDoc {
            name: "limit",
            doc: "Mean of the samples, relative to full scale, above which there is an offset.",
            default: |_| OptionValue::Number(0.005),
            range: (0.000_1, 0.5),
        },
        OptionDoc {
            name: "window",
            doc: "Time over which the mean is taken.",
            default: |profile| OptionValue::Span(Duration::from_secs(if profile == Profile::File { 2 } else { 10 })),
            range: (0.5, 60.0),
        },
    ],
    defaults,
    needs: |_, plan| plan.sound = true,
    threshold: |options| Some(options.number("limit") as f32),
    class_limits: |_| None,
    applies: |track| track.track.kind == TrackKind::Audio,
    message: |situation: &Situation| format!("DC offset up to {:.3} for {}", situation.peak, lasted(situation)),
    build: |options, _| {
        let limit = options.number("limit");
        let hops = (options.span("window").as_millis() / 10).max(1) as usize;
        Arc::new(move |track: &TrackInfo| OfSound::boxed(track, DcOffset::new(track, limit, hops)))
    },
};

fn defaults(profile: Profile) -> Defaults {
    let live = &[(10_000, Info)];
    let mut defaults = Table { live, fast: live, file: &[(2_000, Info)] }.defaults(profile);
    defaults.enabled = profile != Profile::NewsSport;
    defaults
}

/// The mean must be so many standard errors from zero.
const STANDARD_ERRORS: f64 = 5.0;

/// One channel.
struct Channel {
    /// Means of the hops of the window, as a ring.
    means: Vec<f32>,
    sum: f64,
    /// Onset and sign of the offset while there is one.
    holds: Option<(MediaTime, f64)>,
}

struct DcOffset {
    limit: f64,
    hops: usize,
    roles: [ChannelRole; CHANNELS_MAX],
    channels: Vec<Channel>,
    next: usize,
    filled: usize,
    clear_since: Option<MediaTime>,
}

impl DcOffset {
    fn new(track: &TrackInfo, limit: f64, hops: usize) -> Self {
        let roles = roles_of(track);
        Self { limit, hops, roles, channels: Vec::new(), next: 0, filled: 0, clear_since: None }
    }

    fn reset(&mut self, channels: usize) {
        let hops = self.hops;
        self.channels.clear();
        self.channels.resize_with(channels, || Channel { means: vec![0.0; hops], sum: 0.0, holds: None });
        (self.next, self.filled, self.clear_since) = (0, 0, None);
    }

    fn step(&mut self, until: MediaTime, channels: &[ChannelHop]) -> Verdict {
        self.filled = (self.filled + 1).min(self.hops);
        let mut worst: Option<(MediaTime, f64)> = None;
        let mut ended = None;
        let mut highest = 0.0_f64;
        for ((state, facts), role) in self.channels.iter_mut().zip(channels).zip(self.roles) {
            if role == ChannelRole::Lfe {
                continue;
            }
            // Absurd samples would stay in the sum for ever.
            let mean = facts.mean.clamp(-8.0, 8.0);
            state.sum += f64::from(mean) - f64::from(std::mem::replace(&mut state.means[self.next], mean));
            if self.next == 0 {
                state.sum = state.means.iter().map(|mean| f64::from(*mean)).sum();
            }
            if self.filled < self.hops {
                continue;
            }
            let offset = state.sum / self.hops as f64;
            highest = highest.max(offset.abs());
            if state.holds.is_some_and(|(_, sign)| offset * sign <= self.limit) {
                let (onset, sign) = state.holds.take().unwrap_or((until, 1.0));
                let back = state.hops_since(self.next, |mean| 0.5 * self.limit - sign * mean);
                ended = ended.max(Some((until - MediaTime::from_millis(10 * back)).max(onset)));
            }
            let sign = offset.signum();
            if offset.abs() > self.limit && (state.holds.is_some() || state.standard_errors() >= STANDARD_ERRORS) {
                let onset = match state.holds {
                    Some((onset, _)) => onset,
                    None => {
                        let back = state.hops_since(self.next, |mean| sign * mean - 0.5 * self.limit);
                        until - MediaTime::from_millis(10 * back)
                    }
                };
                state.holds = Some((onset, sign));
                if worst.is_none_or(|(_, most)| offset.abs() > most) {
                    worst = Some((worst.map_or(onset, |(earlier, _)| onset.min(earlier)), offset.abs()));
                }
            }
        }
        self.next = (self.next + 1) % self.hops;
        match worst {
            Some((since, offset)) => {
                self.clear_since = None;
                Verdict::Faulty { since, score: offset as f32, class: 0 }
            }
            None if self.filled < self.hops => Verdict::Undecided,
            None => {
                Verdict::Clear { since: *self.clear_since.get_or_insert(ended.unwrap_or(until)), score: highest as f32 }
            }
        }
    }
}

impl Channel {
    /// How many standard errors the mean of the window is from zero, by its eighths.
    fn standard_errors(&self) -> f64 {
        const PARTS: usize = 8;
        let count = self.means.len();
        let mean_of = |part: usize| {
            let part = &self.means[part * count / PARTS..(part + 1) * count / PARTS];
            part.iter().map(|mean| f64::from(*mean)).sum::<f64>() / part.len().max(1) as f64
        };
        let parts: [f64; PARTS] = std::array::from_fn(mean_of);
        let mean = parts.iter().sum::<f64>() / PARTS as f64;
        let scatter = parts.iter().map(|part| (part - mean).powi(2)).sum::<f64>() / (PARTS - 1) as f64;
        // Nothing scatters less than the samples of 16 bits do.
        mean.abs() / (scatter / PARTS as f64).sqrt().max(1e-5)
    }

    /// How many hops ago, counting the newest one, a change happened: those since then add up to the
    /// most of `evidence`.
    fn hops_since(&self, newest: usize, evidence: impl Fn(f64) -> f64) -> i64 {
        let count = self.means.len();
        let (mut sum, mut most, mut hops) = (0.0, 0.0, 0);
        for back in 0..count {
            sum += evidence(f64::from(self.means[(newest + count - back) % count]));
            if sum > most {
                (most, hops) = (sum, back as i64 + 1);
            }
        }
        hops
    }
}

impl SoundJudge for DcOffset {
    fn listen(&mut self, frame: &AudioFrame, out: &mut Verdicts) {
        if self.channels.len() != frame.hops.channel_count() {
            self.reset(frame.hops.channel_count());
        }
        for (hop, channels) in frame.hops.iter() {
            let verdict = self.step(hop.at + hop.lasts, channels);
            if verdict != Verdict::Undecided {
                out.say(verdict);
            }
        }
    }

    fn learn(&mut self, track: &TrackInfo) {
        self.roles = roles_of(track);
    }

    fn begin(&mut self) {
        self.reset(0);
    }
}

#[cfg(test)]
mod tests {
    use avwatch_actors::item::Item;

    use super::super::testing::{STEREO, Track, audio_track, build, lasting, level};
    use super::*;

    fn offset(mean: f32) -> ChannelHop {
        ChannelHop { mean, ..level(-20.0) }
    }

    fn found(profile: Profile, roles: &[ChannelRole], items: &[Item], hold: f64) -> Vec<(f64, Option<f64>)> {
        lasting(&mut *build(&KIND, profile, &audio_track(roles), &[]), items, hold)
    }

    #[test]
    fn an_offset_of_one_channel_is_told_from_its_onset_to_its_end() {
        let items = Track::new()
            .then(3.0, |_| vec![offset(0.0); 2])
            .then(4.0, |_| vec![offset(0.0), offset(-0.02)])
            .then(4.0, |_| vec![offset(0.0); 2]);
        assert_eq!(found(Profile::File, STEREO, &items.items, 2.0), [(3.0, Some(7.0))]);
    }

    #[test]
    fn an_offset_below_the_limit_is_none() {
        let items = Track::new().then(30.0, |_| vec![offset(0.004); 2]).items;
        assert_eq!(found(Profile::File, STEREO, &items, 2.0), []);
    }

    #[test]
    fn live_the_mean_is_taken_over_ten_seconds() {
        let items = Track::new().then(9.0, |_| vec![offset(0.02); 2]).then(9.0, |_| vec![offset(-0.02); 2]).items;
        assert_eq!(found(Profile::Ott, STEREO, &items, 10.0), []);
        let items = Track::new().then(22.0, |_| vec![offset(0.02); 2]).items;
        assert_eq!(found(Profile::Ott, STEREO, &items, 10.0), [(0.0, None)]);
    }

    #[test]
    fn sub_bass_and_lfe_are_no_offset() {
        let bass = |index: u64| vec![offset(0.3 * (index as f32 * 0.13).sin()); 2];
        assert_eq!(found(Profile::File, STEREO, &Track::new().then(20.0, bass).items, 2.0), []);
        let roles = [ChannelRole::Left, ChannelRole::Lfe];
        let items = Track::new().then(10.0, |_| vec![offset(0.0), offset(0.1)]).items;
        assert_eq!(found(Profile::File, &roles, &items, 2.0), []);
    }

    #[test]
    fn it_is_off_in_news() {
        assert!(!defaults(Profile::NewsSport).enabled && defaults(Profile::Radio).enabled);
    }
}
