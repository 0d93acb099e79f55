//! Random sums, computed by the device kernel and by the definition. Runs on the host and on emulated cores.

use super::random::Random;
use smidgen_kernels::int8::mcu::{Terms, sum};
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::{Operand, Region, View};

/// True if the kernel does as the definition says for the case with this number.
pub fn check(seed: u64) -> bool {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (rows, cols, depth) = (1 + random.below(3), 1 + random.below(5), 1 + random.below(9));
    let each = rows * cols * depth;
    let terms = Terms {
        weights: [random.next() as i32 - (1 << 30), random.next() as i32 - (1 << 30)].map(|w| w / 4),
        offset: (random.byte() as i32) << 20 | 1 << 19,
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
    let is_constant = random.below(3) == 0;
    // In place, or not.
    let output = if random.below(2) == 0 { first } else { 300 + random.below(8) };
    let b = if is_constant { Operand::constant(Flash::new(&constant), at(0)) } else { Operand::arena(at(second)) };
    sum(Arena::new(&mut bytes), a, b, at(output), Region::whole(rows, cols), depth, &terms);
    (0..each).all(|i| {
        let b = if is_constant { constant[i] } else { before[second + i] };
        let product = |i: usize, x: i8| ((terms.weights[i] as i64 * x as i64) >> 8) as i32;
        let total = product(0, before[first + i]) + product(1, b) + terms.offset;
        bytes[output + i] as i32 == (total >> 20).clamp(-128, 127)
    })
}
