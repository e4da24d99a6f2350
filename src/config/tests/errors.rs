//! What is refused, and how it is said.

use super::*;

fn check(bench: Bench, expected: &[&str]) {
    assert_eq!(bench.errors(), expected);
}

#[test]
fn every_error_is_told_with_its_own_place() {
    let bench = Bench::new()
        .file(
            "a.toml",
            concat!(
                "data_dri = \"/x\"\n[server]\nlisten = 8080\n[detectors.blck]\nenabled = true\n",
                "[detectors.black]\nlevel = 500\ncap = \"nothing\"\nclear_after = \"soon\"\nlevl = 1\n",
                "[[streams]]\nname = \"lobby\"\nurl = \"ftp://host/x\"\nmode = \"lve\"\npriority = 10\n",
            ),
        )
        .file("b.toml", "[log]\nlevel = \"loud\"\n[[streams]]\nname = \"empty\"\n")
        .env("AVWATCH__SERVER__LISTN", "x")
        .env("AVWATCH__STORE__ROWS_MAX", "many")
        .set("streams.lobby.decode_threads=99")
        .set("listen=1")
        .set("nonsense");
    check(
        bench,
        &[
            "a.toml:1:1: unknown key 'data_dri' (did you mean 'data_dir'?)",
            "a.toml:3:1: 'server.listen' must be a text",
            "a.toml:4:12: unknown key 'detectors.blck' (did you mean 'black'?)",
            "a.toml:7:1: 'detectors.black.level' must be a number from 16 to 235",
            "a.toml:8:1: 'detectors.black.cap' must be a number from 0 to 1 or \"none\"",
            "a.toml:9:1: 'detectors.black.clear_after' must be a duration such as \"2s\", \"500ms\" or \"10m\" from 0s to 1h",
            "a.toml:10:1: unknown key 'detectors.black.levl' (did you mean 'level'?)",
            "a.toml:14:1: 'streams.lobby.mode' must be one of live, observe (did you mean 'live'?)",
            "a.toml:15:1: 'streams.lobby.priority' must be a whole number from 0 to 9",
            "b.toml:2:1: 'log.level' must be one of trace, debug, info, warn, error",
            "environment AVWATCH__SERVER__LISTN: unknown key 'server.listn' (did you mean 'listen'?)",
            "environment AVWATCH__STORE__ROWS_MAX: 'store.rows_max' must be a whole number from 1000 to 1000000000",
            "--set streams.lobby.decode_threads: 'streams.lobby.decode_threads' must be a whole number from 1 to 16",
            "--set listen: unknown key 'listen' (did you mean 'server.listen'?)",
            "--set: write KEY=VALUE, such as server.listen=127.0.0.1:8080",
            "b.toml:3:1: 'streams.empty.url' is missing",
            "a.toml:13:1: 'streams.lobby.url': is of the unsupported kind 'ftp:'; use a file path, file:, synthetic:, or a udp, rtp, tcp, http, https (also HLS and DASH), rtmp, rtmps, rtsp, rtsps or srt URL; a path that contains ':' is written file:PATH",
        ],
    );
}

#[test]
fn only_a_file_can_name_a_program_to_run() {
    let bench = Bench::of("[receivers.a.exec]\ncommand = [\"/bin/true\"]\n[[streams]]\nname = \"a\"\nurl = \"a\"\n")
        .env("AVWATCH__RECEIVERS__B__EXEC__COMMAND", "/bin/true")
        .set("receivers.c.exec.command=/bin/true");
    check(
        bench,
        &[
            "environment AVWATCH__RECEIVERS__B__EXEC__COMMAND: 'receivers.b.exec.command': can be set in a configuration file only",
            "--set receivers.c.exec.command: 'receivers.c.exec.command': can be set in a configuration file only",
        ],
    );
}

#[test]
fn checks_of_the_plan_look_up_who_wrote_the_key() {
    let bench =
        Bench::of("[[streams]]\nname = \"a\"\nurl = \"a\"\nsource = \"1.2.3\"\n[streams.labels]\n\"1x\" = \"y\"\n")
            .env("AVWATCH__SERVER__LISTEN", "everywhere")
            .env("AVWATCH__STREAMS__A__SRT__PASSPHRASE", "short")
            .set("sources.allow=10.1.0.0/8,nonsense")
            .set("streams.a.profile=ot")
            .set("streams.a.tracks.\"sound:1\".ignore=true");
    check(
        bench,
        &[
            "environment AVWATCH__STREAMS__A__SRT__PASSPHRASE: 'streams.a.srt.passphrase': must have 10 to 79 bytes",
            "a.toml:6:1: 'streams.a.labels.1x': a label's name has at most 64 letters, digits and '_', no digit first",
            "--set streams.a.tracks.\"sound:1\".ignore: 'streams.a.tracks.\"sound:1\"': unknown track; use video:N, audio:N, subtitle:N, data:N or input",
            "a.toml:4:1: 'streams.a.source': must be an IP address",
            "--set streams.a.profile: 'streams.a.profile': unknown profile; did you mean 'ott'?",
            "environment AVWATCH__SERVER__LISTEN: 'server.listen': must be IP:PORT such as 127.0.0.1:8080 or [::1]:8080, localhost:PORT, or \"off\"",
            "--set sources.allow: 'sources.allow[0]': bits beyond the prefix are set; the range begins at 10.0.0.0",
            "--set sources.allow: 'sources.allow[1]': not an address range such as 10.0.0.0/8 or 2001:db8::/32",
        ],
    );
}

#[test]
fn an_option_that_an_address_cannot_have_is_refused_where_it_is_written() {
    let bench = Bench::of(concat!(
        "[[streams]]\nname = \"a\"\nurl = \"srt://h:9000?maxbw=1\"\n",
        "[[streams]]\nname = \"b\"\nurl = \"srt://h:9000?latency=2s\"\n",
        "[[streams]]\nname = \"c\"\nurl = \"udp://239.1.1.1:5000?pkt_size=1316\"\n",
    ))
    .set("streams.c.url=udp://239.1.1.1:5000?localaddr=");
    check(
        bench,
        &[
            "a.toml:3:1: 'streams.a.url': the address has an option 'maxbw' that is not supported; use mode, latency, rcvlatency, passphrase, pbkeylen, streamid, transtype or pkt_size",
            "a.toml:6:1: 'streams.b.url': the option 'latency' of the address must be a whole number of milliseconds",
            "--set streams.c.url: 'streams.c.url': the option 'localaddr' of the address must be the name or address of an interface",
        ],
    );
}

#[test]
fn an_option_of_an_address_that_nobody_heeds_is_warned_of() {
    let bench = Bench::of("[[streams]]\nname = \"a\"\nurl = \"udp://239.1.1.1:5000?locladdr=eth1\"\n");
    let warnings: Vec<String> =
        bench.loaded().warnings.iter().map(|warning| bench.local(&warning.to_string())).collect();
    let told = "a.toml:3:1: 'streams.a.url': the address has an option 'locladdr' that is not supported; \
                use localaddr, or the keys interface, source and receive_buffer";
    assert_eq!(warnings, [told]);
}

#[test]
fn load_cannot_put_a_stream_into_a_dearer_tier() {
    let bench = Bench::of("[[streams]]\nname = \"a\"\nurl = \"a\"\ntier = \"audio\"\ntier_min = \"light\"\n");
    check(bench, &["a.toml:5:1: 'streams.a.tier_min': must not be dearer than 'tier'"]);
}

#[test]
fn what_is_not_built_is_refused_rather_than_ignored() {
    let bench = Bench::of(concat!(
        "[[streams]]\nname = \"a\"\nurl = \"a\"\ntier = \"audio\"\n",
        "schedule = { off_air = [\"01:00-06:00 Europe/Vienna\", \"25:00-06:00 X\"] }\n",
        "[streams.detectors.ts_pcr]\nenabled = true\n[detectors.monitor_overload]\n",
    ));
    check(
        bench,
        &[
            "a.toml:6:20: 'streams.a.detectors.ts_pcr' is not available yet: the name is reserved for a transport detector that this version does not have",
            "a.toml:8:12: 'detectors.monitor_overload': is a condition of the monitor itself and has no settings",
            "a.toml:5:54: 'streams.a.schedule.off_air[1]': the begin must be a time from 00:00 to 23:59, as in \"01:00-06:00 Europe/Vienna\"",
        ],
    );
}

#[test]
fn what_follows_from_a_mistyped_key_or_a_wrong_value_is_not_told_as_well() {
    let bench = Bench::of(concat!(
        "[receivers.a.slack]\nulr = \"https://hooks.example/\"\n",
        "[receivers.b]\nslack = \"https://hooks.example/\"\n",
        "[[streams]]\nname = \"c\"\nrul = \"a\"\n",
    ));
    check(
        bench,
        &[
            "a.toml:2:1: unknown key 'receivers.a.slack.ulr' (did you mean 'url'?)",
            "a.toml:4:1: 'receivers.b.slack' must be a table",
            "a.toml:7:1: unknown key 'streams.c.rul' (did you mean 'url'?)",
        ],
    );
}

#[test]
fn a_key_of_another_section_is_proposed_only_where_one_section_alone_has_it() {
    let bench = Bench::of(concat!(
        "listen = \"127.0.0.1:1\"\nurl = \"a\"\n[receivers.a]\nrouting_key = \"a\"\nurl = \"a\"\n",
        "[receivers.a.webhook]\nurl = \"https://hook.example/\"\n",
    ));
    let errors = bench.errors();
    let told: Vec<&str> = errors.iter().map(|error| error.rsplit_once(" (").expect("has a hint").1).collect();
    assert_eq!(told[0], "did you mean 'server.listen'?)");
    assert_eq!(told[1], "did you mean 'heartbeat.url'?)");
    assert_eq!(told[2], "did you mean 'pagerduty.routing_key'?)");
    assert!(told[3].starts_with("there are alertmanager, apprise, "), "{}", told[3]);
}

#[test]
fn profiles_must_lead_to_a_built_in_one() {
    let bench = Bench::of(concat!(
        "[profiles.ott]\n[profiles.a]\ninherits = \"b\"\n[profiles.b]\ninherits = \"a\"\n",
        "[profiles.c]\ninherits = \"fiel\"\n[[streams]]\nname = \"s\"\nurl = \"s\"\nprofile = \"c\"\n",
    ));
    check(
        bench,
        &[
            "a.toml:5:1: 'profiles.b.inherits': the profile inherits from itself",
            "a.toml:3:1: 'profiles.a.inherits': the profile inherits from itself",
            "a.toml:7:1: 'profiles.c.inherits': unknown profile; did you mean 'file'?",
            "a.toml:1:11: 'profiles.ott': the name of a built-in profile; choose another and inherit from it",
        ],
    );
}

#[test]
fn a_detector_is_refused_on_a_track_that_it_does_not_watch() {
    let bench = Bench::of(
        "[[streams]]\nname = \"a\"\nurl = \"a\"\n[streams.tracks.\"audio:0\".detectors.black]\n[streams.detectors.black]\nseverities = { info = \"9s\", major = \"1s\" }\n",
    );
    check(
        bench,
        &[
            "a.toml:4:37: 'streams.a.tracks.\"audio:0\".detectors.black': the detector does not watch audio:0",
            "a.toml:6:1: 'streams.a.detectors.black.severities': a higher severity may not come sooner than a lower one",
        ],
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let mut bench = Bench::of("x = [");
    bench.sources.files.push("/nonexistent/b.toml".into());
    let errors = bench.errors();
    assert!(errors[0].starts_with("a.toml:1:"), "{errors:?}");
    let absent = "/nonexistent/b.toml: cannot read the configuration: No such file or directory (os error 2)";
    assert_eq!(errors.last().map(String::as_str), Some(absent));
}

#[test]
fn a_name_that_cannot_be_a_name_is_refused() {
    let long = "x".repeat(129);
    let bench =
        Bench::of(&format!("[[streams]]\nname = \"a b\"\nurl = \"a\"\n[[streams]]\nname = \"{long}\"\nurl = \"a\"\n"))
            .set("streams.c.url=x")
            .set("streams.c.name=d");
    let errors = bench.errors();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("--set streams.c.name: "), "{errors:?}");
    assert!(errors.iter().skip(1).all(|error| error.contains("1 to 128 letters")), "{errors:?}");
}

#[test]
fn two_streams_that_one_variable_may_mean_are_told() {
    let bench = Bench::of("[[streams]]\nname = \"a.b\"\nurl = \"a\"\n[[streams]]\nname = \"a-b\"\nurl = \"a\"\n")
        .env("AVWATCH__STREAMS__A_B__PRIORITY", "1");
    check(bench, &["environment AVWATCH__STREAMS__A_B__PRIORITY: 'streams.a_b': means several: a-b and a.b"]);
}
