//! Random fully connected layers, computed by the device kernel and by the definition.

use super::layer::Layer;
use super::random::Random;
use smidgen_kernels::int8::mcu::{
    Width, fully_connected, fully_connected_i4, fully_connected_pack, fully_connected_weights,
};
use smidgen_kernels::memory::{Arena, Flash};
use smidgen_kernels::{Region, View, Views};

/// True if the kernel does as the definition says for the case with this number.
pub fn check(seed: u64) -> bool {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (rows, sizes) = (1 + random.below(3), [1 + random.below(70), 1 + random.below(19)]);
    let [inputs, outputs] = sizes;
    let layer = Layer::draw(&mut random, outputs);
    let weights = layer.weights(&mut random, inputs * outputs);
    let mut packed = vec![0; fully_connected_weights(sizes, layer.width)];
    assert!(fully_connected_pack(sizes, layer.width, &weights, &mut packed));

    let (row_in, row_out) = (inputs + random.below(3), outputs + random.below(3));
    let view = |base, row_stride, depth| View { base, row_stride, rows, x0: 0, pixel_stride: depth };
    let input = view(random.below(5), row_in, inputs);
    let output = view(rows * row_in + 5 + random.below(5), row_out, outputs);
    let mut arena: Vec<i8> = (0..output.base + rows * row_out).map(|_| random.byte()).collect();
    let mut expected = arena.clone();
    let cut = random.below(rows + 1);
    let whole = Region::whole(rows, 1);
    let kernel = if layer.width == Width::Four { fully_connected_i4 } else { fully_connected };
    for region in [Region { y1: cut, ..whole }, Region { y0: cut, ..whole }] {
        let (weights, words) = (Flash::new(&packed), Flash::new(&layer.words));
        kernel(Arena::new(&mut arena), &Views { input, output }, region, sizes, &layer.epilogue, weights, words);
    }
    for row in 0..rows {
        for (o, weights) in weights.chunks_exact(inputs).enumerate() {
            let values = &expected[input.row(row)..][..inputs];
            let sum = values.iter().zip(weights).map(|(&x, &w)| x as i32 * w as i32).sum();
            expected[output.row(row) + o] = layer.output(o, sum, weights.iter().copied());
        }
    }
    expected == arena
}
