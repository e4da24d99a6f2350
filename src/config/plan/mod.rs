//! The plan: the configuration resolved and checked, ready to be built by the assembly.
//!
//! Here the last checks happen, those that a type or a range cannot express. What is in a plan
//! needs no further question.

mod alarms;
mod changes;
mod detectors;
mod heartbeat;
mod incidents;
mod logs;
mod receivers;
mod server;
mod share;
mod stream;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::severity::Severity;

pub use alarms::AlarmPlan;
pub use changes::{PlanChanges, RefusedChange, changes};
pub use incidents::IncidentsPlan;
pub use server::{ServerPlan, TlsPlan};
pub use share::{Share, Subset, detectors_in_all};
pub use stream::StreamPlan;

use crate::cidr::Cidr;
use crate::config::error::{ConfigError, ConfigErrors, Problem};
use crate::config::origin::{KeyPath, Origins};
use crate::config::schema::Registry;
use crate::config::secret::Secret;
use crate::config::settings::{EvidenceFrom, LogFormat, LogLevel, Settings, StreamSettings};
use crate::journal::JournalKeep;
use crate::logs::LogInputPlan;
use crate::media::spec::Address;
use crate::notify::ReceiverPlan;
use crate::notify::heartbeat::HeartbeatPlan;

/// Most streams of one configuration.
const STREAMS_MAX: usize = 10_000;

/// The whole plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the service keeps its data.
    pub data_dir: DataDir,
    /// Name of this instance in events and metrics.
    pub node: Arc<str>,
    /// The HTTP server.
    pub server: ServerPlan,
    /// The service's own log.
    pub log: LogPlan,
    /// Private and multicast ranges that streams added by API may open.
    pub allow: Vec<Cidr>,
    /// How long events are kept.
    pub store: StorePlan,
    /// How much of the past of streams is kept.
    pub journal: JournalKeep,
    /// Clips and pictures of events.
    pub evidence: EvidencePlan,
    /// What becomes of events before anyone is told of them.
    pub alarms: AlarmPlan,
    /// What the service may spend.
    pub limits: LimitsPlan,
    /// Threads.
    pub runtime: RuntimePlan,
    /// What fails together.
    pub incidents: IncidentsPlan,
    /// What part of the configuration this clone takes; it is all that follows of logs and streams.
    pub share: Share,
    /// Who is told of events, by name.
    pub receivers: Vec<ReceiverPlan>,
    /// Who misses this service when it is gone.
    pub heartbeat: Option<HeartbeatPlan>,
    /// Logs of other programs, by name.
    pub logs: Vec<LogInputPlan>,
    /// The streams, by name.
    pub streams: Vec<StreamPlan>,
    /// True when nothing was configured and the demo runs.
    pub demo: bool,
}

/// Where the service keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataDir {
    /// A folder that stays.
    Fixed(PathBuf),
    /// A fresh temporary folder, removed at the end: for the demo.
    Temporary,
}

/// The service's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlan {
    /// Least important lines that are written.
    pub level: LogLevel,
    /// Folder for log files; standard output when absent.
    pub directory: Option<PathBuf>,
    /// Form of the lines on standard output; files are always JSON lines.
    pub format: LogFormat,
    /// Size at which a file is closed, in bytes.
    pub file_bytes_max: u64,
    /// Files that are kept.
    pub files_max: u32,
    /// How often latencies are written beside them; never when zero.
    pub latency_interval: Duration,
}

/// How long events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlan {
    /// Age at which ended events are removed, in days.
    pub retention_days: u32,
    /// Most event changes.
    pub rows_max: u64,
    /// Largest size on disk, in bytes.
    pub bytes_max: u64,
}

/// Clips and pictures of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidencePlan {
    /// Least severity of which evidence is kept; none when absent.
    pub from: Option<Severity>,
    /// Memory for packets of all streams, in bytes; a tenth of what the system grants when absent.
    pub memory: Option<u64>,
    /// How long each stream's packets are kept.
    pub ring: Duration,
    /// Largest size on disk, in bytes.
    pub bytes_max: u64,
}

/// What the service may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsPlan {
    /// Memory that the process may take, in bytes; what the system grants when absent.
    pub memory: Option<u64>,
    /// Latency above which streams are shed.
    pub latency_target: Duration,
    /// What a detector may take of one core on one track of a live stream, in per cent.
    pub detector_core_percent: u32,
    /// Streams opened per second, all together.
    pub opens_per_second: u32,
    /// Streams opened per second at one host.
    pub opens_per_second_per_host: u32,
}

/// Threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimePlan {
    /// Threads that run detectors.
    pub detector_arbiters: NonZeroUsize,
}

/// What the builders of the parts share: where keys were written, and what was found wrong so far.
pub(super) struct Building<'a> {
    pub(super) settings: &'a Settings,
    pub(super) origins: &'a Origins,
    pub(super) registry: Registry<'a>,
    pub(super) errors: &'a mut ConfigErrors,
    pub(super) warnings: Vec<ConfigError>,
}

impl Building<'_> {
    pub(super) fn invalid(&mut self, path: &KeyPath, why: impl Into<String>) {
        self.errors.push(self.origins.of(path), Problem::Invalid { path: path.clone(), why: why.into() });
    }

    pub(super) fn missing(&mut self, path: &KeyPath) {
        // A value that was refused is not missing.
        if !self.errors.concerns(path) {
            self.errors.push(self.origins.of(path), Problem::Missing { path: path.clone() });
        }
    }

    pub(super) fn warn(&mut self, path: &KeyPath, why: impl Into<String>) {
        let problem = Problem::Invalid { path: path.clone(), why: why.into() };
        self.warnings.push(ConfigError { origin: self.origins.of(path), problem });
    }
}

/// Resolves settings into a plan. The plan counts only when no error was added.
pub(in crate::config) fn build(
    settings: &Settings,
    origins: &Origins,
    registry: Registry<'_>,
    demo: bool,
    errors: &mut ConfigErrors,
) -> (Plan, Vec<ConfigError>) {
    let mut building = Building { settings, origins, registry, errors, warnings: Vec::new() };
    if settings.streams.len() > STREAMS_MAX {
        building.invalid(&KeyPath::of(&["streams"]), format!("more than {STREAMS_MAX} streams"));
    }
    let profiles = detectors::Profiles::build(&mut building);
    let mut streams = Vec::new();
    for (name, stream) in &settings.streams {
        let Some(stream) = stream::build(&mut building, &profiles, name, stream) else { continue };
        stream::check_options(&mut building, &stream);
        streams.push(stream);
    }
    let mut share = share::build(&mut building);
    let streams = share.divide(streams);
    let plan = Plan {
        data_dir: data_dir(&mut building, demo),
        node: node(&mut building),
        server: server::build(&mut building),
        log: LogPlan {
            level: settings.log.level,
            directory: settings.log.directory.clone(),
            format: settings.log.format,
            file_bytes_max: settings.log.file_bytes_max,
            files_max: settings.log.files_max,
            latency_interval: settings.log.latency_interval.0,
        },
        allow: allow(&mut building),
        store: StorePlan {
            retention_days: settings.store.retention_days,
            rows_max: settings.store.rows_max,
            bytes_max: settings.store.bytes_max,
        },
        journal: JournalKeep {
            seconds_hours: settings.journal.seconds_hours,
            minutes_days: settings.journal.minutes_days,
            bytes_max: settings.journal.bytes_max,
        },
        evidence: EvidencePlan {
            from: match settings.evidence.from {
                EvidenceFrom::Warning => Some(Severity::Warning),
                EvidenceFrom::Minor => Some(Severity::Minor),
                EvidenceFrom::Major => Some(Severity::Major),
                EvidenceFrom::Critical => Some(Severity::Critical),
                EvidenceFrom::Off => None,
            },
            memory: settings.evidence.memory,
            ring: Duration::from_secs(u64::from(settings.evidence.ring_seconds)),
            bytes_max: settings.evidence.bytes_max,
        },
        alarms: alarms::build(&mut building),
        limits: LimitsPlan {
            memory: settings.limits.memory,
            latency_target: settings.limits.latency_target.0,
            detector_core_percent: settings.limits.detector_core_percent,
            opens_per_second: settings.limits.opens_per_second,
            opens_per_second_per_host: settings.limits.opens_per_second_per_host,
        },
        runtime: RuntimePlan { detector_arbiters: detector_arbiters(settings) },
        incidents: incidents::build(&mut building),
        receivers: receivers::build(&mut building),
        heartbeat: heartbeat::build(&mut building),
        logs: share.of_logs(logs::build(&mut building)),
        streams,
        share,
        demo,
    };
    (plan, building.warnings)
}

/// A profile that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile; {hint}")]
pub struct UnknownProfile {
    /// The one that was probably meant, or all there are.
    pub hint: String,
}

/// The plan of one input that no configuration names. The settings have made a plan before.
pub(in crate::config) fn input(
    settings: &Settings,
    origins: &Origins,
    registry: Registry<'_>,
    name: &str,
    address: Address,
    profile: &str,
) -> Result<StreamPlan, UnknownProfile> {
    let mut errors = ConfigErrors::default();
    let mut building = Building { settings, origins, registry, errors: &mut errors, warnings: Vec::new() };
    let profiles = detectors::Profiles::build(&mut building);
    let chosen = profiles.get(settings, profile)?;
    let stream = StreamSettings::default();
    let plan = stream::assemble(name, &stream, address, chosen, stream::Parts::default());
    debug_assert!(errors.is_empty(), "what made a plan once has no errors");
    Ok(plan)
}

/// The plan of a stream that comes over the API; what is wrong goes to `errors`.
pub(in crate::config) fn stream_of_api(
    settings: &Settings,
    registry: Registry<'_>,
    name: &str,
    stream: &StreamSettings,
    origins: &Origins,
    errors: &mut ConfigErrors,
) -> Option<StreamPlan> {
    let mut building = Building { settings, origins, registry, errors, warnings: Vec::new() };
    let profiles = detectors::Profiles::build(&mut building);
    let plan = stream::build(&mut building, &profiles, name, stream)?;
    Some(share::build(&mut building).restrict(plan))
}

fn data_dir(building: &mut Building<'_>, demo: bool) -> DataDir {
    let path = KeyPath::of(&["data_dir"]);
    if demo && !building.origins.contains(&path) {
        return DataDir::Temporary;
    }
    if building.settings.data_dir.as_os_str().is_empty() {
        building.invalid(&path, "is empty");
    }
    DataDir::Fixed(building.settings.data_dir.clone())
}

fn node(building: &mut Building<'_>) -> Arc<str> {
    let Some(name) = &building.settings.node else {
        return host_name().into();
    };
    if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        building.invalid(&KeyPath::of(&["node"]), "must have 1 to 255 bytes and no control characters");
    }
    name.as_str().into()
}

/// The name of this host, as the kernel or the environment knows it.
fn host_name() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

fn allow(building: &mut Building<'_>) -> Vec<Cidr> {
    let path = KeyPath::of(&["sources", "allow"]);
    let mut ranges = Vec::new();
    for (index, text) in building.settings.sources.allow.iter().enumerate() {
        match text.parse() {
            Ok(range) => ranges.push(range),
            Err(error) => building.invalid(&path.index(index), format!("{error}")),
        }
    }
    ranges
}

fn detector_arbiters(settings: &Settings) -> NonZeroUsize {
    let written = settings.runtime.detector_arbiters.and_then(|count| NonZeroUsize::new(count as usize));
    written.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Names of streams and profiles end up in events, metrics and addresses.
pub(super) fn check_name(building: &mut Building<'_>, name: &str, path: &KeyPath, what: &str) {
    /// Longest name, in bytes.
    const NAME_BYTES_MAX: usize = 128;
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    // Of an address a part of dots alone is a way up.
    let is_way = matches!(name, "." | "..");
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !fits || is_way {
        let why = format!(
            "a {what}'s name has 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.', and is not '.' or '..'"
        );
        building.invalid(path, why);
    }
}

/// What is wrong with a table of HTTP headers, by header.
pub(super) fn check_headers(building: &mut Building<'_>, headers: &BTreeMap<String, Secret>, path: &KeyPath) {
    /// Most extra HTTP headers of one table.
    const HEADERS_MAX: usize = 32;
    if headers.len() > HEADERS_MAX {
        building.invalid(path, format!("more than {HEADERS_MAX} headers"));
    }
    for (name, value) in headers {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            building.invalid(&path.key(name), "is no name of an HTTP header");
        }
        if value.0.chars().any(char::is_control) || value.0.len() > 8192 {
            building.invalid(&path.key(name), "the value must have at most 8192 bytes and no control characters");
        }
    }
}

/// What is wrong with a table of labels, by label.
pub(super) fn check_labels(building: &mut Building<'_>, labels: &BTreeMap<String, String>, path: &KeyPath) {
    /// Most labels of one stream.
    const LABELS_MAX: usize = 32;
    /// Names that events give themselves.
    const TAKEN: [&str; 5] = ["stream", "track", "detector", "severity", "alertname"];
    if labels.len() > LABELS_MAX {
        building.invalid(path, format!("more than {LABELS_MAX} labels"));
    }
    for (name, value) in labels {
        let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name.len() <= 64;
        if !starts || !fits {
            building.invalid(&path.key(name), "a label's name has at most 64 letters, digits and '_', no digit first");
        } else if TAKEN.contains(&name.as_str()) {
            building.invalid(&path.key(name), "the name is taken by every event's own label");
        }
        if value.chars().count() > 256 || value.chars().any(char::is_control) {
            building.invalid(
                &path.key(name),
                "a label's value has at most 256 characters, none of them control characters",
            );
        }
    }
}
