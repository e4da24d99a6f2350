//! UDP and RTP over UDP, unicast and multicast, any-source and source-specific.
//!
//! Datagrams that this machine drops are counted by the kernel's own counter, so that local loss is
//! never blamed on the source. The socket stays open across a silent source.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use avwatch_actors::source::SourceError;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::file::plain;
use super::interface;
use super::patience::Patience;
use super::rtp::{Datagram, SequenceCount};
use super::udp_batch::Batch;
use super::wait::{Ready, gathered, wait_for};
use super::{ByteSource, Extent};
use crate::media::spec::Transport;

/// Receive buffer asked of the kernel when nothing is configured: about 3 s at 20 Mbit/s.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Receives datagrams as one run of bytes.
pub struct UdpSource {
    socket: Socket,
    what: String,
    patience: Arc<Patience>,
    batch: Batch,
    /// What of the newest datagram is still to be delivered: its place in the batch, and which bytes of it.
    rest: (usize, std::ops::Range<usize>),
    sequence: SequenceCount,
    dropped: DropCount,
}

impl UdpSource {
    /// Binds to an address, joining its group if it is a multicast one.
    pub fn open(
        address: SocketAddr,
        transport: &Transport,
        what: &str,
        patience: &Arc<Patience>,
    ) -> Result<Self, SourceError> {
        let failed = |why: String| SourceError::Connect { what: what.to_owned(), why };
        let socket = bind(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrNotAvailable => {
                let port = address.port();
                failed(format!(
                    "{} is no address of this machine; to listen on all of them use 0.0.0.0:{port}",
                    address.ip()
                ))
            }
            _ => failed(plain(&error)),
        })?;
        if address.ip().is_multicast() {
            join(&socket, address.ip(), transport)
                .map_err(|error| failed(format!("cannot join the group: {}", plain(&error))))?;
        }
        enlarge(&socket, transport.receive_buffer.unwrap_or(RECEIVE_BUFFER), what);
        DropCount::enable(&socket);
        Ok(Self {
            socket,
            what: what.to_owned(),
            patience: patience.clone(),
            batch: Batch::new(),
            rest: (0, 0..0),
            sequence: SequenceCount::default(),
            dropped: DropCount::default(),
        })
    }

    /// Takes the next datagram and finds its payload; empty ones count as none.
    fn receive(&mut self) -> Result<(), SourceError> {
        let (place, counter) = loop {
            if let Some(next) = self.batch.next() {
                break next;
            }
            match self.batch.receive(&self.socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !gathered(&self.patience) {
                        wait_for(self.socket.as_fd(), Ready::Read, &self.patience, None)
                            .map_err(|end| end.into_source(&self.patience, &self.what))?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::Read { what: self.what.clone(), why: plain(&error) }),
            }
        };
        self.patience.dropped(self.dropped.take(counter));
        let bytes = self.batch.bytes(place);
        let rest = match Datagram::of(bytes) {
            Datagram::Plain(_) => 0..bytes.len(),
            Datagram::Rtp { payload, sequence } => {
                self.patience.lost(u64::from(self.sequence.take(sequence)));
                let start = payload.as_ptr().addr() - bytes.as_ptr().addr();
                start..start + payload.len()
            }
            Datagram::Other { payload_type } => {
                let why = format!(
                    "RTP payload type {payload_type} needs a session description; only MPEG-TS in RTP can be read without one"
                );
                return Err(SourceError::NotMedia { what: self.what.clone(), why });
            }
        };
        self.patience.arrived(rest.len());
        self.rest = (place, rest);
        Ok(())
    }
}

impl ByteSource for UdpSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SourceError> {
        while self.rest.1.is_empty() {
            // A sender of empty datagrams without pause may not outlast our patience either.
            self.patience.check(&self.what)?;
            self.receive()?;
        }
        let (place, rest) = &mut self.rest;
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.batch.bytes(*place)[rest.start..rest.start + count]);
        rest.start += count;
        Ok(count)
    }

    fn seek(&mut self, _to: u64) -> Result<(), SourceError> {
        Err(super::cannot_seek(&self.what))
    }

    fn extent(&self) -> Extent {
        Extent::default()
    }
}

/// A socket on that address. On a group it receives that group only, whatever else is joined here.
fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.ip().is_multicast() {
        // Several streams, and other programs, may watch one group.
        socket.set_reuse_address(true)?;
    }
    if address.is_ipv6() {
        // `udp://[::]:port` hears IPv4 senders too.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The kernel's `struct group_source_req`, which joins a group for one sender in both families.
#[repr(C)]
struct GroupSource {
    interface: u32,
    group: libc::sockaddr_storage,
    source: libc::sockaddr_storage,
}

fn join(socket: &Socket, group: IpAddr, transport: &Transport) -> io::Result<()> {
    let index = transport.interface.as_deref().map_or(Ok(0), interface::index_of)?;
    match (group, transport.source) {
        (_, Some(source)) => join_source(socket, index, group, source),
        (IpAddr::V4(group), None) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)),
        (IpAddr::V6(group), None) => socket.join_multicast_v6(&group, index),
    }
}

fn join_source(socket: &Socket, interface: u32, group: IpAddr, source: IpAddr) -> io::Result<()> {
    if group.is_ipv4() != source.is_ipv4() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "group and sender are of different families"));
    }
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let request = GroupSource { interface, group: storage(group), source: storage(source) };
    // SAFETY: the option takes this struct, of which pointer and size are given.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            libc::MCAST_JOIN_SOURCE_GROUP,
            (&raw const request).cast(),
            size_of::<GroupSource>() as libc::socklen_t,
        )
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An address as the kernel wants it, without a port.
fn storage(address: IpAddr) -> libc::sockaddr_storage {
    // SAFETY: plain numbers, for which zero is valid.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    let slot = &raw mut storage;
    match address {
        IpAddr::V4(address) => {
            // SAFETY: the storage is larger than, and aligned for, every address.
            let v4 = unsafe { &mut *slot.cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_addr.s_addr = u32::from(address).to_be();
        }
        IpAddr::V6(address) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *slot.cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_addr.s6_addr = address.octets();
        }
    }
    storage
}

/// Asks for a large receive buffer; beyond the system's limit only where we have the right to.
fn enlarge(socket: &Socket, wanted: usize, what: &str) {
    let size = libc::c_int::try_from(wanted).unwrap_or(libc::c_int::MAX);
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: the option takes an int, of which pointer and size are given.
        let code = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const size).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if code == 0 {
            break;
        }
    }
    // The kernel reports twice what it grants.
    let granted = socket.recv_buffer_size().unwrap_or(0) / 2;
    if granted < wanted {
        tracing::warn!(
            stream = what,
            wanted,
            granted,
            "the kernel grants a smaller receive buffer; raise net.core.rmem_max to avoid loss in bursts"
        );
    }
}

/// Reads the kernel's counter of datagrams dropped for want of room, which wraps at 32 bit.
#[derive(Debug, Default)]
struct DropCount {
    last: u32,
}

impl DropCount {
    /// Asks for the counter with every datagram; without it nothing is counted.
    fn enable(socket: &Socket) {
        let on: libc::c_int = 1;
        // SAFETY: the option takes an int, of which pointer and size are given.
        let code = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RXQ_OVFL,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if code != 0 {
            tracing::debug!("the kernel does not count dropped datagrams");
        }
    }

    /// How many were dropped since the last datagram that carried the counter.
    fn take(&mut self, counter: Option<u32>) -> u64 {
        counter.map_or(0, |now| u64::from(now.wrapping_sub(std::mem::replace(&mut self.last, now))))
    }
}
