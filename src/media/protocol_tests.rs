//! FFmpeg's own protocols against real senders on the loopback: SRT, RTMP and RTSP.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::source::SourceError;
use ffmpeg_next::Packet;

use crate::media::demuxer::Demuxer;
use crate::media::spec::Address;
use crate::media::testing::{drain, free_port, mp4_index_first, spec, transport_stream};

/// An `ffmpeg` that sends the clip in real time, over and over; ended on drop.
pub(super) struct Sender(Child);

impl Sender {
    pub(super) fn start(format: &str, address: &str, more: &[&str]) -> Self {
        let child = Command::new("ffmpeg")
            .args(["-v", "quiet", "-nostdin", "-re", "-stream_loop", "-1", "-i"])
            .arg(mp4_index_first())
            .args(["-c", "copy"])
            .args(more)
            .args(["-f", format, address])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the tests need the `ffmpeg` program"))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn url(text: &str) -> Address {
    Address::Url(text.parse().unwrap())
}

/// Opens, again and again while the sender is not there yet.
fn open_when_ready(address: &str) -> Demuxer {
    let start = Instant::now();
    loop {
        match Demuxer::open(&spec(url(address), 8_000), &Arc::new(Lifeline::default())) {
            Ok(demuxer) => return demuxer,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn reads(demuxer: &mut Demuxer, count: u32) {
    let mut packet = Packet::empty();
    for _ in 0..count {
        assert!(demuxer.read(&mut packet).unwrap());
    }
}

#[test]
fn srt_is_read_as_a_caller_with_a_passphrase() {
    let port = free_port();
    let key = "passphrase=S3cretS3cret";
    let address = format!("srt://127.0.0.1:{port}?mode=listener&{key}");
    let _sender = Sender::start("mpegts", &address, &[]);
    let mut demuxer = open_when_ready(&format!("srt://127.0.0.1:{port}?{key}&latency=120"));
    assert_eq!(demuxer.container(), "mpegts");
    reads(&mut demuxer, 50);
    assert!(demuxer.counts().received_bytes > 1_000);
}

#[test]
fn rtmp_is_read_and_ends_with_its_sender() {
    let port = free_port();
    let address = format!("rtmp://127.0.0.1:{port}/app/key");
    let sender = Sender::start("flv", &address, &["-listen", "1"]);
    let mut demuxer = open_when_ready(&address);
    assert_eq!(demuxer.container(), "flv");
    reads(&mut demuxer, 50);
    drop(sender);
    let start = Instant::now();
    // Whether a broken connection is an end or an error is FFmpeg's to say; it must not hang.
    let _ = drain(&mut demuxer);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_container_off_the_live_list_is_forbidden_whatever_brings_it() {
    let port = free_port();
    let _sender = Sender::start("nut", &format!("srt://127.0.0.1:{port}?mode=listener"), &[]);
    let input = spec(url(&format!("srt://127.0.0.1:{port}")), 8_000);
    let error = Demuxer::open(&input, &Arc::new(Lifeline::default())).err().unwrap();
    assert!(matches!(error, SourceError::Forbidden { .. }), "{error}");
    assert!(error.to_string().contains("not on the white list 'live'"), "{error}");
}

/// A little RTSP server that sends the clip as MPEG-TS in RTP over the control connection, once, and
/// is silent after it.
pub(super) fn rtsp_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtsp://{}/live", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        loop {
            let mut request = String::new();
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line == "\r\n" {
                    break;
                }
                request.push_str(&line);
            }
            if answer(&request, &mut writer).is_err() {
                return;
            }
        }
    });
    address
}

fn answer(request: &str, writer: &mut TcpStream) -> std::io::Result<()> {
    let number = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("0");
    let method = request.split(' ').next().unwrap_or_default();
    let (headers, body) = match method {
        "DESCRIBE" => (
            "Content-Type: application/sdp\r\n",
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:t\r\n",
        ),
        "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        _ => ("Session: 1\r\n", ""),
    };
    write!(writer, "RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())?;
    if method == "PLAY" {
        let clip = std::fs::read(transport_stream()).unwrap();
        for (index, part) in clip.chunks(7 * 188).enumerate() {
            let size = (part.len() as u16 + 12).to_be_bytes();
            let sequence = (index as u16).to_be_bytes();
            writer.write_all(&[b'$', 0, size[0], size[1], 0x80, 33, sequence[0], sequence[1]])?;
            writer.write_all(&[0, 0, 0, 0, 0, 0, 0, 1])?;
            writer.write_all(part)?;
        }
    }
    Ok(())
}

#[test]
fn rtsp_is_read_and_its_silence_is_a_stall() {
    let mut input = spec(url(&rtsp_server()), 8_000);
    input.size.analyze = Duration::from_millis(500);
    input.limits.stall = Duration::from_millis(600);
    let mut demuxer = Demuxer::open(&input, &Arc::new(Lifeline::default())).unwrap();
    assert_eq!(demuxer.container(), "rtsp");
    let start = Instant::now();
    let (packets, end) = drain(&mut demuxer);
    assert!(packets > 40, "{packets}");
    assert!(matches!(end, Err(SourceError::Stalled { .. })), "{end:?}");
    assert!(start.elapsed() < Duration::from_millis(1_200), "{:?}", start.elapsed());
}

#[test]
fn a_description_of_a_million_lines_is_refused_before_it_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtsp://{}/live", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let mut number = String::from("1");
        let mut is_description = false;
        for line in lines {
            is_description |= line.starts_with("DESCRIBE");
            if let Some(value) = line.strip_prefix("CSeq: ") {
                value.clone_into(&mut number);
            }
            if line.is_empty() {
                let more = if is_description { "Content-Length: 22000000\r\n" } else { "Public: DESCRIBE\r\n" };
                let _ = write!(stream, "RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n");
            }
        }
    });
    let begin = Instant::now();
    let error = Demuxer::open(&spec(url(&address), 8_000), &Arc::new(Lifeline::default())).err().unwrap().to_string();
    assert!(error.ends_with("an answer of 22000000 bytes, more than the limit of 262144 bytes"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
}

#[test]
fn a_cut_ends_an_rtsp_session_as_stopped_never_as_bad_data() {
    let line = Arc::new(Lifeline::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtsp://{}/live", listener.local_addr().unwrap());
    let opener = std::thread::spawn({
        let line = line.clone();
        move || Demuxer::open(&spec(url(&address), 60_000), &line).err().map(|error| error.to_string())
    });
    // Held until the end: were it closed, the opener might hear of that before the cut.
    let (connection, _) = listener.accept().unwrap();
    let mut request = String::new();
    BufReader::new(&connection).read_line(&mut request).unwrap();
    line.cut(CutReason::Stopped);
    let start = Instant::now();
    assert_eq!(opener.join().unwrap().as_deref(), Some("stopped"));
    assert!(start.elapsed() < Duration::from_millis(250), "{:?}", start.elapsed());
}
