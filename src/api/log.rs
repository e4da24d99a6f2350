//! `/api/v1/log`: what is logged, for the whole service and for single streams, while it runs.
//!
//! Not kept over a restart: it is for hunting one fault. A reload that changes `log.level` wins over
//! what was set here for all streams.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::access::Principal;
use super::body::{Body, body};
use super::etag::{Condition, changed, etag};
use super::pointer::key_of;
use super::problem::{FieldError, Problem};
use super::state::Node;
use crate::config::LogLevel;
use crate::telemetry::LevelControl;

/// Errors that are told at most.
const ERRORS_MAX: usize = 100;

/// What is logged now.
#[derive(Serialize)]
struct LogLevels {
    level: LogLevel,
    /// Streams with a level of their own.
    streams: BTreeMap<String, LogLevel>,
}

impl LogLevels {
    /// Differs where anything in it does. Made from what it says, since a reload changes it, too.
    fn revision(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let all = self.streams.iter().map(|(stream, level)| (&**stream, *level)).chain([("", self.level)]);
        all.for_each(|(stream, level)| (stream, level.filter()).hash(&mut hasher));
        // A tag holds what the databases can count to.
        hasher.finish() >> 2
    }

    fn answer(&self) -> HttpResponse {
        HttpResponse::Ok().insert_header((header::ETAG, etag(self.revision()))).json(self)
    }
}

/// What to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLevels {
    level: Option<LogLevel>,
    /// `null` takes a stream's own level away.
    #[serde(default)]
    streams: BTreeMap<String, Option<LogLevel>>,
}

pub(super) async fn levels(node: Data<Node>) -> HttpResponse {
    current(&node.levels).answer()
}

pub(super) async fn set_levels(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let asked: NewLevels = body(&request, &bytes)?;
    let _changing = node.changing.lock().await;
    if Condition::of(&request).seen().is_some_and(|seen| seen != current(&node.levels).revision()) {
        return Err(changed());
    }
    let catalogue = node.catalogue.load();
    // A level may be taken away from a stream that is gone, but not be given to one that never was.
    let unknown = |name: &str| !catalogue.streams.contains_key(name);
    let errors = asked.streams.iter().filter(|(name, level)| level.is_some() && unknown(name));
    let errors = errors.take(ERRORS_MAX).map(|(name, _)| FieldError {
        pointer: key_of("/streams", name),
        detail: "is no stream of this service".to_owned(),
    });
    let errors: Vec<FieldError> = errors.collect();
    if !errors.is_empty() {
        return Err(Problem::not_found("nothing was changed: some streams are unknown").with_errors(errors));
    }
    let streams = asked.streams.into_iter().map(|(stream, level)| (stream, level.map(LogLevel::filter))).collect();
    let is_changed = node.levels.set(asked.level.map(LogLevel::filter), &streams);
    if is_changed.map_err(|error| Problem::conflict(format!("{error}; nothing was changed")))? {
        tracing::info!(user = Principal::of(&request).name(None), "levels of the log were changed over the API");
    }
    Ok(current(&node.levels).answer())
}

fn current(levels: &LevelControl) -> LogLevels {
    let word = |filter| LogLevel::ALL.into_iter().find(|level| level.filter() == filter).unwrap_or(LogLevel::Error);
    let streams = levels.streams().into_iter().map(|(stream, filter)| (stream, word(filter))).collect();
    LogLevels { level: word(levels.global()), streams }
}
