//! A small client of a running service's API, for the commands that ask it.
//!
//! One request a connection, HTTP/1.0, with limits on time and size. Over HTTPS it takes the one
//! certificate that the service is configured with, or, for other services, one that the public
//! authorities vouch for. Runs on the main thread.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};
use serde_json::Value;
use url::Url;

use crate::config::{ServerPlan, TlsPlan};

/// Longest wait for a connection, and for the next bytes.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Longest wait for the next bytes of a live feed, which says something every 15 s.
const FEED_WAIT_MAX: Duration = Duration::from_secs(45);

/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Where a service is and how it is asked.
pub struct Client {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Client {
    /// The service at a URL, with a token if one is needed.
    ///
    /// # Errors
    /// It is no http or https URL.
    pub fn at(url: &str, token: Option<String>) -> Result<Self, String> {
        let wrong = || "the service's address must be like http://127.0.0.1:8080".to_owned();
        let url: Url = url.parse().map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(public_authorities()?),
            _ => return Err(wrong()),
        };
        Ok(Self { host, port, tls, token })
    }

    /// The service that a configuration describes, on this machine.
    ///
    /// # Errors
    /// It has no server, or its certificate cannot be read.
    pub fn of(plan: &ServerPlan, token: Option<String>) -> Result<Self, String> {
        let listen = plan.listen.ok_or("the service listens on no address (server.listen is off)")?;
        let address = reachable(listen);
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let tls = plan.tls.as_ref().map(only_the_configured).transpose()?;
        Ok(Self { host, port: address.port(), tls, token })
    }

    /// Asks, and reads the answer to its end.
    ///
    /// # Errors
    /// What a person reads when there is no answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        self.ask_within(method, path, body, WAIT_MAX)
    }

    fn ask_within(&self, method: &str, path: &str, body: Option<&Value>, within: Duration) -> Result<Answer, String> {
        let mut reader = self.send(method, path, body, within)?;
        let status = head(&mut reader)?;
        let mut body = String::new();
        match reader.take(ANSWER_BYTES_MAX).read_to_string(&mut body) {
            // Some servers close without the last word of TLS; a body that is JSON tells by itself.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(format!("the answer broke off: {error}")),
        }
        Ok(Answer { status, body })
    }

    /// Asks for something that must be there, as JSON.
    ///
    /// # Errors
    /// No answer, or one that says what is wrong.
    pub fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        judge(&self.ask(method, path, body)?)
    }

    /// The same without a body, for what takes its time: as long as given between two bytes.
    ///
    /// # Errors
    /// As for [`Client::json`].
    pub fn json_within(&self, method: &str, path: &str, within: Duration) -> Result<Value, String> {
        judge(&self.ask_within(method, path, None, within)?)
    }

    /// Reads server-sent events for as long as they come; `take` is given kind and data of each.
    ///
    /// # Errors
    /// The feed could not be had or broke off.
    pub fn follow(&self, path: &str, mut take: impl FnMut(&str, &str) -> io::Result<()>) -> Result<(), String> {
        let mut reader = self.send("GET", path, None, FEED_WAIT_MAX)?;
        let status = head(&mut reader)?;
        if status != 200 {
            return Err(format!("the service answered {status}"));
        }
        let mut kind = String::new();
        for line in reader.lines() {
            let line = line.map_err(|error| format!("the live feed broke off: {error}"))?;
            if let Some(word) = line.strip_prefix("event: ") {
                kind = word.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                take(&kind, data).map_err(|error| error.to_string())?;
            }
        }
        Err("the live feed ended".to_owned())
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>, wait: Duration) -> Result<Reader, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("cannot reach avwatch on {}:{}: {error}", self.host, self.port);
        let plain = self.host.trim_matches(['[', ']']);
        let mut addresses = (plain, self.port).to_socket_addrs().map_err(|error| failed(&error))?;
        let address = addresses.next().ok_or_else(|| failed(&"it has no address"))?;
        let socket = TcpStream::connect_timeout(&address, WAIT_MAX).map_err(|error| failed(&error))?;
        socket.set_read_timeout(Some(wait)).map_err(|error| failed(&error))?;
        socket.set_write_timeout(Some(WAIT_MAX)).map_err(|error| failed(&error))?;
        let mut connection: Box<dyn Connection> = match &self.tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from(plain.to_owned()).map_err(|error| failed(&error))?;
                let session = ClientConnection::new(config.clone(), name).map_err(|error| failed(&error))?;
                Box::new(StreamOwned::new(session, socket))
            }
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {}:{}\r\n", self.host, self.port);
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if !body.is_empty() {
            request.push_str("Content-Type: application/json\r\n");
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        connection.write_all(request.as_bytes()).map_err(|error| failed(&error))?;
        connection.flush().map_err(|error| failed(&error))?;
        Ok(BufReader::new(connection))
    }
}

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

type Reader = BufReader<Box<dyn Connection>>;

/// Reads the head of an answer; gives its status.
fn head(reader: &mut Reader) -> Result<u16, String> {
    let mut status = None;
    loop {
        let mut line = String::new();
        let read = reader.take(64 << 10).read_line(&mut line);
        read.map_err(|error| format!("no answer within {} s: {error}", WAIT_MAX.as_secs()))?;
        if line.is_empty() {
            return Err("the answer broke off: is this avwatch?".to_owned());
        }
        if status.is_none() {
            let word = line.split(' ').nth(1).filter(|_| line.starts_with("HTTP/"));
            status = Some(word.and_then(|word| word.parse().ok()).ok_or("the answer is no HTTP: is this avwatch?")?);
        }
        if line.trim_end().is_empty() {
            return status.ok_or_else(|| "the answer is no HTTP".to_owned());
        }
    }
}

/// Where a service on every address is found on this machine.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(loopback);
    }
    address
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

fn public_authorities() -> Result<Arc<ClientConfig>, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth()))
}

/// Takes the certificate of the file and no other, whatever name is in it.
fn only_the_configured(plan: &TlsPlan) -> Result<Arc<ClientConfig>, String> {
    let path = &plan.certificate;
    let certificate = CertificateDer::from_pem_file(path)
        .map_err(|error| format!("cannot read the certificate {}: {error}", path.display()))?;
    let verifier = Arc::new(OnlyThis { certificate, provider: Arc::new(ring::default_provider()) });
    Ok(Arc::new(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

#[derive(Debug)]
struct OnlyThis {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OnlyThis {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The JSON of an answer that is one; else what is wrong.
fn judge(answer: &Answer) -> Result<Value, String> {
    if (200..300).contains(&answer.status) {
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_str(&answer.body).map_err(|_| "the answer is no JSON: is this avwatch?".to_owned());
    }
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason given");
    let hint = if answer.status == 401 { "; give it with --token or AVWATCH_TOKEN" } else { "" };
    Err(format!("the service answered {}: {detail}{hint}", answer.status))
}
