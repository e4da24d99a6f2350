//! What becomes of events when a stream changes its tier while its session goes on.

#![allow(clippy::unwrap_used, reason = "tests may stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::detector::{DetectorSpec, Precedence};
use avwatch_actors::event::EventEnd;
use avwatch_actors::event::EventState::{Ended, Escalated, Raised};
use avwatch_actors::frame::PictureFacts;
use avwatch_actors::item::Item;
use avwatch_actors::scripted::{ScriptStep, default_tracks, session_info};
use avwatch_actors::tier::Tier;
use avwatch_actors::track::{SessionInfo, SessionNumber};

use common::{Rig, by_rule, inline, millis, on_virtual_time, pictures};

/// The session goes on in another tier from that time on.
fn announced(revision: u32, at: i64, tier: Tier) -> ScriptStep {
    let info = session_info(&"lobby".into(), SessionNumber(1), default_tracks());
    ScriptStep::Item(Item::Started(Arc::new(SessionInfo { revision, at: millis(at), tier, ..info })))
}

/// One picture of 40 ms every two seconds.
fn keys(from: i64, to: i64) -> impl Iterator<Item = ScriptStep> {
    let picture = |at| ScriptStep::Picture { at: millis(at), lasts: millis(40), facts: PictureFacts::default() };
    (from..to).step_by(2_000).map(picture)
}

fn black(cheapest: Tier, rule: impl Fn(u64, i64) -> bool + Send + Sync + 'static) -> Arc<DetectorSpec> {
    Arc::new(DetectorSpec { cheapest, ..(*by_rule(1, "black", Precedence::Solid, rule)).clone() })
}

fn play(seconds: u64, script: Vec<ScriptStep>, spec: Arc<DetectorSpec>, check: impl FnOnce(&Rig)) {
    on_virtual_time(async {
        let rig = Rig::virtual_time();
        rig.add(inline("lobby", vec![Ok(script)], vec![spec])).await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        rig.settle();
        check(&rig);
    });
}

#[test]
fn an_event_whose_detector_loses_its_basis_is_unwatched_and_raised_anew_when_it_is_back() {
    let mut script = pictures(0, 5_000);
    script.push(announced(1, 5_000, Tier::Audio));
    script.extend((5_000..15_000).step_by(100).map(|at| ScriptStep::Clock(millis(at))));
    script.push(announced(2, 15_000, Tier::Full));
    script.extend(pictures(15_000, 20_000));
    play(21, script, black(Tier::Keyframes, |_, _| true), |rig| {
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended, Raised, Escalated]);
        let told = rig.told.of("black");
        assert_eq!((told[2].end_reason, told[2].end_s), (Some(EventEnd::Unwatched), Some(5.0)));
        assert_eq!((told[0].tier.as_deref(), told[3].tier.as_deref()), (Some("full"), Some("full")));
        assert!(told[3].start_s >= 15.0, "nothing is said of what nobody looked at");
    });
}

#[test]
fn in_keyframes_a_picture_is_credited_with_its_group_and_events_say_the_tier() {
    let mut script = pictures(0, 2_000);
    script.push(announced(1, 2_000, Tier::Keyframes));
    script.extend(keys(2_000, 30_000));
    // From the first key picture to the second it lasts two seconds, until the third four.
    play(31, script, black(Tier::Keyframes, |_, at| (8_000..14_000).contains(&at)), |rig| {
        let told = rig.told.of("black");
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended]);
        assert_eq!((told[0].start_s, told[0].tier.as_deref()), (8.0, Some("keyframes")));
        assert_eq!(told[2].end_reason, Some(EventEnd::Cleared));
    });
}

#[test]
fn pictures_far_apart_are_not_credited_with_their_distance_where_none_is_left_out() {
    let script = [ScriptStep::Clock(millis(0))].into_iter().chain(keys(0, 3_000)).collect();
    // Two pictures two seconds apart: one second is credited, which is not three.
    play(5, script, black(Tier::Full, |_, _| true), |rig| {
        assert_eq!(rig.told.states("black"), [Raised]);
    });
}

#[test]
fn an_open_event_goes_on_through_tiers_in_which_its_detector_can_judge() {
    let mut script = pictures(0, 4_000);
    script.push(announced(1, 4_000, Tier::Keyframes));
    script.extend(keys(4_000, 12_000));
    script.push(announced(2, 12_000, Tier::Full));
    script.extend(pictures(12_000, 16_000));
    play(17, script, black(Tier::Keyframes, |_, at| at < 13_000), |rig| {
        assert_eq!(rig.told.states("black"), [Raised, Escalated, Ended]);
        assert_eq!(rig.told.of("black")[2].end_s, Some(13.0));
    });
}
