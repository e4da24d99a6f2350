//! The default route of IPv4 as the kernel tells of it. Reads a small file; on any thread.
//!
//! A machine that has IPv6 alone has no route here: link and gateway then say nothing.

use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

/// Most bytes that are read of a file of the kernel.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// `RTF_UP` and `RTF_GATEWAY`.
const UP: u32 = 1;
const GATEWAY: u32 = 2;

/// Where what is not local goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DefaultRoute {
    /// The interface.
    pub interface: String,
    /// The next hop; absent where there is none, as on point-to-point links.
    pub gateway: Option<Ipv4Addr>,
}

/// The default route with the smallest metric.
pub(super) fn default_route(root: &Path) -> Option<DefaultRoute> {
    parse(&read(&root.join("proc/net/route"))?)
}

/// A small text file.
pub(super) fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Columns: interface, destination, gateway, flags, –, –, metric, mask; addresses in the machine's byte order.
fn parse(text: &str) -> Option<DefaultRoute> {
    let routes = text.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let hex = |index: usize| u32::from_str_radix(columns.get(index)?, 16).ok();
        let (destination, gateway, flags, mask) = (hex(1)?, hex(2)?, hex(3)?, hex(7)?);
        let metric: u32 = columns.get(6)?.parse().ok()?;
        let is_default = destination == 0 && mask == 0 && flags & UP != 0;
        let gateway = (flags & GATEWAY != 0).then(|| Ipv4Addr::from(gateway.to_ne_bytes()));
        is_default.then(|| (metric, DefaultRoute { interface: columns[0].to_owned(), gateway }))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, route)| route)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_smallest_metric_is_found() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\tFE01A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let route = parse(text).unwrap();
        assert_eq!((route.interface.as_str(), route.gateway), ("eth0", Some(Ipv4Addr::new(192, 0, 2, 1))));
    }

    #[test]
    fn a_machine_without_a_default_route_has_none() {
        assert_eq!(parse("Iface\tDestination\n"), None);
        assert_eq!(parse("head\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"), None);
        assert_eq!(parse("head\nnonsense\n\n"), None);
    }
}
