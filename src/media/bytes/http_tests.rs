//! The HTTP client against real servers, good and hostile, on the loopback.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{CutReason, Lifeline};
use avwatch_actors::source::SourceError;

use super::testing::{patience, patience_on};
use super::{ByteRange, ByteSource, Extent, HttpClient, HttpSource, Patience, Reach};
use crate::media::spec::{HeaderReach, Transport};
use crate::media::test_server::{TestServer, respond};
use crate::secret_url::SecretUrl;

fn get(url: &str, patience: &Arc<Patience>) -> Result<HttpSource, SourceError> {
    get_with(url, &Transport::default(), patience)
}

fn get_with(url: &str, transport: &Transport, patience: &Arc<Patience>) -> Result<HttpSource, SourceError> {
    let url: SecretUrl = url.parse().unwrap();
    HttpClient::new(transport, &url, &Reach::Trusted, patience)?.get(&url, ByteRange::default())
}

fn drain(source: &mut HttpSource) -> Result<Vec<u8>, SourceError> {
    let mut all = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Opens and reads all, whichever step fails.
fn fetch(url: &str, patience: &Arc<Patience>) -> Result<Vec<u8>, SourceError> {
    drain(&mut get(url, patience)?)
}

/// Runs something that must end by its deadline of that many milliseconds plus 250.
fn bounded<T>(limit_ms: u64, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < Duration::from_millis(limit_ms + 250), "{:?}", start.elapsed());
    result
}

#[test]
fn a_body_is_read_to_its_end_and_counted() {
    let server = TestServer::of_bytes(vec![7; 100_000], false);
    let patience = patience(2_000);
    let mut source = get(&server.url("/a"), &patience).unwrap();
    assert_eq!(source.extent(), Extent { size: Some(100_000), seekable: false });
    assert_eq!(drain(&mut source).unwrap(), vec![7; 100_000]);
    assert_eq!(patience.counts().received_bytes, 100_000);
}

#[test]
fn headers_agent_and_credentials_reach_the_server_and_no_log() {
    let server = TestServer::of_bytes(vec![1], false);
    let transport = Transport {
        http_headers: vec![("X-Key".to_owned(), "abc".to_owned())],
        user_agent: Some("mine/1".to_owned()),
        ..Transport::default()
    };
    let url = format!("http://user:S3cret@{}/a?token=S3cret", server.address());
    get_with(&url, &transport, &patience(2_000)).unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.path, "/a?token=S3cret");
    for line in ["x-key: abc", "user-agent: mine/1", "authorization: basic dxnlcjptm2nyzxq="] {
        assert!(request.headers.lines().any(|header| header == line), "{}", request.headers);
    }
}

#[test]
fn a_status_of_refusal_is_named_without_secrets() {
    let server = TestServer::start(|_, stream| respond(stream, "404 Not Found", "", b"sorry"));
    let url = format!("http://user:S3cret@{}/a?token=S3cret", server.address());
    let error = get(&url, &patience(2_000)).err().unwrap();
    assert!(matches!(error, SourceError::Refused { .. }));
    let words = error.to_string();
    assert!(words.ends_with("the server answered 404 Not Found") && !words.contains("S3cret"), "{words}");
}

#[test]
fn a_redirect_is_followed_and_its_target_known() {
    let server = TestServer::start(|request, stream| match request.path.as_str() {
        "/a" => respond(stream, "302 Found", "Location: /b/c\r\n", b""),
        _ => respond(stream, "200 OK", "", b"there"),
    });
    let mut source = get(&server.url("/a"), &patience(2_000)).unwrap();
    assert_eq!(source.final_url().expose().as_str(), server.url("/b/c"));
    assert_eq!(drain(&mut source).unwrap(), b"there");
}

#[test]
fn a_loop_of_redirects_ends_after_three() {
    let server = TestServer::start(|_, stream| respond(stream, "302 Found", "Location: /again\r\n", b""));
    let error = bounded(1_000, || get(&server.url("/a"), &patience(1_000))).err().unwrap();
    assert!(matches!(&error, SourceError::Refused { why, .. } if why == "more than 3 redirects"), "{error}");
    assert!(server.requests().len() <= 4);
}

/// The value of `X-Token` with which a server was asked after a redirect from another one.
fn token_after_a_redirect(to: HeaderReach) -> Option<String> {
    let there = TestServer::start(|_, stream| respond(stream, "200 OK", "", b"there"));
    let location = format!("Location: {}\r\n", there.url("/b"));
    let here = TestServer::start(move |_, stream| respond(stream, "302 Found", &location, b""));
    let http_headers = vec![("X-Token".to_owned(), "S3cret".to_owned())];
    let transport = Transport { http_headers, http_headers_to: to, ..Transport::default() };
    drain(&mut get_with(&here.url("/a"), &transport, &patience(2_000)).unwrap()).unwrap();
    assert_eq!(here.requests()[0].header("x-token"), Some("s3cret".to_owned()));
    there.requests()[0].header("x-token")
}

#[test]
fn headers_of_the_configuration_do_not_follow_a_redirect_to_another_server() {
    assert_eq!(token_after_a_redirect(HeaderReach::Server), None);
    assert_eq!(token_after_a_redirect(HeaderReach::Everywhere), Some("s3cret".to_owned()));
}

#[test]
fn a_redirect_out_of_http_is_forbidden() {
    for target in ["ftp://127.0.0.1/x", "rtsp://127.0.0.1/x", "gopher://127.0.0.1/"] {
        let location = format!("Location: {target}\r\n");
        let server = TestServer::start(move |_, stream| respond(stream, "302 Found", &location, b""));
        let error = get(&server.url("/a"), &patience(1_000)).err().unwrap();
        assert!(matches!(error, SourceError::Forbidden { .. }), "{target}: {error}");
    }
}

#[test]
fn a_redirect_to_a_local_file_reads_no_file() {
    let server = TestServer::start(|_, stream| {
        respond(stream, "302 Found", "Location: file:///etc/passwd\r\n", b"");
    });
    assert!(get(&server.url("/a"), &patience(1_000)).is_err());
}

#[test]
fn a_silent_server_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = bounded(400, || fetch(&url, &patience(400))).unwrap_err();
    assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
}

#[test]
fn a_silent_server_is_left_within_a_quarter_of_a_second_of_a_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let line = Arc::new(Lifeline::default());
    let patience = patience_on(&line, 60_000);
    let reader = std::thread::spawn(move || fetch(&url, &patience));
    // The request has been sent: from now on the client waits for an answer.
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 16]).unwrap();
    line.cut(CutReason::Stopped);
    let error = bounded(0, || reader.join().unwrap()).unwrap_err();
    assert!(matches!(error, SourceError::Stopped), "{error}");
}

#[test]
fn a_server_that_drips_is_left_at_the_deadline() {
    for head in ["HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"] {
        let server = TestServer::start(move |_, stream| {
            let mut sent = stream.write_all(head.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(b"X");
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        let error = bounded(600, || fetch(&server.url("/"), &patience(600))).unwrap_err();
        assert!(matches!(error, SourceError::OpenLimit { .. }), "{head:?}: {error}");
    }
}

#[test]
fn a_server_that_refuses_is_a_failed_connection() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = bounded(1_000, || fetch(&format!("http://{address}/"), &patience(1_000))).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to {address}: connection refused"));
}

#[test]
fn a_connection_closed_after_any_byte_is_an_error_that_says_so() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
    let whole = [head.as_bytes(), &[7; 20]].concat();
    for kept in 0..whole.len() {
        let part = whole[..kept].to_vec();
        let server = TestServer::start(move |_, stream| stream.write_all(&part).unwrap_or(()));
        let error = bounded(1_000, || fetch(&server.url("/"), &patience(1_000))).unwrap_err();
        if let Some(body) = kept.checked_sub(head.len()) {
            let missing = format!("with {} bytes missing", 20 - body);
            assert!(matches!(&error, SourceError::Read { why, .. } if why.ends_with(&missing)), "{kept}: {error}");
        } else {
            assert!(matches!(error, SourceError::Read { .. } | SourceError::Connect { .. }), "{kept}: {error}");
        }
    }
}

#[test]
fn a_chunked_body_is_put_together_and_a_cut_one_noticed() {
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
    let server = TestServer::start(move |_, stream| stream.write_all(whole.as_bytes()).unwrap_or(()));
    assert_eq!(fetch(&server.url("/"), &patience(1_000)).unwrap(), b"abcdefg");
    let cut = &whole[..whole.len() - 8];
    let server = TestServer::start(move |_, stream| stream.write_all(cut.as_bytes()).unwrap_or(()));
    assert!(matches!(fetch(&server.url("/"), &patience(1_000)), Err(SourceError::Read { .. })));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let server = TestServer::start(|_, stream| stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nlive").unwrap_or(()));
    assert_eq!(fetch(&server.url("/"), &patience(1_000)).unwrap(), b"live");
}

#[test]
fn endless_headers_are_refused() {
    let server = TestServer::start(|_, stream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while sent.is_ok() {
            sent = stream.write_all(b"X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        }
    });
    let error = bounded(3_000, || fetch(&server.url("/"), &patience(3_000))).unwrap_err();
    assert!(matches!(error, SourceError::Read { .. }), "{error}");
}

#[test]
fn what_does_not_speak_http_is_told() {
    let server = TestServer::start(|_, stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap_or(()));
    let error = bounded(1_000, || fetch(&server.url("/"), &patience(1_000))).unwrap_err();
    assert!(error.to_string().contains("does not speak HTTP"), "{error}");
}

#[test]
fn seeking_asks_for_the_rest_where_the_server_can() {
    let bytes: Vec<u8> = (0..=255).collect();
    let server = TestServer::of_bytes(bytes.clone(), true);
    let mut source = get(&server.url("/"), &patience(2_000)).unwrap();
    assert_eq!(source.extent(), Extent { size: Some(256), seekable: true });
    source.seek(200).unwrap();
    assert_eq!(drain(&mut source).unwrap(), bytes[200..]);
    source.seek(10).unwrap();
    let mut some = [0; 5];
    assert_eq!(source.read(&mut some).unwrap(), 5);
    assert_eq!(some, bytes[10..15]);
}

#[test]
fn a_part_can_be_asked_for_and_a_server_that_ignores_it_is_noticed() {
    let get = |url: String, part, patience: &Arc<Patience>| {
        let url = url.parse().unwrap();
        HttpClient::new(&Transport::default(), &url, &Reach::Trusted, patience).unwrap().get(&url, part)
    };
    let patience = patience(2_000);
    let part = ByteRange { from: 10, to: Some(20) };
    let server = TestServer::of_bytes((0..=255).collect(), true);
    let mut source = get(server.url("/"), part, &patience).unwrap();
    assert_eq!(drain(&mut source).unwrap(), (10..20).collect::<Vec<u8>>());
    let server = TestServer::of_bytes((0..=255).collect(), false);
    let error = get(server.url("/"), part, &patience).err().unwrap();
    assert!(error.to_string().contains("ignored the wanted range"), "{error}");
}
