//! Every format of the report, and the status that goes with it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::common::binary::avwatch;
use crate::common::recipes;

/// Runs `check` on a clip that fails (black for 3 s, a warning), one that passes, or both.
fn run(clips: &[&Path], arguments: &[&str]) -> Output {
    avwatch().arg("check").args(clips).args(arguments).output().expect("it starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("is text")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// Panics unless every tag is closed in order, attributes are quoted and no `<` or `&` is bare: what
/// makes XML well-formed. Gives the tags that open.
#[track_caller]
fn assert_well_formed(xml: &str) -> Vec<String> {
    let (mut open, mut seen, mut rest) = (Vec::new(), Vec::new(), xml.trim());
    while let Some((text, after)) = rest.split_once('<') {
        assert_entities(text);
        let (tag, after) = after.split_once('>').expect("every tag ends");
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "tags close in order");
            continue;
        }
        let name = tag.trim_end_matches('/').split_whitespace().next().expect("a tag has a name").to_owned();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        tag.split('"').skip(1).step_by(2).for_each(assert_entities);
        seen.push(tag.to_owned());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!((open, rest.trim()), (Vec::new(), ""), "everything is closed");
    seen
}

#[track_caller]
fn assert_entities(text: &str) {
    for part in text.split('&').skip(1) {
        let entity = part.split(';').next().expect("has a first part");
        let known = ["amp", "lt", "gt", "quot", "apos"].contains(&entity) || entity.starts_with('#');
        assert!(known && part.contains(';'), "a bare & in {text}");
    }
}

#[test]
fn the_severity_to_fail_on_decides_the_status() {
    let (black, clean) = (recipes::black(), recipes::clean());
    for (severity, expected) in [("info", 1), ("warning", 1), ("minor", 0), ("major", 0), ("critical", 0)] {
        let output = run(&[&black.path], &["--fail-on", severity]);
        assert_eq!(status(&output), expected, "{severity}: {}", stdout(&output));
    }
    assert_eq!(status(&run(&[&clean.path], &["--fail-on", "warning"])), 0);
    assert_eq!(status(&run(&[&clean.path, &black.path], &[])), 1);
    assert_eq!(status(&run(&[&clean.path], &["--fail-on", "grave"])), 2);
}

#[test]
fn text_names_each_input_what_is_wrong_and_when() {
    let (black, clean) = (recipes::black(), recipes::clean());
    let output = run(&[&clean.path, &black.path], &[]);
    let text = stdout(&output);
    assert_eq!(status(&output), 1);
    for words in [clean.path_text(), black.path_text(), "pass", "fail", "picture black for 3.0 s"] {
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "'{words}' is not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where nobody asked for them: {text}");
}

#[test]
fn json_has_the_inputs_in_order_with_the_promised_fields() {
    let (black, clean) = (recipes::black(), recipes::clean());
    let report: Value =
        serde_json::from_slice(&run(&[&clean.path, &black.path], &["--format", "json"]).stdout).expect("is JSON");
    assert_eq!((&report["schema"], &report["profile"]), (&Value::from("avwatch.report/1"), &Value::from("file")));
    assert_eq!(report["verdict"], "fail");
    let verdicts: Vec<_> = report["inputs"].as_array().expect("is a list").iter().map(|i| &i["verdict"]).collect();
    assert_eq!(verdicts, ["pass", "fail"]);
    let input = &report["inputs"][1];
    assert_eq!((&input["input"], &input["error"]), (&Value::from(black.path_text()), &Value::Null));
    let track = &input["tracks"][0];
    assert_eq!((&track["track"], &track["codec"]), (&Value::from("video:0"), &Value::from("h264")));
    assert_eq!((&track["width"], &track["height"], &track["frames"]), (&640.into(), &360.into(), &300.into()));
    assert_eq!((&track["frame_rate"], &track["coverage"]), (&25.0.into(), &1.0.into()));
    assert!(input["measurements"]["audio:0"]["integrated_lufs"].is_f64(), "{input:#}");
    let event = input["events"].as_array().expect("is a list").iter().find(|event| event["detector"] == "black");
    let event = event.expect("black is told");
    let told = [&event["start_s"], &event["end_s"], &event["duration_s"]].map(Value::as_f64);
    assert_eq!(told, [Some(4.0), Some(7.0), Some(3.0)]);
    assert_eq!((&event["ongoing"], &event["unit"]), (&Value::from(false), &Value::from("ratio")));
}

#[test]
fn junit_is_well_formed_xml_with_a_failure_and_an_error() {
    let (black, clean) = (recipes::black(), recipes::clean());
    let missing = Path::new("/no/such/<file>&\".ts");
    let output = run(&[&clean.path, &black.path, missing], &["--format", "junit"]);
    assert_eq!(status(&output), 3);
    let tags = assert_well_formed(&stdout(&output));
    let count = |name: &str| tags.iter().filter(|tag| tag.split_whitespace().next() == Some(name)).count();
    assert_eq!((count("testsuites"), count("testsuite")), (1, 3), "{tags:?}");
    assert_eq!((count("failure"), count("error")), (1, 1), "{tags:?}");
    assert!(count("testcase") > 10, "what passed is told too: {tags:?}");
}

#[test]
fn html_is_one_page_without_scripts_that_names_what_is_wrong() {
    let black = recipes::black();
    let output = run(&[&black.path], &["--format", "html"]);
    let page = stdout(&output);
    assert_eq!(status(&output), 1);
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("picture black for 3.0 s") && !page.contains("<script"), "{page}");
}

#[test]
fn nagios_gets_one_line_and_the_status_of_a_plug_in() {
    let (black, clean) = (recipes::black(), recipes::clean());
    let missing = Path::new("/no/such/file.ts");
    let major = ["--set", "detectors.black.severities.major=\"2s\""];
    for (clips, more, word, expected) in [
        (vec![clean.path.as_path()], &[][..], "OK", 0),
        (vec![clean.path.as_path(), &black.path], &[], "WARNING", 1),
        (vec![black.path.as_path()], &major, "CRITICAL", 2),
        (vec![black.path.as_path(), missing], &[], "UNKNOWN", 3),
    ] {
        let output = run(&clips, &[&["--format", "nagios"], more].concat());
        let line = stdout(&output);
        assert!(line.starts_with(word), "{line} {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((line.matches('\n').count(), line.matches('|').count()), (1, 1), "{line}");
        assert_eq!(status(&output), expected, "{line}");
    }
}

#[test]
fn a_report_goes_to_its_file_and_nothing_to_standard_output() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    let black = recipes::black();
    let output = run(&[&black.path], &["--format", "json", "--output", path.to_str().expect("is text")]);
    assert_eq!((status(&output), stdout(&output).as_str()), (1, ""));
    let report: Value = serde_json::from_slice(&std::fs::read(&path).expect("it is there")).expect("is JSON");
    assert_eq!(report["verdict"], "fail");
}

#[test]
fn wrong_usage_ends_with_2_and_says_why() {
    let clean = recipes::clean();
    for (arguments, words) in [
        (&["--profile", "flie"][..], "did you mean 'file'"),
        (&["--detector", "blak"], "did you mean 'black'"),
        (&["--set", "detectors.blak.enabled=false"], "blak"),
        (&["--format", "yaml"], "yaml"),
        (&["--output", "/no/such/folder/report"], "/no/such/folder/report"),
        (&["--seconds", "0"], "seconds"),
        (&["-", "-"], "standard input (-) can be read only once"),
    ] {
        let output = run(&[&clean.path], arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!((status(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
    }
}
