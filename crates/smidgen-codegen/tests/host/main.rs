//! Generated crates give the executor's bytes, and read as if written by hand.

mod support;

use smidgen_exec::Executor;
use smidgen_lower::KernelSet;
use smidgen_synthetic::{RandomGraphOptions, random_graph};
use support::{Case, cargo, check_style, compare, folder, shared};

/// Random networks, each with two schedules.
const SEEDS: u64 = 16;

/// Every way to schedule.
const SCHEDULES: [(&str, bool); 7] = [
    ("layer", false),
    ("stream", false),
    ("stream", true),
    ("auto", true),
    ("patch:2x2@2", false),
    ("patch:3x2@4", false),
    ("strips:2@3", false),
];

#[test]
fn random_networks_give_the_bytes_of_the_executor_under_every_schedule() {
    let mut cases = Vec::new();
    for seed in 0..SEEDS {
        let graph = random_graph(seed, &RandomGraphOptions::default());
        let mut planned = SCHEDULES.iter().filter_map(|(schedule, stream_input)| {
            let name = schedule.replace([':', '@'], "_");
            let input = if *stream_input { "_fed" } else { "" };
            // Most with what firmware runs; every kernel must be printable.
            let set = match seed % 4 {
                0 => KernelSet::Reference,
                1 => KernelSet::Fast,
                _ => KernelSet::Mcu,
            };
            Case::with_kernels(set, &format!("g{seed}_{name}{input}"), &graph, schedule, *stream_input)
        });
        cases.extend(planned.nth(seed as usize % 3));
        cases.extend(planned.next_back());
    }
    let folder = folder("random");
    compare(&folder, &cases, true);
    // All kinds of kernels occur among them, so all kinds of text.
    for case in &cases {
        check_style(&folder.join(&case.name));
    }
}

/// Every kernel on int16 that has no weights.
const WIDE: &str = r#"
graph "wide"
inputs(%0)
outputs(%10, %13, %14, %15, %16, %17)

%0 "x" : i16[2x3x4x4]{0.000244140625; 0}
%1 "row" : i16[2x1x4x4]{0.0003; 0} = splat 9000
%2 "one" : i16[4]{0.0002; 0} = splat -700
%3 "sum" : i16[2x3x4x4]{0.0005; 0} = ADD(%0, %1) activation=relu6
%4 "difference" : i16[2x3x4x4]{0.0004; 0} = SUB(%3, %2)
%5 "product" : i16[2x3x4x4]{0.0003; 0} = MUL(%4, %0)
%6 "least" : i16[2x3x4x4]{0.0003; 0} = MINIMUM(%5, %5)
%7 "leaky" : i16[2x3x4x4]{0.0002; 0} = LEAKY_RELU(%6) alpha=-0.25
%8 "tanh" : i16[2x3x4x4]{0.000030517578125; 0} = TANH(%7)
%9 "resized" : i16[2x6x5x4]{0.000030517578125; 0} = RESIZE_BILINEAR(%8) output=[6, 5] half_pixel_centers=true
%10 "softmax" : i16[2x6x5x4]{0.000030517578125; 0} = SOFTMAX(%9) beta=3.0
%11 "logistic" : i16[2x3x4x4]{0.000030517578125; 0} = LOGISTIC(%7)
%12 "slice" : i16[1x3x4x4]{0.000030517578125; 0} = SLICE(%11) begin=[0, 0, 0, 0] size=[1, 3, 4, 4]
%13 "image" : i16[1x4]{0.00003; 0} = MEAN(%12) axes=[1, 2]
%14 "channels" : i16[2x3x4]{0.00003; 0} = MEAN(%11) axes=[3]
%15 "whole" : i16[1x1x1x4]{0.000030517578125; 0} = AVERAGE_POOL_2D(%12) window=[3, 4] stride=[1, 1] padding=valid
%16 "average" : i16[2x2x3x4]{0.0003; 0} = AVERAGE_POOL_2D(%5) window=[2, 2] stride=[1, 1] padding=valid
%17 "max" : i16[2x3x4x4]{0.0003; 0} = MAX_POOL_2D(%5) window=[2, 2] stride=[1, 1] padding=same
"#;

#[test]
fn kernels_on_int16_give_the_bytes_of_the_executor() {
    let graph = smidgen_ir::text::parse(WIDE).unwrap_or_else(|e| panic!("{e}"));
    smidgen_ir::validate(&graph).unwrap_or_else(|e| panic!("{e}"));
    let case = Case::new("wide", &graph, "layer", false).expect("any graph");
    let folder = folder("wide");
    compare(&folder, std::slice::from_ref(&case), false);
    check_style(&folder.join(&case.name));
}

/// REDUCE_MAX and REDUCE_MIN of every type, over axes that lie side by side and others.
const EXTREMES: &str = r#"
graph "extremes"
inputs(%0, %1, %2)
outputs(%3, %4, %5, %6, %7, %8)

%0 "x8" : i8[1x4x3x4]{0.5; 3}
%1 "x16" : i16[2x4x3x4]{0.001; 0}
%2 "x32" : f32[2x4x3x4]
%3 "max8" : i8[1x1x3x1]{0.5; 3} = REDUCE_MAX(%0) axes=[1, 3] keep_dims=true
%4 "min8" : i8[1x4]{0.5; 3} = REDUCE_MIN(%0) axes=[1, 2]
%5 "max16" : i16[2x4x4]{0.001; 0} = REDUCE_MAX(%1) axes=[2]
%6 "min16" : i16[4x4]{0.001; 0} = REDUCE_MIN(%1) axes=[0, 2]
%7 "max32" : f32[2x3] = REDUCE_MAX(%2) axes=[1, 3]
%8 "min32" : f32[4x3x4] = REDUCE_MIN(%2) axes=[0]
"#;

#[test]
fn the_greatest_and_the_least_of_every_type_give_the_bytes_of_the_executor() {
    let graph = smidgen_ir::text::parse(EXTREMES).unwrap_or_else(|e| panic!("{e}"));
    smidgen_ir::validate(&graph).unwrap_or_else(|e| panic!("{e}"));
    let case = Case::new("extremes", &graph, "layer", false).expect("any graph");
    let folder = folder("extremes");
    compare(&folder, std::slice::from_ref(&case), false);
    check_style(&folder.join(&case.name));
}

/// Comparisons, choices, conversions and a product of matrices, of every type of elements without quantisation.
const PLAIN: &str = r#"
graph "plain"
inputs(%0, %1, %2, %3, %4, %5)
outputs(%7, %9, %10, %11, %12, %13, %14)

%0 "x" : f32[2x3x4]
%1 "y" : f32[3x4]
%2 "flags" : bool[2x1x4]
%3 "whole" : i32[4]
%4 "wide" : i64[3x1]
%5 "bytes" : u8[4]
%6 "less" : bool[2x3x4] = LESS(%0, %1)
%7 "both" : bool[2x3x4] = LOGICAL_AND(%6, %2)
%8 "chosen" : f32[2x3x4] = SELECT_V2(%7, %0, %1)
%9 "product" : f32[2x3x3] = BATCH_MATMUL(%8, %1) adjoint_b=true
%10 "wider" : i64[4] = CAST(%3)
%11 "above" : bool[3x4] = GREATER_EQUAL(%10, %4)
%12 "taken" : i64[3x4] = SELECT_V2(%11, %10, %4)
%13 "real" : f32[4] = CAST(%5)
%14 "any" : bool[4] = CAST(%3)
"#;

#[test]
fn what_is_not_quantised_gives_the_bytes_of_the_executor() {
    let graph = smidgen_ir::text::parse(PLAIN).unwrap_or_else(|e| panic!("{e}"));
    smidgen_ir::validate(&graph).unwrap_or_else(|e| panic!("{e}"));
    let case = Case::new("plain", &graph, "layer", false).expect("any graph");
    let folder = folder("plain");
    compare(&folder, std::slice::from_ref(&case), false);
    check_style(&folder.join(&case.name));
}

#[test]
fn real_networks_give_the_bytes_of_the_executor() {
    let case = |model: &str, schedule: &str, stream: bool| {
        let name = format!("{}_{}", model, schedule.replace([':', '@'], "_")).replace('-', "_");
        Case::new(&name, &shared(&format!("{model}.tflite"))?, schedule, stream)
    };
    let cases: Vec<Case> =
        [case("mlperf-kws", "layer", false), case("person-detect", "stream", true)].into_iter().flatten().collect();
    if !cases.is_empty() {
        // Each with its own kernels, as when two models go into one firmware.
        let folder = folder("real");
        compare(&folder, &cases, false);
        cases.iter().for_each(|case| check_style(&folder.join(&case.name)));
    }
}

#[test]
fn the_same_program_gives_the_same_files() {
    let graph = random_graph(1, &RandomGraphOptions::default());
    let files = || Case::new("same", &graph, "auto", false).expect("any graph").files();
    let (first, second) = (files(), files());
    assert!(first == second && first.len() > 20);
}

/// What a user reads first, as it stands: a change of it shall be seen.
#[test]
fn generated_sources_read_as_recorded() {
    let graph = smidgen_synthetic::demo(1);
    for (schedule, stream_input, paths) in [
        ("layer", false, &["src/lib.rs", "src/steps.rs", "Cargo.toml", "include/demo.h"][..]),
        ("stream", true, &["src/lib.rs", "include/demo.h"]),
    ] {
        let case = Case::new("demo", &graph, schedule, stream_input).expect("a schedule for it");
        let mut files = case.files();
        files.extend(smidgen_codegen::c_library(&case.program, &graph, &case.options(), &files).files);
        // The digest follows from all the rest.
        let digest = format!("{:016x}", case.program.digest());
        for path in paths {
            let text = String::from_utf8_lossy(&files[*path]).replace(&digest, "DIGEST");
            insta::assert_snapshot!(format!("{schedule}_{}", path.replace(['/', '.'], "_")), text);
        }
    }
}

/// A convolution over time whose ring of past frames is a variable, of which one begins with numbers and one with
/// zeros.
const STREAMING: &str = r#"
graph "streaming"
inputs(%0)
outputs(%6, %7)
variables(%1 = %4 first %2, %7 = %8)

%0 "frame" : i8[1x4x2x3]{0.05; 3}
%1 "ring" : i8[1x12x2x3]{0.05; 3}
%2 "silence" : i8[1x12x2x3]{0.05; 3} = hex 030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a
%3 "kept" : i8[1x8x2x3]{0.05; 3} = SLICE(%1) begin=[0, 4, 0, 0] size=[1, 8, 2, 3]
%4 "new" : i8[1x12x2x3]{0.05; 3} = CONCATENATION(%3, %0) axis=1
%5 "w" : i8[1x3x3x3]{axis 3: 0.01, 0.02, 0.015} = hex 017ff20340a01bc2550de1f33f10ea89047721cd9ae8331230f8bc
%6 "seen" : i8[1x6x1x3]{0.04; -9} = DEPTHWISE_CONV_2D(%4, %5) stride=[2, 2] padding=same multiplier=1
%7 "sum" : i8[1x6x1x3]{0.04; -9}
%8 "more" : i8[1x6x1x3]{0.04; -9} = MAXIMUM(%7, %6)
"#;

#[test]
fn state_goes_on_from_inference_to_inference_until_a_reset() {
    const FRAMES: usize = 12;
    let graph = smidgen_ir::text::parse(STREAMING).unwrap_or_else(|e| panic!("{e}"));
    smidgen_ir::validate(&graph).unwrap_or_else(|e| panic!("{e}"));
    let folder = folder("state");
    let mut manifest =
        "[package]\nname = \"runner\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n"
            .to_owned();
    let mut main = String::new();
    let frames: Vec<u8> = (0..24 * FRAMES).map(|i| (i * i * 7 + i * 31) as u8).collect();
    let mut expected = Vec::new();
    for (name, schedule, stream_input) in
        [("layers", "layer", false), ("planned", "auto", false), ("pushed", "stream", true)]
    {
        let case = Case::new(name, &graph, schedule, stream_input).expect("a schedule for it");
        let mut executor = Executor::new(case.program.clone());
        let outputs: Vec<u8> = (frames.chunks(24))
            .flat_map(|frame| {
                executor.set_input(0, frame).expect("a frame");
                executor.run();
                [executor.output(0).to_vec(), executor.output(1).to_vec()].concat()
            })
            .collect();
        expected.push(outputs);
        for (path, bytes) in case.files() {
            let path = folder.join(name).join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        manifest += &format!("{name} = {{ path = \"{name}\" }}\n");
        // In memory of its own and in the caller's, which is not zero; the second time after a reset in the middle of
        // an inference.
        main += &format!(
            "fn {name}() {{\n    let frames: Vec<i8> = std::fs::read(\"frames\").unwrap().into_iter().map(|b| b as i8).collect();\n    let mut memory = vec![0xa5u8; {name}::ARENA_BYTES + 16];\n    \
             let offset = memory.as_ptr().align_offset(16);\n    let arena = {name}::Arena::from_bytes(&mut memory[offset..]).unwrap();\n    \
             let mut given = {name}::Model::in_arena(arena);\n    let mut own = Box::new({name}::Model::new());\n    let mut out = Vec::new();\n    \
             for round in 0..2 {{\n        let mut bytes = Vec::new();\n        for frame in frames.as_chunks::<24>().0 {{\n            let outputs = own.predict(frame);\n            \
             let first: Vec<u8> = outputs.output_0.iter().chain(outputs.output_1).map(|v| *v as u8).collect();\n            \
             let outputs = given.predict(frame);\n            let second: Vec<u8> = outputs.output_0.iter().chain(outputs.output_1).map(|v| *v as u8).collect();\n            \
             assert_eq!(first, second, \"{{round}}\");\n            bytes.extend(first);\n        }}\n        \
             if round == 0 {{ out = bytes; own.restart(); while own.step() == {name}::Status::Running {{}} own.reset(); given.reset(); }} else {{ assert_eq!(out, bytes); }}\n    }}\n    \
             std::fs::write(\"{name}.out\", out).unwrap();\n}}\n\n"
        );
    }
    main += "fn main() {\n    layers();\n    planned();\n    pushed();\n}\n";
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("frames"), &frames).unwrap();
    cargo(&folder, &["run", "--quiet", "--offline"]);
    assert!(expected.iter().all(|outputs| *outputs == expected[0]));
    for name in ["layers", "planned", "pushed"] {
        assert_eq!(std::fs::read(folder.join(format!("{name}.out"))).unwrap(), expected[0], "{name}");
        check_style(&folder.join(name));
    }
}
