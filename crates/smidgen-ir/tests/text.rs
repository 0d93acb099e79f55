//! The textual form: it says everything, it reads well, and no text makes the parser panic.

mod common;

use proptest::prelude::*;
use smidgen_ir::text::{parse, print};
use smidgen_ir::{Graph, validate};

/// Floats by their bits, so that a NaN equals itself.
fn bits(graph: &Graph) -> String {
    // The text writes a NaN with its payload, which Debug does not.
    format!("{graph:?}\n{}", print(graph))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn printing_and_parsing_is_the_identity(graph in common::graph()) {
        let text = print(&graph);
        let back = parse(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(bits(&back), bits(&graph));
    }

    #[test]
    fn no_change_to_a_text_makes_the_parser_panic(
        graph in common::graph(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,3}"), 1..4),
    ) {
        let mut chars: Vec<char> = print(&graph).chars().collect();
        for (from, to, text) in edits {
            let (a, b) = (from.index(chars.len() + 1), to.index(chars.len() + 1));
            let end = if a.abs_diff(b) < 20 { a.max(b) } else { a.min(b) };
            chars.splice(a.min(b)..end, text.chars());
        }
        if let Ok(graph) = parse(&chars.into_iter().collect::<String>()) {
            let _ = validate(&graph);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(graph|inputs|outputs|%[0-9]|=|:|i8|\\[|\\]|[0-9x]{0,4}|\\{|\\}|;|hex|splat|\"| |\n|[A-Z_0-9]{0,8}|\\PC){0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_graph_makes_the_validator_panic(graph in common::graph()) {
        let _ = validate(&graph);
    }

    #[test]
    fn no_operator_makes_shape_inference_panic(op in common::op(), tensors in prop::collection::vec(common::tensor(), 0..4)) {
        let _ = smidgen_ir::infer(&op, &tensors.iter().collect::<Vec<_>>());
    }
}

const TINY: &str = r#"graph "tiny"
inputs(%0)
outputs(%4)

%0 "x" : i8[1x4x4x2]{0.5; 3}
%1 "w" : i8[3x1x1x2]{axis 0: 0.1, 0.2, 0.3} = [1, -2, 3, -4, 5, -6]
%2 "b" : i32[3] = [0, 0, 0]
%3 "y" : i8[1x4x4x3]{0.25; -128} = CONV_2D(%0, %1, %2) stride=[1, 1] padding=same activation=relu
%4@9 : i8[1x4x4x3]{0.00390625; -128} = LOGISTIC@7(%3)
"#;

#[test]
fn the_example_of_the_documentation_reads_and_prints_as_it_stands() {
    let graph = parse(TINY).unwrap();
    assert_eq!(validate(&graph), Ok(()));
    assert_eq!(print(&graph), TINY);
    // Comments, other spacing and explicit defaults change nothing.
    let loose = TINY.replace("stride", "// a comment: %9\n dilation=[1,1]   stride").replace('\n', "\r\n\t");
    assert_eq!(parse(&loose), Ok(graph));
}

/// The error for the example with a piece of it replaced.
fn error(from: &str, to: &str) -> String {
    assert!(TINY.contains(from), "the example has no {from:?}");
    parse(&TINY.replacen(from, to, 1)).expect_err("the change breaks the text").to_string()
}

#[test]
fn errors_say_where_and_what() {
    let changes = [
        ("graph", "grape"),
        ("\"tiny\"", "\"tiny"),
        ("\"tiny\"", "\"ti\\qny\""),
        ("outputs(%4)", "outputs(%5)"),
        ("%4@9", "%3@9"),
        ("%3 \"y\"", "%7 \"y\""),
        ("i32[3]", "u32[3]"),
        ("[1x4x4x2]", "[1x4xx2]"),
        ("{0.5; 3}", "{half; 3}"),
        ("{0.5; 3}", "{0.5}"),
        ("axis 0", "axis -1"),
        ("-2, 3", "-2, 3000"),
        ("-2, 3", "-2"),
        ("[0, 0, 0]", "hex 012"),
        ("LOGISTIC", "LOGISTICS"),
        ("stride=[1, 1]", "stride=[1]"),
        ("stride=[1, 1] ", ""),
        ("stride", "strides"),
        ("stride=[1, 1]", "stride=[1, 1] stride=[1, 1]"),
        ("stride=[1, 1]", "stride=[[[[[1]]]]]"),
        ("padding=same", "padding=big"),
        ("(%3)", "%3"),
        ("(%3)", "(%3) ~"),
        ("outputs(%4)", "outputs(%4)\nvariables(%0 %3)"),
        ("outputs(%4)", "outputs(%4)\nvariables(%0 = %9)"),
        ("outputs(%4)", "outputs(%4)\nvariables(%0 = %3 first)"),
    ];
    let lines: Vec<String> =
        changes.iter().map(|(from, to)| format!("{from} -> {to}\n    {}", error(from, to))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_splat_cannot_ask_for_much_memory() {
    let text = "graph \"\" inputs() outputs() %0 : f32[1000000x1000000] = splat 1";
    assert!(parse(text).unwrap_err().to_string().contains("splat is for at most"));
}
