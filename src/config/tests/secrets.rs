//! What is fetched, and that it is never shown.

use super::*;

/// Appears in no error, no listing and no debug form.
const SECRET: &str = "S3cretS3cret";

#[test]
fn references_reach_the_plan_but_not_what_is_shown() {
    let bench = Bench::of(concat!(
        "[[streams]]\nname = \"a\"\nurl = \"srt://host:9000?passphrase=${env:PASS}\"\n",
        "srt = { passphrase = \"${env:PASS}\" }\n",
        "[[streams]]\nname = \"b\"\nurl = \"https://user:S3cretS3cret@host/a?token=S3cretS3cret\"\n",
        "http_headers = { Authorization = \"Bearer S3cretS3cret\", X-Token = \"${env:PASS}\" }\nuser_agent = \"${env:PASS}\"\n",
    ))
    .env("PASS", SECRET);
    let loaded = bench.loaded();
    let transport = &stream(&loaded.plan, "a").input.transport;
    assert_eq!(transport.srt_passphrase.as_deref(), Some(SECRET));
    let b = &stream(&loaded.plan, "b").input.transport;
    assert_eq!(b.http_headers[1], ("X-Token".to_owned(), SECRET.to_owned()));
    assert_eq!(b.user_agent.as_deref(), Some(SECRET));

    let shown = resolved_toml(&loaded);
    assert!(!shown.contains(SECRET), "{shown}");
    for line in [
        "passphrase = \"${env:PASS}\"",
        "Authorization = \"***\"",
        "user_agent = \"${env:PASS}\"",
        "https://***@host/a?token=***",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    let debug = format!("{loaded:?}{:?}{:?}", loaded.settings, stream(&loaded.plan, "a").input);
    assert!(!debug.contains(SECRET), "{debug}");
}

#[test]
fn a_reference_that_fails_is_an_error_with_its_place() {
    let bench = Bench::of("[[streams]]\nname = \"a\"\nurl = \"${env:NOPE}\"\nuser_agent = \"${file:/nonexistent}\"\n")
        .set("streams.a.title=${vault:x}");
    assert_eq!(
        bench.errors(),
        [
            "--set streams.a.title: 'streams.a.title': an unknown reference: use ${env:NAME} or ${file:PATH}, and $${ for a plain ${",
            "a.toml:3:1: 'streams.a.url': environment variable NOPE is not set",
            "a.toml:4:1: 'streams.a.user_agent': cannot read /nonexistent: No such file or directory (os error 2)",
        ]
    );
}

#[test]
fn a_value_that_a_later_layer_replaces_is_not_fetched() {
    let plan = Bench::of("node = \"${env:NOPE}\"").set("node=here").plan();
    assert_eq!(&*plan.node, "here");
}

#[test]
fn no_error_repeats_a_value() {
    let places = [
        format!("streams.a.url=ftp://{SECRET}"),
        format!("streams.a.url=http://[{SECRET}"),
        format!("streams.a.url={SECRET}:x"),
        format!("streams.a.mode={SECRET}"),
        format!("streams.a.priority={SECRET}"),
        format!("streams.a.srt.latency={SECRET}"),
        format!("streams.a.srt={{passphrase = \"{SECRET}\", x = 1}}"),
        format!("streams.a.srt={{{SECRET}}}"),
        format!("streams.a.http_headers=\"{SECRET}\""),
        format!("streams.a.http_headers.X={SECRET}\n"),
        format!("streams.a.runbook_url={SECRET}"),
        format!("streams.a.schedule.off_air={SECRET}"),
        format!("streams.a.profile={SECRET}"),
        format!("streams.a.detectors.black.cap={SECRET}"),
        format!("server.listen={SECRET}"),
        format!("sources.allow={SECRET}"),
        format!("streams.a.passphrase={SECRET}"),
        format!("streams.a.url=x{{env:{SECRET}=="),
    ];
    for place in places {
        // The last of them is valid, as odd as it is: a path.
        let Err(errors) = Bench::new().set("streams.a.url=a.ts").set(&place).load() else { continue };
        assert!(!errors.to_string().contains(SECRET), "{errors}");
    }
    for text in [
        format!("[[streams]]\nname = \"a\"\nurl = {SECRET}\n"),
        format!("[[streams]]\nname = \"a\"\nhttp_headers = {{ A = \"{SECRET}\", A = \"{SECRET}\" }}\n"),
        format!("[[streams]]\nname = \"a\"\nurl = [\"{SECRET}\"]\ntls_ca = 1\nprogram = \"{SECRET}\"\n"),
    ] {
        let errors = Bench::of(&text).load().expect_err("refused");
        assert!(!errors.to_string().contains(SECRET), "{errors}");
    }
}
