//! HLS and DASH sessions against servers good and hostile.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::SourceError;

use crate::media::demuxer::Demuxer;
use crate::media::spec::{Address, Variant};
use crate::media::test_server::{Request, TestServer, respond};
use crate::media::testing::{drain, mp4_index_first, open, spec, transport_stream};

const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=160x90\nlow/index.m3u8?s=1\n\
    #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=160x90\nhigh/index.m3u8?s=1\n";

const TWO_SEGMENTS: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\na.ts\n\
    #EXT-X-DISCONTINUITY\n#EXTINF:1,\nb.ts\n#EXT-X-ENDLIST\n";

const LIVE: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:1,\na.ts\n";

fn url(server: &TestServer, path: &str) -> Address {
    Address::Url(server.url(path).parse().unwrap())
}

/// A server of playlists by path; everything else is the clip.
fn server(playlists: &'static [(&'static str, &'static str)]) -> TestServer {
    let clip = std::fs::read(transport_stream()).unwrap();
    TestServer::start(move |request, stream| {
        let path = request.path.split('?').next().unwrap_or_default();
        match playlists.iter().find(|(known, _)| *known == path) {
            Some((_, text)) => respond(stream, "200 OK", "", text.as_bytes()),
            None if path.ends_with(".ts") => respond(stream, "200 OK", "", &clip),
            None => respond(stream, "404 Not Found", "", b""),
        }
    })
}

fn paths(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.path.as_str()).collect()
}

#[test]
fn a_finished_playlist_yields_every_segment_and_its_discontinuity() {
    let server = server(&[("/live.m3u8", TWO_SEGMENTS)]);
    let mut demuxer = open(url(&server, "/live.m3u8")).unwrap();
    assert_eq!(demuxer.container(), "hls");
    assert_eq!(demuxer.burst(), Duration::from_secs(1));
    let (packets, end) = drain(&mut demuxer);
    end.unwrap();
    assert!((140..160).contains(&packets), "{packets}");
    assert!(demuxer.take_discontinuity());
    assert!(!demuxer.take_discontinuity());
    assert_eq!(paths(&server.requests()), ["/live.m3u8", "/a.ts", "/b.ts"]);
    let clip = std::fs::metadata(transport_stream()).unwrap().len();
    assert_eq!(demuxer.counts().received_bytes, 2 * clip + TWO_SEGMENTS.len() as u64);
}

#[test]
fn only_the_watched_variant_is_ever_fetched() {
    for (wanted, fetched, other) in [(Variant::Highest, "/high/", "/low/"), (Variant::Lowest, "/low/", "/high/")] {
        let server =
            server(&[("/master.m3u8", MASTER), ("/low/index.m3u8", TWO_SEGMENTS), ("/high/index.m3u8", TWO_SEGMENTS)]);
        let mut input = spec(url(&server, "/master.m3u8"), 5_000);
        input.selection.variant = wanted;
        let mut demuxer = Demuxer::open(&input, &Arc::new(Lifeline::default())).unwrap();
        drain(&mut demuxer).1.unwrap();
        let requests = server.requests();
        assert!(requests.iter().any(|request| request.path.starts_with(fetched)));
        assert!(!requests.iter().any(|request| request.path.starts_with(other)), "{:?}", paths(&requests));
    }
}

#[test]
fn a_redirected_playlist_resolves_its_segments_from_where_it_was_found() {
    let clip = std::fs::read(transport_stream()).unwrap();
    let server = TestServer::start(move |request, stream| match request.path.as_str() {
        "/a.m3u8" => respond(stream, "302 Found", "Location: /deep/er/b.m3u8\r\n", b""),
        "/deep/er/b.m3u8" => respond(stream, "200 OK", "", TWO_SEGMENTS.as_bytes()),
        path if path.starts_with("/deep/er/") => respond(stream, "200 OK", "", &clip),
        _ => respond(stream, "404 Not Found", "", b""),
    });
    let (packets, end) = drain(&mut open(url(&server, "/a.m3u8")).unwrap());
    assert!(end.is_ok() && packets > 140, "{packets} packets, {end:?}");
}

#[test]
fn a_playlist_that_never_advances_is_a_stall_that_says_so() {
    let server = server(&[("/live.m3u8", LIVE)]);
    let mut input = spec(url(&server, "/live.m3u8"), 1_500);
    input.limits.stall = Duration::from_millis(1_000);
    let mut demuxer = Demuxer::open(&input, &Arc::new(Lifeline::default())).unwrap();
    // Three and a half target durations of one second.
    assert_eq!(demuxer.stall_limit(), Duration::from_millis(3_500));
    let start = Instant::now();
    let (packets, end) = drain(&mut demuxer);
    let error = end.unwrap_err();
    assert!(packets > 70);
    assert!(matches!(error, SourceError::Stalled { .. }));
    assert!(error.to_string().ends_with("(the playlist does not advance): nothing arrived for 3.5 s"), "{error}");
    assert!((3_400..4_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert!(server.requests().len() <= 20, "{}", server.requests().len());
}

#[test]
fn a_live_playlist_that_advances_goes_on() {
    let clip = std::fs::read(transport_stream()).unwrap();
    let served = AtomicU32::new(0);
    let server = TestServer::start(move |request, stream| {
        if request.path.ends_with(".ts") {
            return respond(stream, "200 OK", "", &clip);
        }
        let first = served.fetch_add(1, Ordering::Relaxed);
        let segments: String = (first..first + 3).map(|number| format!("#EXTINF:1,\n{number}.ts\n")).collect();
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}");
        respond(stream, "200 OK", "", text.as_bytes());
    });
    let mut demuxer = open(url(&server, "/live.m3u8")).unwrap();
    let mut packet = ffmpeg_next::Packet::empty();
    for _ in 0..350 {
        assert!(demuxer.read(&mut packet).unwrap());
    }
}

#[test]
fn a_playlist_that_lists_itself_as_a_variant_is_refused_at_once() {
    let server = server(&[("/a.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n")]);
    let start = Instant::now();
    let error = open(url(&server, "/a.m3u8")).err().unwrap();
    assert!(error.to_string().contains("it refers to itself"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(server.requests().len() <= 2);
}

#[test]
fn a_playlist_that_lists_itself_as_its_segments_ends_in_bounded_time_and_requests() {
    let itself = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\na.m3u8\n#EXTINF:1,\na.m3u8\n";
    let server = server(Box::leak(Box::new([("/a.m3u8", itself)])));
    let start = Instant::now();
    let error = Demuxer::open(&spec(url(&server, "/a.m3u8"), 2_000), &Arc::new(Lifeline::default())).err().unwrap();
    assert!(start.elapsed() < Duration::from_millis(2_250), "{:?}: {error}", start.elapsed());
    assert!(server.requests().len() <= 40, "{}", server.requests().len());
}

#[test]
fn segments_outside_of_http_are_never_opened() {
    for target in ["file:///etc/passwd", "/etc/passwd\n#EXTINF:1,\ngopher://127.0.0.1/x", "concat:http://127.0.0.1/x"] {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n");
        let text: &'static str = Box::leak(text.into_boxed_str());
        let server = server(Box::leak(Box::new([("/a.m3u8", text)])));
        let error = Demuxer::open(&spec(url(&server, "/a.m3u8"), 1_500), &Arc::new(Lifeline::default())).err();
        assert!(error.is_some(), "{target}");
    }
}

#[test]
fn missing_segments_are_named_in_the_error() {
    let server = server(&[(
        "/a.m3u8",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nx.mp4\n#EXTINF:1,\ny.mp4\n#EXT-X-ENDLIST\n",
    )]);
    let error = open(url(&server, "/a.m3u8")).err().unwrap();
    assert!(error.to_string().contains("404 Not Found"), "{error}");
}

#[test]
fn a_huge_playlist_is_refused() {
    let text = format!("#EXTM3U\n{}", "#EXTINF:1,\nsegment.ts\n".repeat(150_000));
    let text: &'static str = Box::leak(text.into_boxed_str());
    let server = server(Box::leak(Box::new([("/a.m3u8", text)])));
    let error = open(url(&server, "/a.m3u8")).err().unwrap();
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[test]
fn a_playlist_in_a_file_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.m3u8");
    std::fs::write(&path, TWO_SEGMENTS).unwrap();
    let error = open(Address::File(path)).err().unwrap();
    assert!(error.to_string().contains("give its http address"), "{error}");
}

#[test]
fn parts_of_one_file_are_asked_for_as_ranges() {
    let clip = std::fs::read(transport_stream()).unwrap();
    let half = clip.len() / 188 / 2 * 188;
    let rest = clip.len() - half;
    let text = format!(
        "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\n#EXT-X-BYTERANGE:{half}@0\nall.ts\n\
         #EXTINF:0.5,\n#EXT-X-BYTERANGE:{rest}@{half}\nall.ts\n#EXT-X-ENDLIST\n"
    );
    let server = TestServer::start(move |request, stream| match request.range(clip.len()) {
        _ if request.path == "/a.m3u8" => respond(stream, "200 OK", "", text.as_bytes()),
        Some((from, to)) => respond(stream, "206 Partial Content", "", &clip[from..to]),
        None => respond(stream, "200 OK", "", &clip),
    });
    let (packets, end) = drain(&mut open(url(&server, "/a.m3u8")).unwrap());
    assert!(end.is_ok() && (70..80).contains(&packets), "{packets} packets, {end:?}");
}

#[test]
fn encrypted_segments_are_read_with_the_key_of_the_playlist() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = folder.path().join("sealed.ts");
    let key = "000102030405060708090a0b0c0d0e0f";
    let run = std::process::Command::new("openssl")
        .args(["enc", "-aes-128-cbc", "-K", key, "-iv", &"0".repeat(32), "-in"])
        .arg(transport_stream())
        .arg("-out")
        .arg(&sealed)
        .status();
    assert!(run.expect("the tests need the `openssl` program").success());
    let sealed = std::fs::read(sealed).unwrap();
    let server = TestServer::start(move |request, stream| match request.path.as_str() {
        "/a.m3u8" => {
            let text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",\
                IV=0x00000000000000000000000000000000\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n";
            respond(stream, "200 OK", "", text.as_bytes());
        }
        "/key" => respond(stream, "200 OK", "", &(0..16).collect::<Vec<u8>>()),
        _ => respond(stream, "200 OK", "", &sealed),
    });
    let mut input = spec(url(&server, "/a.m3u8"), 5_000);
    input.transport.http_headers = vec![("X-Key".to_owned(), "abc".to_owned())];
    let mut demuxer = Demuxer::open(&input, &Arc::new(Lifeline::default())).unwrap();
    let (packets, end) = drain(&mut demuxer);
    assert!(end.is_ok() && (70..80).contains(&packets), "{packets} packets, {end:?}");
    assert!(server.requests().iter().all(|request| request.headers.contains("x-key: abc")));
    assert!(demuxer.counts().received_bytes > 50_000, "{:?}", demuxer.counts());
}

#[test]
fn a_dash_manifest_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("a.mpd");
    let run = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(mp4_index_first())
        .args(["-c", "copy", "-f", "dash", "-use_template", "1", "-seg_duration", "1"])
        .arg(&manifest)
        .status();
    assert!(run.expect("the tests need the `ffmpeg` program").success());
    let root = folder.path().to_owned();
    let server = TestServer::start(move |request, stream| match std::fs::read(root.join(&request.path[1..])) {
        Ok(bytes) => respond(stream, "200 OK", "", &bytes),
        Err(_) => respond(stream, "404 Not Found", "", b""),
    });
    let mut demuxer = open(url(&server, "/a.mpd")).unwrap();
    assert_eq!(demuxer.container(), "dash");
    let (packets, end) = drain(&mut demuxer);
    assert!(end.is_ok() && packets > 60, "{packets} packets, {end:?}");
}

#[test]
fn a_live_playlist_that_vanishes_is_an_error_and_no_clean_end() {
    let clip = std::fs::read(transport_stream()).unwrap();
    let served = AtomicU32::new(0);
    let server = TestServer::start(move |request, stream| match request.path.as_str() {
        "/live.m3u8" if served.fetch_add(1, Ordering::Relaxed) == 0 => {
            respond(stream, "200 OK", "", LIVE.as_bytes());
        }
        "/live.m3u8" => respond(stream, "503 Service Unavailable", "", b""),
        _ => respond(stream, "200 OK", "", &clip),
    });
    let (packets, end) = drain(&mut open(url(&server, "/live.m3u8")).unwrap());
    let error = end.unwrap_err();
    assert!(packets > 70 && matches!(error, SourceError::Read { .. }), "{packets}: {error}");
    assert!(error.to_string().contains("503 Service Unavailable"), "{error}");
}

#[test]
fn a_live_playlist_that_has_ended_is_not_played_again_until_something_new_is_in_it() {
    let clip = std::fs::read(transport_stream()).unwrap();
    let playlist = Arc::new(Mutex::new(String::new()));
    let served = playlist.clone();
    let server = TestServer::start(move |request, stream| match request.path.as_str() {
        "/live.m3u8" => respond(stream, "200 OK", "", served.lock().unwrap().as_bytes()),
        "/master.m3u8" => {
            respond(stream, "200 OK", "", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=160x90\nlive.m3u8\n");
        }
        _ => respond(stream, "200 OK", "", &clip),
    });
    for path in ["/live.m3u8", "/master.m3u8"] {
        let ends = Arc::default();
        let input = spec(url(&server, path), 5_000);
        let open = |first: u32, tail: &str| {
            *playlist.lock().unwrap() = format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXTINF:1,\n{first}.ts\n{tail}"
            );
            Demuxer::open_again(&input, &ends, &Arc::new(Lifeline::default()))
        };
        let (packets, end) = drain(&mut open(7, "#EXT-X-ENDLIST\n").unwrap());
        assert!(end.is_ok() && packets > 70, "{path}: {packets} packets, {end:?}");
        for _ in 0..2 {
            let error = open(7, "#EXT-X-ENDLIST\n").err().expect("the same window again");
            assert!(matches!(error, SourceError::Over { .. }), "{path}: {error}");
            let words = error.to_string();
            assert!(words.ends_with("the playlist has ended: nothing new since sequence 7"), "{path}: {words}");
        }
        assert!(open(8, "").is_ok(), "{path}: it goes on");
        assert!(open(0, "").is_ok(), "{path}: it begins anew");
        assert!(drain(&mut open(9, "#EXT-X-ENDLIST\n").unwrap()).0 > 70, "{path}: it has gone on and ended meanwhile");
        assert!(open(9, "#EXT-X-ENDLIST\n").is_err(), "{path}");
    }
}

#[test]
fn a_recording_as_a_playlist_is_played_as_often_as_it_is_opened() {
    let server = server(&[("/vod.m3u8", TWO_SEGMENTS)]);
    let (input, ends) = (spec(url(&server, "/vod.m3u8"), 5_000), Arc::default());
    for _ in 0..2 {
        let mut demuxer = Demuxer::open_again(&input, &ends, &Arc::new(Lifeline::default())).unwrap();
        drain(&mut demuxer).1.unwrap();
    }
}
