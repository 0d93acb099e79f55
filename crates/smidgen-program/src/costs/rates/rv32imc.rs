//! Written by `cargo xtask fit-costs rv32imc`, from `../measured/rv32imc.txt`.

use crate::costs::Costs;

/// RISC-V (rv32imc): fitted to 1583 measured steps, with a mean error of 1.2 %,
/// and to the code of 148 networks, with one of 1.4 %.
pub static RV32IMC: Costs = Costs {
    name: "rv32imc",
    cores: "RISC-V (rv32imc)",
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
            32_916, 6_812, 6_998, 4_327, 1_706, 2_138, 12_406, 4, 5_179, 0, 4_392, 0, 12_233, 15_745, 3_014, 1_915, 0,
            140,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [39_254, 0, 6_987, 18, 4_143, 1_858, 13_225, 0, 5_112, 0, 4_757, 0, 27_188, 12_411, 0, 1_944, 0, 124],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [21_995, 0, 2_546, 41_492, 1_796, 2_216, 588, 6_267, 3_988, 1_746, 2_704, 2_016, 1_643, 152, 0, 63, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [12_069, 15_159, 13_825, 47_604, 343, 7_219, 573, 28, 5_687, 2_376, 3_246, 2_711, 6_453, 33, 0, 0, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [74_543, 49_580, 1_305, 154_584, 329, 5_159, 442, 2_489, 4_828, 3_587, 2_760, 3_825, 4_414, 0, 0, 0, 0, 0],
        // depthwise: run; row; pixel; pixel x group; tap x group; output; multiplication.
        [27_904, 0, 2_019, 47_708, 5_189, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [28_613, 0, 26_338, 8_489, 1_883, 11_951, 3_585, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [27_392, 0, 26_568, 8_865, 2_428, 12_897, 3_239, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [17_161, 9_393, 8_116, 5_674, 1_875, 1_901, 3_084, 882, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [20_094, 0, 13_150, 4_759, 1_301, 1_123, 3_573, 607, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [16_707, 26_934, 7_799, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [15_411, 4_461, 1_776, 9_261, 3_036, 0, 4_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [28_394, 2_641, 2_892, 10_642, 3_486, 0, 5_000, 11_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [12_628, 264, 712, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [39_558, 7_615, 5_701, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [20_555, 5_451, 5_197, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [28_355, 10_277, 9_772, 136, 2_211, 0, 3_065, 191, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [15_852, 1_068, 426, 4_158, 606, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 3_023, 630, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [19_312, 7_156, 1_162, 1_215, 3_173, 567, 5_665, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [16_649, 7_126, 1_476, 1_171, 4_271, 692, 2_967, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 11_473, 0, 638, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [17_704, 4_947, 7_526, 4_678, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [19_870, 745, 1_938, 5_500, 8_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [7_726, 222_885, 30_826, 2_131, 0, 5_844, 20_713, 609, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [849_808, 0, 0, 22_581, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [36_923_000, 0, 0, 0, 0, 0, 1_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [30_210, 0, 252, 12_248, 10_084, 937, 5_096, 9, 0, 3_184, 514, 2_086, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [75_212, 0, 0, 9_749, 0, 262, 0, 1_936, 2_882, 600, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [20_488, 0, 14_494, 5_902, 3_613, 5_020, 2_375, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [26_658, 0, 3_480, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [38_265, 0, 12_939, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [3_307, 6_483, 364, 1_537, 22_488, 255, 1_703, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [2_137_682, 0, 0, 13_518, 0, 7_188, 9_360, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [4_296_346, 0, 29_146, 0, 7_780, 8_832, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [0, 26_501, 10_589, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [0, 17_569, 11_840, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 149_175, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 31_611, 3_411, 5_876, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [29_153, 18_301, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
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
        314_434, 27_698, 0, 0, 0, 0, 518_533, 490_178, 359_409, 72_742, 31_622, 8_919, 0, 26_273, 42, 451_469, 312_233,
        0, 657_106, 0, 0, 432_602, 0, 463_385, 38_866, 753_663, 542_735, 58_151, 74_999, 1_506, 0, 425_164, 21_767, 0,
        350_220, 217_160, 15, 268_318, 27, 0, 0, 649_351, 147_400, 20_253, 35_761, 0, 0, 0, 387_075, 382_912, 0,
    ],
};
