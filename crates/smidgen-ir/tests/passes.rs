//! Every file of passes/ through the pass that it names; the results are beside them. `INSTA_UPDATE=always` writes them anew.

use smidgen_ir::passes::*;
use smidgen_ir::text::{parse, print};
use smidgen_ir::{Graph, validate};

fn run(pass: &str, graph: &mut Graph) -> usize {
    match pass {
        "fold_padding" => fold_padding(graph),
        "remove_no_ops" => remove_no_ops(graph),
        "remove_dead" => remove_dead(graph),
        "strip_io" => strip_io(graph),
        "canonicalise" => canonicalise(graph),
        other => panic!("no pass {other}"),
    }
}

#[test]
fn every_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "ir"));
    files.sort();
    assert!(!files.is_empty());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let pass =
            text.lines().next().and_then(|line| line.strip_prefix("// pass: ")).expect("the first line names the pass");
        let mut graph = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        let changes = run(pass, &mut graph);
        let changed = graph.clone();
        // What a pass leaves behind is for `remove_dead`, here as in `canonicalise`.
        remove_dead(&mut graph);
        validate(&changed).unwrap_or_else(|error| panic!("{name}, after the pass: {error}"));
        validate(&graph).unwrap_or_else(|error| panic!("{name}, after the pass and remove_dead: {error}"));
        let again = run(pass, &mut graph.clone());
        settings.bind(|| {
            insta::assert_snapshot!(name.clone(), format!("// {changes} changes, then {again}\n{}", print(&graph)))
        });
    }
}

#[test]
fn constants_are_folded_in_order_and_only_if_their_sizes_are_right() {
    let text = r#"graph "t" inputs(%0) outputs(%5, %6)
        %0 : f32[1x2]
        %1 : i8[2x2]{axis 0: 0.5, 1.0} = [2, 4, 6, 8]
        %2 : f32[2x2] = DEQUANTIZE@0(%1)
        %3 : f32[2x2] = RELU@1(%2)
        %4 : f32[2x2] = TANH@2(%3)
        %5 : f32[1x2] = FULLY_CONNECTED@3(%0, %3)
        %6 : f32[2x2] = TANH@4(%4)"#;
    let mut graph = parse(text).unwrap();
    assert_eq!(validate(&graph), Ok(()));
    let mut asked = Vec::new();
    let folded = fold_constants(&mut graph, |alone| {
        validate(alone).unwrap();
        let operator = &alone.operators[0];
        asked.push(operator.source.unwrap());
        match operator.op.name() {
            "DEQUANTIZE" => Some(vec![[1.0f32, 2.0, 6.0, 8.0].iter().flat_map(|v| v.to_le_bytes()).collect()]),
            "RELU" => Some(vec![alone.tensor(operator.inputs[0]).data.as_ref().unwrap().to_vec()]),
            // Too few bytes.
            _ => Some(vec![vec![0; 3]]),
        }
    });
    assert_eq!((folded, asked), (2, vec![0, 1, 2]));
    assert_eq!(validate(&graph), Ok(()));
    remove_dead(&mut graph);
    let names: Vec<&str> = graph.operators.iter().map(|o| o.op.name()).collect();
    assert_eq!(names, ["TANH", "FULLY_CONNECTED", "TANH"]);
    let weights = graph.tensor(graph.operators[1].inputs[1]);
    assert_eq!(weights.floats(), Some(vec![1.0, 2.0, 6.0, 8.0]));
}

#[test]
fn folding_does_not_blow_a_graph_up() {
    let text = r#"graph "t" inputs() outputs(%1)
        %0 : i8[1]{1.0; 0} = [1]
        %1 : i8[100000000]{1.0; 0} = PAD(%0) pads=[[0, 99999999]]"#;
    let mut graph = parse(text).unwrap();
    assert_eq!(fold_constants(&mut graph, |_| panic!("not to be asked")), 0);
}
