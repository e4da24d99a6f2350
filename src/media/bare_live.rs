//! Bare decoding in real time: how many streams libavcodec alone sustains.
//!
//! What a capacity is compared with: a thread for each stream, as a service has it, that decodes each packet of pictures
//! when it is due, and sound along with them. Nothing is received, measured, judged or kept. Packets of different
//! streams are due spread over a picture's time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::latency::LATENCY_MAX_US;
use avwatch_actors::lifeline::Lifeline;
use ffmpeg_next::Error;
use hdrhistogram::Histogram;

use super::bare::{Stream, on_threads};

/// Until the first packet is due, and so much more for each stream: opening looks into the file.
const LEAD: Duration = Duration::from_millis(1_000);
const LEAD_PER_STREAM: Duration = Duration::from_millis(50);
/// How late a stream may become at most until it is given up.
const LATE_MAX: Duration = Duration::from_secs(5);

/// What streams are shown.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one picture to the next.
    pub picture: Duration,
    /// How long streams run before anything counts.
    pub settle: Duration,
    /// How long it counts.
    pub wall: Duration,
}

/// Decodes the file as so many streams in real time; gives the 99th percentile of the time from when a packet of pictures is due
/// to when it is decoded, nothing when `stop` was set.
///
/// # Errors
/// The file cannot be decoded, or the system refuses a thread.
pub fn p99(path: &Path, streams: usize, pace: Pace, stop: &AtomicBool) -> std::io::Result<Option<Duration>> {
    let begin = Instant::now() + LEAD + LEAD_PER_STREAM * streams as u32;
    let within = begin.saturating_duration_since(Instant::now()) + pace.settle + pace.wall + LATE_MAX;
    let all = on_threads(streams, within, stop, |number| {
        let path = path.to_owned();
        let share = number as f64 / streams as f64;
        move |line: &Lifeline| watch(&path, share, begin, pace, line)
    })?;
    let mut latencies = histogram();
    for one in all {
        latencies.add(one).map_err(std::io::Error::other)?;
    }
    let is_known = !stop.load(Ordering::Relaxed) && !latencies.is_empty();
    Ok(is_known.then(|| Duration::from_micros(latencies.value_at_quantile(0.99))))
}

fn histogram() -> Histogram<u64> {
    #[allow(clippy::expect_used)] // The bounds are constants that hdrhistogram takes.
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).expect("constant bounds are valid")
}

/// Decodes one stream, its first packet due a share of a picture's time after `begin`.
fn watch(path: &Path, share: f64, begin: Instant, pace: Pace, line: &Lifeline) -> Result<Histogram<u64>, Error> {
    let mut latencies = histogram();
    let mut stream = Stream::open(path, share)?;
    let (from, to) = (begin + pace.settle, begin + pace.settle + pace.wall);
    // What is due at the begin of the file, or where decoding began in it, and the newest packet.
    let mut first: Option<(Instant, Duration)> = None;
    let mut due = begin + pace.picture.mul_f64(share);
    while due < to && !line.is_cut() {
        let turned = stream.turn_when(|dts| {
            let (at, of) = *first.get_or_insert((due, dts));
            due = at + dts.saturating_sub(of);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        })?;
        let now = Instant::now();
        if turned.is_none() {
            stream.rewind()?;
            due += pace.picture;
            first = None;
            continue;
        }
        let late = now.saturating_duration_since(due);
        if due >= from && due < to {
            latencies.saturating_record(late.as_micros() as u64);
        }
        if late > LATE_MAX {
            let left = to.saturating_duration_since(due.max(from)).div_duration_f64(pace.picture);
            latencies.saturating_record_n(late.as_micros() as u64, left as u64);
            break;
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::transport_stream;

    const PACE: Pace = Pace {
        picture: Duration::from_millis(40),
        settle: Duration::from_millis(200),
        wall: Duration::from_millis(3_600),
    };

    #[test]
    fn pictures_are_decoded_when_they_are_due_and_again_from_the_begin() {
        // The clip has a second of them.
        let begin = Instant::now();
        let latencies = watch(&transport_stream(), 0.0, begin, PACE, &Lifeline::default()).expect("decodes");
        assert!((88..=91).contains(&latencies.len()), "{} pictures of 3.6 s", latencies.len());
        assert!(begin.elapsed() >= PACE.settle + PACE.wall - PACE.picture, "in real time");
    }

    #[test]
    fn a_file_that_is_none_is_an_error_and_who_is_stopped_says_nothing() {
        assert!(p99(Path::new("/nowhere.ts"), 1, PACE, &AtomicBool::new(false)).is_err());
        let begin = Instant::now();
        assert_eq!(p99(&transport_stream(), 1, PACE, &AtomicBool::new(true)).expect("nothing to do"), None);
        assert!(begin.elapsed() < LEAD + PACE.settle + PACE.wall, "it ends before its time");
    }
}
