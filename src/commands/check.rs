//! `avwatch check`: inspects inputs once and reports.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use avwatch_actors::arbiters::Arbiters;
use avwatch_actors::detector::Ladder;
use avwatch_actors::event::{ChangeKind, EventChange, EventEnd};
use avwatch_actors::media_time::MediaTime;
use avwatch_actors::meters::SessionMeters;
use avwatch_actors::paced::Pace;
use avwatch_actors::tier::{Tier, TierRange};
use avwatch_actors::track::{TrackId, TrackKind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::cli::CheckArgs;
use crate::config::{Loaded, Sources, StreamPlan, load};
use crate::detectors::ResolvedDetector;
use crate::inspect::{Findings, Inspection, inspect};
use crate::media::address::{self, AddressError};
use crate::media::spec::Address;
use crate::record::{self, Pictures, Recorder};
use crate::report::{
    Destination, DetectorRef, Measurements, Report, ReportEvent, ReportInput, ReportTrack, Style, edge_grace,
};
use crate::stream_parts::{self, StreamDetectors};

/// Media time of live inputs that is inspected unless told otherwise.
const LIVE_SECONDS: f64 = 60.0;

/// A live input may take this much longer than the media time asked for.
const WALL_FACTOR: f64 = 1.5;

/// Status for bad usage or configuration.
const USAGE: u8 = 2;

/// Runs the command; `stop` is set by Ctrl-C.
pub fn run(args: &CheckArgs, stop: &'static AtomicBool) -> ExitCode {
    let sources = Sources { sets: args.set.clone(), ..Sources::default() };
    let loaded = match load(&sources) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors),
    };
    let destination = match Destination::new(args.output.as_deref()) {
        Ok(destination) => destination,
        Err(error) => return refuse(&error),
    };
    let mut jobs = Vec::new();
    for input in &args.inputs {
        match Job::plan(input, args, &loaded) {
            Ok(job) => jobs.push(job),
            Err(Refusal::Usage(why)) => return refuse(&why),
            Err(Refusal::Input(report)) => jobs.push(Job::Failed(report)),
        }
    }
    let inputs = actix::System::new().block_on(async {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let arbiters = Arbiters::start(cores.clamp(1, 3));
        let mut inputs = Vec::new();
        for job in jobs {
            inputs.push(job.inspect(args, &arbiters, stop).await);
        }
        inputs
    });
    let report = Report::new(&args.profile, args.fail_on, inputs);
    let style = if args.output.is_none() { Style::of_stdout() } else { Style::PLAIN };
    let written = report.render(args.format, style).map_err(|error| error.to_string());
    match written.and_then(|bytes| destination.write(&bytes).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::from(report.exit_code(args.format)),
        Err(error) => refuse(&error),
    }
}

fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(USAGE)
}

/// Why an input is not inspected.
enum Refusal {
    /// The command line or configuration is wrong.
    Usage(String),
    /// The input is: the others are still checked.
    Input(Box<ReportInput>),
}

/// An input that waits for its turn.
enum Job {
    Ready(Box<Ready>),
    Failed(Box<ReportInput>),
}

struct Ready {
    shown: String,
    plan: StreamPlan,
    detectors: StreamDetectors,
}

impl Job {
    fn plan(input: &OsString, args: &CheckArgs, loaded: &Loaded) -> Result<Self, Refusal> {
        let text = input.to_string_lossy();
        // A file that is there wins over everything that its name could also mean.
        let address = if input != "-" && std::path::Path::new(input).exists() {
            Address::File(input.into())
        } else {
            address::parse(&text).map_err(|error| Refusal::Input(Box::new(no_address(&text, &error))))?
        };
        let shown = match &address {
            Address::File(_) | Address::Stdin | Address::Synthetic(_) => text.into_owned(),
            Address::Url(url) => url.to_string(),
        };
        let plan = loaded.input(&shown, address, &args.profile).map_err(|error| Refusal::Usage(error.to_string()))?;
        let plan = StreamPlan { tiers: TierRange::from(args.tier), ..plan };
        let detectors = stream_parts::resolve_detectors(&plan, &args.detectors)
            .map_err(|error| Refusal::Usage(error.to_string()))?;
        Ok(Self::Ready(Box::new(Ready { shown, plan, detectors })))
    }

    async fn inspect(self, args: &CheckArgs, arbiters: &Arbiters, stop: &AtomicBool) -> ReportInput {
        match self {
            Self::Failed(report) => *report,
            Self::Ready(ready) => ready.inspect(args, arbiters, stop).await,
        }
    }
}

/// An input that is neither a file nor an address.
fn no_address(text: &str, error: &AddressError) -> ReportInput {
    let shown = hidden(text);
    let cause = format!("cannot open '{shown}': it {error}");
    ReportInput::failed(shown, cause)
}

/// What may be shown of a text that could not be understood as an address: it may hold a secret.
fn hidden(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://***"),
        None => text.to_owned(),
    }
}

impl Ready {
    async fn inspect(self, args: &CheckArgs, arbiters: &Arbiters, stop: &AtomicBool) -> ReportInput {
        let mut measure = self.detectors.measure;
        let recorder = args.format.draws().then(|| {
            let others = if measure.keep_pictures { Pictures::ForDetectors } else { Pictures::ForRecord };
            record::add_needs(&mut measure);
            Recorder::new(others)
        });
        let opener = match stream_parts::opener(&self.plan, measure) {
            Ok(opener) => opener,
            Err(error) => return ReportInput::failed(self.shown, error.to_string()),
        };
        // A synthetic source has no end of its own.
        let is_endless = matches!(self.plan.input.address, Address::Url(_) | Address::Synthetic(_));
        let is_live = matches!(self.plan.input.address, Address::Url(_));
        let seconds = args.seconds.or(is_endless.then_some(LIVE_SECONDS));
        let open = self.plan.input.limits.open;
        let work = Inspection {
            card: stream_parts::card(&self.plan),
            opener,
            specs: self.detectors.specs.clone(),
            pace: if args.realtime { Pace::RealTime } else { Pace::Unbound },
            media_max: seconds.map(Duration::from_secs_f64),
            wall_max: seconds.filter(|_| is_live).map(|seconds| {
                open.min(Duration::from_secs_f64(seconds)) / 2 + Duration::from_secs_f64(seconds * WALL_FACTOR)
            }),
            recorder: recorder.clone(),
        };
        let bar = progress_bar(&self.shown);
        let findings = inspect(work, arbiters, stop, |meters| show_progress(&bar, meters)).await;
        bar.finish_and_clear();
        let mut report = report_of(&self, findings);
        report.record = recorder.map(|recorder| recorder.take());
        report
    }
}

fn progress_bar(shown: &str) -> ProgressBar {
    // Hidden by itself when standard error is no terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {prefix} {msg} ({elapsed})").expect("the template is valid");
    bar.set_style(style);
    bar.set_prefix(shown.to_owned());
    bar
}

fn show_progress(bar: &ProgressBar, meters: &SessionMeters) {
    if !bar.is_hidden() {
        bar.set_message(format!("{:.1} s inspected", meters.reached().as_secs_f64()));
        bar.tick();
    }
}

/// The share of a track that was inspected: what is left out by the tier is told, what was damaged is not.
fn coverage_of(meters: &SessionMeters, track: TrackId, frames: u64) -> f64 {
    let is_whole = meters.tier().is_none_or(|tier| tier == Tier::Full);
    match meters.coverage_of(track) {
        Some(share) if !is_whole => share,
        _ if frames > 0 => 1.0,
        _ => 0.0,
    }
}

fn report_of(ready: &Ready, findings: Findings) -> ReportInput {
    let Findings { meters, changes, error, .. } = findings;
    let Some(info) = &meters.info else {
        let error = error.map_or_else(|| "stopped before anything was seen".to_owned(), |error| error.to_string());
        return ReportInput::failed(&ready.shown, error);
    };
    let duration = meters.reached();
    let mut report = ReportInput::opened(&ready.shown, &info.container, duration);
    report.error = error.map(|error| error.to_string());
    for track in info.tracks.iter().filter(|track| is_inspected(track.track)) {
        let seen = meters.tracks.iter().find(|seen| seen.track == track.track);
        let frames = seen.map_or(0, |seen| seen.frames);
        report.tracks.push(ReportTrack::new(track, frames, coverage_of(&meters, track.track, frames)));
        if let Some(loudness) = seen.and_then(|seen| seen.loudness) {
            report.measurements.insert(track.track, Measurements::from(&loudness));
        }
    }
    let resolved = &ready.detectors.resolved;
    report.events = changes.iter().filter_map(|change| report_event(change, resolved, duration)).collect();
    // In a tier without decoding, packets are all that there is to see.
    let is_counted = meters.tier() == Some(Tier::Transport) && !meters.coverage.is_empty();
    let is_void = !is_counted && meters.tracks.iter().all(|track| track.frames == 0) && report.events.is_empty();
    if report.error.is_none() && is_void {
        report.error = Some(nothing_in(&ready.shown, &report.tracks));
    }
    report.detectors = resolved
        .iter()
        .filter(|detector| detector.enabled)
        .map(|detector| DetectorRef { number: detector.kind.number, name: detector.kind.name.to_owned() })
        .collect();
    report
}

fn is_inspected(track: TrackId) -> bool {
    matches!(track.kind, TrackKind::Video | TrackKind::Audio)
}

/// Why an input that was read to its end is no input all the same.
fn nothing_in(shown: &str, tracks: &[ReportTrack]) -> String {
    let declared: Vec<String> = tracks.iter().map(track_words).collect();
    let declared = if declared.is_empty() { "no track".to_owned() } else { declared.join(", ") };
    format!("cannot inspect {shown}: it declares {declared}, but not one picture or sound of it could be decoded")
}

fn track_words(track: &ReportTrack) -> String {
    format!("{} {}", track.track, track.codec.as_deref().unwrap_or("of an unknown codec"))
}

/// What the report says of an event; nothing when it turned out shorter than its hold time: it was
/// raised before it was known where it ended.
fn report_event(change: &EventChange, resolved: &[ResolvedDetector], duration: MediaTime) -> Option<ReportEvent> {
    let detector = resolved.iter().find(|detector| detector.kind.name == &*change.key.detector);
    let number = detector.map_or(u16::MAX, |detector| detector.kind.number);
    let mut event = ReportEvent::from_change(change, number, duration);
    let Some(detector) = detector else { return Some(event) };
    let ladder = Ladder {
        steps: detector.steps.clone(),
        raise_after: detector.raise_after,
        clear_after: detector.clear_after,
        settle_after_change: detector.settle_after_change,
    };
    if let (ChangeKind::Ended(EventEnd::Cleared), Some(end)) = (change.what, change.end) {
        event.severity = event.severity.min(ladder.severity_after(end - change.start)?);
    }
    if !detector.edge_grace.is_zero() {
        let end = change.end.unwrap_or(duration);
        event.severity = edge_grace(&ladder, event.severity, (change.start, end), duration, detector.edge_grace.into());
    }
    Some(event)
}

/// Keeps the compiler honest about what is shared with the session's thread.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Arc<dyn avwatch_actors::source::Opener>>();
};
