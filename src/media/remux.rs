//! Remuxing: writes held packets into a file without coding them again.
//!
//! Runs on the thread that writes evidence. Transport streams are written as they were received, from their last
//! tables on; packets go into MP4 when players everywhere know their codecs, else into Matroska.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ffmpeg_next::packet::Mut;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, ffi, format};

use super::held_packet::HeldTrack;
use super::packet_ring::{Clip, Form, What};

/// Bytes of a transport packet.
const PACKET: u64 = super::ts_tap::PACKET as u64;

/// What a clip was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// MPEG-TS, as received.
    Transport,
    /// MP4.
    Mp4,
    /// Matroska.
    Matroska,
}

impl Container {
    /// The container for a clip.
    pub fn of(clip: &Clip) -> Self {
        if clip.form == Form::Transport {
            return Self::Transport;
        }
        if clip.tracks.iter().all(|track| track.plays_in_browsers()) { Self::Mp4 } else { Self::Matroska }
    }

    /// Its name, as FFmpeg has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transport => "mpegts",
            Self::Mp4 => "mp4",
            Self::Matroska => "matroska",
        }
    }

    /// The ending of its files.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Transport => "ts",
            Self::Mp4 => "mp4",
            Self::Matroska => "mkv",
        }
    }
}

/// Why a clip could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RemuxError {
    /// The disk.
    #[error("cannot write the clip: {0}")]
    Disk(#[from] io::Error),
    /// FFmpeg refuses.
    #[error("cannot remux the clip: {0}")]
    Refused(#[from] ffmpeg_next::Error),
    /// There is nothing in it.
    #[error("no packet of the clip could be written")]
    Empty,
}

/// Writes a clip; tells how many packets no container took.
pub fn write(clip: &Clip, container: Container, path: &Path) -> Result<u32, RemuxError> {
    match container {
        Container::Transport => write_transport(clip, path).map(|()| 0),
        Container::Mp4 | Container::Matroska => {
            let packets = clip.entries.iter().filter_map(|entry| match &entry.what {
                What::Packet(index, held) => Some((*index, held.reference()?)),
                What::Bytes(..) | What::Mark(_) => None,
            });
            write_packets(&clip.tracks, packets, container, path)
        }
    }
}

fn write_transport(clip: &Clip, path: &Path) -> Result<(), RemuxError> {
    let pieces = || {
        clip.entries.iter().filter_map(|entry| match &entry.what {
            What::Bytes(place, bytes) => Some((*place, &**bytes)),
            What::Packet(..) | What::Mark(_) => None,
        })
    };
    let begin = last_tables(pieces(), clip.place).unwrap_or(clip.place);
    let mut file = File::create(path)?;
    let mut written = 0;
    for (place, bytes) in pieces() {
        let length = bytes.len() as u64;
        let from = begin.saturating_sub(place).min(length) as usize;
        let to = clip.end.map_or(length, |end| end.saturating_sub(place).min(length)) as usize;
        if let Some(rest) = bytes.get(from..to) {
            file.write_all(rest)?;
            written += rest.len();
        }
    }
    file.flush()?;
    if written == 0 { Err(RemuxError::Empty) } else { Ok(()) }
}

/// Where the last programme association table at or before `until` begins.
fn last_tables<'a>(pieces: impl Iterator<Item = (u64, &'a [u8])>, until: u64) -> Option<u64> {
    let mut found = None;
    for (begin, bytes) in pieces {
        // Packets lie in step with the one that holds the picture's begin.
        let mut place = begin + (until % PACKET + PACKET - begin % PACKET) % PACKET;
        while place <= until && place + 4 <= begin + bytes.len() as u64 {
            let header = &bytes[(place - begin) as usize..];
            if header[0] == 0x47 && header[1] & 0x5F == 0x40 && header[2] == 0 {
                found = Some(place);
            }
            place += PACKET;
        }
    }
    found
}

/// Writes packets with the numbers of their tracks into a file; tells how many the container did not take.
pub(super) fn write_packets(
    tracks: &[Arc<HeldTrack>],
    packets: impl Iterator<Item = (usize, Packet)>,
    container: Container,
    path: &Path,
) -> Result<u32, RemuxError> {
    let mut output = format::output_as(path, container.name())?;
    for track in tracks {
        let mut stream = output.add_stream(ffmpeg_next::encoder::find(codec::Id::None))?;
        // SAFETY: the stream was just made by FFmpeg and is ours; the source is never changed.
        let code = unsafe {
            let raw = (*stream.as_mut_ptr()).codecpar;
            let code = ffi::avcodec_parameters_copy(raw, track.parameters());
            // The tag of one container means nothing in another.
            (*raw).codec_tag = 0;
            code
        };
        if code < 0 {
            return Err(ffmpeg_next::Error::from(code).into());
        }
        stream.set_time_base(Rational(track.base.0, track.base.1));
    }
    let mut options = Dictionary::new();
    options.set("movflags", "+faststart");
    options.set("avoid_negative_ts", "make_zero");
    output.write_header_with(options)?;
    let (mut refused, mut written) = (0, 0_u32);
    for (index, mut packet) in packets {
        let Some(place) = tracks.iter().position(|track| track.index == index) else { continue };
        let base = tracks[place].base;
        let target = output.stream(place).map_or(Rational(1, 1_000), |stream| stream.time_base());
        packet.set_stream(place);
        packet.rescale_ts(Rational(base.0, base.1), target);
        packet.set_position(-1);
        // SAFETY: the reference is ours alone; plain numbers. Containers want both times.
        unsafe {
            let raw = &mut *packet.as_mut_ptr();
            if raw.dts == ffi::AV_NOPTS_VALUE {
                raw.dts = raw.pts;
            }
            if raw.pts == ffi::AV_NOPTS_VALUE {
                raw.pts = raw.dts;
            }
        }
        match packet.write_interleaved(&mut output) {
            Ok(()) => written += 1,
            Err(_) => refused += 1,
        }
    }
    output.write_trailer()?;
    if written == 0 { Err(RemuxError::Empty) } else { Ok(refused) }
}
