//! What stands before every answer: the checks of Host and Origin, and headers that keep browsers in
//! line.
//!
//! A page of an attacker can point a name of its own at 127.0.0.1 and so reach a service on
//! loopback through the victim's browser; the Host header then still carries the attacker's name.
//! It can also have the browser send a request to the real address; then Origin carries the name.

use std::net::IpAddr;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::problem::Problem;

/// Headers of every answer that does not set them itself.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The names under which the service may be asked for.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// The names of loopback, the address that is listened on, and the configured ones, without ports.
    pub(super) fn new(listen: IpAddr, configured: &[String]) -> Self {
        let fixed = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let configured = configured.iter().map(|name| plain(name));
        Self(fixed.into_iter().chain([listen.to_string()]).chain(configured).collect())
    }

    /// Whether a request may be answered: its one Host header, and the host in its target if it has
    /// one, are known names.
    fn allow(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(header::HOST);
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let host = host.to_str().ok().and_then(without_port);
        host.is_some_and(|host| self.knows(host)) && uri.host().is_none_or(|host| self.knows(host))
    }

    /// Whether a browser may have sent the request from the page that it names: one of ours. Other
    /// programs name none.
    fn allow_origin(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).all(|origin| {
            let uri = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
            uri.as_ref().and_then(Uri::host).is_some_and(|host| self.knows(host))
        })
    }

    fn knows(&self, host: &str) -> bool {
        let host = plain(host);
        self.0.contains(&host)
    }
}

/// Lower case, without the brackets of IPv6 and the dot at the end.
fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// The host of `HOST` or `HOST:PORT`; nothing for a malformed one.
fn without_port(value: &str) -> Option<&str> {
    let (host, port) = match value.rfind(']') {
        Some(end) if value.starts_with('[') => value.split_at(end + 1),
        Some(_) => return None,
        None => value.split_at(value.find(':').unwrap_or(value.len())),
    };
    let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (port_is_good && !host.is_empty()).then_some(host)
}

/// Answers requests for unknown hosts itself and dresses every answer.
pub(super) async fn guard(
    hosts: Data<Hosts>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = match refusal(&hosts, &request) {
        None => next.call(request).await?.map_into_boxed_body(),
        Some(problem) => request.into_response(problem.answer()),
    };
    for (name, value) in HEADERS {
        // The dashboard has a policy of its own, and files that may be kept.
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(response)
}

fn refusal(hosts: &Hosts, request: &ServiceRequest) -> Option<Problem> {
    if !hosts.allow(request.headers(), request.uri()) {
        let detail =
            "the Host header names no host of this service; ask for the address it listens on, such as 127.0.0.1";
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    if !hosts.allow_origin(request.headers()) {
        let detail = "the Origin header names a page of another host; only pages of this service may ask";
        return Some(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_pass_whatever_the_port() {
        let hosts = Hosts::new([192, 0, 2, 7].into(), &["Monitor.Example.".to_owned()]);
        let allowed = |values: &[&str], uri: &str| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::HOST, HeaderValue::from_str(value).unwrap());
            }
            hosts.allow(&headers, &uri.parse().unwrap())
        };
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8080",
            "192.0.2.7",
            "monitor.example:443",
            "localhost.",
        ] {
            assert!(allowed(&[good], "/"), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.8",
            "localhost:",
            "localhost:x",
            "localhost:99999",
            "[::1",
            "::1]",
            "[::1]x",
            "user@localhost",
            "::1",
        ] {
            assert!(!allowed(&[bad], "/"), "{bad}");
        }
        assert!(!allowed(&[], "/"));
        assert!(!allowed(&["localhost", "localhost"], "/"));
        assert!(!allowed(&["localhost"], "http://evil.example/"));
        assert!(allowed(&["localhost"], "http://localhost/"));
    }
}
