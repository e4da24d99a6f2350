//! avwatch watches live audio and video streams in one process and tells what viewers would see
//! or hear go wrong.

pub mod commands;
pub mod config;
pub mod detectors;
pub mod measure;
pub mod media;
pub mod profile;
pub mod report;
pub mod secret_url;
pub mod synthetic;
