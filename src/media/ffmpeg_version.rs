//! Which FFmpeg runs, and whether it may be trusted with hostile streams.
//!
//! Asked once at start. Headers and library of different major versions would mean wrong struct
//! layouts: refused. A version with known holes runs, but is told to the operator.

use std::ffi::CStr;

use ffmpeg_next::ffi;

/// The first release of each branch with the known holes of its time closed (decoder overflows,
/// endless HLS loops, RTSP redirects; state of November 2026). Older branches get no fixes at all.
const FIXED_IN: [(u32, u32, u32); 5] = [(5, 1, 10), (6, 1, 6), (7, 1, 5), (8, 1, 3), (9, 0, 2)];

/// What is known of the FFmpeg in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegVersion {
    /// What the library says of itself, such as `5.1.9-0+deb12u1`.
    pub version: String,
    /// Major and minor version of libavformat.
    pub avformat: (u32, u32),
    /// Major and minor version of libavcodec.
    pub avcodec: (u32, u32),
    /// Whether it is known to lack security fixes.
    pub verdict: Verdict,
}

/// Whether a version is known to lack security fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least the first fixed release of its branch.
    Current,
    /// Known to lack fixes: before this release of its branch.
    KnownBad {
        /// The first fixed release, `None` when its branch gets none.
        fixed_in: Option<(u32, u32, u32)>,
    },
    /// A version that does not name a release, such as a build from a repository.
    Unknown,
}

impl FfmpegVersion {
    /// What an operator should read, in one sentence.
    pub fn verdict_text(&self) -> String {
        let version = &self.version;
        match self.verdict {
            Verdict::Current => format!("FFmpeg {version} has the security fixes known to this program"),
            Verdict::KnownBad { fixed_in: Some((major, minor, patch)) } => format!(
                "FFmpeg {version} lacks security fixes of {major}.{minor}.{patch}; the white lists close some of the holes, an update closes them"
            ),
            Verdict::KnownBad { fixed_in: None } => {
                format!("FFmpeg {version} belongs to a branch without security fixes; update FFmpeg")
            }
            Verdict::Unknown => {
                format!("FFmpeg {version} names no release; whether it has all security fixes is unknown")
            }
        }
    }
}

/// The program was built for another FFmpeg than the one that runs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {library} {found}: this program was built for {library} {wanted}")]
pub struct VersionMismatch {
    /// The library.
    pub library: &'static str,
    /// The major version that runs.
    pub found: u32,
    /// The major version of the headers.
    pub wanted: u32,
}

/// Looks at the libraries in use. Fails when they are not those that the program was built for.
pub fn check() -> Result<FfmpegVersion, VersionMismatch> {
    // SAFETY: plain questions without arguments; the text is static.
    let (avformat, avcodec, avutil, version) = unsafe {
        (
            ffi::avformat_version(),
            ffi::avcodec_version(),
            ffi::avutil_version(),
            CStr::from_ptr(ffi::av_version_info()).to_string_lossy().into_owned(),
        )
    };
    same_major("libavformat", avformat, ffi::LIBAVFORMAT_VERSION_MAJOR.unsigned_abs())?;
    same_major("libavcodec", avcodec, ffi::LIBAVCODEC_VERSION_MAJOR.unsigned_abs())?;
    same_major("libavutil", avutil, ffi::LIBAVUTIL_VERSION_MAJOR.unsigned_abs())?;
    let verdict = judge(&version);
    Ok(FfmpegVersion { version, avformat: major_minor(avformat), avcodec: major_minor(avcodec), verdict })
}

/// Major and minor version from FFmpeg's packed number.
fn major_minor(packed: u32) -> (u32, u32) {
    (packed >> 16, packed >> 8 & 0xff)
}

fn same_major(library: &'static str, packed: u32, wanted: u32) -> Result<(), VersionMismatch> {
    let (found, _) = major_minor(packed);
    if found == wanted { Ok(()) } else { Err(VersionMismatch { library, found, wanted }) }
}

fn judge(version: &str) -> Verdict {
    let Some(release) = release_of(version) else { return Verdict::Unknown };
    let branch = FIXED_IN.iter().copied().find(|(major, _, _)| *major == release.0);
    match branch {
        Some(fixed) if release >= fixed => Verdict::Current,
        Some(fixed) => Verdict::KnownBad { fixed_in: Some(fixed) },
        None if release.0 > FIXED_IN[FIXED_IN.len() - 1].0 => Verdict::Current,
        None => Verdict::KnownBad { fixed_in: None },
    }
}

/// The release that a version names, as in `5.1.9-0+deb12u1`, `n7.1` or `6.0`.
fn release_of(version: &str) -> Option<(u32, u32, u32)> {
    let digits = version.strip_prefix('n').unwrap_or(version);
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(digits.len());
    let mut parts = digits[..end].split('.').map(str::parse::<u32>);
    let major = parts.next()?.ok()?;
    let minor = parts.next()?.ok()?;
    let patch = parts.next().map_or(Some(0), Result::ok)?;
    Some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_by_their_branch() {
        for (version, verdict) in [
            ("5.1.9-0+deb12u1", Verdict::KnownBad { fixed_in: Some((5, 1, 10)) }),
            ("5.1.10", Verdict::Current),
            ("n7.1", Verdict::KnownBad { fixed_in: Some((7, 1, 5)) }),
            ("8.1.3-1ubuntu1", Verdict::Current),
            ("9.0.1", Verdict::KnownBad { fixed_in: Some((9, 0, 2)) }),
            ("10.0", Verdict::Current),
            ("4.4.2", Verdict::KnownBad { fixed_in: None }),
            ("N-112233-gabcdef", Verdict::Unknown),
            ("git-2026-11-01", Verdict::Unknown),
            ("", Verdict::Unknown),
        ] {
            assert_eq!(judge(version), verdict, "{version}");
        }
    }

    #[test]
    fn the_library_in_use_is_the_one_that_was_built_for() {
        let found = check().unwrap();
        assert!(found.verdict_text().contains(&found.version));
        assert_eq!(found.avformat.0, ffi::LIBAVFORMAT_VERSION_MAJOR.unsigned_abs());
    }

    #[test]
    fn another_major_version_is_refused() {
        let error = same_major("libavformat", 60 << 16, 59).unwrap_err();
        assert_eq!(error.to_string(), "cannot use libavformat 60: this program was built for libavformat 59");
    }
}
