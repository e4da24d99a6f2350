//! RTSP, RTMP, SRT and TCP: FFmpeg's own protocols and ours go to the checked address only.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceError;

use super::{Ear, REBINDING, guard, in_turn, offline, open, refused};
use crate::media::bytes::Reach;
use crate::media::demuxer::Demuxer;
use crate::media::protocol_tests::{Sender, rtsp_server};
use crate::media::spec::{Address, RtspTransport};
use crate::media::testing::{drain, free_port, spec};

/// A server that moves an RTSP client on, at the given method; answers the ones before.
fn rtsp_redirect(at: &'static str, to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("rtsp://{}/live", listener.local_addr().unwrap());
    let to = to.to_owned();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let (mut request, mut line) = (String::new(), String::new());
        while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
            request.push_str(&line);
            if line == "\r\n" {
                let number = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("0");
                let method = request.split(' ').next().unwrap_or_default();
                let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:t\r\n";
                let (status, body) = match method {
                    method if method == at => ("302 Moved", ""),
                    "DESCRIBE" => ("200 OK", body),
                    _ => ("200 OK", ""),
                };
                let answer = write!(
                    writer,
                    "RTSP/1.0 {status}\r\nCSeq: {number}\r\nLocation: {to}\r\nContent-Type: application/sdp\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                if answer.is_err() {
                    return;
                }
                request.clear();
            }
            line.clear();
        }
    });
    address
}

#[test]
fn an_rtsp_redirect_is_not_followed() {
    let ear = Ear::new();
    let target = format!("rtsp://user:S3cret@127.0.0.2:{}/inside", ear.port());
    for method in ["OPTIONS", "DESCRIBE"] {
        let address = rtsp_redirect(method, &target);
        let text = refused(&address, &guard(&["127.0.0.0/8"], offline()));
        assert!(text.contains("redirects"), "{method}: {text}");
        assert_eq!(ear.heard(), 0, "{method}");
        // Who is trusted is led on, so the server does what the test thinks that it does.
        let trusted = spec(Address::Url(rtsp_redirect(method, &target).parse().unwrap()), 1_000);
        assert!(Demuxer::open(&trusted, &Arc::new(Lifeline::default())).is_err());
        assert_eq!(ear.heard(), 1, "{method}");
    }
    // FFmpeg 5.1 follows none from here on.
    let setup = rtsp_redirect("SETUP", &target);
    assert!(open(&setup, &guard(&["127.0.0.0/8"], offline()), 2_000).unwrap().is_err());
    assert_eq!(ear.heard(), 0, "SETUP");
}

#[test]
fn rtsp_with_datagrams_is_refused() {
    let ear = Ear::new();
    let mut input = spec(Address::Url(format!("rtsp://127.0.0.1:{}/a", ear.port()).parse().unwrap()), 1_000);
    input.reach = Reach::Guarded(guard(&["127.0.0.1"], offline()));
    input.transport.rtsp_transport = RtspTransport::Udp;
    let error = Demuxer::open(&input, &Arc::new(Lifeline::default())).err().unwrap();
    assert!(matches!(error, SourceError::Forbidden { .. }), "{error}");
    assert_eq!(ear.heard(), 0);
}

#[test]
fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let asked: Arc<AtomicUsize> = Arc::default();
    let address = rtsp_server().replace("127.0.0.1", "turning.test");
    let mut input = spec(Address::Url(address.parse().unwrap()), 8_000);
    input.size.analyze = Duration::from_millis(500);
    input.limits.stall = Duration::from_millis(600);
    input.reach = Reach::Guarded(guard(&["127.0.0.1"], in_turn(REBINDING, &asked)));
    let (packets, _) = drain(&mut Demuxer::open(&input, &Arc::new(Lifeline::default())).unwrap());
    assert!(packets > 40, "{packets}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn of_a_name_with_an_inner_and_an_open_address_only_the_open_one_is_tried() {
    let port = free_port();
    let inner = Ear::of(TcpListener::bind(("127.0.0.2", port)).unwrap()).unwrap();
    let lookup = in_turn(&[&["127.0.0.2", "127.0.0.1"]], &Arc::default());
    let guard = guard(&["127.0.0.1"], lookup);
    for scheme in ["http", "tcp", "rtsp", "rtmp"] {
        let error = open(&format!("{scheme}://both.test:{port}/a/b"), &guard, 1_000).unwrap().err().unwrap();
        assert!(matches!(error, SourceError::Connect { .. }), "{error}");
        assert_eq!(inner.heard(), 0, "{scheme}");
    }
}

#[test]
fn rtmp_and_srt_go_to_the_checked_address() {
    for (scheme, format, path, more) in
        [("rtmp", "flv", "/app/key", &["-listen", "1"][..]), ("srt", "mpegts", "?mode=listener", &[])]
    {
        let port = free_port();
        let _sender = Sender::start(format, &format!("{scheme}://127.0.0.1:{port}{path}"), more);
        let path = path.trim_start_matches("?mode=listener");
        let start = Instant::now();
        loop {
            let guard = guard(&["127.0.0.1"], in_turn(REBINDING, &Arc::default()));
            match open(&format!("{scheme}://turning.test:{port}{path}"), &guard, 8_000).unwrap() {
                Ok(_) => break,
                Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}
