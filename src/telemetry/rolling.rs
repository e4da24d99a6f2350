//! Rolling files: a log of bounded size.
//!
//! `avwatch.log` is the newest file; at its size limit it becomes `avwatch.log.1`, that one
//! `avwatch.log.2`, and so on up to the number of files. Owned by the thread `log:writer`. A file that
//! was moved or deleted by someone else, such as logrotate, is begun anew within a second.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::writer::LineOutput;

/// Name of the newest file.
pub const LOG_FILE_NAME: &str = "avwatch.log";

/// A log file that is replaced when it is full.
#[derive(Debug)]
pub struct RollingFile {
    directory: PathBuf,
    file_bytes_max: u64,
    files_max: usize,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// The last write stopped somewhere in a line.
    torn: bool,
}

impl Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        match &written {
            Ok(()) => self.bytes += bytes.len() as u64,
            Err(_) => {
                let now = self.file.metadata().map_or(self.bytes, |metadata| metadata.len());
                self.torn |= now != self.bytes;
                self.bytes = now;
            }
        }
        written
    }
}

impl RollingFile {
    /// Files in a directory; nothing is opened yet. At least one file is kept.
    pub fn new(directory: &Path, file_bytes_max: u64, files_max: usize) -> Self {
        Self { directory: directory.to_owned(), file_bytes_max, files_max: files_max.max(1), open: None }
    }

    /// Makes directory and file if missing (0750 and 0640) and opens it for appending.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&mut self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o750).create(&self.directory)?;
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(self.name(0))?;
        let bytes = file.metadata()?.len();
        self.open = Some(Open { file, bytes, torn: false });
        Ok(())
    }

    /// The newest file for 0, older ones counting up.
    fn name(&self, age: usize) -> PathBuf {
        match age {
            0 => self.directory.join(LOG_FILE_NAME),
            age => self.directory.join(format!("{LOG_FILE_NAME}.{age}")),
        }
    }

    fn roll(&mut self) -> io::Result<()> {
        self.open = None;
        for age in (0..self.files_max).rev() {
            let result = if age + 1 == self.files_max {
                fs::remove_file(self.name(age))
            } else {
                fs::rename(self.name(age), self.name(age + 1))
            };
            match result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.open()
    }
}

impl LineOutput for RollingFile {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.open.is_none() {
            self.open()?;
        }
        let full = |open: &Open| open.bytes > 0 && open.bytes + line.len() as u64 > self.file_bytes_max;
        if self.open.as_ref().is_some_and(full) {
            self.roll()?;
        }
        let open = self.open.as_mut().expect("opened above, or an error was returned");
        if open.torn {
            // The rest of a line that a full disk cut off must not swallow this one.
            open.append(b"\n")?;
            open.torn = false;
        }
        open.append(line)
    }

    fn tick(&mut self) {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let there = fs::metadata(self.name(0)).map(identity).ok();
        let ours = self.open.as_ref().and_then(|open| open.file.metadata().map(identity).ok());
        if ours != there {
            // Opened again by the next line.
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn line(number: u32) -> Vec<u8> {
        format!("line {number:04}\n").into_bytes()
    }

    #[test]
    fn files_stay_below_their_size_and_number_and_the_newest_lines_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RollingFile::new(directory.path(), 100, 3);
        for number in 0..100 {
            log.write_line(&line(number)).unwrap();
        }
        assert_eq!(names(directory.path()), ["avwatch.log", "avwatch.log.1", "avwatch.log.2"]);
        let mut all = String::new();
        for age in (0..3).rev() {
            let text = fs::read_to_string(log.name(age)).unwrap();
            assert!(text.len() <= 100, "{}", text.len());
            all += &text;
        }
        let expected: Vec<u8> = (70..100).flat_map(line).collect();
        assert_eq!(all.into_bytes(), expected);
    }

    #[test]
    fn a_single_file_is_begun_anew_when_full() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RollingFile::new(directory.path(), 25, 1);
        for number in 0..3 {
            log.write_line(&line(number)).unwrap();
        }
        assert_eq!(names(directory.path()), ["avwatch.log"]);
        assert_eq!(fs::read(log.name(0)).unwrap(), line(2));
    }

    #[test]
    fn a_restart_appends_and_counts_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        RollingFile::new(directory.path(), 25, 2).write_line(&line(0)).unwrap();
        let mut log = RollingFile::new(directory.path(), 25, 2);
        log.write_line(&line(1)).unwrap();
        log.write_line(&line(2)).unwrap();
        assert_eq!(fs::read(log.name(1)).unwrap(), [line(0), line(1)].concat());
        assert_eq!(fs::read(log.name(0)).unwrap(), line(2));
    }

    #[test]
    fn a_deleted_or_moved_file_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        let mut log = RollingFile::new(&logs, 1_000, 2);
        log.write_line(&line(0)).unwrap();
        fs::rename(log.name(0), logs.join("moved")).unwrap();
        log.tick();
        log.write_line(&line(1)).unwrap();
        assert_eq!(fs::read(log.name(0)).unwrap(), line(1));
        fs::remove_dir_all(&logs).unwrap();
        log.tick();
        log.write_line(&line(2)).unwrap();
        assert_eq!(fs::read(log.name(0)).unwrap(), line(2));
    }

    #[test]
    fn a_line_cut_off_by_a_full_disk_does_not_swallow_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = RollingFile::new(directory.path(), 1_000, 2);
        log.write_line(b"half a l").unwrap();
        log.open.as_mut().unwrap().torn = true;
        log.write_line(&line(1)).unwrap();
        assert_eq!(fs::read(log.name(0)).unwrap(), b"half a l\nline 0001\n");
    }
}
