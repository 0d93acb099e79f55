//! ad hoc
use smidgen_adapt::*;
use smidgen_ir::passes::canonicalise;
use std::time::Instant;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let mut graph = smidgen_tflite::read(&std::fs::read(path).unwrap()).unwrap();
    canonicalise(&mut graph);
    let scheme: Scheme = std::fs::read_to_string(std::env::args().nth(2).unwrap()).unwrap().parse().unwrap();
    let t = Instant::now();
    let step = compile(&graph, 10, &scheme, &Default::default(), &[]).unwrap();
    println!("compiled {:?}", t.elapsed());
    println!(
        "{} steps {} buffers {} constants",
        step.lowered.steps.len(),
        step.lowered.buffers.len(),
        step.lowered.constants.len()
    );
    let flash: usize = step.lowered.constants.iter().map(|c| c.bytes.len()).sum();
    println!("constants {flash} B; kept {} B", step.parameters.iter().map(|p| p.bytes).sum::<usize>());
    let t = Instant::now();
    let program = smidgen_plan::layer_wise(&step.lowered);
    println!("layer wise {} {:?}", program.arena_bytes, t.elapsed());
    let t = Instant::now();
    let program = smidgen_certify::certify(program).unwrap();
    println!("certified {:?}", t.elapsed());
    let mut e = smidgen_exec::Executor::new(program);
    let rate_of = |r: f64| (r * (1 << 24) as f64) as i32;
    let features = Features::of(&graph).unwrap();
    let samples = drawn(&features, 8);
    let acts = activations(&features, &Default::default(), &samples[1..2]).unwrap();
    for i in 0..30usize {
        let x: Vec<u8> = samples[i % 8].iter().map(|&x| x as u8).collect();
        e.set_input(0, &x).unwrap();
        e.set_input(1, &((i % 8) as i32).to_le_bytes()).unwrap();
        e.set_input(2, &rate_of(std::env::args().nth(3).unwrap().parse().unwrap()).to_le_bytes()).unwrap();
        let mut seen = std::collections::HashMap::new();
        let mut exponent = 0;
        e.run_with(&mut |f| {
            if let Some(c) = step.gradients.iter().find(|c| c.step == f.step) {
                let g: Vec<f64> =
                    f.output(0).unwrap().chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]]) as f64 * c.unit).collect();
                seen.insert(
                    c.tensor,
                    (
                        g,
                        f.output(0)
                            .unwrap()
                            .chunks(2)
                            .map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs())
                            .max()
                            .unwrap(),
                    ),
                );
                if c.step == step.gradients[0].step {
                    exponent = i32::from_le_bytes(f.output(1).unwrap().try_into().unwrap());
                }
            }
        });
        let loss = i32::from_le_bytes(e.output(1).try_into().unwrap()) as f64 / 65536.0;
        println!("step {i} loss {loss:.4} exponent {exponent}");
        if i == 1 {
            let trained: Vec<bool> = {
                let mut t = vec![false; features.graph.operators.len()];
                for (k, id) in features.convolutions.iter().enumerate() {
                    t[id.index()] = scheme.trains_bias(k, features.convolutions.len());
                }
                t
            };
            let top = &seen[&features.tensor()].0;
            let exact = surrogate::backward(&features, &trained, &acts[0], top).unwrap();
            for c in &step.gradients {
                let (a, most) = &seen[&c.tensor];
                let b = &exact.tensors[&c.tensor];
                let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let n = |v: &Vec<f64>| v.iter().map(|x| x * x).sum::<f64>().sqrt();
                println!(
                    "  {} cosine {:.6} ratio {:.4} most {most}",
                    graph_name(&features, c.tensor),
                    dot / n(a) / n(b),
                    n(a) / n(b)
                );
            }
        }
    }
    let t = Instant::now();
    let plan = smidgen_plan::planner::plan(&step.lowered, &Default::default()).unwrap();
    println!("planned {} {} {:?}", plan.report.total_bytes, plan.report.instructions, t.elapsed());
}
fn graph_name(f: &Features, t: smidgen_ir::TensorId) -> String {
    f.graph.tensor(t).name.clone()
}
