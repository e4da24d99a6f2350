//! The demuxer on network inputs: good servers, silent ones, and hostile ones, on the loopback.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::source::SourceError;
use ffmpeg_next::Packet;

use crate::media::demuxer::Demuxer;
use crate::media::spec::{Address, InputSpec};
use crate::media::test_server::{TestServer, respond};
use crate::media::testing::{drain, free_port, mp4_index_first, mp4_index_last, open, spec, transport_stream};

fn url(text: &str) -> Address {
    Address::Url(text.parse().unwrap())
}

fn open_spec(spec: &InputSpec) -> Result<Demuxer, SourceError> {
    Demuxer::open(spec, &Arc::new(Lifeline::default()))
}

/// Opens with a limit of that many milliseconds, and must have failed 250 ms after it at the latest.
fn failure_within(limit_ms: u64, address: &str) -> SourceError {
    let start = Instant::now();
    let error = open_spec(&spec(url(address), limit_ms)).err().expect("it opened");
    assert!(start.elapsed() < Duration::from_millis(limit_ms + 250), "{:?}: {error}", start.elapsed());
    error
}

/// A listener that accepts connections and says nothing; kept open as long as it lives.
fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn clip_bytes() -> Vec<u8> {
    std::fs::read(transport_stream()).unwrap()
}

#[test]
fn a_transport_stream_over_http_yields_all_its_packets() {
    let server = TestServer::of_bytes(clip_bytes(), true);
    let mut demuxer = open(url(&server.url("/live/clip.ts?token=x"))).unwrap();
    assert_eq!(demuxer.container(), "mpegts");
    let (packets, end) = drain(&mut demuxer);
    end.unwrap();
    assert!((70..80).contains(&packets), "{packets}");
    assert_eq!(server.requests().len(), 1, "a duration is not worth a request");
    assert_eq!(demuxer.counts().received_bytes, clip_bytes().len() as u64);
}

#[test]
fn a_file_cut_short_by_the_server_names_the_missing_bytes_after_its_packets() {
    let bytes = clip_bytes();
    let server = TestServer::start(move |_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes[..bytes.len() - 5_000]));
    });
    let mut demuxer = open(url(&server.url("/clip.ts"))).unwrap();
    let (packets, end) = drain(&mut demuxer);
    let error = end.unwrap_err();
    assert!(packets > 40, "{packets}");
    assert!(error.to_string().ends_with("the server closed the connection with 5000 bytes missing"), "{error}");
}

#[test]
fn an_mp4_with_its_index_last_is_sought_where_the_server_can() {
    let bytes = std::fs::read(mp4_index_last()).unwrap();
    let server = TestServer::of_bytes(bytes.clone(), true);
    let (packets, end) = drain(&mut open(url(&server.url("/clip.mp4"))).unwrap());
    assert!(end.is_ok() && (70..80).contains(&packets), "{packets} packets, {end:?}");
    let server = TestServer::of_bytes(bytes, false);
    let error = open(url(&server.url("/clip.mp4"))).err().unwrap();
    assert!(error.to_string().contains("the index is at the end of the file"), "{error}");
    let server = TestServer::of_bytes(std::fs::read(mp4_index_first()).unwrap(), false);
    let (packets, end) = drain(&mut open(url(&server.url("/clip.mp4"))).unwrap());
    assert!(end.is_ok() && (70..80).contains(&packets), "{packets} packets, {end:?}");
}

#[test]
fn a_stream_over_tcp_is_read_and_an_mp4_that_needs_seeking_refused() {
    let serve = |bytes: Vec<u8>| {
        let listener = silent();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(&bytes));
        address
    };
    let (packets, end) = drain(&mut open(url(&serve(clip_bytes()))).unwrap());
    assert!(end.is_ok() && (70..80).contains(&packets), "{packets} packets, {end:?}");
    let error = open(url(&serve(std::fs::read(mp4_index_last()).unwrap()))).err().unwrap();
    assert!(error.to_string().contains("the index is at the end of the file"), "{error}");
}

/// Sends a clip over and over, as datagrams, until the test is over.
fn send_for_ever(port: u16) {
    let bytes = clip_bytes();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    std::thread::spawn(move || {
        loop {
            for datagram in bytes.chunks(7 * 188) {
                let _ = socket.send_to(datagram, ("127.0.0.1", port));
                std::thread::park_timeout(Duration::from_millis(2));
            }
        }
    });
}

#[test]
fn a_transport_stream_over_udp_is_read() {
    let port = free_port();
    send_for_ever(port);
    let mut demuxer = open(url(&format!("udp://127.0.0.1:{port}"))).unwrap();
    let mut packet = Packet::empty();
    for _ in 0..100 {
        assert!(demuxer.read(&mut packet).unwrap());
    }
    assert_eq!(demuxer.counts().receive_dropped, 0);
}

#[test]
fn nobody_sending_by_udp_ends_at_the_open_limit() {
    let error = failure_within(400, &format!("udp://127.0.0.1:{}", free_port()));
    assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
}

#[test]
fn a_silent_server_ends_at_the_open_limit_whatever_the_protocol() {
    for scheme in ["http", "tcp", "rtsp", "rtmp"] {
        let listener = silent();
        let address = format!("{scheme}://{}/a/b", listener.local_addr().unwrap());
        let error = failure_within(500, &address);
        assert!(matches!(error, SourceError::OpenLimit { .. }), "{scheme}: {error}");
    }
}

#[test]
fn a_silent_srt_port_is_an_error_within_the_open_limit() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = failure_within(800, &format!("srt://{}", socket.local_addr().unwrap()));
    assert!(matches!(error, SourceError::OpenLimit { .. } | SourceError::Connect { .. }), "{error}");
}

#[test]
fn a_closed_port_is_a_failed_connection_whatever_the_protocol() {
    // Bound and not listening: it refuses, and no other test can be given the port meanwhile.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    for scheme in ["http", "tcp", "rtsp", "rtmp"] {
        let error = failure_within(2_000, &format!("{scheme}://{address}/a/b"));
        assert!(matches!(error, SourceError::Connect { .. }), "{scheme}: {error}");
        assert!(error.to_string().contains("refused"), "{scheme}: {error}");
    }
}

#[test]
fn a_server_that_drips_ends_at_the_open_limit() {
    let server = TestServer::start(|_, stream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while sent.is_ok() {
            sent = stream.write_all(&[0x47]);
            std::thread::park_timeout(Duration::from_millis(200));
        }
    });
    let error = failure_within(700, &server.url("/a.ts"));
    assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
}

/// Sends a whole clip, then bytes that never make a packet.
fn drip_after_clip(stream: &mut TcpStream) {
    let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").and_then(|()| stream.write_all(&clip_bytes()));
    while sent.is_ok() {
        sent = stream.write_all(&[0]);
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn bytes_that_drip_without_ever_making_a_packet_are_a_stall() {
    let server = TestServer::start(|_, stream| drip_after_clip(stream));
    let mut input = spec(url(&server.url("/a.ts")), 3_000);
    input.limits.stall = Duration::from_millis(400);
    let mut demuxer = open_spec(&input).unwrap();
    let start = Instant::now();
    let (packets, end) = drain(&mut demuxer);
    let error = end.unwrap_err();
    assert!(packets > 70 && matches!(error, SourceError::Stalled { .. }), "{packets}: {error}");
    assert!((350..750).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[test]
fn a_cut_ends_a_read_within_a_quarter_of_a_second() {
    let server = TestServer::start(|_, stream| drip_after_clip(stream));
    let line = Arc::new(Lifeline::default());
    let mut demuxer = Demuxer::open(&spec(url(&server.url("/a.ts")), 5_000), &line).unwrap();
    let cutter = std::thread::spawn({
        let line = line.clone();
        move || {
            std::thread::park_timeout(Duration::from_millis(300));
            line.cut(CutReason::Stopped);
            Instant::now()
        }
    });
    let (_, end) = drain(&mut demuxer);
    let cut_at = cutter.join().unwrap();
    assert!(matches!(end, Err(SourceError::Stopped)), "{end:?}");
    assert!(cut_at.elapsed() < Duration::from_millis(250), "{:?}", cut_at.elapsed());
}

#[test]
fn a_web_page_is_no_stream() {
    let server = TestServer::start(|_, stream| respond(stream, "200 OK", "", b"<html><body>Welcome</body></html>"));
    let error = failure_within(2_000, &server.url("/index.html"));
    assert!(error.to_string().ends_with("it is text, not audio or video"), "{error}");
}

#[test]
fn an_unknown_scheme_is_refused_with_the_known_ones() {
    for address in ["gopher://host/x", "concat:a|b", "subfile:///etc/passwd", "ftp://host/x"] {
        let error = failure_within(1_000, address);
        assert!(matches!(error, SourceError::Forbidden { .. }), "{error}");
        assert!(error.to_string().contains("use one of http, https"), "{error}");
    }
}

#[test]
fn a_dead_name_is_named() {
    let error = failure_within(5_000, "rtsp://no-such-host.invalid/x");
    assert!(error.to_string().starts_with("cannot resolve no-such-host.invalid"), "{error}");
}

#[test]
fn a_missing_port_is_told() {
    let error = failure_within(1_000, "udp://239.0.0.1");
    assert!(error.to_string().contains("needs a port"), "{error}");
}

#[test]
fn a_hundred_silent_inputs_all_end_within_a_quarter_of_a_second_of_their_cuts() {
    let listener = silent();
    let address = listener.local_addr().unwrap();
    let lines: Vec<Arc<Lifeline>> = (0..100).map(|_| Arc::new(Lifeline::default())).collect();
    let openers: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let scheme = ["http", "tcp", "rtsp", "rtmp"][index % 4];
            let input = spec(url(&format!("{scheme}://{address}/a/b")), 60_000);
            let line = line.clone();
            std::thread::spawn(move || Demuxer::open(&input, &line).err())
        })
        .collect();
    // Each beats while it waits for its silent server; ten beats are well into that.
    while lines.iter().any(|line| line.beats() < 10) {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let start = Instant::now();
    lines.iter().for_each(|line| line.cut(CutReason::Stopped));
    for opener in openers {
        assert!(matches!(opener.join().unwrap(), Some(SourceError::Stopped)));
    }
    assert!(start.elapsed() < Duration::from_millis(250), "{:?}", start.elapsed());
    println!("100 cut inputs ended in {:?}", start.elapsed());
}
