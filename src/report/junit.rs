//! The report for build servers: a test suite per input, a test case per detector.
//!
//! Carries no time stamps, host names or run times: the same findings give the same bytes.

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, Report as Suites, TestCase, TestCaseStatus, TestSuite};

use super::{DetectorRef, RenderError, Report, ReportEvent, ReportInput};

pub(super) fn render(report: &Report) -> Result<Vec<u8>, RenderError> {
    let mut suites = Suites::new("avwatch check");
    suites.add_test_suites(report.inputs.iter().map(|input| suite(report, input)));
    let mut bytes = Vec::new();
    suites.serialize(&mut bytes)?;
    while bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes.push(b'\n');
    Ok(bytes)
}

fn suite(report: &Report, input: &ReportInput) -> TestSuite {
    let mut suite = TestSuite::new(input.input.as_str());
    suite.add_property(("profile", report.profile.as_str()));
    suite.add_property(("fail_on", report.fail_on.name()));
    if let Some(cause) = &input.error {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("input").set_message(cause.as_str());
        suite.add_test_case(case(input, "input", status));
    }
    // A detector that saw nothing of an input has not passed it.
    if input.error.is_none() || !input.tracks.is_empty() {
        suite.add_test_cases(detectors(input).iter().map(|detector| judged(report, input, detector)));
    }
    suite
}

/// The detectors that watched, and any other that spoke nevertheless.
fn detectors(input: &ReportInput) -> BTreeSet<DetectorRef> {
    let spoke = input.events.iter().map(|event| DetectorRef { number: event.number, name: event.detector.clone() });
    input.detectors.iter().cloned().chain(spoke).collect()
}

fn judged(report: &Report, input: &ReportInput, detector: &DetectorRef) -> TestCase {
    let events = || input.events.iter().filter(|event| event.detector == detector.name);
    let failing: Vec<&ReportEvent> = events().filter(|event| event.severity >= report.fail_on).collect();
    let status = if let Some(worst) = failing.iter().max_by_key(|event| event.severity) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(worst.severity.name()).set_message(summary(&failing)).set_description(lines(&failing));
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = case(input, &detector.name, status);
    let minor: Vec<&ReportEvent> = events().filter(|event| event.severity < report.fail_on).collect();
    if !minor.is_empty() {
        case.set_system_out(lines(&minor));
    }
    case
}

fn case(input: &ReportInput, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(input.input.as_str());
    case
}

fn summary(events: &[&ReportEvent]) -> String {
    match events {
        [event] => format!("{} {}: {}", event.track, event.span(), event.message),
        _ => format!("{} events", events.len()),
    }
}

fn lines(events: &[&ReportEvent]) -> String {
    let line = |event: &&ReportEvent| format!("{} {} {}: {}", event.severity, event.track, event.span(), event.message);
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{event, example, input};
    use super::*;
    use avwatch_actors::severity::Severity;

    fn xml(report: &Report) -> String {
        String::from_utf8(render(report).expect("renders")).expect("is UTF-8")
    }

    #[test]
    fn every_input_is_a_suite_and_every_detector_a_case() {
        let xml = xml(&example());
        assert_eq!(xml.matches("<testsuite ").count(), 3);
        assert!(xml.contains(r#"<testsuite name="clip.ts" tests="3" skipped="0" errors="0" failures="1">"#), "{xml}");
        assert!(xml.contains(r#"<testsuite name="good.ts" tests="3" skipped="0" errors="0" failures="0">"#), "{xml}");
    }

    #[test]
    fn a_failure_tells_severity_and_time_range() {
        let xml = xml(&example());
        assert!(xml.contains(r#"type="warning""#), "{xml}");
        assert!(xml.contains("video:0 8.000–11.000 s: picture black for 3.0 s"), "{xml}");
    }

    #[test]
    fn an_input_that_could_not_be_checked_is_an_error() {
        let xml = xml(&example());
        assert!(xml.contains(r#"<testsuite name="gone.ts" tests="1" skipped="0" errors="1" failures="0">"#), "{xml}");
        assert!(xml.contains("cannot open gone.ts"), "{xml}");
    }

    #[test]
    fn what_stays_below_the_asked_severity_is_told_but_fails_nothing() {
        let mut input = input("a.ts");
        input.events = vec![event("black", 1, Severity::Info, 0, 1_000)];
        let xml = xml(&Report::new("file", Severity::Warning, vec![input]));
        assert!(xml.contains("<system-out>info video:0 0.000–1.000 s"), "{xml}");
        assert!(!xml.contains("<failure"), "{xml}");
    }

    #[test]
    fn names_from_outside_cannot_break_the_markup() {
        let hostile = "\u{1b}[31m<a>&\"b\".ts";
        let xml = xml(&Report::new("file", Severity::Warning, vec![input(hostile)]));
        assert!(!xml.contains("<a>"), "{xml}");
        assert!(!xml.contains('\u{1b}'), "{xml}");
        assert!(xml.contains("&lt;a&gt;&amp;&quot;b&quot;.ts"), "{xml}");
    }
}
