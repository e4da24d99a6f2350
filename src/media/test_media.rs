//! Clips for tests, made by the `ffmpeg` binary once and kept in `target/test-media`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use avwatch_actors::frame::{AudioFrame, VideoFrame};
use avwatch_actors::item::{Gap, Item, PacketCounts, PacketFacts, TimelineSign};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::Opener;
use avwatch_actors::track::{SessionInfo, SessionNumber, TrackId};

use super::MediaOpener;
use super::spec::{Address, InputSpec};
use crate::measure::MeasurePlan;

/// One clip is made at a time: tests share them.
static MAKING: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-media");
    std::fs::create_dir_all(&folder).expect("target is writable");
    folder
}

/// A clip made by `ffmpeg` with these arguments, named by them: a change of recipe is a new clip.
pub(crate) fn clip(extension: &str, arguments: &str) -> PathBuf {
    made(extension, &hash(arguments.as_bytes()), |path| {
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments.split_whitespace())
            .args(["-fflags", "+bitexact"])
            .arg(path)
            .status()
            .expect("ffmpeg is installed");
        assert!(status.success(), "ffmpeg {arguments}");
    })
}

/// A transport stream made from bytes of other clips, named by its contents.
pub(crate) fn assembled(bytes: &[u8]) -> PathBuf {
    raw("ts", bytes)
}

/// A transport stream without those transport packets of one coded picture, counted from its first, of FFmpeg's first PID.
pub(crate) fn without_packets(whole: &Path, picture: usize, lost: Range<usize>) -> PathBuf {
    let bytes = std::fs::read(whole).expect("made");
    let (mut pictures, mut seen) = (0, 0);
    let kept = |packet: &&[u8]| {
        if u16::from(packet[1] & 0x1F) << 8 | u16::from(packet[2]) != 0x100 {
            return true;
        }
        let begins = packet[1] & 0x40 != 0;
        pictures += usize::from(begins);
        seen = if begins { 0 } else { seen + 1 };
        !(pictures == picture + 1 && lost.contains(&seen))
    };
    assembled(&bytes.chunks(188).filter(kept).flatten().copied().collect::<Vec<u8>>())
}

/// These bytes as a file of that kind, named by its contents.
pub(crate) fn raw(extension: &str, bytes: &[u8]) -> PathBuf {
    made(extension, &hash(bytes), |path| std::fs::write(path, bytes).expect("target is writable"))
}

/// FNV-1a: names only have to differ.
fn hash(bytes: &[u8]) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

fn made(extension: &str, name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let path = folder().join(format!("decode-{name}.{extension}"));
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !path.exists() {
        let unfinished = path.with_extension(format!("part.{extension}"));
        make(&unfinished);
        std::fs::rename(&unfinished, &path).expect("same folder");
    }
    path
}

/// A specification of a file with everything measured.
pub(crate) fn spec(path: &Path) -> InputSpec {
    let measure = MeasurePlan { luma: true, motion: true, sound: true, loudness: true, ..MeasurePlan::default() };
    InputSpec::new("test", Address::File(path.to_owned()), measure)
}

/// Everything that a session said.
#[derive(Default)]
pub(crate) struct Heard {
    pub started: Vec<Arc<SessionInfo>>,
    pub video: Vec<Arc<VideoFrame>>,
    pub audio: Vec<Arc<AudioFrame>>,
    pub packets: Vec<Arc<PacketFacts>>,
    pub clock: Vec<MediaTime>,
    pub gaps: Vec<Gap>,
    /// By how much the clock had passed the begin of the first gap of the whole input when that was told.
    pub gap_behind: Option<MediaTime>,
    /// By how much the clock was ever ahead of a frame that came later.
    pub clock_ahead: MediaTime,
}

impl Heard {
    pub(crate) fn video_of(&self, number: u8) -> Vec<&VideoFrame> {
        self.video.iter().map(Arc::as_ref).filter(|frame| frame.stamp.track == TrackId::video(number)).collect()
    }

    /// Blocks with samples.
    pub(crate) fn audio_of(&self, number: u8) -> Vec<&AudioFrame> {
        let of_track = |frame: &&AudioFrame| frame.stamp.track == TrackId::audio(number);
        self.audio
            .iter()
            .map(Arc::as_ref)
            .filter(of_track)
            .filter(|frame| frame.stamp.lasts > MediaTime::ZERO)
            .collect()
    }

    pub(crate) fn signs(&self) -> Vec<TimelineSign> {
        self.packets.iter().flat_map(|facts| facts.marks.iter().map(|mark| mark.sign)).collect()
    }

    /// Counts of a track over the whole session.
    pub(crate) fn counts(&self, track: TrackId) -> PacketCounts {
        let mut total = PacketCounts::default();
        for (_, counts) in self.packets.iter().flat_map(|facts| &facts.tracks).filter(|(known, _)| *known == track) {
            total.packets += counts.packets;
            total.bytes += counts.bytes;
            total.corrupt += counts.corrupt;
            total.scrambled += counts.scrambled;
            total.undecodable += counts.undecodable;
            total.left_out += counts.left_out;
            total.second_fields += counts.second_fields;
        }
        total
    }

    pub(crate) fn take(&mut self, item: Item) {
        let ahead = |at: MediaTime, clock: &[MediaTime]| clock.last().map_or(MediaTime::ZERO, |clock| *clock - at);
        match item {
            Item::Started(info) => self.started.push(info),
            Item::Video(frame) => {
                self.clock_ahead = self.clock_ahead.max(ahead(frame.stamp.media_time, &self.clock));
                self.video.push(frame);
            }
            Item::Audio(frame) => {
                if frame.stamp.lasts > MediaTime::ZERO {
                    self.clock_ahead = self.clock_ahead.max(ahead(frame.stamp.media_time, &self.clock));
                }
                self.audio.push(frame);
            }
            Item::Packets(facts) => self.packets.push(facts),
            Item::Clock(at) => self.clock.push(at),
            Item::Gap(gap) => {
                if gap.track == TrackId::INPUT {
                    self.gap_behind.get_or_insert(ahead(gap.from, &self.clock));
                }
                self.gaps.push(gap);
            }
            Item::Ended(_) => panic!("a source does not end itself"),
        }
    }
}

/// Runs a session to its end.
pub(crate) fn hear(spec: InputSpec) -> Heard {
    let line = Arc::new(Lifeline::default());
    let mut source = MediaOpener::new(spec).open(SessionNumber(1), &line).expect("opens");
    let mut heard = Heard::default();
    let mut first = true;
    while let Some(item) = source.next().expect("reads") {
        assert!(!first || matches!(item, Item::Started(_)), "the first item announces the session");
        first = false;
        heard.take(item);
    }
    heard
}

/// What `ffprobe` says of the frames of a stream: (seconds of presentation, duration).
pub(crate) fn probe(path: &Path, stream: &str) -> Vec<(f64, f64)> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            stream,
            "-show_entries",
            "frame=best_effort_timestamp_time,pkt_duration_time",
        ])
        .args(["-of", "compact=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |line: &str, key: &str| {
        line.split('|').find_map(|part| part.strip_prefix(key)).and_then(|number| number.trim().parse::<f64>().ok())
    };
    text.lines()
        .filter_map(|line| {
            Some((value(line, "best_effort_timestamp_time=")?, value(line, "pkt_duration_time=").unwrap_or(0.0)))
        })
        .collect()
}
