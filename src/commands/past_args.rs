//! Arguments of the commands that tell of what was and is: `top`, `report`, `tune`, `backup`.

use std::path::PathBuf;

use avwatch_actors::severity::Severity;
use clap::{Args, ValueHint};

use super::cli::{ConfigArgs, ListFormat, ServiceArgs, detector_name};
use crate::availability::{GROUP_LABEL, ReportFormat};
use crate::config::Span;

/// Arguments of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Print one page and end
    #[arg(long)]
    pub once: bool,
    /// How to write it; json is one snapshot
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
    /// Which service is asked.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// From this time on: RFC 3339, or a span such as 2h or 7d for that long ago; default 24h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to this time; default: now
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// This stream only
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// Group streams by this label
    #[arg(long, value_name = "LABEL", default_value = GROUP_LABEL)]
    pub group: String,
    /// The lowest severity that counts as an error
    #[arg(long, value_name = "SEVERITY", default_value = Severity::Major.name())]
    pub from: Severity,
    /// Also tell the noisiest streams and detectors, what to change, and which observed streams are ready to go live
    #[arg(long)]
    pub noise: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Read this data folder instead of asking a service
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,
    /// Which service is asked.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `tune`.
#[derive(Clone, Debug, Args)]
pub struct TuneArgs {
    /// The detector
    #[arg(long, value_name = "NAME", value_parser = detector_name)]
    pub detector: String,
    /// Another time in the condition before anything is raised, such as 10s
    #[arg(long, value_name = "SPAN")]
    pub raise_after: Option<Span>,
    /// Another time without the condition until an event ends
    #[arg(long, value_name = "SPAN")]
    pub clear_after: Option<Span>,
    /// Another score at which the condition holds, in the detector's own unit
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// This stream only
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// From this time on: RFC 3339, or a span such as 2h for that long ago; default 24h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to this time; default: now
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
    /// Read this data folder instead of asking a service; streams are those of the configuration
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,
    /// Which service is asked.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `backup`.
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// Folder for the copies; made if it is missing
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Copy the journal, too: what streams showed in every second
    #[arg(long)]
    pub journal: bool,
    /// The data folder; default: what the configuration says
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}
