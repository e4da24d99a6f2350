//! Who wins.

use std::time::Duration;

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackId;
use proptest::prelude::*;

use super::*;
use crate::detectors::OptionValue;
use crate::media::address;
use crate::profile::Profile;

#[test]
fn streams_merge_by_name_across_files_environment_and_arguments() {
    let plan = Bench::new()
        .file("1.toml", "[[streams]]\nname = \"news.hd\"\nurl = \"a.ts\"\npriority = 1\ntitle = \"one\"\n[[streams]]\nname = \"b\"\nurl = \"b.ts\"\n")
        .file("2.toml", "[[streams]]\nname = \"news.hd\"\npriority = 2\ntitle = \"two\"\n")
        .env("AVWATCH__STREAMS__NEWS_HD__PRIORITY", "3")
        .set("streams.news.hd.priority=4")
        .plan();
    assert_eq!(plan.streams.len(), 2);
    let news = stream(&plan, "news.hd");
    assert_eq!((news.priority, &*news.title, news.input.address.to_string().as_str()), (4, "two", "a.ts"));
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let files = || Bench::new().file("1.toml", "node = \"one\"").file("2.toml", "node = \"two\"");
    assert_eq!(&*files().plan().node, "two");
    assert_eq!(&*files().env("AVWATCH__NODE", "three").plan().node, "three");
    assert_eq!(&*files().env("AVWATCH__NODE", "three").set("node=four").set("node=five").plan().node, "five");
}

#[test]
fn a_folder_is_read_in_the_order_of_names_and_only_its_toml_files() {
    let bench = Bench::new();
    for (name, text) in [("20-b.toml", "node = \"b\""), ("10-a.toml", "node = \"a\""), ("x.txt", "?"), (".h.toml", "?")]
    {
        std::fs::write(bench.folder.path().join(name), text).expect("writable");
    }
    let mut sources = bench.sources.clone();
    sources.files.push(bench.folder.path().to_path_buf());
    let loaded = load_with(&sources, &testing::rows()).expect("valid");
    assert_eq!((&*loaded.plan.node, loaded.files.len()), ("b", 2));
}

#[test]
fn texts_of_environment_and_arguments_become_the_type_of_the_key() {
    let plan = Bench::new()
        .env("AVWATCH__STORE__ROWS_MAX", "5_000")
        .env("AVWATCH__SOURCES__ALLOW", "[\"10.0.0.0/8\"]")
        .env("AVWATCH__STREAMS__A__URL", "a.ts")
        .env("AVWATCH__STREAMS__A__EXPECT__FRAME_RATE", "25")
        .env("AVWATCH__STREAMS__A__DETECTORS__BLACK__ENABLED", "false")
        .env("AVWATCH__STREAMS__A__DETECTORS__BLACK__LEVEL", "40")
        .env("AVWATCH__STREAMS__A__DETECTORS__BLACK__CAP", "none")
        .set("sources.allow=10.0.0.0/8,192.0.2.0/24")
        .set("streams.a.labels={ site = \"north\" }")
        .set("streams.a.labels.zone.x=1")
        .set("streams.\"b.c\".url=\"b = c.ts\"")
        .set("streams.a.detectors.black.severities={ info = \"1s\", major = \"3s\" }");
    // A label's name has no dot: the argument is understood, then refused.
    assert_eq!(plan.errors().len(), 1);
    let mut sources = plan.sources.clone();
    sources.sets.retain(|set| !set.contains("zone"));
    let plan = load_with(&sources, &testing::rows()).expect("valid").plan;
    assert_eq!(plan.store.rows_max, 5_000);
    assert_eq!(plan.allow.len(), 2);
    let a = stream(&plan, "a");
    assert_eq!((a.input.expect.frame_rate, a.labels["site"].as_str()), (Some(25.0), "north"));
    let black = &a.detectors["black"][0];
    assert_eq!(black.enabled, Some(false));
    assert_eq!(black.options["level"], OptionValue::Number(40.0));
    assert_eq!(black.options["cap"], OptionValue::Maybe(None));
    assert_eq!(black.severities.as_ref().map(|steps| steps[&Severity::Major]), Some(Duration::from_secs(3)));
    assert_eq!(stream(&plan, "b.c").input.address.to_string(), "b = c.ts");
}

#[test]
fn an_unquoted_name_with_dots_is_the_longest_that_exists_or_ends_before_a_key() {
    let bench = Bench::of("[[streams]]\nname = \"a\"\nurl = \"a\"\n[[streams]]\nname = \"a.b\"\nurl = \"b\"\n")
        .set("streams.a.b.priority=1")
        .set("streams.a.priority=2")
        .set("streams.new.one.url=c")
        .set("streams.'a.b'.program=7");
    let plan = bench.plan();
    assert_eq!((stream(&plan, "a.b").priority, stream(&plan, "a").priority), (1, 2));
    assert_eq!(stream(&plan, "a.b").input.selection.program, Some(7));
    assert_eq!(stream(&plan, "new.one").input.address.to_string(), "c");
}

#[test]
fn settings_of_a_detector_stand_in_layers_from_profile_to_track() {
    let plan = Bench::of(concat!(
        "[detectors.black]\nraise_after = \"3s\"\n",
        "[profiles.base]\ninherits = \"radio\"\n[profiles.base.detectors.black]\nraise_after = \"1s\"\n",
        "[profiles.mine]\ninherits = \"base\"\n[profiles.mine.detectors.black]\nraise_after = \"2s\"\n",
        "[[streams]]\nname = \"a\"\nurl = \"a\"\nprofile = \"mine\"\n",
        "[streams.detectors.black]\nraise_after = \"4s\"\nwindow = \"1s\"\nstrict = true\n",
        "[streams.tracks.\"video:1\"]\nrole = \"sign language\"\n",
        "[streams.tracks.\"video:1\".detectors.black]\nraise_after = \"5s\"\n",
    ))
    .plan();
    let a = stream(&plan, "a");
    assert_eq!((&*a.profile_name, a.profile), ("mine", Profile::Radio));
    let seconds: Vec<u64> =
        a.detectors["black"].iter().filter_map(|layer| layer.raise_after).map(|span| span.as_secs()).collect();
    assert_eq!(seconds, [1, 2, 3, 4]);
    let own = a.detectors["black"].last().expect("four layers");
    assert_eq!(own.options["window"], OptionValue::Span(Duration::from_secs(1)));
    assert_eq!(own.options["strict"], OptionValue::Flag(true));
    let track = TrackId::video(1);
    assert_eq!(a.tracks[&track]["black"].raise_after, Some(Duration::from_secs(5)));
    assert_eq!(a.input.tracks[&track].role.as_deref(), Some("sign language"));
}

#[test]
fn an_input_that_is_not_configured_gets_the_settings_of_its_profile() {
    let loaded = Bench::of("[profiles.mine]\ninherits = \"file\"\n").loaded();
    let address = address::parse("clips/a b.ts").expect("a path");
    let plan = loaded.input("clips/a b.ts", address.clone(), "mine").expect("valid");
    assert_eq!((plan.profile, &*plan.name), (Profile::File, "clips/a b.ts"));
    let unknown = loaded.input("x", address, "mien").expect_err("no such profile").to_string();
    assert_eq!(unknown, "unknown profile; did you mean 'mine'?");
}

#[test]
fn the_demo_runs_only_when_nothing_is_configured() {
    let rows = testing::rows_for_our_files();
    let mut sources = Sources { allow_demo: true, ..Sources::default() };
    sources.sets.push("server.listen=off".to_owned());
    let plan = load_with(&sources, &rows).expect("the demo is valid").plan;
    assert!(plan.demo && plan.streams.len() == 6 && plan.data_dir == DataDir::Temporary);
    assert!(plan.streams.iter().all(|stream| stream.labels["demo"] == "true"));
    sources.sets.push("data_dir=/tmp/x".to_owned());
    let plan = load_with(&sources, &rows).expect("valid").plan;
    assert_eq!(plan.data_dir, DataDir::Fixed("/tmp/x".into()));

    for changed in [
        Sources { environment: vec![("AVWATCH__NODE".to_owned(), "x".to_owned())], ..sources.clone() },
        Sources { sets: vec!["streams.a.url=a.ts".to_owned()], ..sources.clone() },
        Sources { allow_demo: false, ..sources.clone() },
    ] {
        assert!(!load_with(&changed, &rows).expect("valid").plan.demo);
    }
    let empty = tempfile::tempdir().expect("a folder");
    let changed = Sources { files: vec![empty.path().to_path_buf()], ..sources };
    let plan = load_with(&changed, &rows).expect("an empty folder is a configuration").plan;
    assert!(!plan.demo && plan.streams.is_empty());
}

proptest! {
    /// What was layered key by key in whatever form equals what one file says.
    #[test]
    fn the_last_layer_that_names_a_key_wins(writes in prop::collection::vec((0..3usize, 0..4usize, 0..10u8), 1..12)) {
        let names = ["a", "b.c", "d-e"];
        let mut bench = Bench::new();
        let mut expected = std::collections::BTreeMap::new();
        // The layers in the order of their strength, whatever the order in which they were drawn.
        for strength in 0..4 {
            for (name, _, priority) in writes.iter().filter(|(_, layer, _)| *layer == strength) {
                let name = names[*name];
                let text = format!("[[streams]]\nname = \"{name}\"\nurl = \"x\"\npriority = {priority}\n");
                let variable = format!("AVWATCH__STREAMS__{}__PRIORITY", name.to_uppercase().replace(['.', '-'], "_"));
                bench = match strength {
                    0 | 1 => {
                        let file = format!("{strength}-{}.toml", bench.sources.files.len());
                        bench.file(&file, &text)
                    }
                    2 if !expected.contains_key(name) || bench.sources.environment.iter().any(|(known, _)| *known == variable) => continue,
                    2 => bench.env(&variable, &priority.to_string()),
                    _ => bench.set(&format!("streams.{name}.url=x")).set(&format!("streams.{name}.priority={priority}")),
                };
                expected.insert(name, *priority);
            }
        }
        let plan = bench.plan();
        let got: std::collections::BTreeMap<&str, u8> =
            plan.streams.iter().map(|stream| (&*stream.name, stream.priority)).collect();
        prop_assert_eq!(got, expected);
    }
}

#[test]
fn each_time_of_the_combination_can_be_set_or_switched_off_by_itself() {
    use avwatch_actors::alarm_model::rules::FlapRules;
    let usual = Bench::new().plan().alarms;
    let (ten, twenty) = (Duration::from_secs(10), Duration::from_secs(20));
    assert_eq!(usual.combination, [(ten, Severity::Major), (twenty, Severity::Critical)]);
    assert_eq!((usual.cause_grace, usual.flapping), (ten, FlapRules::default()));
    let mine = Bench::of("[alarms]\nflap_raises = 0\n[alarms.combination]\nmajor = \"0s\"\n").plan().alarms;
    assert_eq!((mine.combination, mine.flapping.raises), (vec![(twenty, Severity::Critical)], 0));
    let errors = Bench::new().set("alarms.combination.critical=5s").errors();
    assert_eq!(
        errors,
        ["--set alarms.combination.critical: 'alarms.combination': a higher severity must not come before a lower one"]
    );
}

#[test]
fn the_rules_of_the_desk_name_the_streams_that_are_not_as_most() {
    use avwatch_actors::alarm_model::rules::{Combining, Telling};
    let rules = Bench::of(concat!(
        "[[streams]]\nname = \"usual\"\nurl = \"a\"\n",
        "[[streams]]\nname = \"new\"\nurl = \"a\"\nmode = \"observe\"\n",
        "[[streams]]\nname = \"file\"\nurl = \"a\"\nprofile = \"mine\"\n",
        "[[streams]]\nname = \"night\"\nurl = \"a\"\nschedule = { off_air = [\"Mon 01:00-06:00 Europe/Vienna\"] }\n",
        "[profiles.mine]\ninherits = \"file\"\n",
    ))
    .plan()
    .alarm_rules();
    assert_eq!(rules.streams.len(), 3);
    assert_eq!(rules.streams["new"].telling, Telling::Observe);
    assert_eq!(rules.streams["file"].combining, Combining::Apart);
    assert!(rules.streams["night"].off_air.is_some());
}
