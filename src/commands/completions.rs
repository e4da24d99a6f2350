//! `avwatch completions`: a completion script for a shell.

use clap::CommandFactory;

use super::cli::{Cli, CompletionsArgs};

/// The completion script for the shell asked for.
pub fn render(args: CompletionsArgs) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "avwatch", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use clap_complete::Shell;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(render(CompletionsArgs { shell: *shell })).expect("is UTF-8");
            for command in
                ["run", "check", "detectors", "config", "health", "import", "events", "token", "completions", "man"]
            {
                assert!(script.contains(command), "{shell} does not complete {command}");
            }
        }
    }
}
