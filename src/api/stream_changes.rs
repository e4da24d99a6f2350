//! Adding, changing and removing streams over the API.
//!
//! A change is checked, stored and then handed to the service, one after the other; it is answered when
//! the service has taken it over, which waits for no stream.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::access::Principal;
use super::body::{Body, body};
use super::etag::{Condition, changed, etag};
use super::problem::{FieldError, Problem};
use super::state::Node;
use super::stream_view::detail;
use super::streams::unknown;
use crate::config::{ApiStreamSource, Fault, keep_hidden};
use crate::desired::{Change, DesiredError, Expect, Kind, admit_stream};
use crate::service::ServiceCommand;

/// How long the service may take to take a change over.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// Most streams of a node, those of files included.
pub(super) const STREAMS_MAX: usize = 10_000;

pub(super) async fn add(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let mut settings: Map<String, Value> = body(&request, &bytes)?;
    let Some(Value::String(name)) = settings.remove("name") else {
        let error = FieldError { pointer: "/name".to_owned(), detail: "is missing".to_owned() };
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the stream has no name").with_errors(vec![error]));
    };
    let change = put(&node, &name, settings, Expect::Absent)?;
    change_streams(&node, vec![change]).await.map_err(|error| refused(&error, Condition::None))?;
    note(&request, "added", &name);
    taken(&node, &name, StatusCode::CREATED)
}

pub(super) async fn replace(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
    bytes: Body,
) -> Result<HttpResponse, Problem> {
    let condition = Condition::of(&request);
    let mut settings: Map<String, Value> = body(&request, &bytes)?;
    let name = name.into_inner();
    let before = stored(&node, &name).await?;
    if let Some(before) = &before {
        let shown_url = node.catalogue.load().streams.get(&*name).map(|entry| entry.plan.input.address.to_string());
        keep_hidden(&mut settings, &ApiStreamSource { settings: before, shown_url });
    }
    let change = put(&node, &name, settings, condition.expect(Expect::Anything))?;
    change_streams(&node, vec![change]).await.map_err(|error| refused(&error, condition))?;
    note(&request, if before.is_some() { "changed" } else { "added" }, &name);
    taken(&node, &name, if before.is_some() { StatusCode::OK } else { StatusCode::CREATED })
}

pub(super) async fn remove(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let condition = Condition::of(&request);
    let name = name.into_inner();
    refuse_file_stream(&node, &name)?;
    let change = Change::Remove { name: name.clone(), expect: condition.expect(Expect::Present) };
    change_streams(&node, vec![change]).await.map_err(|error| refused(&error, condition))?;
    note(&request, "removed", &name);
    Ok(HttpResponse::NoContent().finish())
}

/// The change that adds or replaces a stream, checked.
fn put(node: &Node, name: &str, settings: Map<String, Value>, expect: Expect) -> Result<Change, Problem> {
    refuse_file_stream(node, name)?;
    let catalogue = node.catalogue.load();
    if catalogue.streams.len() >= STREAMS_MAX && !catalogue.streams.contains_key(name) {
        return Err(Problem::conflict(format!("there are {STREAMS_MAX} streams already")));
    }
    if !catalogue.streams.contains_key(name) {
        refuse_without_memory(node)?;
    }
    admit_stream(name, &settings, &node.loaded.load()).map_err(|faults| invalid(&faults))?;
    Ok(Change::Put { name: name.to_owned(), json: Value::Object(settings).to_string(), expect })
}

/// What is wrong with a stream's settings.
fn invalid(faults: &[Fault]) -> Problem {
    let errors = faults
        .iter()
        .take(100)
        .map(|fault| FieldError { pointer: fault.pointer.clone(), detail: fault.detail.clone() });
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the stream's settings are wrong").with_errors(errors.collect())
}

/// Nothing is taken on while memory is short.
pub(super) fn refuse_without_memory(node: &Node) -> Result<(), Problem> {
    if node.health.pressure().refuses() {
        return Err(Problem::unavailable(
            "the process takes too much of the memory that it may (limits.memory) to take on a stream: nothing was added",
        ));
    }
    Ok(())
}

pub(super) fn refuse_file_stream(node: &Node, name: &str) -> Result<(), Problem> {
    let catalogue = node.catalogue.load();
    if catalogue.share.elsewhere.contains(name) {
        return Err(Problem::conflict(
            "the stream comes from the configuration and is another clone's; change it there",
        ));
    }
    if catalogue.is_of_files(name) {
        return Err(Problem::conflict("the stream comes from the configuration; change it there"));
    }
    Ok(())
}

/// The settings of a stream of the API as they are stored.
async fn stored(node: &Data<Node>, name: &str) -> Result<Option<Map<String, Value>>, Problem> {
    let (desired, name) = (node.desired.clone(), name.to_owned());
    let streams = block(move || desired.streams()).await.map_err(|_| Problem::unavailable("there is no thread"))?;
    let mut streams = streams.map_err(|error| refused(&error, Condition::None))?;
    Ok(streams.remove(&*name).map(|stream| stream.settings))
}

/// Stores changes and has the service take them over.
pub(super) async fn change_streams(node: &Data<Node>, changes: Vec<Change>) -> Result<(), DesiredError> {
    // One after the other: the service gets the sets in the order in which they were stored.
    let _changing = node.changing.lock().await;
    let desired = node.desired.clone();
    let streams = block(move || {
        desired.apply(Kind::Stream, &changes)?;
        desired.streams()
    });
    let streams = streams.await.map_err(|_| DesiredError::File(std::io::Error::other("there is no thread")))??;
    let (done, taken) = oneshot::channel();
    if node.commands.send(ServiceCommand::Streams(streams, done)).await.is_err()
        || tokio::time::timeout(TAKEN_WITHIN, taken).await.is_err()
    {
        tracing::error!("a change of the streams is stored but was not taken over in time");
    }
    Ok(())
}

/// What stood in the way of a change.
pub(super) fn refused(error: &DesiredError, condition: Condition) -> Problem {
    match (error, condition) {
        (DesiredError::Changed, _) => changed(),
        (DesiredError::Missing, Condition::Match(_) | Condition::Exists) => {
            Problem::new(StatusCode::PRECONDITION_FAILED, "there is none of this name any more")
        }
        (DesiredError::Exists, Condition::Absent) => {
            Problem::new(StatusCode::PRECONDITION_FAILED, "there is one of this name already")
        }
        (DesiredError::Missing, _) => unknown(),
        (DesiredError::Exists, _) => Problem::conflict("there is one of this name already"),
        (DesiredError::TooLarge, _) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        (DesiredError::File(_) | DesiredError::Database(_), _) => {
            tracing::error!(fault = %error, "a change over the API could not be stored");
            Problem::unavailable("the change could not be stored; nothing was changed")
        }
    }
}

/// The stream as it was changed; what is stored and not taken over yet is not unknown.
fn taken(node: &Node, name: &str, status: StatusCode) -> Result<HttpResponse, Problem> {
    if !node.catalogue.load().streams.contains_key(name) {
        let why = "the stream is stored; the service is busy and watches it as soon as it can: read it again then";
        return Err(Problem::unavailable(why));
    }
    one(node, name, status)
}

/// The stream as it stands now, with its tag.
pub(super) fn one(node: &Node, name: &str, status: StatusCode) -> Result<HttpResponse, Problem> {
    let catalogue = node.catalogue.load();
    let stream = detail(&catalogue, &(node.snapshot)(), name).ok_or_else(unknown)?;
    let mut answer = HttpResponse::build(status);
    if let Some(revision) = catalogue.streams.get(name).and_then(|entry| entry.revision) {
        answer.insert_header((header::ETAG, etag(revision)));
    }
    if status == StatusCode::CREATED {
        answer.insert_header((header::LOCATION, format!("/api/v1/streams/{name}")));
    }
    Ok(answer.json(stream))
}

/// Notes in the log who changed what.
pub(super) fn note(request: &HttpRequest, what: &str, name: &str) {
    let user = Principal::of(request).name(None);
    let name: Arc<str> = name.into();
    tracing::info!(user, stream = &*name, "a stream was {what} over the API");
}
