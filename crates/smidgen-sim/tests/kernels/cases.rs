//! Random calls of kernels: what a case is, and what most generators need.

use crate::calls::{Kernel, Put};
use crate::floats::FloatKernel;
pub use crate::space::{Filled, Needs, Operand, Space};
use smidgen_kernels::int8::Int8;
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Region, Rounding, View, Window2d};
use smidgen_synthetic::Random;
use std::ops::Range;

/// One of all kernels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id {
    pub number: u32,
    pub name: &'static str,
}

impl From<Kernel> for Id {
    fn from(kernel: Kernel) -> Self {
        Self { number: kernel.number(), name: kernel.name() }
    }
}

impl From<FloatKernel> for Id {
    fn from(kernel: FloatKernel) -> Self {
        Self { number: kernel.number(), name: kernel.name() }
    }
}

/// A kernel with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    pub kernel: Id,
    pub words: Vec<u32>,
    pub constants: Vec<u8>,
    /// Where each constant lies in them.
    pub pieces: Vec<Range<usize>>,
}

impl Call {
    pub fn new(kernel: impl Into<Id>) -> Self {
        Self { kernel: kernel.into(), words: Vec::new(), constants: Vec::new(), pieces: Vec::new() }
    }

    /// The next argument.
    pub fn put(mut self, argument: &impl Put) -> Self {
        argument.put(&mut self.words);
        self
    }

    /// The next argument: a constant.
    pub fn constant<T: bytemuck::Pod>(mut self, elements: &[T]) -> Self {
        self.constants.resize(self.constants.len().next_multiple_of(8), 0);
        self.words.extend([self.constants.len() as u32, elements.len() as u32]);
        let first = self.constants.len();
        self.constants.extend_from_slice(bytemuck::cast_slice(elements));
        self.pieces.push(first..self.constants.len());
        self
    }

    /// The next argument: an optional constant.
    pub fn option<T: bytemuck::Pod>(self, elements: Option<&[T]>) -> Self {
        match elements {
            Some(elements) => self.put(&1u32).constant(elements),
            None => self.put(&0u32),
        }
    }

    /// The next two arguments: weights and channels.
    pub fn layer(self, layer: &Layer) -> Self {
        self.constant(&layer.weights).constant(&layer.bias).constant(&layer.multipliers).constant(&layer.shifts)
    }
}

/// A call, the arena that it finds, and what it should leave behind.
#[derive(Clone, Debug)]
pub struct Case {
    pub call: Call,
    /// A simpler kernel that gives the same; if there is none, the kernel is its own oracle on the host.
    pub oracle: Option<Call>,
    pub arena: Vec<u8>,
    /// What of the arena the kernel may touch.
    pub operands: Vec<Operand>,
    /// Bytes that the kernel may leave in any state.
    pub scratch: Range<usize>,
}

impl Case {
    pub fn new(call: Call, Filled { arena, operands }: Filled) -> Self {
        Self { call, oracle: None, arena, operands, scratch: 0..0 }
    }
}

/// Constants of a layer with int8 weights.
#[derive(Clone, Debug)]
pub struct Layer {
    pub weights: Vec<i8>,
    pub bias: Vec<i32>,
    pub multipliers: Vec<i32>,
    pub shifts: Vec<i8>,
}

impl Layer {
    /// `taps` weights for each of `outputs` channels.
    pub fn new(random: &mut Random, taps: usize, outputs: usize) -> Self {
        let factors: Vec<Factor> = (0..outputs)
            .map(|_| match random.below(12) {
                // Powers of two make ties.
                0 => Factor::new((-(random.between(2, 12) as f64)).exp2()),
                1 => Factor::new(1.0 + random.unit()),
                _ => Factor::new((1.0 + random.unit()) / (taps as f64).sqrt() / 100.0),
            })
            .collect();
        Self {
            weights: signed(random, taps * outputs),
            bias: (0..outputs).map(|_| random.between(-6000, 6000) as i32).collect(),
            multipliers: factors.iter().map(|f| f.multiplier).collect(),
            shifts: factors.iter().map(|f| f.shift).collect(),
        }
    }
}

pub fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.bits() as u8).collect()
}

pub fn signed(random: &mut Random, count: usize) -> Vec<i8> {
    (0..count).map(|_| random.bits() as i8).collect()
}

/// What can be drawn from all its values.
pub trait Number: bytemuck::Pod {
    fn draw(random: &mut Random) -> Self;
    /// Least and greatest stored output.
    fn bounds(random: &mut Random) -> [Self; 2];
}

impl Number for i8 {
    fn draw(random: &mut Random) -> Self {
        random.bits() as i8
    }

    fn bounds(random: &mut Random) -> [i8; 2] {
        clamp(random)
    }
}

impl Number for i16 {
    fn draw(random: &mut Random) -> Self {
        // The ends of the range now and then.
        if random.chance(1, 8) { random.choose(&[i16::MIN, i16::MAX]) } else { random.bits() as i16 }
    }

    fn bounds(random: &mut Random) -> [i16; 2] {
        random.choose(&[[i16::MIN, i16::MAX], [i16::MIN, i16::MAX], [-20_000, 29_000], [3, 3]])
    }
}

pub fn numbers<T: Number>(random: &mut Random, count: usize) -> Vec<T> {
    (0..count).map(|_| T::draw(random)).collect()
}

pub fn small(random: &mut Random, low: i64, high: i64) -> usize {
    random.between(low, high) as usize
}

pub fn int8(random: &mut Random) -> i8 {
    random.bits() as i8
}

pub fn rounding(random: &mut Random) -> Rounding {
    random.choose(&[Rounding::Twice, Rounding::Once])
}

pub fn clamp(random: &mut Random) -> [i8; 2] {
    random.choose(&[[-128, 127], [-128, 127], [-100, 90], [3, 3]])
}

pub fn quant(random: &mut Random) -> Int8 {
    let [min, max] = clamp(random);
    Int8 { input_zero: int8(random).into(), output_zero: int8(random).into(), min, max, rounding: rounding(random) }
}

pub fn factor(random: &mut Random) -> Factor {
    Factor::new((random.unit() * 12.0 - 10.0).exp2())
}

/// A window on a small image: pointwise, as networks have it, anything, or at the edges of what there is; a quarter each.
pub fn window(random: &mut Random) -> Window2d {
    let pair = |random: &mut Random, low, high| [(); 2].map(|()| small(random, low, high));
    // Under Miri large cases would be drawn in vain.
    let (most_pixels, most_channels) = if cfg!(miri) { (4, 8) } else { (9, 40) };
    let mut image = pair(random, 1, most_pixels);
    let mut after = None;
    let kind = random.below(4);
    let (size, stride, dilation, before) = match kind {
        0 => ([1, 1], [1, 1], [1, 1], [0, 0]),
        1 => {
            let size = random.choose(&[3, 5, 7]);
            let stride = random.choose(&[1, 2]);
            let same = random.below(2) * (size / 2);
            ([size; 2], [stride; 2], [1, 1], [same; 2])
        }
        2 => (pair(random, 1, 4), pair(random, 1, 3), pair(random, 1, 2), pair(random, 0, 3)),
        _ => {
            // A picture of few rows or columns, one now and then, and more padding on either side than networks have: windows that see one row of it
            // at their end, and those that see none.
            image = pair(random, 1, 5);
            if random.chance(1, 2) {
                image[random.below(2)] = 1;
            }
            let size = random.choose(&[3, 3, 5, 7]);
            let stride = random.choose(&[1, 2]);
            let most = size as i64 - i64::from(!random.chance(1, 6));
            after = Some(pair(random, 0, most));
            ([size; 2], [stride; 2], [1, 1], pair(random, 0, most))
        }
    };
    // Padding after the image as before it, unless it was drawn.
    let after = after.unwrap_or(before);
    let out = |axis: usize| {
        // At least one window.
        let extent = (size[axis] - 1) * dilation[axis] + 1;
        (image[axis] + before[axis] + after[axis]).saturating_sub(extent) / stride[axis] + 1
    };
    let channels = |random: &mut Random, most: i64| match random.below(4) {
        0 => small(random, 1, most),
        _ if kind == 3 => small(random, 1, 9.min(most)),
        _ => small(random, 1, most / 4) * 4,
    };
    let (inputs, outputs) = (channels(random, most_channels), channels(random, most_channels * 3 / 5));
    Window2d { input: [image[0], image[1], inputs], output: [out(0), out(1), outputs], size, stride, dilation, before }
}

/// All of an image of so many rows and columns, a band of rows, or a tile.
pub fn region(random: &mut Random, rows: usize, cols: usize) -> Region {
    let part = |random: &mut Random, len: usize| {
        let first = random.below(len);
        (first, first + 1 + random.below(len - first))
    };
    let (y0, y1) = if random.chance(1, 2) { (0, rows) } else { part(random, rows) };
    let (x0, x1) = if random.chance(2, 3) { (0, cols) } else { part(random, cols) };
    Region { y0, y1, x0, x1 }
}

/// What a window's region needs of its input.
pub fn needs(window: &Window2d, region: Region) -> Needs {
    let along = |axis: usize, from: usize, to: usize| {
        let inside = (from..to).map(|out| window.taps(axis, out)).filter(|(taps, _)| !taps.is_empty());
        let ends = inside.map(|(taps, at)| (at, at + (taps.len() - 1) * window.dilation[axis] + 1));
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 1))
    };
    Needs { rows: along(0, region.y0, region.y1), cols: along(1, region.x0, region.x1) }
}

/// Input, output and region of a kernel with a window, and the arena so far.
pub struct Placed {
    pub input: View,
    pub output: View,
    pub region: Region,
    pub space: Space,
}

/// Places the tensors of a kernel with a window, elements of so many bytes; now and then a batch of two images.
pub fn place(random: &mut Random, window: &Window2d, bytes: usize) -> Placed {
    let mut space = Space::new(random);
    let ([h, w, c], [oh, ow, oc]) = (window.input, window.output);
    if random.chance(1, 8) {
        let whole = |rows, cols| Needs { rows: (0, rows), cols: (0, cols) };
        let input = space.input(random, [2 * h, w, c], whole(2 * h, w), bytes);
        let output = space.output(random, [2 * oh, ow, oc], whole(2 * oh, ow), bytes);
        return Placed { input, output, region: Region::whole(2 * oh, ow), space };
    }
    let region = region(random, oh, ow);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let needed = needs(window, region);
    // Either may come first.
    if random.chance(1, 2) {
        let input = space.input(random, window.input, needed, bytes);
        let output = space.output(random, window.output, written, bytes);
        Placed { input, output, region, space }
    } else {
        let output = space.output(random, window.output, written, bytes);
        let input = space.input(random, window.input, needed, bytes);
        Placed { input, output, region, space }
    }
}

/// A window of a transposed convolution, and its tensors of elements of so many bytes.
pub fn place_transposed(random: &mut Random, bytes: usize) -> (Window2d, Placed) {
    let mut window = window(random);
    window.dilation = [1, 1];
    for axis in 0..2 {
        window.before[axis] = window.before[axis].min(window.size[axis] - 1);
        window.output[axis] = (window.input[axis] - 1) * window.stride[axis] + window.size[axis] - window.before[axis];
    }
    let mut space = Space::new(random);
    let [h, w, _] = window.input;
    let region = region(random, window.output[0], window.output[1]);
    let input = space.input(random, window.input, Needs { rows: (0, h), cols: (0, w) }, bytes);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, window.output, written, bytes);
    (window, Placed { input, output, region, space })
}
