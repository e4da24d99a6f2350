//! `[clone]`: what part of a configuration a clone takes.

use super::*;
use crate::stream_parts;

/// Four streams: of two shards, "lobby" and "a" are in the second, the others in the first.
const STREAMS: &str = "[[streams]]\nname = \"lobby\"\nurl = \"lobby\"\n[[streams]]\nname = \"news.hd\"\nurl = \"n\"\n\
    [[streams]]\nname = \"A\"\nurl = \"A\"\n[[streams]]\nname = \"a\"\nurl = \"a\"\n";

fn names(plan: &Plan) -> Vec<&str> {
    plan.streams.iter().map(|stream| &*stream.name).collect()
}

#[test]
fn a_shard_watches_its_streams_and_knows_the_names_of_the_others() {
    let first = Bench::of(&format!("clone.shard = \"1/2\"\n{STREAMS}")).plan();
    let second = Bench::of(STREAMS).env("AVWATCH__CLONE__SHARD", "2/2").plan();
    assert_eq!((names(&first), names(&second)), (vec!["A", "news.hd"], vec!["a", "lobby"]));
    let elsewhere: Vec<&str> = first.share.elsewhere.iter().map(|name| &**name).collect();
    assert_eq!(elsewhere, names(&second));
    assert_eq!(first.share.to_string(), "shard 1/2, all detectors");
}

#[test]
fn without_clone_everything_is_watched_by_all_detectors() {
    let plan = Bench::of(STREAMS).plan();
    assert!(plan.share.is_all() && plan.share.elsewhere.is_empty());
    assert_eq!(plan.streams.len(), 4);
    assert!(plan.streams.iter().all(|stream| stream.only.is_none()));
}

#[test]
fn the_command_line_wins_over_everything() {
    let mut bench = Bench::of(&format!("clone.shard = \"1/2\"\nclone.detectors = [\"freeze\"]\n{STREAMS}"))
        .set("clone.detectors=silence,freeze");
    let plan = bench.plan();
    assert_eq!(plan.share.to_string(), "shard 1/2, detectors freeze, silence");
    bench.sources.share = ShareArguments { detectors: vec!["black".to_owned()], shard: Some("2/2".to_owned()) };
    let plan = bench.plan();
    assert_eq!(plan.share.to_string(), "shard 2/2, detectors black");
    bench.sources.share =
        ShareArguments { detectors: vec!["black".into(), "frezee".into()], shard: Some("3/2".into()) };
    assert_eq!(
        bench.errors(),
        [
            "--detectors: 'clone.detectors[1]': is no detector; did you mean 'freeze'?",
            "--shard: 'clone.shard': shards are counted from 1/2 to 2/2",
        ]
    );
}

#[test]
fn a_subset_switches_every_other_detector_off_on_tracks_as_well() {
    let tracks = "[streams.tracks.\"audio:1\".detectors.silence]\nenabled = true\n";
    let one = format!("[[streams]]\nname = \"a\"\nurl = \"a\"\n{tracks}");
    let ran = |clone: &str| {
        let plan = Bench::of(&format!("{clone}{one}")).plan();
        let detectors = stream_parts::resolve_detectors(&plan.streams[0], &[]).expect("they resolve");
        let mut names: Vec<&str> = detectors.specs.iter().map(|spec| spec.name).collect();
        names.dedup();
        (names, detectors.measure)
    };
    assert!(ran("").0.len() > 10);
    assert_eq!(ran("clone.detectors = [\"freeze\", \"input_down\"]\n").0, ["freeze", "input_down"]);
    let (names, measure) = ran("clone.detectors = [\"silence\"]\n");
    assert_eq!(names, ["silence"]);
    assert_ne!(measure, ran("").1, "what no detector here asks for is not measured");
}

#[test]
fn what_cannot_be_run_is_refused_by_its_place() {
    let list =
        "\"black\", \"ts_pcr\", \"store_degraded\", \"blakc\", \"zebra\", \"log_error\", \"log_errors\", \"black\"";
    assert_eq!(
        Bench::of(&format!("[clone]\ndetectors = [{list}]\nshard = \"6/5\"\n")).errors(),
        [
            "a.toml:2:23: 'clone.detectors[1]': the name is reserved for a transport detector that this version does not have",
            "a.toml:2:33: 'clone.detectors[2]': is a condition of the monitor itself, of which every clone tells",
            "a.toml:2:51: 'clone.detectors[3]': is no detector; did you mean 'black'?",
            "a.toml:2:60: 'clone.detectors[4]': is no detector; 'avwatch detectors' lists them",
            "a.toml:2:69: 'clone.detectors[5]': is no detector; did you mean 'log_errors'?",
            "a.toml:2:96: 'clone.detectors[7]': is named twice",
            "a.toml:3:1: 'clone.shard': shards are counted from 1/5 to 5/5",
        ]
    );
    assert_eq!(
        Bench::of("[clone]\ndetectors = []\nshard = \"two of five\"\n").errors(),
        [
            "a.toml:2:1: 'clone.detectors': must name at least one; without the key all detectors run",
            "a.toml:3:1: 'clone.shard': must be written I/N, such as 2/5: which shard this is, from 1, and how many there are",
        ]
    );
}

#[test]
fn a_stream_of_another_clone_is_checked_all_the_same() {
    let wrong = format!("clone.shard = \"1/2\"\n{STREAMS}tier = \"audio\"\ntier_min = \"light\"\n");
    assert_eq!(Bench::of(&wrong).errors(), ["a.toml:15:1: 'streams.a.tier_min': must not be dearer than 'tier'"]);
}

#[test]
fn what_names_a_stream_of_another_clone_stays_valid() {
    let more = "[[logs]]\nname = \"edge\"\npath = \"/var/log/edge.log\"\nstream = \"lobby\"\n\
        [logs.rules.errors]\ndetector = \"log_errors\"\nthresholds = { major = 1.0 }\n\
        [receivers.desk]\nstreams = [\"lobby\"]\nwebhook.url = \"https://hook.example/\"\n";
    let bench = Bench::of(&format!("clone.shard = \"1/2\"\n{STREAMS}{more}"));
    let loaded = bench.loaded();
    assert_eq!(loaded.warnings, []);
    assert_eq!((loaded.plan.logs.len(), loaded.plan.receivers.len()), (1, 1));
}

#[test]
fn rules_of_logs_are_judged_by_the_clone_that_lists_their_detector() {
    let rule = |name: &str| format!("[logs.rules.{name}]\ndetector = \"log_{name}\"\nthresholds = {{ major = 1.0 }}\n");
    let log = "[[logs]]\nname = \"edge\"\npath = \"/var/log/edge.log\"\nstream_field = \"stream\"\n";
    let logs = format!("{log}{}{}", rule("errors"), rule("http_errors"));
    let rules = |clone: &str| -> Vec<Vec<&'static str>> {
        let plan = Bench::of(&format!("{clone}{logs}")).plan();
        plan.logs.iter().map(|log| log.rules.iter().map(|rule| rule.detector).collect()).collect()
    };
    assert_eq!(rules(""), [["log_errors", "log_http_errors"]]);
    assert_eq!(rules("clone.detectors = [\"black\", \"log_errors\"]\n"), [["log_errors"]]);
    assert!(rules("clone.detectors = [\"black\"]\n").is_empty(), "a log without rules is not followed");
}

#[test]
fn a_stream_of_the_api_gets_the_subset_and_no_shard_and_a_probe_neither() {
    let settings = serde_json::json!({ "url": "udp://239.1.1.1:5000" });
    let settings = settings.as_object().expect("is an object");
    let loaded = Bench::of("[clone]\ndetectors = [\"freeze\"]\nshard = \"1/2\"\n").loaded();
    // Both shards would have one of these names.
    for name in ["lobby", "news.hd"] {
        let plan = loaded.api_stream(name, settings).expect("it may be watched").plan;
        let ran = stream_parts::resolve_detectors(&plan, &[]).expect("they resolve");
        assert!(ran.specs.iter().all(|spec| spec.name == "freeze") && !ran.specs.is_empty(), "{name}");
    }
    let address = crate::media::address::parse("clip.ts").expect("an address");
    assert_eq!(loaded.input("clip.ts", address, "file").expect("the profile exists").only, None);
}

#[test]
fn a_reload_with_another_share_moves_streams_and_retunes_those_that_stay() {
    let of = |clone: &str| Bench::of(&format!("{clone}{STREAMS}")).plan();
    let moved = changes(&of("clone.shard = \"1/2\"\n"), &of("clone.shard = \"2/2\"\n")).expect("allowed");
    assert_eq!((moved.added.len(), moved.removed.len(), moved.at_next_start.len()), (2, 2, 0));
    let retuned = changes(&of(""), &of("clone.detectors = [\"freeze\"]\n")).expect("allowed");
    assert_eq!((retuned.retuned.len(), retuned.restarted.len()), (4, 0));
}

#[test]
fn every_detector_that_is_wanted_is_one_that_would_be_resolved() {
    let more = "[detectors.black]\nenabled = false\n[[streams]]\nname = \"b\"\nurl = \"b\"\nprofile = \"radio\"\n\
        [streams.tracks.\"audio:1\".detectors.hum]\nenabled = true\n\
        [streams.tracks.\"video:0\".detectors.freeze]\nenabled = false\n\
        [streams.detectors.silence]\nenabled = false\n[streams.tracks.\"audio:0\".detectors.silence]\nenabled = true\n";
    let profiles = ["file", "ott", "broadcast-eu", "broadcast-us", "news-sport", "static-ok"];
    let streams: String = profiles
        .iter()
        .map(|profile| format!("[[streams]]\nname = \"{profile}\"\nurl = \"x\"\nprofile = \"{profile}\"\n"))
        .collect();
    let bench = Bench::of(&format!("{more}{streams}"));
    let plan = load_with(&bench.sources, &detector_row::built_in()).expect("valid").plan;
    assert_eq!(plan.streams.len(), profiles.len() + 1);
    for stream in &plan.streams {
        let resolved = stream_parts::resolve_detectors(stream, &[]).expect("they resolve");
        for kind in crate::detectors::ALL {
            let runs = resolved.specs.iter().any(|spec| spec.name == kind.name);
            assert_eq!(stream_parts::is_wanted(stream, kind), runs, "{} on {}", kind.name, stream.name);
        }
    }
}
