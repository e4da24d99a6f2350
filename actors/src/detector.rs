//! The port [`Detector`]: a pure judge of items over time, and the words it speaks.
//!
//! A detector says what *is*, frame by frame; [`crate::event_lifecycle`] says what *matters*. It
//! runs on its detector actor's arbiter, is called behind `catch_unwind`, and may never wait, do
//! input or output, look at a clock, or allocate in steady state.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::item::Item;
use crate::media_time::MediaTime;
use crate::severity::Severity;
use crate::tier::Tier;
use crate::track::{TrackId, TrackInfo};

/// Judges one condition on one track.
pub trait Detector: Send {
    /// Looks at one item and says at most one verdict, plus any findings.
    ///
    /// It sees the items of its own track and those that concern the whole stream.
    fn inspect(&mut self, item: &Item, out: &mut Verdicts);
}

/// A detector's word on one item.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Verdict {
    /// Nothing new can be said: time passes without credit.
    #[default]
    Undecided,
    /// The condition does not hold.
    Clear {
        /// First moment at which it did not hold.
        since: MediaTime,
        /// The measured value.
        score: f32,
    },
    /// The condition holds.
    Faulty {
        /// First moment at which it held: the onset, however late it was recognised.
        since: MediaTime,
        /// The measured value.
        score: f32,
        /// Which kind of it, in the detector's own numbering; 0 for the plain one.
        class: u8,
    },
    /// Another condition explains this one (set by the precedence table, never by a detector).
    Overruled,
}

/// A point event: something that happened at one moment and did not last.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// When.
    pub at: MediaTime,
    /// How much it matters; the detector's own lowest severity when absent.
    pub severity: Option<Severity>,
    /// The measured value, if there is one.
    pub score: Option<f32>,
    /// What a person should read, such as `size changed from 1280x720 to 1920x1080`.
    pub message: String,
}

/// Collects what a detector says about one item. Reused from call to call.
#[derive(Debug, Default)]
pub struct Verdicts {
    verdict: Verdict,
    findings: Vec<Finding>,
}

/// Most findings of one detector about one item; more are dropped and counted by the caller.
pub const FINDINGS_MAX: usize = 8;

impl Verdicts {
    /// Says the verdict on this item; the last one counts.
    pub fn say(&mut self, verdict: Verdict) {
        self.verdict = verdict;
    }

    /// The condition holds since then, with that score.
    pub fn faulty(&mut self, since: MediaTime, score: f32) {
        self.say(Verdict::Faulty { since, score, class: 0 });
    }

    /// The condition does not hold since then.
    pub fn clear(&mut self, since: MediaTime, score: f32) {
        self.say(Verdict::Clear { since, score });
    }

    /// Reports a point event; at most [`FINDINGS_MAX`] per item are kept.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// The verdict said so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The findings said so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Takes everything out and makes ready for the next item.
    pub fn take(&mut self) -> (Verdict, Vec<Finding>) {
        (std::mem::take(&mut self.verdict), std::mem::take(&mut self.findings))
    }
}

/// Which lane a detector drinks from, and so which actor hosts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneKind {
    /// One instance per video track; sees that track's frames, `Clock`, `Gap`, `Started`, `Ended`.
    Picture,
    /// One instance per audio track; sees that track's frames, `Clock`, `Gap`, `Started`, `Ended`.
    Sound,
    /// One instance per stream; sees `Packets`, `Clock`, `Gap`, `Started`, `Ended`.
    Input,
}

/// Where a condition stands when several explain the same pictures or sounds.
///
/// A faulty one overrules every *later* one of its track that is marked as overrulable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precedence {
    /// The picture was lost by decoder or transport.
    Lost,
    /// One solid colour, or black.
    Solid,
    /// Bars, slate, test card.
    Pattern,
    /// A standing picture.
    Still,
    /// Everything that is only judged on a normal picture or sound.
    Rest,
    /// Neither overrules nor is overruled.
    Apart,
}

/// Whether higher or lower scores are worse, for the peak of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Worse {
    /// Higher scores are worse.
    Higher,
    /// Lower scores are worse.
    Lower,
}

/// The severity ladder: from which time in the condition on it has which severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Hold times with their severities, both rising.
    pub steps: Vec<(Duration, Severity)>,
    /// An event is never raised before this much time in the condition, whatever the steps say.
    pub raise_after: Duration,
    /// An event ends after this much time without the condition.
    pub clear_after: Duration,
    /// Nothing is raised for this much time after the format of the track changed, as what is seen
    /// then may be the change itself. Zero for what does not judge the contents.
    pub settle_after_change: Duration,
}

impl Ladder {
    /// The severity after that much time in the condition; `None` before the first step.
    pub fn severity_after(&self, held: MediaTime) -> Option<Severity> {
        let held = held.as_nanos().max(0) as u128;
        if held < self.raise_after.as_nanos() {
            return None;
        }
        self.steps.iter().rev().find(|(hold, _)| held >= hold.as_nanos()).map(|(_, severity)| *severity)
    }

    /// The same for a verdict of a class with a limit: later than usual, and never above its most.
    pub fn severity_within(&self, held: MediaTime, limit: Option<ClassLimit>) -> Option<Severity> {
        let severity = self.severity_after(held)?;
        match limit {
            None => Some(severity),
            Some(limit) if held < MediaTime::from(limit.raise_after) => None,
            Some(limit) => Some(severity.min(limit.most)),
        }
    }
}

/// What verdicts of one class may at most become, whatever the ladder says.
///
/// For conditions whose severity depends on what or how much it is, not only on how long it lasts:
/// one lost frame in a thousand is `info` however long that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassLimit {
    /// The highest severity.
    pub most: Severity,
    /// Time in the condition before which nothing is raised.
    pub raise_after: Duration,
}

/// The limit of each class of a detector; `None` where the ladder alone decides.
pub type ClassLimits = Arc<dyn Fn(u8) -> Option<ClassLimit> + Send + Sync>;

/// Everything about a condition that a message may mention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// How long the condition has lasted.
    pub lasted: MediaTime,
    /// The worst score so far.
    pub peak: f32,
    /// The class of the verdict that is worst or latest.
    pub class: u8,
}

/// Makes a fresh detector for one track; called again after a panic.
pub type DetectorFactory = Arc<dyn Fn(&TrackInfo) -> Box<dyn Detector> + Send + Sync>;

/// A detector as one stream uses it: resolved, validated, ready to be built.
#[derive(Clone)]
pub struct DetectorSpec {
    /// Fixed number, never reused.
    pub number: u16,
    /// Name in configuration, reports, metrics and API.
    pub name: &'static str,
    /// Unit of its score.
    pub unit: &'static str,
    /// Which scores are worse.
    pub worse: Worse,
    /// Which lane it drinks from.
    pub lane: LaneKind,
    /// Where it stands in the precedence table.
    pub precedence: Precedence,
    /// The cheapest tier in which it can judge; in cheaper ones it is not built.
    pub cheapest: Tier,
    /// Everything that was configured of it, as text: a reload that leaves it equal leaves the
    /// running instance alone.
    pub tuning: String,
    /// When it is raised, with which severity, and when it ends; per track.
    pub ladder: Arc<dyn Fn(&TrackInfo) -> Ladder + Send + Sync>,
    /// What the class of a verdict allows, see [`Ladder::severity_within`]; absent for most.
    pub class_limits: Option<ClassLimits>,
    /// The score at which it becomes faulty, where there is one number.
    pub threshold: Option<f32>,
    /// What a person reads, from the situation.
    pub message: fn(&Situation) -> String,
    /// Builds an instance.
    pub build: DetectorFactory,
    /// Whether to watch this track at all.
    pub applies: fn(&TrackInfo) -> bool,
}

impl std::fmt::Debug for DetectorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DetectorSpec").field("name", &self.name).field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// The track that an instance on the input lane speaks for.
pub const INPUT_TRACK: TrackId = TrackId::INPUT;

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(raise_after: u64) -> Ladder {
        Ladder {
            steps: vec![(Duration::from_secs(2), Severity::Info), (Duration::from_secs(10), Severity::Major)],
            raise_after: Duration::from_secs(raise_after),
            clear_after: Duration::from_secs(10),
            settle_after_change: Duration::ZERO,
        }
    }

    #[test]
    fn a_hold_time_is_reached_exactly_not_one_frame_later() {
        let ladder = ladder(0);
        assert_eq!(ladder.severity_after(MediaTime::from_millis(1_999)), None);
        assert_eq!(ladder.severity_after(MediaTime::from_millis(2_000)), Some(Severity::Info));
        assert_eq!(ladder.severity_after(MediaTime::from_millis(10_000)), Some(Severity::Major));
    }

    #[test]
    fn a_class_limit_delays_and_caps_but_never_raises() {
        let limit = Some(ClassLimit { most: Severity::Info, raise_after: Duration::from_secs(5) });
        let ladder = ladder(0);
        assert_eq!(ladder.severity_within(MediaTime::from_millis(4_999), limit), None);
        assert_eq!(ladder.severity_within(MediaTime::from_millis(5_000), limit), Some(Severity::Info));
        assert_eq!(ladder.severity_within(MediaTime::from_millis(10_000), limit), Some(Severity::Info));
        assert_eq!(ladder.severity_within(MediaTime::from_millis(10_000), None), Some(Severity::Major));
        assert_eq!(ladder.severity_within(MediaTime::from_millis(1_000), None), None);
    }

    #[test]
    fn a_later_raise_skips_the_steps_before_it() {
        let ladder = ladder(12);
        assert_eq!(ladder.severity_after(MediaTime::from_millis(11_999)), None);
        assert_eq!(ladder.severity_after(MediaTime::from_millis(12_000)), Some(Severity::Major));
    }
}
