//! `avwatch health`: asks the local service whether it lives, for containers and scripts.
//!
//! Runs on the main thread with a socket of the standard library; it never takes longer than two
//! seconds, the resolving of a name excepted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::client::{Client, reachable};
use crate::config::{self, ServerPlan, Sources};

/// Longest that the whole question may take.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Bytes of the answer that are read; its first line is all that counts.
const ANSWER_BYTES_MAX: usize = 512;

/// Asks the service that listens on `listen` (an address with port) for `/livez`.
///
/// # Errors
/// What a person reads when the service does not answer in time, or says that it is not well.
pub fn health(listen: &str) -> Result<(), String> {
    let deadline = Instant::now() + TIME_MAX;
    let address = listen
        .to_socket_addrs()
        .map_err(|error| format!("cannot read the address {listen}: {error}"))?
        .next()
        .ok_or_else(|| format!("cannot find an address for {listen}"))?;
    let line = ask(reachable(address), deadline).map_err(|why| format!("cannot reach avwatch on {listen}: {why}"))?;
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(status) => Err(format!("avwatch on {listen} is not well: it answered {status}")),
        None => Err(format!("what listens on {listen} is not avwatch")),
    }
}

/// Runs the command: finds the address in the configuration and asks there.
pub fn run(sources: &Sources) -> ExitCode {
    let loaded = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("error: {errors}");
            return ExitCode::FAILURE;
        }
    };
    let Some(listen) = loaded.plan.server.listen else {
        eprintln!("error: the service listens on no address (server.listen is off)");
        return ExitCode::FAILURE;
    };
    let asked = match loaded.plan.server.tls {
        None => health(&listen.to_string()),
        Some(_) => over_tls(&loaded.plan.server),
    };
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Asks over HTTPS.
fn over_tls(plan: &ServerPlan) -> Result<(), String> {
    match Client::of(plan, None)?.ask("GET", "/livez", None)?.status {
        200 => Ok(()),
        status => Err(format!("avwatch is not well: it answered {status}")),
    }
}

/// The first line of the answer.
fn ask(address: SocketAddr, deadline: Instant) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    // A limit of zero would mean none at all.
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut socket = TcpStream::connect_timeout(&address, left()).map_err(text)?;
    socket.set_write_timeout(Some(left())).map_err(text)?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    let mut chunk = [0; ANSWER_BYTES_MAX];
    while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES_MAX {
        if Instant::now() >= deadline {
            return Err(format!("no answer within {} s", TIME_MAX.as_secs()));
        }
        socket.set_read_timeout(Some(left())).map_err(text)?;
        match socket.read(&mut chunk) {
            Ok(0) => break,
            Ok(bytes) => answer.extend_from_slice(&chunk[..bytes]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(text(error)),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_service_that_accepts_but_never_answers_is_not_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let started = Instant::now();
        let refused = health(&silent.local_addr().unwrap().to_string()).unwrap_err();
        assert!(refused.contains("no answer within 2 s"), "{refused}");
        assert!(started.elapsed() < 2 * TIME_MAX);
    }

    #[test]
    fn something_else_on_the_port_is_told_from_avwatch() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap().to_string();
        let answer = thread::spawn(move || {
            let (mut socket, _) = other.accept().unwrap();
            // The whole question first, or the answer could be lost with the connection.
            socket.read_exact(&mut [0; 64]).unwrap();
            socket.write_all(b"SSH-2.0-OpenSSH\r\n").unwrap();
        });
        assert!(health(&address).unwrap_err().contains("is not avwatch"));
        answer.join().unwrap();
    }

    #[test]
    fn a_service_on_every_address_is_asked_on_loopback() {
        let reach = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reach("[::]:8080"), "[::1]:8080");
        assert_eq!(reach("192.0.2.7:8080"), "192.0.2.7:8080");
    }
}
