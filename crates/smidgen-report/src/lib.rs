//! What a plan looks like: the memory map in the terminal, and one HTML file that stands alone; pages on
//! [quantisation](quant), on a [search], on an [update scheme](scheme) and on [training on the device](adaptation) besides.
//!
//! Memory maps are drawn from the [`Program`](smidgen_program::Program) itself (through [`occupancy`](smidgen_certify::occupancy)),
//! not from what the planner says about it.
#![forbid(unsafe_code)]

pub mod adaptation;
pub mod html;
pub mod map;
pub mod name;
mod plot;
pub mod quant;
pub mod scheme;
pub mod search;
pub mod summary;

pub use html::{HtmlError, html};
pub use map::MemoryMap;
pub use name::short;
pub use smidgen_ir::thousands;
pub use summary::{Budget, Figure, ParetoPoint, Segment, StepRow, Summary};

/// `55,296 bytes (54.0 KiB)`; below 1 KiB only the bytes.
pub fn bytes(n: usize) -> String {
    let exact = format!("{} bytes", thousands(n as u64));
    if n < 1024 { exact } else { format!("{exact} ({:.1} KiB)", n as f64 / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(bytes(55_296), "55,296 bytes (54.0 KiB)");
        assert_eq!(bytes(640), "640 bytes");
    }
}
