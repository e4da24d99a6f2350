//! The input watch: raises and ends `input_down` on control time, when nothing flows at all.
//!
//! Detectors judge in media time, which stands still when nothing arrives; so the stream's
//! supervisor speaks here, with the same lifecycle. Pure.
//!
//! Nobody but the event desk knows of an event that was open before a restart, and as long as it stands it explains all
//! that follows from it. So the first time that frames flow is told as an end, whether or not anything is open.
//!
//! Inputs that come in bursts (HLS, DASH) are silent in between: there, silence means something only
//! after 1.5 target durations, and is critical after 3.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::detector::{DetectorSpec, Situation, Verdict};
use crate::event::{ChangeKind, EventChange, EventEnd, EventKey, Standing, StreamCard, Wall};
use crate::event_lifecycle::{Change, EventLifecycle, What};
use crate::media_time::MediaTime;
use crate::severity::Severity;
use crate::track::{SessionNumber, TrackId, TrackInfo};
use crate::wording::Wording;

/// Frames further apart than this do not count as flowing.
const FLOWING_WITHIN: Duration = Duration::from_secs(1);

/// The same for inputs in bursts, in target durations; also when silence is told there.
const BURSTS_RAISED: f64 = 1.5;

/// After so many target durations of silence the next step of the ladder is reached.
const BURSTS_WORSE: f64 = 3.0;

/// Hold times of inputs in bursts are never shorter: a playlist of 1 s segments is late by a second at times.
const BURST_HOLDS_MIN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(6)];

/// The hold times of steady inputs; whoever configures others means them for any input.
const STEADY_HOLDS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];

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
    /// Longest normal time between two bursts; zero for steady inputs. Stays over a reconnection.
    burst: Duration,
    /// When frames last flowed; the begin of the watch as long as none ever did.
    flowed: Instant,
    has_flowed: bool,
    /// Since when they flow without interruption.
    flows_since: Option<Instant>,
    /// Whether it was told that frames flow, or that they do not: before, an event of a predecessor may be open.
    has_spoken: bool,
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
            lifecycle: spec.map(|spec| lifecycle(spec, Duration::ZERO)),
            begin: now,
            frames: 0,
            burst: Duration::ZERO,
            flowed: now,
            has_flowed: false,
            flows_since: None,
            has_spoken: false,
        }
    }

    /// Takes over new settings; an open event goes on under them if they are the same.
    pub fn retune(&mut self, spec: Option<&Arc<DetectorSpec>>) {
        let tuning = |spec: &Arc<DetectorSpec>| spec.tuning.clone();
        if self.spec.as_ref().map(tuning) != spec.map(tuning) {
            self.lifecycle = spec.map(|spec| lifecycle(spec, self.burst));
            // What was open under the old ones is no longer known of.
            self.has_spoken = false;
        }
        self.spec = spec.cloned();
    }

    /// True while frames flow.
    pub fn is_flowing(&self) -> bool {
        self.flows_since.is_some()
    }

    /// Nobody listened until now: silence up to here says nothing. What was open before goes on.
    pub fn excuse(&mut self, now: Instant) {
        self.flows_since = None;
        let at = MediaTime::from(now.saturating_duration_since(self.begin));
        let Some(lifecycle) = self.lifecycle.as_mut() else { return };
        lifecycle.gap(at);
        if !lifecycle.is_open() {
            self.flowed = now;
            self.has_flowed = false;
        }
    }

    /// Looks at the number of frames so far, at how they come if that is known, and at the last error.
    pub fn look(
        &mut self,
        frames: u64,
        burst: Option<MediaTime>,
        error: Option<&str>,
        now: Instant,
    ) -> Option<InputChange> {
        self.expect_bursts(burst);
        // What a session still gives away when it has failed came long ago: with SRT 5 s before.
        let flows = frames != self.frames && error.is_none();
        self.frames = frames;
        if flows {
            self.flowed = now;
            self.has_flowed = true;
            self.flows_since.get_or_insert(now);
        } else if now.saturating_duration_since(self.flowed) > self.flowing_within() {
            self.flows_since = None;
        }
        let within = self.flowing_within();
        let (spec, lifecycle) = (self.spec.as_ref()?, self.lifecycle.as_mut()?);
        // As long as for an event of its own: a burst of what a dead encoder left behind is no recovery.
        let sure_after = (spec.ladder)(&TrackInfo::bare(TrackId::INPUT)).clear_after.max(within);
        let control = |when: Instant| MediaTime::from(when.saturating_duration_since(self.begin));
        let silent_for = now.saturating_duration_since(self.flowed);
        let judged = match self.flows_since {
            // Up to the last frame: silence is no proof that it flows, however short it is.
            Some(since) => {
                let verdict = Verdict::Clear { since: control(since), score: 0.0 };
                lifecycle.judge(control(self.flowed), within.into(), &verdict)
            }
            None if !self.has_flowed && error.is_none() && silent_for < FIRST_OPEN => None,
            None => {
                let score = silent_for.as_secs_f32();
                let verdict = Verdict::Faulty { since: control(self.flowed), score, class: 0 };
                lifecycle.judge(control(now), LOOK_LASTS, &verdict)
            }
        };
        let flows_since = self.flows_since.filter(|_| !self.has_spoken && !lifecycle.is_open());
        let change = judged.or_else(|| first_word(control(flows_since?), control(now), sure_after))?;
        if matches!(change.what, What::Fading | What::Holding) {
            // Told of pictures and sound only: nothing is judged together with the input.
            return None;
        }
        self.has_spoken = true;
        Some(InputChange { spec: spec.clone(), change, error: error.map(str::to_owned), at: control(now) })
    }

    /// Takes over how the input comes, unless an event is open: that one ends by the rules it began with.
    fn expect_bursts(&mut self, burst: Option<MediaTime>) {
        let Some(burst) = burst.map(MediaTime::to_duration).filter(|burst| *burst != self.burst) else { return };
        self.burst = burst;
        if self.lifecycle.as_ref().is_some_and(|lifecycle| !lifecycle.is_open()) {
            self.lifecycle = self.spec.as_ref().map(|spec| lifecycle(spec, burst));
        }
    }

    fn flowing_within(&self) -> Duration {
        FLOWING_WITHIN.max(self.burst.mul_f64(BURSTS_RAISED))
    }
}

/// That frames flow, for an event that was open before the watch began; nothing while that may be a stray burst, of which
/// nothing is left after as long as `sure_after` lasts at least.
fn first_word(since: MediaTime, now: MediaTime, sure_after: Duration) -> Option<Change> {
    let is_sure = (now - since).to_duration() > sure_after;
    is_sure.then_some(Change {
        what: What::Ended(EventEnd::Cleared),
        start: since,
        end: Some(since),
        lasted: MediaTime::default(),
        severity: Severity::Info,
        value: 0.0,
        peak: 0.0,
        class: 0,
    })
}

fn lifecycle(spec: &Arc<DetectorSpec>, burst: Duration) -> EventLifecycle {
    let mut ladder = (spec.ladder)(&TrackInfo::bare(TrackId::INPUT));
    // One frame counts as flowing for so long.
    ladder.clear_after = ladder.clear_after.max(FLOWING_WITHIN);
    let is_steady = ladder.steps.iter().map(|(hold, _)| hold).eq(&STEADY_HOLDS);
    if is_steady && !burst.is_zero() {
        ladder.steps[0].0 = burst.mul_f64(BURSTS_RAISED).max(BURST_HOLDS_MIN[0]);
        ladder.steps[1].0 = burst.mul_f64(BURSTS_WORSE).max(BURST_HOLDS_MIN[1]);
    }
    EventLifecycle::new(ladder, spec.worse)
}

impl InputChange {
    /// Addresses the change.
    pub fn complete(self, card: &Arc<StreamCard>, session: SessionNumber, now: Wall) -> EventChange {
        let Self { spec, change, error, at } = self;
        let ago = |when: MediaTime| Wall(now.0.checked_sub((at - when).to_duration()).unwrap_or(now.0));
        let what = ChangeKind::from(change.what);
        let situation = Situation { lasted: change.lasted, peak: change.peak, class: change.class };
        // Nothing is known of what was before: it keeps its own numbers.
        let is_first_word = change.lasted == MediaTime::default() && what == ChangeKind::Ended(EventEnd::Cleared);
        let known = |number: f32| (!is_first_word).then_some(number);
        let mut message = if is_first_word { "the input delivers".to_owned() } else { (spec.message)(&situation) };
        if let (Some(error), false) = (error, what == ChangeKind::Ended(EventEnd::Cleared)) {
            message = format!("{message}: {error}");
        }
        EventChange {
            card: card.clone(),
            key: EventKey { stream: card.stream.clone(), track: TrackId::INPUT, detector: spec.name.into() },
            program: None,
            standing: Standing::Main,
            session,
            what,
            start: change.start,
            started_at: ago(change.start),
            end: change.end,
            ended_at: change.end.map(ago),
            changed_at: now,
            severity: change.severity,
            value: known(change.value),
            peak: known(change.peak),
            threshold: spec.threshold,
            unit: spec.unit,
            message,
            wording: (!is_first_word).then(|| Wording::new(spec.message, situation)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::{Detector, Ladder, LaneKind, Precedence, Verdicts, Worse};
    use crate::item::Item;
    use crate::tier::Tier;

    struct Never;

    impl Detector for Never {
        fn inspect(&mut self, _: &Item, _: &mut Verdicts) {}
    }

    fn spec(ladder: Ladder) -> DetectorSpec {
        DetectorSpec {
            number: 401,
            name: "input_down",
            unit: "s",
            worse: Worse::Higher,
            lane: LaneKind::Input,
            precedence: Precedence::Apart,
            cheapest: Tier::Transport,
            tuning: String::new(),
            ladder: Arc::new(move |_| ladder.clone()),
            class_limits: None,
            threshold: None,
            message: |_| String::new(),
            build: Arc::new(|_| Box::new(Never)),
            applies: |_| true,
        }
    }

    fn watch(now: Instant) -> InputWatch {
        watch_clearing_after(Duration::from_secs(10), now)
    }

    fn watch_clearing_after(clear_after: Duration, now: Instant) -> InputWatch {
        let ladder = Ladder {
            steps: STEADY_HOLDS.into_iter().zip([Severity::Warning, Severity::Critical]).collect(),
            raise_after: Duration::ZERO,
            clear_after,
            settle_after_change: Duration::ZERO,
        };
        InputWatch::new(Some(&Arc::new(spec(ladder))), now)
    }

    /// Looks four times a second for `seconds`; `flows` says at which second of its time frames come.
    fn look(
        watch: &mut InputWatch,
        (from, to): (Instant, u64),
        burst: u64,
        frames: &mut u64,
        flows: impl Fn(u64) -> bool,
    ) -> Vec<(u64, What)> {
        let mut told = Vec::new();
        for quarter in 0..to * 4 {
            *frames += u64::from(flows(quarter / 4));
            let now = from + Duration::from_millis(quarter * 250);
            let burst = Some(MediaTime::from_millis(burst as i64 * 1_000));
            told.extend(watch.look(*frames, burst, None, now).map(|change| (quarter / 4, change.change.what)));
        }
        told
    }

    const UP: What = What::Ended(EventEnd::Cleared);

    #[test]
    fn what_was_open_before_a_restart_ends_once_frames_flowed_as_long_as_for_any_end() {
        let now = Instant::now();
        let told = look(&mut watch(now), (now, 60), 0, &mut 0, |second| second >= 2);
        assert_eq!(told, [(12, UP)]);
        let told = look(&mut watch(now), (now, 60), 0, &mut 0, |_| false);
        assert_eq!(told, [(5, What::Raised), (10, What::Escalated)], "it is still down");
    }

    #[test]
    fn the_last_segments_of_a_dead_encoder_do_not_end_what_was_open_before_a_restart() {
        let now = Instant::now();
        let told = look(&mut watch(now), (now, 30), 0, &mut 0, |second| second < 2);
        assert!(!told.iter().any(|(_, what)| *what == UP), "{told:?}");
    }

    #[test]
    fn a_playlist_of_long_segments_is_not_down_between_two_of_them() {
        let now = Instant::now();
        let told = look(&mut watch(now), (now, 120), 10, &mut 0, |second| second % 10 < 5);
        assert_eq!(told, [(15, UP)]);
    }

    #[test]
    fn a_playlist_that_stops_is_down_after_one_and_a_half_and_critical_after_three_targets() {
        let now = Instant::now();
        let told = look(&mut watch(now), (now, 60), 6, &mut 0, |second| second < 10);
        assert_eq!(told, [(10, UP), (19, What::Raised), (27, What::Escalated)]);
    }

    #[test]
    fn a_playlist_that_returns_ends_the_event_although_it_comes_in_bursts() {
        let now = Instant::now();
        let flows = |second| !(10..30).contains(&second) && second % 10 < 5;
        let told = look(&mut watch(now), (now, 60), 10, &mut 0, flows);
        assert_eq!(told.last(), Some(&(40, What::Ended(EventEnd::Cleared))), "{told:?}");
    }

    #[test]
    fn a_steady_input_is_down_after_three_and_critical_after_ten_seconds() {
        let now = Instant::now();
        let told = look(&mut watch(now), (now, 30), 0, &mut 0, |second| second < 10);
        assert_eq!(told, [(10, UP), (12, What::Raised), (19, What::Escalated)]);
    }

    #[test]
    fn a_stray_frame_does_not_end_what_was_open_before_a_restart() {
        let now = Instant::now();
        let mut watch = watch_clearing_after(Duration::ZERO, now);
        let told = look(&mut watch, (now, 20), 0, &mut 1, |_| false);
        assert!(!told.iter().any(|(_, what)| *what == UP), "{told:?}");
    }

    #[test]
    fn a_stray_frame_of_a_dead_input_ends_nothing_however_short_the_time_to_clear() {
        let now = Instant::now();
        let mut watch = watch_clearing_after(Duration::ZERO, now);
        let mut frames = 0;
        let told = look(&mut watch, (now, 5), 0, &mut frames, |second| second < 1);
        assert_eq!(told, [(1, UP), (3, What::Raised)]);
        frames += 1;
        let told = look(&mut watch, (now + Duration::from_secs(5), 10), 0, &mut frames, |_| false);
        assert_eq!(told, [(6, What::Escalated)], "it was silent for ten seconds but for that moment");
    }

    #[test]
    fn what_a_failed_session_still_gives_away_does_not_delay_the_alarm() {
        let now = Instant::now();
        let mut watch = watch(now);
        let at = |quarters: u32| now + quarters * Duration::from_millis(250);
        let told: Vec<_> = (0..60)
            .filter_map(|quarter| {
                let (frames, error) = if quarter < 10 { (1, None) } else { (2, Some("the connection broke")) };
                watch.look(frames, None, error, at(quarter)).map(|change| (quarter / 4, change.change.what))
            })
            .collect();
        assert_eq!(told, [(3, What::Raised), (10, What::Escalated)]);
    }
}
