//! The engine of avwatch: time, threads, lanes, restarts and latencies.
//!
//! It opens no file, socket or decoder: those come in through the ports [`source::Opener`],
//! [`source::FrameSource`], [`detector::Detector`], [`sink::Sink`] and [`sink::EventStore`].
#![forbid(unsafe_code)]

pub mod detector;
pub mod event;
pub mod frame;
pub mod item;
pub mod lifeline;
pub mod media_time;
pub mod scripted;
pub mod severity;
pub mod sink;
pub mod source;
pub mod track;
