//! Items: all that travels from a session to its detectors.

use std::sync::Arc;

use crate::frame::{AudioFrame, SourceTime, VideoFrame};
use crate::media_time::MediaTime;
use crate::source::SourceError;
use crate::track::{SessionInfo, TrackId};

/// One thing that a session tells its detectors. Small and cheap to clone.
#[derive(Clone, Debug)]
pub enum Item {
    /// A session began, or changed its make-up ([`SessionInfo::revision`] above 0).
    Started(Arc<SessionInfo>),
    /// A decoded picture.
    Video(Arc<VideoFrame>),
    /// A decoded block of samples.
    Audio(Arc<AudioFrame>),
    /// What the demuxer saw since the previous such item.
    Packets(Arc<PacketFacts>),
    /// The stream as a whole has reached this time: how absence reaches detectors.
    Clock(MediaTime),
    /// Media time passed of which nothing is known, or frames were displaced from a lane.
    Gap(Gap),
    /// The session is over; nothing of it follows.
    Ended(EndReason),
}

impl Item {
    /// The track it belongs to; the input as a whole for all but frames and gaps.
    pub fn track(&self) -> TrackId {
        match self {
            Self::Video(frame) => frame.stamp.track,
            Self::Audio(frame) => frame.stamp.track,
            Self::Gap(gap) => gap.track,
            Self::Started(_) | Self::Packets(_) | Self::Clock(_) | Self::Ended(_) => TrackId::INPUT,
        }
    }

    /// True for what may be displaced from a full lane; everything else must arrive.
    pub fn is_frame(&self) -> bool {
        matches!(self, Self::Video(_) | Self::Audio(_))
    }
}

/// How far apart `Clock` items are: what one of them is credited with.
const CLOCK_LASTS: MediaTime = MediaTime::from_millis(100);

impl Item {
    /// Up to when it lets a detector speak, and for how long it lasts; nothing for what takes no time.
    pub fn span(&self) -> Option<(MediaTime, MediaTime)> {
        match self {
            Self::Started(info) => Some((info.at, MediaTime::ZERO)),
            Self::Video(frame) => Some((frame.stamp.end(), frame.stamp.lasts)),
            Self::Audio(frame) => Some((frame.stamp.end(), frame.stamp.lasts)),
            Self::Packets(facts) => Some((facts.at, facts.lasts)),
            Self::Clock(at) => Some((*at, CLOCK_LASTS)),
            Self::Gap(_) | Self::Ended(_) => None,
        }
    }
}

/// A stretch of the timeline of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The track that lacks it, or the input as a whole.
    pub track: TrackId,
    /// Where it begins.
    pub from: MediaTime,
    /// Where it ends.
    pub to: MediaTime,
    /// Why.
    pub why: GapReason,
}

/// Why a stretch of the timeline is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The source did not send it.
    Source,
    /// It came and was not looked at: our own lane was full, or this machine dropped datagrams that it needs.
    Displaced,
    /// The previous session ended and this one began later.
    Reconnected,
}

/// How a session came to its end.
#[derive(Clone, Debug)]
pub enum EndReason {
    /// The source ended cleanly: end of file, end of a playlist.
    Finished,
    /// It was told to stop.
    Stopped,
    /// It failed.
    Failed(Arc<SourceError>),
}

/// What happened to the timeline of one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineSign {
    /// Presentation times jumped forward by more than the frames in between last.
    Gap {
        /// How much is missing.
        missing: MediaTime,
    },
    /// Presentation times went backwards.
    Backward {
        /// How far.
        by: MediaTime,
    },
    /// Presentation times overlap: frames last longer than the distance between them.
    Overlap {
        /// How much.
        by: MediaTime,
    },
    /// The input ended before its own header or index says that it does: it is cut off.
    CutOff {
        /// How much is missing.
        missing: MediaTime,
    },
    /// A jump that the source announced (discontinuity indicator, `EXT-X-DISCONTINUITY`).
    Signalled,
}

/// A timeline sign with its place.
#[derive(Clone, Copy, Debug)]
pub struct TimelineMark {
    /// The track.
    pub track: TrackId,
    /// Where on the repaired timeline.
    pub at: MediaTime,
    /// What happened.
    pub sign: TimelineSign,
    /// The raw timestamps of the packet that showed it.
    pub source_time: Option<SourceTime>,
}

/// Half of a sync marker: a short flash and a short beep that were made to coincide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// The picture turned from dark to bright, and soon back.
    Flash,
    /// A sound of less than half a second out of silence.
    Beep,
}

/// What may be half of a sync marker; whether it is one, detectors judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncMarker {
    /// Which half.
    pub kind: MarkerKind,
    /// When it begins. It is known only after its end, so markers of the two kinds may come out of order.
    pub at: MediaTime,
}

/// Counts of one track's packets over the stretch that a [`PacketFacts`] covers.
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketCounts {
    /// Packets (access units).
    pub packets: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Of them, marked corrupt by the demuxer.
    pub corrupt: u32,
    /// Of them, scrambled (transport_scrambling_control, or not decodable for encryption).
    pub scrambled: u32,
    /// Of them, that the decoder refused with an error.
    pub undecodable: u32,
    /// Of them, left undecoded: the tier in force does without, or this machine dropped datagrams that they need.
    pub left_out: u32,
    /// Of those left out, second fields of a picture, as far as that is known: the two are one picture.
    pub second_fields: u32,
}

/// Most timeline marks that a report joined from several ones keeps.
const MARKS_MAX: usize = 1_024;
/// The same of sync markers.
const MARKERS_MAX: usize = 256;

/// What the demuxer saw over a stretch of the stream, about ten times a second of media time.
#[derive(Clone, Debug, Default)]
pub struct PacketFacts {
    /// Where the stretch ends.
    pub at: MediaTime,
    /// Length of the stretch.
    pub lasts: MediaTime,
    /// Counts per track, in the order of the session's tracks; tracks without packets included.
    pub tracks: Vec<(TrackId, PacketCounts)>,
    /// What happened to the timelines.
    pub marks: Vec<TimelineMark>,
    /// Flashes and beeps of the main tracks that ended.
    pub markers: Vec<SyncMarker>,
    /// End of the newest sound minus end of the newest picture, of the main tracks, in raw
    /// presentation time (before repair); positive when sound runs ahead in the multiplex.
    pub skew: Option<MediaTime>,
    /// Bytes received for the whole input, container overhead included.
    pub bytes: u64,
    /// Datagrams that this machine dropped before they could be read.
    pub receive_dropped: u64,
}

impl PacketFacts {
    /// Takes over the report that follows this one, so that the two are one. Of marks at most
    /// 1,024 stay, of sync markers 256, the oldest.
    pub fn join(&mut self, next: &Self) {
        self.at = self.at.max(next.at);
        self.lasts += next.lasts;
        for (track, counts) in &next.tracks {
            match self.tracks.iter_mut().find(|(known, _)| known == track) {
                Some((_, sum)) => sum.add(counts),
                None => self.tracks.push((*track, *counts)),
            }
        }
        let room = MARKS_MAX.saturating_sub(self.marks.len());
        self.marks.extend(next.marks.iter().take(room));
        let room = MARKERS_MAX.saturating_sub(self.markers.len());
        self.markers.extend(next.markers.iter().take(room));
        self.skew = next.skew.or(self.skew);
        self.bytes += next.bytes;
        self.receive_dropped += next.receive_dropped;
    }
}

impl PacketCounts {
    fn add(&mut self, next: &Self) {
        self.packets = self.packets.saturating_add(next.packets);
        self.bytes += next.bytes;
        self.corrupt = self.corrupt.saturating_add(next.corrupt);
        self.scrambled = self.scrambled.saturating_add(next.scrambled);
        self.undecodable = self.undecodable.saturating_add(next.undecodable);
        self.left_out = self.left_out.saturating_add(next.left_out);
        self.second_fields = self.second_fields.saturating_add(next.second_fields);
    }
}
