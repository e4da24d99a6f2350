//! Media that is sent to the service.

pub mod broadcast;
pub mod clip;
pub mod hls;
