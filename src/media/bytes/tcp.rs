//! TCP connections whose every wait honours the lifeline, and the bytes of one as a source.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::source::SourceError;
use socket2::{Domain, Protocol, Socket, Type};

use super::file::plain;
use super::patience::Patience;
use super::wait::{Ready, WaitEnd, gathered, wait_for};
use super::{ByteSource, Extent};

/// Longest time to wait for one of several addresses of a host, so that a dead one does not use up
/// the patience that the next one needs.
const ADDRESS_LIMIT: Duration = Duration::from_secs(4);

/// A connection. Reads and writes wait in slices; both fail once patience has ended, which the
/// caller then learns from the patience itself.
#[derive(Debug)]
pub(super) struct PatientStream {
    stream: TcpStream,
    patience: Arc<Patience>,
}

impl PatientStream {
    /// Connects to the first address that answers; `what` names host and port.
    pub(super) fn connect(addresses: &[SocketAddr], patience: &Arc<Patience>, what: &str) -> Result<Self, SourceError> {
        let mut last = "it has no address".to_owned();
        for (index, address) in addresses.iter().enumerate() {
            let limit = if index + 1 < addresses.len() { ADDRESS_LIMIT } else { Duration::MAX };
            match connect_one(*address, patience, limit) {
                Ok(stream) => return Ok(Self { stream, patience: patience.clone() }),
                Err(error) => {
                    patience.check(what)?;
                    last = plain(&error);
                }
            }
        }
        Err(SourceError::Connect { what: what.to_owned(), why: last })
    }

    /// Whether an idle connection can be used again: nothing came in, and the peer has not closed.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn wait(&self, ready: Ready) -> io::Result<()> {
        wait_for(self.stream.as_fd(), ready, &self.patience, None).map_err(WaitEnd::into_io)
    }
}

fn connect_one(address: SocketAddr, patience: &Patience, limit: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            let until = Instant::now().checked_add(limit);
            wait_for(socket.as_fd(), Ready::Write, patience, until).map_err(WaitEnd::into_io)?;
        }
        Err(error) => return Err(error),
    }
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(socket.into()),
    }
}

impl Read for PatientStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !gathered(&self.patience) {
                        self.wait(Ready::Read)?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    if result.as_ref().is_ok_and(|count| *count > 0) {
                        self.patience.stirred();
                    }
                    // Even a peer that always has more may not outlast our patience.
                    if self.patience.verdict().is_some() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    return result;
                }
            }
        }
    }
}

impl Write for PatientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(Ready::Write)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that a TCP server sends by itself, such as a transport stream.
pub struct TcpSource {
    stream: PatientStream,
    what: String,
}

impl TcpSource {
    /// Connects to the first address that answers.
    pub fn connect(addresses: &[SocketAddr], what: &str, patience: &Arc<Patience>) -> Result<Self, SourceError> {
        Ok(Self { stream: PatientStream::connect(addresses, patience, what)?, what: what.to_owned() })
    }
}

impl ByteSource for TcpSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        match self.stream.read(buffer) {
            Ok(count) => {
                self.stream.patience.arrived(count);
                Ok(count)
            }
            Err(error) => {
                self.stream.patience.check(&self.what)?;
                Err(SourceError::Read { what: self.what.clone(), why: plain(&error) })
            }
        }
    }

    fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
        Err(super::cannot_seek(&self.what))
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::media::bytes::testing::patience;

    fn local(listener: &TcpListener) -> SocketAddr {
        listener.local_addr().unwrap()
    }

    #[test]
    fn what_a_server_sends_is_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = local(&listener);
        let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
        let patience = patience(2_000);
        let mut source = TcpSource::connect(&[address], "tcp://there", &patience).unwrap();
        server.join().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(source.read(&mut buffer).unwrap(), 5);
        assert_eq!(source.read(&mut buffer).unwrap(), 0);
        assert_eq!(patience.counts().received_bytes, 5);
    }

    #[test]
    fn a_closed_port_is_a_failed_connection() {
        let address = local(&TcpListener::bind("127.0.0.1:0").unwrap());
        let error = TcpSource::connect(&[address], "tcp://there", &patience(2_000)).err().unwrap();
        assert_eq!(error.to_string(), "cannot connect to tcp://there: connection refused");
    }

    #[test]
    fn the_second_address_is_tried_when_the_first_refuses() {
        let dead = local(&TcpListener::bind("127.0.0.1:0").unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(TcpSource::connect(&[dead, local(&listener)], "x", &patience(2_000)).is_ok());
    }

    #[test]
    fn a_silent_server_is_left_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut source = TcpSource::connect(&[local(&listener)], "x", &patience(300)).unwrap();
        let start = Instant::now();
        let error = source.read(&mut [0; 16]).unwrap_err();
        assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_millis(550));
    }
}
