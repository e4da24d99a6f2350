//! `/api/v1/streams/{name}/history`: what a stream showed over time, from the journal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use super::streams::unknown;
use crate::config::Span;
use crate::journal::{JournalReader, Stretch};

/// What `history` takes.
pub(super) const QUERY: &[Param] = &[
    Param {
        name: "since",
        doc: "From this time on: RFC 3339, or a span such as 2h for that long ago. Default: 2h.",
        example: "24h",
    },
    Param { name: "until", doc: "Up to this time. Default: now.", example: "2026-11-28T18:00:00Z" },
    Param {
        name: "step",
        doc: "Length of a point, such as 10s. Default: what gives 720 points. An answer has 5000 at most.",
        example: "60s",
    },
];

/// How far back when nothing is said.
const SINCE: Duration = Duration::from_secs(2 * 3_600);

/// Points when no step is asked for.
const POINTS: u64 = 720;

#[derive(Serialize)]
struct History {
    /// In order of time; what is not known is left out, and so are the last 15 to 25 seconds.
    points: Vec<Stretch>,
}

pub(super) async fn history(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = name.into_inner();
    if !node.catalogue.load().streams.contains_key(name.as_str()) {
        return Err(unknown());
    }
    let query = Query::of(&request);
    let now = SystemTime::now();
    let since = unix(query.moment("since")?.unwrap_or(now - SINCE));
    let until = unix(query.moment("until")?.unwrap_or(now));
    if until <= since {
        return Err(Problem::bad_request("'until' must be after 'since'"));
    }
    let step = match query.parsed::<Span>("step", "a span such as 10s")? {
        Some(Span(step)) => u32::try_from(step.as_secs()).unwrap_or(u32::MAX).max(1),
        None => u32::try_from((until - since).div_ceil(POINTS)).unwrap_or(u32::MAX).max(1),
    };
    let reader = JournalReader::new(node.data_dir(), node.loaded.load().plan.journal);
    match block(move || reader.history(&name, since, until, step)).await {
        Ok(Ok(points)) => Ok(HttpResponse::Ok().json(History { points })),
        Ok(Err(error)) => {
            tracing::warn!(fault = %error, "the journal could not be read for the API");
            Err(Problem::unavailable("the past cannot be read now"))
        }
        Err(_) => Err(Problem::unavailable("there is no thread to read the journal")),
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
