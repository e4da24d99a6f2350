//! One file per command: it reads its arguments, wires parts together and answers with an exit status.

pub mod backup;
pub mod check;
pub mod cli;
pub mod client;
pub mod clone_args;
pub mod completions;
pub mod config;
pub mod detectors;
pub mod events;
pub mod health;
pub mod import;
pub mod load;
pub mod load_args;
pub mod log_args;
pub mod logs;
pub mod man;
pub mod past_args;
pub mod receiver_args;
pub mod report;
pub mod run;
pub mod test_receiver;
pub mod token;
pub mod top;
