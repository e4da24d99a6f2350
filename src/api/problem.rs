//! Errors as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// The body of an error. `type` is absent, which by the RFC means that the title says it all.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

/// An error answer. `detail` is for people and holds nothing from the request.
pub(super) fn problem(status: StatusCode, detail: Option<&str>) -> HttpResponse {
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = Problem { title, status: status.as_u16(), detail };
    let body = serde_json::to_string(&problem).expect("a number and plain texts always serialise");
    HttpResponseBuilder::new(status).content_type("application/problem+json").body(body)
}
