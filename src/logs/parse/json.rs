//! One JSON object a line; fields of objects in it are named `a.b`.

use serde_json::{Map, Value};

use super::Fields;

/// How deep objects are looked into.
const DEPTH_MAX: usize = 4;

pub(super) fn parse(line: &str) -> Option<Fields<'static>> {
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    let mut fields = Fields::default();
    flatten(object, "", DEPTH_MAX, &mut fields);
    Some(fields)
}

fn flatten(object: Map<String, Value>, prefix: &str, depth: usize, fields: &mut Fields<'static>) {
    for (key, value) in object {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if depth > 0 => flatten(inner, &name, depth - 1, fields),
            Value::Object(_) | Value::Array(_) | Value::Null => {}
            Value::String(text) => fields.push(name, text),
            Value::Bool(flag) => fields.push(name, if flag { "true" } else { "false" }),
            Value::Number(number) => fields.push(name, number.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let fields = parse(r#"{"level":"error","http":{"status":503,"ok":false},"list":[1],"none":null}"#).unwrap();
        assert_eq!(fields.get("level"), Some("error"));
        assert_eq!(fields.get("http.status"), Some("503"));
        assert_eq!(fields.get("http.ok"), Some("false"));
        assert_eq!((fields.get("list"), fields.get("none")), (None, None));
        assert_eq!(parse("[1]"), None);
        assert_eq!(parse("{\"a\":1} x"), None);
    }
}
