//! The guard: which addresses may be reached for somebody who may not reach all of them.
//!
//! Whoever may add a stream over the API, or name a receiver of notifications, is not thereby allowed
//! to have this machine speak to whatever it can see: itself, its private networks, the metadata of
//! its cloud. So a name is resolved once, what comes out is judged here, and only what was judged is
//! connected to; the name is never resolved again, and each redirect and each reference in a playlist
//! passes here anew. Addresses of the public internet pass, but not those of this machine; others only within
//! `sources.allow`; the service itself never. Shared by all sessions, immutable but for the list of our own sockets; called
//! on the threads that connect, where it may wait for the resolver only.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwap;
use avwatch_actors::source::SourceError;

use super::patience::Patience;
use super::resolve::{Lookup, resolve, system};
use super::special;
use crate::cidr::Cidr;

/// What may be reached.
#[derive(Clone, Default)]
pub enum Reach {
    /// Everything: whoever wrote the address runs this machine. For configuration files and commands.
    #[default]
    Trusted,
    /// What the guard lets pass. For addresses that come over the API.
    Guarded(Arc<Guard>),
}

impl Reach {
    /// The addresses behind a host that may be connected to, at least one. They alone may be
    /// connected to: asking again may give others.
    ///
    /// # Errors
    /// The name does not resolve, or the guard refuses everything that it resolves to.
    pub(crate) fn resolve(&self, host: &str, port: u16, patience: &Patience) -> Result<Vec<SocketAddr>, SourceError> {
        match self {
            Self::Trusted => resolve(host, port, &system(), patience),
            Self::Guarded(guard) => guard.pass(host, port, resolve(host, port, &guard.lookup, patience)?),
        }
    }

    /// Whether there is a guard.
    pub fn is_guarded(&self) -> bool {
        matches!(self, Self::Guarded(_))
    }
}

impl PartialEq for Reach {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Trusted, Self::Trusted) => true,
            (Self::Guarded(left), Self::Guarded(right)) => left.allow == right.allow,
            (Self::Trusted, Self::Guarded(_)) | (Self::Guarded(_), Self::Trusted) => false,
        }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted => f.write_str("Trusted"),
            Self::Guarded(guard) => write!(f, "Guarded({:?})", guard.allow),
        }
    }
}

/// The sockets on which this process itself listens for TCP. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct OwnSockets(Arc<ArcSwap<Vec<SocketAddr>>>);

impl OwnSockets {
    /// Adds one, from when on nobody guarded reaches it.
    pub fn add(&self, address: SocketAddr) {
        self.0.rcu(|known| known.iter().copied().chain([address]).collect::<Vec<_>>());
    }

    /// Whether a connection to that address would end at ourselves.
    fn hold(&self, address: SocketAddr) -> bool {
        let ip = real(address.ip());
        self.0.load().iter().filter(|own| own.port() == address.port()).any(|own| {
            let own = own.ip().to_canonical();
            if own.is_unspecified() { is_local(ip) } else { own == ip }
        })
    }
}

/// The address that the system takes: unspecified ones mean this machine.
fn real(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Whether an address is one of this machine's: the system binds to no other.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || (!ip.is_multicast() && UdpSocket::bind((ip, 0)).is_ok())
}

/// Judges addresses.
pub struct Guard {
    allow: Vec<Cidr>,
    own: OwnSockets,
    lookup: Lookup,
    /// Whether an address is one of this machine's.
    local: fn(IpAddr) -> bool,
}

impl Guard {
    /// A guard that lets the public internet pass and, beside it, these ranges but for our own sockets.
    pub fn new(allow: Vec<Cidr>, own: OwnSockets) -> Arc<Self> {
        Arc::new(Self { allow, own, lookup: system(), local: is_local })
    }

    /// The same with a resolver of a test's own.
    #[cfg(test)]
    pub(in crate::media) fn with_lookup(allow: Vec<Cidr>, own: OwnSockets, lookup: Lookup) -> Arc<Self> {
        Arc::new(Self { allow, own, lookup, local: is_local })
    }

    /// Judges a host that is written as an address, without resolving anything; names pass.
    ///
    /// # Errors
    /// In words, why it will be refused.
    pub fn judge_literal(&self, host: &str, port: u16) -> Result<(), String> {
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(ip) => self.judge(host, SocketAddr::new(ip, port)),
            Err(_) => Ok(()),
        }
    }

    /// Keeps of the addresses of a host those that may be connected to.
    fn pass(&self, host: &str, port: u16, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, SourceError> {
        let mut refused = None;
        let mut passed = Vec::with_capacity(found.len());
        for address in found {
            match self.judge(host, address) {
                Ok(()) => passed.push(address),
                Err(why) => {
                    refused.get_or_insert(why);
                }
            }
        }
        match refused {
            Some(why) if passed.is_empty() => Err(SourceError::Forbidden { what: format!("{host}:{port}"), why }),
            _ => Ok(passed),
        }
    }

    fn judge(&self, host: &str, address: SocketAddr) -> Result<(), String> {
        let ip = address.ip();
        let written = host.trim_start_matches('[').trim_end_matches(']') == ip.to_string();
        let leads = |what: &str| if written { format!("it is {what}") } else { format!("it leads to {ip}, {what}") };
        if self.own.hold(address) {
            return Err(format!("{}; no range of sources.allow opens that", leads("this service itself")));
        }
        if self.allow.iter().any(|range| range.contains(ip)) {
            return Ok(());
        }
        let kind = special::kind(ip).or_else(|| (self.local)(ip).then(|| "an address of this machine".to_owned()));
        match kind {
            None => Ok(()),
            Some(kind) => Err(format!(
                "{}; what comes over the API reaches such addresses only within the ranges of sources.allow",
                leads(&kind)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], own: &[&str]) -> Arc<Guard> {
        let sockets = OwnSockets::default();
        own.iter().for_each(|address| sockets.add(address.parse().unwrap()));
        Guard::new(allow.iter().map(|range| range.parse().unwrap()).collect(), sockets)
    }

    fn judged(guard: &Guard, address: &str) -> Result<(), String> {
        let address: SocketAddr = address.parse().unwrap();
        guard.judge(&address.ip().to_string(), address)
    }

    #[test]
    fn a_range_of_the_key_opens_its_addresses_and_no_others() {
        let guard = guard(&["10.1.0.0/16", "239.0.0.0/8", "fd00::/64", "64:ff9b::/112"], &[]);
        for open in ["10.1.0.0:1", "10.1.255.255:1", "239.9.9.9:1", "[fd00::1]:1", "[::ffff:10.1.2.3]:1", "8.8.8.8:1"] {
            assert_eq!(judged(&guard, open), Ok(()), "{open}");
        }
        // A form of an open IPv4 address is an address of its own: the translator stands elsewhere.
        for closed in ["10.0.255.255:1", "10.2.0.0:1", "238.9.9.9:1", "[fd00:0:0:1::1]:1", "[64:ff9b::a01:203]:1"] {
            assert!(judged(&guard, closed).is_err(), "{closed}");
        }
    }

    #[test]
    fn what_else_listens_on_a_public_address_of_this_machine_is_closed_unless_a_range_opens_it() {
        let ours = |ip: IpAddr| ip == IpAddr::from([8, 8, 8, 8]);
        let closed = Guard { allow: Vec::new(), own: OwnSockets::default(), lookup: system(), local: ours };
        let address: SocketAddr = "8.8.8.8:22".parse().unwrap();
        let why = closed.judge("8.8.8.8", address).unwrap_err();
        assert!(why.starts_with("it is an address of this machine; ") && why.contains("sources.allow"), "{why}");
        let opened = Guard { allow: vec!["8.8.8.0/24".parse().unwrap()], ..closed };
        assert_eq!(opened.judge("8.8.8.8", address), Ok(()));
        assert_eq!(opened.judge("9.9.9.9", "9.9.9.9:22".parse().unwrap()), Ok(()));
    }

    #[test]
    fn a_refusal_names_the_address_and_the_key() {
        let guard = guard(&[], &[]);
        let address: SocketAddr = "10.0.0.5:80".parse().unwrap();
        let error = guard.pass("inside.example", 80, vec![address]).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot open inside.example:80: it leads to 10.0.0.5, a private address; what comes over the API reaches \
             such addresses only within the ranges of sources.allow"
        );
        assert!(guard.judge_literal("[::1]", 80).unwrap_err().starts_with("it is a loopback address; "));
        assert_eq!(guard.judge_literal("inside.example", 80), Ok(()));
    }

    #[test]
    fn of_several_addresses_only_those_that_pass_are_kept() {
        let guard = guard(&[], &[]);
        let found: Vec<SocketAddr> =
            ["10.0.0.5:80", "8.8.8.8:80", "[::1]:80"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(guard.pass("both.example", 80, found).unwrap(), ["8.8.8.8:80".parse().unwrap()]);
    }

    #[test]
    fn the_service_itself_is_closed_even_within_an_open_range() {
        let open = ["127.0.0.0/8", "0.0.0.0/32", "::/0"];
        let fixed = guard(&open, &["127.0.0.1:8080", "[::1]:8080"]);
        for own in ["127.0.0.1:8080", "0.0.0.0:8080", "[::ffff:127.0.0.1]:8080", "[::1]:8080", "[::]:8080"] {
            let why = judged(&fixed, own).unwrap_err();
            assert!(why.contains("this service itself") && why.contains("sources.allow"), "{own}: {why}");
        }
        for other in ["127.0.0.1:8081", "127.0.0.2:8080", "8.8.8.8:8080"] {
            assert_eq!(judged(&fixed, other), Ok(()), "{other}");
        }
        let everywhere = guard(&open, &["0.0.0.0:8080"]);
        for own in ["127.0.0.1:8080", "127.9.9.9:8080", "0.0.0.0:8080"] {
            assert!(judged(&everywhere, own).is_err(), "{own}");
        }
        assert_eq!(judged(&everywhere, "8.8.8.8:8080"), Ok(()), "an address of another machine");
    }
}
