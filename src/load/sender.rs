//! The sender: one thread that plays the sending end of every stream over UDP, TCP, HTTP and HLS.
//!
//! Owned by the trial. Its CPU time is that of its own thread, so that it can be told apart from what receives. Sockets
//! never block it: what a receiver does not take waits in a bounded buffer, then the connection is dropped and counted.
//! Datagrams go out by the clips' schedule, however late the machine is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::Lifeline;
use avwatch_actors::worker;

use super::clip::{PACKET, PACKETS_AT_ONCE};
use super::requests::{Answer, Programme, answer_to};
use super::rota::{Rota, spread};
use crate::synthetic::SECONDS_PER_KEY;

/// How long it sleeps between two turns: what is due within this time leaves together, as network cards hand over several packets
/// at a time; and how late a request may be noticed.
const NAP: Duration = Duration::from_millis(8);
/// Once in so many turns it looks who has connected to streams over TCP: one system call for each of them.
const TURNS_PER_ACCEPT: u64 = 16;
/// Bytes that may wait for a receiver.
const WAITING_MAX: usize = 8 << 20;
/// Longest request, and how long it may take to arrive.
const REQUEST_MAX: usize = 8 << 10;
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Connections that are answered at the same time.
const CONNECTIONS_MAX: usize = 4_096;

/// How a stream travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Carriage {
    /// Datagrams of seven packets.
    Udp,
    /// One connection.
    Tcp,
    /// One response without an end.
    Http,
    /// A playlist of segments of two seconds.
    Hls,
}

impl Carriage {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Hls => "hls",
        }
    }
}

/// What the sender counts.
#[derive(Debug, Default)]
pub struct SenderBook {
    bytes: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    connections: AtomicU64,
    late_micros: AtomicU64,
}

impl SenderBook {
    /// Bytes that went out.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Datagrams that the system did not take.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections that were dropped because their receiver fell behind.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The longest that anything left after its time.
    pub fn latest(&self) -> Duration {
        Duration::from_micros(self.late_micros.load(Ordering::Relaxed))
    }

    /// Forgets how late it was: the measured span begins.
    pub fn reset_latest(&self) {
        self.late_micros.store(0, Ordering::Relaxed);
    }
}

/// Where the streams of a sender can be had.
pub struct Offers {
    /// An address for each stream, in order.
    pub urls: Vec<String>,
    /// When the first packet of the first round is due, for each stream.
    pub zeros: Vec<Instant>,
    /// What is counted.
    pub book: Arc<SenderBook>,
}

/// A connection with what waits for it.
struct Connection {
    socket: TcpStream,
    waiting: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// Takes over a socket that was accepted.
    fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, waiting: Vec::new(), sent: 0 })
    }

    /// Sends what the receiver takes; false when the connection is over.
    fn flush(&mut self) -> bool {
        while self.sent < self.waiting.len() {
            match self.socket.write(&self.waiting[self.sent..]) {
                Ok(0) => return false,
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        if self.sent == self.waiting.len() {
            self.waiting.clear();
            self.sent = 0;
        } else if self.sent > WAITING_MAX / 2 {
            self.waiting.drain(..self.sent);
            self.sent = 0;
        }
        true
    }
}

/// The way of one stream.
enum Way {
    Datagrams(UdpSocket, SocketAddr),
    Listens(TcpListener, Option<Connection>),
    Http(Option<Connection>),
    Hls,
}

struct Sent {
    way: Way,
    zero: Instant,
    /// When its playlist was asked for first.
    asked: Option<Instant>,
    round: u64,
    packet: usize,
}

struct Request {
    socket: TcpStream,
    text: Vec<u8>,
    since: Instant,
}

/// The sender, before its thread begins.
pub struct Sender {
    rota: Arc<Rota>,
    streams: Vec<Sent>,
    listener: TcpListener,
    requests: Vec<Request>,
    answers: Vec<Connection>,
    buffer: Vec<u8>,
    turns: u64,
    book: Arc<SenderBook>,
}

impl Sender {
    /// Prepares `count` streams that travel by turns in these ways; each begins with another segment of the rota.
    ///
    /// # Errors
    /// The system refuses a socket.
    pub fn prepare(rota: Arc<Rota>, count: usize, ways: &[Carriage], begin: Instant) -> io::Result<(Self, Offers)> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(any)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        // Held until all are chosen, so that none is chosen twice.
        let mut held = Vec::new();
        let (mut streams, mut urls) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (way, url) = match ways[number % ways.len()] {
                Carriage::Udp => {
                    let receiver = UdpSocket::bind(any)?;
                    let to = receiver.local_addr()?;
                    held.push(receiver);
                    let socket = UdpSocket::bind(any)?;
                    socket.set_nonblocking(true)?;
                    (Way::Datagrams(socket, to), format!("udp://{to}"))
                }
                Carriage::Tcp => {
                    let own = TcpListener::bind(any)?;
                    own.set_nonblocking(true)?;
                    let url = format!("tcp://{}", own.local_addr()?);
                    (Way::Listens(own, None), url)
                }
                Carriage::Http => (Way::Http(None), format!("http://127.0.0.1:{port}/live/{number}.ts")),
                Carriage::Hls => (Way::Hls, format!("http://127.0.0.1:{port}/hls/{number}/index.m3u8")),
            };
            let (round, segment) = rota.segment(rota.first_segment(number));
            // Within the time from one key picture to the next, so that those of all streams do not come at once.
            let apart = Duration::from_secs(SECONDS_PER_KEY.into()).mul_f64(spread(number));
            let start = begin + apart;
            // A playlist has a segment from the first request on: that stream has run for a round already.
            let earlier = if ways[number % ways.len()] == Carriage::Hls { rota.length() } else { Duration::ZERO };
            let zero = start.checked_sub(rota.begins(round) + segment.begins + earlier).unwrap_or(start);
            streams.push(Sent { way, zero, asked: None, round, packet: segment.from });
            urls.push(url);
        }
        let zeros = streams.iter().map(|stream| stream.zero).collect();
        let book = Arc::<SenderBook>::default();
        let offers = Offers { urls, zeros, book: book.clone() };
        let sender = Self {
            rota,
            streams,
            listener,
            requests: Vec::new(),
            answers: Vec::new(),
            buffer: Vec::new(),
            turns: 0,
            book,
        };
        Ok((sender, offers))
    }

    /// Sends on a thread of its own until the cut.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(mut self, line: Arc<Lifeline>) -> io::Result<std::thread::JoinHandle<()>> {
        let work = move |line: &Arc<Lifeline>| {
            while !line.is_cut() {
                self.turn();
            }
        };
        worker::spawn("load:sender", line, work, |_| {})
    }

    fn turn(&mut self) {
        self.accept();
        if self.turns.is_multiple_of(TURNS_PER_ACCEPT) {
            self.accept_streams();
        }
        self.turns += 1;
        self.read_requests();
        self.answers.retain_mut(|answer| answer.flush() && !answer.waiting.is_empty());
        for number in 0..self.streams.len() {
            self.send(number);
        }
        std::thread::sleep(NAP);
    }

    /// Sends what is due of a stream.
    fn send(&mut self, number: usize) {
        let stream = &mut self.streams[number];
        if let Way::Hls = stream.way {
            return;
        }
        self.buffer.clear();
        loop {
            let clip = self.rota.clip(stream.round);
            let end = ((stream.packet / PACKETS_AT_ONCE + 1) * PACKETS_AT_ONCE).min(clip.packets());
            let due = stream.zero + self.rota.begins(stream.round) + clip.leaves(end - 1);
            let now = Instant::now();
            if due > now {
                break;
            }
            let late = u64::try_from((now - due).as_micros()).unwrap_or(u64::MAX);
            self.book.late_micros.fetch_max(late, Ordering::Relaxed);
            self.rota.copy(stream.packet..end, stream.round, &mut self.buffer);
            (stream.packet, stream.round) =
                if end == clip.packets() { (0, stream.round + 1) } else { (end, stream.round) };
        }
        stream.way.give(&self.buffer, &self.book);
    }

    fn accept(&mut self) {
        while self.requests.len() + self.answers.len() < CONNECTIONS_MAX {
            let Ok((socket, _)) = self.listener.accept() else { break };
            if socket.set_nonblocking(true).is_ok() {
                self.book.connections.fetch_add(1, Ordering::Relaxed);
                self.requests.push(Request { socket, text: Vec::new(), since: Instant::now() });
            }
        }
    }

    fn accept_streams(&mut self) {
        for stream in &mut self.streams {
            if let Way::Listens(listener, connection) = &mut stream.way
                && let Ok((socket, _)) = listener.accept()
            {
                self.book.connections.fetch_add(1, Ordering::Relaxed);
                *connection = Connection::new(socket).ok();
            }
        }
    }

    fn read_requests(&mut self) {
        let mut place = 0;
        while place < self.requests.len() {
            let request = &mut self.requests[place];
            let mut bytes = [0; 2_048];
            let is_over = match request.socket.read(&mut bytes) {
                Ok(0) => true,
                Ok(count) => {
                    request.text.extend_from_slice(&bytes[..count]);
                    request.text.len() > REQUEST_MAX
                }
                Err(error) => error.kind() != ErrorKind::WouldBlock || request.since.elapsed() > REQUEST_WITHIN,
            };
            let is_whole = request.text.windows(4).any(|end| end == b"\r\n\r\n");
            if is_whole || is_over {
                let request = self.requests.swap_remove(place);
                if is_whole {
                    self.answer(request);
                }
            } else {
                place += 1;
            }
        }
    }

    fn answer(&mut self, request: Request) {
        let Ok(mut connection) = Connection::new(request.socket) else { return };
        let now = Instant::now();
        let programme = |number: usize| {
            let stream = self.streams.get_mut(number)?;
            Some(Programme { zero: stream.zero, asked: *stream.asked.get_or_insert(now) })
        };
        let answer = answer_to(&request.text, &self.rota, programme, now);
        connection.waiting = answer.head().into_bytes();
        match answer {
            Answer::Live(number) => {
                if let Some(Way::Http(held)) = self.streams.get_mut(number).map(|stream| &mut stream.way) {
                    *held = Some(connection);
                }
            }
            Answer::Whole(_, body) => {
                self.book.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                connection.waiting.extend_from_slice(&body);
                self.answers.push(connection);
            }
            Answer::NotFound => self.answers.push(connection),
        }
    }
}

impl Way {
    fn give(&mut self, bytes: &[u8], book: &SenderBook) {
        let is_over = match self {
            Self::Datagrams(socket, to) => {
                for datagram in bytes.chunks(PACKETS_AT_ONCE * PACKET) {
                    match socket.send_to(datagram, *to) {
                        Ok(count) => drop(book.bytes.fetch_add(count as u64, Ordering::Relaxed)),
                        Err(_) => drop(book.refused.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                false
            }
            Self::Listens(_, Some(connection)) | Self::Http(Some(connection)) => {
                connection.waiting.extend_from_slice(bytes);
                book.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                let is_behind = connection.waiting.len() - connection.sent > WAITING_MAX;
                book.dropped.fetch_add(u64::from(is_behind), Ordering::Relaxed);
                is_behind || !connection.flush()
            }
            // Nobody listens: it passes unheard, as live things do.
            Self::Listens(_, None) | Self::Http(None) | Self::Hls => false,
        };
        if is_over {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        if let Self::Listens(_, connection) | Self::Http(connection) = self {
            *connection = None;
        }
    }
}
