//! A wake word heard frame by frame.

use crate::builder::{Builder, Precision, Taps};
use smidgen_ir::{Activation, Graph, Padding, UnaryKind};

/// Rows of features that come in each inference.
const ROWS: usize = 3;
/// Features of a row.
const FEATURES: usize = 16;
/// Channels of each block, and how many rows its depthwise convolution sees.
const BLOCKS: [(usize, usize); 4] = [(24, 5), (24, 9), (32, 13), (32, 21)];
/// Rows of the last block that the answer is given from.
const HEARD: usize = 12;

/// A streaming wake word of int8 as Keras' streaming layers make it (Rybakov et al., "Streaming keyword spotting on mobile devices",
/// 2020, with the depthwise convolutions in time of Zhang et al., "Hello Edge", 2017): each inference takes 3 new rows of 16 features, a
/// convolution with a stride of 3 in time makes one row of them and of 2 before, and every depthwise convolution in time sees its new row
/// behind a ring of those that it saw before. `[1,3,1,16]` to `[1,1]`, 6 rings; the last begins with numbers.
pub fn wake_word(seed: u64) -> Graph {
    let mut b = Builder::new("wake_word", Precision::Int8, seed);
    let in_time = |rows: usize, stride: usize| Taps {
        kernel: [rows, 1],
        stride: [stride, 1],
        dilation: [1, 1],
        padding: Padding::Valid,
    };
    let x = b.input([1, ROWS, 1, FEATURES]);
    let x = b.ring(x, 2, false);
    let mut x = b.conv(x, in_time(5, ROWS), BLOCKS[0].0, Activation::Relu);
    for (channels, rows) in BLOCKS {
        let seen = b.ring(x, rows - 1, false);
        let y = b.depthwise(seen, in_time(rows, 1), 1, Activation::None);
        x = b.pointwise(y, channels, Activation::Relu);
    }
    let heard = b.ring(x, HEARD - 1, true);
    let flat = b.reshape(heard, &[1, HEARD * BLOCKS[BLOCKS.len() - 1].0]);
    let score = b.fully_connected(flat, 1, Activation::None);
    let y = b.unary(UnaryKind::Logistic, score);
    b.finish(&[y])
}
