//! `/api/v1/incidents`: stored incidents, open and ended.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::incident::Incident;
use serde::Serialize;

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use crate::sinks::store::{IncidentFilter, PAGE_ROWS_MAX};

/// Rows of a page when none are asked for.
const LIMIT: usize = 100;

/// What `list` takes.
pub(super) const LIST: &[Param] = &[
    Param { name: "state", doc: "open or ended. Default: both.", example: "open" },
    Param {
        name: "since",
        doc: "Incidents still open, or changed at or after this time: RFC 3339, or a span such as 1h.",
        example: "24h",
    },
    Param {
        name: "until",
        doc: "Incidents that began before this time: RFC 3339, or a span such as 1h.",
        example: "2026-11-28T18:00:00Z",
    },
    Param { name: "cursor", doc: "next_cursor of the page before.", example: "" },
    Param { name: "limit", doc: "Incidents on a page, 1 to 1000. Default: 100.", example: "50" },
];

/// A page of incidents, each with at most 100 of its events listed.
#[derive(Serialize)]
struct Page {
    incidents: Vec<Incident>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(super) async fn list(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let open = match query.get("state") {
        None => None,
        Some("open") => Some(true),
        Some("ended") => Some(false),
        Some(_) => return Err(Problem::bad_request("'state' must be open or ended")),
    };
    let filter = IncidentFilter { open, since: query.moment("since")?, until: query.moment("until")? };
    let limit = query.limit(LIMIT, PAGE_ROWS_MAX)?;
    let cursor = query.parsed::<uuid::Uuid>("cursor", "the next_cursor of the page before")?.map(|id| id.to_string());
    let page = node.read(move |reader| reader.incidents(&filter, cursor.as_deref(), limit)).await?;
    Ok(HttpResponse::Ok().json(Page { incidents: page.incidents, next_cursor: page.next_cursor }))
}

pub(super) async fn one(node: Data<Node>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    match node.read(move |reader| reader.incident(&id)).await? {
        Some(incident) => Ok(HttpResponse::Ok().json(incident)),
        None => Err(Problem::not_found("there is no incident of this id")),
    }
}
