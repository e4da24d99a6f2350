//! Servers that mean no good, beside a stream that goes on.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::recipes;
use crate::common::sender::{Web, respond, wait};
use crate::common::service::Home;

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
        "/noise" => respond(stream, "200 OK", &vec![0x47; 1 << 20]),
        _ => respond(stream, "404 Not Found", b""),
    })
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
        "/noise",
        "/missing",
    ];
    let mut config = "[[streams]]\nname = \"good\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1\"\n".to_owned();
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
    let frames = service.metric("avwatch_frames_total{stream=\"good\",track=\"video:0\"}").unwrap_or_default();
    assert!(frames > 0.9 * 25.0 * begin.elapsed().as_secs_f64() - 25.0, "{frames} frames");
    assert!(service.events().iter().all(|event| event["stream"] != "good"), "the good stream has nothing to tell");
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
