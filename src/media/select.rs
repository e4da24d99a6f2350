//! Which elementary streams of an input to inspect, and what they are called.
//!
//! Pure: decides from an [`Inventory`] and the operator's wishes. Used on the session's thread; the
//! numbering outlives sessions in the opener.

use std::collections::BTreeMap;

use avwatch_actors::track::{TRACKS_MAX, TrackId, TrackKind};

use super::inventory::{Inventory, Kind, ProgramEntry, StreamEntry};
use super::spec::{Selection, TrackRole, Variant};

/// A stream that belongs to the selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    /// Number within the demuxer.
    pub index: usize,
    pub track: TrackId,
    /// Service number, in a multi-programme stream.
    pub program: Option<u32>,
    /// Variant of an adaptive stream, by its bandwidth.
    pub rendition: Option<String>,
    pub role: Option<String>,
    /// Not the main one of its kind.
    pub secondary: bool,
    /// Announced but not inspected: the operator said so.
    pub ignored: bool,
}

/// Why nothing can be inspected.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NothingChosen {
    #[error("it has no programme {wanted}; it has {}", list(present))]
    NoSuchProgram { wanted: u32, present: Vec<u32> },
    #[error("it holds neither pictures nor sound")]
    NoTracks,
}

fn list(numbers: &[u32]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Gives tracks their numbers: by first appearance, kept while PID or id stays.
///
/// Bounded by [`TRACKS_MAX`] per kind; a stream beyond that gets no number and is not inspected.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    known: BTreeMap<(TrackKind, Identity), u8>,
}

/// What a track is recognised by. The programme is part of it: two variants may share an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Pid { program: Option<u32>, id: u32 },
    Index(usize),
}

impl Numbering {
    fn number(&mut self, kind: TrackKind, identity: Identity) -> Option<TrackId> {
        let used = self.known.keys().filter(|(other, _)| *other == kind).count();
        let next = u8::try_from(used).ok().filter(|number| *number < TRACKS_MAX);
        let number = match self.known.get(&(kind, identity)) {
            Some(number) => *number,
            None => {
                let number = next?;
                self.known.insert((kind, identity), number);
                number
            }
        };
        Some(TrackId { kind, number })
    }
}

/// Chooses streams: of one programme, of the wished variant, without attachments.
pub(crate) fn choose(
    inventory: &Inventory,
    wish: &Selection,
    roles: &BTreeMap<TrackId, TrackRole>,
    numbering: &mut Numbering,
) -> Result<Vec<Chosen>, NothingChosen> {
    let programs = wished_programs(inventory, wish)?;
    let mut chosen = Vec::new();
    for stream in &inventory.streams {
        let program = programs.iter().find(|program| program.streams.contains(&stream.index)).copied();
        if !programs.is_empty() && program.is_none() {
            continue;
        }
        let Some(kind) = track_kind(stream.kind) else { continue };
        let service = program.filter(|program| program.bandwidth.is_none()).map(|program| program.number);
        let identity = match stream.id {
            0 => Identity::Index(stream.index),
            id => Identity::Pid { program: service, id },
        };
        let Some(track) = numbering.number(kind, identity) else { continue };
        let said = roles.get(&track);
        chosen.push(Chosen {
            index: stream.index,
            track,
            program: service,
            rendition: program.and_then(|program| program.bandwidth).map(|bandwidth| bandwidth.to_string()),
            role: said.and_then(|said| said.role.clone()).or_else(|| stream.role.map(str::to_owned)),
            secondary: false,
            ignored: said.is_some_and(|said| said.ignore),
        });
    }
    mark_secondary(&mut chosen);
    if !chosen.iter().any(|one| matches!(one.track.kind, TrackKind::Video | TrackKind::Audio)) {
        return Err(NothingChosen::NoTracks);
    }
    chosen.sort_by_key(|one| one.track);
    Ok(chosen)
}

/// The main track of a kind is its first without a role; everything else is secondary.
fn mark_secondary(chosen: &mut [Chosen]) {
    for kind in [TrackKind::Video, TrackKind::Audio, TrackKind::Subtitle, TrackKind::Data] {
        let main = chosen
            .iter()
            .filter(|one| one.track.kind == kind && one.role.is_none() && !one.ignored)
            .map(|one| one.track)
            .min();
        for one in chosen.iter_mut().filter(|one| one.track.kind == kind) {
            one.secondary = Some(one.track) != main;
        }
    }
}

/// The programmes to look at; empty when the input has none and every stream counts.
fn wished_programs<'a>(inventory: &'a Inventory, wish: &Selection) -> Result<Vec<&'a ProgramEntry>, NothingChosen> {
    if inventory.programs.iter().any(|program| program.bandwidth.is_some()) {
        return Ok(wished_variants(inventory, wish.variant));
    }
    if let Some(wanted) = wish.program {
        let present = || inventory.programs.iter().map(|program| program.number).collect();
        return match inventory.programs.iter().find(|program| program.number == wanted) {
            Some(program) => Ok(vec![program]),
            None => Err(NothingChosen::NoSuchProgram { wanted, present: present() }),
        };
    }
    let first =
        inventory.programs.iter().find(|program| program.streams.iter().any(|index| is_media(inventory, *index)));
    // Without a usable programme table, such as in a stream without PMT, everything counts.
    Ok(first.into_iter().collect())
}

fn wished_variants(inventory: &Inventory, variant: Variant) -> Vec<&ProgramEntry> {
    let usable =
        inventory.programs.iter().filter(|program| program.streams.iter().any(|index| is_media(inventory, *index)));
    match variant {
        Variant::All => usable.collect(),
        // Of equals the first: what a player would start with.
        Variant::Highest => usable.rev().max_by_key(|program| program.bandwidth).into_iter().collect(),
        Variant::Lowest => usable.min_by_key(|program| program.bandwidth).into_iter().collect(),
    }
}

fn is_media(inventory: &Inventory, index: usize) -> bool {
    inventory
        .streams
        .iter()
        .any(|stream: &StreamEntry| stream.index == index && matches!(stream.kind, Kind::Video | Kind::Audio))
}

fn track_kind(kind: Kind) -> Option<TrackKind> {
    match kind {
        Kind::Video => Some(TrackKind::Video),
        Kind::Audio => Some(TrackKind::Audio),
        Kind::Subtitle => Some(TrackKind::Subtitle),
        Kind::Data => Some(TrackKind::Data),
        Kind::Attachment => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(index: usize, id: u32, kind: Kind) -> StreamEntry {
        StreamEntry {
            index,
            id,
            kind,
            codec: String::new(),
            base: (1, 90_000),
            wrap_bits: Some(33),
            frame_rate: 25.0,
            steady: true,
            language: None,
            role: None,
            declared: None,
            video: None,
            audio: None,
        }
    }

    fn two_services() -> Inventory {
        Inventory {
            programs: vec![
                ProgramEntry { number: 1, bandwidth: None, streams: vec![4] },
                ProgramEntry { number: 7, bandwidth: None, streams: vec![0, 1] },
                ProgramEntry { number: 9, bandwidth: None, streams: vec![2, 3] },
            ],
            streams: vec![
                stream(0, 0x100, Kind::Video),
                stream(1, 0x101, Kind::Audio),
                stream(2, 0x200, Kind::Video),
                stream(3, 0x201, Kind::Audio),
                stream(4, 0x300, Kind::Data),
            ],
        }
    }

    fn names(chosen: &[Chosen]) -> Vec<(usize, String)> {
        chosen.iter().map(|one| (one.index, one.track.to_string())).collect()
    }

    fn choose_of(inventory: &Inventory, wish: Selection) -> Result<Vec<Chosen>, NothingChosen> {
        choose(inventory, &wish, &BTreeMap::new(), &mut Numbering::default())
    }

    #[test]
    fn the_first_service_with_pictures_or_sound_is_chosen() {
        let chosen = choose_of(&two_services(), Selection::default()).expect("it has one");
        assert_eq!(names(&chosen), [(0, "video:0".into()), (1, "audio:0".into())]);
        assert_eq!(chosen[0].program, Some(7));
    }

    #[test]
    fn a_missing_service_names_those_present() {
        let error = choose_of(&two_services(), Selection { program: Some(8), ..Selection::default() });
        assert_eq!(error.expect_err("there is no 8").to_string(), "it has no programme 8; it has 1, 7, 9");
    }

    #[test]
    fn a_variant_is_chosen_by_bandwidth() {
        let mut inventory = two_services();
        for (program, bandwidth) in inventory.programs.iter_mut().zip([1, 500_000, 3_000_000]) {
            program.bandwidth = Some(bandwidth);
        }
        let of = |variant| {
            let chosen = choose_of(&inventory, Selection { program: None, variant }).expect("variants");
            chosen.iter().map(|one| one.index).collect::<Vec<_>>()
        };
        assert_eq!(of(Variant::Highest), [2, 3]);
        assert_eq!(of(Variant::Lowest), [0, 1], "a variant without pictures or sound is none");
        assert_eq!(of(Variant::All), [0, 2, 1, 3]);
    }

    #[test]
    fn a_track_keeps_its_number_while_its_pid_stays() {
        let mut inventory = two_services();
        inventory.programs.clear();
        let mut numbering = Numbering::default();
        let none = BTreeMap::new();
        let before = choose(&inventory, &Selection::default(), &none, &mut numbering).expect("tracks");
        inventory.streams.remove(1);
        inventory.streams.push(stream(5, 0x400, Kind::Audio));
        let after = choose(&inventory, &Selection::default(), &none, &mut numbering).expect("tracks");
        assert_eq!(names(&before)[2..4], [(1, "audio:0".into()), (3, "audio:1".into())]);
        assert_eq!(names(&after)[2..4], [(3, "audio:1".into()), (5, "audio:2".into())]);
    }

    #[test]
    fn the_main_sound_is_the_first_without_a_role() {
        let mut inventory = two_services();
        inventory.programs.clear();
        inventory.streams[1].role = Some("descriptions");
        let roles = BTreeMap::from([(TrackId::video(1), TrackRole { role: None, ignore: true })]);
        let chosen = choose(&inventory, &Selection::default(), &roles, &mut Numbering::default()).expect("tracks");
        let secondary: Vec<bool> = chosen.iter().map(|one| one.secondary).collect();
        assert_eq!(secondary, [false, true, true, false, false]);
        assert!(chosen[1].ignored);
    }

    #[test]
    fn cover_art_alone_is_nothing_to_inspect() {
        let inventory = Inventory { programs: vec![], streams: vec![stream(0, 0, Kind::Attachment)] };
        assert_eq!(choose_of(&inventory, Selection::default()), Err(NothingChosen::NoTracks));
    }
}
