//! What a run does, counted: the features that its instructions follow from.

use super::family::{Family, MOST_FEATURES};
use crate::{Extent, Operand, Step};
use smidgen_kernels::Region;

/// How often a family's features occur.
pub type Counts = [u64; MOST_FEATURES];

/// What a run of a step does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Work {
    /// The kernel's family.
    pub family: Family,
    /// How often each of its features occurs; zeros behind the last.
    pub counts: Counts,
}

impl Work {
    /// Counts of a family, in the order of its features.
    pub(crate) fn new<const N: usize>(family: Family, counts: [usize; N]) -> Self {
        debug_assert_eq!(N, family.features().len(), "{}", family.name());
        let mut all = [0; MOST_FEATURES];
        all.iter_mut().zip(counts).for_each(|(to, count)| *to = count as u64);
        Self { family, counts: all }
    }
}

/// What a run of a step does that computes a region.
pub fn work(step: &Step, region: Region) -> Work {
    step.kernel.spec().work(&Size::of(step, region))
}

/// The family of a step's kernel.
pub fn family(step: &Step) -> Family {
    work(step, Region { y0: 0, y1: 0, x0: 0, x1: 0 }).family
}

/// What a run covers: of the output, or of the input that a step consumes.
pub struct Size {
    /// The region itself.
    pub region: Region,
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// All of the output or input, of which the region may be a part.
    pub extent: Extent,
    /// Multiply-accumulates of all of it.
    macs: u64,
}

impl Size {
    fn of(step: &Step, region: Region) -> Self {
        let extent = match (step.consumes, step.inputs.first(), step.outputs.first()) {
            (true, Some(&Operand::Buffer(_, extent)), _) => extent,
            (_, _, Some(target)) => target.extent,
            _ => Extent { rows: 0, cols: 0, depth: 0 },
        };
        Self { region, rows: region.y1 - region.y0, columns: region.x1 - region.x0, extent, macs: step.macs }
    }

    /// Pixels of the region.
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Elements of the region.
    pub fn elements(&self) -> usize {
        self.pixels() * self.extent.depth
    }

    /// The region's part of the step's multiply-accumulates.
    pub fn multiplications(&self) -> usize {
        let whole = (self.extent.rows * self.extent.cols).max(1) as u128;
        (u128::from(self.macs) * self.pixels() as u128 / whole) as usize
    }

    /// A kernel of which nothing more is known than its elements and multiply-accumulates.
    pub fn other(&self, family: Family) -> Work {
        Work::new(family, [1, self.elements(), self.multiplications()])
    }

    /// The same where elements are all that counts.
    pub fn by_element(&self, family: Family) -> Work {
        Work::new(family, [1, self.elements(), 0])
    }

    /// A kernel that goes row by row, element by element.
    pub fn mapped(&self, family: Family) -> Work {
        Work::new(family, [1, self.rows, self.elements()])
    }

    /// A kernel that goes pixel by pixel, element by element.
    pub fn by_pixel(&self, family: Family) -> Work {
        Work::new(family, [1, self.pixels(), self.elements()])
    }
}
