//! Random products, computed by the device kernel and by the definition. Runs on the host and on emulated cores.

use super::random::Random;
use smidgen_kernels::int8::mcu::{Products, product};
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::{Operand, Region, View};

/// True if the kernel does as the definition says for the case with this number.
pub fn check(seed: u64) -> bool {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (rows, cols, depth) = (1 + random.below(3), 1 + random.below(5), 1 + random.below(9));
    let each = rows * cols * depth;
    let clamped = random.below(2) == 0;
    let products = Products {
        zeros: [random.byte().into(), random.byte().into()],
        multiplier: (random.next() as i32 & i32::MAX) >> random.below(12),
        offset: (random.byte() as i32) << 14 | 1 << 13,
        tie: random.below(300) as i32,
        min: if clamped { -20 } else { -128 },
        max: if clamped { 90 } else { 127 },
    };
    let mut bytes = [0i8; 600];
    let mut constant = [0i8; 150];
    for byte in bytes.iter_mut().chain(&mut constant) {
        *byte = random.byte();
    }
    let before = bytes;
    let at = |base| View::linear(base, rows, cols, depth);
    let (first, second) = (random.below(8), 140 + random.below(8));
    let a = Operand::arena(at(first));
    let (is_constant, is_vector) = (random.below(3) == 0, random.below(3) == 0);
    // In place, or not.
    let output = if random.below(2) == 0 { first } else { 300 + random.below(8) };
    let mut view = at(if is_constant { 0 } else { second });
    if is_vector {
        // One pixel, for all rows and columns.
        view = View { rows: 1, pixel_stride: 0, x0: 0, ..view };
    }
    let b = if is_constant { Operand::constant(Flash::new(&constant), view) } else { Operand::arena(view) };
    product(Arena::new(&mut bytes), a, b, at(output), Region::whole(rows, cols), depth, &products);
    (0..each).all(|i| {
        let other = if is_vector { i % depth } else { i };
        let b = if is_constant { constant[other] } else { before[second + other] };
        let centred = [(before[first + i], 0), (b, 1)].map(|(x, k)| i64::from(x) - i64::from(products.zeros[k]));
        let scaled = (centred[0] * centred[1] * (1 << 15) * i64::from(products.multiplier)).div_euclid(1 << 32);
        let tie = if centred[0] * centred[1] < 0 { products.tie } else { 0 };
        let y = (scaled + i64::from(products.offset - tie)) >> 14;
        i64::from(bytes[output + i]) == y.clamp(products.min.into(), products.max.into())
    })
}
