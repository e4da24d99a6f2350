//! One page of `top`: lines of text, as wide and as many as there is room. Pure.
//!
//! Words come from streams and from strangers: nothing in them steers a terminal.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use avwatch_actors::severity::Severity;
use serde_json::Value;

use super::Now;
use crate::report::plain;

/// Streams and events of a page that is printed once.
const ROWS_MAX: usize = 50;

/// How a page was at the last look: CPU times, to tell what was used since.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    uptime_s: f64,
    process: f64,
    detectors: BTreeMap<String, f64>,
}

impl Before {
    /// What of a look is needed at the next one.
    pub(super) fn of(now: &Now, at_s: f64) -> Self {
        Self { uptime_s: at_s, process: cpu(&now.status), detectors: detectors(&now.status) }
    }
}

/// The order of streams: worst open event first, then those that are down, then by name.
pub(super) fn rank(stream: &Value) -> (Reverse<Option<Severity>>, bool, String) {
    let is_new = !matches!(stream["worst"]["state"].as_str(), Some("acked" | "suppressed"));
    let worst = stream["worst"]["severity"].as_str().and_then(|word| word.parse().ok()).filter(|_| is_new);
    (Reverse(worst), stream["up"] == true, stream["name"].as_str().unwrap_or_default().to_owned())
}

/// The page. With a look before, CPU is what was used since; else what was used on average since the start.
pub(super) fn lines(now: &Now, before: Option<(&Before, f64)>, skipped: usize) -> Vec<String> {
    let mut lines = head(&now.status);
    lines.push(cpu_line(&now.status, before));
    lines.push(String::new());
    lines.push(format!("{:<24} {:<10} {:<9} {:>5}  {}", "STREAM", "STATE", "WORST", "OPEN", "WHAT"));
    let shown = now.streams.iter().skip(skipped).take(if before.is_some() { usize::MAX } else { ROWS_MAX });
    lines.extend(shown.map(stream_line));
    if before.is_none() && now.streams.len() > ROWS_MAX {
        lines.push(format!("and {} more", now.streams.len() - ROWS_MAX));
    }
    if before.is_none() {
        lines.push(String::new());
        lines.extend(event_lines(now, ROWS_MAX));
    }
    lines
}

/// Open events, newest first.
pub(super) fn event_lines(now: &Now, rows: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<20} {:<9} {:<24} {:<16} {:<9} {}",
        "OPEN SINCE", "SEVERITY", "STREAM", "DETECTOR", "TRACK", "MESSAGE"
    )];
    lines.extend(now.events.iter().take(rows).map(|event| {
        let began = text(event, "started_at");
        format!(
            "{:<20} {:<9} {:<24} {:<16} {:<9} {}",
            began.get(..19).unwrap_or(&began).replace('T', " "),
            text(event, "severity"),
            short(&text(event, "stream"), 24),
            text(event, "detector"),
            text(event, "track"),
            text(event, "message")
        )
    }));
    lines
}

fn head(status: &Value) -> Vec<String> {
    let count = |severity: &str| status["open_events"][severity].as_u64().unwrap_or(0);
    let open: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter(|severity| count(severity.name()) > 0)
        .map(|severity| format!("{} {severity}", count(severity.name())))
        .collect();
    let megabytes = status["process"]["resident_bytes"].as_f64().unwrap_or(0.0) / f64::from(1 << 20);
    let degraded = if status["store"]["degraded"] == true { ", the store is degraded" } else { "" };
    vec![
        format!(
            "avwatch {} on {}, up {}, {} of {} streams up, {megabytes:.0} MB{degraded}",
            text(status, "version"),
            text(status, "node"),
            uptime(status["uptime_s"].as_u64().unwrap_or(0)),
            status["streams"]["up"],
            status["streams"]["total"]
        ),
        format!("open events: {}", if open.is_empty() { "none".to_owned() } else { open.join(", ") }),
    ]
}

/// CPU of the process and of the busiest detectors, in percent of one core.
fn cpu_line(status: &Value, before: Option<(&Before, f64)>) -> String {
    let start = Before::default();
    let (before, at_s) = before.unwrap_or((&start, status["uptime_s"].as_f64().unwrap_or(0.0)));
    let passed = (at_s - before.uptime_s).max(0.1);
    let share = |now: f64, then: f64| (now - then).max(0.0) / passed * 100.0;
    let mut busy: Vec<(String, f64)> = detectors(status)
        .into_iter()
        .map(|(name, now)| (share(now, before.detectors.get(&name).copied().unwrap_or(0.0)), name))
        .map(|(share, name)| (name, share))
        .collect();
    busy.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let busiest: Vec<String> = busy.iter().take(5).map(|(name, share)| format!("{name} {share:.1} %")).collect();
    let process = share(cpu(status), before.process);
    format!("CPU {process:.0} % of {} cores; detectors: {}", status["process"]["cores"], busiest.join(", "))
}

fn cpu(status: &Value) -> f64 {
    status["process"]["cpu_seconds"].as_f64().unwrap_or(0.0)
}

fn detectors(status: &Value) -> BTreeMap<String, f64> {
    let all = status["detector_cpu_seconds"].as_object().cloned().unwrap_or_default();
    all.into_iter().filter_map(|(name, seconds)| Some((plain(&name), seconds.as_f64()?))).collect()
}

fn stream_line(stream: &Value) -> String {
    let open: u64 = stream["open"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    let worst = &stream["worst"];
    let severity = worst["severity"].as_str().map_or_else(|| "-".to_owned(), plain);
    let mut what =
        worst["message"].as_str().or(stream["last_error"].as_str().filter(|_| stream["up"] != true)).map(plain);
    let readings = readings(stream);
    if what.is_none() && !readings.is_empty() {
        what = Some(readings);
    }
    let state = if stream["up"] == true { text(stream, "state") } else { format!("{} !", text(stream, "state")) };
    let line = format!(
        "{:<24} {:<10} {severity:<9} {open:>5}  {}",
        short(&text(stream, "name"), 24),
        short(&state, 10),
        what.unwrap_or_default()
    );
    line.trim_end().to_owned()
}

/// Frame rate, bit rate and loudness, as far as they are known.
fn readings(stream: &Value) -> String {
    let mut told = Vec::new();
    if let Some(rate) = stream["meters"]["frame_rate"].as_f64() {
        told.push(format!("{rate:.1} fps"));
    }
    if let Some(bits) = stream["meters"]["bitrate_bps"].as_f64() {
        told.push(format!("{:.2} Mb/s", bits / 1e6));
    }
    if let Some(level) = stream["meters"]["momentary_lufs"].as_f64() {
        told.push(format!("{level:.1} LUFS"));
    }
    told.join(", ")
}

fn text(value: &Value, key: &str) -> String {
    plain(value[key].as_str().unwrap_or("-"))
}

/// The text, cut to that many letters.
pub(super) fn short(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

fn uptime(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Now {
        let stream = |name: &str, up: bool, worst: Option<&str>, state: &str| {
            let worst =
                worst.map(|severity| json!({ "severity": severity, "state": state, "message": "bad \u{1b}[2J" }));
            json!({ "name": name, "state": "live", "up": up, "worst": worst, "open": {} })
        };
        let mut streams = vec![
            stream("a", true, None, ""),
            stream("b", false, None, ""),
            stream("c", true, Some("warning"), "raised"),
            stream("d", true, Some("critical"), "raised"),
            stream("e", true, Some("critical"), "acked"),
        ];
        streams.sort_by_key(rank);
        let status = json!({ "version": "1", "node": "n", "uptime_s": 10, "streams": { "up": 4, "total": 5 },
            "open_events": { "critical": 2 }, "process": { "cpu_seconds": 5.0, "cores": 2 },
            "detector_cpu_seconds": { "black": 1.0, "freeze": 2.0 } });
        Now {
            status,
            streams,
            events: vec![json!({ "stream": "d", "message": "x\u{9b}y", "started_at": "2026-11-28T18:00:00.000Z" })],
        }
    }

    #[test]
    fn the_worst_streams_stand_first_and_those_that_are_down_before_the_well_ones() {
        let names: Vec<String> = now().streams.iter().map(|stream| text(stream, "name")).collect();
        assert_eq!(names, ["d", "c", "b", "a", "e"]);
    }

    #[test]
    fn words_of_streams_do_not_steer_the_terminal() {
        assert!(lines(&now(), None, 0).iter().all(|line| !line.chars().any(char::is_control)));
    }

    #[test]
    fn cpu_is_of_the_time_since_the_last_look() {
        let mut later = now();
        later.status["process"]["cpu_seconds"] = json!(6.0);
        later.status["detector_cpu_seconds"]["black"] = json!(1.5);
        let line = cpu_line(&later.status, Some((&Before::of(&now(), 10.0), 12.0)));
        assert!(line.starts_with("CPU 50 % of 2 cores; detectors: black 25.0 %, freeze 0.0 %"), "{line}");
        assert!(cpu_line(&now().status, None).contains("freeze 20.0 %"));
    }
}
