//! Servers that mean no good, beside a stream that goes on.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::recipes;
use crate::common::sender::{Web, respond, wait};
use crate::common::service::{Home, Service};
use crate::common::stopping::{SECRETS, Stop, StoppingHls, StoppingRtsp};

const SECOND: Duration = Duration::from_secs(1);

/// How long the servers are borne.
const BORNE: Duration = Duration::from_secs(20);

/// The memory that they may cost in that time.
const MEMORY_MAX: u64 = 300 << 20;

fn stop_after(bytes: &[u8], count: usize, stream: &mut TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let all = [head, bytes].concat();
    let _ = stream.write_all(&all[..count.min(all.len())]);
}

fn hold(stream: &TcpStream) {
    // Until the other side leaves, or the test is over.
    let _ = stream.set_read_timeout(Some(BORNE));
    let _ = stream.peek(&mut [0]);
}

fn drip(bytes: &[u8], stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    for byte in bytes {
        std::thread::park_timeout(Duration::from_millis(50));
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
    }
}

fn hostile() -> Web {
    let clip = std::fs::read(recipes::small_clean().path).expect("it was just made");
    Web::start(move |path, stream| match path {
        "/byte0" => {}
        "/byte20" => stop_after(&clip, 20, stream),
        "/byte200" => stop_after(&clip, 200, stream),
        "/byte9000" => stop_after(&clip, 9_000, stream),
        "/hold" => hold(stream),
        "/drip" => drip(&clip, stream),
        "/endless-header" => {
            let mut line = b"HTTP/1.1 200 OK\r\n".to_vec();
            while stream.write_all(&line).is_ok() {
                line = b"X-More: and more and more and more and more\r\n".to_vec();
            }
        }
        "/around" => {
            let head = "HTTP/1.1 302 Found\r\nLocation: /around\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
        }
        "/self.m3u8" => {
            let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nself.m3u8\n#EXTINF:1,\nself.m3u8\n";
            respond(stream, "200 OK", text.as_bytes());
        }
        "/master.m3u8" => {
            let text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmaster.m3u8\n";
            respond(stream, "200 OK", text.as_bytes());
        }
        "/stale.m3u8" => {
            let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:12,\nwhole.ts\n";
            respond(stream, "200 OK", text.as_bytes());
        }
        "/whole.ts" => respond(stream, "200 OK", &clip),
        "/noise" => respond(stream, "200 OK", &vec![0x47; 1 << 20]),
        _ => respond(stream, "404 Not Found", b""),
    })
}

const GOOD: &str = "[[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n";

#[track_caller]
fn assert_good_is_untouched(service: &Service, begin: Instant) {
    let frames = service.metric("avwatch_frames_total{stream=\"good\",track=\"video:0\"}").unwrap_or_default();
    assert!(frames > 0.9 * 25.0 * begin.elapsed().as_secs_f64() - 25.0, "{frames} frames");
    assert!(service.events().iter().all(|event| event["stream"] != "good"), "the good stream has nothing to tell");
}

#[test]
fn hostile_servers_cost_their_own_streams_only() {
    let web = hostile();
    let paths = [
        "/byte0",
        "/byte20",
        "/byte200",
        "/byte9000",
        "/hold",
        "/drip",
        "/endless-header",
        "/around",
        "/self.m3u8",
        "/master.m3u8",
        "/stale.m3u8",
        "/noise",
        "/missing",
    ];
    let mut config = GOOD.to_owned();
    for (number, path) in paths.iter().enumerate() {
        config.push_str(&format!("[[streams]]\nname = \"bad{number}\"\nurl = \"{}\"\n", web.url(path)));
    }
    let home = Home::new(&config);
    let mut service = home.start();
    let begin = Instant::now();
    wait("the time to pass", BORNE + SECOND, || (begin.elapsed() > BORNE).then_some(()));
    for (number, path) in paths.iter().enumerate() {
        assert_eq!(service.metric(&format!("avwatch_stream_up{{stream=\"bad{number}\"}}")), Some(0.0), "{path}");
        assert!(!service.events_of(&format!("bad{number}"), "input_down", "raised").is_empty(), "{path}");
    }
    assert_good_is_untouched(&service, begin);
    assert!(service.memory() < MEMORY_MAX, "{} bytes", service.memory());
    assert_eq!((service.get("/livez").0, service.get("/readyz").0), (200, 200));
    let lines = service.lines().len();
    assert!(lines < 60 * paths.len(), "{lines} lines in {BORNE:?}");
    let (status, took) = service.stop();
    assert_eq!(status, Some(0));
    assert!(took < 2 * SECOND, "it took {took:?}");
    let panics: Vec<_> = service.lines().into_iter().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "{panics:#?}");
}

const NO_ANSWER: &str = "no answer within";

#[test]
fn servers_that_stop_midway_are_down_with_their_cause_and_cost_their_own_streams_only() {
    use Stop::{Closes, Holds};
    let clip = recipes::small_clean().path;
    let hls = StoppingHls::start(std::fs::read(&clip).expect("it was just made"));
    let rtsp = StoppingRtsp::start(&clip);
    let of_hls = [
        ("playlist", Closes, 0, "disconnected"),
        ("playlist", Closes, 100, "bytes missing"),
        ("playlist", Holds, 100, NO_ANSWER),
        ("segment", Closes, 1_000, "bytes missing"),
        ("segment", Holds, 1_000, NO_ANSWER),
    ];
    let of_rtsp = [
        ("OPTIONS", Closes, 0, "no valid answer"),
        ("DESCRIBE", Closes, 50, "no valid answer"),
        ("SETUP", Holds, 16, "no valid answer"),
        ("PLAY", Closes, 10, "no valid answer"),
        ("DATA", Closes, 0, "ended before any audio or video came"),
        ("DATA", Closes, 40_000, "the source finished"),
        ("DATA", Holds, 40_000, NO_ANSWER),
    ];
    let hls_cases = of_hls.map(|(word, stop, after, cause)| (hls.url(word, stop, after), cause));
    let rtsp_cases = of_rtsp.map(|(word, stop, after, cause)| (rtsp.url(word, stop, after), cause));
    let cases: Vec<_> = hls_cases.into_iter().chain(rtsp_cases).collect();
    let mut config = GOOD.to_owned();
    for (number, (url, _)) in cases.iter().enumerate() {
        config.push_str(&format!("[[streams]]\nname = \"bad{number}\"\nurl = \"{url}\"\n"));
    }
    let service = Home::new(&config).start_with_home();
    let (service, begin) = (&service.1, Instant::now());
    for (number, (url, cause)) in cases.iter().enumerate() {
        let stream = format!("bad{number}");
        service.wait_for_event(&stream, "input_down", "raised", BORNE);
        // Of a server that holds, the cause is known when its time is over, and that is in the log.
        let is_known_late = url.contains("-h-");
        service.wait_for_line(&format!("the cause of {url}"), 2 * BORNE, |line| {
            let event = &line["event"];
            let is_told = event["stream"] == *stream && event["detector"] == "input_down";
            let is_it = is_told || (is_known_late && line["stream"] == *stream);
            (is_it && line.to_string().contains(cause)).then_some(())
        });
    }
    assert_good_is_untouched(service, begin);
    let said = service.lines().join("\n");
    assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "no secret is told");
    assert!(!said.contains("panic"), "{said}");
}
