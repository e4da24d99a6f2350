//! The dashboard: the web page at `/`, embedded in the binary.
//!
//! Plain HTML, CSS and ES modules in `assets/`, served as they were written: no build step, and the page
//! asks nobody but this service. Answers are made from memory on the API's thread.

mod assets;
mod routes;

pub use routes::routes;
