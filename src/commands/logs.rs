//! `avwatch logs`: filters, follows and sums up the operations logs.
//!
//! Reads files only; no service is asked. What it cannot read ends it with status 2.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::cli::{ListFormat, LogsArgs};
use crate::config::{Sources, Span, load};
use crate::log_view::{
    Filter, Follower, Found, Latencies, Line, LineReader, LogFiles, Moment, Printer, Read, Source, Style, Summary,
    Unreadable,
};
use crate::report::Destination;

/// Status for bad usage, or a log that cannot be read.
const USAGE: u8 = 2;

/// How often a followed log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why the command ended early.
enum Halt {
    /// Who reads our output has read enough.
    Closed,
    /// Something is wrong.
    Failed(String),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<Unreadable> for Halt {
    fn from(error: Unreadable) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the command.
pub fn run(args: &LogsArgs, sources: &Sources) -> ExitCode {
    match attend(args, sources) {
        Ok(()) | Err(Halt::Closed) => ExitCode::SUCCESS,
        Err(Halt::Failed(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(USAGE)
        }
    }
}

fn attend(args: &LogsArgs, sources: &Sources) -> Result<(), Halt> {
    let filter = filter(args)?;
    let files = LogFiles::find(&paths(args, sources)?)?;
    if args.summary { sum_up(args, &filter, &files) } else { print(args, &filter, &files) }
}

fn filter(args: &LogsArgs) -> Result<Filter, Halt> {
    let words = args.grep.as_deref().map(regex::bytes::Regex::new).transpose();
    Ok(Filter {
        streams: args.stream.clone(),
        level: args.level,
        since: args.since.as_deref().map(|text| moment("--since", text)).transpose()?,
        until: args.until.as_deref().map(|text| moment("--until", text)).transpose()?,
        words: words.map_err(|error| Halt::Failed(format!("--grep is no regular expression: {error}")))?,
    })
}

/// RFC 3339, or so long ago.
fn moment(option: &str, text: &str) -> Result<Moment, Halt> {
    if let Ok(Span(ago)) = text.parse() {
        return Ok(Moment::of(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)));
    }
    Moment::parse(text.as_bytes()).ok_or_else(|| {
        Halt::Failed(format!(
            "{option} must be a time such as 2026-11-28T18:00:00Z, or a span such as 2h for that long ago"
        ))
    })
}

/// What was named, or where the configuration has the service write.
fn paths(args: &LogsArgs, sources: &Sources) -> Result<Vec<PathBuf>, Halt> {
    if !args.files.is_empty() {
        return Ok(args.files.clone());
    }
    let loaded = load(sources).map_err(|errors| Halt::Failed(errors.to_string()))?;
    let nowhere =
        "log.directory is not set, so the service writes to standard output: name files, or - for standard input";
    loaded.plan.log.directory.map(|folder| vec![folder]).ok_or_else(|| Halt::Failed(nowhere.to_owned()))
}

/// Whether the file was last written before the time that is asked for.
fn is_too_old(path: &Path, filter: &Filter) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    written.is_some_and(|written| filter.since.is_some_and(|since| Moment::of(written) < since))
}

/// Gives every line of places that end.
fn read_all(
    places: &[Found],
    filter: &Filter,
    malformed: &mut u64,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Halt>,
) -> Result<(), Halt> {
    let mut lines = LineReader::default();
    for place in places {
        let mut source: Box<dyn io::Read> = match place {
            Found::Rolled(path) | Found::Newest(path) if is_too_old(path, filter) => continue,
            Found::Rolled(path) | Found::Newest(path) => {
                Box::new(File::open(path).map_err(|error| Unreadable::at(path, error))?)
            }
            Found::Stdin => Box::new(io::stdin()),
        };
        while lines.read(&mut source, take)? == Read::More {}
        lines.finish(take)?;
    }
    *malformed += lines.too_long;
    Ok(())
}

fn print(args: &LogsArgs, filter: &Filter, files: &LogFiles) -> Result<(), Halt> {
    let style = match args.format {
        ListFormat::Json => Style::Json,
        ListFormat::Text if is_coloured() => Style::Coloured,
        ListFormat::Text => Style::Plain,
    };
    let mut printer = Printer::new(io::BufWriter::with_capacity(64 << 10, io::stdout().lock()), style);
    let mut malformed = 0;
    {
        let mut skipped = 0;
        let mut take = |bytes: &[u8]| -> Result<(), Halt> {
            match Line::parse(bytes) {
                Some(line) if filter.passes(&line, bytes) => printer.print(&line, bytes)?,
                Some(_) => {}
                None => skipped += u64::from(!bytes.trim_ascii().is_empty()),
            }
            Ok(())
        };
        if !args.follow {
            read_all(&files.places, filter, &mut malformed, &mut take)?;
        }
        malformed += skipped;
    }
    if args.follow {
        follow(filter, files, &mut printer)?;
    }
    printer.flush()?;
    if malformed > 0 {
        // Results go to standard output, what is to be said of them does not.
        eprintln!("{malformed} lines are no log lines of avwatch and were passed over");
    }
    Ok(())
}

fn follow<W: Write>(filter: &Filter, files: &LogFiles, printer: &mut Printer<W>) -> Result<(), Halt> {
    let source = |place: &Found| match place {
        Found::Rolled(path) => Ok(Source::stream(File::open(path).map_err(|error| Unreadable::at(path, error))?)),
        Found::Newest(path) => Ok(Source::file(path)),
        Found::Stdin => Ok(Source::stream(io::stdin())),
    };
    let mut follower = None;
    // Rolled files wholly, one after the other, before what may still grow.
    let (ended, growing): (Vec<&Found>, Vec<&Found>) =
        files.places.iter().partition(|place| matches!(place, Found::Rolled(_)));
    let growing = growing.into_iter().map(source).collect::<Result<Vec<_>, Halt>>()?;
    let mut ended = ended.into_iter();
    loop {
        let current = match &mut follower {
            Some(current) => current,
            none => none.insert(Follower::new(ended.next().map(source).transpose()?.into_iter().collect())),
        };
        let read = current.poll(&mut |bytes| -> Result<(), Halt> {
            if let Some(line) = Line::parse(bytes).filter(|line| filter.passes(line, bytes)) {
                printer.print(&line, bytes)?;
            }
            Ok(())
        })?;
        if read == Read::End && current.has_ended() {
            match ended.next() {
                Some(next) => follower = Some(Follower::new(vec![source(next)?])),
                None => break,
            }
        }
    }
    let mut follower = Follower::new(growing);
    loop {
        let read = follower.poll(&mut |bytes| -> Result<(), Halt> {
            if let Some(line) = Line::parse(bytes).filter(|line| filter.passes(line, bytes)) {
                printer.print(&line, bytes)?;
            }
            Ok(())
        })?;
        if read == Read::End {
            printer.flush()?;
            if follower.has_ended() {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn sum_up(args: &LogsArgs, filter: &Filter, files: &LogFiles) -> Result<(), Halt> {
    let (mut summary, mut too_long, mut malformed) = (Summary::default(), 0, 0);
    read_all(&files.places, filter, &mut too_long, &mut |bytes| {
        match Line::parse(bytes) {
            Some(line) if filter.passes(&line, bytes) => summary.take(&line),
            Some(_) => {}
            None => malformed += u64::from(!bytes.trim_ascii().is_empty()),
        }
        Ok(())
    })?;
    summary.malformed(malformed + too_long);
    let mut latencies = Latencies::default();
    for path in &files.latencies {
        latencies.read(path, filter)?;
    }
    let report = summary.finish(&latencies);
    let mut text = match args.format {
        ListFormat::Text => report.to_string(),
        ListFormat::Json => serde_json::to_string_pretty(&report).map_err(|error| Halt::Failed(error.to_string()))?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Destination::Stdout.write(text.as_bytes()).map_err(|error| Halt::Failed(error.to_string()))
}

fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
