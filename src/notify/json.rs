//! A message as JSON: what programs read on their standard input.
//!
//! Pure. Its records are those of the API, so who reads one reads the other.

use avwatch_actors::record::Record;
use serde_json::{Value, json};

use super::{Content, Message, words};

/// Name and version of the form.
pub const MESSAGE_SCHEMA: &str = "avwatch.message/1";

/// The whole message. `changes` holds an object for each change, with either an `event` or an `incident`
/// in it; a test has none but says `test_by`.
///
/// # Errors
/// A record cannot be written as JSON, which none is known to be.
pub fn message(message: &Message) -> serde_json::Result<Value> {
    let mut value = json!({
        "schema": MESSAGE_SCHEMA,
        "id": message.id,
        "created_at": message.created_at,
        "receiver": message.receiver,
        "summary": words::head(message),
        "url": message.links.base.as_ref().map(url::Url::as_str),
    });
    match &message.content {
        Content::Test { by } => value["test_by"] = json!(by),
        Content::Changes(records) => {
            let mut changes = Vec::with_capacity(records.len());
            for record in records.iter() {
                changes.push(match record {
                    Record::Event(event) => {
                        json!({ "event": serde_json::to_value(event)?, "url": message.links.event(&event.id) })
                    }
                    Record::Incident(incident) => json!({ "incident": serde_json::to_value(incident)? }),
                });
            }
            value["changes"] = Value::Array(changes);
        }
    }
    Ok(value)
}
