//! One stream of the plan.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::tier::TierRange;
use avwatch_actors::track::TrackId;

use crate::config::origin::KeyPath;
use crate::config::plan::alarms;
use crate::config::plan::detectors::{Chosen, Profiles, add, tables};
use crate::config::plan::{Building, Subset, check_headers, check_labels, check_name};
use crate::config::settings::{Mode, StreamSettings, Tier};
use crate::detectors::DetectorSettings;
use crate::measure::MeasurePlan;
use crate::media::address;
use crate::media::spec::{Address, Expect, InputSpec, Selection, TrackRole, Transport, limits_of};
use crate::media::transport_options;
use crate::profile::Profile;
use crate::schedule::OffAirWindow;
use crate::synthetic::Recipe;

/// Longest title, in characters.
const TITLE_LETTERS_MAX: usize = 200;

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
    /// Times without programme.
    pub off_air: Vec<OffAirWindow>,
    /// Who is shed last under load: 0 to 9.
    pub priority: u8,
    /// Between which tiers it may move.
    pub tiers: TierRange,
    /// Labels of its events.
    pub labels: BTreeMap<String, String>,
    /// Page that tells people what to do.
    pub runbook_url: Option<String>,
    /// What to open and how. What to measure is set by the assembly, from the detectors.
    pub input: InputSpec,
    /// The only detectors that run here; all that are enabled when absent.
    pub only: Option<Subset>,
    /// Settings of detectors in layers, the weakest first, to be laid over the profile's defaults.
    pub detectors: BTreeMap<String, Vec<DetectorSettings>>,
    /// Settings of detectors on single tracks, to be laid over `detectors`.
    pub tracks: BTreeMap<TrackId, BTreeMap<String, DetectorSettings>>,
}

/// What the parts of a stream's settings became.
#[derive(Default)]
pub(super) struct Parts {
    source: Option<IpAddr>,
    roles: BTreeMap<TrackId, TrackRole>,
    tracks: BTreeMap<TrackId, BTreeMap<String, DetectorSettings>>,
    own: BTreeMap<String, DetectorSettings>,
    off_air: Vec<OffAirWindow>,
}

/// Resolves one stream; `None` when something without which there is no plan is wrong.
pub(super) fn build(
    building: &mut Building<'_>,
    profiles: &Profiles,
    name: &str,
    stream: &StreamSettings,
) -> Option<StreamPlan> {
    let path = KeyPath::of(&["streams", name]);
    check_name(building, name, &path, "stream");
    let windows = path.key("schedule").key("off_air");
    let off_air = alarms::off_air(building, &stream.schedule.off_air, &windows);
    check_tiers(building, stream, &path);
    check_texts(building, stream, &path);
    check_secrets(building, stream, &path);
    check_expect(building, &stream.expect, &path.key("expect"));
    check_labels(building, &stream.labels, &path.key("labels"));
    let (roles, tracks) = track_settings(building, stream, &path);
    let own = tables(building, &stream.detectors, &path.key("detectors"), None);
    let source = sender(building, stream, &path);
    let chosen = match profiles.get(building.settings, &stream.profile) {
        Ok(chosen) => Some(chosen),
        // A profile that was refused itself has been told already.
        Err(_) if building.settings.profiles.contains_key(&stream.profile) => None,
        Err(unknown) => {
            building.invalid(&path.key("profile"), unknown.to_string());
            None
        }
    };
    let address = address_of(building, stream, &path)?;
    Some(assemble(name, stream, address, chosen?, Parts { source, roles, tracks, own, off_air }))
}

/// Puts the parts together.
pub(super) fn assemble(
    name: &str,
    stream: &StreamSettings,
    address: Address,
    (profile_name, profile, mut detectors): Chosen,
    parts: Parts,
) -> StreamPlan {
    add(&mut detectors, &parts.own);
    let mut input = InputSpec::new(name, address, MeasurePlan::default());
    input.limits = limits_of(&input.address, stream.srt.mode);
    input.transport = Transport {
        http_headers: stream.http_headers.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect(),
        http_headers_to: stream.http_headers_to,
        user_agent: stream.user_agent.clone(),
        rtsp_transport: stream.rtsp_transport,
        srt_mode: stream.srt.mode,
        srt_latency: stream.srt.latency.map(|span| span.0),
        srt_passphrase: stream.srt.passphrase.as_ref().map(|secret| secret.0.clone()),
        tls_ca: stream.tls_ca.clone(),
        interface: stream.interface.clone(),
        source: parts.source,
        receive_buffer: stream.receive_buffer.map(|bytes| bytes as usize),
    };
    input.selection = Selection { program: stream.program, variant: stream.variant };
    input.expect = stream.expect.clone();
    input.tracks = parts.roles;
    input.decode_threads = stream.decode_threads;
    if let Address::Url(_) = &input.address {
        input.deblocking = stream.deblocking;
    }
    StreamPlan {
        name: name.into(),
        title: stream.title.as_deref().unwrap_or(name).into(),
        profile_name,
        profile,
        mode: stream.mode,
        off_air: parts.off_air,
        priority: stream.priority,
        tiers: tiers_of(stream),
        labels: stream.labels.clone(),
        runbook_url: stream.runbook_url.clone(),
        input,
        only: None,
        detectors,
        tracks: parts.tracks,
    }
}

fn sender(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) -> Option<IpAddr> {
    let address = stream.source.as_deref()?.parse().ok();
    if address.is_none() {
        building.invalid(&path.key("source"), "must be an IP address");
    }
    address
}

fn address_of(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) -> Option<Address> {
    let url_path = path.key("url");
    let Some(url) = &stream.url else {
        building.missing(&url_path);
        return None;
    };
    let address = address::parse(&url.0).map_err(|error| error.to_string()).and_then(|address| match &address {
        Address::Synthetic(recipe) => match recipe.parse::<Recipe>() {
            Ok(_) => Ok(address),
            Err(error) => Err(error.to_string()),
        },
        Address::Stdin => Err("standard input is for 'avwatch check' only".to_owned()),
        Address::File(_) | Address::Url(_) => Ok(address),
    });
    match address {
        Ok(address) => {
            warn_of_idle_keys(building, stream, &address, path);
            Some(address)
        }
        Err(why) => {
            building.invalid(&url_path, why);
            None
        }
    }
}

/// Tells what is wrong with the options in the query of the address, and which of them has no effect.
pub(super) fn check_options(building: &mut Building<'_>, stream: &StreamPlan) {
    let Address::Url(url) = &stream.input.address else { return };
    let path = KeyPath::of(&["streams", &stream.name, "url"]);
    if let Err(error) = transport_options::check(url.expose(), &stream.input.transport) {
        building.invalid(&path, error.to_string());
    }
    if let Some(idle) = transport_options::idle(url.expose()) {
        building.warn(&path, idle.to_string());
    }
}

/// The tier as written, and how far load may lower it.
fn tiers_of(stream: &StreamSettings) -> TierRange {
    let configured = tier_of(stream.tier);
    let cheapest = tier_of(stream.tier_min).max(configured);
    TierRange { configured, cheapest, triage: stream.tier == Tier::Triage }
}

fn tier_of(tier: Tier) -> avwatch_actors::tier::Tier {
    use avwatch_actors::tier::Tier as Engine;
    match tier {
        Tier::Full => Engine::Full,
        Tier::Light => Engine::Light,
        Tier::Keyframes | Tier::Triage => Engine::Keyframes,
        Tier::Audio => Engine::Audio,
        Tier::Transport => Engine::Transport,
    }
}

fn check_tiers(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) {
    if stream.tier_min == Tier::Triage {
        building.invalid(&path.key("tier_min"), "must be what is really looked at: 'triage' is for 'tier'");
    }
    if tier_of(stream.tier_min) < tier_of(stream.tier) {
        building.invalid(&path.key("tier_min"), "must not be dearer than 'tier'");
    }
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
    let interface_fits = |name: &str| (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
    if !stream.interface.as_deref().is_none_or(interface_fits) {
        building.invalid(&path.key("interface"), "must have 1 to 64 bytes and no control characters");
    }
    if stream.tls_ca.as_deref() == Some(Path::new("")) {
        building.invalid(&path.key("tls_ca"), "is empty");
    }
}

fn check_secrets(building: &mut Building<'_>, stream: &StreamSettings, path: &KeyPath) {
    check_headers(building, &stream.http_headers, &path.key("http_headers"));
    let passphrase = stream.srt.passphrase.as_ref().map(|secret| secret.0.len());
    if passphrase.is_some_and(|bytes| !(10..=79).contains(&bytes)) {
        building.invalid(&path.key("srt").key("passphrase"), "must have 10 to 79 bytes");
    }
}

fn check_expect(building: &mut Building<'_>, expect: &Expect, path: &KeyPath) {
    let rate_fits = expect.frame_rate.is_none_or(|rate| rate > 0.0 && rate <= 1000.0);
    for (key, fits) in [
        ("width", expect.width != Some(0)),
        ("height", expect.height != Some(0)),
        ("frame_rate", rate_fits),
        ("codec", expect.codec.as_deref() != Some("")),
    ] {
        if !fits {
            building.invalid(&path.key(key), "cannot be expected of any stream");
        }
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

/// Tells of transport keys that the address has no use for.
fn warn_of_idle_keys(building: &mut Building<'_>, stream: &StreamSettings, address: &Address, path: &KeyPath) {
    let scheme = match address {
        Address::Url(url) => url.scheme(),
        Address::File(_) | Address::Stdin | Address::Synthetic(_) => "file",
    };
    // What is written as it would be anyway harms nobody: `config show` writes it all.
    let usual = StreamSettings::default();
    for (key, schemes, differs) in [
        ("interface", &["udp", "rtp"][..], stream.interface != usual.interface),
        ("source", &["udp", "rtp"], stream.source != usual.source),
        ("receive_buffer", &["udp", "rtp"], stream.receive_buffer != usual.receive_buffer),
        ("http_headers", &["http", "https"], stream.http_headers != usual.http_headers),
        ("user_agent", &["http", "https"], stream.user_agent != usual.user_agent),
        ("rtsp_transport", &["rtsp", "rtsps"], stream.rtsp_transport != usual.rtsp_transport),
        ("srt", &["srt"], stream.srt != usual.srt),
        ("tls_ca", &["https", "rtmps", "rtsps"], stream.tls_ca != usual.tls_ca),
    ] {
        if differs && !schemes.contains(&scheme) {
            building.warn(&path.key(key), format!("has no effect here, only on {}", schemes.join(", ")));
        }
    }
}
