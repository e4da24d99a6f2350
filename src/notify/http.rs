//! Posting over HTTP: what all channels that speak it have in common.
//!
//! Owned by a channel, used on its receiver's thread. One call lasts [`SEND_WITHIN`] at most, resolving
//! included, and ends at once when the thread's lifeline is cut. The name is resolved once and only what
//! came out is connected to; redirects are not followed. What went wrong is told without secrets and
//! without any text of the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::source::{SourceError, SourceLimits};
use jiff::fmt::rfc2822::DateTimeParser;

use super::{RESPONSE_BYTES_MAX, SEND_WITHIN, SendFailure};
use crate::config::Secret;
use crate::media::bytes::{Answer, Exchange, Method, Patience, Reach};
use crate::secret_url::{SecretUrl, UrlError};

/// Longest that a server's `Retry-After` is honoured.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Reads dates of headers, also those with a wrong day of the week.
const DATES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Posts to one address.
#[derive(Clone)]
pub struct HttpPoster {
    url: SecretUrl,
    /// The address as it may be shown.
    shown: String,
    headers: Vec<(String, Secret)>,
    tls_ca: Option<PathBuf>,
    line: Arc<Lifeline>,
    within: Duration,
}

/// Scheme, host and port of an address.
pub(super) fn server_of(url: &SecretUrl) -> String {
    url.expose().origin().ascii_serialization()
}

impl HttpPoster {
    /// To an address of which only the server is shown: its path may be as secret as its query. `line` is the lifeline of the thread that posts.
    pub fn new(url: &SecretUrl, tls_ca: Option<&Path>, line: &Arc<Lifeline>) -> Self {
        Self {
            url: url.clone(),
            shown: server_of(url),
            headers: Vec::new(),
            tls_ca: tls_ca.map(Path::to_owned),
            line: line.clone(),
            within: SEND_WITHIN,
        }
    }

    /// To an address all of which is secret but for its host.
    ///
    /// # Errors
    /// It is no address.
    pub fn hidden(url: &Secret, tls_ca: Option<&Path>, line: &Arc<Lifeline>) -> Result<Self, UrlError> {
        let url: SecretUrl = url.expose().trim().parse()?;
        Ok(Self::new(&url, tls_ca, line))
    }

    /// With further headers on every request.
    #[must_use]
    pub fn with_headers(mut self, headers: &[(String, Secret)]) -> Self {
        self.headers = headers.to_vec();
        self
    }

    /// The same, for calls that last so long at most: for who makes several in one.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { within: limit.min(SEND_WITHIN), ..self.clone() }
    }

    /// The address as it may be shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Posts a body. Headers of the receiver's settings come after `headers` and win. On success the begin
    /// of the answer's body, [`RESPONSE_BYTES_MAX`] at most, to be judged but not shown.
    ///
    /// # Errors
    /// The server was not reached or did not take it.
    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, SendFailure> {
        self.call(Method::Post, headers, body)
    }

    /// Asks for the address without handing anything over: for heartbeats.
    ///
    /// # Errors
    /// As for [`HttpPoster::post`].
    pub fn get(&self, headers: &[(&str, &str)]) -> Result<Vec<u8>, SendFailure> {
        self.call(Method::Get, headers, &[])
    }

    fn call(&self, method: Method, headers: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, SendFailure> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
        let is_own = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let headers: Vec<(&str, &str)> = headers.iter().copied().filter(|(name, _)| !is_own(name)).chain(own).collect();
        let exchange = Exchange {
            method,
            url: &self.url,
            what: &self.shown,
            headers: &headers,
            body,
            tls_ca: self.tls_ca.as_deref(),
            answer_bytes_max: RESPONSE_BYTES_MAX,
        };
        let limits = SourceLimits { open: self.within, stall: self.within, cut_when_silent: true };
        let patience = Patience::opening(&self.line, limits);
        // Receivers stand in the configuration's files: whoever writes those runs this machine.
        match exchange.call(&Reach::Trusted, &patience) {
            Ok(answer) => judge(&self.shown, answer, SystemTime::now()),
            Err(error) => Err(unanswered(&error)),
        }
    }
}

/// What becomes of a message to which a server answered so.
fn judge(shown: &str, answer: Answer, now: SystemTime) -> Result<Vec<u8>, SendFailure> {
    let why = format!("{shown} answered {}", answer.words);
    match answer.status {
        200..=299 => Ok(answer.body),
        408 | 425 | 429 | 500..=599 => {
            let after = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
            Err(SendFailure::Later { why, after })
        }
        300..=399 => Err(SendFailure::Refused { why: format!("{why}; redirects are not followed") }),
        _ => Err(SendFailure::Refused { why }),
    }
}

/// What becomes of a message to which nobody answered.
fn unanswered(error: &SourceError) -> SendFailure {
    match error {
        SourceError::Forbidden { .. } => SendFailure::Refused { why: error.to_string() },
        _ => SendFailure::Later { why: error.to_string(), after: None },
    }
}

/// A `Retry-After`: seconds or a date. Dates that have passed mean now.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = DATES.parse_timestamp(text).ok()?;
            SystemTime::from(then).duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, UNIX_EPOCH};

    use avwatch_actors::lifeline::CutReason;

    use super::*;
    use crate::notify::testing::{Reply, Scripted};

    fn poster(url: &str) -> HttpPoster {
        HttpPoster::new(&url.parse().unwrap(), None, &Arc::default())
    }

    fn answered(reply: Reply) -> Result<Vec<u8>, SendFailure> {
        let server = Scripted::start(move |_| reply.clone());
        poster(&server.url("/hook")).post(&[("content-type", "text/plain")], b"hello")
    }

    #[test]
    fn what_is_posted_arrives_with_its_headers_and_credentials() {
        let server = Scripted::start(|_| Reply::status(200).body("thanks"));
        let url = server.url("/hook?token=S3cret").replace("http://", "http://user:p%40ss@");
        let headers = [("x-key".to_owned(), Secret::for_tests("S3cret")), ("x-b".to_owned(), Secret::for_tests("own"))];
        let poster = poster(&url).with_headers(&headers);
        assert_eq!(poster.post(&[("X-A", "1"), ("X-B", "ours")], b"hello").unwrap(), b"thanks");
        let request = &server.requests()[0];
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook?token=S3cret"));
        assert_eq!(request.body, b"hello");
        assert_eq!(request.header("authorization"), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(request.header("x-key"), Some("S3cret"));
        assert_eq!(request.header("x-a"), Some("1"));
        assert_eq!(request.header("x-b"), Some("own"), "the settings win, and nothing stands twice");
        assert!(!poster.shown().contains("S3cret") && !poster.shown().contains("p%40ss"));
    }

    #[test]
    fn a_get_hands_nothing_over() {
        let server = Scripted::start(|_| Reply::status(204));
        assert_eq!(poster(&server.url("/beat")).get(&[]).unwrap(), b"");
        assert_eq!(server.requests()[0].method, "GET");
    }

    #[test]
    fn answers_decide_what_becomes_of_a_message() {
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let failure = answered(Reply::status(status)).unwrap_err();
            assert!(matches!(&failure, SendFailure::Later { after: None, .. }), "{status}: {failure:?}");
        }
        for status in [300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
            let failure = answered(Reply::status(status).header("location", "/elsewhere")).unwrap_err();
            assert!(matches!(&failure, SendFailure::Refused { .. }), "{status}: {failure:?}");
        }
        for status in [200, 201, 202, 204] {
            assert!(answered(Reply::status(status)).is_ok(), "{status}");
        }
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let server = Scripted::start(|_| Reply::status(302).header("location", "/other"));
        let failure = poster(&server.url("/hook")).post(&[], b"x").unwrap_err();
        assert!(failure.to_string().ends_with("answered 302 Found; redirects are not followed"), "{failure}");
        assert_eq!(server.requests().len(), 1);
    }

    #[test]
    fn a_server_may_ask_for_time_in_seconds_or_until_a_date_but_for_an_hour_at_most() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999", Some(3_600)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Sun, 06 Nov 2094 08:49:27 GMT", Some(3_600)),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
        let failure = answered(Reply::status(503).header("retry-after", "2")).unwrap_err();
        assert!(matches!(failure, SendFailure::Later { after: Some(after), .. } if after == Duration::from_secs(2)));
    }

    #[test]
    fn nothing_that_a_server_says_and_no_secret_stands_in_an_error() {
        let server = Scripted::start(|_| Reply::status(403).body("<script>S3cret</script>"));
        let why = poster(&server.url("/hook?token=S3cret")).post(&[], b"x").unwrap_err().to_string();
        assert!(!why.contains("S3cret") && why.contains("answered 403 Forbidden"), "{why}");
        let hidden = Secret::for_tests(&server.url("/T000/S3cret"));
        let poster = HttpPoster::hidden(&hidden, None, &Arc::default()).unwrap();
        let why = poster.post(&[], b"x").unwrap_err().to_string();
        assert!(!why.contains("T000") && why.contains("127.0.0.1"), "{why}");
    }

    #[test]
    fn of_a_long_answer_only_the_begin_is_read() {
        let body = answered(Reply::status(200).body(&"x".repeat(RESPONSE_BYTES_MAX + 1))).unwrap();
        assert_eq!(body.len(), RESPONSE_BYTES_MAX);
    }

    #[test]
    fn who_is_not_there_may_be_tried_later() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = poster(&format!("http://{gone}/")).post(&[], b"x").unwrap_err();
        assert_eq!(
            failure,
            SendFailure::Later { why: format!("cannot connect to {gone}: connection refused"), after: None }
        );
    }

    #[test]
    fn a_cut_ends_a_call_at_once() {
        let server = Scripted::start(|_| Reply::never());
        let line: Arc<Lifeline> = Arc::default();
        let poster = HttpPoster::new(&server.url("/").parse().unwrap(), None, &line);
        let caller = std::thread::spawn(move || poster.post(&[], b"x"));
        server.wait_for(1, Duration::from_secs(5));
        let cut = Instant::now();
        line.cut(CutReason::Stopped);
        assert!(matches!(caller.join().unwrap(), Err(SendFailure::Later { .. })));
        assert!(cut.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn a_certificate_that_nobody_vouches_for_is_not_spoken_to() {
        let server = Scripted::start(|_| Reply::status(200));
        let url = server.url("/").replace("http://", "https://");
        let failure = poster(&url).post(&[], b"x").unwrap_err();
        assert!(matches!(&failure, SendFailure::Later { .. }), "{failure:?}");
        let missing = HttpPoster::new(&url.parse().unwrap(), Some(Path::new("/missing/ca.pem")), &Arc::default());
        assert!(missing.post(&[], b"x").unwrap_err().to_string().contains("/missing/ca.pem"));
    }
}
