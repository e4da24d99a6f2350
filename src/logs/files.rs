//! The files of one log: one, or all whose names fit a pattern.
//!
//! A folder is looked through every two seconds; the [`FILES_MAX`] files that were written last are followed. What is
//! there at the first look is followed from its end on, what appears later from its first line on. A file that only
//! changed its name is no new one, nor is a copy of one that was read. Owned by the thread `logs`, which it keeps for a bounded time.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use glob::{MatchOptions, Pattern};

use super::newcomers::Newcomers;
use crate::log_view::Read;
use crate::tail::{Begin, Tail};

/// Most files of one log that are followed; of more those that were written last.
pub const FILES_MAX: usize = 32;

/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// How often in one poll what is left of the budget is shared out.
const ROUNDS: usize = 4;

/// How often a folder is looked through.
const SCAN_EVERY: Duration = Duration::from_secs(2);

/// A star stands for no hidden files, as in a shell.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Whether a path names many files.
fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(['*', '?', '[']))
}

/// Checks a path with a pattern in it: its folder must be plain.
///
/// # Errors
/// Why it cannot be used.
pub fn check_pattern(path: &Path) -> Result<(), String> {
    if path.parent().is_some_and(|folder| folder.to_string_lossy().contains(['*', '?', '['])) {
        return Err("may hold *, ? and [ ] in the name of the file only".to_owned());
    }
    if is_pattern(path) {
        pattern_of(path).map_err(|why| format!("is no pattern: {why}"))?;
    }
    Ok(())
}

fn pattern_of(path: &Path) -> Result<Pattern, &'static str> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("it is no text")?;
    Pattern::new(name).map_err(|error| error.msg)
}

/// The files.
#[derive(Debug)]
pub(super) struct Files {
    tails: Vec<Tail>,
    folder: Option<Folder>,
    line_max: usize,
    /// What was lost by those that are no longer followed.
    too_long: u64,
    skipped_bytes: u64,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    pattern: Pattern,
    /// Files that were there at the last look.
    known: Option<HashSet<(u64, u64)>>,
    looked: Option<Instant>,
    /// Files that fit and are not followed, at the last look.
    left_out: usize,
    newcomers: Newcomers,
}

/// One that fits.
struct Found {
    path: PathBuf,
    identity: (u64, u64),
    written: SystemTime,
}

impl Files {
    pub(super) fn new(path: &Path, line_max: usize) -> Self {
        let pattern = if is_pattern(path) { pattern_of(path).ok() } else { None };
        let folder = pattern.zip(path.parent()).map(|(pattern, folder)| Folder {
            path: folder.to_owned(),
            pattern,
            known: None,
            looked: None,
            left_out: 0,
            newcomers: Newcomers::default(),
        });
        let tails = match folder {
            Some(_) => Vec::new(),
            None => vec![Tail::new(path, Begin::End, line_max)],
        };
        Self { tails, folder, line_max, too_long: 0, skipped_bytes: 0 }
    }

    /// Lines that were longer than the limit.
    pub(super) fn too_long(&self) -> u64 {
        self.too_long + self.tails.iter().map(Tail::too_long).sum::<u64>()
    }

    /// Bytes that were passed over because reading had fallen behind.
    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes + self.tails.iter().map(Tail::skipped_bytes).sum::<u64>()
    }

    /// Files that fit and are not followed since there are too many.
    pub(super) fn left_out(&self) -> usize {
        self.folder.as_ref().map_or(0, |folder| folder.left_out)
    }

    /// Gives what came since the last poll, of each file its share of the budget; what is farther behind than
    /// `behind_max` is passed over.
    ///
    /// # Errors
    /// What the system said last; files without fault are read all the same.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        budget: u64,
        behind_max: u64,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut result = self.scan(now);
        let mut left = budget;
        let mut behind: Vec<&mut Tail> = self.tails.iter_mut().collect();
        // What quiet files leave of their shares is for those that have more.
        for _ in 0..ROUNDS {
            let share = left / behind.len().max(1) as u64;
            if share == 0 {
                break;
            }
            behind.retain_mut(|tail| {
                let mut counting = |line: &[u8]| {
                    left = left.saturating_sub(line.len() as u64 + 1);
                    take(line)
                };
                tail.poll(now, share, &mut counting).unwrap_or_else(|error| {
                    result = Err(named(tail, &error));
                    Read::End
                }) == Read::More
            });
        }
        for tail in behind {
            if let Err(error) = tail.catch_up(behind_max) {
                result = Err(named(tail, &error));
            }
        }
        result
    }

    /// Looks which files fit, when it is time.
    fn scan(&mut self, now: Instant) -> io::Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        if folder.looked.is_some_and(|looked| now.saturating_duration_since(looked) < SCAN_EVERY) {
            return Ok(());
        }
        folder.looked = Some(now);
        let mut found = match folder.find() {
            // It need not be there yet; what appears in it later is new.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            found => found?,
        };
        found.sort_by(|one, other| other.written.cmp(&one.written).then_with(|| one.path.cmp(&other.path)));
        folder.left_out = found.len().saturating_sub(FILES_MAX);
        let all: HashSet<(u64, u64)> = found.iter().map(|one| one.identity).collect();
        let known = folder.known.replace(all);
        let left_out: HashSet<PathBuf> = found.drain(FILES_MAX.min(found.len())..).map(|one| one.path).collect();
        // One that is gone is read to its end first.
        let is_wanted = |tail: &Tail| match found.iter().any(|one| one.path == tail.path()) {
            true => true,
            false => tail.is_reading() && !left_out.contains(tail.path()),
        };
        let (kept, gone): (Vec<Tail>, Vec<Tail>) = std::mem::take(&mut self.tails).into_iter().partition(is_wanted);
        self.tails = kept;
        self.too_long += gone.iter().map(Tail::too_long).sum::<u64>();
        self.skipped_bytes += gone.iter().map(Tail::skipped_bytes).sum::<u64>();
        let (mut unsure, mut result) = (Vec::new(), Ok(()));
        for one in found {
            let is_followed = |tail: &Tail| tail.path() == one.path || tail.follows(one.identity);
            if self.tails.iter().any(is_followed) {
                continue;
            }
            let is_new = known.as_ref().is_some_and(|known| !known.contains(&one.identity));
            let begin = match is_new {
                true => folder.newcomers.begin(&one.path, one.identity, &self.tails, now),
                false => Ok(Some(Begin::End)),
            };
            match begin {
                Ok(Some(begin)) => self.tails.push(Tail::new(&one.path, begin, self.line_max)),
                // Asked again at the next look, as one that has just appeared.
                Ok(None) => unsure.push(one.identity),
                Err(error) => result = Err(io::Error::new(error.kind(), format!("{}: {error}", one.path.display()))),
            }
        }
        if let Some(known) = &mut folder.known {
            folder.newcomers.retain(|identity| known.contains(identity));
            known.retain(|identity| !unsure.contains(identity));
        }
        result
    }
}

/// An error that says of which file.
fn named(tail: &Tail, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", tail.path().display()))
}

impl Folder {
    fn find(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)?.take(ENTRIES_MAX) {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| self.pattern.matches_with(name, OPTIONS)) {
                continue;
            }
            // A link beside its target, as "current" beside the file of the day, would have every line count twice.
            if entry.file_type()?.is_symlink() && self.has(&entry.path()) {
                continue;
            }
            // One that goes while it is looked at is not there.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_file() {
                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Found { path: entry.path(), identity: (metadata.dev(), metadata.ino()), written });
            }
        }
        Ok(found)
    }

    /// Whether what a link leads to is a file of this folder that fits by its own name.
    fn has(&self, link: &Path) -> bool {
        let (Ok(target), Ok(folder)) = (fs::canonicalize(link), fs::canonicalize(&self.path)) else { return false };
        let name = target.file_name().and_then(|name| name.to_str());
        target.parent() == Some(&folder) && name.is_some_and(|name| self.pattern.matches_with(name, OPTIONS))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Case {
        folder: tempfile::TempDir,
        files: Files,
        now: Instant,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let files = Files::new(&folder.path().join("app-*.log"), 1_000);
            Self { folder, files, now: Instant::now() }
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.folder.path().join(name);
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.folder.path().join(from), self.folder.path().join(to)).unwrap();
        }

        /// The lines that come in some seconds, in no order.
        fn lines(&mut self, seconds: u64) -> Vec<String> {
            let mut lines = Vec::new();
            for _ in 0..seconds * 4 {
                self.now += Duration::from_millis(250);
                let mut take = |line: &[u8]| {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                    Ok(())
                };
                self.files.poll(self.now, 1_000_000, u64::MAX, &mut take).unwrap();
            }
            lines.sort();
            lines
        }
    }

    #[test]
    fn all_files_that_fit_are_followed_and_new_ones_from_their_first_line_on() {
        let mut case = Case::new();
        case.write("app-1.log", "before\n");
        case.write("other.log", "before\n");
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-1.log", "one\n");
        case.write("app-2.log", "two\n");
        case.write("other.log", "none\n");
        case.write(".app-3.log", "hidden\n");
        assert_eq!(case.lines(3), ["one", "two"]);
        assert_eq!(case.lines(30), [""; 0]);
    }

    #[test]
    fn a_link_to_the_file_of_the_day_does_not_count_its_lines_twice() {
        let mut case = Case::new();
        let link = |case: &Case, day: &str| {
            let path = case.folder.path().join("app-current.log");
            // There is none the first time.
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(format!("app-{day}.log"), path).unwrap();
        };
        case.write("app-28.log", "old\n");
        link(&case, "28");
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-28.log", "1\n");
        assert_eq!(case.lines(3), ["1"]);
        case.write("app-29.log", "2\n");
        link(&case, "29");
        assert_eq!(case.lines(60), ["2"]);
    }

    #[test]
    fn a_rotation_within_the_pattern_reads_no_line_twice() {
        let mut case = Case::new();
        case.write("app-now.log", "old\n");
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-now.log", "1\n");
        assert_eq!(case.lines(1), ["1"]);
        case.write("app-now.log", "2\n");
        case.rename("app-now.log", "app-2026-11-28.log");
        case.write("app-now.log", "3\n");
        case.write("app-2026-11-28.log", "4\n");
        assert_eq!(case.lines(60), ["2", "3", "4"]);
        case.write("app-now.log", "5\n");
        assert_eq!(case.lines(3), ["5"]);
    }

    /// As `cp` does, in two steps if wanted.
    fn copy(case: &Case, from: &str, to: &str) {
        fs::copy(case.folder.path().join(from), case.folder.path().join(to)).unwrap();
    }

    #[test]
    fn a_log_that_was_copied_and_emptied_by_logrotate_is_not_read_a_second_time() {
        let mut case = Case::new();
        case.write("app-now.log", &"before\n".repeat(500));
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-now.log", "1\n2\n");
        assert_eq!(case.lines(3), ["1", "2"]);
        // What was written since the last look stands in the copy alone.
        case.write("app-now.log", "3\n");
        copy(&case, "app-now.log", "app-20261128.log");
        fs::write(case.folder.path().join("app-now.log"), "").unwrap();
        assert_eq!(case.lines(10), ["3"]);
        case.write("app-now.log", "4\n");
        assert_eq!(case.lines(10), ["4"]);
        // And the next day again.
        copy(&case, "app-now.log", "app-20261129.log");
        fs::write(case.folder.path().join("app-now.log"), "5, written at once\n").unwrap();
        assert_eq!(case.lines(30), ["5, written at once"]);
    }

    #[test]
    fn a_copy_that_takes_a_while_is_waited_for() {
        let mut case = Case::new();
        case.write("app-now.log", "");
        assert_eq!(case.lines(3), [""; 0]);
        let text: String = (0..1_000).map(|number| format!("line {number}\n")).collect();
        case.write("app-now.log", &text);
        assert_eq!(case.lines(3).len(), 1_000);
        for part in text.as_bytes().chunks(4_000) {
            case.write("app-20261128.log", std::str::from_utf8(part).unwrap());
            assert_eq!(case.lines(2), [""; 0]);
        }
        fs::write(case.folder.path().join("app-now.log"), "next\n").unwrap();
        assert_eq!(case.lines(30), ["next"]);
    }

    #[test]
    fn a_copy_of_a_log_that_goes_on_is_not_read_either() {
        let mut case = Case::new();
        case.write("app-now.log", &"before\n".repeat(500));
        assert_eq!(case.lines(3), [""; 0]);
        copy(&case, "app-now.log", "app-saved.log");
        case.write("app-now.log", "1\n");
        assert_eq!(case.lines(30), ["1"]);
    }

    #[test]
    fn a_log_that_only_begins_like_another_one_is_read_from_its_first_line_on() {
        let mut case = Case::new();
        let banner = "program 1.0, built by somebody\n".repeat(100);
        case.write("app-1.log", &banner);
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-1.log", "one\n");
        assert_eq!(case.lines(3), ["one"]);
        case.write("app-2.log", &banner);
        case.write("app-2.log", "two\n");
        assert_eq!(case.lines(10).into_iter().filter(|line| line == "two").count(), 1);
    }

    #[test]
    fn of_too_many_files_those_that_were_written_last_are_followed() {
        let mut case = Case::new();
        let file = |number: usize| format!("app-{number:03}.log");
        let age = |case: &Case, number: usize, seconds: u64| {
            let file = fs::OpenOptions::new().append(true).open(case.folder.path().join(file(number))).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        for number in 0..FILES_MAX + 8 {
            case.write(&file(number), "before\n");
            age(&case, number, 10_000 - number as u64);
        }
        case.lines(3);
        assert_eq!((case.files.tails.len(), case.files.left_out()), (FILES_MAX, 8));
        // The oldest of all is written to: it takes the place of another one, from its end on.
        case.write(&file(0), "seen too late\n");
        case.lines(3);
        case.write(&file(0), "new\n");
        assert_eq!(case.lines(3), ["new"]);
        assert_eq!(case.files.tails.len(), FILES_MAX);
    }

    #[test]
    fn a_busy_file_among_quiet_ones_has_nearly_the_whole_budget() {
        let mut case = Case::new();
        for number in 0..FILES_MAX {
            case.write(&format!("app-{number}.log"), "before\n");
        }
        assert_eq!(case.lines(3), [""; 0]);
        case.write("app-7.log", &"0123456\n".repeat(1_000));
        let mut count = 0;
        let mut take = |_: &[u8]| {
            count += 1;
            Ok(())
        };
        case.files.poll(case.now, 4_000, u64::MAX, &mut take).unwrap();
        assert!((400..=501).contains(&count), "{count} lines of 500 for which there was room");
    }

    #[test]
    fn a_folder_that_appears_later_is_new_from_its_first_line_on() {
        let mut case = Case::new();
        case.files = Files::new(&case.folder.path().join("later/app-*.log"), 1_000);
        assert_eq!(case.lines(3), [""; 0]);
        fs::create_dir(case.folder.path().join("later")).unwrap();
        case.write("later/app-1.log", "one\n");
        assert_eq!(case.lines(3), ["one"]);
    }

    #[test]
    fn stars_stand_in_the_name_of_the_file_only() {
        assert!(check_pattern(Path::new("/var/log/app-*.log")).is_ok());
        assert!(check_pattern(Path::new("/var/log/app.log")).is_ok());
        assert!(check_pattern(Path::new("/var/*/app.log")).is_err());
        assert!(check_pattern(Path::new("/var/log/app-[.log")).is_err());
    }
}
