//! One stream of the plan.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::track::TrackId;

use crate::config::origin::KeyPath;
use crate::config::plan::detectors::{DetectorLayers, Profiles, add, tables};
use crate::config::plan::{Building, check_labels, parse_address};
use crate::config::settings::{Mode, StreamSettings, Tier};
use crate::detectors::DetectorSettings;
use crate::measure::MeasurePlan;
use crate::media::spec::{Address, InputSpec, Selection, TrackRole, Transport, limits_of};
use crate::profile::Profile;

/// Longest name of a stream, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Longest title, in characters.
const TITLE_LETTERS_MAX: usize = 200;

/// Most extra HTTP headers of one stream.
const HEADERS_MAX: usize = 32;

/// One stream, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamPlan {
    /// Unique name.
    pub name: Arc<str>,
    /// Title for people; the name when none was given.
    pub title: Arc<str>,
    /// The profile's name as chosen.
    pub profile_name: Arc<str>,
    /// The built-in profile at its root: the detectors' defaults.
    pub profile: Profile,
    /// Whether people are notified.
    pub mode: Mode,
    /// Who is shed last under load: 0 to 9.
    pub priority: u8,
    /// Labels of its events.
    pub labels: BTreeMap<String, String>,
    /// Page that tells people what to do.
    pub runbook_url: Option<String>,
    /// What to open and how. What to measure is set by the assembly, from the detectors.
    pub input: InputSpec,
    /// Settings of detectors in layers, the weakest first, to be laid over the profile's defaults.
    pub detectors: BTreeMap<String, Vec<DetectorSettings>>,
    /// Settings of detectors on single tracks, to be laid over `detectors`.
    pub tracks: BTreeMap<TrackId, BTreeMap<String, DetectorSettings>>,
}

/// Resolves one stream; `None` when there is nothing to open. Errors are added to `building`.
pub(super) fn build(
    building: &mut Building<'_>,
    profiles: &Profiles,
    name: &str,
    stream: &StreamSettings,
) -> Option<StreamPlan> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !fits {
        let why = format!("a stream's name has 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.'");
        building.invalid(&KeyPath::of(&["streams", name]), why);
    }
    build_any_name(building, profiles, name, stream)
}

/// Like [`build`], for inputs whose name is a path.
pub(super) fn build_any_name(
    building: &mut Building<'_>,
    profiles: &Profiles,
    name: &str,
    stream: &StreamSettings,
) -> Option<StreamPlan> {
    let path = KeyPath::of(&["streams", name]);
    refuse_what_is_not_built(building, stream, &path);
    check_texts(building, stream, &path);
    check_labels(building, &stream.labels, &path.key("labels"));
    let (roles, tracks) = track_settings(building, stream, &path);
    let chosen = profiles.get(building, &stream.profile, &path.key("profile"));
    let own = tables(building, &stream.detectors, &path.key("detectors"), None);
    let input = input(building, stream, roles, name, &path);
    let (profile_name, profile, mut detectors): (_, _, DetectorLayers) = chosen?;
    add(&mut detectors, &own);
    Some(StreamPlan {
        name: name.into(),
        title: stream.title.as_deref().unwrap_or(name).into(),
        profile_name,
        profile,
        mode: stream.mode,
        priority: stream.priority,
        labels: stream.labels.clone(),
        runbook_url: stream.runbook_url.clone(),
        input: input?,
        detectors,
        tracks,
    })
}

/// Keys that would be ignored in silence are refused instead.
fn refuse_what_is_not_built(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) {
    if stream.tier != Tier::Full {
        building.not_available(&path.key("tier"), "every stream is watched in full; remove the key");
    }
    let off_air = path.key("schedule").key("off_air");
    for (index, window) in stream.schedule.off_air.iter().enumerate() {
        if !is_window(window) {
            building.invalid(&off_air.index(index), "must be \"HH:MM-HH:MM Area/City\"");
        }
    }
    if !stream.schedule.off_air.is_empty() {
        building.not_available(&off_air, "every stream is watched around the clock; remove the key");
    }
}

/// Whether a text has the form `01:00-06:00 Europe/Vienna`.
fn is_window(text: &str) -> bool {
    let is_time = |text: &str| {
        let Some((hour, minute)) = text.split_once(':') else { return false };
        let two = |digits: &str, below: u8| {
            digits.len() == 2
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u8>().is_ok_and(|number| number < below)
        };
        two(hour, 24) && two(minute, 60)
    };
    let Some((times, zone)) = text.split_once(' ') else { return false };
    let zone_fits =
        !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    zone_fits && times.split_once('-').is_some_and(|(from, to)| is_time(from) && is_time(to) && from != to)
}

fn check_texts(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) {
    if let Some(title) = &stream.title
        && (title.chars().count() > TITLE_LETTERS_MAX || title.chars().any(char::is_control))
    {
        let why = format!("must have at most {TITLE_LETTERS_MAX} characters, none of them control characters");
        building.invalid(&path.key("title"), why);
    }
    if let Some(page) = &stream.runbook_url
        && !url::Url::parse(page).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    {
        building.invalid(&path.key("runbook_url"), "must be an http or https URL");
    }
    if stream.user_agent.as_deref().is_some_and(|agent| agent.is_empty() || agent.chars().any(char::is_control)) {
        building.invalid(&path.key("user_agent"), "must not be empty or hold control characters");
    }
    let headers = path.key("http_headers");
    if stream.http_headers.len() > HEADERS_MAX {
        building.invalid(&headers, format!("more than {HEADERS_MAX} headers"));
    }
    for (name, value) in &stream.http_headers {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            building.invalid(&headers.key(name), "is no name of an HTTP header");
        }
        if value.0.chars().any(char::is_control) || value.0.len() > 8192 {
            building.invalid(&headers.key(name), "the value must have at most 8192 bytes and no control characters");
        }
    }
    let passphrase = stream.srt.passphrase.as_ref().map(|secret| secret.0.len());
    if passphrase.is_some_and(|bytes| !(10..=79).contains(&bytes)) {
        building.invalid(&path.key("srt").key("passphrase"), "must have 10 to 79 bytes");
    }
}

type Tracks = (BTreeMap<TrackId, TrackRole>, BTreeMap<TrackId, BTreeMap<String, DetectorSettings>>);

fn track_settings(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) -> Tracks {
    let (mut roles, mut detectors) = Tracks::default();
    for (name, settings) in &stream.tracks {
        let path = path.key("tracks").key(name);
        let Ok(track) = name.parse::<TrackId>() else {
            building.invalid(&path, "unknown track; use video:N, audio:N, subtitle:N, data:N or input");
            continue;
        };
        if settings.role.as_deref().is_some_and(|role| role.is_empty() || role.len() > 64) {
            building.invalid(&path.key("role"), "must have 1 to 64 bytes");
        }
        if settings.ignore && track == TrackId::INPUT {
            building.invalid(&path.key("ignore"), "the input as a whole cannot be ignored; remove the stream");
        }
        roles.insert(track, TrackRole { role: settings.role.clone(), ignore: settings.ignore });
        let own = tables(building, &settings.detectors, &path.key("detectors"), Some(track));
        if !own.is_empty() {
            detectors.insert(track, own);
        }
    }
    (roles, detectors)
}

fn input(
    building: &mut Building<'_>,
    stream: &StreamSettings,
    tracks: BTreeMap<TrackId, TrackRole>,
    name: &str,
    path: &KeyPath,
) -> Option<InputSpec> {
    let source = stream.source.as_deref().and_then(|text| match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            building.invalid(&path.key("source"), "must be an IP address");
            None
        }
    });
    if stream.tls_ca.as_deref() == Some(Path::new("")) {
        building.invalid(&path.key("tls_ca"), "is empty");
    }
    let url_path = path.key("url");
    let Some(url) = &stream.url else {
        building.missing(&url_path);
        return None;
    };
    let address = match parse_address(&url.0) {
        Ok(address) => address,
        Err(why) => {
            building.invalid(&url_path, why);
            return None;
        }
    };
    warn_of_idle_keys(building, &address, path);
    let mut spec = InputSpec::new(name, address, MeasurePlan::default());
    spec.limits = limits_of(&spec.address, stream.srt.mode);
    spec.transport = Transport {
        http_headers: stream.http_headers.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect(),
        user_agent: stream.user_agent.clone(),
        rtsp_transport: stream.rtsp_transport,
        srt_mode: stream.srt.mode,
        srt_latency: stream.srt.latency.map(|span| span.0),
        srt_passphrase: stream.srt.passphrase.as_ref().map(|secret| secret.0.clone()),
        tls_ca: stream.tls_ca.clone(),
        interface: stream.interface.clone(),
        source,
        receive_buffer: stream.receive_buffer.map(|bytes| bytes as usize),
    };
    spec.selection = Selection { program: stream.program, variant: stream.variant };
    spec.expect = stream.expect.clone();
    spec.tracks = tracks;
    spec.decode_threads = stream.decode_threads;
    Some(spec)
}

/// Transport keys with the schemes on which they have an effect.
const TRANSPORT_KEYS: [(&str, &[&str]); 8] = [
    ("interface", &["udp", "rtp"]),
    ("source", &["udp", "rtp"]),
    ("receive_buffer", &["udp", "rtp"]),
    ("http_headers", &["http", "https"]),
    ("user_agent", &["http", "https"]),
    ("rtsp_transport", &["rtsp", "rtsps"]),
    ("srt", &["srt"]),
    ("tls_ca", &["https", "rtmps", "rtsps"]),
];

fn warn_of_idle_keys(building: &mut Building<'_>, address: &Address, path: &KeyPath) {
    let scheme = match address {
        Address::Url(url) => url.scheme(),
        Address::File(_) | Address::Stdin | Address::Synthetic(_) => "file",
    };
    for (key, schemes) in TRANSPORT_KEYS {
        let path = path.key(key);
        if building.origins.contains(&path) && !schemes.contains(&scheme) {
            building.warn(&path, format!("has no effect here, only on {}", schemes.join(" and ")));
        }
    }
}
