//! `POST /-/reload`: reads the configuration again.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use tokio::sync::oneshot;

use super::access::Principal;
use super::problem::Problem;
use super::state::Node;
use crate::service::ServiceCommand;

/// How long reading and taking over may take.
const RELOAD_WITHIN: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Reloaded {
    changes: String,
}

pub(super) async fn reload(request: HttpRequest, node: Data<Node>) -> Result<HttpResponse, Problem> {
    tracing::info!(user = Principal::of(&request).name(None), "a reload was asked for over the API");
    let (done, answer) = oneshot::channel();
    if node.commands.try_send(ServiceCommand::Reload(done)).is_err() {
        return Err(Problem::unavailable("too many commands wait for the service"));
    }
    match tokio::time::timeout(RELOAD_WITHIN, answer).await {
        Ok(Ok(Ok(changes))) => Ok(HttpResponse::Ok().json(Reloaded { changes })),
        // The errors name files, lines and keys, never values.
        Ok(Ok(Err(why))) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why)),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable("the service did not answer in time; it may still reload")),
    }
}
