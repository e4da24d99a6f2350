//! Opening an input: from its address to a container with known streams, under one deadline.
//!
//! Runs on the session's thread, once per session. Every failure names the input without its secrets
//! and says what was found.

use std::ffi::CStr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use avwatch_actors::lifeline::{Lifeline, Phase};
use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use crate::media::bytes::{self, ByteSource, FileSource, Patience, PrefixedSource};
use crate::media::coded_size::too_large;
use crate::media::container::{Access, Code, Container, OpenFailure};
use crate::media::demuxer::Parts;
use crate::media::dictionary::Dictionary;
use crate::media::ffmpeg_log;
use crate::media::hls_ends::HlsEnds;
use crate::media::hls_gate::HlsGate;
use crate::media::io_context::{FaultSlot, IoContext};
use crate::media::mp4_order::{INDEX_LAST, Mp4Order, order_of};
use crate::media::recognise::{Head, recognise};
use crate::media::rtsp_answer;
use crate::media::spec::{Address, InputSpec};
use crate::media::ts_tap::PictureBound;

/// How many bytes are looked at before anything else is decided.
pub(in crate::media) const HEAD_BYTES: usize = 1_024;

/// How far the boxes of an MP4 that cannot be sought are followed.
const MP4_HEAD_BYTES: usize = 64 * 1024;

/// Packets that FFmpeg may look at per stream to learn its codec.
const PROBE_PACKETS_MAX: u32 = 500;

/// Opens an input. See [`crate::media::demuxer::Demuxer::open`].
pub(in crate::media) fn open(
    spec: &InputSpec,
    ends: &Arc<Mutex<HlsEnds>>,
    line: &Arc<Lifeline>,
) -> Result<(Container, Parts), SourceError> {
    ffmpeg_log::install();
    rtsp_answer::forget();
    line.enter(Phase::Opening);
    let parts = Parts {
        patience: Patience::opening(line, spec.limits),
        fault: FaultSlot::default(),
        what: spec.address.to_string(),
        foreign: false,
    };
    let opening = Opening { spec, ends, parts };
    if spec.reach.is_guarded() && !matches!(&spec.address, Address::Url(url) if url.scheme() != "file") {
        return Err(opening.forbidden("what comes over the API names no file and no source of this machine"));
    }
    let opened = match &spec.address {
        Address::File(path) => {
            let source = FileSource::open(path, &opening.parts.patience)?;
            opening.bytes(Box::new(source), &file_name(path))
        }
        Address::Stdin => {
            let source = bytes::open_stdin(&opening.parts.patience)?;
            opening.bytes(source, "")
        }
        Address::Synthetic(_) => Err(opening.forbidden("a synthetic source has no bytes")),
        Address::Url(url) => opening.url(url),
    }?;
    line.enter(Phase::Reading);
    Ok(opened)
}

/// Adds to a stall or a passed open limit what stood in the way of the media.
pub(in crate::media) fn with_hindrance(error: SourceError, hindrance: Option<String>) -> SourceError {
    match (error, hindrance) {
        (SourceError::Stalled { what, limit }, Some(hindrance)) => {
            SourceError::Stalled { what: format!("{what} ({hindrance})"), limit }
        }
        (SourceError::OpenLimit { what, limit }, Some(hindrance)) => {
            SourceError::OpenLimit { what: format!("{what} ({hindrance})"), limit }
        }
        (error, _) => error,
    }
}

/// One opening under way.
pub(in crate::media) struct Opening<'a> {
    pub(in crate::media) spec: &'a InputSpec,
    /// What playlists of this input had come to when they ended.
    pub(in crate::media) ends: &'a Arc<Mutex<HlsEnds>>,
    pub(in crate::media) parts: Parts,
}

impl Opening<'_> {
    /// Opens a container over bytes of ours.
    pub(in crate::media) fn bytes(
        self,
        source: Box<dyn ByteSource>,
        file_name: &str,
    ) -> Result<(Container, Parts), SourceError> {
        self.recognised(PrefixedSource::peek(source, HEAD_BYTES)?, file_name)
    }

    /// Opens a container by its first bytes.
    pub(in crate::media) fn recognised(
        self,
        source: PrefixedSource,
        file_name: &str,
    ) -> Result<(Container, Parts), SourceError> {
        match Head::of(source.head()) {
            Head::Empty => return Err(self.not_media("there is nothing in it")),
            Head::Playlist => return Err(self.not_media("it is an HLS playlist; give its http address instead")),
            Head::Manifest => return Err(self.not_media("it is a DASH manifest; give its http address instead")),
            Head::Text => return Err(self.not_media("it is text, not audio or video")),
            Head::Packed => return Err(self.not_media("it is an archive or compressed file; unpack it first")),
            Head::Binary => {}
        }
        self.container(source, file_name)
    }

    /// Opens a container whose first bytes are neither nothing nor text.
    pub(in crate::media) fn container(
        self,
        mut source: PrefixedSource,
        file_name: &str,
    ) -> Result<(Container, Parts), SourceError> {
        let local = matches!(self.spec.address, Address::File(_) | Address::Stdin);
        let mut seekable = source.extent().seekable;
        if !local || !seekable {
            if order_of(source.head()) == Mp4Order::Unknown {
                source.grow(MP4_HEAD_BYTES)?;
            }
            let order = order_of(source.head());
            if order == Mp4Order::IndexLast && !seekable {
                return Err(self.not_media(INDEX_LAST));
            }
            // On a network every seek is another request: only for what cannot do without.
            seekable &= order == Mp4Order::IndexLast;
        }
        let wrap = if seekable { IoContext::new } else { IoContext::forward_only };
        let io =
            wrap(&self.parts.what, Box::new(source), self.parts.fault.clone()).ok_or_else(|| self.short_of_memory())?;
        io.bound_pictures(Some(self.picture_bound()));
        let found = recognise(&io, file_name, self.spec.list, &self.parts.what);
        // What our own flags say explains a failed look better than what was seen of the bytes.
        let format = found.map_err(|error| self.parts.own_error().unwrap_or(error))?;
        let options = self.options("none", &[])?;
        self.finish(file_name, format, Access::Bytes(io), options)
    }

    /// Hands over to FFmpeg and looks at what it found.
    pub(in crate::media) fn finish(
        self,
        address: &str,
        format: *const ffi::AVInputFormat,
        access: Access,
        options: Dictionary,
    ) -> Result<(Container, Parts), SourceError> {
        ffmpeg_log::forget_last_error();
        let opened = Container::open(address, format, access, options, &self.parts.patience);
        let mut container = opened.map_err(|failure| self.failure(failure))?;
        let size = &self.spec.size;
        // FFmpeg forgets a declared size when it fails to decode the first picture.
        let mut large = declared_too_large(&container, size.pixels);
        let found = container.find_streams(size.pixels, size.samples);
        if let Some(error) = self.parts.own_error() {
            return Err(with_hindrance(error, container.gate().map(HlsGate::hindrance)));
        }
        found.map_err(|code| self.failure(OpenFailure::of(code)))?;
        // A transport stream declares none: its sizes, and most of its streams, are found by looking. Those that its tap
        // cannot read are held against the limit here.
        let found_large = declared_too_large(&container, size.pixels);
        large.resize(found_large.len().max(large.len()), None);
        large.iter_mut().zip(found_large).for_each(|(known, found)| *known = known.take().or(found));
        self.judge_streams(&container, &large)?;
        Ok((container, self.parts))
    }

    /// The options that bound every input.
    pub(in crate::media) fn options(
        &self,
        protocols: &str,
        more: &[(&'static str, String)],
    ) -> Result<Dictionary, SourceError> {
        let size = &self.spec.size;
        let list = self.spec.list;
        let mut options = Dictionary::new();
        let all = [
            ("protocol_whitelist", protocols.to_owned()),
            ("format_whitelist", list.formats()),
            ("codec_whitelist", list.decoders()),
            ("max_streams", size.streams.to_string()),
            ("probesize", size.probe_bytes.to_string()),
            ("formatprobesize", size.probe_bytes.min(1 << 20).to_string()),
            ("analyzeduration", size.analyze.as_micros().to_string()),
            ("max_probe_packets", PROBE_PACKETS_MAX.to_string()),
        ];
        for (name, value) in all.iter().chain(more) {
            if !options.set(name, value) {
                return Err(self.short_of_memory());
            }
        }
        Ok(options)
    }

    /// How large pictures may be, for those who know before a decoder does.
    pub(in crate::media) fn picture_bound(&self) -> PictureBound {
        let programme = self.spec.selection.program.and_then(|number| u16::try_from(number).ok());
        PictureBound { pixels_max: self.spec.size.pixels, programme }
    }

    /// Refuses an input without any track that we could look at.
    fn judge_streams(&self, container: &Container, large: &[Option<String>]) -> Result<(), SourceError> {
        let mut refused = None;
        let mut tracks = 0;
        for (index, stream) in container.streams().iter().enumerate() {
            // SAFETY: streams of an open context and their parameters are valid.
            let parameters = unsafe { &*(**stream).codecpar };
            if !matches!(
                parameters.codec_type,
                ffi::AVMediaType::AVMEDIA_TYPE_VIDEO | ffi::AVMediaType::AVMEDIA_TYPE_AUDIO
            ) {
                continue;
            }
            match decoder_name(parameters.codec_id) {
                Some(name) if !self.spec.list.allows_decoder(&name) => {
                    let list = self.spec.list.name();
                    refused = Some(format!("codec '{name}' is not on the white list '{list}' of decoders"));
                }
                _ => match large.get(index) {
                    Some(Some(why)) => refused = Some(why.clone()),
                    Some(None) | None => tracks += 1,
                },
            }
        }
        match (tracks, refused) {
            (0, Some(why)) => Err(self.forbidden(&why)),
            (0, None) => {
                let why = "no video or audio track was found in it".to_owned();
                Err(SourceError::NoTracks { what: self.parts.what.clone(), why })
            }
            _ => Ok(()),
        }
    }

    /// The error behind FFmpeg's refusal to open: ours if there is one, else its last words.
    pub(in crate::media) fn failure(&self, failure: OpenFailure) -> SourceError {
        let OpenFailure { code, hindrance, missing } = failure;
        if let Some(error) = self.parts.own_error() {
            return with_hindrance(error, hindrance);
        }
        let line = ffmpeg_log::take_last_error();
        if hindrance.is_none() && line.as_ref().is_some_and(|line| line.contains("moov atom not found")) {
            return self.not_media("its index (moov) is missing: the file is cut off or was never finished");
        }
        if self.spec.reach.is_guarded() && line.as_ref().is_some_and(|line| line.contains("not on whitelist '-")) {
            let why = "the server redirects elsewhere; what comes over the API follows no such redirect, whatever \
                       sources.allow opens: give the address that it leads to";
            return self.forbidden(why);
        }
        if line.as_ref().is_some_and(|line| line.contains("not on whitelist")) {
            // FFmpeg names the list and not what it found.
            let list = self.spec.list.name();
            return self.forbidden(&format!("its container is not on the white list '{list}' of containers"));
        }
        let words = match code {
            Code(ffi::AVERROR_EOF) => "it ended before any audio or video came".to_owned(),
            code => code.words(),
        };
        let why = match hindrance.or(line) {
            Some(line) => format!("{words} ({line})"),
            None => words,
        };
        let what = self.parts.what.clone();
        match code {
            // FFmpeg takes half an answer for a wrong one, and half an answer to PLAY for a plain -1.
            Code(ffi::AVERROR_INVALIDDATA | -1) if self.is_rtsp() => {
                let why = "the server broke off or gave no valid answer".to_owned();
                SourceError::Connect { what, why }
            }
            Code(ffi::AVERROR_INVALIDDATA) => match missing {
                Some(why) => SourceError::Read { what, why },
                None => SourceError::NotMedia { what, why },
            },
            Code(
                ffi::AVERROR_HTTP_BAD_REQUEST
                | ffi::AVERROR_HTTP_UNAUTHORIZED
                | ffi::AVERROR_HTTP_FORBIDDEN
                | ffi::AVERROR_HTTP_NOT_FOUND
                | ffi::AVERROR_HTTP_OTHER_4XX
                | ffi::AVERROR_HTTP_SERVER_ERROR,
            ) => SourceError::Refused { what, why },
            _ if self.parts.foreign => SourceError::Connect { what, why },
            _ => SourceError::NotMedia { what, why },
        }
    }

    fn is_rtsp(&self) -> bool {
        matches!(&self.spec.address, Address::Url(url) if matches!(url.scheme(), "rtsp" | "rtsps"))
    }

    pub(in crate::media) fn not_media(&self, why: &str) -> SourceError {
        SourceError::NotMedia { what: self.parts.what.clone(), why: why.to_owned() }
    }

    pub(in crate::media) fn forbidden(&self, why: &str) -> SourceError {
        SourceError::Forbidden { what: self.parts.what.clone(), why: why.to_owned() }
    }

    pub(in crate::media) fn short_of_memory(&self) -> SourceError {
        SourceError::Read { what: self.parts.what.clone(), why: "out of memory".to_owned() }
    }
}

/// For every stream that declares larger pictures than the decoder may make, in words; nothing for the
/// others.
fn declared_too_large(container: &Container, pixels_max: u64) -> Vec<Option<String>> {
    let words = |stream: &*mut ffi::AVStream| {
        // SAFETY: streams of an open context and their parameters are valid.
        let parameters = unsafe { &*(**stream).codecpar };
        let size = (u32::try_from(parameters.width).ok()?, u32::try_from(parameters.height).ok()?);
        too_large(size, pixels_max)
    };
    container.streams().iter().map(words).collect()
}

/// The name of the decoder that FFmpeg would take for a codec.
fn decoder_name(id: ffi::AVCodecID) -> Option<String> {
    // SAFETY: the answer is null or static, and so is its name.
    let decoder = unsafe { ffi::avcodec_find_decoder(id).as_ref() }?;
    // SAFETY: as above.
    Some(unsafe { CStr::from_ptr(decoder.name) }.to_string_lossy().into_owned())
}

/// The last part of a path, for the guess by extension.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
