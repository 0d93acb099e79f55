//! Windowed kernels: the fast forms give the bytes of the simple ones, and neither how an output is cut into regions nor how its
//! input is stored changes a byte.

use proptest::prelude::*;
use smidgen_kernels::float::{self, Clamp};
use smidgen_kernels::int8::{self, Channels, Int8, fast};
use smidgen_kernels::requant::Factor;
use smidgen_kernels::{Arena, Checked, Flash, Isa, Region, Rounding, View, Views, Window2d};

/// A window with its stride, dilation and padding on a small image; any padding up to the window's extent.
fn window() -> impl Strategy<Value = Window2d> {
    let pair = |range: std::ops::RangeInclusive<usize>| (range.clone(), range).prop_map(|(a, b)| [a, b]);
    (pair(1..=7), pair(1..=4), pair(1..=3), pair(1..=2), pair(0..=3), 1usize..=20, 1usize..=9).prop_map(
        |(image, size, stride, dilation, before, inputs, outputs)| {
            let out = |axis: usize| {
                // Padding after the image as before it; at least one window.
                let span = image[axis] + 2 * before[axis];
                let extent = (size[axis] - 1) * dilation[axis] + 1;
                span.saturating_sub(extent) / stride[axis] + 1
            };
            Window2d {
                input: [image[0], image[1], inputs],
                output: [out(0), out(1), outputs],
                size,
                stride,
                dilation,
                before,
            }
        },
    )
}

fn quant() -> impl Strategy<Value = Int8> {
    (any::<i8>(), any::<i8>(), any::<i8>(), any::<i8>(), any::<bool>()).prop_map(|(input, output, a, b, once)| Int8 {
        input_zero: input as i32,
        output_zero: output as i32,
        min: a.min(b).min(-20),
        max: a.max(b).max(20),
        rounding: if once { Rounding::Once } else { Rounding::Twice },
    })
}

/// A repeatable stream of bytes.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> i8 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 56) as i8
    }

    fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn below(&mut self, end: usize) -> usize {
        self.byte() as u8 as usize % end
    }
}

/// What a layer with int8 weights needs beside its input.
struct Layer {
    weights: Vec<i8>,
    bias: Vec<i32>,
    multipliers: Vec<i32>,
    shifts: Vec<i8>,
}

impl Layer {
    /// `taps` weights for each of `outputs` channels.
    fn new(random: &mut Random, taps: usize, outputs: usize) -> Self {
        let factors: Vec<Factor> = (0..outputs)
            .map(|_| Factor::new((1.0 + random.below(100) as f64 / 50.0) / (taps as f64).sqrt() / 100.0))
            .collect();
        Self {
            weights: random.bytes(taps * outputs),
            bias: (0..outputs).map(|_| random.byte() as i32 * 50).collect(),
            multipliers: factors.iter().map(|f| f.multiplier).collect(),
            shifts: factors.iter().map(|f| f.shift).collect(),
        }
    }

    fn channels(&self) -> Channels<'_> {
        Channels {
            bias: Flash::new(&self.bias),
            multipliers: Flash::new(&self.multipliers),
            shifts: Flash::new(&self.shifts),
        }
    }

    /// Weights padded and bias folded, for the fast kernels whose weights are `[O, taps]`.
    fn folded(&self, taps: usize, length: usize, input_zero: i32) -> Self {
        let bias = self.bias.iter().zip(self.weights.chunks_exact(taps));
        let mut weights = self.weights.clone();
        weights.resize(length, 77);
        Self {
            bias: bias.map(|(&b, w)| fast::fold_bias(b, input_zero, w.iter().copied())).collect(),
            weights,
            multipliers: self.multipliers.clone(),
            shifts: self.shifts.clone(),
        }
    }
}

/// Cuts an output into regions: bands of rows, each into columns.
fn regions(random: &mut Random, rows: usize, cols: usize) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut y0 = 0;
    while y0 < rows {
        let y1 = y0 + 1 + random.below(rows - y0);
        let mut x0 = 0;
        while x0 < cols {
            let x1 = x0 + 1 + random.below(cols - x0);
            regions.push(Region { y0, y1, x0, x1 });
            x0 = x1;
        }
        y0 = y1;
    }
    regions
}

/// Runs a kernel on the whole output of a freshly filled arena: scratch, then input, then output.
fn whole<T: Copy + Default>(
    window: &Window2d,
    images: usize,
    scratch: usize,
    input: &[T],
    run: impl Fn(Arena<'_, T>, &Views, Region),
) -> Vec<T> {
    let ([h, w, c], [oh, ow, oc]) = (window.input, window.output);
    let (from, to) = (View::linear(scratch, images * h, w, c), scratch + input.len());
    let output = View::linear(to, images * oh, ow, oc);
    let mut arena = vec![T::default(); to + images * oh * ow * oc];
    arena[scratch..to].copy_from_slice(input);
    run(Arena::new(&mut arena), &Views { input: from, output }, Region::whole(images * oh, ow));
    arena.split_off(to)
}

/// Runs a kernel band by band from a ring that holds only the rows which the band needs, into a ring of the band's rows whose
/// columns are a tile where the band is cut into columns. Gives the same output, put together.
fn pieces<T: Copy + Default>(
    random: &mut Random,
    window: &Window2d,
    scratch: usize,
    input: &[T],
    run: impl Fn(Arena<'_, T>, &Views, Region),
) -> Vec<T> {
    let ([h, w, c], [oh, ow, oc]) = (window.input, window.output);
    let mut result = vec![T::default(); oh * ow * oc];
    for region in regions(random, oh, ow) {
        let (first, end) = (region.y0..region.y1).fold((h, 0), |(first, end), y| {
            let (taps, at) = window.taps(0, y);
            if taps.is_empty() {
                return (first, end);
            }
            (first.min(at), end.max(at + (taps.len() - 1) * window.dilation[0] + 1))
        });
        let slots = end.saturating_sub(first).max(1);
        let from = View { base: scratch, row_stride: w * c, rows: slots, x0: 0, pixel_stride: c };
        let (rows, cols) = (region.y1 - region.y0, region.x1 - region.x0);
        let to = scratch + slots * w * c;
        let output = View { base: to, row_stride: cols * oc, rows, x0: region.x0, pixel_stride: oc };
        let mut arena = vec![T::default(); to + rows * cols * oc];
        for row in first..end {
            arena[from.row(row)..][..w * c].copy_from_slice(&input[row * w * c..][..w * c]);
        }
        run(Arena::new(&mut arena), &Views { input: from, output }, region);
        for y in region.y0..region.y1 {
            let at = (y * ow + region.x0) * oc;
            result[at..at + cols * oc].copy_from_slice(&arena[output.row(y)..][..cols * oc]);
        }
    }
    result
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn conv2d(window in window(), quant in quant(), images in 1usize..3, seed in any::<u64>()) {
        let mut random = Random(seed);
        let layer = Layer::new(&mut random, window.patch(), window.output[2]);
        let folded = layer.folded(window.patch(), fast::conv2d_weights(&window), quant.input_zero);
        let input = random.bytes(images * window.input.iter().product::<usize>());
        let simple = |arena: Arena<'_, i8>, views: &Views, region: Region| {
            int8::conv2d(arena, views, region, &window, &quant, Flash::new(&layer.weights), layer.channels());
        };
        let expected = whole(&window, images, 0, &input, simple);
        let scratch = fast::conv2d_scratch(&window);
        for isa in [Isa::PORTABLE, Isa::detect()] {
            let quick = |arena: Arena<'_, i8>, views: &Views, region: Region| {
                let channels = folded.channels();
                let layer = fast::Conv2d { window, quant, scratch: 0 };
                fast::conv2d(isa, arena, views, region, &layer, Flash::new(&folded.weights), channels);
            };
            prop_assert_eq!(&whole(&window, images, scratch, &input, quick), &expected);
            if images == 1 {
                prop_assert_eq!(&pieces(&mut random, &window, scratch, &input, quick), &expected);
            }
        }
        if images == 1 {
            prop_assert_eq!(pieces(&mut random, &window, 0, &input, simple), expected);
        }
    }

    #[test]
    fn depthwise(window in window(), quant in quant(), multiplier in 1usize..4, seed in any::<u64>()) {
        let mut window = window;
        window.output[2] = window.input[2] * multiplier;
        // Past one group of lanes, now and then.
        if multiplier == 1 && seed % 4 == 0 {
            window.input[2] += 30;
            window.output[2] += 30;
        }
        let mut random = Random(seed);
        let layer = Layer::new(&mut random, window.area(), window.output[2]);
        let input = random.bytes(window.input.iter().product());
        let simple = |arena: Arena<'_, i8>, views: &Views, region: Region| {
            int8::depthwise(arena, views, region, &window, &quant, Flash::new(&layer.weights), layer.channels());
        };
        let expected = whole(&window, 1, 0, &input, simple);
        prop_assert_eq!(&pieces(&mut random, &window, 0, &input, simple), &expected);
        if multiplier == 1 {
            for isa in [Isa::PORTABLE, Isa::detect()] {
                let quick = |arena: Arena<'_, i8>, views: &Views, region: Region| {
                    let how = fast::Depthwise { window, quant };
                    fast::depthwise(isa, arena, views, region, &how, Flash::new(&layer.weights), layer.channels());
                };
                prop_assert_eq!(&whole(&window, 1, 0, &input, quick), &expected);
                prop_assert_eq!(&pieces(&mut random, &window, 0, &input, quick), &expected);
            }
        }
    }

    #[test]
    fn fully_connected(
        rows in 1usize..4,
        sizes in (1usize..70, 1usize..10),
        quant in quant(),
        seed in any::<u64>(),
    ) {
        let (inputs, outputs) = sizes;
        let window = Window2d {
            input: [rows, 1, inputs],
            output: [rows, 1, outputs],
            size: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            before: [0, 0],
        };
        let mut random = Random(seed);
        let layer = Layer::new(&mut random, inputs, outputs);
        let folded = layer.folded(inputs, inputs * outputs, quant.input_zero);
        let input = random.bytes(rows * inputs);
        let sizes = [inputs, outputs];
        let simple = |arena: Arena<'_, i8>, views: &Views, region: Region| {
            int8::fully_connected(arena, views, region, &int8::FullyConnected { sizes, weight_zero: 0 }, &quant, Flash::new(&layer.weights), layer.channels());
        };
        let expected = whole(&window, 1, 0, &input, simple);
        prop_assert_eq!(&pieces(&mut random, &window, 0, &input, simple), &expected);
        for isa in [Isa::PORTABLE, Isa::detect()] {
            let quick = |arena: Arena<'_, i8>, views: &Views, region: Region| {
                let channels = folded.channels();
                let layer = fast::FullyConnected { sizes, quant };
                fast::fully_connected(isa, arena, views, region, &layer, Flash::new(&folded.weights), channels);
            };
            prop_assert_eq!(&whole(&window, 1, 0, &input, quick), &expected);
            prop_assert_eq!(&pieces(&mut random, &window, 0, &input, quick), &expected);
        }
    }

    #[test]
    fn pooling(window in window(), seed in any::<u64>()) {
        let mut window = window;
        window.dilation = [1, 1];
        window.output[2] = window.input[2];
        let mut random = Random(seed);
        let input = random.bytes(window.input.iter().product());
        for kernel in [int8::average_pool::<i8, Checked>, int8::max_pool] {
            let run = |arena: Arena<'_, i8>, views: &Views, region: Region| {
                kernel(arena, views, region, &window, [-100, 90]);
            };
            prop_assert_eq!(whole(&window, 1, 0, &input, run), pieces(&mut random, &window, 0, &input, run));
        }
    }

    #[test]
    fn float_kernels(window in window(), seed in any::<u64>()) {
        let mut random = Random(seed);
        let mut floats = |count: usize| -> Vec<f32> { random.bytes(count).iter().map(|&v| v as f32 / 16.0).collect() };
        let input = floats(window.input.iter().product());
        let (weights, bias) = (floats(window.patch() * window.output[2]), floats(window.output[2]));
        let clamp = Clamp { min: 0.0, max: f32::INFINITY };
        let conv = |arena: Arena<'_, f32>, views: &Views, region: Region| {
            float::conv2d(arena, views, region, &window, clamp, Flash::new(&weights), Flash::new(&bias));
        };
        let mut random = Random(seed ^ 1);
        prop_assert_eq!(whole(&window, 1, 0, &input, conv), pieces(&mut random, &window, 0, &input, conv));
        let mut window = window;
        window.output[2] = window.input[2];
        let deep: Vec<f32> = weights.iter().cycle().take(window.area() * window.output[2]).copied().collect();
        let bias: Vec<f32> = bias.iter().cycle().take(window.output[2]).copied().collect();
        let depthwise = |arena: Arena<'_, f32>, views: &Views, region: Region| {
            float::depthwise(arena, views, region, &window, clamp, Flash::new(&deep), Flash::new(&bias));
        };
        prop_assert_eq!(whole(&window, 1, 0, &input, depthwise), pieces(&mut random, &window, 0, &input, depthwise));
    }
}

/// The whole of a transposed convolution against the definition, which scatters; then any cut of it.
#[test]
fn transposed_convolution_gathers_what_the_definition_scatters() {
    let mut random = Random(7);
    for _ in 0..200 {
        let [h, w, c, o] = std::array::from_fn(|_| 1 + random.below(5));
        let [kh, kw] = std::array::from_fn(|_| 1 + random.below(4));
        let stride = std::array::from_fn(|_| 1 + random.below(3));
        let before = std::array::from_fn(|_| random.below(2));
        let output = [(h - 1) * stride[0] + kh, (w - 1) * stride[1] + kw, o];
        let window = Window2d { input: [h, w, c], output, size: [kh, kw], stride, dilation: [1, 1], before };
        let layer = Layer::new(&mut random, kh * kw * c, o);
        let quant = Int8 { input_zero: 3, output_zero: -5, min: -128, max: 127, rounding: Rounding::Twice };
        let input = random.bytes(h * w * c);
        let run = |arena: Arena<'_, i8>, views: &Views, region: Region| {
            int8::transpose_conv(arena, views, region, &window, &quant, Flash::new(&layer.weights), layer.channels());
        };
        let mut sums = vec![0i32; output.iter().product()];
        for (y, x, ky, kx) in (0..h)
            .flat_map(|y| (0..w).map(move |x| (y, x)))
            .flat_map(|(y, x)| (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (y, x, ky, kx))))
        {
            let (Some(oy), Some(ox)) =
                ((y * stride[0] + ky).checked_sub(before[0]), (x * stride[1] + kx).checked_sub(before[1]))
            else {
                continue;
            };
            for (i, channel) in (0..o).flat_map(|channel| (0..c).map(move |i| (i, channel))) {
                let weight = layer.weights[((channel * kh + ky) * kw + kx) * c + i] as i32;
                sums[(oy * output[1] + ox) * o + channel] += (input[(y * w + x) * c + i] as i32 - 3) * weight;
            }
        }
        let expected: Vec<i8> =
            sums.iter().enumerate().map(|(i, &sum)| layer.channels().finish(i % o, sum, &quant)).collect();
        assert_eq!(whole(&window, 1, 0, &input, run), expected, "{window:?}");
        let mut cut = vec![0; expected.len()];
        for region in regions(&mut random, output[0], output[1]) {
            let to = input.len();
            let mut arena = input.clone();
            arena.resize(to + expected.len(), 0);
            let views = Views { input: View::linear(0, h, w, c), output: View::linear(to, output[0], output[1], o) };
            run(Arena::new(&mut arena), &views, region);
            for y in region.y0..region.y1 {
                let row = (y * output[1] + region.x0) * o..(y * output[1] + region.x1) * o;
                cut[row.clone()].copy_from_slice(&arena[to..][row]);
            }
        }
        assert_eq!(cut, expected, "{window:?}");
    }
}
