//! Health: whether the service lives and is ready, independent of its streams' health.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use super::state::Node;

pub(super) async fn live(node: Data<Node>) -> HttpResponse {
    answer(node.health.is_live())
}

pub(super) async fn ready(node: Data<Node>) -> HttpResponse {
    answer(node.health.is_ready())
}

/// Ok or not, and nothing else: no token is asked for here.
fn answer(good: bool) -> HttpResponse {
    let (status, body) = if good { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ok\n") };
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(body)
}
