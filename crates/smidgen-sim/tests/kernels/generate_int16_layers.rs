//! A generator of random cases for each kernel with weights on int16. The oracle of a device kernel is the definition.

use crate::calls::Kernel;
use crate::cases::{Call, Case, Needs, Placed, Space, place, place_transposed, region, signed, small, window};
use smidgen_kernels::Window2d;
use smidgen_kernels::int16::mcu::{self, Channel, Clamp};
use smidgen_kernels::int16::{Int16, Multiplier};
use smidgen_kernels::requant::Factor;
use smidgen_synthetic::Random;

/// Constants of a layer with int8 weights on int16.
struct Layer {
    quant: Int16,
    weights: Vec<i8>,
    bias: Vec<i64>,
    factors: Vec<Factor>,
}

impl Layer {
    /// `taps` weights for each of `outputs` channels.
    fn new(random: &mut Random, taps: usize, outputs: usize) -> Self {
        let (min, max) = random.choose(&[
            (i16::MIN, i16::MAX),
            (0, i16::MAX),
            (i16::MIN, i16::MAX),
            (0, 6000),
            (-3000, 2000),
            (7, 7),
        ]);
        let factor = |random: &mut Random| match random.below(12) {
            // Powers of two make ties.
            0 => Factor::new((-(random.between(3, 20) as f64)).exp2()),
            1 => Factor::new(0.0),
            _ => Factor::new((1.0 + random.unit()) / (taps as f64).sqrt() / 100.0),
        };
        Self {
            quant: Int16 { min, max, multiplier: random.choose(&[Multiplier::Reduced, Multiplier::Full]) },
            // Small where there are many, so that 32 bits hold their sums.
            weights: signed(random, taps * outputs).into_iter().map(|w| if taps > 400 { w / 8 } else { w }).collect(),
            bias: (0..outputs).map(|_| random.between(-1 << 20, 1 << 20)).collect(),
            factors: (0..outputs).map(|_| factor(random)).collect(),
        }
    }

    fn constants(&self, call: Call) -> Call {
        let multipliers: Vec<i32> = self.factors.iter().map(|f| f.multiplier).collect();
        let shifts: Vec<i8> = self.factors.iter().map(|f| f.shift).collect();
        call.constant(&self.weights).constant(&self.bias).constant(&multipliers).constant(&shifts)
    }

    fn clamp(&self) -> Clamp {
        Clamp { min: self.quant.min, max: self.quant.max }
    }

    /// The words of the channels; `weight` gives one of a channel.
    fn words(&self, taps: usize, weight: impl Fn(usize, usize) -> i8) -> Vec<u32> {
        let channel = |o: usize| {
            let weights = (0..taps).map(|tap| weight(o, tap));
            Channel::proven(self.bias[o], self.factors[o], self.quant.multiplier, weights).expect("32 bits hold them")
        };
        Channel::pack(&(0..self.bias.len()).map(channel).collect::<Vec<_>>()).collect()
    }
}

fn simple(kernel: Kernel, placed: &Placed, window: &Window2d, layer: &Layer) -> Call {
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region).put(window);
    layer.constants(call.put(&layer.quant))
}

pub fn conv2d(kernel: Kernel, random: &mut Random) -> Case {
    let mut window = window(random);
    if random.chance(1, 6) {
        // As the first layer of a network has it.
        window.input[2] = 3;
    }
    let mut placed = place(random, &window, 2);
    let taps = window.patch();
    let layer = Layer::new(random, taps, window.output[2]);
    let oracle = simple(Kernel::WideConv2d, &placed, &window, &layer);
    if kernel == Kernel::WideConv2d {
        return Case::new(oracle, placed.space.fill(random));
    }
    let size = mcu::conv2d_scratch(&window);
    let scratch = placed.space.take(size, 4);
    let mut packed = vec![0i8; mcu::conv2d_weights(&window)];
    mcu::conv2d_pack(&window, &layer.weights, &mut packed);
    let words = layer.words(taps, |o, tap| layer.weights[o * taps + tap]);
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region).put(&(scratch / 2));
    let call = call.put(&window).put(&layer.clamp()).constant(&packed).constant(&words);
    let case = Case::new(call, placed.space.fill(random));
    Case { oracle: Some(oracle), scratch: scratch..scratch + size, ..case }
}

pub fn depthwise(kernel: Kernel, random: &mut Random) -> Case {
    let mut window = window(random);
    window.output[2] = window.input[2];
    if kernel == Kernel::WideDepthwise {
        window.output[2] *= small(random, 1, 3);
    }
    let mut placed = place(random, &window, 2);
    let (taps, outputs) = (window.area(), window.output[2]);
    let layer = Layer::new(random, taps, outputs);
    let oracle = simple(Kernel::WideDepthwise, &placed, &window, &layer);
    if kernel == Kernel::WideDepthwise {
        return Case::new(oracle, placed.space.fill(random));
    }
    let words = layer.words(taps, |o, tap| layer.weights[tap * outputs + o]);
    let size = mcu::depthwise_scratch(&window);
    let scratch = placed.space.take(size, 4);
    let mut packed = vec![0i8; mcu::depthwise_weights(&window)];
    mcu::depthwise_pack(&window, &layer.weights, &mut packed);
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region).put(&(scratch / 2));
    let call = call.put(&window).put(&layer.clamp()).constant(&packed).constant(&words);
    let case = Case::new(call, placed.space.fill(random));
    Case { oracle: Some(oracle), scratch: scratch..scratch + size, ..case }
}

pub fn transpose_conv(random: &mut Random) -> Case {
    let (window, placed) = place_transposed(random, 2);
    let layer = Layer::new(random, window.patch(), window.output[2]);
    let call = simple(Kernel::WideTransposeConv, &placed, &window, &layer);
    Case::new(call, placed.space.fill(random))
}

pub fn fully_connected(kernel: Kernel, random: &mut Random) -> Case {
    let rows = small(random, 1, 3);
    let sizes = [small(random, 1, 90), small(random, 1, 20)];
    let mut space = Space::new(random);
    let region = region(random, rows, 1);
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, 1) };
    let input = space.input(random, [rows, 1, sizes[0]], needs, 2);
    let output = space.output(random, [rows, 1, sizes[1]], needs, 2);
    let layer = Layer::new(random, sizes[0], sizes[1]);
    let start = |kernel| Call::new(kernel).put(&input).put(&output).put(&region).put(&sizes);
    let oracle = layer.constants(start(Kernel::WideFullyConnected).put(&0i32).put(&layer.quant));
    if kernel == Kernel::WideFullyConnected {
        return Case::new(oracle, space.fill(random));
    }
    let mut packed = vec![0i8; mcu::fully_connected_weights(sizes)];
    mcu::fully_connected_pack(sizes, &layer.weights, &mut packed);
    let words = layer.words(sizes[0], |o, tap| layer.weights[o * sizes[0] + tap]);
    let call = start(kernel).put(&layer.clamp()).constant(&packed).constant(&words);
    Case { oracle: Some(oracle), ..Case::new(call, space.fill(random)) }
}
