//! What a step reads and when: declared by each kernel, and all that scheduling and safe overlap need to know of it.
//!
//! Along each of the three axes of a tensor seen as `[rows, cols, depth]`, a [`AxisFootprint`] says which input indices an output index
//! needs; an [`WriteOrder`] says in what pieces the output is written and how long the input of a piece is still read.

/// Which input indices one output index needs, along one axis. Ranges are clipped to the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AxisFootprint {
    /// Output index `i` needs input indices `i * stride - before .. i * stride - before + extent`. Element-wise operators have
    /// `extent` 1, `stride` 1, `before` 0; a negative `before` skips input (slices), a positive one beyond the input is padding.
    Window {
        /// Input indices covered, gaps of dilation included.
        extent: usize,
        /// Input steps for each output step.
        stride: usize,
        /// Indices before the input's first that output index 0 begins at.
        before: isize,
    },
    /// Output index `i` needs `table[i].0 .. table[i].1`; both bounds never decrease with `i`.
    Table(Vec<(usize, usize)>),
    /// Every output index needs every input index.
    All,
}

impl AxisFootprint {
    /// Index `i` needs the range `ranges[i]` of input indices, whatever their order: widened so that bounds never decrease. That is
    /// all that counts for overlap, since what a later output index needs must be kept anyway.
    pub fn covering(mut ranges: Vec<(usize, usize)>) -> AxisFootprint {
        let mut end = 0;
        for range in &mut ranges {
            end = range.1.max(end);
            range.1 = end;
        }
        let mut start = usize::MAX;
        for range in ranges.iter_mut().rev() {
            start = range.0.min(start);
            range.0 = start;
        }
        AxisFootprint::Table(ranges)
    }

    /// Output index `i` needs input index `i`.
    pub const SAME: AxisFootprint = AxisFootprint::Window { extent: 1, stride: 1, before: 0 };

    /// The input range that outputs `out.0 .. out.1` need, clipped to `0 .. input`; empty ranges come back as `(n, n)`.
    #[inline]
    pub fn input_range(&self, out: (usize, usize), input: usize) -> (usize, usize) {
        if out.0 >= out.1 {
            return (0, 0);
        }
        match self {
            AxisFootprint::Window { extent, stride, before } => {
                let signed = |index: usize| isize::try_from(index).unwrap_or(isize::MAX).saturating_sub(*before);
                // Windows wholly in the padding before the input read nothing of what later ones begin with.
                let beyond = before.saturating_sub_unsigned(*extent).saturating_add(1).max(0) as usize;
                let first = if beyond == 0 { out.0 } else { out.0.max(beyond.div_ceil((*stride).max(1))) };
                if first >= out.1 {
                    return (0, 0);
                }
                let start = signed(first.saturating_mul(*stride));
                let end = signed((out.1 - 1).saturating_mul(*stride).saturating_add(*extent));
                let end = end.clamp(0, input as isize) as usize;
                (start.clamp(0, end as isize) as usize, end)
            }
            AxisFootprint::Table(table) => {
                let (start, end) = (table[out.0].0, table[out.1 - 1].1.min(input));
                (start.min(end), end)
            }
            AxisFootprint::All => (0, input),
        }
    }
}

/// The input box that an output box needs: one [`AxisFootprint`] for each axis of `[rows, cols, depth]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Footprint {
    /// Along rows.
    pub rows: AxisFootprint,
    /// Along columns.
    pub cols: AxisFootprint,
    /// Along channels.
    pub depth: AxisFootprint,
}

impl Footprint {
    /// Element `i` of the output needs element `i` of the input.
    pub const SAME: Footprint =
        Footprint { rows: AxisFootprint::SAME, cols: AxisFootprint::SAME, depth: AxisFootprint::SAME };
    /// Every element of the output needs the whole input.
    pub const ALL: Footprint =
        Footprint { rows: AxisFootprint::All, cols: AxisFootprint::All, depth: AxisFootprint::All };
}

/// The pieces in which a run writes its region, in row-major order where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// This many consecutive elements, never across the end of a row of the region.
    Elements(usize),
    /// This many consecutive pixels with all their channels, never across the end of a row of the region.
    Pixels(usize),
    /// One row of the region.
    Row,
    /// Bands of this many rows of the region (the last one may have fewer), and within a band this many channels of all its pixels after
    /// the other. Where this is not staged, what follows for overlap is safe but not tight.
    Planes {
        /// Rows of a band.
        rows: usize,
        /// Channels of a block.
        channels: usize,
    },
    /// The whole run: nothing of the input may be overwritten before the last read.
    Run,
}

/// In what pieces a kernel writes, and how long it reads.
///
/// The promise: the kernel handles the blocks of a run in their order. If `staged`, it has read everything that a block
/// needs before it writes any byte of that block. If not, it may read the block's input until just before it writes the block's
/// last element. Either way it never again reads what only earlier blocks need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteOrder {
    /// The pieces.
    pub granularity: Granularity,
    /// Reads of a block come before its writes.
    pub reads_first: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_any_order_are_covered() {
        let reach = AxisFootprint::covering(vec![(4, 5), (0, 1), (6, 8), (2, 3)]);
        assert_eq!(reach, AxisFootprint::Table(vec![(0, 5), (0, 5), (2, 8), (2, 8)]));
    }

    #[test]
    fn windows_are_clipped_at_both_ends() {
        let reach = AxisFootprint::Window { extent: 3, stride: 2, before: 1 };
        assert_eq!(reach.input_range((0, 1), 8), (0, 2));
        assert_eq!(reach.input_range((1, 3), 8), (1, 6));
        assert_eq!(reach.input_range((4, 5), 8), (7, 8));
        // Wholly in the padding.
        let pad = AxisFootprint::Window { extent: 1, stride: 1, before: 2 };
        assert_eq!(pad.input_range((0, 2), 5), (0, 0));
        assert_eq!(pad.input_range((7, 9), 5), (5, 5));
        // Of a range of outputs the first may lie in the padding, and the others skip input.
        let sparse = AxisFootprint::Window { extent: 1, stride: 2, before: 1 };
        assert_eq!(sparse.input_range((0, 3), 8), (1, 4));
        let slice = AxisFootprint::Window { extent: 1, stride: 1, before: -3 };
        assert_eq!(slice.input_range((0, 2), 8), (3, 5));
    }
}
