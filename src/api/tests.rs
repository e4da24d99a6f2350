//! The API as a client sees it, over a socket.

use avwatch_actors::alarm_model::rules::AlarmRules;
use avwatch_actors::event_desk::DeskHandle;
use avwatch_actors::status::Health;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;

use super::*;
use crate::commands::health::health;
use crate::config::{ServerPlan, Sources, load};
use crate::desired::Desired;
use crate::node_snapshot::{NodeSnapshot, StreamSnapshot};
use crate::sinks::live_feed::{CLIENTS_MAX, LiveFeed};

/// A running server on a free port; stopped when dropped.
struct Running {
    address: SocketAddr,
    health: Arc<Health>,
    feed: Arc<LiveFeed>,
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let stop = self.handle.stop(false);
        actix_rt::System::new().block_on(stop);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The state of a service that watches nothing.
fn idle_state() -> (ServerPlan, ApiState, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sources = Sources { sets: vec!["server.hosts=[\"monitor.example\"]".to_owned()], ..Sources::default() };
    let loaded = load(&sources).unwrap();
    let (events, _) = crossbeam_channel::bounded(1);
    let (commands, _) = tokio::sync::mpsc::channel(1);
    let plan = loaded.plan.server.clone();
    let state = ApiState {
        snapshot: Arc::new(|| Arc::new(NodeSnapshot::default())),
        catalogue: Arc::default(),
        health: Arc::default(),
        desk: DeskHandle {
            events,
            board: Arc::default(),
            rules: Arc::new(ArcSwap::from_pointee(AlarmRules::default())),
        },
        feed: Arc::default(),
        desired: Arc::new(Desired::open(folder.path()).unwrap()),
        loaded: Arc::new(ArcSwap::from_pointee(loaded)),
        commands,
        tokens: Arc::default(),
        live: Arc::new(crate::live::LiveBoard::start().unwrap()),
        past: crate::stream_boards::Past::of(folder.path(), crate::journal::JournalKeep::default(), 0),
        notifier: crate::notify::Notifier::new(&[], folder.path(), None),
        data_dir: folder.path().to_owned(),
        levels: crate::telemetry::LevelControl::new(tracing::level_filters::LevelFilter::INFO),
    };
    (plan, state, folder)
}

fn start() -> Running {
    let health = Arc::new(Health::default());
    let snapshot = NodeSnapshot { streams: vec![StreamSnapshot::new("lobby", "live", "full")], ..Default::default() };
    let snapshot = Arc::new(snapshot);
    let (plan, state, folder) = idle_state();
    let state = ApiState { snapshot: Arc::new(move || snapshot.clone()), health: health.clone(), ..state };
    let feed = state.feed.clone();
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        actix_rt::System::new().block_on(async {
            let (server, handle, address) = serve(([127, 0, 0, 1], 0).into(), &plan, state).unwrap();
            tell.send((handle, address)).unwrap();
            server.await.unwrap();
        });
    });
    let (handle, address) = told.recv_timeout(Duration::from_secs(10)).unwrap();
    Running { address, health, feed, handle, thread: Some(thread), _folder: folder }
}

/// Sends a request as it stands and reads the answer to its end.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn has_header(answer: &str, header: &str) -> bool {
    answer.lines().take_while(|line| !line.is_empty()).any(|line| line.eq_ignore_ascii_case(header))
}

#[test]
fn a_stream_that_is_stored_and_not_yet_watched_is_not_called_unknown() {
    // Nobody takes commands here, as when the service is busy.
    let server = start();
    let stream = r#"{"name":"roof","url":"http://video.example/live.ts"}"#;
    let headers = format!(
        "Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}",
        stream.len()
    );
    let answer = ask(server.address, &format!("POST /api/v1/streams HTTP/1.1\r\n{headers}\r\n\r\n{stream}"));
    assert_eq!(status(&answer), "503", "{answer}");
    assert!(body(&answer).contains("the stream is stored"), "{answer}");
}

#[test]
fn health_follows_its_flags_on_every_alias() {
    let server = start();
    let states = |expected: [&str; 4]| {
        let found = ["/livez", "/-/healthy", "/readyz", "/-/ready"].map(|path| {
            let answer = get(server.address, path, "");
            (status(&answer).to_owned(), body(&answer).to_owned())
        });
        let expected =
            expected.map(|status| (status.to_owned(), if status == "200" { "ok\n" } else { "not ok\n" }.to_owned()));
        assert_eq!(found, expected);
    };
    states(["200", "200", "503", "503"]);
    server.health.set_ready(true);
    states(["200", "200", "200", "200"]);
    server.health.set_control_stuck(true);
    states(["503", "503", "503", "503"]);
}

#[test]
fn metrics_come_in_the_format_that_was_asked_for() {
    let server = start();
    let text = get(server.address, "/metrics", "");
    assert!(has_header(&text, "content-type: text/plain; version=0.0.4; charset=utf-8"), "{text}");
    assert!(body(&text).contains("avwatch_stream_up{stream=\"lobby\"} 0.0\n"), "{text}");
    let open = get(server.address, "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    let wanted = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(has_header(&open, wanted), "{open}");
    assert!(body(&open).ends_with("# EOF\n"), "{open}");
}

#[test]
fn metrics_come_in_the_units_that_were_asked_for() {
    let server = start();
    let has = |path: &str| {
        let text = get(server.address, path, "");
        ["avwatch_bitrate_bits_per_second", "avwatch_bitrate_bytes_per_second"].map(|name| text.contains(name))
    };
    assert_eq!(has("/metrics"), [true, false]);
    assert_eq!(has("/metrics?units=media"), [true, false]);
    assert_eq!(has("/metrics?units=base"), [false, true]);
    let wrong = get(server.address, "/metrics?units=bytes", "");
    assert_eq!(status(&wrong), "400");
    assert!(has_header(&wrong, "content-type: application/problem+json"), "{wrong}");
    assert_eq!(body(&wrong), r#"{"title":"Bad Request","status":400,"detail":"'units' must be media or base"}"#);
}

#[test]
fn errors_are_problems() {
    let server = start();
    let missing = get(server.address, "/no/such?a=%3Cscript%3E", "");
    assert_eq!(status(&missing), "404");
    assert!(has_header(&missing, "content-type: application/problem+json"), "{missing}");
    assert_eq!(
        body(&missing),
        r#"{"title":"Not Found","status":404,"detail":"there is nothing here; /api/v1/openapi.json names all there is"}"#
    );

    let post = ask(
        server.address,
        "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(status(&post), "405");
    assert!(has_header(&post, "allow: GET, HEAD"), "{post}");
    assert!(has_header(&post, "content-type: application/problem+json"), "{post}");
}

#[test]
fn every_answer_carries_the_security_headers() {
    let server = start();
    for path in ["/livez", "/metrics", "/no/such"] {
        let answer = get(server.address, path, "");
        for header in [
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(has_header(&answer, header), "{header} in {answer}");
        }
        assert!(answer.contains("content-security-policy: default-src 'self'"), "{answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    }
}

#[test]
fn a_request_for_a_foreign_host_is_refused_even_on_loopback() {
    let server = start();
    let with_host = |host: &str| {
        let answer = ask(server.address, &format!("GET /metrics HTTP/1.1\r\n{host}Connection: close\r\n\r\n"));
        (status(&answer).to_owned(), answer.contains("avwatch_stream_up"))
    };
    assert_eq!(with_host("Host: evil.example\r\n"), ("421".to_owned(), false));
    assert_eq!(with_host("Host: evil.example\r\nX-Forwarded-Host: localhost\r\n"), ("421".to_owned(), false));
    assert!(!with_host("Host: localhost\r\nHost: evil.example\r\n").1);
    assert!(!with_host("").1);
    assert_eq!(with_host(&format!("Host: {}\r\n", server.address)), ("200".to_owned(), true));
    assert_eq!(with_host("Host: monitor.example\r\n"), ("200".to_owned(), true));
}

#[test]
fn a_head_request_gets_no_body() {
    let server = start();
    let answer = ask(server.address, "HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((status(&answer), body(&answer)), ("200", ""));
}

/// Begins to listen to the live feed; the status once it is answered, and the connection.
fn listen(address: SocketAddr, method: &str) -> (String, TcpStream) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!("{method} /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    (status(&String::from_utf8_lossy(&head)).to_owned(), socket)
}

#[test]
fn clients_that_come_and_go_quickly_leave_no_live_feed_without_a_place() {
    let server = start();
    let until = Instant::now() + Duration::from_secs(10);
    for _ in 0..CLIENTS_MAX + 64 {
        listen(server.address, "GET");
    }
    while server.feed.clients() > 0 {
        assert!(Instant::now() < until, "{} are still there", server.feed.clients());
        thread::yield_now();
    }
    let (answered, _here) = listen(server.address, "GET");
    assert_eq!((answered.as_str(), server.feed.clients()), ("200", 1));
}

#[test]
fn a_head_request_for_the_live_feed_takes_no_place() {
    let server = start();
    let (answered, _here) = listen(server.address, "HEAD");
    assert_eq!((answered.as_str(), server.feed.clients()), ("200", 0));
}

/// Sends a head, and then a body that drips until the connection ends; what was answered.
fn drip(address: SocketAddr, head: &str, drop: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (begun, mut answer) = (Instant::now(), Vec::new());
    loop {
        assert!(begun.elapsed() < Duration::from_secs(15), "still held: {}", String::from_utf8_lossy(&answer));
        // What is written to a connection that has ended is lost; reading shows it.
        let _ = socket.write_all(drop.as_bytes());
        let mut piece = [0; 4_096];
        match socket.read(&mut piece) {
            Ok(count) if count > 0 => answer.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => return String::from_utf8_lossy(&answer).into_owned(),
        }
    }
}

#[test]
fn a_body_that_drips_holds_its_connection_for_so_long_and_no_longer() {
    let server = start();
    let length = ("Content-Length: 500000", " ");
    let chunks = ("Transfer-Encoding: chunked", "1\r\n \r\n");
    let check = &|asked: &str, expected: &str, (framing, drop): (&str, &str)| {
        let kind = "Content-Type: application/json";
        let head = format!("{asked} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n{framing}\r\n\r\n");
        let answer = drip(server.address, &head, drop);
        assert_eq!(status(&answer), expected, "{asked} {framing}: {answer}");
    };
    // Nobody reads the bodies of the last two.
    let asked =
        [("POST /api/v1/streams", "408"), ("PUT /api/v1/log", "408"), ("POST /metrics", "405"), ("GET /livez", "200")];
    thread::scope(|scope| {
        for (asked, expected) in asked {
            scope.spawn(move || check(asked, expected, length));
            scope.spawn(move || check(asked, expected, chunks));
        }
    });
}

#[test]
fn a_body_in_chunks_that_ends_in_time_is_read_and_its_connection_kept() {
    let server = start();
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "PUT /api/v1/log HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    socket.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n").as_bytes()).unwrap();
    let mut answers = [0; 4_096];
    let count = socket.read(&mut answers).unwrap();
    let first = String::from_utf8_lossy(&answers[..count]).into_owned();
    assert!(status(&first) == "200" && !has_header(&first, "connection: close"), "{first}");
    socket.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut second = String::new();
    socket.read_to_string(&mut second).unwrap();
    assert_eq!((status(&second), body(&second)), ("200", "ok\n"));
}

#[test]
fn a_head_request_for_a_probe_opens_nothing() {
    let server = start();
    let ask = |method: &str, target: &str| {
        let line = format!("{method} /probe?target={target} HTTP/1.1");
        ask(server.address, &format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    };
    let answer = ask("HEAD", "http://video.example/live.ts");
    assert_eq!((status(&answer), body(&answer)), ("200", ""));
    assert!(has_header(&answer, "content-type: text/plain; version=0.0.4; charset=utf-8"), "{answer}");
    assert_eq!(status(&ask("HEAD", "http://127.0.0.1/")), "422");
    // Nobody takes commands here: whoever would open something finds no way to.
    assert_eq!(status(&ask("GET", "http://video.example/live.ts")), "503");
}

fn refused(listen: &str) -> String {
    let (plan, state, _folder) = idle_state();
    serve(listen.parse().unwrap(), &plan, state).err().expect("it is refused").to_string()
}

#[test]
fn beyond_loopback_the_start_is_refused_naming_the_key() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:0", "[::ffff:192.0.2.7]:0"] {
        let message = refused(listen);
        assert!(message.contains("server.listen") && message.contains(listen), "{message}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let message = refused(&listen);
    assert!(message.contains(&listen) && message.contains("in use"), "{message}");
}

#[test]
fn the_health_command_tells_a_live_service_from_all_others() {
    let server = start();
    let address = server.address.to_string();
    assert_eq!(health(&address), Ok(()));
    server.health.set_control_stuck(true);
    assert!(health(&address).unwrap_err().contains("503"));
    drop(server);
    assert!(health(&address).unwrap_err().contains(&address));
}
