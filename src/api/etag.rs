//! Tags of what can be changed, and conditions of changes (RFC 9110).
//!
//! A condition is read and judged before the handler is asked, as the table of endpoints says: where there is a tag, the
//! handler compares it within the change; where there is none, the request is refused. Whoever sends a
//! condition relies on it, and must not find out later that nobody looked.

use std::sync::LazyLock;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest};

use super::problem::Problem;
use super::routes::{ENDPOINTS, Endpoint};
use super::verb::Verb;
use crate::desired::Expect;

/// The endpoints that compare tags, for people.
static HEEDING: LazyLock<String> = LazyLock::new(|| {
    let heeding = ENDPOINTS.iter().filter(|endpoint| endpoint.verb != Verb::Get && !endpoint.tag_of.is_empty());
    let names = heeding.map(|endpoint| format!("{} {}", endpoint.verb.method(), endpoint.path));
    names.collect::<Vec<_>>().join(", ")
});

/// The condition of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// None.
    #[default]
    None,
    /// `If-Match` with a tag.
    Match(u64),
    /// `If-Match: *`.
    Exists,
    /// `If-None-Match: *`.
    Absent,
}

impl Condition {
    /// The condition of a request that was let through to its handler.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or_default()
    }

    /// The revision that the change is meant for; any when absent.
    pub(super) fn seen(self) -> Option<u64> {
        match self {
            Self::Match(revision) => Some(revision),
            Self::None | Self::Exists | Self::Absent => None,
        }
    }

    /// What must be so before the change; `otherwise` without a condition.
    pub(super) fn expect(self, otherwise: Expect) -> Expect {
        match self {
            Self::None => otherwise,
            Self::Match(revision) => Expect::Revision(revision),
            Self::Exists => Expect::Present,
            Self::Absent => Expect::Absent,
        }
    }
}

/// The tag of a revision. It names the settings, not the readings that are shown with them.
pub(super) fn etag(revision: u64) -> String {
    format!("\"r{revision}\"")
}

/// What somebody else was quicker with.
pub(super) fn changed() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "it was changed meanwhile: read it again")
}

/// The condition of a request, if its endpoint can judge it.
pub(super) fn judge(endpoint: &Endpoint, request: &HttpRequest) -> Result<Condition, Problem> {
    if endpoint.verb == Verb::Get {
        return Ok(Condition::None);
    }
    let condition = condition(request)?;
    let is_judged = match condition {
        Condition::None => true,
        Condition::Match(_) => !endpoint.tag_of.is_empty(),
        Condition::Exists => endpoint.is_there(),
        Condition::Absent => endpoint.may_add(),
    };
    if is_judged {
        return Ok(condition);
    }
    let why = match condition {
        Condition::Absent => "nothing was done: If-None-Match is for PUT of what has a name of its own".to_owned(),
        Condition::None | Condition::Match(_) | Condition::Exists => {
            format!("nothing was done: nothing here has a tag to compare with; tags are compared by {}", *HEEDING)
        }
    };
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, why))
}

fn condition(request: &HttpRequest) -> Result<Condition, Problem> {
    let header = |name| {
        let mut values = request.headers().get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default().trim())),
            (Some(_), Some(_)) => Err(Problem::bad_request("a condition can be given once")),
        }
    };
    match (header(header::IF_MATCH)?, header(header::IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::None),
        (Some("*"), None) => Ok(Condition::Exists),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some(tag), None) if tag.contains(',') => Err(Problem::bad_request("If-Match can name one tag, or be *")),
        // A tag that was never given out matches nothing.
        (Some(tag), None) => Ok(Condition::Match(revision(tag).unwrap_or(u64::from(u32::MAX) << 20))),
        (None, Some(_)) => Err(Problem::bad_request("If-None-Match can only be * in a change")),
        (Some(_), Some(_)) => Err(Problem::bad_request("If-Match and If-None-Match exclude each other")),
    }
}

/// Whether a request says that it has what a tag names: `If-None-Match` of a reading, with tags that may be weak, or `*`.
pub(super) fn has(request: &HttpRequest, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lines = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    // Tags of ours have no commas.
    lines.flat_map(|line| line.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

fn revision(tag: &str) -> Option<u64> {
    tag.strip_prefix("\"r")?.strip_suffix('"')?.parse().ok().filter(|revision| *revision < i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn conditions_are_read_as_they_stand() {
        let of = |pairs: &[(&str, &str)]| {
            let request = pairs
                .iter()
                .fold(TestRequest::default(), |request, (name, value)| request.append_header((*name, *value)));
            condition(&request.to_http_request()).ok()
        };
        assert_eq!(of(&[]), Some(Condition::None));
        assert_eq!(of(&[("if-match", &etag(17))]), Some(Condition::Match(17)));
        assert_eq!(of(&[("if-match", "*")]), Some(Condition::Exists));
        assert_eq!(of(&[("if-none-match", "*")]), Some(Condition::Absent));
        for strange in ["r17", "W/\"r17\"", "\"r-1\"", "\"r99999999999999999999\"", ""] {
            assert!(
                matches!(of(&[("if-match", strange)]), Some(Condition::Match(revision)) if revision > 1 << 40),
                "{strange}"
            );
        }
        assert_eq!(of(&[("if-none-match", "\"r1\"")]), None);
        assert_eq!(of(&[("if-match", "*"), ("if-none-match", "*")]), None);
        assert_eq!(of(&[("if-match", "\"r1\", \"r2\"")]), None);
    }

    #[test]
    fn a_reading_that_somebody_has_is_known_by_any_of_its_tags() {
        let has = |values: &[&str]| {
            let request = TestRequest::default();
            let request =
                values.iter().fold(request, |request, value| request.append_header(("if-none-match", *value)));
            has(&request.to_http_request(), "\"17\"")
        };
        for values in [
            &["\"17\""][..],
            &["W/\"17\""],
            &["*"],
            &["\"16\", W/\"17\""],
            &["\"16\" ,\"17\",\"18\""],
            &["\"16\"", "\"17\""],
        ] {
            assert!(has(values), "{values:?}");
        }
        for values in [&[][..], &["\"16\""], &["17"], &[""], &["\"1\", \"7\""]] {
            assert!(!has(values), "{values:?}");
        }
    }

    #[test]
    fn every_endpoint_heeds_a_condition_or_refuses_it() {
        let judged = |id: &str, name: &str, value: &str| {
            let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.id == id).unwrap();
            let request = TestRequest::default().append_header((name, value)).to_http_request();
            judge(endpoint, &request).map_err(|problem| problem.to_string())
        };
        for id in ["put_stream", "remove_stream", "set_log_levels", "ack", "unack", "comment"] {
            assert_eq!(judged(id, "if-match", "\"r7\""), Ok(Condition::Match(7)), "{id}");
            assert_eq!(judged(id, "if-match", "*"), Ok(Condition::Exists), "{id}");
        }
        // What is there to be read is there; what is removed is answered 404 when it is not.
        for id in ["add_stream", "add_silence", "add_note", "add_token", "end_silence", "remove_token", "remove_note"] {
            assert_eq!(judged(id, "if-match", "*"), Ok(Condition::Exists), "{id}");
            assert!(judged(id, "if-match", "\"r7\"").unwrap_err().contains("PUT /api/v1/streams/{name}, "), "{id}");
        }
        for id in ["apply", "import", "reload", "test_receiver", "retry_parked"] {
            assert!(judged(id, "if-match", "*").is_err() && judged(id, "if-match", "\"r7\"").is_err(), "{id}");
        }
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.verb != Verb::Get) {
            let is_heeded = judged(endpoint.id, "if-none-match", "*").is_ok();
            assert_eq!(is_heeded, endpoint.id == "put_stream", "{}", endpoint.id);
        }
    }

    #[test]
    fn a_tag_that_is_compared_is_given_by_an_endpoint_that_reads() {
        for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.tag_of.is_empty()) {
            let gives = |other: &&Endpoint| other.verb == Verb::Get && other.path == endpoint.tag_of;
            let giving = ENDPOINTS.iter().find(gives).map(|other| other.tag_of);
            assert_eq!(giving, Some(endpoint.tag_of), "{}", endpoint.id);
        }
    }
}
