//! A film of a clip: its packets in a file that browsers play, beside the transport packets as they were received.
//!
//! Runs on the thread that writes evidence. Nothing is coded again; tracks whose codec browsers do not play are left
//! out. The clip is demuxed within the bounds of every input, for whoever sent it may have meant harm.

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceError;
use ffmpeg_next::{Packet, ffi};

use super::demuxer::Demuxer;
use super::held_packet::HeldTrack;
use super::packet_ring::Clip;
use super::remux::{self, Container, RemuxError};
use super::spec::{Address, InputSpec};
use crate::measure::MeasurePlan;

/// What became of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Film {
    /// It was written: something in the clip plays in browsers.
    pub written: bool,
    /// The codecs of the tracks that were left out.
    pub left_out: Vec<String>,
}

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The clip cannot be read.
    #[error(transparent)]
    Clip(#[from] SourceError),
    /// The film cannot be written.
    #[error(transparent)]
    Film(#[from] RemuxError),
}

/// Makes `film` of the file `path`, in which `clip` was written.
pub fn write(clip: &Clip, path: &Path, film: &Path) -> Result<Film, FilmError> {
    let spec = InputSpec::new("evidence", Address::File(path.to_owned()), MeasurePlan::NOTHING);
    let mut demuxer = Demuxer::open(&spec, &Arc::<Lifeline>::default())?;
    let mut told = Film::default();
    let tracks = tracks_of(&demuxer, clip, &mut told.left_out);
    if tracks.is_empty() {
        return Ok(told);
    }
    // What comes before the first key picture cannot be shown.
    let mut begun: Vec<bool> = tracks.iter().map(|track| !track.is_video()).collect();
    let mut failed = None;
    let packets = std::iter::from_fn(|| {
        loop {
            let mut packet = Packet::empty();
            match demuxer.read(&mut packet) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    failed = Some(error);
                    return None;
                }
            }
            let index = packet.stream();
            let Some(place) = tracks.iter().position(|track| track.index == index) else { continue };
            begun[place] |= packet.is_key();
            if begun[place] {
                return Some((index, packet));
            }
        }
    });
    let written = remux::write_packets(&tracks, packets, Container::Mp4, film);
    match (written, failed) {
        // The end of a clip may be cut anywhere: what could be read until then has to do.
        (Ok(_), _) => {}
        (Err(RemuxError::Empty), Some(error)) => return Err(error.into()),
        (Err(error), _) => return Err(error.into()),
    }
    told.written = true;
    Ok(told)
}

/// The tracks that browsers play, of those that the stream was watched on.
fn tracks_of(demuxer: &Demuxer, clip: &Clip, left_out: &mut Vec<String>) -> Vec<Arc<HeldTrack>> {
    let context = demuxer.context();
    // SAFETY: the context is open and used on this thread only; its table holds that many streams.
    let all: Vec<Arc<HeldTrack>> = unsafe {
        (0..(*context).nb_streams as usize)
            .filter_map(|index| HeldTrack::of(*(*context).streams.add(index)))
            .filter(HeldTrack::is_media)
            .map(Arc::new)
            .collect()
    };
    let is_watched = |track: &HeldTrack| clip.tracks.iter().any(|watched| watched.pid == track.pid);
    // The numbers of HLS are no PIDs: then it is all of them.
    let some = all.iter().any(|track| is_watched(track));
    let watched = all.into_iter().filter(|track| !some || is_watched(track));
    let (played, other): (Vec<_>, Vec<_>) = watched.partition(|track| track.plays_in_browsers());
    left_out.extend(other.iter().map(|track| name_of(track.codec())));
    played
}

fn name_of(codec: ffi::AVCodecID) -> String {
    // SAFETY: the answer is a static text for every number.
    unsafe { CStr::from_ptr(ffi::avcodec_get_name(codec)) }.to_string_lossy().into_owned()
}
