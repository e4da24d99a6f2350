//! The few forms of the Basic Encoding Rules (ITU-T X.690) that a trap of SNMP needs.
//!
//! Pure; definite lengths only. A library for all of ASN.1 would bring fifteen crates for these eighty lines.

/// Universal and application tags, as SNMP uses them (RFC 2578, RFC 3416).
pub(super) mod tag {
    /// Whole number.
    pub(in crate::notify) const INTEGER: u8 = 0x02;
    /// Bytes.
    pub(in crate::notify) const OCTET_STRING: u8 = 0x04;
    /// Object identifier.
    pub(in crate::notify) const OID: u8 = 0x06;
    /// Sequence.
    pub(in crate::notify) const SEQUENCE: u8 = 0x30;
    /// `Gauge32`, which is `Unsigned32`.
    pub(in crate::notify) const GAUGE: u8 = 0x42;
    /// `TimeTicks`: hundredths of a second.
    pub(in crate::notify) const TIME_TICKS: u8 = 0x43;
    /// `SNMPv2-Trap-PDU`.
    pub(in crate::notify) const TRAP_V2: u8 = 0xa7;
}

/// A value with its tag and length.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).expect("a length has at most eight bytes"));
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Values one after the other in one.
pub(super) fn group(tag: u8, values: &[Vec<u8>]) -> Vec<u8> {
    value(tag, &values.concat())
}

/// A whole number in as few bytes as it takes, its sign included.
pub(super) fn integer(tag: u8, number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let is_spare = |at: usize| {
        (bytes[at] == 0x00 && bytes[at + 1] & 0x80 == 0) || (bytes[at] == 0xff && bytes[at + 1] & 0x80 != 0)
    };
    let begin = (0..bytes.len() - 1).find(|at| !is_spare(*at)).unwrap_or(bytes.len() - 1);
    value(tag, &bytes[begin..])
}

/// An object identifier of at least two arcs; the first is below 3, and below 2 the second is below 40.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut content = Vec::with_capacity(arcs.len() * 2);
    let (first, rest) = match arcs {
        [first, second, rest @ ..] => (u64::from(*first) * 40 + u64::from(*second), rest),
        _ => (0, arcs),
    };
    for arc in std::iter::once(first).chain(rest.iter().map(|arc| u64::from(*arc))) {
        let digits = (1..10).find(|digits| arc >> (7 * digits) == 0).expect("ten times seven bits hold any arc");
        for digit in (0..digits).rev() {
            let more = if digit > 0 { 0x80 } else { 0 };
            content.push(more | u8::try_from((arc >> (7 * digit)) & 0x7f).expect("seven bits"));
        }
    }
    value(tag::OID, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_the_rules_ask() {
        // From X.690, 8.3, and the examples of the standard's annexes.
        for (number, bytes) in [
            (0, vec![2, 1, 0]),
            (127, vec![2, 1, 0x7f]),
            (128, vec![2, 2, 0, 0x80]),
            (256, vec![2, 2, 1, 0]),
            (-128, vec![2, 1, 0x80]),
            (-129, vec![2, 2, 0xff, 0x7f]),
            (i64::from(u32::MAX), vec![2, 5, 0, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(integer(tag::INTEGER, number), bytes, "{number}");
        }
    }

    #[test]
    fn long_values_have_long_lengths() {
        assert_eq!(value(4, &[1; 127])[..2], [4, 127]);
        assert_eq!(value(4, &[1; 128])[..3], [4, 0x81, 128]);
        assert_eq!(value(4, &[1; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn identifiers_are_in_base_128() {
        // {2 999 3} is the example of X.690, 8.19.5; the other is snmpTrapOID.0.
        assert_eq!(oid(&[2, 999, 3]), [6, 3, 0x88, 0x37, 3]);
        assert_eq!(oid(&[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0]), [6, 10, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0]);
        assert_eq!(oid(&[1, 3, 6, 1, 4, 1, 8_072])[7..], [0xbf, 0x08]);
    }
}
