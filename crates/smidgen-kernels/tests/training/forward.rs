//! The forward pass.

use super::layer::{Memory, apart, bytes_of, factor, list, little, operand, rounding, weights, window};
use super::plain;
use super::random::Random;
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::nd::Whole;
use smidgen_kernels::reference::Sum;
use smidgen_kernels::requant::Factor;
use smidgen_kernels::training::{self, SUM_SCRATCH, mask_bytes};

fn limits(random: &mut Random) -> (i8, i8) {
    random.pick(&[(-128, 127), (-128, 127), (-127, 100), (-20, 30), (5, 5)])
}

fn quant(random: &mut Random) -> Int8 {
    let (min, max) = limits(random);
    let (input_zero, output_zero) = (random.byte().into(), random.byte().into());
    Int8 { input_zero, output_zero, min, max, rounding: rounding(random) }
}

/// What comes after the sums: bias, factors, and what is to be written.
struct Channels {
    bias: Vec<i32>,
    multipliers: Vec<i32>,
    shifts: Vec<i8>,
}

impl Channels {
    fn new(random: &mut Random, count: usize, terms: usize) -> Self {
        let factors: Vec<Factor> = (0..count).map(|_| factor(random, terms)).collect();
        let bias = (0..count).map(|_| random.next() as i32 >> (12 + random.below(12))).collect();
        let multipliers = factors.iter().map(|f| f.multiplier).collect();
        Self { bias, multipliers, shifts: factors.iter().map(|f| f.shift).collect() }
    }

    fn factors(&self) -> training::Factors<'_> {
        training::Factors { multipliers: Flash::new(&self.multipliers), shifts: Flash::new(&self.shifts) }
    }

    fn finish(&self, sums: &[i64], quant: &Int8) -> (Vec<u8>, Vec<u8>) {
        let outputs = self.bias.len();
        let value = |(i, sum): (usize, &i64)| {
            let o = i % outputs;
            let factor = Factor { multiplier: self.multipliers[o], shift: self.shifts[o] };
            plain::scaled(sum + i64::from(self.bias[o]), factor, quant.rounding) + i64::from(quant.output_zero)
        };
        let values: Vec<i64> = sums.iter().enumerate().map(value).collect();
        plain::clamped(&values, outputs, [quant.min, quant.max])
    }

    /// The bias as an operand, a constant or in the memory.
    fn bias(&self, random: &mut Random, memory: &mut Memory) -> Whole<'_, i32> {
        if random.below(2) == 0 {
            Whole { constant: Some(Flash::new(&self.bias)), base: 0 }
        } else {
            Whole { constant: None, base: memory.put(&little(&self.bias, i32::to_le_bytes), 4) / 4 }
        }
    }
}

/// Room for outputs, masks and scratch, in this order.
fn rooms(
    random: &mut Random,
    memory: &mut Memory,
    window: &Window2d,
    images: usize,
    scratch: usize,
) -> [(usize, usize); 3] {
    let pixels = images * window.output[0] * window.output[1];
    let sizes = [pixels * window.output[2], pixels * mask_bytes(window.output[2]), scratch];
    sizes.map(|size| (memory.room(random, size, 4), size))
}

fn is_right(
    before: Memory,
    mut memory: Memory,
    rooms: [(usize, usize); 3],
    (outputs, masks): (Vec<u8>, Vec<u8>),
) -> bool {
    let right = memory.same(&before, &rooms);
    let mut take = |(at, count): (usize, usize)| memory.bytes.splice(at..at + count, []).collect::<Vec<u8>>();
    // The last first, so that the others stay where they are.
    let (got_masks, got_outputs) = (take(rooms[1]), take(rooms[0]));
    right && (got_outputs, got_masks) == (outputs, masks)
}

pub fn conv2d(random: &mut Random) -> bool {
    let depth = if random.below(4) == 0 { 4 * (1 + random.below(40)) } else { 1 + random.below(13) };
    let outputs = 1 + random.below(14);
    let window = window(random, [depth, outputs]);
    let images = 1 + random.below(2);
    let quant = quant(random);
    let [in_c, out_c] = [window.input[2], window.output[2]];
    let input = bytes_of(random, images * window.input.iter().product::<usize>());
    let all = weights(random, out_c * window.patch());
    let channels = Channels::new(random, out_c, window.patch());

    let mut sums = vec![0; images * window.output.iter().product::<usize>()];
    for [output, tap, from] in plain::links(&window, images) {
        for o in 0..out_c {
            for c in 0..in_c {
                let x = i64::from(input[from * in_c + c] as i8) - i64::from(quant.input_zero);
                sums[output * out_c + o] += x * i64::from(all[(o * window.area() + tap) * in_c + c] as i8);
            }
        }
    }
    let expected = channels.finish(&sums, &quant);

    let list = list(random, in_c);
    let (kept, taken) = apart(&all, in_c, &list);
    let layer = training::Conv2d { window, images, quant, selected: list.len() };
    let mut memory = Memory::new();
    let (input, taken) = (memory.put(&input, 1), memory.put(&taken, 1));
    let weights = operand(random, &mut memory, &kept);
    let bias = channels.bias(random, &mut memory);
    let rooms = rooms(random, &mut memory, &window, images, layer.scratch());
    let before = Memory { bytes: memory.bytes.clone() };
    let [output, mask, scratch] = rooms.map(|room| room.0);
    let arena = Arena::new(&mut memory.bytes);
    let factors = channels.factors();
    let places = [input, output, mask, taken, scratch];
    training::conv2d(arena, places, &layer, weights, bias, factors, Flash::new(&list));
    is_right(before, memory, rooms, expected)
}

pub fn depthwise(random: &mut Random) -> bool {
    let depth = 1 + random.below(13);
    let multiplier = if random.below(3) == 0 { 1 + random.below(3) } else { 1 };
    let mut window = window(random, [depth, depth * multiplier]);
    if random.below(20) == 0 {
        // More than fits one plane.
        (window.size, window.stride, window.dilation, window.before) = ([3; 2], [1; 2], [1; 2], [1; 2]);
        (window.input, window.output) = ([40, 30, depth], [40, 30, depth * multiplier]);
    }
    let images = 1 + random.below(2);
    let quant = quant(random);
    let [in_c, out_c] = [window.input[2], window.output[2]];
    let input = bytes_of(random, images * window.input.iter().product::<usize>());
    let all = weights(random, out_c * window.area());
    let channels = Channels::new(random, out_c, window.area());

    let mut sums = vec![0; images * window.output.iter().product::<usize>()];
    for [output, tap, from] in plain::links(&window, images) {
        for o in 0..out_c {
            let x = i64::from(input[from * in_c + o / multiplier] as i8) - i64::from(quant.input_zero);
            sums[output * out_c + o] += x * i64::from(all[tap * out_c + o] as i8);
        }
    }
    let expected = channels.finish(&sums, &quant);

    let layer = training::Depthwise { window, images, quant };
    let mut memory = Memory::new();
    let input = memory.put(&input, 1);
    let weights = operand(random, &mut memory, &all);
    let bias = channels.bias(random, &mut memory);
    let rooms = rooms(random, &mut memory, &window, images, layer.scratch());
    let before = Memory { bytes: memory.bytes.clone() };
    let [output, mask, scratch] = rooms.map(|room| room.0);
    let arena = Arena::new(&mut memory.bytes);
    let factors = channels.factors();
    training::depthwise(arena, [input, output, mask, scratch], &layer, weights, bias, factors);
    is_right(before, memory, rooms, expected)
}

pub fn sum(random: &mut Random) -> bool {
    let (pixels, channels) = (1 + random.below(9), 1 + random.below(40));
    let (min, max) = limits(random);
    let factors = [(); 2].map(|()| Factor::new((1 + random.below(1000)) as f64 / 2000.0));
    let terms = Sum {
        zeros: [random.byte().into(), random.byte().into()],
        factors,
        output: Factor::new((1 + random.below(3000)) as f64 / 1000.0 / f64::from(1 << 20)),
        output_zero: random.byte().into(),
        min,
        max,
        subtract: random.below(4) == 0,
        rounding: rounding(random),
    };
    let [a, b] = [(); 2].map(|()| bytes_of(random, pixels * channels));
    let term = |x: u8, i: usize| {
        let centred = i64::from(x as i8) - i64::from(terms.zeros[i]);
        let signed = if terms.subtract && i == 1 { -centred } else { centred };
        plain::scaled(signed << 20, terms.factors[i], terms.rounding)
    };
    let value = |(&x, &y): (&u8, &u8)| {
        let sum = term(x, 0) + term(y, 1);
        plain::scaled(sum, terms.output, terms.rounding) + i64::from(terms.output_zero)
    };
    let values: Vec<i64> = a.iter().zip(&b).map(value).collect();
    let expected = plain::clamped(&values, channels, [min, max]);

    let mut memory = Memory::new();
    let [a, b] = [a, b].map(|tensor| memory.put(&tensor, 1));
    let sizes = [pixels * channels, pixels * mask_bytes(channels), SUM_SCRATCH];
    let rooms = sizes.map(|size| (memory.room(random, size, 4), size));
    let before = Memory { bytes: memory.bytes.clone() };
    let places = [a, b, rooms[0].0, rooms[1].0, rooms[2].0];
    training::sum(Arena::new(&mut memory.bytes), places, [pixels, channels], &terms);
    is_right(before, memory, rooms, expected)
}
