//! Settings: the configuration as written, after merging. They go no further than the plan.
//!
//! The structs are the one source of the keys: the JSON Schema, the typing of environment values,
//! the check for unknown keys and `config/default.toml` are all made from them.

mod alarms;
mod detector;
mod heartbeat;
mod incidents;
mod log_input;
mod receiver;
mod share;
mod stream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use alarms::AlarmSettings;
pub(crate) use detector::DetectorTable;
pub use detector::Detectors;
pub use heartbeat::HeartbeatMethod;
use heartbeat::HeartbeatSettings;
pub(crate) use incidents::IncidentsSettings;
pub(crate) use log_input::{LogDetector, LogInputSettings, LogLineFormat, LogMeasure, LogRuleSettings};
pub(crate) use receiver::ReceiverSettings;
pub(crate) use receiver::{EmailSettings, ExecSettings, LeastSeverity, Recovery, SnmpSettings};
pub use receiver::{MailSecurity, SeverityPlace};
pub(crate) use share::CloneSettings;
pub(crate) use stream::Tier;
pub use stream::{Mode, StreamSettings};

use crate::access::Role;
use crate::config::secret::Secret;
use crate::config::span::Span;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder for the event store, thumbnails and evidence. Changes need a restart.
    pub data_dir: PathBuf,
    /// Name of this instance in events and metrics. Default: the name of the host.
    #[schemars(extend("examples" = ["monitor-1"]))]
    pub node: Option<String>,
    /// What part this instance takes where several clones share one configuration. See docs/clones.md.
    pub clone: CloneSettings,
    /// The HTTP server: API, dashboard and metrics. Changes need a restart.
    pub server: ServerSettings,
    /// What the service writes about its own work.
    pub log: LogSettings,
    /// Which addresses may be opened.
    pub sources: SourcesSettings,
    /// How long events are kept. Whichever bound is reached first removes the oldest.
    pub store: StoreSettings,
    /// What every stream showed, second by second: for strips and curves of the past.
    pub journal: JournalSettings,
    /// Clips and pictures of what an event is about.
    pub evidence: EvidenceSettings,
    /// What becomes of events before anyone is told of them.
    pub alarms: AlarmSettings,
    /// What the service may spend.
    pub limits: LimitsSettings,
    /// Threads.
    pub runtime: RuntimeSettings,
    /// What fails together: when failures are taken for one. Changes take effect at the next start.
    pub incidents: IncidentsSettings,
    /// Settings of detectors for all streams.
    pub detectors: Detectors,
    /// Profiles of your own: sets of detector settings that streams choose by name.
    pub profiles: BTreeMap<String, ProfileSettings>,
    /// Who misses this service when it is gone.
    pub heartbeat: HeartbeatSettings,
    /// Who is told of events, by name.
    pub receivers: BTreeMap<String, ReceiverSettings>,
    /// Logs of other programs whose faults are events of streams. In files one `[[logs]]` each; layers merge by name.
    pub logs: BTreeMap<String, LogInputSettings>,
    /// What to watch. In files one `[[streams]]` each; layers merge by name.
    pub streams: BTreeMap<String, StreamSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/avwatch"),
            node: None,
            clone: CloneSettings::default(),
            server: ServerSettings::default(),
            log: LogSettings::default(),
            sources: SourcesSettings::default(),
            store: StoreSettings::default(),
            journal: JournalSettings::default(),
            evidence: EvidenceSettings::default(),
            alarms: AlarmSettings::default(),
            limits: LimitsSettings::default(),
            runtime: RuntimeSettings::default(),
            incidents: IncidentsSettings::default(),
            detectors: Detectors::default(),
            profiles: BTreeMap::new(),
            heartbeat: HeartbeatSettings::default(),
            receivers: BTreeMap::new(),
            logs: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }
}

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port to listen on, as IP:PORT or localhost:PORT; "off" for no server. Beyond loopback a token
    /// is needed, or the start is refused.
    pub listen: String,
    /// Further names under which the service may be asked for; requests for other hosts are refused.
    #[schemars(extend("examples" = [["monitor.example"]]))]
    pub hosts: Vec<String>,
    /// Address under which people reach this service, for links in notifications. Default: where it listens.
    #[schemars(extend("examples" = ["https://monitor.example"]))]
    pub external_url: Option<String>,
    /// File with the PEM certificate chain for HTTPS. A changed file is taken over by itself.
    #[schemars(extend("examples" = ["/etc/avwatch/tls.pem"]))]
    pub tls_certificate: Option<PathBuf>,
    /// File with the PEM private key that belongs to the certificate.
    #[schemars(extend("examples" = ["/etc/avwatch/tls.key"]))]
    pub tls_key: Option<PathBuf>,
    /// Header in which a trusted proxy names the user, who then stands in acknowledgements. It allows nothing.
    #[schemars(extend("examples" = ["X-Remote-User"]))]
    pub user_header: Option<String>,
    /// Addresses of the proxies that may name the user, in CIDR notation.
    #[schemars(extend("examples" = [["127.0.0.1/32"]]))]
    pub trusted_proxies: Vec<String>,
    /// Requests a second that one address may make, in the long run; twice as many at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_second: u32,
    /// Tokens by name: who may ask. With any token set, nobody is asked in without one, on loopback neither. A token
    /// has either its text or its hash.
    pub tokens: BTreeMap<String, TokenSettings>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            hosts: Vec::new(),
            external_url: None,
            tls_certificate: None,
            tls_key: None,
            user_header: None,
            trusted_proxies: Vec::new(),
            requests_per_second: 500,
            tokens: BTreeMap::new(),
        }
    }
}

/// `[server.tokens.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// What it allows: viewer reads; operator also acts on events and silences; admin changes everything.
    #[schemars(extend("examples" = ["viewer"]))]
    pub role: Role,
    /// The token itself, at least 16 bytes, 256 bits of chance at best. Never shown.
    #[schemars(extend("examples" = ["${file:/run/secrets/avwatch_token}"]))]
    pub token: Option<Secret>,
    /// Or its hash, as 'avwatch token new' prints it.
    #[schemars(extend("examples" = ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]))]
    pub hash: Option<String>,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Least important lines that are written.
    pub level: LogLevel,
    /// Folder for log files. When absent, lines go to standard output.
    #[schemars(extend("examples" = ["/var/log/avwatch"]))]
    pub directory: Option<PathBuf>,
    /// Form of the lines on standard output. Files always hold JSON lines, which `avwatch logs` reads.
    pub format: LogFormat,
    /// Size at which a log file is closed and the next one begun, in bytes.
    #[schemars(range(min = 65_536, max = 1_073_741_824))]
    pub file_bytes_max: u64,
    /// Number of log files that are kept.
    #[schemars(range(min = 1, max = 1000))]
    pub files_max: u32,
    /// How often the latencies of the stages are written beside the log files, as HdrHistogram interval logs
    /// (latency-*.hlog, of the same size and number); "0s" writes none. Changes need a restart.
    #[schemars(extend("x-minimum" = "0s", "x-maximum" = "1h"))]
    pub latency_interval: Span,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            directory: None,
            format: LogFormat::Auto,
            file_bytes_max: 64 * 1024 * 1024,
            files_max: 10,
            latency_interval: Span(Duration::from_secs(60)),
        }
    }
}

/// Importance of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every frame: for hunting one fault on one stream.
    Trace,
    /// Steps of the work: for finding out why something is as it is.
    Debug,
    /// What an operator wants to read afterwards.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// Every one, the most talkative first.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// What passes at this level.
    pub const fn filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text when standard output is a terminal, JSON lines when it is not.
    #[default]
    Auto,
    /// One JSON object a line: for log collectors.
    Json,
    /// For people.
    Text,
}

/// `[sources]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourcesSettings {
    /// Private and multicast ranges, in CIDR notation, that streams added by API may open.
    #[schemars(extend("examples" = [["10.0.0.0/8", "239.0.0.0/8"]]))]
    pub allow: Vec<String>,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Age at which ended events are removed, in days.
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: u32,
    /// Most event changes that are kept.
    #[schemars(range(min = 1000, max = 1_000_000_000))]
    pub rows_max: u64,
    /// Largest size of the store on disk, in bytes.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_i64))]
    pub bytes_max: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { retention_days: 90, rows_max: 10_000_000, bytes_max: 4 * 1024 * 1024 * 1024 }
    }
}

/// `[journal]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JournalSettings {
    /// How long every second is kept, in hours.
    #[schemars(range(min = 1, max = 720))]
    pub seconds_hours: u32,
    /// How long every minute is kept, in days.
    #[schemars(range(min = 1, max = 3650))]
    pub minutes_days: u32,
    /// Largest size of the journal on disk, in bytes; the oldest seconds go first. A stream of pictures and stereo
    /// sound takes about 2.5 MB a day.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_i64))]
    pub bytes_max: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { seconds_hours: 24, minutes_days: 30, bytes_max: 2 * 1024 * 1024 * 1024 }
    }
}

/// `[evidence]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSettings {
    /// Least severity of which evidence is kept; "off" keeps none.
    pub from: EvidenceFrom,
    /// Memory for the last compressed packets of all streams together, in bytes. Streams of a low priority keep
    /// less when it does not suffice for all. Default: a tenth of the memory that the system grants.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_i64), extend("examples" = [1_073_741_824_u64]))]
    pub memory: Option<u64>,
    /// How many seconds of packets each stream keeps. A clip reaches from 15 s before an event to 15 s after it
    /// began, as far as that was kept until the event was raised.
    #[schemars(range(min = 5, max = 120))]
    pub ring_seconds: u32,
    /// Largest size of all evidence on disk, in bytes; the oldest goes first.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_i64))]
    pub bytes_max: u64,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { from: EvidenceFrom::Warning, memory: None, ring_seconds: 30, bytes_max: 4 * 1024 * 1024 * 1024 }
    }
}

/// Of which events evidence is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceFrom {
    /// Of every one that may concern viewers: the default.
    #[default]
    Warning,
    /// Where warnings are many.
    Minor,
    /// Where only what is paged matters.
    Major,
    /// Of the worst only.
    Critical,
    /// Of none: where nothing of the programmes may be kept.
    Off,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// Memory that the process may take, in bytes. From 80 % on no further stream is opened, from 90 % on decoders are
    /// closed. Default: what the system grants its control group, or has available at start.
    #[schemars(range(min = 67_108_864, max = 17_592_186_044_416_i64), extend("examples" = [2_147_483_648_u64]))]
    pub memory: Option<u64>,
    /// Time from the arrival of a frame to its verdict, of 99 in 100, above which streams are shed.
    #[schemars(extend("x-minimum" = "50ms", "x-maximum" = "60s"))]
    pub latency_target: Span,
    /// What a detector may take of one core on one track of a live stream, in per cent, over 5 s. Beyond it it rests,
    /// and is disabled there when that goes on for a minute.
    #[schemars(range(min = 1, max = 100))]
    pub detector_core_percent: u32,
    /// Streams opened per second, all together.
    #[schemars(range(min = 1, max = 1000))]
    pub opens_per_second: u32,
    /// Streams opened per second at one host.
    #[schemars(range(min = 1, max = 1000))]
    pub opens_per_second_per_host: u32,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            memory: None,
            latency_target: Span(Duration::from_secs(1)),
            detector_core_percent: 25,
            opens_per_second: 20,
            opens_per_second_per_host: 4,
        }
    }
}

/// `[runtime]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeSettings {
    /// Threads that run detectors. Default: the number of cores.
    #[schemars(range(min = 1, max = 256), extend("examples" = [4]))]
    pub detector_arbiters: Option<u32>,
}

/// `[profiles.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileSettings {
    /// Built-in profile, or other profile of your own, whose settings hold unless written here.
    pub inherits: String,
    /// Settings of detectors in this profile.
    pub detectors: Detectors,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self { inherits: "ott".to_owned(), detectors: Detectors::default() }
    }
}
