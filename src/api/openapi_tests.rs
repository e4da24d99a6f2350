//! The document agrees with the table and with what is served.

use serde_json::Value;

use super::*;
use crate::sinks::samples;
use avwatch_actors::event::{Event, EventState};

/// Where the document is kept for readers; `AVWATCH_BLESS=1` writes it anew.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    if std::env::var_os("AVWATCH_BLESS").is_some() {
        std::fs::write(KEPT, &**DOCUMENT).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(kept == **DOCUMENT, "docs/openapi.json is not what is served; write it with AVWATCH_BLESS=1");
}

/// Every reference of a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.push(reference.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_part_is_used() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.iter().any(|reference| reference.ends_with(&format!("/{name}"))), "{name} is used nowhere");
    }
}

#[test]
fn names_of_operations_are_unique_and_each_says_what_it_does() {
    let mut names: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.id).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for endpoint in ENDPOINTS {
        assert!(!endpoint.summary.is_empty() && !endpoint.summary.ends_with('.'), "{}", endpoint.id);
    }
}

#[test]
fn the_schema_of_an_event_has_every_key_of_the_record() {
    let event = samples::event("id", "lobby", "black", 1, EventState::Ended);
    let at = Some(samples::wall(1));
    let text = || Some("text".to_owned());
    let event = Event {
        program: Some(1),
        rendition: text(),
        suppressed_by: text(),
        acked_by: text(),
        acked_at: at,
        snoozed_until: at,
        comment: text(),
        runbook_url: text(),
        calm_s: vec![(5.0, 60.0)],
        evidence: text(),
        stored: Some(false),
        ..event
    };
    let record = serde_json::to_value(event).unwrap();
    let schema = components()["schemas"]["Event"]["properties"].clone();
    for key in record.as_object().unwrap().keys() {
        assert!(schema.get(key).is_some(), "{key} is not in the document");
    }
}

#[test]
fn the_page_names_every_endpoint_and_runs_no_script() {
    for endpoint in ENDPOINTS {
        assert!(PAGE.contains(&escaped(endpoint.path)), "{}", endpoint.path);
    }
    assert!(
        !PAGE.contains("<script")
            && !PAGE.contains("style=\"")
            && !PAGE.contains("http://")
            && !PAGE.contains("https://")
    );
}
