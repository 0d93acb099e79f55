//! Written by `cargo xtask fit-costs rv32imc`, from `../measured/rv32imc.txt`.

use crate::costs::Costs;

/// RISC-V (rv32imc): fitted to 1738 measured steps, with a mean error of 1.8 %,
/// and to the code of 160 networks, with one of 1.9 %.
pub static RV32IMC: Costs = Costs {
    name: "rv32imc",
    cores: "RISC-V (rv32imc)",
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
            33_932, 2_486, 8_215, 3_473, 2_447, 1_898, 17_731, 1_518, 4_074, 0, 1_985, 0, 11_801, 16_718, 2_530, 1_861,
            0, 121,
        ],
        // conv2d int4: run; row; tap row in place; block; staged run; staged word; block x pair; block x
        // weight; output pair; signed output pair; pixel x weight; odd block; block apart; pixel apart; piece
        // apart; four bytes apart; byte apart; padded byte apart.
        [41_736, 0, 3_224, 0, 5_658, 2_793, 18_410, 0, 4_346, 0, 4_757, 0, 35_510, 5_999, 0, 2_140, 0, 58],
        // depthwise 3x3: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [85_212, 0, 25_606, 0, 659, 6_647, 566, 13_480, 5_147, 0, 922, 1_287, 8_358, 0, 0, 0, 0, 0],
        // depthwise 5x5: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [485_576, 24_271, 0, 0, 242, 5_939, 460, 7_318, 8_422, 531, 11_112, 0, 7_602, 0, 0, 28, 0, 0],
        // depthwise 7x7: run; band; band row; band x group; staged weight; staged row; staged pixel; row x
        // channel; output; tap row; output, stride 2; tap row, stride 2; padded row; staged pixel, few; tap
        // row, few; signed output.
        [0, 58_555, 26_601, 0, 1_319, 0, 168, 0, 139, 3_244, 3_032, 2_991, 8_102, 0, 0, 281, 0, 0],
        // depthwise: run; row; row x group; pixels alike x group; pixel x group; tap row x group; tap x group;
        // padded tap x group; output, few; tap, few.
        [13_394, 73_949, 9_942, 35_263, 9_196, 900, 2_422, 3_260, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected: run; row; four outputs; four outputs x word; tail; single output; single x word.
        [29_097, 0, 26_332, 6_991, 1_879, 12_576, 3_973, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int4: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [28_554, 0, 26_460, 8_075, 2_476, 12_783, 3_228, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // max pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [19_229, 6_851, 8_591, 5_731, 1_795, 1_913, 2_992, 887, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // average pool: run; row; pixel; four channels; four x row; four x tap; channel; channel x tap.
        [19_824, 0, 13_139, 4_864, 1_301, 1_124, 3_480, 606, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax: run; pixel; channel.
        [16_647, 25_835, 6_310, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum: run; row; span; quad; rest; pixel apart; element apart.
        [16_493, 3_005, 2_998, 9_271, 2_433, 0, 4_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // product: run; row; span; quad; rest; pixel apart; element apart; quad, clamped.
        [20_923, 0, 4_767, 10_809, 2_763, 0, 5_000, 11_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // table: run; row; element.
        [12_222, 556, 708, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // rescale (not measured): run; row; element.
        [24_000, 0, 3_600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // quantise: run; row; element.
        [38_065, 7_614, 5_701, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // dequantise: run; row; element.
        [0, 8_610, 5_192, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // gather: run; row; pixel; copied byte; filled byte; divided pixel; single channel; byte of odd
        // pixels.
        [28_138, 9_746, 9_831, 135, 2_200, 0, 3_071, 192, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // concat: run; row; pixel; copy; copied byte; byte of odd copies.
        [16_378, 1_096, 417, 4_125, 609, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // permute: run; line; element.
        [0, 3_023, 630, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [15_684, 7_029, 1_211, 1_217, 2_770, 562, 4_447, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // pool image: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [16_055, 7_096, 1_475, 1_172, 4_267, 692, 2_974, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // reduce: run; output; line; element.
        [0, 9_426, 0, 639, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // resize: run; row; pixel; element.
        [17_686, 4_957, 7_530, 4_678, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary: run; pixel; element; sum; product.
        [32_134, 466, 1_948, 5_500, 8_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d fast: run; row; pixel; pixel x tap row; patch element; output; single output; multiplication.
        [10_237, 208_514, 29_582, 2_656, 0, 4_124, 18_496, 608, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise simple: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [867_054, 0, 0, 20_358, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // transpose conv: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [32_408_600, 0, 0, 0, 0, 0, 1_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d int16: run; row; block; pixel; pixel x tap row; staged word; block x pair; block x weight;
        // output pair; pixel x weight; joined element; output.
        [29_342, 0, 0, 12_452, 10_114, 941, 5_207, 18, 0, 3_179, 514, 2_082, 0, 0, 0, 0, 0, 0],
        // depthwise int16: run; row; block; pixel; place; block x pair; block x pair x tap; pixel x pair x
        // tap; output; odd tap.
        [75_092, 0, 0, 10_091, 0, 106, 0, 1_937, 2_893, 600, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected int16: run; row; four outputs; four outputs x word; tail; single output; single x
        // word.
        [20_488, 0, 14_494, 5_902, 3_613, 5_020, 2_375, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // sum int16: run; row; element.
        [26_547, 0, 3_480, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax int16: run; pixel; element.
        [37_168, 0, 10_139, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean int16: run; run x four; four x row; four x tap; run x channel; channel x tap; cleared channel;
        // output.
        [11_763, 10_372, 1_205, 1_213, 13_279, 417, 966, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other int16 (not measured): run; element; multiplication.
        [100_000, 15_000, 2_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [2_140_200, 0, 0, 13_603, 0, 7_184, 9_360, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise float: run; row; pixel; output; output x tap row; output x tap; multiplication.
        [4_294_568, 0, 29_347, 0, 7_717, 8_841, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // fully connected float: run; output; multiplication.
        [0, 26_501, 10_589, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // binary float: run; pixel; element.
        [15_639, 11_641, 12_007, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // softmax float: run; pixel; element.
        [0, 0, 145_223, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // mean float: run; pixel; element; output.
        [0, 27_263, 3_501, 12_973, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other float (not measured): run; element; multiplication.
        [100_000, 60_000, 15_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // other: run; element; multiplication.
        [15_914, 16_405, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // conv2d hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 4_736, 82_692, 24_409, 6_762, 18_567, 38_662, 678, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // depthwise hybrid: run; image; image element; row; pixel; pixel x tap; tap x channel; output;
        // multiplication.
        [0, 0, 0, 0, 0, 25_148, 19_348, 15_868, 642, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // matmul: run; row; row x depth; four along; four along x word; rest along; four across; four across x
        // depth; four apart; four apart x depth; single column; single x depth.
        [34_352, 4_136, 0, 30_978, 8_776, 2_255, 30_769, 2_211, 30_847, 2_201, 12_274, 1_004, 0, 0, 0, 0, 0, 0],
        // matmul float: run; element; multiplication.
        [0, 0, 12_045, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    // Code of: network; pushed input; call; call with weights; depthwise shape; requantisation; conv2d;
    // conv2d int4; depthwise 3x3; depthwise 5x5; depthwise 7x7; depthwise; fully connected; fully
    // connected int4; max pool; average pool; softmax; sum; product; table; rescale; quantise; dequantise;
    // gather; concat; permute; mean; pool image; reduce; resize; binary; conv2d fast; depthwise simple;
    // transpose conv; conv2d int16; depthwise int16; fully connected int16; sum int16; softmax int16; mean
    // int16; other int16; conv2d float; depthwise float; fully connected float; binary float; softmax
    // float; mean float; other float; other; conv2d hybrid; depthwise hybrid; matmul; matmul float.
    code: [
        246_270, 26_183, 0, 0, 0, 0, 545_890, 653_064, 551_302, 95_846, 44_983, 545_858, 74_059, 44_519, 45, 510_675,
        310_889, 0, 595_479, 0, 0, 773_987, 0, 495_494, 23_043, 731_958, 544_610, 25_724, 100_896, 2_721, 0, 404_072,
        38_434, 0, 419_434, 210_967, 11, 266_228, 20, 0, 0, 0, 97_775, 0, 797_828, 0, 0, 0, 461_569, 556_388, 277_514,
        12_530, 0,
    ],
};
