//! The input watch: raises and ends `input_down` on control time, when nothing flows at all.
//!
//! Detectors judge in media time, which stands still when nothing arrives; so the stream's
//! supervisor speaks here, with the same lifecycle. Pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::detector::{DetectorSpec, Situation, Verdict};
use crate::event::{ChangeKind, EventChange, EventEnd, EventKey, StreamCard, Wall};
use crate::event_lifecycle::{Change, EventLifecycle, What};
use crate::media_time::MediaTime;
use crate::track::{SessionNumber, TrackId, TrackInfo};

/// Frames no further apart than this count as flowing, however soon the event is to be raised.
const FLOWING_WITHIN: Duration = Duration::from_secs(1);

/// Frames no further apart than this count as flowing where nobody says when to raise the event.
const FLOWING_UNWATCHED: Duration = Duration::from_secs(3);

/// How long a stream that never delivered may take to connect and probe before it counts as down.
const FIRST_OPEN: Duration = Duration::from_secs(5);

/// How far apart looks are at least credited.
const LOOK_LASTS: MediaTime = MediaTime::from_millis(250);

/// The watch of one stream.
pub struct InputWatch {
    spec: Option<Arc<DetectorSpec>>,
    lifecycle: Option<EventLifecycle>,
    begin: Instant,
    frames: u64,
    /// When frames last flowed; the begin of the watch as long as none ever did.
    flowed: Instant,
    has_flowed: bool,
    /// Since when they flow without interruption.
    flows_since: Option<Instant>,
    /// Silence up to this is no interruption: segments come in bursts.
    tolerated: Duration,
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
    pub fn new(spec: Option<&Arc<DetectorSpec>>, now: Instant) -> Self {
        Self {
            spec: spec.cloned(),
            lifecycle: spec.map(lifecycle),
            begin: now,
            frames: 0,
            flowed: now,
            has_flowed: false,
            flows_since: None,
            tolerated: tolerated(spec),
        }
    }

    /// Takes over new settings; an open event goes on under them if they are the same.
    pub fn retune(&mut self, spec: Option<&Arc<DetectorSpec>>) {
        let tuning = |spec: &Arc<DetectorSpec>| spec.tuning.clone();
        if self.spec.as_ref().map(tuning) != spec.map(tuning) {
            self.lifecycle = spec.map(lifecycle);
        }
        self.tolerated = tolerated(spec);
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
        } else if now.saturating_duration_since(self.flowed) >= self.tolerated {
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

fn lifecycle(spec: &Arc<DetectorSpec>) -> EventLifecycle {
    EventLifecycle::new((spec.ladder)(&TrackInfo::bare(TrackId::INPUT)), spec.worse)
}

/// Silence that would not yet be an event is no interruption either.
fn tolerated(spec: Option<&Arc<DetectorSpec>>) -> Duration {
    let Some(spec) = spec else { return FLOWING_UNWATCHED };
    let ladder = (spec.ladder)(&TrackInfo::bare(TrackId::INPUT));
    ladder.steps.first().map_or(FLOWING_UNWATCHED, |(hold, _)| *hold).max(FLOWING_WITHIN)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::{Detector, Ladder, LaneKind, Precedence, Verdicts, Worse};
    use crate::item::Item;
    use crate::severity::Severity;

    struct Mute;

    impl Detector for Mute {
        fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
    }

    /// A spec that warns after `warning` seconds and is critical after twice that.
    fn spec(warning: u64) -> Arc<DetectorSpec> {
        let seconds = Duration::from_secs;
        let steps = vec![(seconds(warning), Severity::Warning), (seconds(2 * warning), Severity::Critical)];
        let ladder = Ladder { steps, raise_after: Duration::ZERO, clear_after: seconds(10) };
        Arc::new(DetectorSpec {
            number: 401,
            name: "input_down",
            unit: "s",
            worse: Worse::Higher,
            lane: LaneKind::Input,
            precedence: Precedence::Apart,
            tuning: String::new(),
            ladder: Arc::new(move |_| ladder.clone()),
            class_limits: None,
            threshold: None,
            message: |_| String::new(),
            build: Arc::new(|_| Box::new(Mute)),
            applies: |_| true,
        })
    }

    /// Looks every 250 ms for a minute at a source that delivers in the seconds for which `flows`
    /// is true; tells what was said and when, in seconds.
    fn watch(warning: u64, flows: impl Fn(u64) -> bool) -> Vec<(u64, What)> {
        let begin = Instant::now();
        let mut watch = InputWatch::new(Some(&spec(warning)), begin);
        let (mut frames, mut said) = (0, Vec::new());
        for look in 0..240 {
            let now = begin + Duration::from_millis(250 * look);
            frames += u64::from(flows(look / 4));
            if let Some(change) = watch.look(frames, None, now) {
                said.push((look / 4, change.change.what));
            }
        }
        said
    }

    #[test]
    fn a_healthy_stream_of_eight_second_segments_is_not_reported_down() {
        assert_eq!(watch(9, |second| second % 8 < 4), []);
    }

    #[test]
    fn a_stream_of_segments_is_up_again_when_its_segments_come_again() {
        let said = watch(9, |second| second % 8 < 4 && !(8..24).contains(&second));
        assert_eq!(
            said.iter().map(|(_, what)| *what).collect::<Vec<_>>(),
            [What::Raised, What::Escalated, What::Ended(EventEnd::Cleared)]
        );
    }

    #[test]
    fn a_steady_stream_that_stops_is_down_after_its_hold_time() {
        let said = watch(3, |second| !(10..20).contains(&second));
        let times: Vec<u64> = said.iter().map(|(second, _)| *second).collect();
        assert_eq!(times, [12, 15, 30]);
    }
}
