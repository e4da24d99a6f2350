//! Addresses that are none of the public internet: what kind they are, in words.
//!
//! Pure. The tables follow the special-purpose registries of IANA (RFC 6890 and its updates), and add
//! what clouds serve metadata on. Of IPv6 only global unicast counts as public; forms that carry an
//! IPv4 address within (NAT64, 6to4, ISATAP) are judged by that one, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4: base, prefix, words. The first that fits counts.
const V4: [(Ipv4Addr, u32, &str); 19] = [
    (Ipv4Addr::UNSPECIFIED, 32, "the unspecified address, which means this machine"),
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an address of this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "an address within a carrier's network"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "an address of cloud metadata"),
    (Ipv4Addr::new(169, 254, 169, 254), 32, "a link-local address of cloud metadata"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "an address for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "an address of 6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::BROADCAST, 32, "the broadcast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// Ranges of IPv6: base, prefix, words. The first that fits counts.
const V6: [(Ipv6Addr, u32, &str); 13] = [
    (Ipv6Addr::UNSPECIFIED, 128, "the unspecified address, which means this machine"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96, "an IPv4 address in an obsolete form of IPv6"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "an address of a local translator (NAT64)"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a unique local address"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local address"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "a site-local address"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a tunnel's address (Teredo)"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "an address for benchmarks"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "an address for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "an address for documentation"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "an address for documentation"),
];

/// Where the public internet lies in IPv6, and where its translators to IPv4 do.
const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// What kind of address this is; `None` for one of the public internet.
pub(super) fn kind(address: IpAddr) -> Option<String> {
    match address.to_canonical() {
        IpAddr::V4(v4) => kind_v4(v4).map(str::to_owned),
        IpAddr::V6(v6) => kind_v6(v6),
    }
}

fn kind_v4(address: Ipv4Addr) -> Option<&'static str> {
    let inside = |base: Ipv4Addr, prefix: u32| (address.to_bits() ^ base.to_bits()).leading_zeros() >= prefix;
    V4.iter().find(|(base, prefix, _)| inside(*base, *prefix)).map(|(_, _, words)| *words)
}

fn kind_v6(address: Ipv6Addr) -> Option<String> {
    let inside = |base: Ipv6Addr, prefix: u32| (address.to_bits() ^ base.to_bits()).leading_zeros() >= prefix;
    if let Some((_, _, words)) = V6.iter().find(|(base, prefix, _)| inside(*base, *prefix)) {
        return Some((*words).to_owned());
    }
    if !inside(GLOBAL.0, GLOBAL.1) && !inside(NAT64.0, NAT64.1) {
        return Some("a reserved address".to_owned());
    }
    let inner = embedded(address)?;
    kind_v4(inner).map(|words| format!("a form of {inner}, {words}"))
}

/// The IPv4 address that packets to this one end at.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0x2002, high, low, ..] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_known_from_its_first_to_its_last_address_and_no_further() {
        for (first, last, words) in [
            ("0.0.0.1", "0.255.255.255", "this network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocols"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarks"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("::2", "::ffff:ffff", "obsolete"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
        ] {
            for address in [first, last] {
                let kind = kind(address.parse().unwrap()).unwrap_or_default();
                assert!(kind.contains(words), "{address}: {kind}");
            }
        }
    }

    #[test]
    fn the_public_internet_is_none_of_them() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "2606:4700::1",
            "2a00::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(kind(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn addresses_within_addresses_are_found() {
        for (address, inner) in [
            ("::ffff:10.0.0.1", "a private address"),
            ("64:ff9b::a00:1", "a form of 10.0.0.1, a private address"),
            ("64:ff9b::7f00:1", "a form of 127.0.0.1, a loopback address"),
            ("2002:a9fe:a9fe::1", "a form of 169.254.169.254, a link-local address of cloud metadata"),
            ("2a00::5efe:c0a8:1", "a form of 192.168.0.1, a private address"),
            ("2a00::200:5efe:7f00:1", "a form of 127.0.0.1, a loopback address"),
            ("::ffff:0:127.0.0.1", "a reserved address"),
        ] {
            assert_eq!(kind(address.parse().unwrap()).as_deref(), Some(inner), "{address}");
        }
    }
}
