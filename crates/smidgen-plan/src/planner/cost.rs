//! A model of how many instructions a list takes on a core with Armv7E-M, good enough to trade memory for speed.
//!
//! The two kernels that take nearly all the time of a quantised network are modelled by what they do: how often they are called,
//! how much they stage, how many multiply-accumulates and outputs there are. All others are so much for a run, for an element and for a
//! multiply-accumulate. What a firmware takes is measured on it.
//!
//! The rates of these two were fitted by least squares to steps of the int8 networks at hand on an emulated Cortex-M7, layer by layer, streamed,
//! planned and in patches: 550 of CONV_2D (mean error 1.4 %, worst 9.6 %) and 267 of DEPTHWISE_CONV_2D (1.7 %, 11.7 %). Whole networks
//! are within 3 %, which `smidgen simulate --json` shows for each step. Weights of four bits take two instructions more for four
//! inputs of a pair of channels. The rates of what works element by element, and of floats, are from single steps.
//! `docs/planning.md` says how far off the model is. Cortex-M33 and M55 take within 1.5 % of what the M4 and M7 do.
//!
//! Layers on int16 count by few rates, from MLPerf's networks quantised so: those with windows of 1x1, depthwise and dense ones are within
//! 5 %, other convolutions take 1.0 to 1.8 times as much.
//!
//! Rates are in hundredths of an instruction, so that plans compare exactly.

use crate::kernel::{Elementwise, Kernel, Movement, Reduction};
use crate::{Lowered, Operand, Run, Step};
use smidgen_ir::PoolKind;
use smidgen_kernels::int8::device::{self, CONV2D_PIXELS, DEPTHWISE_CHANNELS, Width};
use smidgen_kernels::{Region, Window2d};

/// A rate in hundredths, and how often it counts.
type Term = (u64, usize);

/// To read the entry of an [`Await`](Run::Await) and return to the caller.
const AWAIT: u64 = 9_000;

/// Modelled instructions of a list, in hundredths.
pub(crate) fn hundredths(lowered: &Lowered, runs: &[Run]) -> u64 {
    runs.iter().map(|run| of_run(lowered, run)).sum()
}

/// Modelled instructions of a run, in hundredths.
pub(crate) fn of_run(lowered: &Lowered, run: &Run) -> u64 {
    match *run {
        Run::Await { .. } => AWAIT,
        Run::Compute { step, region } => {
            let step = &lowered.steps[step.index()];
            match &step.kernel {
                Kernel::Conv2dI8Device { window, width, .. } => conv2d(window, *width, region),
                Kernel::Conv2dF32 { window, .. } => conv2d_f32(window, region),
                Kernel::PoolI8 { window, kind, .. } => pool(window, *kind, region),
                Kernel::Elementwise(Elementwise::SoftmaxI8) => softmax(step, region),
                Kernel::DepthwiseI8Device { window, rows, .. } => match depthwise(window, *rows, region) {
                    Some(cost) => cost,
                    None => any(step, region, [40_000, 4_000, 1_500]),
                },
                kernel => any(step, region, rates(kernel)),
            }
        }
    }
}

fn sum(terms: &[Term]) -> u64 {
    terms.iter().map(|&(rate, count)| rate * count as u64).sum()
}

/// CONV_2D: blocks of pixels are staged, then each pair of channels goes over them.
fn conv2d(window: &Window2d, width: Width, region: Region) -> u64 {
    let (rows, columns) = (region.y1 - region.y0, region.x1 - region.x0);
    let (pairs, quads) = (window.output[2].div_ceil(2), window.patch().div_ceil(4));
    let (pixels, blocks) = (rows * columns, rows * columns.div_ceil(CONV2D_PIXELS));
    // Windows that cannot be staged from where they are.
    let in_place = device::conv2d_in_place(window);
    let apart = columns - in_place.end.min(region.x1).saturating_sub(in_place.start.max(region.x0)).min(columns);
    let cut =
        (region.y0..region.y1).filter(|&row| window.taps(0, window.image_row(row).1).0.len() < window.size[0]).count();
    let apart = (rows - cut) * apart + cut * columns;
    sum(&[
        (35_000, 1),
        (24_000, rows),
        (12_500, blocks),
        (180, 4 * pixels * quads),
        (3_500, blocks * pairs),
        (if width == Width::Four { 420 } else { 230 }, blocks * pairs * quads),
        (66, 8 * pixels * pairs * quads),
        (11_400, apart * window.size[0]),
        (250, apart * window.patch()),
    ])
}

/// CONV_2D on floats: so much for an output, for each of its pixels, and for a multiply-accumulate.
fn conv2d_f32(window: &Window2d, region: Region) -> u64 {
    let outputs = (region.y1 - region.y0) * (region.x1 - region.x0) * window.output[2];
    sum(&[(24_000, 1), (6_000, outputs), (3_000, outputs * window.area()), (405, outputs * window.patch())])
}

/// Pools on int8: so much for an output, and for each element of its window. Where a network has a single pool, the compiler folds its
/// parameters into the code, and an output takes up to 30 instructions less.
fn pool(window: &Window2d, kind: PoolKind, region: Region) -> u64 {
    let outputs = (region.y1 - region.y0) * (region.x1 - region.x0) * window.output[2];
    let [output, element] = match kind {
        PoolKind::Max => [4_600, 610],
        PoolKind::Average => [6_000, 250],
    };
    sum(&[(30_000, 1), (output, outputs), (element, outputs * window.area())])
}

/// SOFTMAX on int8: so much for a pixel and for a channel.
fn softmax(step: &Step, region: Region) -> u64 {
    let channels = step.outputs.first().map_or(0, |target| target.extent.depth);
    let pixels = (region.y1 - region.y0) * (region.x1 - region.x0);
    sum(&[(11_000, 1), (23_400, pixels), (6_400, pixels * channels)])
}

/// DEPTHWISE_CONV_2D: for each band of rows and four channels after the other, weights and pixels are staged, then the outputs
/// computed. `None` if the window is not staged.
fn depthwise(window: &Window2d, rows: usize, region: Region) -> Option<u64> {
    let columns = region.x1 - region.x0;
    let part = device::depthwise_columns(window, columns)?.max(1);
    let span = |axis: usize, from: usize, to: usize| {
        let first = (from * window.stride[axis]).saturating_sub(window.before[axis]);
        let end = ((to - 1) * window.stride[axis] + window.size[axis]).saturating_sub(window.before[axis]);
        end.min(window.input[axis]).saturating_sub(first)
    };
    // Input columns of all parts.
    let wide: usize = (region.x0..region.x1).step_by(part).map(|x| span(1, x, (x + part).min(region.x1))).sum();
    let parts = columns.div_ceil(part);
    let (mut bands, mut staged) = (0, 0);
    let mut row = region.y0;
    while row < region.y1 {
        let (_, y) = window.image_row(row);
        let end = (y + rows.max(1)).min(y + region.y1 - row).min(window.output[0]).max(y + 1);
        bands += parts;
        staged += span(0, y, end);
        row += end - y;
    }
    let channels = window.input[2];
    let groups = channels.div_ceil(DEPTHWISE_CHANNELS);
    let (rows, outputs) = (region.y1 - region.y0, (region.y1 - region.y0) * columns * channels);
    // Windows of 3x3 set a channel up once for each row, larger ones once for each band as well.
    let channel = if window.size[0] == 3 { 2_400 } else { 3_800 };
    Some(sum(&[
        (52_000, 1),
        (40_000, bands),
        (19_000, bands * groups),
        (270, bands * groups * DEPTHWISE_CHANNELS * window.area()),
        (190, staged * wide * groups * DEPTHWISE_CHANNELS),
        (channel, rows * parts * channels),
        (600, outputs),
        (78, outputs * window.area()),
    ]))
}

/// What a run, an element that is written (or taken in), and a multiply-accumulate take.
fn rates(kernel: &Kernel) -> [u64; 3] {
    match kernel {
        Kernel::FullyConnectedI8Device { width: Width::Four, .. } => [20_000, 6_000, 122],
        Kernel::FullyConnectedI8Device { .. } => [20_000, 6_000, 105],
        Kernel::Elementwise(how) => elementwise(how),
        Kernel::Conv2dI16Device { .. } => [100_000, 1_200, 88],
        Kernel::DepthwiseI16Device { .. } => [150_000, 1_100, 230],
        Kernel::FullyConnectedI16Device { .. } => [8_000, 5_750, 125],
        Kernel::Movement(Movement::Gather { .. }) => [24_000, 700, 0],
        Kernel::Movement(Movement::Concat { .. }) => [24_000, 1_180, 0],
        Kernel::Movement(Movement::Permute { .. }) => [24_000, 840, 0],
        Kernel::Reduction(Reduction::PoolI8 { .. }) => [24_000, 370, 0],
        Kernel::Reduction(Reduction::ImageI8 { .. }) => [24_000, 600, 0],
        Kernel::Reduction(Reduction::ImageF32 { .. }) => [24_000, 700, 0],
        Kernel::Reduction(Reduction::AnyI8 { .. } | Reduction::AnyI16 { .. }) => [24_000, 8_700, 0],
        Kernel::Reduction(_) => [24_000, 1_000, 0],
        Kernel::PoolI16 { .. } => [30_000, 3_800, 0],
        Kernel::ResizeI8 { .. } => [24_000, 3_600, 600],
        Kernel::Conv2dI8Fast { .. } => [140_000, 0, 570],
        Kernel::DepthwiseI8Fast { .. } => [270_000, 15_000, 20],
        Kernel::FullyConnectedF32 { .. } => [24_000, 9_500, 400],
        Kernel::Conv2dHybrid { .. } => [24_000, 6_000, 4_350],
        Kernel::DepthwiseF32 { .. } => [24_000, 6_000, 1_800],
        _ => [24_000, 3_000, 600],
    }
}

/// The same for what is computed element by element.
fn elementwise(how: &Elementwise) -> [u64; 3] {
    use smidgen_kernels::int8::Binary;
    let alike = |operands: &[crate::Extent; 2]| operands[0] == operands[1];
    // Pixel by pixel where one of them serves several: what a pixel takes, for each of its channels.
    let apart = |operands: &[crate::Extent; 2]| 3_800 / operands[0].depth.max(1) as u64;
    match how {
        Elementwise::SumI8Device { operands, .. } if alike(operands) => [16_500, 620, 0],
        Elementwise::SumI8Device { operands, .. } if Elementwise::by_pixels(operands) => {
            [16_500, 620 + apart(operands), 0]
        }
        Elementwise::SumI8Device { .. } => [16_500, 3_550, 0],
        Elementwise::ProductI8Device { products, operands } => {
            let element = if (products.min, products.max) == (i8::MIN, i8::MAX) { 1_005 } else { 1_655 };
            match operands {
                _ if Elementwise::by_pixels(operands) => [16_500, element + apart(operands), 0],
                [a, b] if (a.cols, a.depth) == (b.cols, b.depth) => [16_500, element, 0],
                _ => [16_500, 6_400, 0],
            }
        }
        Elementwise::SumI16 { .. } => [16_500, 3_260, 0],
        Elementwise::Rescale(_) => [15_000, 1_410, 0],
        Elementwise::TableI8 => [16_500, 540, 0],
        Elementwise::Quantise { .. } => [24_000, 2_620, 0],
        Elementwise::Dequantise { .. } => [24_000, 830, 0],
        Elementwise::SumI8 { .. } => [24_000, 4_980, 0],
        Elementwise::SoftmaxF32 { .. } => [26_000, 6_400, 0],
        Elementwise::BinaryI8 { function: Binary::Product(_), operands } if alike(operands) => [24_000, 8_950, 0],
        Elementwise::BinaryI8 { function, .. } | Elementwise::BroadcastI8 { function, .. } => match function {
            Binary::Product(_) | Binary::Prelu(_) => [24_000, 9_750, 0],
            Binary::Sum(_) => [24_000, 4_980, 0],
            Binary::Minimum | Binary::Maximum => [24_000, 1_770, 0],
        },
        _ => [24_000, 3_000, 600],
    }
}

/// A kernel of which no more is known than these rates: the part of a step's work that a region takes.
fn any(step: &Step, region: Region, [run, element, mac]: [u64; 3]) -> u64 {
    let extent = match (step.consumes, step.inputs.first(), step.outputs.first()) {
        (true, Some(&Operand::Buffer(_, extent)), _) => extent,
        (_, _, Some(target)) => target.extent,
        _ => return run,
    };
    let area = ((region.y1 - region.y0) * (region.x1 - region.x0)) as u128;
    let whole = (extent.rows * extent.cols).max(1) as u128;
    let total = u128::from(step.macs) * u128::from(mac) + extent.elements() as u128 * u128::from(element);
    run + (total * area / whole) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(size: usize, stride: usize, [rows, columns, channels]: [usize; 3], outputs: usize) -> Window2d {
        Window2d {
            input: [rows * stride, columns * stride, channels],
            output: [rows, columns, outputs],
            size: [size; 2],
            stride: [stride; 2],
            dilation: [1; 2],
            before: [size / 2; 2],
        }
    }

    fn all(window: &Window2d) -> Region {
        Region { y0: 0, y1: window.output[0], x0: 0, x1: window.output[1] }
    }

    #[test]
    fn convolutions_cost_about_what_they_were_measured_to() {
        // The second step of mlperf-kws, layer by layer: 471,561 instructions.
        let pointwise = window(1, 1, [25, 5, 64], 64);
        let cost = conv2d(&pointwise, Width::Eight, all(&pointwise)) / 100;
        assert!((450_000..490_000).contains(&cost), "{cost}");
        // The 37th of mcunet-vww, a row at a time: 198,415 in five runs.
        let row = |window: &Window2d, y| Region { y0: y, y1: y + 1, ..all(window) };
        let project = window(1, 1, [5, 5, 192], 48);
        let cost: u64 = (0..5).map(|y| conv2d(&project, Width::Eight, row(&project, y))).sum::<u64>() / 100;
        assert!((180_000..220_000).contains(&cost), "{cost}");
    }

    #[test]
    fn windows_beside_the_border_take_longer() {
        let window = window(3, 1, [9, 9, 4], 8);
        let row = |y| conv2d(&window, Width::Eight, Region { y0: y, y1: y + 1, x0: 0, x1: 9 });
        assert!(row(0) > row(4) && row(0) == row(8));
        let pixels = |x| conv2d(&window, Width::Eight, Region { y0: 4, y1: 5, x0: x, x1: x + 3 });
        assert!(pixels(0) > pixels(3) && pixels(0) == pixels(6));
    }

    #[test]
    fn rows_computed_together_are_staged_once() {
        let window = window(3, 1, [16, 20, 24], 24);
        let costs = [1, 2, 4, 8].map(|rows| depthwise(&window, rows, all(&window)).unwrap());
        assert!(costs.is_sorted_by(|a, b| a > b), "{costs:?}");
        // One row staged for each that is computed, at best; three without.
        let apart: u64 =
            (0..16).map(|y| depthwise(&window, 1, Region { y0: y, y1: y + 1, ..all(&window) }).unwrap()).sum();
        assert_eq!(apart, costs[0] + 15 * 52_000);
        let dilated = Window2d { dilation: [2; 2], ..window };
        assert_eq!(depthwise(&dilated, 1, all(&dilated)), None);
    }

    #[test]
    fn parts_of_other_kernels_add_up() {
        let mut net = crate::schedule::fixture::Net::default();
        let x = net.input(8, 6, 4);
        let y = net.add(x, x);
        let net = net.outputs(&[y]);
        let run =
            |y0, y1| of_run(&net, &Run::Compute { step: crate::StepId(0), region: Region { y0, y1, x0: 0, x1: 6 } });
        assert_eq!(run(0, 4) + run(4, 8), run(0, 8) + 24_000);
    }
}
