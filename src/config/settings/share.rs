//! `[clone]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[clone]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CloneSettings {
    /// The only detectors that run here, those of logs included; also `--detectors`. Other clones have to run the
    /// others. Default: all.
    #[schemars(extend("examples" = [["black", "freeze", "input_down"]]))]
    pub detectors: Option<Vec<String>>,
    /// Which part of the configured streams is watched here, as I/N: the I-th of N, by a hash of their names; also
    /// `--shard`. Default: all. Range: I from 1 to N, N from 1 to 1000.
    #[schemars(extend("examples" = ["2/5"]))]
    pub shard: Option<String>,
}
