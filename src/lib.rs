//! avwatch watches live audio and video streams in one process and tells what viewers would see
//! or hear go wrong.

pub mod access;
pub mod api;
pub mod availability;
pub mod backup;
pub mod catalogue;
pub mod cidr;
pub mod commands;
pub mod config;
pub mod dashboard;
pub mod desired;
pub mod detectors;
pub mod evidence;
pub mod import;
pub mod inspect;
pub mod journal;
pub mod live;
pub mod measure;
pub mod media;
pub mod node_snapshot;
pub mod notify;
pub mod profile;
pub mod record;
pub mod report;
pub mod secret_url;
pub mod service;
pub mod sinks;
pub mod snapshot;
pub mod stream_boards;
pub mod stream_parts;
pub mod synthetic;
pub mod telemetry;
pub mod tune;
