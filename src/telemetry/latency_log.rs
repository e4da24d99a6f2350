//! Latencies as HdrHistogram interval logs, in the standard text format, for the standard tools.
//!
//! Once per interval the thread `log:latencies` takes what the node's histograms gained and writes a
//! line for each stage (`Tag=decode` …). Values are microseconds. It alone touches these files; a
//! disk that is full or stuck stops it and nobody else, and what could not be written is told in the log.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use avwatch_actors::event::Wall;
use avwatch_actors::latency::Stage;
use avwatch_actors::status::{NodeLatencies, StatusBoard};
use avwatch_actors::worker;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

/// What the names of these files begin with.
pub const LATENCY_PREFIX: &str = "latency-";

/// What they end with.
pub const LATENCY_EXTENSION: &str = ".hlog";

/// How long the last interval may take to be written at the end.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Where and how often latencies are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyLogSettings {
    /// The folder of the log files.
    pub directory: PathBuf,
    /// Length of an interval.
    pub interval: Duration,
    /// Size at which a new file is begun, in bytes.
    pub file_bytes_max: u64,
    /// Number of files kept.
    pub files_max: usize,
}

/// The running log. Dropping it writes the last interval, waiting two seconds at most.
#[derive(Debug)]
pub struct LatencyLog {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
}

impl LatencyLog {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(settings: LatencyLogSettings, board: Arc<StatusBoard>) -> io::Result<Self> {
        let (stop, stopped) = bounded::<()>(0);
        let (end, ended) = bounded::<()>(1);
        let work = move |_: &Arc<_>| {
            // Held to the end: its owner waits until it is dropped.
            let _end = end;
            let mut writer = IntervalWriter::new(settings);
            let mut before = (SystemTime::now(), board.latencies());
            loop {
                let last = stopped.recv_timeout(writer.settings.interval) != Err(RecvTimeoutError::Timeout);
                let now = (SystemTime::now(), board.latencies());
                if let Err(error) = writer.write(&before, &now) {
                    tracing::warn!(fault = "latency_log", "latencies could not be written: {error}");
                }
                before = now;
                if last {
                    return;
                }
            }
        };
        drop(worker::spawn("log:latencies", Arc::default(), work, |_| {})?);
        Ok(Self { stop: Some(stop), ended })
    }
}

impl Drop for LatencyLog {
    fn drop(&mut self) {
        self.stop = None;
        if self.ended.recv_timeout(END_TIME_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(fault = "latency_log", "the last latencies could not be written in time");
        }
    }
}

/// Writes intervals into files of bounded size.
struct IntervalWriter {
    settings: LatencyLogSettings,
    file: Option<Open>,
    serializer: V2DeflateSerializer,
}

struct Open {
    file: File,
    base: SystemTime,
    bytes: u64,
}

impl IntervalWriter {
    fn new(settings: LatencyLogSettings) -> Self {
        Self { settings, file: None, serializer: V2DeflateSerializer::new() }
    }

    /// Writes what came between two looks.
    fn write(
        &mut self,
        (begin, before): &(SystemTime, NodeLatencies),
        (end, after): &(SystemTime, NodeLatencies),
    ) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|open| open.bytes >= self.settings.file_bytes_max) {
            self.file = None;
        }
        let mut open = match self.file.take() {
            Some(open) => open,
            None => self.begin_file(*begin)?,
        };
        for stage in Stage::ALL {
            let mut gained = after.stage(stage).clone();
            if gained.subtract(before.stage(stage)).is_err() || gained.is_empty() {
                // Nothing came; or less than before, which counts that only rise cannot show.
                continue;
            }
            let since = begin.duration_since(open.base).unwrap_or_default();
            let lasted = end.duration_since(*begin).unwrap_or_default();
            open.append(&self.line(stage, since, lasted, &gained)?)?;
        }
        // After an error a new file is begun: half a line would make the rest unreadable.
        self.file = Some(open);
        Ok(())
    }

    fn line(&mut self, stage: Stage, since: Duration, lasted: Duration, gained: &Histogram<u64>) -> io::Result<String> {
        let mut bytes = Vec::new();
        let encoded = self.serializer.serialize(gained, &mut bytes);
        encoded.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(format!(
            "Tag={},{:.3},{:.3},{:.3},{}\n",
            stage.name(),
            since.as_secs_f64(),
            lasted.as_secs_f64(),
            gained.max() as f64 / 1e3,
            STANDARD.encode(&bytes)
        ))
    }

    /// Begins a file and removes the oldest ones beyond their number.
    fn begin_file(&mut self, base: SystemTime) -> io::Result<Open> {
        let folder = &self.settings.directory;
        DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        let time: String = Wall(base).to_string().chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
        let path = folder.join(format!("{LATENCY_PREFIX}{time}{LATENCY_EXTENSION}"));
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        remove_oldest(folder, self.settings.files_max.max(1))?;
        let mut open = Open { bytes: file.metadata()?.len(), file, base };
        let seconds = base.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        open.append(&format!(
            "#[Histogram log format version 1.3]\n\
            #[avwatch {} stage latencies in microseconds, Interval_Max in milliseconds]\n\
            #[StartTime: {seconds:.3} (seconds since epoch), {}]\n\
            #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
            \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            env!("CARGO_PKG_VERSION"),
            Wall(base),
        ))?;
        Ok(open)
    }
}

impl Open {
    fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

/// Their names are their times, so the oldest come first.
fn remove_oldest(folder: &Path, keep: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_one =
            name.to_str().is_some_and(|name| name.starts_with(LATENCY_PREFIX) && name.ends_with(LATENCY_EXTENSION));
        files.extend(is_one.then(|| entry.path()));
    }
    files.sort();
    let surplus = files.len().saturating_sub(keep);
    files.iter().take(surplus).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use avwatch_actors::latency::StageHistograms;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    fn settings(folder: &Path, file_bytes_max: u64) -> LatencyLogSettings {
        LatencyLogSettings {
            directory: folder.to_owned(),
            interval: Duration::from_secs(60),
            file_bytes_max,
            files_max: 3,
        }
    }

    fn board() -> StatusBoard {
        StatusBoard::new(Arc::default(), Arc::default(), Arc::default())
    }

    fn record(board: &StatusBoard, millis: u64, times: u32) {
        let mut batch = StageHistograms::default();
        (0..times).for_each(|_| batch.record(Stage::Decode, Duration::from_millis(millis)));
        board.absorb(&batch);
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn an_interval_holds_what_came_in_it_and_nothing_from_before() {
        let (folder, board) = (tempfile::tempdir().unwrap(), board());
        let mut writer = IntervalWriter::new(settings(folder.path(), 1 << 20));
        let at = |minute: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_888_800 + minute * 60);
        let mut before = (at(0), board.latencies());
        for (minute, (millis, times)) in [(5, 10), (80, 3)].into_iter().enumerate() {
            record(&board, millis, times);
            let now = (at(minute as u64 + 1), board.latencies());
            writer.write(&before, &now).unwrap();
            before = now;
        }
        let text = fs::read_to_string(&files(folder.path())[0]).unwrap();
        assert!(text.starts_with("#[Histogram log format version 1.3]\n"), "{text}");
        let mut read = Vec::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            match entry.unwrap() {
                LogEntry::StartTime(time) | LogEntry::BaseTime(time) => assert_eq!(time.as_secs(), 1_795_888_800),
                LogEntry::Interval(interval) => {
                    assert_eq!(interval.tag().map(|tag| tag.as_str()), Some("decode"));
                    let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
                    // The cookie of V2 with deflate, by the format's definition.
                    assert_eq!(bytes[..4], 0x1c84_9314_u32.to_be_bytes());
                    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                    read.push((interval.start_timestamp().as_secs(), interval.duration().as_secs(), histogram.len()));
                    assert!((interval.max() - histogram.max() as f64 / 1e3).abs() < 1e-3);
                }
            }
        }
        assert_eq!(read, [(0, 60, 10), (60, 60, 3)]);
    }

    #[test]
    fn files_stay_below_their_size_and_number() {
        let (folder, board) = (tempfile::tempdir().unwrap(), board());
        let mut writer = IntervalWriter::new(settings(folder.path(), 400));
        let at = |minute: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_888_800 + minute * 60);
        let mut before = (at(0), board.latencies());
        for minute in 1..20 {
            record(&board, minute, 5);
            let now = (at(minute), board.latencies());
            writer.write(&before, &now).unwrap();
            before = now;
        }
        let files = files(folder.path());
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() < 1_000), "{files:?}");
        let newest = fs::read_to_string(&files[2]).unwrap();
        assert!(newest.contains("Tag=decode,"), "{newest}");
    }

    #[test]
    fn the_last_interval_is_written_at_the_end() {
        let (folder, board) = (tempfile::tempdir().unwrap(), Arc::new(board()));
        let log = LatencyLog::start(settings(folder.path(), 1 << 20), board.clone()).unwrap();
        drop(log);
        let log = LatencyLog::start(settings(folder.path(), 1 << 20), board.clone()).unwrap();
        // The thread takes its first look before anything is recorded, or the interval is empty.
        while files(folder.path()).is_empty() {
            std::thread::yield_now();
        }
        drop(log);
        assert!(!files(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_and_the_next_interval_is_tried_again() {
        let (folder, board) = (tempfile::tempdir().unwrap(), board());
        let path = folder.path().join("logs");
        fs::write(&path, "in the way").unwrap();
        let mut writer = IntervalWriter::new(settings(&path, 1 << 20));
        let before = (SystemTime::now(), board.latencies());
        record(&board, 5, 1);
        let now = (SystemTime::now(), board.latencies());
        assert!(writer.write(&before, &now).is_err());
        fs::remove_file(&path).unwrap();
        writer.write(&before, &now).unwrap();
        assert_eq!(files(&path).len(), 1);
    }
}
