//! Evidence as a whole.
