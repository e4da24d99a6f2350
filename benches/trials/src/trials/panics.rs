//! R10: a panic in every kind of thread, injected by a clock that fails once in it.

mod functions;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use self::functions::{Bench, Function};
use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::until;

pub const WHAT: &str = "in a service of its own for each kind of thread, the clock fails once in that thread, which makes the Rust \
    standard library panic there; then every function of the service must do something anew within 45 s, or the process end with status 70, or \
    liveness fail: nothing may be dead in a process that says it is well";

/// Kinds of threads, as their names begin.
const THREADS: [&str; 17] = [
    "main",
    "actix-rt|system",
    "watchdog",
    "ingest:good",
    "desk",
    "store:writer",
    "sink:event_log",
    "sink:evidence",
    "sink:live_feed",
    "sink:notificati",
    "notify:hook",
    "journal:writer",
    "evidence:writer",
    "thumbnails",
    "logs",
    "heartbeat",
    "log:writer",
];

/// Exit status by which the service asks to be started anew.
const STATUS: i32 = 70;
/// How long a thread may not ask for the time; then it was not hit.
const HIT_WITHIN: Duration = Duration::from_secs(15);
/// How long functions may be away: evidence is there 15 to 30 s after an event, the journal is written every 10 s.
const BACK_WITHIN: Duration = Duration::from_secs(45);
/// Services at a time.
const AT_ONCE: usize = 6;

pub fn run(options: &Options) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let (mut dead, mut not_hit, mut slowest) = (Vec::new(), Vec::new(), 0.0_f64);
    for (thread, result) in all(options) {
        let (told, broken, back) = result?;
        slowest = slowest.max(back);
        match &told {
            Value::Null => not_hit.push(thread.to_owned()),
            told => outcome.note(&thread.replace([':', '|', '-'], "_"), told.clone()),
        }
        dead.extend(broken.into_iter().map(|function| format!("{thread}: {function} is dead, and /livez says 200")));
    }
    outcome.at_least("kinds_of_threads_hit", (THREADS.len() - not_hit.len()) as f64, (THREADS.len() - 2) as f64);
    outcome.note("not_hit", json!(not_hit));
    outcome.at_most("slowest_function_back_s", slowest, BACK_WITHIN.as_secs_f64());
    outcome.none("dead_in_a_live_process", &dead);
    Ok(outcome)
}

/// What became of a thread, or nothing if it was not hit; the functions that stayed dead; seconds until the last was back.
type Told = (Value, Vec<&'static str>, f64);

/// Hits every kind of thread, several services at a time: most of a trial is waiting.
fn all(options: &Options) -> Vec<(&'static str, Result<Told>)> {
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(thread) = THREADS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = one(options, thread);
                    told.lock().expect("nobody panics with it").push((*thread, result));
                }
            });
        }
    });
    told.into_inner().expect("nobody panics with it")
}

/// Hits one thread.
fn one(options: &Options, thread: &str) -> Result<Told> {
    let mut bench = Bench::start(options)?;
    // Every function works before, or it proves nothing.
    for function in Function::ALL {
        until(&format!("{function:?} before the panic"), Duration::from_secs(60), || {
            Ok(bench.works(function).then_some(()))
        })?;
    }
    let lines = bench.service.line_count();
    bench.shim.arm("panic", thread)?;
    let hit = until("the thread to be hit", HIT_WITHIN, || Ok((!bench.shim.is_armed("panic")).then_some(())));
    if hit.is_err() {
        eprintln!("{thread}: was not hit");
        return Ok((Value::Null, Vec::new(), 0.0));
    }
    let begin = Instant::now();
    bench.forget();
    let (mut away, mut back) = (Function::ALL.to_vec(), 0.0);
    while begin.elapsed() < BACK_WITHIN && !away.is_empty() {
        if let Some(status) = bench.service.ended()? {
            let wrong = if status.code() == Some(STATUS) { Vec::new() } else { vec!["the exit status"] };
            return Ok((
                json!(format!("ended with {status} after {:.1} s", begin.elapsed().as_secs_f64())),
                wrong,
                0.0,
            ));
        }
        let count = away.len();
        away.retain(|function| !bench.works(*function));
        if away.len() < count {
            back = begin.elapsed().as_secs_f64();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let is_told = bench.service.lines_since(lines).iter().any(|line| line.contains("panic"));
    let names: Vec<String> = away.iter().map(|function| format!("{function:?}")).collect();
    eprintln!("{thread}: back after {back:.1} s, away {names:?}, told {is_told}");
    if !bench.says_it_is_well() {
        return Ok((json!(format!("liveness fails; away: {}", names.join(", "))), Vec::new(), 0.0));
    }
    let words =
        if away.is_empty() { format!("all back after {back:.1} s") } else { format!("dead: {}", names.join(", ")) };
    let told = if is_told { "told in the log" } else { "not told in the log" };
    Ok((json!(format!("{words}; {told}")), away.into_iter().map(Function::name).collect(), back))
}
