//! When something that comes now and then last came. Shared by `captions_missing` and `subtitles_missing`.
//!
//! A service is one that has spoken in five different seconds: less may be a test, a title or a
//! line for a foreign tongue, and its end is none. Pure.

use avwatch_actors::media_time::MediaTime;

/// Seconds with speech that make a service.
const SECONDS_MIN: u8 = 5;

/// What is remembered of one service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spoken {
    /// Seconds with speech, counted up to [`SECONDS_MIN`].
    seconds: u8,
    /// The newest of them, counted in whole seconds of media time.
    second: i64,
    /// When it was last heard of.
    last: Option<MediaTime>,
}

impl Spoken {
    /// It spoke until `at`.
    pub(super) fn speak(&mut self, at: MediaTime) {
        let second = at.as_millis().div_euclid(1_000);
        if self.last.is_none() || second != self.second {
            self.second = second;
            self.seconds = (self.seconds + 1).min(SECONDS_MIN);
        }
        self.last = Some(at);
    }

    /// A new session began: what was silent before it is not known to have been so all along.
    pub(super) fn resume(&mut self, at: MediaTime) {
        self.last = self.last.map(|last| last.max(at));
    }

    /// Since when it has been silent, if it is a service.
    pub(super) fn silent_since(&self) -> Option<MediaTime> {
        self.last.filter(|_| self.seconds >= SECONDS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

    #[test]
    fn five_seconds_with_speech_make_a_service() {
        let mut spoken = Spoken::default();
        for picture in 0..100 {
            spoken.speak(at(f64::from(picture) * 0.04));
        }
        assert_eq!(spoken.silent_since(), None, "four seconds");
        spoken.speak(at(9.0));
        assert_eq!(spoken.silent_since(), Some(at(9.0)));
        spoken.resume(at(20.0));
        assert_eq!(spoken.silent_since(), Some(at(20.0)));
    }
}
