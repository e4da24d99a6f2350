//! Streams that were added over the API: as written, and as they are to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{ApiStreamPlan, Fault, Loaded, check_address};
use crate::desired::{Desired, DesiredError, Kind};
use crate::stream_parts;

/// Streams of the API by name.
pub type ApiStreams = BTreeMap<Arc<str>, ApiStream>;

/// One stream of the API.
#[derive(Clone)]
pub struct ApiStream {
    /// Changes with every change of it.
    pub revision: u64,
    /// The settings as they were given, secrets included.
    pub settings: Map<String, Value>,
}

impl ApiStream {
    /// What to run under the present configuration; what is wrong with it otherwise.
    pub fn resolve(&self, name: &str, loaded: &Loaded) -> Result<ApiStreamPlan, String> {
        resolve_stream(name, &self.settings, loaded).map_err(|faults| {
            let words = faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.detail));
            words.collect::<Vec<_>>().join("; ")
        })
    }
}

/// The stream that settings describe, proved to be one that can be put together.
///
/// # Errors
/// Everything that is wrong with it.
fn resolve_stream(name: &str, settings: &Map<String, Value>, loaded: &Loaded) -> Result<ApiStreamPlan, Vec<Fault>> {
    let stream = loaded.api_stream(name, settings)?;
    match stream_parts::resolve_detectors(&stream.plan, &[]) {
        Ok(_) => Ok(stream),
        Err(error) => Err(vec![Fault { pointer: "/detectors".to_owned(), detail: error.to_string() }]),
    }
}

/// The same for a stream that is asked for now: its address must be one that may be reached.
///
/// # Errors
/// Everything that is wrong with it.
pub fn admit_stream(name: &str, settings: &Map<String, Value>, loaded: &Loaded) -> Result<ApiStreamPlan, Vec<Fault>> {
    let stream = resolve_stream(name, settings, loaded)?;
    check_address(&stream.plan)?;
    Ok(stream)
}

impl Desired {
    /// Every stream of the API.
    pub fn streams(&self) -> Result<ApiStreams, DesiredError> {
        let objects = self.all(Kind::Stream)?;
        let streams = objects.into_iter().filter_map(|object| {
            let Ok(settings) = serde_json::from_str(&object.json) else {
                tracing::error!(stream = object.name, "a stream that was added over the API cannot be read");
                return None;
            };
            Some((object.name.into(), ApiStream { revision: object.revision, settings }))
        });
        Ok(streams.collect())
    }
}
