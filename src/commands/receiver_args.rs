//! The arguments of `test-receiver`.

use clap::Args;

use super::cli::ServiceArgs;

/// Arguments of `test-receiver`.
#[derive(Clone, Debug, Args)]
pub struct TestReceiverArgs {
    /// Its name, as in [receivers.NAME]
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which service is asked.
    #[command(flatten)]
    pub service: ServiceArgs,
}
