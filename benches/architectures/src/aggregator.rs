//! The aggregator: joins what the detectors found in a second and stores it.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::detector::Found;
use crate::store::{Calls, Objects};
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
    pub found: Vec<Found>,
    pub calls: Calls,
}

/// `aggregator STORE`.
pub fn run(store: &str) -> Result<()> {
    let mut objects = Objects::at(store);
    wire::serve(|asked: Join| {
        let mut found = Vec::new();
        for key in &asked.results {
            found.extend(serde_json::from_slice::<Vec<Found>>(&objects.get(key)?)?);
        }
        let key = format!("{}/{}/joined", asked.stream, asked.second);
        objects.put(&key, &serde_json::to_vec(&found)?)?;
        Ok(Joined { found, calls: objects.take_calls() })
    })
}
