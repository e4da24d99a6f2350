//! Logs as they are written, in virtual time: what becomes of their lines.

use super::*;
use crate::config::{Plan, Share};
use crate::logs::RulePlan;
use std::io::Write;

#[test]
fn an_example_hides_what_may_be_secret() {
    assert_eq!(shortened("GET http://a:b@host/x?token=S3cret \"next\""), "GET http://***@host/x?*** \"next\"");
    assert_eq!(shortened(&"x".repeat(1_000)).len(), EXAMPLE_MAX);
}

struct Bench {
    folder: tempfile::TempDir,
    watch: Watch,
    now: Instant,
    wall: SystemTime,
    changes: crossbeam_channel::Receiver<DeskMessage>,
}

fn append(path: &std::path::Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

impl Bench {
    fn new() -> Self {
        Self::of(["lobby"])
    }

    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[[streams]]\nname = \"lobby\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n[[logs]]\nname = \"edge\"\npath = \"{}\"\n\
            format = \"logfmt\"\nstream_field = \"stream\"\n[logs.rules.http]\ndetector = \"log_http_errors\"\n\
            thresholds = {{ major = 0.5 }}\nclear_after = \"5s\"\n",
            folder.path().join("a.log").display()
        );
        let file = folder.path().join("avwatch.toml");
        std::fs::write(&file, config).unwrap();
        let loaded = crate::config::load(&crate::config::Sources { files: vec![file], ..Default::default() });
        let plan: Plan = loaded.unwrap().plan;
        let mut catalogue = Catalogue::default();
        for name in names {
            let plan = crate::config::StreamPlan { name: name.into(), ..plan.streams[0].clone() };
            let entry = crate::catalogue::Entry {
                plan: Arc::new(plan),
                origin: crate::catalogue::StreamOrigin::File,
                revision: None,
                settings: None,
            };
            catalogue.streams.insert(name.into(), entry);
        }
        let (events, changes) = bounded(100);
        let parts = LogWatchParts {
            inputs: Arc::new(ArcSwap::from_pointee(plan.logs)),
            catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
            desk: DeskHandle { events, board: Arc::default(), rules: Arc::default() },
        };
        let now = Instant::now();
        Self { watch: Watch::new(parts, now), folder, now, wall: SystemTime::now(), changes }
    }

    fn write(&self, text: &str) {
        append(&self.folder.path().join("a.log"), text);
    }

    fn pass(&mut self, seconds: u64, text: &str) {
        for _ in 0..seconds {
            self.write(text);
            self.now += Duration::from_secs(1);
            self.wall += Duration::from_secs(1);
            self.watch.look(self.now, self.wall);
        }
    }

    /// Leaves the event lane no room.
    fn fill_lane(&self) {
        let other = || DeskMessage::Drained(avwatch_actors::detector::LaneKind::Input);
        while self.watch.desk.events.try_send(other()).is_ok() {}
    }

    fn told(&self) -> Vec<String> {
        let words = |message: DeskMessage| match message {
            DeskMessage::Change(change) => format!("{} {} {:?}", change.key, change.severity, change.what),
            _ => "another message".to_owned(),
        };
        self.changes.try_iter().map(words).collect()
    }
}

#[test]
fn lines_become_an_event_of_their_stream_and_what_is_lost_is_counted() {
    let mut bench = Bench::new();
    bench.pass(5, "");
    bench.pass(25, "stream=lobby status=503\nstream=roof status=503\nplain words\n");
    assert_eq!(bench.told(), ["lobby/input/log_http_errors major Raised"]);
    let losses = bench.watch.inputs[0].losses;
    assert_eq!((losses.unparsed, losses.of_no_stream), (25, 25));
    bench.pass(120, "stream=lobby status=200\n");
    assert_eq!(bench.told().last().map(String::as_str), Some("lobby/input/log_http_errors major Ended(Cleared)"));
}

#[test]
fn a_reload_changes_one_log_and_leaves_the_others_where_they_were() {
    let mut bench = Bench::new();
    let edge = bench.watch.planned.load()[0].clone();
    let encoder = LogInputPlan {
        name: "encoder".into(),
        path: bench.folder.path().join("b.log"),
        rules: vec![Arc::new(RulePlan { detector: "log_errors", ..(*edge.rules[0]).clone() })],
        ..edge.clone()
    };
    let plan = |inputs: &[&LogInputPlan]| Arc::new(inputs.iter().map(|&input| input.clone()).collect());
    bench.watch.planned.store(plan(&[&encoder, &edge]));
    bench.pass(1, "");
    let write = |bench: &Bench, text: &str| append(&bench.folder.path().join("b.log"), text);
    for _ in 0..25 {
        write(&bench, "stream=lobby status=503\n");
        bench.pass(1, "stream=lobby status=503\n");
    }
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, ["lobby/input/log_errors major Raised", "lobby/input/log_http_errors major Raised"]);
    // One of them goes. The other one's event stays open, and its window is still full.
    bench.watch.planned.store(plan(&[&edge]));
    bench.pass(3, "");
    assert_eq!(bench.told(), ["lobby/input/log_errors major Ended(ConfigChanged)"]);
    // Other thresholds are another rule: what was open under the old ones ends.
    let lax =
        RulePlan { thresholds: vec![(0.999, avwatch_actors::severity::Severity::Info)], ..(*edge.rules[0]).clone() };
    bench.watch.planned.store(plan(&[&LogInputPlan { rules: vec![Arc::new(lax)], ..edge.clone() }]));
    bench.pass(1, "");
    assert_eq!(bench.told(), ["lobby/input/log_http_errors major Ended(ConfigChanged)"]);
    bench.pass(30, "stream=lobby status=503\n");
    assert_eq!(bench.told(), ["lobby/input/log_http_errors info Raised"]);
    bench.watch.planned.store(plan(&[]));
    bench.pass(1, "");
    assert_eq!(bench.told(), ["lobby/input/log_http_errors info Ended(ConfigChanged)"]);
}

#[test]
fn none_of_many_changes_is_lost_while_the_desk_has_no_room() {
    let names: Vec<String> = (0..1_200).map(|number| format!("s{number}")).collect();
    let mut bench = Bench::of(names.iter().map(String::as_str));
    bench.fill_lane();
    bench.pass(2, "");
    let lines = |status: u16| -> String {
        names.iter().map(|name| format!("stream={name} status={status}\n").repeat(20)).collect()
    };
    bench.pass(1, &lines(503));
    bench.pass(9, "");
    bench.pass(1, &lines(200));
    // There is room again, little by little.
    let mut told = Vec::new();
    for _ in 0..200 {
        told.extend(bench.told().into_iter().filter(|word| word != "another message"));
        bench.pass(1, "");
    }
    for name in &names {
        let of = |word: &&String| word.starts_with(&format!("{name}/"));
        let mut whats: Vec<&str> = told.iter().filter(of).filter_map(|word| word.rsplit(' ').next()).collect();
        // What is open is said again now and then.
        whats.retain(|what| *what != "Fading");
        whats.dedup();
        assert_eq!(whats, ["Raised", "Ended(Cleared)"], "{name}");
    }
}

#[test]
fn a_rotation_in_the_middle_loses_no_line() {
    let mut bench = Bench::new();
    bench.pass(1, "");
    bench.pass(10, "stream=lobby status=503\n");
    let moved = bench.folder.path().join("a.log.1");
    std::fs::rename(bench.folder.path().join("a.log"), moved).unwrap();
    bench.pass(10, "stream=lobby status=503\n");
    // Twenty lines are the least that say anything.
    assert_eq!(bench.told(), ["lobby/input/log_http_errors major Raised"]);
}

#[test]
fn lines_about_streams_of_other_clones_are_not_told_as_lost() {
    let mut bench = Bench::new();
    let catalogue = Catalogue::clone(&bench.watch.catalogue.load());
    let share = Share { elsewhere: Arc::new(["roof".into()].into()), ..Share::default() };
    bench.watch.catalogue.store(Arc::new(Catalogue { share, ..catalogue }));
    bench.pass(5, "");
    bench.pass(25, "stream=roof status=503\nstream=cellar status=503\n");
    assert_eq!(bench.told(), Vec::<String>::new());
    assert_eq!(bench.watch.inputs[0].losses.of_no_stream, 25, "the cellar's alone");
}
