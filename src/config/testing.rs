//! Detectors for the tests of configuration: one with an option of each type, and those that our
//! own files name as long as the registry does not hold them.

use std::time::Duration;

use avwatch_actors::severity::Severity;
use avwatch_actors::track::TrackKind;

use crate::config::detector_row::{self, CommonDefaults, DetectorRow};
use crate::detectors::{OptionDoc, OptionValue};
use crate::profile::Profile;

static BLACK_OPTIONS: [OptionDoc; 4] = [
    OptionDoc {
        name: "level",
        doc: "highest level that is black, in code values",
        default: |profile| OptionValue::Number(if profile == Profile::Radio { 20.0 } else { 32.0 }),
        range: (16.0, 235.0),
    },
    OptionDoc { name: "cap", doc: "upper bound", default: |_| OptionValue::Maybe(None), range: (0.0, 1.0) },
    OptionDoc {
        name: "window",
        doc: "time looked at",
        default: |_| OptionValue::Span(Duration::from_millis(500)),
        range: (0.1, 60.0),
    },
    OptionDoc { name: "strict", doc: "no exceptions", default: |_| OptionValue::Flag(false), range: (0.0, 0.0) },
];

fn row(name: &'static str, watched: TrackKind, options: &'static [OptionDoc]) -> DetectorRow {
    let common = |profile| {
        let hold = Duration::from_millis(if profile == Profile::File { 500 } else { 2000 });
        let steps = vec![(hold, Severity::Info), (hold * 5, Severity::Major)];
        (profile, CommonDefaults { enabled: true, steps, clear_after: Duration::from_secs(10) })
    };
    DetectorRow {
        name,
        summary: "made up for tests",
        unit: "ratio",
        standard_ref: None,
        source: "our own",
        options,
        watches: vec![watched],
        common: Profile::ALL.into_iter().map(common).collect(),
    }
}

/// A registry that tests know by heart.
pub(crate) fn rows() -> Vec<DetectorRow> {
    vec![
        row("black", TrackKind::Video, &BLACK_OPTIONS),
        row("freeze", TrackKind::Video, &[]),
        row("silence", TrackKind::Audio, &[]),
    ]
}

/// The real registry, with what our own files name and it does not hold yet.
pub(crate) fn rows_for_our_files() -> Vec<DetectorRow> {
    let mut real = detector_row::built_in();
    let mut made_up = rows();
    for name in ["decode_error", "video_missing", "audio_missing", "channel_silence", "input_down"] {
        made_up.push(row(name, TrackKind::Video, &[]));
    }
    made_up.retain(|row| real.iter().all(|known| known.name != row.name));
    real.append(&mut made_up);
    real
}
