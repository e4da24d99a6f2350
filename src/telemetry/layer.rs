//! The layer: from a `tracing` event and its spans to a line in the queue.
//!
//! Runs on every thread that logs. It never waits and never fails its caller.

use std::sync::Arc;
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer};

use super::LogFormat;
use super::levels::{LevelControl, Verdict};
use super::record::{Fields, Record, Value};
use super::repeats::{Decision, Repeats};
use super::writer::LineQueue;
use crate::sinks::event_log;

/// Spans up to this level carry stream and session, and are kept whatever the log level is.
const SPANS: Level = Level::INFO;

/// Turns events into lines.
pub(super) struct LogLayer {
    levels: LevelControl,
    format: LogFormat,
    repeats: Arc<Repeats>,
    queue: LineQueue,
}

impl LogLayer {
    pub(super) fn new(levels: LevelControl, format: LogFormat, repeats: Arc<Repeats>, queue: LineQueue) -> Self {
        Self { levels, format, repeats, queue }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() && *metadata.level() <= SPANS {
            return true;
        }
        self.levels.verdict(*metadata.level(), metadata.target()) != Verdict::Skip
    }

    /// True if the level of the event's stream lets it through.
    fn passes(&self, event: &Event<'_>, context: &Context<'_, Registry>) -> bool {
        let metadata = event.metadata();
        match self.levels.verdict(*metadata.level(), metadata.target()) {
            Verdict::Log => true,
            Verdict::Skip => false,
            Verdict::AskStream => {
                let mut own = StreamField(None);
                event.record(&mut own);
                let stream = own.0.or_else(|| {
                    let mut scope = context.event_scope(event)?;
                    scope.find_map(|span| Some(span.extensions().get::<Fields>()?.text("stream")?.to_owned()))
                });
                self.levels.allows(*metadata.level(), stream.as_deref())
            }
        }
    }
}

impl Layer<Registry> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Built anew whenever a level changes, so it may be final.
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, Registry>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Never below the spans and the event log.
        Some(self.levels.most_detailed().max(LevelFilter::from_level(SPANS)))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, Registry>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, Registry>) {
        if !self.passes(event, &context) {
            return;
        }
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer.clone());
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        if metadata.target() != event_log::TARGET {
            match self.repeats.decide(metadata, &fields, Instant::now()) {
                Decision::Log { repeated: 0 } => {}
                Decision::Log { repeated } => fields.set("repeated", Value::Unsigned(repeated)),
                Decision::Fold => return self.queue.count_folded(),
                Decision::Lose => return self.queue.count_dropped(),
            }
        }
        self.queue.offer(Record::new(metadata, &fields).line(self.format));
    }
}

/// Looks for the field `stream` alone, so that a line that is not logged costs little.
struct StreamField(Option<String>);

impl Visit for StreamField {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "stream" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "stream" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}
