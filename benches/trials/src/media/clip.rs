//! A transport stream that can be sent round after round without a seam.
//!
//! 160 × 120 ms: whole numbers of pictures at 25 a second and of MPEG audio frames at 48 kHz. Each round its times are
//! moved on by its length, and its continuity counters go on.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// Bytes of a transport packet.
pub const PACKET: usize = 188;
/// Length of a round.
pub const LENGTH: Duration = Duration::from_millis(19_200);
/// Pictures from one key picture to the next, and how long that is.
const GROUP: u32 = 48;
/// Length of a segment for HLS: one group.
pub const SEGMENT: Duration = Duration::from_millis(1_920);

const TIME_MASK: u64 = (1 << 33) - 1;

/// The packets of a round.
pub struct Clip {
    bytes: Vec<u8>,
    /// When each packet leaves.
    due: Vec<Duration>,
    /// Packets with payload in a round, by PID.
    counts: BTreeMap<u16, u64>,
    /// First packets of the groups.
    segments: Vec<usize>,
}

/// What to make.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Pictures of that size with noise, at that bit rate in kbit/s, and sound.
    Pictures(u32, u32, u32),
    /// Sound alone.
    Sound,
}

impl Clip {
    /// Encodes a clip with `ffmpeg` and reads it.
    ///
    /// # Errors
    /// `ffmpeg` fails, or what it made is not seamless.
    pub fn make(folder: &Path, kind: Kind) -> Result<Self> {
        let path = folder.join("clip.ts");
        let seconds = LENGTH.as_secs_f64().to_string();
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]);
        if let Kind::Pictures(width, height, _) = kind {
            // Pale enough for every detector to be content with it.
            let film = format!(
                "testsrc2=s={width}x{height}:r=25:d={seconds},eq=saturation=0.5:contrast=0.8,noise=alls=6:allf=t"
            );
            command.args(["-f", "lavfi", "-i", &film]);
        }
        command.args(["-f", "lavfi", "-i", &format!("anoisesrc=r=48000:a=0.1:c=pink:seed=7:d={seconds}")]);
        if let Kind::Pictures(_, _, rate) = kind {
            let (rate, group) = (format!("{rate}k"), GROUP.to_string());
            command.args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-pix_fmt",
                "yuv420p",
                "-bf",
                "0",
                "-sc_threshold",
                "0",
            ]);
            command.args(["-g", &group, "-keyint_min", &group, "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate]);
        }
        let sound = if matches!(kind, Kind::Sound) { "1" } else { "2" };
        command.args([
            "-c:a",
            "mp2",
            "-b:a",
            if sound == "1" { "32k" } else { "64k" },
            "-ac",
            sound,
            "-frames:a",
            "800",
        ]);
        let made = command.args(["-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts"]).arg(&path).output();
        let made = made.context("ffmpeg is needed")?;
        ensure!(made.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&made.stderr));
        Self::read(std::fs::read(&path)?)
    }

    fn read(bytes: Vec<u8>) -> Result<Self> {
        ensure!(bytes.len().is_multiple_of(PACKET) && bytes.len() > 100 * PACKET, "no transport stream");
        let (mut due, mut counts, mut segments) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (mut first, mut now) = (None, Duration::ZERO);
        for (number, packet) in bytes.chunks_exact(PACKET).enumerate() {
            ensure!(packet[0] == 0x47, "packet {number} does not begin with a sync byte");
            if packet[3] & 0x10 != 0 {
                *counts.entry(pid(packet)).or_insert(0) += 1;
            }
            if let Some(at) = time_fields(packet).last() {
                let time = read_time(&packet[*at..]);
                let since = time.wrapping_sub(*first.get_or_insert(time)) & TIME_MASK;
                // Audio may begin a little before the first picture.
                if since < 1 << 32 {
                    now = now.max(Duration::from_micros(since * 100 / 9)).min(LENGTH);
                }
            }
            if is_key(packet) && pid(packet) == 0x100 {
                segments.push(number);
            }
            due.push(now);
        }
        if let Some(begin) = segments.first_mut() {
            *begin = 0;
        }
        Ok(Self { bytes, due, counts, segments })
    }

    /// Packets of a round.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// When a packet leaves, after the begin of round 0.
    pub fn due(&self, round: u64, packet: usize) -> Duration {
        LENGTH.saturating_mul(round as u32) + self.due[packet]
    }

    /// Appends a packet as it is in that round.
    pub fn append(&self, round: u64, packet: usize, to: &mut Vec<u8>) {
        let begin = to.len();
        to.extend_from_slice(&self.bytes[packet * PACKET..][..PACKET]);
        let packet = &mut to[begin..];
        let pid = pid(packet);
        if let Some(count) = self.counts.get(&pid).filter(|_| packet[3] & 0x10 != 0) {
            packet[3] = packet[3] & 0xF0 | ((u64::from(packet[3] & 0x0F) + round * count) & 0x0F) as u8;
        }
        let moved = round * (LENGTH.as_millis() as u64) * 90;
        for at in time_fields(packet) {
            let time = read_time(&packet[at..]).wrapping_add(moved) & TIME_MASK;
            write_time(&mut packet[at..], time);
        }
        if has_clock(packet) {
            let clock = (read_clock(packet) + moved) & TIME_MASK;
            packet[6..10].copy_from_slice(&((clock >> 1) as u32).to_be_bytes());
            packet[10] = packet[10] & 0x7F | ((clock & 1) as u8) << 7;
        }
    }

    /// The bytes of the segment with that number, counted over all rounds.
    pub fn segment(&self, number: u64) -> Vec<u8> {
        let (round, index) = (number / self.segments.len() as u64, (number % self.segments.len() as u64) as usize);
        let end = self.segments.get(index + 1).copied().unwrap_or(self.len());
        let mut bytes = Vec::with_capacity((end - self.segments[index]) * PACKET);
        (self.segments[index]..end).for_each(|packet| self.append(round, packet, &mut bytes));
        bytes
    }

    /// The first rounds as one file.
    pub fn rounds(&self, rounds: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        (0..rounds).for_each(|round| (0..self.len()).for_each(|packet| self.append(round, packet, &mut bytes)));
        bytes
    }
}

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1] & 0x1F, packet[2]])
}

fn field_flags(packet: &[u8]) -> u8 {
    if packet[3] & 0x20 != 0 && packet[4] > 0 { packet[5] } else { 0 }
}

fn is_key(packet: &[u8]) -> bool {
    field_flags(packet) & 0x40 != 0
}

fn has_clock(packet: &[u8]) -> bool {
    field_flags(packet) & 0x10 != 0 && packet[4] >= 7
}

fn read_clock(packet: &[u8]) -> u64 {
    u64::from(u32::from_be_bytes([packet[6], packet[7], packet[8], packet[9]])) << 1 | u64::from(packet[10] >> 7)
}

/// Where in a packet presentation and decoding time stand (ISO/IEC 13818-1, 2.4.3.7).
fn time_fields(packet: &[u8]) -> Vec<usize> {
    let begin = 4 + if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
    let header = packet.get(begin..begin + 14);
    let Some(header) = header.filter(|header| packet[1] & 0x40 != 0 && header[..3] == [0, 0, 1]) else {
        return Vec::new();
    };
    match header[7] >> 6 {
        2 => vec![begin + 9],
        3 => vec![begin + 9, begin + 14],
        _ => Vec::new(),
    }
}

fn read_time(field: &[u8]) -> u64 {
    let part = |index: usize| u64::from(field[index]);
    (part(0) >> 1 & 7) << 30 | part(1) << 22 | part(2) >> 1 << 15 | part(3) << 7 | part(4) >> 1
}

fn write_time(field: &mut [u8], time: u64) {
    field[0] = field[0] & 0xF1 | ((time >> 30 & 7) << 1) as u8;
    field[1] = (time >> 22) as u8;
    field[2] = (time >> 14) as u8 | 1;
    field[3] = (time >> 7) as u8;
    field[4] = (time << 1) as u8 | 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_were_written() {
        for time in [0, 1, 0x1_2345_6789, TIME_MASK] {
            let mut field = [0x21, 0, 1, 0, 1];
            write_time(&mut field, time);
            assert_eq!(read_time(&field), time);
            assert_eq!((field[0] & 0xF1, field[2] & 1, field[4] & 1), (0x21, 1, 1), "marker bits stay");
        }
    }

    #[test]
    fn a_second_round_goes_on_where_the_first_ended() {
        let folder = tempfile::tempdir().unwrap();
        let clip = Clip::make(folder.path(), Kind::Pictures(160, 90, 100)).unwrap();
        assert_eq!(clip.segments.len(), 10);
        let path = folder.path().join("rounds.ts");
        std::fs::write(&path, clip.rounds(3)).unwrap();
        let probe =
            Command::new("ffmpeg").args(["-v", "warning", "-i"]).arg(&path).args(["-f", "null", "-"]).output().unwrap();
        let said = String::from_utf8_lossy(&probe.stderr);
        assert!(said.is_empty(), "{said}");
        let count = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                "stream=codec_type,nb_read_frames",
                "-of",
                "csv=p=0",
            ])
            .arg(&path)
            .output()
            .unwrap();
        let counted = String::from_utf8_lossy(&count.stdout).into_owned();
        assert!(counted.contains("video,1440") && counted.contains("audio,2400"), "{counted}");
    }
}
