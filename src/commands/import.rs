//! `avwatch import`: a channel list of another program as configuration.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use super::cli::ImportArgs;
use super::events::closed_is_fine;
use crate::import::{List, ListFormat, guess, read, toml_of};

/// Largest list, in bytes.
const LIST_BYTES_MAX: u64 = 32 << 20;

/// Status for a list that cannot be read.
const USAGE: u8 = 2;

/// Runs the command: configuration on standard output, a summary on standard error.
pub fn run(args: &ImportArgs) -> ExitCode {
    match import(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn import(args: &ImportArgs) -> Result<(), String> {
    let name = args.file.display();
    let text = contents(&args.file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let format = match &args.format {
        Some(word) => word.parse::<ListFormat>().map_err(|error| error.to_string())?,
        None => guess(&text),
    };
    let List { streams, ignored } = read(&text, format).map_err(|error| format!("{name}: {error}"))?;
    eprintln!("{} streams, all of them in mode observe", streams.len());
    if !ignored.is_empty() {
        let columns: Vec<&str> = ignored.iter().map(String::as_str).collect();
        eprintln!("left out, for nothing is known of them: {}", columns.join(", "));
    }
    closed_is_fine(io::stdout().write_all(toml_of(&streams).as_bytes()))
}

fn contents(path: &Path) -> io::Result<String> {
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut bytes = Vec::new();
    source.take(LIST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIST_BYTES_MAX {
        return Err(io::Error::other(format!("it is over {LIST_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text in UTF-8"))
}
