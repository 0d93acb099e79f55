//! Random graphs of one operator: one function for each; and of networks.

pub mod elementwise;
pub mod movement;
pub mod network;
pub mod plain;
pub mod recurrent;
pub mod windowed;
