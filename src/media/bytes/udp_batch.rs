//! Datagrams fetched several at a time: a call into the kernel costs as much as copying a datagram.
//!
//! Owned by a [`super::udp::UdpSource`], on its session's thread.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use socket2::Socket;

/// Datagrams of one call: most of what comes of 6 Mb/s while bytes gather.
const DATAGRAMS: usize = 16;

/// Room for one; pages that are never written to take no memory.
const DATAGRAM_BYTES: usize = 65_536;

/// Room for control messages, aligned as they must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// The datagrams of the last call that are not yet taken.
pub(super) struct Batch {
    bytes: Box<[u8]>,
    /// Of each its length, and the kernel's counter of dropped datagrams that came with it.
    came: [(usize, Option<u32>); DATAGRAMS],
    count: usize,
    taken: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        let bytes = vec![0; DATAGRAMS * DATAGRAM_BYTES].into_boxed_slice();
        Self { bytes, came: [(0, None); DATAGRAMS], count: 0, taken: 0 }
    }

    /// Takes the next datagram: its place, and the drop counter that came with it. Its bytes stay until the next call of
    /// [`Batch::receive`].
    pub(super) fn next(&mut self) -> Option<(usize, Option<u32>)> {
        let place = (self.taken < self.count).then_some(self.taken)?;
        self.taken += 1;
        Some((place, self.came[place].1))
    }

    /// The bytes of the datagram at that place.
    pub(super) fn bytes(&self, place: usize) -> &[u8] {
        &self.bytes[place * DATAGRAM_BYTES..][..self.came[place].0]
    }

    /// Fetches what is there, over what was taken; at least one datagram.
    ///
    /// # Errors
    /// As the system says: `WouldBlock` when there is none.
    pub(super) fn receive(&mut self, socket: &Socket) -> io::Result<()> {
        (self.count, self.taken) = (0, 0);
        let mut controls = [Control([0; 64]); DATAGRAMS];
        let mut places = self.bytes.chunks_exact_mut(DATAGRAM_BYTES);
        let mut parts: [libc::iovec; DATAGRAMS] = std::array::from_fn(|_| {
            let place = places.next().unwrap_or_default();
            libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() }
        });
        // SAFETY: plain numbers and pointers, for which zero is valid.
        let mut messages: [libc::mmsghdr; DATAGRAMS] = unsafe { zeroed() };
        for (message, (part, control)) in messages.iter_mut().zip(parts.iter_mut().zip(&mut controls)) {
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: every pointer in the messages is valid for the stated length during the call; the socket does not wait.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                DATAGRAMS as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?.min(DATAGRAMS);
        for (came, message) in self.came.iter_mut().zip(&messages[..self.count]) {
            *came = ((message.msg_len as usize).min(DATAGRAM_BYTES), counter_of(&message.msg_hdr));
        }
        Ok(())
    }
}

/// The kernel's counter of dropped datagrams that came with a message.
fn counter_of(message: &libc::msghdr) -> Option<u32> {
    let mut counter = None;
    // SAFETY: the kernel filled the control messages, which are still there, and set their length; the macros walk within
    // it. The counter is an unaligned u32 behind a header that says so.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(found) = header.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SO_RXQ_OVFL {
                counter = Some(libc::CMSG_DATA(header).cast::<u32>().read_unaligned());
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    counter
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};

    use super::*;

    #[test]
    fn datagrams_of_any_size_come_whole_and_in_order() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let address: SocketAddr = receiver.local_addr().unwrap();
        let socket = Socket::from(receiver);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&socket).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(batch.next().is_none());
        let sizes = [&[1_316, 0, 60_000, 1][..], &[1_316; DATAGRAMS], &[188]].concat();
        for (number, &size) in sizes.iter().enumerate() {
            sender.send_to(&vec![number as u8; size], address).unwrap();
        }
        let mut came = Vec::new();
        while came.len() < sizes.len() {
            // On loopback they are there when they were sent.
            batch.receive(&socket).unwrap();
            while let Some((place, _)) = batch.next() {
                came.push(batch.bytes(place).to_vec());
            }
        }
        for (number, (bytes, size)) in came.iter().zip(sizes).enumerate() {
            assert!(bytes.len() == size && bytes.iter().all(|byte| *byte == number as u8), "datagram {number}");
        }
    }
}
