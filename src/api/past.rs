//! `/api/v1/streams/{name}/history` and `/api/v1/events/{id}/evidence`: what is kept of the past.
//!
//! Journal and evidence are read where blocking is allowed; files go out in pieces, so that none is in memory as a
//! whole. What the files are called is checked where they are opened.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::Node;
use super::streams::unknown;
use crate::config::Span;
use crate::journal::Stretch;

/// What is told when nothing is asked for: the last ten minutes.
const SPAN: Duration = Duration::from_secs(600);
/// Bytes of a file that are read at a time.
const PIECE: usize = 256 << 10;

/// What `history` takes.
pub(super) const HISTORY: &[Param] = &[
    Param { name: "since", doc: "From this time on: RFC 3339, or a span such as 2h. Default: 10m.", example: "2h" },
    Param {
        name: "until",
        doc: "Up to this time: RFC 3339, or a span such as 1h. Default: now.",
        example: "2026-11-28T18:00:00Z",
    },
    Param {
        name: "resolution",
        doc: "Length of a point, 1s to 24h; above a minute whole minutes. Default: 1s. At most 5,000 points are told: \
              a longer span has longer ones.",
        example: "30s",
    },
];

/// The past of a stream.
#[derive(Serialize)]
struct History {
    stream: String,
    /// In order of time; where nothing is known there is none.
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    /// When it begins.
    at: String,
    #[serde(flatten)]
    stretch: Stretch,
}

pub(super) async fn history(
    request: HttpRequest,
    node: Data<Node>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    if !node.catalogue.load().streams.contains_key(name.as_str()) {
        return Err(unknown());
    }
    let query = Query::of(&request);
    let now = SystemTime::now();
    let until = query.moment("until")?.unwrap_or(now);
    let since = query.moment("since")?.unwrap_or(until - SPAN);
    let resolution: Option<Span> = query.parsed("resolution", "a length such as 30s")?;
    let seconds = resolution.map_or(1, |Span(length)| length.as_secs());
    if !(1..=86_400).contains(&seconds) {
        return Err(Problem::bad_request("'resolution' must be from 1s to 24h"));
    }
    let unix = |moment: SystemTime| moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // What is not kept need not be looked for: hour by hour that would take minutes.
    let kept = u64::from(node.loaded.load().plan.journal.minutes_days) * 86_400;
    let now = unix(now);
    let (since, until) = (unix(since).max(now.saturating_sub(kept)), unix(until).min(now));
    let (journal, stream) = (node.past.journal.clone(), name.into_inner());
    let asked = stream.clone();
    let answer = block(move || journal.history(&asked, since, until, seconds as u32)).await;
    let stretches = match answer {
        Ok(Ok(stretches)) => stretches,
        Ok(Err(error)) => {
            tracing::warn!(fault = %error, "the journal could not be read for the API");
            return Err(Problem::unavailable("the journal cannot be read now"));
        }
        Err(_) => return Err(Problem::unavailable("there is no thread to read the journal")),
    };
    let points = stretches.into_iter().map(|stretch| Point { at: time_of(stretch.at), stretch }).collect();
    Ok(HttpResponse::Ok().json(History { stream, points }))
}

/// Seconds since 1970 as people read them.
pub(super) fn time_of(second: u64) -> String {
    let at = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    at.unwrap_or_default().to_string()
}

pub(super) async fn evidence(node: Data<Node>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let (shelf, id) = (node.past.shelf.clone(), id.into_inner());
    match block(move || shelf.manifest(&id)).await {
        Ok(Some(manifest)) => Ok(HttpResponse::Ok().json(manifest)),
        Ok(None) => Err(no_evidence()),
        Err(_) => Err(Problem::unavailable("there is no thread to read the evidence")),
    }
}

pub(super) async fn file(node: Data<Node>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (shelf, (id, name)) = (node.past.shelf.clone(), path.into_inner());
    match block(move || shelf.open(&id, &name)).await {
        Ok(Some(found)) => Ok(HttpResponse::Ok()
            .content_type(found.content_type)
            // What a stream sent is nothing that a browser should take for a page.
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(BoxBody::new(FileBody {
                file: Some(found.file),
                bytes: found.bytes,
                left: found.bytes,
                reading: None,
            }))),
        Ok(None) => Err(no_evidence()),
        Err(_) => Err(Problem::unavailable("there is no thread to read the evidence")),
    }
}

fn no_evidence() -> Problem {
    Problem::not_found("there is no such evidence: it is not written yet, or gone")
}

/// A piece of a file, and the file for the next one.
type Piece = Pin<Box<dyn Future<Output = io::Result<(File, Bytes)>>>>;

/// A file that goes out in pieces, each read where blocking is allowed.
struct FileBody {
    file: Option<File>,
    bytes: u64,
    left: u64,
    reading: Option<Piece>,
}

impl MessageBody for FileBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(file) = self.file.take() {
            let length = self.left.min(PIECE as u64);
            self.reading = Some(Box::pin(read(file, length)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let answer = ready!(reading.as_mut().poll(context));
        self.reading = None;
        Poll::Ready(Some(answer.map(|(file, piece)| {
            self.file = Some(file);
            self.left -= piece.len() as u64;
            piece
        })))
    }
}

async fn read(mut file: File, length: u64) -> io::Result<(File, Bytes)> {
    let read = block(move || {
        let mut piece = vec![0; length as usize];
        file.read_exact(&mut piece).map(|()| (file, Bytes::from(piece)))
    });
    read.await.map_err(io::Error::other)?
}
