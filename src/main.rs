//! The `avwatch` command: reads the command line and hands over to one file per command.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use avwatch::commands::cli::{Cli, Command, ConfigArgs, ConfigCommand, TokenCommand};
use avwatch::commands::config::Printout;
use avwatch::commands::{
    self, backup, check, completions, detectors, events, health, import, load, logs, man, report, token, top,
};
use avwatch::config::{ShareArguments, Sources};
use avwatch::media::{ffmpeg_log, heap};
use avwatch::report::Destination;
use avwatch::telemetry::{self, LogFormat, LogOutput, TelemetrySettings};
use tracing::level_filters::LevelFilter;

/// Status of an internal failure.
const INTERNAL: u8 = 70;

/// Set by the first Ctrl-C or SIGTERM.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let cli = Cli::read();
    // The root of the first thread. A panic has been told by then; its status is that of any other internal failure.
    catch_unwind(AssertUnwindSafe(|| obey(cli))).unwrap_or(ExitCode::from(INTERNAL))
}

fn obey(cli: Cli) -> ExitCode {
    heap::arrange();
    match cli.command {
        Command::Run(args) => commands::run::run(&Sources { share: args.share(), ..sources(args.config, true) }),
        Command::Check(args) => {
            let _log = quiet_log();
            stop_on_signals();
            check::run(&args, &STOP)
        }
        Command::Detectors(args) => match detectors::render(avwatch::detectors::ALL, &args) {
            Ok(bytes) => print(&bytes),
            Err(error) => fail(&error),
        },
        Command::Config(ConfigCommand::Check(args)) => {
            let sources = sources(args.whole_config(), false);
            show(match args.clones.as_slice() {
                [] => commands::config::check(&sources),
                clones => commands::config::check_clones(&sources, clones),
            })
        }
        Command::Config(ConfigCommand::Show(args)) => show(commands::config::show(&sources(args, false))),
        Command::Config(ConfigCommand::Schema) => show(commands::config::schema()),
        Command::Health(args) => health::run(&sources(args, true)),
        Command::Import(args) => import::run(&args),
        Command::Events(args) => events::run(&args, &sources(args.service.config.clone(), true)),
        Command::TestReceiver(args) => commands::test_receiver::run(&args, &sources(args.service.config.clone(), true)),
        Command::Logs(args) => logs::run(&args, &sources(args.config.clone(), true)),
        Command::Top(args) => top::run(&args, &sources(args.service.config.clone(), true)),
        Command::Report(args) => report::run(&args, &sources(args.service.config.clone(), true)),
        Command::Tune(args) => report::run_tune(&args, &sources(args.service.config.clone(), true)),
        Command::Backup(args) => backup::run(&args, &sources(args.config.clone(), true)),
        Command::Token(command) => {
            let config = match &command {
                TokenCommand::New => ConfigArgs::default(),
                TokenCommand::List(service)
                | TokenCommand::Add { service, .. }
                | TokenCommand::Remove { service, .. } => service.config.clone(),
            };
            token::run(&command, &sources(config, true))
        }
        Command::Load(args) => {
            let _log = quiet_log();
            stop_on_signals();
            load::run(&args, &STOP)
        }
        Command::Completions(args) => print(&completions::render(args)),
        Command::Man(args) => match &args.directory {
            Some(folder) => match man::write_to(folder) {
                Ok(count) => {
                    eprintln!("{count} manual pages written to {}", folder.display());
                    ExitCode::SUCCESS
                }
                Err(error) => fail(&error),
            },
            None => print(&man::render()),
        },
    }
}

fn sources(args: ConfigArgs, allow_demo: bool) -> Sources {
    let share = ShareArguments::default();
    Sources { read_etc: true, files: args.config, environment: environment(), sets: args.set, share, allow_demo }
}

/// The environment as far as it is text: no key or value of ours is anything else.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The log of one-shot commands: what goes wrong in us, not what is wrong with the input.
fn quiet_log() -> Option<telemetry::Telemetry> {
    let settings = TelemetrySettings { format: LogFormat::Text, level: LevelFilter::ERROR, output: LogOutput::Stderr };
    ffmpeg_log::install();
    telemetry::init(&settings).ok()
}

/// The first signal ends the work in order, the second at once.
fn stop_on_signals() {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let again = signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone());
        let first = signal_hook::flag::register(signal, stop.clone());
        // SAFETY is not at stake: the handler only stores; without it Ctrl-C ends the process at once.
        if let Err(error) = again.and(first) {
            eprintln!("warning: signal {signal} is not handled: {error}");
        }
    }
    let relay = move |_: &std::sync::Arc<avwatch_actors::lifeline::Lifeline>| {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        STOP.store(true, Ordering::Relaxed);
    };
    if let Err(error) = avwatch_actors::worker::spawn("signals", std::sync::Arc::default(), relay, |_| {}) {
        eprintln!("warning: signals are not handled: {error}");
    }
}

fn show(printout: Printout) -> ExitCode {
    // A closed standard error is no reason to fail.
    let _ = std::io::stderr().write_all(printout.stderr.as_bytes());
    match Destination::Stdout.write(printout.stdout.as_bytes()) {
        Ok(()) => ExitCode::from(printout.status),
        Err(error) => fail(&error),
    }
}

fn print(bytes: &[u8]) -> ExitCode {
    match Destination::Stdout.write(bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(INTERNAL)
}
