//! How fast `avwatch logs --summary` reads a large log, and how much memory it takes.
//!
//! Makes a log as a service with 1,000 streams writes it (sessions, faults, events with their whole
//! record, periodic lines, a little of what is none), of `AVWATCH_LOG_BYTES` (1 GB), in `target/`,
//! and runs the command on it as a process of its own. Prints a JSON line per figure, seconds for 1 GB and MB of memory;
//! standard error has the rest. Counterpart: the same file read and its lines counted, with nothing else done.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use avwatch_actors::event::Wall;

#[allow(dead_code)]
#[path = "support/figures.rs"]
mod figures;

/// What the project holds itself to, for 1 GB.
const SECONDS_MAX: f64 = 10.0;
const MEGABYTES_MAX: f64 = 100.0;

fn main() {
    let bytes = std::env::var("AVWATCH_LOG_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000_000);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{bytes}.log"));
    if !fs::metadata(&path).is_ok_and(|found| found.len() >= bytes) {
        write_log(&path, bytes).expect("the log can be written");
    }
    let size = fs::metadata(&path).expect("it was written").len() as f64 / 1e6;
    let begin = Instant::now();
    let lines = count_lines(&path);
    let bare = begin.elapsed().as_secs_f64();
    eprintln!("{}: {size:.0} MB, {lines} lines", path.display());
    eprintln!("counting lines only: {bare:.2} s, {:.0} MB/s", size / bare);
    // A small file takes its start-up time, too.
    let of_a_gigabyte = (size / 1_000.0).max(0.1);
    let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
    for format in ["text", "json"] {
        let (took, memory) = summary(&path, format);
        eprintln!("logs --summary --format {format}: {took:.2} s, {:.0} MB/s, {memory:.0} MB of memory", size / took);
        seconds.push(took / of_a_gigabyte);
        megabytes.push(memory);
    }
    let is_quick = figures::print_absolute("logs_summary_s", &seconds, SECONDS_MAX);
    let is_small = figures::print_absolute("logs_summary_mb", &megabytes, MEGABYTES_MAX);
    assert!(is_quick && is_small, "slower than {SECONDS_MAX} s for 1 GB, or more than {MEGABYTES_MAX} MB");
}

/// Runs the command; seconds and peak memory in MB.
fn summary(path: &Path, format: &str) -> (f64, f64) {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_avwatch"))
        .args(["logs", "--summary", "--format", format])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let id = child.id();
    let mut pipe = child.stdout.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("it is text");
        text
    });
    let mut peak = 0.0_f64;
    // The peak is read while it runs: it never falls.
    while child.try_wait().expect("it can be waited for").is_none() {
        peak = peak.max(peak_of(id).unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = begin.elapsed().as_secs_f64();
    let text = reader.join().expect("it was read");
    assert!(text.contains("session ended") && text.len() > 1_000, "no summary: {text}");
    (seconds, peak)
}

fn peak_of(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1e3)
}

fn count_lines(path: &Path) -> usize {
    let (mut file, mut block, mut lines) = (File::open(path).expect("it is there"), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut block).expect("it can be read");
        if count == 0 {
            return lines;
        }
        lines += memchr::memchr_iter(b'\n', &block[..count]).count();
    }
}

/// Writes a log of at least that size.
fn write_log(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut dice = fastrand::Rng::with_seed(7);
    let mut millis = 1_795_888_800_000_u64;
    let mut written = 0;
    while written < bytes {
        millis += dice.u64(0..40);
        let time = Wall(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)).to_string();
        let line = line(&time, &mut dice);
        written += line.len() as u64;
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

fn line(time: &str, dice: &mut fastrand::Rng) -> String {
    let stream = format!("channel-{:03}", dice.u32(0..1_000));
    let session = dice.u32(1..90);
    let head = |level: &str, target: &str, message: &str| {
        format!(
            "{{\"time\":\"{time}\",\"level\":\"{level}\",\"target\":\"{target}\",\"message\":\"{message}\",\"stream\":\"{stream}\",\"session\":{session}"
        )
    };
    let supervisor = "avwatch_actors::supervisor";
    match dice.u32(0..100) {
        0..10 => head("info", supervisor, "session open") + ",\"life\":\"open\"}\n",
        10..20 => {
            let (ms, port) = (dice.u32(0..9_999), dice.u16(..));
            let cause = ["stalled", "refused", "unreachable", "invalid_data"][dice.usize(0..4)];
            let message =
                format!("session ended: cannot read srt://203.0.113.{}:{port}: no answer within {ms} ms", port % 250);
            head("warn", supervisor, &message)
                + &format!(",\"fault\":\"{cause}\",\"life\":\"end\",\"lasted_s\":{ms}.5,\"restart\":\"{cause}\"}}\n")
        }
        20..45 => {
            let message = format!(
                "[h264 @ 0x{:012x}] error while decoding MB {} {}",
                dice.u64(..1 << 48),
                dice.u8(..),
                dice.u8(..)
            );
            head("warn", "avwatch::media::ffmpeg_log", &message)
                + &format!(",\"fault\":\"decode\",\"repeated\":{}}}\n", dice.u32(1..50))
        }
        45..75 => event(&head("warn", "avwatch::event", "raised: picture black for 2.0 s"), &stream, time, dice),
        75..98 => {
            head("info", "avwatch::media::session", "a track begins")
                + ",\"track\":\"video:0\",\"codec\":\"h264\",\"width\":1920,\"height\":1080}\n"
        }
        98 => format!(
            "{{\"time\":\"{time}\",\"level\":\"info\",\"target\":\"avwatch::service::upkeep\",\"message\":\"CPU time of detectors\",\"seconds\":600,\"cpu_of_detectors\":\"freeze=12.250 black=8.125 block_corruption=3.000\"}}\n"
        ),
        _ => "something that is no log line at all\n".to_owned(),
    }
}

/// An event line holds the whole event.
fn event(head: &str, stream: &str, time: &str, dice: &mut fastrand::Rng) -> String {
    let detector = ["black", "freeze", "silence", "loudness", "input_down"][dice.usize(0..5)];
    let severity = ["info", "warning", "major", "critical"][dice.usize(0..4)];
    let state = ["raised", "ended"][dice.usize(0..2)];
    let id = format!("01890a5d-ac96-774b-bcce-{:012x}", dice.u64(..1 << 48));
    format!(
        "{head},\"detector\":\"{detector}\",\"track\":\"video:0\",\"severity\":\"{severity}\",\"state\":\"{state}\",\"event_id\":\"{id}\",\
        \"event\":{{\"schema\":\"avwatch.event/1\",\"id\":\"{id}\",\"change_id\":\"{id}\",\"sequence\":{},\"fingerprint\":\"0123456789abcdef\",\
        \"stream\":\"{stream}\",\"track\":\"video:0\",\"detector\":\"{detector}\",\"severity\":\"{severity}\",\"max_severity\":\"{severity}\",\
        \"state\":\"{state}\",\"started_at\":\"{time}\",\"raised_at\":\"{time}\",\"changed_at\":\"{time}\",\"start_s\":8.0,\"value\":1.0,\
        \"threshold\":0.98,\"peak\":1.0,\"unit\":\"ratio\",\"message\":\"picture black for 2.0 s\",\"profile\":\"ott\",\"tier\":\"full\",\
        \"labels\":{{\"site\":\"north\",\"group\":\"contribution\"}},\"session\":7,\"node\":\"monitor-1\"}}}}\n",
        dice.u32(..)
    )
}
