//! HTTP and HTTPS: one client per session, and the body of a response as a source.
//!
//! Every wait honours the lifeline. Redirects are followed three times at most and only to http and
//! https, and only where the client may reach; the password of an address goes to its own host only,
//! never into a log or an error, and configured headers, which may be secrets, to the configured
//! server only unless the configuration says otherwise.

use std::io::Read;
use std::sync::Arc;

use avwatch_actors::source::SourceError;
use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body, BodyReader};
use url::{Origin, Url};

use super::file::plain;
use super::guard::Reach;
use super::http_transport::{PatientConnector, PatientResolver};
use super::patience::Patience;
use super::{ByteSource, Extent, tls};
use crate::media::spec::{HeaderReach, Transport};
use crate::secret_url::SecretUrl;

/// Most redirects of one request.
const REDIRECTS_MAX: u32 = 3;

/// Most bytes of response headers.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Buffer of a connection for what comes in.
const INPUT_BYTES: usize = 32 * 1024;

/// Idle connections that a session keeps for its next request.
const IDLE_MAX: usize = 4;

/// Makes requests for one session. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    agent: Agent,
    headers: Arc<[(String, String)]>,
    /// The only server that gets the headers; every one does when absent.
    home: Option<Origin>,
    patience: Arc<Patience>,
    guarded: bool,
}

/// A part of a resource: from a byte on, up to but without another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub from: u64,
    /// The byte after the last one; the end of the resource when absent.
    pub to: Option<u64>,
}

impl ByteRange {
    /// The value of a `Range` header; `None` for the whole resource.
    fn header(self) -> Option<String> {
        match self {
            Self { from: 0, to: None } => None,
            Self { from, to: None } => Some(format!("bytes={from}-")),
            Self { from, to: Some(to) } => Some(format!("bytes={from}-{}", to.saturating_sub(1))),
        }
    }
}

impl HttpClient {
    /// A client with a session's settings; `home` is the configured address. Fails when its file of
    /// certificates cannot be used.
    pub fn new(
        transport: &Transport,
        home: &SecretUrl,
        reach: &Reach,
        patience: &Arc<Patience>,
    ) -> Result<Self, SourceError> {
        let agent_name = transport.user_agent.as_deref().unwrap_or(concat!("avwatch/", env!("CARGO_PKG_VERSION")));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // They are followed here, where it is known which headers may go along.
            .max_redirects(0)
            .proxy(None)
            .user_agent(agent_name)
            .accept("*/*")
            .max_response_header_size(HEADER_BYTES_MAX)
            .input_buffer_size(INPUT_BYTES)
            .output_buffer_size(8 * 1024)
            .max_idle_connections(IDLE_MAX)
            .max_idle_connections_per_host(IDLE_MAX)
            .build();
        let tls = tls::settings(transport.tls_ca.as_deref())?;
        let connector = PatientConnector { patience: patience.clone(), tls };
        let resolver = PatientResolver { patience: patience.clone(), reach: reach.clone() };
        Ok(Self {
            agent: Agent::with_parts(config, connector, resolver),
            headers: transport.http_headers.clone().into(),
            home: match transport.http_headers_to {
                HeaderReach::Server => Some(home.expose().origin()),
                HeaderReach::Everywhere => None,
            },
            patience: patience.clone(),
            guarded: reach.is_guarded(),
        })
    }

    /// Whether it may not reach every address.
    pub fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Requests a resource, or a part of it, and returns its body as a source.
    pub fn get(&self, url: &SecretUrl, range: ByteRange) -> Result<HttpSource, SourceError> {
        let mut source = HttpSource {
            client: self.clone(),
            what: url.to_string(),
            url: url.clone(),
            shown: url.clone(),
            body: None,
            position: range.from,
            range,
            end: None,
            ranges: false,
        };
        source.request()?;
        Ok(source)
    }

    /// One request, without following what it answers.
    fn call(&self, url: &Url, range: ByteRange, what: &str) -> Result<Response<Body>, SourceError> {
        let (address, credentials) = split_credentials(url);
        let mut request = self.agent.get(address.as_str());
        if self.home.as_ref().is_none_or(|home| *home == url.origin()) {
            for (name, value) in self.headers.iter() {
                request = request.header(name, value);
            }
        }
        if let Some(credentials) = credentials {
            request = request.header("authorization", credentials);
        }
        if let Some(range) = range.header() {
            request = request.header("range", range);
        }
        request.call().map_err(|error| explain(&self.patience, error, what))
    }
}

/// Says in our words what ureq could not do.
pub(super) fn explain(patience: &Patience, error: ureq::Error, what: &str) -> SourceError {
    if let Some(reason) = patience.verdict() {
        return patience.error(&reason, what);
    }
    let what = what.to_owned();
    match error {
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<SourceError>()) {
            Some(ours) => ours.clone(),
            None => SourceError::Connect { what, why: plain(&error) },
        },
        ureq::Error::BadUri(_) => {
            SourceError::Forbidden { what, why: "its address is neither http nor https".to_owned() }
        }
        ureq::Error::HostNotFound => SourceError::Resolve { host: what, why: "it has no address".to_owned() },
        // Headers of the configuration end here too; neither names a value.
        other => SourceError::Read { what, why: format!("HTTP failed: {}", kind(&other)) },
    }
}

/// What failed, without any text that the server or a header could have put there.
fn kind(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Http(_) => "a header or address is malformed",
        ureq::Error::Protocol(_) => "the server does not speak HTTP properly",
        ureq::Error::ConnectionFailed => "no connection",
        ureq::Error::LargeResponseHeader(_, _) => "the response headers are too large",
        _ => "the request could not be made",
    }
}

/// The body of a response.
pub struct HttpSource {
    client: HttpClient,
    what: String,
    /// Where the next request goes: the address after redirects.
    url: SecretUrl,
    /// The same, for who resolves relative addresses.
    shown: SecretUrl,
    body: Option<BodyReader<'static>>,
    position: u64,
    range: ByteRange,
    /// The byte after the last one, when the server said so.
    end: Option<u64>,
    ranges: bool,
}

impl HttpSource {
    /// The address that answered, after redirects.
    pub fn final_url(&self) -> &SecretUrl {
        &self.shown
    }

    /// Asks for everything from the current position on.
    fn request(&mut self) -> Result<(), SourceError> {
        self.body = None;
        let range = ByteRange { from: self.position, ..self.range };
        let (mut url, mut redirects) = (self.url.expose().clone(), 0);
        let response = loop {
            let response = self.client.call(&url, range, &self.what)?;
            if !is_redirect(response.status()) {
                break response;
            }
            if redirects == REDIRECTS_MAX {
                let why = format!("more than {REDIRECTS_MAX} redirects");
                return Err(SourceError::Refused { what: self.what.clone(), why });
            }
            redirects += 1;
            url = redirected(&url, response.headers(), &self.what)?;
        };
        let status = response.status();
        let partial = status == StatusCode::PARTIAL_CONTENT;
        if !status.is_success() || (range.header().is_some() && !partial) {
            return Err(SourceError::Refused { what: self.what.clone(), why: refusal(status) });
        }
        let length = number(response.headers(), "content-length");
        self.end = length.map(|length| self.position.saturating_add(length));
        let bytes_unit = response.headers().get("accept-ranges").is_some_and(|unit| unit.as_bytes() == b"bytes");
        self.ranges = partial || bytes_unit;
        if let Ok(url) = split_credentials(&url).0.to_string().parse::<SecretUrl>() {
            self.shown = url;
        }
        self.body = Some(response.into_body().into_reader());
        Ok(())
    }

    /// The error of a connection that ended early.
    fn cut_short(&self, position: u64) -> Option<SourceError> {
        let missing = self.end?.checked_sub(position).filter(|missing| *missing > 0)?;
        let why = format!("the server closed the connection with {missing} bytes missing");
        Some(SourceError::Read { what: self.what.clone(), why })
    }
}

impl ByteSource for HttpSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        if self.body.is_none() {
            self.request()?;
        }
        let Some(body) = &mut self.body else { return Ok(0) };
        match body.read(buffer) {
            Ok(0) => self.cut_short(self.position).map_or(Ok(0), Err),
            Ok(count) => {
                self.position += count as u64;
                self.client.patience.arrived(count);
                Ok(count)
            }
            Err(error) => {
                self.client.patience.check(&self.what)?;
                let broken = || SourceError::Read { what: self.what.clone(), why: plain(&error) };
                Err(self.cut_short(self.position).unwrap_or_else(broken))
            }
        }
    }

    fn seek(&mut self, to: u64) -> Result<(), SourceError> {
        if to != self.position || self.body.is_none() {
            // Asked for at the next read, so that a seek to the very end costs no request.
            self.body = None;
            self.position = to;
        }
        Ok(())
    }

    fn extent(&self) -> Extent {
        Extent { size: self.end, seekable: self.ranges && self.end.is_some() }
    }
}

/// Whether an answer says that what was asked for is elsewhere (RFC 9110 section 15.4).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads.
fn redirected(from: &Url, headers: &HeaderMap, what: &str) -> Result<Url, SourceError> {
    let location = headers.get(header::LOCATION).and_then(|location| std::str::from_utf8(location.as_bytes()).ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return Err(SourceError::Refused { what: what.to_owned(), why: "a redirect leads nowhere".to_owned() });
    };
    if !matches!(to.scheme(), "http" | "https") {
        let why = "it redirects to an address that is neither http nor https".to_owned();
        return Err(SourceError::Forbidden { what: what.to_owned(), why });
    }
    Ok(to)
}

/// Status and reason, such as `404 Not Found`.
fn refusal(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) if status.is_success() => {
            format!("the server ignored the wanted range ({} {reason})", status.as_u16())
        }
        Some(reason) => format!("the server answered {} {reason}", status.as_u16()),
        None => format!("the server answered {}", status.as_u16()),
    }
}

/// A header that is a number.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Takes user and password out of an address, as the value of an `Authorization` header.
pub(super) fn split_credentials(url: &Url) -> (Url, Option<String>) {
    if url.username().is_empty() && url.password().is_none() {
        return (url.clone(), None);
    }
    let mut bare = url.clone();
    // Both only fail for addresses that cannot have credentials, and this one has.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend_from_slice(&percent_decoded(url.password().unwrap_or_default()));
    (bare, Some(format!("Basic {}", base64(&pair))))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) if *byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// Base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_address_and_become_a_header() {
        let url = Url::parse("http://user:p%40ss@host/a?b=c").unwrap();
        let (bare, header) = split_credentials(&url);
        assert_eq!(bare.as_str(), "http://host/a?b=c");
        assert_eq!(header.as_deref(), Some("Basic dXNlcjpwQHNz"));
    }

    #[test]
    fn base64_agrees_with_the_examples_of_the_standard() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_range_is_written_as_http_wants_it() {
        let range = |from, to| ByteRange { from, to }.header();
        assert_eq!(range(0, None), None);
        assert_eq!(range(5, None).as_deref(), Some("bytes=5-"));
        assert_eq!(range(0, Some(10)).as_deref(), Some("bytes=0-9"));
    }
}
