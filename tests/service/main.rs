//! Proves the service as a process: real senders on the loopback, real signals, a real store.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod alarms;
mod api;
mod api_changes;
mod api_conditions;
mod api_fuzz;
mod api_schema;
mod clones;
mod crashes;
mod ending;
mod evidence;
mod guarded;
mod hostile;
mod incidents;
mod inputs;
mod logs;
mod memory;
mod notify;
mod past;
mod reload;
mod restart;
mod secrets;
mod starting;
