//! Written by `cargo xtask fit-costs armv6m`, from `../measured/armv6m.txt`.

use crate::costs::Costs;

/// Cortex-M0 and M0+: fitted to 1583 measured steps, with a mean error of 1.5 %,
/// and to the code of 148 networks, with one of 1.0 %.
pub static ARMV6M: Costs = Costs {
    name: "armv6m",
    cores: "Cortex-M0 and M0+",
    awaits: 9_000,
    steps: [
        542, 50, 157, 82, 56, 32, 54, 8, 15, 28, 19, 100, 14, 20, 0, 4, 8, 42, 20, 5, 27, 17, 10, 8, 8, 52, 4, 4, 52,
        19, 8, 8, 5, 8, 0, 47, 12, 9, 10, 6, 9, 0, 2, 0, 0,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [52_827, 0, 23_790, 1_300, 2_780, 8_215, 16_358, 0, 16_680, 67, 5_696, 0, 0, 31_924, 3_973, 1_980, 509, 129],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [77_501, 0, 3_464, 4_583, 6_173, 7_697, 16_848, 132, 16_656, 13, 5_887, 0, 0, 21_006, 6_714, 2_279, 0, 0],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [68_446, 7_955, 6_415, 48_269, 3_802, 3_219, 692, 8_888, 8_250, 7_068, 7_375, 6_249, 5_177, 0, 0, 0, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [57_248, 85_486, 7_587, 81_094, 1_229, 10_260, 691, 0, 11_809, 9_859, 6_673, 8_934, 13_453, 0, 0, 0, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [168_530, 100_609, 0, 373_246, 457, 7_164, 526, 2_688, 8_685, 14_051, 2_284, 12_287, 14_523, 0, 0, 0, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [559_697, 0, 0, 84_214, 14_969, 38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [26_932, 0, 59_333, 17_190, 3_310, 23_503, 9_043, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [27_499, 0, 58_188, 17_347, 4_140, 24_362, 8_681, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [124_105, 0, 21_652, 13_636, 0, 4_606, 5_090, 1_156, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [79_937, 83_527, 7_108, 95_868, 6_154, 1_979, 30_938, 1_018, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [9_379, 66_645, 13_823, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [33_450, 947, 5_747, 50_707, 12_084, 0, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [24_322, 3_657, 6_275, 46_758, 10_472, 0, 14_000, 48_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [17_181, 1_847, 864, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [46_558, 8_162, 11_799, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [26_441, 9_155, 10_043, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [176_255, 0, 9_140, 421, 3_645, 5_153, 4_119, 463, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [198_798, 0, 2_229, 399, 952, 369, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 4_042, 513, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [24_421, 17_249, 3_950, 4_643, 12_257, 933, 10_516, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [27_003, 19_640, 5_096, 1_944, 0, 1_739, 23_962, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [28_278, 20_824, 0, 1_015, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [161_616, 0, 12_041, 25_379, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [48_711, 669, 2_169, 18_000, 25_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [110_492, 402_328, 61_668, 4_717, 0, 14_667, 35_849, 829, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [3_346_843, 0, 0, 43_675, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [121_516_625, 0, 0, 0, 0, 0, 900, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [89_742, 0, 0, 36_656, 13_249, 1_039, 2_799, 384, 4_856, 5_326, 869, 7_409, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [168_905, 0, 0, 43_882, 0, 0, 0, 5_226, 10_687, 1_500, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [18_479, 0, 44_930, 13_081, 5_340, 14_724, 4_701, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [38_722, 4_168, 14_208, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [51_701, 0, 39_308, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [124_103, 131_801, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [4_803_653, 0, 0, 16_800, 0, 15_644, 16_585, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [8_617_191, 0, 176_439, 0, 6_840, 17_295, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [0, 51_674, 19_335, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [0, 26_381, 18_909, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 272_232, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 49_989, 5_373, 12_427, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [1_183_360, 29_169, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid (not measured): run; image; image element; row; pixel; pixel x tap; tap x channel; output; multiplication.
        [60_000, 400_000, 7_000, 0, 6_000, 2_500, 14_000, 40_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid (not measured): run; image; image element; row; pixel; pixel x tap; tap x channel; output; multiplication.
        [60_000, 400_000, 7_000, 0, 6_000, 2_500, 14_000, 40_000, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid.
    code: [
        151_421, 27_035, 0, 0, 0, 0, 457_025, 525_826, 192_426, 23_405, 4_381, 51_864, 75_546, 22_277, 0, 175_489,
        233_319, 0, 445_716, 0, 0, 135_512, 0, 306_495, 19_993, 422_921, 319_442, 25_988, 187_900, 0, 0, 381_514,
        32_879, 0, 458_831, 179_670, 5, 221_563, 6, 0, 0, 602_318, 97_200, 37_425, 19_436, 0, 0, 0, 388_621, 343_554,
        0,
    ],
};
