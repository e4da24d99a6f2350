//! The load watch: reads off the board how the node fares, has streams shed or restored, and says so.
//!
//! Owned by the monitor, on the control arbiter, which asks it once a second; memory of the process is shed like
//! time, and how short it is stands on the board for whoever opens something. It decides nothing itself:
//! [`Shedding`] does. What is shed, detectors that are throttled included, lasts as one `monitor_overload` of the monitor's own, never as an
//! event of a stream: the source is not to blame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::alarm_model::monitor_change;
use crate::event::{ChangeKind, EventChange, EventEnd, Wall};
use crate::load_words::{LoadWords, MemoryUse};
use crate::memory_budget::{MemoryBudget, MemoryPressure};
use crate::setup::StreamSetup;
use crate::severity::Severity;
use crate::shedding::{NodeLoad, Shedding, Step, StreamLoad};
use crate::status::{HELD, StatusBoard, StreamStatus};

/// One in so many streams must be behind for the node to be.
const BEHIND_PART: usize = 4;

/// One of so many streams must lose frames for the node to be called overloaded.
const LOSING_PART: usize = 10;

/// The watch.
pub struct LoadWatch {
    shedding: Shedding,
    /// Frames and datagrams lost by each stream so far.
    lost: BTreeMap<Arc<str>, u64>,
    /// What was last told of it, while anything is shed.
    told: Option<Severity>,
    /// Absent where memory has no bound.
    memory: Option<MemoryWatch>,
}

/// Reads how much of its memory the process has in RAM, in bytes; nothing where that cannot be told.
pub type ReadResident = Box<dyn Fn() -> Option<u64> + Send>;

/// What reads the memory of the process.
struct MemoryWatch {
    budget: MemoryBudget,
    resident: ReadResident,
    pressure: MemoryPressure,
}

impl MemoryWatch {
    fn look(&mut self) -> MemoryUse {
        let resident = (self.resident)();
        // What cannot be read presses nobody.
        self.pressure = resident.map(|resident| self.budget.look(resident)).unwrap_or_default();
        MemoryUse { resident: resident.unwrap_or_default(), budget: self.budget.bytes() }
    }
}

impl LoadWatch {
    /// Keeps latency below `target`.
    pub fn new(target: Duration) -> Self {
        Self { shedding: Shedding::new(target), lost: BTreeMap::new(), told: None, memory: None }
    }

    /// Keeps the process within that budget of memory as well.
    #[must_use]
    pub fn with_memory(self, budget: MemoryBudget, resident: ReadResident) -> Self {
        let watch = MemoryWatch { budget, resident, pressure: MemoryPressure::Ease };
        Self { memory: Some(watch), ..self }
    }

    /// Looks at the last second and turns the dials; tells what there is to tell.
    pub fn look<'a>(
        &mut self,
        streams: impl Iterator<Item = &'a StreamSetup>,
        board: &StatusBoard,
    ) -> Option<EventChange> {
        let setups: Vec<&StreamSetup> = streams.collect();
        let loads: Vec<StreamLoad> = setups.iter().map(|setup| load_of(setup)).collect();
        let statuses = board.streams();
        let memory = self.memory.as_mut().map(MemoryWatch::look).unwrap_or_default();
        let load = self.read(&statuses, board);
        let step = self.shedding.look(&load, &loads);
        for setup in &setups {
            // Every time: a stream that was opened anew has a new dial.
            setup.dial.shed_to(self.shedding.tier_of(&setup.card.stream));
        }
        let words = LoadWords {
            load: &load,
            memory,
            shed: self.shedding.counts(),
            streams: setups.len(),
            held: statuses.iter().filter(|status| status.state == HELD).count(),
            cpu: board.cpu.figures(),
        };
        let before = board.health.press(load.memory);
        if (before.refuses(), before.sheds()) != (load.memory.refuses(), load.memory.sheds()) {
            let MemoryUse { resident, budget } = memory;
            tracing::warn!(fault = "memory", pressure = ?load.memory, resident, budget, "{}", words.message());
        }
        match step {
            Step::Stay => {}
            Step::Shed { streams } => {
                tracing::warn!(fault = "monitor_overload", streams, "streams go down a tier: {}", words.message());
            }
            Step::Restored { streams } => tracing::info!(streams, "streams come up a tier: {}", words.message()),
        }
        self.word(&words)
    }

    /// Takes note that the last word has reached the desk.
    pub fn was_told(&mut self, change: &EventChange) {
        self.told = match change.what {
            ChangeKind::Ended(_) => None,
            _ => Some(change.severity),
        };
    }

    fn read(&mut self, statuses: &[Arc<StreamStatus>], board: &StatusBoard) -> NodeLoad {
        let lost = statuses.iter().map(|status| (status.card.stream.clone(), lost_by(status))).collect();
        let before = std::mem::replace(&mut self.lost, lost);
        let grown = |(name, now): (&Arc<str>, &u64)| before.get(name).map_or(0, |before| now.saturating_sub(*before));
        let grown: Vec<u64> = self.lost.iter().map(grown).filter(|lost| *lost > 0).collect();
        let (lost, losing) = (grown.iter().sum(), grown.len());
        let mut behind: Vec<Duration> =
            statuses.iter().filter(|status| status.up).map(|status| status.meters.behind).collect();
        behind.sort_by(|one, other| other.cmp(one));
        NodeLoad {
            latency: board.take_recent(),
            // One source that bursts over its own buffer is no overload of the node.
            lost: if losing * LOSING_PART >= statuses.len() { lost } else { 0 },
            behind: behind.get(behind.len().div_ceil(BEHIND_PART).saturating_sub(1)).copied().unwrap_or_default(),
            memory: self.memory.as_ref().map(|memory| memory.pressure).unwrap_or_default(),
        }
    }

    fn word(&self, words: &LoadWords<'_>) -> Option<EventChange> {
        let severity = words.severity();
        let what = match (self.told, words.is_overload()) {
            (None, false) => return None,
            (None, true) => ChangeKind::Raised,
            (Some(_), false) => ChangeKind::Ended(EventEnd::Cleared),
            (Some(told), true) if severity > told => ChangeKind::Escalated,
            (Some(_), true) => return None,
        };
        let severity = self.told.map_or(severity, |told| told.max(severity));
        Some(monitor_change("monitor_overload", what, severity, words.message(), Wall(SystemTime::now())))
    }
}

fn load_of(setup: &StreamSetup) -> StreamLoad {
    StreamLoad { name: setup.card.stream.clone(), priority: setup.priority, range: setup.dial.range() }
}

fn lost_by(status: &StreamStatus) -> u64 {
    status.lane_dropped.0 + status.lane_dropped.1 + status.receive_dropped
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::cpu_accounts::Throttled;
    use crate::event::StreamCard;
    use crate::latency::{Stage, StageHistograms};
    use crate::meters::SessionMeters;
    use crate::paced::Pace;
    use crate::scripted::ScriptedOpener;
    use crate::setup::{LaneSizes, SessionMode};
    use crate::tier::Tier;
    use crate::track::SessionNumber;

    fn board() -> StatusBoard {
        StatusBoard::new(Arc::default(), Arc::default(), Arc::default())
    }

    fn setup(number: usize) -> StreamSetup {
        let name = format!("s{number}");
        StreamSetup {
            opener: Arc::new(ScriptedOpener::new(&name, Vec::new())),
            card: Arc::new(StreamCard { stream: name.into(), ..StreamCard::default() }),
            specs: Arc::default(),
            pace: Pace::Unbound,
            lanes: LaneSizes::default(),
            mode: SessionMode::Inline,
            dial: Arc::default(),
            priority: number as u8,
        }
    }

    /// A second in which every verdict took so long; tells what is told, and takes note of it.
    fn second(
        watch: &mut LoadWatch,
        setups: &[StreamSetup],
        board: &StatusBoard,
        took: Duration,
    ) -> Option<EventChange> {
        let mut batch = StageHistograms::default();
        (0..100).for_each(|_| batch.record(Stage::Total, took));
        board.absorb(&batch);
        let change = watch.look(setups.iter(), board)?;
        watch.was_told(&change);
        Some(change)
    }

    #[test]
    fn an_overload_is_told_once_with_its_numbers_and_is_over_when_all_is_restored() {
        let (mut watch, board) = (LoadWatch::new(Duration::from_secs(1)), board());
        let setups: Vec<_> = (0..10).map(setup).collect();
        let slow = Duration::from_millis(1_800);
        let told: Vec<_> = (0..4).filter_map(|_| second(&mut watch, &setups, &board, slow)).collect();
        let [raised] = &told[..] else { panic!("{told:?}") };
        assert_eq!((raised.what, raised.severity), (ChangeKind::Raised, Severity::Warning));
        assert!(raised.message.starts_with("2 of 10 streams in light: verdicts come 1.8 s late"), "{}", raised.message);
        assert_eq!(setups.iter().filter(|setup| setup.dial.wanted() == Tier::Light).count(), 2);
        assert_eq!(setups[9].dial.wanted(), Tier::Full, "the highest priority keeps all");
        let fast = Duration::from_millis(5);
        let ended: Vec<_> = (0..200).filter_map(|_| second(&mut watch, &setups, &board, fast)).collect();
        let [ended] = &ended[..] else { panic!("{ended:?}") };
        assert_eq!(ended.what, ChangeKind::Ended(EventEnd::Cleared));
        assert!(setups.iter().all(|setup| setup.dial.wanted() == Tier::Full));
    }

    #[test]
    fn a_throttled_detector_is_an_overload_of_ours_for_as_long_as_it_lasts() {
        let (mut watch, board) = (LoadWatch::new(Duration::from_secs(1)), board());
        let setups: Vec<_> = (0..3).map(setup).collect();
        let fast = Duration::from_millis(5);
        assert_eq!(second(&mut watch, &setups, &board, fast), None);
        let throttled = Throttled::count(&board.cpu.of("hum"));
        let raised = second(&mut watch, &setups, &board, fast).expect("it is told");
        assert_eq!((raised.what, raised.severity), (ChangeKind::Raised, Severity::Warning));
        assert!(raised.message.ends_with(": hum on 1 track"), "{}", raised.message);
        assert_eq!(second(&mut watch, &setups, &board, fast), None, "once");
        assert!(setups.iter().all(|setup| setup.dial.wanted() == Tier::Full), "nobody else pays for it");
        drop(throttled);
        let ended = second(&mut watch, &setups, &board, fast).expect("it is told");
        assert_eq!(ended.what, ChangeKind::Ended(EventEnd::Cleared));
    }

    #[test]
    fn short_memory_refuses_then_closes_decoders_and_is_told_as_ours_until_there_is_enough() {
        let resident = Arc::new(AtomicU64::new(50));
        let (mut watch, board) = (LoadWatch::new(Duration::from_secs(1)), board());
        let gauge = resident.clone();
        watch = watch.with_memory(MemoryBudget::new(100), Box::new(move || Some(gauge.load(Ordering::Relaxed))));
        let setups: Vec<_> = (0..10).map(setup).collect();
        let fast = Duration::from_millis(5);
        let mut at = |share: u64, seconds: usize| -> Vec<EventChange> {
            resident.store(share, Ordering::Relaxed);
            (0..seconds).filter_map(|_| second(&mut watch, &setups, &board, fast)).collect()
        };
        assert_eq!((at(50, 10), board.health.pressure()), (Vec::new(), MemoryPressure::Ease));
        let told = at(82, 60);
        let [raised] = &told[..] else { panic!("{told:?}") };
        assert_eq!((raised.what, raised.severity), (ChangeKind::Raised, Severity::Warning));
        assert!(raised.message.starts_with("no further stream is opened: the process takes"), "{}", raised.message);
        assert_eq!(board.health.pressure(), MemoryPressure::Refuse);
        assert!(setups.iter().all(|setup| setup.dial.wanted() == Tier::Full), "who is there may stay");
        let told = at(95, 10);
        let [worse] = &told[..] else { panic!("{told:?}") };
        assert_eq!((worse.what, worse.severity), (ChangeKind::Escalated, Severity::Major));
        assert!(worse.message.contains("streams in audio: memory is short"), "{}", worse.message);
        assert_eq!(setups[0].dial.wanted(), Tier::Audio, "tiers in which decoders stay open give nothing back");
        assert_eq!(setups[9].dial.wanted(), Tier::Full, "the highest priority keeps all");
        let told = at(50, 400);
        let [ended] = &told[..] else { panic!("{told:?}") };
        assert_eq!(ended.what, ChangeKind::Ended(EventEnd::Cleared));
        assert!(setups.iter().all(|setup| setup.dial.wanted() == Tier::Full));
    }

    /// How many streams are shed after ten seconds in which so many of twenty lost frames.
    fn shed_while_losing(losing: usize) -> usize {
        let (mut watch, board) = (LoadWatch::new(Duration::from_secs(1)), board());
        let setups: Vec<_> = (0..20).map(setup).collect();
        for now in 1..=10 {
            for (number, setup) in setups.iter().enumerate() {
                board.publish(StreamStatus {
                    card: setup.card.clone(),
                    state: "live",
                    tier: Tier::Full,
                    tiers: setup.dial.range(),
                    up: true,
                    session: SessionNumber(1),
                    meters: SessionMeters::default(),
                    frames: BTreeMap::new(),
                    lane_dropped: (0, 0),
                    receive_dropped: if number < losing { now } else { 0 },
                    restarts: BTreeMap::new(),
                    last_error: None,
                    abandoned: 0,
                    latency: None,
                    at: Wall(SystemTime::now()),
                });
            }
            second(&mut watch, &setups, &board, Duration::from_millis(5));
        }
        setups.iter().filter(|setup| setup.dial.wanted() != Tier::Full).count()
    }

    #[test]
    fn one_source_that_bursts_over_its_buffer_sheds_nobody() {
        assert_eq!(shed_while_losing(1), 0);
        assert!(shed_while_losing(2) > 0, "a tenth of the streams is no accident");
    }

    #[test]
    fn an_overload_becomes_major_when_pictures_are_no_longer_looked_at() {
        let (mut watch, board) = (LoadWatch::new(Duration::from_secs(1)), board());
        let setups: Vec<_> = (0..10).map(setup).collect();
        let slow = Duration::from_secs(5);
        let told: Vec<_> = (0..60).filter_map(|_| second(&mut watch, &setups, &board, slow)).collect();
        let kinds: Vec<_> = told.iter().map(|change| (change.what, change.severity)).collect();
        assert_eq!(kinds, [(ChangeKind::Raised, Severity::Warning), (ChangeKind::Escalated, Severity::Major)]);
        assert!(setups.iter().all(|setup| setup.dial.wanted() == Tier::Transport));
    }
}
