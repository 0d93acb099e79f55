//! Gradients of operators without weights: of those that only move elements or sum them up, of functions of one element, of products and of
//! greatest elements.

use super::block::{COLUMNS, LANES, SUM_BYTES, put};
use super::{blocks, i16_at, i32_at, saturate, shifted};
use crate::geometry::Window2d;
use crate::memory::{Arena, Bounds, Flash};
use crate::nd::Whole;
use crate::reference::Product;
use crate::view::{Region, Views};
use core::ops::Range;

/// Axes that a rearranged tensor may have.
pub const MOST_AXES: usize = 6;

/// Where the indices along an axis of an operator's input are in its output: `first + step * q` at `q * stride`, for `q` below `count`. The others
/// are nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AxisMap {
    /// The axis' size.
    pub size: usize,
    /// The first index that is somewhere.
    pub first: usize,
    /// From one to the next; at least 1.
    pub step: usize,
    /// How many there are.
    pub count: usize,
    /// Elements of the output from one to the next; 0 where they are summed up.
    pub stride: isize,
}

/// The gradient of an operator each of whose outputs is some of the inputs' elements, or a sum of them, with respect to an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rearrange {
    /// The input's axes, from the outermost one on; those that it lacks have the size 1 and come first.
    pub axes: [AxisMap; MOST_AXES],
    /// The output's element of index 0 along all axes.
    pub start: isize,
    /// Pixels and channels of the output.
    pub from: [usize; 2],
    /// Of the input.
    pub to: [usize; 2],
}

/// Moves a gradient back to where an operator took its elements from; elsewhere it is 0. `places` are the bytes of the gradient and of what is
/// written.
pub fn rearrange<B: Bounds>(mut arena: Arena<'_, u8, B>, [from, to]: [usize; 2], layer: &Rearrange) {
    let Rearrange { ref axes, start, from: [pixels, channels], to: [wide, deep] } = *layer;
    arena.span_mut(to, blocks(deep).wrapping_mul(wide).wrapping_mul(LANES)).fill(0);
    let place = |pixel: usize, channel: usize, pixels: usize| {
        let at = (channel / COLUMNS).wrapping_mul(pixels).wrapping_add(pixel).wrapping_mul(LANES);
        at.wrapping_add(channel % COLUMNS * 2)
    };
    let mut index = [0usize; MOST_AXES];
    for pixel in 0..wide {
        for channel in 0..deep {
            let (mut at, mut inside) = (start, true);
            for (axis, &i) in axes.iter().zip(&index) {
                if axis.size > 1 {
                    let offset = i.wrapping_sub(axis.first);
                    let q = if axis.step == 1 { offset } else { offset / axis.step.max(1) };
                    inside &= i >= axis.first && q < axis.count && q.wrapping_mul(axis.step) == offset;
                    at = at.wrapping_add((q as isize).wrapping_mul(axis.stride));
                }
            }
            if inside {
                let at = at as usize;
                let (from_pixel, from_channel) = (at / channels.max(1), at % channels.max(1));
                let value: [u8; 2] = arena.load(from.wrapping_add(place(from_pixel, from_channel, pixels)));
                arena.store(to.wrapping_add(place(pixel, channel, wide)), value);
            }
            for (index, axis) in index.iter_mut().zip(axes).rev() {
                *index = index.wrapping_add(1);
                if *index < axis.size {
                    break;
                }
                *index = 0;
            }
        }
    }
}

/// The gradient of a function of one stored int8. `x` is the byte of the function's input `[pixels, channels]`, `slopes` what a gradient
/// counts for each of its 256 values, from -128 on; the products are shifted right. What is written may be the gradient itself.
pub fn slope<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    region: Region,
    x: usize,
    channels: usize,
    shift: u32,
    slopes: Flash<'_, i16, B>,
) {
    for block in region.y0..region.y1 {
        let [mut from, mut to] = [views.input, views.output].map(|view| view.at(block, region.x0));
        let lanes = COLUMNS.min(channels.wrapping_sub(block.wrapping_mul(COLUMNS)));
        for pixel in region.x0..region.x1 {
            let x = x.wrapping_add(pixel.wrapping_mul(channels)).wrapping_add(block.wrapping_mul(COLUMNS));
            let mut four = [0i16; COLUMNS];
            for (lane, to) in four.iter_mut().enumerate().take(lanes) {
                let slope = slopes[usize::from(arena[x.wrapping_add(lane)] ^ 0x80)];
                let product = i32::from(i16_at(&arena, from.wrapping_add(2 * lane))).wrapping_mul(i32::from(slope));
                *to = saturate(shifted(product, shift));
            }
            put(&mut arena, to, four);
            (from, to) = (from.wrapping_add(LANES), to.wrapping_add(LANES));
        }
    }
}

/// The gradient of MUL with respect to one of its operands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProductGradient {
    /// The product.
    pub product: Product,
    /// Pixels and channels of the product.
    pub sizes: [usize; 2],
    /// Whether the operands, the one that the gradient is of first, have one pixel for all.
    pub broadcast: [bool; 2],
    /// The gradient is of the second operand.
    pub second: bool,
    /// Bits by which sums of gradients times the other operand are shifted right.
    pub shift: u32,
}

/// The gradient of MUL with respect to one of its operands: gradient times the other operand where the product was not clamped; summed up over the pixels
/// where the operand has one for all. `rows` are computed; the operands are `[pixels, channels]`, the one that the gradient is of first.
pub fn product_gradient<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    rows: Range<usize>,
    layer: &ProductGradient,
    own: Whole<'_, u8, B>,
    other: Whole<'_, u8, B>,
) {
    let ProductGradient { ref product, sizes: [pixels, channels], broadcast, second, shift } = *layer;
    let [zero, other_zero] = if second { [product.zeros[1], product.zeros[0]] } else { product.zeros };
    let stored = |arena: &Arena<'_, u8, B>, operand: &Whole<'_, u8, B>, one: bool, pixel: usize, channel: usize| {
        let pixel = if one { 0 } else { pixel };
        i32::from(operand.get(arena, pixel.wrapping_mul(channels).wrapping_add(channel) as isize) as i8)
    };
    for block in rows {
        let (mut from, mut to) = (views.input.row(block), views.output.row(block));
        let first = block.wrapping_mul(COLUMNS);
        let lanes = COLUMNS.min(channels.wrapping_sub(first));
        let mut sums = [0i64; COLUMNS];
        for pixel in 0..pixels {
            let mut four = [0i16; COLUMNS];
            for (lane, (to, sum)) in four.iter_mut().zip(&mut sums).enumerate().take(lanes) {
                let channel = first.wrapping_add(lane);
                let a = stored(&arena, &own, broadcast[0], pixel, channel).wrapping_sub(zero);
                let b = stored(&arena, &other, broadcast[1], pixel, channel).wrapping_sub(other_zero);
                let y = product.factor.apply(a.wrapping_mul(b), product.rounding).wrapping_add(product.output_zero);
                if y < i32::from(product.min) || y > i32::from(product.max) {
                    continue;
                }
                let part = i32::from(i16_at(&arena, from.wrapping_add(2 * lane))).wrapping_mul(b);
                *sum = sum.wrapping_add(i64::from(part));
                *to = saturate(shifted(part, shift));
            }
            if !broadcast[0] {
                put(&mut arena, to, four);
                to = to.wrapping_add(LANES);
            }
            from = from.wrapping_add(LANES);
        }
        if broadcast[0] {
            let half = 1i64.wrapping_shl(shift) >> 1;
            let narrow = |sum: i64| {
                let sum = sum.wrapping_add(half).wrapping_shr(shift);
                sum.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
            };
            put(&mut arena, to, sums.map(narrow));
        }
    }
}

/// The gradient of MAX_POOL_2D: that of each output goes to the first of its window's greatest inputs. `views` are those of the gradient and of what is
/// written, of which `rows` are computed; `x` is the byte of the input `[images, H, W, C]`. Gradients are shifted right before they are added up.
pub fn greatest<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    rows: Range<usize>,
    x: usize,
    layer: &super::Spread,
) {
    let super::Spread { ref window, images, shift } = *layer;
    let ([height, width, channels], [out_h, out_w, _]) = (window.input, window.output);
    for block in rows {
        let (from, to) = (views.input.row(block), views.output.row(block));
        let first = block.wrapping_mul(COLUMNS);
        let bytes = images.wrapping_mul(height).wrapping_mul(width).wrapping_mul(LANES);
        arena.span_mut(to, bytes).fill(0);
        for row in 0..images.wrapping_mul(out_h) {
            let (image, oy) = crate::geometry::split(row, out_h);
            let image = image.wrapping_mul(height);
            for ox in 0..out_w {
                for lane in 0..COLUMNS.min(channels.wrapping_sub(first)) {
                    let channel = first.wrapping_add(lane);
                    let Some(pixel) = argmax(&arena, x, window, [image, oy, ox, channel]) else { continue };
                    let from = from.wrapping_add((row * out_w + ox).wrapping_mul(LANES)).wrapping_add(2 * lane);
                    let at = to.wrapping_add(pixel.wrapping_mul(LANES)).wrapping_add(2 * lane);
                    let g = shifted(i32::from(i16_at(&arena, from)), shift);
                    let sum = saturate(i32::from(i16_at(&arena, at)).wrapping_add(g));
                    arena.store(at, sum.to_le_bytes());
                }
            }
        }
    }
}

/// The first pixel of a window that has the greatest element of a channel.
fn argmax<B: Bounds>(
    arena: &Arena<'_, u8, B>,
    x: usize,
    window: &Window2d,
    [image, oy, ox, channel]: [usize; 4],
) -> Option<usize> {
    let [height, width, channels] = window.input;
    let (mut best, mut found) = (i32::MIN, None);
    for ky in 0..window.size[0] {
        let y = (oy * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
        if y >= height {
            continue;
        }
        for kx in 0..window.size[1] {
            let column = (ox * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
            if column >= width {
                continue;
            }
            let pixel = (image + y) * width + column;
            let value = i32::from(arena[x.wrapping_add(pixel.wrapping_mul(channels)).wrapping_add(channel)] as i8);
            if value > best {
                (best, found) = (value, Some(pixel));
            }
        }
    }
    found
}

/// The gradient of RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Resized {
    /// Images.
    pub images: usize,
    /// Height, width and channels of the operator's input.
    pub input: [usize; 3],
    /// Of its output.
    pub output: [usize; 3],
    /// Bits by which what an output takes of an input, over `2^24`, is shifted right, so that sums keep to 32 bits.
    pub narrow: u32,
    /// Bits by which the sums are.
    pub shift: u32,
}

/// What [`resized`] calls one, along an axis.
pub const WHOLE_SHARE: u16 = 1 << 12;

impl Resized {
    /// Bytes of scratch: the sums of four channels of an image.
    pub fn scratch(&self) -> usize {
        self.input[0] * self.input[1] * SUM_BYTES
    }
}

/// The gradient of RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR: each output's goes to the inputs that it is interpolated between. `views` are those of the
/// gradient and of what is written, of which `rows` are computed. `taps` has, for each row of the output and then for each column, two indices of the input
/// and the share of the second, over [`WHOLE_SHARE`].
pub fn resized<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    views: &Views,
    rows: Range<usize>,
    scratch: usize,
    layer: &Resized,
    taps: Flash<'_, u16, B>,
) {
    let Resized { images, input: [height, width, _], output: [out_h, out_w, _], narrow, shift } = *layer;
    let pair = |index: usize| {
        let at = index.wrapping_mul(3);
        let share = u32::from(taps[at.wrapping_add(2)]);
        let rest = u32::from(WHOLE_SHARE).wrapping_sub(share);
        [(usize::from(taps[at]), rest), (usize::from(taps[at.wrapping_add(1)]), share)]
    };
    for block in rows {
        let (mut from, mut to) = (views.input.row(block), views.output.row(block));
        for _ in 0..images {
            arena.span_mut(scratch, layer.scratch()).fill(0);
            for oy in 0..out_h {
                for ox in 0..out_w {
                    let four = arena.load::<LANES>(from);
                    from = from.wrapping_add(LANES);
                    for (y, by_row) in pair(oy) {
                        for (x, by_column) in pair(out_h.wrapping_add(ox)) {
                            let weight = (by_row.wrapping_mul(by_column) >> (narrow & 31)) as i32;
                            if weight == 0 {
                                continue;
                            }
                            let mut at = scratch.wrapping_add((y * width + x).wrapping_mul(SUM_BYTES));
                            for &number in four.as_chunks::<2>().0 {
                                let part = i32::from(i16::from_le_bytes(number)).wrapping_mul(weight);
                                let sum = i32_at(&arena, at).wrapping_add(part);
                                arena.store(at, sum.to_le_bytes());
                                at = at.wrapping_add(4);
                            }
                        }
                    }
                }
            }
            for pixel in 0..height.wrapping_mul(width) {
                let at = scratch.wrapping_add(pixel.wrapping_mul(SUM_BYTES));
                let sums: [i32; COLUMNS] = core::array::from_fn(|lane| i32_at(&arena, at.wrapping_add(4 * lane)));
                put(&mut arena, to, sums.map(|sum| saturate(shifted(sum, shift))));
                to = to.wrapping_add(LANES);
            }
        }
    }
}
