//! Sync markers: short flashes out of darkness and short beeps out of silence.
//!
//! Test generators send them at the same moment, so that their distance shows how sound and picture
//! lie to each other. Here they are only found; whether they belong together is judged by `av_sync`.
//!
//! A flash: after at least 100 ms of pictures with a mean level of at most 40, a quarter of the area
//! or more rises by half a flash (see [`FlashFacts`](avwatch_actors::frame::FlashFacts)) at once, and the mean is down again within
//! 500 ms. It begins when its first picture does: generated flashes are whole pictures. The half
//! picture that a camera integrates over is not added, so of filmed flashes the begin may be half a picture early.
//!
//! A beep: after at least 100 ms below −50 dBFS a sound above −30 dBFS that lasts less than 500 ms, on any
//! channel. It begins within its first hop of 10 ms as far as that hop's power falls short of the
//! loudest of the three first: exact to about 1 ms for tones, as a hop is half filled by half a tone.
//!
//! Owned by whoever collects a session's frames, on the session's thread. Bounded: at most
//! [`PENDING_MAX`] markers wait to be taken.

use avwatch_actors::frame::{PictureFacts, SoundHops, Stamp};
use avwatch_actors::item::{MarkerKind, SyncMarker};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::TrackId;

/// Markers that wait to be taken; there are at most ten of a kind in a second.
const PENDING_MAX: usize = 64;
/// Darkness and silence before a marker last at least this long.
const REST_MIN: MediaTime = MediaTime::from_millis(100);
/// Markers last less than this.
const LASTS_MAX: MediaTime = MediaTime::from_millis(500);
/// The highest mean level of a dark picture: a black one with an eighth of its area at white.
const DARK_MAX: f32 = 40.0;
/// Share of the area that a flash lights.
const LIT_SHARE_MIN: f32 = 0.25;
/// −50 dBFS as power.
const SILENT_BELOW: f32 = 1e-5;
/// −30 dBFS as power.
const BEEP_ABOVE: f32 = 1e-3;
/// Hops at the begin of a beep whose loudest one is taken to be full.
const ATTACK: usize = 3;
/// Share of that one's power below which a hop is noise of the coding before the beep.
const PRE_ECHO: f32 = 0.03;
/// Hops further apart than this do not join.
const JOINS: MediaTime = MediaTime::from_millis(2);

/// Looks for flashes in one picture track and for beeps in one sound track.
#[derive(Debug, Default)]
pub struct MarkerFinder {
    pictures: Option<TrackId>,
    sounds: Option<TrackId>,
    light: Light,
    tone: Tone,
    found: Vec<SyncMarker>,
}

impl MarkerFinder {
    /// Looks at the next picture. Of several tracks the one with the lowest number counts.
    pub fn picture(&mut self, stamp: &Stamp, facts: &PictureFacts) {
        if self.pictures.is_none_or(|known| stamp.track < known) {
            (self.pictures, self.light) = (Some(stamp.track), Light::Unknown);
        }
        if self.pictures == Some(stamp.track)
            && let Some(at) = self.light.step(stamp.media_time, facts)
        {
            self.add(MarkerKind::Flash, at);
        }
    }

    /// Looks at the next hops. Of several tracks the one with the lowest number counts.
    pub fn sound(&mut self, stamp: &Stamp, hops: &SoundHops) {
        if self.sounds.is_none_or(|known| stamp.track < known) {
            (self.sounds, self.tone) = (Some(stamp.track), Tone::default());
        }
        if self.sounds != Some(stamp.track) {
            return;
        }
        for (hop, channels) in hops.iter() {
            let power = channels.iter().map(|channel| channel.power).fold(0.0, f32::max);
            if let Some(at) = self.tone.step(Hop { at: hop.at, lasts: hop.lasts, power }) {
                self.add(MarkerKind::Beep, at);
            }
        }
    }

    /// The markers since the last call.
    pub fn take(&mut self) -> Vec<SyncMarker> {
        std::mem::take(&mut self.found)
    }

    fn add(&mut self, kind: MarkerKind, at: MediaTime) {
        if self.found.len() < PENDING_MAX {
            self.found.push(SyncMarker { kind, at });
        }
    }
}

/// `Unknown` ─dark→ `Dark` ─lit→ `Lit` ─dark→ a flash, `Dark`; `Lit` for too long → `Unknown`.
#[derive(Clone, Copy, Debug, Default)]
enum Light {
    #[default]
    Unknown,
    /// Dark since then.
    Dark(MediaTime),
    /// Lit since then, out of darkness.
    Lit(MediaTime),
}

impl Light {
    /// Takes the next picture; gives the begin of a flash that is over.
    fn step(&mut self, at: MediaTime, facts: &PictureFacts) -> Option<MediaTime> {
        let dark = facts.luma.mean <= DARK_MAX;
        let lit = facts.flash.up_share >= LIT_SHARE_MIN;
        let (next, found) = match *self {
            Self::Dark(since) if lit && at - since >= REST_MIN => (Self::Lit(at), None),
            Self::Dark(since) if dark && !lit => (Self::Dark(since), None),
            Self::Lit(since) if dark => (Self::Dark(at), (at - since < LASTS_MAX).then_some(since)),
            Self::Lit(since) if at - since < LASTS_MAX => (Self::Lit(since), None),
            Self::Unknown if dark && !lit => (Self::Dark(at), None),
            Self::Unknown | Self::Dark(_) | Self::Lit(_) => (Self::Unknown, None),
        };
        *self = next;
        found
    }
}

/// The loudest channel of a hop.
#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    at: MediaTime,
    lasts: MediaTime,
    power: f32,
}

/// What is known of the sound up to now.
#[derive(Clone, Copy, Debug, Default)]
struct Tone {
    /// Begin of the silence that lasts or came right before the sound; none when there was too little.
    silent_since: Option<MediaTime>,
    /// The first hops of the sound.
    attack: [Hop; ATTACK],
    /// Its hops so far, counted up to [`ATTACK`].
    hops: usize,
    /// End of the newest hop.
    until: MediaTime,
}

impl Tone {
    /// Takes the next hop; gives the begin of a beep that is over.
    fn step(&mut self, hop: Hop) -> Option<MediaTime> {
        if hop.at.distance(self.until) > JOINS {
            *self = Self::default();
        }
        self.until = hop.at + hop.lasts;
        if hop.power < SILENT_BELOW {
            let found = self.beep(hop.at);
            if self.hops > 0 || self.silent_since.is_none() {
                *self = Self { silent_since: Some(hop.at), until: self.until, ..Self::default() };
            }
            return found;
        }
        let rested = self.silent_since.is_some_and(|since| self.hops > 0 || hop.at - since >= REST_MIN);
        if !rested {
            // What follows is no beep until there was silence again.
            *self = Self { until: self.until, ..Self::default() };
        } else if self.hops < ATTACK {
            self.attack[self.hops] = hop;
            self.hops += 1;
        }
        None
    }

    /// When the sound began that ends at `end`, if it was a beep.
    fn beep(&self, end: MediaTime) -> Option<MediaTime> {
        let attack = &self.attack[..self.hops];
        let full = attack.iter().map(|hop| hop.power).fold(0.0, f32::max);
        let first = attack.iter().find(|hop| hop.power >= PRE_ECHO * full)?;
        let filled = f64::from(first.power / full).min(1.0);
        let begin = first.at + MediaTime::from_secs_f64(first.lasts.as_secs_f64() * (1.0 - filled));
        (full > BEEP_ABOVE && end - begin < LASTS_MAX).then_some(begin)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use avwatch_actors::frame::{ChannelHop, FlashFacts, LumaFacts, Repair, SoundHop};
    use avwatch_actors::track::SessionNumber;

    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn stamp(track: TrackId, at: MediaTime, lasts: MediaTime) -> Stamp {
        let (now, session) = (Instant::now(), SessionNumber(1));
        let repair = Repair::None;
        Stamp { track, session, seq: 0, media_time: at, lasts, source_time: None, repair, arrived: now, ready: now }
    }

    /// Shows pictures of 40 ms with these mean levels; gives the begins of flashes in milliseconds.
    fn flashes(means: &[f32]) -> Vec<i64> {
        let mut finder = MarkerFinder::default();
        for (index, mean) in means.iter().enumerate() {
            let before = if index == 0 { *mean } else { means[index - 1] };
            let up_share = if mean - before > 60.0 { 1.0 } else { 0.0 };
            let facts = PictureFacts {
                luma: LumaFacts { mean: *mean, ..LumaFacts::default() },
                flash: FlashFacts { up_share, ..FlashFacts::default() },
                ..PictureFacts::default()
            };
            finder.picture(&stamp(TrackId::video(0), ms(index as i64 * 40), ms(40)), &facts);
        }
        finder.take().iter().map(|marker| marker.at.as_millis()).collect()
    }

    /// Plays a tone of 1 kHz at that level while `sounds` says so; gives the begins of beeps.
    fn beeps(seconds: f64, amplitude: f64, sounds: impl Fn(f64) -> bool) -> Vec<f64> {
        let mut finder = MarkerFinder::default();
        for hop in 0..(seconds * 100.0) as i64 {
            let sample = |index: i64| {
                let time = (hop * 480 + index) as f64 / 48_000.0;
                if sounds(time) { amplitude * (time * 1_000.0 * std::f64::consts::TAU).sin() } else { 0.0 }
            };
            let power = (0..480).map(|index| sample(index).powi(2)).sum::<f64>() / 480.0;
            let mut hops = SoundHops::new(2);
            let quiet = ChannelHop::default();
            let loud = ChannelHop { power: power as f32, ..quiet };
            hops.push(SoundHop { at: ms(hop * 10), lasts: ms(10), ..SoundHop::default() }, &[quiet, loud]);
            finder.sound(&stamp(TrackId::audio(0), ms(hop * 10), ms(10)), &hops);
        }
        finder.take().iter().map(|marker| marker.at.as_secs_f64()).collect()
    }

    #[test]
    fn a_short_flash_out_of_darkness_begins_with_its_first_picture() {
        let mut means = vec![16.0; 50];
        (means[20], means[21], means[40]) = (235.0, 235.0, 235.0);
        assert_eq!(flashes(&means), [800, 1_600]);
    }

    #[test]
    fn a_scene_after_black_and_a_flash_in_a_bright_scene_are_no_markers() {
        assert_eq!(flashes(&[[16.0; 20], [120.0; 20], [16.0; 20]].concat()), [] as [i64; 0]);
        let mut means = vec![90.0; 50];
        means[20] = 235.0;
        assert_eq!(flashes(&means), [] as [i64; 0]);
    }

    #[test]
    fn a_strobe_without_rest_is_no_row_of_markers() {
        let strobe: Vec<f32> = (0..100).map(|index| if index % 4 < 2 { 16.0 } else { 235.0 }).collect();
        assert!(flashes(&strobe).len() <= 1, "{:?}", flashes(&strobe));
    }

    #[test]
    fn a_beep_is_found_within_a_millisecond_wherever_it_lies_in_a_hop() {
        for begin in [0.5, 0.5013, 0.505, 0.5087, 0.5099] {
            let found = beeps(1.0, 0.5, |time| (begin..begin + 0.04).contains(&time));
            assert!(found.len() == 1 && (found[0] - begin).abs() < 0.001, "{begin}: {found:?}");
        }
    }

    #[test]
    fn long_quiet_and_repeated_sounds_are_no_beeps() {
        assert!(beeps(2.0, 0.5, |time| (0.5..1.1).contains(&time)).is_empty(), "too long");
        assert!(beeps(2.0, 0.03, |time| (0.5..0.6).contains(&time)).is_empty(), "below -30 dBFS");
        assert!(beeps(2.0, 0.5, |time| time % 0.1 < 0.05).is_empty(), "no rest between them");
        assert!(beeps(2.0, 0.5, |_| true).is_empty(), "never silent");
    }

    #[test]
    fn of_two_sound_tracks_the_first_counts() {
        let mut finder = MarkerFinder::default();
        let mut play = |track, hop: i64, power| {
            let mut hops = SoundHops::new(1);
            let facts = ChannelHop { power, ..ChannelHop::default() };
            hops.push(SoundHop { at: ms(hop * 10), lasts: ms(10), ..SoundHop::default() }, &[facts]);
            finder.sound(&stamp(TrackId::audio(track), ms(hop * 10), ms(10)), &hops);
        };
        for hop in 0..100 {
            play(1, hop, if hop == 50 { 0.1 } else { 0.0 });
            play(0, hop, if hop == 70 { 0.1 } else { 0.0 });
        }
        assert_eq!(finder.take(), [SyncMarker { kind: MarkerKind::Beep, at: ms(700) }]);
    }
}
