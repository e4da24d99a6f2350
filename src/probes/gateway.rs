//! Link and default gateway: what the kernel knows of them, without any privilege.
//!
//! The gateway is asked by way of the neighbour table: an empty datagram to its discard port makes the
//! kernel look for it, and an entry without an address after 3 s says that nobody answered. A gateway that
//! drops pings is therefore not called dead. The kernel believes a known entry for some seconds, so a
//! gateway that has just died is found out by the second round. Runs on a `probe` thread.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use avwatch_actors::probe_report::{ProbeFinding, ProbeOutcome};

use super::finding;
use super::route::{DefaultRoute, default_route, read};

/// Nobody listens there: the datagram only makes the kernel look for the gateway.
const DISCARD_PORT: u16 = 9;

/// How often the neighbour table is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `ATF_COM`: the entry has an address.
const COMPLETE: u32 = 2;

/// Whether the interface of the default route has a link.
pub(super) fn link(root: &Path, had: Option<&DefaultRoute>) -> ProbeFinding {
    let now = default_route(root);
    let Some(route) = now.as_ref().or(had) else {
        return finding(ProbeOutcome::Unknown, "link: there is no default route".to_owned());
    };
    let interface = &route.interface;
    let state = read(&root.join("sys/class/net").join(interface).join("operstate"));
    match state.as_deref().map(str::trim) {
        // Virtual interfaces do not know.
        Some("up" | "unknown") => finding(ProbeOutcome::Fine, format!("link {interface} is up")),
        Some(state) => finding(ProbeOutcome::Failing, format!("link {interface} is {state}")),
        None if root.join("sys/class/net").is_dir() => {
            finding(ProbeOutcome::Failing, format!("interface {interface} is gone"))
        }
        None => finding(ProbeOutcome::Unknown, format!("link {interface}: the system does not tell")),
    }
}

/// Whether the default gateway answers.
pub(super) fn gateway(root: &Path, had: Option<&DefaultRoute>, limit: Duration) -> ProbeFinding {
    let Some(route) = default_route(root) else {
        return match had {
            Some(route) => {
                finding(ProbeOutcome::Failing, format!("the default route through {} is gone", route.interface))
            }
            None => finding(ProbeOutcome::Unknown, "default gateway: there is none".to_owned()),
        };
    };
    let Some(address) = route.gateway else {
        return finding(ProbeOutcome::Unknown, format!("default gateway: {} needs none", route.interface));
    };
    stir(address);
    let until = Instant::now() + limit;
    loop {
        match neighbour(root, address) {
            Some(true) => return finding(ProbeOutcome::Fine, format!("default gateway {address} answers")),
            found if Instant::now() >= until => {
                return match found {
                    Some(_) => finding(
                        ProbeOutcome::Failing,
                        format!("default gateway {address} does not answer (ARP incomplete)"),
                    ),
                    None => finding(ProbeOutcome::Unknown, format!("default gateway {address}: no ARP entry")),
                };
            }
            Some(false) | None => thread::sleep(LOOK_EVERY),
        }
    }
}

fn stir(address: Ipv4Addr) {
    let sent =
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| socket.send_to(&[], (address, DISCARD_PORT)));
    if let Err(error) = sent {
        // What is wrong shows in the neighbour table.
        tracing::debug!("cannot send to the default gateway: {error}");
    }
}

/// Whether the neighbour table has an address for it; absent when it has no entry.
fn neighbour(root: &Path, address: Ipv4Addr) -> Option<bool> {
    let text = read(&root.join("proc/net/arp"))?;
    text.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let is_it = columns.next()?.parse() == Ok(address);
        let flags = u32::from_str_radix(columns.nth(1)?.trim_start_matches("0x"), 16).ok()?;
        is_it.then_some(flags & COMPLETE != 0)
    })
}
