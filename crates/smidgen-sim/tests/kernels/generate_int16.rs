//! Random cases of kernels on int16 without weights.

use crate::calls::Kernel;
use crate::cases::{Call, Case, Filled, Needs, Number, Space, factor, region, rounding, small};
use crate::generate::{alike, operand};
use smidgen_kernels::Rounding;
use smidgen_kernels::convert::{Requantise, Rescale, Stored};
use smidgen_kernels::int16::{ENTRIES, Reduce, Sigmoid, Slopes, Softmax, Terms};
use smidgen_kernels::memory::Integer;
use smidgen_kernels::reference::{Binary, Product, Sum};
use smidgen_kernels::requant::Factor;
use smidgen_synthetic::Random;

/// ADD or SUB with any scales.
fn any_sum(random: &mut Random, rounding: Rounding) -> Sum<i16> {
    let [min, max] = i16::bounds(random);
    let [a, b, y] = [(); 3].map(|()| random.unit() + 1e-3);
    let common = 2.0 * a.max(b);
    Sum {
        zeros: [0, 0],
        factors: [Factor::new(a / common), Factor::new(b / common)],
        output: Factor::new(common / ((1 << i16::SUM_SHIFT) as f64 * y)),
        output_zero: 0,
        min,
        max,
        subtract: random.chance(1, 2),
        rounding,
    }
}

pub fn function(random: &mut Random) -> Binary<i16> {
    let ([min, max], rounding) = (i16::bounds(random), rounding(random));
    let zeros = [0, 0];
    match random.below(4) {
        0 => Binary::Sum(any_sum(random, rounding)),
        1 => {
            let factor = Factor::new((random.unit() * 6.0 - 18.0).exp2());
            Binary::Product(Product { zeros, factor, output_zero: 0, min, max, rounding })
        }
        2 => Binary::Minimum,
        _ => Binary::Maximum,
    }
}

/// Two operands, an output and a region for a call, and the arena.
fn two(random: &mut Random) -> (impl Fn(Kernel) -> Call + use<>, Filled) {
    let mut space = Space::new(random);
    let shape = [small(random, 1, 6), small(random, 1, 6), small(random, 1, 30)];
    let region = region(random, shape[0], shape[1]);
    let operands = [(); 2].map(|()| operand::<i16>(random, &mut space, shape, region));
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, shape, written, 2);
    let call = move |kernel| {
        let mut call = Call::new(kernel);
        for (constant, view, step) in &operands {
            call = call.option(constant.as_deref()).put(view).put(step);
        }
        call.put(&output).put(&region).put(&shape[2])
    };
    (call, space.fill(random))
}

pub fn binary(random: &mut Random) -> Case {
    let (call, arena) = two(random);
    Case::new(call(Kernel::WideBinary).put(&function(random)), arena)
}

/// The fast form, held to the definition.
pub fn sum(random: &mut Random) -> Case {
    let (call, arena) = two(random);
    let sum = any_sum(random, Rounding::Twice);
    let terms = Terms::of(&sum).expect("an output factor under 1");
    let oracle = Some(call(Kernel::WideBinary).put(&Binary::Sum(sum)));
    Case { oracle, ..Case::new(call(Kernel::WideSum).put(&terms), arena) }
}

/// The same for QUANTIZE between int8 and int16.
pub fn rescale(random: &mut Random) -> Case {
    let [from, to] = [(); 2].map(|()| random.choose(&[Stored::Int8, Stored::Int16]));
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [from.bytes(), to.bytes()]);
    let mut zero = |stored| if stored == Stored::Int16 { 0 } else { random.between(-128, 127) as i32 };
    let zeros = [zero(from), zero(to)];
    let factor = Factor::new((random.unit() * 22.0 - 14.0).exp2());
    let how = Requantise { from, to, zeros, factor, rounding: Rounding::Twice };
    let quick = Rescale::of(&how).expect("a factor that fits");
    let call = |kernel| Call::new(kernel).put(&input).put(&output).put(&region).put(&shape[2]);
    let oracle = Some(call(Kernel::Requantise).put(&how));
    Case { oracle, ..Case::new(call(Kernel::Rescale).put(&quick), space.fill(random)) }
}

pub fn softmax(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [2, 2]);
    let how = Softmax { factor: Factor::new((random.unit() * 12.0 - 4.0).exp2()), rounding: rounding(random) };
    let call = Call::new(Kernel::WideSoftmax).put(&input).put(&output).put(&region).put(&shape[2]);
    Case::new(call.put(&how).constant(&Softmax::tables()), space.fill(random))
}

pub fn sigmoid(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [2, 2]);
    let how = match random.below(3) {
        0 => Sigmoid { multiplier: random.choose(&[3, 6]), shift: 0, tanh: true },
        _ => Sigmoid {
            multiplier: random.between(1 << 14, i16::MAX.into()) as i32,
            shift: small(random, 0, 31) as u8,
            tanh: random.chance(1, 2),
        },
    };
    let call = Call::new(Kernel::WideSigmoid).put(&input).put(&output).put(&region).put(&shape[2]);
    Case::new(call.put(&how).constant(&Sigmoid::table()), space.fill(random))
}

pub fn table(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [2, 2]);
    let call = Call::new(Kernel::WideTable).put(&input).put(&output).put(&region).put(&shape[2]);
    let entries: Vec<i16> = (0..ENTRIES).map(|_| random.between(i16::MIN.into(), i16::MAX.into()) as i16).collect();
    Case::new(call.constant(&entries), space.fill(random))
}

pub fn slopes(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [2, 2]);
    let [min, max] = i16::bounds(random);
    let (positive, negative) = (factor(random), factor(random));
    let how = Slopes { positive, negative, falls: random.chance(1, 3), min, max, rounding: rounding(random) };
    let call = Call::new(Kernel::WideSlopes).put(&input).put(&output).put(&region).put(&shape[2]);
    Case::new(call.put(&how), space.fill(random))
}

pub fn reduction(random: &mut Random, count: usize) -> Reduce {
    Reduce { factor: Factor::new((0.5 + random.unit()) / count as f64), rounding: rounding(random) }
}
