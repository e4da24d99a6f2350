//! The arguments of `logs`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::cli::{ConfigArgs, ListFormat};
use crate::log_view::Importance;

/// Arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    /// Log files, or folders of them; - reads standard input; default: log.directory of the configuration
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Lines of this stream only; several are possible
    #[arg(long, value_name = "NAME")]
    pub stream: Vec<String>,
    /// Lines of this level or above: trace, debug, info, warn or error
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Importance>,
    /// Lines from then on: RFC 3339, or a span such as 2h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Lines before then: RFC 3339, or a span such as 2h
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Lines that match this regular expression, as they stand in the file
    #[arg(long, value_name = "RE")]
    pub grep: Option<String>,
    /// Print lines as they come, through rotation, until told to stop
    #[arg(long, conflicts_with = "summary")]
    pub follow: bool,
    /// Sum up: faults, restarts and uptime, events, latencies, detectors, losses
    #[arg(long)]
    pub summary: bool,
    /// How to write them; json gives lines as they are
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}
