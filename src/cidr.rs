//! Address ranges in CIDR notation, such as `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address, or not a prefix that its family has.
    #[error("not an address range such as 10.0.0.0/8 or 2001:db8::/32")]
    Malformed,
    /// Bits beyond the prefix are set: probably a typo in one of the two.
    #[error("bits beyond the prefix are set; the range begins at {0}")]
    HostBits(IpAddr),
}

impl Cidr {
    /// Whether the address lies in the range. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.base)
            && address.to_canonical().is_ipv4() == self.base.is_ipv4()
    }
}

/// The first address of the range that the address is in; `None` for a prefix too long.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let host = 32u32.checked_sub(u32::from(prefix))?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V4((v4.to_bits() & mask).into()))
        }
        IpAddr::V6(v6) => {
            let host = 128u32.checked_sub(u32::from(prefix))?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V6((v6.to_bits() & mask).into()))
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Malformed)?;
        let prefix = match prefix {
            Some(digits) if !digits.starts_with('+') => digits.parse().map_err(|_| CidrError::Malformed)?,
            Some(_) => return Err(CidrError::Malformed),
            None if address.is_ipv4() => 32,
            None => 128,
        };
        let base = masked(address, prefix).ok_or(CidrError::Malformed)?;
        if base == address { Ok(Self { base, prefix }) } else { Err(CidrError::HostBits(base)) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        for (range, address, inside) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("::/0", "2001:db8::1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let range: Cidr = range.parse().expect("a range");
            assert_eq!(range.contains(address.parse().expect("an address")), inside, "{range} {address}");
        }
    }

    #[test]
    fn typos_in_ranges_are_refused() {
        for text in ["10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "example.org/8", "::/129", ""] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::Malformed), "{text}");
        }
        assert!(matches!("10.1.0.0/8".parse::<Cidr>(), Err(CidrError::HostBits(_))));
    }
}
