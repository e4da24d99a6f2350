//! A live HLS origin over a clip: the playlist follows the clock.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use super::clip::{Clip, SEGMENT};
use crate::harness::sender::{Web, respond};

/// Segments in the playlist.
const LISTED: u64 = 5;

/// Serves `/live.m3u8` and its segments until it is dropped.
pub fn serve(clip: Arc<Clip>) -> Web {
    let begin = Instant::now();
    Web::start(move |path, stream| answer(&clip, begin, path, stream))
}

/// Answers one request of such an origin.
pub fn answer(clip: &Clip, begin: Instant, path: &str, stream: &mut TcpStream) {
    // As many are done when the service starts as are listed.
    let done = LISTED + (begin.elapsed().as_millis() / SEGMENT.as_millis()) as u64;
    if let Some(number) = path.strip_prefix("/s").and_then(|rest| rest.strip_suffix(".ts")?.parse::<u64>().ok()) {
        return match number < done {
            true => respond(stream, "200 OK", &clip.segment(number)),
            false => respond(stream, "404 Not Found", b""),
        };
    }
    let first = done - LISTED;
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
    (first..done).for_each(|number| text.push_str(&format!("#EXTINF:{:.2},\ns{number}.ts\n", SEGMENT.as_secs_f64())));
    respond(stream, "200 OK", text.as_bytes());
}
