//! Levels: what is logged, for the whole service and for single streams, changeable while it runs.
//!
//! Not `tracing-subscriber`'s `reload` layer: as a filter it does not pass on the hook that sees an
//! event's own fields, without which a level per stream cannot work (version 0.3.23).

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::sinks::event_log;

/// Streams that may have a level of their own at the same time.
const STREAMS_MAX: usize = 1_024;

/// Above this level only our own code logs, unless the level is `trace`: the libraries' debug
/// messages would drown ours.
const FOREIGN_MAX: Level = Level::WARN;

/// Why a level could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Too many streams have a level of their own.
    #[error("cannot set a level for another stream: {STREAMS_MAX} have one already")]
    TooMany,
}

/// Changes levels while the service runs. Cheap to clone; changes take effect at once.
///
/// The lines of the event log are not subject to levels.
#[derive(Clone, Debug)]
pub struct LevelControl(Arc<ArcSwap<Levels>>);

#[derive(Clone, Debug, PartialEq)]
struct Levels {
    global: LevelFilter,
    streams: BTreeMap<String, LevelFilter>,
}

impl LevelControl {
    /// Levels of a process of which nothing but these is known yet.
    pub fn new(global: LevelFilter) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Levels { global, streams: BTreeMap::new() })))
    }

    /// The level of everything that has none of its own.
    pub fn global(&self) -> LevelFilter {
        self.0.load().global
    }

    /// Sets the level of everything that has none of its own.
    pub fn set_global(&self, level: LevelFilter) {
        self.0.rcu(|levels| Levels { global: level, ..Levels::clone(levels) });
        tracing::callsite::rebuild_interest_cache();
    }

    /// Streams with a level of their own.
    pub fn streams(&self) -> BTreeMap<String, LevelFilter> {
        self.0.load().streams.clone()
    }

    /// Sets the level of everything that has none of its own, where one is given, and levels of streams, which `None` takes
    /// away: wholly or not at all. Tells whether anything is different now.
    ///
    /// # Errors
    /// More than 1,024 streams would have one: nothing was changed.
    pub fn set(
        &self,
        global: Option<LevelFilter>,
        streams: &BTreeMap<String, Option<LevelFilter>>,
    ) -> Result<bool, LevelError> {
        let mut outcome = Ok(false);
        self.0.rcu(|present| {
            let mut levels = Levels::clone(present);
            levels.global = global.unwrap_or(levels.global);
            for (stream, level) in streams {
                match level {
                    Some(level) => levels.streams.insert(stream.clone(), *level),
                    None => levels.streams.remove(stream),
                };
            }
            // What there is may stay and be changed, however much it is.
            let most = STREAMS_MAX.max(present.streams.len());
            outcome = if levels.streams.len() > most { Err(LevelError::TooMany) } else { Ok(levels != **present) };
            if outcome == Ok(true) { Arc::new(levels) } else { present.clone() }
        });
        if outcome == Ok(true) {
            tracing::callsite::rebuild_interest_cache();
        }
        outcome
    }

    /// Sets or, with `None`, removes the level of one stream.
    ///
    /// # Errors
    /// 1,024 streams have one already.
    #[cfg(test)]
    pub(super) fn set_stream(&self, stream: &str, level: Option<LevelFilter>) -> Result<bool, LevelError> {
        self.set(None, &BTreeMap::from([(stream.to_owned(), level)]))
    }

    /// The most detailed level that anything may log at.
    pub(super) fn most_detailed(&self) -> LevelFilter {
        let levels = self.0.load();
        levels.streams.values().copied().fold(levels.global, LevelFilter::max)
    }

    /// Whether a line at that level is certain to be logged, certain not to be, or depends on the stream.
    pub(super) fn verdict(&self, level: Level, target: &str) -> Verdict {
        if target == event_log::TARGET {
            return Verdict::Log;
        }
        let levels = self.0.load();
        let ours = target == "avwatch" || target.starts_with("avwatch:") || target.starts_with("avwatch_");
        if !ours && level > FOREIGN_MAX && levels.global < LevelFilter::TRACE {
            return Verdict::Skip;
        }
        match (level <= levels.global, levels.streams.is_empty()) {
            (true, true) => Verdict::Log,
            (false, true) => Verdict::Skip,
            (_, false) => Verdict::AskStream,
        }
    }

    /// Whether a line of that stream, or of none, is logged.
    pub(super) fn allows(&self, level: Level, stream: Option<&str>) -> bool {
        let levels = self.0.load();
        let own = stream.and_then(|stream| levels.streams.get(stream));
        level <= own.copied().unwrap_or(levels.global)
    }
}

/// What the level alone says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is logged.
    Log,
    /// It is not.
    Skip,
    /// It depends on the stream.
    AskStream,
}
