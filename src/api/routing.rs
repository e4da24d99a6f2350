//! Serves the table of endpoints: routes, and what is checked before a handler is asked.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{PayloadConfig, ServiceConfig, resource, route};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, Route, guard};

use super::access::Principal;
use super::etag::{self, Condition};
use super::problem::Problem;
use super::query::check_query;
use super::routes::{ENDPOINTS, Endpoint};

/// Largest body of a request in bytes: of a list, 10,000 streams; of anything else, the settings of one
/// stream. Whoever may not ask is refused before it is read.
const LIST_BYTES_MAX: usize = 8 << 20;
const BODY_BYTES_MAX: usize = 512 << 10;

fn body_bytes_max(group: &[Endpoint]) -> usize {
    let takes_list = group.iter().any(|endpoint| matches!(endpoint.body, "Apply" | "List"));
    if takes_list { LIST_BYTES_MAX } else { BODY_BYTES_MAX }
}

/// Serves every endpoint.
pub(super) fn configure(config: &mut ServiceConfig) {
    for group in ENDPOINTS.chunk_by(|one, other| one.path == other.path) {
        let mut resource = resource(group[0].path).app_data(PayloadConfig::new(body_bytes_max(group)));
        for endpoint in group {
            resource = resource.route(of(endpoint));
        }
        let allow = allowed(group);
        config.service(resource.default_service(route().to(move |request: HttpRequest| {
            let allow = allow.clone();
            async move { not_allowed(&request, allow) }
        })));
    }
    config.default_service(route().to(not_found));
}

/// Whether anybody may ask for a path, without a token.
pub(super) fn is_public(path: &str) -> bool {
    ENDPOINTS.iter().any(|endpoint| endpoint.role.is_none() && endpoint.path == path)
}

fn of(endpoint: &'static Endpoint) -> Route {
    let accepts = guard::fn_guard(|context| endpoint.verb.accepts(&context.head().method));
    let route = (endpoint.attach)(route().guard(accepts));
    route.wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| admit(endpoint, request, next)))
}

/// Lets a request through to its handler when the role suffices, the query is known and its condition can be judged.
async fn admit(
    endpoint: &'static Endpoint,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match check(endpoint, request.request()) {
        Ok(condition) => request.extensions_mut().insert(condition),
        Err(problem) => return Ok(request.into_response(problem.answer())),
    };
    next.call(request).await
}

fn check(endpoint: &Endpoint, request: &HttpRequest) -> Result<Condition, Problem> {
    if let Some(role) = endpoint.role
        && Principal::of(request).role < role
    {
        let why = format!("this needs a token of role {} or above", role.name());
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    check_query(request, endpoint.query)?;
    etag::judge(endpoint, request)
}

fn allowed(group: &[Endpoint]) -> String {
    let methods: Vec<&str> = group.iter().flat_map(|endpoint| endpoint.verb.methods()).copied().collect();
    methods.join(", ")
}

async fn not_found() -> HttpResponse {
    Problem::not_found("there is nothing here; /api/v1/openapi.json names all there is").answer()
}

fn not_allowed(request: &HttpRequest, allow: String) -> HttpResponse {
    tracing::debug!(method = %request.method(), "a method that is not served here");
    Problem::bare(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, allow).answer()
}
