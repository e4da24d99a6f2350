//! `/api/v1/streams`: what is watched, and how it is.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::severity::Severity;
use serde::Serialize;

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use super::stream_changes;
use super::stream_view::{Readings, StreamView, find, readings, track_readings, view};
use crate::node_snapshot::StreamSnapshot;

/// Streams of a page when no number is asked for, and at most.
const LIMIT: usize = 1_000;
const LIMIT_MAX: usize = 10_000;

/// What `list` takes.
pub(super) const LIST: &[Param] = &[
    Param {
        name: "label",
        doc: "Streams with this label, as NAME=VALUE. Several are possible: all must hold.",
        example: "site=north",
    },
    Param { name: "state", doc: "Streams whose life stands here.", example: "live" },
    Param { name: "up", doc: "Streams of which frames arrive (true) or not (false).", example: "false" },
    Param { name: "severity", doc: "Streams with an open event of this severity or a higher one.", example: "major" },
    Param { name: "search", doc: "Streams with this text in name or title.", example: "lob" },
    Param { name: "cursor", doc: "next_cursor of the page before.", example: "" },
    Param {
        name: "meters",
        doc: "true also tells frame rate, bit rate, coverage and loudness of now.",
        example: "true",
    },
    Param { name: "limit", doc: "Streams on a page, 1 to 10000. Default: 1000.", example: "100" },
];

/// A page of streams.
#[derive(Serialize)]
struct Page {
    streams: Vec<Listed>,
    /// All streams that fit, whatever the page.
    total: usize,
    /// The number of the newest change when the page was made.
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A stream of a page.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    stream: StreamView,
    /// What is measured of it, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    meters: Option<Meters>,
}

#[derive(Serialize)]
struct Meters {
    #[serde(flatten)]
    readings: Readings,
    /// Of its first track of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    momentary_lufs: Option<f64>,
}

fn meters(now: &StreamSnapshot) -> Meters {
    let sound = now.tracks.iter().map(track_readings).find(|track| !track.loudness_lufs.is_empty());
    let momentary_lufs = sound.and_then(|track| track.loudness_lufs.get("momentary").copied());
    Meters { readings: readings(now), momentary_lufs }
}

/// Which streams are asked for.
struct Filter {
    labels: Vec<(String, String)>,
    state: Option<String>,
    up: Option<bool>,
    severity_min: Option<Severity>,
    search: Option<String>,
}

impl Filter {
    fn of(query: &Query) -> Result<Self, Problem> {
        let labels = query.all("label").map(|text| {
            let (name, value) =
                text.split_once('=').ok_or_else(|| Problem::bad_request("'label' must be NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        Ok(Self {
            labels: labels.collect::<Result<_, Problem>>()?,
            state: query.get("state").map(str::to_owned),
            up: query.parsed("up", "true or false")?,
            severity_min: query.parsed("severity", "info, warning, minor, major or critical")?,
            search: query.get("search").map(str::to_lowercase),
        })
    }

    fn fits(&self, stream: &StreamView) -> bool {
        let worst = || stream.open.keys().filter_map(|name| name.parse::<Severity>().ok()).max();
        self.labels.iter().all(|(name, value)| stream.labels.get(name) == Some(value))
            && self.state.as_deref().is_none_or(|state| state == stream.state)
            && self.up.is_none_or(|up| up == stream.up)
            && self.severity_min.is_none_or(|least| worst().is_some_and(|worst| worst >= least))
            && self.search.as_deref().is_none_or(|text| {
                stream.name.to_lowercase().contains(text) || stream.title.to_lowercase().contains(text)
            })
    }
}

pub(super) async fn list(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let filter = Filter::of(&query)?;
    let limit = query.limit(LIMIT, LIMIT_MAX)?;
    let sequence = node.desk.board.sequence();
    let (catalogue, snapshot) = (node.catalogue.load_full(), (node.snapshot)());
    let mut fitting: Vec<StreamView> = catalogue
        .streams
        .iter()
        .map(|(name, entry)| view(entry, find(&snapshot, name)))
        .filter(|stream| filter.fits(stream))
        .collect();
    let total = fitting.len();
    if let Some(cursor) = query.get("cursor") {
        fitting.retain(|stream| &*stream.name > cursor);
    }
    let next_cursor = (fitting.len() > limit).then(|| fitting[limit - 1].name.to_string());
    fitting.truncate(limit);
    let with_meters = query.parsed("meters", "true or false")?.unwrap_or(false);
    let meters_of = |name: &str| find(&snapshot, name).filter(|_| with_meters).map(meters);
    let streams = fitting.into_iter().map(|stream| Listed { meters: meters_of(&stream.name), stream }).collect();
    Ok(HttpResponse::Ok().json(Page { streams, total, sequence, next_cursor }))
}

pub(super) async fn one(node: Data<Node>, name: Path<String>) -> Result<HttpResponse, Problem> {
    stream_changes::one(&node, &name, StatusCode::OK)
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("there is no stream of this name")
}
