//! A generator of random cases for each kernel.

use crate::calls::{Dims, Kernel, Put, Strides};
use crate::cases::{
    Call, Case, Layer, Needs, Number, Space, bytes, clamp, factor, int8, numbers, place, place_transposed, quant,
    region, rounding, signed, small, window,
};
use crate::{generate_int16, generate_int16_layers, generate_mcu, generate_recurrent, generate_training};
use smidgen_kernels::convert::{Requantise, Stored};
use smidgen_kernels::int8::mcu::Width;
use smidgen_kernels::int8::{
    Binary, LogSoftmax, Offset, Pair, Prelu, Product, Quotient, Reading, Reduce, SUM_SHIFT, Scale, SquaredDifference,
    Sum, fast,
};
use smidgen_kernels::movement::Axis;
use smidgen_kernels::nd::MAX_RANK;
use smidgen_kernels::plain::{Compare, Scaled, Take};
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Isa, Rounding, View};
use smidgen_synthetic::Random;

/// A random case of a kernel.
pub fn generate(kernel: Kernel, random: &mut Random) -> Case {
    match kernel {
        Kernel::Conv2d | Kernel::FastConv2d => conv2d(kernel, random),
        Kernel::Depthwise | Kernel::FastDepthwise => depthwise(kernel, random),
        Kernel::OffsetConv2d | Kernel::OffsetDepthwise | Kernel::OffsetTransposeConv => with_offset(kernel, random),
        Kernel::TransposeConv => transpose_conv(random),
        Kernel::FullyConnected | Kernel::FastFullyConnected => fully_connected(kernel, random),
        Kernel::McuConv2d => generate_mcu::conv2d(kernel, Width::Eight, random),
        Kernel::McuConv2dI4 => generate_mcu::conv2d(kernel, Width::Four, random),
        Kernel::McuConv2dOffset => generate_mcu::conv2d(kernel, Width::Eight, random),
        Kernel::McuDepthwise | Kernel::McuDepthwiseOffset | Kernel::McuDepthwiseAny | Kernel::McuDepthwiseAnyOffset => {
            generate_mcu::depthwise(kernel, random)
        }
        Kernel::McuFullyConnected => generate_mcu::fully_connected(kernel, Width::Eight, random),
        Kernel::McuFullyConnectedI4 => generate_mcu::fully_connected(kernel, Width::Four, random),
        Kernel::WideConv2d | Kernel::WideMcuConv2d => generate_int16_layers::conv2d(kernel, random),
        Kernel::WideDepthwise | Kernel::WideMcuDepthwise => generate_int16_layers::depthwise(kernel, random),
        Kernel::WideTransposeConv => generate_int16_layers::transpose_conv(random),
        Kernel::WideFullyConnected | Kernel::WideMcuFullyConnected => {
            generate_int16_layers::fully_connected(kernel, random)
        }
        Kernel::AveragePool | Kernel::AveragePoolUint8 | Kernel::MaxPool => pool::<i8>(kernel, random),
        Kernel::ResizeBilinear => resize::<i8>(kernel, random),
        Kernel::Softmax | Kernel::L2Normalization | Kernel::LogSoftmax | Kernel::Table => table(kernel, random),
        Kernel::Binary | Kernel::Pair | Kernel::TableSum | Kernel::McuSum | Kernel::McuProduct => {
            binary(kernel, random)
        }
        Kernel::Broadcast => broadcast::<i8, _>(kernel, function, random),
        Kernel::BroadcastPair => broadcast::<i8, _>(kernel, pair, random),
        Kernel::Matmul | Kernel::FastMatmul => {
            let (call, space) = matmul(Call::new(Kernel::Matmul), 1, random);
            let simple = call.put(&product(random));
            let call = Call { kernel: kernel.into(), ..simple.clone() };
            Case { oracle: Some(simple), ..Case::new(call, space.fill(random)) }
        }
        Kernel::ReduceImage => reduce_image(kernel, reduction, random),
        Kernel::AverageImage => reduce_image(kernel, |random, _| clamp(random), random),
        Kernel::Reduce => reduce(kernel, reduction, random),
        Kernel::Load => load(random),
        Kernel::Concat => concat(random),
        Kernel::Gather => gather(random),
        Kernel::Permute => permute(random),
        Kernel::Requantise => requantise(random),
        Kernel::Rescale => generate_int16::rescale(random),
        Kernel::Flip => flip(random),
        Kernel::WideSum => generate_int16::sum(random),
        Kernel::ArgMax => arg_max(random),
        Kernel::Compare => compare(random),
        Kernel::CompareScaled => compare_scaled(random),
        Kernel::Select => select(random),
        Kernel::Take => take(random),
        Kernel::Cast => cast(random),
        Kernel::WideAveragePool | Kernel::WideMaxPool => pool::<i16>(kernel, random),
        Kernel::WideResizeBilinear => resize::<i16>(kernel, random),
        Kernel::WideBroadcast => broadcast::<i16, _>(kernel, generate_int16::function, random),
        Kernel::WideBinary => generate_int16::binary(random),
        Kernel::WideSoftmax => generate_int16::softmax(random),
        Kernel::WideSigmoid => generate_int16::sigmoid(random),
        Kernel::WideTable => generate_int16::table(random),
        Kernel::WideSlopes => generate_int16::slopes(random),
        Kernel::WideReduceImage => reduce_image(kernel, generate_int16::reduction, random),
        Kernel::WideAverageImage => reduce_image(kernel, |random, _| i16::bounds(random), random),
        Kernel::WideReduce => reduce(kernel, generate_int16::reduction, random),
        Kernel::ReduceMax | Kernel::ReduceMin => reduce(kernel, |_, _| (), random),
        Kernel::WideReduceMax | Kernel::WideReduceMin => reduce(kernel, |_, _| (), random),
        Kernel::Lstm | Kernel::McuLstm => generate_recurrent::lstm(kernel, random),
        Kernel::Svdf => generate_recurrent::svdf(random),
        Kernel::TrainConv2d => generate_training::conv2d(random),
        Kernel::TrainDepthwise => generate_training::depthwise(random),
        Kernel::TrainSum => generate_training::sum(random),
        Kernel::MaskGradient => generate_training::mask(random),
        Kernel::ScaleGradient => generate_training::scale(random),
        Kernel::RearrangeGradient => generate_training::rearrange(random),
        Kernel::SlopeGradient => generate_training::slope(random),
        Kernel::ProductGradient => generate_training::product(random),
        Kernel::ResizeGradient => generate_training::resized(random),
        Kernel::MaxPoolGradient => generate_training::greatest(random),
        Kernel::GradientConv2d => generate_training::input_gradient(random),
        Kernel::GradientDepthwise => generate_training::depthwise_gradient(random),
        Kernel::SpreadGradient => generate_training::spread(random),
        Kernel::UpdateConv2d => generate_training::update_weights(random),
        Kernel::UpdateBias => generate_training::update_bias(random),
        Kernel::SelectChannels => generate_training::select(random),
        Kernel::AddGradients => generate_training::total(random),
        Kernel::UpdateDepthwise => generate_training::update_depthwise(random),
        Kernel::NextSeed => generate_training::next_seed(random),
        Kernel::CountSample => generate_training::count_sample(random),
        Kernel::Classifier
        | Kernel::CrossEntropy
        | Kernel::SquaredError
        | Kernel::ClassifierGradient
        | Kernel::UpdateClassifier
        | Kernel::UpdateClassifierBias => generate_training::classifier(kernel, random),
    }
}

fn conv2d(kernel: Kernel, random: &mut Random) -> Case {
    let window = window(random);
    let mut placed = place(random, &window, 1);
    let quant = quant(random);
    let layer = Layer::new(random, window.patch(), window.output[2]);
    let simple = Call::new(Kernel::Conv2d)
        .put(&placed.input)
        .put(&placed.output)
        .put(&placed.region)
        .put(&window)
        .put(&quant)
        .layer(&layer);
    if kernel == Kernel::Conv2d {
        return Case::new(simple, placed.space.fill(random));
    }
    let size = fast::conv2d_scratch(&window);
    let scratch = placed.space.take(size, 4);
    let folded = fold(&layer, window.patch(), fast::conv2d_weights(&window), quant.input_zero);
    let call = Call::new(kernel)
        .put(&Isa::PORTABLE)
        .put(&placed.input)
        .put(&placed.output)
        .put(&placed.region)
        .put(&scratch)
        .put(&window)
        .put(&quant)
        .layer(&folded);
    Case { oracle: Some(simple), scratch: scratch..scratch + size, ..Case::new(call, placed.space.fill(random)) }
}

/// Weights padded to `length` and the input's zero point folded into the bias.
fn fold(layer: &Layer, taps: usize, length: usize, input_zero: i32) -> Layer {
    let mut folded = layer.clone();
    for (bias, weights) in folded.bias.iter_mut().zip(layer.weights.chunks_exact(taps)) {
        *bias = fast::fold_bias(*bias, input_zero, weights.iter().copied());
    }
    folded.weights.resize(length, 77);
    folded
}

fn depthwise(kernel: Kernel, random: &mut Random) -> Case {
    let mut window = window(random);
    let multiplier = if kernel == Kernel::Depthwise { small(random, 1, 3) } else { 1 };
    window.output[2] = window.input[2] * multiplier;
    let placed = place(random, &window, 1);
    let (quant, layer) = (quant(random), Layer::new(random, window.area(), window.output[2]));
    let arguments = |call: Call| {
        let call = call.put(&placed.input).put(&placed.output).put(&placed.region);
        call.put(&window).put(&quant).layer(&layer)
    };
    let simple = arguments(Call::new(Kernel::Depthwise));
    if kernel == Kernel::Depthwise {
        return Case::new(simple, placed.space.fill(random));
    }
    let call = arguments(Call::new(kernel).put(&Isa::PORTABLE));
    Case { oracle: Some(simple), ..Case::new(call, placed.space.fill(random)) }
}

/// Layers whose weights have a zero point.
fn with_offset(kernel: Kernel, random: &mut Random) -> Case {
    let (window, placed) = if kernel == Kernel::OffsetTransposeConv {
        place_transposed(random, 1)
    } else {
        let mut window = window(random);
        if kernel == Kernel::OffsetDepthwise {
            window.output[2] = window.input[2] * small(random, 1, 3);
        }
        let placed = place(random, &window, 1);
        (window, placed)
    };
    let taps = if kernel == Kernel::OffsetDepthwise { window.area() } else { window.patch() };
    let quant = Offset { weight_zero: int8(random).into(), quant: quant(random) };
    let layer = Layer::new(random, taps, window.output[2]);
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region);
    Case::new(call.put(&window).put(&quant).layer(&layer), placed.space.fill(random))
}

fn transpose_conv(random: &mut Random) -> Case {
    let (window, placed) = place_transposed(random, 1);
    let layer = Layer::new(random, window.patch(), window.output[2]);
    let quant = quant(random);
    let call = Call::new(Kernel::TransposeConv).put(&placed.input).put(&placed.output).put(&placed.region);
    Case::new(call.put(&window).put(&quant).layer(&layer), placed.space.fill(random))
}

fn fully_connected(kernel: Kernel, random: &mut Random) -> Case {
    let rows = small(random, 1, 3);
    let sizes = [small(random, 1, 90), small(random, 1, 20)];
    let mut space = Space::new(random);
    let region = region(random, rows, 1);
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, 1) };
    let input = space.input(random, [rows, 1, sizes[0]], needs, 1);
    let output = space.output(random, [rows, 1, sizes[1]], needs, 1);
    let quant = quant(random);
    let layer = Layer::new(random, sizes[0], sizes[1]);
    let weight_zero = if kernel == Kernel::FullyConnected { random.between(-5, 5) as i32 } else { 0 };
    let simple = Call::new(Kernel::FullyConnected).put(&input).put(&output).put(&region);
    let simple = simple.put(&sizes).put(&weight_zero).put(&quant).layer(&layer);
    let arena = space.fill(random);
    if kernel == Kernel::FullyConnected {
        return Case::new(simple, arena);
    }
    let folded = fold(&layer, sizes[0], sizes[0] * sizes[1], quant.input_zero);
    let call = Call::new(kernel).put(&Isa::PORTABLE).put(&input).put(&output).put(&region);
    Case { oracle: Some(simple), ..Case::new(call.put(&sizes).put(&quant).layer(&folded), arena) }
}

fn pool<T: Number>(kernel: Kernel, random: &mut Random) -> Case
where
    [T; 2]: Put,
{
    let mut window = window(random);
    window.dilation = [1, 1];
    window.output[2] = window.input[2];
    let placed = place(random, &window, size_of::<T>());
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region);
    Case::new(call.put(&window).put(&T::bounds(random)), placed.space.fill(random))
}

fn resize<T>(kernel: Kernel, random: &mut Random) -> Case {
    let mut scale = || {
        let [input, output] = [small(random, 1, 6), small(random, 1, 12)];
        let half = random.chance(1, 2);
        let step = ((1024 * input + output / 2) / output) as i32;
        Scale { input, output, step, start: if half { step / 2 - 512 } else { 0 } }
    };
    let scales = [scale(), scale()];
    let depth = small(random, 1, 12);
    let mut space = Space::new(random);
    let [height, width] = scales;
    let region = region(random, height.output, width.output);
    let all = Needs { rows: (0, height.input), cols: (0, width.input) };
    let input = space.input(random, [height.input, width.input, depth], all, size_of::<T>());
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, [height.output, width.output, depth], written, size_of::<T>());
    let call = Call::new(kernel).put(&input).put(&output).put(&region).put(&depth).put(&scales);
    Case::new(call, space.fill(random))
}

/// Input and output of the same shape: apart, or in place; elements of so many bytes. The shape, the region, and both views.
pub fn alike(
    random: &mut Random,
    space: &mut Space,
    bytes: [usize; 2],
) -> ([usize; 3], smidgen_kernels::Region, [View; 2]) {
    let shape = [small(random, 1, 6), small(random, 1, 6), small(random, 1, 30)];
    let region = region(random, shape[0], shape[1]);
    let needs = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let input = space.input(random, shape, needs, bytes[0]);
    let in_place = bytes[0] == bytes[1] && random.chance(1, 3);
    let output = if in_place { input } else { space.output(random, shape, needs, bytes[1]) };
    if in_place {
        space.in_place();
    }
    (shape, region, [input, output])
}

fn table(kernel: Kernel, random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, mut output]) = alike(random, &mut space, [1, 1]);
    if kernel != Kernel::Table && output == input {
        // A pixel's input is read until its last channel is written.
        let needs = Needs { rows: (0, shape[0]), cols: (0, shape[1]) };
        output = space.output(random, shape, needs, 1);
    }
    let call = Call::new(kernel).put(&input).put(&output).put(&region).put(&shape[2]);
    let call = match kernel {
        Kernel::Softmax => {
            let beta = random.unit() * 0.2;
            let exponential = |d: i32| ((-(d as f64) * beta).exp() * (1u64 << 31) as f64).min(i32::MAX as f64) as i32;
            call.constant(&std::array::from_fn::<i32, 256, _>(|d| exponential(d as i32)))
        }
        Kernel::L2Normalization => call.put(&i32::from(int8(random))),
        Kernel::LogSoftmax => {
            let shift = random.between(14, 25);
            let factor =
                Factor { multiplier: (1 << 30) + (random.unit() * (1u32 << 30) as f64) as i32, shift: shift as i8 };
            let reverse = Factor::new((1u64 << (31 - shift)) as f64 / f64::from(factor.multiplier));
            call.put(&LogSoftmax { factor, reverse, least: -(31 << (26 - shift)) })
        }
        _ => call.constant(&signed(random, 256)),
    };
    Case::new(call, space.fill(random))
}

/// An operand of `shape` for a region, in the arena or constant, perhaps broadcast; appended to a call.
pub fn operand<T: Number>(
    random: &mut Random,
    space: &mut Space,
    shape: [usize; 3],
    region: smidgen_kernels::Region,
) -> (Option<Vec<T>>, View, usize) {
    let repeat = [(); 3].map(|()| random.chance(1, 6));
    let own: [usize; 3] = std::array::from_fn(|i| if repeat[i] { 1 } else { shape[i] });
    let needs = Needs {
        rows: if repeat[0] { (0, 1) } else { (region.y0, region.y1) },
        cols: if repeat[1] { (0, 1) } else { (region.x0, region.x1) },
    };
    let (constant, mut view) = if random.chance(1, 3) {
        (Some(numbers(random, own.iter().product())), View::linear(0, own[0], own[1], own[2]))
    } else {
        (None, space.input(random, own, needs, size_of::<T>()))
    };
    if repeat[1] {
        (view.pixel_stride, view.x0) = (0, 0);
    }
    (constant, view, usize::from(!repeat[2] || shape[2] == 1))
}

fn function(random: &mut Random) -> Binary {
    let zeros = [int8(random).into(), int8(random).into()];
    let (output_zero, rounding) = (int8(random).into(), rounding(random));
    match random.below(5) {
        0 => Binary::Sum(sum(random, rounding)),
        1 => Binary::Product(product(random)),
        2 => Binary::Prelu(Prelu { zeros, positive: factor(random), negative: factor(random), output_zero, rounding }),
        3 => Binary::Minimum,
        _ => Binary::Maximum,
    }
}

fn pair(random: &mut Random) -> Pair {
    let zeros = [int8(random).into(), int8(random).into()];
    let output_zero = int8(random).into();
    if random.chance(1, 2) {
        let [min, max] = clamp(random);
        return Pair::Quotient(Quotient { zeros, factor: factor(random), output_zero, min, max });
    }
    let [a, b, y] = [(); 3].map(|()| random.unit() + 1e-3);
    let common = 2.0 * a.max(b);
    Pair::SquaredDifference(SquaredDifference {
        zeros,
        factors: [Factor::new(a / common), Factor::new(b / common)],
        output: Factor::new(common * common / ((1 << 14) as f64 * y)),
        output_zero,
        rounding: rounding(random),
    })
}

fn product(random: &mut Random) -> Product {
    let [min, max] = clamp(random);
    let (output_zero, rounding) = (int8(random).into(), rounding(random));
    let zeros = [int8(random).into(), int8(random).into()];
    Product { zeros, factor: factor(random), output_zero, min, max, rounding }
}

fn sum(random: &mut Random, rounding: Rounding) -> Sum {
    let [a, b, y] = [(); 3].map(|()| random.unit() + 1e-3);
    let common = 2.0 * a.max(b);
    let [min, max] = clamp(random);
    Sum {
        zeros: [int8(random).into(), int8(random).into()],
        factors: [Factor::new(a / common), Factor::new(b / common)],
        output: Factor::new(common / ((1 << SUM_SHIFT) as f64 * y)),
        output_zero: int8(random).into(),
        min,
        max,
        subtract: random.chance(1, 2),
        rounding,
    }
}

fn binary(kernel: Kernel, random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let shape = [small(random, 1, 6), small(random, 1, 6), small(random, 1, 30)];
    let region = region(random, shape[0], shape[1]);
    let operands = [(); 2].map(|()| operand::<i8>(random, &mut space, shape, region));
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, shape, written, 1);
    let arguments = |mut call: Call| {
        for (constant, view, step) in &operands {
            call = call.option(constant.as_deref()).put(view).put(step);
        }
        call.put(&output).put(&region).put(&shape[2])
    };
    let arena = space.fill(random);
    if kernel == Kernel::Binary {
        return Case::new(arguments(Call::new(kernel)).put(&function(random)), arena);
    }
    if kernel == Kernel::Pair {
        return Case::new(arguments(Call::new(kernel)).put(&pair(random)), arena);
    }
    if kernel == Kernel::McuSum {
        return Case::new(arguments(Call::new(kernel)).put(&generate_mcu::terms(random)), arena);
    }
    if kernel == Kernel::McuProduct {
        return Case::new(arguments(Call::new(kernel)).put(&generate_mcu::products(random)), arena);
    }
    let sum = sum(random, Rounding::Twice);
    let (quick, table) = sum.with_table().expect("an output factor under 1");
    let oracle = arguments(Call::new(Kernel::Binary)).put(&Binary::Sum(sum));
    Case { oracle: Some(oracle), ..Case::new(arguments(Call::new(kernel)).put(&quick).constant(&table), arena) }
}

/// A box of random sizes, and row-major strides of it, 0 along some axes where `repeat`; the number of elements that they reach.
pub fn cuboid(random: &mut Random, sizes: &[usize], repeat: bool) -> (Strides, usize) {
    let mut steps = [0; MAX_RANK];
    let mut count = 1;
    for axis in (0..sizes.len()).rev() {
        if !(repeat && random.chance(1, 3)) {
            steps[axis] = count as isize;
            count *= sizes[axis];
        }
    }
    (Strides { rank: sizes.len(), steps }, count)
}

pub fn dims(sizes: &[usize]) -> Dims {
    let mut all = [0; MAX_RANK];
    all[..sizes.len()].copy_from_slice(sizes);
    Dims { rank: sizes.len(), sizes: all }
}

pub fn sizes(random: &mut Random, rank: (i64, i64)) -> Vec<usize> {
    (0..random.between(rank.0, rank.1)).map(|_| small(random, 1, 4)).collect()
}

/// A function of two `T`, as `F` writes it down.
fn broadcast<T: Number, F: Put>(kernel: Kernel, function: fn(&mut Random) -> F, random: &mut Random) -> Case {
    let sizes = sizes(random, (0, 5));
    let mut space = Space::new(random);
    let mut call = Call::new(kernel);
    let mut strides = Vec::new();
    let bytes = size_of::<T>();
    for _ in 0..2 {
        let (steps, count) = cuboid(random, &sizes, true);
        strides.push(steps);
        if random.chance(1, 3) {
            call = call.option(Some(&numbers::<T>(random, count))).put(&0usize);
        } else {
            call = call.option::<T>(None).put(&(space.take_input(count * bytes, bytes) / bytes));
        }
    }
    let output = space.take(sizes.iter().product::<usize>() * bytes, bytes) / bytes;
    let call = call.put(&output).put(&dims(&sizes)).put(&strides[0]).put(&strides[1]).put(&function(random));
    Case::new(call, space.fill(random))
}

/// Rows of one operand, columns of another, each of `depth` elements of so many bytes, with batches that may be broadcast.
pub fn matmul(mut call: Call, bytes: usize, random: &mut Random) -> (Call, Space) {
    let [batch, rows, cols] = [(); 3].map(|()| small(random, 1, 5));
    let depth = small(random, 1, 11);
    let mut space = Space::new(random);
    let (mut strides, mut steps) = (Vec::new(), Vec::new());
    for (place, lines) in [(1, rows), (2, cols)] {
        let (batches, turned) = (if random.chance(1, 3) { 1 } else { batch }, random.chance(1, 2));
        let mut own = [0; MAX_RANK];
        own[0] = if batches == 1 { 0 } else { (lines * depth) as isize };
        own[place] = if turned { 1 } else { depth as isize };
        steps.push(if turned { lines as isize } else { 1 });
        strides.push(Strides { rank: 3, steps: own });
        let base = space.take_input(batches * lines * depth * bytes, bytes) / bytes;
        // The operand is in the arena.
        call = call.put(&0u32).put(&base);
    }
    let output = space.take(batch * rows * cols * bytes, bytes) / bytes;
    let call = call.put(&output).put(&dims(&[batch, rows, cols])).put(&strides[0]).put(&strides[1]);
    (call.put(&depth).put(&steps[0]).put(&steps[1]), space)
}

fn reduction(random: &mut Random, count: usize) -> Reduce {
    Reduce {
        zeros: random.between(-128, 127) as i32 * count as i32,
        factor: Factor::new((0.5 + random.unit()) / count as f64),
        output_zero: int8(random).into(),
        reading: random.choose(&[Reading::Signed, Reading::Unsigned]),
        rounding: rounding(random),
    }
}

/// Bytes of what a reduction reads and writes.
fn reduced_bytes(kernel: Kernel) -> usize {
    match kernel {
        Kernel::WideReduceImage | Kernel::WideAverageImage | Kernel::WideReduce => 2,
        Kernel::WideReduceMax | Kernel::WideReduceMin => 2,
        _ => 1,
    }
}

/// `how` draws what the kernel does with so many elements.
fn reduce_image<H: Put>(kernel: Kernel, how: impl Fn(&mut Random, usize) -> H, random: &mut Random) -> Case {
    let bytes = reduced_bytes(kernel);
    let shape = [small(random, 1, 7), small(random, 1, 6), small(random, 1, 30)];
    let mut space = Space::new(random);
    let mut region = region(random, shape[0], 1);
    region.x1 = shape[1];
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, shape[1]) };
    let input = space.input(random, shape, needs, bytes);
    let output = space.output(random, [1, 1, shape[2]], Needs { rows: (0, 1), cols: (0, 1) }, bytes);
    let state = space.take(4 * shape[2], 4);
    let mut filled = space.fill(random);
    // Sums as they may be after some rows.
    for sum in filled.arena[state..state + 4 * shape[2]].chunks_exact_mut(4) {
        sum.copy_from_slice(&(random.between(-5000, 5000) as i32).to_le_bytes());
    }
    let call = Call::new(kernel).put(&input).put(&output).put(&region.y0).put(&region.y1).put(&shape);
    Case::new(call.put(&(state / bytes)).put(&how(random, shape[0] * shape[1])), filled)
}

fn reduce<H: Put>(kernel: Kernel, how: impl Fn(&mut Random, usize) -> H, random: &mut Random) -> Case {
    let bytes = reduced_bytes(kernel);
    let sizes = sizes(random, (1, 5));
    let (strides, count) = cuboid(random, &sizes, false);
    let (mut kept, mut reduced) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (&size, &step) in sizes.iter().zip(&strides.steps) {
        let side = if random.chance(1, 2) { &mut kept } else { &mut reduced };
        side.0.push(size);
        side.1.push(step);
    }
    let mut space = Space::new(random);
    let input = space.take_input(count * bytes, bytes) / bytes;
    let output = space.take(kept.0.iter().product::<usize>() * bytes, bytes) / bytes;
    let mut call = Call::new(kernel).put(&input).put(&output);
    for (sizes, strides) in [&kept, &reduced] {
        let mut steps = [0; MAX_RANK];
        steps[..strides.len()].copy_from_slice(strides);
        call = call.put(&dims(sizes)).put(&Strides { rank: strides.len(), steps });
    }
    let elements = reduced.0.iter().product();
    Case::new(call.put(&how(random, elements)), space.fill(random))
}

fn load(random: &mut Random) -> Case {
    let shape = [small(random, 1, 6), small(random, 1, 6), small(random, 1, 20)];
    let region = region(random, shape[0], shape[1]);
    let mut space = Space::new(random);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, shape, written, 1);
    let constant = bytes(random, shape.iter().product());
    let call = Call::new(Kernel::Load).put(&output).put(&region).put(&shape[1]).put(&shape[2]);
    Case::new(call.constant(&constant), space.fill(random))
}

fn concat(random: &mut Random) -> Case {
    let axis = random.choose(&[Axis::Rows, Axis::Cols, Axis::Depth]);
    let shape = [small(random, 1, 5), small(random, 1, 5), small(random, 1, 12)];
    let along = axis as usize;
    let mut space = Space::new(random);
    let mut call = Call::new(Kernel::Concat);
    let mut total = shape;
    total[along] = 0;
    for _ in 0..3 {
        let mut own = shape;
        own[along] = small(random, 1, 5);
        total[along] += own[along];
        let whole = Needs { rows: (0, own[0]), cols: (0, own[1]) };
        call = if random.chance(1, 3) {
            let constant = bytes(random, own.iter().product());
            call.option(Some(&constant)).put(&View::linear(0, own[0], own[1], own[2]))
        } else {
            call.option::<u8>(None).put(&space.input(random, own, whole, 1))
        };
        call = call.put(&1usize).put(&own[along]);
    }
    let region = region(random, total[0], total[1]);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, total, written, 1);
    let pixel = if axis == Axis::Depth { 1 } else { shape[2] };
    Case::new(call.put(&axis).put(&output).put(&region).put(&pixel), space.fill(random))
}

fn gather(random: &mut Random) -> Case {
    let element = random.choose(&[1, 1, 1, 2, 4, 8]);
    let [input, output] = [(); 2].map(|()| [small(random, 1, 6), small(random, 1, 6), small(random, 1, 9)]);
    let mut space = Space::new(random);
    let wide = |[rows, cols, depth]: [usize; 3]| [rows, cols, depth * element];
    let region = region(random, output[0], output[1]);
    let from = space.input(random, wide(input), Needs { rows: (0, input[0]), cols: (0, input[1]) }, 1);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let to = space.output(random, wide(output), written, 1);
    let mut call = Call::new(Kernel::Gather).put(&from).put(&to).put(&region);
    call = call.put(&input).put(&output[2]).put(&element);
    for axis in 0..3 {
        call = if random.chance(1, 4) {
            let table: Vec<i32> =
                (0..output[axis]).map(|_| random.between(-1, input[axis] as i64 - 1) as i32).collect();
            call.put(&0u32).constant(&table)
        } else {
            let [stride, divide] = if random.chance(1, 2) { [1, 1] } else { [(); 2].map(|()| small(random, 1, 3)) };
            call.put(&1u32).put(&(random.between(-3, 3) as isize)).put(&stride).put(&divide)
        };
    }
    let fill: [u8; 8] = std::array::from_fn(|_| random.bits() as u8);
    Case::new(call.put(&fill), space.fill(random))
}

fn permute(random: &mut Random) -> Case {
    let element = random.choose(&[1, 1, 2, 4, 8]);
    let sizes = sizes(random, (1, 4));
    let (strides, count) = cuboid(random, &sizes, false);
    // Axes in another order, some backwards.
    let mut axes: Vec<(usize, isize)> = sizes.iter().copied().zip(strides.steps).collect();
    for i in (1..axes.len()).rev() {
        axes.swap(i, random.below(i + 1));
    }
    let mut first = 0;
    for (size, step) in &mut axes {
        if random.chance(1, 4) {
            first += *size * *step as usize - *step as usize;
            *step = -*step;
        }
    }
    let mut space = Space::new(random);
    let (input, output) = (space.take_input(count * element, 8), space.take(count * element, 8));
    let mut steps = [0; MAX_RANK];
    axes.iter().zip(&mut steps).for_each(|(axis, step)| *step = axis.1);
    let permuted: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
    let call = Call::new(Kernel::Permute).put(&input).put(&output).put(&element).put(&dims(&permuted)).put(&first);
    Case::new(call.put(&Strides { rank: axes.len(), steps }), space.fill(random))
}

fn requantise(random: &mut Random) -> Case {
    let types = [Stored::Int8, Stored::Int16, Stored::Int32];
    let [from, to] = [(); 2].map(|()| random.choose(&types));
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [from.bytes(), to.bytes()]);
    let how = Requantise {
        from,
        to,
        zeros: [random.between(-128, 127) as i32, random.between(-128, 127) as i32],
        factor: factor(random),
        rounding: rounding(random),
    };
    let call = Call::new(Kernel::Requantise).put(&input).put(&output).put(&region).put(&shape[2]).put(&how);
    Case::new(call, space.fill(random))
}

/// By the definition, as requantisation with a factor of 1.
fn flip(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [1, 1]);
    let call = |kernel| Call::new(kernel).put(&input).put(&output).put(&region).put(&shape[2]);
    let (from, to) = random.choose(&[(Stored::Int8, Stored::Uint8), (Stored::Uint8, Stored::Int8)]);
    let zeros = if from == Stored::Int8 { [-128, 0] } else { [0, -128] };
    let how = Requantise { from, to, zeros, factor: Factor::new(1.0), rounding: rounding(random) };
    let oracle = Some(call(Kernel::Requantise).put(&how));
    Case { oracle, ..Case::new(call(Kernel::Flip), space.fill(random)) }
}

/// Operands of so many bytes each, with any broadcast, some of them constants: the call with them, and their strides.
fn met(
    mut call: Call,
    space: &mut Space,
    random: &mut Random,
    sizes: &[usize],
    each: &[usize],
) -> (Call, Vec<Strides>) {
    let mut all = Vec::new();
    for &size in each {
        let (steps, count) = cuboid(random, sizes, true);
        all.push(steps);
        if random.chance(1, 3) {
            call = call.option(Some(&bytes(random, count * size))).put(&0usize);
        } else {
            call = call.option::<u8>(None).put(&(space.take_input(count * size, 8) / size));
        }
    }
    (call, all)
}

fn compare(random: &mut Random) -> Case {
    let sizes = sizes(random, (0, 5));
    let from = random.choose(&[Stored::Int8, Stored::Uint8, Stored::Int16, Stored::Int32, Stored::Int64, Stored::Bool]);
    let mut space = Space::new(random);
    let (call, strides) = met(Call::new(Kernel::Compare), &mut space, random, &sizes, &[from.bytes(); 2]);
    let output = space.take(sizes.iter().product(), 1);
    let function = random.choose(&[
        Compare::Equal,
        Compare::NotEqual,
        Compare::Less,
        Compare::LessEqual,
        Compare::Greater,
        Compare::GreaterEqual,
        Compare::And,
        Compare::Or,
    ]);
    let call = call.put(&output).put(&dims(&sizes)).put(&strides[0]).put(&strides[1]).put(&from).put(&function);
    Case::new(call, space.fill(random))
}

fn compare_scaled(random: &mut Random) -> Case {
    let sizes = sizes(random, (0, 5));
    let mut space = Space::new(random);
    let (call, strides) = met(Call::new(Kernel::CompareScaled), &mut space, random, &sizes, &[1; 2]);
    let output = space.take(sizes.iter().product(), 1);
    let how = Scaled {
        function: random.choose(&[
            Compare::Equal,
            Compare::NotEqual,
            Compare::Less,
            Compare::LessEqual,
            Compare::Greater,
            Compare::GreaterEqual,
        ]),
        zeros: [int8(random).into(), int8(random).into()],
        factors: [(); 2].map(|()| Factor::new(random.unit() * 0.1 + 1e-4)),
        rounding: rounding(random),
    };
    Case::new(call.put(&output).put(&dims(&sizes)).put(&strides[0]).put(&strides[1]).put(&how), space.fill(random))
}

fn select(random: &mut Random) -> Case {
    let sizes = sizes(random, (0, 5));
    let element = random.choose(&[1, 2, 4, 8]);
    let mut space = Space::new(random);
    let (call, strides) = met(Call::new(Kernel::Select), &mut space, random, &sizes, &[1, element, element]);
    let output = space.take(sizes.iter().product::<usize>() * element, 8);
    let call = call.put(&output).put(&dims(&sizes)).put(&strides[0]).put(&strides[1]).put(&strides[2]).put(&element);
    Case::new(call, space.fill(random))
}

fn take(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 3), small(random, 1, 4), small(random, 1, 9), small(random, 1, 6)];
    let (slice, element) = (small(random, 1, 9), random.choose(&[1, 2, 4, 8]));
    let indices = random.choose(&[Stored::Int16, Stored::Int32, Stored::Int64]);
    let [batches, blocks, rows, count] = sizes;
    let mut space = Space::new(random);
    let operand = |call: Call, space: &mut Space, random: &mut Random, elements: usize, each: usize| {
        if random.chance(1, 3) {
            return call.option(Some(&bytes(random, elements * each))).put(&0usize);
        }
        call.option::<u8>(None).put(&(space.take_input(elements * each, 8) / each))
    };
    let call = operand(Call::new(Kernel::Take), &mut space, random, batches * blocks * rows * slice, element);
    // Whatever they hold names a slice.
    let call = operand(call, &mut space, random, batches * count, indices.bytes());
    let output = space.take(batches * blocks * count * slice * element, 8);
    Case::new(call.put(&output).put(&Take { sizes, slice, element, indices }), space.fill(random))
}

fn cast(random: &mut Random) -> Case {
    let types = [Stored::Int8, Stored::Uint8, Stored::Int16, Stored::Int32, Stored::Int64, Stored::Bool];
    let [from, to] = [(); 2].map(|()| random.choose(&types));
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [from.bytes(), to.bytes()]);
    let call = Call::new(Kernel::Cast).put(&input).put(&output).put(&region).put(&shape[2]).put(&from).put(&to);
    Case::new(call, space.fill(random))
}

fn arg_max(random: &mut Random) -> Case {
    let [from, to] = [
        random.choose(&[Stored::Int8, Stored::Int16, Stored::Int32, Stored::Int64]),
        random.choose(&[Stored::Int32, Stored::Int64]),
    ];
    let shape @ [outer, size, inner] = [small(random, 1, 4), small(random, 1, 12), small(random, 1, 4)];
    let mut space = Space::new(random);
    let input = space.take_input(outer * size * inner * from.bytes(), 8) / from.bytes();
    let output = space.take(outer * inner * to.bytes(), 8) / to.bytes();
    let call = Call::new(Kernel::ArgMax).put(&input).put(&output).put(&shape).put(&from).put(&to);
    Case::new(call, space.fill(random))
}
