//! The tables of a transport stream: which codec each PID is said to carry, and when that changes.
//!
//! FFmpeg keeps the codec that a PID had first, whatever later programme maps say, and decodes the new
//! one as the old one for ever. So the transport tap reads the maps itself. Pure, bounded; looks at
//! the packets of the association table and of the maps that it lists, at few a second.

use std::collections::BTreeMap;

/// The PID of the programme association table.
const PAT_PID: u16 = 0;
/// Most maps, and most elementary streams of all maps together, that are followed.
const MAPS_MAX: usize = 128;
const STREAMS_MAX: usize = 512;
/// Most programmes that the association table may list: FFmpeg takes memory for each before anyone can choose. What is
/// broadcast has up to one or two hundred, and one section of the table holds 253.
pub(crate) const PROGRAMMES_MAX: usize = 256;
/// The longest section of either table, in bytes.
const SECTION_MAX: usize = 1_024;

/// A section under way.
#[derive(Debug, Default)]
struct Section(Vec<u8>);

impl Section {
    /// Takes the payload of a packet; the section when it is whole.
    fn take(&mut self, begins: bool, payload: &[u8]) -> Option<Vec<u8>> {
        if begins {
            let pointer = usize::from(*payload.first()?);
            self.0.clear();
            self.0.extend_from_slice(payload.get(1 + pointer..)?);
        } else if self.0.is_empty() {
            return None;
        } else {
            self.0.extend_from_slice(payload);
        }
        let length = 3 + (usize::from(*self.0.get(1)? & 0x0F) << 8 | usize::from(*self.0.get(2)?));
        if length > SECTION_MAX {
            self.0.clear();
        }
        let whole = self.0.get(..length)?.to_vec();
        self.0.clear();
        Some(whole)
    }
}

/// The tables so far.
#[derive(Debug, Default)]
pub(crate) struct TsTables {
    sections: BTreeMap<u16, Section>,
    /// Stream and version of the association table, and the programmes that its sections listed so far, with their maps.
    listed: (Option<[u8; 3]>, BTreeMap<u16, u16>),
    /// The programme that it lists first.
    first: Option<u16>,
    /// More than may be were listed at some time.
    too_many: bool,
    /// Stream types by the PID of their map and their own.
    types: BTreeMap<(u16, u16), u8>,
    /// What a PID carried before, and what it carries since its map changed.
    changed: BTreeMap<u16, (u8, u8)>,
}

impl TsTables {
    /// True for packets that belong to a table.
    pub(crate) fn wants(&self, pid: u16) -> bool {
        pid == PAT_PID || self.sections.contains_key(&pid)
    }

    /// Takes the payload of a table's packet.
    pub(crate) fn take(&mut self, pid: u16, begins: bool, payload: &[u8]) {
        let Some(section) = self.sections.entry(pid).or_default().take(begins, payload) else { return };
        // Only what is valid now, and what was not damaged on its way.
        if section.len() < 12 || section[5] & 1 == 0 || crc(&section) != 0 {
            return;
        }
        let body = &section[8..section.len() - 4];
        match (pid, section[0]) {
            (PAT_PID, 0x00) => {
                self.count([section[3], section[4], section[5]], body);
                self.associate(body);
            }
            (_, 0x02) => self.map(pid, body),
            _ => {}
        }
    }

    /// The stream types that a PID had and has, when its map changed them.
    pub(crate) fn changed(&self, pid: u16) -> Option<(u8, u8)> {
        self.changed.get(&pid).copied()
    }

    /// The stream type that a PID is said to carry as a part of that programme, or of the first one.
    pub(crate) fn stream_type(&self, pid: u16, programme: Option<u16>) -> Option<u8> {
        let map = self.listed.1.get(&programme.or(self.first)?)?;
        self.types.get(&(*map, pid)).copied()
    }

    /// Whether an association table listed more than [`PROGRAMMES_MAX`] programmes.
    pub(crate) fn lists_too_many(&self) -> bool {
        self.too_many
    }

    /// Adds the programmes of one section to those of the sections before it, as long as it is the same table.
    fn count(&mut self, table: [u8; 3], body: &[u8]) {
        let (of, programmes) = &mut self.listed;
        if of.replace(table) != Some(table) {
            programmes.clear();
            self.first = None;
        }
        for entry in body.as_chunks::<4>().0 {
            let programme = u16::from_be_bytes([entry[0], entry[1]]);
            if programme != 0 && programmes.len() <= PROGRAMMES_MAX {
                programmes.insert(programme, u16::from_be_bytes([entry[2] & 0x1F, entry[3]]));
                self.first.get_or_insert(programme);
            }
        }
        self.too_many |= programmes.len() > PROGRAMMES_MAX;
    }

    fn associate(&mut self, body: &[u8]) {
        for entry in body.as_chunks::<4>().0 {
            let program = u16::from_be_bytes([entry[0], entry[1]]);
            let pid = u16::from_be_bytes([entry[2] & 0x1F, entry[3]]);
            // Programme 0 is the network's own table.
            if program != 0 && (self.sections.contains_key(&pid) || self.sections.len() < MAPS_MAX) {
                self.sections.entry(pid).or_default();
            }
        }
    }

    fn map(&mut self, map: u16, body: &[u8]) {
        let length = |at: usize| Some(usize::from(body.get(at)? & 0x0F) << 8 | usize::from(*body.get(at + 1)?));
        let Some(mut at) = length(2).map(|descriptors| 4 + descriptors) else { return };
        while let (Some([kind, high, low]), Some(descriptors)) = (body.get(at..at + 3), length(at + 3)) {
            let pid = u16::from_be_bytes([high & 0x1F, *low]);
            at += 5 + descriptors;
            if self.types.len() >= STREAMS_MAX && !self.types.contains_key(&(map, pid)) {
                continue;
            }
            let before = self.types.insert((map, pid), *kind);
            if let Some(before) = before.filter(|before| before != kind) {
                self.changed.insert(pid, (before, *kind));
            }
        }
    }
}

/// The checksum of MPEG sections over all of one, its own checksum included: zero when it is whole.
fn crc(section: &[u8]) -> u32 {
    section.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
    })
}

/// A stream type in words.
pub(crate) fn name_of(kind: u8) -> String {
    let name = match kind {
        0x01 => "MPEG-1 video",
        0x02 => "MPEG-2 video",
        0x03 | 0x04 => "MPEG audio",
        0x0F => "AAC",
        0x11 => "AAC in LATM",
        0x1B => "H.264",
        0x24 => "HEVC",
        0x81 => "AC-3",
        0x87 => "E-AC-3",
        _ => return format!("stream type {kind:#04x}"),
    };
    name.to_owned()
}

/// A section of an association table of that version with these programmes.
#[cfg(test)]
pub(in crate::media) fn association(version: u8, programmes: std::ops::Range<u16>) -> Vec<u8> {
    let body: Vec<u8> = programmes.flat_map(|number| [number.to_be_bytes(), [0xF0, 0x00]].concat()).collect();
    section_of_version(0, 1, 0xC1 | version << 1, &body)
}

#[cfg(test)]
fn section_of_version(table: u8, number: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (0xB000 | (5 + body.len() + 4) as u16).to_be_bytes();
    let [id_high, id_low] = number.to_be_bytes();
    let bytes = [&[table, high, low, id_high, id_low, version, 0, 0], body].concat();
    let sum = crc(&bytes);
    [bytes, sum.to_be_bytes().to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(table: u8, number: u16, current: bool, body: &[u8]) -> Vec<u8> {
        section_of_version(table, number, 0xC0 | u8::from(current), body)
    }

    fn pat() -> Vec<u8> {
        section(0, 1, true, &[0, 1, 0xF0, 0x00])
    }

    fn map(kind: u8, current: bool) -> Vec<u8> {
        section(
            2,
            1,
            current,
            &[0xE1, 0x00, 0xF0, 0x00, kind, 0xE1, 0x00, 0xF0, 0x02, 9, 9, 0x0F, 0xE1, 0x01, 0xF0, 0x00],
        )
    }

    fn feed(tables: &mut TsTables, pid: u16, section: &[u8]) {
        tables.take(pid, true, &[&[0], section].concat());
    }

    #[test]
    fn a_map_that_gives_a_pid_another_codec_is_noticed() {
        let mut tables = TsTables::default();
        feed(&mut tables, PAT_PID, &pat());
        assert!(tables.wants(0x1000) && !tables.wants(0x100));
        feed(&mut tables, 0x1000, &map(0x1B, true));
        feed(&mut tables, 0x1000, &map(0x1B, true));
        assert_eq!(tables.changed(0x100), None);
        feed(&mut tables, 0x1000, &map(0x02, true));
        assert_eq!((tables.changed(0x100), tables.changed(0x101)), (Some((0x1B, 0x02)), None));
    }

    #[test]
    fn what_a_pid_carries_is_told_by_the_programme_that_is_asked_for() {
        let mut tables = TsTables::default();
        feed(&mut tables, PAT_PID, &section(0, 1, true, &[0, 7, 0xF0, 0x00, 0, 1, 0xF0, 0x01]));
        feed(&mut tables, 0x1001, &map(0x1B, true));
        assert_eq!([None, Some(7), Some(1)].map(|wish| tables.stream_type(0x100, wish)), [None, None, Some(0x1B)]);
        feed(&mut tables, 0x1000, &map(0x24, true));
        assert_eq!(tables.stream_type(0x100, None), Some(0x24));
    }

    #[test]
    fn a_map_that_is_not_valid_yet_or_was_damaged_changes_nothing() {
        let mut tables = TsTables::default();
        feed(&mut tables, PAT_PID, &pat());
        feed(&mut tables, 0x1000, &map(0x1B, true));
        feed(&mut tables, 0x1000, &map(0x02, false));
        let mut damaged = map(0x1B, true);
        damaged[12] = 0x02;
        feed(&mut tables, 0x1000, &damaged);
        assert_eq!(tables.changed(0x100), None);
    }

    #[test]
    fn a_map_in_several_packets_is_put_together() {
        let mut tables = TsTables::default();
        feed(&mut tables, PAT_PID, &pat());
        for kind in [0x1B, 0x24] {
            let bytes = [vec![0], map(kind, true)].concat();
            let (head, tail) = bytes.split_at(10);
            tables.take(0x1000, true, head);
            tables.take(0x1000, false, tail);
        }
        assert_eq!(tables.changed(0x100), Some((0x1B, 0x24)));
    }

    fn feed_whole(tables: &mut TsTables, section: &[u8]) {
        for (index, part) in [&[0], section].concat().chunks(184).enumerate() {
            tables.take(PAT_PID, index == 0, part);
        }
    }

    #[test]
    fn programmes_are_counted_over_the_sections_of_one_table() {
        let mut tables = TsTables::default();
        feed_whole(&mut tables, &association(1, 0..151));
        feed_whole(&mut tables, &association(1, 150..257));
        feed_whole(&mut tables, &association(1, 0..151));
        assert!(!tables.lists_too_many(), "256, and that of the network's own table");
        feed_whole(&mut tables, &association(2, 300..400));
        assert!(!tables.lists_too_many(), "another version lists others");
        feed_whole(&mut tables, &association(2, 500..657));
        assert!(tables.lists_too_many());
    }

    #[test]
    fn noise_is_borne() {
        let mut tables = TsTables::default();
        let mut seed = 1_u32;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = seed.to_be_bytes();
            tables.take(PAT_PID, a & 1 == 0, &[b & 3, c, d, a, b, c, d][..usize::from(a % 8)]);
        }
        assert!(tables.types.is_empty());
    }
}
