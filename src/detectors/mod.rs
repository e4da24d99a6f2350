//! The registry of detectors: one file each, one row each.
//!
//! Everything outward follows from a row: configuration keys, listings, schema, metric labels. A
//! new detector is one file and one line in [`ALL`], and its word leaves [`RESERVED`].

mod audio_missing;
mod av_sync;
mod baseline;
mod bitrate;
mod black;
mod block_corruption;
mod blur;
mod captions_missing;
mod channel_silence;
mod clipping;
mod color_bars;
mod dc_offset;
mod decode_error;
mod dropout;
mod flash;
mod format_change;
mod frame_rate;
mod freeze;
mod gamut;
mod hum;
mod in_common;
mod input_down;
mod interlacing;
mod kind;
mod letterbox;
mod loudness;
#[cfg(test)]
mod measured;
#[cfg(test)]
mod measured_tests;
mod missing;
mod mono;
mod notch;
mod packet_judge;
mod pair;
mod phase;
mod picture_judge;
mod quiet;
mod resolve;
mod scrambled;
mod settings;
mod silence;
mod sliding;
mod solid_color;
mod sound_judge;
mod spell;
mod spoken;
mod stutter;
mod subtitles_missing;
mod table;
#[cfg(test)]
mod testing;
mod timestamp;
mod true_peak;
mod video_missing;
mod words;

pub use kind::{Defaults, DetectorKind, OptionDoc, OptionValue, Options};
pub use resolve::{OptionError, ResolvedDetector, measure_plan, resolve};
pub use settings::DetectorSettings;
pub use words::{LOGS, OWN, RESERVED, UnknownDetector, all_words, look_up};

/// Every detector that is built, by number.
pub const ALL: &[&DetectorKind] = &[
    &black::KIND,
    &freeze::KIND,
    &block_corruption::KIND,
    &blur::KIND,
    &solid_color::KIND,
    &color_bars::KIND,
    &letterbox::KIND,
    &flash::KIND,
    &stutter::KIND,
    &decode_error::KIND,
    &format_change::KIND,
    &video_missing::KIND,
    &gamut::KIND,
    &interlacing::KIND,
    &silence::KIND,
    &channel_silence::KIND,
    &loudness::KIND,
    &true_peak::KIND,
    &clipping::KIND,
    &phase::KIND,
    &mono::KIND,
    &dropout::KIND,
    &dc_offset::KIND,
    &hum::KIND,
    &audio_missing::KIND,
    &av_sync::KIND,
    &timestamp::KIND,
    &input_down::KIND,
    &bitrate::KIND,
    &frame_rate::KIND,
    &scrambled::KIND,
    &captions_missing::KIND,
    &subtitles_missing::KIND,
];

/// The detector of that name.
pub fn by_name(name: &str) -> Option<&'static DetectorKind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::media::spec::Expect;
    use crate::profile::Profile;

    #[test]
    fn numbers_rise_and_no_number_or_word_is_used_twice() {
        assert!(ALL.is_sorted_by(|a, b| a.number < b.number));
        let mut numbers = BTreeSet::new();
        let mut names = BTreeSet::new();
        let built = ALL.iter().map(|kind| (kind.number, kind.name));
        for (number, name) in built.chain([RESERVED, LOGS, OWN].into_iter().flatten().copied()) {
            assert!(numbers.insert(number), "{number} of {name} is used twice");
            assert!(names.insert(name), "{name} is used twice");
        }
    }

    #[test]
    fn every_published_word_is_built_reserved_or_our_own() {
        let published = "black freeze block_corruption blur solid_color color_bars letterbox flash stutter \
            decode_error format_change video_missing gamut interlacing silence channel_silence loudness true_peak \
            clipping phase mono dropout dc_offset hum audio_missing av_sync timestamp input_down bitrate frame_rate \
            scrambled captions_missing subtitles_missing ts_sync ts_continuity ts_pat ts_pmt ts_pid ts_pcr ts_pts \
            ts_tei ts_crc ts_cat rtp_loss srt_loss manifest_stale manifest_sequence manifest_http manifest_variant \
            scte35_missing scte35_timing rendition_mismatch log_errors log_http_errors log_rebuffering \
            log_slow_segments monitor_degraded monitor_overload notification_failed \
            store_degraded detector_disabled stream_quarantined";
        let published: BTreeSet<&str> = published.split_whitespace().collect();
        let ours = ALL.iter().map(|kind| kind.name);
        let ours: BTreeSet<&str> =
            ours.chain([RESERVED, LOGS, OWN].into_iter().flatten().map(|(_, name)| *name)).collect();
        assert_eq!(ours, published);
    }

    #[test]
    fn every_row_is_documented() {
        for kind in ALL {
            assert!(!kind.summary.is_empty() && !kind.summary.ends_with('.'), "{}: summary", kind.name);
            assert!(!kind.source.is_empty(), "{}: source", kind.name);
            assert!(!kind.unit.is_empty(), "{}: unit", kind.name);
            assert!(!kind.lanes.is_empty(), "{}: lanes", kind.name);
            for option in kind.options {
                assert!(option.doc.ends_with('.') && option.doc.len() > 20, "{}.{}: doc", kind.name, option.name);
                assert!(option.range.0 < option.range.1, "{}.{}: range", kind.name, option.name);
            }
        }
    }

    #[test]
    fn the_defaults_of_every_profile_resolve_within_their_own_ranges() {
        for kind in ALL {
            for profile in Profile::ALL {
                let resolved = resolve(kind, profile, &[], &Expect::default());
                let resolved = resolved.unwrap_or_else(|error| panic!("{} in {profile}: {error}", kind.name));
                assert_eq!(resolved.options, Options::defaults(kind, profile));
                assert!(!resolved.steps.is_empty(), "{} in {profile} has no step", kind.name);
                assert_eq!(resolved.specs.len(), kind.lanes.len());
            }
        }
    }
}
