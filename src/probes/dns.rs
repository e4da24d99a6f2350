//! Name servers: whether any of those that the system is set to use answers.
//!
//! Without a configured name they are asked for the servers of the root, and any answer is good: a
//! refusal is a sign of life. With one, it must have an address. Own packets over UDP, so that no
//! resolver of the system makes us wait. Runs on a `probe` thread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use avwatch_actors::probe_report::{ProbeFinding, ProbeOutcome};

use super::finding;
use super::route::read;

/// As many as the system's own resolver uses.
const SERVERS_MAX: usize = 3;

const TYPE_A: u16 = 1;
const TYPE_NS: u16 = 2;
const CLASS_IN: u16 = 1;

/// Bits of the head: a question that wants recursion; an answer; the code of the answer.
const RECURSION_WANTED: u16 = 0x0100;
const IS_ANSWER: u16 = 0x8000;
const CODE: u16 = 0x000f;

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    code: u16,
    answers: u16,
}

/// Whether a name server answers, within the limit for all of them together.
pub(super) fn servers_answer(root: &Path, name: Option<&str>, limit: Duration) -> ProbeFinding {
    let servers = servers(&read(&root.join("etc/resolv.conf")).unwrap_or_default());
    if servers.is_empty() {
        return finding(ProbeOutcome::Unknown, "DNS: no name server is configured".to_owned());
    }
    let addresses: Vec<SocketAddr> = servers.into_iter().map(|server| SocketAddr::new(server, 53)).collect();
    judge(name, ask_all(&addresses, name, limit), limit)
}

fn judge(name: Option<&str>, said: Option<Said>, limit: Duration) -> ProbeFinding {
    let failing = |why: String| finding(ProbeOutcome::Failing, format!("DNS: {why}"));
    match (name, said) {
        (_, None) => failing(format!("no answer in {} s", limit.as_secs())),
        (Some(name), Some(said)) if said.code != 0 || said.answers == 0 => {
            failing(format!("{name} is not found ({})", code_name(said)))
        }
        (Some(name), Some(_)) => finding(ProbeOutcome::Fine, format!("DNS knows {name}")),
        (None, Some(_)) => finding(ProbeOutcome::Fine, "DNS answers".to_owned()),
    }
}

fn code_name(said: Said) -> String {
    match said.code {
        0 => "no address".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("code {other}"),
    }
}

fn servers(text: &str) -> Vec<IpAddr> {
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        // A zone behind `%` names an interface, for link-local servers: these are left out.
        (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok()).flatten()
    });
    words.take(SERVERS_MAX).collect()
}

/// Asks all servers at once; the best of the answers.
fn ask_all(servers: &[SocketAddr], name: Option<&str>, limit: Duration) -> Option<Said> {
    let id = fastrand::u16(..);
    let question = question(id, name);
    let sockets: Vec<UdpSocket> = servers.iter().filter_map(|server| send(*server, &question)).collect();
    let until = Instant::now() + limit;
    let mut best: Option<Said> = None;
    // Each is listened to in turn, in slices, until one gives what is looked for.
    while Instant::now() < until && !sockets.is_empty() {
        for socket in &sockets {
            let mut packet = [0; 1_500];
            let Ok(length) = socket.recv(&mut packet) else { continue };
            let Some(said) = answer(&packet[..length], id) else { continue };
            best = Some(said);
            if said.code == 0 || name.is_none() {
                return best;
            }
        }
        if best.is_some() && sockets.len() == 1 {
            return best;
        }
    }
    best
}

/// How long each server is listened to before the next one is.
const SLICE: Duration = Duration::from_millis(50);

fn send(server: SocketAddr, question: &[u8]) -> Option<UdpSocket> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Connected, so that only this server's packets come in.
    socket.connect(server).ok()?;
    socket.set_read_timeout(Some(SLICE)).ok()?;
    socket.send(question).ok()?;
    Some(socket)
}

/// A question for the address of a name, or for the servers of the root.
fn question(id: u16, name: Option<&str>) -> Vec<u8> {
    let mut packet = Vec::new();
    for word in [id, RECURSION_WANTED, 1, 0, 0, 0] {
        packet.extend(word.to_be_bytes());
    }
    // The plan has checked that labels are of 1 to 63 bytes.
    for label in name.unwrap_or_default().split('.').filter(|label| !label.is_empty()) {
        packet.push(label.len().min(63) as u8);
        packet.extend(label.bytes().take(63));
    }
    packet.push(0);
    packet.extend(if name.is_some() { TYPE_A } else { TYPE_NS }.to_be_bytes());
    packet.extend(CLASS_IN.to_be_bytes());
    packet
}

/// What an answer to our question says.
fn answer(packet: &[u8], id: u16) -> Option<Said> {
    let word = |index: usize| Some(u16::from_be_bytes([*packet.get(2 * index)?, *packet.get(2 * index + 1)?]));
    let flags = word(1)?;
    let is_ours = word(0)? == id && flags & IS_ANSWER != 0;
    Some(Said { code: flags & CODE, answers: word(3)? }).filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name server that answers each question with a code and one made-up count of answers.
    fn server(code: u16, answers: u16) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                packet[2..4].copy_from_slice(&(IS_ANSWER | code).to_be_bytes());
                packet[6..8].copy_from_slice(&answers.to_be_bytes());
                let _ = socket.send_to(&packet[..length], from);
            }
        });
        address
    }

    fn outcome(servers: &[SocketAddr], name: Option<&str>) -> (ProbeOutcome, String) {
        let limit = Duration::from_secs(1);
        let found = judge(name, ask_all(servers, name, limit), limit);
        (found.outcome, found.text)
    }

    #[test]
    fn any_answer_is_a_sign_of_life_when_no_name_is_configured() {
        assert_eq!(outcome(&[server(5, 0)], None), (ProbeOutcome::Fine, "DNS answers".to_owned()));
    }

    #[test]
    fn a_configured_name_must_have_an_address() {
        let name = Some("monitor.example");
        assert_eq!(outcome(&[server(0, 1)], name).0, ProbeOutcome::Fine);
        let refused = "DNS: monitor.example is not found (SERVFAIL)".to_owned();
        assert_eq!(outcome(&[server(2, 0)], name), (ProbeOutcome::Failing, refused));
        // One that knows it is enough.
        assert_eq!(outcome(&[server(2, 0), server(0, 1)], name).0, ProbeOutcome::Fine);
    }

    #[test]
    fn silence_fails_within_the_limit() {
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        let begin = Instant::now();
        let found = outcome(&[mute.local_addr().unwrap()], None);
        assert_eq!(found, (ProbeOutcome::Failing, "DNS: no answer in 1 s".to_owned()));
        assert!(begin.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn servers_are_read_as_the_system_reads_them() {
        let text =
            "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\n nameserver 2001:db8::1\nnameserver x\n";
        assert_eq!(servers(text), ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
    }
}
