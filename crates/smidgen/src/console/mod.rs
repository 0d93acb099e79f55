//! What all commands share: arguments, tables, numbers, output, and what a failure looks like.

pub mod classes;
pub mod ends;
pub mod failure;
pub mod format;
pub mod inputs;
pub mod interrupt;
pub mod options;
pub mod output;
pub mod progress;
pub mod samples;
pub mod sense;
pub mod table;
pub mod terminal;

pub use failure::{Code, Failure, Notice};
pub use output::Output;
