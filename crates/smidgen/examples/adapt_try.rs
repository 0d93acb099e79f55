//! ad hoc
use smidgen::*;
fn main() {
    let mut a = std::env::args().skip(1);
    let mut network = Network::open(a.next().unwrap()).unwrap();
    network.canonicalise().unwrap();
    let scheme: adapting::Scheme = std::fs::read_to_string(a.next().unwrap()).unwrap().parse().unwrap();
    let board = boards::find(&a.next().unwrap()).unwrap();
    let n: usize = a.next().unwrap().parse().unwrap();
    let adaptation = network.adapt(10, &scheme, &Default::default(), &[]).unwrap();
    let mut target = Target::on(&board);
    target.plan.objective = plan::planner::Objective::Sram;
    let planned = adaptation.plan(&target).unwrap();
    println!("planned {} ", planned.plan.report.total_bytes);
    let compiled = planned.compile(codegen::Options { name: "network".into(), ..Default::default() }).unwrap();
    let features = adapting::Features::of(network.graph()).unwrap();
    let drawn = adapting::drawn(&features, 10);
    let dims = features.graph.tensor(features.graph.inputs[0]).shape.dims().to_vec();
    let samples: Vec<Vec<Array>> = (0..n)
        .map(|i| {
            vec![
                Array::from_i8(&dims, &drawn[i % 10]),
                Array { dtype: Dtype::Int32, shape: vec![1], data: ((i % 10) as i32).to_le_bytes().to_vec() },
                Array {
                    dtype: Dtype::Int32,
                    shape: vec![1],
                    data: ((0.003 * (1 << 24) as f64) as i32).to_le_bytes().to_vec(),
                },
            ]
        })
        .collect();
    let s = compiled.simulate(&Session::default(), &samples).unwrap();
    let r = &s.report;
    println!(
        "matches {} instructions {} sram {:?} flash {:?} checks {:?}",
        r.matches_host, r.instructions, r.sram, r.flash, r.checks
    );
    let logits = adaptation.step.logits.index();
    let sum = |range: std::ops::Range<usize>, f: &dyn Fn(&str) -> bool| {
        r.steps[range].iter().filter(|s| f(&s.name)).map(|s| s.instructions).sum::<u64>()
    };
    let end = r.steps.len();
    println!(
        "forward {} backward {} update {}",
        sum(0..logits + 1, &|_| true),
        sum(logits + 1..end, &|n| !n.starts_with("UPDATE") && !n.starts_with("NEXT")),
        sum(logits + 1..end, &|n| n.starts_with("UPDATE") || n.starts_with("NEXT"))
    );
    let mut by = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for (s, step) in r.steps.iter().zip(&adaptation.step.lowered.steps) {
        let e = by.entry(step.kernel.name().into()).or_default();
        e.0 += s.instructions;
        e.1 += s.macs;
    }
    for (k, (i, m)) in by {
        println!("  {k} {i} macs {m} {:.2}", i as f64 / m.max(1) as f64);
    }
}
