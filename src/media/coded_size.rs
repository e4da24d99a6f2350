//! The size of pictures as coded streams declare it, read before any decoder sees them.
//!
//! A decoder takes memory by the declared size before it holds that against a limit, and the ones that FFmpeg opens to
//! look at a transport stream know no limit at all. So the transport tap reads the sequence parameter sets of H.264
//! (Rec. ITU-T H.264, 7.3.2.1.1) and HEVC (Rec. ITU-T H.265, 7.3.2.2.1), as far as the size. Pure, bounded; looks at the
//! first bytes of each picture alone.

use std::collections::BTreeMap;

/// How far into a picture its parameter sets are looked for, in bytes.
const HEAD_MAX: usize = 1_024;
/// Most elementary streams of which the beginning of a picture is held.
const HEADS_MAX: usize = 64;

/// How pictures are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    H264,
    Hevc,
}

impl Coding {
    /// By the stream type of a programme map; nothing for those whose size is not read.
    pub(crate) fn of(stream_type: u8) -> Option<Self> {
        match stream_type {
            0x1B => Some(Self::H264),
            0x24 => Some(Self::Hevc),
            _ => None,
        }
    }
}

/// Width and height in pixels, as coded: whole blocks, before anything is cut off.
pub(crate) type CodedSize = (u32, u32);

/// Why a picture of that size is not to be decoded, if so.
pub(crate) fn too_large((width, height): CodedSize, pixels_max: u64) -> Option<String> {
    let is_too_large = u64::from(width).saturating_mul(u64::from(height)) > pixels_max;
    is_too_large.then(|| format!("a picture of {width}x{height} is larger than the limit of {pixels_max} pixels"))
}

/// What the first bytes of a picture tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Size(CodedSize),
    /// The picture itself begins, without a size before it.
    Nothing,
    /// Neither yet.
    More,
}

/// The beginnings of pictures that are under way, by PID.
#[derive(Debug, Default)]
pub(crate) struct PictureHeads(BTreeMap<u16, Vec<u8>>);

impl PictureHeads {
    /// Takes the payload of a transport packet with a part of a picture; the size when it is told in it.
    pub(crate) fn take(&mut self, pid: u16, coding: Coding, begins: bool, payload: &[u8]) -> Option<CodedSize> {
        if begins {
            self.0.remove(&pid);
            let told = in_packet(coding, payload);
            if told == Told::More && self.0.len() < HEADS_MAX {
                self.0.insert(pid, payload.to_vec());
            }
            return told.size();
        }
        let head = self.0.get_mut(&pid)?;
        head.extend_from_slice(payload);
        let told = in_packet(coding, head);
        if told != Told::More || head.len() >= HEAD_MAX {
            self.0.remove(&pid);
        }
        told.size()
    }

    /// Whether the beginning of a picture is held, so that more of it is wanted.
    pub(crate) fn waits_for(&self, pid: u16) -> bool {
        self.0.contains_key(&pid)
    }
}

impl Told {
    fn size(self) -> Option<CodedSize> {
        match self {
            Self::Size(size) => Some(size),
            Self::Nothing | Self::More => None,
        }
    }
}

/// Looks behind the head of a PES packet (ISO/IEC 13818-1, 2.4.3.6).
fn in_packet(coding: Coding, packet: &[u8]) -> Told {
    let coded = packet.get(8).and_then(|length| packet.get(9 + usize::from(*length)..));
    coded.map_or(Told::More, |coded| in_units(coding, coded))
}

/// Walks over NAL units, each behind a start code.
fn in_units(coding: Coding, mut bytes: &[u8]) -> Told {
    while let Some(at) = bytes.windows(3).position(|code| code == [0, 0, 1]) {
        bytes = &bytes[at + 3..];
        let Some(first) = bytes.first() else { return Told::More };
        let size = match (coding, first & 0x1F, first >> 1 & 0x3F) {
            (Coding::H264, 7, _) => h264(&mut Bits::of(&bytes[1..])),
            (Coding::Hevc, _, 33) => hevc(&mut Bits::of(bytes.get(2..).unwrap_or_default())),
            (Coding::H264, 1..=5, _) | (Coding::Hevc, _, 0..=31) => return Told::Nothing,
            _ => continue,
        };
        return size.map_or(Told::More, Told::Size);
    }
    Told::More
}

fn h264(bits: &mut Bits<'_>) -> Option<CodedSize> {
    let profile = bits.take(8)?;
    bits.skip(16)?;
    bits.number()?;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let chroma = bits.number()?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        bits.number()?;
        bits.number()?;
        bits.skip(1)?;
        if bits.take(1)? == 1 {
            scaling_lists(bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    bits.number()?;
    match bits.number()? {
        0 => {
            bits.number()?;
        }
        1 => {
            bits.skip(1)?;
            bits.number()?;
            bits.number()?;
            let cycle = bits.number()?;
            // The standard allows 255; each takes at least one bit, so what is there bounds it as well.
            for _ in 0..cycle {
                bits.number()?;
            }
        }
        _ => {}
    }
    bits.number()?;
    bits.skip(1)?;
    let (columns, rows) = (bits.number()?.checked_add(1)?, bits.number()?.checked_add(1)?);
    // Rows are those of fields unless there are frames alone.
    let fields = 2 - bits.take(1)?;
    Some((columns.checked_mul(16)?, rows.checked_mul(16)?.checked_mul(fields)?))
}

/// Passes over scaling lists (7.3.2.1.1.1), whose lengths depend on what is in them.
fn scaling_lists(bits: &mut Bits<'_>, lists: usize) -> Option<()> {
    for list in 0..lists {
        if bits.take(1)? == 0 {
            continue;
        }
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                let number = i64::from(bits.number()?);
                let delta = if number % 2 == 1 { (number + 1) / 2 } else { -number / 2 };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

fn hevc(bits: &mut Bits<'_>) -> Option<CodedSize> {
    bits.skip(4)?;
    let layers = bits.take(3)?;
    bits.skip(1)?;
    // General profile and level, then which of them each layer has of its own.
    bits.skip(88 + 8)?;
    if layers > 0 {
        let flags = bits.take(16)?;
        for layer in 0..layers {
            let own = flags >> (14 - 2 * layer) & 3;
            bits.skip(if own & 2 == 2 { 88 } else { 0 } + if own & 1 == 1 { 8 } else { 0 })?;
        }
    }
    bits.number()?;
    if bits.number()? == 3 {
        bits.skip(1)?;
    }
    Some((bits.number()?, bits.number()?))
}

/// Bits of a NAL unit, without the bytes that keep start codes out of it.
struct Bits<'a> {
    rest: &'a [u8],
    zeros: u8,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn of(rest: &'a [u8]) -> Self {
        Self { rest, zeros: 0, byte: 0, left: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let mut byte = self.rest.split_off_first()?;
            if self.zeros >= 2 && *byte == 3 {
                self.zeros = 0;
                byte = self.rest.split_off_first()?;
            }
            self.zeros = if *byte == 0 { self.zeros.saturating_add(1) } else { 0 };
            (self.byte, self.left) = (*byte, 8);
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    /// At most 32 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// An Exp-Golomb code (9.1); nothing as well where it does not fit into 32 bits.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        (1_u32 << zeros).checked_add(self.take(zeros)?)?.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::test_media::clip;
    use crate::media::ts_tap::PACKET;

    /// The sizes that a clip tells, from the PID of its first elementary stream as FFmpeg numbers it.
    fn sizes(coding: Coding, arguments: &str) -> Vec<CodedSize> {
        let bytes = std::fs::read(clip("ts", arguments)).unwrap();
        let mut heads = PictureHeads::default();
        let mut sizes = Vec::new();
        for packet in bytes.chunks(PACKET).filter(|packet| packet[1] & 0x1F == 1 && packet[2] == 0) {
            let begin = if packet[3] & 0x20 != 0 { 5 + usize::from(packet[4]) } else { 4 };
            sizes.extend(heads.take(0x100, coding, packet[1] & 0x40 != 0, &packet[begin..]));
        }
        assert!(heads.0.is_empty());
        sizes
    }

    #[test]
    fn the_size_of_h264_is_read_whatever_the_profile() {
        for (options, size) in [
            ("-pix_fmt yuv420p -profile:v baseline", (720, 576)),
            ("-pix_fmt yuv420p -profile:v high -flags +ildct+ilme", (720, 576)),
            ("-pix_fmt yuv444p10 -x264-params cqm=jvt", (720, 576)),
            ("-s 710x570", (720, 576)),
            ("-s 96x4320", (96, 4_320)),
        ] {
            let input = "-f lavfi -i testsrc2=s=720x576:r=5:d=2 -c:v libx264 -preset ultrafast -g 5";
            assert_eq!(sizes(Coding::H264, &format!("{input} {options}")), [size; 2], "{options}");
        }
    }

    #[test]
    fn the_size_of_hevc_is_read() {
        for (options, size) in [("-pix_fmt yuv420p", (720, 576)), ("-pix_fmt yuv444p10 -s 650x362", (656, 368))] {
            let input =
                "-f lavfi -i testsrc2=s=720x576:r=5:d=2 -c:v libx265 -preset ultrafast -g 5 -x265-params log-level=0";
            assert_eq!(sizes(Coding::Hevc, &format!("{input} {options}")), [size; 2], "{options}");
        }
    }

    #[test]
    fn layers_with_profiles_and_levels_of_their_own_are_passed_over() {
        // Two layers below the first, one with both and one with its level alone; then 1, no format flag, 64 by 48.
        let mut bits = String::from("0000") + "010" + "1" + &"1".repeat(96) + "11" + "01" + "000000000000";
        bits += &("1".repeat(96) + &"1".repeat(8) + "1" + "010" + "0000001000001" + "00000110001" + "0000000");
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks_exact(8)
            .map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect();
        assert_eq!(hevc(&mut Bits::of(&bytes)), Some((64, 48)));
    }

    #[test]
    fn noise_is_borne_and_holds_little() {
        let mut heads = PictureHeads::default();
        let mut dice = fastrand::Rng::with_seed(5);
        for round in 0..20_000_u16 {
            let mut packet = [0; 184];
            packet.iter_mut().for_each(|byte| *byte = if dice.bool() { dice.u8(..8) } else { dice.u8(..) });
            let coding = if dice.bool() { Coding::H264 } else { Coding::Hevc };
            let _ = heads.take(round % 200, coding, dice.u8(..4) == 0, &packet);
        }
        assert!(heads.0.len() <= HEADS_MAX && heads.0.values().all(|head| head.len() < HEAD_MAX + 184));
    }
}
