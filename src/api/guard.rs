//! What stands before every answer: the checks of Host and Origin, who asks and how often, and headers
//! that keep browsers in line.
//!
//! A page of an attacker can point a name of its own at 127.0.0.1 and so reach a service on
//! loopback through the victim's browser; the Host header then still carries the attacker's name.
//! It can also have the browser send a request to the real address; then Origin carries the name.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::access::{Access, Principal};
use super::body;
use super::problem::Problem;
use super::rate::Rate;
use super::routing;

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

/// What every request has to pass.
pub(super) struct Gate {
    pub hosts: Hosts,
    pub access: Access,
    pub rate: Rate,
}

/// The names under which the service may be asked for.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    names: Vec<String>,
    /// Any address may be asked for: a page of an attacker has a name, never an address of ours.
    takes_addresses: bool,
}

impl Hosts {
    /// The names of loopback, the address that is listened on, and the configured ones, without ports.
    pub(super) fn new(listen: IpAddr, configured: &[String]) -> Self {
        let fixed = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let configured = configured.iter().map(|name| plain(name));
        let names = fixed.into_iter().chain([listen.to_string()]).chain(configured).collect();
        Self { names, takes_addresses: !listen.to_canonical().is_loopback() }
    }

    /// Whether a request may be answered: its one Host header, and the host in its target if it has
    /// one, are known names.
    fn allow(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(header::HOST);
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().and_then(without_port),
            // HTTP/2 has the host in the target.
            (None, _) => uri.host(),
            (Some(_), Some(_)) => None,
        };
        host.is_some_and(|host| self.knows(host)) && uri.host().is_none_or(|host| self.knows(host))
    }

    /// Whether a browser may have sent the request from the page that it names: one that was asked for
    /// under the same host and port, or under a configured name. Other programs name none.
    ///
    /// Unlike a Host header, an address is no proof here: an attacker's page may be served from one.
    fn allow_origin(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // HTTP/2 has the host in the target.
        let asked = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        headers.get_all(header::ORIGIN).all(|origin| {
            let Some((_, page)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else { return false };
            let is_loopback = |host: &str| ["localhost", "127.0.0.1", "::1"].contains(&&*plain(host));
            let is_named = |host: &str| self.names.contains(&plain(host)) && !is_loopback(host);
            asked == Some(page) || without_port(page).is_some_and(is_named)
        })
    }

    fn knows(&self, host: &str) -> bool {
        let host = plain(host);
        self.names.contains(&host) || (self.takes_addresses && host.parse::<IpAddr>().is_ok())
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

/// Answers itself what may not pass, notes who asks, and dresses every answer.
pub(super) async fn guard(
    gate: Data<Gate>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_public = routing::is_public(request.path());
    let mut response = match gate.admit(&request) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.call(request).await?.map_into_boxed_body()
        }
        Err(problem) => request.into_response(problem.answer()),
    };
    if !is_public && is_bare_error(&response) {
        // What the framework itself refuses, such as a body that is too large.
        let status = response.status();
        response = response.into_response(Problem::bare(status).answer());
    }
    body::leave_no_rest(&mut response);
    for (name, value) in HEADERS {
        // The dashboard has a policy of its own, and files that may be kept.
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(response)
}

/// Whether an answer is an error that says so in words of no form.
fn is_bare_error(response: &ServiceResponse<BoxBody>) -> bool {
    let status = response.status();
    let content = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    (status.is_client_error() || status.is_server_error())
        && content.is_none_or(|content| content.starts_with("text/plain"))
}

impl Gate {
    /// Who asks, or why they may not.
    fn admit(&self, request: &ServiceRequest) -> Result<Principal, Problem> {
        let headers = request.headers();
        if !self.hosts.allow(headers, request.uri()) {
            let detail =
                "the Host header names no host of this service; ask for its address, or add the name to server.hosts";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        if !self.hosts.allow_origin(headers, request.uri()) || is_from_elsewhere(headers, request.path()) {
            let detail = "the request comes from a page of another host; only pages of this service may ask";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        if routing::is_public(request.path()) {
            return Ok(Principal::anybody());
        }
        let peer = request.peer_addr().map(|peer| peer.ip());
        if peer.is_some_and(|peer| !self.rate.allow(peer.to_canonical(), Instant::now())) {
            let detail = "too many requests from this address";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
            return Err(problem.with_header(header::RETRY_AFTER, "1"));
        }
        self.access.principal(headers, peer)
    }
}

/// Whether a browser says that a page of another site makes it ask. Only following a link to a page is
/// no harm.
fn is_from_elsewhere(headers: &HeaderMap, path: &str) -> bool {
    let is = |name, value: &str| headers.get(name).is_some_and(|header: &HeaderValue| header == value);
    let is_page = !path.starts_with("/api/") && !path.starts_with("/probe") && !path.starts_with("/-/");
    is("sec-fetch-site", "cross-site") && !(is_page && is("sec-fetch-mode", "navigate"))
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
        assert!(allowed(&["203.0.113.9"], "/"), "an address is nobody's name");
        assert!(!Hosts::new([127, 0, 0, 1].into(), &[]).knows("203.0.113.9"));
    }

    #[test]
    fn only_pages_of_the_service_itself_may_ask() {
        let hosts = Hosts::new([127, 0, 0, 1].into(), &["monitor.example".to_owned()]);
        let allowed = |host: &str, origins: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            hosts.allow_origin(&headers, &Uri::from_static("/"))
        };
        assert!(allowed("127.0.0.1:8080", &[]));
        assert!(allowed("127.0.0.1:8080", &["http://127.0.0.1:8080"]));
        assert!(allowed("127.0.0.1:8080", &["https://monitor.example"]), "behind a proxy");
        for foreign in ["http://127.0.0.1:3000", "http://localhost:8080", "https://evil.example", "null", ""] {
            assert!(!allowed("127.0.0.1:8080", &[foreign]), "{foreign}");
        }
        assert!(!allowed("127.0.0.1:8080", &["http://127.0.0.1:8080", "https://evil.example"]));
    }

    #[test]
    fn a_page_of_some_address_may_not_ask_a_service_that_others_reach() {
        let hosts = Hosts::new([0, 0, 0, 0].into(), &[]);
        let allowed = |target: &'static str, host: Option<&'static str>, origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            if let Some(host) = host {
                headers.insert(header::HOST, HeaderValue::from_static(host));
            }
            hosts.allow_origin(&headers, &Uri::from_static(target))
        };
        assert!(allowed("/", Some("203.0.113.9:8080"), "http://203.0.113.9:8080"));
        assert!(!allowed("/", Some("203.0.113.9:8080"), "http://198.51.100.66"));
        assert!(allowed("https://localhost:8443/", None, "https://localhost:8443"), "HTTP/2");
    }

    #[test]
    fn a_browser_that_says_another_site_asks_is_refused_but_may_follow_links_to_pages() {
        let refused = |site: &str, mode: &str, path: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-site".parse().unwrap(), HeaderValue::from_str(site).unwrap());
            headers.insert("sec-fetch-mode".parse().unwrap(), HeaderValue::from_str(mode).unwrap());
            is_from_elsewhere(&headers, path)
        };
        assert!(refused("cross-site", "no-cors", "/probe"));
        assert!(refused("cross-site", "navigate", "/probe"));
        assert!(refused("cross-site", "no-cors", "/metrics"));
        assert!(!refused("cross-site", "navigate", "/"));
        assert!(!refused("same-origin", "cors", "/api/v1/streams"));
        assert!(!refused("none", "navigate", "/api/v1/streams"));
    }
}
