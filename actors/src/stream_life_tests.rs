//! Tests of the life of a stream, on a clock of their own.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

struct World {
    life: StreamLife,
    now: Instant,
}

impl World {
    fn new(limits: SourceLimits) -> Self {
        let now = Instant::now();
        Self { life: StreamLife::new(limits, SessionNumber(0), now), now }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        self.life.step(input, self.now)
    }

    fn wait(&mut self, seconds: f64, look: Option<Look>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..(seconds * 4.0) as u32 {
            self.now += Duration::from_millis(250);
            effects.extend(self.step(Input::Tick(look)));
        }
        effects
    }

    fn live(limits: SourceLimits) -> Self {
        let mut world = Self::new(limits);
        assert_eq!(world.step(Input::Start), [Effect::Ask]);
        assert_eq!(world.step(Input::Granted), [Effect::Open(SessionNumber(1))]);
        assert!(world.step(Input::Opened(SessionNumber(1))).is_empty());
        assert!(world.life.is_live());
        world
    }
}

fn refused() -> EndReason {
    EndReason::Failed(Arc::new(SourceError::Connect { what: "host".into(), why: "refused".into() }))
}

const STILL: Option<Look> = Some(Look { progress: 7, phase: Phase::Reading });

#[test]
fn a_session_that_does_not_open_in_time_is_cut_and_then_abandoned() {
    let mut world = World::new(SourceLimits::default());
    world.step(Input::Start);
    world.step(Input::Granted);
    assert_eq!(world.wait(15.25, STILL), [Effect::Cut(SessionNumber(1), CutReason::OpenLimit)]);
    assert_eq!(world.wait(3.0, STILL), [Effect::Abandon(SessionNumber(1)), Effect::Ask]);
    assert_eq!(world.life.abandoned(), 1);
}

#[test]
fn while_a_thread_of_it_hangs_a_stream_gets_less_time_to_open() {
    let mut world = World::live(SourceLimits::default());
    assert_eq!(world.wait(11.0, STILL), [Effect::Cut(SessionNumber(1), CutReason::Stalled)]);
    assert_eq!(world.wait(4.0, STILL), [Effect::Abandon(SessionNumber(1)), Effect::Ask]);
    world.step(Input::Granted);
    assert!(world.wait(9.75, STILL).is_empty(), "less than the stall limit");
    assert_eq!(world.wait(0.75, STILL), [Effect::Cut(SessionNumber(2), CutReason::OpenLimit)]);
    assert!(world.wait(3.0, STILL).contains(&Effect::Abandon(SessionNumber(2))));
}

#[test]
fn a_thread_that_resolves_a_name_gets_a_longer_grace() {
    let mut world = World::new(SourceLimits::default());
    world.step(Input::Start);
    world.step(Input::Granted);
    let look = Some(Look { progress: 0, phase: Phase::Resolving });
    assert_eq!(world.wait(15.25, look).len(), 1);
    assert!(world.wait(14.0, look).is_empty());
    assert!(world.wait(2.0, look).contains(&Effect::Abandon(SessionNumber(1))));
}

#[test]
fn a_silent_session_is_cut_unless_its_socket_should_stay_open() {
    let mut world = World::live(SourceLimits::default());
    assert_eq!(world.wait(11.0, STILL), [Effect::Cut(SessionNumber(1), CutReason::Stalled)]);
    let mut patient = World::live(SourceLimits { cut_when_silent: false, ..SourceLimits::default() });
    assert!(patient.wait(3_600.0, STILL).is_empty());
}

#[test]
fn a_refused_source_is_opened_again_after_its_back_off() {
    let mut world = World::live(SourceLimits::default());
    assert!(world.step(Input::Ended(SessionNumber(1), refused(), 1.0)).is_empty());
    assert_eq!(world.life.state_name(), "waiting");
    assert_eq!(world.wait(1.0, None), [Effect::Ask]);
    assert_eq!(world.step(Input::Granted), [Effect::Open(SessionNumber(2))]);
}

#[test]
fn an_input_that_listens_is_back_at_once_when_nobody_sent() {
    let mut world = World::new(SourceLimits { cut_when_silent: false, ..SourceLimits::default() });
    world.step(Input::Start);
    let silent =
        EndReason::Failed(Arc::new(SourceError::OpenLimit { what: "udp".into(), limit: Duration::from_secs(15) }));
    for session in 1..20 {
        assert_eq!(world.step(Input::Granted), [Effect::Open(SessionNumber(session))]);
        world.step(Input::Ended(SessionNumber(session), silent.clone(), 1.0));
        assert_eq!(world.wait(0.25, None), [Effect::Ask]);
    }
}

#[test]
fn words_of_an_old_session_change_nothing() {
    let mut world = World::live(SourceLimits::default());
    assert!(world.step(Input::Ended(SessionNumber(99), refused(), 1.0)).is_empty());
    assert!(world.step(Input::Opened(SessionNumber(99))).is_empty());
    assert!(world.life.is_live());
}

#[test]
fn a_third_abandoned_thread_is_not_replaced_until_one_returns() {
    let mut world = World::new(SourceLimits::default());
    world.step(Input::Start);
    for session in 1..=3 {
        assert_eq!(world.step(Input::Granted), [Effect::Open(SessionNumber(session))]);
        let effects = world.wait(18.0, STILL);
        assert!(effects.contains(&Effect::Abandon(SessionNumber(session))));
        if session < 3 && world.life.state_name() == "waiting" {
            world.wait(60.0, None);
        }
    }
    assert_eq!(world.life.state_name(), "blocked");
    assert!(world.wait(600.0, None).is_empty());
    world.step(Input::Ended(SessionNumber(1), EndReason::Stopped, 0.5));
    assert!(world.wait(60.0, None).contains(&Effect::Ask));
}

#[test]
fn panics_lead_to_quarantine_and_one_probe() {
    let panicked = || EndReason::Failed(Arc::new(SourceError::Panicked { what: "thread".into(), why: "boom".into() }));
    let mut world = World::new(SourceLimits::default());
    world.step(Input::Start);
    let mut effects = Vec::new();
    for session in 1..=5 {
        world.step(Input::Granted);
        effects = world.step(Input::Ended(SessionNumber(session), panicked(), 0.0));
        if session < 5 {
            world.wait(1.0, None);
        }
    }
    assert_eq!(effects, [Effect::Quarantined(Duration::from_secs(900))]);
    assert!(world.wait(899.0, None).is_empty());
    assert_eq!(world.wait(2.0, None), [Effect::Released, Effect::Ask]);
}

#[test]
fn a_stop_ends_in_every_state() {
    let mut idle = World::new(SourceLimits::default());
    assert_eq!(idle.step(Input::Stop), [Effect::Stopped]);
    let mut live = World::live(SourceLimits::default());
    assert_eq!(live.step(Input::Stop), [Effect::Cut(SessionNumber(1), CutReason::Stopped)]);
    assert_eq!(live.step(Input::Ended(SessionNumber(1), EndReason::Stopped, 0.5)), [Effect::Stopped]);
    let mut hung = World::live(SourceLimits::default());
    hung.step(Input::Stop);
    assert_eq!(hung.wait(3.0, STILL), [Effect::Abandon(SessionNumber(1)), Effect::Stopped]);
}

proptest! {
    /// Whatever happens: a session is opened only when none runs, and a stop ends within the grace.
    #[test]
    fn at_most_one_session_runs_and_stop_always_works(script in prop::collection::vec((0_u8..7, 0_u64..40), 1..200)) {
        let mut world = World::new(SourceLimits::default());
        let mut running: Option<SessionNumber> = None;
        for (kind, number) in script {
            world.now += Duration::from_millis(number * 100);
            let input = match kind {
                0 => Input::Start,
                1 => Input::Granted,
                2 => Input::Deferred(Duration::from_secs(number)),
                3 => Input::Opened(SessionNumber(number % 8)),
                4 => Input::Ended(SessionNumber(number % 8), refused(), 0.5),
                5 => Input::Ended(world.life.session().unwrap_or_default(), refused(), 0.5),
                _ => Input::Tick(Some(Look { progress: number, phase: Phase::Reading })),
            };
            if let Input::Ended(session, ..) = &input && running == Some(*session) { running = None; }
            for effect in world.step(input) {
                match effect {
                    Effect::Open(session) => { prop_assert_eq!(running, None); running = Some(session); }
                    Effect::Abandon(session) => { prop_assert_eq!(running, Some(session)); running = None; }
                    _ => {}
                }
            }
        }
        world.step(Input::Stop);
        world.wait(GRACE.as_secs_f64() + 0.5, None);
        prop_assert!(world.life.is_stopped());
    }
}
