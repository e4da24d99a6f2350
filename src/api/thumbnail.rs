//! `/api/v1/streams/{name}/thumbnail`: the newest small picture of a stream, with the time it was taken.
//!
//! Answered from memory. A picture that is old is still the newest one: `Last-Modified` says how old.

use actix_web::http::header::{self, HttpDate};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::etag;
use super::problem::Problem;
use super::state::Node;
use super::streams::unknown;

pub(super) async fn thumbnail(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    if !node.catalogue.load().streams.contains_key(name.as_str()) {
        return Err(unknown());
    }
    let newest = node.live.stream(&name).and_then(|live| live.thumbnail());
    let newest = newest.ok_or_else(|| Problem::not_found("there is no picture of this stream yet"))?;
    let since = newest.taken.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{}\"", since.as_millis());
    let is_known = etag::has(&request, &tag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::ETAG, tag)).insert_header(header::LastModified(HttpDate::from(newest.taken)));
    if is_known {
        return Ok(answer.finish());
    }
    Ok(answer.content_type("image/jpeg").body(newest.jpeg.to_vec()))
}
