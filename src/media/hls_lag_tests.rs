//! Live playlists that run ahead of a session: because it has no time, and because its source is slow.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::item::{GapReason, TimelineSign};
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::source::Opener;
use avwatch_actors::track::{SessionNumber, TrackId};

use super::MediaOpener;
use super::spec::{Address, InputSpec};
use super::test_media::{Heard, spec};
use super::test_server::{TestServer, respond};

/// Seconds of the programme, each of them a segment.
const SEGMENTS: u64 = 60;
/// Segments that the playlist lists.
const LISTED: u64 = 5;
/// Longer than the playlist lasts behind the segment that is awaited.
const AWAY: Duration = Duration::from_millis(8_500);

fn make_segments(folder: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=size=320x180:rate=25:duration={SEGMENTS}"))
        .args(["-f", "lavfi", "-i"])
        .arg(format!("sine=frequency=440:duration={SEGMENTS}"))
        .args("-c:v libx264 -preset veryfast -g 25 -sc_threshold 0 -bf 2 -c:a aac -ac 2".split(' '))
        .args("-f hls -hls_time 1 -hls_list_size 0 -hls_segment_filename".split(' '))
        .arg(folder.join("%d.ts"))
        .arg(folder.join("all.m3u8"))
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ffmpeg is installed (scripts/setup)");
}

/// A live playlist that advances by a segment a second; while `slow`, a segment takes as long as it was told to.
fn serve(slow: Arc<AtomicBool>) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    make_segments(folder.path());
    let began = Instant::now();
    TestServer::start(move |request, stream| {
        if request.path == "/live.m3u8" {
            let end = (LISTED + began.elapsed().as_secs()).min(SEGMENTS);
            let first = end - LISTED;
            let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
            (first..end).for_each(|number| text.push_str(&format!("#EXTINF:1,\n{number}.ts\n")));
            return respond(stream, "200 OK", "", text.as_bytes());
        }
        if slow.swap(false, Ordering::AcqRel) {
            std::thread::sleep(AWAY);
        }
        let bytes = std::fs::read(folder.path().join(request.path.trim_start_matches('/')));
        respond(stream, "200 OK", "", &bytes.unwrap_or_default());
    })
}

/// What is heard until the clock has passed a hole; `falls_behind` is called once when two seconds were heard.
fn heard_around(server: &TestServer, falls_behind: impl FnOnce()) -> Heard {
    let address = Address::Url(server.url("/live.m3u8").parse().unwrap());
    let spec = InputSpec { address, ..spec(Path::new("")) };
    let mut source = MediaOpener::new(spec).open(SessionNumber(1), &Arc::new(Lifeline::default())).expect("opens");
    let mut heard = Heard::default();
    let mut falls_behind = Some(falls_behind);
    let at = |heard: &Heard| heard.clock.last().copied().unwrap_or_default();
    while at(&heard) < MediaTime::from_millis(13_000) {
        heard.take(source.next().expect("reads").expect("goes on"));
        if at(&heard) >= MediaTime::from_millis(2_000)
            && let Some(falls_behind) = falls_behind.take()
        {
            falls_behind();
        }
    }
    heard
}

fn holes(heard: &Heard) -> usize {
    let apart = |pair: &[Arc<avwatch_actors::frame::VideoFrame>]| pair[1].stamp.media_time - pair[0].stamp.end();
    heard.video.windows(2).filter(|pair| apart(pair) > MediaTime::from_millis(900)).count()
}

#[test]
fn segments_that_a_session_without_time_missed_are_no_fault_of_the_source() {
    let server = serve(Arc::default());
    let heard = heard_around(&server, || {
        let begin = Instant::now();
        while begin.elapsed() < AWAY {
            std::hint::spin_loop();
        }
    });
    assert_eq!(holes(&heard), 1, "nothing was missed");
    assert_eq!(heard.signs(), Vec::<TimelineSign>::new());
    assert!(heard.gaps.iter().all(|gap| gap.why == GapReason::Displaced), "{:?}", heard.gaps);
    let hole =
        heard.video.windows(2).max_by_key(|pair| pair[1].stamp.media_time - pair[0].stamp.end()).expect("pictures");
    let (from, to) = (hole[0].stamp.end(), hole[1].stamp.media_time);
    let near = MediaTime::from_millis(200);
    let of_input = heard.gaps.iter().find(|gap| gap.track == TrackId::INPUT).expect("all of the input was missed");
    assert!(of_input.from - from < near && to - of_input.to < near, "{of_input:?} is not {from:?} to {to:?}");
    let behind = heard.gap_behind.expect("it was told");
    assert!(behind < MediaTime::from_millis(900), "told before a track is missed: {behind:?}");
    assert!(heard.video.iter().all(|frame| !frame.facts.signs.damaged && !frame.facts.signs.packet_corrupt));
    assert!(heard.audio.iter().all(|frame| !frame.signs.damaged && !frame.signs.packet_corrupt));
    assert_eq!(heard.packets.iter().map(|facts| facts.receive_dropped).sum::<u64>(), 1);
}

#[test]
fn segments_that_were_missed_because_the_server_was_slow_are_told() {
    let slow = Arc::<AtomicBool>::default();
    let server = serve(slow.clone());
    let heard = heard_around(&server, || slow.store(true, Ordering::Release));
    assert_eq!(holes(&heard), 1, "nothing was missed");
    assert!(!heard.signs().is_empty(), "the jump is the source's");
    assert_eq!(heard.packets.iter().map(|facts| facts.receive_dropped).sum::<u64>(), 0);
}
