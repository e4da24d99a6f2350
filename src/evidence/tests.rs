//! The evidence thread, with streams that are made up.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::record::Record;
use avwatch_actors::severity::Severity;
use avwatch_actors::sink::Sink;
use avwatch_actors::track::SessionNumber;
use uuid::Uuid;

use super::*;
use crate::live::{LiveBoard, Pixels};
use crate::measure::MeasurePlan;
use crate::sinks::samples;
use crate::synthetic::SyntheticOpener;

/// A thread over a folder, with its sink.
struct Bench {
    folder: tempfile::TempDir,
    shelf: Shelf,
    live: Arc<LiveBoard>,
    sink: EvidenceSink,
    counts: Arc<EvidenceCounts>,
}

impl Bench {
    fn new(from: Severity) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path(), 1 << 30);
        let rings = Arc::new(Rings::new(Duration::from_secs(30), 1 << 20));
        let live = Arc::new(LiveBoard::start().unwrap());
        let (sink, counts) = start(EvidenceParts { rings, live: live.clone(), shelf: shelf.clone(), from }).unwrap();
        Self { folder, shelf, live, sink, counts }
    }

    /// Has the stream show a picture now.
    fn show_picture(&self) {
        let recipe = "?size=64x64&duration=1s&audio=0".parse().unwrap();
        let measure = MeasurePlan::NOTHING.with_readings();
        let opener = Arc::new(SyntheticOpener::new("lobby", recipe, measure));
        let opener = self.live.watch("lobby", opener, Pixels::ForLive);
        let mut source = opener.open(SessionNumber(1), &Arc::<Lifeline>::default()).unwrap();
        while source.next().unwrap().is_some() {}
        self.wait("a picture", |_| self.live.stream("lobby").unwrap().newest_thumbnail().is_some());
    }

    #[track_caller]
    fn tell(&mut self, events: &[Arc<Event>]) {
        let records: Vec<Record> = events.iter().cloned().map(Record::Event).collect();
        self.sink.deliver(&records).unwrap();
    }

    fn wait(&self, what: &str, holds: impl Fn(&EvidenceCounts) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !holds(&self.counts) {
            assert!(Instant::now() < until, "{what}: {:?}", self.counts);
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// An event that was raised just now.
fn event(state: EventState, severity: Severity) -> Arc<Event> {
    let now = Wall(SystemTime::now());
    let sample = samples::event(&Uuid::now_v7().to_string(), "lobby", "black", 1, state);
    Arc::new(Event { severity, max_severity: severity, started_at: now, raised_at: now, ..sample })
}

#[test]
fn of_a_stream_that_is_gone_the_evidence_says_that_nothing_is_held() {
    let mut bench = Bench::new(Severity::Warning);
    let event = event(EventState::Raised, Severity::Major);
    bench.tell(std::slice::from_ref(&event));
    bench.wait("the evidence", |counts| counts.written() == 1);
    let manifest = bench.shelf.manifest(&event.id).unwrap();
    assert_eq!((manifest.clip, manifest.missing), (None, vec!["no clip: nothing of the stream is held".to_owned()]));
    assert!(bench.shelf.open(&event.id, "trace.json").is_some());
}

#[test]
fn of_events_below_the_severity_no_evidence_is_kept() {
    let mut bench = Bench::new(Severity::Major);
    let (minor, major) = (event(EventState::Raised, Severity::Minor), event(EventState::Raised, Severity::Major));
    bench.tell(&[minor.clone(), major]);
    bench.wait("the evidence", |counts| counts.written() == 1);
    assert!(bench.shelf.manifest(&minor.id).is_none());
}

#[test]
fn what_is_silenced_or_explained_by_another_event_has_evidence_too() {
    let mut bench = Bench::new(Severity::Major);
    // An observed condition that was nothing much at first: it stays suppressed as it grows worse.
    let long = Wall(SystemTime::now() - Duration::from_secs(8));
    let minor = Arc::new(Event { raised_at: long, ..(*event(EventState::Suppressed, Severity::Minor)).clone() });
    let major = Arc::new(Event { severity: Severity::Major, max_severity: Severity::Major, ..(*minor).clone() });
    let at_once = event(EventState::Suppressed, Severity::Critical);
    bench.tell(&[minor, major.clone(), at_once.clone()]);
    bench.wait("the evidence", |counts| counts.written() == 2);
    assert!(bench.shelf.manifest(&at_once.id).is_some() && bench.shelf.manifest(&major.id).is_some());
}

#[test]
fn an_event_that_is_told_again_has_one_evidence() {
    let mut bench = Bench::new(Severity::Warning);
    let raised = event(EventState::Raised, Severity::Warning);
    let escalated = Arc::new(Event { state: EventState::Escalated, ..(*raised).clone() });
    bench.tell(&[raised.clone(), escalated.clone(), raised]);
    bench.wait("the evidence", |counts| counts.written() == 1);
    let other = event(EventState::Raised, Severity::Warning);
    bench.tell(&[escalated, other]);
    bench.wait("the next evidence", |counts| counts.written() == 2);
}

#[test]
fn a_disk_that_takes_nothing_costs_evidence_and_is_counted_and_used_again() {
    let mut bench = Bench::new(Severity::Warning);
    let blocked = bench.folder.path().join("evidence");
    std::fs::write(&blocked, "a file where the folder should be").unwrap();
    bench.tell(&[event(EventState::Raised, Severity::Warning)]);
    bench.wait("the loss", |counts| counts.lost() == 1);
    std::fs::remove_file(&blocked).unwrap();
    bench.tell(&[event(EventState::Raised, Severity::Warning)]);
    bench.wait("the evidence", |counts| counts.written() == 1);
}

#[test]
fn a_storm_of_events_is_taken_at_once_and_what_finds_no_room_is_counted() {
    let mut bench = Bench::new(Severity::Warning);
    let raised = |_| Record::Event(event(EventState::Raised, Severity::Warning));
    let storm: Vec<Record> = (0..2_000).map(raised).collect();
    let begun = Instant::now();
    bench.sink.deliver(&storm).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "the sink waited: {:?}", begun.elapsed());
    bench.wait("every event to be written or counted", |counts| counts.written() + counts.lost() == 2_000);
    assert!(bench.counts.written() > 0 && bench.counts.lost() > 0, "{:?}", bench.counts);
}

#[test]
fn the_picture_of_when_an_event_was_raised_is_of_about_then_or_said_to_be_missing() {
    let mut bench = Bench::new(Severity::Warning);
    bench.show_picture();
    let now = event(EventState::Raised, Severity::Warning);
    let long_ago = Wall(SystemTime::now() - Duration::from_secs(30));
    let before = Arc::new(Event { raised_at: long_ago, ..(*event(EventState::Raised, Severity::Warning)).clone() });
    bench.tell(&[now.clone(), before.clone()]);
    bench.wait("the evidence", |counts| counts.written() == 2);
    let (now, before) = (bench.shelf.manifest(&now.id).unwrap(), bench.shelf.manifest(&before.id).unwrap());
    let shows = |manifest: &Manifest| manifest.pictures.iter().map(|one| one.shows.clone()).collect::<Vec<_>>();
    assert_eq!((shows(&now), shows(&before)), (vec!["raised".to_owned()], Vec::new()));
    let said =
        |manifest: &Manifest| manifest.missing.iter().any(|why| why.starts_with("the picture of when it was raised"));
    assert!(!said(&now) && said(&before), "{:?} {:?}", now.missing, before.missing);
}

#[test]
fn the_picture_of_an_end_is_of_when_it_was_told_and_a_remark_does_not_bring_another() {
    let mut bench = Bench::new(Severity::Warning);
    let raised = event(EventState::Raised, Severity::Warning);
    bench.tell(std::slice::from_ref(&raised));
    bench.wait("the evidence", |counts| counts.written() == 1);
    bench.show_picture();
    let told = |changed_at| Arc::new(Event { state: EventState::Ended, changed_at, ..(*raised).clone() });
    bench.tell(&[told(Wall(SystemTime::now() - Duration::from_secs(30)))]);
    let missing = || bench.shelf.manifest(&raised.id).unwrap().missing;
    let is_said = |_: &EvidenceCounts| missing().iter().any(|why| why.starts_with("the picture of when it ended"));
    bench.wait("the missing picture", is_said);
    bench.tell(&[told(Wall(SystemTime::now()))]);
    let other = event(EventState::Raised, Severity::Warning);
    bench.tell(std::slice::from_ref(&other));
    bench.wait("the next evidence", |counts| counts.written() == 2);
    assert_eq!(bench.shelf.manifest(&raised.id).unwrap().pictures, Vec::new());
}
