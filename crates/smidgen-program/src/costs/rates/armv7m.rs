//! Written by `cargo xtask fit-costs armv7m`, from `../measured/armv7m.txt`.

use crate::costs::Costs;

/// Cortex-M3: fitted to 1738 measured steps, with a mean error of 1.8 %,
/// and to the code of 160 networks, with one of 1.9 %.
pub static ARMV7M: Costs = Costs {
    name: "armv7m",
    cores: "Cortex-M3",
    awaits: 9_000,
    steps: [
        542, 50, 152, 81, 53, 32, 54, 8, 22, 28, 15, 108, 22, 20, 0, 4, 4, 38, 20, 5, 31, 17, 10, 8, 4, 52, 4, 4, 52,
        19, 8, 8, 5, 8, 0, 47, 12, 9, 13, 8, 12, 0, 2, 23, 6, 60, 58,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [
            34_520, 1_704, 7_418, 4_311, 2_911, 1_496, 13_940, 1_011, 4_164, 0, 1_190, 0, 4_118, 17_641, 1_830, 706,
            322, 119,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [88_907, 0, 2_110, 0, 6_521, 2_340, 7_849, 0, 6_822, 0, 3_991, 0, 0, 21_785, 0, 411, 0, 0],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [102_381, 100_855, 21_623, 0, 89, 8_017, 461, 14_291, 3_009, 458, 0, 1_350, 12_637, 0, 0, 0, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [510_502, 68_311, 1_902, 0, 0, 7_080, 383, 5_518, 6_482, 302, 9_396, 0, 11_108, 0, 0, 61, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [0, 0, 13_127, 0, 1_252, 0, 162, 0, 0, 1_971, 1_854, 2_299, 10_584, 0, 0, 211, 0, 0],
        // depthwise: run; row; row x group; pixels alike x group; pixel x group; tap row x group; tap x group;
        // padded tap x group; output, few; tap, few.
        [10_730, 32_056, 0, 55_628, 7_858, 2_441, 1_863, 8_365, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [21_505, 0, 19_834, 4_194, 1_636, 13_117, 2_236, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [23_949, 0, 17_535, 9_551, 2_914, 13_423, 1_757, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [16_216, 4_112, 10_283, 7_958, 2_418, 2_213, 4_634, 1_234, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [15_135, 0, 11_693, 13_857, 2_274, 1_144, 5_828, 873, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [11_842, 22_592, 5_466, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_887, 4_178, 4_332, 7_288, 1_880, 0, 4_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [17_774, 7_563, 4_234, 18_963, 4_428, 0, 7_000, 20_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_245, 4_869, 509, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [41_792, 5_128, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [1_318, 7_535, 3_262, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [29_054, 5_113, 10_838, 154, 3_461, 0, 4_527, 238, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [17_622, 0, 1_581, 5_836, 311, 73, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 2_478, 534, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [15_914, 3_278, 1_959, 2_138, 2_605, 883, 3_407, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [12_288, 2_347, 2_191, 1_170, 4_113, 848, 2_766, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 10_036, 0, 890, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [14_246, 4_211, 10_291, 5_399, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [34_116, 380, 1_699, 5_500, 10_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [18_016, 146_633, 30_989, 4_379, 0, 4_236, 15_830, 448, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [1_011_736, 0, 0, 28_014, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [44_117_731, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [73_284, 0, 23_777, 2_587, 9_104, 376, 1_634, 0, 6_192, 2_549, 598, 1_682, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [0, 0, 0, 22_029, 2_895, 7_578, 0, 4_000, 3_465, 500, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [15_999, 0, 20_915, 7_028, 3_171, 8_278, 2_145, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [26_488, 8_365, 4_005, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [26_996, 0, 13_498, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [12_727, 11_744, 1_899, 1_213, 12_426, 540, 642, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [2_004_032, 0, 0, 11_793, 0, 6_758, 10_837, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [3_931_700, 0, 0, 0, 7_847, 11_253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [3_230, 22_999, 11_953, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [30_678, 11_827, 13_392, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 152_484, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 31_021, 4_577, 9_442, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [18_371, 14_673, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 5_191, 91_240, 20_066, 7_744, 21_767, 36_797, 462, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 0, 0, 0, 26_447, 22_174, 23_453, 579, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // matmul: run; row; row x depth; four along; four along x word; rest along; four across; four across x
        // depth; four apart; four apart x depth; single column; single x depth.
        [42_219, 5_224, 0, 31_875, 6_757, 1_743, 31_561, 1_709, 31_736, 1_695, 12_374, 903, 0, 0, 0, 0, 0, 0],
        // matmul float: run; element; multiplication.
        [118_932, 0, 13_674, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid; depthwise hybrid; matmul; matmul float.
    code: [
        194_776, 33_810, 0, 0, 0, 0, 458_872, 518_279, 347_684, 44_850, 19_411, 437_930, 49_590, 40_750, 12, 302_504,
        200_100, 0, 392_143, 0, 0, 540, 0, 188_645, 153, 593_516, 394_997, 18_555, 124_785, 464, 0, 333_727, 17_239, 0,
        380_052, 203_654, 9, 218_429, 3, 0, 0, 0, 60_468, 0, 596_273, 0, 0, 0, 642_792, 393_077, 204_274, 63_024, 0,
    ],
};
