//! What is no media, or no more: each gives an error that names input and cause, or a report as far
//! as it goes, within bounded time and without a panic, and the other inputs are checked all the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::binary::{avwatch, events};
use crate::common::media::{derived, encoded};
use crate::common::recipes;
use crate::common::sender::{Web, free_port};

/// What any of them may take, with a machine full of tests.
const LIMIT: Duration = Duration::from_secs(20);

/// What becomes of an input.
#[derive(Clone, Copy)]
enum Fate {
    /// It cannot be checked; the error says so in these words.
    Error(&'static str),
    /// It is checked as far as it goes; this detector tells the damage, at warning or above.
    Event(&'static str),
    /// Nothing is wrong with it.
    Pass,
}

use Fate::{Error, Event, Pass};

/// A file with what becomes of it, read from its place and from a pipe.
type Row = (&'static str, Vec<u8>, Fate, Fate);

const NO_FORMAT: Fate = Error("no audio or video format was recognised in it");
const TEXT: Fate = Error("it is text, not audio or video");
const PLAYLIST: Fate = Error("it is an HLS playlist; give its http address instead");
const PACKED: Fate = Error("it is an archive or compressed file; unpack it first");
const NO_INDEX: Fate = Error("its index (moov) is missing: the file is cut off or was never finished");
const INDEX_LAST: Fate = Error("the index is at the end of the file; it can only be read from a seekable file");
const CUT_OFF: Fate = Event("timestamp");

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).expect("the clip was just made")
}

/// That much of the bytes, in percent.
fn part(bytes: &[u8], percent: usize) -> Vec<u8> {
    bytes[..bytes.len() * percent / 100].to_vec()
}

/// Bytes of no form at all, the same on every machine.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// One picture in PNG.
fn png() -> Vec<u8> {
    let arguments = ["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1"].map(str::to_owned);
    bytes(&encoded("picture", "png", &arguments))
}

/// A clip whose title is no UTF-8.
fn bad_title(extension: &str) -> Vec<u8> {
    let source = recipes::tiny(extension);
    let arguments = ["-i", source.path_text(), "-c", "copy", "-metadata", "title=QQQQ", "-movflags", "+faststart"];
    let titled = encoded("titled", extension, &arguments.map(str::to_owned));
    let bytes = bytes(&titled);
    let at = bytes.windows(4).position(|word| word == b"QQQQ").expect("the title is kept");
    [&bytes[..at], b"\xff\xfe\xc3\x28", &bytes[at + 4..]].concat()
}

fn index_first() -> Vec<u8> {
    let source = recipes::tiny("mp4");
    let arguments = ["-i", source.path_text(), "-c", "copy", "-movflags", "+faststart"].map(str::to_owned);
    bytes(&encoded("index-first", "mp4", &arguments))
}

fn table() -> Vec<Row> {
    let [mp4, ts, mkv] = ["mp4", "ts", "mkv"].map(|extension| bytes(&recipes::tiny(extension).path));
    let first = index_first();
    let zip = [b"PK\x03\x04\x0a\0\0\0\0\0".as_slice(), &ts].concat();
    vec![
        ("empty.ts", Vec::new(), Error("the file is empty"), Error("there is nothing in it")),
        ("letter.ts", b"This is a letter, not a film.\n".repeat(200), TEXT, TEXT),
        ("page.mp4", b"<html><body>404 not found</body></html>".to_vec(), TEXT, TEXT),
        ("noise.ts", noise(65_536), NO_FORMAT, NO_FORMAT),
        ("picture.png", png(), Error("it looks like 'png_pipe', which is not on"), Error("it looks like 'png_pipe'")),
        ("film.zip", zip, PACKED, PACKED),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/passwd\n".to_vec(), TEXT, TEXT),
        ("session.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n".to_vec(), TEXT, TEXT),
        ("secrets.m3u8", SECRETS.as_bytes().to_vec(), PLAYLIST, PLAYLIST),
        ("loop.m3u8", LOOP.as_bytes().to_vec(), PLAYLIST, PLAYLIST),
        ("head.mp4", mp4[..100].to_vec(), NO_INDEX, INDEX_LAST),
        ("head.ts", ts[..100].to_vec(), NO_FORMAT, NO_FORMAT),
        ("head.mkv", mkv[..100].to_vec(), Error("ended prematurely"), Error("ended prematurely")),
        ("index.mp4", first[..1_000].to_vec(), Error("error reading header"), Error("error reading header")),
        ("half-last.mp4", part(&mp4, 50), NO_INDEX, INDEX_LAST),
        ("half-first.mp4", part(&first, 50), CUT_OFF, CUT_OFF),
        ("half.mkv", part(&mkv, 50), CUT_OFF, CUT_OFF),
        ("last.mp4", mp4, Pass, INDEX_LAST),
        ("first.mp4", first, Pass, Pass),
        ("title.mp4", bad_title("mp4"), Pass, Pass),
        ("title.mkv", bad_title("mkv"), Pass, Pass),
    ]
}

/// A playlist that points at files of the machine that reads it.
const SECRETS: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";

/// A playlist of playlists that names itself.
const LOOP: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nloop.m3u8\n";

/// Panics unless the input's part of the report is what it should be.
#[track_caller]
fn assert_fate(named: &str, input: &Value, fate: Fate) {
    let error = input["error"].as_str().unwrap_or_default();
    match fate {
        Error(words) => {
            assert_eq!(input["verdict"], "error", "{named}: {input:#}");
            assert!(error.contains(words), "{named}: '{words}' is not in '{error}'");
            assert!(error.contains(named), "{named} is not named in '{error}'");
            assert_eq!(input["events"], Value::Array(Vec::new()), "{named}");
        }
        Event(detector) => {
            assert_eq!((&input["verdict"], error), (&Value::from("fail"), ""), "{named}: {input:#}");
            let told = events(input, detector).iter().any(|(.., severity)| *severity != "info");
            assert!(told, "{named}: {detector} is not told: {input:#}");
        }
        Pass => assert_eq!((&input["verdict"], error), (&Value::from("pass"), ""), "{named}: {input:#}"),
    }
}

fn status(fates: impl IntoIterator<Item = Fate>) -> i32 {
    let of = |fate| match fate {
        Pass => 0,
        Event(_) => 1,
        Error(_) => 3,
    };
    fates.into_iter().map(of).max().unwrap_or(0)
}

/// The inputs of a report in JSON; nothing may have been said beside it.
#[track_caller]
fn inputs(output: &Output) -> Vec<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panic"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    report["inputs"].as_array().expect("is a list").clone()
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("writes");
    path
}

#[test]
fn every_bad_file_is_told_and_the_others_are_checked_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = table();
    let begin = Instant::now();
    let output = avwatch()
        .args(["check", "--format", "json"])
        .args(rows.iter().map(|(name, bytes, ..)| write(&folder, name, bytes)))
        .output()
        .expect("it starts");
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    let inputs = inputs(&output);
    assert_eq!(inputs.len(), rows.len());
    for ((name, _, fate, _), input) in rows.iter().zip(&inputs) {
        assert_fate(name, input, *fate);
    }
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn every_bad_file_alone_ends_with_its_status() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes, fate, _) in table() {
        let path = write(&folder, name, &bytes);
        let output = avwatch().arg("check").arg(path).output().expect("it starts");
        assert_eq!(output.status.code(), Some(status([fate])), "{name}");
    }
}

#[test]
fn every_bad_stream_on_standard_input_is_told_too() {
    for (name, bytes, _, fate) in table() {
        let begin = Instant::now();
        let output = avwatch().args(["check", "-", "--format", "json"]).write_stdin(bytes).output().expect("it starts");
        assert!(begin.elapsed() < LIMIT, "{name}: {:?}", begin.elapsed());
        let [input] = &inputs(&output)[..] else { panic!("one input") };
        let named = if matches!(fate, Error(_)) { "standard input" } else { name };
        assert_fate(named, input, fate);
        assert_eq!(output.status.code(), Some(status([fate])), "{name}");
    }
}

/// Checks one input before a good one; gives the first one's part of the report.
#[track_caller]
fn before_a_good_one(input: &str, expected: i32) -> Value {
    let good = recipes::tiny("ts");
    let begin = Instant::now();
    let output = avwatch()
        .args(["check", input, good.path_text(), "--format", "json", "--seconds", "2"])
        .output()
        .expect("it starts");
    assert!(begin.elapsed() < LIMIT, "{input}: {:?}", begin.elapsed());
    assert_eq!(output.status.code(), Some(expected), "{input}");
    let [first, second] = &inputs(&output)[..] else { panic!("two inputs") };
    assert_eq!(second["verdict"], "pass", "{input}: {second:#}");
    first.clone()
}

#[test]
fn what_is_no_file_is_told_and_never_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("is text").to_owned();
    fs::create_dir(path("folder")).expect("makes");
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).expect("links");
    std::os::unix::fs::symlink(path("circle"), path("circle")).expect("links");
    let made = std::process::Command::new("mkfifo").arg(path("fifo")).status().expect("coreutils are there");
    assert!(made.success());
    for (name, words) in [
        ("folder", "it is a directory"),
        ("dangling", "no such file or directory"),
        ("missing.ts", "no such file or directory"),
        ("circle", "too many levels of symbolic links"),
        ("fifo", "it is a pipe, not a regular file; pass it on standard input with '-'"),
    ] {
        assert_fate(name, &before_a_good_one(&path(name), 3), Error(words));
    }
    assert_fate("/dev/null", &before_a_good_one("/dev/null", 3), Error("it is a device, not a regular file"));
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(&folder, "locked.ts", &bytes(&recipes::tiny("ts").path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    if fs::File::open(&path).is_ok() {
        // The superuser may read everything: nothing to prove here.
        return;
    }
    let input = before_a_good_one(path.to_str().expect("is text"), 3);
    assert_fate("locked.ts", &input, Error("permission denied"));
}

#[test]
fn addresses_that_lead_nowhere_are_told() {
    let port = free_port();
    for (address, named, words) in [
        ("gopher://host/film".to_owned(), "gopher://***", "it is of the unsupported kind 'gopher:'"),
        ("concat:a.ts|b.ts".to_owned(), "concat:a.ts|b.ts", "it is of the unsupported kind 'concat:'"),
        ("data:video/mp2t;base64,R0AA".to_owned(), "data:video", "it is of the unsupported kind 'data:'"),
        ("udp://239.1.1.1".to_owned(), "udp://***", "it names no port"),
        ("http://no-such-host.invalid/a".to_owned(), "no-such-host.invalid", "cannot resolve"),
        (format!("http://127.0.0.1:{port}/a"), "127.0.0.1", "connection refused"),
        (format!("tcp://127.0.0.1:{port}"), "tcp://127.0.0.1", "connection refused"),
        (format!("rtmp://127.0.0.1:{port}/a/b"), "rtmp://127.0.0.1", "connection refused"),
        (format!("rtsp://127.0.0.1:{port}/a"), "rtsp://127.0.0.1", "connection refused"),
    ] {
        assert_fate(named, &before_a_good_one(&address, 3), Error(words));
    }
}

#[test]
fn a_host_that_never_answers_is_given_up() {
    let web = Web::start(|_, _| std::thread::park_timeout(Duration::from_secs(30)));
    let input = before_a_good_one(&web.url("/mute.ts"), 3);
    assert!(input["error"].as_str().is_some_and(|error| error.contains("/mute.ts")), "{input:#}");
}

#[test]
fn hostile_answers_of_a_web_server_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::of_folder(folder.path().to_owned());
    let itself = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nitself.m3u8\n#EXT-X-ENDLIST\n";
    for (name, bytes, words) in [
        ("secrets.m3u8", SECRETS.as_bytes().to_vec(), "the playlist refers to a 'file:' address"),
        ("loop.m3u8", LOOP.as_bytes().to_vec(), "it refers to itself"),
        ("itself.m3u8", itself.as_bytes().to_vec(), "itself.m3u8"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/passwd\n".to_vec(), "it is text, not audio or video"),
        ("last.mp4", bytes(&recipes::tiny("mp4").path), "the index is at the end of the file"),
        ("film.zip", b"PK\x03\x04\x0a\0\0\0\0\0".to_vec(), "it is an archive or compressed file"),
    ] {
        write(&folder, name, &bytes);
        assert_fate(name, &before_a_good_one(&web.url(&format!("/{name}")), 3), Error(words));
    }
    let missing = before_a_good_one(&web.url("/missing.ts"), 3);
    assert_fate("missing.ts", &missing, Error("404"));
}

#[test]
fn a_network_may_bring_fewer_decoders_into_play_than_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::of_folder(folder.path().to_owned());
    let coded = |codec: &str| {
        let source = recipes::tiny("mkv");
        let arguments = ["-i", source.path_text(), "-an", "-c:v", codec, "-pix_fmt", "yuvj420p"].map(str::to_owned);
        encoded(&format!("coded-{codec}"), "mkv", &arguments)
    };
    let local = |path: &Path| before_a_good_one(path.to_str().expect("is text"), 0);
    let mjpeg = coded("mjpeg");
    assert_fate("mjpeg", &local(&mjpeg), Pass);
    write(&folder, "mjpeg.mkv", &bytes(&mjpeg));
    let words = "codec 'mjpeg' is not on the white list 'live' of decoders";
    assert_fate("mjpeg.mkv", &before_a_good_one(&web.url("/mjpeg.mkv"), 3), Error(words));

    // Old bugs live in rare decoders: this one is on no list.
    let rare = ["-f", "lavfi", "-i", "testsrc2=s=160x90:d=2", "-c:v", "magicyuv"].map(str::to_owned);
    let rare = encoded("coded-magicyuv", "mkv", &rare);
    write(&folder, "magicyuv.mkv", &bytes(&rare));
    let there = before_a_good_one(rare.to_str().expect("is text"), 3);
    assert_fate("magicyuv", &there, Error("codec 'magicyuv' is not on the white list 'wide' of decoders"));
    let words = "codec 'magicyuv' is not on the white list 'live' of decoders";
    assert_fate("magicyuv.mkv", &before_a_good_one(&web.url("/magicyuv.mkv"), 3), Error(words));
}

#[test]
fn a_picture_of_8192_pixels_either_way_is_refused_with_its_size() {
    let large = ["-f", "lavfi", "-i", "color=s=8192x8192:r=1:d=1", "-c:v", "mjpeg", "-q:v", "31"].map(str::to_owned);
    let path = encoded("large", "mkv", &large);
    let input = before_a_good_one(path.to_str().expect("is text"), 3);
    assert_fate("large", &input, Error("a picture of 8192x8192 is larger than the limit"));
}

#[test]
fn a_cut_transport_stream_is_reported_as_far_as_it_goes_wherever_it_is_cut() {
    let source = recipes::tiny("ts");
    let whole = bytes(&source.path).len();
    for percent in [20, 40, 60, 80, 99] {
        let at = whole * percent / 100 / 188 * 188 + 100;
        let path = derived("tiny-cut", &source.path, &at.to_string(), |mut bytes| {
            bytes.truncate(at);
            bytes
        });
        let output = avwatch().arg("check").arg(&path).args(["--format", "json"]).output().expect("it starts");
        let [input] = &inputs(&output)[..] else { panic!("one input") };
        let duration = input["duration_s"].as_f64().expect("is a number");
        assert!(output.status.code().is_some_and(|code| code <= 1), "{percent} %: {input:#}");
        assert!((0.0..=3.1).contains(&duration), "{percent} %: {input:#}");
    }
}

#[test]
fn a_clip_that_fails_and_a_file_that_is_none_end_with_3() {
    let black = recipes::black();
    let output = avwatch().args(["check", black.path_text(), "/no/such/file.ts"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("black") && text.contains("cannot open /no/such/file.ts"), "{text}");
}
