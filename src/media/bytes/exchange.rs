//! One HTTP request and its answer, for those who send rather than watch.
//!
//! It goes the same way as what sessions read: resolved once, connected to that alone, every wait under
//! one [`Patience`]. Unlike theirs it follows no redirect, and keeps no connection for later. Runs on
//! the caller's thread; never holds more of an answer than it was allowed.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use avwatch_actors::source::SourceError;
use ureq::Agent;
use ureq::http::{Request, Response};

use super::guard::Reach;
use super::http::{HEADER_BYTES_MAX, explain, split_credentials};
use super::http_transport::{PatientConnector, PatientResolver};
use super::patience::Patience;
use super::tls;
use crate::secret_url::SecretUrl;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To look.
    Get,
    /// To hand something over.
    Post,
}

/// A request.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// What is asked.
    pub method: Method,
    /// Of whom. User and password travel as a header.
    pub url: &'a SecretUrl,
    /// How errors call it, without its secrets.
    pub what: &'a str,
    /// Further headers; values may be secrets.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is handed over; nothing with [`Method::Get`].
    pub body: &'a [u8],
    /// Trusted certificates in place of the built-in roots.
    pub tls_ca: Option<&'a Path>,
    /// Most bytes of the answer's body that are read; the rest is left.
    pub answer_bytes_max: usize,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Status and reason, such as `503 Service Unavailable`; the reason is the standard's, not the server's.
    pub words: String,
    /// The header `Retry-After` as it came.
    pub retry_after: Option<String>,
    /// The begin of the body. Text of the server: not to be shown.
    pub body: Vec<u8>,
}

impl Exchange<'_> {
    /// Sends it and waits for the answer, whatever its status, for as long as the patience lasts.
    ///
    /// # Errors
    /// No answer was had.
    pub fn call(&self, reach: &Reach, patience: &Arc<Patience>) -> Result<Answer, SourceError> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("avwatch/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .max_response_header_size(HEADER_BYTES_MAX)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        let connector = PatientConnector { patience: patience.clone(), tls: tls::settings(self.tls_ca)? };
        let resolver = PatientResolver { patience: patience.clone(), reach: reach.clone() };
        let agent = Agent::with_parts(config, connector, resolver);
        let failed = |error| explain(patience, error, self.what);
        let (address, credentials) = split_credentials(self.url.expose());
        let mut request = Request::builder().uri(address.as_str());
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        if let Some(credentials) = credentials {
            request = request.header("authorization", credentials);
        }
        let response = match self.method {
            Method::Get => agent.run(request.method("GET").body(()).map_err(|error| failed(error.into()))?),
            Method::Post => agent.run(request.method("POST").body(self.body).map_err(|error| failed(error.into()))?),
        };
        Ok(self.answer(response.map_err(failed)?))
    }

    /// The status decides; a body that breaks off is taken as far as it came.
    fn answer(&self, response: Response<ureq::Body>) -> Answer {
        let status = response.status();
        let words = match status.canonical_reason() {
            Some(reason) => format!("{} {reason}", status.as_u16()),
            None => status.as_u16().to_string(),
        };
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let mut body = Vec::new();
        let whole = response.into_body().into_reader().take(self.answer_bytes_max as u64).read_to_end(&mut body);
        if let Err(error) = whole {
            tracing::debug!(what = self.what, %error, "an answer broke off after its status");
        }
        Answer { status: status.as_u16(), words, retry_after, body }
    }
}
