//! `GET /metrics`: the snapshot as text, in the format that was asked for.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, block};
use actix_web::{HttpRequest, HttpResponse};

use super::problem::Problem;
use super::query::{Param, Query};
use super::state::SnapshotSource;
use crate::node_snapshot::NodeSnapshot;
use crate::sinks::metrics::{Exposition, Units, expose};

/// What `metrics` takes.
pub(super) const QUERY: &[Param] = &[Param {
    name: "units",
    doc: "media: bit rates in bits. base: base units of Prometheus alone, with avwatch_bitrate_bytes_per_second \
          instead of avwatch_bitrate_bits_per_second. Default: media.",
    example: "base",
}];

/// A snapshot and the text made from it. The snapshot is only told apart from others by it: where nobody scrapes any
/// more, what streams showed that are long gone must not be held, with all the memory that lies around it.
type Page = (Weak<NodeSnapshot>, Bytes);

/// Makes answers; keeps the newest of each format and of each kind of units, so that many scrapes of one snapshot cost one.
pub(super) struct MetricsPage {
    snapshot: SnapshotSource,
    newest: [[Mutex<Option<Page>>; 2]; 2],
}

impl MetricsPage {
    pub(super) fn new(snapshot: SnapshotSource) -> Self {
        Self { snapshot, newest: Default::default() }
    }

    /// The text of the present snapshot. With thousands of streams it takes a good part of a second,
    /// so it is called where blocking is allowed.
    fn text(&self, exposition: Exposition, units: Units) -> Result<Bytes, fmt::Error> {
        let snapshot = (self.snapshot)();
        let Ok(mut newest) = self.newest[exposition as usize][units as usize].lock() else {
            // Another request panicked here; the text can still be made.
            return expose(snapshot, exposition, units).map(Bytes::from);
        };
        if let Some((of, text)) = &*newest
            && of.as_ptr() == Arc::as_ptr(&snapshot)
        {
            return Ok(text.clone());
        }
        let of = Arc::downgrade(&snapshot);
        let text = Bytes::from(expose(snapshot, exposition, units)?);
        *newest = Some((of, text.clone()));
        Ok(text)
    }
}

pub(super) async fn metrics(request: HttpRequest, page: Data<MetricsPage>) -> Result<HttpResponse, Problem> {
    let units = units(&Query::of(&request))?;
    let accept = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let exposition = negotiate(accept);
    match block(move || page.text(exposition, units)).await {
        Ok(Ok(text)) => Ok(HttpResponse::Ok().content_type(exposition.content_type()).body(text)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written")),
    }
}

/// The units that are asked for.
fn units(query: &Query) -> Result<Units, Problem> {
    let [usual, _] = Units::ALL;
    let Some(name) = query.get("units") else { return Ok(usual) };
    let known = || Units::ALL.map(Units::name).join(" or ");
    let found = Units::ALL.into_iter().find(|units| units.name() == name);
    found.ok_or_else(|| Problem::bad_request(format!("'units' must be {}", known())))
}

/// OpenMetrics if it is named and preferred to plain text at least as much; else text 0.0.4.
fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Exposition {
    let (mut open_metrics, mut text) = (0.0_f32, 0.0_f32);
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        match media.as_str() {
            "application/openmetrics-text" => open_metrics = open_metrics.max(quality),
            "text/plain" => text = text.max(quality),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= text { Exposition::OpenMetrics } else { Exposition::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_accept_header() {
        for (accept, expected) in [
            ("", Exposition::Text),
            ("*/*", Exposition::Text),
            ("text/html, */*;q=0.8", Exposition::Text),
            ("application/openmetrics-text", Exposition::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Exposition::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.5", Exposition::Text),
            ("application/openmetrics-text;q=0", Exposition::Text),
            ("application/openmetrics-text;q=nonsense,text/plain;q=0.1", Exposition::OpenMetrics),
        ] {
            assert_eq!(negotiate([accept].into_iter()), expected, "{accept}");
        }
    }

    #[test]
    fn scrapes_of_one_snapshot_share_one_text() {
        let snapshot = Arc::new(NodeSnapshot::default());
        let page = MetricsPage::new(Arc::new(move || snapshot.clone()));
        let text = |units| page.text(Exposition::Text, units).unwrap();
        let (first, other, second) = (text(Units::Media), text(Units::Base), text(Units::Media));
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_ne!(first.as_ptr(), other.as_ptr());
        let fresh = MetricsPage::new(Arc::new(|| Arc::new(NodeSnapshot::default())));
        let text = || fresh.text(Exposition::Text, Units::Media).unwrap();
        let (first, second) = (text(), text());
        assert_ne!(first.as_ptr(), second.as_ptr());
    }

    #[test]
    fn a_snapshot_is_not_held_for_the_next_scrape() {
        let newest = Arc::new(Mutex::new(Arc::new(NodeSnapshot::default())));
        let of = newest.clone();
        let page = MetricsPage::new(Arc::new(move || of.lock().unwrap().clone()));
        page.text(Exposition::Text, Units::Media).unwrap();
        let scraped = Arc::downgrade(&newest.lock().unwrap());
        assert!(scraped.upgrade().is_some(), "it is on the board");
        *newest.lock().unwrap() = Arc::new(NodeSnapshot::default());
        assert!(scraped.upgrade().is_none(), "the board has another one");
    }
}
