//! What to open and how: everything that the media side needs to know of one input.
//!
//! Made from a stream's plan or from a `check` argument; validated there, trusted here.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use avwatch_actors::source::SourceLimits;
use avwatch_actors::track::TrackId;

use crate::measure::MeasurePlan;
use crate::media::bytes::Reach;
use crate::media::transport_options::srt_listens;
use crate::secret_url::SecretUrl;

/// Where an input comes from.
#[derive(Clone, PartialEq)]
pub enum Address {
    /// A regular file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Pictures and sound made in this process; the text after `synthetic:`.
    Synthetic(String),
    /// The network.
    Url(SecretUrl),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Synthetic(recipe) => write!(f, "synthetic:{recipe}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Which demuxers and decoders may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhiteList {
    /// What live streams are made of. For everything that comes from a network.
    #[default]
    Live,
    /// Also what finished files are made of: ProRes, DNxHD, FLAC, MXF, WAV. For local files.
    Wide,
}

/// How SRT connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SrtMode {
    /// We call the sender.
    #[default]
    Caller,
    /// The sender calls us; the socket stays open across a silent source.
    Listener,
    /// Both call.
    Rendezvous,
}

/// How RTSP carries its media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RtspTransport {
    /// In the control connection: passes every firewall, loses nothing silently.
    #[default]
    Tcp,
    /// In datagrams: lower latency, losses show as damage.
    Udp,
}

/// Who gets the extra headers of HTTP requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeaderReach {
    /// The server of the configured address alone: the same scheme, host and port. Headers may be secrets, and
    /// playlists and redirects may lead anywhere.
    #[default]
    Server,
    /// Every server that playlists and redirects lead to: where segments lie on a CDN that asks for the same headers.
    Everywhere,
}

/// Typed transport options. There is no pass-through of raw options.
#[derive(Clone, Default, PartialEq)]
pub struct Transport {
    /// Extra HTTP request headers.
    pub http_headers: Vec<(String, String)>,
    /// Who gets them.
    pub http_headers_to: HeaderReach,
    /// HTTP user agent; `avwatch/VERSION` when absent.
    pub user_agent: Option<String>,
    /// RTSP.
    pub rtsp_transport: RtspTransport,
    /// SRT connection mode.
    pub srt_mode: SrtMode,
    /// SRT receiver latency.
    pub srt_latency: Option<Duration>,
    /// SRT passphrase, 10 to 79 bytes.
    pub srt_passphrase: Option<String>,
    /// File with PEM certificates to trust instead of the built-in roots.
    pub tls_ca: Option<PathBuf>,
    /// Multicast: name or address of the interface to join on.
    pub interface: Option<String>,
    /// Multicast: accept this sender only (SSM).
    pub source: Option<IpAddr>,
    /// UDP receive buffer in bytes; 8 MiB when absent.
    pub receive_buffer: Option<usize>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values and the passphrase are secrets: a spec may end up in a log line.
        let header_names: Vec<&str> = self.http_headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Transport")
            .field("http_headers", &header_names)
            .field("http_headers_to", &self.http_headers_to)
            .field("user_agent", &self.user_agent)
            .field("rtsp_transport", &self.rtsp_transport)
            .field("srt_mode", &self.srt_mode)
            .field("srt_latency", &self.srt_latency)
            .field("srt_passphrase", &self.srt_passphrase.as_ref().map(|_| "***"))
            .field("tls_ca", &self.tls_ca)
            .field("interface", &self.interface)
            .field("source", &self.source)
            .field("receive_buffer", &self.receive_buffer)
            .finish()
    }
}

impl Transport {
    /// The interface as an IPv4 address, when it is written as one.
    pub fn interface_v4(&self) -> Option<Ipv4Addr> {
        self.interface.as_deref().and_then(|name| name.parse().ok())
    }
}

/// Which variant of HLS or DASH to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The one of the highest bandwidth: what most viewers on good lines see.
    #[default]
    Highest,
    /// The one of the lowest bandwidth: cheapest to decode.
    Lowest,
    /// Every one; each costs a full decoding.
    All,
}

/// Which pictures of H.264 are filtered. Pictures of other codecs always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deblocking {
    /// Those that others refer to, and all of them while something looks like damage: nearly the same events for less
    /// CPU time. Damage that shows in single pictures alone, and that neither decoder nor transport reports, may be missed.
    #[default]
    References,
    /// Every one, as viewers' decoders do: for few streams of which every picture counts.
    All,
}

/// What of the input to inspect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Service of a multi-programme stream; the first one with pictures or sound when absent.
    pub program: Option<u32>,
    /// Variant of an adaptive stream.
    pub variant: Variant,
}

/// What the operator knows of the stream; contradictions are events, missing tracks are watched for.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Video codec in FFmpeg's words, such as `h264`.
    pub codec: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Pictures a second.
    pub frame_rate: Option<f64>,
    /// Number of audio tracks.
    pub audio_tracks: Option<u32>,
    /// Whether there is a video track.
    pub video: Option<bool>,
    /// Scrambled content is normal here.
    pub scrambled: Option<bool>,
}

/// What the operator says of one track.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackRole {
    /// What it is for, such as `descriptions`; a track with a role is a secondary one.
    pub role: Option<String>,
    /// Do not inspect it at all.
    pub ignore: bool,
}

/// Bounds on what an input may make us spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// Bytes read while probing: 2 MiB.
    pub probe_bytes: u64,
    /// Media time analysed while probing: 5 s.
    pub analyze: Duration,
    /// Elementary streams: 32 live, 64 in files.
    pub streams: u32,
    /// Pixels of one picture: 4096 × 2304 live; 8192 × 4320 in files.
    pub pixels: u64,
    /// Samples of one audio packet per channel: 192,000 (4 s at 48 kHz).
    pub samples: u32,
}

impl SizeLimits {
    /// The limits that belong to a white list.
    pub const fn of(list: WhiteList) -> Self {
        match list {
            WhiteList::Live => Self {
                probe_bytes: 2 << 20,
                analyze: Duration::from_secs(5),
                streams: 32,
                pixels: 4096 * 2304,
                samples: 192_000,
            },
            WhiteList::Wide => Self {
                probe_bytes: 8 << 20,
                analyze: Duration::from_secs(10),
                streams: 64,
                pixels: 8192 * 4320,
                samples: 1_920_000,
            },
        }
    }
}

/// Everything about one input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// The stream's name.
    pub name: Arc<str>,
    /// Where it comes from.
    pub address: Address,
    /// How to get it.
    pub transport: Transport,
    /// Which addresses may be reached for it.
    pub reach: Reach,
    /// What of it to look at.
    pub selection: Selection,
    /// What is known of it.
    pub expect: Expect,
    /// What is known of its tracks.
    pub tracks: BTreeMap<TrackId, TrackRole>,
    /// What to measure.
    pub measure: MeasurePlan,
    /// Which demuxers and decoders may be used.
    pub list: WhiteList,
    /// Bounds.
    pub size: SizeLimits,
    /// Time limits.
    pub limits: SourceLimits,
    /// Decoding threads; 1 unless a person asks for more.
    pub decode_threads: u8,
    /// Which pictures are filtered: all of local files.
    pub deblocking: Deblocking,
}

impl InputSpec {
    /// An input with everything at its defaults for the kind of address.
    pub fn new(name: &str, address: Address, measure: MeasurePlan) -> Self {
        let list = match &address {
            Address::File(_) | Address::Stdin | Address::Synthetic(_) => WhiteList::Wide,
            Address::Url(_) => WhiteList::Live,
        };
        let deblocking = if list == WhiteList::Wide { Deblocking::All } else { Deblocking::References };
        let limits = limits_of(&address, SrtMode::Caller);
        Self {
            name: name.into(),
            address,
            transport: Transport::default(),
            reach: Reach::Trusted,
            selection: Selection::default(),
            expect: Expect::default(),
            tracks: BTreeMap::new(),
            measure,
            list,
            size: SizeLimits::of(list),
            limits,
            decode_threads: 1,
            deblocking,
        }
    }
}

/// The default patience with an address: by scheme, because gaps between HLS bursts are normal.
pub fn limits_of(address: &Address, srt_mode: SrtMode) -> SourceLimits {
    let seconds = Duration::from_secs;
    let Address::Url(url) = address else { return SourceLimits::default() };
    match url.scheme() {
        "http" | "https" => SourceLimits { stall: seconds(15), ..SourceLimits::default() },
        "udp" | "rtp" => SourceLimits { cut_when_silent: false, ..SourceLimits::default() },
        "srt" if srt_listens(url.expose(), srt_mode) => {
            SourceLimits { cut_when_silent: false, ..SourceLimits::default() }
        }
        _ => SourceLimits::default(),
    }
}
