//! What is found of clones, from their files to the words.

use proptest::prelude::*;

use super::*;
use crate::clones::{Wish, read};
use crate::config::{Share, Sources};

const STREAMS: &str = "[[streams]]\nname = \"lobby\"\nurl = \"udp://239.1.1.1:5000\"\n\
    [[streams]]\nname = \"roof\"\nurl = \"udp://239.1.1.2:5000\"\n\
    [[streams]]\nname = \"news.hd\"\nurl = \"udp://239.1.1.3:5000\"\n";

/// Every detector that is on by default, by files: pictures and what concerns the input, and sound.
const PICTURES: &str = "[clone]\ndetectors = [\"black\", \"freeze\", \"block_corruption\", \"blur\", \"solid_color\", \
    \"color_bars\", \"letterbox\", \"flash\", \"stutter\", \"decode_error\", \"format_change\", \"video_missing\", \
    \"gamut\", \"interlacing\", \"timestamp\", \"input_down\", \"bitrate\", \"frame_rate\", \"scrambled\", \
    \"captions_missing\", \"subtitles_missing\", \"av_sync\"]\n";
const SOUND: &str = "[clone]\ndetectors = [\"silence\", \"channel_silence\", \"loudness\", \"true_peak\", \"clipping\", \
    \"phase\", \"mono\", \"dropout\", \"dc_offset\", \"hum\", \"audio_missing\"]\n";

/// What is said of clones with these files on top of a common one: gaps, then doubts.
fn said(common: &str, clones: &[&str]) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: String, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let sources = Sources { files: vec![write("common.toml".to_owned(), common)], ..Sources::default() };
    let files: Vec<_> = clones.iter().zip('a'..).map(|(text, name)| write(format!("{name}.toml"), text)).collect();
    let read = read(&sources, &files).unwrap_or_else(|errors| panic!("{errors:?}"));
    let judged = judge(&read.parts);
    let words = |findings: &[Finding]| -> Vec<String> {
        let local = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
        findings.iter().map(|finding| local(finding.words(&read.parts))).collect()
    };
    (words(&judged.gaps), words(&judged.doubts))
}

#[track_caller]
fn check(common: &str, clones: &[&str], gaps: &[&str], doubts: &[&str]) {
    let (found, doubted) = said(common, clones);
    assert_eq!(found, gaps);
    assert_eq!(doubted, doubts);
}

#[test]
fn shards_that_are_all_there_leave_nothing_out() {
    check(STREAMS, &["clone.shard = \"1/2\"", "clone.shard = \"2/2\""], &[], &[]);
}

#[test]
fn subsets_that_are_complete_leave_nothing_out_but_see_no_combination() {
    let apart = "no clone runs both black or freeze and silence on 3 streams: lobby, news.hd and roof: picture and \
                 sound that are gone together are not judged together there";
    check(STREAMS, &[PICTURES, SOUND], &[], &[apart]);
    let never = "[alarms.combination]\nmajor = \"0s\"\ncritical = \"0s\"\n";
    check(&format!("{never}{STREAMS}"), &[PICTURES, SOUND], &[], &[]);
    check(&STREAMS.replace("url =", "profile = \"file\"\nurl ="), &[PICTURES, SOUND], &[], &[]);
}

#[test]
fn a_subset_may_be_divided_into_shards_and_the_other_not() {
    let shards = ["1/2", "2/2"].map(|shard| format!("{PICTURES}shard = \"{shard}\"\n"));
    let (gaps, _) = said(STREAMS, &[&shards[0], &shards[1], SOUND]);
    assert_eq!(gaps, Vec::<String>::new());
    let (gaps, _) = said(STREAMS, &[&shards[0], SOUND]);
    let said = "a.toml:3:1: no clone takes shard 2/2 with av_sync, bitrate, black, block_corruption, blur and";
    assert!(gaps.len() == 1 && gaps[0].starts_with(said), "{gaps:?}");
}

#[test]
fn a_detector_that_no_clone_lists_is_told_with_its_streams() {
    let without = SOUND.replace("\"hum\", ", "");
    let common = format!("alarms.combination.major = \"0s\"\nalarms.combination.critical = \"0s\"\n{STREAMS}");
    let told = "a.toml:2:1: no clone runs hum, wanted on 3 streams: lobby, news.hd and roof";
    check(&common, &[PICTURES, &without], &[told], &[]);
    // Where it is switched off, nobody misses it.
    check(&format!("{common}[detectors.hum]\nenabled = false\n"), &[PICTURES, &without], &[], &[]);
}

#[test]
fn a_missing_shard_is_told_with_the_streams_that_fall_there() {
    let told = "a.toml:1:7: no clone takes shard 3/3: not watched are 2 streams: news.hd and roof";
    check(STREAMS, &["clone.shard = \"1/3\"", "clone.shard = \"2/3\""], &[told], &[]);
    // A stream that is added tomorrow may fall there: to be told today.
    let told = "a.toml:1:7: no clone takes shard 9/10: no stream falls there yet";
    let clones: Vec<String> =
        (1..=10).filter(|number| *number != 9).map(|number| format!("clone.shard = \"{number}/10\"")).collect();
    let clones: Vec<&str> = clones.iter().map(String::as_str).collect();
    check(&STREAMS.replace("news.hd", "hall"), &clones, &[told], &[]);
}

#[test]
fn clones_that_count_differently_are_told() {
    let told = "clones divide streams by different numbers, 1/2 at a.toml:1:7 and 2/3 at b.toml:1:7: \
                only by chance is every stream watched now";
    let only = "[[streams]]\nname = \"lobby\"\nurl = \"udp://239.1.1.1:5000\"\n";
    check(only, &["clone.shard = \"1/2\"", "clone.shard = \"2/3\""], &[told], &[]);
}

#[test]
fn a_stream_that_the_clone_does_not_know_to_which_it_falls_is_told_where_it_was_written() {
    // "roof" and "lobby" fall to different shards of two.
    let more = "[[streams]]\nname = \"lobby\"\nurl = \"udp://239.1.1.1:5000\"\n";
    let (gaps, _) = said("", &[&format!("clone.shard = \"1/2\"\n{more}"), "clone.shard = \"2/2\""]);
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].starts_with("a.toml:2:1: no clone runs "), "{gaps:?}");
    assert!(gaps[0].ends_with("on stream lobby: falls to b.toml, which does not have it in its configuration"));
}

#[test]
fn a_detector_that_the_right_clone_has_switched_off_is_told() {
    let off = "clone.shard = \"2/2\"\n[detectors.hum]\nenabled = false\n";
    let told = "common.toml:1:1: no clone runs hum on stream lobby: falls to b.toml, which does not want that";
    check(STREAMS, &["clone.shard = \"1/2\"", off], &[told], &[]);
}

#[test]
fn what_is_watched_twice_is_doubtful() {
    let all = "a.toml and b.toml both watch 3 streams: lobby, news.hd and roof";
    check(STREAMS, &["", "node = \"b\""], &[], &[all]);
    let twice = PICTURES.replace("\"black\"", "\"black\", \"silence\"");
    let some = "a.toml and b.toml both run silence on 3 streams: lobby, news.hd and roof";
    check(STREAMS, &[&twice, SOUND], &[], &[some]);
}

#[test]
fn clones_of_one_name_are_doubtful_and_those_named_by_their_hosts_are_not() {
    let named = |shard: &str, node: &str| format!("clone.shard = \"{shard}\"\nnode = \"{node}\"\n");
    let told = "a.toml:2:1 and b.toml:2:1 have the same 'node': their events cannot be told apart";
    check(STREAMS, &[&named("1/2", "x"), &named("2/2", "x")], &[], &[told]);
    check(STREAMS, &[&named("1/2", "x"), &named("2/2", "y")], &[], &[]);
}

#[test]
fn rules_of_logs_are_run_by_the_clone_that_lists_their_detector() {
    let rule = "[[logs]]\nname = \"edge\"\npath = \"/var/log/edge.log\"\nstream = \"lobby\"\n\
                [logs.rules.errors]\ndetector = \"log_errors\"\nthresholds = { major = 1.0 }\n";
    let common = format!("alarms.combination.major = \"0s\"\nalarms.combination.critical = \"0s\"\n{STREAMS}{rule}");
    let told = "a.toml:2:1: no clone runs log_errors, wanted on stream lobby";
    check(&common, &[PICTURES, SOUND], &[told], &[]);
    check(&common, &[PICTURES, &SOUND.replace("\"hum\"", "\"hum\", \"log_errors\"")], &[], &[]);
}

#[test]
fn an_error_of_the_common_layers_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("common.toml"), "[server]\nlistn = \"x\"\n").unwrap();
    std::fs::write(path("a.toml"), "clone.shard = \"0/5\"\n").unwrap();
    std::fs::write(path("b.toml"), "clone.detectors = [\"blakc\"]\n").unwrap();
    let sources = Sources { files: vec![path("common.toml")], ..Sources::default() };
    let errors = read(&sources, &[path("a.toml"), path("b.toml")]).err().unwrap();
    let at = |name: &str| path(name).display().to_string();
    assert_eq!(
        errors,
        [
            format!("{}:2:1: unknown key 'server.listn' (did you mean 'listen'?)", at("common.toml")),
            format!("{}:1:7: 'clone.shard': shards are counted from 1/5 to 5/5", at("a.toml")),
            format!("{}:1:20: 'clone.detectors[0]': is no detector; did you mean 'black'?", at("b.toml")),
        ]
    );
}

const DETECTORS: [&str; 3] = ["black", "freeze", "silence"];

fn names() -> impl Strategy<Value = Names> {
    prop::collection::btree_set(prop::sample::select(&DETECTORS[..]), 1..=3)
}

/// Clones over few streams, shards and detectors, so that all kinds of holes are frequent.
fn part() -> impl Strategy<Value = ClonePart> {
    let shard =
        prop::option::of((1..=3_u32, 0..=1_u32).prop_map(|(number, more)| format!("{number}/{}", number + more)));
    let stream = prop::sample::select(&["lobby", "roof", "news.hd", "a", "cam-001"][..]).prop_map(Arc::from);
    let wish = names().prop_map(|names| Wish { at: Origin::Default, detectors: Arc::new(names), combines: true });
    let wishes = prop::collection::btree_map(stream, wish, 0..5);
    (shard, prop::option::of(names()), wishes).prop_map(|(shard, subset, wishes)| ClonePart {
        name: "x".to_owned(),
        share: Share {
            detectors: subset.map(|names| Arc::new(names.into_iter().map(str::to_owned).collect())),
            shard: shard.map(|text| text.parse().unwrap()),
            elsewhere: Arc::default(),
        },
        shard_at: Origin::Default,
        detectors_at: Origin::Default,
        node: None,
        wishes,
    })
}

/// Whether a finding is about a detector on a stream.
fn names_pair(finding: &Finding, stream: &str, detector: &str) -> bool {
    let (detectors, streams) = match finding {
        Finding::Unlisted { detectors, streams } | Finding::Unheeded { detectors, streams, .. } => {
            (Some(detectors), streams)
        }
        Finding::Shards { detectors, streams, .. }
        | Finding::Divisions { detectors, streams, .. }
        | Finding::Twice { detectors, streams, .. } => (detectors.as_ref(), streams),
        Finding::Apart { .. } | Finding::SameNode { .. } => return false,
    };
    streams.contains(stream) && detectors.is_none_or(|names| names.contains(detector))
}

proptest! {
    #[test]
    fn whatever_is_wanted_and_run_by_nobody_or_by_several_is_found(parts in prop::collection::vec(part(), 1..5)) {
        let judged = judge(&parts);
        for stream in parts.iter().flat_map(|part| part.wishes.keys()) {
            for detector in DETECTORS {
                let is_wanted = parts.iter().any(|part| part.wants(stream, detector));
                let runners = parts.iter().filter(|part| part.runs(stream, detector)).count();
                let is_missed = judged.gaps.iter().any(|gap| names_pair(gap, stream, detector));
                let is_twice = judged.doubts.iter().any(|doubt| names_pair(doubt, stream, detector));
                prop_assert!(!is_wanted || is_missed == (runners == 0), "{detector} on {stream}: {:?}", judged.gaps);
                prop_assert!(!is_wanted || is_twice == (runners > 1), "{detector} on {stream}: {:?}", judged.doubts);
            }
        }
        for finding in judged.gaps.iter().chain(&judged.doubts) {
            prop_assert!(!finding.words(&parts).is_empty());
        }
    }
}
