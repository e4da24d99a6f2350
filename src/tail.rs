//! Following a file that somebody else writes: through rotation, truncation and times without it.
//!
//! Polled by its owner, on whatever thread may block on the disk; it holds at most two files open.
//! A file that was renamed is read on for a while beside its successor, since its writer may not
//! have noticed yet. What was written to a file between a poll and its truncation stands in the copy alone, if there is one:
//! [`Tail::kin`] tells it, and from where on it is to be read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::log_view::{LineReader, Read};

mod print;

use print::{Print, agree_before};

/// For how long a file that was renamed is read on.
const OLD_READ_FOR: Duration = Duration::from_secs(10);

/// Where to begin in a file that is there at the first look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At its first line.
    Start,
    /// Behind its last line: what was before is of no interest.
    End,
    /// Behind that many bytes: what was before is known.
    At(u64),
}

/// How another file is related to one that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// Not at all.
    Stranger,
    /// It holds all that was read of it, in that many bytes.
    Copy(u64),
    /// It begins as it and may still grow into a copy. If it does not grow: what was read of it as well is that many
    /// bytes, and without these it is a stranger.
    Alike(Option<u64>),
}

impl Kin {
    /// The nearer of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let nearness = |kin: &Self| match kin {
            Self::Stranger => 0,
            Self::Alike(None) => 1,
            Self::Alike(Some(_)) => 2,
            Self::Copy(_) => 3,
        };
        if nearness(&other) > nearness(&self) { other } else { self }
    }
}

/// Follows one path.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    begin: Begin,
    line_max: usize,
    now: Option<Open>,
    old: Option<(Open, Instant)>,
    /// What it held before it was truncated the last time.
    past: Option<Print>,
    too_long: u64,
    skipped_bytes: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    print: Print,
    lines: LineReader,
    /// Its length, and when it had been written, as it was looked at for truncation.
    looked: Option<(u64, SystemTime)>,
}

/// Which file it is, whatever its name.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Open {
    fn begin(path: &Path, begin: Begin, line_max: usize) -> io::Result<Option<Self>> {
        // Not to wait for a writer, if it is a pipe.
        let options = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut file = match options {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let (mut print, mut lines) = (Print::default(), LineReader::new(line_max));
        let from = match begin {
            Begin::Start => 0,
            Begin::End => metadata.len(),
            Begin::At(from) => from.min(metadata.len()),
        };
        if from > 0 {
            // One byte before it: it tells whether a line is half written.
            file.seek(SeekFrom::Start(from - 1))?;
            let mut last = [0];
            let at = from - 1 + file.read(&mut last)? as u64;
            if last != *b"\n" {
                lines.begin_within_line();
            }
            print = Print::of(&file, at)?;
        }
        Ok(Some(Self { file, identity: identity(&metadata), print, lines, looked: None }))
    }

    /// Whether what was read of it is gone; it may be longer again by now.
    fn is_truncated(&mut self) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        let looks = Some((metadata.len(), metadata.modified()?));
        if metadata.len() >= self.print.at() && looks == self.looked {
            return Ok(false);
        }
        self.looked = looks;
        Ok(!self.print.is_still_in(&self.file)?)
    }

    /// Reads until the end of the file or of the budget.
    fn read<E: From<io::Error>>(
        &mut self,
        budget: &mut u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Read, E> {
        while *budget > 0 {
            let before = self.print.at();
            let mut noted = Noted { file: &mut self.file, print: &mut self.print };
            let read = self.lines.read(&mut noted, take);
            *budget = budget.saturating_sub(self.print.at() - before);
            if read? == Read::End {
                return Ok(Read::End);
            }
        }
        Ok(Read::More)
    }
}

struct Noted<'a> {
    file: &'a mut File,
    print: &'a mut Print,
}

impl io::Read for Noted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.print.heed(&into[..count]);
        Ok(count)
    }
}

impl Tail {
    /// Follows a path, which need not be there yet. Nothing is opened before the first poll.
    pub fn new(path: &Path, begin: Begin, line_max: usize) -> Self {
        Self { path: path.to_owned(), begin, line_max, now: None, old: None, past: None, too_long: 0, skipped_bytes: 0 }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it reads that file, under whatever name.
    pub fn follows(&self, identity: (u64, u64)) -> bool {
        let both = [self.now.as_ref(), self.old.as_ref().map(|(open, _)| open)];
        both.into_iter().flatten().any(|open| open.identity == identity)
    }

    /// How another file of that length is related to what is followed here.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn kin(&self, other: &File, length: u64) -> io::Result<Kin> {
        let mut kin = Kin::Stranger;
        let both = [self.now.as_ref(), self.old.as_ref().map(|(open, _)| open)];
        for open in both.into_iter().flatten() {
            // That it was truncated may not have been noticed yet.
            if !open.print.is_still_in(&open.file)? {
                kin = kin.or(open.print.kin(other, length)?);
            } else if open.print.begins(other, length)? {
                let known = open.print.at().min(length);
                let is_same = agree_before(&open.file, other, known)?;
                kin = if is_same { kin.or(Kin::Alike(Some(known))) } else { kin };
            }
        }
        if let Some(past) = &self.past {
            kin = kin.or(past.kin(other, length)?);
        }
        Ok(kin)
    }

    /// Whether it has a file open, which may have been renamed or removed.
    pub fn is_reading(&self) -> bool {
        self.now.is_some() || self.old.is_some()
    }

    /// Lines that were longer than the limit.
    pub fn too_long(&self) -> u64 {
        let of = |open: &Open| open.lines.too_long;
        self.too_long + self.now.as_ref().map_or(0, of) + self.old.as_ref().map_or(0, |(open, _)| of(open))
    }

    /// Bytes that were passed over because reading had fallen behind.
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Gives what came since the last poll, at most about `budget` bytes of it; `More` says that
    /// there is more at once.
    ///
    /// # Errors
    /// The file cannot be read, or what `take` says.
    pub fn poll<E: From<io::Error>>(
        &mut self,
        now: Instant,
        budget: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Read, E> {
        let mut left = budget;
        if let Some((old, since)) = &mut self.old {
            if old.read(&mut left, take)? == Read::More {
                return Ok(Read::More);
            }
            if now.saturating_duration_since(*since) >= OLD_READ_FOR {
                self.leave_old(take)?;
            }
        }
        loop {
            if self.now.is_none() {
                self.now = Open::begin(&self.path, self.begin, self.line_max)?;
            }
            // Whatever appears later is new from its first line on.
            self.begin = Begin::Start;
            let Some(open) = &mut self.now else { return Ok(Read::End) };
            if open.is_truncated()? {
                open.lines.finish(take)?;
                open.file.seek(SeekFrom::Start(0))?;
                self.past = Some(std::mem::take(&mut open.print));
            }
            if open.read(&mut left, take)? == Read::More {
                return Ok(Read::More);
            }
            match fs::metadata(&self.path) {
                Ok(there) if identity(&there) != open.identity => self.turn(now, take)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.turn(now, take)?;
                    return Ok(Read::End);
                }
                _ => return Ok(Read::End),
            }
        }
    }

    /// Passes over what is more than `bytes_max` behind the end of the file; returns how much that was.
    ///
    /// # Errors
    /// What the system says.
    pub fn catch_up(&mut self, bytes_max: u64) -> io::Result<u64> {
        let Some(open) = &mut self.now else { return Ok(0) };
        let end = open.file.metadata()?.len();
        let behind = end.saturating_sub(open.print.at());
        if behind <= bytes_max {
            return Ok(0);
        }
        self.too_long += open.lines.too_long;
        open.lines = LineReader::new(self.line_max);
        open.lines.begin_within_line();
        open.file.seek(SeekFrom::Start(end))?;
        open.print = Print::of(&open.file, end)?;
        self.skipped_bytes += behind;
        Ok(behind)
    }

    /// The file has been replaced: it becomes the old one.
    fn turn<E>(&mut self, now: Instant, take: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.leave_old(take)?;
        self.old = self.now.take().map(|open| (open, now));
        Ok(())
    }

    fn leave_old<E>(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some((mut old, _)) = self.old.take() else { return Ok(()) };
        let finished = old.lines.finish(take);
        self.too_long += old.lines.too_long;
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Case {
        _folder: tempfile::TempDir,
        path: PathBuf,
        tail: Tail,
        now: Instant,
    }

    impl Case {
        fn new(begin: Begin) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.log");
            Self { tail: Tail::new(&path, begin, 1_000), path, _folder: folder, now: Instant::now() }
        }

        fn write(&self, text: &str) {
            append(&self.path, text);
        }

        fn poll(&mut self) -> Vec<String> {
            let mut lines = Vec::new();
            let mut take = |line: &[u8]| -> io::Result<()> {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            while self.tail.poll(self.now, 1_000_000, &mut take).unwrap() == Read::More {}
            lines
        }
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_come_once_and_whole() {
        let mut case = Case::new(Begin::Start);
        assert_eq!(case.poll(), [""; 0], "it is not there yet");
        case.write("one\ntw");
        assert_eq!(case.poll(), ["one"]);
        case.write("o\n");
        assert_eq!(case.poll(), ["two"]);
        assert_eq!(case.poll(), [""; 0]);
    }

    #[test]
    fn what_was_there_before_is_left_out_where_only_news_is_asked_for() {
        let mut case = Case::new(Begin::End);
        case.write("old\nhalf");
        assert_eq!(case.poll(), [""; 0]);
        case.write(" a line\nnew\n");
        assert_eq!(case.poll(), ["new"]);
    }

    #[test]
    fn a_file_that_is_replaced_is_read_to_its_end_also_when_its_writer_is_late() {
        let mut case = Case::new(Begin::Start);
        case.write("1\n");
        assert_eq!(case.poll(), ["1"]);
        let moved = case.path.with_extension("1");
        case.write("2\n");
        fs::rename(&case.path, &moved).unwrap();
        case.write("3\n");
        assert_eq!(case.poll(), ["2", "3"]);
        append(&moved, "4\n5");
        assert_eq!(case.poll(), ["4"]);
        case.write("6\n");
        case.now += OLD_READ_FOR;
        assert_eq!(case.poll(), ["5", "6"]);
    }

    #[test]
    fn a_file_that_is_gone_for_a_while_is_followed_again() {
        let mut case = Case::new(Begin::End);
        case.write("1\n");
        case.poll();
        case.write("2\n");
        fs::remove_file(&case.path).unwrap();
        assert_eq!(case.poll(), ["2"]);
        case.write("3\n");
        assert_eq!(case.poll(), ["3"]);
    }

    #[test]
    fn a_file_that_is_emptied_is_read_from_its_start() {
        let mut case = Case::new(Begin::Start);
        case.write("1\n2\n");
        assert_eq!(case.poll(), ["1", "2"]);
        fs::write(&case.path, "3\n").unwrap();
        assert_eq!(case.poll(), ["3"]);
    }

    #[test]
    fn a_file_that_was_emptied_and_has_grown_longer_since_is_read_from_its_start() {
        let mut case = Case::new(Begin::Start);
        case.write("1\n2\n");
        assert_eq!(case.poll(), ["1", "2"]);
        fs::write(&case.path, "3\n4\n5\n").unwrap();
        assert_eq!(case.poll(), ["3", "4", "5"]);
    }

    #[test]
    fn who_falls_behind_passes_over_the_rest_and_counts_it() {
        let mut case = Case::new(Begin::Start);
        case.write("1\n");
        assert_eq!(case.poll(), ["1"]);
        case.write(&"x\n".repeat(500));
        assert_eq!(case.tail.catch_up(2_000).unwrap(), 0);
        assert_eq!(case.tail.catch_up(999).unwrap(), 1_000);
        case.write("half of it\nnew\n");
        assert_eq!(case.poll(), ["new"]);
        assert_eq!(case.tail.skipped_bytes(), 1_000);
    }
}
