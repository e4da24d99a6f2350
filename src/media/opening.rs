//! Opening an input: from its address to a container with known streams, under one deadline.
//!
//! Runs on the session's thread, once per session. Every failure names the input without its secrets
//! and says what was found.

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::lifeline::{Lifeline, Phase};
use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;

use crate::media::bytes::{self, ByteSource, FileSource, Patience, PrefixedSource};
use crate::media::container::{Access, Code, Container};
use crate::media::demuxer::Parts;
use crate::media::dictionary::Dictionary;
use crate::media::ffmpeg_log;
use crate::media::io_context::{FaultSlot, IoContext};
use crate::media::mp4_order::{INDEX_LAST, Mp4Order, order_of};
use crate::media::recognise::{Head, recognise};
use crate::media::spec::{Address, InputSpec};

/// How many bytes are looked at before anything else is decided.
const HEAD_BYTES: usize = 1_024;

/// How far the boxes of an MP4 that cannot be sought are followed.
const MP4_HEAD_BYTES: usize = 64 * 1024;

/// Packets that FFmpeg may look at per stream to learn its codec.
const PROBE_PACKETS_MAX: u32 = 500;

/// Opens an input. See [`crate::media::demuxer::Demuxer::open`].
pub(in crate::media) fn open(spec: &InputSpec, line: &Arc<Lifeline>) -> Result<(Container, Parts), SourceError> {
    ffmpeg_log::install();
    line.enter(Phase::Opening);
    let parts = Parts {
        patience: Patience::opening(line, spec.limits),
        fault: FaultSlot::default(),
        what: spec.address.to_string(),
        foreign: false,
    };
    let opening = Opening { spec, parts };
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
        Address::Url(_) => Err(opening.forbidden("not yet")),
    }?;
    line.enter(Phase::Reading);
    Ok(opened)
}

/// One opening under way.
struct Opening<'a> {
    spec: &'a InputSpec,
    parts: Parts,
}

impl Opening<'_> {
    /// Opens a container over bytes of ours.
    fn bytes(self, source: Box<dyn ByteSource>, file_name: &str) -> Result<(Container, Parts), SourceError> {
        let source = PrefixedSource::peek(source, HEAD_BYTES)?;
        match Head::of(source.head()) {
            Head::Empty => return Err(self.not_media("there is nothing in it")),
            Head::Playlist => return Err(self.not_media("it is an HLS playlist; give its http address instead")),
            Head::Manifest => return Err(self.not_media("it is a DASH manifest; give its http address instead")),
            Head::Text => return Err(self.not_media("it is text, not audio or video")),
            Head::Binary => {}
        }
        self.container(source, file_name)
    }

    /// Opens a container whose first bytes are neither nothing nor text.
    fn container(self, mut source: PrefixedSource, file_name: &str) -> Result<(Container, Parts), SourceError> {
        if !source.extent().seekable && order_of(source.head()) != Mp4Order::Other {
            if order_of(source.head()) == Mp4Order::Unknown {
                source.grow(MP4_HEAD_BYTES)?;
            }
            if order_of(source.head()) == Mp4Order::IndexLast {
                return Err(self.not_media(INDEX_LAST));
            }
        }
        let io = IoContext::new(Box::new(source), self.parts.fault.clone()).ok_or_else(|| self.short_of_memory())?;
        let found = recognise(&io, file_name, self.spec.list, &self.parts.what);
        // What our own flags say explains a failed look better than what was seen of the bytes.
        let format = found.map_err(|error| self.parts.own_error().unwrap_or(error))?;
        let options = self.options("none")?;
        self.finish(file_name, format, Access::Bytes(io), options)
    }

    /// Hands over to FFmpeg and looks at what it found.
    fn finish(
        self,
        address: &str,
        format: *const ffi::AVInputFormat,
        access: Access,
        options: Dictionary,
    ) -> Result<(Container, Parts), SourceError> {
        ffmpeg_log::forget_last_error();
        let opened = Container::open(address, format, access, options, &self.parts.patience);
        let mut container = opened.map_err(|code| self.failure(code))?;
        let size = &self.spec.size;
        container.find_streams(size.pixels, size.samples).map_err(|code| self.failure(code))?;
        if let Some(error) = self.parts.own_error() {
            return Err(error);
        }
        self.judge_streams(&container)?;
        Ok((container, self.parts))
    }

    /// The options that bound every input.
    fn options(&self, protocols: &str) -> Result<Dictionary, SourceError> {
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
        for (name, value) in &all {
            if !options.set(name, value) {
                return Err(self.short_of_memory());
            }
        }
        Ok(options)
    }

    /// Refuses an input without any track that we could look at.
    fn judge_streams(&self, container: &Container) -> Result<(), SourceError> {
        let mut refused = None;
        let mut tracks = 0;
        for stream in container.streams() {
            // SAFETY: streams of an open context and their parameters are valid.
            let parameters = unsafe { &*(**stream).codecpar };
            if !matches!(
                parameters.codec_type,
                ffi::AVMediaType::AVMEDIA_TYPE_VIDEO | ffi::AVMediaType::AVMEDIA_TYPE_AUDIO
            ) {
                continue;
            }
            match decoder_name(parameters.codec_id) {
                Some(name) if !self.spec.list.allows_decoder(&name) => refused = Some(name),
                _ => tracks += 1,
            }
        }
        match (tracks, refused) {
            (0, Some(name)) => {
                let list = self.spec.list.name();
                Err(self.forbidden(&format!("codec '{name}' is not on the white list '{list}' of decoders")))
            }
            (0, None) => {
                let why = "no video or audio track was found in it".to_owned();
                Err(SourceError::NoTracks { what: self.parts.what.clone(), why })
            }
            _ => Ok(()),
        }
    }

    /// The error behind FFmpeg's refusal to open: ours if there is one, else its last words.
    fn failure(&self, code: Code) -> SourceError {
        if let Some(error) = self.parts.own_error() {
            return error;
        }
        let why = match ffmpeg_log::take_last_error() {
            Some(line) if line.contains("moov atom not found") => {
                "its index (moov) is missing: the file is cut off or was never finished".to_owned()
            }
            Some(line) => format!("{} ({line})", code.words()),
            None => code.words(),
        };
        self.not_media(&why)
    }

    fn not_media(&self, why: &str) -> SourceError {
        SourceError::NotMedia { what: self.parts.what.clone(), why: why.to_owned() }
    }

    fn forbidden(&self, why: &str) -> SourceError {
        SourceError::Forbidden { what: self.parts.what.clone(), why: why.to_owned() }
    }

    fn short_of_memory(&self) -> SourceError {
        SourceError::Read { what: self.parts.what.clone(), why: "out of memory".to_owned() }
    }
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
