//! How ureq reaches a server: our own resolver, connection and TLS, so that every wait of a request
//! honours the lifeline and the session's deadline. ureq's own time limits are not used.

use std::io::{self, Read, Write};
use std::sync::Arc;

use avwatch_actors::source::SourceError;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

use super::guard::Reach;
use super::patience::Patience;
use super::tcp::PatientStream;

/// Carries an error of ours through ureq; [`super::http`] takes it out again.
pub(super) fn carried(error: SourceError) -> Error {
    Error::Io(io::Error::other(error))
}

/// Resolves names under our patience, and refuses where they may not lead. ureq asks it for each
/// connection, those after a redirect included, and connects to what it answers.
#[derive(Debug)]
pub(super) struct PatientResolver {
    pub(super) patience: Arc<Patience>,
    pub(super) reach: Reach,
}

impl Resolver for PatientResolver {
    fn resolve(&self, uri: &Uri, _config: &Config, _timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (host, port) = host_and_port(uri)?;
        let mut addresses = self.empty();
        for address in self.reach.resolve(host, port, &self.patience).map_err(carried)? {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

/// Host and port of an address, which must be http or https.
fn host_and_port(uri: &Uri) -> Result<(&str, u16), Error> {
    let default = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(Error::BadUri("neither http nor https".to_owned())),
    };
    let host = uri.host().ok_or_else(|| Error::BadUri("without a host".to_owned()))?;
    Ok((host, uri.port_u16().unwrap_or(default)))
}

/// Connects under our patience, with TLS where the address asks for it.
#[derive(Debug)]
pub(super) struct PatientConnector {
    pub(super) patience: Arc<Patience>,
    pub(super) tls: Arc<ClientConfig>,
}

impl<In: Transport> Connector<In> for PatientConnector {
    type Out = PatientTransport;

    fn connect(&self, details: &ConnectionDetails, _chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let (host, port) = host_and_port(details.uri)?;
        let what = format!("{host}:{port}");
        let mut stream = PatientStream::connect(&details.addrs, &self.patience, &what).map_err(carried)?;
        let wire = if details.needs_tls() {
            let failed = |why: String| {
                let error = self.patience.check(&what).err();
                carried(
                    error.unwrap_or_else(|| SourceError::Connect { what: what.clone(), why: format!("TLS: {why}") }),
                )
            };
            let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|error| failed(error.to_string()))?;
            let mut session =
                ClientConnection::new(self.tls.clone(), name).map_err(|error| failed(error.to_string()))?;
            while session.is_handshaking() {
                session.complete_io(&mut stream).map_err(|error| failed(error.to_string()))?;
            }
            Wire::Tls(Box::new(StreamOwned::new(session, stream)))
        } else {
            Wire::Plain(stream)
        };
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(PatientTransport { wire, buffers }))
    }
}

#[derive(Debug)]
enum Wire {
    Plain(PatientStream),
    Tls(Box<StreamOwned<ClientConnection, PatientStream>>),
}

/// A connection as ureq wants it.
#[derive(Debug)]
pub(super) struct PatientTransport {
    wire: Wire,
    buffers: LazyBuffers,
}

impl Transport for PatientTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), Error> {
        let output = self.buffers.output();
        let output = output.get(..amount).unwrap_or_default();
        match &mut self.wire {
            Wire::Plain(stream) => stream.write_all(output)?,
            Wire::Tls(stream) => {
                stream.write_all(output)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, Error> {
        let input = self.buffers.input_append_buf();
        let result = match &mut self.wire {
            Wire::Plain(stream) => stream.read(input),
            Wire::Tls(stream) => stream.read(input),
        };
        let amount = match result {
            // A peer that closes without TLS's farewell: whether something is missing is told by
            // the length, which is checked by the reader of the body.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            result => result?,
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        match &self.wire {
            Wire::Plain(stream) => stream.is_idle(),
            Wire::Tls(stream) => stream.sock.is_idle(),
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }
}
