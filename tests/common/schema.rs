//! Answers of the API against what its own document says of them.

use serde_json::{Map, Value};

use super::http::ask;

/// The document that a service gives of itself.
pub struct Document(Value);

impl Document {
    /// Asks a service for it.
    #[track_caller]
    pub fn of(address: &str) -> Self {
        let answer = ask(address, "GET", "/api/v1/openapi.json", "", "");
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer.json())
    }

    /// The paths of which the document says that a GET is answered with JSON of some schema.
    pub fn read_paths(&self) -> Vec<String> {
        let paths = self.0["paths"].as_object().expect("has paths");
        let has_schema = |path: &&String| self.schema("get", path, 200).is_some();
        paths.keys().filter(has_schema).cloned().collect()
    }

    /// The schema of the JSON that a request is answered with; nothing where there is none or it says nothing.
    fn schema(&self, verb: &str, path: &str, status: u16) -> Option<&Value> {
        let answer = &self.0["paths"][path][verb]["responses"][status.to_string()];
        answer["content"]["application/json"].get("schema").filter(|schema| schema.get("$ref").is_some())
    }

    /// Holds an answer against the schema: everything in it is named there, and has the type that is said.
    #[track_caller]
    pub fn check(&self, verb: &str, path: &str, status: u16, answer: &Value) {
        let schema = self.schema(verb, path, status);
        let schema = schema.unwrap_or_else(|| panic!("the document says nothing of {verb} {path} with {status}"));
        let mut gaps = Vec::new();
        self.gaps(schema, answer, "", &mut gaps);
        assert!(gaps.is_empty(), "{verb} {path}:\n{}\n{answer:#}", gaps.join("\n"));
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).expect("references lead somewhere"),
            None => schema,
        }
    }

    fn gaps(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolved(schema);
        if let Some(choices) = schema["anyOf"].as_array() {
            let tried = choices.iter().map(|choice| {
                let mut gaps = Vec::new();
                self.gaps(choice, value, at, &mut gaps);
                gaps
            });
            return found.extend(tried.min_by_key(Vec::len).unwrap_or_default());
        }
        let says_nothing = |key: &&str| schema.get(*key).is_none();
        if ["type", "allOf", "enum"].iter().all(says_nothing) {
            // Keys of the configuration, which is documented elsewhere.
            return;
        }
        if let Some(kind) = schema["type"].as_str()
            && !is(value, kind)
        {
            return found.push(format!("{at} is no {kind}"));
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            found.push(format!("{at} is {value}, of which the document does not know"));
        }
        match value {
            Value::Object(fields) => self.fields(schema, fields, at, found),
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else {
                    return found.push(format!("{at} has items of no schema"));
                };
                for (place, item) in items.iter().enumerate() {
                    self.gaps(schema, item, &format!("{at}/{place}"), found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn fields(&self, schema: &Value, fields: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
        let parts = self.parts(schema);
        for (key, value) in fields {
            let at = format!("{at}/{key}");
            let named = parts.iter().find_map(|part| part["properties"].get(key));
            match named.or_else(|| parts.iter().find_map(|part| part.get("additionalProperties"))) {
                Some(Value::Bool(true)) => {}
                Some(schema) => self.gaps(schema, value, &at, found),
                None => found.push(format!("{at} is not named")),
            }
        }
        let required = parts.iter().filter_map(|part| part["required"].as_array()).flatten();
        for key in required.filter_map(Value::as_str).filter(|key| !fields.contains_key(*key)) {
            found.push(format!("{at}/{key} is missing"));
        }
    }

    /// The schemas that all hold of one value.
    fn parts<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolved(schema);
        match schema["allOf"].as_array() {
            Some(all) => all.iter().flat_map(|part| self.parts(part)).collect(),
            None => vec![schema],
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
