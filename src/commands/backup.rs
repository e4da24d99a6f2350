//! `avwatch backup`: a consistent copy of the databases, while the service runs.

use std::io::{self, Write};
use std::process::ExitCode;

use super::cli::BackupArgs;
use super::events::closed_is_fine;
use super::report::data_folder;
use crate::backup::{JournalCopy, back_up};
use crate::config::Sources;

/// Status for bad usage, or a backup that could not be made.
const USAGE: u8 = 2;

/// Runs the command.
pub fn run(args: &BackupArgs, sources: &Sources) -> ExitCode {
    match try_run(args, sources) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn try_run(args: &BackupArgs, sources: &Sources) -> Result<(), String> {
    let data = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => data_folder(sources)?,
    };
    let journal = if args.journal { JournalCopy::Wanted } else { JournalCopy::LeftOut };
    let copied = back_up(&data, &args.directory, journal).map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    let written = copied.iter().try_for_each(|copy| writeln!(out, "{} {} bytes", copy.path.display(), copy.bytes));
    closed_is_fine(written)
}
