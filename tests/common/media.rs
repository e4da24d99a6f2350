//! Clips made on demand by the `ffmpeg` binary and kept in `target/test-media`.
//!
//! A clip's file name carries a hash of everything that it was made from, so a changed recipe makes
//! a new clip. Files are written under a name of their own and renamed into place: test processes
//! that make the same clip at once do no harm to each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// Raised when clips must be made again although their recipes read the same.
const GENERATION: u32 = 1;

/// Longest clip, in seconds: tests must stay quick.
pub const SECONDS_MAX: f64 = 12.0;

/// Pictures a second of every clip that is not interlaced.
pub const FPS: f64 = 25.0;

/// A defect that was planted in a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Planted {
    /// The detector that must tell it.
    pub detector: &'static str,
    /// The track that shows it.
    pub track: &'static str,
    /// When it begins, in seconds; first frame or sample that shows it.
    pub start: f64,
    /// When it ends; end of the last frame or sample that shows it.
    pub end: f64,
}

/// A clip with what is known to be wrong with it.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// How long it lasts.
    pub seconds: f64,
    /// What was planted, in order of start.
    pub truth: Vec<Planted>,
    /// Detectors that must stay silent: what the clip was made to mislead.
    pub absent: Vec<&'static str>,
}

impl Clip {
    pub fn new(path: PathBuf, seconds: f64) -> Self {
        assert!(seconds <= SECONDS_MAX, "clips are at most {SECONDS_MAX} s long");
        Self { path, seconds, truth: Vec::new(), absent: Vec::new() }
    }

    pub fn with(mut self, detector: &'static str, track: &'static str, start: f64, end: f64) -> Self {
        self.truth.push(Planted { detector, track, start, end });
        self
    }

    pub fn without(mut self, detectors: &[&'static str]) -> Self {
        self.absent.extend_from_slice(detectors);
        self
    }

    /// The path as text; the cache's paths are UTF-8.
    pub fn path_text(&self) -> &str {
        self.path.to_str().expect("the build folder's path is UTF-8")
    }
}

/// Makes a clip with these arguments of `ffmpeg` (all but the output), unless it is there already.
pub fn encoded(name: &str, extension: &str, arguments: &[String]) -> PathBuf {
    cached(name, extension, arguments, |output| {
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments)
            .args(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"])
            .arg(output)
            .output()
            .expect("ffmpeg is installed (scripts/setup)");
        let said = String::from_utf8_lossy(&made.stderr);
        if !made.status.success() {
            // There may be nothing to remove; the failure itself is told below.
            let _ = fs::remove_file(output);
        }
        assert!(made.status.success(), "ffmpeg could not make {name}: {said}\n{arguments:?}");
    })
}

/// Makes a clip from the bytes of another. `key` tells apart what `change` does.
pub fn derived(name: &str, source: &Path, key: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
    let extension = source.extension().and_then(|text| text.to_str()).expect("clips have an extension");
    let from = source.display().to_string();
    cached(name, extension, &[from, key.to_owned()], |output| {
        let bytes = fs::read(source).expect("the source clip was just made");
        fs::write(output, change(bytes)).expect("the build folder can be written");
    })
}

/// A file with this text.
pub fn written(name: &str, extension: &str, text: &str) -> PathBuf {
    cached(name, extension, &[text.to_owned()], |output| {
        fs::write(output, text).expect("the build folder can be written")
    })
}

fn cached(name: &str, extension: &str, key: &[String], make: impl FnOnce(&Path)) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = folder();
    let mut hash = Sha256::new();
    for part in key {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(GENERATION.to_le_bytes());
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(format!("{name}-{hash}.{extension}"));
    if path.exists() {
        return path;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{name}-{hash}.{}-{number}.{extension}", std::process::id()));
    make(&beside);
    fs::rename(&beside, &path).expect("both names are in one folder");
    path
}

/// `target/test-media`, made if need be.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's folder for tests is inside target");
    let folder = target.join("test-media");
    fs::create_dir_all(&folder).expect("the build folder can be written");
    folder
}
