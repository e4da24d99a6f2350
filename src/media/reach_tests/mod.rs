//! The guard at work: whatever is written, redirected to, referred to or resolved, nobody listening
//! inside hears of it.

mod playlists;
mod protocols;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceError;

use crate::media::bytes::{Guard, Lookup, OwnSockets, Reach};
use crate::media::demuxer::Demuxer;
use crate::media::spec::Address;
use crate::media::test_server::{TestServer, respond};
use crate::media::testing::{free_port, spec};

/// Listens on every address of this machine; whoever connects, or sends a datagram to the same port, is heard.
struct Ear(TcpListener, UdpSocket);

impl Ear {
    fn new() -> Self {
        // A port that is free for connections may be taken for datagrams.
        let mut tries = std::iter::repeat_with(|| {
            let ear = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
            Self::of(ear)
        });
        tries.by_ref().take(20).flatten().next().unwrap()
    }

    /// Nothing when somebody else receives datagrams at its port.
    fn of(listener: TcpListener) -> Option<Self> {
        let datagrams = UdpSocket::bind(listener.local_addr().unwrap()).ok()?;
        listener.set_nonblocking(true).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        Some(Self(listener, datagrams))
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// How many connections and datagrams came since the last call. Whoever tried before this call is among them: the
    /// system completes connections on its own.
    fn heard(&self) -> usize {
        let datagrams = std::iter::from_fn(|| self.1.recv_from(&mut [0; 16]).ok()).count();
        std::iter::from_fn(|| self.0.accept().ok()).count() + datagrams
    }
}

/// A resolver that knows what the system knows without a network: numbers and `localhost`.
fn offline() -> Lookup {
    Arc::new(|name: &str, port: u16| {
        let is_number = |part: &str| {
            let digits = part.strip_prefix("0x").unwrap_or(part);
            digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                && part.starts_with(|first: char| first.is_ascii_digit())
        };
        if name.split('.').all(is_number) {
            return std::net::ToSocketAddrs::to_socket_addrs(&(name, port)).map(Iterator::collect);
        }
        match name.trim_end_matches('.').to_ascii_lowercase().as_str() {
            "localhost" => Ok(vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    })
}

/// A resolver that gives these answers in turn, the last one over and over; counts how often it was asked.
fn in_turn(answers: &'static [&'static [&'static str]], asked: &Arc<AtomicUsize>) -> Lookup {
    let asked = asked.clone();
    Arc::new(move |_: &str, port: u16| {
        let turn = asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        Ok(answers[turn].iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
    })
}

fn guard(allow: &[&str], lookup: Lookup) -> Arc<Guard> {
    guard_of(allow, OwnSockets::default(), lookup)
}

fn guard_of(allow: &[&str], own: OwnSockets, lookup: Lookup) -> Arc<Guard> {
    Guard::with_lookup(allow.iter().map(|range| range.parse().unwrap()).collect(), own, lookup)
}

/// Opens under guard; nothing when that is no address at all.
fn open(address: &str, guard: &Arc<Guard>, limit_ms: u64) -> Option<Result<Demuxer, SourceError>> {
    let mut input = spec(Address::Url(address.parse().ok()?), limit_ms);
    input.reach = Reach::Guarded(guard.clone());
    Some(Demuxer::open(&input, &Arc::new(Lifeline::default())))
}

/// The refusal of an address that must not be opened. It names the key and no secret.
#[track_caller]
fn refused(address: &str, guard: &Arc<Guard>) -> String {
    let error = open(address, guard, 4_000).unwrap().err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, SourceError::Forbidden { .. }), "{address}: {text}");
    assert!(text.contains("sources.allow") && !text.contains("S3cret"), "{address}: {text}");
    text
}

/// The first answer may be opened, the second is one of this machine's that may not.
const REBINDING: &[&[&str]] = &[&["127.0.0.1"], &["127.0.0.2"]];

/// Ways to write hosts that may not be reached.
const FORMS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0X7F.0X1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "00000177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "127.000.000.001",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "loc%61lhost",
    "0.0.0.0",
    "0",
    "0x0",
    "00.0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:0:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::1]",
    "[2002:a9fe:a9fe::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "10.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "0xa9fea9fe",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "user:S3cret@127.0.0.1",
    "example.org@127.0.0.1",
    "example.org:80@127.0.0.1",
    "example.org%40127.0.0.1",
    "@127.0.0.1",
    "a@b@127.0.0.1",
    "127.0.0.1\\@example.org",
    "127.0.0.1#@example.org",
    "127.0.0.1?@example.org",
    "xn--127-1",
    "xn--lcalhost-j1a",
    "",
];

#[test]
fn no_way_to_write_an_inner_address_reaches_it() {
    assert!(FORMS.len() >= 40);
    let ear = Ear::new();
    let guard = guard(&[], offline());
    for scheme in ["http", "https", "tcp", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "rtp"] {
        for form in FORMS {
            let address = format!("{scheme}://{form}:{}/a", ear.port());
            // What is no address was refused where it was read.
            let Some(opened) = open(&address, &guard, 1_000) else { continue };
            let error = opened.err().unwrap_or_else(|| panic!("{address} was opened"));
            let text = error.to_string();
            let is_told = match &error {
                SourceError::Forbidden { .. } => text.contains("sources.allow") || text.contains("port"),
                SourceError::Resolve { .. } => true,
                _ => false,
            };
            assert!(is_told && !text.contains("S3cret"), "{address}: {text}");
            assert_eq!(ear.heard(), 0, "{address}");
        }
    }
    assert!(refused("http://0xa9fea9fe/latest/meta-data", &guard).contains("169.254.169.254"));
}

#[test]
fn what_the_key_opens_is_reached_by_every_way_to_write_it() {
    let ear = Ear::new();
    let guard = guard(&["127.0.0.1"], offline());
    for form in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"] {
        let address = format!("tcp://{form}:{}", ear.port());
        assert!(open(&address, &guard, 200).unwrap().is_err());
        assert_eq!(ear.heard(), 1, "{form}");
    }
    assert!(refused(&format!("tcp://127.0.0.2:{}", ear.port()), &guard).contains("127.0.0.2"));
    assert!(refused(&format!("tcp://[::1]:{}", ear.port()), &guard).contains("::1"));
    assert_eq!(ear.heard(), 0);
}

#[test]
fn multicast_is_joined_only_where_the_key_opens_it() {
    let address = format!("udp://239.255.77.1:{}", free_port());
    assert!(refused(&address, &guard(&["239.254.0.0/16"], offline())).contains("239.255.77.1"));
    // Nobody sends; and where there is no route for groups, that is another error.
    let error = open(&address, &guard(&["239.255.0.0/16"], offline()), 300).unwrap().err().unwrap();
    assert!(!matches!(error, SourceError::Forbidden { .. }), "{error}");
}

#[test]
fn a_redirect_inside_is_refused_wherever_it_stands() {
    let ear = Ear::new();
    let port = ear.port();
    let own = OwnSockets::default();
    own.add(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    let guard = guard_of(&["127.0.0.1"], own, offline());
    for (target, words) in [
        (format!("http://127.0.0.2:{port}/"), "127.0.0.2"),
        (format!("http://user:S3cret@127.0.0.2:{port}/"), "127.0.0.2"),
        (format!("//127.0.0.2:{port}/"), "127.0.0.2"),
        (format!("https://127.0.0.2:{port}/"), "127.0.0.2"),
        (format!("http://2130706434:{port}/"), "127.0.0.2"),
        (format!("http://0x7f000002:{port}/"), "127.0.0.2"),
        (format!("http://0177.0.0.2:{port}/"), "127.0.0.2"),
        (format!("http://127.2:{port}/"), "127.0.0.2"),
        (format!("http://[::1]:{port}/"), "::1"),
        (format!("http://[::ffff:127.0.0.2]:{port}/"), "127.0.0.2"),
        (format!("http://0.0.0.0:{port}/"), "this service itself"),
        (format!("http://127.0.0.1:{port}/"), "this service itself"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "169.254.169.254"),
        ("http://10.0.0.1/".to_owned(), "10.0.0.1"),
    ] {
        let location = format!("Location: {target}\r\n");
        let server = TestServer::start(move |request, stream| match request.path.as_str() {
            "/first" => respond(stream, "302 Found", "Location: /second\r\n", b""),
            _ => respond(stream, "307 Temporary Redirect", &location, b""),
        });
        for path in ["/first", "/second"] {
            let text = refused(&server.url(path), &guard);
            assert!(text.contains(words), "{target}: {text}");
        }
        assert_eq!(ear.heard(), 0, "{target}");
    }
}

#[test]
fn a_redirect_out_of_http_leads_nowhere() {
    let ear = Ear::new();
    let port = ear.port();
    for target in [
        "file:///etc/passwd".to_owned(),
        format!("rtsp://127.0.0.1:{port}/"),
        format!("gopher://127.0.0.1:{port}/"),
        format!("tcp://127.0.0.1:{port}"),
        "data:video/mp2t;base64,AAAA".to_owned(),
    ] {
        let location = format!("Location: {target}\r\n");
        let server = TestServer::start(move |_, stream| respond(stream, "302 Found", &location, b""));
        assert!(open(&server.url("/"), &guard(&["127.0.0.0/8"], offline()), 4_000).unwrap().is_err(), "{target}");
        assert_eq!(ear.heard(), 0, "{target}");
    }
}
