//! What stands behind the `?` of a request: read strictly, told about in words that repeat no value.

use std::time::SystemTime;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::problem::Problem;
use crate::config::{moment, nearest};

/// Longest query, in bytes.
const QUERY_BYTES_MAX: usize = 8_192;

/// One parameter of the query that an endpoint knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it means, for people.
    pub doc: &'static str,
    /// An example, which the documentation shows.
    pub example: &'static str,
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of a request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self(url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there, be it empty.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A value of a type that is read from text.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let wrong = || Problem::bad_request(format!("'{name}' must be {expected}"));
        self.get(name).map(|text| text.parse().map_err(|_| wrong())).transpose()
    }

    /// A moment: RFC 3339, or a span such as `1h` for that long ago.
    pub(super) fn moment(&self, name: &str) -> Result<Option<SystemTime>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || {
            Problem::bad_request(format!(
                "'{name}' must be a time such as 2026-11-28T18:00:00Z, or a span such as 1h for that long ago"
            ))
        };
        moment(text).map(Some).ok_or_else(wrong)
    }

    /// The number of rows of a page.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        let limit = self.parsed("limit", &format!("a number from 1 to {most}"))?.unwrap_or(default);
        if (1..=most).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::bad_request(format!("'limit' must be a number from 1 to {most}")))
        }
    }
}

/// Refuses parameters that are not known.
pub(super) fn check_query(request: &HttpRequest, known: &[Param]) -> Result<(), Problem> {
    if request.query_string().len() > QUERY_BYTES_MAX {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, format!("the query is over {QUERY_BYTES_MAX} bytes")));
    }
    for (key, _) in Query::of(request).0 {
        if known.iter().any(|param| param.name == key) {
            continue;
        }
        let names: Vec<&str> = known.iter().map(|param| param.name).collect();
        let hint = match nearest(&key, names.iter().copied()) {
            Some(meant) => format!("did you mean '{meant}'?"),
            None if names.is_empty() => "it takes none".to_owned(),
            None => format!("there are {}", names.join(", ")),
        };
        return Err(Problem::bad_request(format!("unknown parameter in the query; {hint}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn moments_are_absolute_or_so_long_ago() {
        let query = Query(vec![("since".into(), "1h".into()), ("until".into(), "2026-11-28T18:00:00Z".into())]);
        let ago = SystemTime::now().duration_since(query.moment("since").unwrap().unwrap()).unwrap();
        assert!((3_590..3_610).contains(&ago.as_secs()));
        let until = query.moment("until").unwrap().unwrap();
        assert_eq!(until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_795_888_800);
        assert!(Query(vec![("since".into(), "yesterday".into())]).moment("since").is_err());
    }
}
