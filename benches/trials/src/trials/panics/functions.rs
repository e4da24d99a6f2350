//! What the service is for, and whether each of it works.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::harness::hook::Hook;
use crate::harness::options::Options;
use crate::harness::sender::{Web, respond};
use crate::harness::service::{Home, Service};
use crate::harness::shim::Shim;
use crate::harness::{calls, feed};

/// A function of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Frames are judged.
    Frames,
    /// Changes of events are stored.
    Events,
    /// They are lines of the log.
    Log,
    /// They are told on the live feed.
    Feed,
    /// Receivers are told.
    Receivers,
    /// Seconds are noted in the journal.
    Journal,
    /// Events have evidence.
    Evidence,
    /// There are live pictures.
    Pictures,
    /// Logs of other programs are followed.
    ForeignLogs,
    /// The dead man's switch is asked for.
    Heartbeat,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Frames,
        Self::Events,
        Self::Log,
        Self::Feed,
        Self::Receivers,
        Self::Journal,
        Self::Evidence,
        Self::Pictures,
        Self::ForeignLogs,
        Self::Heartbeat,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frames => "judging",
            Self::Events => "storing events",
            Self::Log => "the log",
            Self::Feed => "the live feed",
            Self::Receivers => "telling receivers",
            Self::Journal => "the journal",
            Self::Evidence => "evidence",
            Self::Pictures => "live pictures",
            Self::ForeignLogs => "following logs",
            Self::Heartbeat => "the heartbeat",
        }
    }
}

/// A service with something to do for every thread, and counts of what it did.
pub struct Bench {
    pub service: Service,
    pub shim: Shim,
    home: Home,
    hook: Hook,
    beats: Arc<AtomicU64>,
    fed: Arc<Mutex<u64>>,
    /// The last live picture, and how many there were.
    picture: Mutex<(String, u64)>,
    /// Counts of each function when they were last forgotten.
    before: [u64; 10],
    _web: Web,
}

impl Bench {
    /// Starts it.
    pub fn start(options: &Options) -> Result<Self> {
        let hook = Hook::start(|_| (200, Duration::ZERO));
        let beats = Arc::<AtomicU64>::default();
        let count = beats.clone();
        let web = Web::start(move |_, stream| {
            count.fetch_add(1, Ordering::Relaxed);
            respond(stream, "200 OK", b"");
        });
        let mut home = Home::new(options, "")?;
        let log = home.path().join("foreign.log");
        std::fs::write(&log, "")?;
        home.configure(&configuration(&hook.url(), &web.url("/beat"), &log.display().to_string()))?;
        let shim = Shim::put_under(&mut home)?;
        let service = home.start()?;
        let fed = Arc::<Mutex<u64>>::default();
        let (address, count) = (service.address.clone(), fed.clone());
        std::thread::spawn(move || {
            // Connects again, as a page does, until the service has ended for good.
            let mut each =
                |told: feed::Told| *count.lock().expect("nobody panics with it") += u64::from(told.kind == "event");
            while calls::call(&address, "GET", "/livez", None).is_ok() {
                // Whatever ends it, the next look says whether there is anything left to connect to.
                let _ = feed::follow(&address, &mut each);
            }
        });
        Ok(Self { service, shim, home, hook, beats, fed, picture: Mutex::default(), before: [0; 10], _web: web })
    }

    /// From now on only what is done later counts.
    pub fn forget(&mut self) {
        self.before = Function::ALL.map(|function| self.count(function).unwrap_or(0));
    }

    /// Whether a function has done something since it was last forgotten.
    pub fn works(&self, function: Function) -> bool {
        if function == Function::ForeignLogs {
            // Something to follow.
            self.write_foreign_line();
        }
        self.count(function).is_ok_and(|count| count > self.before[function as usize])
    }

    /// Whether the process says that it is alive.
    pub fn says_it_is_well(&self) -> bool {
        self.service.get("/livez").is_ok_and(|answer| answer.0 == 200)
    }

    fn write_foreign_line(&self) {
        let file = OpenOptions::new().append(true).open(self.home.path().join("foreign.log"));
        // Lines are good and bad by turns, so that the event comes and goes.
        let level = if std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .is_ok_and(|at| at.as_secs() / 3 % 2 == 0)
        {
            "error"
        } else {
            "info"
        };
        let _ = file.and_then(|mut file| writeln!(file, "{{\"level\":\"{level}\",\"message\":\"x\"}}"));
    }

    fn count(&self, function: Function) -> Result<u64> {
        Ok(match function {
            Function::Frames => self.service.metrics()?.sum("avwatch_frames_total", &["good"]) as u64,
            Function::Events => self.json("/api/v1/status")?["sequence"].as_u64().context("has one")?,
            Function::Log => self.service.line_count() as u64,
            Function::Feed => *self.fed.lock().expect("nobody panics with it"),
            Function::Receivers => self.hook.calls().len() as u64,
            Function::Journal => {
                std::fs::metadata(self.home.data().join("journal.db-wal")).map_or(0, |about| modified(&about))
            }
            Function::Evidence => newest(&self.home.data().join("evidence")),
            Function::Pictures => self.picture()?,
            Function::ForeignLogs => self.foreign()?,
            Function::Heartbeat => self.beats.load(Ordering::Relaxed),
        })
    }

    fn json(&self, path: &str) -> Result<Value> {
        calls::json(&self.service.address, "GET", path, None)
    }

    /// How many pictures were seen that differ from the one before.
    fn picture(&self) -> Result<u64> {
        let (status, newest) = self.service.get("/api/v1/streams/good/thumbnail")?;
        anyhow::ensure!(status == 200, "no picture yet");
        let mut picture = self.picture.lock().expect("nobody panics with it");
        if picture.0 != newest {
            *picture = (newest, picture.1 + 1);
        }
        Ok(picture.1)
    }

    /// Changes of events that the foreign log caused.
    fn foreign(&self) -> Result<u64> {
        let page = self.json("/api/v1/events?detector=log_errors&limit=1000")?;
        let sequence = |event: &Value| event["sequence"].as_u64();
        Ok(page["events"].as_array().context("is a list")?.iter().filter_map(sequence).max().unwrap_or(0))
    }
}

/// A stream that is black for a second in five, everything that can be told of it, and a log that is good and bad by turns.
fn configuration(hook: &str, beat: &str, log: &str) -> String {
    let defects: Vec<String> = (0..120).map(|at| format!("black@{}+1", at * 5 + 2)).collect();
    format!(
        "alarms.flap_raises = 0\nlimits.latency_target = \"1m\"\nevidence.ring_seconds = 5\n\
         [detectors.black]\nseverities = {{ warning = \"200ms\" }}\nclear_after = \"200ms\"\n\
         [heartbeat]\nurl = \"{beat}\"\nevery = \"10s\"\n\
         [receivers.hook]\ngroup_interval = \"1s\"\n[receivers.hook.webhook]\nurl = \"{hook}\"\n\
         [[logs]]\nname = \"foreign\"\npath = \"{log}\"\nstream = \"good\"\n\
         [logs.rules.errors]\ndetector = \"log_errors\"\nwindow = \"2s\"\nclear_after = \"0s\"\nmin_lines = 1\nthresholds = {{ warning = 0.5 }}\n\
         [[streams]]\nname = \"good\"\ntier_min = \"full\"\nurl = \"synthetic:?size=320x180&fps=25&seed=1&defects={}\"\n",
        defects.join(",")
    )
}

fn modified(about: &std::fs::Metadata) -> u64 {
    let since = about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}

/// When anything below a folder was last written, in milliseconds since 1970.
fn newest(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => newest(&entry.path()).max(modified(&about)),
        Ok(about) => modified(&about),
        Err(_) => 0,
    };
    entries.map(of).max().unwrap_or(0)
}
