//! `/api/v1/events/{id}/evidence`: what was kept of an event, and its files.
//!
//! Files are read as a whole where blocking is allowed: they are made to be short, and a clip is asked for by
//! somebody who wants to see all of it.

use std::io::Read;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path, block};

use super::problem::Problem;
use super::state::Node;
use crate::evidence::Shelf;

/// Largest file that is sent: a clip of half a minute at 30 Mbit/s.
const FILE_BYTES_MAX: u64 = 128 << 20;

pub(super) async fn manifest(node: Data<Node>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let shelf = shelf(&node);
    let id = id.into_inner();
    let found = block(move || shelf.manifest(&id)).await.map_err(|_| no_thread())?;
    found.map(|manifest| HttpResponse::Ok().json(manifest)).ok_or_else(none)
}

pub(super) async fn file(node: Data<Node>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (id, name) = path.into_inner();
    let shelf = shelf(&node);
    let read = block(move || {
        let mut found = shelf.open(&id, &name).filter(|found| found.bytes <= FILE_BYTES_MAX)?;
        let mut bytes = Vec::with_capacity(usize::try_from(found.bytes).unwrap_or(0));
        found.file.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some((found.content_type, bytes))
    });
    let (content_type, bytes) = read.await.map_err(|_| no_thread())?.ok_or_else(none)?;
    // What was written is never changed.
    let kept = (header::CACHE_CONTROL, "private, max-age=3600");
    Ok(HttpResponse::Ok().insert_header(kept).content_type(content_type).body(bytes))
}

fn shelf(node: &Node) -> Shelf {
    Shelf::new(node.data_dir(), node.loaded.load().plan.evidence.bytes_max)
}

fn none() -> Problem {
    Problem::not_found("there is no such evidence: it is not written yet, was not kept, or is gone")
}

fn no_thread() -> Problem {
    Problem::unavailable("there is no thread to read the evidence")
}
