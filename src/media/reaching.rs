//! Reaching an input on the network: which of our sources, or of FFmpeg's protocols, serves a scheme.
//!
//! The second half of [`crate::media::opening`], on the session's thread.

use std::ffi::CString;
use std::net::SocketAddr;
use std::ptr::null;

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;
use url::Url;

use crate::media::avio_source::AvioSource;
use crate::media::bytes::{
    ByteRange, FileSource, HttpClient, HttpSource, MemorySource, PrefixedSource, TcpSource, UdpSource,
};
use crate::media::container::{Access, Container, OpenFailure};
use crate::media::demuxer::Parts;
use crate::media::ffmpeg_log;
use crate::media::hls_gate::{GateParts, HlsGate, read_playlist};
use crate::media::hls_playlist;
use crate::media::io_context::IoContext;
use crate::media::opening::{HEAD_BYTES, Opening};
use crate::media::recognise::Head;
use crate::media::spec::RtspTransport;
use crate::media::transport_options::{self, ForeignInput, SCHEMES};
use crate::secret_url::SecretUrl;

type Opened = Result<(Container, Parts), SourceError>;

/// Why a guarded input cannot be DASH: FFmpeg's own HTTP would fetch what the manifest refers to.
const DASH: &str = "it is a DASH manifest, whose references cannot be checked against sources.allow; streams added \
                    over the API cannot be DASH, give its HLS address or put it into a configuration file";

/// Why a guarded input cannot be RTSP with datagrams: the server names the addresses that get them.
const RTSP_UDP: &str = "RTSP with rtsp_transport = \"udp\" lets the server name addresses that cannot be checked \
                        against sources.allow; streams added over the API use \"tcp\"";

impl Opening<'_> {
    /// Opens an address by its scheme.
    pub(in crate::media) fn url(self, url: &SecretUrl) -> Opened {
        let exposed = url.expose();
        match url.scheme() {
            "http" | "https" => self.http(url),
            "udp" | "rtp" => {
                let transport = transport_options::datagrams(exposed, &self.spec.transport);
                let transport = transport.map_err(|error| self.forbidden(&error.to_string()))?;
                let address = self.first_address(exposed)?;
                let source = UdpSource::open(address, &transport, &self.parts.what, &self.parts.patience)?;
                self.bytes(Box::new(source), "")
            }
            "tcp" => {
                let addresses = self.addresses(exposed)?;
                let source = TcpSource::connect(&addresses, &self.parts.what, &self.parts.patience)?;
                self.bytes(Box::new(source), "")
            }
            "srt" => {
                let address = self.first_address(exposed)?;
                let input = transport_options::srt(exposed, address, self.spec);
                let input = input.map_err(|error| self.forbidden(&error.to_string()))?;
                self.piped(&input)
            }
            "rtsp" | "rtsps" => {
                if self.spec.reach.is_guarded() && self.spec.transport.rtsp_transport == RtspTransport::Udp {
                    return Err(self.forbidden(RTSP_UDP));
                }
                let checked = self.reachable(exposed, if url.scheme() == "rtsps" { 322 } else { 554 })?;
                let input = transport_options::rtsp(exposed, checked, self.spec);
                self.foreign(input)
            }
            "rtmp" | "rtmps" => {
                let checked = self.reachable(exposed, if url.scheme() == "rtmps" { 443 } else { 1_935 })?;
                let input = transport_options::rtmp(exposed, checked, self.spec);
                self.foreign(input)
            }
            "file" => {
                let path = exposed.to_file_path().map_err(|()| self.forbidden("it names no file of this machine"))?;
                let source = FileSource::open(&path, &self.parts.patience)?;
                self.bytes(Box::new(source), "")
            }
            other => {
                let known = SCHEMES.join(", ");
                Err(self.forbidden(&format!("the scheme '{other}' is not supported; use one of {known}")))
            }
        }
    }

    /// Fetches an address and goes on by what it turns out to be.
    fn http(self, url: &SecretUrl) -> Opened {
        let client = HttpClient::new(&self.spec.transport, url, &self.spec.reach, &self.parts.patience)?;
        let source = client.get(url, ByteRange::default())?;
        let answered = HttpSource::final_url(&source).clone();
        let source = PrefixedSource::peek(Box::new(source), HEAD_BYTES)?;
        match Head::of(source.head()) {
            Head::Playlist => self.hls(client, source, answered.expose()),
            Head::Manifest => {
                drop(source);
                if self.spec.reach.is_guarded() {
                    return Err(self.forbidden(DASH));
                }
                let input = transport_options::dash(answered.expose(), self.spec);
                self.foreign(input)
            }
            Head::Empty | Head::Text | Head::Packed | Head::Binary => {
                let name = answered.expose().path_segments().and_then(|mut parts| parts.next_back());
                let name = name.unwrap_or_default().to_owned();
                self.recognised(source, &name)
            }
        }
    }

    /// Opens an HLS playlist whose every further request goes through a gate of ours.
    fn hls(self, client: HttpClient, source: PrefixedSource, url: &Url) -> Opened {
        let mut text = read_playlist(source)?;
        let mut gate = HlsGate::new(GateParts {
            client,
            patience: self.parts.patience.clone(),
            fault: self.parts.fault.clone(),
            what: self.parts.what.clone(),
            variant: self.spec.selection.variant,
            bound: self.picture_bound(),
            ends: self.ends.clone(),
        });
        if hls_playlist::is_master(&text) {
            let selected = hls_playlist::select(&text, self.spec.selection.variant);
            text = selected.map_err(|why| self.not_media(&why))?;
        } else {
            gate.note_media(&text, url)?;
        }
        let source = Box::new(MemorySource::new(text.into_bytes()));
        let io = IoContext::forward_only(&self.parts.what, source, self.parts.fault.clone());
        let io = io.ok_or_else(|| self.short_of_memory())?;
        // Everything comes through the gate, nothing by FFmpeg's own protocols.
        let options = self.options("none", &transport_options::hls())?;
        let format = demuxer_named("hls");
        if format.is_null() {
            return Err(self.forbidden("this FFmpeg was built without HLS"));
        }
        self.finish(url.as_str(), format, Access::Playlist(io, gate), options)
    }

    /// Reads an address of one of FFmpeg's own protocols like bytes of ours.
    fn piped(mut self, input: &ForeignInput) -> Opened {
        ffmpeg_log::forget_last_error();
        match AvioSource::open(input, &self.parts.what, &self.parts.patience) {
            Ok(source) => self.bytes(Box::new(source), ""),
            Err(code) => {
                self.parts.foreign = true;
                Err(self.failure(OpenFailure::of(code)))
            }
        }
    }

    /// Opens an address by FFmpeg's own protocols.
    fn foreign(mut self, input: ForeignInput) -> Opened {
        self.parts.foreign = true;
        let format = input.format.map_or(null(), demuxer_named);
        let options = self.options(input.protocols, &input.options)?;
        let access = if self.spec.reach.is_guarded() { Access::OneConnection } else { Access::Protocol };
        self.finish(&input.address, format, access, options)
    }

    /// The addresses behind an address with a port.
    fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, SourceError> {
        let port = url.port().ok_or_else(|| self.forbidden("the address needs a port, as in udp://239.0.0.1:5000"))?;
        self.spec.reach.resolve(url.host_str().unwrap_or("0.0.0.0"), port, &self.parts.patience)
    }

    fn first_address(&self, url: &Url) -> Result<SocketAddr, SourceError> {
        let first = self.addresses(url)?.first().copied();
        first.ok_or_else(|| self.forbidden("the host has no address"))
    }

    /// Resolves a name that FFmpeg will resolve again: it cannot be interrupted there, so a name that
    /// does not resolve, or not in time, must not get that far. Where addresses are guarded, the one
    /// that was judged is returned: FFmpeg gets it in place of the name, and resolves nothing.
    fn reachable(&self, url: &Url, default_port: u16) -> Result<Option<SocketAddr>, SourceError> {
        let host = url.host_str().ok_or_else(|| self.forbidden("the address has no host"))?;
        let port = url.port().unwrap_or(default_port);
        let found = self.spec.reach.resolve(host, port, &self.parts.patience)?;
        Ok(found.first().copied().filter(|_| self.spec.reach.is_guarded()))
    }
}

/// A demuxer by its name; null when FFmpeg was built without it.
fn demuxer_named(name: &'static str) -> *const ffi::AVInputFormat {
    let Ok(name) = CString::new(name) else { return null() };
    // SAFETY: a valid C string; the answer is null or static.
    unsafe { ffi::av_find_input_format(name.as_ptr()) }
}
