//! The server: where it listens, its limits, and its routes.
//!
//! actix-web runs one worker thread, one thread that accepts, and at most two that block. It takes no
//! signals: shutting down is the service's own business.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, PayloadConfig, ServiceConfig, resource, route};
use actix_web::{App, Handler, HttpResponse, HttpServer, Resource, Responder, guard};

use super::error::ApiError;
use super::guard::{Hosts, guard as check};
use avwatch_actors::status::Health;

use super::health;
use super::metrics::{self, MetricsPage};
use super::problem::problem;
use crate::live::LiveBoard;
use crate::node_snapshot::NodeSnapshot;

/// Connections that may be open at the same time.
const CONNECTIONS_MAX: usize = 1_024;

/// Longest that a client may take to send its request head.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest that an idle connection is kept.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest that a client may take to acknowledge the end of its connection.
const DISCONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// Seconds that running requests get at shutdown.
const SHUTDOWN_SECONDS_MAX: u64 = 2;

/// Largest request body in bytes; nothing served here takes one.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Gives the newest snapshot at once, without waiting for anyone.
pub type SnapshotSource = Arc<dyn Fn() -> Arc<NodeSnapshot> + Send + Sync>;

/// What the API answers from.
#[derive(Clone)]
pub struct ApiState {
    /// The newest snapshot.
    pub snapshot: SnapshotSource,
    /// What streams show now: small pictures and readings.
    pub live: Arc<LiveBoard>,
    /// What the health probes answer.
    pub health: Arc<Health>,
    /// Names, beside those of loopback, under which the service may be asked for.
    pub hosts: Vec<String>,
}

/// Begins to listen. The server answers while the returned future is driven by a running `System`;
/// port 0 takes any free port, and the address tells which.
///
/// # Errors
/// The address is beyond loopback, in use, or not to be had.
pub fn serve(listen: SocketAddr, state: ApiState) -> Result<(Server, ServerHandle, SocketAddr), ApiError> {
    if !is_loopback(listen.ip()) {
        return Err(ApiError::Exposed { listen });
    }
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ApiError::InUse { listen },
        _ => ApiError::Listen { listen, source },
    };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let hosts = Data::new(Hosts::new(listen.ip(), &state.hosts));
    let health = Data::new(state.health);
    let page = Data::new(MetricsPage::new(state.snapshot));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(hosts.clone())
            .app_data(health.clone())
            .app_data(page.clone())
            .app_data(PayloadConfig::new(BODY_BYTES_MAX))
            .wrap(from_fn(check))
            .configure(routes)
    })
    .workers(1)
    .worker_max_blocking_threads(2)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(REQUEST_TIME_MAX)
    .client_disconnect_timeout(DISCONNECT_TIME_MAX)
    .keep_alive(IDLE_TIME_MAX)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS_MAX)
    .listen(listener)
    .map_err(failed)?
    .run();
    let handle = server.handle();
    Ok((server, handle, address))
}

/// Also true for loopback written as IPv4 inside IPv6.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(get("/livez", health::live))
        .service(get("/-/healthy", health::live))
        .service(get("/readyz", health::ready))
        .service(get("/-/ready", health::ready))
        .service(get("/metrics", metrics::metrics))
        .default_service(route().to(not_found));
}

/// A path that answers GET and HEAD.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let method = guard::Any(guard::Get()).or(guard::Head());
    resource(path).route(route().guard(method).to(handler)).default_service(route().to(not_allowed))
}

async fn not_found() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, Some("there are /metrics, /livez and /readyz"))
}

async fn not_allowed() -> HttpResponse {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, None);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    response
}
