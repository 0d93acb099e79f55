//! A generator of random cases for each kernel that computes with floats.

use crate::calls::Strides;
use crate::cases::{Call, Case, Needs, Space, place, region, signed, small, window};
use crate::floats::FloatKernel;
use crate::generate::{alike, cuboid, dims, matmul, sizes};
use smidgen_kernels::convert::Stored;
use smidgen_kernels::float::{self, Binary, Cell, Clamp, Function, Hybrid, Recurrent, Scale, Svdf, Unary};
use smidgen_kernels::nd::MAX_RANK;
use smidgen_kernels::{Isa, View};
use smidgen_synthetic::Random;

/// A random case of a kernel. The arena is full of multiples of 1/16.
pub fn generate(kernel: FloatKernel, random: &mut Random) -> Case {
    let mut case = match kernel {
        FloatKernel::FloatConv2d => conv2d(random),
        FloatKernel::Conv2dHybrid | FloatKernel::Conv2dHybridAsymmetric | FloatKernel::DepthwiseHybrid => {
            hybrid(kernel, random)
        }
        FloatKernel::FloatDepthwise => depthwise(random),
        FloatKernel::FloatTransposeConv => transpose_conv(random),
        FloatKernel::FloatFullyConnected => fully_connected(random),
        FloatKernel::FloatAveragePool | FloatKernel::FloatMaxPool => pool(kernel, random),
        FloatKernel::FloatResizeBilinear => resize(kernel, 4, random),
        FloatKernel::FloatResizeBilinearUint8 => resize(kernel, 1, random),
        FloatKernel::FloatSoftmax | FloatKernel::FloatUnary => unary(kernel, random),
        FloatKernel::FloatRecurrent | FloatKernel::RecurrentHybrid | FloatKernel::RecurrentHybridAsymmetric => {
            recurrent(kernel, random)
        }
        FloatKernel::FloatSvdf => svdf(random),
        FloatKernel::FloatBinary => binary(random),
        FloatKernel::FloatBroadcast => broadcast(random),
        FloatKernel::FloatMatmul => {
            let (call, space) = matmul(Call::new(kernel), size_of::<f32>(), random);
            Case::new(call, space.fill(random))
        }
        FloatKernel::FloatReduceImage => reduce_image(random),
        FloatKernel::FloatReduce | FloatKernel::FloatReduceMax | FloatKernel::FloatReduceMin => reduce(kernel, random),
        FloatKernel::Quantize | FloatKernel::Dequantize => convert(kernel, random),
    };
    if !matches!(kernel, FloatKernel::Dequantize | FloatKernel::FloatResizeBilinearUint8) {
        let count = case.arena.len() / 4;
        case.arena = bytemuck::cast_slice(&floats(random, count)).to_vec();
    }
    case
}

fn floats(random: &mut Random, count: usize) -> Vec<f32> {
    signed(random, count).into_iter().map(|v| f32::from(v) / 16.0).collect()
}

fn clamp(random: &mut Random) -> Clamp {
    let (min, max) = random.choose(&[(f32::NEG_INFINITY, f32::INFINITY), (0.0, f32::INFINITY), (0.0, 6.0)]);
    Clamp { min, max }
}

fn conv2d(random: &mut Random) -> Case {
    let window = window(random);
    let placed = place(random, &window, 4);
    let call = Call::new(FloatKernel::FloatConv2d).put(&placed.input).put(&placed.output).put(&placed.region);
    let call = call.put(&window).put(&clamp(random)).constant(&floats(random, window.patch() * window.output[2]));
    Case::new(call.constant(&floats(random, window.output[2])), placed.space.fill(random))
}

/// Every output needs the whole image.
fn hybrid(kernel: FloatKernel, random: &mut Random) -> Case {
    let mut window = window(random);
    let is_depthwise = kernel == FloatKernel::DepthwiseHybrid;
    if is_depthwise {
        window.output[2] = window.input[2] * small(random, 1, 3);
    }
    let ([h, w, c], [oh, ow, oc]) = (window.input, window.output);
    let mut space = Space::new(random);
    let region = region(random, oh, ow);
    let all = |rows, cols| Needs { rows: (0, rows), cols: (0, cols) };
    let input = space.input(random, [h, w, c], all(h, w), 4);
    let output = space.output(random, [oh, ow, oc], all(oh, ow), 4);
    let (size, weights) = match is_depthwise {
        true => (float::depthwise_hybrid_scratch(&window), window.area() * oc),
        false => (float::conv2d_hybrid_scratch(&window), window.patch() * oc),
    };
    let scratch = space.take(size, 4);
    let layer = Hybrid { window, clamp: clamp(random), joint: random.chance(1, 2), scratch: scratch / 4 };
    let call = match is_depthwise {
        true => Call::new(kernel),
        false => Call::new(kernel).put(&Isa::PORTABLE),
    };
    let call = call.put(&input).put(&output).put(&region).put(&layer).constant(&signed(random, weights));
    let call = call.constant(&floats(random, 2 * oc));
    Case { scratch: scratch..scratch + size, ..Case::new(call, space.fill(random)) }
}

fn depthwise(random: &mut Random) -> Case {
    let mut window = window(random);
    window.output[2] = window.input[2] * small(random, 1, 3);
    let placed = place(random, &window, 4);
    let call = Call::new(FloatKernel::FloatDepthwise).put(&placed.input).put(&placed.output).put(&placed.region);
    let call = call.put(&window).put(&clamp(random)).constant(&floats(random, window.area() * window.output[2]));
    Case::new(call.constant(&floats(random, window.output[2])), placed.space.fill(random))
}

fn transpose_conv(random: &mut Random) -> Case {
    let mut window = window(random);
    window.dilation = [1, 1];
    for axis in 0..2 {
        window.before[axis] = window.before[axis].min(window.size[axis] - 1);
        window.output[axis] = (window.input[axis] - 1) * window.stride[axis] + window.size[axis] - window.before[axis];
    }
    let mut space = Space::new(random);
    let [h, w, _] = window.input;
    let region = region(random, window.output[0], window.output[1]);
    let input = space.input(random, window.input, Needs { rows: (0, h), cols: (0, w) }, 4);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, window.output, written, 4);
    let call = Call::new(FloatKernel::FloatTransposeConv).put(&input).put(&output).put(&region);
    let call = call.put(&window).put(&clamp(random)).constant(&floats(random, window.patch() * window.output[2]));
    Case::new(call.constant(&floats(random, window.output[2])), space.fill(random))
}

fn fully_connected(random: &mut Random) -> Case {
    let sizes = [small(random, 1, 60), small(random, 1, 20)];
    let rows = small(random, 1, 3);
    let mut space = Space::new(random);
    let region = region(random, rows, 1);
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, 1) };
    let input = space.input(random, [rows, 1, sizes[0]], needs, 4);
    let output = space.output(random, [rows, 1, sizes[1]], needs, 4);
    let call = Call::new(FloatKernel::FloatFullyConnected).put(&input).put(&output).put(&region).put(&sizes);
    let call = call.put(&clamp(random)).constant(&floats(random, sizes[0] * sizes[1]));
    Case::new(call.constant(&floats(random, sizes[1])), space.fill(random))
}

fn pool(kernel: FloatKernel, random: &mut Random) -> Case {
    let mut window = window(random);
    window.dilation = [1, 1];
    window.output[2] = window.input[2];
    let placed = place(random, &window, 4);
    let call = Call::new(kernel).put(&placed.input).put(&placed.output).put(&placed.region);
    Case::new(call.put(&window).put(&clamp(random)), placed.space.fill(random))
}

/// Of elements of so many bytes.
fn resize(kernel: FloatKernel, bytes: usize, random: &mut Random) -> Case {
    let scales = [(); 2].map(|()| {
        let [input, output] = [small(random, 1, 6), small(random, 1, 12)];
        Scale { input, output, step: input as f32 / output as f32, half_pixel_centers: random.chance(1, 2) }
    });
    let depth = small(random, 1, 12);
    let mut space = Space::new(random);
    let [height, width] = scales;
    let region = region(random, height.output, width.output);
    let all = Needs { rows: (0, height.input), cols: (0, width.input) };
    let input = space.input(random, [height.input, width.input, depth], all, bytes);
    let written = Needs { rows: (region.y0, region.y1), cols: (region.x0, region.x1) };
    let output = space.output(random, [height.output, width.output, depth], written, bytes);
    let call = Call::new(kernel).put(&input).put(&output).put(&region);
    Case::new(call.put(&depth).put(&scales), space.fill(random))
}

fn unary(kernel: FloatKernel, random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, mut output]) = alike(random, &mut space, [4, 4]);
    if kernel == FloatKernel::FloatSoftmax && output == input {
        // A pixel's input is read until its last channel is written.
        output = space.output(random, shape, Needs { rows: (0, shape[0]), cols: (0, shape[1]) }, 4);
    }
    let call = Call::new(kernel).put(&input).put(&output).put(&region).put(&shape[2]);
    let function = random.choose(Function::ALL);
    let call = match kernel {
        FloatKernel::FloatSoftmax => call.put(&1.5f32),
        _ if random.chance(2, 3) => call.put(&Unary::Function(function)),
        _ => call.put(&random.choose(&[
            Unary::Logistic,
            Unary::Tanh,
            Unary::Clamp(Clamp { min: 0.0, max: 6.0 }),
            Unary::LeakyRelu { alpha: 0.1 },
            Unary::HardSwish,
            Unary::Exp,
            Unary::Log,
        ])),
    };
    Case::new(call, space.fill(random))
}

fn recurrent(kernel: FloatKernel, random: &mut Random) -> Case {
    let hybrid = kernel != FloatKernel::FloatRecurrent;
    let all = [Cell::Lstm, Cell::Tanh, Cell::Relu, Cell::Gru, Cell::GruResetAfter];
    let cell = random.choose(if hybrid { &all[..3] } else { &all });
    let [batch, steps, inputs, units] =
        [small(random, 1, 2), small(random, 1, 4), small(random, 1, 9), small(random, 1, 9)];
    let mut flag = || random.chance(1, 2);
    let (time_major, reverse, initial, mut outputs) = (flag(), flag(), flag(), [flag(), flag(), flag()]);
    outputs[2] &= cell == Cell::Lstm;
    outputs[0] |= outputs == [false; 3];
    let clip = if random.chance(1, 2) { 0.75 } else { f32::INFINITY };
    let layer = Recurrent { cell, sizes: [batch, steps, inputs, units], time_major, reverse, clip, initial, outputs };
    let mut space = Space::new(random);
    let mut places = [0; 7];
    places[0] = space.take_input(4 * batch * steps * inputs, 4) / 4;
    let sizes = [batch * steps * units, batch * units, batch * units];
    for (i, size) in sizes.into_iter().enumerate().filter(|(i, _)| outputs[*i]) {
        places[1 + i] = space.take(4 * size, 4) / 4;
    }
    if initial {
        (0..cell.states()).for_each(|i| places[4 + i] = space.take_input(4 * batch * units, 4) / 4);
    }
    let bytes = if hybrid { layer.hybrid_scratch() } else { 4 * layer.scratch() };
    let scratch = space.take(bytes, 4);
    places[6] = scratch / 4;
    let rows = cell.gates() * units;
    let call = match hybrid {
        true => {
            let call = Call::new(kernel).put(&Isa::PORTABLE).put(&places).put(&layer);
            let scales: Vec<f32> = (0..2 * rows).map(|_| (random.unit() * 0.01) as f32).collect();
            let call = call.constant(&signed(random, rows * inputs)).constant(&signed(random, rows * units));
            call.constant(&[scales, floats(random, rows)].concat())
        }
        false => {
            let call = Call::new(kernel).put(&places).put(&layer);
            let call = call.constant(&floats(random, rows * inputs)).constant(&floats(random, rows * units));
            call.constant(&floats(random, cell.biases() * units))
        }
    };
    let mut case = Case::new(call, space.fill(random));
    case.scratch = scratch..scratch + bytes;
    case
}

fn svdf(random: &mut Random) -> Case {
    let (batch, inputs, rank) = (small(random, 1, 2), small(random, 1, 9), small(random, 1, 3));
    let (units, memory) = (small(random, 1, 4), small(random, 1, 7));
    let filters = rank * units;
    let layer = Svdf { sizes: [batch, inputs, units, rank, memory], clamp: clamp(random) };
    let mut space = Space::new(random);
    let [x, state] = [batch * inputs, batch * filters * memory].map(|size| space.take_input(4 * size, 4) / 4);
    let [y, next] = [batch * units, batch * filters * memory].map(|size| space.take(4 * size, 4) / 4);
    let scratch = space.take(4 * layer.scratch(), 4);
    let call = Call::new(FloatKernel::FloatSvdf).put(&[x, state, y, next, scratch / 4]).put(&layer);
    let call = call.constant(&floats(random, filters * inputs)).constant(&floats(random, filters * memory));
    let mut case = Case::new(call.constant(&floats(random, units)), space.fill(random));
    case.scratch = scratch..scratch + 4 * layer.scratch();
    case
}

fn function(random: &mut Random) -> Binary {
    random.choose(&[
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Minimum,
        Binary::Maximum,
        Binary::Prelu,
    ])
}

fn binary(random: &mut Random) -> Case {
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, [4, 4]);
    let constant = floats(random, shape[2]);
    // The second operand is one pixel for all.
    let repeated = View { rows: 1, pixel_stride: 0, ..View::linear(0, 1, 1, shape[2]) };
    let call = Call::new(FloatKernel::FloatBinary).option::<f32>(None).put(&input).put(&1usize);
    let call = call.option(Some(&constant)).put(&repeated).put(&1usize).put(&output).put(&region).put(&shape[2]);
    Case::new(call.put(&function(random)).put(&clamp(random)), space.fill(random))
}

fn broadcast(random: &mut Random) -> Case {
    let sizes = sizes(random, (0, 5));
    let mut space = Space::new(random);
    let mut call = Call::new(FloatKernel::FloatBroadcast);
    let mut strides = Vec::new();
    for _ in 0..2 {
        let (steps, count) = cuboid(random, &sizes, true);
        strides.push(steps);
        call = call.option::<f32>(None).put(&(space.take_input(4 * count, 4) / 4));
    }
    let output = space.take(4 * sizes.iter().product::<usize>(), 4) / 4;
    let call = call.put(&output).put(&dims(&sizes)).put(&strides[0]).put(&strides[1]);
    Case::new(call.put(&function(random)).put(&clamp(random)), space.fill(random))
}

fn reduce_image(random: &mut Random) -> Case {
    let shape = [small(random, 1, 7), small(random, 1, 6), small(random, 1, 30)];
    let mut space = Space::new(random);
    let region = region(random, shape[0], 1);
    let needs = Needs { rows: (region.y0, region.y1), cols: (0, shape[1]) };
    let input = space.input(random, shape, needs, 4);
    let output = space.output(random, [1, 1, shape[2]], Needs { rows: (0, 1), cols: (0, 1) }, 4);
    let state = space.take(4 * shape[2], 4) / 4;
    let call = Call::new(FloatKernel::FloatReduceImage).put(&input).put(&output).put(&region.y0).put(&region.y1);
    Case::new(call.put(&shape).put(&state).put(&((shape[0] * shape[1]) as f32)), space.fill(random))
}

fn reduce(kernel: FloatKernel, random: &mut Random) -> Case {
    let sizes = sizes(random, (1, 5));
    let (strides, count) = cuboid(random, &sizes, false);
    // The first axes stay, the others go.
    let kept = random.below(sizes.len() + 1);
    let mut space = Space::new(random);
    let input = space.take_input(4 * count, 4) / 4;
    let output = space.take(4 * sizes[..kept].iter().product::<usize>(), 4) / 4;
    let mut call = Call::new(kernel).put(&input).put(&output);
    for range in [0..kept, kept..sizes.len()] {
        let mut steps = [0; MAX_RANK];
        steps[..range.len()].copy_from_slice(&strides.steps[range.clone()]);
        call = call.put(&dims(&sizes[range.clone()])).put(&Strides { rank: range.len(), steps });
    }
    if kernel == FloatKernel::FloatReduce {
        call = call.put(&(sizes[kept..].iter().product::<usize>() as f32));
    }
    Case::new(call, space.fill(random))
}

fn convert(kernel: FloatKernel, random: &mut Random) -> Case {
    let integer = random.choose(&[Stored::Int8, Stored::Int16, Stored::Int32]);
    let bytes = match kernel {
        FloatKernel::Quantize => [4, integer.bytes()],
        _ => [integer.bytes(), 4],
    };
    let mut space = Space::new(random);
    let (shape, region, [input, output]) = alike(random, &mut space, bytes);
    let call = Call::new(kernel).put(&input).put(&output).put(&region).put(&shape[2]).put(&integer);
    Case::new(call.put(&0.07f32).put(&(random.between(-128, 127) as i32)), space.fill(random))
}
