//! `/api/v1/openapi.json` and `/docs/`: the reference, made from the table of endpoints.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Map, Value, json};

use super::openapi_parts::components;
use super::routes::{ENDPOINTS, Endpoint};
use super::verb::Verb;

/// The document as it is served.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// The page as it is served.
static PAGE: LazyLock<String> = LazyLock::new(page);

pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(&**DOCUMENT)
}

pub(super) async fn docs() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(&**PAGE)
}

pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("docs.css"))
}

pub(super) async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// The OpenAPI document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[verb(endpoint.verb)] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "avwatch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Watches live audio and video streams and tells what viewers would see or hear go wrong. \
                Without tokens the service answers loopback only, and everybody there may do everything; with \
                tokens each request needs one. Errors are application/problem+json.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "security": [ { "bearer": [] }, { "basic": [] } ],
        "paths": paths,
        "components": components(),
    })
}

pub(super) fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
        Verb::Delete => "delete",
    }
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = path_parameters(endpoint.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(endpoint.query.iter().map(|param| {
        let mut parameter =
            json!({ "name": param.name, "in": "query", "description": param.doc, "schema": { "type": "string" } });
        if !param.example.is_empty() {
            parameter["example"] = json!(param.example);
        }
        parameter
    }));
    parameters.extend(conditions(endpoint));
    let mut responses = Map::new();
    let (status, what, media) = endpoint.answer;
    let mut good = json!({ "description": endpoint.summary });
    if !what.is_empty() {
        let schema = json!({ "$ref": format!("#/components/schemas/{what}") });
        good["content"] = json!({ media: { "schema": schema } });
    } else if !media.is_empty() {
        good["content"] = json!({ media: { "schema": { "type": "string" } } });
    }
    if !endpoint.tag_of.is_empty() && !what.is_empty() {
        let about = "Names what was answered: for If-Match of a change.";
        good["headers"] = json!({ "ETag": { "description": about, "schema": { "type": "string" } } });
    }
    if endpoint.may_add() {
        responses.insert("201".to_owned(), made(&good));
    }
    let good = if status == 201 { made(&good) } else { good };
    responses.insert(status.to_string(), good);
    if endpoint.verb != Verb::Get {
        responses.insert("412".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut operation = json!({
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "description": match endpoint.role {
            Some(role) => format!("Needs the role {role} or above.{}", heeded(endpoint)),
            None => "Needs no token.".to_owned(),
        },
        // For programs: the weakest role that may ask, or null.
        "x-role": endpoint.role,
        "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if endpoint.role.is_none() {
        operation["security"] = json!([]);
    }
    if !endpoint.body.is_empty() {
        let (media, schema) = match endpoint.body {
            "List" => ("text/plain", json!({ "type": "string" })),
            body => ("application/json", json!({ "$ref": format!("#/components/schemas/{body}") })),
        };
        operation["requestBody"] = json!({ "content": { media: { "schema": schema } } });
    }
    operation
}

/// The answer where something was added.
fn made(good: &Value) -> Value {
    let mut made = good.clone();
    made["headers"]["Location"] =
        json!({ "description": "The path of what was added.", "schema": { "type": "string" } });
    made
}

/// The conditions that a change takes, as parameters.
fn conditions(endpoint: &Endpoint) -> Vec<Value> {
    let header = |name: &str, about: String| json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } });
    let mut parameters = Vec::new();
    if endpoint.verb != Verb::Get && !endpoint.tag_of.is_empty() {
        let about =
            format!("The ETag that {} had: refused (412) when it was changed since. * asks for any.", endpoint.tag_of);
        parameters.push(header("If-Match", about));
    }
    if endpoint.may_add() {
        parameters.push(header("If-None-Match", "*: refused (412) when it is there already.".to_owned()));
    }
    parameters
}

/// What becomes of `If-Match`, where that is no parameter.
fn heeded(endpoint: &Endpoint) -> &'static str {
    match (endpoint.verb, endpoint.tag_of.is_empty(), endpoint.is_there()) {
        (Verb::Get, _, _) | (_, false, _) => "",
        (_, true, true) => " If-Match is refused (412) unless it is *: nothing here has a tag.",
        (_, true, false) => " If-Match is refused (412): nothing here has a tag.",
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The reference as a page: plain HTML, without scripts.
fn page() -> String {
    let mut rows = String::new();
    for endpoint in ENDPOINTS {
        let role = endpoint.role.map_or("–", |role| role.name());
        rows.push_str(&format!(
            "<section id=\"{id}\"><h2><span class=\"verb\">{verb}</span> <code>{path}</code></h2>\
             <p>{summary}.{heeded} <span class=\"role\">Role: {role}</span></p>",
            id = endpoint.id,
            verb = verb(endpoint.verb).to_uppercase(),
            path = escaped(endpoint.path),
            summary = escaped(endpoint.summary),
            heeded = heeded(endpoint),
        ));
        if !endpoint.query.is_empty() {
            rows.push_str("<table><tr><th>Parameter</th><th>Meaning</th><th>Example</th></tr>");
            for param in endpoint.query {
                rows.push_str(&format!(
                    "<tr><td><code>{}</code></td><td>{}</td><td><code>{}</code></td></tr>",
                    escaped(param.name),
                    escaped(param.doc),
                    escaped(param.example)
                ));
            }
            rows.push_str("</table>");
        }
        for condition in conditions(endpoint) {
            let text = |key: &str| escaped(condition[key].as_str().unwrap_or_default());
            rows.push_str(&format!("<p><code>{}</code>: {}</p>", text("name"), text("description")));
        }
        if !endpoint.body.is_empty() {
            rows.push_str(&format!("<p>Body: <code>{}</code></p>", endpoint.body));
        }
        rows.push_str("</section>\n");
    }
    let schemas = components()["schemas"].as_object().cloned().unwrap_or_default();
    for (name, schema) in &schemas {
        rows.push_str(&format!(
            "<section id=\"schema-{name}\"><h2>{name}</h2><pre>{}</pre></section>\n",
            escaped(&format!("{schema:#}"))
        ));
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>avwatch API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\
         <body><h1>avwatch {} API</h1><p>The same for programs: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>\n{rows}\
         </body></html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
