//! Random convolutions, computed by the device kernel and by the definition: paddings, strides, dilations, odd numbers of channels and of
//! inputs, weights of eight and of four bits; apart, or with the output over as much of the input as the kernel's order allows.

use super::layer::Layer;
use super::random::Random;
use smidgen_kernels::int8::mcu::{
    CONV2D_PIXELS, Conv2d, EpilogueVariants, Width, conv2d, conv2d_channel_parameters, conv2d_i4, conv2d_offset,
    conv2d_offset_channel_parameters, conv2d_offset_pack, conv2d_offset_scratch, conv2d_offset_words, conv2d_pack,
    conv2d_scratch, conv2d_tap, conv2d_words,
};
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::{Region, View, Views, Window2d};

fn window(random: &mut Random) -> Window2d {
    let common = random.below(3);
    let (size, stride, dilation) = match common {
        // Pointwise, and three rows of nine.
        0 => ([1; 2], [1 + random.below(2); 2], [1; 2]),
        1 => ([3; 2], [1 + random.below(2); 2], [1; 2]),
        _ => {
            let mut draw = |n| [1 + random.below(n), 1 + random.below(n)];
            (draw(5), draw(3), draw(2))
        }
    };
    let depth = if common == 1 && random.below(2) == 0 { 3 } else { 1 + random.below(19) };
    let (mut input, mut output, mut before) = ([0, 0, depth], [0, 0, 1 + random.below(9)], [0; 2]);
    for axis in 0..2 {
        let extent = (size[axis] - 1) * dilation[axis] + 1;
        let padded = random.below(3) > 0;
        input[axis] = if padded { 1 + random.below(10) } else { extent + random.below(10) };
        before[axis] = if padded { random.below(extent) } else { 0 };
        let after = if padded { random.below(extent) } else { 0 };
        // Enough padding for one output.
        output[axis] = 1 + ((input[axis] + before[axis] + after).max(extent) - extent) / stride[axis];
    }
    Window2d { input, output, size, stride, dilation, before }
}

/// For each tap of a window inside the input, its number and the row and column that it reads; rows are counted over all images.
fn inside(window: &Window2d, row: usize, x: usize) -> Vec<(usize, usize, usize)> {
    let (image, y) = (row / window.output[0], row % window.output[0]);
    let taps = (0..window.area()).map(|tap| {
        let [ky, kx] = [tap / window.size[1], tap % window.size[1]];
        let y = (y * window.stride[0] + ky * window.dilation[0]).wrapping_sub(window.before[0]);
        (tap, y, (x * window.stride[1] + kx * window.dilation[1]).wrapping_sub(window.before[1]))
    });
    let taps = taps.filter(|&(_, y, x)| y < window.input[0] && x < window.input[1]);
    taps.map(|(tap, y, x)| (tap, image * window.input[0] + y, x)).collect()
}

/// The last place where the output may begin, if what a block writes must not be read by a later one.
fn last_base(window: &Window2d, input: View, output: View) -> Option<usize> {
    let mut blocks = Vec::new();
    for row in 0..output.rows {
        for first in (0..window.output[1]).step_by(CONV2D_PIXELS) {
            let last = (first + CONV2D_PIXELS).min(window.output[1]) - 1;
            let reads = (first..=last).flat_map(|x| inside(window, row, x)).map(|(_, y, x)| input.at(y, x)).min();
            blocks.push((reads, output.at(row, last) + window.output[2]));
        }
    }
    let mut later = usize::MAX;
    let mut base = usize::MAX;
    for &(reads, end) in blocks.iter().rev() {
        if later != usize::MAX {
            base = base.min((later + output.base).checked_sub(end)?);
        }
        later = later.min(reads.unwrap_or(usize::MAX));
    }
    Some(base)
}

/// True if the kernel does as the definition says for the case with this number.
pub fn check(seed: u64) -> bool {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let window = window(&mut random);
    let ([in_h, in_w, depth], [out_h, out_w, channels]) = (window.input, window.output);
    let images = 1 + random.below(2) * random.below(2);
    let layer = Layer::draw(&mut random, channels);
    let (width, input_zero) = (layer.width, random.byte());
    let weights = layer.weights(&mut random, window.patch() * channels);
    let mut packed = vec![0; conv2d_words(&window, width, layer.epilogue.extras)];
    // Weights of eight bits may have zero points.
    let offset = width == Width::Eight && random.below(2) == 0;
    let zeros: Vec<i8> = (0..channels).map(|_| if offset { random.byte() } else { 0 }).collect();
    let mut scratch_bytes = conv2d_scratch(&window);
    if offset {
        scratch_bytes = conv2d_offset_scratch(&window);
        packed.resize(conv2d_offset_words(&window, layer.epilogue.extras), 0);
        assert!(conv2d_offset_pack(&window, &weights, &zeros, &layer.words, &mut packed));
        assert!(conv2d_offset_channel_parameters(&window, &packed).eq(layer.words.iter().copied()));
    } else {
        assert!(conv2d_pack(&window, width, &weights, &layer.words, &mut packed));
        assert!(conv2d_channel_parameters(&window, width, &packed).eq(layer.words.iter().copied()));
    }

    // Pixels may lie further apart than they are deep, rows than they are wide.
    let (apart, more) = (random.below(3) / 2, random.below(4));
    let view = |base, [h, w, c]: [usize; 3]| {
        let pixel_stride = c + apart;
        View { base, row_stride: w * pixel_stride + more, rows: h * images, x0: 0, pixel_stride }
    };
    let input = view(random.below(5) + 400, [in_h, in_w, depth]);
    let after = input.base + input.rows * input.row_stride;
    let mut output = view(after + random.below(5), [out_h, out_w, channels]);
    let whole = Region::whole(out_h * images, out_w);
    let mut regions = vec![whole];
    if random.below(2) == 0 {
        if let Some(base) = last_base(&window, input, output) {
            output.base = base.min(output.base);
        }
    } else {
        // Two regions that together are the whole output.
        let (row, x) = (random.below(whole.y1 + 1), random.below(out_w + 1));
        regions = if random.below(2) == 0 {
            vec![Region { y1: row, ..whole }, Region { y0: row, ..whole }]
        } else {
            vec![Region { x1: x, ..whole }, Region { x0: x, ..whole }]
        };
    }
    let end = after.max(output.base + output.rows * output.row_stride);
    let scratch = end.next_multiple_of(4);
    let mut memory = vec![0u32; (scratch + scratch_bytes).div_ceil(4)];
    let arena: &mut [i8] = bytemuck::cast_slice_mut(&mut memory);
    arena.fill_with(|| random.byte());
    let before = arena.to_vec();

    let kernel = match width {
        Width::Four => conv2d_i4,
        Width::Eight if offset => conv2d_offset,
        Width::Eight => conv2d,
    };
    for region in regions {
        let (epilogue, variants) = (layer.epilogue, EpilogueVariants::of(width, &layer.epilogue));
        let (views, constant) = (Views { input, output }, Flash::new(&packed));
        let layer = Conv2d { window, input_zero, epilogue };
        kernel(Arena::new(arena), &views, region, scratch, &layer, variants, constant);
    }

    let order: Vec<usize> = (0..4 * window.patch().div_ceil(4)).filter_map(|at| conv2d_tap(&window, at)).collect();
    assert_eq!(order.len(), window.patch());
    let mut expected = before.clone();
    for row in 0..whole.y1 {
        for x in 0..out_w {
            let taps = inside(&window, row, x);
            for o in 0..channels {
                let weights = &weights[o * window.patch()..][..window.patch()];
                // What is not inside is the zero point.
                let padding: i32 = weights.iter().map(|&w| input_zero as i32 * w as i32).sum();
                let sum = taps.iter().fold(padding, |sum, &(tap, y, x)| {
                    (0..depth).fold(sum, |sum, c| {
                        let value = before[input.at(y, x) + c] as i32 - input_zero as i32;
                        sum + value * weights[tap * depth + c] as i32 - value * i32::from(zeros[o])
                    })
                });
                // Zeros fill up behind the last tap alone.
                expected[output.at(row, x) + o] = layer.output(o, sum, order.iter().map(|&tap| weights[tap]));
            }
        }
    }
    expected[..scratch] == arena[..scratch]
}
