//! The same items give the same changes, whatever the schedule of the threads.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, also in their helpers")]

mod common;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use avwatch_actors::arbiters::Arbiters;
use avwatch_actors::bell::Bell;
use avwatch_actors::detector::{LaneKind, Precedence};
use avwatch_actors::detector_actor::{DetectorActor, HangBell};
use avwatch_actors::detector_group::{AtEnd, DetectorGroup};
use avwatch_actors::event_desk::DeskMessage;
use avwatch_actors::fan_out::{FanOut, Outlet};
use avwatch_actors::ingest::{self, SessionParts};
use avwatch_actors::lane::{WhenFull, lane};
use avwatch_actors::latency::LatencyBook;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::paced::Pace;
use avwatch_actors::scripted::{ScriptStep, ScriptedOpener, even_hops};
use avwatch_actors::track::SessionNumber;
use common::*;

/// Pictures and sound of 20 s with faults that overlap.
fn script() -> Vec<ScriptStep> {
    let mut steps = Vec::new();
    for at in (0..20_000).step_by(40) {
        steps.extend(pictures(at, at + 40));
        let hops = even_hops(millis(at), millis(40), 2, Default::default());
        steps.push(ScriptStep::Sound { at: millis(at), lasts: millis(40), hops });
        steps.push(ScriptStep::Clock(millis(at + 40)));
    }
    steps
}

/// What one run says, per lane: between lanes there is no order, within one there is.
async fn run(arbiters: &Arbiters) -> [Vec<String>; 2] {
    let fault = |from: i64, to: i64| move |_, at| (from..to).contains(&at);
    let specs = [
        by_rule(1, "black", Precedence::Solid, fault(2_000, 6_000)),
        by_rule(2, "freeze", Precedence::Still, fault(2_000, 9_000)),
        by_rule(3, "blur", Precedence::Rest, |_, at| at % 3_000 < 1_500),
        Arc::new(avwatch_actors::detector::DetectorSpec {
            lane: LaneKind::Sound,
            ..(*by_rule(4, "silence", Precedence::Solid, fault(5_000, 12_000))).clone()
        }),
    ];
    // So short that the actors stop for the event lane again and again.
    let (events, inbox) = crossbeam_channel::bounded(1);
    let fan_out = Arc::<FanOut>::default();
    for (number, kind) in [(1, LaneKind::Picture), (2, LaneKind::Sound)] {
        let (sender, receiver) = lane(NonZeroUsize::new(3).unwrap(), WhenFull::Wait);
        let seat = arbiters.choose();
        let (specs, events, pulse) = (specs.clone(), events.clone(), seat.pulse.clone());
        let actor = DetectorActor::start_in_arbiter(&seat.arbiter, move |_| {
            let card = card("lobby");
            let group = DetectorGroup::new(number, kind, card, &specs, Arc::default(), pulse, AtEnd::Settle);
            DetectorActor::new(group, receiver, events, Arc::<LatencyBook>::default())
        });
        let bell = Arc::new(Bell::new(actor.clone().recipient()));
        actor.do_send(HangBell(bell.clone()));
        fan_out.exchange(Outlet::new(kind, sender, Some(bell), 1));
    }
    drop(events);
    let parts = SessionParts {
        opener: Arc::new(ScriptedOpener::new("lobby", [Ok(script())])),
        fan_out,
        latencies: Arc::default(),
        meters: Arc::default(),
        pace: Pace::Unbound,
    };
    ingest::start("lobby", SessionNumber(1), parts, Arc::<Lifeline>::default(), |_| {}).unwrap();
    let collect = move || {
        let (mut said, mut drained) = ([Vec::new(), Vec::new()], 0);
        while drained < 2 {
            match inbox.recv_timeout(Duration::from_secs(10)).expect("the actors go on") {
                DeskMessage::Change(change) => {
                    let lane = usize::from(&*change.key.detector == "silence");
                    let c = &*change;
                    let words =
                        format!("{} {:?} {:?} {:?} {:?} {}", c.key, c.what, c.start, c.end, c.severity, c.message);
                    said[lane].push(words);
                }
                DeskMessage::Drained(_) => drained += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        said
    };
    tokio::task::spawn_blocking(collect).await.unwrap()
}

#[test]
fn the_same_items_give_the_same_changes_whatever_the_schedule() {
    on_real_time(async {
        let arbiters = Arbiters::start(3);
        let first = run(&arbiters).await;
        assert!(first[0].len() > 5 && first[1].len() == 3, "{first:#?}");
        for _ in 1..50 {
            assert_eq!(run(&arbiters).await, first);
        }
    });
}
