//! Random graphs of one operator: one function for each.

pub mod elementwise;
pub mod movement;
pub mod plain;
pub mod recurrent;
pub mod windowed;
