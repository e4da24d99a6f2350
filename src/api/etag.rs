//! Tags of what can be changed, and conditions of changes (RFC 9110).

use actix_web::HttpRequest;
use actix_web::http::header;

use super::problem::Problem;
use crate::desired::Expect;

/// The condition of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// None.
    None,
    /// `If-Match` with a tag.
    Match(u64),
    /// `If-Match: *`.
    Exists,
    /// `If-None-Match: *`.
    Absent,
}

impl Condition {
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

/// The condition of a request.
pub(super) fn condition(request: &HttpRequest) -> Result<Condition, Problem> {
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
        // A tag that was never given out matches nothing.
        (Some(tag), None) => Ok(Condition::Match(revision(tag).unwrap_or(u64::from(u32::MAX) << 20))),
        (None, Some(_)) => Err(Problem::bad_request("If-None-Match can only be * in a change")),
        (Some(_), Some(_)) => Err(Problem::bad_request("If-Match and If-None-Match exclude each other")),
    }
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
    }
}
