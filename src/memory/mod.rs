//! Memory of the process: when what was freed is given back to the system.

pub mod give_back;
pub mod keeper;
