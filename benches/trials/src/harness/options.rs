//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// What was asked for.
pub struct Options {
    /// Names or ids of trials; all when empty.
    pub names: Vec<String>,
    /// The binary.
    pub avwatch: PathBuf,
    /// File of kept results, JSON lines.
    pub results: PathBuf,
    /// The page that is written of them.
    pub page: PathBuf,
    /// Write the page of what is kept, run nothing that is not named.
    pub page_only: bool,
    /// What chance is drawn from.
    pub seed: u64,
    /// Minutes of the soak.
    pub minutes: u64,
    /// Kills of R12.
    pub kills: u64,
    /// Mutated inputs of R3.
    pub cases: u64,
    /// Streams that R2 adds and removes.
    pub churned: u64,
    /// Seconds for which the receiver of R35 is away.
    pub outage_seconds: u64,
    /// Kills of R36.
    pub send_kills: u64,
    /// The options as they were given, for the record.
    pub given: Vec<String>,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// An option is unknown or has no number, or there is no binary.
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the package lies in benches/trials")?;
        let mut options = Self {
            names: Vec::new(),
            avwatch: root.join("target/release/avwatch"),
            results: root.join("docs/reliability.jsonl"),
            page: root.join("docs/reliability.md"),
            page_only: false,
            seed: 1,
            minutes: 60,
            kills: 300,
            cases: 10_000,
            churned: 10_000,
            outage_seconds: 600,
            send_kills: 100,
            given: Vec::new(),
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            let number = |text: String| text.parse::<u64>().with_context(|| format!("{argument} takes a number"));
            match argument.as_str() {
                "--page" => options.page_only = true,
                "--avwatch" => options.avwatch = value()?.into(),
                "--results" => {
                    options.results = value()?.into();
                    options.page = options.results.with_extension("md");
                }
                "--seed" | "--minutes" | "--kills" | "--cases" | "--churned" | "--outage-seconds" | "--send-kills" => {
                    let (name, number) = (argument.clone(), number(value()?)?);
                    ensure!(number > 0, "{name} must be above 0");
                    options.given.push(format!("{name} {number}"));
                    match name.as_str() {
                        "--seed" => options.seed = number,
                        "--minutes" => options.minutes = number,
                        "--kills" => options.kills = number,
                        "--cases" => options.cases = number,
                        "--outage-seconds" => options.outage_seconds = number,
                        "--send-kills" => options.send_kills = number,
                        _ => options.churned = number,
                    }
                }
                _ if argument.starts_with('-') => bail!("unknown option {argument}"),
                _ => options.names.push(argument),
            }
        }
        options.avwatch = std::path::absolute(&options.avwatch)?;
        let runs = !(options.page_only && options.names.is_empty());
        ensure!(!runs || options.avwatch.is_file(), "there is no binary at {}", options.avwatch.display());
        Ok(options)
    }
}
