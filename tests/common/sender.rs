//! Senders of live media on the loopback: Debian's `ffmpeg`, and a small web server.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a sender may take to begin on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// An `ffmpeg` that sends a clip in real time, over and over; ended on drop.
pub struct Sender(Child);

impl Sender {
    /// Starts it; `more` are arguments for the output before its address.
    pub fn start(clip: &Path, format: &str, more: &[&str], address: &str) -> Self {
        let child = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "quiet", "-re", "-stream_loop", "-1", "-i"])
            .arg(clip)
            .args(["-c", "copy"])
            .args(more)
            .args(["-f", format, address])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("ffmpeg is installed (scripts/setup)"))
    }

    /// An MPEG transport stream in datagrams to a port of this machine.
    pub fn udp(clip: &Path, port: u16) -> Self {
        Self::start(clip, "mpegts", &[], &format!("udp://127.0.0.1:{port}?pkt_size=1316"))
    }

    /// An MPEG transport stream to the one who connects to a port of this machine. Returns when it listens.
    pub fn tcp(clip: &Path, port: u16) -> Self {
        let sender = Self::start(clip, "mpegts", &[], &format!("tcp://127.0.0.1:{port}?listen=1"));
        wait_for_listener(port, "tcp");
        sender
    }

    /// The same by SRT, as a listener. Returns when it listens.
    pub fn srt(clip: &Path, port: u16) -> Self {
        let sender = Self::start(clip, "mpegts", &[], &format!("srt://127.0.0.1:{port}?mode=listener"));
        wait_for_listener(port, "udp");
        sender
    }

    /// MPEG-TS in RTP to a port of this machine.
    pub fn rtp(clip: &Path, port: u16) -> Self {
        Self::start(clip, "rtp_mpegts", &[], &format!("rtp://127.0.0.1:{port}"))
    }

    /// FLV by RTMP to the one who connects to a port of this machine, as `app/key`. Returns when it listens.
    pub fn rtmp(clip: &Path, port: u16) -> Self {
        let sender = Self::start(
            clip,
            "flv",
            &["-bsf:a", "aac_adtstoasc", "-listen", "1"],
            &format!("rtmp://127.0.0.1:{port}/app/key"),
        );
        wait_for_listener(port, "tcp");
        sender
    }

    /// Segments of one second with a playlist in a folder; returns when three of them are there.
    pub fn hls(clip: &Path, folder: &Path) -> Self {
        let playlist = folder.join("live.m3u8");
        let options =
            ["-hls_time", "1", "-hls_list_size", "5", "-hls_flags", "delete_segments+temp_file+program_date_time"];
        let sender = Self::start(clip, "hls", &options, &playlist.display().to_string());
        wait("the playlist to have three segments", READY_WITHIN, || {
            std::fs::read_to_string(&playlist).is_ok_and(|text| text.matches("#EXTINF").count() >= 3).then_some(())
        });
        sender
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends pieces of transport stream in datagrams as they are, each in its time; ended on drop.
///
/// For what `ffmpeg` would not send, such as one PID that changes its codec.
pub struct Pump(Arc<AtomicBool>);

impl Pump {
    /// Starts it, to a port of this machine.
    pub fn start(port: u16, pieces: Vec<(Vec<u8>, Duration)>) -> Self {
        let ended = Arc::<AtomicBool>::default();
        let seen = ended.clone();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has free ports");
        std::thread::spawn(move || {
            for (bytes, lasts) in pieces {
                let (begin, count) = (Instant::now(), bytes.len().div_ceil(7 * 188).max(1));
                for (index, datagram) in bytes.chunks(7 * 188).enumerate() {
                    let due = begin + lasts.mul_f64(index as f64 / count as f64);
                    std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                    if seen.load(Ordering::Acquire) {
                        return;
                    }
                    // Nobody may listen yet.
                    let _ = socket.send_to(datagram, ("127.0.0.1", port));
                }
            }
        });
        Self(ended)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A port that nobody listened on a moment ago, neither by UDP nor by TCP.
pub fn free_port() -> u16 {
    loop {
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("the loopback has free ports");
        let port = datagrams.local_addr().expect("it is bound").port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until a program of this machine listens on a port, as the kernel tells.
pub fn wait_for_listener(port: u16, table: &str) {
    let needle = format!(":{port:04X} ");
    // State 0A is a listening TCP socket, 07 an unconnected UDP one.
    let state = if table == "tcp" { " 0A " } else { " 07 " };
    wait("the sender to listen", READY_WITHIN, || {
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let listens = |line: &str| line.split_once(&needle).is_some_and(|(_, rest)| rest.contains(state));
        text.lines().any(listens).then_some(())
    });
}

/// Looks again and again until there is an answer; panics after the limit.
#[track_caller]
pub fn wait<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A web server that answers each connection by a function on a thread of its own; closed on drop.
pub struct Web {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl Web {
    /// Starts it; the function is given the path that was asked for.
    pub fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("is an address"), answer)
    }

    /// The same at an address of choice, such as that of an earlier one.
    pub fn start_at(address: SocketAddr, answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let (closed, answer) = (Arc::<AtomicBool>::default(), Arc::new(answer));
        let seen = closed.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(mut stream), answer) = (stream, answer.clone()) else { continue };
                std::thread::spawn(move || {
                    if let Some(path) = asked_for(&stream) {
                        answer(&path, &mut stream);
                    }
                });
            }
        });
        Self { address, closed }
    }

    /// Serves the files of a folder.
    pub fn of_folder(folder: PathBuf) -> Self {
        Self::start(move |path, stream| serve_file(&folder, path, stream))
    }

    /// The address of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one file of a folder, by its name alone.
pub fn serve_file(folder: &Path, path: &str, stream: &mut TcpStream) {
    let name = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => respond(stream, "200 OK", &bytes),
        Err(_) => respond(stream, "404 Not Found", b""),
    }
}

/// Writes a whole answer. Errors are the client's leaving, which tests may want.
pub fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn asked_for(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream);
    let mut first = String::new();
    lines.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? <= 2 {
            return first.split(' ').nth(1).map(str::to_owned);
        }
    }
}
