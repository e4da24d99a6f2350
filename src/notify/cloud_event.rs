//! A message as a CloudEvent 1.0 in its structured JSON form.
//!
//! Pure. A message of one change is that change; one of several is a digest whose `data.changes` lists
//! them in their order, each with the type that it would have had alone.

use avwatch_actors::event::{Event, EventState};
use avwatch_actors::incident::Incident;
use avwatch_actors::record::Record;
use serde_json::{Map, Value, json};

use super::{Content, Links, Message, words};

/// The whole event.
pub(super) fn cloud_event(message: &Message) -> Value {
    let mut event = Map::new();
    let mut set = |key: &str, value: Value| event.insert(key.to_owned(), value);
    set("specversion", json!("1.0"));
    set("id", json!(message.id));
    set("datacontenttype", json!("application/json"));
    match &message.content {
        Content::Test { by } => {
            set("type", json!("avwatch.test.v1"));
            set("source", json!("//avwatch"));
            set("time", json!(message.created_at));
            set("data", json!({ "receiver": message.receiver, "by": by, "message": "a test of notifications" }));
        }
        Content::Changes(records) => match &records[..] {
            [one] => {
                set("type", json!(kind(one)));
                set("source", json!(format!("//{}", node(one))));
                set("subject", json!(subject(one)));
                set("time", time(one));
                set("data", data(one, &message.links));
            }
            several => {
                set("type", json!("avwatch.digest.v1"));
                set("source", json!(format!("//{}", several.first().map_or("avwatch", node))));
                set("time", json!(message.created_at));
                let changes: Vec<Value> = several.iter().map(|record| change(record, &message.links)).collect();
                set("data", json!({ "total": changes.len(), "changes": changes }));
            }
        },
    }
    Value::Object(event)
}

/// A change in a digest.
fn change(record: &Record, links: &Links) -> Value {
    json!({
        "id": record.change_id(),
        "type": kind(record),
        "subject": subject(record),
        "time": time(record),
        "data": data(record, links),
    })
}

/// The type of a change.
fn kind(record: &Record) -> &'static str {
    match record {
        Record::Event(event) => match event.state {
            EventState::Raised => "avwatch.event.raised.v1",
            EventState::Escalated => "avwatch.event.escalated.v1",
            EventState::Acked => "avwatch.event.acked.v1",
            EventState::Suppressed => "avwatch.event.suppressed.v1",
            EventState::Ended if words::is_unwatched(event) => "avwatch.event.unwatched.v1",
            EventState::Ended => "avwatch.event.ended.v1",
        },
        Record::Incident(incident) if incident.is_open() => "avwatch.incident.open.v1",
        Record::Incident(_) => "avwatch.incident.ended.v1",
    }
}

fn node(record: &Record) -> &str {
    match record {
        Record::Event(event) => &event.node,
        Record::Incident(incident) => &incident.node,
    }
}

fn subject(record: &Record) -> String {
    match record {
        Record::Event(event) => format!("streams/{}", event.stream),
        Record::Incident(incident) => format!("incidents/{}", incident.id),
    }
}

fn time(record: &Record) -> Value {
    match record {
        Record::Event(event) => json!(event.changed_at),
        Record::Incident(incident) => json!(incident.changed_at),
    }
}

/// The record as the API has it, with where people read more.
fn data(record: &Record, links: &Links) -> Value {
    match record {
        Record::Event(event) => data_of_event(event, links),
        Record::Incident(incident) => data_of_incident(incident),
    }
}

fn data_of_event(event: &Event, links: &Links) -> Value {
    // Plain data with string keys always becomes JSON.
    let mut data = serde_json::to_value(event).unwrap_or_default();
    if let Some(url) = links.event(&event.id) {
        data["url"] = json!(url);
    }
    if let Some(ended_at) = event.ended_at {
        let lasted = ended_at.0.duration_since(event.started_at.0).unwrap_or_default();
        data["duration_s"] = json!(lasted.as_millis() as f64 / 1_000.0);
    }
    data
}

fn data_of_incident(incident: &Incident) -> Value {
    serde_json::to_value(incident).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sinks::samples::{event, wall};

    fn message(content: Content) -> Message {
        let links = Links { base: Some("https://monitor.example/".parse().unwrap()) };
        Message { id: "m".to_owned(), created_at: wall(9), receiver: "hook".into(), links, content }
    }

    fn record(sequence: u64, state: EventState) -> Record {
        Record::Event(Arc::new(event("e", "lobby", "black", sequence, state)))
    }

    #[test]
    fn a_message_of_one_change_is_that_change() {
        let value = cloud_event(&message(Content::Changes(vec![record(1, EventState::Raised)].into())));
        for (key, expected) in [
            ("specversion", json!("1.0")),
            ("id", json!("m")),
            ("type", json!("avwatch.event.raised.v1")),
            ("source", json!("//node")),
            ("subject", json!("streams/lobby")),
            ("time", json!(wall(1))),
            ("datacontenttype", json!("application/json")),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
        assert_eq!(value["data"]["schema"], "avwatch.event/1");
        assert_eq!(value["data"]["url"], "https://monitor.example/?view=event&id=e");
        assert_eq!(value["data"].get("duration_s"), None);
    }

    #[test]
    fn an_end_says_how_long_it_lasted() {
        let mut ended = event("e", "lobby", "black", 1, EventState::Ended);
        ended.ended_at = Some(wall(6));
        let value = cloud_event(&message(Content::Changes(vec![Record::Event(Arc::new(ended))].into())));
        assert_eq!(value["type"], "avwatch.event.ended.v1");
        assert_eq!(value["data"]["duration_s"], 5.0);
    }

    #[test]
    fn a_digest_lists_its_changes_in_order() {
        let records = vec![record(1, EventState::Raised), record(2, EventState::Ended)];
        let value = cloud_event(&message(Content::Changes(records.into())));
        assert_eq!((&value["type"], &value["data"]["total"]), (&json!("avwatch.digest.v1"), &json!(2)));
        let types: Vec<&Value> = value["data"]["changes"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
        assert_eq!(types, ["avwatch.event.raised.v1", "avwatch.event.ended.v1"]);
        assert_eq!(value["data"]["changes"][1]["id"], "change-2");
    }

    #[test]
    fn a_test_says_so_and_who_made_it() {
        let value = cloud_event(&message(Content::Test { by: "ann".to_owned() }));
        assert_eq!((&value["type"], &value["data"]["by"]), (&json!("avwatch.test.v1"), &json!("ann")));
    }
}
