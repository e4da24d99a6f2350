//! The gate of an HLS session: every address that FFmpeg's HLS demuxer wants goes through here.
//!
//! Playlists, keys and segments are fetched by our own HTTP client, so that waits, redirects,
//! certificates, byte counts and where they may lead are ours. Requests are bounded in rate, playlists
//! in size and depth: a playlist that refers to itself can neither loop nor turn us against its server.
//! Owned by the session's container, used on its thread only.

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;
use url::Url;

use crate::media::bytes::{
    ByteRange, ByteSource, DecryptingSource, HttpClient, MemorySource, Patience, PrefixedSource, SegmentKey,
};
use crate::media::hls_ends::HlsEnds;
use crate::media::hls_lag::SegmentLag;
use crate::media::hls_playlist::{MediaPlaylist, PLAYLIST_BYTES_MAX, is_master};
use crate::media::io_context::{FaultSlot, IoContext};
use crate::media::packet_ring::PacketRing;
use crate::media::recognise::Head;
use crate::media::segments::{SEGMENT_HEAD, Segments};
use crate::media::spec::Variant;
use crate::media::ts_tap::PictureBound;
use crate::secret_url::SecretUrl;

/// Requests a session may make at once, and each second: one variant with a rendition of its own and
/// segments of one second needs about four.
const REQUEST_BURST: f64 = 24.0;
const REQUEST_RATE: f64 = 4.0;

/// How much more that is when every variant is watched.
const ALL_VARIANTS_FACTOR: f64 = 4.0;

/// Most announced discontinuities and known playlists that are remembered.
const REMEMBERED_MAX: usize = 64;

/// A live input may be silent for so many target durations.
const TARGETS_TOLERATED: f64 = 3.5;

/// What the gate needs of its session.
pub(in crate::media) struct GateParts {
    /// Makes the requests.
    pub(in crate::media) client: HttpClient,
    /// Decides how long to wait.
    pub(in crate::media) patience: Arc<Patience>,
    /// Keeps errors that end the session.
    pub(in crate::media) fault: FaultSlot,
    /// The session's input without secrets.
    pub(in crate::media) what: String,
    /// How many variants are watched.
    pub(in crate::media) variant: Variant,
    /// How large pictures may be.
    pub(in crate::media) bound: PictureBound,
    /// What the playlists of this input had come to when they ended.
    pub(in crate::media) ends: Arc<Mutex<HlsEnds>>,
}

/// Owns the gate's state at an address that stays, for FFmpeg holds it too.
pub(in crate::media) struct HlsGate(NonNull<State>);

struct State {
    parts: GateParts,
    open: Vec<IoContext>,
    /// Errors in the middle of a segment, which FFmpeg takes for its end.
    broken: FaultSlot,
    tokens: f64,
    filled: Instant,
    requests: u64,
    /// FFmpeg is still reading the head of the session, see [`State::reload_is_safe`].
    opening: bool,
    /// Known playlists by address, as they were read last.
    playlists: VecDeque<(String, MediaPlaylist)>,
    stood_still: u32,
    /// A playlist said that nothing more will come.
    ended: bool,
    /// Something led where it may not: nothing is fetched any more, so that the session ends.
    closed: bool,
    target: Duration,
    announced: VecDeque<String>,
    discontinuity: bool,
    trouble: Option<String>,
    /// Why the newest segment was not had whole; nothing once another one begins.
    missing: Option<String>,
    segments: Segments,
    lag: SegmentLag,
}

impl HlsGate {
    /// A gate that has not let anything through yet.
    pub(in crate::media) fn new(parts: GateParts) -> Self {
        let state = State {
            tokens: REQUEST_BURST * factor(parts.variant),
            parts,
            open: Vec::new(),
            broken: FaultSlot::default(),
            filled: Instant::now(),
            requests: 0,
            opening: true,
            playlists: VecDeque::new(),
            stood_still: 0,
            ended: false,
            closed: false,
            target: Duration::ZERO,
            announced: VecDeque::new(),
            discontinuity: false,
            trouble: None,
            missing: None,
            segments: Segments::default(),
            lag: SegmentLag::default(),
        };
        Self(NonNull::from(Box::leak(Box::new(state))))
    }

    /// Puts itself between a context and its addresses. The gate must outlive the context.
    pub(in crate::media) fn attach(&mut self, context: &mut ffi::AVFormatContext) {
        context.io_open = Some(on_open);
        context.io_close2 = Some(on_close);
        context.opaque = self.0.as_ptr().cast();
    }

    /// Takes note of the playlist that the session began with.
    /// Fails when nothing new is in it since it ended.
    pub(in crate::media) fn note_media(&mut self, text: &str, url: &Url) -> Result<(), SourceError> {
        self.state_mut().note_media(text, url.as_str(), url)
    }

    /// Says that the context is open.
    pub(in crate::media) fn opened(&mut self) {
        self.state_mut().opening = false;
    }

    /// Longest duration of a segment; zero while unknown.
    pub(in crate::media) fn target(&self) -> Duration {
        self.state().target
    }

    /// Whether an announced discontinuity was reached since the last call.
    pub(in crate::media) fn take_discontinuity(&mut self) -> bool {
        std::mem::take(&mut self.state_mut().discontinuity)
    }

    /// Holds the bytes of segments from now on, if they are transport streams. Where several playlists are read, nobody
    /// knows which bytes a packet came of, and nothing is held.
    pub(in crate::media) fn keep_bytes_in(&self, ring: &Arc<PacketRing>) -> bool {
        let state = self.state();
        state.playlists.len() == 1 && state.segments.keep_in(ring)
    }

    /// Whether segments were seen that are no transport streams.
    pub(in crate::media) fn has_other_segments(&self) -> bool {
        self.state().segments.has_other()
    }

    /// What went wrong last, as far as the gate has seen.
    pub(in crate::media) fn trouble(&self) -> Option<String> {
        let state = self.state();
        if state.stood_still > 0 { Some("the playlist does not advance".to_owned()) } else { state.trouble.clone() }
    }

    /// Why an end of the media is none: no playlist announced it, or the last segment was not had whole.
    pub(in crate::media) fn break_off(&self) -> Option<String> {
        let unannounced = || "the playlist broke off without an end".to_owned();
        if self.state().ended {
            return self.missing();
        }
        Some(self.state().trouble.clone().unwrap_or_else(unannounced))
    }

    /// Takes note that everything was read, also what was not had whole: it will not be had by asking again.
    pub(in crate::media) fn played(&self) {
        let state = self.state();
        lock(&state.parts.ends).played(state.playlists.iter().map(|(_, playlist)| playlist));
    }

    /// Why the newest segment was not had whole.
    pub(in crate::media) fn missing(&self) -> Option<String> {
        self.state().missing.clone()
    }

    /// Why no media comes.
    pub(in crate::media) fn hindrance(&self) -> String {
        self.trouble().unwrap_or_else(|| format!("{} requests brought no packet", self.state().requests))
    }

    fn state(&self) -> &State {
        // SAFETY: made in `new` and freed in `drop`; FFmpeg's callbacks run on this thread only, and
        // never while a method here runs.
        unsafe { self.0.as_ref() }
    }

    fn state_mut(&mut self) -> &mut State {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for HlsGate {
    fn drop(&mut self) {
        // SAFETY: made by `Box` in `new`; the context that knew it is closed, see `Container::drop`.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// FFmpeg wants an address opened.
unsafe extern "C" fn on_open(
    context: *mut ffi::AVFormatContext,
    io: *mut *mut ffi::AVIOContext,
    url: *const c_char,
    _flags: c_int,
    options: *mut *mut ffi::AVDictionary,
) -> c_int {
    if context.is_null() || io.is_null() || url.is_null() {
        return -libc::EINVAL;
    }
    // SAFETY: the context that `attach` prepared: its `opaque` is the living state of its gate.
    let Some(state) = (unsafe { (*context).opaque.cast::<State>().as_mut() }) else { return -libc::EINVAL };
    // SAFETY: a valid C string from FFmpeg.
    let Ok(address) = unsafe { CStr::from_ptr(url) }.to_str() else { return -libc::EINVAL };
    let open = || {
        // SAFETY: null, or a dictionary of FFmpeg's.
        let (range, key) = unsafe { (wanted_range(options), segment_key(options)) };
        // `crypto+http://…` is how FFmpeg wants a segment fetched and decrypted.
        let (address, key) = match address.strip_prefix("crypto") {
            Some(inner) if key.is_some() => (inner.trim_start_matches(['+', ':']), key),
            Some(_) | None => (address, None),
        };
        match state.open(address, range, key) {
            Ok(opened) => {
                // SAFETY: not null, checked above; the context lives in `state.open` until `on_close`.
                unsafe { *io = opened.raw() };
                state.open.push(opened);
                0
            }
            Err(code) => code,
        }
    };
    catch_unwind(AssertUnwindSafe(open)).unwrap_or(ffi::AVERROR_BUG)
}

/// FFmpeg is done with an address.
unsafe extern "C" fn on_close(context: *mut ffi::AVFormatContext, io: *mut ffi::AVIOContext) -> c_int {
    if context.is_null() || io.is_null() {
        return 0;
    }
    // SAFETY: as in `on_open`.
    let Some(state) = (unsafe { (*context).opaque.cast::<State>().as_mut() }) else { return -libc::EINVAL };
    let close = || match state.open.iter().position(|ours| ours.raw() == io) {
        Some(index) => {
            drop(state.open.swap_remove(index));
            if let Some(error) = state.broken.take() {
                state.broken_off(error);
            }
            0
        }
        // Everything is opened by `on_open`, so what is not ours is not there.
        None => -libc::EINVAL,
    };
    catch_unwind(AssertUnwindSafe(close)).unwrap_or(ffi::AVERROR_BUG)
}

impl State {
    /// Opens a playlist, segment or key by our own client; with a key, decrypts what comes.
    fn open(&mut self, address: &str, range: ByteRange, key: Option<SegmentKey>) -> Result<IoContext, c_int> {
        if self.closed {
            return Err(ffi::AVERROR_EXIT);
        }
        let url = self.allowed(address)?;
        if !self.reload_is_safe(address) {
            return Err(ffi::AVERROR_EOF);
        }
        self.wait_for_permit()?;
        let source = self.parts.client.get(&url, range).map_err(|error| self.refused(error))?;
        let answered = source.final_url().expose().clone();
        let source: Box<dyn ByteSource> = match key {
            Some(key) => Box::new(DecryptingSource::new(Box::new(source), key).ok_or(-libc::ENOMEM)?),
            None => Box::new(source),
        };
        let source = PrefixedSource::peek(source, SEGMENT_HEAD).map_err(|error| self.refused(error))?;
        let source: Box<dyn ByteSource> = if Head::of(source.head()) == Head::Playlist {
            let text = read_playlist(source).map_err(|error| self.refused(error))?;
            if is_master(&text) {
                let why = "a playlist within the playlist lists variants again: it refers to itself".to_owned();
                self.parts.fault.keep(SourceError::NotMedia { what: self.parts.what.clone(), why });
                return Err(ffi::AVERROR_INVALIDDATA);
            }
            if let Err(over) = self.note_media(&text, address, &answered) {
                self.parts.fault.keep(over);
                self.closed = true;
                return Err(ffi::AVERROR_EXIT);
            }
            Box::new(MemorySource::new(text.into_bytes()))
        } else {
            if let Some(index) = self.announced.iter().position(|announced| announced == url.expose().as_str()) {
                self.announced.remove(index);
                self.discontinuity = true;
            }
            self.missing = None;
            // Of several playlists nobody knows which bytes a packet came of: all that comes counts as whole.
            let position = if self.playlists.len() == 1 { self.segments.position() } else { 0 };
            self.lag.heed(&self.parts.patience, &self.parts.what, position, self.target);
            self.segments.pass(source)
        };
        let io = IoContext::forward_only(&self.parts.what, source, self.broken.clone()).ok_or(-libc::ENOMEM)?;
        io.bound_pictures(self.opening.then_some(self.parts.bound));
        Ok(io)
    }

    /// Whether FFmpeg may fetch an address again.
    ///
    /// While it opens a session it holds the address of a segment that a reload of the playlist
    /// frees (seen in 5.1.9 as reads of freed memory). It then gets an end instead of the playlist and
    /// goes by what it has.
    fn reload_is_safe(&self, address: &str) -> bool {
        !self.opening || !self.playlists.iter().any(|(known, _)| known == address)
    }

    /// Only http and https lead out of a playlist.
    fn allowed(&mut self, address: &str) -> Result<SecretUrl, c_int> {
        match address.parse::<SecretUrl>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
            Ok(url) => {
                let scheme = url.scheme();
                self.trouble =
                    Some(format!("the playlist refers to a '{scheme}:' address; only http and https are allowed"));
                Err(-libc::EPERM)
            }
            Err(_) => {
                self.trouble = Some("the playlist refers to something that is no address".to_owned());
                Err(-libc::EINVAL)
            }
        }
    }

    /// Waits until another request may be made.
    fn wait_for_permit(&mut self) -> Result<(), c_int> {
        let factor = factor(self.parts.variant);
        loop {
            let now = Instant::now();
            let gained = now.duration_since(self.filled).as_secs_f64() * REQUEST_RATE * factor;
            self.tokens = (self.tokens + gained).min(REQUEST_BURST * factor);
            self.filled = now;
            if self.tokens >= 1.0 {
                self.tokens -= 1.0;
                self.requests += 1;
                return Ok(());
            }
            if self.parts.patience.verdict().is_some() {
                return Err(ffi::AVERROR_EXIT);
            }
            self.parts.patience.rests();
            std::thread::sleep(self.parts.patience.slice());
        }
    }

    /// Remembers why a segment ended early.
    fn broken_off(&mut self, error: SourceError) {
        if matches!(error, SourceError::Forbidden { .. }) {
            // It declares more than there is memory for, and so would the next one.
            self.parts.fault.keep(error.clone());
            self.closed = true;
        }
        self.refused(error);
    }

    /// Remembers why a request failed. FFmpeg goes on to the next segment where it can.
    fn refused(&mut self, error: SourceError) -> c_int {
        if self.parts.patience.verdict().is_some() {
            return ffi::AVERROR_EXIT;
        }
        let code = match &error {
            SourceError::Refused { .. } => ffi::AVERROR_HTTP_NOT_FOUND,
            SourceError::Forbidden { .. } if self.parts.client.is_guarded() => {
                // Whoever makes the playlist tries where it may not lead: no next segment mends that.
                self.parts.fault.keep(error.clone());
                self.closed = true;
                ffi::AVERROR_EXIT
            }
            _ => -libc::EIO,
        };
        tracing::debug!(input = self.parts.what, %error, "a part of the stream could not be fetched");
        self.trouble = Some(error.to_string());
        self.missing.clone_from(&self.trouble);
        code
    }

    /// Takes note of a media playlist: `address` is what was asked for, `url` what answered.
    ///
    /// Fails when the session is opened with a playlist that was played to its end before.
    fn note_media(&mut self, text: &str, address: &str, url: &Url) -> Result<(), SourceError> {
        let mut playlist = MediaPlaylist::parse(text);
        if !self.opening {
            lock(&self.parts.ends).note(&playlist);
        } else if let Some(last) = lock(&self.parts.ends).refuses(&playlist) {
            let why = format!("the playlist has ended: nothing new since sequence {last}");
            return Err(SourceError::Over { what: self.parts.what.clone(), why });
        }
        self.target = self.target.max(playlist.target);
        self.ended |= playlist.ended;
        self.parts.patience.tolerate(self.target.mul_f64(TARGETS_TOLERATED));
        for uri in std::mem::take(&mut playlist.discontinuities) {
            if let Ok(segment) = url.join(&uri) {
                let segment = String::from(segment);
                if !self.announced.contains(&segment) {
                    push_bounded(&mut self.announced, segment);
                }
            }
        }
        match self.playlists.iter_mut().find(|(known, _)| known == address) {
            Some((_, before)) => {
                let stands = before.next_sequence == playlist.next_sequence && !playlist.ended;
                self.stood_still = if stands { self.stood_still + 1 } else { 0 };
                *before = playlist;
            }
            None => push_bounded(&mut self.playlists, (address.to_owned(), playlist)),
        }
        Ok(())
    }
}

/// The ends are whole after every change: a poisoned lock still guards valid ones.
fn lock(ends: &Mutex<HlsEnds>) -> MutexGuard<'_, HlsEnds> {
    ends.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a list that forgets its oldest entries.
fn push_bounded<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() >= REMEMBERED_MAX {
        list.pop_front();
    }
    list.push_back(entry);
}

/// Reads a playlist to its end.
pub(in crate::media) fn read_playlist(mut source: PrefixedSource) -> Result<String, SourceError> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if bytes.len() > PLAYLIST_BYTES_MAX {
            let why = format!("larger than {PLAYLIST_BYTES_MAX} bytes");
            return Err(SourceError::NotMedia { what: "the playlist".to_owned(), why });
        }
    }
}

/// The part of a resource that FFmpeg's HTTP options ask for.
///
/// # Safety
/// Null, or a pointer to null or to a dictionary of FFmpeg's.
unsafe fn wanted_range(options: *mut *mut ffi::AVDictionary) -> ByteRange {
    // SAFETY: by the contract.
    let dictionary = unsafe { options.as_ref() }.copied().unwrap_or(null_mut());
    let number = |name: &CStr| {
        // SAFETY: null or a dictionary, and a valid text; an entry's value is a valid C string.
        unsafe {
            let entry = ffi::av_dict_get(dictionary, name.as_ptr(), null_mut(), 0).as_ref()?;
            CStr::from_ptr(entry.value).to_str().ok()?.parse::<u64>().ok()
        }
    };
    ByteRange { from: number(c"offset").unwrap_or(0), to: number(c"end_offset").filter(|to| *to > 0) }
}

/// Key and initialisation vector of an encrypted segment, which FFmpeg gives in hexadecimal.
///
/// # Safety
/// Null, or a pointer to null or to a dictionary of FFmpeg's.
unsafe fn segment_key(options: *mut *mut ffi::AVDictionary) -> Option<SegmentKey> {
    // SAFETY: by the contract.
    let dictionary = unsafe { options.as_ref() }.copied().unwrap_or(null_mut());
    let block = |name: &CStr| {
        // SAFETY: null or a dictionary, and a valid text; an entry's value is a valid C string.
        let digits = unsafe {
            let entry = ffi::av_dict_get(dictionary, name.as_ptr(), null_mut(), 0).as_ref()?;
            CStr::from_ptr(entry.value).to_str().ok()?
        };
        let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
        Some(number.to_be_bytes())
    };
    Some(SegmentKey { key: block(c"key")?, start: block(c"iv")? })
}

fn factor(variant: Variant) -> f64 {
    match variant {
        Variant::All => ALL_VARIANTS_FACTOR,
        Variant::Highest | Variant::Lowest => 1.0,
    }
}
