//! The server: where it listens, and its limits.
//!
//! actix-web runs one worker thread, one thread that accepts, and at most four that block. It takes no
//! signals: shutting down is the service's own business.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::access::Access;
use super::error::ApiError;
use super::guard::{Gate, Hosts, guard as check};
use super::metrics::MetricsPage;
use super::rate::Rate;
use super::state::{ApiState, Node};
use super::{hangup, routing, tls};
use crate::config::ServerPlan;
use crate::dashboard;

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

/// Threads that write metrics and read the store.
const BLOCKING_THREADS_MAX: usize = 4;

/// Begins to listen. The server answers while the returned future is driven by a running `System`;
/// port 0 takes any free port, and the address tells which.
///
/// # Errors
/// The address is beyond loopback, in use, or not to be had.
pub fn serve(
    listen: SocketAddr,
    plan: &ServerPlan,
    state: ApiState,
) -> Result<(Server, ServerHandle, SocketAddr), ApiError> {
    let is_exposed = !is_loopback(listen.ip());
    if is_exposed && state.tokens.load().is_empty() {
        return Err(ApiError::Exposed { listen });
    }
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ApiError::InUse { listen },
        _ => ApiError::Listen { listen, source },
    };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let gate = Data::new(Gate {
        hosts: Hosts::new(listen.ip(), &plan.hosts),
        access: Access {
            tokens: state.tokens.clone(),
            user_header: plan.user_header.as_deref().and_then(|name| name.parse().ok()),
            proxies: plan.proxies.clone(),
        },
        rate: Rate::new(plan.requests_per_second),
    });
    let page = Data::new(MetricsPage::new(state.snapshot.clone()));
    let node = Data::new(Node::new(state, is_exposed));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(gate.clone())
            .app_data(node.clone())
            .app_data(page.clone())
            .wrap(from_fn(check))
            .configure(dashboard::routes)
            .configure(routing::configure)
    })
    .workers(1)
    .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
    .on_connect(hangup::note)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(REQUEST_TIME_MAX)
    .client_disconnect_timeout(DISCONNECT_TIME_MAX)
    .keep_alive(IDLE_TIME_MAX)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS_MAX);
    let server = match &plan.tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls::config(tls)?),
        None => server.listen(listener),
    };
    let server = server.map_err(failed)?.run();
    let handle = server.handle();
    Ok((server, handle, address))
}

/// Also true for loopback written as IPv4 inside IPv6.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
