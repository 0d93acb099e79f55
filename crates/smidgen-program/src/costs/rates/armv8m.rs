//! Written by `cargo xtask fit-costs armv8m`, from `../measured/armv8m.txt`.

use crate::costs::Costs;

/// Cortex-M33: fitted to 1738 measured steps, with a mean error of 1.3 %,
/// and to the code of 160 networks, with one of 2.4 %.
pub static ARMV8M: Costs = Costs {
    name: "armv8m",
    cores: "Cortex-M33",
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
            35_113, 16_807, 15_513, 5_535, 70, 510, 2_335, 333, 534, 482, 490, 25_931, 1_216, 22_920, 2_656, 659, 557,
            146,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [20_030, 23_401, 8_326, 16_049, 0, 298, 3_373, 680, 93, 464, 433, 19_478, 19_081, 13_189, 4_377, 774, 398, 66],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [28_341, 40_678, 3_692, 18_401, 0, 522, 159, 2_983, 1_191, 59, 1_406, 27, 1_305, 2_672, 2_863, 331, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [27_140, 0, 18_724, 36_748, 0, 808, 143, 3_869, 1_344, 276, 1_327, 302, 1_478, 508, 4_145, 163, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [5_057, 0, 8_886, 70_369, 0, 1_015, 101, 0, 1_512, 507, 3_796, 163, 2_132, 1_362, 3_588, 363, 0, 0],
        // depthwise: run; row; row x group; pixels alike x group; pixel x group; tap row x group; tap x group;
        // padded tap x group; output, few; tap, few.
        [10_886, 94_071, 0, 63_518, 3_923, 2_173, 909, 8_844, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [21_887, 0, 21_510, 1_761, 1_423, 14_420, 1_872, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [22_456, 0, 18_764, 2_481, 2_273, 14_304, 1_271, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [16_140, 3_571, 10_071, 8_300, 2_049, 2_560, 3_943, 1_178, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [16_720, 0, 11_645, 13_042, 1_980, 940, 5_248, 725, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [12_005, 22_518, 6_463, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_077, 3_698, 3_377, 2_402, 1_914, 0, 3_550, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [17_610, 6_433, 3_626, 3_956, 4_348, 0, 6_400, 6_620, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_355, 4_558, 509, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [11_740, 3_208, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [10_900, 3_200, 800, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [28_378, 4_890, 10_524, 162, 3_478, 0, 4_301, 237, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [18_290, 0, 1_571, 5_569, 313, 75, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 2_577, 534, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [12_343, 2_054, 2_191, 2_105, 2_361, 887, 3_632, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [12_528, 2_662, 2_115, 966, 4_211, 765, 2_711, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 10_047, 0, 892, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [19_557, 1_398, 8_673, 5_394, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [34_395, 386, 1_798, 4_980, 9_750, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [23_999, 177_108, 29_380, 4_987, 0, 4_211, 15_457, 450, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [1_001_236, 0, 0, 25_793, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [40_629_531, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [30_607, 6_924, 16_798, 16_299, 8_371, 13, 999, 891, 1_086, 371, 541, 0, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [31_632, 0, 6_799, 23_015, 2_237, 2_360, 368, 297, 398, 400, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [15_701, 0, 22_536, 1_972, 3_261, 7_573, 2_481, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [35_669, 4_237, 3_112, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [27_296, 0, 13_998, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [11_430, 12_548, 1_878, 953, 14_274, 425, 362, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [38_709, 0, 10_082, 4_157, 1_196, 1_530, 601, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [74_488, 0, 7_908, 6_009, 2_362, 1_151, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [12_322, 2_491, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [12_188, 4_859, 2_398, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [14_887, 0, 6_177, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [19_988, 0, 635, 2_506, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [18_029, 13_678, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 981, 35_530, 13_395, 2_617, 1_736, 3_418, 502, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 936, 55_829, 0, 4_920, 3_243, 3_339, 134, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // matmul: run; row; row x depth; four along; four along x word; rest along; four across; four across x
        // depth; four apart; four apart x depth; single column; single x depth.
        [47_289, 12_015, 310, 30_024, 2_456, 4_072, 29_180, 1_109, 33_993, 1_867, 11_909, 971, 0, 0, 0, 0, 0, 0],
        // matmul float: run; element; multiplication.
        [86_726, 4_498, 793, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid; depthwise hybrid; matmul; matmul float.
    code: [
        2_232, 31_933, 0, 0, 0, 0, 999_076, 1_246_475, 777_245, 183_282, 127_838, 710_747, 258_315, 30_550, 5_491,
        415_969, 262_489, 0, 610_813, 0, 0, 1_617, 0, 0, 5, 443_412, 480_388, 0, 334_196, 7_790, 0, 310_575, 172, 0,
        1_029_092, 398_835, 1, 206_905, 1, 0, 0, 0, 70_388, 0, 592_394, 0, 0, 0, 1_387_141, 375_716, 219_658, 368_768,
        108_368,
    ],
};
