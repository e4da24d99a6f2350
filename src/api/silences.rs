//! `/api/v1/silences` and `/api/v1/maintenance`: what shall page nobody for a while.
//!
//! Two resources over one kind of object. A change is stored, then handed to the event desk, and
//! answered once the events that it marks are in the store.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use actix_web::http::header;
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::event::Wall;
use avwatch_actors::event_desk::DeskMessage;
use avwatch_actors::silence::{Matchers, SILENCES_MAX, Silence, SilenceKind};
use avwatch_actors::track::TrackId;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::access::Principal;
use super::body::{Body, body};
use super::events::{ask_desk, author};
use super::problem::{FieldError, Problem};
use super::state::Node;
use super::stream_changes::refused;
use crate::config::Span;
use crate::desired::{Change, DesiredError, Expect, Kind};

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// Longest pattern or label, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// Most labels of one silence.
const LABELS_MAX: usize = 32;

/// A silence as it is shown.
#[derive(Serialize)]
struct SilenceView<'a> {
    #[serde(flatten)]
    silence: &'a Silence,
    /// Whether it is in force now; else it is planned.
    active: bool,
    /// Open events that it holds back now.
    events: usize,
}

/// The body of `add`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceBody {
    matchers: MatchersBody,
    /// RFC 3339, or a span from its beginning on.
    until: String,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    author: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchersBody {
    #[serde(default)]
    stream: Option<String>,
    #[serde(default, alias = "label")]
    labels: Labels,
    #[serde(default)]
    detector: Option<String>,
    #[serde(default)]
    track: Option<String>,
}

/// Names and values of labels. Who writes `a=b`, as in other programs, is told how they are written here.
#[derive(Debug, Default)]
struct Labels(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Labels {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and values, such as {\"site\": \"north\"}")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((name, value)) = map.next_entry()? {
            self.0.insert(name, value);
        }
        Ok(self)
    }
}

pub(super) async fn list_silences(node: Data<Node>) -> Result<HttpResponse, Problem> {
    list(&node, SilenceKind::Silence, "silences").await
}

pub(super) async fn list_maintenance(node: Data<Node>) -> Result<HttpResponse, Problem> {
    list(&node, SilenceKind::Maintenance, "maintenance").await
}

pub(super) async fn add_silence(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    add(&request, &node, SilenceKind::Silence, &bytes).await
}

pub(super) async fn add_maintenance(
    request: HttpRequest,
    node: Data<Node>,
    bytes: Body,
) -> Result<HttpResponse, Problem> {
    add(&request, &node, SilenceKind::Maintenance, &bytes).await
}

pub(super) async fn end_silence(
    request: HttpRequest,
    node: Data<Node>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    end(&request, &node, SilenceKind::Silence, id.into_inner()).await
}

pub(super) async fn end_maintenance(
    request: HttpRequest,
    node: Data<Node>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    end(&request, &node, SilenceKind::Maintenance, id.into_inner()).await
}

async fn list(node: &Data<Node>, kind: SilenceKind, key: &'static str) -> Result<HttpResponse, Problem> {
    let all = stored(node).await?;
    let open = node.desk.board.open();
    let now = Wall(SystemTime::now());
    let views = all.iter().filter(|silence| silence.kind == kind).map(|silence| {
        let mark = silence.mark();
        let events = open.iter().filter(|event| event.suppressed_by.as_ref() == Some(&mark)).count();
        SilenceView { silence, active: silence.is_active(now), events }
    });
    Ok(HttpResponse::Ok().json(BTreeMap::from([(key, views.collect::<Vec<_>>())])))
}

async fn add(
    request: &HttpRequest,
    node: &Data<Node>,
    kind: SilenceKind,
    bytes: &[u8],
) -> Result<HttpResponse, Problem> {
    let asked: SilenceBody = body(request, bytes)?;
    let author = author(request, asked.author.as_deref())?;
    let silence = checked(asked, kind, author)?;
    let json = serde_json::to_string(&silence).map_err(|_| Problem::bad_request("it cannot be written"))?;
    let change = Change::Put { name: silence.id.clone(), json, expect: Expect::Absent };
    let events = change_silences(node, Asked::Add(change)).await?;
    let (id, user) = (&silence.id, Principal::of(request).name(None));
    tracing::info!(user, id, "{} added over the API: {}", kind.name(), silence.reason);
    let place = match kind {
        SilenceKind::Silence => format!("/api/v1/silences/{id}"),
        SilenceKind::Maintenance => format!("/api/v1/maintenance/{id}"),
    };
    let active = silence.is_active(Wall(SystemTime::now()));
    let view = SilenceView { silence: &silence, active, events };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(view))
}

async fn end(request: &HttpRequest, node: &Data<Node>, kind: SilenceKind, id: String) -> Result<HttpResponse, Problem> {
    let missing = || Problem::not_found(format!("there is no {} of this id", kind.name()));
    let found = stored(node).await?.into_iter().find(|silence| silence.id == id && silence.kind == kind);
    let silence = found.ok_or_else(missing)?;
    let user = Principal::of(request).name(None);
    change_silences(node, Asked::End(silence)).await?;
    tracing::info!(user, id, "{} ended over the API", kind.name());
    Ok(HttpResponse::NoContent().finish())
}

async fn stored(node: &Data<Node>) -> Result<Vec<Silence>, Problem> {
    let desired = node.desired.clone();
    let silences = block(move || desired.silences()).await.map_err(|_| Problem::unavailable("there is no thread"))?;
    silences.map_err(|error| refused(&error, super::etag::Condition::None))
}

/// A change of the silences.
enum Asked {
    Add(Change),
    End(Silence),
}

/// Stores a change and has the desk take the whole set over; gives the number of events that changed.
async fn change_silences(node: &Data<Node>, asked: Asked) -> Result<usize, Problem> {
    let _changing = node.changing.lock().await;
    let desired = node.desired.clone();
    let all = block(move || -> Result<Option<Vec<Silence>>, DesiredError> {
        match asked {
            Asked::Add(_) if desired.silences()?.len() >= SILENCES_MAX => return Ok(None),
            Asked::Add(change) => desired.apply(Kind::Silence, &[change]).map(|_| ())?,
            Asked::End(silence) => desired.end_silence(silence)?,
        }
        desired.silences().map(Some)
    });
    let all = all.await.map_err(|_| Problem::unavailable("there is no thread"))?;
    let all = all.map_err(|error| refused(&error, super::etag::Condition::None))?;
    let all = all.ok_or_else(|| Problem::conflict(format!("there are {SILENCES_MAX} silences already")))?;
    ask_desk(node, |answer| DeskMessage::Silence(all, answer)).await
}

fn checked(asked: SilenceBody, kind: SilenceKind, author: String) -> Result<Silence, Problem> {
    let created_at = Wall(SystemTime::now());
    let starts_at = match asked.starts_at.as_deref() {
        Some(text) => moment(text, created_at, "/starts_at")?,
        None => created_at,
    };
    let until = moment(&asked.until, starts_at, "/until")?;
    if until <= starts_at || until <= created_at {
        return Err(Problem::wrong_field("/until", "must lie in the future and after 'starts_at'"));
    }
    if asked.reason.len() > REASON_BYTES_MAX || asked.reason.chars().any(char::is_control) {
        let why = format!("must have at most {REASON_BYTES_MAX} bytes and no control characters");
        return Err(Problem::wrong_field("/reason", why));
    }
    let matchers = matchers(asked.matchers)?;
    let id = Uuid::now_v7().to_string();
    Ok(Silence { id, kind, matchers, starts_at, until, reason: asked.reason, author, created_at })
}

fn matchers(asked: MatchersBody) -> Result<Matchers, Problem> {
    let fits = |text: &String| !text.is_empty() && text.len() <= PATTERN_BYTES_MAX;
    let labels = asked.labels.0;
    let labels_fit = labels.iter().all(|(name, value)| fits(name) && value.len() <= PATTERN_BYTES_MAX);
    let track = asked.track.map(|track| track.parse::<TrackId>()).transpose();
    let bytes = format!("must have 1 to {PATTERN_BYTES_MAX} bytes");
    let checks = [
        ("/matchers/stream", asked.stream.as_ref().is_none_or(fits), &*bytes),
        ("/matchers/detector", asked.detector.as_ref().is_none_or(fits), &*bytes),
        ("/matchers/labels", labels_fit, &*format!("must have names and values of at most {PATTERN_BYTES_MAX} bytes")),
        ("/matchers/labels", labels.len() <= LABELS_MAX, &*format!("must be at most {LABELS_MAX}")),
        ("/matchers/track", track.is_ok(), "must be video:N, audio:N, subtitle:N, data:N or input"),
    ];
    let wrong = checks.into_iter().filter(|(_, is_good, _)| !is_good);
    let wrong = wrong.map(|(pointer, _, why)| FieldError { pointer: pointer.to_owned(), detail: why.to_owned() });
    let wrong: Vec<FieldError> = wrong.collect();
    if !wrong.is_empty() {
        return Err(Problem::wrong_fields(wrong));
    }
    let track = track.ok().flatten();
    let matchers = Matchers { stream: asked.stream, labels, detector: asked.detector, track };
    if matchers.is_empty() {
        let why = "must have stream, labels, detector or track; {\"stream\": \"*\"} means everything";
        return Err(Problem::wrong_field("/matchers", why));
    }
    Ok(matchers)
}

/// RFC 3339, or a span after `from`.
fn moment(text: &str, from: Wall, pointer: &str) -> Result<Wall, Problem> {
    let wrong = || Problem::wrong_field(pointer, "must be a time such as 2026-11-28T18:00:00Z, or a span such as 2h");
    if let Ok(Span(span)) = text.parse() {
        return from.0.checked_add(span).map(Wall).ok_or_else(wrong);
    }
    let moment: SystemTime = text.parse::<jiff::Timestamp>().map_err(|_| wrong())?.into();
    // Kept and shown in milliseconds and whole years of four digits.
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| wrong())?;
    if since.as_secs() > 253_000_000_000 {
        return Err(wrong());
    }
    Ok(Wall(moment))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn told(matchers: &str) -> Result<BTreeMap<String, String>, String> {
        let request =
            TestRequest::default().insert_header((header::CONTENT_TYPE, "application/json")).to_http_request();
        let text = format!("{{\"until\": \"1h\", \"matchers\": {matchers}}}");
        let read = body::<SilenceBody>(&request, text.as_bytes());
        read.map(|read| read.matchers.labels.0).map_err(|problem| problem.to_string())
    }

    #[test]
    fn labels_written_as_in_other_programs_are_refused_with_how_they_are_written_here() {
        for key in ["label", "labels"] {
            for value in ["\"site=north\"", "[\"site=north\"]", "[{\"name\": \"site\", \"value\": \"north\"}]"] {
                let why = told(&format!("{{\"{key}\": {value}}}")).expect_err("it is wrong");
                let how = format!(
                    "'matchers/{key}' must be an object of names and values, such as {{\"site\": \"north\"}}, at"
                );
                assert!(why.contains(&how), "{why}");
            }
            let good = told(&format!("{{\"{key}\": {{\"site\": \"north\"}}}}"));
            assert_eq!(good, Ok([("site".to_owned(), "north".to_owned())].into()));
        }
        assert!(
            told("{\"labels\": {\"site\": 1}}")
                .is_err_and(|why| why.contains("'matchers/labels/site' must be a text, at"))
        );
    }
}
