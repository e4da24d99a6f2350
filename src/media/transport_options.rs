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

use crate::media::spec::{InputSpec, RtspTransport, SrtMode};

/// The schemes that an input may have.
pub(in crate::media) const SCHEMES: [&str; 11] =
    ["http", "https", "udp", "rtp", "tcp", "srt", "rtmp", "rtmps", "rtsp", "rtsps", "file"];

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

/// An option in the query of an address that is not known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address has an option '{0}' that is not supported")]
pub(in crate::media) struct UnknownOption(String);

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
pub(in crate::media) fn srt(url: &Url, address: SocketAddr, spec: &InputSpec) -> Result<ForeignInput, UnknownOption> {
    let mut mode = match spec.transport.srt_mode {
        SrtMode::Caller => "caller",
        SrtMode::Listener => "listener",
        SrtMode::Rendezvous => "rendezvous",
    }
    .to_owned();
    let mut latency = spec.transport.srt_latency;
    let mut passphrase = spec.transport.srt_passphrase.clone();
    let mut options = vec![("transtype", "live".to_owned())];
    for (key, value) in url.query_pairs() {
        let value = value.into_owned();
        match key.as_ref() {
            "mode" => mode = value,
            // As SRT's own tools write it: milliseconds.
            "latency" | "rcvlatency" => latency = value.parse().ok().map(Duration::from_millis).or(latency),
            "passphrase" => passphrase = Some(value),
            "streamid" => options.push(("streamid", value)),
            "pbkeylen" => options.push(("pbkeylen", value)),
            "transtype" | "pkt_size" => {}
            other => return Err(UnknownOption(other.to_owned())),
        }
    }
    if mode == "listener" {
        options.push(("listen_timeout", Micros(spec.limits.open).to_string()));
    } else {
        options.push(("connect_timeout", Millis(spec.limits.open).to_string()));
    }
    if spec.limits.cut_when_silent {
        options.push(("timeout", Micros(spec.limits.stall).to_string()));
    }
    options.push(("mode", mode));
    options.extend(latency.map(|latency| ("latency", Micros(latency).to_string())));
    options.extend(passphrase.map(|passphrase| ("passphrase", passphrase)));
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
    use crate::media::spec::Address;

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
    fn an_unknown_option_of_an_srt_address_is_refused_by_name() {
        let (url, spec) = spec("srt://h:9000?maxbw=1");
        let error = srt(&url, "192.0.2.1:9000".parse().unwrap(), &spec).unwrap_err();
        assert_eq!(error, UnknownOption("maxbw".to_owned()));
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
