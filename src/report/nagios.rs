//! The report for Nagios, Icinga and Checkmk: one line of status with performance data.
//!
//! Format by the Monitoring Plugins Development Guidelines: `STATE - text | 'label'=value;;;min`.

use avwatch_actors::severity::Severity;

use super::{Report, ReportEvent, ReportInput, plain};

/// Most events that the line names; the rest are counted.
const NAMED_MAX: usize = 5;

/// The state of a plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl State {
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The state of the whole report: an input that could not be checked wins over every event.
pub(super) fn state(report: &Report) -> State {
    if report.inputs.iter().any(|input| input.error.is_some()) {
        return State::Unknown;
    }
    match failing(report).map(|(_, event)| event.severity).max() {
        None => State::Ok,
        Some(Severity::Info | Severity::Warning | Severity::Minor) => State::Warning,
        Some(Severity::Major | Severity::Critical) => State::Critical,
    }
}

pub(super) fn render(report: &Report) -> String {
    format!("{} - {} | {}\n", state(report).name(), status(report), performance(report))
}

/// Events at or above the asked severity.
fn failing(report: &Report) -> impl Iterator<Item = (&ReportInput, &ReportEvent)> {
    let all = report.inputs.iter().flat_map(|input| input.events.iter().map(move |event| (input, event)));
    all.filter(|(_, event)| event.severity >= report.fail_on)
}

fn status(report: &Report) -> String {
    let mut words: Vec<String> = report.inputs.iter().filter_map(|input| input.error.as_deref()).map(safe).collect();
    let mut events: Vec<_> = failing(report).collect();
    // Worst first; the sort is stable, so equals keep the order of the report.
    events.sort_by_key(|(_, event)| std::cmp::Reverse(event.severity));
    let several = report.inputs.len() > 1;
    for (input, event) in events.iter().take(NAMED_MAX) {
        let name = if several { format!("{}: ", safe(&input.input)) } else { String::new() };
        let ReportEvent { detector, track, severity, message, .. } = event;
        words.push(format!("{name}{detector} {track} {} {severity} ({})", event.span(), safe(message)));
    }
    if events.len() > NAMED_MAX {
        words.push(format!("and {} more", events.len() - NAMED_MAX));
    }
    if words.is_empty() {
        let inputs = if several { format!("{} inputs", report.inputs.len()) } else { "input".to_owned() };
        words.push(format!("{inputs} without events of severity {} or above", report.fail_on));
    }
    words.join(", ")
}

fn performance(report: &Report) -> String {
    let count = |severity| {
        report.inputs.iter().flat_map(|input| &input.events).filter(|event| event.severity == severity).count()
    };
    let mut words: Vec<String> =
        Severity::ALL.iter().map(|severity| format!("'{severity}'={};;;0", count(*severity))).collect();
    let errors = report.inputs.iter().filter(|input| input.error.is_some()).count();
    words.push(format!("'errors'={errors};;;0"));
    // Labels must be unique, so tracks are told only when there is one input.
    if let [input] = &report.inputs[..] {
        words.extend(input.duration_s.map(|duration| format!("'duration'={duration}s;;;0")));
        for (track, measurements) in &input.measurements {
            words.extend(measurements.integrated_lufs.map(|value| format!("'{track} integrated_lufs'={value}")));
            words.extend(measurements.true_peak_dbtp.map(|value| format!("'{track} true_peak_dbtp'={value}")));
        }
    }
    words.join(" ")
}

/// Text that can neither end the line nor begin the performance data.
fn safe(text: &str) -> String {
    plain(text).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::fixture::{event, example, input};
    use super::*;

    fn report(fail_on: Severity, severities: &[Severity]) -> Report {
        let mut input = input("a.ts");
        input.events = severities.iter().map(|severity| event("black", 1, *severity, 8_000, 11_000)).collect();
        Report::new("file", fail_on, vec![input])
    }

    #[track_caller]
    fn check(fail_on: Severity, severity: Severity, word: &str, code: u8) {
        let report = report(fail_on, &[severity]);
        assert!(render(&report).starts_with(&format!("{word} - ")), "{}", render(&report));
        assert_eq!(report.exit_code(Format::Nagios), code);
    }

    #[test]
    fn severities_map_to_the_states_of_plug_ins() {
        check(Severity::Warning, Severity::Info, "OK", 0);
        check(Severity::Warning, Severity::Warning, "WARNING", 1);
        check(Severity::Warning, Severity::Minor, "WARNING", 1);
        check(Severity::Warning, Severity::Major, "CRITICAL", 2);
        check(Severity::Warning, Severity::Critical, "CRITICAL", 2);
    }

    #[test]
    fn events_below_the_asked_severity_alarm_nobody() {
        check(Severity::Critical, Severity::Major, "OK", 0);
        check(Severity::Info, Severity::Info, "WARNING", 1);
    }

    #[test]
    fn an_input_that_could_not_be_checked_is_unknown() {
        let line = render(&example());
        assert!(line.starts_with("UNKNOWN - cannot open gone.ts: no such file or directory, clip.ts: black"), "{line}");
        assert_eq!(example().exit_code(Format::Nagios), 3);
    }

    #[test]
    fn performance_data_counts_events_and_tells_loudness() {
        let line = render(&report(Severity::Warning, &[Severity::Info, Severity::Major]));
        let (_, data) = line.trim_end().split_once(" | ").expect("has performance data");
        assert_eq!(
            data,
            "'info'=1;;;0 'warning'=0;;;0 'minor'=0;;;0 'major'=1;;;0 'critical'=0;;;0 'errors'=0;;;0 \
             'duration'=20s;;;0 'audio:0 integrated_lufs'=-23.1 'audio:0 true_peak_dbtp'=-1.3"
        );
    }

    #[test]
    fn it_is_one_line_whatever_the_name_and_however_many_events() {
        let mut report = report(Severity::Warning, &[Severity::Major; 9]);
        report.inputs[0].events[0].message = "a|b\nc".to_owned();
        let line = render(&report);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(line.matches('|').count(), 1);
        assert!(line.contains("and 4 more"), "{line}");
    }
}
