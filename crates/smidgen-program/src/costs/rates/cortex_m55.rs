//! Written by `cargo xtask fit-costs cortex-m55`, from `../measured/cortex_m55.txt`.

use crate::costs::Costs;

/// Cortex-M55: fitted to 1461 measured steps, with a mean error of 1.3 %,
/// and to the code of 144 networks, with one of 2.2 %.
pub static CORTEX_M55: Costs = Costs {
    name: "cortex-m55",
    cores: "Cortex-M55",
    awaits: 9_000,
    steps: [
        484, 50, 134, 77, 52, 32, 53, 8, 15, 28, 19, 88, 8, 16, 0, 4, 8, 42, 20, 5, 19, 17, 10, 8, 8, 51, 4, 4, 52, 19,
        8, 8, 5, 8, 0, 47, 12, 9, 10, 6, 9, 0, 2, 0, 0,
    ],
    rates: [
        // conv2d: run; row; tap row in place; block; staged run; staged word; block x pair; block x weight;
        // output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece apart;
        // four bytes apart; byte apart; padded byte apart.
        [
            32_634, 14_891, 14_725, 5_714, 81, 506, 2_578, 295, 445, 483, 504, 23_403, 1_802, 20_924, 3_394, 668, 394,
            181,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [
            21_932, 19_128, 8_755, 15_212, 0, 312, 3_256, 662, 151, 467, 438, 18_006, 20_277, 10_992, 5_421, 775, 173,
            103,
        ],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [31_392, 26_834, 5_116, 20_387, 0, 493, 148, 2_695, 911, 164, 1_053, 167, 1_840, 3_301, 5_457, 337, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [0, 0, 17_931, 9_569, 0, 2_867, 145, 1_559, 1_264, 290, 794, 380, 3_196, 49, 8_116, 96, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [0, 0, 4_356, 54_648, 0, 1_633, 113, 0, 1_601, 493, 4_221, 91, 2_292, 2_051, 8_699, 313, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [45_030, 0, 1_883, 34_314, 9_335, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [22_166, 0, 19_270, 1_771, 1_134, 12_603, 3_909, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [23_719, 0, 17_243, 2_519, 2_735, 12_854, 3_337, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [20_330, 3_723, 8_733, 6_769, 1_838, 1_846, 4_204, 872, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [16_665, 0, 10_326, 12_809, 1_974, 843, 5_685, 626, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [10_870, 19_754, 4_546, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_234, 3_641, 4_172, 2_405, 1_329, 0, 3_550, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [3_184, 6_856, 3_506, 3_988, 3_915, 0, 6_400, 6_620, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [12_020, 2_841, 426, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [11_143, 3_008, 2_400, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [13_399, 3_067, 702, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [28_566, 5_720, 10_378, 159, 2_785, 0, 3_787, 181, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [20_008, 0, 2_636, 4_308, 421, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [692, 3_512, 334, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [17_562, 1_813, 1_427, 1_942, 2_523, 780, 4_144, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [14_586, 2_461, 1_786, 870, 3_811, 626, 2_346, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 10_116, 0, 820, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [18_378, 570, 9_580, 4_499, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [16_828, 791, 1_491, 4_980, 9_750, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [14_922, 144_591, 22_990, 3_862, 0, 4_199, 12_447, 334, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [880_036, 0, 0, 24_055, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [39_625_031, 0, 0, 0, 0, 0, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [30_184, 2_450, 15_190, 15_458, 8_582, 4, 1_127, 875, 1_040, 370, 578, 0, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [37_097, 0, 9_994, 18_851, 1_715, 2_075, 369, 299, 443, 400, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [15_825, 0, 20_778, 2_029, 2_742, 7_477, 2_091, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [23_413, 5_941, 3_005, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [23_497, 0, 12_498, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [9_571, 9_197, 1_515, 973, 16_707, 282, 529, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [34_686, 0, 8_508, 4_048, 1_107, 1_527, 501, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [70_562, 0, 6_398, 5_687, 2_174, 1_250, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [11_722, 2_292, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [8_004, 5_545, 2_367, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [13_902, 0, 6_982, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [17_217, 0, 522, 2_740, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [54_473, 12_478, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
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
        220_258, 26_290, 0, 0, 0, 0, 1_034_177, 1_055_315, 744_890, 237_681, 145_933, 0, 0, 6_742, 0, 484_257, 171_112,
        0, 0, 0, 0, 0, 0, 0, 0, 466_577, 460_552, 0, 100_033, 0, 0, 348_504, 0, 0, 751_722, 368_577, 0, 194_430, 0, 0,
        0, 324_020, 101_520, 0, 20_602, 0, 0, 0, 1_018_053, 79_422, 0,
    ],
};
