//! The `smidgen` command.
fn main() {}
