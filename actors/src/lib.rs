//! The engine of avwatch: time, threads, lanes, restarts and latencies.
//!
//! It opens no file, socket or decoder: those come in through the ports [`source::Opener`],
//! [`source::FrameSource`], [`detector::Detector`], [`sink::Sink`] and [`sink::EventStore`].
#![forbid(unsafe_code)]

pub mod alarm_model;
pub mod arbiters;
pub mod bell;
pub mod connect_bucket;
pub mod cpu_accounts;
pub mod detector;
pub mod detector_actor;
pub mod detector_group;
pub mod detector_host;
pub mod event;
pub mod event_desk;
pub mod event_lifecycle;
pub mod fan_out;
pub mod frame;
pub mod ingest;
pub mod input_watch;
pub mod item;
pub mod lane;
pub mod latency;
pub mod lifeline;
pub mod media_time;
pub mod meters;
pub mod monitor;
pub mod paced;
pub mod precedence;
pub mod pulse;
pub mod restart;
pub mod scripted;
pub mod setup;
pub mod severity;
pub mod sink;
pub mod sink_thread;
pub mod source;
pub mod status;
pub mod store_thread;
pub mod stream_groups;
pub mod stream_life;
pub mod supervisor;
pub mod track;
pub mod worker;
