//! A spell: since when a condition has held, or has not. What most detectors of pictures remember.

use avwatch_actors::detector::{Verdict, Verdicts};
use avwatch_actors::media_time::MediaTime;

/// `Unknown` until the first frame that says something; then either, since the first frame that said so.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Spell {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// The condition holds.
    Holds(MediaTime),
    /// It does not.
    Absent(MediaTime),
}

impl Spell {
    /// True while the condition holds.
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Holds(_))
    }

    /// Takes what a frame at `at` says.
    pub(super) fn turn(&mut self, holds: bool, at: MediaTime) {
        *self = match (holds, *self) {
            (true, Self::Holds(since)) => Self::Holds(since),
            (true, Self::Absent(_) | Self::Unknown) => Self::Holds(at),
            (false, Self::Absent(since)) => Self::Absent(since),
            (false, Self::Holds(_) | Self::Unknown) => Self::Absent(at),
        };
    }

    /// Says it as a verdict.
    pub(super) fn say(self, score: f32, class: u8, out: &mut Verdicts) {
        match self {
            Self::Unknown => {}
            Self::Holds(since) => out.say(Verdict::Faulty { since, score, class }),
            Self::Absent(since) => out.clear(since, score),
        }
    }
}
