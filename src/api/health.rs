//! Health: whether the service lives and is ready, independent of its streams' health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

/// What the probes answer. Live and not ready at first.
#[derive(Debug)]
pub struct Health {
    live: AtomicBool,
    ready: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self { live: AtomicBool::new(true), ready: AtomicBool::new(false) }
    }
}

impl Health {
    /// False asks whoever watches to restart the process; for when it cannot help itself.
    pub fn set_live(&self, live: bool) {
        // Relaxed: a flag that stands for itself.
        self.live.store(live, Ordering::Relaxed);
    }

    /// True once the configuration is in force, false from the first word of a shutdown.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether the service lives.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    /// Whether the service lives and does its work.
    pub fn is_ready(&self) -> bool {
        self.is_live() && self.ready.load(Ordering::Relaxed)
    }
}

pub(super) async fn live(health: Data<Arc<Health>>) -> HttpResponse {
    answer(health.is_live())
}

pub(super) async fn ready(health: Data<Arc<Health>>) -> HttpResponse {
    answer(health.is_ready())
}

/// Ok or not, and nothing else: no token is asked for here.
fn answer(good: bool) -> HttpResponse {
    let (status, body) = if good { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ok\n") };
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(body)
}
