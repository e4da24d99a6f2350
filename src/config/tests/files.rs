//! The files in `config/`, and what `config show` prints.

use std::collections::BTreeSet;

use super::*;
use crate::config::render::default_toml_of;
use crate::config::shape::Shape;

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

/// The file with every key switched on that is switched off by a `#` without a blank.
fn switched_on(text: &str) -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|letter: char| letter != ' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(on).collect::<Vec<_>>().join("\n")
}

fn parse(text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn default_toml_is_what_the_program_prints() {
    let path = path_of("default.toml");
    if std::env::var_os("AVWATCH_BLESS").is_some() {
        std::fs::write(&path, default_toml()).expect("writable");
    }
    let file = std::fs::read_to_string(&path).expect("config/default.toml exists");
    assert!(file == default_toml(), "run AVWATCH_BLESS=1 cargo test default_toml");
}

#[test]
fn default_toml_says_the_built_in_defaults() {
    let settings: Settings = Value::Table(parse(&default_toml_of(&testing::rows()))).try_into().expect("settings");
    assert_eq!(settings, Settings::default());
}

#[test]
fn default_toml_has_every_key_and_all_its_examples_are_valid() {
    let rows = testing::rows();
    let text = switched_on(&default_toml_of(&rows));
    let tree = parse(&text);
    let mut missing = BTreeSet::new();
    let shape = shape::of(&schema::merged(&rows));
    absent(&shape, &Value::Table(tree), "", &mut missing);
    assert_eq!(missing, BTreeSet::new(), "{text}");

    let names = ["LOBBY_TOKEN", "HOOK_TOKEN", "ALERTMANAGER_TOKEN", "APPRISE_TARGET"];
    let bench = names.into_iter().fold(Bench::of(&text), |bench, name| bench.env(name, "t"));
    let errors = bench.errors();
    // Files that are not there are documented and refused: nothing else may be.
    assert!(errors.iter().all(|error| error.contains("/run/secrets")), "{errors:#?}");
}

/// Keys of the shape that the tree lacks.
fn absent(shape: &Shape, value: &Value, path: &str, missing: &mut BTreeSet<String>) {
    match (shape, value) {
        (Shape::Table(fields), Value::Table(table)) => {
            for (key, field) in fields {
                let path = format!("{path}.{key}");
                // The keys of detectors and of severities are the same everywhere: shown once.
                if key == "severities" || (key == "detectors" && path != ".detectors") {
                    continue;
                }
                match table.get(key) {
                    Some(value) => absent(&field.shape, value, &path, missing),
                    None => {
                        missing.insert(path);
                    }
                }
            }
        }
        (Shape::Map(inner), Value::Table(table)) if inner.is_table() => {
            assert!(!table.is_empty(), "{path} has no example");
            // What no example has is absent.
            let of = |value: &Value| {
                let mut missing = BTreeSet::new();
                absent(inner, value, path, &mut missing);
                missing
            };
            let of_all = table.values().map(of).reduce(|left, right| &left & &right);
            missing.extend(of_all.unwrap_or_default());
        }
        (Shape::Map(inner), Value::Array(list)) => list.iter().for_each(|value| absent(inner, value, path, missing)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    fn undocumented(shape: &Shape, path: &str, found: &mut Vec<String>) {
        match shape {
            Shape::Table(fields) => {
                for (key, field) in fields {
                    if field.doc.is_empty() {
                        found.push(format!("{path}.{key}"));
                    }
                    undocumented(&field.shape, &format!("{path}.{key}"), found);
                }
            }
            Shape::Map(inner) => undocumented(inner, path, found),
            _ => {}
        }
    }
    let mut found = Vec::new();
    undocumented(&shape::of(&schema::merged(&testing::rows())), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_example_is_valid() {
    let sources = Sources {
        files: vec![path_of("example.toml")],
        environment: [
            ("LOBBY_PASSPHRASE", "correct horse"),
            ("DESK_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("NIGHT_TOKEN", "a-token-of-tests"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..Sources::default()
    };
    let loaded = load_with(&sources, &testing::rows_for_our_files()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.plan.streams.len(), 4);
}

#[test]
fn what_show_prints_reads_the_same() {
    let bench = Bench::of(concat!(
        "node = \"n\"\n[detectors.black]\nlevel = 40\nseverities = { info = \"1s\" }\n[profiles.\"my.own\"]\ninherits = \"radio\"\n",
        "[[streams]]\nname = \"b.c\"\nurl = \"udp://239.0.0.1:5000\"\nexpect = { frame_rate = 50 }\nlabels = { site = \"nörth \\\" x\" }\n",
        "[streams.tracks.\"audio:1\"]\nrole = \"x\"\n[streams.tracks.\"audio:1\".detectors.silence]\nenabled = false\n",
        "[[streams]]\nname = \"a\"\nurl = \"a.ts\"\nprofile = \"my.own\"\n",
    ))
    .set("limits.opens_per_second=7");
    let loaded = bench.loaded();
    let shown = resolved_toml(&loaded);
    let again = Bench::of(&shown).loaded();
    assert_eq!(again.settings, loaded.settings, "{shown}");
    assert_eq!(again.plan, loaded.plan);
}

#[test]
fn show_says_where_each_key_was_written() {
    let bench = Bench::of("node = \"n\"\n").set("limits.opens_per_second=7").env("AVWATCH__LOG__LEVEL", "debug");
    let shown = bench.local(&resolved_toml(&bench.loaded()));
    let lines: Vec<String> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "node = \"n\" # a.toml:1:1",
        "opens_per_second = 7 # --set limits.opens_per_second",
        "level = \"debug\" # environment AVWATCH__LOG__LEVEL",
        "listen = \"127.0.0.1:8080\"",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line} in\n{shown}");
    }
}

#[test]
fn the_schema_of_files_knows_detectors_and_refuses_the_rest() {
    let schema = schema::of_files(&testing::rows());
    let black = &schema["$defs"]["Detectors"]["properties"]["black"];
    assert_eq!(black["properties"]["level"]["maximum"], 235.0);
    assert_eq!(black["additionalProperties"], false);
    assert_eq!(schema["additionalProperties"], false);
    assert!(!schema.to_string().contains("\"null\""), "TOML has no null");
}

#[test]
fn default_toml_says_where_a_default_depends_on_the_profile() {
    let text = default_toml_of(&testing::rows());
    for lines in [
        "#[detectors.black]\n# Whether it runs.\n#enabled = true\n",
        "raised. In profile file: \"500ms\".\n#raise_after = \"2s\"\n",
        "#severities = { info = \"2s\", major = \"10s\" }\n",
        "# Highest level that is black, in code values. Range: from 16 to 235. In profile radio: 20.0.\n#level = 32.0\n",
        "#cap = \"none\"\n",
    ] {
        assert!(text.contains(lines), "{lines}\nin\n{text}");
    }
}

#[test]
fn ten_thousand_streams_load_and_more_are_refused() {
    let mut text = String::new();
    for number in 0..10_000 {
        text.push_str(&format!(
            "[[streams]]\nname = \"s{number}\"\nurl = \"udp://239.0.0.1:{}\"\n",
            1 + number % 60_000
        ));
        text.push_str("labels = { site = \"a\", group = \"b\" }\n[streams.detectors.black]\nraise_after = \"3s\"\n");
    }
    let started = std::time::Instant::now();
    assert_eq!(Bench::of(&text).plan().streams.len(), 10_000);
    println!("10,000 streams from {} bytes in {:?}", text.len(), started.elapsed());
    let errors = Bench::of(&text).set("streams.one.more.url=x").errors();
    assert!(errors.len() == 1 && errors[0].contains("more than 10000 streams"), "{errors:?}");
}
