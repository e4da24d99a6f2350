//! `[[streams]]` as written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::{AddressText, Secret};
use crate::config::settings::Detectors;
use crate::config::span::Span;
use crate::media::spec::{Deblocking, Expect, HeaderReach, RtspTransport, SrtMode, Variant};

/// One stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// Unique name, 1 to 128 letters, digits, '-', '_' and '.'.
    #[schemars(extend("examples" = ["lobby"]))]
    pub name: String,
    /// Title for people, at most 200 characters. Default: the name.
    #[schemars(extend("examples" = ["Lobby feed"]))]
    pub title: Option<String>,
    /// A file path, file:, synthetic:, or a udp, rtp, tcp, http, https, rtmp, rtmps, rtsp, rtsps or srt URL.
    /// ${env:NAME} and ${file:PATH} fetch secrets.
    #[schemars(extend("examples" = ["srt://203.0.113.7:9000"]))]
    pub url: Option<AddressText>,
    /// Whether people are notified.
    pub mode: Mode,
    /// Built-in profile (file, ott, broadcast-eu, broadcast-us, radio, static-ok, news-sport) or one of `[profiles]`.
    pub profile: String,
    /// How much of the stream is looked at.
    pub tier: Tier,
    /// The cheapest tier into which load may put it: "full" exempts it from shedding.
    pub tier_min: Tier,
    /// Who is shed last under load: 9 before 0.
    #[schemars(range(max = 9))]
    pub priority: u8,
    /// Service of a multi-programme stream. Default: the first one with pictures or sound.
    #[schemars(range(max = 65_535), extend("examples" = [1]))]
    pub program: Option<u32>,
    /// Variant of an HLS or DASH stream.
    pub variant: Variant,
    /// Multicast: name or address of the interface to join on.
    #[schemars(extend("examples" = ["eth1"]))]
    pub interface: Option<String>,
    /// Multicast: accept this sender's address only (SSM).
    #[schemars(extend("examples" = ["198.51.100.9"]))]
    pub source: Option<String>,
    /// User agent of HTTP requests. Default: avwatch and its version.
    #[schemars(extend("examples" = ["player/1.0"]))]
    pub user_agent: Option<String>,
    /// How RTSP carries its media.
    pub rtsp_transport: RtspTransport,
    /// File with PEM certificates to trust instead of the built-in roots.
    #[schemars(extend("examples" = ["/etc/avwatch/ca.pem"]))]
    pub tls_ca: Option<PathBuf>,
    /// Decoding threads of this stream.
    #[schemars(range(min = 1, max = 16))]
    pub decode_threads: u8,
    /// Which pictures of H.264 are smoothed at the edges of coded blocks before they are looked at: those that others refer
    /// to, and all while something looks like damage, or always all, which takes up to a tenth more CPU time. Of local files always all.
    pub deblocking: Deblocking,
    /// Receive buffer of UDP and RTP, in bytes. Default: 8 MiB.
    #[schemars(range(min = 65_536, max = 1_073_741_824), extend("examples" = [8_388_608]))]
    pub receive_buffer: Option<u32>,
    /// Page that tells people what to do, linked from events; http or https.
    #[schemars(extend("examples" = ["https://wiki.example/lobby"]))]
    pub runbook_url: Option<String>,
    /// Extra HTTP request headers, at most 32. Values are never shown.
    #[schemars(extend("examples" = [{"Authorization": "Bearer ${env:LOBBY_TOKEN}"}]))]
    pub http_headers: BTreeMap<String, Secret>,
    /// Who gets the extra headers.
    pub http_headers_to: HeaderReach,
    /// How SRT connects.
    pub srt: SrtSettings,
    /// What is known of the stream: contradictions are events, missing tracks are watched for.
    #[schemars(extend("examples" = [{"codec": "h264", "width": 1920, "height": 1080, "frame_rate": 25.0, "audio_tracks": 2, "video": true}]))]
    pub expect: Expect,
    /// When the stream is off the air.
    pub schedule: Schedule,
    /// Labels of its events, at most 32: names of letters, digits and '_', values of at most 256 characters.
    #[schemars(extend("examples" = [{"site": "north", "group": "contribution"}]))]
    pub labels: BTreeMap<String, String>,
    /// What is known of its tracks: "video:0", "audio:1", or "input" for the stream as a whole.
    pub tracks: BTreeMap<String, TrackSettings>,
    /// Settings of detectors on this stream.
    pub detectors: Detectors,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            title: None,
            url: None,
            mode: Mode::default(),
            profile: "ott".to_owned(),
            tier: Tier::default(),
            tier_min: Tier::Transport,
            priority: 5,
            program: None,
            variant: Variant::default(),
            interface: None,
            source: None,
            user_agent: None,
            rtsp_transport: RtspTransport::default(),
            tls_ca: None,
            decode_threads: 1,
            deblocking: Deblocking::default(),
            receive_buffer: None,
            runbook_url: None,
            http_headers: BTreeMap::new(),
            http_headers_to: HeaderReach::default(),
            srt: SrtSettings::default(),
            expect: Expect::default(),
            schedule: Schedule::default(),
            labels: BTreeMap::new(),
            tracks: BTreeMap::new(),
            detectors: Detectors::default(),
        }
    }
}

/// Whether people are notified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything is recorded and people are notified.
    #[default]
    Live,
    /// Everything is recorded, nobody is notified: for new streams, until their settings fit.
    Observe,
}

/// How much of a stream is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Every frame.
    #[default]
    Full,
    /// Pictures to which no other refers are left out.
    Light,
    /// Key frames and every sound: about a tenth of the cost of pictures.
    Keyframes,
    /// As keyframes, and every frame as soon as packets or key frames look suspicious, back to the last key frame.
    Triage,
    /// Sound only.
    Audio,
    /// Packets only; nothing is decoded.
    Transport,
}

/// `srt = { … }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SrtSettings {
    /// Who calls whom.
    pub mode: SrtMode,
    /// Receiver latency. Default: what the sender proposes.
    #[schemars(extend("x-minimum" = "20ms", "x-maximum" = "60s", "examples" = ["200ms"]))]
    pub latency: Option<Span>,
    /// Passphrase, 10 to 79 bytes. Never shown.
    #[schemars(extend("examples" = ["${file:/run/secrets/srt_passphrase}"]))]
    pub passphrase: Option<Secret>,
}

/// `schedule = { … }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Times without programme, as "HH:MM-HH:MM Area/City", daily or with days before it: "Mon-Fri ", "Sat,Sun ". A
    /// window over midnight belongs to the day on which it begins. Nothing is raised then; at most 64.
    #[schemars(extend("examples" = [["01:00-06:00 Europe/Vienna", "Sat,Sun 22:00-07:30 Europe/Vienna"]]))]
    pub off_air: Vec<String>,
}

/// `[streams.tracks."audio:1"]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackSettings {
    /// What the track is for; a track with a role is a secondary one, whose silence is info only.
    #[schemars(extend("examples" = ["descriptions"]))]
    pub role: Option<String>,
    /// Do not inspect the track at all.
    pub ignore: bool,
    /// Settings of detectors on this track.
    pub detectors: Detectors,
}
