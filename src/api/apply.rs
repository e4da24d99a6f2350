//! `/api/v1/apply` and `/api/v1/import`: many streams at once, wholly or not at all, with a dry run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, block};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::Principal;
use super::body::{Body, body};
use super::etag::Condition;
use super::problem::{FieldError, Problem};
use super::query::{Param, Query};
use super::state::Node;
use super::stream_changes::{STREAMS_MAX, change_streams, refuse_without_memory, refused};
use crate::catalogue::Catalogue;
use crate::config::{ApiStreamSource, Loaded, keep_hidden};
use crate::desired::{ApiStreams, Change, Expect, admit_stream};
use crate::import::{self, List, ListFormat};

const DRY_RUN: Param =
    Param { name: "dry_run", doc: "true: say what would change, and change nothing. Default: false.", example: "true" };

/// What `apply` takes.
pub(super) const APPLY: &[Param] = &[DRY_RUN];

/// What `import` takes.
pub(super) const IMPORT: &[Param] =
    &[DRY_RUN, Param { name: "format", doc: "m3u, csv or json. Default: what it looks like.", example: "m3u" }];

/// Errors that are told at most.
const ERRORS_MAX: usize = 100;

/// The name of a stream and its settings.
type Named = (String, Map<String, Value>);

/// The body of `apply`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyBody {
    /// Streams with their names.
    streams: Vec<Map<String, Value>>,
    /// Whether streams of the API that are not named are removed.
    #[serde(default)]
    prune: bool,
}

/// What changes or would change, by names of streams.
#[derive(Debug, Default, Serialize)]
struct Applied {
    dry_run: bool,
    added: Vec<String>,
    changed: Vec<String>,
    unchanged: Vec<String>,
    removed: Vec<String>,
    /// Streams of a list that are left as they are, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    skipped: BTreeMap<String, String>,
    /// Columns of a list, or keys of its objects, that were not taken.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ignored: BTreeSet<String>,
}

pub(super) async fn apply(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let dry_run = dry_run(&request)?;
    let asked: ApplyBody = body(&request, &bytes)?;
    let streams = named(asked.streams)?;
    let (applied, changes) = plan(&node, streams, asked.prune, false).await?;
    finish(&request, &node, Applied { dry_run, ..applied }, changes).await
}

pub(super) async fn import(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let dry_run = dry_run(&request)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the list must be text in UTF-8"));
    };
    let format = match Query::of(&request).get("format") {
        Some(word) => word.parse::<ListFormat>().map_err(|error| Problem::bad_request(error.to_string()))?,
        None => import::guess(text),
    };
    let List { streams, ignored } = import::read(text, format)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the list cannot be read: {error}")))?;
    let streams = streams.into_iter().map(|stream| (stream.name, stream.settings)).collect();
    let (applied, changes) = plan(&node, streams, false, true).await?;
    finish(&request, &node, Applied { dry_run, ignored, ..applied }, changes).await
}

/// Streams with the names that they give themselves.
fn named(asked: Vec<Map<String, Value>>) -> Result<Vec<Named>, Problem> {
    let (mut streams, mut names, mut errors) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (place, mut settings) in asked.into_iter().enumerate() {
        match settings.remove("name") {
            Some(Value::String(name)) if names.insert(name.clone()) => streams.push((name, settings)),
            Some(Value::String(_)) => errors.push(error(place, "/name", "is named before already")),
            Some(_) => errors.push(error(place, "/name", "must be text")),
            None => errors.push(error(place, "/name", "is missing")),
        }
    }
    if errors.is_empty() { Ok(streams) } else { Err(wrong(errors)) }
}

/// Whether nothing is to be changed. An empty value is refused, unlike elsewhere: whoever writes `?dry_run` means it.
fn dry_run(request: &HttpRequest) -> Result<bool, Problem> {
    let query = Query::of(request);
    match query.parsed("dry_run", "true or false")? {
        Some(dry_run) => Ok(dry_run),
        None if query.names("dry_run") => Err(Problem::bad_request("'dry_run' must be true or false")),
        None => Ok(false),
    }
}

/// What has to change. A list of another program leaves out what cannot be watched or is there
/// already; a set of one's own is refused as a whole.
async fn plan(
    node: &Data<Node>,
    streams: Vec<Named>,
    prune: bool,
    is_list: bool,
) -> Result<(Applied, Vec<Change>), Problem> {
    let (desired, loaded, catalogue) = (node.desired.clone(), node.loaded.load_full(), node.catalogue.load_full());
    let planned = block(move || {
        let present = desired.streams().map_err(|error| refused(&error, Condition::None))?;
        let mut planning = Planning {
            loaded,
            catalogue,
            present,
            applied: Applied::default(),
            changes: Vec::new(),
            errors: Vec::new(),
        };
        for (place, (name, settings)) in streams.into_iter().enumerate() {
            planning.add(place, name, settings, is_list);
        }
        planning.finish(prune)
    });
    planned.await.map_err(|_| Problem::unavailable("there is no thread"))?
}

struct Planning {
    loaded: Arc<Loaded>,
    catalogue: Arc<Catalogue>,
    present: ApiStreams,
    applied: Applied,
    changes: Vec<Change>,
    errors: Vec<FieldError>,
}

impl Planning {
    fn add(&mut self, place: usize, name: String, mut settings: Map<String, Value>, is_list: bool) {
        let entry = self.catalogue.streams.get(&*name);
        let before = self.present.get(&*name);
        let is_of_files = self.catalogue.is_of_files(&name);
        if is_list && (is_of_files || entry.is_some() || before.is_some()) {
            self.applied.skipped.insert(name, "there is a stream of this name already".to_owned());
            return;
        }
        if is_of_files {
            self.errors.push(error(place, "/name", "comes from the configuration; change it there"));
            return;
        }
        if let Some(before) = before {
            let shown_url = entry.map(|entry| entry.plan.input.address.to_string());
            keep_hidden(&mut settings, &ApiStreamSource { settings: &before.settings, shown_url });
        }
        if let Err(faults) = admit_stream(&name, &settings, &self.loaded) {
            if is_list {
                let first = faults.first().map(|fault| format!("{} {}", fault.pointer, fault.detail));
                self.applied.skipped.insert(name, first.unwrap_or_default());
            } else {
                self.errors.extend(faults.iter().map(|fault| error(place, &fault.pointer, &fault.detail)));
            }
            return;
        }
        let (expect, list) = match before {
            Some(before) if before.settings == settings => return self.applied.unchanged.push(name),
            Some(before) => (Expect::Revision(before.revision), &mut self.applied.changed),
            None => (Expect::Absent, &mut self.applied.added),
        };
        list.push(name.clone());
        self.changes.push(Change::Put { name, json: Value::Object(settings).to_string(), expect });
    }

    fn finish(mut self, prune: bool) -> Result<(Applied, Vec<Change>), Problem> {
        if !self.errors.is_empty() {
            return Err(wrong(self.errors));
        }
        if prune {
            let applied = &mut self.applied;
            let named: BTreeSet<&str> = [&applied.added, &applied.changed, &applied.unchanged]
                .into_iter()
                .flatten()
                .map(|name| &**name)
                .collect();
            let gone: Vec<String> =
                self.present.keys().filter(|name| !named.contains(&***name)).map(|name| name.to_string()).collect();
            for name in &gone {
                let expect = Expect::Revision(self.present[&**name].revision);
                self.changes.push(Change::Remove { name: name.clone(), expect });
            }
            applied.removed = gone;
        }
        let more = self.applied.added.len();
        if (self.catalogue.streams.len() + more).saturating_sub(self.applied.removed.len()) > STREAMS_MAX {
            return Err(Problem::conflict(format!("that would be more than {STREAMS_MAX} streams")));
        }
        Ok((self.applied, self.changes))
    }
}

/// Makes the changes, unless it is a dry run.
async fn finish(
    request: &HttpRequest,
    node: &Data<Node>,
    applied: Applied,
    changes: Vec<Change>,
) -> Result<HttpResponse, Problem> {
    if !applied.dry_run && !changes.is_empty() {
        if !applied.added.is_empty() {
            refuse_without_memory(node)?;
        }
        change_streams(node, changes).await.map_err(|error| refused(&error, Condition::None))?;
        let user = Principal::of(request).name(None);
        tracing::info!(
            user,
            added = applied.added.len(),
            changed = applied.changed.len(),
            removed = applied.removed.len(),
            "streams were changed over the API"
        );
    }
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(applied))
}

fn error(place: usize, pointer: &str, detail: &str) -> FieldError {
    FieldError { pointer: format!("/streams/{place}{pointer}"), detail: detail.to_owned() }
}

fn wrong(mut errors: Vec<FieldError>) -> Problem {
    errors.truncate(ERRORS_MAX);
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing was changed: some streams are wrong").with_errors(errors)
}
