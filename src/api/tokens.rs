//! `/api/v1/tokens`: who may do what. A token is shown once, when it is made; kept is its hash.

use std::sync::Arc;
use std::time::SystemTime;

use actix_web::http::header;
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use avwatch_actors::event::Wall;
use serde::{Deserialize, Serialize};

use super::access::Principal;
use super::body::{Body, body};
use super::etag::Condition;
use super::problem::Problem;
use super::state::Node;
use super::stream_changes::refused;
use crate::access::{Role, TOKENS_MAX, Token, TokenHash, TokenOrigin, new_token};
use crate::desired::{Change, Expect, KeptToken, Kind};

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// The list.
#[derive(Serialize)]
struct List {
    tokens: Vec<TokenView>,
}

/// A token as it is shown.
#[derive(Serialize)]
struct TokenView {
    name: Arc<str>,
    role: Role,
    origin: TokenOrigin,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Wall>,
}

/// The answer to `add`: the only time that the token is shown.
#[derive(Serialize)]
struct Made {
    name: String,
    role: Role,
    token: String,
    created_at: Wall,
}

/// The body of `add`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    name: String,
    role: Role,
}

pub(super) async fn list(node: Data<Node>) -> HttpResponse {
    let view = |token: &Token| TokenView {
        name: token.name.clone(),
        role: token.role,
        origin: token.origin,
        created_at: token.created_at,
    };
    HttpResponse::Ok().json(List { tokens: node.tokens.load().iter().map(view).collect() })
}

pub(super) async fn add(request: HttpRequest, node: Data<Node>, bytes: Body) -> Result<HttpResponse, Problem> {
    let TokenBody { name, role } = body(&request, &bytes)?;
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    // Of an address a part of dots alone is a way up: nobody could remove it again.
    let is_way = matches!(&*name, "." | "..");
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !fits || is_way {
        let why = format!("must have 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.', and not be '.' or '..'");
        return Err(Problem::wrong_field("/name", why));
    }
    let _changing = node.changing.lock().await;
    let present = node.tokens.load_full();
    if present.len() >= TOKENS_MAX {
        return Err(Problem::conflict(format!("there are {TOKENS_MAX} tokens already")));
    }
    if present.iter().any(|token| *token.name == *name) {
        return Err(Problem::conflict("there is a token of this name already"));
    }
    if present.is_empty() && role != Role::Admin {
        // From the first token on nobody is asked in without one: somebody must be able to make others.
        return Err(Problem::conflict("the first token must have the role admin"));
    }
    let token = new_token().map_err(|_| Problem::unavailable("the system has no random numbers"))?;
    let created_at = Wall(SystemTime::now());
    let kept = KeptToken { role, hash: TokenHash::of(&token).to_string(), created_at };
    let json = serde_json::to_string(&kept).map_err(|_| Problem::unavailable("the token cannot be written"))?;
    take_over(&node, Change::Put { name: name.clone(), json, expect: Expect::Absent }).await?;
    tracing::info!(
        user = Principal::of(&request).name(None),
        token = name,
        "a token of role {role} was made over the API"
    );
    let place = format!("/api/v1/tokens/{name}");
    let made = Made { name, role, token, created_at };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(made))
}

pub(super) async fn remove(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = name.into_inner();
    let _changing = node.changing.lock().await;
    let present = node.tokens.load_full();
    match present.iter().find(|token| *token.name == *name) {
        None => return Err(Problem::not_found("there is no token of this name")),
        Some(token) if token.origin == TokenOrigin::File => {
            return Err(Problem::conflict("the token comes from the configuration; remove it there"));
        }
        Some(_) => {}
    }
    let others = || present.iter().filter(|token| *token.name != *name);
    let is_last_admin = !others().any(|token| token.role == Role::Admin);
    if is_last_admin && (others().count() > 0 || node.is_exposed) {
        return Err(Problem::conflict("it is the last token of role admin: nobody could change anything any more"));
    }
    take_over(&node, Change::Remove { name: name.clone(), expect: Expect::Anything }).await?;
    tracing::info!(user = Principal::of(&request).name(None), token = name, "a token was removed over the API");
    Ok(HttpResponse::NoContent().finish())
}

/// Stores a change; from then on the new set counts.
async fn take_over(node: &Data<Node>, change: Change) -> Result<(), Problem> {
    let desired = node.desired.clone();
    let configured = node.loaded.load().plan.server.tokens.clone();
    let tokens = block(move || {
        desired.apply(Kind::Token, &[change])?;
        desired.tokens(&configured)
    });
    let tokens = tokens.await.map_err(|_| Problem::unavailable("there is no thread"))?;
    node.tokens.store(Arc::new(tokens.map_err(|error| refused(&error, Condition::None))?));
    Ok(())
}
