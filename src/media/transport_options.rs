//! Options of FFmpeg's own protocols: one table, with units in types.
//!
//! The same word means different units from protocol to protocol (FFmpeg 5 to 9): `timeout` is in
//! microseconds for RTSP and SRT, in seconds for RTMP, where it also means *listen* and so is never
//! set; SRT's `connect_timeout` is in milliseconds. Options of an address's query are read here and
//! never passed on as they are.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::media::spec::{InputSpec, RtspTransport, SrtMode, Transport};

/// The schemes that an input may have.
pub(in crate::media) const SCHEMES: [&str; 11] =
    ["http", "https", "udp", "rtp", "tcp", "srt", "rtmp", "rtmps", "rtsp", "rtsps", "file"];

/// The one option in the query of an address of UDP or RTP.
const LOCAL_ADDRESS: &str = "localaddr";

/// A span in microseconds.
struct Micros(Duration);

/// A span in milliseconds.
struct Millis(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_micros())
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_millis())
    }
}

/// How FFmpeg opens an address by itself.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::media) struct ForeignInput {
    /// The address for FFmpeg; may hold secrets.
    pub(in crate::media) address: String,
    /// The protocols that it may use.
    pub(in crate::media) protocols: &'static str,
    /// The demuxer, where it must not be guessed.
    pub(in crate::media) format: Option<&'static str>,
    /// The protocol's and demuxer's options.
    pub(in crate::media) options: Vec<(&'static str, String)>,
}

/// What is wrong with the options in the query of an address. Never repeats a value, which may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OptionError {
    /// There is none of this name.
    #[error("the address has an option '{name}' that is not supported; {known}")]
    Unknown {
        /// The name, fit to be printed.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// It has a value that it cannot have.
    #[error("the option '{name}' of the address must be {expected}")]
    Value {
        /// The name.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// What follows a `#` is no part of the address for anybody: a stream's id that begins so would be lost.
    #[error("the address has a '#', and what follows it would be left out; write %23 where '#' is meant")]
    Fragment,
}

impl OptionError {
    /// Letters of a name that are repeated, at most.
    const NAME_LETTERS_MAX: usize = 40;

    fn unknown(name: &str, known: &'static str) -> Self {
        let name = name.chars().take(Self::NAME_LETTERS_MAX).flat_map(char::escape_debug).collect();
        Self::Unknown { name, known }
    }
}

/// Judges the options in the query of an input's address before anyone connects. Those of RTSP, RTMP and HTTP are the
/// server's.
///
/// # Errors
/// One of them is unknown or wrong, or something of the address would be lost.
pub(crate) fn check(url: &Url, transport: &Transport) -> Result<(), OptionError> {
    match url.scheme() {
        "srt" => SrtOptions::of(url, transport).map(|_| ()),
        "udp" | "rtp" => datagrams(url, transport).and_then(|_| whole(url)),
        "tcp" => whole(url),
        _ => Ok(()),
    }
}

/// Refuses what would be lost of an address of which we take host, port and query ourselves.
fn whole(url: &Url) -> Result<(), OptionError> {
    if url.fragment().is_some() { Err(OptionError::Fragment) } else { Ok(()) }
}

/// Whether an SRT socket listens, by the configuration and the query of the address, which goes before it.
pub(in crate::media) fn srt_listens(url: &Url, configured: SrtMode) -> bool {
    match url.query_pairs().filter(|(key, _)| key == "mode").last() {
        Some((_, mode)) => mode == "listener",
        None => configured == SrtMode::Listener,
    }
}

/// The first option in the query of an input's address that is heeded by nobody: such addresses are written for FFmpeg, which
/// knows many more.
pub(crate) fn idle(url: &Url) -> Option<OptionError> {
    let (heeded, known) = match url.scheme() {
        "udp" | "rtp" => (LOCAL_ADDRESS, "use localaddr, or the keys interface, source and receive_buffer"),
        "tcp" => ("", "an address of tcp has none"),
        _ => return None,
    };
    let (key, _) = url.query_pairs().find(|(key, _)| key != heeded)?;
    Some(OptionError::unknown(&key, known))
}

/// How to receive datagrams, by the configuration and the query of the address.
pub(in crate::media) fn datagrams(url: &Url, transport: &Transport) -> Result<Transport, OptionError> {
    let mut wanted = transport.clone();
    for (_, value) in url.query_pairs().filter(|(key, _)| key == LOCAL_ADDRESS) {
        if !(1..=64).contains(&value.len()) || value.chars().any(char::is_control) {
            return Err(OptionError::Value { name: LOCAL_ADDRESS, expected: "the name or address of an interface" });
        }
        wanted.interface = wanted.interface.or(Some(value.into_owned()));
    }
    Ok(wanted)
}

/// The options of an SRT address, those of the configuration among them.
struct SrtOptions {
    mode: &'static str,
    latency: Option<Duration>,
    passphrase: Option<String>,
    /// What FFmpeg gets as it was written.
    others: Vec<(&'static str, String)>,
}

impl SrtOptions {
    fn of(url: &Url, transport: &Transport) -> Result<Self, OptionError> {
        const KNOWN: &str = "use mode, latency, rcvlatency, passphrase, pbkeylen, streamid, transtype or pkt_size";
        const MODES: [&str; 3] = ["caller", "listener", "rendezvous"];
        let wrong = |name, expected| Err(OptionError::Value { name, expected });
        whole(url)?;
        let mode = match transport.srt_mode {
            SrtMode::Caller => MODES[0],
            SrtMode::Listener => MODES[1],
            SrtMode::Rendezvous => MODES[2],
        };
        let passphrase = transport.srt_passphrase.clone();
        let mut options = Self { mode, latency: transport.srt_latency, passphrase, others: Vec::new() };
        for (key, value) in url.query_pairs() {
            let value = value.into_owned();
            match key.as_ref() {
                "mode" => match MODES.into_iter().find(|mode| *mode == value) {
                    Some(mode) => options.mode = mode,
                    None => return wrong("mode", "caller, listener or rendezvous"),
                },
                // As SRT's own tools write it: milliseconds, in an `int`.
                "latency" | "rcvlatency" => match value.parse::<u32>() {
                    Ok(latency) if latency <= i32::MAX as u32 => {
                        options.latency = Some(Duration::from_millis(latency.into()));
                    }
                    Ok(_) | Err(_) => return wrong("latency", "a whole number of milliseconds"),
                },
                "passphrase" if !value.is_empty() && !(10..=79).contains(&value.len()) => {
                    return wrong("passphrase", "10 to 79 bytes long");
                }
                "passphrase" => options.passphrase = Some(value),
                "streamid" if value.len() > 512 => return wrong("streamid", "at most 512 bytes long"),
                "streamid" => options.others.push(("streamid", value)),
                "pbkeylen" if !["0", "16", "24", "32"].contains(&&*value) => {
                    return wrong("pbkeylen", "0, 16, 24 or 32");
                }
                "pbkeylen" => options.others.push(("pbkeylen", value)),
                "transtype" if value != "live" => return wrong("transtype", "live"),
                "transtype" | "pkt_size" => {}
                other => return Err(OptionError::unknown(other, KNOWN)),
            }
        }
        Ok(options)
    }
}

/// An address with the host that was checked in place of its name; the same without one.
fn through(url: &Url, checked: Option<SocketAddr>) -> Url {
    let mut reached = url.clone();
    if let Some(address) = checked {
        // Both only fail for addresses without a host, and a host was resolved.
        let _ = reached.set_ip_host(address.ip());
        let _ = reached.set_port(Some(address.port()));
    }
    reached
}

/// RTSP and RTSPS; with `checked`, FFmpeg connects to that address.
pub(in crate::media) fn rtsp(url: &Url, checked: Option<SocketAddr>, spec: &InputSpec) -> ForeignInput {
    let (transport, protocols) = match (spec.transport.rtsp_transport, url.scheme()) {
        (RtspTransport::Tcp, "rtsps") => ("tcp", "tls,tcp"),
        (RtspTransport::Tcp, _) => ("tcp", "tcp"),
        (RtspTransport::Udp, "rtsps") => ("udp", "tls,tcp,rtp,udp"),
        (RtspTransport::Udp, _) => ("udp", "tcp,rtp,udp"),
    };
    let options = vec![
        ("rtsp_transport", transport.to_owned()),
        ("timeout", Micros(spec.limits.stall).to_string()),
        ("user_agent", user_agent(spec)),
    ];
    ForeignInput { address: through(url, checked).to_string(), protocols, format: Some("rtsp"), options }
}

/// RTMP and RTMPS; with `checked`, FFmpeg connects to that address, and the server still hears the name.
pub(in crate::media) fn rtmp(url: &Url, checked: Option<SocketAddr>, spec: &InputSpec) -> ForeignInput {
    let mut options = vec![("rtmp_live", "live".to_owned())];
    let secure = url.scheme() == "rtmps";
    if secure {
        options.extend(tls(spec));
    }
    if let (Some(_), Some(host)) = (checked, url.host_str()) {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        options.push(("rtmp_tcurl", format!("{}://{host}{port}/{}", url.scheme(), application(url.path()))));
        if secure {
            options.push(("verifyhost", host.to_owned()));
        }
    }
    let protocols = if secure { "rtmps,tls,tcp" } else { "rtmp,tcp" };
    ForeignInput { address: through(url, checked).to_string(), protocols, format: None, options }
}

/// The application in the path of an RTMP address, as FFmpeg splits it: the first part, or the first
/// two where a stream's name follows them.
fn application(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    let Some((first, rest)) = path.split_once('/') else { return "" };
    match rest.split_once('/') {
        Some((instance, _)) if !instance.contains(':') => &path[..first.len() + 1 + instance.len()],
        Some(_) | None => first,
    }
}

/// SRT. The resolved address goes to FFmpeg, so that it need not resolve; the passphrase goes apart
/// from the address, so that nothing prints it.
pub(in crate::media) fn srt(url: &Url, address: SocketAddr, spec: &InputSpec) -> Result<ForeignInput, OptionError> {
    let wanted = SrtOptions::of(url, &spec.transport)?;
    let mut options = vec![("transtype", "live".to_owned())];
    options.extend(wanted.others);
    if wanted.mode == "listener" {
        options.push(("listen_timeout", Micros(spec.limits.open).to_string()));
    } else {
        options.push(("connect_timeout", Millis(spec.limits.open).to_string()));
    }
    if spec.limits.cut_when_silent {
        options.push(("timeout", Micros(spec.limits.stall).to_string()));
    }
    options.push(("mode", wanted.mode.to_owned()));
    options.extend(wanted.latency.map(|latency| ("latency", Micros(latency).to_string())));
    options.extend(wanted.passphrase.map(|passphrase| ("passphrase", passphrase)));
    // SRT carries MPEG-TS in practice; probing decides, so the format is left open.
    Ok(ForeignInput { address: format!("srt://{address}"), protocols: "srt", format: None, options })
}

/// DASH over HTTP.
pub(in crate::media) fn dash(url: &Url, spec: &InputSpec) -> ForeignInput {
    let options = http(spec);
    ForeignInput { address: url.to_string(), protocols: "http,https,tls,tcp", format: Some("dash"), options }
}

/// FFmpeg's HTTP, which fetches DASH.
fn http(spec: &InputSpec) -> Vec<(&'static str, String)> {
    let mut options = vec![("user_agent", user_agent(spec)), ("rw_timeout", Micros(spec.limits.stall).to_string())];
    if !spec.transport.http_headers.is_empty() {
        let lines = spec.transport.http_headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        options.push(("headers", lines.collect()));
    }
    options.extend(tls(spec));
    options
}

/// The HLS demuxer, whose every request goes through our gate.
pub(in crate::media) fn hls() -> Vec<(&'static str, String)> {
    vec![
        // Kept connections and parallel requests would pass the gate by; our client keeps its own.
        ("http_persistent", "0".to_owned()),
        ("http_multiple", "0".to_owned()),
        ("http_seekable", "0".to_owned()),
        // The gate admits http and https only; odd file names are normal on the internet.
        ("extension_picky", "0".to_owned()),
        ("allowed_segment_extensions", "ALL".to_owned()),
        ("allowed_extensions", "ALL".to_owned()),
    ]
}

fn tls(spec: &InputSpec) -> Vec<(&'static str, String)> {
    let mut options = vec![("tls_verify", "1".to_owned())];
    options.extend(spec.transport.tls_ca.as_ref().map(|path| ("ca_file", path.display().to_string())));
    options
}

fn user_agent(spec: &InputSpec) -> String {
    let default = || concat!("avwatch/", env!("CARGO_PKG_VERSION")).to_owned();
    spec.transport.user_agent.clone().unwrap_or_else(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::MeasurePlan;
    use crate::media::spec::{Address, limits_of};

    /// An input with an open limit of 15 s and a stall limit of 10 s.
    fn spec(url: &str) -> (Url, InputSpec) {
        let mut spec = InputSpec::new("test", Address::Url(url.parse().unwrap()), MeasurePlan::default());
        spec.limits.stall = Duration::from_secs(10);
        spec.transport.user_agent = Some("me".to_owned());
        (Url::parse(url).unwrap(), spec)
    }

    fn shown(input: &ForeignInput) -> String {
        let options: Vec<String> = input.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} [{}] {}", input.address, input.protocols, options.join(" "))
    }

    #[test]
    fn rtsp_has_its_timeout_in_microseconds() {
        let (url, mut spec) = spec("rtsp://user:pw@cam/1");
        let golden = "rtsp://user:pw@cam/1 [tcp] rtsp_transport=tcp timeout=10000000 user_agent=me";
        assert_eq!(shown(&rtsp(&url, None, &spec)), golden);
        spec.transport.rtsp_transport = RtspTransport::Udp;
        let golden = "rtsp://user:pw@cam/1 [tcp,rtp,udp] rtsp_transport=udp timeout=10000000 user_agent=me";
        assert_eq!(shown(&rtsp(&url, None, &spec)), golden);
    }

    #[test]
    fn rtmp_never_has_a_timeout_because_it_would_listen() {
        let (url, plain) = spec("rtmp://h/app/key");
        assert_eq!(shown(&rtmp(&url, None, &plain)), "rtmp://h/app/key [rtmp,tcp] rtmp_live=live");
        let (url, spec) = spec("rtmps://h/app/key");
        assert_eq!(shown(&rtmp(&url, None, &spec)), "rtmps://h/app/key [rtmps,tls,tcp] rtmp_live=live tls_verify=1");
    }

    #[test]
    fn a_checked_address_stands_in_for_the_name_which_the_server_still_hears() {
        let checked = Some("192.0.2.1:8554".parse().unwrap());
        let (url, camera) = spec("rtsp://user:pw@cam:8554/1");
        assert!(shown(&rtsp(&url, checked, &camera)).starts_with("rtsp://user:pw@192.0.2.1:8554/1 [tcp]"));
        let (url, plain) = spec("rtmp://h:1936/app/key");
        let golden = "rtmp://[2001:db8::1]:1936/app/key [rtmp,tcp] rtmp_live=live rtmp_tcurl=rtmp://h:1936/app";
        assert_eq!(shown(&rtmp(&url, Some("[2001:db8::1]:1936".parse().unwrap()), &plain)), golden);
        let (url, secure) = spec("rtmps://h/app/instance/key");
        let golden = "rtmps://192.0.2.1:443/app/instance/key [rtmps,tls,tcp] rtmp_live=live tls_verify=1 \
            rtmp_tcurl=rtmps://h/app/instance verifyhost=h";
        assert_eq!(shown(&rtmp(&url, Some("192.0.2.1:443".parse().unwrap()), &secure)), golden);
        assert_eq!((application("/app"), application("/a/b:c/d")), ("", "a"));
    }

    #[test]
    fn srt_has_three_units_and_its_secrets_apart_from_the_address() {
        let (url, spec) = spec("srt://h:9000?latency=200&passphrase=S3cretS3cret&streamid=a");
        let input = srt(&url, "192.0.2.1:9000".parse().unwrap(), &spec).unwrap();
        let golden = "srt://192.0.2.1:9000 [srt] transtype=live streamid=a connect_timeout=15000 timeout=10000000 \
            mode=caller latency=200000 passphrase=S3cretS3cret";
        assert_eq!(shown(&input), golden);
    }

    #[test]
    fn a_listening_srt_socket_waits_without_a_stall_limit() {
        let (url, mut spec) = spec("srt://h:9000");
        spec.transport.srt_mode = SrtMode::Listener;
        spec.limits.cut_when_silent = false;
        let input = srt(&url, "[::]:9000".parse().unwrap(), &spec).unwrap();
        assert_eq!(shown(&input), "srt://[::]:9000 [srt] transtype=live listen_timeout=15000000 mode=listener");
    }

    #[test]
    fn a_listening_srt_socket_is_the_same_in_the_address_and_in_the_keys() {
        let limits = |url: &str, mode: SrtMode| limits_of(&Address::Url(url.parse().unwrap()), mode).cut_when_silent;
        assert!(!limits("srt://h:9000", SrtMode::Listener) && limits("srt://h:9000", SrtMode::Caller));
        assert!(!limits("srt://h:9000?latency=20&mode=listener", SrtMode::Caller));
        // The address goes before the key, and the last word of it counts.
        assert!(limits("srt://h:9000?mode=caller", SrtMode::Listener));
        assert!(limits("srt://h:9000?mode=listener&mode=rendezvous", SrtMode::Listener));
        assert!(!limits("srt://h:9000?mode=caller&mode=listener", SrtMode::Caller));
        let (url, mut spec) = spec("srt://h:9000?mode=listener");
        spec.limits = limits_of(&spec.address, SrtMode::Caller);
        let input = srt(&url, "[::]:9000".parse().unwrap(), &spec).unwrap();
        assert!(!shown(&input).contains(" timeout="), "{}", shown(&input));
    }

    #[test]
    fn an_id_of_an_srt_stream_may_begin_with_a_hash_that_is_written_as_such() {
        let (url, spec) = spec("srt://h:9000?streamid=%23!::r=live,m=request");
        let input = srt(&url, "192.0.2.1:9000".parse().unwrap(), &spec).unwrap();
        assert!(input.options.contains(&("streamid", "#!::r=live,m=request".to_owned())), "{}", shown(&input));
    }

    #[test]
    fn unknown_and_wrong_options_of_an_address_are_told_by_name_without_their_value() {
        let told = |address: &str| {
            let (url, spec) = spec(address);
            let told = check(&url, &spec.transport).map_err(|error| error.to_string());
            if url.scheme() == "srt" {
                let opened = srt(&url, "192.0.2.1:9000".parse().unwrap(), &spec).map_err(|error| error.to_string());
                assert_eq!(opened.err(), told.clone().err(), "the same words when it connects");
            }
            told.err().unwrap_or_default()
        };
        for (address, words) in [
            ("srt://h:9000?maxbw=S3cret", "has an option 'maxbw' that is not supported; use mode, latency, "),
            ("srt://h:9000?mode=S3cret", "'mode' of the address must be caller, listener or rendezvous"),
            ("srt://h:9000?latency=200S3cret", "'latency' of the address must be a whole number of milliseconds"),
            ("srt://h:9000?latency=4294967295", "'latency' of the address must be a whole number"),
            ("srt://h:9000?passphrase=S3cret", "'passphrase' of the address must be 10 to 79 bytes long"),
            ("srt://h:9000?pbkeylen=17", "'pbkeylen' of the address must be 0, 16, 24 or 32"),
            ("srt://h:9000?transtype=file", "'transtype' of the address must be live"),
            ("srt://h:9000?%0Aa=S3cret", "has an option '\\na' that is not supported"),
            ("rtp://239.1.1.1:5000?localaddr=", "'localaddr' of the address must be the name or address"),
            ("srt://h:9000?streamid=#!::r=S3cret&mode=caller", "write %23 where '#' is meant"),
            ("udp://239.1.1.1:5000#S3cret", "write %23 where '#' is meant"),
            ("tcp://h:1#", "write %23 where '#' is meant"),
        ] {
            let told = told(address);
            assert!(told.contains(words) && !told.contains("S3cret"), "{address}: {told}");
        }
        for address in [
            "srt://h:9000?mode=listener&latency=200&passphrase=0123456789&pbkeylen=16&streamid=a&transtype=live&pkt_size=1316",
            "udp://239.1.1.1:5000?localaddr=eth1&fifo_size=1000000&overrun_nonfatal=1&pkt_size=1316",
            "rtsp://cam/1?channel=2",
            "rtmp://h/app/key?auth=1",
            "https://h/a.m3u8?token=1#top",
            "tcp://h:1?x=1",
        ] {
            assert_eq!(told(address), "", "{address}");
        }
    }

    #[test]
    fn an_option_of_datagrams_that_nobody_heeds_is_known_as_such() {
        let idle = |address: &str| idle(&address.parse().unwrap()).map(|error| error.to_string()).unwrap_or_default();
        for address in ["udp://239.1.1.1:5000?locladdr=S3cret", "rtp://239.1.1.1:5000?localaddr=eth1&fifo_size=S3cret"]
        {
            let told = idle(address);
            assert!(
                told.contains("that is not supported; use localaddr, or the keys interface, "),
                "{address}: {told}"
            );
            assert!(!told.contains("S3cret"), "{told}");
        }
        let told = idle("tcp://h:9000?timeout=S3cret");
        assert!(told.contains("'timeout' that is not supported") && !told.contains("S3cret"), "{told}");
        for address in
            ["udp://239.1.1.1:5000", "udp://239.1.1.1:5000?localaddr=eth1", "rtsp://cam/1?channel=2", "tcp://h:9000"]
        {
            assert_eq!(idle(address), "", "{address}");
        }
    }

    #[test]
    fn the_interface_of_the_configuration_goes_before_the_one_in_the_address() {
        let (url, mut spec) = spec("udp://239.1.1.1:5000?localaddr=eth1");
        let interface = |spec: &InputSpec| datagrams(&url, &spec.transport).unwrap().interface;
        assert_eq!(interface(&spec).as_deref(), Some("eth1"));
        spec.transport.interface = Some("eth2".to_owned());
        assert_eq!(interface(&spec).as_deref(), Some("eth2"));
    }

    #[test]
    fn dash_and_encrypted_hls_go_by_verified_http() {
        let (url, mut spec) = spec("https://h/a.mpd?t=1");
        spec.transport.http_headers = vec![("A".to_owned(), "b".to_owned()), ("C".to_owned(), "d".to_owned())];
        spec.transport.tls_ca = Some("/ca.pem".into());
        let golden = "https://h/a.mpd?t=1 [http,https,tls,tcp] user_agent=me rw_timeout=10000000 \
            headers=A: b\r\nC: d\r\n tls_verify=1 ca_file=/ca.pem";
        assert_eq!(shown(&dash(&url, &spec)), golden);
    }

    #[test]
    fn hls_makes_every_request_through_the_gate() {
        let golden =
            [("http_persistent", "0"), ("http_multiple", "0"), ("http_seekable", "0"), ("extension_picky", "0")];
        for (name, value) in golden {
            assert!(hls().contains(&(name, value.to_owned())), "{name}");
        }
    }
}
