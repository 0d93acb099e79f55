//! What a plan looks like: the memory map in the terminal, and one HTML file that stands alone.
//!
//! Both are drawn from the [`Program`](smidgen_plan::Program) itself (through [`occupancy`](smidgen_plan::validate::occupancy)),
//! not from what the planner says about it.
#![forbid(unsafe_code)]

pub mod html;
pub mod map;
pub mod summary;

pub use html::{HtmlError, html};
pub use map::MemoryMap;
pub use summary::{Budget, Figure, ParetoPoint, Segment, StepRow, Summary};

/// `27,004 B (26.4 KiB)`: bytes with thousands separators, and KiB from 1 KiB on.
pub fn bytes(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(c);
    }
    if n < 1024 { format!("{grouped} B") } else { format!("{grouped} B ({:.1} KiB)", n as f64 / 1024.0) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_are_grouped_by_thousands() {
        assert_eq!(super::bytes(0), "0 B");
        assert_eq!(super::bytes(999), "999 B");
        assert_eq!(super::bytes(27_004), "27,004 B (26.4 KiB)");
        assert_eq!(super::bytes(1_048_576), "1,048,576 B (1024.0 KiB)");
    }
}
