//! Network interfaces: from the name or address in a configuration to the index that a join needs.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The index of an interface, by its name (`eth1`) or one of its addresses.
pub(super) fn index_of(interface: &str) -> io::Result<u32> {
    match interface.parse::<IpAddr>() {
        Ok(address) => named(&name_of(address)?),
        Err(_) => named(&CString::new(interface).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?),
    }
}

fn named(name: &CStr) -> io::Result<u32> {
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The name of the interface that has an address.
fn name_of(wanted: IpAddr) -> io::Result<CString> {
    let mut list = std::ptr::null_mut();
    // SAFETY: fills in a list that is freed below.
    if unsafe { libc::getifaddrs(&mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "no interface has this address"));
    let mut entry = list;
    // SAFETY: entries and their names stay valid until the list is freed; each `next` is null or valid.
    while let Some(interface) = unsafe { entry.as_ref() } {
        // SAFETY: null or a socket address of the family that it names.
        if unsafe { address_of(interface.ifa_addr) } == Some(wanted) {
            // SAFETY: a C string of the entry.
            found = Ok(unsafe { CStr::from_ptr(interface.ifa_name) }.to_owned());
            break;
        }
        entry = interface.ifa_next;
    }
    // SAFETY: the list from above, freed once.
    unsafe { libc::freeifaddrs(list) };
    found
}

/// Reads a socket address.
///
/// # Safety
/// Null, or valid and as long as its family says.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: by the contract.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the family says so.
            let v4 = unsafe { &*address.cast::<libc::sockaddr_in>() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says so.
            let v6 = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_found_by_name_and_by_address() {
        let index = index_of("lo").unwrap();
        assert_eq!(index_of("127.0.0.1").unwrap(), index);
        assert!(index_of("no-such-if").is_err());
        assert!(index_of("192.0.2.77").is_err());
        assert!(index_of("a\0b").is_err());
    }
}
