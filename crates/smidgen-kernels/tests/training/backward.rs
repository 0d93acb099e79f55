//! Gradients and updates.

use super::layer::{Memory, apart, bytes_of, factor, gradients, list, little, operand, rounding, weights, window};
use super::plain::{links, saturated, scaled, shifted};
use super::random::Random;
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::reference::Product;
use smidgen_kernels::training::{
    self, AxisMap, BiasStep, Feed, MOST_AXES, Noise, RATE_BITS, Rearrange, Step, WHOLE_SHARE, WeightStep, blocks,
    mask_bytes,
};
use smidgen_kernels::{Region, View, Views, Window2d};
use std::ops::Range;

fn numbers(gradients: &[i16]) -> Vec<u8> {
    little(gradients, i16::to_le_bytes)
}

/// A gradient `[pixels, channels]` as it lies in the arena: four channels of each pixel side by side, one block of channels after the other.
fn by_channels(gradients: &[i16], channels: usize) -> Vec<u8> {
    let pixels = gradients.len() / channels;
    let mut placed = vec![0; blocks(channels) * pixels * 4];
    for (i, &g) in gradients.iter().enumerate() {
        let (pixel, channel) = (i / channels, i % channels);
        placed[(channel / 4 * pixels + pixel) * 4 + channel % 4] = g;
    }
    numbers(&placed)
}

/// The view of a gradient of so many channels, whole, whose first byte is `base`.
fn view(base: usize, pixels: usize, channels: usize) -> View {
    View::linear(base, blocks(channels), pixels, 8)
}

/// Rows cut into some runs.
fn bands(random: &mut Random, rows: usize) -> Vec<Range<usize>> {
    let (mut bands, mut at) = (Vec::new(), 0);
    while at < rows {
        let end = if random.below(2) == 0 { rows } else { at + 1 + random.below(rows - at) };
        bands.push(at..end);
        at = end;
    }
    bands
}

/// The same with the columns cut in two.
fn regions(random: &mut Random, rows: usize, cols: usize) -> Vec<Region> {
    let cut = random.below(cols);
    let columns = [(0, cut), (cut, cols)];
    let columns = columns.into_iter().filter(|(x0, x1)| x0 < x1);
    let bands = bands(random, rows);
    bands
        .iter()
        .flat_map(|band| columns.clone().map(|(x0, x1)| Region { y0: band.start, y1: band.end, x0, x1 }))
        .collect()
}

fn factors(random: &mut Random, count: usize) -> Vec<i16> {
    (0..count).map(|_| random.below(1 << 15) as i16).collect()
}

pub fn mask(random: &mut Random) -> bool {
    let (pixels, channels) = (1 + random.below(9), 1 + random.below(40));
    let gradient = gradients(random, pixels * channels);
    let step = mask_bytes(channels);
    let bytes: Vec<u8> = (0..pixels * step).map(|_| random.pick(&[0, 0xff, 0x5a, 0x81, 0x7e, 0x10])).collect();
    let inside = |i: usize| bytes[i / channels * step + i % channels / 8] >> (i % channels % 8) & 1 == 1;
    let expected: Vec<i16> = gradient.iter().enumerate().map(|(i, &g)| if inside(i) { g } else { 0 }).collect();

    let mut memory = Memory::new();
    let mask = memory.put(&bytes, 1);
    let gradient = by_channels(&gradient, channels);
    let from = memory.put(&gradient, 4);
    let size = gradient.len();
    // In place, or elsewhere.
    let to = if random.below(2) == 0 { from } else { memory.room(random, size, 4) };
    let before = Memory { bytes: memory.bytes.clone() };
    let views = Views { input: view(from, pixels, channels), output: view(to, pixels, channels) };
    for region in regions(random, blocks(channels), pixels) {
        training::mask(Arena::new(&mut memory.bytes), &views, region, mask, channels);
    }
    memory.same(&before, &[(to, size)]) && memory.bytes[to..to + size] == by_channels(&expected, channels)
}

/// Sums of two gradients, in place or elsewhere.
pub fn total(random: &mut Random) -> bool {
    let (pixels, channels) = (1 + random.below(9), 1 + random.below(20));
    let [a, b] = [(); 2].map(|()| gradients(random, pixels * channels));
    let factors = [(); 2].map(|()| random.below((1 << 14) + 1) as i16);
    let layer = training::Total { factors, shift: random.below(16) as u32 };
    let sum = |(&a, &b): (&i16, &i16)| i64::from(a) * i64::from(factors[0]) + i64::from(b) * i64::from(factors[1]);
    let expected: Vec<i16> = a.iter().zip(&b).map(|pair| saturated(shifted(sum(pair), layer.shift))).collect();

    let mut memory = Memory::new();
    let places = [a, b].map(|gradient| memory.put(&by_channels(&gradient, channels), 4));
    let size = 8 * pixels * blocks(channels);
    let to = match random.below(3) {
        2 => memory.room(random, size, 4),
        i => places[i],
    };
    let before = Memory { bytes: memory.bytes.clone() };
    let [a, b, output] = [places[0], places[1], to].map(|place| view(place, pixels, channels));
    for region in regions(random, blocks(channels), pixels) {
        training::total(Arena::new(&mut memory.bytes), a, b, output, region, &layer);
    }
    memory.same(&before, &[(to, size)]) && memory.bytes[to..to + size] == by_channels(&expected, channels)
}

/// What an operator took from some indices of each axis of its input, in another order and with sums along some axes, goes back there.
pub fn rearrange(random: &mut Random) -> bool {
    let rank = 1 + random.below(MOST_AXES);
    let one = AxisMap { size: 1, first: 0, step: 1, count: 1, stride: 0 };
    let mut axes = [one; MOST_AXES];
    // The output's axes in any order, each as long as there are indices.
    let mut order: Vec<usize> = (0..rank).collect();
    for i in (1..rank).rev() {
        order.swap(i, random.below(i + 1));
    }
    let (mut stride, mut start) = (1isize, 0isize);
    for &axis in &order {
        let (step, count) = (1 + random.below(3), 1 + random.below(3));
        let (first, after) = (random.below(3), random.below(3));
        let size = first + (count - 1) * step + 1 + after;
        let summed = random.below(4) == 0;
        let backwards = !summed && random.below(3) == 0;
        let by = if summed {
            0
        } else if backwards {
            -stride
        } else {
            stride
        };
        start += if backwards { (count as isize - 1) * stride } else { 0 };
        stride *= if summed { 1 } else { count as isize };
        axes[MOST_AXES - rank + axis] = AxisMap { size, first, step, count, stride: by };
    }
    // Around the output there is more, as around what a concatenation takes.
    let (before, after) = (random.below(5), random.below(5));
    start += before as isize;
    let sizes = |elements: usize, random: &mut Random| {
        let divisors: Vec<usize> = (1..=elements).filter(|d| elements.is_multiple_of(*d)).collect();
        let channels = divisors[random.below(divisors.len())];
        [elements / channels, channels]
    };
    let elements = axes.iter().map(|axis| axis.size).product();
    let (from, to) = (sizes(before + stride as usize + after, random), sizes(elements, random));
    let gradient = gradients(random, from[0] * from[1]);
    let expected: Vec<i16> = (0..elements)
        .map(|element| {
            let (mut rest, mut at) = (element, start);
            for axis in axes.iter().rev() {
                let index = rest % axis.size;
                rest /= axis.size;
                match (0..axis.count).find(|q| axis.first + q * axis.step == index) {
                    Some(q) => at += q as isize * axis.stride,
                    None => return 0,
                }
            }
            gradient[at as usize]
        })
        .collect();

    let mut memory = Memory::new();
    let source = memory.put(&by_channels(&gradient, from[1]), 4);
    let expected = by_channels(&expected, to[1]);
    let target = memory.room(random, expected.len(), 4);
    let before = Memory { bytes: memory.bytes.clone() };
    let layer = Rearrange { axes, start, from, to };
    training::rearrange(Arena::new(&mut memory.bytes), [source, target], &layer);
    memory.same(&before, &[(target, expected.len())]) && memory.bytes[target..target + expected.len()] == expected
}

/// Of functions of one element.
pub fn slope(random: &mut Random) -> bool {
    let (pixels, channels) = (1 + random.below(9), 1 + random.below(20));
    let gradient = gradients(random, pixels * channels);
    let x = bytes_of(random, pixels * channels);
    let slopes: Vec<i16> = (0..256).map(|_| random.next() as i16).collect();
    let shift = random.below(20) as u32;
    let one = |(&g, &x): (&i16, &u8)| {
        let slope = slopes[(i16::from(x as i8) + 128) as usize];
        saturated(shifted(i64::from(g) * i64::from(slope), shift))
    };
    let expected: Vec<i16> = gradient.iter().zip(&x).map(one).collect();

    let mut memory = Memory::new();
    let x = memory.put(&x, 1);
    let from = memory.put(&by_channels(&gradient, channels), 4);
    let expected = by_channels(&expected, channels);
    let to = if random.below(2) == 0 { from } else { memory.room(random, expected.len(), 4) };
    let before = Memory { bytes: memory.bytes.clone() };
    let views = Views { input: view(from, pixels, channels), output: view(to, pixels, channels) };
    for region in regions(random, blocks(channels), pixels) {
        let arena = Arena::new(&mut memory.bytes);
        training::slope(arena, &views, region, x, channels, shift, Flash::new(&slopes));
    }
    memory.same(&before, &[(to, expected.len())]) && memory.bytes[to..to + expected.len()] == expected
}

/// Of products, with respect to either operand.
pub fn product(random: &mut Random) -> bool {
    let sizes @ [pixels, channels] = [1 + random.below(9), 1 + random.below(20)];
    let gradient = gradients(random, pixels * channels);
    let product = Product {
        zeros: [random.byte().into(), random.byte().into()],
        factor: factor(random, 1),
        output_zero: random.byte().into(),
        min: random.pick(&[-128, -20]),
        max: random.pick(&[127, 30]),
        rounding: rounding(random),
    };
    let broadcast = random.pick(&[[false, false], [true, false], [false, true]]);
    let second = random.below(2) == 0;
    let operands = broadcast.map(|one| bytes_of(random, if one { channels } else { pixels * channels }));
    let zeros = if second { [product.zeros[1], product.zeros[0]] } else { product.zeros };
    let shift = random.below(12) as u32;
    let (mut alone, mut sums) = (vec![0i16; pixels * channels], vec![0i64; channels]);
    for (i, &g) in gradient.iter().enumerate() {
        let at = broadcast.map(|one| if one { i % channels } else { i });
        let [a, b] = [0, 1].map(|k| i64::from(operands[k][at[k]] as i8) - i64::from(zeros[k]));
        let y = scaled(a * b, product.factor, product.rounding) + i64::from(product.output_zero);
        if (i64::from(product.min)..=i64::from(product.max)).contains(&y) {
            alone[i] = saturated(shifted(i64::from(g) * b, shift));
            sums[i % channels] += i64::from(g) * b;
        }
    }
    let expected = match broadcast[0] {
        true => sums.iter().map(|&sum| saturated(shifted(sum, shift))).collect(),
        false => alone,
    };

    let layer = training::ProductGradient { product, sizes, broadcast, second, shift };
    let mut memory = Memory::new();
    let from = memory.put(&by_channels(&gradient, channels), 4);
    let expected = by_channels(&expected, channels);
    let [own, other] = [0, 1].map(|k| operand(random, &mut memory, &operands[k]));
    let to = memory.room(random, expected.len(), 4);
    let before = Memory { bytes: memory.bytes.clone() };
    let rows = if broadcast[0] { 1 } else { pixels };
    let views = Views { input: view(from, pixels, channels), output: view(to, rows, channels) };
    for rows in bands(random, blocks(channels)) {
        training::product_gradient(Arena::new(&mut memory.bytes), &views, rows, &layer, own, other);
    }
    memory.same(&before, &[(to, expected.len())]) && memory.bytes[to..to + expected.len()] == expected
}

/// Of interpolation.
pub fn resized(random: &mut Random) -> bool {
    let (images, channels) = (1 + random.below(2), 1 + random.below(9));
    let [input, output] = [(); 2].map(|()| [1 + random.below(5), 1 + random.below(7), channels]);
    let gradient = gradients(random, images * output.iter().product::<usize>());
    let mut tap = |size: usize| {
        let first = random.below(size);
        [first, (first + 1).min(size - 1), random.below(1 + usize::from(WHOLE_SHARE))]
    };
    let rows: Vec<[usize; 3]> = (0..output[0]).map(|_| tap(input[0])).collect();
    let columns: Vec<[usize; 3]> = (0..output[1]).map(|_| tap(input[1])).collect();
    let (narrow, shift) = (14 + random.below(4) as u32, random.below(12) as u32);
    let mut sums = vec![0i64; images * input.iter().product::<usize>()];
    for (i, &g) in gradient.iter().enumerate() {
        let (pixel, c) = (i / channels, i % channels);
        let (row, ox) = (pixel / output[1], pixel % output[1]);
        let (image, oy) = (row / output[0], row % output[0]);
        let shares = |[first, second, share]: [usize; 3]| [(first, usize::from(WHOLE_SHARE) - share), (second, share)];
        for (y, by_row) in shares(rows[oy]) {
            for (x, by_column) in shares(columns[ox]) {
                let weight = (by_row * by_column) as i64 >> narrow;
                sums[((image * input[0] + y) * input[1] + x) * channels + c] += i64::from(g) * weight;
            }
        }
    }
    let expected: Vec<i16> = sums.iter().map(|&sum| saturated(shifted(sum, shift))).collect();

    let layer = training::Resized { images, input, output, narrow, shift };
    let taps: Vec<u16> = rows.iter().chain(&columns).flatten().map(|&number| number as u16).collect();
    let mut memory = Memory::new();
    let from = memory.put(&by_channels(&gradient, channels), 4);
    let placed = by_channels(&expected, channels);
    let (to, scratch) = (memory.room(random, placed.len(), 4), memory.room(random, layer.scratch(), 4));
    let before = Memory { bytes: memory.bytes.clone() };
    let pixels = |size: [usize; 3]| images * size[0] * size[1];
    let views = Views { input: view(from, pixels(output), channels), output: view(to, pixels(input), channels) };
    for rows in bands(random, blocks(channels)) {
        training::resized(Arena::new(&mut memory.bytes), &views, rows, scratch, &layer, Flash::new(&taps));
    }
    memory.same(&before, &[(to, placed.len()), (scratch, layer.scratch())])
        && memory.bytes[to..to + placed.len()] == placed
}

/// Of greatest elements.
pub fn greatest(random: &mut Random) -> bool {
    let depth = 1 + random.below(9);
    let mut window = window(random, [depth; 2]);
    window.dilation = [1; 2];
    let images = 1 + random.below(2);
    let gradient = gradients(random, images * window.output.iter().product::<usize>());
    // Few values, so that many are equal.
    let x: Vec<u8> = (0..images * window.input.iter().product::<usize>()).map(|_| random.below(4) as u8).collect();
    let shift = random.below(4) as u32;
    let links = links(&window, images);
    let mut expected = vec![0i16; x.len()];
    for output in 0..images * window.output[0] * window.output[1] {
        for c in 0..depth {
            let of = links.iter().filter(|link| link[0] == output).map(|link| link[2] * depth + c);
            // The first of the greatest.
            let Some(best) = of.rev().max_by_key(|&at| x[at] as i8) else { continue };
            let g = shifted(i64::from(gradient[output * depth + c]), shift);
            expected[best] = saturated(i64::from(expected[best]) + g);
        }
    }

    let mut memory = Memory::new();
    let x = memory.put(&x, 1);
    let positions = gradient.len() / depth;
    let from = memory.put(&by_channels(&gradient, depth), 4);
    let (pixels, expected) = (expected.len() / depth, by_channels(&expected, depth));
    let to = memory.room(random, expected.len(), 4);
    let before = Memory { bytes: memory.bytes.clone() };
    let views = Views { input: view(from, positions, depth), output: view(to, pixels, depth) };
    for rows in bands(random, blocks(depth)) {
        let layer = training::Spread { window, images, shift };
        training::greatest(Arena::new(&mut memory.bytes), &views, rows, x, &layer);
    }
    memory.same(&before, &[(to, expected.len())]) && memory.bytes[to..to + expected.len()] == expected
}

/// Bits by which scaled gradients are narrowed, so that no sum of so many products leaves 32 bits, and by which sums are shifted.
fn shifts(random: &mut Random, terms: usize) -> [u32; 2] {
    [15 + spare(terms, 23) + random.below(4) as u32, random.below(14) as u32]
}

pub fn conv2d(random: &mut Random) -> bool {
    let outputs = if random.below(4) == 0 { 4 * (1 + random.below(40)) } else { 1 + random.below(13) };
    let inputs = 1 + random.below(14);
    let window = window(random, [inputs, outputs]);
    let images = 1 + random.below(2);
    let [in_c, out_c] = [window.input[2], window.output[2]];
    let gradient = gradients(random, images * window.output.iter().product::<usize>());
    let all = weights(random, out_c * window.patch());
    let factors = factors(random, out_c);
    let [narrow, shift] = shifts(random, out_c * window.area());

    let mut sums = vec![0i64; images * window.input.iter().product::<usize>()];
    for [output, tap, to] in links(&window, images) {
        for o in 0..out_c {
            let g = shifted(i64::from(gradient[output * out_c + o]) * i64::from(factors[o]), narrow);
            for c in 0..in_c {
                sums[to * in_c + c] += g * i64::from(all[(o * window.area() + tap) * in_c + c] as i8);
            }
        }
    }
    let expected: Vec<i16> = sums.iter().map(|&sum| saturated(shifted(sum, shift))).collect();

    let list = list(random, in_c);
    let (kept, taken) = apart(&all, in_c, &list);
    let feed = match random.below(3) {
        0 if window.is_pointwise() => Feed::Staged,
        1 => Feed::Rows,
        _ => Feed::Whole,
    };
    let layer = training::InputGradient { window, images, selected: list.len(), narrow, shift, feed };
    let mut memory = Memory::new();
    let (pixels, positions) = (expected.len() / in_c, gradient.len() / out_c);
    let (mut from, taken) = (memory.put(&by_channels(&gradient, out_c), 4), memory.put(&taken, 1));
    let mut given = view(from, positions, out_c);
    let weights = operand(random, &mut memory, &kept);
    if feed == Feed::Staged {
        let to = memory.room(random, 8 * positions * blocks(out_c), 4);
        let arena = Arena::new(&mut memory.bytes);
        training::scale(arena, given, to, [positions, out_c], narrow, Flash::new(&factors));
        let staged: Vec<i16> = (0..positions)
            .flat_map(|p| (0..blocks(out_c) * 4).map(move |o| (p, o)))
            .map(|(p, o)| match factors.get(o) {
                Some(&factor) => shifted(i64::from(gradient[p * out_c + o]) * i64::from(factor), narrow) as i16,
                None => 0,
            })
            .collect();
        assert_eq!(memory.bytes[to..to + 2 * staged.len()], numbers(&staged));
        from = to;
        given = View::linear(from, 1, 1, 0);
    }
    let expected = by_channels(&expected, in_c);
    let (size, sizes) = (expected.len(), [layer.scratch(), layer.state()]);
    let to = memory.room(random, size, 4);
    let [scratch, state] = sizes.map(|size| memory.room(random, size, 4));
    let before = Memory { bytes: memory.bytes.clone() };
    let views = Views { input: given, output: view(to, pixels, in_c) };
    let numbers: Vec<i16> = factors.iter().copied().chain(list.iter().map(|&c| c as i16)).collect();
    let rows = if feed == Feed::Rows { blocks(out_c) } else { blocks(in_c) };
    for rows in bands(random, rows) {
        let arena = Arena::new(&mut memory.bytes);
        let places = [taken, scratch, state];
        training::input_gradient(arena, &views, rows, places, &layer, weights, Flash::new(&numbers));
    }
    let written = [(to, size), (scratch, sizes[0]), (state, sizes[1])];
    memory.same(&before, &written) && memory.bytes[to..to + size] == expected
}

pub fn depthwise(random: &mut Random) -> bool {
    let depth = 1 + random.below(13);
    let multiplier = if random.below(3) == 0 { 1 + random.below(3) } else { 1 };
    let mut window = window(random, [depth, depth * multiplier]);
    if random.below(20) == 0 {
        // More than fits one plane.
        let stride = 1 + random.below(2);
        (window.size, window.stride, window.dilation, window.before) = ([3; 2], [stride; 2], [1; 2], [1; 2]);
        window.input = [40, 30, depth];
        window.output = [40 / stride, 30 / stride, depth * multiplier];
    }
    let images = 1 + random.below(2);
    let [in_c, out_c] = [window.input[2], window.output[2]];
    let gradient = gradients(random, images * window.output.iter().product::<usize>());
    let all = weights(random, out_c * window.area());
    let factors = factors(random, out_c);
    let [narrow, shift] = shifts(random, out_c * window.area());

    let mut sums = vec![0i64; images * window.input.iter().product::<usize>()];
    for [output, tap, to] in links(&window, images) {
        for o in 0..out_c {
            let g = shifted(i64::from(gradient[output * out_c + o]) * i64::from(factors[o]), narrow);
            sums[to * in_c + o / multiplier] += g * i64::from(all[tap * out_c + o] as i8);
        }
    }
    let expected: Vec<i16> = sums.iter().map(|&sum| saturated(shifted(sum, shift))).collect();

    let layer = training::DepthwiseGradient { window, images, narrow, shift };
    let mut memory = Memory::new();
    let from = memory.put(&by_channels(&gradient, out_c), 4);
    let weights = operand(random, &mut memory, &all);
    let (pixels, positions) = (expected.len() / in_c, gradient.len() / out_c);
    let expected = by_channels(&expected, in_c);
    let (size, scratch_size) = (expected.len(), layer.scratch());
    let (to, scratch) = (memory.room(random, size, 4), memory.room(random, scratch_size, 4));
    let before = Memory { bytes: memory.bytes.clone() };
    let views = Views { input: view(from, positions, out_c), output: view(to, pixels, in_c) };
    for rows in bands(random, blocks(in_c)) {
        let arena = Arena::new(&mut memory.bytes);
        training::depthwise_gradient(arena, &views, rows, scratch, &layer, weights, Flash::new(&factors));
    }
    memory.same(&before, &[(to, size), (scratch, scratch_size)]) && memory.bytes[to..to + size] == expected
}

pub fn spread(random: &mut Random) -> bool {
    let depth = 1 + random.below(9);
    let mut window = window(random, [depth; 2]);
    window.dilation = [1; 2];
    if random.below(4) == 0 {
        // The mean of everything.
        (window.size, window.before, window.output) = ([window.input[0], window.input[1]], [0; 2], [1, 1, depth]);
    }
    let images = 1 + random.below(2);
    let gradient = gradients(random, images * window.output.iter().product::<usize>());
    let links = links(&window, images);
    let pixels = images * window.output[0] * window.output[1];
    let taps: Vec<i64> = (0..pixels).map(|p| links.iter().filter(|link| link[0] == p).count() as i64).collect();
    let mut sums = vec![0i64; images * window.input.iter().product::<usize>()];
    for &[output, _, to] in &links {
        for c in 0..depth {
            // Towards zero.
            sums[to * depth + c] += i64::from(gradient[output * depth + c]) * window.area() as i64 / taps[output];
        }
    }
    let shift = random.below(4) as u32;
    let half = (1i64 << shift) >> 1;
    let expected: Vec<i16> = sums.iter().map(|&sum| saturated((sum + half) >> shift)).collect();

    let mut memory = Memory::new();
    let from = memory.put(&by_channels(&gradient, depth), 4);
    let views = |to| Views { input: view(from, pixels, depth), output: view(to, expected.len() / depth, depth) };
    let placed = by_channels(&expected, depth);
    let to = memory.room(random, placed.len(), 4);
    let before = Memory { bytes: memory.bytes.clone() };
    for rows in bands(random, blocks(depth)) {
        let layer = training::Spread { window, images, shift };
        training::spread(Arena::new(&mut memory.bytes), &views(to), rows, &layer);
    }
    memory.same(&before, &[(to, placed.len())]) && memory.bytes[to..to + placed.len()] == placed
}

/// What updates have in common: learning rate, exponent and seed, how many samples were collected before, and the factors of the channels.
struct Rates {
    rate: i32,
    exponent: i32,
    seed: i32,
    count: i32,
    factors: Vec<i32>,
}

impl Rates {
    fn new(random: &mut Random, channels: usize) -> Self {
        let factor = |random: &mut Random| match random.below(8) {
            0 => [0, 0],
            _ => [(1 << 30) + random.below(1 << 30) as i32, 20 + random.below(40) as i32],
        };
        let (rate, exponent) = (random.below(1 << RATE_BITS) as i32, random.below(24) as i32);
        let factors = (0..channels).flat_map(|_| factor(random)).collect();
        Self { rate, exponent, seed: random.next() as i32, count: random.below(4) as i32, factors }
    }

    fn put(&self, memory: &mut Memory) -> [usize; 4] {
        [self.rate, self.exponent, self.seed, self.count].map(|word| memory.put(&word.to_le_bytes(), 4))
    }

    /// What is left of earlier steps of so many elements.
    fn rests(random: &mut Random, step: &Step, count: usize) -> Vec<i64> {
        let half = if step.collected > 1 { 1i64 << (8 * step.held - 1) } else { (1i64 << step.kept) >> 1 };
        (0..count).map(|_| if half > 0 { random.below(2 * half as usize) as i64 - half } else { 0 }).collect()
    }

    /// As they lie in memory.
    fn rest_bytes(rests: &[i64], step: &Step) -> Vec<u8> {
        let bytes = step.held as usize;
        rests.iter().flat_map(|rest| rest.to_le_bytes()[..bytes].to_vec()).collect()
    }

    /// The step of channel `o` with what is left of those before, and what is left then.
    fn step_with_rest(&self, o: usize, sum: i64, step: &Step, index: usize, rest: i64) -> (i64, i64) {
        if step.kept == 0 {
            return (self.step(o, sum, step, index), 0);
        }
        let mut finer = Self { factors: self.factors.clone(), ..*self };
        finer.factors[2 * o + 1] -= step.kept as i32;
        let limit = |x: i64| x.clamp(i32::MIN.into(), i32::MAX.into());
        let total = limit(finer.step(o, sum, step, index) + rest);
        let moves = step.collected <= 1 || self.count + 1 >= step.collected as i32;
        let change = if moves { limit(total + (1 << (step.kept - 1))) >> step.kept } else { 0 };
        let left = total - (change << step.kept);
        let left = match step.held {
            // Of a step without bounds nothing sensible is left.
            1 => i64::from(left as i8),
            2 if step.collected <= 1 => i64::from(left as i16),
            2 => left.clamp(i16::MIN.into(), i16::MAX.into()),
            _ => left,
        };
        (change, left)
    }

    /// The step of channel `o` for a sum of gradients, from the definition in rational numbers.
    fn step(&self, o: usize, sum: i64, step: &Step, index: usize) -> i64 {
        let product = i64::from(self.rate) * i64::from(self.factors[2 * o]);
        // Down to 31 bits.
        let spare = 33u32.saturating_sub(product.leading_zeros());
        let mantissa = product >> spare;
        let shift = self.factors[2 * o + 1] + RATE_BITS as i32 - self.exponent - spare as i32;
        let product = i128::from(sum as i32) * i128::from(mantissa);
        let limit = i128::from(i32::MAX);
        if product == 0 {
            return 0;
        }
        if shift <= 0 {
            return (product << (-shift).min(60)).clamp(-limit, limit) as i64;
        }
        let (product, shift) = (product >> (shift - 62).clamp(0, 63), shift.min(62) as u32);
        let chance = match step.noise {
            Noise::Nearest => 1i128 << (shift - 1),
            Noise::Stochastic => {
                let mut x = self.seed as u32 ^ step.salt ^ (index as u32).wrapping_mul(0x9e37_79b9);
                x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
                x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
                x ^= x >> 16;
                (i128::from(x) << shift) >> 32
            }
        };
        ((product + chance) >> shift).clamp(-limit, limit) as i64
    }
}

fn step(random: &mut Random, narrow: u32) -> Step {
    let (noise, kept, held, collected) = random.pick(&[
        (Noise::Nearest, 0, 0, 1),
        (Noise::Stochastic, 0, 0, 0),
        (Noise::Nearest, 8, 1, 1),
        (Noise::Nearest, 16, 2, 0),
        (Noise::Stochastic, 8, 2, 3),
        (Noise::Stochastic, 8, 4, 2),
        (Noise::Nearest, 16, 4, 4),
    ]);
    Step { narrow, noise, salt: random.next(), kept, held, collected }
}

/// So many bits as sums of products of so many numbers, and of so many bits, have beyond 31.
fn spare(count: usize, bits: u32) -> u32 {
    (count.next_power_of_two().ilog2() + bits).saturating_sub(31)
}

fn weights_of(window: &Window2d, channels: usize) -> usize {
    window.output[2] * window.area() * channels
}

fn weights_case(random: &mut Random) -> (Window2d, usize) {
    let (channels, outputs) = (1 + random.below(14), 1 + random.below(40));
    let mut window = window(random, [channels, outputs]);
    if random.below(10) == 0 {
        // More positions than are summed at once.
        (window.size, window.stride, window.dilation, window.before) = ([1; 2], [1; 2], [1; 2], [0; 2]);
        let (height, width) = (10 + random.below(10), 10 + random.below(10));
        (window.input, window.output) = ([height, width, channels], [height, width, window.output[2]]);
    }
    (window, channels)
}

pub fn update(random: &mut Random) -> bool {
    let (window, channels) = weights_case(random);
    let images = 1 + random.below(2);
    let out_c = window.output[2];
    let input = bytes_of(random, images * window.input.iter().product::<usize>());
    let gradient = gradients(random, images * window.output.iter().product::<usize>());
    let mut all = weights(random, weights_of(&window, channels));
    // Below the range that training keeps.
    all[0] = random.pick(&[all[0], 0x80]);
    let zero = random.byte().into();
    let step = step(random, spare(images * window.output[0] * window.output[1], 24));
    let rates = Rates::new(random, out_c);

    let mut sums = vec![0i64; all.len()];
    for [output, tap, from] in links(&window, images) {
        for (o, c) in (0..out_c).flat_map(|o| (0..channels).map(move |c| (o, c))) {
            let x = i64::from(input[from * channels + c] as i8) - i64::from(zero);
            sums[(o * window.area() + tap) * channels + c] += x * i64::from(gradient[output * out_c + o]);
        }
    }
    let mut rests = Rates::rests(random, &step, all.len());
    let before = Rates::rest_bytes(&rests, &step);
    let mut next = |(i, &sum): (usize, &i64)| {
        let o = i / (window.area() * channels);
        let (change, rest) = rates.step_with_rest(o, sum >> step.narrow, &step, i, rests[i]);
        rests[i] = rest;
        let weight = i64::from(all[i] as i8);
        (weight - change).clamp(weight.min(-127), 127) as i8 as u8
    };
    let expected: Vec<u8> = sums.iter().enumerate().map(&mut next).collect();
    let rests = Rates::rest_bytes(&rests, &step);

    let layer = WeightStep { window, images, channels, zero, step };
    let mut memory = Memory::new();
    let [rate, exponent, seed, count] = rates.put(&mut memory);
    let kept = memory.put(&before, 2);
    let common = [rate, exponent, seed, kept, count];
    let positions = gradient.len() / out_c;
    let (input, gradient) = (memory.put(&input, 1), memory.put(&by_channels(&gradient, out_c), 4));
    let (at, scratch) = (memory.put(&all, 1), memory.room(random, layer.scratch(), 4));
    let before = Memory { bytes: memory.bytes.clone() };
    for rows in bands(random, if out_c.is_multiple_of(4) { out_c / 4 } else { 1 }) {
        let (arena, gradient) = (Arena::new(&mut memory.bytes), view(gradient, positions, out_c));
        let factors = Flash::new(&rates.factors);
        training::update_weights(arena, gradient, rows, [input, at, scratch], common, &layer, factors);
    }
    let written = [(at, all.len()), (scratch, layer.scratch()), (kept, rests.len())];
    memory.same(&before, &written)
        && memory.bytes[at..at + all.len()] == expected
        && memory.bytes[kept..kept + rests.len()] == rests
}

pub fn bias(random: &mut Random) -> bool {
    let (pixels, channels) = (1 + random.below(100), 1 + random.below(22));
    let gradient = gradients(random, pixels * channels);
    let all: Vec<i32> = (0..channels).map(|_| random.next() as i32 >> random.below(20)).collect();
    let step = step(random, spare(pixels, 16));
    let rates = Rates::new(random, channels);
    let mut rests = Rates::rests(random, &step, channels);
    let earlier = Rates::rest_bytes(&rests, &step);
    let mut next = |(o, &bias): (usize, &i32)| {
        let sum: i64 = gradient.iter().skip(o).step_by(channels).map(|&g| i64::from(g)).sum();
        let (change, rest) = rates.step_with_rest(o, sum >> step.narrow, &step, o, rests[o]);
        rests[o] = rest;
        (i64::from(bias) - change).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    };
    let expected: Vec<i32> = all.iter().enumerate().map(&mut next).collect();
    let rests = Rates::rest_bytes(&rests, &step);

    let mut memory = Memory::new();
    let [rate, exponent, seed, count] = rates.put(&mut memory);
    let kept = memory.put(&earlier, 2);
    let common = [rate, exponent, seed, kept, count];
    let gradient = memory.put(&by_channels(&gradient, channels), 4);
    let at = memory.put(&little(&all, i32::to_le_bytes), 4);
    let before = Memory { bytes: memory.bytes.clone() };
    let layer = BiasStep { pixels, channels, step };
    for rows in bands(random, if channels.is_multiple_of(4) { channels / 4 } else { 1 }) {
        let (arena, gradient) = (Arena::new(&mut memory.bytes), view(gradient, pixels, channels));
        training::update_bias(arena, gradient, rows, at, common, &layer, Flash::new(&rates.factors));
    }
    let size = 4 * channels;
    memory.same(&before, &[(at, size), (kept, rests.len())])
        && memory.bytes[at..at + size] == little(&expected, i32::to_le_bytes)
        && memory.bytes[kept..kept + rests.len()] == rests
}
