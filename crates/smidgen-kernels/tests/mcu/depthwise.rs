//! Random depthwise layers, computed by the device kernel and by the definition. Runs on the host and on emulated cores.

use super::random::Random;
use smidgen_kernels::int8::mcu::epilogue::EXTRA;
use smidgen_kernels::int8::mcu::{
    Depthwise, Epilogue, depthwise, depthwise_any, depthwise_any_offset, depthwise_is_staged, depthwise_offset,
    depthwise_offset_pack, depthwise_offset_weights, depthwise_pack, depthwise_scratch,
};
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::{Region, View, Views, Window2d};

/// Bytes that a case may take in the arena.
pub const ARENA: usize = 24 * 1024;
/// Weights that a case may have.
pub const WEIGHTS: usize = 20 * 49;

/// Memory for a case, which is too much for a stack. All of it is overwritten.
pub struct Memory {
    pub arena: [u32; ARENA / 4],
    pub weights: [i8; WEIGHTS],
    pub packed: [u32; WEIGHTS / 4 + 8],
    pub words: [u32; 64],
}

impl Memory {
    pub const NEW: Memory =
        Memory { arena: [0; ARENA / 4], weights: [0; WEIGHTS], packed: [0; WEIGHTS / 4 + 8], words: [0; 64] };
}

fn window(random: &mut Random) -> Window2d {
    let known = random.below(8) != 0;
    let size = random.pick(&[3, 5, 7]);
    let (size, stride, dilation) = if known {
        let stride = 1 + random.below(2);
        ([size; 2], [stride; 2], [1, 1])
    } else {
        let mut draw = |n| [1 + random.below(n), 1 + random.below(n)];
        (draw(7), draw(3), draw(2))
    };
    let wide = random.below(6) == 0;
    let channels = 1 + random.below(if wide { 10 } else { 20 });
    let (mut input, mut output, mut before) = ([0, 0, channels], [0, 0, channels], [0; 2]);
    for axis in 0..2 {
        let extent = (size[axis] - 1) * dilation[axis] + 1;
        // Now and then a row that is staged in parts, of an image that is not high.
        input[axis] = match (wide, axis) {
            (true, 0) => 1 + random.below(4),
            (true, _) => 30 + random.below(90),
            _ => 1 + random.below(12),
        };
        before[axis] = random.below(extent);
        let after = random.below(extent);
        // Enough padding for one output.
        let padded = (input[axis] + before[axis] + after).max(extent);
        output[axis] = 1 + (padded - extent) / stride[axis];
    }
    Window2d { input, output, size, stride, dilation, before }
}

/// True if the kernel does as the definition says for the case with this number; `None` if that is too large for the memory.
pub fn check(seed: u64, memory: &mut Memory) -> Option<bool> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let window = window(&mut random);
    let ([in_h, in_w, channels], [out_h, out_w, _]) = (window.input, window.output);
    let images = 1 + random.below(2) * random.below(2);
    let shift = 6 + random.below(9) as u32;
    let mut epilogue = Epilogue {
        offset: (random.byte() as i32) << shift | 1 << (shift - 1),
        shift,
        tie: random.pick(&[0, 256]),
        low: 7,
        unit: 8 * 256,
        by_sign: random.below(2) == 0,
        extras: 0,
        own_shifts: random.below(2) == 0,
    };
    let input_zero = random.byte();
    let band = 1 + random.below(8);
    // Pixels may lie further apart than they are deep, rows than they are wide.
    let apart = random.below(3);
    let input = View {
        base: random.below(5),
        row_stride: in_w * (channels + apart) + random.below(4),
        rows: in_h * images,
        x0: 0,
        pixel_stride: channels + apart,
    };
    let after = input.base + input.rows * input.row_stride;
    let output = View {
        base: after + random.below(5),
        row_stride: out_w * (channels + apart),
        rows: out_h * images,
        x0: 0,
        pixel_stride: channels + apart,
    };
    let end = output.base + output.rows * output.row_stride;
    let scratch = end.next_multiple_of(4);
    let total = scratch + depthwise_scratch(&window, band);
    let weights = window.area() * channels;
    if total > ARENA || weights > WEIGHTS {
        return None;
    }
    for weight in &mut memory.weights[..weights] {
        *weight = random.byte();
    }
    let pairs = channels.div_ceil(2);
    for (i, word) in memory.words[..3 * pairs].iter_mut().enumerate() {
        // Multipliers with which most outputs are inside the clamp.
        *word = if i % 3 == 2 { random.next() << 1 } else { random.next() >> (15 - shift) };
    }
    // SAFETY: any bits are an int8, and the borrow is as long as that of the words.
    let bytes = |words: &mut [u32]| unsafe {
        core::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<i8>(), words.len() * 4)
    };
    for channel in 0..channels {
        if random.below(4) != 0 {
            continue;
        }
        let (word, half) = (channel / 2 * 3 + channel % 2, channel / 2 * 3 + 2);
        let (extra, side) = (epilogue.extras as u32, 16 * (channel as u32 % 2));
        memory.words[word] |= EXTRA;
        memory.words[half] = memory.words[half] & !(0xffff << side) | extra << side;
        // The low bits are a shift less than the layer's.
        let start = random.next() >> 8 << 8;
        memory.words[3 * pairs + epilogue.extras as usize] = start | random.below(shift as usize) as u32;
        epilogue.extras += 1;
    }
    // Weights may have a zero point.
    let zero = if random.below(2) == 0 { random.byte() } else { 0 };
    let packed = if zero == 0 {
        let packed = &mut bytes(&mut memory.packed)[..weights];
        depthwise_pack(&window, &memory.weights[..weights], packed);
        packed
    } else {
        let packed = &mut bytes(&mut memory.packed)[..depthwise_offset_weights(&window)];
        depthwise_offset_pack(&window, &memory.weights[..weights], zero, packed);
        packed
    };
    let words = Flash::new(&memory.words[..3 * pairs + epilogue.extras as usize]);
    let arena = &mut bytes(&mut memory.arena)[..total];
    for byte in arena.iter_mut() {
        *byte = random.byte();
    }
    // Two regions that together are the whole output.
    let rows = out_h * images;
    let cut = random.below(rows + 1);
    let across = random.below(out_w + 1);
    let whole = Region::whole(rows, out_w);
    let regions = if random.below(2) == 0 {
        [Region { y1: cut, ..whole }, Region { y0: cut, ..whole }]
    } else {
        [Region { x1: across, ..whole }, Region { x0: across, ..whole }]
    };
    for region in regions {
        let packed = Flash::new(&*packed);
        let layer = Depthwise { window, input_zero, epilogue, rows: band };
        let kernel = match (depthwise_is_staged(&window), zero == 0) {
            (true, true) => depthwise,
            (true, false) => depthwise_offset,
            (false, true) => depthwise_any,
            (false, false) => depthwise_any_offset,
        };
        kernel(Arena::new(arena), &Views { input, output }, region, scratch, &layer, packed, words);
    }
    for row in 0..rows {
        for x in 0..out_w {
            for c in 0..channels {
                let mut sum = 0i32;
                for ky in 0..window.size[0] {
                    for kx in 0..window.size[1] {
                        let y =
                            (row % out_h * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
                        let x = (x * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]);
                        let inside = y < in_h && x < in_w;
                        let value = if inside { arena[input.at(row / out_h * in_h + y, x) + c] } else { input_zero };
                        let weight = i32::from(memory.weights[(ky * window.size[1] + kx) * channels + c]);
                        sum += value as i32 * (weight - i32::from(zero));
                    }
                }
                let channel = epilogue.pair(words, pairs, c / 2)[c % 2];
                let expected = epilogue.output(&channel, sum.wrapping_mul(256).wrapping_add(channel.start));
                if arena[output.at(row, x) + c] != expected {
                    return Some(false);
                }
            }
        }
    }
    Some(true)
}
