//! The input watch: raises and ends `input_down` on control time, when nothing flows at all.
//!
//! Detectors judge in media time, which stands still when nothing arrives; so the stream's
//! supervisor speaks here, with the same lifecycle. Pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::detector::{DetectorSpec, Ladder, Situation, Verdict};
use crate::event::{ChangeKind, EventChange, EventEnd, EventKey, StreamCard, Wall};
use crate::event_lifecycle::{Change, EventLifecycle, What};
use crate::media_time::MediaTime;
use crate::source::SourceLimits;
use crate::track::{SessionNumber, TrackId, TrackInfo};

/// Frames at most this far apart count as flowing, on inputs that are steady.
const FLOWING_WITHIN: Duration = Duration::from_secs(1);

/// How long a stream that never delivered may take to connect and probe before it counts as down.
const FIRST_OPEN: Duration = Duration::from_secs(5);

/// How far apart looks are at least credited.
const LOOK_LASTS: MediaTime = MediaTime::from_millis(250);

/// The watch of one stream.
pub struct InputWatch {
    spec: Option<Arc<DetectorSpec>>,
    lifecycle: Option<EventLifecycle>,
    limits: SourceLimits,
    begin: Instant,
    frames: u64,
    /// When frames last flowed; the begin of the watch as long as none ever did.
    flowed: Instant,
    has_flowed: bool,
    /// Since when they flow without interruption.
    flows_since: Option<Instant>,
}

/// A change of `input_down`, not yet addressed.
pub struct InputChange {
    spec: Arc<DetectorSpec>,
    change: Change,
    error: Option<String>,
    at: MediaTime,
}

impl InputWatch {
    /// A watch that begins now; without a spec it says nothing.
    pub fn new(spec: Option<&Arc<DetectorSpec>>, limits: SourceLimits, now: Instant) -> Self {
        Self {
            spec: spec.cloned(),
            lifecycle: spec.map(|spec| lifecycle(spec, &limits)),
            limits,
            begin: now,
            frames: 0,
            flowed: now,
            has_flowed: false,
            flows_since: None,
        }
    }

    /// Takes over new settings; an open event goes on under them if they are the same.
    pub fn retune(&mut self, spec: Option<&Arc<DetectorSpec>>) {
        let tuning = |spec: &Arc<DetectorSpec>| spec.tuning.clone();
        if self.spec.as_ref().map(tuning) != spec.map(tuning) {
            self.lifecycle = spec.map(|spec| lifecycle(spec, &self.limits));
        }
        self.spec = spec.cloned();
    }

    /// True while frames flow.
    pub fn is_flowing(&self) -> bool {
        self.flows_since.is_some()
    }

    /// Looks at the number of frames so far and at the last error.
    pub fn look(&mut self, frames: u64, error: Option<&str>, now: Instant) -> Option<InputChange> {
        if frames != self.frames {
            self.frames = frames;
            self.flowed = now;
            self.has_flowed = true;
            self.flows_since.get_or_insert(now);
        } else if now.saturating_duration_since(self.flowed) > flowing_within(&self.limits) {
            self.flows_since = None;
        }
        let (spec, lifecycle) = (self.spec.as_ref()?, self.lifecycle.as_mut()?);
        let control = |when: Instant| MediaTime::from(when.saturating_duration_since(self.begin));
        let silent_for = now.saturating_duration_since(self.flowed);
        let verdict = match self.flows_since {
            Some(since) => Verdict::Clear { since: control(since), score: 0.0 },
            None if !self.has_flowed && error.is_none() && silent_for < FIRST_OPEN => Verdict::Undecided,
            None => Verdict::Faulty { since: control(self.flowed), score: silent_for.as_secs_f32(), class: 0 },
        };
        let change = lifecycle.judge(control(now), LOOK_LASTS, &verdict)?;
        Some(InputChange { spec: spec.clone(), change, error: error.map(str::to_owned), at: control(now) })
    }
}

fn lifecycle(spec: &Arc<DetectorSpec>, limits: &SourceLimits) -> EventLifecycle {
    let ladder = patient((spec.ladder)(&TrackInfo::bare(TrackId::INPUT)), limits);
    EventLifecycle::new(ladder, spec.worse)
}

fn is_bursty(limits: &SourceLimits) -> bool {
    limits.down_after != SourceLimits::default().down_after
}

/// An input that comes in bursts flows on between them.
fn flowing_within(limits: &SourceLimits) -> Duration {
    if is_bursty(limits) { limits.down_after.0 } else { FLOWING_WITHIN }
}

/// On an input that comes in bursts no step is reached before the input allows it: silence between
/// two segments is no fault.
fn patient(mut ladder: Ladder, limits: &SourceLimits) -> Ladder {
    if !is_bursty(limits) {
        return ladder;
    }
    let (first, later) = limits.down_after;
    for (index, (hold, _)) in ladder.steps.iter_mut().enumerate() {
        *hold = (*hold).max(if index == 0 { first } else { later });
    }
    ladder
}

impl InputChange {
    /// Addresses the change.
    pub fn complete(self, card: &Arc<StreamCard>, session: SessionNumber, now: Wall) -> EventChange {
        let Self { spec, change, error, at } = self;
        let ago = |when: MediaTime| Wall(now.0.checked_sub((at - when).to_duration()).unwrap_or(now.0));
        let what = match change.what {
            What::Raised => ChangeKind::Raised,
            What::Escalated => ChangeKind::Escalated,
            What::Ended(why) => ChangeKind::Ended(why),
            What::Ongoing => ChangeKind::Ongoing,
        };
        let situation = Situation { lasted: change.lasted, peak: change.peak, class: change.class };
        let mut message = (spec.message)(&situation);
        if let (Some(error), false) = (error, what == ChangeKind::Ended(EventEnd::Cleared)) {
            message = format!("{message}: {error}");
        }
        EventChange {
            card: card.clone(),
            key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: spec.name.into() },
            program: None,
            session,
            what,
            start: change.start,
            started_at: ago(change.start),
            end: change.end,
            ended_at: change.end.map(ago),
            changed_at: now,
            severity: change.severity,
            value: Some(change.value),
            peak: Some(change.peak),
            threshold: spec.threshold,
            unit: spec.unit,
            message,
        }
    }
}
