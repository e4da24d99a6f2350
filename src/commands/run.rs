//! `avwatch run`: the service.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use std::io::IsTerminal;

use crate::config::{LogFormat, LogPlan, Plan, Sources, load};
use crate::media::{ffmpeg_log, ffmpeg_version};
use crate::service::{self, Requests};
use crate::telemetry::{self, LogOutput, TelemetrySettings};

/// Status for bad usage or configuration.
const USAGE: u8 = 2;
/// Status of an internal failure.
const INTERNAL: u8 = 70;

/// Runs the service until SIGTERM or SIGINT.
pub fn run(sources: &Sources) -> ExitCode {
    let loaded = match load(sources) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("error: {errors}");
            return ExitCode::from(USAGE);
        }
    };
    let requests = match listen_to_signals() {
        Ok(requests) => requests,
        Err(error) => {
            eprintln!("error: cannot handle signals: {error}");
            return ExitCode::from(INTERNAL);
        }
    };
    let settings = log_settings(&loaded.plan.log);
    // Who reads the log at the terminal has read the error there.
    let error_is_shown = matches!(settings.output, LogOutput::Stdout) && std::io::stdout().is_terminal();
    let log = match telemetry::init(&settings) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(USAGE);
        }
    };
    ffmpeg_log::install();
    let ffmpeg = match ffmpeg_version::check() {
        Ok(ffmpeg) => ffmpeg,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(INTERNAL);
        }
    };
    tracing::info!(life = "service", version = env!("CARGO_PKG_VERSION"), node = &*loaded.plan.node, "avwatch starts");
    if matches!(ffmpeg.verdict, ffmpeg_version::Verdict::KnownBad { .. }) {
        tracing::warn!("{}", ffmpeg.verdict_text());
    } else {
        tracing::info!("{}", ffmpeg.verdict_text());
    }
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    if loaded.plan.demo {
        tracing::info!(
            "nothing is configured: this is the demo; see config/example.toml for a configuration of your own"
        );
    } else if loaded.plan.streams.is_empty() && loaded.plan.share.elsewhere.is_empty() {
        tracing::warn!("no stream is configured: add [[streams]] to the configuration and reload");
    }
    tell_share(&loaded.plan);
    match service::run(loaded, sources, &requests, &ffmpeg, log.levels()) {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{error}");
            if !error_is_shown {
                eprintln!("error: {error}");
            }
            ExitCode::from(if error.is_usage() { USAGE } else { INTERNAL })
        }
    }
}

/// Says what part this clone takes, so that nobody wonders where the rest is.
fn tell_share(plan: &Plan) {
    let (share, streams) = (&plan.share, plan.streams.len());
    if share.is_all() {
        return;
    }
    let all = streams + share.elsewhere.len();
    tracing::info!(
        life = "service",
        streams,
        streams_elsewhere = share.elsewhere.len(),
        "this is one of several clones and watches {streams} of {all} configured streams: {share}"
    );
    if streams == 0 && all > 0 {
        tracing::warn!("no configured stream falls to this clone");
    }
}

/// The first SIGTERM or SIGINT ends the service in order, a second one at once.
fn listen_to_signals() -> std::io::Result<Requests> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let requests = Requests { stop: Arc::new(AtomicBool::new(false)), reload: Arc::default() };
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERNAL), requests.stop.clone())?;
        signal_hook::flag::register(signal, requests.stop.clone())?;
    }
    signal_hook::flag::register(SIGHUP, requests.reload.clone())?;
    Ok(requests)
}

fn log_settings(plan: &LogPlan) -> TelemetrySettings {
    let is_text = match plan.format {
        LogFormat::Auto => std::io::stdout().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let output = match &plan.directory {
        Some(directory) => LogOutput::Files {
            directory: directory.clone(),
            file_bytes_max: plan.file_bytes_max,
            files_max: usize::try_from(plan.files_max).unwrap_or(usize::MAX),
        },
        None => LogOutput::Stdout,
    };
    let is_text = is_text && plan.directory.is_none();
    TelemetrySettings {
        format: if is_text { telemetry::LogFormat::Text } else { telemetry::LogFormat::Json },
        level: plan.level.filter(),
        output,
    }
}
