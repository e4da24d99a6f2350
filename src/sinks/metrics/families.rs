//! Every metric family, in the order of the answer, with what it means.

use std::fmt;
use std::time::{Duration, SystemTime};

use avwatch_actors::tier::Tier;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{Units, share};
use crate::node_snapshot::{NodeSnapshot, StageSnapshot, StreamSnapshot};

/// Writes every family that has something to say.
pub(super) fn encode(node: &NodeSnapshot, units: Units, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut out = Families(encoder);
    streams(node, units, &mut out)?;
    events(node, &mut out)?;
    tracks(node, &mut out)?;
    losses(node, &mut out)?;
    for_node(node, &mut out)?;
    process(node, &mut out)
}

fn streams(node: &NodeSnapshot, units: Units, out: &mut Families<'_, '_>) -> fmt::Result {
    let mut up = out.gauge("avwatch_stream_up", "1 while frames of the stream arrive.")?;
    for stream in &node.streams {
        up.row([("stream", &*stream.name)], f64::from(u8::from(stream.up)))?;
    }
    let mut state = out.gauge("avwatch_stream_state", "1 for the state that the stream is in.")?;
    for stream in &node.streams {
        state.row([("stream", &*stream.name), ("state", stream.state)], 1.0)?;
    }
    let mut info = out.gauge("avwatch_stream_info", "Title and group of the stream.")?;
    for stream in &node.streams {
        info.row([("stream", &*stream.name), ("title", &stream.title), ("group", &stream.group)], 1.0)?;
    }
    let mut tier = out.gauge("avwatch_tier", "1 for the tier in which the stream is inspected.")?;
    for stream in &node.streams {
        tier.row([("stream", &*stream.name), ("tier", stream.tier)], 1.0)?;
    }
    let mut shed = out.gauge("avwatch_shed_streams", "Streams that load has put into the tier.")?;
    for tier in Tier::ALL.into_iter().filter(|tier| *tier != Tier::Full) {
        let is_here = |stream: &&StreamSnapshot| stream.tier == tier.name() && tier > stream.tiers.configured;
        shed.row([("tier", tier.name())], node.streams.iter().filter(is_here).count() as f64)?;
    }
    let (name, help, bits) = match units {
        Units::Media => ("avwatch_bitrate_bits_per_second", "Bits received for a second of the stream.", 1.0),
        Units::Base => ("avwatch_bitrate_bytes_per_second", "Bytes received for a second of the stream.", 8.0),
    };
    let mut bitrate = out.gauge(name, help)?;
    for stream in &node.streams {
        bitrate.row_if([("stream", &*stream.name)], stream.bitrate.map(|rate| rate / bits))?;
    }
    let mut rate = out.gauge("avwatch_frame_rate", "Pictures in a second of the main video track.")?;
    for stream in &node.streams {
        rate.row_if([("stream", &*stream.name)], stream.frame_rate)?;
    }
    Ok(())
}

fn events(node: &NodeSnapshot, out: &mut Families<'_, '_>) -> fmt::Result {
    let mut open = out.gauge("avwatch_event_open", "1 for each open event.")?;
    for stream in &node.streams {
        for event in stream.events.iter().take(share::OPEN_EVENTS) {
            let track = event.track.to_string();
            let labels = [
                ("stream", &*stream.name),
                ("track", &*track),
                ("detector", &*event.detector),
                ("severity", event.severity.name()),
            ];
            open.row(labels, 1.0)?;
        }
    }
    let mut total =
        out.counter("avwatch_events", "Events of the stream since start, once under each severity they reached.")?;
    for stream in &node.streams {
        for row in share::event_counts(stream) {
            let labels = [("stream", &*stream.name), ("detector", &*row.detector), ("severity", row.severity.name())];
            total.row(labels, row.count)?;
        }
    }
    Ok(())
}

fn tracks(node: &NodeSnapshot, out: &mut Families<'_, '_>) -> fmt::Result {
    let shown = || {
        let tracks = node.streams.iter().map(|stream| (stream, stream.tracks.iter().take(share::TRACKS)));
        tracks.flat_map(|(stream, tracks)| tracks.map(move |track| (&*stream.name, track.track.to_string(), track)))
    };
    let mut frames = out.counter("avwatch_frames", "Frames of the track inspected since start.")?;
    for (stream, name, track) in shown() {
        frames.row([("stream", stream), ("track", &name)], track.frames_total)?;
    }
    let mut last =
        out.gauge("avwatch_last_frame_timestamp_seconds", "When the newest frame of the track was ready.")?;
    for (stream, name, track) in shown() {
        last.row_if([("stream", stream), ("track", &name)], track.last_frame.map(seconds_since_epoch))?;
    }
    let mut coverage = out.gauge("avwatch_coverage_ratio", "Share of the track that was really inspected.")?;
    for (stream, name, track) in shown() {
        coverage.row_if([("stream", stream), ("track", &name)], track.coverage)?;
    }
    let mut loudness = out.gauge("avwatch_loudness_lufs", "Loudness of the track by EBU R 128.")?;
    for stream in &node.streams {
        let readings =
            stream.tracks.iter().flat_map(|track| track.loudness.iter().map(move |reading| (track, reading)));
        for (track, &(window, lufs)) in readings.take(share::LOUDNESS) {
            let track = track.track.to_string();
            loudness.row_if([("stream", &*stream.name), ("track", &track), ("window", window)], Some(lufs))?;
        }
    }
    Ok(())
}

fn losses(node: &NodeSnapshot, out: &mut Families<'_, '_>) -> fmt::Result {
    let mut lanes = out.counter("avwatch_lane_dropped", "Frames displaced from full lanes since start.")?;
    for stream in &node.streams {
        for &(policy, count) in stream.lane_dropped.iter().take(share::POLICIES) {
            lanes.row([("stream", &*stream.name), ("policy", policy)], count)?;
        }
    }
    let help = "Datagrams that this machine dropped before they could be read, since start.";
    let mut receive = out.counter("avwatch_receive_dropped", help)?;
    for stream in &node.streams {
        receive.row([("stream", &*stream.name)], stream.receive_dropped)?;
    }
    let mut restarts = out.counter("avwatch_stream_restarts", "Restarts of the stream since start.")?;
    for stream in &node.streams {
        for &(cause, count) in stream.restarts.iter().take(share::CAUSES) {
            restarts.row([("stream", &*stream.name), ("cause", cause)], count)?;
        }
    }
    let help =
        "What was lost since start, by what it was: seconds of the journal, evidence of events, pictures, changes.";
    let mut lost = out.counter("avwatch_lost", help)?;
    for &(what, count) in &node.lost {
        lost.row([("what", what)], count)?;
    }
    let withheld: usize = node.streams.iter().map(share::withheld).sum();
    let help = "Series left out of this answer because a stream may have 60 at most.";
    out.gauge("avwatch_series_withheld", help)?.row([], withheld as f64)
}

fn for_node(node: &NodeSnapshot, out: &mut Families<'_, '_>) -> fmt::Result {
    let help = "Time that frames spend in a stage, over all streams.";
    let mut stages = out.family("avwatch_stage_latency_seconds", help, MetricType::Histogram)?;
    for stage in &node.stages {
        stages.histogram([("stage", stage.stage)], stage)?;
    }
    let help = "CPU time spent in the detector over all streams since start.";
    let mut cpu = out.counter("avwatch_detector_cpu_seconds", help)?;
    for account in &node.detector_cpu {
        cpu.row_f64([("detector", account.detector)], account.spent.as_secs_f64())?;
    }
    let help = "Frames that the detector was not shown since start, because it takes more of a core than it may.";
    let mut skipped = out.counter("avwatch_detector_skipped", help)?;
    for account in &node.detector_cpu {
        skipped.row([("detector", account.detector)], account.skipped)?;
    }
    let mut throttled =
        out.gauge("avwatch_detector_throttled", "Tracks of streams on which the detector is throttled.")?;
    for account in &node.detector_cpu {
        throttled.row([("detector", account.detector)], account.throttled as f64)?;
    }
    let mut incidents = out.gauge("avwatch_incidents_open", "Open incidents, by kind.")?;
    for &(kind, count) in &node.incidents_open {
        incidents.row([("kind", kind)], count as f64)?;
    }
    let help = "1 while most inputs are down and the monitor's own network fails: it cannot see.";
    out.gauge("avwatch_blind", help)?.row([], f64::from(u8::from(node.blind)))?;
    let mut sent = out.counter("avwatch_notifications", "Notifications since start, by what became of them.")?;
    for receiver in &node.receivers {
        for &(outcome, count) in &receiver.outcomes {
            sent.row([("receiver", &*receiver.name), ("outcome", outcome)], count)?;
        }
    }
    let mut pending = out.gauge("avwatch_outbox_pending", "Notifications that wait to be delivered.")?;
    for receiver in &node.receivers {
        pending.row([("receiver", &*receiver.name)], receiver.pending as f64)?;
    }
    let mut oldest = out.gauge("avwatch_outbox_oldest_seconds", "Age of the oldest notification that waits.")?;
    for receiver in &node.receivers {
        oldest.row([("receiver", &*receiver.name)], receiver.oldest.as_secs_f64())?;
    }
    let help = "1 if the last reload of the configuration was taken over.";
    let reloaded = node.config_last_reload_successful.map(|good| f64::from(u8::from(good)));
    out.gauge("avwatch_config_last_reload_successful", help)?.row_if([], reloaded)?;
    let build = [("version", node.build.version), ("ffmpeg", &*node.build.ffmpeg)];
    out.gauge("avwatch_build_info", "Versions of avwatch and of the FFmpeg libraries.")?.row(build, 1.0)
}

fn process(node: &NodeSnapshot, out: &mut Families<'_, '_>) -> fmt::Result {
    let process = &node.process;
    if let Some(seconds) = process.cpu_seconds {
        out.counter("process_cpu_seconds", "CPU time of the process since start.")?.row_f64([], seconds)?;
    }
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory of the process in RAM.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Address space of the process.", process.virtual_bytes),
        ("process_open_fds", "Open file descriptors.", process.open_fds),
        ("process_max_fds", "Most file descriptors that may be open.", process.max_fds),
        ("process_threads", "Threads of the process.", process.threads),
    ] {
        out.gauge(name, help)?.row_if([], value.map(|value| value as f64))?;
    }
    let help = "0 with enough memory, 1 while freed memory is given back, 2 while streams are refused, 3 while decoders are closed.";
    out.gauge("avwatch_memory_pressure", help)?.row([], f64::from(node.memory_pressure as u8))?;
    let help = "How often freed memory was given back to the system since start.";
    out.counter("avwatch_heap_trims", help)?.row([], node.heap_trims)?;
    let help = "When the process began, in seconds since 1970.";
    out.gauge("process_start_time_seconds", help)?.row_if([], process.start_time_seconds)
}

fn seconds_since_epoch(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

/// Begins families.
struct Families<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Families<'_, '_> {
    fn family<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<Family<'s>, fmt::Error> {
        Ok(Family(self.0.encode_descriptor(name, help, None, kind)?))
    }

    fn gauge<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Gauge)
    }

    /// The name is without `_total`, which the format adds.
    fn counter<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Family<'s>, fmt::Error> {
        self.family(name, help, MetricType::Counter)
    }
}

/// Labels as names and values; the encoder escapes the values.
type Labels<'a, const COUNT: usize> = [(&'static str, &'a str); COUNT];

/// Writes the rows of one family.
struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    fn row<const COUNT: usize>(&mut self, labels: Labels<'_, COUNT>, value: impl Value) -> fmt::Result {
        if COUNT == 0 { value.write(&mut self.0) } else { value.write(&mut self.0.encode_family(&labels)?) }
    }

    /// Nothing for a value that is absent or no number.
    fn row_if<const COUNT: usize>(&mut self, labels: Labels<'_, COUNT>, value: Option<f64>) -> fmt::Result {
        match value.filter(|value| value.is_finite()) {
            Some(value) => self.row(labels, value),
            None => Ok(()),
        }
    }

    /// A counter of something that is not whole.
    fn row_f64<const COUNT: usize>(&mut self, labels: Labels<'_, COUNT>, value: f64) -> fmt::Result {
        self.row(labels, Fractional(value))
    }

    fn histogram(&mut self, labels: Labels<'_, 1>, stage: &StageSnapshot) -> fmt::Result {
        // The encoder adds up by itself, so it gets the differences; it also wants the last bound.
        let mut below = 0;
        let mut buckets = Vec::with_capacity(stage.buckets.len() + 1);
        for &(bound, up_to) in &stage.buckets {
            buckets.push((bound, up_to.saturating_sub(below)));
            below = below.max(up_to);
        }
        buckets.push((f64::INFINITY, stage.count.saturating_sub(below)));
        let mut encoder = self.0.encode_family(&labels)?;
        encoder.encode_histogram::<NoLabelSet>(stage.sum, stage.count.max(below), &buckets, None)
    }
}

/// A value with the kind of metric that it belongs to.
trait Value {
    fn write(self, encoder: &mut MetricEncoder<'_>) -> fmt::Result;
}

/// Gauges are floating point.
impl Value for f64 {
    fn write(self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self)
    }
}

/// Counters are whole …
impl Value for u64 {
    fn write(self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, u64, f64>(&self, None)
    }
}

/// … or seconds.
struct Fractional(f64);

impl Value for Fractional {
    fn write(self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, f64, f64>(&self.0, None)
    }
}
