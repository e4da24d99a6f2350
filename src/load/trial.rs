//! One trial: so many streams, warmed up, measured, ended.
//!
//! Runs on the main thread, which becomes the control arbiter for its time. What is due in the measured span counts, whenever
//! it is judged: after the span there is a moment for what is late.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::media_time::MediaTime;
use avwatch_actors::track::{TrackId, TrackKind};

use super::figures::{Accuracy, Cpu, Frames, Memory, Percentiles, SenderFigures, Trial, rounded};
use super::matching::{Matches, Told, compare};
use super::material::Material;
use super::probe::PROBES;
use super::rig::{Collected, Rig, RigError, Subject};
use super::settings::{LoadSettings, SourceKind};
use super::threads::ThreadTimes;
use crate::config::Loaded;
use crate::detectors;
use crate::measure::cost;
use crate::node_snapshot::ProcessSnapshot;

/// How long all streams may take to deliver, and how long they run before anything is measured.
const UP_WITHIN: Duration = Duration::from_secs(30);
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// How long after the measured span a frame may still be judged.
const LATE_WITHIN: Duration = Duration::from_millis(1_500);
/// How often signals and progress are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How far around the watched span the plan is looked at.
const AROUND: MediaTime = MediaTime::from_millis(15_000);
/// Most errors of streams that are told.
const ERRORS_MAX: usize = 5;

/// What a run is doing, for who watches it.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The clip is being encoded, or pictures are painted.
    Making,
    /// Streams come up: so many of so many.
    Starting(u32, u32),
    /// The span is measured: so many streams, time passed, time in all.
    Measuring(u32, Duration, Duration),
    /// Bare decoding is measured.
    Baseline,
}

/// What trials have in common.
pub struct Stage<'a> {
    /// The configuration.
    pub loaded: &'a Loaded,
    /// What to do.
    pub settings: &'a LoadSettings,
    /// What to show.
    pub material: &'a Material,
    /// Set by Ctrl-C: what was seen until then is reported.
    pub stop: &'a AtomicBool,
    /// Who watches.
    pub progress: &'a dyn Fn(Progress),
}

/// Counters at one moment.
struct Marks {
    at: Instant,
    threads: ThreadTimes,
    measured: Duration,
    made: Duration,
    detectors: Duration,
    dropped: (u64, u64),
}

impl Marks {
    fn take(rig: &Rig) -> Self {
        let accounts = rig.board.cpu.figures();
        let real = accounts.iter().filter(|account| !PROBES.contains(&account.detector));
        Self {
            at: Instant::now(),
            threads: ThreadTimes::read(),
            measured: cost::total(),
            made: rig.made.total(),
            detectors: real.map(|account| account.spent).sum(),
            dropped: dropped(rig),
        }
    }
}

/// Frames dropped from lanes, and datagrams by the system.
fn dropped(rig: &Rig) -> (u64, u64) {
    let add = |sum: (u64, u64), stream: std::sync::Arc<avwatch_actors::status::StreamStatus>| {
        let (displaced, refused) = stream.lane_dropped;
        (sum.0 + displaced + refused, sum.1 + stream.receive_dropped)
    };
    rig.board.streams().into_iter().fold((0, 0), add)
}

impl Stage<'_> {
    /// Runs so many streams.
    ///
    /// # Errors
    /// The streams cannot be put together.
    pub fn run(&self, streams: u32) -> Result<Trial, RigError> {
        actix::System::new().block_on(self.play(streams))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    async fn play(&self, streams: u32) -> Result<Trial, RigError> {
        let before = resident();
        let rig = Rig::start(self.loaded, self.settings, self.material, streams)?;
        self.warm_up(&rig, streams).await;
        if let Some(sent) = &rig.sent {
            sent.reset_latest();
        }
        let begin = Marks::take(&rig);
        let (from, planned) = (Instant::now(), self.settings.seconds);
        rig.book.measure(from, from + planned);
        while from.elapsed() < planned && !self.is_stopped() {
            (self.progress)(Progress::Measuring(streams, from.elapsed(), planned));
            tokio::time::sleep(LOOK_EVERY.min(planned.saturating_sub(from.elapsed()))).await;
        }
        let to = (from + planned).min(Instant::now());
        if self.is_stopped() {
            rig.book.measure(from, to);
        }
        let end = Marks::take(&rig);
        let after = resident();
        let sender = rig.sent.as_ref().map(|sent| self.sender_figures(sent, &begin, &end));
        // Late frames, and a publication of every supervisor.
        tokio::time::sleep(LATE_WITHIN).await;
        let mut trial = Trial { streams, seconds: rounded((to - from).as_secs_f64()), ..Trial::default() };
        trial.up = rig.up();
        (trial.restarts, trial.errors) = restarts(&rig);
        trial.frames = self.frames(&rig, (from, to), begin.dropped);
        trial.cpu = self.cpu(streams, &begin, &end);
        trial.memory = Memory { before, after, per_stream: after.saturating_sub(before) / u64::from(streams.max(1)) };
        trial.latency_ms = Percentiles::of(&rig.book.latencies());
        if self.settings.source == SourceKind::Synthetic {
            // Made frames arrive when they are due, by definition.
            trial.latency_ms.remove("arrive");
        }
        trial.sender = sender;
        let broken: Vec<String> =
            rig.board.streams().iter().filter(|s| !s.restarts.is_empty()).map(|s| s.card.stream.to_string()).collect();
        let enabled = enabled(&rig);
        let subjects: Vec<Subject> = rig.subjects.iter().map(Subject::share).collect();
        let collected = rig.stop().await;
        trial.accuracy = accuracy(&subjects, &collected, &broken, &enabled, self.settings.pictures_apart());
        trial.broke = self.settings.limits.broken(&trial);
        trial.held = trial.broke.is_empty();
        Ok(trial)
    }

    async fn warm_up(&self, rig: &Rig, streams: u32) {
        let begin = Instant::now();
        while rig.up() < streams && begin.elapsed() < UP_WITHIN && !self.is_stopped() {
            (self.progress)(Progress::Starting(rig.up(), streams));
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if !self.is_stopped() {
            tokio::time::sleep(SETTLE).await;
        }
    }

    fn kinds(&self) -> &'static [TrackKind] {
        if self.settings.channels > 0 { &[TrackKind::Video, TrackKind::Audio] } else { &[TrackKind::Video] }
    }

    fn frames(&self, rig: &Rig, span: (Instant, Instant), before: (u64, u64)) -> Frames {
        let (mut due, mut judged, mut covered) = (0, 0, 0);
        for subject in &rig.subjects {
            for kind in self.kinds() {
                let rate = self.settings.frames_per_second(*kind == TrackKind::Audio);
                let expected = subject.probe.expected(*kind, span, rate);
                let seen = subject.probe.track(*kind).judged();
                due += expected;
                judged += seen;
                covered += seen.min(expected);
            }
        }
        let (displaced, refused) = dropped(rig);
        Frames {
            due,
            judged,
            dropped: displaced.saturating_sub(before.0),
            receive_dropped: refused.saturating_sub(before.1),
            coverage: if due == 0 { 0.0 } else { rounded(covered as f64 / due as f64) },
        }
    }

    fn cpu(&self, streams: u32, begin: &Marks, end: &Marks) -> Cpu {
        let seconds = (end.at - begin.at).as_secs_f64().max(1e-3);
        let used = end.threads.since(&begin.threads);
        let measure = end.measured.saturating_sub(begin.measured).min(used.sessions);
        let make = end.made.saturating_sub(begin.made).min(used.sessions - measure);
        // Detectors count the time of their calls, in which their thread may have had to wait for a core.
        let judge = end.detectors.saturating_sub(begin.detectors).min(used.arbiters);
        let session = used.sessions.saturating_sub(measure + make);
        let rest = used.total.saturating_sub(used.sessions + used.arbiters + used.sender);
        let of_session = if self.settings.source == SourceKind::Encoded { "decode" } else { "session" };
        let parts = [
            ("make", make),
            ("sender", used.sender),
            (of_session, session),
            ("measure", measure),
            ("detectors", judge),
            ("lanes", used.arbiters.saturating_sub(judge)),
            ("rest", rest),
        ];
        let share = |time: Duration| rounded(time.as_secs_f64() * 1_000.0 / (seconds * f64::from(streams.max(1))));
        let watching = used.total.saturating_sub(make + used.sender);
        let stream_ms = share(watching);
        Cpu {
            total_s: rounded(used.total.as_secs_f64()),
            cores_used: rounded(used.total.as_secs_f64() / seconds),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
            stream_ms,
            streams_per_core: if stream_ms > 0.0 { rounded(1_000.0 / stream_ms) } else { 0.0 },
            stages_ms: parts.into_iter().map(|(name, time)| (name, share(time))).collect(),
        }
    }

    fn sender_figures(&self, sent: &super::sender::SenderBook, begin: &Marks, end: &Marks) -> SenderFigures {
        let Material::Sent(encoded) = self.material else { return SenderFigures::default() };
        let seconds = (end.at - begin.at).as_secs_f64().max(1e-3);
        SenderFigures {
            cores_used: rounded(end.threads.since(&begin.threads).sender.as_secs_f64() / seconds),
            stream_bits_per_second: encoded.rota.bit_rate().round(),
            latest_ms: rounded(sent.latest().as_secs_f64() * 1_000.0),
            refused: sent.refused(),
            dropped: sent.dropped(),
        }
    }
}

fn resident() -> u64 {
    ProcessSnapshot::read().resident_bytes.unwrap_or_default()
}

/// Sessions that ended, and the first reasons.
fn restarts(rig: &Rig) -> (u64, Vec<String>) {
    let streams = rig.board.streams();
    let count = streams.iter().flat_map(|stream| stream.restarts.values()).sum();
    let reasons: BTreeMap<&str, ()> =
        streams.iter().filter_map(|stream| stream.last_error.as_deref()).map(|reason| (reason, ())).collect();
    (count, reasons.into_keys().take(ERRORS_MAX).map(str::to_owned).collect())
}

/// Detectors that are on.
fn enabled(rig: &Rig) -> Vec<&'static str> {
    rig.detectors.resolved.iter().filter(|detector| detector.enabled).map(|detector| detector.kind.name).collect()
}

/// Compares what was planted with what was told, stream by stream.
fn accuracy(
    subjects: &[Subject],
    collected: &Collected,
    broken: &[String],
    enabled: &[&str],
    apart: MediaTime,
) -> Accuracy {
    let mut told: BTreeMap<&str, Vec<Told>> = BTreeMap::new();
    for event in collected.events.values().filter(|event| detectors::by_name(&event.detector).is_some()) {
        told.entry(&*event.stream).or_default().push(Told {
            detector: event.detector.to_string(),
            track: event.track,
            from: MediaTime::from_secs_f64(event.start_s),
            to: event.end_s.map(MediaTime::from_secs_f64),
            message: event.message.clone(),
        });
    }
    let mut sum = Matches::default();
    let mut left_out = 0;
    for subject in subjects {
        if broken.iter().any(|name| **name == *subject.name) {
            // Its timeline began anew: what was told before and after cannot be laid beside the plan.
            left_out += 1;
            continue;
        }
        let video = subject.probe.track(TrackKind::Video);
        let watched = |track: TrackId| subject.probe.track(track.kind).span();
        let Some((from, to)) = video.span() else { continue };
        let mut plan = subject.plan.truth_between(from - AROUND, to + AROUND);
        plan.retain(|defect| enabled.contains(&defect.detector));
        let mut events = told.remove(&*subject.name).unwrap_or_default();
        for event in &mut events {
            let shift = subject.probe.track(event.track.kind).shift();
            event.from += shift;
            event.to = event.to.map(|to| to + shift);
        }
        events.sort_by_key(|event| event.from);
        sum.add(compare(&subject.name, &plan, &events, apart, watched));
    }
    Accuracy {
        planted: sum.planted,
        found: sum.found,
        events: sum.events,
        false_alarms: sum.false_alarms,
        recall: sum.recall().map(rounded),
        precision: sum.precision().map(rounded),
        streams_left_out: left_out,
        examples: sum.examples,
    }
}
