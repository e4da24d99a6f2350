//! The command line: every command and option, with its help.
//!
//! Usage errors end the process with status 2 and a message on standard error. Nothing here opens
//! anything; what needs the configuration to be judged is judged where the configuration is.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

use avwatch_actors::severity::Severity;
use avwatch_actors::tier::Tier;

pub use super::clone_args::{ConfigCheckArgs, RunArgs};
use super::load_args::LoadArgs;
pub use super::log_args::LogsArgs;
pub use super::past_args::{BackupArgs, ReportArgs, TopArgs, TuneArgs};
pub use super::receiver_args::TestReceiverArgs;
use crate::access::Role;
use crate::detectors;
use crate::profile::Profile;
use crate::report::Format;

/// Most media seconds that `--seconds` may ask for: a week.
const SECONDS_MAX: f64 = 604_800.0;

/// Watches live audio and video streams in one process and reports what viewers would see or hear
/// go wrong.
#[derive(Debug, Parser)]
#[command(name = "avwatch", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Start with 'avwatch run' (a demo, if nothing is configured) or 'avwatch check FILE'.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service: watch the configured streams until told to stop
    ///
    /// Without any configuration (no file, no AVWATCH__ variable, no --set streams…) it runs a
    /// demo: synthetic streams with planted defects. Exit status: 0 clean stop; 2 bad usage or
    /// configuration, or port in use; 70 internal failure.
    Run(RunArgs),
    /// Inspect files or live inputs once and report
    ///
    /// Files are read as fast as possible, live inputs for --seconds. Exit status: 0 nothing at or
    /// above --fail-on; 1 something; 2 bad usage or configuration; 3 an input could not be checked.
    /// With --format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    Check(CheckArgs),
    /// List every detector with its hold times, severities and options
    Detectors(DetectorsArgs),
    /// Validate, print or describe the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask the local service whether it is alive, for containers
    ///
    /// Exit status: 0 alive; 1 not.
    Health(ConfigArgs),
    /// Turn an M3U, CSV or JSON channel list into configuration
    ///
    /// Every stream comes with mode = "observe": recorded, but pages nobody. Exit status: 0; 2 unreadable.
    Import(ImportArgs),
    /// List the events of a running service, or follow them
    ///
    /// Exit status: 0; 2 bad usage, or the service does not answer.
    Events(EventsArgs),
    /// Inspect the operations logs: filter, follow, sum up
    ///
    /// Reads files that the service wrote, and asks no service. Exit status: 0; 2 unreadable.
    Logs(LogsArgs),
    /// Show what a running service watches, worst first, refreshed each second
    ///
    /// Keys: q ends, arrows and pages scroll. Where standard output is no terminal it prints one page.
    /// Exit status: 0; 2 bad usage, or the service does not answer.
    Top(TopArgs),
    /// Tell how available streams were, and which alarms were noise
    ///
    /// Asks a running service, or reads its data folder with --data-dir. Exit status: 0; 2 bad usage, or no answer.
    Report(ReportArgs),
    /// Tell how many alarms there would have been under other hold times or another threshold
    ///
    /// Replays what the journal kept of the last day. Exit status: 0; 2 bad usage, or no answer.
    Tune(TuneArgs),
    /// Copy the databases of a service, consistently and while it runs
    ///
    /// Overwrites nothing. Exit status: 0; 2 bad usage, or a copy failed.
    Backup(BackupArgs),
    /// Make, list and remove tokens for the API
    ///
    /// Exit status: 0; 2 bad usage, or the service does not answer.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Have a running service send a test message to one of its receivers
    ///
    /// Exit status: 0 delivered; 1 not; 2 bad usage, or the service does not answer.
    TestReceiver(TestReceiverArgs),
    /// Load this machine with streams that carry planted defects: capacity, latency, recall
    ///
    /// Exit status: 0; 1 a --require-… target is missed; 2 bad usage or configuration.
    Load(Box<LoadArgs>),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual pages
    Man(ManArgs),
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Validate it; faults are told with file, line and key
    ///
    /// Exit status: 0 valid; 2 not, or clones that leave something out.
    Check(ConfigCheckArgs),
    /// Print it as resolved from all layers, secrets redacted
    Show(ConfigArgs),
    /// Print its JSON Schema
    Schema,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file, or folder of *.toml files; later ones win
    #[arg(long = "config", value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub config: Vec<PathBuf>,
    /// Set one key, such as server.listen=127.0.0.1:9000; wins over files and environment
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
}

/// Which running service is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct ServiceArgs {
    /// Address of the service, such as http://127.0.0.1:8080; default: what the configuration says
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// Token, if the service asks for one
    #[arg(long, value_name = "TOKEN", env = "AVWATCH_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Arguments of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// The list; - reads standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// m3u, csv or json; default: what it looks like
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
}

/// Arguments of `events`.
#[derive(Clone, Debug, Args)]
pub struct EventsArgs {
    /// Events of this stream only; with --follow several are possible
    #[arg(long, value_name = "NAME")]
    pub stream: Vec<String>,
    /// Events of this detector only
    #[arg(long, value_name = "NAME")]
    pub detector: Option<String>,
    /// Events of this severity or a higher one
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<Severity>,
    /// open, raised, escalated, acked, suppressed or ended
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Events with this label; several are possible, all must hold
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// Events still open, or changed since: RFC 3339, or a span such as 1h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Events that began before: RFC 3339, or a span such as 1h
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Most events, 1 to 1000; the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u16,
    /// Print changes as they happen, until told to stop
    #[arg(long)]
    pub follow: bool,
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
    /// Which service is asked.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and its hash for the configuration; asks no service
    New,
    /// List the tokens of a running service
    List(ServiceArgs),
    /// Have a running service make a token, and print it this once
    Add {
        /// Its name
        name: String,
        /// viewer reads; operator also acts on events and silences; admin changes everything
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: Role,
        /// Which service is asked.
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Have a running service forget a token
    Remove {
        /// Its name
        name: String,
        /// Which service is asked.
        #[command(flatten)]
        service: ServiceArgs,
    },
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Files, URLs or synthetic: sources; - reads standard input
    #[arg(required = true, value_name = "INPUT", value_hint = ValueHint::AnyPath)]
    pub inputs: Vec<OsString>,
    /// Profile: built-in (see 'avwatch detectors') or set by --set profiles.NAME.…
    #[arg(long, value_name = "NAME", default_value = Profile::File.name())]
    pub profile: String,
    /// Set one key, such as detectors.black.raise_after=1s
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// Use this detector only; may be given several times
    #[arg(long = "detector", value_name = "NAME", value_parser = detector_name)]
    pub detectors: Vec<String>,
    /// How much to look at: full, light, keyframes, audio or transport; a quick look costs less and shows less
    #[arg(long, value_name = "TIER", default_value = "full", value_parser = tier)]
    pub tier: Tier,
    /// How to write the report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the report to this file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Fail from this severity on: info, warning, minor, major or critical
    #[arg(long, value_name = "SEVERITY", default_value = Severity::Warning.name())]
    pub fail_on: Severity,
    /// Media time to inspect; 60 for live inputs and all of it for files, unless given
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Read files at the speed at which they are shown
    #[arg(long)]
    pub realtime: bool,
}

/// Arguments of `detectors`.
#[derive(Clone, Debug, Args)]
pub struct DetectorsArgs {
    /// Show the defaults of this built-in profile only
    #[arg(long, value_name = "NAME", value_parser = profile)]
    pub profile: Option<Profile>,
    /// How to write the list
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Arguments of `completions`.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write one file per command into this folder instead of all pages to standard output
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
}

impl Cli {
    /// Reads the process's arguments. Help and version end it with status 0, wrong usage with 2.
    pub fn read() -> Self {
        Self::from_arguments(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    ///
    /// Wrong usage, or help or version asked for.
    pub fn from_arguments<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let cli = Self::try_parse_from(arguments)?;
        if let Command::Check(check) = &cli.command
            && check.inputs.iter().filter(|input| *input == "-").count() > 1
        {
            let text = "standard input (-) can be read only once";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(cli)
    }
}

/// A setting must have a key; the configuration judges the rest.
pub(super) fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("use KEY=VALUE".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= SECONDS_MAX => Ok(seconds),
        _ => Err(format!("use a number of seconds above 0, at most {SECONDS_MAX}")),
    }
}

fn profile(text: &str) -> Result<Profile, String> {
    let names = || Profile::ALL.map(Profile::name).join(", ");
    text.parse().map_err(|unknown| format!("{unknown}: use {}", names()))
}

fn tier(text: &str) -> Result<Tier, String> {
    let known = Tier::ALL.into_iter().find(|tier| tier.name() == text);
    known.ok_or_else(|| format!("unknown tier: use {}", Tier::ALL.map(Tier::name).join(", ")))
}

pub(super) fn detector_name(text: &str) -> Result<String, String> {
    if detectors::by_name(text).is_some() {
        return Ok(text.to_owned());
    }
    let nearest = detectors::ALL
        .iter()
        .map(|kind| (strsim::damerau_levenshtein(kind.name, text), kind.name))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    Err(match nearest {
        Some((_, name)) => format!("unknown detector; did you mean '{name}'?"),
        None => "unknown detector; 'avwatch detectors' lists them".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::from_arguments(line.split_whitespace())
    }

    #[track_caller]
    fn refused(line: &str, word: &str) {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(word), "{error}");
    }

    #[track_caller]
    fn check_args(line: &str) -> CheckArgs {
        match parse(line).expect(line).command {
            Command::Check(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn check_has_the_defaults_of_the_contract() {
        let args = check_args("avwatch check clip.ts");
        assert_eq!(args.inputs, ["clip.ts"]);
        assert_eq!(args.profile, "file");
        assert_eq!(args.format, Format::Text);
        assert_eq!(args.fail_on, Severity::Warning);
        assert_eq!((args.seconds, args.realtime, args.output), (None, false, None));
    }

    #[test]
    fn check_takes_every_option_of_the_contract() {
        let line = "avwatch check a.ts - --profile ott --set detectors.black.raise_after=1s --set x=a=b --format nagios \
                    --output out.json --fail-on major --seconds 12.5 --realtime";
        let args = check_args(line);
        assert_eq!(args.inputs, ["a.ts", "-"]);
        assert_eq!(args.set, ["detectors.black.raise_after=1s", "x=a=b"]);
        assert_eq!(args.fail_on, Severity::Major);
        assert_eq!(args.seconds, Some(12.5));
        assert!(args.realtime);
    }

    #[test]
    fn every_format_of_the_contract_is_known() {
        for name in ["text", "json", "junit", "html", "nagios"] {
            check_args(&format!("avwatch check a.ts --format {name}"));
        }
        refused("avwatch check a.ts --format yaml", "yaml");
    }

    #[test]
    fn every_registered_detector_can_be_asked_for() {
        for kind in detectors::ALL {
            assert_eq!(check_args(&format!("avwatch check a.ts --detector {}", kind.name)).detectors, [kind.name]);
        }
        refused("avwatch check a.ts --detector nonesuch_at_all", "unknown detector");
    }

    #[test]
    fn wrong_usage_is_refused_with_status_two() {
        refused("avwatch", "Usage");
        refused("avwatch frobnicate", "frobnicate");
        refused("avwatch check", "INPUT");
        refused("avwatch check a.ts --fail-on dire", "unknown severity 'dire'");
        refused("avwatch check - -", "standard input");
        refused("avwatch run --set nothing", "KEY=VALUE");
        refused("avwatch run --set =x", "KEY=VALUE");
        refused("avwatch detectors --profile mine", "news-sport");
        refused("avwatch completions", "SHELL");
        for seconds in ["0", "-1", "nan", "inf", "1e9", "2s"] {
            refused(&format!("avwatch check a.ts --seconds={seconds}"), "seconds");
        }
    }

    #[test]
    fn the_other_commands_are_known() {
        for line in [
            "avwatch run",
            "avwatch run --config a.toml --config conf.d --set server.listen=127.0.0.1:9000",
            "avwatch detectors --profile ott --format json",
            "avwatch config check --config a.toml",
            "avwatch config show",
            "avwatch config schema",
            "avwatch health",
            "avwatch load --streams 4 --seconds 6 --source encoded --profile ott --format json",
            "avwatch import channels.m3u --format m3u",
            "avwatch events --stream lobby --severity major --state open --since 1h --format json",
            "avwatch events --follow --url http://127.0.0.1:8080",
            "avwatch top --once --format json",
            "avwatch report --since 7d --group site --from warning --noise --format html --output report.html",
            "avwatch tune --detector silence --raise-after 10s --clear-after 5s --threshold -50 --since 24h --stream lobby",
            "avwatch backup copies --journal --data-dir data",
            "avwatch token new",
            "avwatch token add grafana --role viewer",
            "avwatch token list --config a.toml",
            "avwatch token remove grafana",
            "avwatch completions bash",
            "avwatch man --directory man",
        ] {
            parse(line).expect(line);
        }
    }

    #[test]
    fn every_command_line_in_the_read_me_is_accepted() {
        // Every second part between fences is code.
        let lines: Vec<&str> = include_str!("../../README.md")
            .split("```")
            .skip(1)
            .step_by(2)
            .flat_map(str::lines)
            .filter_map(|line| line.trim_start_matches("$ ").split('#').next())
            .filter(|line| line.starts_with("avwatch "))
            .collect();
        assert!(lines.len() >= 5, "{lines:?}");
        for line in lines {
            parse(line).expect(line);
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["avwatch --help", "avwatch --version", "avwatch check --help", "avwatch help config show"] {
            assert_eq!(parse(line).expect_err("ends the process").exit_code(), 0, "{line}");
        }
    }
}
