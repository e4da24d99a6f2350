//! What the integration tests share: clips with known defects, a naive decoder to prove them with,
//! and the avwatch binary.
//!
//! Every test program compiles its own copy of this module and uses a part of it.
#![allow(dead_code, unreachable_pub)]

pub mod binary;
pub mod damage;
pub mod data_recipes;
pub mod hook;
pub mod http;
pub mod media;
pub mod naive;
pub mod recipes;
pub mod schema;
pub mod sender;
pub mod service;
pub mod sound_recipes;
pub mod stopping;
