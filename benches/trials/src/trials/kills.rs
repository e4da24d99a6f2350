//! R12: the process is killed while events are written; what was told to anyone is there afterwards.
//!
//! *Told* is a change of an event that came on the live feed, or a remark that was answered with 200. After each kill the
//! store's files are copied and read as the kill left them, before the service is started again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::harness::options::Options;
use crate::harness::outcome::Outcome;
use crate::harness::service::{Home, Service, until};
use crate::harness::slope::percentile;
use crate::harness::{calls, feed};

pub const WHAT: &str = "kill -9 at random times, one in ten while it starts, as 20 streams and 8 clients change events some \
    500 times a second; every change that the feed or an answer told must be in the store";

/// Kills in one data folder, so that checking the whole store stays quick.
const KILLS_PER_HOME: u64 = 50;
/// Streams that are black by turns, and clients that remark on their events.
const STREAMS: u64 = 20;
const CLIENTS: u64 = 8;
/// Pause of a client between two remarks.
const CLIENT_PAUSE: Duration = Duration::from_millis(8);
/// Longest time from ready, or from the start, to the kill.
const LIVES_MAX: f64 = 0.9;

/// Changes that somebody was told of: by their ids, the sequence numbers.
type Told = Arc<Mutex<BTreeMap<String, u64>>>;

/// What all kills came to.
#[derive(Default)]
struct Sum {
    told: u64,
    stored: u64,
    lasted: f64,
    starts: Vec<f64>,
    missing: Vec<String>,
    gaps: Vec<String>,
    damage: Vec<String>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let mut sum = Sum::default();
    let mut dice = fastrand::Rng::with_seed(options.seed);
    let mut kills = 0;
    while kills < options.kills {
        let home = Home::new(options, &configuration())?;
        let told = Told::default();
        let before = sum.told;
        for _ in 0..KILLS_PER_HOME.min(options.kills - kills) {
            one_life(&home, &told, &mut dice, &mut sum)?;
            judge(&home, &told, kills, &mut sum)?;
            sum.told = before + told.lock().expect("nobody panics with it").len() as u64;
            kills += 1;
        }
        sum.stored += open_copy(&home)?.0.query_row("SELECT count(*) FROM changes", [], |row| row.get::<_, u64>(0))?;
        // The last start shows that it goes on from there.
        sum.starts.push(home.start()?.started_in.as_secs_f64());
    }
    let mut outcome = Outcome::default();
    outcome.note("kills", kills);
    outcome.note("changes_told", sum.told);
    outcome.note("changes_stored", sum.stored);
    outcome.at_least("changes_per_second", sum.stored as f64 / sum.lasted, 200.0);
    outcome.none("told_and_missing", &sum.missing);
    outcome.none("sequence_gaps_or_duplicates", &sum.gaps);
    outcome.none("damaged_stores", &sum.damage);
    outcome.note("start_median_s", percentile(sum.starts.clone(), 0.5));
    outcome.at_most("start_max_s", percentile(sum.starts, 1.0), 3.0);
    Ok(outcome)
}

fn configuration() -> String {
    let defects: Vec<String> = (0..200).map(|at| format!("black@{:.1}+0.3", f64::from(at) * 0.6 + 0.4)).collect();
    let defects = defects.join(",");
    let streams: String = (0..STREAMS)
        .map(|number| format!("[[streams]]\nname = \"s{number}\"\nurl = \"synthetic:?size=160x90&fps=10&defects={defects}&seed={number}\"\n"))
        .collect();
    format!(
        "alarms.flap_raises = 0\nevidence.from = \"off\"\n\
         [detectors.black]\nseverities = {{ info = \"100ms\" }}\nclear_after = \"100ms\"\n{streams}"
    )
}

/// Starts the service, has it work, and kills it.
fn one_life(home: &Home, told: &Told, dice: &mut fastrand::Rng, sum: &mut Sum) -> Result<()> {
    if dice.u32(..10) == 0 {
        let mut service = home.spawn()?;
        std::thread::sleep(Duration::from_secs_f64(dice.f64() * LIVES_MAX / 3.0));
        return service.kill();
    }
    let mut service = home.start()?;
    sum.starts.push(service.started_in.as_secs_f64());
    let events = some_events(&service)?;
    let ended = Arc::<AtomicBool>::default();
    let begin = Instant::now();
    let mut helpers = vec![listen(&service, told.clone())];
    helpers.extend((0..CLIENTS).map(|number| remark(&service, number, &events, told.clone(), ended.clone())));
    std::thread::sleep(Duration::from_secs_f64(dice.f64() * LIVES_MAX));
    service.kill()?;
    sum.lasted += begin.elapsed().as_secs_f64();
    ended.store(true, Ordering::Release);
    // They end with their connections.
    helpers.into_iter().try_for_each(|helper| helper.join().ok()).context("a client panicked")
}

/// Ids of events to remark on.
fn some_events(service: &Service) -> Result<Vec<String>> {
    until("the first events", Duration::from_secs(20), || {
        let page = calls::json(&service.address, "GET", "/api/v1/events?limit=200", None)?;
        let ids = page["events"].as_array().context("is a list")?.iter().filter_map(|event| event["id"].as_str());
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        Ok(Some(ids).filter(|ids| !ids.is_empty()))
    })
}

fn note(told: &Told, event: &Value, sequence: Option<u64>) {
    if let (Some(change), Some(sequence)) = (event["change_id"].as_str(), sequence) {
        told.lock().expect("nobody panics with it").insert(change.to_owned(), sequence);
    }
}

fn listen(service: &Service, told: Told) -> std::thread::JoinHandle<()> {
    let address = service.address.clone();
    std::thread::spawn(move || {
        // It ends with an error when the service is killed, as it should.
        let _ = feed::follow(&address, |message| {
            if message.kind == "event" && message.data["stored"] != false {
                note(&told, &message.data, message.id);
            }
        });
    })
}

fn remark(
    service: &Service,
    number: u64,
    events: &[String],
    told: Told,
    ended: Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    let (address, events) = (service.address.clone(), events.to_vec());
    std::thread::spawn(move || {
        for event in events.iter().cycle().skip(number as usize) {
            let body = json!({ "comment": "seen", "author": format!("client {number}") });
            let answer = calls::json(&address, "POST", &format!("/api/v1/events/{event}/comment"), Some(&body));
            match answer {
                Ok(event) if event["stored"] != false => note(&told, &event, event["sequence"].as_u64()),
                // Killed, or gone by retention.
                _ if ended.load(Ordering::Acquire) => return,
                _ => {}
            }
            std::thread::sleep(CLIENT_PAUSE);
        }
    })
}

/// The store as the kill left it: a copy, so that opening it changes nothing for the service.
fn open_copy(home: &Home) -> Result<(rusqlite::Connection, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    for name in ["events.db", "events.db-wal"] {
        let from = home.data().join(name);
        if from.exists() {
            std::fs::copy(from, folder.path().join(name))?;
        }
    }
    Ok((rusqlite::Connection::open(folder.path().join("events.db"))?, folder))
}

/// Compares the store with what was told.
fn judge(home: &Home, told: &Told, kill: u64, sum: &mut Sum) -> Result<()> {
    if !home.data().join("events.db").exists() {
        return Ok(());
    }
    let (store, _folder) = open_copy(home)?;
    let tables: u64 =
        store.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'changes'", [], |row| row.get(0))?;
    if tables == 0 {
        // Killed while the store was made: nothing can have been told.
        anyhow::ensure!(told.lock().expect("nobody panics with it").is_empty(), "kill {kill}: the store is empty");
        return Ok(());
    }
    let check: String = store.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if check != "ok" {
        sum.damage.push(format!("kill {kill}: {check}"));
    }
    let mut statement = store.prepare("SELECT change_id, sequence FROM changes ORDER BY sequence")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
    let stored = rows.collect::<Result<Vec<_>, _>>()?;
    for pair in stored.windows(2) {
        if pair[1].1 != pair[0].1 + 1 {
            sum.gaps.push(format!("kill {kill}: {} after {}", pair[1].1, pair[0].1));
        }
    }
    let stored: BTreeMap<_, _> = stored.into_iter().collect();
    for (change, sequence) in told.lock().expect("nobody panics with it").iter() {
        if stored.get(change) != Some(sequence) {
            sum.missing.push(format!("kill {kill}: change {change}, told as {sequence}, is {:?}", stored.get(change)));
        }
    }
    Ok(())
}
