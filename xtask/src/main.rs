//! `cargo xtask demo` and `cargo xtask test`.
fn main() {}
