//! A detector at work: one instance on one track with its lifecycle, behind `catch_unwind`.
//!
//! Owned by a detector group. A panic costs the instance one item: it is rebuilt by its factory and
//! its open event stays. [`PANICS_MAX`] panics within [`PANICS_WITHIN`] disable it. Of a live stream it
//! may take no more than its [`DetectorBudget`]: it rests when that is used up, and is disabled when it
//! stays hungry. What it is not shown then is told to it as a gap of our own making.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cpu_accounts::{CpuAccount, CpuAccounts, Throttled};
use crate::detector::{Detector, DetectorSpec, Finding, Verdict, Verdicts};
use crate::detector_budget::{DetectorBudget, HUNGRY_MAX, Spending};
use crate::detector_missed::Missed;
use crate::event_lifecycle::EventLifecycle;
use crate::item::Item;
use crate::media_time::MediaTime;
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
    /// It answered, and is throttled from now on.
    Throttled,
    /// It has been hungry for too long and is disabled from now on; says what it took.
    GivenUp(String),
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
    /// Absent where time does not matter: in checks of files.
    budget: Option<DetectorBudget>,
    throttled: Option<Throttled>,
    missed: Missed,
}

impl DetectorHost {
    /// Builds the first instance. A factory that panics leaves the host disabled.
    pub fn new(spec: Arc<DetectorSpec>, track: &TrackInfo, accounts: &CpuAccounts) -> Self {
        let spec_name = spec.name;
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
            account: accounts.of(spec_name),
            budget: None,
            throttled: None,
            missed: Missed::default(),
        }
    }

    /// It may take that share of one core, and no more.
    #[must_use]
    pub fn within(self, share: Option<f64>) -> Self {
        Self { budget: share.map(DetectorBudget::new), ..self }
    }

    /// True unless it was disabled.
    pub fn is_enabled(&self) -> bool {
        self.detector.is_some()
    }

    /// Disables it: it is asked no more.
    pub fn disable(&mut self) {
        self.detector = None;
        self.verdict = Verdict::Undecided;
        // Nobody knows any more whether what it saw still holds.
        self.fell_while_faulty = false;
        (self.budget, self.throttled) = (None, None);
    }

    /// Whether it may be asked about an item now; if it has to rest, the item is lost to it. What says
    /// what frames mean it always hears.
    pub fn admits(&mut self, item: &Item, now: Instant) -> bool {
        let Some(budget) = &mut self.budget else { return true };
        let must_hear = matches!(item, Item::Started(_) | Item::Gap(_) | Item::Ended(_));
        if must_hear || budget.admit(now) {
            if self.throttled.is_some() {
                self.missed.show(item);
                if !budget.is_throttled() {
                    self.throttled = None;
                    self.missed.end();
                }
            }
            return true;
        }
        if self.missed.miss(item) {
            self.account.skip();
        }
        self.verdict = Verdict::Undecided;
        // What it overruled stays overruled while it rests: that is nobody else's fault.
        self.fell_while_faulty = self.was_faulty;
        false
    }

    /// Up to when it was not shown what came, as far as it has not been told yet.
    pub fn missed_until(&self) -> Option<MediaTime> {
        self.missed.until()
    }

    /// The share of frames that it saw of late; nothing when it sees all.
    pub fn coverage(&self) -> Option<f64> {
        self.missed.coverage()
    }

    /// Nothing is known up to `until`: its clocks stand still over it.
    pub fn stand_still(&mut self, until: MediaTime) {
        self.tally.gap(until);
        self.lifecycle.gap(until);
    }

    /// Asks it about an item that began to be inspected at `from`; returns when it was done.
    pub fn call(
        &mut self,
        item: &Item,
        track: &TrackInfo,
        session: Option<&Arc<SessionInfo>>,
        from: Instant,
        accounts: &CpuAccounts,
    ) -> (Called, Instant) {
        self.verdict = Verdict::Undecided;
        self.fell_while_faulty = false;
        let Some(detector) = &mut self.detector else { return (Called::Answered, from) };
        let verdicts = &mut self.verdicts;
        let missed = self.missed.take(item);
        let result = catch_unwind(AssertUnwindSafe(|| {
            if let Some(missed) = &missed {
                detector.inspect(missed, verdicts);
            }
            detector.inspect(item, verdicts);
        }));
        let until = accounts.now();
        let took = until.saturating_duration_since(from);
        self.busy += took;
        let called = match result {
            Ok(()) => {
                (self.verdict, self.findings) = self.verdicts.take();
                if self.verdict != Verdict::Undecided {
                    self.was_faulty = matches!(self.verdict, Verdict::Faulty { .. });
                }
                self.spend(took, until)
            }
            Err(panic) => self.recover(panic_message(&*panic), track, session, until),
        };
        (called, until)
    }

    /// Charges a call to its budget.
    fn spend(&mut self, took: Duration, now: Instant) -> Called {
        let Some(budget) = &mut self.budget else { return Called::Answered };
        match budget.charge(took, now) {
            Spending::Within => Called::Answered,
            Spending::Throttled => {
                self.throttled = Some(Throttled::count(&self.account));
                Called::Throttled
            }
            Spending::Exhausted { takes } => {
                let may = budget.share();
                self.disable();
                let for_s = HUNGRY_MAX.as_secs();
                Called::GivenUp(format!(
                    "for {for_s} s it would have taken {:.0} % of a core, of {:.0} % that it may",
                    takes * 100.0,
                    may * 100.0
                ))
            }
        }
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
