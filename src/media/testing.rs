//! Helpers of the media tests: small clips, made once by the installed `ffmpeg` and kept.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::{SourceError, SourceLimits};

use crate::measure::MeasurePlan;
use crate::media::demuxer::Demuxer;
use crate::media::spec::{Address, InputSpec};

/// One second of a moving picture and a tone: the input side of every clip.
const SOURCE: [&str; 8] = [
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=160x90:rate=25:duration=1",
    "-f",
    "lavfi",
    "-i",
    "sine=frequency=1000:sample_rate=48000:duration=1",
];

/// A clip of one second, made with these output options on first use.
pub(in crate::media) fn clip(name: &str, options: &[&str]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-media");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    if !path.exists() {
        // Made under a name of its own and moved: tests of several processes may race for it.
        let made = folder.join(format!("{}-{:?}-{name}", std::process::id(), std::thread::current().id()));
        let run = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(SOURCE)
            .args(options)
            .arg(&made)
            .output()
            .expect("the tests need the `ffmpeg` program");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        std::fs::rename(&made, &path).unwrap();
    }
    path
}

/// A transport stream with H.264 and AAC.
pub(in crate::media) fn transport_stream() -> PathBuf {
    clip("clip.ts", &["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-c:a", "aac", "-f", "mpegts"])
}

/// An MP4 with its index last, as ffmpeg writes it by default.
pub(in crate::media) fn mp4_index_last() -> PathBuf {
    clip("clip.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "mp4"])
}

/// The same with its index first.
pub(in crate::media) fn mp4_index_first() -> PathBuf {
    let options = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"];
    clip("clip-first.mp4", &options)
}

/// An input with short limits: that many milliseconds to open and as many without a packet.
pub(in crate::media) fn spec(address: Address, limit_ms: u64) -> InputSpec {
    let limit = Duration::from_millis(limit_ms);
    let mut spec = InputSpec::new("test", address, MeasurePlan::default());
    spec.limits = SourceLimits { open: limit, stall: limit, ..spec.limits };
    spec
}

/// Opens with limits of five seconds.
pub(in crate::media) fn open(address: Address) -> Result<Demuxer, SourceError> {
    Demuxer::open(&spec(address, 5_000), &Arc::new(Lifeline::default()))
}

/// Reads to the end; how many packets came, and how it ended.
pub(in crate::media) fn drain(demuxer: &mut Demuxer) -> (u32, Result<(), SourceError>) {
    let mut packet = ffmpeg_next::Packet::empty();
    let mut count = 0;
    loop {
        match demuxer.read(&mut packet) {
            Ok(true) => count += 1,
            Ok(false) => return (count, Ok(())),
            Err(error) => return (count, Err(error)),
        }
    }
}

/// A port that nobody has, and that nobody is given who asks the system for any: it lies below the range Linux gives
/// those from (32768 to 60999). A port that was once given out may be another test's server by the time it is used.
pub(in crate::media) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Where each test is a process of its own, they start apart.
    let apart = (std::process::id() % u32::from(COUNT)) as u16;
    let ports = std::iter::repeat_with(|| FIRST + NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(apart) % COUNT);
    let is_free =
        |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("0.0.0.0", *port)).is_ok();
    ports.take(100).find(is_free).expect("none of a hundred ports is free")
}

/// The words of a refusal to open.
pub(in crate::media) fn refusal(address: Address) -> String {
    match open(address) {
        Ok(demuxer) => panic!("it opened as {}", demuxer.container()),
        Err(error) => error.to_string(),
    }
}
