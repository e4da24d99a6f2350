//! A detector at work: one instance on one track with its lifecycle, behind `catch_unwind`.
//!
//! Owned by a detector group. A panic costs the instance one item: it is rebuilt by its factory and
//! its open event stays. [`PANICS_MAX`] panics within [`PANICS_WITHIN`] disable it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cpu_accounts::CpuAccount;
use crate::detector::{Detector, DetectorSpec, Finding, Verdict, Verdicts};
use crate::event_lifecycle::EventLifecycle;
use crate::item::Item;
use crate::severity::Severity;
use crate::track::{SessionInfo, TrackInfo};
use crate::verdict_notes::VerdictTally;
use crate::worker::panic_message;

/// So many panics...
pub const PANICS_MAX: usize = 5;
/// ...within so much time disable a detector on that track.
pub const PANICS_WITHIN: Duration = Duration::from_secs(300);

/// What a call of a detector came to.
#[derive(Debug)]
pub enum Called {
    /// It answered.
    Answered,
    /// It panicked with that message; the item is lost to it, the next one finds a new instance.
    Panicked(String),
    /// It panicked once too often and is disabled from now on.
    Disabled(String),
}

/// One instance with its lifecycle.
pub struct DetectorHost {
    /// What it is.
    pub spec: Arc<DetectorSpec>,
    /// What becomes of its verdicts.
    pub lifecycle: EventLifecycle,
    /// What it said over time.
    pub tally: VerdictTally,
    /// Its word on the item at hand.
    pub verdict: Verdict,
    /// Its findings about the item at hand.
    pub findings: Vec<Finding>,
    /// It may tell more than an `info` of the track.
    pub may_warn: bool,
    /// It panicked over the item at hand, having called the one before faulty: what it overruled
    /// stays overruled, so that its panic is nobody else's loss.
    pub fell_while_faulty: bool,
    was_faulty: bool,
    detector: Option<Box<dyn Detector>>,
    verdicts: Verdicts,
    panics: VecDeque<Instant>,
    busy: Duration,
    account: Arc<CpuAccount>,
}

impl DetectorHost {
    /// Builds the first instance. A factory that panics leaves the host disabled.
    pub fn new(spec: Arc<DetectorSpec>, track: &TrackInfo, account: Arc<CpuAccount>) -> Self {
        let ladder = (spec.ladder)(track);
        let may_warn = ladder.steps.iter().any(|(_, severity)| *severity > Severity::Info);
        let lifecycle = EventLifecycle::new(ladder, spec.worse).with_limits(spec.class_limits.clone());
        let detector = build(&spec, track);
        let tally = VerdictTally::new(spec.threshold, spec.worse);
        Self {
            spec,
            lifecycle,
            tally,
            verdict: Verdict::Undecided,
            findings: Vec::new(),
            may_warn,
            fell_while_faulty: false,
            was_faulty: false,
            detector,
            verdicts: Verdicts::default(),
            panics: VecDeque::new(),
            busy: Duration::ZERO,
            account,
        }
    }

    /// True unless it was disabled.
    pub fn is_enabled(&self) -> bool {
        self.detector.is_some()
    }

    /// Disables it: it is asked no more.
    pub fn disable(&mut self) {
        self.detector = None;
        self.verdict = Verdict::Undecided;
    }

    /// Asks it about an item that began to be inspected at `from`; returns when it was done.
    pub fn call(
        &mut self,
        item: &Item,
        track: &TrackInfo,
        session: Option<&Arc<SessionInfo>>,
        from: Instant,
    ) -> (Called, Instant) {
        self.verdict = Verdict::Undecided;
        self.fell_while_faulty = false;
        let Some(detector) = &mut self.detector else { return (Called::Answered, from) };
        let verdicts = &mut self.verdicts;
        let result = catch_unwind(AssertUnwindSafe(|| detector.inspect(item, verdicts)));
        let until = Instant::now();
        self.busy += until - from;
        let called = match result {
            Ok(()) => {
                (self.verdict, self.findings) = self.verdicts.take();
                if self.verdict != Verdict::Undecided {
                    self.was_faulty = matches!(self.verdict, Verdict::Faulty { .. });
                }
                Called::Answered
            }
            Err(panic) => self.recover(panic_message(&*panic), track, session, until),
        };
        (called, until)
    }

    /// Books the time that its calls took since the last time.
    pub fn book(&mut self) {
        self.account.add(std::mem::take(&mut self.busy));
    }

    /// Puts a fresh instance in the place of one that panicked, and tells it of the session.
    fn recover(
        &mut self,
        message: String,
        track: &TrackInfo,
        session: Option<&Arc<SessionInfo>>,
        now: Instant,
    ) -> Called {
        self.verdicts = Verdicts::default();
        self.findings.clear();
        self.fell_while_faulty = self.was_faulty;
        self.panics.push_back(now);
        while self.panics.front().is_some_and(|first| now.saturating_duration_since(*first) > PANICS_WITHIN) {
            self.panics.pop_front();
        }
        if self.panics.len() >= PANICS_MAX {
            self.disable();
            return Called::Disabled(message);
        }
        self.rebuild(track, session);
        if self.detector.is_none() { Called::Disabled(message) } else { Called::Panicked(message) }
    }

    /// Puts a fresh instance in its place, unless it was disabled; what is open stays open.
    pub fn begin_anew(&mut self, track: &TrackInfo, session: Option<&Arc<SessionInfo>>) {
        if self.is_enabled() {
            self.rebuild(track, session);
            self.was_faulty = false;
        }
    }

    fn rebuild(&mut self, track: &TrackInfo, session: Option<&Arc<SessionInfo>>) {
        self.detector = build(&self.spec, track);
        if let (Some(detector), Some(session)) = (&mut self.detector, session) {
            let started = Item::Started(session.clone());
            let verdicts = &mut self.verdicts;
            if catch_unwind(AssertUnwindSafe(|| detector.inspect(&started, verdicts))).is_err() {
                self.detector = None;
            }
            self.verdicts = Verdicts::default();
        }
    }
}

fn build(spec: &Arc<DetectorSpec>, track: &TrackInfo) -> Option<Box<dyn Detector>> {
    catch_unwind(AssertUnwindSafe(|| (spec.build)(track))).ok()
}
