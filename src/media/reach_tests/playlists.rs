//! What HLS playlists and DASH manifests refer to.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Ear, REBINDING, guard, in_turn, offline, open, refused};
use crate::media::test_server::{TestServer, respond};
use crate::media::testing::transport_stream;

/// Playlists that refer to a target, each in another way.
const PLACES: [(&str, &str); 6] = [
    ("segment", "#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nTARGET\n#EXT-X-ENDLIST\n"),
    ("key", "#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"TARGET\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"),
    ("map", "#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"TARGET\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"),
    ("sealed", "#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n#EXTINF:1,\nTARGET\n#EXT-X-ENDLIST\n"),
    ("variant", "#EXT-X-STREAM-INF:BANDWIDTH=1\nTARGET\n"),
    (
        "rendition",
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,URI=\"TARGET\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\ngood.m3u8\n",
    ),
];

/// A server of a playlist that refers to a target.
fn hostile(body: &str, target: &str, location: &str) -> TestServer {
    let clip = std::fs::read(transport_stream()).unwrap();
    let text = format!("#EXTM3U\n{}", body.replace("TARGET", target));
    let location = format!("Location: {location}\r\n");
    TestServer::start(move |request, stream| match request.path.as_str() {
        "/a.m3u8" => respond(stream, "200 OK", "", text.as_bytes()),
        "/good.m3u8" => {
            let good = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n";
            respond(stream, "200 OK", "", good.as_bytes());
        }
        "/key" => respond(stream, "200 OK", "", &[7; 16]),
        "/away" => respond(stream, "302 Found", &location, b""),
        _ => respond(stream, "200 OK", "", &clip),
    })
}

#[test]
fn whatever_a_playlist_refers_to_inside_is_never_fetched() {
    let ear = Ear::new();
    let port = ear.port();
    let guard = guard(&["127.0.0.1"], offline());
    let inside = format!("http://127.0.0.2:{port}/x.ts");
    for (place, body) in PLACES {
        for target in [
            inside.clone(),
            format!("//127.0.0.2:{port}/x.ts"),
            format!("http://2130706434:{port}/x.ts"),
            format!("http://user:S3cret@127.0.0.2:{port}/x.ts"),
            format!("https://127.0.0.2:{port}/x.ts"),
            "/away".to_owned(),
        ] {
            let server = hostile(body, &target, &inside);
            let text = refused(&server.url("/a.m3u8"), &guard);
            assert!(text.contains("127.0.0.2"), "{place} {target}: {text}");
            assert_eq!(ear.heard(), 0, "{place} {target}");
        }
    }
}

#[test]
fn a_playlist_leads_to_nothing_but_http() {
    let ear = Ear::new();
    let port = ear.port();
    // Even where every address of this machine is open.
    let guard = guard(&["127.0.0.0/8", "::1"], offline());
    for (place, body) in PLACES {
        for target in [
            "file:///etc/passwd".to_owned(),
            "data:text/plain,0123456789abcdef".to_owned(),
            format!("tcp://127.0.0.1:{port}"),
            format!("crypto:http://127.0.0.1:{port}/x"),
            format!("crypto+http://127.0.0.1:{port}/x"),
            format!("concat:http://127.0.0.1:{port}/x|http://127.0.0.1:{port}/y"),
            format!("subfile,,start,0,end,9,,:http://127.0.0.1:{port}/x"),
            format!("cache:http://127.0.0.1:{port}/x"),
            format!("async:http://127.0.0.1:{port}/x"),
            format!("httpproxy://127.0.0.1:{port}/x"),
            format!("rtmp://127.0.0.1:{port}/x/y"),
            format!("gopher://127.0.0.1:{port}/x"),
        ] {
            let server = hostile(body, &target, "/a.ts");
            // A rendition less, the variant can still be watched.
            let opened = open(&server.url("/a.m3u8"), &guard, 2_000).unwrap();
            assert!(opened.is_err() || place == "rendition", "{place} {target}");
            assert_eq!(ear.heard(), 0, "{place} {target}");
        }
    }
}

#[test]
fn a_dash_manifest_is_refused_before_anything_that_it_refers_to() {
    let ear = Ear::new();
    let manifest = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><BaseURL>http://127.0.0.2:{}/</BaseURL></MPD>",
        ear.port()
    );
    let server = TestServer::of_bytes(manifest.into_bytes(), false);
    assert!(refused(&server.url("/a.mpd"), &guard(&["127.0.0.1"], offline())).contains("DASH"));
    assert_eq!(ear.heard(), 0);
}

#[test]
fn a_name_that_turns_inside_between_two_requests_is_refused_at_the_second() {
    let server = hostile(PLACES[0].1, "a.ts", "/");
    let port = server.address().port();
    let ear = Ear::of(TcpListener::bind(("127.0.0.2", port)).unwrap()).unwrap();
    let asked: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
    let text =
        refused(&format!("http://turning.test:{port}/a.m3u8"), &guard(&["127.0.0.1"], in_turn(REBINDING, &asked)));
    assert!(text.contains("turning.test") && text.contains("127.0.0.2"), "{text}");
    assert_eq!((ear.heard(), asked.load(Ordering::Relaxed)), (0, 2));
    // The name was kept where servers ask for it.
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].headers.contains(&format!("host: turning.test:{port}")), "{requests:?}");
}
