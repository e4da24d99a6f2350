//! Servers that answer with mutants: HLS over HTTP, and RTSP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::mutate::{Mutant, PLAYLIST, RTSP, Seeds};
use crate::harness::sender::{Web, respond};

/// How long a server of RTSP waits for the next request, then it hangs up: a server that stays silent has patience of the
/// configuration's, which is no matter of parsing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A mutant that is offered: its kind and bytes.
type Offered = Arc<Mutex<BTreeMap<u64, (&'static str, Arc<Vec<u8>>)>>>;

/// The servers, and what they offer.
pub struct Origins {
    web: Web,
    rtsp: SocketAddr,
    offered: Offered,
}

impl Origins {
    /// Starts both. Their threads live as long as the process.
    pub fn start(seeds: &Seeds) -> Self {
        let offered = Offered::default();
        let (of_web, segment) = (offered.clone(), seeds.segment.clone());
        let web = Web::start(move |path, stream| serve(&of_web, &segment, path, stream));
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
        let rtsp = listener.local_addr().expect("it is bound");
        let of_rtsp = offered.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let offered = of_rtsp.clone();
                std::thread::spawn(move || converse(&offered, stream));
            }
        });
        Self { web, rtsp, offered }
    }

    /// Offers a mutant; gives its address.
    pub fn offer(&self, number: u64, mutant: &Mutant) -> String {
        let bytes = Arc::new(mutant.bytes.clone());
        self.offered.lock().expect("nobody panics with it").insert(number, (mutant.kind, bytes));
        match mutant.kind {
            RTSP => format!("rtsp://{}/{number}", self.rtsp),
            _ => self.web.url(&format!("/{number}/live.m3u8")),
        }
    }

    /// Forgets it.
    pub fn withdraw(&self, number: u64) {
        self.offered.lock().expect("nobody panics with it").remove(&number);
    }
}

fn find(offered: &Offered, path: &str) -> Option<(&'static str, Arc<Vec<u8>>)> {
    let number = path.split('/').find_map(|part| part.split('?').next()?.parse().ok())?;
    offered.lock().expect("nobody panics with it").get(&number).cloned()
}

/// The playlist or the segments are the mutant; the rest is as it should be.
fn serve(offered: &Offered, segment: &[u8], path: &str, stream: &mut TcpStream) {
    const WHOLE: &[u8] =
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\na.ts\n#EXT-X-ENDLIST\n";
    let Some((kind, bytes)) = find(offered, path) else { return respond(stream, "404 Not Found", b"") };
    match (kind, path.contains(".m3u8")) {
        // A variant list leads to itself with a question mark behind, where the list is a whole one.
        (PLAYLIST, true) if path.contains('?') => respond(stream, "200 OK", WHOLE),
        (PLAYLIST, true) => respond(stream, "200 OK", &bytes),
        (PLAYLIST, false) if path.ends_with("/key") => respond(stream, "200 OK", &[7; 16]),
        (PLAYLIST, false) => respond(stream, "200 OK", segment),
        (_, true) => respond(stream, "200 OK", WHOLE),
        (_, false) => respond(stream, "200 OK", &bytes),
    }
}

/// Gives one answer after the other, whatever is asked; then hangs up.
fn converse(offered: &Offered, mut stream: TcpStream) {
    let Ok(reading) = stream.try_clone() else { return };
    // Who has left has left.
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut lines = BufReader::new(reading);
    let mut answers = None;
    for turn in 0.. {
        let (mut path, mut number) = (String::new(), String::from("1"));
        loop {
            let mut line = String::new();
            match lines.read_line(&mut line) {
                Ok(count) if count > 0 => {}
                _ => return,
            }
            if line.trim().is_empty() {
                break;
            }
            if path.is_empty() {
                path = line
                    .split("://")
                    .nth(1)
                    .and_then(|rest| rest.split_once('/'))
                    .map_or(String::new(), |it| it.1.to_owned());
                path = path.split([' ', '/']).next().unwrap_or_default().to_owned();
            }
            if let Some(value) = line.strip_prefix("CSeq:") {
                number = value.trim().to_owned();
            }
        }
        let known = answers.get_or_insert_with(|| find(offered, &path).map(|found| found.1).unwrap_or_default());
        let Some(answer) = known.split(|byte| *byte == 0).nth(turn) else { return };
        let answer = replaced(answer, b"CSEQ", number.as_bytes());
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn replaced(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    match bytes.windows(what.len()).position(|part| part == what) {
        Some(at) => [&bytes[..at], by, &bytes[at + what.len()..]].concat(),
        None => bytes.to_vec(),
    }
}
