//! The words that name detectors: built, reserved, out of logs, and those of the monitor itself.
//!
//! Numbers follow the published list of words and are never reused: video 101, audio 201, both
//! 301, input 401, data 501, transport 601, logs of other programs 701, the monitor itself 901.

use super::{ALL, DetectorKind};

/// Words reserved for transport checks that are not built yet. Configuration refuses them.
pub const RESERVED: &[(u16, &str)] = &[
    (601, "ts_sync"),
    (602, "ts_continuity"),
    (603, "ts_pat"),
    (604, "ts_pmt"),
    (605, "ts_pid"),
    (606, "ts_pcr"),
    (607, "ts_pts"),
    (608, "ts_tei"),
    (609, "ts_crc"),
    (610, "ts_cat"),
    (611, "rtp_loss"),
    (612, "srt_loss"),
    (613, "manifest_stale"),
    (614, "manifest_sequence"),
    (615, "manifest_http"),
    (616, "manifest_variant"),
    (617, "scte35_missing"),
    (618, "scte35_timing"),
    (619, "rendition_mismatch"),
];

/// Words of events out of logs of other programs: judged by the rules of `[[logs]]`, which hold their settings.
pub const LOGS: &[(u16, &str)] =
    &[(701, "log_errors"), (702, "log_http_errors"), (703, "log_rebuffering"), (704, "log_slow_segments")];

/// Words of events about the monitor itself: raised by the engine, not configured as detectors.
pub const OWN: &[(u16, &str)] = &[
    (901, "monitor_degraded"),
    (902, "monitor_overload"),
    (903, "notification_failed"),
    (904, "store_degraded"),
    (905, "detector_disabled"),
    (906, "stream_quarantined"),
];

/// Why a word is not accepted as the name of a detector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDetector {
    /// Reserved, not built.
    #[error("'{0}' is reserved for transport checks that are not built yet")]
    Reserved(&'static str),
    /// Raised by the monitor about itself.
    #[error("'{0}' is raised by the monitor about itself and cannot be configured as a detector")]
    Own(&'static str),
    /// Judged by rules on logs.
    #[error("'{0}' is judged by the rules of [[logs]] and has its settings there")]
    Logs(&'static str),
    /// No such word.
    #[error("unknown detector '{name}'{}", nearest.map(|word| format!(": did you mean '{word}'?")).unwrap_or_default())]
    Unknown {
        /// The word.
        name: String,
        /// The most similar detector, if any is similar.
        nearest: Option<&'static str>,
    },
}

/// The detector of that name, or why there is none.
pub fn look_up(name: &str) -> Result<&'static DetectorKind, UnknownDetector> {
    if let Some(kind) = super::by_name(name) {
        return Ok(kind);
    }
    let listed = |table: &[(u16, &'static str)]| table.iter().find(|(_, word)| *word == name).map(|(_, word)| *word);
    if let Some(word) = listed(RESERVED) {
        return Err(UnknownDetector::Reserved(word));
    }
    if let Some(word) = listed(OWN) {
        return Err(UnknownDetector::Own(word));
    }
    if let Some(word) = listed(LOGS) {
        return Err(UnknownDetector::Logs(word));
    }
    let nearest = nearest(name, ALL.iter().map(|kind| kind.name));
    Err(UnknownDetector::Unknown { name: name.to_owned(), nearest })
}

/// Every word that an event may have for its detector, built, reserved or of the monitor itself.
pub fn all_words() -> impl Iterator<Item = &'static str> {
    let listed = [RESERVED, LOGS, OWN].into_iter().flatten().map(|(_, word)| *word);
    ALL.iter().map(|kind| kind.name).chain(listed)
}

/// The most similar of the words, when similar enough to be meant.
pub(super) fn nearest(word: &str, words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // 0.7 lets one or two slips in a word of six letters pass and keeps unrelated words apart.
    let mut best: Option<(f64, &'static str)> = None;
    for known in words {
        let likeness = strsim::jaro_winkler(word, known);
        if likeness > 0.7 && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, known));
        }
    }
    best.map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        look_up(name).err().expect("is no detector").to_string()
    }

    #[test]
    fn a_word_that_is_no_detector_is_refused_with_the_reason() {
        assert_eq!(refusal("ts_pcr"), "'ts_pcr' is reserved for transport checks that are not built yet");
        assert_eq!(
            refusal("store_degraded"),
            "'store_degraded' is raised by the monitor about itself and cannot be configured as a detector"
        );
        assert_eq!(refusal("log_errors"), "'log_errors' is judged by the rules of [[logs]] and has its settings there");
        assert_eq!(refusal("blakc"), "unknown detector 'blakc': did you mean 'black'?");
        assert_eq!(refusal("qqq"), "unknown detector 'qqq'");
    }

    #[test]
    fn a_built_detector_is_found_by_its_name() {
        assert_eq!(look_up("freeze").map(|kind| kind.number), Ok(102));
    }
}
