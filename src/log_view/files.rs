//! Which files: rolled ones in the order of time, and the latencies beside them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{LINE_BYTES_MAX, Line, Moment};
use crate::telemetry::{LATENCY_EXTENSION, LATENCY_PREFIX, LOG_FILE_NAME};

/// Lines at the begin of a file that are searched for its first time.
const LINES_LOOKED_AT: usize = 20;

/// Most files of one folder.
const FILES_MAX: usize = 10_000;

/// What cannot be read, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}: {why}")]
pub struct Unreadable {
    /// The file or folder.
    pub what: String,
    /// What the system said.
    pub why: String,
}

impl Unreadable {
    /// Of a path.
    pub fn at(path: &Path, why: impl std::fmt::Display) -> Self {
        Self { what: path.display().to_string(), why: why.to_string() }
    }
}

/// One place that lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file that grows no more: it was rolled.
    Rolled(PathBuf),
    /// A file that may grow.
    Newest(PathBuf),
    /// Standard input.
    Stdin,
}

/// Every place that was asked for.
#[derive(Clone, Debug, Default)]
pub struct LogFiles {
    /// In the order in which their lines were written.
    pub places: Vec<Found>,
    /// Interval logs of latencies in the same folders, in the order of their names.
    pub latencies: Vec<PathBuf>,
}

impl LogFiles {
    /// Finds the files of paths: files themselves, `-`, or folders of logs.
    ///
    /// # Errors
    /// One of them is not there or cannot be read.
    pub fn find(paths: &[PathBuf]) -> Result<Self, Unreadable> {
        let mut files: Vec<(Option<Moment>, Found)> = Vec::new();
        let mut found = Self::default();
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut has_stdin = false;
        for path in paths {
            if path.as_os_str() == "-" {
                has_stdin = true;
                continue;
            }
            let metadata = fs::metadata(path).map_err(|error| Unreadable::at(path, error))?;
            let folder = if metadata.is_dir() { path.clone() } else { folder_of(path) };
            if metadata.is_dir() {
                for file in logs_of(path)? {
                    files.push((first_time(&file)?, kind(file)));
                }
            } else {
                files.push((first_time(path)?, kind(path.clone())));
            }
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        // What has no time yet comes last; those of one time as they were named, the oldest first.
        files.sort_by_key(|(first, found)| (first.unwrap_or(Moment(i64::MAX)), matches!(found, Found::Newest(_))));
        found.places = files.into_iter().map(|(_, found)| found).collect();
        found.places.extend(has_stdin.then_some(Found::Stdin));
        found.places.dedup();
        for folder in folders {
            found.latencies.extend(latencies_of(&folder));
        }
        Ok(found)
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn kind(path: PathBuf) -> Found {
    if age_of(&path).is_some_and(|age| age > 0) { Found::Rolled(path) } else { Found::Newest(path) }
}

/// How often a log file was rolled; nothing for a file of another name.
fn age_of(path: &Path) -> Option<u32> {
    let rest = path.file_name()?.to_str()?.strip_prefix(LOG_FILE_NAME)?;
    if rest.is_empty() { Some(0) } else { rest.strip_prefix('.')?.parse().ok() }
}

/// The log files of a folder, the oldest first.
fn logs_of(folder: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let mut files: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| age_of(path).is_some()).collect();
    files.sort_by_key(|path| std::cmp::Reverse(age_of(path)));
    if files.is_empty() {
        return Err(Unreadable::at(folder, format!("it holds no {LOG_FILE_NAME}")));
    }
    Ok(files)
}

fn latencies_of(folder: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(LATENCY_PREFIX) && name.ends_with(LATENCY_EXTENSION)
    };
    // A folder that cannot be listed has no latencies to show: its named file is read all the same.
    let mut files: Vec<PathBuf> = entries(folder).unwrap_or_default().into_iter().filter(is_one).collect();
    files.sort();
    files
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let fail = |error: io::Error| Unreadable::at(folder, error);
    fs::read_dir(folder)
        .map_err(fail)?
        .take(FILES_MAX)
        .map(|entry| entry.map(|entry| entry.path()).map_err(fail))
        .collect()
}

/// The time of the first line that has one.
fn first_time(path: &Path) -> Result<Option<Moment>, Unreadable> {
    let fail = |error: io::Error| Unreadable::at(path, error);
    let mut file = BufReader::new(File::open(path).map_err(fail)?);
    for _ in 0..LINES_LOOKED_AT {
        let mut line = Vec::new();
        let count = (&mut file).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).map_err(fail)?;
        if count == 0 {
            break;
        }
        if let Some(time) = Line::parse(&line).and_then(|line| line.time) {
            return Ok(Some(time));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32) -> String {
        format!("{{\"time\":\"2026-11-28T00:00:{second:02}.000Z\",\"level\":\"info\",\"message\":\"m\"}}\n")
    }

    #[test]
    fn rolled_files_come_in_the_order_of_time_with_latencies_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("avwatch.log", line(30)),
            ("avwatch.log.1", line(20)),
            ("avwatch.log.10", line(10)),
            ("avwatch.logs", line(1)),
            ("latency-b.hlog", String::new()),
            ("latency-a.hlog", String::new()),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let found = LogFiles::find(&[folder.path().to_owned()]).unwrap();
        let newest = Found::Newest(at("avwatch.log"));
        let rolled = [Found::Rolled(at("avwatch.log.10")), Found::Rolled(at("avwatch.log.1"))];
        assert_eq!(found.places, [rolled[0].clone(), rolled[1].clone(), newest.clone()]);
        assert_eq!(found.latencies, [at("latency-a.hlog"), at("latency-b.hlog")]);
        let named = LogFiles::find(&[at("avwatch.log"), "-".into(), at("avwatch.log.1")]).unwrap();
        assert_eq!(named.places, [rolled[1].clone(), newest, Found::Stdin]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let gone = LogFiles::find(&[folder.path().join("gone.log")]).unwrap_err().to_string();
        assert!(gone.contains("gone.log: No such file"), "{gone}");
        let empty = LogFiles::find(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(empty.ends_with("it holds no avwatch.log"), "{empty}");
    }
}
