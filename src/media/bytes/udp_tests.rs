//! UDP sources against real sockets on the loopback.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use avwatch_actors::source::SourceError;

use super::testing::patience;
use super::{ByteSource, Patience, UdpSource};
use crate::media::spec::Transport;
use crate::media::testing::free_port;

/// A source on a free port of an address, and that port.
fn receiver(ip: &str, transport: &Transport, patience: &Arc<Patience>) -> (UdpSource, u16) {
    let port = free_port();
    let address = SocketAddr::new(ip.parse().unwrap(), port);
    (UdpSource::open(address, transport, "udp://here", patience).unwrap(), port)
}

fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    [&[0x80, 33, high, low, 0, 0, 0, 0, 0, 0, 0, 1], payload].concat()
}

#[test]
fn datagrams_become_one_run_of_bytes_in_both_families() {
    for (ip, sender) in [("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0")] {
        let patience = patience(2_000);
        let (mut source, port) = receiver(ip, &Transport::default(), &patience);
        let socket = UdpSocket::bind(sender).unwrap();
        for payload in [&[0x47, 1, 2, 3, 4][..], &[], &[0x47, 5]] {
            socket.send_to(payload, SocketAddr::new(ip.parse().unwrap(), port)).unwrap();
        }
        let mut got = Vec::new();
        let mut buffer = [0; 3];
        while got.len() < 7 {
            let count = source.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(got, [0x47, 1, 2, 3, 4, 0x47, 5]);
        assert_eq!(patience.counts().received_bytes, 7);
    }
}

#[test]
fn rtp_headers_are_taken_off_and_losses_counted() {
    let patience = patience(2_000);
    let (mut source, port) = receiver("127.0.0.1", &Transport::default(), &patience);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for sequence in [10, 11, 14] {
        socket.send_to(&rtp(sequence, &[0x47, sequence as u8]), ("127.0.0.1", port)).unwrap();
    }
    let mut buffer = [0; 64];
    for expected in [10, 11, 14] {
        assert_eq!(source.read(&mut buffer).unwrap(), 2);
        assert_eq!(buffer[1], expected);
    }
    assert_eq!(patience.counts().sequence_lost, 2);
    assert_eq!(patience.counts().received_bytes, 6);
}

#[test]
fn another_rtp_payload_is_named() {
    let (mut source, port) = receiver("127.0.0.1", &Transport::default(), &patience(2_000));
    let mut packet = rtp(1, &[0x65, 1, 2, 3]);
    packet[1] = 96;
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&packet, ("127.0.0.1", port)).unwrap();
    let error = source.read(&mut [0; 64]).unwrap_err();
    assert!(matches!(&error, SourceError::NotMedia { why, .. } if why.contains("payload type 96")), "{error}");
}

#[test]
fn nobody_sending_ends_at_the_deadline() {
    let (mut source, _) = receiver("127.0.0.1", &Transport::default(), &patience(300));
    let start = Instant::now();
    let error = source.read(&mut [0; 64]).unwrap_err();
    assert!(matches!(error, SourceError::OpenLimit { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_millis(550));
}

#[test]
fn a_multicast_group_is_joined_on_a_named_interface_and_for_one_sender() {
    for source_address in [None, Some("127.0.0.1".parse().unwrap())] {
        let transport = Transport { interface: Some("lo".to_owned()), source: source_address, ..Transport::default() };
        let group = if source_address.is_some() { "232.255.77.1" } else { "239.255.77.1" };
        let patience = patience(2_000);
        let (mut source, port) = receiver(group, &transport, &patience);
        let socket = socket2::Socket::from(UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.set_multicast_if_v4(&"127.0.0.1".parse().unwrap()).unwrap();
        let target = SocketAddr::new(group.parse().unwrap(), port);
        socket.send_to(&[0x47, 9], &target.into()).unwrap();
        assert_eq!(source.read(&mut [0; 64]).unwrap(), 2);
    }
}

#[test]
fn an_unknown_interface_is_refused() {
    let transport = Transport { interface: Some("no-such-if".to_owned()), ..Transport::default() };
    let address = "239.255.77.2:4000".parse().unwrap();
    let error = UdpSource::open(address, &transport, "udp://there", &patience(500)).err().unwrap();
    assert!(error.to_string().starts_with("cannot connect to udp://there: cannot join the group"), "{error}");
}

#[test]
fn an_address_of_another_machine_is_refused_with_advice() {
    let error =
        UdpSource::open("192.0.2.1:4000".parse().unwrap(), &Transport::default(), "udp://there", &patience(500));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("192.0.2.1 is no address of this machine") && error.contains("0.0.0.0:4000"), "{error}");
}

#[test]
fn datagrams_dropped_by_this_machine_are_counted() {
    let patience = patience(5_000);
    let transport = Transport { receive_buffer: Some(4_096), ..Transport::default() };
    let (mut source, port) = receiver("127.0.0.1", &transport, &patience);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let payload = [0x47; 1_316];
    for _ in 0..200 {
        socket.send_to(&payload, ("127.0.0.1", port)).unwrap();
    }
    // What fitted is read; the counter comes with a datagram that is queued after the loss.
    let mut buffer = [0; 2_000];
    while patience.counts().receive_dropped == 0 {
        source.read(&mut buffer).expect("a datagram");
        socket.send_to(&payload, ("127.0.0.1", port)).unwrap();
    }
    assert!((150..200).contains(&patience.counts().receive_dropped), "{:?}", patience.counts());
}
