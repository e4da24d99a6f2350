//! Name resolution with a bound: the one wait that nothing can interrupt, moved to a helper thread.
//!
//! The helper is left to itself when our patience ends first; the system's resolver lets it return
//! after some seconds. How many there may be at once is bounded for the whole process.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use avwatch_actors::lifeline::{Lifeline, Phase};
use avwatch_actors::source::SourceError;
use avwatch_actors::worker;

use super::file::plain;
use super::patience::Patience;

/// Longest time to wait for an answer.
const LIMIT: Duration = Duration::from_secs(3);

/// Most helper threads at once; a resolver that hangs may not cost more.
const HELPERS_MAX: usize = 64;

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

static HELPERS: AtomicUsize = AtomicUsize::new(0);

/// Asks for the addresses of a name; it may take its time, on a helper thread.
pub(in crate::media) type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The system's resolver. It knows the old forms of IPv4 addresses, such as `0x7f.1`, as well.
pub(super) fn system() -> Lookup {
    Arc::new(|name: &str, port: u16| (name, port).to_socket_addrs().map(Iterator::collect))
}

/// The addresses of a host, at least one. Literal addresses cost nothing.
///
/// The lifeline's phase is `Resolving` meanwhile. `host` may be written with brackets. Sources do not
/// call it: [`super::Reach`] does, and judges what it gives.
pub(super) fn resolve(
    host: &str,
    port: u16,
    lookup: &Lookup,
    patience: &Patience,
) -> Result<Vec<SocketAddr>, SourceError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let line = patience.line();
    let phase = line.phase();
    line.enter(Phase::Resolving);
    let found = ask(bare.to_owned(), port, lookup.clone(), patience);
    line.enter(phase);
    found
}

fn ask(host: String, port: u16, lookup: Lookup, patience: &Patience) -> Result<Vec<SocketAddr>, SourceError> {
    let failed = |why: &str| SourceError::Resolve { host: host.clone(), why: why.to_owned() };
    let helper = Helper::hire().ok_or_else(|| failed("the resolver is busy with other names"))?;
    let (answer, answers) = sync_channel(1);
    let name = host.clone();
    let ask = move |_: &Arc<Lifeline>| {
        let mut found = lookup(&name, port);
        if let Ok(addresses) = &mut found {
            addresses.truncate(ADDRESSES_MAX);
        }
        // Nobody listens any more when patience has ended: the answer is then of no use.
        let _ = answer.send(found);
        drop(helper);
    };
    // The resolver cannot be cut: it has a lifeline of its own that nobody holds.
    let started = worker::spawn("resolve", Arc::default(), ask, |_| {});
    if let Err(error) = started {
        return Err(failed(&plain(&error)));
    }
    let asked = Instant::now();
    patience.rests();
    loop {
        match answers.recv_timeout(patience.slice()) {
            Ok(Ok(found)) if found.is_empty() => return Err(failed("it has no address")),
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => return Err(failed(&plain(&error))),
            Err(RecvTimeoutError::Disconnected) => return Err(failed("the resolver gave up")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        patience.check(&host)?;
        if asked.elapsed() >= LIMIT {
            return Err(failed("no answer within 3 s"));
        }
    }
}

/// A place among the helpers, given back on drop.
struct Helper;

impl Helper {
    fn hire() -> Option<Self> {
        // Relaxed: a counter that guards nothing else.
        let hired =
            HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |busy| (busy < HELPERS_MAX).then_some(busy + 1));
        hired.is_ok().then_some(Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::bytes::testing::patience;

    #[test]
    fn literal_addresses_need_no_resolver() {
        let patience = patience(1_000);
        assert_eq!(resolve("127.0.0.1", 80, &system(), &patience).unwrap(), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(resolve("[::1]", 80, &system(), &patience).unwrap(), ["[::1]:80".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_does_not_exist_is_named_within_the_limit() {
        let start = Instant::now();
        let error = resolve("no-such-host.invalid", 80, &system(), &patience(10_000)).unwrap_err();
        assert!(matches!(&error, SourceError::Resolve { host, .. } if host == "no-such-host.invalid"), "{error}");
        assert!(start.elapsed() < LIMIT + Duration::from_millis(250));
    }

    #[test]
    fn the_phase_is_restored() {
        let patience = patience(1_000);
        patience.line().enter(Phase::Opening);
        // `localhost` is known without a network.
        resolve("localhost", 80, &system(), &patience).unwrap();
        assert_eq!(patience.line().phase(), Phase::Opening);
    }
}
