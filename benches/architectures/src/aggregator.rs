//! The aggregator: joins what the detectors found in a second and stores it.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::page::figures::Calls;
use crate::store::Objects;
use crate::told::Change;
use crate::wire;

/// What is to be joined.
#[derive(Serialize, Deserialize)]
pub struct Join {
    pub stream: String,
    pub second: u64,
    pub results: Vec<String>,
}

/// All of it.
#[derive(Serialize, Deserialize)]
pub struct Joined {
    pub told: Vec<Change>,
    pub calls: Calls,
}

/// `aggregator STORE`.
pub fn run(store: &str) -> Result<()> {
    let mut objects = Objects::at(store);
    wire::serve(wire::READY, |asked: Join| {
        let mut told = Vec::new();
        for key in &asked.results {
            told.extend(serde_json::from_slice::<Vec<Change>>(&objects.get(key)?)?);
        }
        let key = format!("{}/{}/joined", asked.stream, asked.second);
        objects.put(&key, &serde_json::to_vec(&told)?)?;
        Ok(Joined { told, calls: objects.take_calls() })
    })
}
