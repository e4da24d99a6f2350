//! What the commands do, one file each; wiring to the command line is in `main`.

pub mod config;
