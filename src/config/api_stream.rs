//! A stream that comes over the API: read like one of a file, with less allowed.
//!
//! No files, no synthetic sources, no references: whoever may add a stream is not thereby allowed to
//! read this machine's files or environment, or to reach what only this machine can. Faults are told by
//! JSON pointer, never with a value.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json};
use toml::{Table, Value};
use url::Url;

use crate::config::error::{ConfigErrors, Problem};
use crate::config::layer::STREAMS;
use crate::config::origin::{KeyPath, Origins};
use crate::config::plan::{self, StreamPlan};
use crate::config::settings::{Settings, StreamSettings};
use crate::config::shape::{self, Shape};
use crate::config::{Loaded, detector_row, schema};
use crate::media::bytes::{Guard, Reach};
use crate::media::spec::{Address, RtspTransport};
use crate::media::transport_options;

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// The shape of a configuration. It never changes while the program runs, and making it takes a while.
static SHAPE: LazyLock<Shape> = LazyLock::new(|| shape::of(&schema::merged(&detector_row::built_in())));

/// Deepest nesting of settings.
const DEPTH_MAX: usize = 8;

/// A stream that may be watched.
#[derive(Clone, Debug)]
pub struct ApiStreamPlan {
    /// The settings; printing them hides the secrets.
    pub settings: StreamSettings,
    /// What to watch and how.
    pub plan: StreamPlan,
}

/// What is wrong with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

impl Loaded {
    /// The stream that these settings describe, under the profiles and detector settings in force.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn api_stream(&self, name: &str, json: &Map<String, Json>) -> Result<ApiStreamPlan, Vec<Fault>> {
        let mut faults = Vec::new();
        refuse_stand_ins(json, &mut faults);
        let mut stream = match toml_of(&Json::Object(json.clone()), "", 0, &mut faults) {
            Some(Value::Table(stream)) if faults.is_empty() => stream,
            _ => return Err(faults),
        };
        if stream
            .insert("name".to_owned(), Value::String(name.to_owned()))
            .is_some_and(|given| given.as_str() != Some(name))
        {
            return Err(vec![fault("/name", "differs from the stream's name")]);
        }
        refuse_what_reads_files(&stream, &mut faults);
        let registry = detector_row::built_in();
        let shape = &*SHAPE;
        let mut root = Value::Table(Table::from_iter([(
            STREAMS.to_owned(),
            Value::Table(Table::from_iter([(name.to_owned(), Value::Table(stream))])),
        )]));
        shape.fit(&mut root, &KeyPath::root(), shape, &mut |problem| faults.push(of_problem(&problem)));
        if !faults.is_empty() {
            return Err(faults);
        }
        let settings: Settings = root.try_into().map_err(|_| vec![fault("", "contradicts the schema of a stream")])?;
        let Some(settings) = settings.streams.into_values().next() else {
            return Err(vec![fault("", "is no stream")]);
        };
        let mut errors = ConfigErrors::default();
        let plan = plan::stream_of_api(&self.expanded, &registry, name, &settings, &Origins::default(), &mut errors);
        faults.extend(errors.iter().map(|error| of_problem(&error.problem)));
        match plan {
            Some(plan) if faults.is_empty() => {
                let plan = self.guarded(plan)?;
                Ok(ApiStreamPlan { settings, plan })
            }
            _ => Err(faults),
        }
    }

    /// Puts a stream of the API under guard: it reaches what `sources.allow` says, and this service
    /// itself never. The one place where such a stream is vetted: before it is stored, at each start,
    /// and for probes.
    ///
    /// # Errors
    /// It is of a kind that cannot be guarded.
    pub fn guarded(&self, mut plan: StreamPlan) -> Result<StreamPlan, Vec<Fault>> {
        let Address::Url(url) = &plan.input.address else {
            let why = "must be a udp, rtp, tcp, http, https, rtmp, rtmps, rtsp, rtsps or srt URL; files and synthetic \
                       sources come from configuration files only";
            return Err(vec![fault("/url", why)]);
        };
        if matches!(url.scheme(), "rtsp" | "rtsps") && plan.input.transport.rtsp_transport == RtspTransport::Udp {
            let why = "must be tcp: with udp the server names addresses that cannot be checked against sources.allow";
            return Err(vec![fault("/rtsp_transport", why)]);
        }
        plan.input.reach = Reach::Guarded(Guard::new(self.plan.allow.clone(), self.own.clone()));
        Ok(plan)
    }
}

/// Says at once, to who asks for a stream, that its address will be refused, or an option in it. Names pass: what they
/// resolve to is judged where it is connected to. A stream that was admitted before stays when
/// `sources.allow` changes, and says why it cannot be opened.
///
/// # Errors
/// The address lies outside of what may be reached, or an option in its query is unknown or wrong.
pub fn check_address(plan: &StreamPlan) -> Result<(), Vec<Fault>> {
    let Address::Url(url) = &plan.input.address else { return Ok(()) };
    if let Err(error) = transport_options::check(url.expose(), &plan.input.transport) {
        return Err(vec![fault("/url", &error.to_string())]);
    }
    let Reach::Guarded(guard) = &plan.input.reach else { return Ok(()) };
    let host = url.host().unwrap_or_default();
    let port = url.expose().port_or_known_default().unwrap_or_default();
    guard.judge_literal(host, port).map_err(|why| vec![fault("/url", &format!("cannot open {host}: {why}"))])
}

/// What settings hold beside the defaults, secrets hidden: as they may be read and written back.
pub fn shown(settings: &StreamSettings) -> Json {
    let usual = serde_json::to_value(StreamSettings::default()).unwrap_or_default();
    let mut all = serde_json::to_value(settings).unwrap_or_default();
    if let Json::Object(fields) = &mut all {
        fields.retain(|key, value| usual.get(key) != Some(value) && key != "name");
    }
    all
}

/// Puts the secrets of a stored stream where settings that were read from the API hold their stand-in.
///
/// Header fields and passphrase are given to the server that they were meant for only: with another
/// scheme, host or port in the URL the stand-ins stay, and are refused.
pub fn keep_hidden(given: &mut Map<String, Json>, stored: &ApiStreamSource<'_>) {
    if let (Some(url), Some(shown)) = (given.get_mut("url"), &stored.shown_url)
        && url.as_str() == Some(shown)
        && let Some(before) = stored.settings.get("url")
    {
        *url = before.clone();
    }
    if origin_of(given.get("url")) != origin_of(stored.settings.get("url")) {
        return;
    }
    restore(given, stored.settings, &["srt", "passphrase"]);
    let headers: Vec<String> = match given.get("http_headers") {
        Some(Json::Object(headers)) => headers.keys().cloned().collect(),
        _ => Vec::new(),
    };
    for header in &headers {
        restore(given, stored.settings, &["http_headers", header]);
    }
}

/// A stored stream as [`keep_hidden`] needs it.
pub struct ApiStreamSource<'a> {
    /// Its settings.
    pub settings: &'a Map<String, Json>,
    /// Its URL as it is shown.
    pub shown_url: Option<String>,
}

/// Scheme, host and port of a URL; nothing of what is none.
fn origin_of(url: Option<&Json>) -> Option<(String, Option<String>, Option<u16>)> {
    let url = Url::parse(url?.as_str()?).ok()?;
    Some((url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default()))
}

/// What still stands for a secret would be taken for the secret itself.
fn refuse_stand_ins(stream: &Map<String, Json>, faults: &mut Vec<Fault>) {
    let why = "holds ***, which stands for a secret that is not shown: give the secret, or leave the address as it was";
    let is_hidden = |value: Option<&Json>| value.and_then(Json::as_str) == Some(HIDDEN);
    if stream.get("url").and_then(Json::as_str).is_some_and(|url| url.contains(HIDDEN)) {
        faults.push(fault("/url", why));
    }
    if is_hidden(stream.get("srt").and_then(|srt| srt.get("passphrase"))) {
        faults.push(fault("/srt/passphrase", why));
    }
    if let Some(Json::Object(headers)) = stream.get("http_headers")
        && headers.values().any(|value| is_hidden(Some(value)))
    {
        faults.push(fault("/http_headers", why));
    }
}

fn restore(given: &mut Map<String, Json>, stored: &Map<String, Json>, path: &[&str]) {
    let [table, key] = path else { return };
    if let Some(value) = given.get_mut(*table).and_then(|table| table.get_mut(*key))
        && value.as_str() == Some(HIDDEN)
        && let Some(before) = stored.get(*table).and_then(|table| table.get(*key))
    {
        *value = before.clone();
    }
}

fn fault(pointer: &str, detail: &str) -> Fault {
    Fault { pointer: pointer.to_owned(), detail: detail.to_owned() }
}

/// Keys whose values are paths of this machine.
fn refuse_what_reads_files(stream: &Table, faults: &mut Vec<Fault>) {
    if stream.contains_key("tls_ca") {
        faults.push(fault("/tls_ca", "names a file of this machine: only configuration files may"));
    }
}

/// JSON as TOML; null counts as absent.
fn toml_of(json: &Json, pointer: &str, depth: usize, faults: &mut Vec<Fault>) -> Option<Value> {
    if depth > DEPTH_MAX {
        faults.push(fault(pointer, "is nested too deeply"));
        return None;
    }
    match json {
        Json::Null => None,
        Json::Bool(flag) => Some(Value::Boolean(*flag)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Some(Value::Integer(whole)),
            (None, Some(number)) => Some(Value::Float(number)),
            (None, None) => {
                faults.push(fault(pointer, "is no number that can be held"));
                None
            }
        },
        Json::String(text) => {
            if text.contains("${") {
                faults.push(fault(pointer, "holds a reference ${…}: only configuration files may fetch"));
            }
            Some(Value::String(text.clone()))
        }
        Json::Array(items) => {
            let items = items.iter().enumerate();
            Some(Value::Array(
                items
                    .filter_map(|(index, item)| toml_of(item, &format!("{pointer}/{index}"), depth + 1, faults))
                    .collect(),
            ))
        }
        Json::Object(fields) => {
            let fields = fields.iter().filter_map(|(key, value)| {
                let pointer = format!("{pointer}/{}", escaped(key));
                Some((key.clone(), toml_of(value, &pointer, depth + 1, faults)?))
            });
            Some(Value::Table(fields.collect()))
        }
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A problem by its place below the stream.
fn of_problem(problem: &Problem) -> Fault {
    let keys = problem.path().map(|path| path.keys()).unwrap_or_default();
    let below: Vec<&str> = keys.iter().map(String::as_str).collect();
    let below = match below.as_slice() {
        [first, _, below @ ..] if *first == STREAMS => below.to_vec(),
        other => other.to_vec(),
    };
    let pointer = below.iter().map(|key| format!("/{}", escaped(key))).collect();
    let detail = match problem {
        Problem::Unreadable(_) | Problem::Syntax(_) => problem.to_string(),
        Problem::UnknownKey { nearest, .. } => match nearest {
            Some(nearest) => format!("unknown key; did you mean '{nearest}'?"),
            None => "unknown key".to_owned(),
        },
        Problem::WrongValue { expected, .. } => format!("must be {expected}"),
        Problem::Invalid { why, .. } => why.clone(),
        Problem::Missing { .. } => "is missing".to_owned(),
        Problem::NotAvailable { why, .. } => format!("is not available yet: {why}"),
    };
    Fault { pointer, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use serde_json::json;

    fn faults(settings: &Json) -> Vec<(String, String)> {
        let loaded =
            load(&Sources { sets: vec!["profiles.mine.inherits=ott".to_owned()], ..Sources::default() }).unwrap();
        match loaded.api_stream("lobby", settings.as_object().unwrap()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect(),
        }
    }

    #[test]
    fn a_stream_of_the_api_is_read_like_one_of_a_file() {
        let settings = json!({
            "url": "srt://203.0.113.7:9000", "title": null, "profile": "mine", "labels": { "site": "north" },
            "srt": { "passphrase": "0123456789", "latency": "200ms" }, "expect": { "frame_rate": 25 },
            "tracks": { "audio:1": { "role": "descriptions" } }, "detectors": { "black": { "raise_after": "10s" } },
        });
        assert_eq!(faults(&settings), []);
    }

    #[test]
    fn faults_are_told_by_their_place_without_a_value() {
        for (settings, pointer, word) in [
            (json!({}), "/url", "missing"),
            (json!({ "url": "udp://239.1.1.1:5000", "titel": "S3cret" }), "/titel", "did you mean 'title'"),
            (json!({ "url": 5 }), "/url", "must be a text"),
            (json!({ "url": "udp://239.1.1.1:5000", "priority": 10 }), "/priority", "must be"),
            (json!({ "url": "udp://239.1.1.1:5000", "profile": "S3cret" }), "/profile", "unknown profile"),
            (
                json!({ "url": "udp://239.1.1.1:5000", "srt": { "passphrase": "S3cret" } }),
                "/srt/passphrase",
                "10 to 79",
            ),
            (json!({ "url": "udp://239.1.1.1:5000", "labels": { "a/b": "S3cret" } }), "/labels/a~1b", "label"),
            (json!({ "url": "udp://239.1.1.1:5000", "name": "other" }), "/name", "differs"),
        ] {
            let found = faults(&settings);
            assert!(found.iter().any(|(at, why)| at == pointer && why.contains(word)), "{settings}: {found:?}");
            assert!(!format!("{found:?}").contains("S3cret"), "{found:?}");
        }
    }

    #[test]
    fn options_of_an_address_are_judged_when_a_stream_is_asked_for_and_not_when_it_is_there_already() {
        let loaded = load(&Sources::default()).unwrap();
        let settings = json!({ "url": "srt://203.0.113.7:9000?mode=S3cret" });
        let there = loaded.api_stream("lobby", settings.as_object().unwrap()).unwrap();
        let why = "the option 'mode' of the address must be caller, listener or rendezvous";
        assert_eq!(check_address(&there.plan), Err(vec![fault("/url", why)]));
    }

    #[test]
    fn nothing_that_reads_this_machine_comes_over_the_api() {
        for (settings, pointer) in [
            (json!({ "url": "/etc/passwd" }), "/url"),
            (json!({ "url": "file:///etc/passwd" }), "/url"),
            (json!({ "url": "synthetic:?size=320x180" }), "/url"),
            (json!({ "url": "-" }), "/url"),
            (json!({ "url": "concat:a|b" }), "/url"),
            (json!({ "url": "https://example.org/${env:HOME}" }), "/url"),
            (
                json!({ "url": "https://example.org/", "http_headers": { "X": "${file:/etc/shadow}" } }),
                "/http_headers/X",
            ),
            (json!({ "url": "https://example.org/", "tls_ca": "/etc/shadow" }), "/tls_ca"),
        ] {
            let found = faults(&settings);
            assert!(found.iter().any(|(at, _)| at == pointer), "{settings}: {found:?}");
        }
    }

    #[test]
    fn settings_that_were_read_can_be_written_back_without_losing_secrets() {
        let stored = json!({
            "url": "https://u:S3cret@example.org/a?token=S3cret", "srt": { "passphrase": "0123456789" },
            "http_headers": { "Authorization": "S3cret", "X": "old" },
        });
        let stored = stored.as_object().unwrap();
        let shown = Some("https://***@example.org/a?token=***".to_owned());
        let given = json!({
            "url": "https://***@example.org/a?token=***", "srt": { "passphrase": "***" }, "title": "new",
            "http_headers": { "Authorization": "***", "X": "new" },
        });
        let mut given = given.as_object().unwrap().clone();
        keep_hidden(&mut given, &ApiStreamSource { settings: stored, shown_url: shown });
        assert_eq!((&given["url"], &given["srt"]), (&stored["url"], &stored["srt"]));
        assert_eq!(given["http_headers"], json!({ "Authorization": "S3cret", "X": "new" }));
        assert_eq!(given["title"], "new");
    }

    #[test]
    fn secrets_of_one_server_are_not_given_to_another() {
        let stored = json!({
            "url": "https://example.org/a", "srt": { "passphrase": "0123456789" },
            "http_headers": { "Authorization": "S3cret" },
        });
        let stored = stored.as_object().unwrap();
        for (url, is_kept) in [
            ("https://example.org/b?c=d", true),
            ("https://example.org:443/a", true),
            ("https://evil.example/a", false),
            ("http://example.org/a", false),
            ("https://example.org:8443/a", false),
        ] {
            let given =
                json!({ "url": url, "srt": { "passphrase": "***" }, "http_headers": { "Authorization": "***" } });
            let mut given = given.as_object().unwrap().clone();
            keep_hidden(&mut given, &ApiStreamSource { settings: stored, shown_url: None });
            let kept = [&given["srt"]["passphrase"], &given["http_headers"]["Authorization"]].map(|it| it != "***");
            assert_eq!(kept, [is_kept; 2], "{url}");
        }
    }

    #[test]
    fn a_stand_in_is_not_taken_for_the_secret_itself() {
        for (settings, pointer) in [
            (json!({ "url": "https://***@example.org/b" }), "/url"),
            (json!({ "url": "rtmp://example.org/live/***" }), "/url"),
            (json!({ "url": "srt://example.org:9000", "srt": { "passphrase": "***" } }), "/srt/passphrase"),
            (json!({ "url": "https://example.org/", "http_headers": { "X": "***" } }), "/http_headers"),
        ] {
            let found = faults(&settings);
            assert!(found.iter().any(|(at, why)| at == pointer && why.contains("secret")), "{settings}: {found:?}");
        }
    }
}
