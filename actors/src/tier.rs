//! Tiers: how much of a stream is looked at, and the dial that says how much that should be.
//!
//! A dial belongs to a stream, not to a session. The supervisor turns it as configuration says and the
//! monitor as load demands; the session's thread looks at it with every packet and follows without
//! being opened anew. A command is all that it carries: which tier is in force, the session itself
//! tells with its make-up. In triage detectors say on it that they suspect something, which is a command,
//! too: to look closer. No method waits or locks.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// How much of a stream is looked at. What comes later costs less and shows less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tier {
    /// Every frame.
    #[default]
    Full = 0,
    /// Pictures to which no other refers are left out; every sound.
    Light = 1,
    /// Key frames; every sound.
    Keyframes = 2,
    /// Every sound, no picture.
    Audio = 3,
    /// Packets only: nothing is decoded.
    Transport = 4,
}

impl Tier {
    /// Every tier, in the order in which load takes them away.
    pub const ALL: [Self; 5] = [Self::Full, Self::Light, Self::Keyframes, Self::Audio, Self::Transport];

    /// The name in configuration, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Light => "light",
            Self::Keyframes => "keyframes",
            Self::Audio => "audio",
            Self::Transport => "transport",
        }
    }

    /// The next cheaper one.
    pub fn cheaper(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The next dearer one.
    pub fn dearer(self) -> Option<Self> {
        (self as usize).checked_sub(1).map(|place| Self::ALL[place])
    }

    fn from_u8(value: u8) -> Self {
        Self::ALL.get(usize::from(value)).copied().unwrap_or(Self::Transport)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Between which tiers a stream may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierRange {
    /// The tier while there is room for it.
    pub configured: Tier,
    /// The cheapest tier into which load may put it; never dearer than `configured`.
    pub cheapest: Tier,
    /// It idles at `configured`, and is looked at in full while something is suspicious.
    pub triage: bool,
}

impl TierRange {
    /// That tier, and under load any cheaper one.
    pub const fn from(configured: Tier) -> Self {
        Self { configured, cheapest: Tier::Transport, triage: false }
    }

    /// Key pictures, and every frame while something is suspicious.
    pub const fn triage() -> Self {
        Self { configured: Tier::Keyframes, cheapest: Tier::Transport, triage: true }
    }

    /// True when load that leaves room for this tier takes something away; of a stream in triage that is already so
    /// where it idles: it may no longer rise.
    pub fn is_less(&self, tier: Tier) -> bool {
        if self.triage { tier >= self.configured } else { tier > self.configured }
    }
}

impl Default for TierRange {
    fn default() -> Self {
        Self::from(Tier::Full)
    }
}

/// Says how much of a stream should be looked at.
#[derive(Debug)]
pub struct TierDial {
    configured: AtomicU8,
    cheapest: AtomicU8,
    shed: AtomicU8,
    triage: AtomicBool,
    suspicion: AtomicBool,
}

impl Default for TierDial {
    fn default() -> Self {
        Self::new(TierRange::default())
    }
}

impl TierDial {
    /// A dial that stands where configuration says.
    pub const fn new(range: TierRange) -> Self {
        Self {
            configured: AtomicU8::new(range.configured as u8),
            cheapest: AtomicU8::new(range.cheapest as u8),
            shed: AtomicU8::new(Tier::Full as u8),
            triage: AtomicBool::new(range.triage),
            suspicion: AtomicBool::new(false),
        }
    }

    /// Takes over what configuration says now; what load demands stays.
    pub fn set_range(&self, range: TierRange) {
        // Relaxed, here and below: each value stands for itself, and a look that sees one of two new
        // ones is put right by the next.
        self.configured.store(range.configured as u8, Ordering::Relaxed);
        self.cheapest.store(range.cheapest as u8, Ordering::Relaxed);
        self.triage.store(range.triage, Ordering::Relaxed);
    }

    /// What configuration says.
    pub fn range(&self) -> TierRange {
        TierRange {
            configured: Tier::from_u8(self.configured.load(Ordering::Relaxed)),
            cheapest: Tier::from_u8(self.cheapest.load(Ordering::Relaxed)),
            triage: self.is_triage(),
        }
    }

    /// Load leaves room for this tier; [`Tier::Full`] when it leaves room for any.
    pub fn shed_to(&self, tier: Tier) {
        self.shed.store(tier as u8, Ordering::Relaxed);
    }

    /// The stream idles until something is suspicious.
    pub fn is_triage(&self) -> bool {
        self.triage.load(Ordering::Relaxed)
    }

    /// Something is suspicious: a stream in triage is to be looked at in full. Nothing to others.
    pub fn suspect(&self) {
        if self.is_triage() {
            self.suspicion.store(true, Ordering::Relaxed);
        }
    }

    /// Something was suspicious since the last call.
    pub fn take_suspicion(&self) -> bool {
        // A look first: a swap with every packet would take the line from whoever suspects.
        self.suspicion.load(Ordering::Relaxed) && self.suspicion.swap(false, Ordering::Relaxed)
    }

    /// The tier that should be in force now; a stream in triage rises above it when something is
    /// suspicious, unless it is shed.
    pub fn wanted(&self) -> Tier {
        let range = self.range();
        let shed = Tier::from_u8(self.shed.load(Ordering::Relaxed)).min(range.cheapest);
        range.configured.max(shed)
    }

    /// True when load takes something away.
    pub fn is_shed(&self) -> bool {
        let range = self.range();
        range.is_less(Tier::from_u8(self.shed.load(Ordering::Relaxed)).min(range.cheapest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_tier() -> impl Strategy<Value = Tier> {
        (0_usize..5).prop_map(|place| Tier::ALL[place])
    }

    #[test]
    fn every_tier_lies_between_its_neighbours() {
        for tier in Tier::ALL {
            assert_eq!(tier.cheaper().and_then(Tier::dearer), tier.cheaper().map(|_| tier));
        }
        assert_eq!((Tier::Full.dearer(), Tier::Transport.cheaper()), (None, None));
    }

    #[test]
    fn only_a_stream_in_triage_takes_suspicions_each_once() {
        let dial = TierDial::default();
        dial.suspect();
        assert!(!dial.take_suspicion());
        dial.set_range(TierRange::triage());
        dial.suspect();
        dial.suspect();
        assert_eq!((dial.take_suspicion(), dial.take_suspicion()), (true, false));
        assert_eq!((dial.wanted(), dial.is_shed()), (Tier::Keyframes, false));
        dial.shed_to(Tier::Keyframes);
        assert_eq!((dial.wanted(), dial.is_shed()), (Tier::Keyframes, true), "it may no longer rise");
        dial.shed_to(Tier::Audio);
        assert_eq!((dial.wanted(), dial.is_shed()), (Tier::Audio, true));
    }

    proptest! {
        #[test]
        fn load_neither_enriches_a_stream_nor_takes_more_than_configuration_allows(
            configured in any_tier(), cheapest in any_tier(), shed in any_tier(),
        ) {
            let cheapest = cheapest.max(configured);
            let dial = TierDial::new(TierRange { cheapest, ..TierRange::from(configured) });
            dial.shed_to(shed);
            prop_assert!(dial.wanted() >= configured && dial.wanted() <= cheapest);
            prop_assert_eq!(dial.is_shed(), shed > configured && cheapest > configured);
            dial.shed_to(Tier::Full);
            prop_assert_eq!(dial.wanted(), configured);
        }
    }
}
