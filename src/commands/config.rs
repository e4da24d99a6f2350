//! `avwatch config check`, `show` and `schema`.

use std::path::PathBuf;

use crate::clones::{self, Clones};
use crate::config::{self, ConfigErrors, Loaded, Sources};

/// Exit status for a configuration that is wrong.
const WRONG: u8 = 2;

/// What a command prints and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printout {
    /// For standard output, with its last line end.
    pub stdout: String,
    /// For standard error, with its last line end.
    pub stderr: String,
    /// Exit status: 0, or 2 for a configuration that is wrong.
    pub status: u8,
}

/// Validates: tells every error with its place, or how much was found.
pub fn check(sources: &Sources) -> Printout {
    match config::load(sources) {
        Ok(loaded) => {
            let files: Vec<String> = loaded.files.iter().map(|file| file.display().to_string()).collect();
            let from = match (files.is_empty(), loaded.plan.demo) {
                (false, _) => format!(" from {}", files.join(", ")),
                (true, true) => ", the built-in demo".to_owned(),
                (true, false) => String::new(),
            };
            let (here, elsewhere) = (loaded.plan.streams.len(), loaded.plan.share.elsewhere.len());
            let mut streams = counted(here + elsewhere, "stream");
            if !loaded.plan.share.is_all() {
                streams = format!("{here} of {streams} for this clone ({})", loaded.plan.share);
            }
            Printout {
                stdout: format!("the configuration is valid: {streams}{from}\n"),
                stderr: warnings(&loaded),
                status: 0,
            }
        }
        Err(errors) => refusal(&errors),
    }
}

/// Validates several clones, each by its file or folder on top of the common layers, and judges whether together they
/// leave anything out.
pub fn check_clones(common: &Sources, files: &[PathBuf]) -> Printout {
    let Clones { parts, warnings } = match clones::read(common, files) {
        Ok(clones) => clones,
        Err(lines) => {
            let stderr = lines.iter().map(|line| format!("{line}\n")).collect();
            return Printout { stdout: String::new(), stderr, status: WRONG };
        }
    };
    let judged = clones::judge(&parts);
    let mut printout = Printout::default();
    for gap in &judged.gaps {
        printout.stderr.push_str(&format!("{}\n", gap.words(&parts)));
    }
    let doubts = judged.doubts.iter().map(|doubt| doubt.words(&parts));
    for warning in warnings.into_iter().chain(doubts) {
        printout.stderr.push_str(&format!("warning: {warning}\n"));
    }
    if !judged.gaps.is_empty() {
        return Printout { status: WRONG, ..printout };
    }
    let (count, streams, detectors) = (parts.len(), judged.streams, judged.detectors);
    printout.stdout = format!(
        "nothing is left out: {} run {} on {}\n",
        counted(count, "clone"),
        counted(detectors, "detector"),
        counted(streams, "stream")
    );
    for part in &parts {
        let (watched, all) = (part.watched(), part.wishes.len());
        printout.stdout.push_str(&format!("{}: {watched} of {}, {}\n", part.name, counted(all, "stream"), part.share));
    }
    printout
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Prints the resolved configuration as TOML, secrets hidden, each written key with its place.
pub fn show(sources: &Sources) -> Printout {
    match config::load(sources) {
        Ok(loaded) => Printout { stdout: config::resolved_toml(&loaded), stderr: warnings(&loaded), status: 0 },
        Err(errors) => refusal(&errors),
    }
}

/// Prints the JSON Schema of a configuration file.
pub fn schema() -> Printout {
    Printout { stdout: format!("{:#}\n", config::schema()), ..Printout::default() }
}

fn warnings(loaded: &Loaded) -> String {
    loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect()
}

fn refusal(errors: &ConfigErrors) -> Printout {
    Printout { stdout: String::new(), stderr: format!("{errors}\n"), status: WRONG }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sets: &[&str]) -> Sources {
        Sources { sets: sets.iter().map(|set| (*set).to_owned()).collect(), ..Sources::default() }
    }

    #[test]
    fn a_valid_configuration_says_how_many_streams_it_has() {
        let sources = with(&["streams.a.url=a.ts", "streams.a.rtsp_transport=udp"]);
        let printout = check(&sources);
        assert_eq!(printout.stdout, "the configuration is valid: 1 stream\n");
        assert_eq!(
            printout.stderr,
            "warning: --set streams.a.rtsp_transport: 'streams.a.rtsp_transport': has no effect here, only on rtsp, rtsps\n"
        );
        assert_eq!(printout.status, 0);
    }

    #[test]
    fn a_wrong_configuration_ends_with_status_2_and_an_empty_standard_output() {
        for printout in [check(&with(&["server.listn=x"])), show(&with(&["server.listn=x"]))] {
            assert_eq!(printout.stdout, "");
            assert_eq!(printout.stderr, "--set server.listn: unknown key 'server.listn' (did you mean 'listen'?)\n");
            assert_eq!(printout.status, WRONG);
        }
    }

    #[test]
    fn the_schema_is_json() {
        let schema: serde_json::Value = serde_json::from_str(&schema().stdout).expect("JSON");
        assert_eq!(schema["properties"]["streams"]["anyOf"][0]["items"]["required"][0], "name");
    }
}
