//! Chains of functions of one int8 are one table on a device, and give the bytes of the definition.

use smidgen_exec::Executor;
use smidgen_ir::Graph;
use smidgen_lower::{KernelSet, LowerOptions, lower};
use smidgen_plan::{PlanOptions, plan};
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;

/// A network that scales and shifts its pixels, clamps them, and does more with some of them.
const CHAINS: &str = r#"
graph "chains"
inputs(%0)
outputs(%10, %6)

%0 "pixels" : i8[1x6x6x3]{0.003921569; -128}
%1 "scale" : i8[1]{0.0078; 0} = [101]
%2 "scaled" : i8[1x6x6x3]{0.0039; -100} = MUL(%0, %1)
%3 "shift" : i8[1x1x1x3]{0.01; 3} = [-77, -77, -77]
%4 "shifted" : i8[1x6x6x3]{0.008; 20} = ADD(%3, %2)
%5 "clamped" : i8[1x6x6x3]{0.006; -10} = RELU6(%4)
%6 "kept" : i8[1x6x6x3]{0.02; 4} = LEAKY_RELU(%5) alpha=0.3
%7 "tangent" : i8[1x6x6x3]{0.0078125; 0} = TANH(%6)
%8 "flat" : i8[1x108]{0.0078125; 0} = RESHAPE(%7) shape=[1, 108]
%9 "quarter" : i8[1]{0.01; 0} = [25]
%10 "less" : i8[1x108]{0.004; 3} = MUL(%8, %9)
"#;

fn outputs(graph: &Graph, kernels: KernelSet) -> (Vec<Vec<u8>>, usize) {
    let lowered = lower(graph, &LowerOptions { kernels, ..LowerOptions::default() }).unwrap();
    let tables = lowered.steps.iter().filter(|s| matches!(s.kernel, Kernel::TableI8(kernel::TableI8))).count();
    let program = plan(&lowered, &PlanOptions::default()).unwrap().program;
    let mut executor = Executor::new(program);
    let all: Vec<u8> = (0..108).map(|i: u32| (i * 61 % 256) as u8).collect();
    executor.set_input(0, &all).unwrap();
    executor.run();
    ((0..2).map(|i| executor.output(i).to_vec()).collect(), tables)
}

#[test]
fn chains_of_tables_are_one_and_give_the_bytes_of_the_definition() {
    let graph: Graph = smidgen_ir::text::parse(CHAINS).unwrap_or_else(|e| panic!("{e}"));
    let (reference, _) = outputs(&graph, KernelSet::Reference);
    let (device, tables) = outputs(&graph, KernelSet::Mcu);
    assert_eq!(device, reference);
    // MUL to LEAKY_RELU are one; its output has a reader besides, so TANH is another, and MUL behind the RESHAPE a third.
    assert_eq!(tables, 3);
    // On the host each operator can be seen by itself.
    let (fast, tables) = outputs(&graph, KernelSet::Fast);
    assert_eq!((fast, tables), (reference, 6));
}
