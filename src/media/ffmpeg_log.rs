//! Stand-in for FFmpeg's log: says nothing. Replaced by the real one when it is merged.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DecoderEvidence {
    pub missing_reference: u32,
    pub concealed: u32,
    pub invalid: u32,
}

pub(crate) fn take_evidence() -> DecoderEvidence {
    DecoderEvidence::default()
}
