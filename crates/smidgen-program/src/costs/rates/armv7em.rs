//! Written by `cargo xtask fit-costs armv7em`, from `../measured/armv7em.txt`.

use crate::costs::Costs;

/// Cortex-M4 and M7: fitted to 1738 measured steps, with a mean error of 1.2 %,
/// and to the code of 160 networks, with one of 2.4 %.
pub static ARMV7EM: Costs = Costs {
    name: "armv7em",
    cores: "Cortex-M4 and M7",
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
            34_447, 15_829, 15_588, 5_385, 88, 510, 2_294, 334, 550, 483, 489, 24_709, 2_042, 22_245, 2_619, 762, 551,
            146,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [21_913, 21_902, 8_533, 15_641, 0, 303, 3_303, 676, 126, 465, 434, 18_478, 18_812, 12_800, 4_465, 876, 374, 68],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [28_202, 41_362, 4_123, 18_415, 0, 518, 159, 2_986, 1_195, 58, 1_414, 24, 1_304, 2_640, 2_876, 332, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [27_739, 0, 19_130, 36_822, 0, 800, 143, 3_871, 1_350, 274, 1_342, 298, 1_475, 489, 4_056, 163, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [5_552, 0, 9_294, 70_487, 0, 1_008, 101, 0, 1_516, 507, 3_805, 161, 2_131, 1_321, 3_493, 363, 0, 0],
        // depthwise: run; row; row x group; pixels alike x group; pixel x group; tap row x group; tap x group;
        // padded tap x group; output, few; tap, few.
        [10_872, 94_406, 0, 65_721, 3_913, 2_166, 912, 8_697, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [19_773, 0, 21_336, 1_765, 1_347, 13_149, 1_744, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [22_143, 0, 18_738, 2_444, 2_280, 14_033, 1_304, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [15_812, 4_181, 10_303, 7_909, 2_553, 2_406, 4_426, 1_234, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [15_138, 0, 11_690, 13_760, 2_172, 944, 5_838, 772, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [11_648, 23_181, 5_668, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_188, 4_461, 3_450, 2_403, 1_879, 0, 3_550, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [17_695, 6_752, 3_628, 3_962, 4_307, 0, 6_400, 6_620, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_298, 4_915, 508, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [11_342, 3_808, 2_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [11_400, 3_600, 800, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [29_348, 5_025, 10_778, 153, 3_467, 0, 4_448, 233, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [17_522, 0, 1_581, 5_736, 311, 73, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 2_477, 534, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [13_231, 2_664, 2_049, 2_094, 3_109, 1_013, 3_534, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [12_336, 2_634, 1_979, 972, 3_900, 733, 2_727, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 9_940, 0, 892, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [14_347, 4_211, 9_691, 5_399, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [35_815, 412, 1_698, 4_980, 9_750, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [17_553, 163_220, 29_075, 4_632, 0, 4_111, 15_408, 447, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [1_023_536, 0, 0, 28_797, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [44_828_031, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [28_975, 7_775, 15_100, 18_232, 8_016, 20, 1_025, 925, 1_076, 355, 527, 0, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [35_928, 0, 24_520, 18_971, 1_765, 1_396, 371, 302, 546, 400, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [15_979, 0, 22_892, 1_978, 3_245, 7_510, 2_627, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [24_360, 8_606, 3_204, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [27_196, 0, 13_398, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [11_418, 12_570, 1_903, 948, 14_192, 423, 344, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [37_142, 0, 10_228, 4_340, 1_118, 1_824, 501, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [74_873, 0, 7_513, 6_094, 2_271, 1_250, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [12_021, 2_592, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [10_354, 4_803, 2_398, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [15_676, 0, 7_105, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [19_211, 0, 624, 2_324, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [18_300, 13_773, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 1_084, 36_299, 13_702, 2_580, 1_862, 3_742, 498, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 1_137, 55_869, 0, 5_020, 3_142, 3_338, 135, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // matmul: run; row; row x depth; four along; four along x word; rest along; four across; four across x
        // depth; four apart; four apart x depth; single column; single x depth.
        [44_956, 11_784, 315, 30_543, 2_454, 4_065, 29_634, 1_107, 33_463, 1_867, 11_783, 970, 0, 0, 0, 0, 0, 0],
        // matmul float: run; element; multiplication.
        [78_887, 4_160, 694, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid; depthwise hybrid; matmul; matmul float.
    code: [
        2_830, 30_358, 0, 0, 0, 0, 992_096, 1_237_880, 779_909, 190_805, 131_330, 698_527, 249_852, 28_672, 0, 417_093,
        259_859, 0, 596_296, 0, 0, 0, 0, 0, 0, 426_447, 468_262, 0, 331_585, 0, 0, 303_281, 0, 0, 1_016_178, 392_105,
        1, 205_075, 1, 0, 0, 0, 63_946, 0, 589_692, 0, 0, 0, 1_383_139, 369_484, 220_794, 358_970, 104_970,
    ],
};
