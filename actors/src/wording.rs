//! Words for a condition that goes on: what a detector says of it, with the time that it has lasted by then.
//!
//! Plain data. Made by whoever reports the condition, kept by the alarm model, so that what is told again
//! minutes later does not tell the length of back then.

use std::fmt;
use std::time::Duration;

use crate::detector::Situation;
use crate::media_time::MediaTime;

/// How a condition is worded, and the situation in which it was.
#[derive(Clone, Copy)]
pub struct Wording {
    say: fn(&Situation) -> String,
    situation: Situation,
}

impl Wording {
    /// A detector's words for a situation.
    pub fn new(say: fn(&Situation) -> String, situation: Situation) -> Self {
        Self { say, situation }
    }

    /// The words once it has lasted that much longer, and is no worse.
    pub fn after(&self, longer: Duration) -> String {
        (self.say)(&Situation { lasted: self.situation.lasted + MediaTime::from(longer), ..self.situation })
    }
}

impl PartialEq for Wording {
    /// The same situation; two detectors are told apart by more than their words.
    fn eq(&self, other: &Self) -> bool {
        self.situation == other.situation
    }
}

impl fmt::Debug for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wording").field(&self.situation).finish()
    }
}
