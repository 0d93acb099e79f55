//! CPU time of training, forward, backward and update, beside PyTorch.
//!
//! `cargo xtask bench train-speed [SECONDS] [NETWORK]`, NETWORK being one of `mobilenet32`, `mobilenet96` and
//! `residual32`. With `SMIDGEN_TORCH` naming a Python that has PyTorch, each measurement is followed by PyTorch's of
//! the same network, channels last, so that both see the same machine.

use rustix::time::{ClockId, clock_gettime};
use smidgen_train::{
    Activation, Builder, ConvLayer, Isa, Loss, Net, Optimiser, Random, Samples, Schedule, Settings, Trainer, Value,
};
use std::process::Command;
use std::time::Instant;

/// Expansion, channels, repetitions and stride of the first of each group of inverted residuals.
type Rows<'a> = &'a [(usize, usize, usize, usize)];

const MOBILENET: Rows =
    &[(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
const RESIDUAL: Rows = &[(1, 16, 1, 1), (4, 24, 2, 2), (4, 32, 3, 2), (4, 64, 1, 1)];

/// A multiple of 8 near `channels * width`, never below nine tenths of it (Sandler et al. 2018).
fn scaled(channels: usize, width: f64) -> usize {
    let wanted = channels as f64 * width;
    let near = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (near as f64) < 0.9 * wanted { near + 8 } else { near }
}

fn network(pixels: usize, width: f64, stem: (usize, usize), head: usize, rows: Rows) -> Net {
    let mut b = Builder::new(&[pixels, pixels, 3]);
    let mut c = stem.0;
    let mut x = b.conv("stem", b.input(), c, ConvLayer::new(3, stem.1, Activation::Relu6)).unwrap();
    let mut block = 0;
    for &(expansion, channels, repetitions, stride) in rows {
        for i in 0..repetitions {
            let stride = if i == 0 { stride } else { 1 };
            x = inverted_residual(&mut b, block, x, c, expansion, scaled(channels, width), stride);
            c = scaled(channels, width);
            block += 1;
        }
    }
    if head > 0 {
        x = b.conv("head", x, head, ConvLayer::new(1, 1, Activation::Relu6)).unwrap();
    }
    let pooled = b.global_pool("pool", x).unwrap();
    let logits = b.fully_connected("classifier", pooled, 10, Activation::None).unwrap();
    b.build(logits).unwrap()
}

fn inverted_residual(
    b: &mut Builder,
    block: usize,
    x: Value,
    c: usize,
    expansion: usize,
    out: usize,
    stride: usize,
) -> Value {
    let name = |part: &str| format!("block{block}.{part}");
    let mut y = x;
    if expansion > 1 {
        y = b.conv(&name("expand"), y, c * expansion, ConvLayer::new(1, 1, Activation::Relu6)).unwrap();
    }
    y = b.depthwise(&name("depthwise"), y, ConvLayer::new(3, stride, Activation::Relu6)).unwrap();
    y = b.conv(&name("project"), y, out, ConvLayer::new(1, 1, Activation::None)).unwrap();
    if stride == 1 && c == out && expansion > 1 { b.add(&name("sum"), y, x, Activation::None).unwrap() } else { y }
}

/// Seconds of processor time of all threads.
fn processor() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// Processor microseconds and images a second.
fn measure(net: &Net, batch: usize, isa: Isa, threads: usize, seconds: f64) -> (f64, f64) {
    let mut random = Random::new(1);
    let inputs: Vec<f32> = (0..batch * net.input_len()).map(|_| random.uniform(-1.7, 1.7)).collect();
    let labels: Vec<u32> = (0..batch).map(|i| (i * 7 % 10) as u32).collect();
    let settings = Settings {
        batch,
        threads,
        isa,
        loss: Loss { smoothing: 0.0, distillation: 0.0 },
        optimiser: Optimiser::Sgd { momentum: 0.9 },
        rate: 0.01,
        schedule: Schedule::Constant,
        decay: 0.0,
        ..Settings::default()
    };
    let mut trainer = Trainer::new(net.clone(), settings, 1).unwrap();
    let samples = Samples::new(net, &inputs, &labels).unwrap();
    for _ in 0..2 {
        trainer.step(&samples, 0.0).unwrap();
    }
    let (wall, cpu, mut steps) = (Instant::now(), processor(), 0);
    while steps < 3 || wall.elapsed().as_secs_f64() < seconds {
        trainer.step(&samples, 0.0).unwrap();
        steps += 1;
    }
    let images = (steps * batch) as f64;
    ((processor() - cpu) / images * 1e6, images / wall.elapsed().as_secs_f64())
}

/// The same of PyTorch. Of several threads it is the better of two runs: in the second, idle threads sleep rather than
/// spin, which costs it much on a busy machine.
fn torch(python: &str, name: &str, pixels: usize, batch: usize, threads: usize, seconds: f64) -> (f64, f64) {
    let run = |command: &mut Command| torch_once(command, name, pixels, batch, threads, seconds);
    let usual = run(&mut Command::new(python));
    if threads == 1 {
        return usual;
    }
    let sleeping = run(Command::new(python).env("OMP_WAIT_POLICY", "PASSIVE"));
    if sleeping.0 < usual.0 { sleeping } else { usual }
}

fn torch_once(
    command: &mut Command,
    name: &str,
    pixels: usize,
    batch: usize,
    threads: usize,
    seconds: f64,
) -> (f64, f64) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/torch_speed.py");
    let arguments = [pixels, batch, threads].map(|n| n.to_string());
    let output = command.arg(script).arg(name).args(arguments).arg(seconds.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let seconds: f64 = arguments.first().map_or(3.0, |s| s.parse().expect("seconds"));
    let python = std::env::var("SMIDGEN_TORCH").ok();
    let networks = [
        ("mobilenet", 32, 128, network(32, 0.35, (16, 2), 1280, MOBILENET)),
        ("mobilenet", 96, 64, network(96, 0.35, (16, 2), 1280, MOBILENET)),
        ("residual", 32, 128, network(32, 1.0, (16, 1), 0, RESIDUAL)),
    ];
    println!("processor us an image (images a second)");
    for threads in [1, 2] {
        let mut ratios: Vec<(Isa, f64)> = Vec::new();
        for (name, pixels, batch, net) in &networks {
            if arguments.get(1).is_some_and(|a| !format!("{name}{pixels}").contains(a.as_str())) {
                continue;
            }
            let torch = python.as_ref().map(|p| torch(p, name, *pixels, *batch, threads, seconds));
            let (parameters, macs) = (net.parameter_count(), net.macs());
            println!("{name} {pixels}x{pixels} batch {batch}, {threads} threads: {parameters} parameters, {macs} MACs");
            if let Some((us, speed)) = torch {
                println!("  torch     {us:7.0} ({speed:.0})");
            }
            for isa in Isa::available().into_iter().filter(|isa| isa.name() != "portable") {
                let (us, speed) = measure(net, *batch, isa, threads, seconds);
                let ratio = torch.map(|(t, _)| us / t);
                let beside = ratio.map_or(String::new(), |r| format!("  {r:.2} of torch"));
                println!("  {:9} {us:7.0} ({speed:.0}){beside}", isa.name());
                ratios.extend(ratio.map(|r| (isa, r)));
            }
        }
        for isa in Isa::available() {
            let own: Vec<f64> = ratios.iter().filter(|(i, _)| *i == isa).map(|(_, r)| r.ln()).collect();
            if !own.is_empty() {
                let mean = (own.iter().sum::<f64>() / own.len() as f64).exp();
                println!("{} threads {threads}: geometric mean {mean:.3} of torch", isa.name());
            }
        }
    }
}
