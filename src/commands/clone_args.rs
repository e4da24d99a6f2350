//! The arguments of `run` and `config check`, which know of clones.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::cli::ConfigArgs;
use crate::config::ShareArguments;

/// Arguments of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Run these detectors only: other clones of this service run the others
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub detectors: Vec<String>,
    /// Watch the I-th of N parts of the configured streams only: other clones watch the others
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
}

impl RunArgs {
    /// What part this clone takes, as far as the arguments say it. The configuration judges it.
    pub fn share(&self) -> ShareArguments {
        // As `--set` reads a list: blanks after commas do not count.
        let detectors = self.detectors.iter().map(|name| name.trim().to_owned()).collect();
        ShareArguments { detectors, shard: self.shard.clone() }
    }
}

/// Arguments of `config check`.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigCheckArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// More of the same as --config
    #[arg(value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Judge these files or folders as clones, each on top of what --config says, and whether together they run every
    /// detector on every stream
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., value_hint = ValueHint::AnyPath)]
    pub clones: Vec<PathBuf>,
}

impl ConfigCheckArgs {
    /// Where the configuration comes from, files without a name of their own last.
    pub fn whole_config(&self) -> ConfigArgs {
        let mut config = self.config.clone();
        config.config.extend_from_slice(&self.files);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::super::cli::{Cli, Command, ConfigCommand};
    use super::*;

    fn parse(line: &str) -> Command {
        Cli::from_arguments(line.split_whitespace()).expect(line).command
    }

    #[test]
    fn run_takes_a_subset_of_detectors_and_a_shard_beside_its_configuration() {
        let line = "avwatch run --config a.toml --detectors black,freeze --shard 2/5 --detectors silence";
        let Command::Run(args) = parse(line) else { panic!("{line}") };
        assert_eq!(args.config.config, [PathBuf::from("a.toml")]);
        let detectors = ["black", "freeze", "silence"].map(str::to_owned).to_vec();
        assert_eq!(args.share(), ShareArguments { detectors, shard: Some("2/5".to_owned()) });
        let Command::Run(bare) = parse("avwatch run") else { panic!("run") };
        assert_eq!(bare.share(), ShareArguments::default());
    }

    #[test]
    fn config_check_takes_a_file_as_it_stands() {
        let line = "avwatch config check --config common.toml a.toml b";
        let Command::Config(ConfigCommand::Check(args)) = parse(line) else { panic!("{line}") };
        assert_eq!(args.whole_config().config, ["common.toml", "a.toml", "b"].map(PathBuf::from));
    }

    #[test]
    fn config_check_takes_several_clones_over_common_files() {
        let line = "avwatch config check --config common.toml --clones a.toml b.toml c.toml";
        let Command::Config(ConfigCommand::Check(args)) = parse(line) else { panic!("{line}") };
        assert_eq!(args.config.config, [PathBuf::from("common.toml")]);
        assert_eq!(args.clones, ["a.toml", "b.toml", "c.toml"].map(PathBuf::from));
        assert!(Cli::from_arguments(["avwatch", "config", "check", "--clones"]).is_err(), "none is no set of clones");
    }
}
