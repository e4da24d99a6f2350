//! References: what a user names as reachable whenever the monitor's network is well.
//!
//! An `http:` address must answer a request for its head, with any status; an `https:` or `tcp:` one must
//! take a connection. Runs on a `probe` thread: resolving a name may outlast the limit there, and hurts nobody.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use avwatch_actors::probe_report::{ProbeFinding, ProbeOutcome};

use super::finding;
use crate::secret_url::SecretUrl;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// One reference.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferencePlan {
    url: SecretUrl,
    host: String,
    port: u16,
}

impl ReferencePlan {
    /// A reference by its address; absent when it is no `http`, `https` or `tcp` URL with a host and a port.
    pub fn new(url: SecretUrl) -> Option<Self> {
        let plain = url.expose();
        if !matches!(plain.scheme(), "http" | "https" | "tcp") {
            return None;
        }
        let (host, port) = (plain.host_str()?.to_owned(), plain.port_or_known_default()?);
        (!host.is_empty()).then_some(Self { url, host, port })
    }

    /// Its host and port: nothing else of it is ever shown.
    pub(super) fn shown(&self) -> String {
        format!("reference {}:{}", self.host, self.port)
    }

    /// Whether it is reached.
    pub(super) fn answers(&self, limit: Duration) -> ProbeFinding {
        match self.reach(limit) {
            Ok(()) => finding(ProbeOutcome::Fine, format!("{} answers", self.shown())),
            Err(why) => finding(ProbeOutcome::Failing, format!("{}: {why}", self.shown())),
        }
    }

    fn reach(&self, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + limit;
        let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let bare = self.host.trim_matches(['[', ']']);
        let addresses = (bare, self.port).to_socket_addrs().map_err(|_| "its name has no address".to_owned())?;
        let mut why = "its name has no address".to_owned();
        for address in addresses.take(ADDRESSES_MAX) {
            match TcpStream::connect_timeout(&address, left()) {
                Ok(stream) if self.url.scheme() == "http" => return self.ask(stream, left()),
                Ok(_) => return Ok(()),
                Err(error) => why = plain(error.kind()),
            }
        }
        Err(why)
    }

    fn ask(&self, mut stream: TcpStream, limit: Duration) -> Result<(), String> {
        let path = self.url.expose().path();
        let request = format!("HEAD {path} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        let mut head = [0; 5];
        let asked = stream
            .set_read_timeout(Some(limit))
            .and_then(|()| stream.set_write_timeout(Some(limit)))
            .and_then(|()| stream.write_all(request.as_bytes()))
            .and_then(|()| stream.read_exact(&mut head));
        match asked {
            Ok(()) if &head == b"HTTP/" => Ok(()),
            Ok(()) => Err("its answer is no HTTP".to_owned()),
            Err(error) => Err(plain(error.kind())),
        }
    }
}

fn plain(kind: std::io::ErrorKind) -> String {
    match kind {
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}
