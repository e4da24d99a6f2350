//! A clip as it is sent: the transport packets of one round, when each of them leaves, and when frames are due.
//!
//! Read once from the encoded file. Which clip is sent in which round is the rota's word (`rota.rs`), which also has times moved on and
//! continuity counters carried on, so that a receiver sees one stream without a seam. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use avwatch_actors::track::TrackKind;

/// Bytes of a transport packet.
pub const PACKET: usize = 188;
/// Packets sent at a time: what fits into one datagram of an Ethernet frame.
pub const PACKETS_AT_ONCE: usize = 7;
/// Ticks a second of presentation times.
pub(super) const TICKS: i64 = 90_000;
/// Times are counted in 33 bit.
const TIME_MASK: u64 = (1 << 33) - 1;
/// Key pictures from one segment to the next.
const KEYS_PER_SEGMENT: usize = 1;

/// Why a clip cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot send the clip: {0}")]
pub struct ClipFault(pub(super) &'static str);

/// A piece of the clip that begins with tables and a key picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its packets.
    pub from: usize,
    /// The first packet after it.
    pub to: usize,
    /// When its first packet leaves.
    pub begins: Duration,
    /// When its last packet has left.
    pub ends: Duration,
}

/// The clip.
pub struct Clip {
    bytes: Vec<u8>,
    length: Duration,
    /// Presentation time of the first picture.
    first_pts: i64,
    /// When each packet leaves.
    times: Vec<Duration>,
    /// Packets with payload in a round, by PID.
    counts: BTreeMap<u16, u64>,
    /// Presentation times after the first picture's, with when the frame is due.
    video: Vec<(i64, Duration)>,
    audio: Vec<(i64, Duration)>,
    segments: Vec<Segment>,
}

/// What the header of a packet says.
#[derive(Clone, Copy)]
struct Header {
    pid: u16,
    begins: bool,
    /// Where the payload begins, if there is one.
    payload: Option<usize>,
    is_key: bool,
    has_clock: bool,
}

fn header(packet: &[u8]) -> Header {
    let pid = u16::from_be_bytes([packet[1] & 0x1F, packet[2]]);
    let has_field = packet[3] & 0x20 != 0;
    let field = if has_field { usize::from(packet[4]) } else { 0 };
    let flags = if field > 0 { packet[5] } else { 0 };
    let payload = 4 + usize::from(has_field) + field;
    Header {
        pid,
        begins: packet[1] & 0x40 != 0,
        payload: (packet[3] & 0x10 != 0 && payload < PACKET).then_some(payload),
        is_key: flags & 0x40 != 0,
        has_clock: flags & 0x10 != 0 && field >= 7,
    }
}

/// Where in a packet a PES header has its times: presentation, decoding.
fn time_places(packet: &[u8], header: &Header) -> (Option<usize>, Option<usize>) {
    let Some(at) = header.payload.filter(|at| header.begins && at + 19 <= PACKET) else { return (None, None) };
    let is_media = matches!(packet[at + 3], 0xC0..=0xEF);
    if packet[at..at + 3] != [0, 0, 1] || !is_media {
        return (None, None);
    }
    let flags = packet[at + 7] >> 6;
    ((flags & 2 != 0).then_some(at + 9), (flags == 3).then_some(at + 14))
}

fn read_time(bytes: &[u8]) -> i64 {
    let part = |at: usize| i64::from(bytes[at]);
    (part(0) >> 1 & 7) << 30 | part(1) << 22 | (part(2) >> 1) << 15 | part(3) << 7 | part(4) >> 1
}

fn add_time(bytes: &mut [u8], ticks: u64) {
    let time = (read_time(bytes) as u64).wrapping_add(ticks) & TIME_MASK;
    bytes[0] = bytes[0] & 0xF1 | ((time >> 29) as u8 & 0x0E);
    bytes[1] = (time >> 22) as u8;
    bytes[2] = (time >> 14) as u8 | 1;
    bytes[3] = (time >> 7) as u8;
    bytes[4] = (time << 1) as u8 | 1;
}

fn add_clock(field: &mut [u8], ticks: u64) {
    let base = u64::from(u32::from_be_bytes([field[0], field[1], field[2], field[3]])) << 1 | u64::from(field[4] >> 7);
    let base = base.wrapping_add(ticks) & TIME_MASK;
    field[..4].copy_from_slice(&((base >> 1) as u32).to_be_bytes());
    field[4] = field[4] & 0x7F | ((base & 1) as u8) << 7;
}

/// A picture or block as it stands in the clip.
struct Unit {
    /// Its first packet.
    packet: usize,
    pts: i64,
    dts: i64,
    is_key: bool,
}

impl Clip {
    /// Reads a clip of that length.
    ///
    /// # Errors
    /// It is no transport stream with pictures.
    pub fn read(bytes: Vec<u8>, length: Duration) -> Result<Self, ClipFault> {
        if bytes.is_empty()
            || !bytes.len().is_multiple_of(PACKET)
            || bytes.chunks(PACKET).any(|packet| packet[0] != 0x47)
        {
            return Err(ClipFault("it is not made of whole transport packets"));
        }
        let (mut counts, mut video, mut audio) = (BTreeMap::<u16, u64>::new(), Vec::new(), Vec::<Unit>::new());
        let mut sound_ends = Vec::new();
        for (number, packet) in bytes.chunks(PACKET).enumerate() {
            let header = header(packet);
            *counts.entry(header.pid).or_default() += u64::from(header.payload.is_some());
            let (Some(pts), dts) = time_places(packet, &header) else {
                sound_ends.push((header.pid, number));
                continue;
            };
            let pts = read_time(&packet[pts..]);
            let dts = dts.map_or(pts, |dts| read_time(&packet[dts..]));
            let is_video = header.payload.is_some_and(|at| packet[at + 3] >= 0xE0);
            let unit = Unit { packet: number, pts, dts, is_key: header.is_key };
            if is_video {
                video.push(unit)
            } else {
                audio.push(unit)
            }
            sound_ends.push((header.pid, number));
        }
        let first_pts = video.iter().map(|unit| unit.pts).min().ok_or(ClipFault("it has no pictures"))?;
        let times = times_of(&video, bytes.len() / PACKET, length);
        let mut clip = Self {
            bytes,
            length,
            first_pts,
            times,
            counts,
            video: Vec::new(),
            audio: Vec::new(),
            segments: Vec::new(),
        };
        clip.video = clip.picture_dues(&video);
        clip.audio = clip.sound_dues(&audio, &sound_ends);
        clip.segments = clip.cut(&video);
        Ok(clip)
    }

    /// A picture is due when the first packet of the next one leaves, for only that says that it is whole, and when as many
    /// more have come as its decoder needs to bring pictures into order.
    fn picture_dues(&self, units: &[Unit]) -> Vec<(i64, Duration)> {
        let whole = |number: usize| {
            let next = (number + 1) % units.len();
            self.leaves(units[next].packet) + self.length * ((number + 1) / units.len()) as u32
        };
        let mut shown: Vec<usize> = (0..units.len()).collect();
        shown.sort_by_key(|number| units[*number].pts);
        let behind = shown.iter().enumerate().map(|(place, number)| number.saturating_sub(place)).max().unwrap_or(0);
        let due = |(place, number): (usize, &usize)| (units[*number].pts - self.first_pts, whole(place + behind));
        shown.iter().enumerate().map(due).collect()
    }

    /// A block of sound is due when its last packet leaves.
    fn sound_dues(&self, units: &[Unit], packets: &[(u16, usize)]) -> Vec<(i64, Duration)> {
        let Some(pid) = units.first().map(|unit| packets[unit.packet].0) else { return Vec::new() };
        let last_of = |unit: &Unit| {
            let end =
                units.iter().map(|next| next.packet).find(|packet| *packet > unit.packet).unwrap_or(packets.len());
            (unit.packet..end).rev().find(|number| packets[*number].0 == pid).unwrap_or(unit.packet)
        };
        units.iter().map(|unit| (unit.pts - self.first_pts, self.leaves(last_of(unit)))).collect()
    }

    fn cut(&self, units: &[Unit]) -> Vec<Segment> {
        let keys = units.iter().filter(|unit| unit.is_key).step_by(KEYS_PER_SEGMENT);
        // The tables stand right before the picture.
        let starts: Vec<usize> = keys.map(|unit| self.tables_before(unit.packet)).collect();
        let end_of = |place: usize| starts.get(place + 1).copied().unwrap_or(self.times.len());
        let segment = |(place, from): (usize, &usize)| {
            let to = end_of(place);
            let ends = if to < self.times.len() { self.times[to] } else { self.length };
            Segment { from: *from, to, begins: self.times[*from], ends }
        };
        starts.iter().enumerate().map(segment).collect()
    }

    fn tables_before(&self, packet: usize) -> usize {
        let is_table = |number: usize| {
            let header = header(&self.bytes[number * PACKET..]);
            header.pid < 0x20
                || (header.begins && header.payload.is_some_and(|at| self.bytes[number * PACKET + at] == 0))
        };
        let mut first = packet;
        while first > 0 && is_table(first - 1) && packet - first < 4 {
            first -= 1;
        }
        first
    }

    /// How long a round takes.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Packets of a round.
    pub fn packets(&self) -> usize {
        self.times.len()
    }

    /// The segments of a round.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// When a packet leaves, in its round: with the last one of those that are sent together.
    pub fn leaves(&self, packet: usize) -> Duration {
        let last = (packet / PACKETS_AT_ONCE + 1) * PACKETS_AT_ONCE - 1;
        self.times[last.min(self.times.len() - 1)]
    }

    /// Bytes of a round.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Presentation time of the first picture, in ticks.
    pub fn first_pts(&self) -> i64 {
        self.first_pts
    }

    /// Packets with payload of a PID in a round.
    pub fn count_of(&self, pid: u16) -> u64 {
        self.counts.get(&pid).copied().unwrap_or_default()
    }

    /// Whether one can be sent after the other as rounds of one stream: the same frames at the same times, segment for segment.
    pub fn is_twin_of(&self, other: &Self) -> bool {
        let times = |table: &[(i64, Duration)]| table.iter().map(|(pts, _)| *pts).collect::<Vec<_>>();
        (self.length, self.first_pts, self.segments.len()) == (other.length, other.first_pts, other.segments.len())
            && times(&self.video) == times(&other.video)
            && times(&self.audio) == times(&other.audio)
            && self.counts.keys().eq(other.counts.keys())
    }

    /// Adds packets to a buffer as they are in a round that begins so many ticks after the first one, after so many packets of
    /// each PID.
    pub fn copy(&self, packets: std::ops::Range<usize>, ticks: u64, before: impl Fn(u16) -> u64, to: &mut Vec<u8>) {
        let begin = to.len();
        to.extend_from_slice(&self.bytes[packets.start * PACKET..packets.end * PACKET]);
        for packet in to[begin..].chunks_exact_mut(PACKET) {
            let header = header(packet);
            if header.payload.is_some() {
                let counter = (u64::from(packet[3] & 0x0F) + before(header.pid)) & 0x0F;
                packet[3] = packet[3] & 0xF0 | counter as u8;
            }
            if header.has_clock {
                add_clock(&mut packet[6..12], ticks);
            }
            let (pts, dts) = time_places(packet, &header);
            for place in [pts, dts].into_iter().flatten() {
                add_time(&mut packet[place..place + 5], ticks);
            }
        }
    }

    /// How long a round takes, in ticks.
    pub fn ticks(&self) -> i64 {
        (self.length.as_secs_f64() * TICKS as f64).round() as i64
    }

    /// When the frame that is shown so many ticks after the first picture is due, in its round.
    pub fn due(&self, kind: TrackKind, ticks: i64) -> Option<Duration> {
        let table = self.dues(kind);
        // The last one that is not later; a tick of rounding is allowed for.
        let place = table.partition_point(|(at, _)| *at <= ticks + 1).checked_sub(1)?;
        Some(table[place].1)
    }

    /// Frames of a track.
    pub fn frames(&self, kind: TrackKind) -> u64 {
        self.dues(kind).len() as u64
    }

    /// Frames of a track that are due before that moment of the round. One may be due a little after its round has ended.
    pub fn due_before(&self, kind: TrackKind, moment: Duration) -> u64 {
        self.dues(kind).iter().filter(|(_, due)| *due < moment).count() as u64
    }

    fn dues(&self, kind: TrackKind) -> &[(i64, Duration)] {
        if kind == TrackKind::Audio { &self.audio } else { &self.video }
    }
}

/// When each packet leaves: those of one picture spread evenly over the time until the next one's.
fn times_of(units: &[Unit], packets: usize, length: Duration) -> Vec<Duration> {
    let first = units.first().map_or(0, |unit| unit.dts);
    let mut points: Vec<(usize, Duration)> =
        units.iter().map(|unit| (unit.packet, seconds((unit.dts - first).max(0)))).collect();
    if let Some(point) = points.first_mut() {
        point.0 = 0;
    }
    points.push((packets, length));
    let mut times = Vec::with_capacity(packets);
    for pair in points.windows(2) {
        let ((from, begin), (to, end)) = (pair[0], pair[1]);
        let span = end.saturating_sub(begin);
        for packet in from..to {
            times.push(begin + span.mul_f64((packet - from) as f64 / (to - from) as f64));
        }
    }
    times
}

fn seconds(ticks: i64) -> Duration {
    Duration::from_nanos((ticks as u64 * 1_000_000_000) / TICKS as u64)
}

#[cfg(test)]
pub(super) mod tests;
