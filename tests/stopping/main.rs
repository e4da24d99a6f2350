//! Proves that a server which stops after any byte costs its session an error that is named, free of
//! secrets and in time, and this process neither a thread nor a descriptor.
//!
//! Each table says what becomes of a session when its server stops after that many bytes. It goes on
//! until the next row; the places are counted from the answers themselves.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use avwatch::measure::MeasurePlan;
use avwatch::media::MediaOpener;
use avwatch::media::spec::{Address, InputSpec};
use avwatch_actors::item::Item;
use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::{FaultClass, Opener, SourceLimits};
use avwatch_actors::track::SessionNumber;

use common::recipes;
use common::stopping::{PLAYLIST, SECRETS, Stop, StoppingHls, StoppingRtsp, rtsp_answer, with_length, without_length};

/// What HLS adds to the time without a packet: three and a half target durations of one second.
const HLS_PATIENCE: Duration = Duration::from_millis(3_500);
/// How late the end may be noticed on a machine full of tests.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Time to open, and time without a packet: servers that close are no matter of patience.
fn patience(stop: Stop) -> Duration {
    Duration::from_millis(if stop == Stop::Closes { 3_000 } else { 500 })
}

/// Sessions at the same time: those of servers that hold only wait.
fn at_once(stop: Stop) -> usize {
    if stop == Stop::Closes { 6 } else { 24 }
}
/// Bytes of the clip that are served: about a second.
const SERVED: usize = 300 * 188;

/// Threads that the test harness starts meanwhile. A leak shows once for each of hundreds of sessions.
const OF_HARNESS: usize = 2;

/// One test at a time: they count the threads and descriptors of the process.
static ALONE: Mutex<()> = Mutex::new(());

/// Counts before a test, which must be reached again after it.
struct Census {
    threads: usize,
    descriptors: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Census {
    fn take() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { threads: entries("/proc/self/task"), descriptors: entries("/proc/self/fd"), _alone: alone }
    }

    #[track_caller]
    fn assert_nothing_leaked(&self) {
        // The servers' own threads end a moment after their clients have left.
        let threads_max = self.threads + OF_HARNESS;
        let back = || entries("/proc/self/task") <= threads_max && entries("/proc/self/fd") <= self.descriptors;
        let begin = Instant::now();
        while !back() && begin.elapsed() < Duration::from_secs(10) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let now = (entries("/proc/self/task"), entries("/proc/self/fd"));
        assert!(back(), "threads and descriptors: {now:?}, before {:?}", (self.threads, self.descriptors));
    }
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("Linux has it").count()
}

fn clip() -> Vec<u8> {
    let mut bytes = std::fs::read(recipes::small_clean().path).expect("it was just made");
    bytes.truncate(SERVED);
    bytes
}

/// Runs a session to its end; says how it ended: `opens and ...` if it got as far.
fn session(url: &str, patience: Duration, more_patience: Duration) -> String {
    let address = Address::Url(url.parse().expect("is a URL"));
    let mut spec = InputSpec::new("test", address, MeasurePlan::default());
    spec.limits = SourceLimits { open: patience, stall: patience, ..spec.limits };
    let (begin, mut frames) = (Instant::now(), 0);
    let opened = MediaOpener::new(spec).open(SessionNumber(1), &Arc::new(Lifeline::default()));
    let (opens, end) = match opened {
        Err(error) => ("", Some(error)),
        Ok(mut source) => loop {
            match source.next() {
                Ok(Some(item)) => frames += usize::from(matches!(item, Item::Video(_) | Item::Audio(_))),
                Ok(None) => break ("opens and ", None),
                Err(error) => break ("opens and ", Some(error)),
            }
        },
    };
    assert!(begin.elapsed() < 2 * patience + more_patience + LATE_MAX, "{:?} for {url}", begin.elapsed());
    let Some(error) = end else { return format!("{opens}ends{}", if frames > 0 { "" } else { " empty" }) };
    let words = error.to_string();
    assert_eq!(error.class(), FaultClass::Source, "{words}");
    assert!(SECRETS.iter().all(|secret| !words.contains(secret)), "{words}");
    assert!(words.contains("127.0.0.1"), "it names the input: {words}");
    format!("{opens}{}", error.cause())
}

/// Plays every case, many at the same time; the outcomes in their order.
fn sweep(cases: &[usize], at_once: usize, play: impl Fn(usize) -> String + Sync) -> Vec<String> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); cases.len()]));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(case) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|case| *case < cases.len()) {
                    let outcome = play(cases[case]);
                    outcomes.lock().expect("nobody panics with it")[case] = outcome;
                }
            });
        }
    });
    outcomes.into_inner().expect("nobody panics with it")
}

/// Every byte up to 200, and the places of interest with their neighbours, up to the end.
fn every_byte(end: usize, places: &[usize]) -> Vec<usize> {
    let around = places.iter().flat_map(|place| [place.saturating_sub(1), *place, place + 1]);
    (0..=200).chain(around).filter(|case| *case <= end).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Ends of the lines, the places of interest, and every eighth byte: for cases that cost their patience.
fn some_bytes(whole: &[u8], places: &[usize]) -> Vec<usize> {
    let lines = line_ends(whole).into_iter().filter(|end| *end <= 200).collect::<Vec<_>>();
    let eighths = (0..=200.min(whole.len())).step_by(8);
    eighths.chain(lines).chain(places.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn line_ends(whole: &[u8]) -> Vec<usize> {
    whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

fn head_end(whole: &[u8]) -> usize {
    whole.windows(4).position(|four| four == b"\r\n\r\n").expect("has a head") + 4
}

#[track_caller]
fn assert_table(cases: &[usize], outcomes: &[String], table: &[(usize, &str)]) {
    let expected = |case: usize| table.iter().rev().find(|(from, _)| *from <= case).map_or("", |(_, outcome)| outcome);
    let is_wrong = |(case, outcome): &(&usize, &String)| expected(**case) != **outcome;
    if cases.iter().zip(outcomes).any(|pair| is_wrong(&pair)) {
        let mut runs: Vec<(usize, &str)> = Vec::new();
        for (case, outcome) in cases.iter().zip(outcomes) {
            if runs.last().is_none_or(|(_, last)| last != outcome) {
                runs.push((*case, outcome));
            }
        }
        panic!("the table should be {table:?} and is {runs:?}");
    }
}

mod hls;
mod rtsp;
