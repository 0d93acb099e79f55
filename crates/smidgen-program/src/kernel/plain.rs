//! Kernels of elements whose stored value is their value, and the product of matrices that are both computed at run time. Those of several
//! operands take tensors that are stored whole and seen as `[1, 1, elements]`.

use super::convert::element;
use super::movement::WORD;
use super::pattern::{Needed, Taken, product, some};
use super::{Broadcast, KernelSpec, Pattern, flat};
use crate::costs::{Family, Size, Work};
use smidgen_ir::ElementType;
use smidgen_kernels::convert::Stored;
use smidgen_kernels::int8::fast::MATMUL_COLUMNS;
use smidgen_kernels::{float, int8, plain};

/// The operands of a function of elements.
fn joined<const N: usize>(broadcast: &Broadcast<N>, elements: [ElementType; N], to: ElementType) -> Pattern<'_> {
    let operands = elements.into_iter().zip(broadcast.strides()).map(|(element, strides)| (element, strides, 1, 0));
    Pattern::Joined { dims: &broadcast.dims, operands: operands.collect(), to }
}

/// A question about two elements. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct Compare {
    /// Which.
    pub function: plain::Compare,
    /// Element type of the inputs.
    pub from: Stored,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for Compare {
    fn pattern(&self) -> Pattern<'_> {
        joined(&self.broadcast, [element(self.from); 2], ElementType::Bool)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(Compare(k, site) => plain::compare:
    arena(u8), whole(a: u8 = 0), whole(b: u8 = 1), value(output = site.output_base(true)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), value(from = k.from),
    value(function = k.function));

/// The same of int8 that are quantised. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct CompareI8 {
    /// Which, and how operands are brought to one scale.
    pub how: plain::Scaled,
    /// Which element meets which.
    pub broadcast: Broadcast,
}

impl KernelSpec for CompareI8 {
    fn pattern(&self) -> Pattern<'_> {
        joined(&self.broadcast, [ElementType::Int8; 2], ElementType::Bool)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(CompareI8(k, site) => plain::compare_scaled:
    arena(i8), whole(a: i8 = 0), whole(b: i8 = 1), value(output = site.output_base(false)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()), reference(how = k.how));

/// One of two elements, as a condition says. Inputs: the condition, `a`, `b`, any of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    /// Element type of `a` and `b`.
    pub element: ElementType,
    /// Which elements meet.
    pub broadcast: Broadcast<3>,
}

impl KernelSpec for Select {
    fn pattern(&self) -> Pattern<'_> {
        joined(&self.broadcast, [ElementType::Bool, self.element, self.element], self.element)
    }

    fn work(&self, run: &Size) -> Work {
        run.other(Family::Other)
    }
}

call!(Select(k, site) => plain::select:
    arena(u8), whole(condition: u8 = 0), whole(a: u8 = 1), whole(b: u8 = 2), value(output = site.output_base(true)),
    value(dims = &k.broadcast.dims[..]), value(strides = k.broadcast.strides()),
    value(element = k.element.bits().div_ceil(8)));

/// GATHER: slices of a table, as many as there are indices. Inputs: the table, either in the arena or a constant, and the indices.
#[derive(Clone, PartialEq, Debug)]
pub struct Take {
    /// Element type of the table.
    pub element: ElementType,
    /// Which slices, of what sizes.
    pub take: plain::Take,
}

impl KernelSpec for Take {
    fn pattern(&self) -> Pattern<'_> {
        let plain::Take { sizes: [batches, blocks, rows, count], slice, element: bytes, indices } = self.take;
        let whole = |element, sizes: &[usize]| (element, flat(product(sizes).unwrap_or(0)));
        let taken = |(element, extent)| Taken { element, extent, needed: Needed::All };
        let table = whole(self.element, &[batches, blocks, rows, slice]);
        Pattern::Given {
            inputs: vec![taken(table), taken(whole(element(indices), &[batches, count]))],
            outputs: vec![whole(self.element, &[batches, blocks, count, slice])],
            sized: bytes == self.element.bits().div_ceil(8)
                && some(&[batches, blocks, rows, slice, bytes])
                && some(&[batches, blocks, count, slice, bytes])
                && some(&[batches, count, indices.bytes()]),
            taken: None,
        }
    }

    fn work(&self, run: &Size) -> Work {
        let [batches, blocks, _, count] = self.take.sizes;
        let copies = batches * blocks * count;
        let slice = self.take.slice * self.take.element;
        let odd = if slice.is_multiple_of(WORD) { 0 } else { copies * slice };
        Work::new(Family::Concat, [1, run.rows, 1, copies, copies * slice, odd])
    }
}

call!(Take(k, site) => plain::take:
    arena(u8), whole(table: u8 = 0), whole(indices: u8 = 1), value(output = site.output_base(true)),
    reference(take = k.take));

/// CAST from one element type to another. Input: `x`.
#[derive(Clone, PartialEq, Debug)]
pub struct Cast {
    /// Element type of the input.
    pub from: Stored,
    /// Element type of the output.
    pub to: Stored,
}

impl KernelSpec for Cast {
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Elementwise { from: element(self.from), to: element(self.to) }
    }

    fn work(&self, run: &Size) -> Work {
        run.mapped(Family::Dequantise)
    }
}

call!(Cast(k, site) => plain::cast:
    arena(u8), views(), region(), value(depth = site.output().depth), value(from = k.from), value(to = k.to));

/// Which elements of two matrices, or batches of them, meet in their product.
#[derive(Clone, PartialEq, Debug)]
pub struct Matmul {
    /// For each batch, row and column of the output, where the row of `a` and the column of `b` begin.
    pub broadcast: Broadcast,
    /// Elements of a row of `a`.
    pub depth: usize,
    /// From one element of that row to the next, and of the column of `b`.
    pub steps: [isize; 2],
}

impl Matmul {
    fn pattern(&self, element: ElementType) -> Pattern<'_> {
        let operands = self.broadcast.strides().into_iter().zip(self.steps);
        let operands = operands.map(|(strides, step)| (element, strides, self.depth, step)).collect();
        Pattern::Joined { dims: &self.broadcast.dims, operands, to: element }
    }
}

/// BATCH_MATMUL of float32. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct MatmulF32(pub Matmul);

impl KernelSpec for MatmulF32 {
    fn pattern(&self) -> Pattern<'_> {
        self.0.pattern(ElementType::Float32)
    }

    fn work(&self, run: &Size) -> Work {
        Work::new(Family::MatmulF32, [1, run.elements(), run.elements() * self.0.depth])
    }
}

call!(MatmulF32(k, site) => float::matmul:
    arena(f32), whole(a: f32 = 0), whole(b: f32 = 1), value(output = site.output_base(false)),
    value(dims = &k.0.broadcast.dims[..]), value(strides = k.0.broadcast.strides()), value(depth = k.0.depth),
    value(steps = k.0.steps));

/// BATCH_MATMUL of int8. Inputs: `a`, `b`, either of them perhaps a constant.
#[derive(Clone, PartialEq, Debug)]
pub struct MatmulI8 {
    /// Which elements meet.
    pub matmul: Matmul,
    /// Zero points, and how sums become outputs.
    pub product: int8::Product,
    /// Several columns at once.
    pub fast: bool,
}

impl KernelSpec for MatmulI8 {
    fn pattern(&self) -> Pattern<'_> {
        self.matmul.pattern(ElementType::Int8)
    }

    fn work(&self, run: &Size) -> Work {
        let Matmul { broadcast, depth, steps } = &self.matmul;
        let columns = broadcast.dims.last().copied().unwrap_or(1).max(1);
        let rows = run.elements() / columns;
        let (fours, singles) = (rows * (columns / MATMUL_COLUMNS), rows * (columns % MATMUL_COLUMNS));
        let column = broadcast.strides[1].last().copied().unwrap_or(0);
        let [mut along, mut across, mut apart] = [0; 3];
        // As the kernel chooses.
        match steps {
            [1, 1] if *depth >= 4 => along = fours,
            [1, _] if *depth >= 4 && column == 1 => across = fours,
            _ => apart = fours,
        }
        let counts = [
            1,
            rows,
            if apart == 0 { rows * depth } else { 0 },
            along,
            along * (depth / 4),
            along * (depth % 4),
            across,
            across * depth,
            apart,
            apart * depth,
            singles,
            singles * depth,
        ];
        Work::new(Family::Matmul, counts)
    }
}

call!(MatmulI8(k, site) of k.fast => {
    true => int8::fast::matmul,
    false => int8::matmul,
}:
    arena(i8), whole(a: i8 = 0), whole(b: i8 = 1), value(output = site.output_base(false)),
    value(dims = &k.matmul.broadcast.dims[..]), value(strides = k.matmul.broadcast.strides()),
    value(depth = k.matmul.depth), value(steps = k.matmul.steps), reference(product = k.product));
