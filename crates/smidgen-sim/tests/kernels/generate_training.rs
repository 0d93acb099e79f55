//! A generator of random cases for the kernels of a training step. Their oracle is their own portable form on the host, which tests of
//! the kernels compare with their definitions.

use crate::calls::Kernel;
use crate::cases::{Call, Case, Layer, Space, bytes, clamp, factor, int8, numbers, quant, rounding, small, window};
use smidgen_kernels::int8::Sum;
use smidgen_kernels::reference::Product;
use smidgen_kernels::requant::Factor;
use smidgen_kernels::training::{
    AxisMap, BiasStep, Conv2d, Cross, Depthwise, DepthwiseGradient, DepthwiseStep, Feed, Head, InputGradient,
    MOST_AXES, Noise, ProductGradient, RATE_BITS, Rearrange, Resized, SUM_SCRATCH, Select, Spread, Step, Total,
    WHOLE_SHARE, WeightStep, blocks, mask_bytes,
};
use smidgen_kernels::{Region, View, Views, Window2d};
use smidgen_synthetic::Random;

/// Elements of so many images.
fn elements(images: usize, image: [usize; 3]) -> usize {
    images * image.iter().product::<usize>()
}

/// Bytes of the mask of so many images.
fn masks(images: usize, [height, width, channels]: [usize; 3]) -> usize {
    images * height * width * mask_bytes(channels)
}

/// A window that keeps to channels, of which some have several outputs.
fn channelwise(random: &mut Random) -> Window2d {
    let mut window = window(random);
    window.output[2] = window.input[2] * random.choose(&[1, 1, 2, 3]);
    window
}

/// Some of the channels.
fn list(random: &mut Random, channels: usize) -> Vec<u16> {
    let some = random.chance(1, 2);
    (0..channels as u16).filter(|_| some && random.chance(1, 3)).collect()
}

/// The next argument: a tensor as a constant, or in the arena.
fn whole<T: bytemuck::Pod>(random: &mut Random, space: &mut Space, call: Call, tensor: &[T]) -> Call {
    if random.chance(1, 2) {
        return call.option(Some(tensor)).put(&0usize);
    }
    let at = space.take_input(size_of_val(tensor), size_of::<T>());
    call.option::<T>(None).put(&(at / size_of::<T>()))
}

fn weights(layer: &Layer) -> &[u8] {
    bytemuck::cast_slice(&layer.weights)
}

fn case(random: &mut Random, call: Call, space: Space, scratch: usize, size: usize) -> Case {
    Case { scratch: scratch..scratch + size, ..Case::new(call, space.fill(random)) }
}

pub fn conv2d(random: &mut Random) -> Case {
    let (window, images) = (window(random), small(random, 1, 2));
    let list = list(random, window.input[2]);
    let layer = Conv2d { window, images, quant: quant(random), selected: list.len() };
    let mut space = Space::new(random);
    let input = space.take_input(elements(images, window.input), 1);
    let output = space.take(elements(images, window.output), 1);
    let mask = space.take(masks(images, window.output), 1);
    let apart = space.take_input(window.output[2] * window.area() * list.len(), 1);
    let scratch = space.take(layer.scratch(), 4);
    let constants = Layer::new(random, window.patch(), window.output[2]);
    let call = Call::new(Kernel::TrainConv2d).put(&[input, output, mask, apart, scratch]).put(&layer);
    let call = whole(random, &mut space, call, weights(&constants));
    let call = whole(random, &mut space, call, &constants.bias);
    let call = call.constant(&constants.multipliers).constant(&constants.shifts).constant(&list);
    case(random, call, space, scratch, layer.scratch())
}

pub fn depthwise(random: &mut Random) -> Case {
    let (window, images) = (channelwise(random), small(random, 1, 2));
    let layer = Depthwise { window, images, quant: quant(random) };
    let mut space = Space::new(random);
    let input = space.take_input(elements(images, window.input), 1);
    let output = space.take(elements(images, window.output), 1);
    let mask = space.take(masks(images, window.output), 1);
    let scratch = space.take(layer.scratch(), 4);
    let constants = Layer::new(random, window.area(), window.output[2]);
    let call = Call::new(Kernel::TrainDepthwise).put(&[input, output, mask, scratch]).put(&layer);
    let call = whole(random, &mut space, call, weights(&constants));
    let call = whole(random, &mut space, call, &constants.bias);
    let call = call.constant(&constants.multipliers).constant(&constants.shifts);
    case(random, call, space, scratch, layer.scratch())
}

pub fn sum(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 20), small(random, 1, 24)];
    let count = sizes[0] * sizes[1];
    let [min, max] = clamp(random);
    let mut space = Space::new(random);
    let [a, b] = [(); 2].map(|()| space.take_input(count, 1));
    let output = space.take(count, 1);
    let mask = space.take(sizes[0] * mask_bytes(sizes[1]), 1);
    let scratch = space.take(SUM_SCRATCH, 4);
    let terms = Sum {
        zeros: [int8(random).into(), int8(random).into()],
        factors: [factor(random), factor(random)],
        output: Factor::new((1.0 + random.unit()) * 2e-6),
        output_zero: int8(random).into(),
        min,
        max,
        subtract: random.chance(1, 3),
        rounding: rounding(random),
    };
    let call = Call::new(Kernel::TrainSum).put(&[a, b, output, mask, scratch]).put(&sizes).put(&terms);
    case(random, call, space, scratch, SUM_SCRATCH)
}

/// A gradient of so many pixels and channels, to read or to write.
fn gradient(space: &mut Space, [pixels, channels]: [usize; 2], written: bool) -> View {
    let bytes = 8 * pixels * blocks(channels);
    let base = if written { space.take(bytes, 4) } else { space.take_input(bytes, 4) };
    View::linear(base, blocks(channels), pixels, 8)
}

/// Pixels and channels of so many images.
fn sizes(images: usize, [height, width, channels]: [usize; 3]) -> [usize; 2] {
    [images * height * width, channels]
}

/// Some of so many, at least one.
fn part(random: &mut Random, count: usize) -> [usize; 2] {
    let first = random.below(count);
    [first, first + 1 + random.below(count - first)]
}

/// A part of a gradient.
fn region(random: &mut Random, [pixels, channels]: [usize; 2]) -> Region {
    let ([y0, y1], [x0, x1]) = (part(random, blocks(channels)), part(random, pixels));
    Region { y0, y1, x0, x1 }
}

pub fn mask(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 20), small(random, 1, 40)];
    let mut space = Space::new(random);
    let mask = space.take_input(sizes[0] * mask_bytes(sizes[1]), 1);
    let input = gradient(&mut space, sizes, false);
    let output = if random.chance(1, 2) {
        space.in_place();
        input
    } else {
        gradient(&mut space, sizes, true)
    };
    let call = Call::new(Kernel::MaskGradient).put(&Views { input, output }).put(&region(random, sizes));
    case(random, call.put(&mask).put(&sizes[1]), space, 0, 0)
}

pub fn scale(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 20), small(random, 1, 40)];
    let mut space = Space::new(random);
    let input = gradient(&mut space, sizes, false);
    let output = space.take(8 * sizes[0] * blocks(sizes[1]), 4);
    let call = Call::new(Kernel::ScaleGradient).put(&input).put(&output).put(&sizes);
    let call = call.put(&(small(random, 15, 24) as u32)).constant(&factors(random, sizes[1]));
    case(random, call, space, 0, 0)
}

/// Some indices of each axis, the axes in another order.
pub fn rearrange(random: &mut Random) -> Case {
    let mut axes = [AxisMap { size: 1, first: 0, step: 1, count: 1, stride: 0 }; MOST_AXES];
    let mut stride = 1isize;
    for axis in &mut axes[MOST_AXES - 4..] {
        let (step, count, first) = (small(random, 1, 2), small(random, 1, 3), random.below(2));
        let by = if random.chance(1, 4) { 0 } else { stride };
        stride *= if by == 0 { 1 } else { count as isize };
        *axis = AxisMap { size: first + (count - 1) * step + 1, first, step, count, stride: by };
    }
    let elements = axes.iter().map(|axis| axis.size).product();
    let [from, to] = [stride as usize, elements].map(|elements| {
        let divisors: Vec<usize> = (1..=elements).filter(|d| elements.is_multiple_of(*d)).collect();
        let channels = random.choose(&divisors);
        [elements / channels, channels]
    });
    let mut space = Space::new(random);
    let places = [gradient(&mut space, from, false).base, gradient(&mut space, to, true).base];
    let layer = Rearrange { axes, start: 0, from, to };
    case(random, Call::new(Kernel::RearrangeGradient).put(&places).put(&layer), space, 0, 0)
}

pub fn slope(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 20), small(random, 1, 20)];
    let mut space = Space::new(random);
    let x = space.take_input(sizes[0] * sizes[1], 1);
    let input = gradient(&mut space, sizes, false);
    let output = if random.chance(1, 2) {
        space.in_place();
        input
    } else {
        gradient(&mut space, sizes, true)
    };
    let call = Call::new(Kernel::SlopeGradient).put(&Views { input, output }).put(&region(random, sizes));
    let call = call.put(&x).put(&sizes[1]).put(&(small(random, 0, 20) as u32)).constant(&numbers::<i16>(random, 256));
    case(random, call, space, 0, 0)
}

pub fn product(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 12), small(random, 1, 20)];
    let broadcast = random.choose(&[[false, false], [true, false], [false, true]]);
    let [min, max] = clamp(random);
    let product = Product {
        zeros: [int8(random).into(), int8(random).into()],
        factor: factor(random),
        output_zero: int8(random).into(),
        min,
        max,
        rounding: rounding(random),
    };
    let second = random.chance(1, 2);
    let layer = ProductGradient { product, sizes, broadcast, second, shift: small(random, 0, 12) as u32 };
    let mut space = Space::new(random);
    let input = gradient(&mut space, sizes, false);
    let output = gradient(&mut space, [if broadcast[0] { 1 } else { sizes[0] }, sizes[1]], true);
    let rows = part(random, blocks(sizes[1]));
    let mut call = Call::new(Kernel::ProductGradient).put(&Views { input, output }).put(&rows).put(&layer);
    for one in broadcast {
        let tensor = bytes(random, if one { sizes[1] } else { sizes[0] * sizes[1] });
        call = whole(random, &mut space, call, &tensor);
    }
    case(random, call, space, 0, 0)
}

pub fn resized(random: &mut Random) -> Case {
    let (images, channels) = (small(random, 1, 2), small(random, 1, 10));
    let [input, output] = [(); 2].map(|()| [small(random, 1, 6), small(random, 1, 8), channels]);
    let layer =
        Resized { images, input, output, narrow: small(random, 8, 14) as u32, shift: small(random, 0, 12) as u32 };
    let taps: Vec<u16> = (0..output[0] + output[1])
        .flat_map(|i| {
            let size = if i < output[0] { input[0] } else { input[1] };
            let first = random.below(size);
            [first as u16, (first + 1).min(size - 1) as u16, random.below(1 + usize::from(WHOLE_SHARE)) as u16]
        })
        .collect();
    let mut space = Space::new(random);
    let views = Views {
        input: gradient(&mut space, sizes(images, output), false),
        output: gradient(&mut space, sizes(images, input), true),
    };
    let scratch = space.take(layer.scratch(), 4);
    let rows = part(random, blocks(channels));
    let call = Call::new(Kernel::ResizeGradient).put(&views).put(&rows).put(&scratch).put(&layer).constant(&taps);
    case(random, call, space, scratch, layer.scratch())
}

pub fn greatest(random: &mut Random) -> Case {
    let (mut window, images) = (window(random), small(random, 1, 2));
    window.output[2] = window.input[2];
    let mut space = Space::new(random);
    let x = space.take_input(elements(images, window.input), 1);
    let input = gradient(&mut space, sizes(images, window.output), false);
    let output = gradient(&mut space, sizes(images, window.input), true);
    let rows = part(random, blocks(window.input[2]));
    let call = Call::new(Kernel::MaxPoolGradient).put(&Views { input, output }).put(&rows).put(&x);
    let call = call.put(&Spread { window, images, shift: small(random, 0, 3) as u32 });
    case(random, call, space, 0, 0)
}

/// What a gradient of each output channel counts.
fn factors(random: &mut Random, channels: usize) -> Vec<i16> {
    numbers::<i16>(random, channels).into_iter().map(|factor| factor & i16::MAX).collect()
}

pub fn input_gradient(random: &mut Random) -> Case {
    let (window, images) = (window(random), small(random, 1, 2));
    let list = list(random, window.input[2]);
    let (narrow, shift) = (small(random, 15, 24) as u32, small(random, 0, 12) as u32);
    let feed = match random.below(3) {
        0 if window.is_pointwise() => Feed::Staged,
        1 => Feed::Whole,
        _ => Feed::Rows,
    };
    let layer = InputGradient { window, images, selected: list.len(), narrow, shift, feed };
    let mut space = Space::new(random);
    // What is staged has as many numbers.
    let from = gradient(&mut space, sizes(images, window.output), false);
    let output = gradient(&mut space, sizes(images, window.input), true);
    let apart = space.take_input(window.output[2] * window.area() * list.len(), 1);
    let scratch = space.take(layer.scratch(), 4);
    let state = space.take(layer.state(), 4);
    let rows = part(random, blocks(if feed == Feed::Rows { window.output[2] } else { window.input[2] }));
    let call = Call::new(Kernel::GradientConv2d).put(&Views { input: from, output }).put(&rows);
    let call = call.put(&[apart, scratch, state]).put(&layer);
    let constants = bytes(random, window.patch() * window.output[2]);
    let call = whole(random, &mut space, call, &constants);
    let mut numbers = factors(random, window.output[2]);
    numbers.extend(list.iter().map(|&channel| channel as i16));
    case(random, call.constant(&numbers), space, scratch, layer.scratch())
}

pub fn depthwise_gradient(random: &mut Random) -> Case {
    let (window, images) = (channelwise(random), small(random, 1, 2));
    let (narrow, shift) = (small(random, 15, 24) as u32, small(random, 0, 12) as u32);
    let layer = DepthwiseGradient { window, images, narrow, shift };
    let mut space = Space::new(random);
    let input = gradient(&mut space, sizes(images, window.output), false);
    let output = gradient(&mut space, sizes(images, window.input), true);
    let scratch = space.take(layer.scratch(), 4);
    let rows = part(random, blocks(window.input[2]));
    let call = Call::new(Kernel::GradientDepthwise).put(&Views { input, output }).put(&rows);
    let call = call.put(&scratch).put(&layer);
    let constants = bytes(random, window.area() * window.output[2]);
    let call = whole(random, &mut space, call, &constants);
    let call = call.constant(&factors(random, window.output[2]));
    case(random, call, space, scratch, layer.scratch())
}

pub fn spread(random: &mut Random) -> Case {
    let (mut window, images) = (window(random), small(random, 1, 2));
    window.output[2] = window.input[2];
    let mut space = Space::new(random);
    let input = gradient(&mut space, sizes(images, window.output), false);
    let output = gradient(&mut space, sizes(images, window.input), true);
    let shift = small(random, 0, 3) as u32;
    let rows = part(random, blocks(window.input[2]));
    let call = Call::new(Kernel::SpreadGradient).put(&Views { input, output }).put(&rows);
    let call = call.put(&Spread { window, images, shift });
    case(random, call, space, 0, 0)
}

/// Rounding of a step, and places of the learning rate, the exponent, the seed, what is kept, and how many samples were collected.
fn step(random: &mut Random, space: &mut Space, elements: usize) -> (Step, [usize; 5]) {
    let (noise, kept, held, collected) = random.choose(&[
        (Noise::Nearest, 0, 0, 0),
        (Noise::Stochastic, 0, 0, 1),
        (Noise::Nearest, 8, 1, 1),
        (Noise::Nearest, 16, 2, 0),
        (Noise::Stochastic, 8, 2, 3),
        (Noise::Nearest, 8, 4, 2),
        (Noise::Nearest, 16, 4, 2),
    ]);
    let salt = random.bits() as u32;
    let step = Step { narrow: small(random, 0, 3) as u32, noise, salt, kept, held, collected };
    let [rate, exponent, seed, count] = [(); 4].map(|()| space.take_input(4, 4));
    (step, [rate, exponent, seed, space.take(elements * held as usize, 4), count])
}

/// A case with a learning rate and an exponent as training has them.
fn rated(mut case: Case, random: &mut Random, [rate, exponent, .., count]: [usize; 5]) -> Case {
    let words =
        [(rate, small(random, 0, 1 << RATE_BITS)), (exponent, small(random, 0, 20)), (count, small(random, 0, 2))];
    for (at, word) in words {
        case.arena[at..at + 4].copy_from_slice(&(word as u32).to_le_bytes());
    }
    case
}

/// Mantissa and shift of each channel.
fn rates(random: &mut Random, channels: usize) -> Vec<i32> {
    (0..channels)
        .flat_map(|_| match random.below(8) {
            0 => [0, 0],
            _ => [(1 << 30) | random.bits() as i32 & i32::MAX, small(random, 10, 60) as i32],
        })
        .collect()
}

/// Rows of what belongs to so many channels.
fn updated(random: &mut Random, channels: usize) -> [usize; 2] {
    part(random, if channels.is_multiple_of(4) { channels / 4 } else { 1 })
}

pub fn update_weights(random: &mut Random) -> Case {
    let (window, images) = (window(random), small(random, 1, 2));
    let channels = window.input[2];
    let mut space = Space::new(random);
    let (step, common) = step(random, &mut space, window.patch() * window.output[2]);
    let layer = WeightStep { window, images, channels, zero: int8(random).into(), step };
    let input = space.take_input(elements(images, window.input), 1);
    let gradient = gradient(&mut space, sizes(images, window.output), false);
    let weights = space.take(window.patch() * window.output[2], 1);
    let scratch = space.take(layer.scratch(), 4);
    let rows = updated(random, window.output[2]);
    let call = Call::new(Kernel::UpdateConv2d).put(&gradient).put(&rows).put(&[input, weights, scratch]);
    let call = call.put(&common).put(&layer);
    let call = call.constant(&rates(random, window.output[2]));
    rated(case(random, call, space, scratch, layer.scratch()), random, common)
}

pub fn update_bias(random: &mut Random) -> Case {
    let (pixels, channels) = (small(random, 1, 60), small(random, 1, 40));
    let mut space = Space::new(random);
    let (step, common) = step(random, &mut space, channels);
    let gradient = gradient(&mut space, [pixels, channels], false);
    let bias = space.take(4 * channels, 4);
    let call = Call::new(Kernel::UpdateBias).put(&gradient).put(&updated(random, channels)).put(&bias).put(&common);
    let call = call.put(&BiasStep { pixels, channels, step }).constant(&rates(random, channels));
    rated(case(random, call, space, 0, 0), random, common)
}

pub fn select(random: &mut Random) -> Case {
    let (pixels, channels) = (small(random, 1, 20), small(random, 1, 40));
    let list = list(random, channels);
    let layer = Select { pixels, channels, selected: list.len() };
    let mut space = Space::new(random);
    let input = space.take_input(pixels * channels, 1);
    let output = space.take(pixels * list.len(), 1);
    let call = Call::new(Kernel::SelectChannels).put(&[input, output]).put(&layer).constant(&list);
    case(random, call, space, 0, 0)
}

pub fn total(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 20), small(random, 1, 20)];
    let factors = [(); 2].map(|()| small(random, 0, 1 << 14) as i16);
    let layer = Total { factors, shift: small(random, 0, 16) as u32 };
    let mut space = Space::new(random);
    let [a, b] = [(); 2].map(|()| gradient(&mut space, sizes, false));
    let output = if random.chance(1, 2) {
        space.in_place();
        b
    } else {
        gradient(&mut space, sizes, true)
    };
    let call = Call::new(Kernel::AddGradients).put(&a).put(&b).put(&output).put(&region(random, sizes));
    case(random, call.put(&layer), space, 0, 0)
}

pub fn update_depthwise(random: &mut Random) -> Case {
    let (window, images) = (channelwise(random), small(random, 1, 2));
    let mut space = Space::new(random);
    let (step, common) = step(random, &mut space, window.area() * window.output[2]);
    let layer = DepthwiseStep { window, images, zero: int8(random).into(), step };
    let input = space.take_input(elements(images, window.input), 1);
    let gradient = gradient(&mut space, sizes(images, window.output), false);
    let weights = space.take(window.area() * window.output[2], 1);
    let call = Call::new(Kernel::UpdateDepthwise).put(&gradient).put(&[input, weights]).put(&common).put(&layer);
    let call = call.constant(&rates(random, window.output[2]));
    rated(case(random, call, space, 0, 0), random, common)
}

pub fn next_seed(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (seed, next) = (space.take_input(4, 4), space.take(4, 4));
    case(random, Call::new(Kernel::NextSeed).put(&[seed, next]), space, 0, 0)
}

pub fn count_sample(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (count, next) = (space.take_input(4, 4), space.take(4, 4));
    let call = Call::new(Kernel::CountSample).put(&[count, next]).put(&(small(random, 1, 5) as u32));
    let mut case = case(random, call, space, 0, 0);
    case.arena[count..count + 4].copy_from_slice(&(small(random, 0, 5) as u32).to_le_bytes());
    case
}

fn head(random: &mut Random) -> Head {
    let scale = [small(random, 1 << 14, (1 << 15) - 1) as i32, small(random, 8, 30) as i32];
    Head { inputs: small(random, 1, 60), classes: small(random, 2, 12), zero: int8(random).into(), scale }
}

/// A kernel of the classifier. Its int32 tensors get numbers of so few bits as training has in them: random ones are mostly at the ends
/// of their range.
pub fn classifier(kernel: Kernel, random: &mut Random) -> Case {
    let head = head(random);
    let Head { inputs, classes, .. } = head;
    let cross = Cross { classes };
    let mut space = Space::new(random);
    let mut words = Vec::new();
    let mut take = |space: &mut Space, count: usize, bits: u32, written: bool| {
        let at = if written { space.take(4 * count, 4) } else { space.take_input(4 * count, 4) };
        words.push((at, count, bits));
        at
    };
    let call = Call::new(kernel);
    let collected = small(random, 0, 3) as u32;
    let call = match kernel {
        Kernel::Classifier => {
            let features = space.take_input(inputs, 1);
            let weights = take(&mut space, classes * inputs, 24, false);
            let biases = take(&mut space, classes, 24, false);
            let logits = take(&mut space, classes, 24, true);
            call.put(&[features, weights, biases, logits]).put(&head)
        }
        Kernel::CrossEntropy | Kernel::SquaredError => {
            let logits = take(&mut space, classes, 20, false);
            let label = take(&mut space, 1, 4, false);
            let errors = take(&mut space, classes, 31, true);
            let loss = take(&mut space, 1, 31, true);
            call.put(&[logits, label, errors, loss]).put(&cross)
        }
        Kernel::ClassifierGradient => {
            let errors = take(&mut space, classes, 31, false);
            let weights = take(&mut space, classes * inputs, 24, false);
            let gradient = gradient(&mut space, [1, inputs], true).base;
            let exponent = take(&mut space, 1, 31, true);
            call.put(&[errors, weights, gradient, exponent]).put(&head)
        }
        Kernel::UpdateClassifier => {
            let features = space.take_input(inputs, 1);
            let errors = take(&mut space, classes, 31, false);
            let weights = take(&mut space, classes * inputs, 24, true);
            let rate = take(&mut space, 1, RATE_BITS, false);
            let waiting = [take(&mut space, 1, 3, false), take(&mut space, classes * inputs, 24, true)];
            call.put(&[features, errors, weights]).put(&rate).put(&waiting).put(&collected).put(&head)
        }
        _ => {
            let errors = take(&mut space, classes, 31, false);
            let biases = take(&mut space, classes, 24, true);
            let rate = take(&mut space, 1, RATE_BITS, false);
            let waiting = [take(&mut space, 1, 3, false), take(&mut space, classes, 24, true)];
            call.put(&[errors, biases]).put(&rate).put(&waiting).put(&collected).put(&cross)
        }
    };
    let mut case = case(random, call, space, 0, 0);
    for (at, count, bits) in words {
        for word in case.arena[at..at + 4 * count].as_chunks_mut::<4>().0 {
            *word = (i32::from_le_bytes(*word) >> (32 - bits)).to_le_bytes();
        }
    }
    case
}
