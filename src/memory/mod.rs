//! Memory of the process: how much it may take, and when what was freed is given back to the system.

pub mod give_back;
pub mod granted;
pub mod keeper;
