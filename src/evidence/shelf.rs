//! The shelf: `data_dir/evidence/`, a folder an event, bounded in bytes.
//!
//! Written by the evidence thread; read by whoever serves the files, on threads that may block. Names from outside never
//! become paths: an id has the form of an id, a file has one of the names that are written.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;

/// The folder in the data directory.
const FOLDER: &str = "evidence";
/// The manifest's file.
pub(super) const MANIFEST: &str = "evidence.json";
/// The file of the facts over time.
pub(super) const TRACE: &str = "trace.json";
/// The file of a clip's film.
pub(super) const FILM: &str = "film.mp4";
/// What a folder is called while it is written.
const MAKING: &str = "making-";
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The shelf.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    bytes_max: u64,
}

/// An open file of evidence.
#[derive(Debug)]
pub struct ShelfFile {
    /// The file.
    pub file: File,
    /// Its size.
    pub bytes: u64,
    /// Its media type.
    pub content_type: &'static str,
}

impl Shelf {
    /// The shelf of a data directory, for at most that many bytes.
    pub fn new(data_dir: &Path, bytes_max: u64) -> Self {
        Self { folder: data_dir.join(FOLDER), bytes_max }
    }

    /// What there is of an event; nothing when there is none.
    pub fn manifest(&self, event: &str) -> Option<Manifest> {
        let path = self.of(event)?.join(MANIFEST);
        if fs::metadata(&path).ok()?.len() > MANIFEST_BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Opens a file of an event's evidence; nothing when there is no such one.
    pub fn open(&self, event: &str, name: &str) -> Option<ShelfFile> {
        let content_type = content_type(name)?;
        let file = File::open(self.of(event)?.join(name)).ok()?;
        let bytes = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        Some(ShelfFile { file, bytes, content_type })
    }

    /// The folder of an event.
    pub(super) fn of(&self, event: &str) -> Option<PathBuf> {
        is_id(event).then(|| self.folder.join(event))
    }

    /// Makes an empty folder for an event that is being written.
    pub(super) fn begin(&self, event: &str) -> io::Result<PathBuf> {
        if !is_id(event) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the id of an event"));
        }
        let making = self.folder.join(format!("{MAKING}{event}"));
        if making.exists() {
            fs::remove_dir_all(&making)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&making)?;
        Ok(making)
    }

    /// Puts a folder that was written in its place.
    pub(super) fn put(&self, making: &Path, event: &str) -> io::Result<()> {
        fs::rename(making, self.folder.join(event))
    }

    /// Removes what is left of an attempt, and the oldest evidence until the rest fits.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.file_name().to_str() {
                Some(name) if name.starts_with(MAKING) => fs::remove_dir_all(entry.path())?,
                // Ids are UUIDs of version 7: their order is that of time.
                Some(name) if is_id(name) => kept.push((name.to_owned(), bytes_in(&entry.path())?)),
                Some(_) | None => {}
            }
        }
        kept.sort_unstable();
        let mut total: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
        for (name, bytes) in &kept {
            if total <= self.bytes_max {
                break;
            }
            fs::remove_dir_all(self.folder.join(name))?;
            total -= bytes;
        }
        Ok(())
    }
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Whether a text has the form of an event's id.
fn is_id(text: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'-');
    text.len() == 36 && text.bytes().all(is_ours)
}

/// The media type of a file that evidence may hold; nothing for every other name.
fn content_type(name: &str) -> Option<&'static str> {
    let number = name.strip_prefix("strip-").and_then(|rest| rest.strip_suffix(".jpg"));
    let is_strip = number.is_some_and(|number| number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()));
    match name {
        MANIFEST | TRACE => Some("application/json"),
        "clip.ts" => Some("video/mp2t"),
        "clip.mp4" | FILM => Some("video/mp4"),
        "clip.mkv" => Some("video/x-matroska"),
        "onset.jpg" | "raised.jpg" | "end.jpg" => Some("image/jpeg"),
        _ if is_strip => Some("image/jpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> String {
        format!("0191c0de-0000-7000-8000-{number:012x}")
    }

    fn put(shelf: &Shelf, number: u32, bytes: usize) {
        let making = shelf.begin(&id(number)).unwrap();
        fs::write(making.join("clip.ts"), vec![0; bytes]).unwrap();
        shelf.put(&making, &id(number)).unwrap();
    }

    #[test]
    fn the_oldest_evidence_goes_when_there_is_too_much() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(directory.path(), 25_000);
        (0..5).for_each(|number| put(&shelf, number, 10_000));
        shelf.begin(&id(9)).unwrap();
        shelf.tidy().unwrap();
        let there: Vec<bool> = (0..10).map(|number| shelf.open(&id(number), "clip.ts").is_some()).collect();
        assert_eq!(there, [false, false, false, true, true, false, false, false, false, false]);
        assert_eq!(fs::read_dir(directory.path().join(FOLDER)).unwrap().count(), 2, "attempts are tidied up");
    }

    #[test]
    fn names_from_outside_never_become_paths() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(directory.path(), 1 << 20);
        put(&shelf, 1, 10);
        fs::write(directory.path().join("secret"), "x").unwrap();
        fs::write(shelf.of(&id(1)).unwrap().join("other.txt"), "x").unwrap();
        assert_eq!(shelf.open(&id(1), "clip.ts").unwrap().content_type, "video/mp2t");
        for (event, name) in [
            (id(1).as_str(), "../../secret"),
            (&id(1), "other.txt"),
            (&id(1), "/etc/passwd"),
            (&id(1), "strip-00.jpg/../clip.ts"),
            (&id(1), "strip-+1.jpg"),
            ("..", "secret"),
            ("../evidence", "clip.ts"),
            ("", "clip.ts"),
        ] {
            assert!(shelf.open(event, name).is_none(), "{event} {name}");
        }
        assert!(shelf.begin("../x").is_err() && shelf.manifest("..").is_none());
    }
}
