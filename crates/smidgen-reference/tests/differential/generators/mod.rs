//! Random graphs of one operator: one function for each.

pub mod elementwise;
pub mod movement;
pub mod recurrent;
pub mod plain;
pub mod windowed;
