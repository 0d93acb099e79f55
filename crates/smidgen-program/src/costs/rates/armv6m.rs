//! Written by `cargo xtask fit-costs armv6m`, from `../measured/armv6m.txt`.

use crate::costs::Costs;

/// Cortex-M0 and M0+: fitted to 1738 measured steps, with a mean error of 2.1 %,
/// and to the code of 160 networks, with one of 1.6 %.
pub static ARMV6M: Costs = Costs {
    name: "armv6m",
    cores: "Cortex-M0 and M0+",
    awaits: 9_000,
    steps: [
        542, 50, 152, 81, 53, 32, 54, 8, 22, 28, 15, 108, 22, 20, 0, 4, 4, 38, 20, 5, 31, 17, 10, 8, 4, 52, 4, 4, 52,
        19, 8, 8, 5, 8, 0, 47, 12, 9, 13, 8, 12, 0, 2, 23, 6, 60, 58,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [51_739, 0, 22_838, 0, 3_014, 2_635, 28_117, 1_571, 11_064, 0, 2_761, 0, 0, 33_313, 3_701, 1_817, 442, 91],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [138_567, 0, 16_309, 0, 14_462, 4_079, 25_038, 0, 11_070, 0, 5_919, 0, 50_553, 6_114, 0, 2_223, 0, 0],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [207_110, 30_621, 39_682, 0, 191, 14_154, 753, 16_929, 10_447, 0, 2_831, 2_123, 18_278, 0, 0, 0, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [825_101, 5_069, 0, 0, 397, 11_640, 469, 4_077, 16_350, 394, 18_785, 0, 14_213, 0, 0, 95, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [0, 62_403, 28_540, 0, 2_236, 0, 126, 0, 745, 4_290, 4_740, 3_921, 15_096, 0, 0, 530, 0, 0],
        // depthwise: run; row; row x group; pixels alike x group; pixel x group; tap row x group; tap x group;
        // padded tap x group; output, few; tap, few.
        [12_739, 85_413, 0, 74_203, 17_739, 2_966, 4_140, 9_084, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [24_347, 0, 52_910, 7_089, 3_120, 22_653, 5_178, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [24_026, 0, 47_669, 14_481, 4_068, 22_835, 3_241, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [30_434, 3_165, 22_690, 13_811, 0, 4_543, 5_049, 1_119, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [70_491, 52_543, 12_653, 84_351, 8_166, 1_711, 28_154, 1_016, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [13_220, 59_427, 11_474, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [33_668, 801, 5_617, 47_521, 11_281, 0, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [35_688, 7_952, 7_129, 35_859, 7_816, 0, 14_000, 48_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [15_977, 2_342, 859, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [45_862, 8_162, 11_400, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [0, 12_967, 9_589, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [125_731, 0, 8_492, 386, 4_553, 6_216, 5_520, 460, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [110_187, 4_617, 0, 4_891, 509, 285, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 4_039, 511, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [0, 18_094, 3_444, 4_665, 9_556, 900, 7_768, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [21_634, 19_358, 5_168, 1_933, 0, 1_857, 21_828, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 16_721, 0, 1_324, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [184_253, 0, 13_143, 23_606, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [47_586, 663, 2_172, 18_000, 25_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [100_674, 322_769, 57_661, 4_946, 0, 8_785, 28_631, 825, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [3_247_983, 0, 0, 37_882, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [103_337_934, 0, 0, 0, 0, 0, 900, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [85_252, 0, 0, 35_271, 13_043, 1_049, 2_733, 379, 4_819, 5_328, 865, 7_045, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [160_017, 0, 0, 44_682, 0, 0, 0, 6_330, 10_610, 1_500, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [17_984, 0, 44_378, 12_850, 5_309, 14_246, 4_851, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [38_126, 4_329, 13_408, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [38_600, 0, 37_171, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [128_189, 115_026, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [4_455_033, 0, 0, 14_925, 0, 14_581, 16_610, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [8_151_013, 0, 133_342, 0, 6_703, 17_254, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [0, 46_214, 19_178, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [45_082, 10_417, 18_172, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 253_115, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 43_638, 5_641, 20_732, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [20_114, 23_007, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 6_334, 134_888, 40_740, 13_791, 31_917, 71_401, 735, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 0, 0, 0, 51_777, 33_865, 37_223, 814, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // matmul: run; row; row x depth; four along; four along x word; rest along; four across; four across x
        // depth; four apart; four apart x depth; single column; single x depth.
        [53_414, 6_411, 0, 61_950, 15_529, 3_969, 61_556, 3_905, 61_924, 3_879, 20_013, 1_603, 0, 0, 0, 0, 0, 0],
        // matmul float: run; element; multiplication.
        [195_072, 1_892, 23_281, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid; depthwise hybrid; matmul; matmul float.
    code: [
        211_211, 31_121, 0, 0, 0, 0, 533_988, 578_729, 364_647, 50_962, 22_163, 459_660, 49_603, 46_590, 14, 293_432,
        265_400, 0, 512_243, 0, 0, 512, 0, 98_123, 164, 621_214, 427_192, 18_696, 153_317, 456, 0, 389_852, 28_271, 0,
        432_393, 204_918, 8, 221_203, 6, 0, 0, 0, 67_777, 0, 661_565, 0, 0, 0, 760_452, 440_297, 190_326, 63_789, 0,
    ],
};
