//! Stand-in for the demuxer: opens plain files. Replaced by the real one when it is merged.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::ptr;
use std::sync::{Arc, Mutex};

use avwatch_actors::lifeline::{Lifeline, Phase};
use avwatch_actors::source::SourceError;
use ffmpeg_next::ffi;
use ffmpeg_next::packet::Mut;

use super::spec::{Address, InputSpec};
use super::ts_tap::TsTap;

pub(crate) struct ReceiveCounts {
    pub received_bytes: u64,
    pub receive_dropped: u64,
}

pub(crate) struct Demuxer {
    context: *mut ffi::AVFormatContext,
    container: String,
    received: u64,
    file: File,
    tap: Arc<Mutex<TsTap>>,
    line: Arc<Lifeline>,
}

impl Demuxer {
    pub(crate) fn open(spec: &InputSpec, line: &Arc<Lifeline>) -> Result<Self, SourceError> {
        super::ffmpeg_log::install();
        let what = spec.address.to_string();
        let failed = |why: &str| SourceError::NotMedia { what: what.clone(), why: why.to_owned() };
        let Address::File(path) = &spec.address else { return Err(failed("only files")) };
        let file = File::open(path).map_err(|error| failed(&error.to_string()))?;
        let path = CString::new(path.to_string_lossy().as_bytes()).map_err(|_| failed("bad path"))?;
        let mut context = ptr::null_mut();
        // SAFETY: the path is terminated, `context` a valid out pointer.
        unsafe {
            if ffi::avformat_open_input(&mut context, path.as_ptr(), ptr::null_mut(), ptr::null_mut()) < 0 {
                return Err(failed("unknown format"));
            }
            if ffi::avformat_find_stream_info(context, ptr::null_mut()) < 0 {
                ffi::avformat_close_input(&mut context);
                return Err(failed("no stream information"));
            }
            let name = std::ffi::CStr::from_ptr((*(*context).iformat).name).to_string_lossy().into_owned();
            line.enter(Phase::Reading);
            Ok(Self { context, container: name, received: 0, file, tap: Arc::default(), line: line.clone() })
        }
    }

    pub(crate) fn read(&mut self, packet: &mut ffmpeg_next::Packet) -> Result<bool, SourceError> {
        if self.line.is_cut() {
            return Err(SourceError::Stopped);
        }
        // SAFETY: both are valid; the packet is unreferenced before it is filled again.
        unsafe {
            let raw = packet.as_mut_ptr();
            ffi::av_packet_unref(raw);
            if ffi::av_read_frame(self.context, raw) < 0 {
                self.feed_tap();
                return Ok(false);
            }
        }
        self.feed_tap();
        self.line.progress();
        Ok(true)
    }

    pub(crate) fn context(&self) -> *mut ffi::AVFormatContext {
        self.context
    }

    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    pub(crate) fn counts(&self) -> ReceiveCounts {
        ReceiveCounts { received_bytes: self.received, receive_dropped: 0 }
    }

    pub(crate) fn tap(&self) -> Option<Arc<Mutex<TsTap>>> {
        (self.container == "mpegts").then(|| self.tap.clone())
    }

    /// Shows the tap the bytes that FFmpeg took meanwhile.
    fn feed_tap(&mut self) {
        // SAFETY: a file has a byte context for as long as it is open.
        let taken = u64::try_from(unsafe { ffi::avio_seek((*self.context).pb, 0, libc::SEEK_CUR) }).unwrap_or(0);
        let mut bytes = vec![0; taken.saturating_sub(self.received) as usize];
        if self.file.read_exact(&mut bytes).is_ok() {
            self.received = taken;
            self.tap.lock().expect("not poisoned").feed(&bytes);
        }
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { ffi::avformat_close_input(&mut self.context) }
    }
}
