//! Triage of real clips: what is held is decoded after all, without a trace of the change.

use std::path::PathBuf;
use std::sync::Arc;

use avwatch_actors::item::{Item, TimelineSign};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::Opener;
use avwatch_actors::tier::{Tier, TierDial, TierRange};
use avwatch_actors::track::SessionNumber;

use super::MediaOpener;
use super::test_media::{Heard, clip, spec};
use super::triage::HOLD;

/// Pictures of 25 a second that refer to each other, a key picture every two seconds, changed by a filter.
fn programme(extension: &str, filter: &str, coding: &str) -> PathBuf {
    clip(
        extension,
        &format!(
            "-f lavfi -i testsrc2=size=320x180:rate=25:duration=16 -f lavfi -i sine=frequency=440:duration=16 \
             -vf {filter} -c:v libx264 -preset veryfast -g 50 -sc_threshold 0 -bf 2 {coding} -c:a aac -ac 2 -shortest"
        ),
    )
}

/// Everything heard of a clip; `look` is called with the clock.
fn heard(path: &std::path::Path, dial: &Arc<TierDial>, mut look: impl FnMut(MediaTime)) -> Heard {
    heard_by_items(path, dial, |item| {
        if let Item::Clock(at) = item {
            look(*at);
        }
    })
}

/// Everything heard of a clip; `look` is called with each item.
fn heard_by_items(path: &std::path::Path, dial: &Arc<TierDial>, mut look: impl FnMut(&Item)) -> Heard {
    let opener = MediaOpener::new(spec(path)).with_dial(dial.clone());
    let mut source = opener.open(SessionNumber(1), &Arc::new(Lifeline::default())).expect("opens");
    let mut heard = Heard::default();
    while let Some(item) = source.next().expect("reads") {
        look(&item);
        heard.take(item);
    }
    heard
}

fn times(heard: &Heard) -> Vec<MediaTime> {
    heard.video.iter().map(|frame| frame.stamp.media_time).collect()
}

/// No sign of a fault, every picture once, in order, and as it is when all are decoded.
#[track_caller]
fn assert_without_trace(heard: &Heard, path: &std::path::Path) {
    assert_eq!((heard.signs(), heard.gaps.len()), (Vec::<TimelineSign>::new(), 0));
    assert!(times(heard).is_sorted_by(|one, next| one < next), "{:?}", times(heard));
    let full = self::heard(path, &Arc::default(), |_| {});
    for frame in &heard.video {
        assert!(
            !frame.facts.signs.damaged && frame.facts.signs.errors == 0,
            "{:?} {:?}",
            frame.stamp.media_time,
            frame.facts.signs
        );
        let same = full.video.iter().find(|known| known.stamp.media_time == frame.stamp.media_time);
        let same = same.unwrap_or_else(|| panic!("none at {:?}", frame.stamp.media_time));
        let (mean, expected) = (frame.facts.luma.mean, same.facts.luma.mean);
        assert!((mean - expected).abs() < 0.5, "{mean} is not {expected} at {:?}", frame.stamp.media_time);
    }
}

/// Pictures in a span of seconds.
fn within(heard: &Heard, from: f64, to: f64) -> usize {
    times(heard).iter().filter(|at| (from..to).contains(&(at.as_secs_f64() + 0.001))).count()
}

#[test]
fn a_suspicion_shows_every_picture_since_the_key_picture_before_it_and_then_it_idles_again() {
    for (extension, coding) in [("ts", ""), ("mp4", ""), ("mkv", ""), ("ts", "-x264-params open-gop=1")] {
        let path = programme(extension, "null", coding);
        let dial = Arc::new(TierDial::new(TierRange::triage()));
        let mut is_told = false;
        let heard = heard(&path, &dial, |at| {
            if !is_told && at >= MediaTime::from_millis(5_300) {
                is_told = true;
                dial.suspect();
            }
        });
        assert_without_trace(&heard, &path);
        assert_eq!(within(&heard, 0.0, 4.0), 2, "{extension} {coding}: it idles");
        assert!(within(&heard, 4.0, 8.0) >= 98, "{extension} {coding}: {}", within(&heard, 4.0, 8.0));
        let after = 5.3 + HOLD.as_secs_f64() + 1.0;
        assert!(within(&heard, after, 16.0) <= 3, "{extension} {coding}: it idles again");
        let tiers: Vec<Tier> = heard.started.iter().map(|info| info.tier).collect();
        assert!(tiers.contains(&Tier::Full) && tiers.last() == Some(&Tier::Keyframes), "{tiers:?}");
    }
}

#[test]
fn a_suspicion_between_the_fields_of_a_key_picture_leaves_no_trace() {
    let raw = super::field_coded::file(250);
    let sound = "-f lavfi -i sine=frequency=440:duration=10";
    let path = clip("ts", &format!("-f h264 -r 50 -i {} {sound} -map 0 -map 1 -c:v copy -c:a aac", raw.display()));
    // Blocks of sound lie before, between and behind the fields.
    for block in 270..290 {
        let (dial, mut blocks) = (Arc::new(TierDial::new(TierRange::triage())), 0);
        let heard = heard_by_items(&path, &dial, |item| {
            blocks += usize::from(matches!(item, Item::Audio(_)));
            if blocks == block && matches!(item, Item::Audio(_)) {
                dial.suspect();
            }
        });
        assert_without_trace(&heard, &path);
        assert!(within(&heard, 7.0, 8.0) == 25, "{block}: {}", within(&heard, 7.0, 8.0));
    }
}

#[test]
fn pictures_that_stand_still_between_two_key_pictures_are_seen_from_the_begin() {
    // Still from 8.4 s to 9.9 s: no key picture shows it.
    let still = "loop=loop=37:size=1:start=210,setpts=N/25/TB";
    let path = programme("ts", still, "");
    let dial = Arc::new(TierDial::new(TierRange::triage()));
    let heard = heard(&path, &dial, |_| {});
    assert_without_trace(&heard, &path);
    assert_eq!(within(&heard, 0.0, 8.0), 4, "it idles");
    assert_eq!(within(&heard, 8.0, 10.0), 50, "every picture around the still ones");
}

#[test]
fn what_is_shed_does_not_rise_and_what_is_no_triage_holds_nothing() {
    let path = programme("ts", "null", "");
    let dial = Arc::new(TierDial::new(TierRange::triage()));
    dial.shed_to(Tier::Audio);
    let shed = heard(&path, &dial, |_| dial.suspect());
    assert!(shed.video.is_empty());
    let dial = Arc::new(TierDial::new(TierRange::from(Tier::Keyframes)));
    let keys = heard(&path, &dial, |_| dial.suspect());
    assert_eq!(keys.video.len(), 8);
}

#[test]
fn a_stream_joined_in_an_open_group_is_not_called_damaged() {
    let whole = std::fs::read(programme("ts", "null", "-x264-params open-gop=1")).expect("it was made");
    // From the middle of a group, as a receiver of a broadcast begins.
    let from = whole.len() / 188 / 3 * 188;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("joined.ts");
    std::fs::write(&path, &whole[from..]).expect("it can be written");
    let heard = heard(&path, &Arc::default(), |_| {});
    let counted: Vec<_> = heard.video.iter().filter(|frame| frame.facts.signs.tuned).collect();
    assert!(counted.len() > 200, "{}", counted.len());
    let damaged = counted.iter().find(|frame| frame.facts.signs.damaged || frame.facts.signs.reference_missing);
    assert!(damaged.is_none(), "{damaged:?}");
}
