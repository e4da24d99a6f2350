//! What the sender answers to requests over HTTP: a live response, a playlist, a segment. Pure.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::rota::Rota;

/// Segments that a playlist lists.
const LISTED: u64 = 6;

/// A stream that is to be had as a playlist.
#[derive(Clone, Copy)]
pub struct Programme {
    /// When its first round began.
    pub zero: Instant,
    /// When somebody asked for it first: the segment that was the newest then is the first that it lists, as if it had just
    /// gone on air. Receivers begin three segments before the end of a playlist and catch up, which would be measured else.
    pub asked: Instant,
}

/// An answer.
pub enum Answer {
    /// The stream of that number from now on, without an end.
    Live(usize),
    /// A body, with its type.
    Whole(&'static str, Vec<u8>),
    /// There is no such thing.
    NotFound,
}

impl Answer {
    /// The head of the response.
    pub fn head(&self) -> String {
        match self {
            Self::Live(_) => "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n".to_owned(),
            Self::Whole(kind, body) => {
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                )
            }
            Self::NotFound => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        }
    }
}

/// The answer to a request at that moment; `programme_of` is asked for a stream of which the playlist is wanted.
pub fn answer_to(
    request: &[u8],
    rota: &Rota,
    programme_of: impl FnMut(usize) -> Option<Programme>,
    now: Instant,
) -> Answer {
    let text = String::from_utf8_lossy(request);
    let path = text.strip_prefix("GET ").and_then(|rest| rest.split_ascii_whitespace().next()).unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let found = match parts[..] {
        ["live", file] => file.strip_suffix(".ts").and_then(|number| number.parse().ok()).map(Answer::Live),
        ["hls", number, "index.m3u8"] => number
            .parse()
            .ok()
            .and_then(programme_of)
            .map(|one| Answer::Whole("application/vnd.apple.mpegurl", playlist(rota, one, now).into_bytes())),
        ["hls", _, file] => {
            file.strip_suffix(".ts").and_then(|number| number.parse().ok()).map(|number| segment(rota, number))
        }
        _ => None,
    };
    found.unwrap_or(Answer::NotFound)
}

/// When the segment of that number, counted over all rounds, has left.
fn ends(rota: &Rota, number: u64) -> Duration {
    let (round, segment) = rota.segment(number);
    rota.begins(round) + segment.ends
}

/// How many segments have left once so much time has passed.
fn left(rota: &Rota, passed: Duration) -> u64 {
    let rounds = (passed.as_secs_f64() / rota.length().as_secs_f64()) as u64;
    let mut end = rounds * rota.segments();
    while ends(rota, end) <= passed {
        end += 1;
    }
    end
}

fn playlist(rota: &Rota, programme: Programme, now: Instant) -> String {
    let left = |at: Instant| left(rota, at.saturating_duration_since(programme.zero));
    let end = left(now);
    let first = end.saturating_sub(LISTED).max(left(programme.asked).saturating_sub(1));
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{:.0}\n#EXT-X-MEDIA-SEQUENCE:{first}\n",
        rota.longest().as_secs_f64().ceil()
    );
    for number in first..end {
        let (_, segment) = rota.segment(number);
        // Writing to a string cannot fail.
        let _ = write!(text, "#EXTINF:{:.3},\n{number}.ts\n", (segment.ends - segment.begins).as_secs_f64());
    }
    text
}

fn segment(rota: &Rota, number: u64) -> Answer {
    let (round, segment) = rota.segment(number);
    let mut body = Vec::new();
    rota.copy(segment.from..segment.to, round, &mut body);
    Answer::Whole("video/mp2t", body)
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
