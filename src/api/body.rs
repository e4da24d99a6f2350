//! Bodies of requests: read within a time, and as strict JSON that is told about in words that repeat no value.
//!
//! Read on the server's worker thread as they come; one that drips holds its connection for so long and no longer.

use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::{Payload, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode, Version, header};
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;

use super::hangup::Hangup;
use super::pointer::{key_of, pointer_of};
use super::problem::{FieldError, Problem};

/// Longest that a body may take to arrive: the largest list over a line of 2.3 Mbit/s. Tests do not wait so long.
const BODY_TIME_MAX: Duration = if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(30) };

/// The body of a request, as a handler takes it.
#[derive(Debug)]
pub(super) struct Body(Bytes);

/// Says of a request that its body was read to the end.
struct WasRead;

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FromRequest for Body {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, bytes) = (request.clone(), Bytes::from_request(request, payload));
        Box::pin(async move {
            let late = |_| {
                let why = format!("the body did not arrive within {} s", BODY_TIME_MAX.as_secs());
                Problem::new(StatusCode::REQUEST_TIMEOUT, why)
            };
            let bytes = tokio::time::timeout(BODY_TIME_MAX, bytes).await.map_err(late)??;
            request.extensions_mut().insert(WasRead);
            Ok(Self(bytes))
        })
    }
}

/// Lets no rest of a body hold its connection. The server itself closes it where it is known how much is to come, and waits
/// for the end of a body in chunks for as long as that takes.
pub(super) fn leave_no_rest<B>(response: &mut ServiceResponse<B>) {
    let request = response.request();
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let was_read = request.extensions().contains::<WasRead>();
    if !is_chunked || was_read || request.version() > Version::HTTP_11 {
        return;
    }
    if let Some(hangup) = request.conn_data::<Hangup>().map(Hangup::downgrade) {
        actix_web::rt::spawn(async move {
            tokio::time::sleep(BODY_TIME_MAX).await;
            hangup.hang_up();
        });
    }
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
}

/// A JSON body; an empty one is read as `{}`.
pub(super) fn body<T: DeserializeOwned>(request: &HttpRequest, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return serde_json::from_str("{}").map_err(|error| unreadable(&error, b"{}"));
    }
    let content = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = content.and_then(|value| value.split(';').next()).map(|media| media.trim().to_ascii_lowercase());
    if media.as_deref() != Some("application/json") {
        let why = "the body must be JSON, with the header Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    serde_json::from_slice(bytes).map_err(|error| unreadable(&error, bytes))
}

/// What is wrong with a body. Of the reader's messages only those are passed on that name keys, and of others what was
/// expected: they quote values.
fn unreadable(error: &serde_json::Error, bytes: &[u8]) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    let problem = |why: &str| Problem::bad_request(format!("the body cannot be read: {why}, at {place}"));
    // The reader also calls a number no JSON where a word of a few is expected.
    if !(error.is_data() || error.is_syntax()) || !is_json(bytes) {
        return problem(if error.is_eof() { "it ends too early" } else { "it is no JSON" });
    }
    let (pointer, text) = (pointer_of(error, bytes), error.to_string());
    if let Some((why, key)) = named_key(&text) {
        return problem(&why).with_errors(vec![FieldError { pointer: key_of(&pointer, &key), detail: why }]);
    }
    let why = expected(&text).map_or("has the wrong type or form".to_owned(), |what| format!("must be {what}"));
    let told = match pointer.strip_prefix('/') {
        Some(name) => problem(&format!("'{name}' {why}")),
        None => problem(&format!("it {why}")),
    };
    told.with_errors(vec![FieldError { pointer, detail: why }])
}

/// What was expected in the place of a value, in words for people, where there are any.
fn expected(text: &str) -> Option<&str> {
    let (why, _) = text.rsplit_once(" at line ")?;
    let is_of_value = why.starts_with("invalid type: ") || why.starts_with("invalid value: ");
    // The value stands before it, and may say anything.
    let (_, what) = why.rsplit_once(", expected ").filter(|_| is_of_value)?;
    match what {
        "a string" => Some("a text"),
        "a boolean" => Some("true or false"),
        "a sequence" => Some("a list"),
        "a map" => Some("an object"),
        "u8" | "u16" | "u32" | "u64" | "usize" => Some("a whole number that is not negative"),
        "f32" | "f64" => Some("a number"),
        _ if what.starts_with("struct ") => Some("an object"),
        _ if what.starts_with("an object of ") => Some(what),
        _ => None,
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// What is told of a key that is missing, unknown or doubled, and the key.
fn named_key(text: &str) -> Option<(String, String)> {
    let (why, _) = text.rsplit_once(" at line ")?;
    let rest =
        ["missing field `", "unknown field `", "duplicate field `"].iter().find_map(|word| why.strip_prefix(word))?;
    // After the name of an unknown one those that there are follow.
    let key = rest.split_once("`, ").map_or(rest.trim_end_matches('`'), |(key, _)| key);
    Some((why.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code, reason = "only its reading is tested")]
        number: u32,
    }

    fn told(text: &str) -> String {
        let request =
            TestRequest::default().insert_header((header::CONTENT_TYPE, "application/json")).to_http_request();
        body::<Sample>(&request, text.as_bytes()).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_wrong_body_is_told_about_without_its_values() {
        let begin = "Bad Request: the body cannot be read: ";
        let wrong = told("{\"number\": \"S3cret, expected a string\"}");
        assert!(
            wrong.starts_with(&format!("{begin}'number' must be a whole number that is not negative, at ")),
            "{wrong}"
        );
        assert!(!wrong.contains("S3cret"), "{wrong}");
        assert!(told("7").starts_with(&format!("{begin}it must be an object, at ")), "{}", told("7"));
        assert!(told("{\"numbre\": 1}").contains("unknown field `numbre`"));
        assert!(told("").contains("missing field `number`"));
        assert!(told("{\"number\": 1").contains("too early"));
        assert!(told("S3cret").contains("no JSON") && !told("S3cret").contains("S3cret"));
    }

    #[test]
    fn the_wrong_field_of_a_body_is_named_by_its_pointer() {
        let pointers = |text: &str| {
            let request =
                TestRequest::default().insert_header((header::CONTENT_TYPE, "application/json")).to_http_request();
            let refused = body::<Sample>(&request, text.as_bytes()).expect_err("it is wrong");
            refused.errors().iter().map(|error| error.pointer.clone()).collect::<Vec<_>>()
        };
        for (text, pointer) in [
            ("", "/number"),
            ("{\"number\": \"x\"}", "/number"),
            ("{\"a/b\": 1}", "/a~1b"),
            ("{\"number\": 1, \"number\": 2}", "/number"),
            ("7", ""),
        ] {
            assert_eq!(pointers(text), [pointer], "{text}");
        }
        assert!(pointers("{\"number\": 1").is_empty(), "what is no JSON has no fields");
    }

    #[test]
    fn a_body_of_another_type_is_refused() {
        let request = TestRequest::default().insert_header((header::CONTENT_TYPE, "text/plain")).to_http_request();
        let refused = body::<Sample>(&request, b"{\"number\":1}").expect_err("it is refused");
        assert!(refused.to_string().contains("Content-Type"));
    }
}
