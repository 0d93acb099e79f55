//! The real models through the passes and the textual form.

mod common;

use smidgen_ir::text::{parse, print};
use smidgen_ir::{ElementType, cost, passes, validate};
use smidgen_tflite::read;

#[test]
fn passes_leave_valid_graphs_of_the_same_cost_that_print_and_parse() {
    for (name, bytes) in common::models() {
        let mut graph = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parse(&print(&graph)).as_ref(), Ok(&graph), "{name}");
        let macs = cost(&graph).macs;
        let (operators, cleaned) = (graph.operators.len(), passes::canonicalise(&mut graph));
        println!("{name}: {operators} operators, {} after {cleaned} changes", graph.operators.len());
        validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(cost(&graph).macs, macs, "{name}");
        passes::strip_io(&mut graph);
        passes::remove_dead(&mut graph);
        validate(&graph).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parse(&print(&graph)).as_ref(), Ok(&graph), "{name}");
        let integers =
            graph.inputs.iter().chain(&graph.outputs).all(|&t| graph.tensor(t).element() == ElementType::Int8);
        assert_eq!(integers, !name.ends_with("-float"), "{name}");
    }
}
