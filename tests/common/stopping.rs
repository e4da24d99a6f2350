//! Servers that stop after a byte of choice: of an HLS playlist or segment, or of any answer of RTSP.
//!
//! Where they stop stands in the address that is asked for, so one server plays every case.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::sender::Web;

/// What an address may never show.
pub const SECRETS: [&str; 2] = ["S3cretWord", "T0kenWord"];

/// How long a held connection is kept when the other side does not leave.
const HOLD_MAX: Duration = Duration::from_secs(30);

/// How a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It closes the connection.
    Closes,
    /// It keeps the connection and says no more.
    Holds,
}

impl Stop {
    fn letter(self) -> char {
        match self {
            Self::Closes => 'c',
            Self::Holds => 'h',
        }
    }
}

/// A place to stop at, as a segment of a path: a word, how, and after how many bytes.
fn place(word: &str, stop: Stop, after: usize) -> String {
    format!("{word}-{}-{after}", stop.letter())
}

fn parse_place(segment: &str) -> Option<(&str, Stop, usize)> {
    let mut parts = segment.split('-');
    let word = parts.next()?;
    let stop = if parts.next()? == "h" { Stop::Holds } else { Stop::Closes };
    Some((word, stop, parts.next()?.parse().ok()?))
}

/// Sends the first bytes and stops.
fn send_part(stream: &mut TcpStream, whole: &[u8], stop: Stop, after: usize) {
    // The client may be gone.
    let sent = stream.write_all(&whole[..after.min(whole.len())]);
    if stop == Stop::Holds && sent.is_ok() {
        hold(stream);
    }
}

/// Waits until the other side leaves.
fn hold(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(Some(HOLD_MAX));
    while stream.read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
}

/// A finished playlist of one segment.
pub const PLAYLIST: &str =
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n";

/// An answer whose length is told.
pub fn with_length(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An answer that ends with the connection.
pub fn without_length(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat()
}

/// An HLS server: `playlist` and `endless` stop within the playlist, with and without a length, and
/// `segment` within the only segment.
pub struct StoppingHls(Web);

impl StoppingHls {
    pub fn start(segment: Vec<u8>) -> Self {
        Self(Web::start(move |path, stream| {
            let mut segments = path.split('?').next().unwrap_or_default().trim_start_matches('/').split('/');
            let (place, file) = (segments.next().and_then(parse_place), segments.next().unwrap_or_default());
            let Some((word, stop, after)) = place else { return };
            let whole = match (word, file) {
                ("endless", "live.m3u8") => without_length(PLAYLIST.as_bytes()),
                (_, "live.m3u8") => with_length(PLAYLIST.as_bytes()),
                (_, "a.ts") => with_length(&segment),
                _ => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            let stops_here = (word == "segment") == (file == "a.ts");
            send_part(stream, &whole, stop, if stops_here { after } else { whole.len() });
        }))
    }

    /// The address of a case, with secrets in it.
    pub fn url(&self, word: &str, stop: Stop, after: usize) -> String {
        let [password, token] = SECRETS;
        let (place, address) = (place(word, stop, after), self.0.address());
        format!("http://viewer:{password}@{address}/{place}/live.m3u8?token={token}")
    }
}

/// An RTSP server that sends a clip as MPEG-TS in RTP over the control connection, once; closed on drop.
///
/// It stops within the answer to a method, or within the data, by the word `DATA`.
pub struct StoppingRtsp {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl StoppingRtsp {
    pub fn start(clip: &Path) -> Self {
        let data = interleaved(&std::fs::read(clip).expect("the clip was made"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let closed = Arc::<AtomicBool>::default();
        let (seen, data) = (closed.clone(), Arc::new(data));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), data) = (stream, data.clone()) else { continue };
                std::thread::spawn(move || converse(stream, &data));
            }
        });
        Self { address, closed }
    }

    /// The address of a case, with secrets in it.
    pub fn url(&self, word: &str, stop: Stop, after: usize) -> String {
        let [password, token] = SECRETS;
        format!("rtsp://viewer:{password}@{}/{}?token={token}", self.address, place(word, stop, after))
    }
}

impl Drop for StoppingRtsp {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers request after request, until the place to stop at.
fn converse(mut stream: TcpStream, data: &[u8]) {
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = BufReader::new(reading);
    while let Some(request) = next_request(&mut lines) {
        let method = request.split(' ').next().unwrap_or_default().to_owned();
        let path = request.split(' ').nth(1).and_then(|url| url.split('/').nth(3)).unwrap_or_default();
        let Some((word, stop, after)) = path.split('?').next().and_then(parse_place) else { return };
        let number = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("0");
        let answer = rtsp_answer(&method, number);
        if word == method {
            return send_part(&mut stream, &answer, stop, after);
        }
        if stream.write_all(&answer).is_err() {
            return;
        }
        if method == "PLAY" {
            let after = if word == "DATA" { after } else { data.len() };
            return send_part(&mut stream, data, stop, after);
        }
    }
}

fn next_request(lines: &mut impl BufRead) -> Option<String> {
    let mut request = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some(request);
        }
        request.push_str(&line);
    }
}

/// The whole answer to a method.
pub fn rtsp_answer(method: &str, number: &str) -> Vec<u8> {
    let (headers, body) = match method {
        "DESCRIBE" => (
            "Content-Type: application/sdp\r\n",
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:t\r\n",
        ),
        "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
        _ => ("Session: 1\r\n", ""),
    };
    let length = body.len();
    format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Bytes in RTP packets, each behind the four bytes that mark it on the control connection.
fn interleaved(clip: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(clip.len() + clip.len() / 50);
    for (index, part) in clip.chunks(7 * 188).enumerate() {
        let size = (part.len() as u16 + 12).to_be_bytes();
        let sequence = (index as u16).to_be_bytes();
        data.extend([b'$', 0, size[0], size[1], 0x80, 33, sequence[0], sequence[1], 0, 0, 0, 0, 0, 0, 0, 1]);
        data.extend(part);
    }
    data
}
