//! A generator of random cases for each kernel of the device set. Their oracle is their own portable form on the host; that this gives
//! the bytes of the simple kernels is what lowering proves for each layer and tests of the host check.

use crate::calls::Kernel;
use crate::cases::{Call, Case, Needs, Space, int8, place, region, signed, small, window};
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::mcu::epilogue::{EXTRA, max_low_bits};
use smidgen_kernels::int8::mcu::{self, Epilogue, PRODUCT_BITS, Products, SUM_BITS, Terms, Width};
use smidgen_synthetic::Random;

pub fn conv2d(kernel: Kernel, width: Width, random: &mut Random) -> Case {
    let mut window = window(random);
    if random.chance(1, 6) {
        // As the first layer of a network has it.
        window.input[2] = 3;
    }
    let mut placed = place(random, &window, 1);
    let offset = kernel == Kernel::McuConv2dOffset;
    let size = if offset { mcu::conv2d_offset_scratch(&window) } else { mcu::conv2d_scratch(&window) };
    let scratch = placed.space.take(size, 4);
    let (epilogue, words) = finish(random, width, window.output[2]);
    let weights = weights(random, width, window.patch() * window.output[2]);
    let mut packed = vec![0u32; mcu::conv2d_words(&window, width, epilogue.extras)];
    if offset {
        packed.resize(mcu::conv2d_offset_words(&window, epilogue.extras), 0);
        let zeros = signed(random, window.output[2]);
        assert!(mcu::conv2d_offset_pack(&window, &weights, &zeros, &words, &mut packed));
    } else {
        assert!(mcu::conv2d_pack(&window, width, &weights, &words, &mut packed));
    }
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region).put(&scratch);
    let call = call.put(&window).put(&int8(random)).put(&epilogue).constant(&packed);
    Case { scratch: scratch..scratch + size, ..Case::new(call, placed.space.fill(random)) }
}

fn depthwise_window(random: &mut Random) -> Window2d {
    let mut window = window(random);
    if random.chance(1, 6) {
        // Wider than can be staged at a time.
        window.input[1] += 60;
        window.output[1] += 60 / window.stride[1];
        window.input[2] = small(random, 1, 9);
    }
    window.output[2] = window.input[2];
    window
}

pub fn depthwise(kernel: Kernel, random: &mut Random) -> Case {
    // The kernel for any window takes those that are staged as well.
    let any = matches!(kernel, Kernel::McuDepthwiseAny | Kernel::McuDepthwiseAnyOffset);
    let mut window = depthwise_window(random);
    while !any && !mcu::depthwise_is_staged(&window) {
        window = depthwise_window(random);
    }
    let mut placed = place(random, &window, 1);
    let band = small(random, 1, 8);
    let size = if any { 0 } else { mcu::depthwise_scratch(&window, band) };
    let scratch = placed.space.take(size, 4);
    let (mut epilogue, mut words) = finish(random, Width::Eight, window.output[2]);
    epilogue.own_shifts = random.chance(1, 2);
    if epilogue.own_shifts {
        for extra in words.iter_mut().skip(3 * window.output[2].div_ceil(2)) {
            *extra = *extra & !255 | random.below(epilogue.shift as usize) as u32;
        }
    }
    assert!(epilogue.is_sound(Width::Eight, &words, window.output[2]));
    let mut packed = vec![0i8; mcu::depthwise_weights(&window)];
    let weights = weights(random, Width::Eight, window.area() * window.output[2]);
    if matches!(kernel, Kernel::McuDepthwiseOffset | Kernel::McuDepthwiseAnyOffset) {
        packed.resize(mcu::depthwise_offset_weights(&window), 0);
        mcu::depthwise_offset_pack(&window, &weights, int8(random), &mut packed);
    } else {
        mcu::depthwise_pack(&window, &weights, &mut packed);
    }
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region);
    let call =
        call.put(&scratch).put(&window).put(&int8(random)).put(&epilogue).put(&band).constant(&packed).constant(&words);
    Case { scratch: scratch..scratch + size, ..Case::new(call, placed.space.fill(random)) }
}

pub fn fully_connected(kernel: Kernel, width: Width, random: &mut Random) -> Case {
    let rows = small(random, 1, 3);
    let sizes = [small(random, 1, 90), small(random, 1, 20)];
    let mut space = Space::new(random);
    let region = region(random, rows, 1);
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, 1) };
    let input = space.input(random, [rows, 1, sizes[0]], needs, 1);
    let output = space.output(random, [rows, 1, sizes[1]], needs, 1);
    let (epilogue, words) = finish(random, width, sizes[1]);
    let mut packed = vec![0u32; mcu::fully_connected_weights(sizes, width)];
    assert!(mcu::fully_connected_pack(sizes, width, &weights(random, width, sizes[0] * sizes[1]), &mut packed));
    let call = Call::new(kernel).put(&input).put(&output).put(&region).put(&sizes);
    Case::new(call.put(&epilogue).constant(&packed).constant(&words), space.fill(random))
}

/// Weights as converters give them: no -128. All of those of four bits.
fn weights(random: &mut Random, width: Width, count: usize) -> Vec<i8> {
    let all = signed(random, count).into_iter();
    match width {
        Width::Eight => all.map(|w| w.max(-127)).collect(),
        Width::Four => all.map(|w| w >> 4).collect(),
    }
}

/// How accumulators of a device kernel become outputs, and the words of so many channels; every eighth or so starts at an extra.
fn finish(random: &mut Random, width: Width, channels: usize) -> (Epilogue, Vec<u32>) {
    let bits = small(random, 0, max_low_bits(width).into()) as u32;
    let shift = small(random, 8, 16) as u32;
    let offset = (i32::from(int8(random)) << shift) + (1 << (shift - 1));
    let (tie, by_sign) = (random.choose(&[0, width.scale() as u32]), random.chance(1, 2));
    let pairs = channels.div_ceil(2);
    let (mut words, mut extras) = (vec![0; 3 * pairs], Vec::new());
    for channel in 0..channels {
        // Of all sizes, so that outputs are spread and ties differ.
        let mut word = (random.bits() as u32 >> 1 | 1 << 30) >> random.below(8);
        let mut half = random.bits() as u16;
        if random.chance(1, 8) {
            word |= EXTRA;
            half = extras.len() as u16;
            extras.push(random.between(-1 << 24, 1 << 24) as u32);
        }
        words[channel / 2 * 3 + channel % 2] = word;
        words[channel / 2 * 3 + 2] |= u32::from(half) << (16 * (channel % 2));
    }
    let epilogue = Epilogue {
        offset,
        shift,
        tie,
        low: (1 << bits) - 1,
        unit: width.scale() << bits,
        by_sign,
        extras: extras.len() as u16,
        own_shifts: false,
    };
    words.extend(extras);
    assert!(epilogue.is_sound(width, &words, channels));
    (epilogue, words)
}

/// Products of up to the output's scale and beyond, clamped or not.
pub fn products(random: &mut Random) -> Products {
    let [low, high] = [int8(random), int8(random)];
    let clamped = random.chance(1, 2);
    Products {
        zeros: [int8(random).into(), int8(random).into()],
        multiplier: random.between(0, (1 << 31) - 1) as i32 >> random.below(12),
        offset: (i32::from(int8(random)) << PRODUCT_BITS) + (1 << (PRODUCT_BITS - 1)),
        tie: random.between(-300, 300) as i32,
        min: if clamped { low.min(high) } else { i8::MIN },
        max: if clamped { low.max(high) } else { i8::MAX },
    }
}

/// Operands of up to twice the output's scale, added or subtracted.
pub fn terms(random: &mut Random) -> Terms {
    Terms {
        weights: [(); 2].map(|()| random.between(-1 << 29, 1 << 29) as i32),
        offset: (i32::from(int8(random)) << SUM_BITS) + (1 << (SUM_BITS - 1)),
    }
}
