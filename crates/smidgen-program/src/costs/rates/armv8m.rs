//! Written by `cargo xtask fit-costs armv8m`, from `../measured/armv8m.txt`.

use crate::costs::Costs;

/// Cortex-M33: fitted to 1583 measured steps, with a mean error of 1.2 %,
/// and to the code of 148 networks, with one of 2.4 %.
pub static ARMV8M: Costs = Costs {
    name: "armv8m",
    cores: "Cortex-M33",
    awaits: 9_000,
    steps: [
        542, 50, 157, 82, 56, 32, 54, 8, 15, 28, 19, 100, 14, 20, 0, 4, 8, 42, 20, 5, 27, 17, 10, 8, 8, 52, 4, 4, 52,
        19, 8, 8, 5, 8, 0, 47, 12, 9, 10, 6, 9, 0, 2, 0, 0,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [
            32_630, 17_054, 15_514, 5_467, 77, 511, 2_344, 334, 533, 481, 489, 24_259, 3_177, 22_001, 2_689, 666, 559,
            181,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [21_133, 22_644, 8_254, 15_998, 0, 303, 3_346, 679, 108, 465, 432, 18_648, 19_689, 12_208, 4_960, 774, 343, 95],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [36_778, 34_725, 3_979, 17_828, 19, 606, 155, 2_831, 1_268, 35, 1_309, 65, 1_326, 3_368, 5_419, 329, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [23_530, 0, 20_328, 30_934, 0, 1_317, 144, 3_309, 1_501, 238, 1_611, 216, 1_694, 0, 8_358, 157, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [8_599, 0, 7_977, 62_891, 0, 1_269, 109, 0, 1_585, 492, 3_883, 139, 2_185, 2_128, 9_305, 364, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [39_499, 2_453, 1_917, 36_248, 10_243, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [21_822, 0, 21_174, 1_767, 1_374, 13_080, 4_490, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [24_701, 0, 18_054, 2_505, 3_080, 13_474, 3_849, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [20_314, 4_579, 9_506, 8_188, 2_127, 2_532, 4_151, 1_172, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [17_445, 0, 11_540, 14_227, 1_977, 942, 5_543, 726, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [12_263, 22_335, 6_615, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_221, 3_610, 3_470, 2_403, 1_917, 0, 3_550, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [14_806, 6_254, 3_614, 3_973, 4_357, 0, 6_400, 6_620, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_725, 4_399, 511, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [11_740, 3_308, 2_700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [13_800, 3_080, 798, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [29_865, 6_617, 10_948, 155, 2_786, 0, 3_866, 185, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [20_778, 0, 1_726, 4_895, 421, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [225, 2_579, 536, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [18_459, 1_930, 2_126, 2_099, 2_195, 906, 5_463, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [14_225, 2_431, 2_136, 963, 3_895, 772, 2_866, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 12_059, 0, 895, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [18_997, 1_132, 8_665, 5_398, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [16_840, 766, 1_787, 4_980, 9_750, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [25_345, 198_048, 29_838, 4_326, 0, 6_202, 17_932, 451, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [1_021_636, 0, 0, 27_593, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [45_962_031, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [30_788, 6_558, 17_896, 15_794, 8_515, 0, 1_018, 890, 1_075, 370, 552, 0, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [27_615, 0, 0, 25_678, 2_718, 3_050, 360, 292, 298, 400, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [16_039, 0, 22_181, 2_040, 3_049, 7_538, 2_434, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [35_669, 4_237, 3_112, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [27_697, 0, 16_898, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [0, 5_629, 647, 1_498, 27_375, 323, 1_522, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [38_709, 0, 10_082, 4_157, 1_196, 1_530, 601, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [74_488, 0, 7_908, 6_009, 2_362, 1_151, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [12_422, 2_391, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [8_302, 5_545, 2_367, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [15_003, 0, 7_182, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [17_029, 0, 634, 3_143, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [55_620, 15_637, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid (not measured): run; image; image element; row; pixel; pixel x tap; tap x channel; output; multiplication.
        [40_000, 20_000, 700, 0, 6_000, 1_700, 1_400, 4_590, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid (not measured): run; image; image element; row; pixel; pixel x tap; tap x channel; output; multiplication.
        [40_000, 20_000, 700, 0, 6_000, 1_700, 1_800, 4_590, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid.
    code: [
        210_603, 25_110, 0, 0, 0, 0, 987_065, 1_029_754, 775_051, 294_681, 125_479, 0, 10_112, 7_078, 0, 428_519,
        233_005, 0, 420_763, 0, 0, 0, 0, 0, 0, 330_591, 397_233, 0, 133_855, 0, 0, 341_822, 0, 0, 792_218, 383_393, 1,
        204_571, 1, 0, 0, 341_813, 108_720, 0, 21_264, 0, 0, 0, 1_076_259, 92_677, 0,
    ],
};
