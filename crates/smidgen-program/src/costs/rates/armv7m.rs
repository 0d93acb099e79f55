//! Written by `cargo xtask fit-costs armv7m`, from `../measured/armv7m.txt`.

use crate::costs::Costs;

/// Cortex-M3: fitted to 1583 measured steps, with a mean error of 1.0 %,
/// and to the code of 148 networks, with one of 1.2 %.
pub static ARMV7M: Costs = Costs {
    name: "armv7m",
    cores: "Cortex-M3",
    awaits: 9_000,
    steps: [
        542, 50, 157, 82, 56, 32, 54, 8, 15, 28, 19, 100, 14, 20, 0, 4, 8, 42, 20, 5, 27, 17, 10, 8, 8, 52, 4, 4, 52,
        19, 8, 8, 5, 8, 0, 47, 12, 9, 10, 6, 9, 0, 2, 0, 0,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [31_450, 6_430, 6_195, 3_791, 2_747, 4_741, 7_045, 8, 6_103, 0, 2_690, 0, 5_980, 15_707, 2_525, 741, 399, 180],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [39_399, 0, 3_653, 3_608, 4_333, 4_063, 7_604, 39, 6_075, 0, 3_657, 0, 12_948, 12_426, 2_570, 744, 162, 98],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [14_254, 0, 12_914, 29_135, 2_288, 3_720, 667, 4_430, 4_341, 4_801, 309, 4_966, 5_358, 0, 58, 0, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [21_742, 44_566, 6_774, 78_487, 465, 8_612, 708, 0, 6_451, 7_454, 577, 6_559, 11_174, 638, 0, 0, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [234_046, 0, 20_955, 242_530, 524, 4_985, 564, 0, 5_213, 10_780, 0, 8_684, 12_336, 0, 0, 0, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [42_773, 0, 1_926, 35_407, 11_049, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [24_545, 0, 18_246, 9_885, 1_518, 12_411, 5_178, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [25_568, 0, 18_589, 11_211, 3_095, 11_697, 4_598, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [17_620, 5_289, 9_744, 8_007, 2_313, 2_217, 4_742, 1_225, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [15_304, 0, 11_671, 14_271, 2_172, 1_143, 5_938, 873, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [11_088, 23_680, 6_419, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [19_396, 3_957, 4_601, 7_299, 1_858, 0, 4_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [14_742, 7_522, 4_230, 19_076, 4_431, 0, 7_000, 20_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_551, 4_751, 510, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [42_887, 5_128, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [14_543, 5_553, 3_268, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [30_388, 6_581, 11_151, 144, 2_779, 0, 3_908, 175, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [16_803, 0, 1_636, 5_132, 413, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [111, 2_479, 536, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [14_045, 3_096, 2_019, 2_132, 3_839, 901, 5_258, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [14_188, 2_214, 2_213, 1_167, 3_829, 855, 2_896, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 12_147, 0, 894, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [13_946, 3_476, 10_339, 5_399, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [17_126, 732, 1_690, 5_500, 10_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [18_641, 172_316, 32_180, 3_761, 0, 6_624, 18_821, 449, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [974_136, 0, 0, 27_865, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [48_288_931, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [0, 0, 0, 23_874, 7_451, 784, 1_970, 912, 5_035, 2_146, 529, 2_403, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [183_200, 0, 0, 13_162, 0, 0, 0, 3_322, 4_281, 500, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [16_307, 0, 20_469, 7_120, 2_958, 8_298, 2_083, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [26_488, 8_365, 4_005, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [27_397, 0, 16_798, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [555, 6_036, 659, 1_714, 26_681, 313, 1_754, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [2_133_897, 0, 0, 12_596, 0, 6_996, 11_001, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [4_212_380, 0, 0, 0, 8_122, 11_369, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [1_322, 25_132, 12_177, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [0, 23_241, 13_910, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 164_460, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 35_188, 4_599, 2_324, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [19_300, 17_218, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
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
        148_239, 28_540, 0, 0, 0, 0, 389_863, 436_741, 184_881, 27_902, 9_107, 36_817, 46_300, 19_162, 0, 206_933,
        191_538, 0, 374_507, 0, 0, 155_454, 0, 291_696, 18_789, 400_320, 306_241, 27_530, 150_380, 0, 0, 343_198,
        44_381, 0, 381_909, 179_655, 5, 219_542, 4, 0, 0, 549_413, 97_710, 32_158, 20_830, 0, 0, 0, 361_468, 301_293,
        0,
    ],
};
