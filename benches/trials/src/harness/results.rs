//! The kept results: one JSON line of each trial, its last run.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::options::Options;
use super::outcome::Outcome;
use crate::trials::Trial;

/// A run with its circumstances.
pub struct Record {
    /// What was seen.
    pub outcome: Outcome,
    head: Map<String, Value>,
}

impl Record {
    /// Notes the circumstances of a run that just ended.
    ///
    /// # Errors
    /// The binary does not tell its version.
    pub fn new(trial: &Trial, options: &Options, outcome: Outcome, took: Duration) -> Result<Self> {
        let version = std::process::Command::new(&options.avwatch).arg("--version").output()?;
        let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or_default().to_owned();
        let command =
            [&["scripts/trials".to_owned()], options.given.as_slice(), &[trial.name.to_owned()]].concat().join(" ");
        let head = json!({
            "trial": trial.id, "name": trial.name, "seed": options.seed, "at": date(SystemTime::now()),
            "took_s": took.as_secs(), "avwatch": version, "build": build(&options.avwatch), "machine": machine(), "command": command,
        });
        let Value::Object(head) = head else { unreachable!("it was written as an object") };
        Ok(Self { outcome, head })
    }

    /// As a line.
    pub fn json(&self) -> Value {
        let mut all = self.head.clone();
        all.extend(self.outcome.json());
        Value::Object(all)
    }
}

/// Keeps a record in place of the former one of its trial.
///
/// # Errors
/// The file cannot be read or written.
pub fn keep(path: &Path, record: &Record) -> Result<()> {
    let record = record.json();
    let mut all = read(path)?;
    all.retain(|other| other["trial"] != record["trial"]);
    all.push(record);
    // R2 before R10.
    all.sort_by_key(|entry| entry["trial"].as_str().and_then(|id| id[1..].parse::<u32>().ok()));
    let text: String = all.iter().map(|entry| format!("{entry}\n")).collect();
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// Every kept record; none when there is no file yet.
///
/// # Errors
/// The file cannot be read, or is not what was written.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    text.lines().map(|line| serde_json::from_str(line).with_context(|| path.display().to_string())).collect()
}

/// How the binary was built, as far as its folder tells: figures of an unoptimised one are no figures of what is shipped.
fn build(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    format!("{} build", if folder.is_empty() { "unknown" } else { &folder })
}

/// The machine in a few words: cores, memory, kernel, and how busy it was at the end.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let meminfo = read("/proc/meminfo");
    let total =
        meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next()?.parse::<f64>().ok());
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    format!("{cores} cores, {:.0} GiB, Linux {kernel}, load {load}", total.unwrap_or(0.0) / f64::from(1 << 20))
}

/// A day and time in UTC (civil from days, after Howard Hinnant).
pub fn date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, of_day) = ((seconds / 86_400) as i64, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}Z", of_day / 3_600, of_day % 3_600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |seconds: u64| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00Z");
        assert_eq!(at(1_795_910_399), "2026-11-28T23:59Z");
    }
}
