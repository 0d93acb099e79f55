//! Written by `cargo xtask fit-costs armv7em`, from `../measured/armv7em.txt`.

use crate::costs::Costs;

/// Cortex-M4 and M7: fitted to 1583 measured steps, with a mean error of 1.2 %,
/// and to the code of 148 networks, with one of 2.4 %.
pub static ARMV7EM: Costs = Costs {
    name: "armv7em",
    cores: "Cortex-M4 and M7",
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
            32_975, 16_563, 16_039, 5_447, 78, 509, 2_314, 334, 544, 483, 489, 24_497, 2_045, 22_081, 2_667, 771, 554,
            183,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [21_943, 21_767, 8_734, 15_902, 0, 305, 3_325, 676, 119, 466, 433, 18_699, 19_842, 11_923, 5_024, 876, 298, 98],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [37_044, 35_398, 4_495, 17_121, 39, 604, 154, 2_829, 1_274, 33, 1_312, 64, 1_325, 3_333, 5_280, 330, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [23_932, 0, 20_856, 31_008, 0, 1_310, 144, 3_311, 1_508, 236, 1_626, 213, 1_690, 0, 8_340, 158, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [9_157, 0, 8_466, 62_997, 0, 1_262, 109, 0, 1_589, 492, 3_892, 138, 2_184, 2_122, 9_315, 364, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [42_519, 0, 1_913, 35_810, 11_149, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [22_142, 0, 19_991, 1_769, 1_347, 13_337, 4_280, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [24_308, 0, 17_770, 2_476, 2_663, 13_329, 3_871, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [17_785, 5_388, 10_156, 7_956, 2_550, 2_410, 4_535, 1_225, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [15_405, 0, 11_771, 14_072, 2_270, 944, 5_946, 772, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [12_326, 22_212, 6_557, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [18_363, 4_367, 3_530, 2_404, 1_886, 0, 3_550, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [14_596, 6_596, 3_606, 3_980, 4_316, 0, 6_400, 6_620, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [11_598, 4_808, 509, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [11_740, 3_808, 2_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [13_935, 3_215, 801, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [30_999, 6_645, 11_115, 145, 2_785, 0, 3_912, 180, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [16_703, 0, 1_636, 5_132, 413, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [130, 2_479, 536, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [17_476, 2_187, 1_866, 2_108, 2_175, 1_107, 5_388, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [14_234, 2_500, 2_000, 968, 3_609, 740, 2_858, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 12_152, 0, 895, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [14_047, 3_477, 9_739, 5_399, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [16_970, 800, 1_690, 4_980, 9_750, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [18_619, 185_236, 30_228, 3_930, 0, 6_236, 18_078, 448, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [1_012_736, 0, 0, 28_248, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [47_208_931, 0, 0, 0, 0, 0, 700, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [29_207, 7_338, 15_413, 17_939, 8_058, 13, 1_020, 920, 1_075, 358, 530, 0, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [43_169, 0, 25_507, 18_142, 1_730, 1_286, 373, 303, 567, 400, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [16_316, 0, 22_538, 2_046, 3_033, 7_471, 2_580, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [24_360, 8_606, 3_204, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [27_397, 0, 16_698, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [0, 6_756, 700, 1_445, 27_331, 250, 1_436, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [37_322, 0, 10_238, 4_439, 1_119, 1_824, 501, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [74_873, 0, 7_513, 6_094, 2_271, 1_250, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [12_021, 2_492, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [6_387, 5_501, 2_367, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [15_330, 0, 7_201, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [16_438, 0, 622, 2_935, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [24_000, 3_000, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [19_413, 16_120, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
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
        209_198, 25_458, 0, 0, 0, 0, 970_670, 1_009_957, 777_662, 296_778, 129_347, 0, 11_624, 6_991, 0, 429_213,
        230_985, 0, 405_517, 0, 0, 0, 0, 0, 0, 314_749, 393_197, 0, 132_861, 0, 0, 333_901, 0, 0, 766_245, 374_883, 1,
        205_855, 1, 0, 0, 335_777, 101_500, 0, 22_224, 0, 0, 0, 1_073_084, 96_102, 0,
    ],
};
