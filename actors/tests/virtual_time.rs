//! The engine on virtual time, with scripted sources that are played inline.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, also in their helpers")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use EventState::{Ended, Escalated, Raised};
use avwatch_actors::detector::{DetectorSpec, Ladder, LaneKind, Precedence};
use avwatch_actors::event::{EventEnd, EventState};
use avwatch_actors::item::Item;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::monitor::{ChangeStream, RemoveStream};
use avwatch_actors::scripted::{Script, ScriptStep, ScriptedOpener, default_tracks};
use avwatch_actors::setup::SessionMode;
use avwatch_actors::severity::Severity;
use avwatch_actors::source::{SourceError, SourceLimits};
use avwatch_actors::supervisor::RetuneStream;
use avwatch_actors::tier::{Tier, TierRange};
use avwatch_actors::track::{SessionInfo, SessionNumber};
use common::*;

fn refused() -> Script {
    Err(SourceError::Connect { what: "host".to_owned(), why: "refused".to_owned() })
}

/// Plays scripts for that long and returns what was told.
fn play(seconds: u64, scripts: Vec<Script>, specs: Vec<Arc<DetectorSpec>>, check: impl FnOnce(&Rig)) {
    on_virtual_time(async move {
        let rig = Rig::virtual_time();
        rig.add(inline("lobby", scripts, specs)).await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        rig.settle();
        check(&rig);
    });
}

fn black(rule: impl Fn(u64, i64) -> bool + Send + Sync + 'static) -> Arc<DetectorSpec> {
    by_rule(1, "black", Precedence::Solid, rule)
}

#[test]
fn a_stream_opens_fails_backs_off_and_recovers() {
    let scripts = vec![Ok(pictures(0, 2_000)), refused(), refused(), Ok(pictures(0, 60_000))];
    play(40, scripts, vec![black(|_, _| false)], |rig| {
        let status = rig.status("lobby").unwrap();
        assert_eq!((status.state, status.up, status.session), ("live", true, SessionNumber(4)));
        assert_eq!((status.restarts["connect"], status.restarts["finished"]), (2, 1));
        assert!(rig.told.all().is_empty());
    });
}

#[test]
fn a_planted_fault_is_raised_escalated_and_ended_at_its_media_times() {
    play(20, vec![Ok(pictures(0, 19_000))], vec![black(|_, at| (5_000..10_000).contains(&at))], |rig| {
        let black = rig.told.of("black");
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended]);
        assert_eq!((black[0].start_s, black[2].end_s), (5.0, Some(10.0)));
        assert_eq!((black[0].severity, black[1].severity), (Severity::Warning, Severity::Major));
        assert_eq!(rig.store.kept.of("black").len(), 3);
    });
}

#[test]
fn a_fault_that_goes_on_in_the_next_session_is_one_event() {
    let scripts = vec![Ok(pictures(0, 6_000)), Ok(pictures(0, 20_000))];
    let fault = |session, at| if session == 1 { at >= 2_000 } else { at < 3_000 };
    play(20, scripts, vec![black(fault)], |rig| {
        let black = rig.told.of("black");
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended]);
        assert!(black.iter().all(|event| event.id == black[0].id));
    });
}

#[test]
fn a_fault_that_the_next_session_does_not_show_ends() {
    let scripts = vec![Ok(pictures(0, 6_000)), Ok(pictures(0, 20_000))];
    play(20, scripts, vec![black(|session, at| session == 1 && at >= 4_000)], |rig| {
        assert_eq!(rig.told.states("black"), [Raised, Ended]);
        assert_eq!(rig.told.of("black")[1].end_reason, Some(EventEnd::Cleared));
    });
}

#[test]
fn a_black_picture_is_not_also_called_frozen() {
    let fault = |_, at| (2_000..8_000).contains(&at);
    let freeze = by_rule(2, "freeze", Precedence::Still, fault);
    play(15, vec![Ok(pictures(0, 14_000))], vec![black(fault), freeze], |rig| {
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended]);
        assert!(rig.told.of("freeze").is_empty());
    });
}

#[test]
fn a_picture_that_stands_still_after_black_has_done_so_only_since_then() {
    let freeze = by_rule(2, "freeze", Precedence::Still, |_, at| (2_000..8_400).contains(&at));
    let specs = vec![black(|_, at| (2_000..8_000).contains(&at)), freeze];
    play(15, vec![Ok(pictures(0, 14_000))], specs, |rig| {
        assert!(rig.told.of("freeze").is_empty(), "0.4 s are no freeze");
    });
}

fn input_down() -> Arc<DetectorSpec> {
    let ladder = Ladder {
        steps: vec![(Duration::from_secs(3), Severity::Warning), (Duration::from_secs(10), Severity::Critical)],
        raise_after: Duration::ZERO,
        clear_after: Duration::from_secs(5),
        settle_after_change: Duration::ZERO,
    };
    let never = || Box::new(Never) as Box<dyn avwatch_actors::detector::Detector>;
    let spec = spec(401, "input_down", LaneKind::Input, Precedence::Apart, never);
    Arc::new(DetectorSpec { ladder: Arc::new(move |_| ladder.clone()), ..(*spec).clone() })
}

struct Never;

impl avwatch_actors::detector::Detector for Never {
    fn inspect(&mut self, _: &avwatch_actors::item::Item, _: &mut avwatch_actors::detector::Verdicts) {}
}

/// Pictures that pause for that long after 5 s, from an input with these limits.
fn with_pause(pause: i64, limits: SourceLimits, check: impl FnOnce(&Rig)) {
    let mut script = pictures(0, 5_000);
    script.extend(pictures(5_000 + pause, 40_000 + pause));
    let opener = ScriptedOpener::new("lobby", [Ok(script)]).with_limits(limits);
    let setup = of("lobby", Arc::new(opener), vec![input_down()], SessionMode::Inline);
    on_virtual_time(async move {
        let rig = Rig::virtual_time();
        rig.add(setup).await;
        tokio::time::sleep(Duration::from_secs(38)).await;
        rig.settle();
        check(&rig);
    });
}

const PATIENT: SourceLimits =
    SourceLimits { open: Duration::from_secs(15), stall: Duration::from_secs(600), cut_when_silent: true };

#[test]
fn an_input_that_stops_is_down_and_up_again_when_it_returns() {
    with_pause(15_000, PATIENT, |rig| {
        assert_eq!(rig.told.states("input_down"), [Raised, Escalated, Ended]);
        assert_eq!(rig.told.of("input_down")[1].severity, Severity::Critical);
        assert_eq!(rig.status("lobby").unwrap().session, SessionNumber(1));
    });
}

#[test]
fn new_settings_replace_a_detector_without_a_new_session() {
    on_virtual_time(async {
        let rig = Rig::virtual_time();
        let before = black(|_, _| true);
        rig.add(inline("lobby", vec![Ok(pictures(0, 60_000))], vec![before.clone()])).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let after = Arc::new(DetectorSpec { tuning: "other".to_owned(), ..(*before).clone() });
        let change = RetuneStream {
            card: card("lobby"),
            specs: Arc::new(vec![after]),
            tiers: TierRange::default(),
            priority: 5,
        };
        rig.monitor.send(ChangeStream(change)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.settle();
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended, Raised]);
        assert_eq!(rig.told.of("black")[2].end_reason, Some(EventEnd::ConfigChanged));
        assert_eq!(rig.status("lobby").unwrap().session, SessionNumber(1));
    });
}

/// Pictures that are faulty for four seconds from 5 s on, where the session is announced anew at that size.
fn faulty_from_a_change_to(width: u32, check: impl FnOnce(&Rig)) {
    let mut tracks = default_tracks();
    for video in tracks.iter_mut().filter_map(|track| track.video.as_mut()) {
        video.width = width;
    }
    let mut script = pictures(0, 5_000);
    let info = SessionInfo {
        stream: "lobby".into(),
        session: SessionNumber(1),
        revision: 1,
        at: millis(5_000),
        container: "mpegts".to_owned(),
        tracks,
        tier: Tier::Full,
        burst: MediaTime::ZERO,
        started: std::time::Instant::now(),
        started_wall: std::time::SystemTime::now(),
    };
    script.push(ScriptStep::Item(Item::Started(Arc::new(info))));
    script.extend(pictures(5_000, 20_000));
    let fault = |_, at| (5_000..9_000).contains(&at);
    let freeze = by_rule(2, "freeze", Precedence::Still, fault);
    play(20, vec![Ok(script)], vec![black(|_, at| at < 7_000), freeze], check);
}

#[test]
fn a_freeze_that_comes_with_a_change_of_size_and_is_gone_after_four_seconds_is_not_told() {
    let before = default_tracks()[0].video.clone().unwrap().width;
    faulty_from_a_change_to(before, |rig| assert!(!rig.told.of("freeze").is_empty(), "without a change it is told"));
    faulty_from_a_change_to(before + 2, |rig| {
        assert!(rig.told.of("freeze").is_empty());
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended], "what was open goes on");
        assert_eq!(rig.told.of("black")[2].end_s, Some(7.0));
    });
}

#[test]
fn removing_a_stream_ends_its_events_as_stream_removed() {
    on_virtual_time(async {
        let rig = Rig::virtual_time();
        rig.add(inline("lobby", vec![Ok(pictures(0, 60_000))], vec![black(|_, _| true)])).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        rig.monitor.send(RemoveStream("lobby".into())).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.settle();
        assert_eq!(rig.told.states("black"), [Raised, Ended]);
        assert_eq!(rig.told.of("black")[1].end_reason, Some(EventEnd::StreamRemoved));
        assert!(rig.status("lobby").is_none());
    });
}

#[test]
fn an_event_found_again_after_a_restart_keeps_its_id_and_pages_nobody() {
    let store = MemoryStore::default();
    let run = |store: MemoryStore, fault: fn(u64, i64) -> bool| {
        let told = Told::default();
        let (kept, out) = (store, told.clone());
        on_virtual_time(async move {
            let rig = Rig::with(avwatch_actors::arbiters::Arbiters::here(), kept, vec![Box::new(out)]);
            rig.add(inline("lobby", vec![Ok(pictures(0, 60_000))], vec![black(fault)])).await;
            tokio::time::sleep(Duration::from_secs(6)).await;
            rig.settle();
        });
        told.of("black")
    };
    let before = run(store.clone(), |_, _| true);
    let last = before.last().unwrap().clone();
    *store.recovered.lock().unwrap() =
        avwatch_actors::sink::Recovered { sequence: last.sequence, open: vec![last.clone()], ..Default::default() };
    let after = run(store, |_, at| at < 3_000);
    assert_eq!(after.iter().map(|event| event.state).collect::<Vec<_>>(), [Ended]);
    assert_eq!(after[0].id, last.id);
    assert_eq!(after[0].end_s, None, "this run's media time says nothing of an event of the last run");
}
