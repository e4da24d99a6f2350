//! `/api/v1/events`: stored events, and what people do to open ones.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::alarm_model::acts::{Act, ActRequest, Refusal};
use avwatch_actors::event::{Event, EventState, Wall};
use avwatch_actors::event_desk::DeskMessage;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::access::Principal;
use super::body::{Body, body};
use super::etag::{Condition, changed, etag};
use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use crate::config::{Span, nearest};
use crate::detectors::all_words;
use crate::sinks::state_name;
use crate::sinks::store::{EventFilter, PAGE_ROWS_MAX, StateFilter};

/// Rows of a page when none are asked for.
const LIMIT: usize = 100;

/// How long to wait for the desk. The desk itself waits 2 s for the store at most.
const DESK_WITHIN: Duration = Duration::from_secs(4);

/// Longest remark, in bytes.
const COMMENT_BYTES_MAX: usize = 2_000;

/// Longest name of a person, in bytes.
pub(super) const AUTHOR_BYTES_MAX: usize = 128;

const STATES: [EventState; 5] =
    [EventState::Raised, EventState::Escalated, EventState::Acked, EventState::Suppressed, EventState::Ended];

/// What `list` takes.
pub(super) const LIST: &[Param] = &[
    Param { name: "stream", doc: "Events of this stream.", example: "lobby" },
    Param { name: "detector", doc: "Events of this detector; a name that none has is refused.", example: "black" },
    Param { name: "track", doc: "Events of this track.", example: "video:0" },
    Param { name: "severity", doc: "Events of this severity or a higher one.", example: "major" },
    Param {
        name: "state",
        doc: "open (every state but ended), raised, escalated, acked, suppressed or ended.",
        example: "open",
    },
    Param {
        name: "label",
        doc: "Events with this label, as NAME=VALUE. Several are possible: all must hold.",
        example: "site=north",
    },
    Param {
        name: "since",
        doc: "Events still open, or changed at or after this time: RFC 3339, or a span such as 1h.",
        example: "24h",
    },
    Param {
        name: "until",
        doc: "Events that began before this time: RFC 3339, or a span such as 1h.",
        example: "2026-11-28T18:00:00Z",
    },
    Param { name: "incident", doc: "Events that the incident of this id lists.", example: "" },
    Param { name: "cursor", doc: "next_cursor of the page before.", example: "" },
    Param { name: "limit", doc: "Events on a page, 1 to 1000. Default: 100.", example: "50" },
];

/// A page of events.
#[derive(Serialize)]
struct Page {
    events: Vec<Event>,
    /// The number of the newest change when the page was read: a live feed from there misses nothing.
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(super) async fn list(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let filter = filter(&query)?;
    let limit = query.limit(LIMIT, PAGE_ROWS_MAX)?;
    let cursor = query.parsed::<uuid::Uuid>("cursor", "the next_cursor of the page before")?.map(|id| id.to_string());
    // Before the page is read: what changes meanwhile comes again, and nothing is missed.
    let sequence = node.desk.board.sequence();
    let page = node.read(move |reader| reader.events(&filter, cursor.as_deref(), limit)).await?;
    Ok(HttpResponse::Ok().json(Page { events: page.events, sequence, next_cursor: page.next_cursor }))
}

pub(super) async fn one(node: Data<Node>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    match node.read(move |reader| reader.event(&id)).await? {
        Some(event) => Ok(tagged(&event)),
        None => Err(unknown()),
    }
}

/// An event with its tag, which names its last change.
fn tagged(event: &Event) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag(event.sequence))).json(event)
}

/// Most changes of one event that are told.
const CHANGES_MAX: usize = 500;

/// What became of an event.
#[derive(Serialize)]
struct Changes {
    /// Oldest first; the first [`CHANGES_MAX`] of them.
    changes: Vec<Event>,
}

pub(super) async fn changes(node: Data<Node>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let changes = node.read(move |reader| reader.changes_of(&id, CHANGES_MAX)).await?;
    if changes.is_empty() { Err(unknown()) } else { Ok(HttpResponse::Ok().json(Changes { changes })) }
}

/// Labels that one query may name: each is looked for in every event.
const LABELS_MAX: usize = 16;

/// What the filter of a query asks for.
fn filter(query: &Query) -> Result<EventFilter, Problem> {
    if query.all("label").count() > LABELS_MAX {
        return Err(Problem::bad_request(format!("at most {LABELS_MAX} labels can be asked for")));
    }
    let labels = query.all("label").map(|text| {
        let (name, value) = text.split_once('=').ok_or_else(|| Problem::bad_request("'label' must be NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    Ok(EventFilter {
        stream: query.get("stream").map(str::to_owned),
        detector: query.get("detector").map(detector).transpose()?,
        track: query.parsed("track", "video:N, audio:N, subtitle:N, data:N or input")?,
        severity_min: query.parsed("severity", "info, warning, minor, major or critical")?,
        state: query.get("state").map(state).transpose()?,
        labels: labels.collect::<Result<_, Problem>>()?,
        since: query.moment("since")?,
        until: query.moment("until")?,
        incident: query.get("incident").map(str::to_owned),
    })
}

/// A mistyped detector would have no events, which reads as if all were well.
fn detector(word: &str) -> Result<String, Problem> {
    if all_words().any(|known| known == word) {
        return Ok(word.to_owned());
    }
    let hint = match nearest(word, all_words()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => "'avwatch detectors' lists them".to_owned(),
    };
    let why =
        format!("'detector' must be the name of a detector, such as black, freeze, silence or input_down; {hint}");
    Err(Problem::bad_request(why))
}

fn state(word: &str) -> Result<StateFilter, Problem> {
    if word == "open" {
        return Ok(StateFilter::Open);
    }
    STATES
        .into_iter()
        .find(|state| state_name(*state) == word)
        .map(StateFilter::Is)
        .ok_or_else(|| Problem::bad_request("'state' must be open, raised, escalated, acked, suppressed or ended"))
}

/// The body of `ack`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AckBody {
    /// Who, where no proxy vouches for a name.
    author: Option<String>,
    /// A remark.
    comment: Option<String>,
    /// Give it back by itself after this time.
    snooze: Option<Span>,
}

/// The body of `unack`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UnackBody {
    author: Option<String>,
}

/// The body of `comment`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommentBody {
    comment: String,
    #[serde(default)]
    author: Option<String>,
}

pub(super) async fn ack(
    request: HttpRequest,
    node: Data<Node>,
    id: Path<String>,
    bytes: Body,
) -> Result<HttpResponse, Problem> {
    let asked: AckBody = body(&request, &bytes)?;
    let by = author(&request, asked.author.as_deref())?;
    let comment = asked.comment.map(remark).transpose()?;
    let until = asked.snooze.and_then(|Span(time)| SystemTime::now().checked_add(time)).map(Wall);
    act(&request, &node, id.into_inner(), Act::Ack { by: by.clone(), comment, until }, &by).await
}

pub(super) async fn unack(
    request: HttpRequest,
    node: Data<Node>,
    id: Path<String>,
    bytes: Body,
) -> Result<HttpResponse, Problem> {
    let asked: UnackBody = body(&request, &bytes)?;
    let by = author(&request, asked.author.as_deref())?;
    act(&request, &node, id.into_inner(), Act::Unack, &by).await
}

pub(super) async fn comment(
    request: HttpRequest,
    node: Data<Node>,
    id: Path<String>,
    bytes: Body,
) -> Result<HttpResponse, Problem> {
    let asked: CommentBody = body(&request, &bytes)?;
    let by = author(&request, asked.author.as_deref())?;
    act(&request, &node, id.into_inner(), Act::Comment(remark(asked.comment)?), &by).await
}

/// The name of whoever asks.
pub(super) fn author(request: &HttpRequest, given: Option<&str>) -> Result<String, Problem> {
    let given = given.map(str::trim).filter(|name| !name.is_empty());
    if given.is_some_and(|name| name.len() > AUTHOR_BYTES_MAX || name.chars().any(char::is_control)) {
        let why = format!("must have at most {AUTHOR_BYTES_MAX} bytes and no control characters");
        return Err(Problem::wrong_field("/author", why));
    }
    Ok(Principal::of(request).name(given))
}

fn remark(text: String) -> Result<String, Problem> {
    let is_strange = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if text.trim().is_empty() || text.len() > COMMENT_BYTES_MAX || text.chars().any(is_strange) {
        let why = format!("must have 1 to {COMMENT_BYTES_MAX} bytes and no control characters");
        return Err(Problem::wrong_field("/comment", why));
    }
    Ok(text)
}

/// Has the desk act on an event, and answers with the event as it stands then.
async fn act(
    request: &HttpRequest,
    node: &Data<Node>,
    id: String,
    act: Act,
    by: &str,
) -> Result<HttpResponse, Problem> {
    let mut stored = ended(node, &id).await?;
    let mut remarking = None;
    if stored.is_some() {
        // The desk keeps nothing of what has ended: of two remarks the second must find the first in the store.
        let turn = tokio::time::timeout(DESK_WITHIN, node.remarking.lock()).await;
        remarking = Some(turn.map_err(|_| Problem::unavailable("too many remarks wait; nothing was done"))?);
        stored = ended(node, &id).await?;
    }
    let what = match &act {
        Act::Ack { .. } => "acknowledged",
        Act::Unack => "gave back",
        Act::Comment(_) => "remarked on",
    };
    let asked = ActRequest { id, act, ended: stored, seen: Condition::of(request).seen() };
    let event = ask_desk(node, |answer| DeskMessage::Act(Box::new(asked), answer)).await;
    drop(remarking);
    let event: Arc<Event> = event?.map_err(|refusal| match refusal {
        Refusal::Unknown => unknown(),
        Refusal::Ended => Problem::conflict("the event has ended; only remarks are possible"),
        Refusal::Changed => changed(),
    })?;
    tracing::info!(user = by, event_id = event.id, "a user {what} an event");
    Ok(tagged(&event))
}

/// The event of that id as it is stored, if it has ended.
async fn ended(node: &Data<Node>, id: &str) -> Result<Option<Event>, Problem> {
    let wanted = id.to_owned();
    let stored = node.read(move |reader| reader.event(&wanted)).await?;
    Ok(stored.filter(|event| !event.is_open()))
}

/// Asks the desk and waits for its answer, not for ever.
pub(super) async fn ask_desk<T>(
    node: &Node,
    message: impl FnOnce(oneshot::Sender<T>) -> DeskMessage,
) -> Result<T, Problem> {
    let (answer, answered) = oneshot::channel();
    if node.desk.events.try_send(message(answer)).is_err() {
        return Err(Problem::unavailable("too many changes wait to be judged; nothing was done"));
    }
    match tokio::time::timeout(DESK_WITHIN, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable("the event desk did not answer in time; it may still do it")),
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no event of this id")
}
