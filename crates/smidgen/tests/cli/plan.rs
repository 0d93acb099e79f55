//! `smidgen plan`.

use crate::support::{Folder, TINY, finish};
use std::fs;

/// A folder with a network large enough to have something to plan.
fn demo() -> Folder {
    let folder = Folder::new();
    folder.write("demo.ir", smidgen::ir::text::print(&smidgen_synthetic::demo(1)));
    folder
}

#[test]
fn sizes_are_told_and_decide_the_exit_code() {
    let folder = demo();
    let plan = folder.smidgen(&["plan", "demo.ir", "--json"]).expect(0).json();
    let total = plan["total_bytes"].as_u64().unwrap();
    assert!(total > 1000 && plan["lower_bound_bytes"].as_u64().unwrap() <= total, "{plan}");
    assert!(plan["arena_bytes"].as_u64().unwrap() <= total && plan["fits"] == true, "{plan}");
    assert_eq!(plan["extra_macs_percent"], 0.0);
    assert_eq!(plan["schedule"], "auto");
    assert!(plan["scratch_bytes"].is_u64());

    let just = total.to_string();
    folder.smidgen(&["plan", "demo.ir", "--sram", &just]).expect(0);
    let short = (total - 1).to_string();
    let refused = folder.smidgen(&["plan", "demo.ir", "--sram", &short, "--schedule", "stream", "--json"]).json();
    assert!(refused["fits"] == false || refused["total_bytes"].as_u64().unwrap() < total, "{refused}");
    let tight = folder.smidgen(&["plan", "demo.ir", "--sram", "1K"]).expect(5).stdout;
    for expected in ["Does not fit", "Most is needed in", "a board with", "--stream-input"] {
        assert!(tight.contains(expected), "{expected}: {tight}");
    }
}

#[test]
fn the_text_has_figures_steps_and_a_map_and_fits_the_terminal() {
    let folder = demo();
    for width in ["100", "60"] {
        let said =
            finish(folder.command(&["plan", "demo.ir", "--board", "stm32f412"]).env("COLUMNS", width)).expect(0).stdout;
        for expected in ["Fits: takes", "lower bound", "Segments", "Steps", "Memory map", "time: "] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(!said.contains('\x1b'), "no colours where there is no terminal");
        let limit: usize = width.parse().unwrap();
        for line in said.lines().filter(|l| !l.starts_with("  ") && !l.starts_with('(') && !l.starts_with("Fits")) {
            assert!(line.chars().count() <= limit, "{line}");
        }
    }
}

#[test]
fn schedules_and_objectives_can_be_chosen_and_are_the_same_each_time() {
    let folder = demo();
    let mut totals = Vec::new();
    for arguments in [
        &["--schedule", "layer"][..],
        &["--schedule", "stream"],
        &["--schedule", "patch:2x2@5"],
        &["--schedule", "strips:3@5"],
        &["--objective", "speed", "--sram", "64K"],
        &["--objective", "pareto"],
        &["--stream-input"],
    ] {
        let run = || folder.smidgen(&[&["plan", "demo.ir", "--json"], arguments].concat()).expect(0);
        let (first, second) = (run(), run());
        assert_eq!(first.stdout, second.stdout, "{arguments:?}");
        let plan = first.json();
        totals.push(plan["total_bytes"].as_u64().unwrap());
        let tiled = arguments[1..].iter().any(|a| a.contains('@'));
        assert_eq!(plan["extra_macs_percent"].as_f64().unwrap() > 0.0, tiled, "{arguments:?}");
        if arguments.contains(&"pareto") {
            let front = plan["pareto"].as_array().unwrap();
            assert!(!front.is_empty());
            for pair in front.windows(2) {
                assert!(pair[0]["total_bytes"].as_u64() < pair[1]["total_bytes"].as_u64());
                assert!(pair[0]["modelled_instructions"].as_u64() > pair[1]["modelled_instructions"].as_u64());
            }
        }
    }
    assert!(totals[0] > totals[6], "layer-wise takes more than streamed: {totals:?}");
}

#[test]
fn the_page_is_written_whole_or_not_at_all() {
    let folder = demo();
    folder.smidgen(&["plan", "demo.ir", "--html", "plan.html", "--objective", "pareto"]).expect(0);
    let page = fs::read_to_string(folder.path("plan.html")).unwrap();
    let json =
        |arguments: &[&str]| folder.smidgen(&[&["plan", "demo.ir", "--json"], arguments].concat()).expect(0).json();
    let layered = json(&["--schedule", "layer"])["total_bytes"].as_u64().unwrap();
    assert_eq!(json(&[])["layer_by_layer_bytes"], layered, "the page and the JSON tell what layer by layer would take");
    assert!(page.contains("<dt>layer by layer</dt>") && page.contains("layer by layer, bytes"));
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("Alternatives") && page.contains("demo.ir"));
    folder.smidgen(&["plan", "demo.ir", "--html", "no/such/plan.html"]).expect(2);
    assert_eq!(folder.files(), ["demo.ir", "plan.html"]);
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    for (arguments, expected) in [
        (&["--board", "stm32f745"][..], "did you mean `stm32f746`"),
        (&["--sram", "12q"], "no unit"),
        (&["--schedule", "patch:0x1@2"], "no schedule"),
        (&["--schedule", "patch:2x2@99"], "operators"),
        (&["--board", "rp2040", "--sram", "1K"], "cannot be used with"),
        (&["--schedule", "patch:2x2@1", "--stream-input"], "cannot be streamed"),
    ] {
        let refused = folder.smidgen(&[&["plan", "tiny.ir"], arguments].concat()).expect(2);
        let flat = refused.stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
        assert!(flat.contains(expected), "{arguments:?}: {}", refused.stderr);
    }
}

/// A network of one convolution whose ends are floats, as TensorFlow's converter leaves them.
const FLOAT_ENDS: &str = r#"
graph "float_ends"
inputs(%0)
outputs(%6)

%0 "picture" : f32[1x32x32x3]
%1 "stored" : i8[1x32x32x3]{0.02; -3} = QUANTIZE(%0)
%2 "kernel" : i8[4x3x3x3]{0.01; 0} = splat 3
%3 "bias" : i32[4]{0.0002; 0} = [1, 2, 3, 4]
%4 "conv" : i8[1x32x32x4]{0.05; 2} = CONV_2D(%1, %2, %3) stride=[1, 1] padding=same
%5 "pooled" : i8[1x16x16x4]{0.05; 2} = MAX_POOL_2D(%4) window=[2, 2] stride=[2, 2] padding=valid
%6 "out" : f32[1x16x16x4] = DEQUANTIZE(%5)
"#;

#[test]
fn instructions_are_modelled_for_the_core_of_the_board() {
    let folder = demo();
    let mut counts = Vec::new();
    for core in smidgen::boards::Core::ALL {
        let board = smidgen::boards::builtin().iter().find(|board| board.core == core).expect("a board of each core");
        let plan = |more: &[&str]| {
            folder.smidgen(&[&["plan", "demo.ir", "--objective", "pareto", "--board", &board.name], more].concat())
        };
        let (said, json) = (plan(&[]).stdout, plan(&["--json"]).json());
        let pages = ["/segments/0/modelled_instructions", "/steps/0/modelled_instructions"];
        for at in pages.iter().chain(&["/pareto/0/modelled_instructions"]) {
            assert!(json.pointer(at).unwrap().as_u64().unwrap() > 0, "{}: {at}", board.name);
        }
        counts.push((core, json["modelled_instructions"].as_u64().unwrap()));
        assert!(json["not_modelled"].is_null(), "{}", board.name);
        assert_eq!(json["modelled_for"], core.title(), "{}", board.name);
        let line = said.lines().find(|line| line.starts_with("  instructions ")).unwrap();
        assert!(line.contains(&format!("(modelled for {})", core.title())), "{line}");
        // Only the cycles of a Cortex-M4 are modelled.
        let m4 = core == smidgen::boards::Core::CortexM4;
        assert_eq!(json["modelled_milliseconds"].is_array(), m4, "{}", board.name);
    }
    let of = |core| counts.iter().find(|&&(one, _)| one == core).unwrap().1;
    use smidgen::boards::Core;
    assert_eq!(of(Core::CortexM4), of(Core::CortexM7));
    // Without the instructions for two products at a time it takes several times as many, without long multiplication still more.
    assert!(of(Core::CortexM3) > 3 * of(Core::CortexM4) && of(Core::CortexM0) > of(Core::CortexM3), "{counts:?}");
    let nobody = folder.smidgen(&["plan", "demo.ir"]).expect(0).stdout;
    assert!(nobody.contains("modelled for Cortex-M4, M7, M33 and M55"), "{nobody}");
    folder.smidgen(&["plan", "demo.ir", "--board", "rp2040", "--objective", "pareto", "--html", "p.html"]).expect(0);
    let page = fs::read_to_string(folder.path("p.html")).unwrap();
    assert!(page.contains("Instructions are modelled for Cortex-M0+.") && page.contains(" M instructions"), "{page}");
}

#[test]
fn float_ends_say_what_they_cost() {
    let folder = Folder::new();
    folder.write("ends.ir", FLOAT_ENDS);
    let plan = |more: &[&str]| folder.smidgen(&[&["plan", "ends.ir"], more].concat());
    let (floats, integers) = (plan(&["--json"]).json(), plan(&["--json", "--io", "int8"]).json());
    assert_eq!(floats["integer_ends"]["total_bytes"], integers["total_bytes"]);
    assert_eq!(floats["integer_ends"]["modelled_instructions"], integers["modelled_instructions"]);
    assert!(floats["total_bytes"].as_u64() > integers["total_bytes"].as_u64());
    assert!(integers["integer_ends"].is_null() && integers["float_ends"].is_null(), "{integers}");
    // The figures are the same wherever they are said, and whether it fits or not.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let taken = |json: &serde_json::Value| smidgen::report::bytes(json["total_bytes"].as_u64().unwrap() as usize);
    let expected = format!("with --io int8 it takes {} of SRAM instead of {}", taken(&integers), taken(&floats));
    let said = flat(&plan(&[]).expect(0).stdout);
    assert!(said.contains(&expected), "{said}");
    let between = (floats["total_bytes"].as_u64().unwrap() - 1).to_string();
    let tight = flat(&plan(&["--sram", &between, "--schedule", "layer"]).expect(5).stdout);
    assert!(tight.contains("with --io int8") && tight.contains("and fits"), "{tight}");
    let compiled = folder.smidgen(&["compile", "ends.ir", "--board", "rp2040", "-o", "out"]).expect(0).stdout;
    let compiled = flat(&compiled);
    assert!(compiled.contains(&expected) && compiled.contains("(modelled for Cortex-M0+)"), "{compiled}");
    plan(&["--html", "ends.html"]).expect(0);
    assert!(flat(&fs::read_to_string(folder.path("ends.html")).unwrap()).contains("with --io int8"));
    // A float network has no integers at its ends.
    folder.write("float.ir", crate::support::FLOAT);
    assert!(folder.smidgen(&["plan", "float.ir", "--json"]).expect(0).json()["float_ends"].is_null());
}

#[test]
fn a_network_too_large_for_the_flash_is_told_what_would_do() {
    let folder = demo();
    let board = folder.smidgen(&["boards", "stm32f412", "--toml"]).expect(0).stdout;
    folder.write("small.toml", board.replace("1048576", "20000"));
    let said = folder.smidgen(&["plan", "demo.ir", "--board", "small.toml"]).expect(5).stdout;
    assert!(said.starts_with("Does not fit the flash: the constants take") && !said.contains("Fits"), "{said}");
    assert!(said.contains("- int4 weights (`smidgen quantize --weights int4`): about "), "{said}");
    assert!(said.contains("- boards that hold it as it is: "), "{said}");
    let json = folder.smidgen(&["plan", "demo.ir", "--board", "small.toml", "--json"]).expect(5).json();
    assert!(json["constants_with_int4_bytes"].as_u64() < json["constants_bytes"].as_u64(), "{json}");
    let refused = folder.smidgen(&["compile", "demo.ir", "--board", "small.toml", "-o", "out"]).expect(5).stdout;
    assert!(refused.contains("Does not fit the flash of ") && refused.contains("- int4 weights"), "{refused}");
}

/// Their weights would be too many if each channel read all others, as in CONV_2D: 40,000 times 40,000.
#[test]
fn windows_of_very_many_channels_are_planned() {
    use smidgen_synthetic::{Builder, Precision, Taps};
    let folder = Folder::new();
    for precision in [Precision::Int8, Precision::Float32] {
        let mut b = Builder::new("wide", precision, 1);
        let x = b.input([1, 4, 6, 40_000]);
        let x = b.depthwise(x, Taps::square(3), 1, smidgen::ir::Activation::None);
        let x = b.pool(smidgen::ir::PoolKind::Max, x, Taps::square(2).stride(2));
        folder.write("wide.tflite", smidgen::tflite::write(&b.finish(&[x])).unwrap());
        folder.smidgen(&["plan", "wide.tflite", "--json"]).expect(0);
    }
}

/// Among zeros, a window may be wider than a picture ever is: what it spans of all rows leaves 31 bits.
#[test]
fn windows_that_are_larger_than_any_picture_are_refused_by_name() {
    let folder = Folder::new();
    let text = "graph \"wide\"\ninputs(%0)\noutputs(%1)\n%0 \"x\" : f32[1x64516x6x2]\n%1 \"y\" : f32[1x32258x6x2] = \
                MAX_POOL_2D(%0) window=[3, 131072] stride=[2, 1] padding=same\n";
    folder.write("wide.ir", text);
    let refused = folder.smidgen(&["plan", "wide.ir"]).expect(3).stderr;
    assert!(refused.contains("MAX_POOL_2D") && refused.contains("131072"), "{refused}");
}
