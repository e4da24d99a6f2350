//! The commands that need no media: what they print and how they end.

mod common;

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use common::binary::avwatch;
use serde_json::Value;

/// The detectors that are built.
const DETECTORS: [&str; 19] = [
    "black",
    "freeze",
    "decode_error",
    "format_change",
    "video_missing",
    "silence",
    "channel_silence",
    "loudness",
    "true_peak",
    "clipping",
    "phase",
    "mono",
    "dropout",
    "dc_offset",
    "hum",
    "audio_missing",
    "timestamp",
    "input_down",
    "scrambled",
];

fn run(arguments: &[&str]) -> Output {
    avwatch().args(arguments).output().expect("it starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("is text")
}

/// Runs `config check` on one file with that text.
fn config_check(text: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("avwatch.toml");
    fs::write(&path, text).expect("writes");
    let output = run(&["config", "check", "--config", path.to_str().expect("is text")]);
    let local = stderr(&output).replace(&format!("{}/", folder.path().display()), "");
    (status(&output), stdout(&output), local)
}

#[test]
fn the_list_of_detectors_has_every_built_one_with_number_and_profiles() {
    let output = run(&["detectors", "--format", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let rows = list["detectors"].as_array().expect("is a list");
    for name in DETECTORS {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is listed"));
        assert!(row["number"].is_u64() && row["unit"].is_string() && row["source"].is_string(), "{row}");
        for profile in ["file", "ott", "broadcast-eu", "broadcast-us", "radio", "static-ok", "news-sport"] {
            assert!(row["profiles"][profile].is_object(), "{name} in {profile}");
        }
    }
    assert_eq!(status(&output), 0);
}

#[test]
fn a_good_configuration_is_valid_with_status_0() {
    let (status, stdout, stderr) = config_check("[[streams]]\nname = \"a\"\nurl = \"udp://239.1.2.3:5000\"\n");
    assert!(stdout.starts_with("the configuration is valid: 1 stream"), "{stdout}");
    assert_eq!((status, stderr.as_str()), (0, ""));
}

#[test]
fn a_wrong_configuration_is_told_with_file_line_and_column_and_status_2() {
    let (status, stdout, stderr) = config_check("[server]\nlistn = \"x\"\n");
    assert_eq!(stderr, "avwatch.toml:2:1: unknown key 'server.listn' (did you mean 'listen'?)\n");
    assert_eq!((status, stdout.as_str()), (2, ""));
}

#[test]
fn a_key_like_no_other_is_answered_with_all_there_are() {
    let (_, _, stderr) = config_check("[log]\nzzzzzz = 1\n");
    let expected =
        "unknown key 'log.zzzzzz' (there are directory, file_bytes_max, files_max, format, latency_interval, level)";
    assert_eq!(stderr, format!("avwatch.toml:2:1: {expected}\n"));
}

#[test]
fn a_wrong_recipe_is_found_before_the_service_starts() {
    let (status, _, stderr) = config_check("[[streams]]\nname = \"a\"\nurl = \"synthetic:?size=big\"\n");
    assert!(stderr.starts_with("avwatch.toml:3:1: 'streams.a.url': "), "{stderr}");
    assert!(stderr.contains("write WIDTHxHEIGHT"), "{stderr}");
    assert_eq!(status, 2);
}

/// Runs `config check --clones` on files with these texts, all on top of the first one.
fn clones_check(common: &str, clones: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: String| folder.path().join(name);
    fs::write(path("common.toml".to_owned()), common).expect("writes");
    let mut command = avwatch();
    command.args(["config", "check", "--config"]).arg(path("common.toml".to_owned())).arg("--clones");
    for (text, name) in clones.iter().zip('a'..) {
        let file = path(format!("{name}.toml"));
        fs::write(&file, text).expect("writes");
        command.arg(file);
    }
    let output = command.output().expect("it starts");
    let local = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    (status(&output), local(stdout(&output)), local(stderr(&output)))
}

const TWO_STREAMS: &str = "[[streams]]\nname = \"lobby\"\nurl = \"udp://239.1.2.3:5000\"\n\
    [[streams]]\nname = \"news.hd\"\nurl = \"udp://239.1.2.4:5000\"\n";

#[test]
fn clones_that_leave_nothing_out_are_listed_with_status_0() {
    let (status, stdout, stderr) = clones_check(TWO_STREAMS, &["clone.shard = \"1/2\"\n", "clone.shard = \"2/2\"\n"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines[0].starts_with("nothing is left out: 2 clones run ") && lines[0].ends_with(" on 2 streams"),
        "{stdout}"
    );
    assert_eq!(
        lines[1..],
        ["a.toml: 1 of 2 streams, shard 1/2, all detectors", "b.toml: 1 of 2 streams, shard 2/2, all detectors"]
    );
}

#[test]
fn clones_that_leave_a_stream_or_a_detector_out_end_with_status_2() {
    let (status, stdout, stderr) = clones_check(TWO_STREAMS, &["clone.shard = \"1/2\"\n"]);
    assert_eq!(stderr, "a.toml:1:7: no clone takes shard 2/2: stream lobby is not watched\n");
    assert_eq!((status, stdout.as_str()), (2, ""));
    let off = "[detectors.black]\nenabled = false\n";
    let (status, _, stderr) =
        clones_check(TWO_STREAMS, &["clone.shard = \"1/2\"\n", &format!("{off}[clone]\nshard = \"2/2\"\n")]);
    let told = "no clone runs black on stream lobby: falls to b.toml, which does not want that";
    assert_eq!((status, stderr), (2, format!("common.toml:1:1: {told}\n")));
}

#[test]
fn clones_that_watch_twice_are_warned_of_with_status_0() {
    let (status, _, stderr) = clones_check(TWO_STREAMS, &["", ""]);
    assert_eq!(stderr, "warning: a.toml and b.toml both watch 2 streams: lobby and news.hd\n");
    assert_eq!(status, 0);
}

#[test]
fn a_share_that_makes_no_sense_ends_the_service_before_it_starts() {
    for (arguments, said) in [
        (["--shard", "0/5"], "error: --shard: 'clone.shard': shards are counted from 1/5 to 5/5\n"),
        (
            ["--detectors", "black,frezee"],
            "error: --detectors: 'clone.detectors[1]': is no detector; did you mean 'freeze'?\n",
        ),
    ] {
        let output = avwatch().arg("run").args(arguments).output().expect("it starts");
        assert_eq!((status(&output), stderr(&output).as_str()), (2, said));
    }
}

#[test]
fn an_address_beyond_loopback_without_a_token_is_warned_of() {
    let (status, _, stderr) = config_check("[server]\nlisten = \"0.0.0.0:8080\"\n");
    assert!(stderr.contains("avwatch.toml:2:1: 'server.listen': is beyond loopback"), "{stderr}");
    assert_eq!(status, 0);
}

#[test]
fn tokens_of_the_configuration_are_checked_without_being_shown() {
    let with = |token: &str| config_check(&format!("[server.tokens.desk]\nrole = \"viewer\"\n{token}\n"));
    let (status, _, stderr) = with("token = \"S3cret\"");
    assert!(stderr.contains("at least 16 bytes") && !stderr.contains("S3cret"), "{stderr}");
    assert_eq!(status, 2);
    assert!(with("").2.contains("'server.tokens.desk.token' is missing"));
    assert!(with("hash = \"S3cret\"").2.contains("avwatch token new"));
    assert_eq!(with("token = \"sixteen-bytes-long\"").0, 0);
}

#[test]
fn a_new_token_comes_with_what_to_write_into_the_configuration() {
    let output = avwatch().args(["token", "new"]).output().expect("it starts");
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(token.starts_with("avw_") && token.len() == 47, "{token}");
    let said = stderr(&output);
    assert!(said.contains("hash = \"sha256:") && !said.contains(&token), "{said}");
    let written: String = said.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(config_check(&written).0, 0, "{written}");
}

#[test]
fn a_channel_list_becomes_a_valid_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (list, config) = (folder.path().join("list.m3u"), folder.path().join("avwatch.toml"));
    std::fs::write(&list, "#EXTM3U\n#EXTINF:-1 group-title=\"News\",One HD\nudp://239.1.1.1:5000\n")
        .expect("it can be written");
    let output = avwatch().arg("import").arg(&list).output().expect("it starts");
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("mode = \"observe\""), "{text}");
    std::fs::write(&config, &text).expect("it can be written");
    let output = avwatch().args(["config", "check", "--config"]).arg(&config).output().expect("it starts");
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let output = avwatch().args(["import", "/nonexistent"]).output().expect("it starts");
    assert_eq!(status(&output), 2);
}

#[test]
fn columns_of_a_channel_list_that_are_not_taken_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("list.csv");
    std::fs::write(&list, "Name,URL,Profile,Logo url\nOne,udp://239.1.1.1:5000,ott,x\n").expect("it can be written");
    let output = avwatch().arg("import").arg(&list).output().expect("it starts");
    let said = stderr(&output);
    assert_eq!(status(&output), 0, "{said}");
    assert!(said.contains("left out, for nothing is known of them: Logo url, Profile\n"), "{said}");
}

#[test]
fn the_example_is_valid_once_its_secrets_are_there() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml");
    let check = |command: &mut assert_cmd::Command| {
        command.args(["config", "check", "--config", example]).output().expect("it starts")
    };
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut command = avwatch();
    command.env("LOBBY_PASSPHRASE", "0123456789").env("DESK_WEBHOOK_SECRET", secret).env("NIGHT_TOKEN", "t");
    let output = check(&mut command);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let output = check(avwatch().env_remove("LOBBY_PASSPHRASE"));
    assert!(stderr(&output).contains("environment variable LOBBY_PASSPHRASE is not set"), "{}", stderr(&output));
    assert_eq!(status(&output), 2);
}

#[test]
fn the_printed_configuration_hides_secrets_and_names_its_sources() {
    let output = run(&["config", "show", "--set", "streams.a.url=http://user:S3cret@host/a?token=S3cret"]);
    let shown = stdout(&output);
    assert!(shown.contains("name = \"a\"") && shown.contains("# --set streams.a.url"), "{shown}");
    assert!(!shown.contains("S3cret"), "{shown}");
    assert_eq!(status(&output), 0);
}

#[test]
fn the_schema_is_a_json_schema_of_every_section() {
    let output = run(&["config", "schema"]);
    let schema: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    assert!(schema["$schema"].as_str().expect("names its dialect").contains("json-schema.org"), "{schema}");
    for section in ["data_dir", "server", "sources", "detectors", "profiles", "streams", "log", "store"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    assert_eq!(status(&output), 0);
}

#[test]
fn completions_name_the_commands_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        for command in ["check", "detectors", "health"] {
            assert!(stdout(&output).contains(command), "{shell} {command}");
        }
        assert_eq!(status(&output), 0, "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let output = run(&["man"]);
    for page in [".TH avwatch 1", ".TH avwatch-run 1", ".TH avwatch-check 1", ".TH avwatch-config-check 1"] {
        assert!(stdout(&output).contains(page), "{page}");
    }
    assert_eq!(status(&output), 0);
}

#[test]
fn an_unknown_command_is_bad_usage() {
    let output = run(&["frobnicate"]);
    assert!(stderr(&output).contains("frobnicate"), "{}", stderr(&output));
    assert_eq!((status(&output), output.stdout.as_slice()), (2, &b""[..]));
}

#[test]
fn health_says_that_nothing_answers() {
    // Bound and let go again: nothing listens there.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let output = run(&["health", "--set", &format!("server.listen={free}")]);
    assert!(stderr(&output).contains(&format!("cannot reach avwatch on {free}")), "{}", stderr(&output));
    assert_eq!(status(&output), 1);
}

#[test]
fn a_port_in_use_is_bad_usage_said_in_one_line_and_without_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("has one");
    let (listen, data) =
        (format!("server.listen={address}"), format!("data_dir={}", folder.path().join("data").display()));
    let output = run(&["run", "--set", &listen, "--set", &data, "--set", "streams.a.url=synthetic:"]);
    let expected =
        format!("error: cannot listen on {address}: the port is in use; stop the other program or set server.listen\n");
    assert_eq!(stderr(&output), expected);
    assert_eq!(status(&output), 2);
}
