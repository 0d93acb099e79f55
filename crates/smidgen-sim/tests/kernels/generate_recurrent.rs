//! Random cases of layers with a state, on int8.

use crate::calls::Kernel;
use crate::cases::{Call, Case, Space, int8, numbers, rounding, signed, small};
use smidgen_kernels::int8::{Lstm, Svdf, mcu};
use smidgen_kernels::requant::Factor;
use smidgen_synthetic::Random;

/// A factor that brings sums of some thousands to some ten thousands.
fn factor(random: &mut Random) -> Factor {
    Factor::new((random.unit() * 6.0 - 2.0).exp2())
}

fn biases(random: &mut Random, count: usize) -> Vec<i32> {
    (0..count).map(|_| random.bits() as i16 as i32).collect()
}

pub fn lstm(kernel: Kernel, random: &mut Random) -> Case {
    let sizes = [small(random, 1, 2), small(random, 1, 4), small(random, 1, 9), small(random, 1, 9)];
    let [batch, steps, inputs, units] = sizes;
    let mut flag = || random.chance(1, 2);
    let (time_major, reverse, initial, mut outputs) = (flag(), flag(), flag(), [flag(), flag(), flag()]);
    outputs[0] |= outputs == [false; 3];
    let layer = Lstm {
        sizes,
        time_major,
        reverse,
        initial,
        outputs,
        input: [(); 4].map(|()| factor(random)),
        state: [(); 4].map(|()| factor(random)),
        hidden: Factor::new((-22.0 - random.unit()).exp2()),
        zero: int8(random).into(),
        memory_bits: small(random, 0, 6) as u8,
        clip: random.choose(&[0, 3000]),
        rounding: rounding(random),
    };
    let mut space = Space::new(random);
    let mut places = [0; 7];
    places[0] = space.take_input(batch * steps * inputs, 1);
    let states = batch * units;
    let taken = [(batch * steps * units, 1), (states, 1), (2 * states, 2)];
    for (i, (bytes, align)) in taken.into_iter().enumerate().filter(|(i, _)| outputs[*i]) {
        places[1 + i] = space.take(bytes, align);
    }
    if initial {
        places[4] = space.take_input(states, 1);
        places[5] = space.take_input(2 * states, 2);
    }
    places[6] = space.take(layer.scratch(), 4);
    let call = Call::new(kernel).put(&places).put(&layer);
    let call = match kernel {
        Kernel::McuLstm => [inputs, units].into_iter().fold(call, |call, inputs| {
            let weights: Vec<i8> = signed(random, 4 * units * inputs).into_iter().map(|w| w.max(-127)).collect();
            let mut packed = vec![0u32; mcu::lstm_weights([inputs, units])];
            assert!(mcu::lstm_pack([inputs, units], &weights, &mut packed));
            call.constant(&packed)
        }),
        _ => call.constant(&signed(random, 4 * units * inputs)).constant(&signed(random, 4 * units * units)),
    };
    let mut case = Case::new(call.constant(&biases(random, 8 * units)), space.fill(random));
    case.scratch = places[6]..places[6] + layer.scratch();
    case
}

pub fn svdf(random: &mut Random) -> Case {
    let (batch, inputs, rank) = (small(random, 1, 2), small(random, 1, 9), small(random, 1, 3));
    let (units, memory) = (small(random, 1, 4), small(random, 1, 7));
    let filters = rank * units;
    let layer = Svdf {
        sizes: [batch, inputs, units, rank, memory],
        zeros: [int8(random).into(), int8(random).into()],
        feature: factor(random),
        output: Factor::new((random.unit() * 6.0 - 26.0).exp2()),
        rounding: rounding(random),
    };
    let kept = 2 * batch * filters * memory;
    let mut space = Space::new(random);
    let (x, state) = (space.take_input(batch * inputs, 1), space.take_input(kept, 2));
    let (y, next) = (space.take(batch * units, 1), space.take(kept, 2));
    let scratch = space.take(layer.scratch(), 4);
    let call = Call::new(Kernel::Svdf).put(&[x, state, y, next, scratch]).put(&layer);
    let call = call.constant(&signed(random, filters * inputs)).constant(&numbers::<i16>(random, filters * memory));
    let mut case = Case::new(call.constant(&biases(random, units)), space.fill(random));
    case.scratch = scratch..scratch + layer.scratch();
    case
}
