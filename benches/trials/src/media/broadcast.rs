//! Many senders of one clip on one thread: datagrams, and connections without an end.
//!
//! Nothing blocks it: what a receiver does not take waits in a bounded buffer, then the connection is dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::clip::{Clip, LENGTH, PACKET};

/// How often packets that are due are sent.
const TICK: Duration = Duration::from_millis(20);
/// Packets of a datagram.
const AT_ONCE: usize = 7;
/// Bytes that may wait for a receiver.
const WAITING_MAX: usize = 4 << 20;

/// How a stream travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Datagrams to a port that nobody else has.
    Udp,
    /// A connection of its own.
    Tcp,
    /// An HTTP response without an end.
    Http,
}

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Illness {
    /// Nothing.
    None,
    /// It is on and off for that long by turns.
    Flaps(Duration),
    /// One packet in so many has bytes that were altered, another is missing.
    Corrupt(u32),
}

/// A sender that runs; all of it ends on drop.
pub struct Broadcast {
    /// Addresses in the order of the streams.
    pub urls: Vec<String>,
    off: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    connects: Arc<Mutex<Vec<Instant>>>,
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl Broadcast {
    /// Starts a stream for each entry.
    ///
    /// # Errors
    /// The system refuses a socket.
    pub fn start(clip: Arc<Clip>, streams: &[(Way, Illness)], seed: u64) -> Result<Self> {
        let mut outlets = Vec::new();
        // Held until all are chosen, so that none is chosen twice.
        let mut held = Vec::new();
        let begin = Instant::now();
        for (number, (way, illness)) in streams.iter().enumerate() {
            let (end, url) = End::new(*way, &mut held)?;
            // Not all key pictures at once.
            let behind = LENGTH.mul_f64((number as f64 * 0.618_034).fract());
            let zero = begin.checked_sub(behind).unwrap_or(begin);
            outlets.push((url, Outlet { end, illness: *illness, zero, round: 0, packet: 0 }));
        }
        drop(held);
        let (urls, mut outlets): (Vec<_>, Vec<_>) = outlets.into_iter().unzip();
        let broadcast = Self { urls, off: Arc::default(), ended: Arc::default(), connects: Arc::default() };
        let (off, ended) = (broadcast.off.clone(), broadcast.ended.clone());
        let connects = broadcast.connects.clone();
        let mut dice = fastrand::Rng::with_seed(seed);
        std::thread::spawn(move || {
            outlets.iter_mut().for_each(|outlet| outlet.catch_up(&clip, Instant::now()));
            while !ended.load(Ordering::Acquire) {
                let (now, is_off) = (Instant::now(), off.load(Ordering::Acquire));
                for outlet in &mut outlets {
                    outlet.step(&clip, now, is_off, &mut dice, &connects);
                }
                std::thread::sleep(TICK.saturating_sub(now.elapsed()));
            }
        });
        Ok(broadcast)
    }

    /// Turns all of them off, or on again: connections end and none is taken meanwhile.
    pub fn turn_off(&self, off: bool) {
        self.off.store(off, Ordering::Release);
    }

    /// When connections came, refused ones as well.
    pub fn connects(&self) -> Vec<Instant> {
        self.connects.lock().expect("nobody panics with it").clone()
    }
}

/// The sending end of a stream.
enum End {
    Datagrams(UdpSocket, SocketAddr),
    Listener { listener: TcpListener, is_http: bool, taken: Option<Connection> },
}

struct Connection {
    socket: TcpStream,
    waiting: Vec<u8>,
}

impl End {
    fn new(way: Way, held: &mut Vec<UdpSocket>) -> Result<(Self, String)> {
        if way == Way::Udp {
            let receiver = UdpSocket::bind("127.0.0.1:0")?;
            let to = receiver.local_addr()?;
            held.push(receiver);
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_nonblocking(true)?;
            return Ok((Self::Datagrams(socket, to), format!("udp://{to}")));
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (at, is_http) = (listener.local_addr()?, way == Way::Http);
        let url = if is_http { format!("http://{at}/live.ts") } else { format!("tcp://{at}") };
        Ok((Self::Listener { listener, is_http, taken: None }, url))
    }

    /// Takes who wants to connect; while it is off, only to hang up.
    fn accept(&mut self, is_off: bool, connects: &Mutex<Vec<Instant>>) {
        let Self::Listener { listener, is_http, taken } = self else { return };
        if is_off {
            *taken = None;
        }
        while let Ok((mut socket, _)) = listener.accept() {
            connects.lock().expect("nobody panics with it").push(Instant::now());
            if is_off || socket.set_nonblocking(true).is_err() {
                continue;
            }
            if *is_http {
                // The request itself does not matter; what of it is there is taken off the line.
                let _ = socket.read(&mut [0; 4_096]);
            }
            let head: &[u8] = if *is_http { b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" } else { b"" };
            *taken = Some(Connection { socket, waiting: head.to_vec() });
        }
    }

    /// Sends packets.
    fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Datagrams(socket, to) => {
                for datagram in bytes.chunks(AT_ONCE * PACKET) {
                    // Nobody may listen yet.
                    let _ = socket.send_to(datagram, *to);
                }
            }
            Self::Listener { taken, .. } => {
                if taken.as_mut().is_some_and(|connection| !connection.send(bytes)) {
                    *taken = None;
                }
            }
        }
    }
}

impl Connection {
    /// False when it is over.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.waiting.extend_from_slice(bytes);
        let _ = self.socket.read(&mut [0; 1_024]);
        while !self.waiting.is_empty() {
            match self.socket.write(&self.waiting) {
                Ok(count) if count > 0 => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => return false,
            }
        }
        self.waiting.len() < WAITING_MAX
    }
}

struct Outlet {
    end: End,
    illness: Illness,
    /// When round 0 began.
    zero: Instant,
    round: u64,
    packet: usize,
}

impl Outlet {
    /// Passes over what was due before.
    fn catch_up(&mut self, clip: &Clip, now: Instant) {
        while clip.due(self.round, self.packet) < now.saturating_duration_since(self.zero) {
            self.advance(clip);
        }
    }

    fn advance(&mut self, clip: &Clip) {
        self.packet += 1;
        if self.packet == clip.len() {
            (self.packet, self.round) = (0, self.round + 1);
        }
    }

    fn step(
        &mut self,
        clip: &Clip,
        now: Instant,
        is_off: bool,
        dice: &mut fastrand::Rng,
        connects: &Mutex<Vec<Instant>>,
    ) {
        let since = now.saturating_duration_since(self.zero);
        let flaps = |span: Duration| (since.as_millis() / span.as_millis().max(1)) % 2 == 1;
        let is_off = is_off || matches!(self.illness, Illness::Flaps(span) if flaps(span));
        self.end.accept(is_off, connects);
        let mut bytes = Vec::new();
        while clip.due(self.round, self.packet) <= since {
            clip.append(self.round, self.packet, &mut bytes);
            if let Illness::Corrupt(one_in) = self.illness {
                corrupt(&mut bytes, one_in, dice);
            }
            self.advance(clip);
        }
        if !is_off && !bytes.is_empty() {
            self.end.send(&bytes);
        }
    }
}

/// Loses the last packet, or alters bytes behind its header, by chance.
fn corrupt(bytes: &mut Vec<u8>, one_in: u32, dice: &mut fastrand::Rng) {
    let begin = bytes.len() - PACKET;
    match dice.u32(..one_in) {
        0 => bytes.truncate(begin),
        1 => (0..8).for_each(|_| bytes[begin + dice.usize(4..PACKET)] = dice.u8(..)),
        _ => {}
    }
}
