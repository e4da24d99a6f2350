//! The transport tap: counts scrambled packets and announced discontinuities per PID, and reads the
//! programme maps and, while a session opens, the sizes of pictures.
//!
//! FFmpeg drops the payload of scrambled packets without a word, and uses up discontinuity
//! indicators. So a byte source that carries MPEG-TS may feed what it reads through this tap. Pure,
//! cheap (it looks at four to six bytes of every 188), bounded; it never holds more than one packet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use avwatch_actors::item::PacketCounts;

use super::coded_size::{CodedSize, Coding, PictureHeads, too_large};
use super::held_bytes::HeldBytes;
use super::packet_ring::PacketRing;
use super::ts_tables::{PROGRAMMES_MAX, TsTables};

/// Bytes of a transport packet, and what each begins with.
pub(in crate::media) const PACKET: usize = 188;
pub(in crate::media) const SYNC: u8 = 0x47;
/// Most PIDs that are counted.
const PIDS_MAX: usize = 512;
/// The PID of stuffing.
const NULL_PID: u16 = 0x1FFF;

/// What was seen of one PID since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TapCounts {
    /// Packets with payload.
    pub packets: u32,
    /// Of them, scrambled.
    pub scrambled: u32,
    /// Discontinuities that the sender announced.
    pub discontinuities: u32,
}

impl TapCounts {
    /// What these say of a track, in access units, of which `counts` holds those that were assembled.
    ///
    /// The share of the transport packets is what counts: the last scrambled ones may be told together
    /// with many clear ones.
    pub(crate) fn told_in(self, counts: PacketCounts) -> PacketCounts {
        let mut counts = counts;
        if counts.packets == 0 {
            // Nothing of it was assembled: transport packets stand for access units.
            counts.packets = self.packets;
            counts.bytes = u64::from(self.packets) * PACKET as u64;
        }
        let (units, all) = (u64::from(counts.packets), u64::from(self.packets.max(self.scrambled).max(1)));
        // To the nearest.
        let scrambled = (2 * units * u64::from(self.scrambled) + all) / (2 * all);
        counts.scrambled = counts.scrambled.max(u32::try_from(scrambled).unwrap_or(u32::MAX)).min(counts.packets);
        counts
    }
}

/// How large pictures may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PictureBound {
    /// Most pixels of one.
    pub pixels_max: u64,
    /// The programme that is looked at, when one is wished for; else the first. Others may have whatever they have.
    pub programme: Option<u16>,
}

/// Transport packets whose counts are kept together: what arrives in a few milliseconds.
const STRETCH_PACKETS: u32 = 22;
/// Most stretches that wait for the demuxer to come after them; then the oldest are told early.
const STRETCHES_MAX: usize = 4_096;

/// Counts over a stretch of bytes.
#[derive(Debug, Default)]
struct Stretch {
    /// Where in the input it ends.
    end: u64,
    packets: u32,
    counts: BTreeMap<u16, TapCounts>,
}

/// Reads a transport stream in whatever pieces it arrives.
///
/// The demuxer reads ahead, by megabytes while it probes; so counts wait until the packets that it
/// hands out have come as far, see [`TsTap::advance`].
#[derive(Debug, Default)]
pub(crate) struct TsTap {
    /// The beginning of a packet whose rest has not arrived.
    rest: Vec<u8>,
    /// What was fed, held for evidence. Its lock is taken inside this tap's.
    held: HeldBytes,
    ahead: VecDeque<Stretch>,
    counts: BTreeMap<u16, TapCounts>,
    scrambled: u64,
    tables: TsTables,
    /// While sizes of pictures are held against it.
    bound: Option<PictureBound>,
    heads: PictureHeads,
    /// The first size beyond that.
    large: Option<CodedSize>,
}

impl TsTap {
    /// Takes into account what lies before that byte of the input.
    pub(crate) fn advance(&mut self, position: u64) {
        while self.ahead.front().is_some_and(|stretch| stretch.end <= position) {
            self.tell_oldest();
        }
    }

    /// Holds the bytes that are fed from now on in a ring.
    pub(crate) fn keep_in(&mut self, ring: &Arc<PacketRing>) {
        self.held.keep_in(ring);
    }

    /// Scrambled packets fed so far, whether accounted for or not.
    pub(crate) fn scrambled(&self) -> u64 {
        self.scrambled
    }

    /// The stream types that a PID had and has, when the programme map changed them.
    pub(crate) fn codec_change(&self, pid: u16) -> Option<(u8, u8)> {
        self.tables.changed(pid)
    }

    /// Holds sizes of pictures against a limit from now on; against none when absent.
    pub(crate) fn bound_pictures(&mut self, bound: Option<PictureBound>) {
        self.bound = bound;
        self.heads = PictureHeads::default();
    }

    /// Why what was fed is not to be looked at, if so: it declares more than there is memory for.
    pub(crate) fn refusal(&self) -> Option<String> {
        if let Some((size, bound)) = self.large.zip(self.bound) {
            return too_large(size, bound.pixels_max);
        }
        self.tables.lists_too_many().then(|| {
            format!("its programme table lists more than {PROGRAMMES_MAX} programmes; give an address that carries fewer of them")
        })
    }

    fn tell_oldest(&mut self) {
        let Some(stretch) = self.ahead.pop_front() else { return };
        for (pid, seen) in stretch.counts {
            let counts = self.counts.entry(pid).or_default();
            counts.packets += seen.packets;
            counts.scrambled += seen.scrambled;
            counts.discontinuities += seen.discontinuities;
        }
    }

    /// Looks at the next bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.held.pass(bytes);
        self.split(bytes);
    }

    fn split(&mut self, mut bytes: &[u8]) {
        if !self.rest.is_empty() {
            let missing = PACKET - self.rest.len();
            let Some((head, tail)) = bytes.split_at_checked(missing) else {
                self.rest.extend_from_slice(bytes);
                return;
            };
            self.rest.extend_from_slice(head);
            let whole = std::mem::take(&mut self.rest);
            self.look(&whole);
            bytes = tail;
        }
        while let Some(start) = bytes.iter().position(|byte| *byte == SYNC) {
            bytes = &bytes[start..];
            let Some((packet, tail)) = bytes.split_at_checked(PACKET) else {
                self.rest.extend_from_slice(bytes);
                return;
            };
            if tail.first().is_some_and(|byte| *byte != SYNC) {
                // Not the beginning of a packet after all.
                bytes = &bytes[1..];
                continue;
            }
            self.look(packet);
            bytes = tail;
        }
    }

    /// What was seen of a PID since the last call, as far as it was accounted for.
    pub(crate) fn take(&mut self, pid: u16) -> TapCounts {
        self.counts.get_mut(&pid).map(std::mem::take).unwrap_or_default()
    }

    fn look(&mut self, packet: &[u8]) {
        let pid = u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]);
        let (damaged, flags) = (packet[1] & 0x80 != 0, packet[3]);
        if damaged || pid == NULL_PID {
            return;
        }
        let (adaptation, payload) = (flags & 0x20 != 0, flags & 0x10 != 0);
        self.scrambled += u64::from(payload && flags & 0xC0 != 0);
        if payload {
            let begin = if adaptation { 5 + usize::from(packet[4]) } else { 4 };
            self.look_into(pid, flags & 0xC0 != 0, packet[1] & 0x40 != 0, packet.get(begin..).unwrap_or_default());
        }
        if self.counts.len() >= PIDS_MAX && !self.counts.contains_key(&pid) {
            return;
        }
        if self.ahead.back().is_none_or(|stretch| stretch.packets >= STRETCH_PACKETS) {
            if self.ahead.len() >= STRETCHES_MAX {
                self.tell_oldest();
            }
            self.ahead.push_back(Stretch::default());
        }
        let Some(stretch) = self.ahead.back_mut() else { return };
        stretch.packets += 1;
        stretch.end = self.held.position();
        if stretch.counts.len() >= PIDS_MAX && !stretch.counts.contains_key(&pid) {
            return;
        }
        let counts = stretch.counts.entry(pid).or_default();
        counts.packets += u32::from(payload);
        counts.scrambled += u32::from(payload && flags & 0xC0 != 0);
        let announced = adaptation && packet[4] > 0 && packet[5] & 0x80 != 0;
        counts.discontinuities += u32::from(announced);
    }

    /// Looks at what a packet carries, if that is of a table or of the beginning of a picture.
    fn look_into(&mut self, pid: u16, scrambled: bool, begins: bool, payload: &[u8]) {
        if self.tables.wants(pid) {
            self.tables.take(pid, begins, payload);
            return;
        }
        let Some(bound) = self.bound else { return };
        if scrambled || !(begins || self.heads.waits_for(pid)) {
            return;
        }
        let Some(coding) = self.tables.stream_type(pid, bound.programme).and_then(Coding::of) else { return };
        let size = self.heads.take(pid, coding, begins, payload);
        self.large = self.large.or(size.filter(|size| too_large(*size, bound.pixels_max).is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, flags: u8, adaptation: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![0xAA; PACKET];
        bytes[..6].copy_from_slice(&[0x47, (pid >> 8) as u8, pid as u8, flags, adaptation[0], adaptation[1]]);
        bytes
    }

    fn seen(tap: &mut TsTap, pid: u16) -> TapCounts {
        tap.advance(u64::MAX);
        tap.take(pid)
    }

    #[test]
    fn what_the_demuxer_has_not_come_to_yet_waits() {
        let mut tap = TsTap::default();
        let clear: Vec<u8> = (0..44).flat_map(|_| packet(0x100, 0x10, [0, 0])).collect();
        let scrambled: Vec<u8> = (0..44).flat_map(|_| packet(0x100, 0x90, [0, 0])).collect();
        tap.feed(&clear);
        tap.feed(&scrambled);
        tap.advance(clear.len() as u64);
        assert_eq!((tap.take(0x100).scrambled, tap.scrambled()), (0, 44));
        tap.advance((clear.len() + scrambled.len()) as u64);
        assert_eq!(tap.take(0x100).scrambled, 44);
    }

    #[track_caller]
    fn scrambled_units(units: u32, packets: u32, scrambled: u32, expected: (u32, u32)) {
        let assembled = PacketCounts { packets: units, ..PacketCounts::default() };
        let told = TapCounts { packets, scrambled, discontinuities: 0 }.told_in(assembled);
        assert_eq!((told.packets, told.scrambled), expected);
    }

    #[test]
    fn a_track_that_is_clear_again_is_not_called_scrambled_for_its_last_packets() {
        scrambled_units(3, 60, 4, (3, 0));
        scrambled_units(3, 60, 60, (3, 3));
        scrambled_units(2, 60, 30, (2, 1));
    }

    #[test]
    fn where_nothing_is_assembled_transport_packets_are_told() {
        scrambled_units(0, 40, 40, (40, 40));
        scrambled_units(0, 40, 10, (40, 10));
    }

    fn stream() -> Vec<u8> {
        [
            packet(0x100, 0x10, [0, 0]),
            packet(0x100, 0x90, [0, 0]),
            packet(0x101, 0xD0, [0, 0]),
            packet(0x100, 0x30, [7, 0x80]),
            packet(0x100, 0xE0, [7, 0]),
            packet(NULL_PID, 0x90, [0, 0]),
        ]
        .concat()
    }

    #[test]
    fn scrambled_packets_are_counted_in_whatever_pieces_they_arrive() {
        for piece in [1, 7, 187, 188, 189, 400, 5000] {
            let mut tap = TsTap::default();
            stream().chunks(piece).for_each(|bytes| tap.feed(bytes));
            assert_eq!(seen(&mut tap, 0x100), TapCounts { packets: 3, scrambled: 1, discontinuities: 1 }, "{piece}");
            assert_eq!(seen(&mut tap, 0x101), TapCounts { packets: 1, scrambled: 1, discontinuities: 0 });
            assert_eq!(seen(&mut tap, 0x100), TapCounts::default(), "asked before");
            assert_eq!(seen(&mut tap, NULL_PID), TapCounts::default());
        }
    }

    #[test]
    fn it_finds_back_into_step_after_lost_bytes() {
        let mut tap = TsTap::default();
        let mut bytes = stream();
        bytes.splice(0..0, [0x47, 1, 2, 0x47, 5]);
        tap.feed(&bytes);
        assert_eq!(seen(&mut tap, 0x101).packets, 1);
        assert!(seen(&mut tap, 0x100).packets >= 2);
    }

    #[test]
    fn bytes_that_are_no_transport_stream_cost_nothing_lasting() {
        let mut tap = TsTap::default();
        for _ in 0..100 {
            tap.feed(&[0x11; 1000]);
        }
        assert!(tap.rest.is_empty() && tap.counts.is_empty());
    }
}
