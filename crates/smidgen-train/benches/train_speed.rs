//! CPU time of training, forward, backward and update, beside PyTorch.
//!
//! `cargo xtask bench train-speed [SECONDS [NETWORK [REPETITIONS [THREADS]]]]`, NETWORK being one of `mobilenet32`,
//! `mobilenet96`, `residual32` and `all`; with one thread and with two, or with THREADS. Each instruction set is measured in
//! turn, as often as there are repetitions (20). With
//! `SMIDGEN_TORCH` naming a Python that has PyTorch, each measurement is followed by one of PyTorch's of the same
//! network, channels last, limited to the same instruction set, so that both see the same machine; the median of the
//! pairs' ratios is told.

use rustix::time::{ClockId, clock_gettime};
use smidgen_train::{
    Activation, Builder, ConvLayer, Isa, Loss, Net, Optimiser, Random, Samples, Schedule, Settings, Trainer, Value,
};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
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

/// Training of one network, ready to take steps.
struct Ours<'a> {
    trainer: Trainer,
    inputs: Vec<f32>,
    labels: Vec<u32>,
    net: &'a Net,
}

impl<'a> Ours<'a> {
    fn new(net: &'a Net, batch: usize, isa: Isa, threads: usize) -> Self {
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
        Self { trainer: Trainer::new(net.clone(), settings, 1).unwrap(), inputs, labels, net }
    }

    /// Processor microseconds an image, and images a second.
    fn measure(&mut self, seconds: f64) -> (f64, f64) {
        let samples = Samples::new(self.net, &self.inputs, &self.labels).unwrap();
        self.trainer.step(&samples, 0.0).unwrap();
        let (wall, cpu, mut steps) = (Instant::now(), processor(), 0);
        while steps < 2 || wall.elapsed().as_secs_f64() < seconds {
            self.trainer.step(&samples, 0.0).unwrap();
            steps += 1;
        }
        let images = (steps * self.labels.len()) as f64;
        ((processor() - cpu) / images * 1e6, images / wall.elapsed().as_secs_f64())
    }
}

/// A PyTorch process that measures when it is asked to.
struct Torch {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Torch {
    /// Of several threads, `passive` ones sleep while they have nothing to do rather than spin, which costs PyTorch much
    /// on a busy machine.
    fn start(python: &str, name: &str, [pixels, batch, threads]: [usize; 3], isa: Isa, passive: bool) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/torch_speed.py");
        let mut command = Command::new(python);
        command.arg(script).arg(name).args([pixels, batch, threads].map(|n| n.to_string()));
        if isa.name() == "avx2" {
            command.env("ATEN_CPU_CAPABILITY", "avx2").env("ONEDNN_MAX_CPU_ISA", "AVX2");
        }
        if passive {
            command.env("OMP_WAIT_POLICY", "PASSIVE");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python");
        let answers = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, answers }
    }

    fn measure(&mut self, seconds: f64) -> (f64, f64) {
        writeln!(self.child.stdin.as_mut().expect("its input"), "{seconds}").expect("PyTorch listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("PyTorch answers");
        let mut numbers = line.split_whitespace().map(|n| n.parse::<f64>().expect("a number"));
        (numbers.next().expect("microseconds"), numbers.next().expect("images a second"))
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The middle of some numbers, and what a quarter of them are below and above.
fn quartiles(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| all[(all.len() - 1) * quarter / 4])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let seconds: f64 = arguments.first().map_or(0.5, |s| s.parse().expect("seconds"));
    let wanted = arguments.get(1).map(String::as_str).filter(|name| *name != "all");
    let repetitions: usize = arguments.get(2).map_or(20, |n| n.parse().expect("repetitions"));
    let threads: Vec<usize> = arguments.get(3).map_or(vec![1, 2], |n| vec![n.parse().expect("threads")]);
    let python = std::env::var("SMIDGEN_TORCH").ok();
    let networks = [
        ("mobilenet", 32, 128, network(32, 0.35, (16, 2), 1280, MOBILENET)),
        ("mobilenet", 96, 64, network(96, 0.35, (16, 2), 1280, MOBILENET)),
        ("residual", 32, 128, network(32, 1.0, (16, 1), 0, RESIDUAL)),
    ];
    let isas: Vec<Isa> = Isa::available().into_iter().filter(|isa| isa.name() != "portable").collect();
    println!("processor us an image (images a second): medians of {repetitions}");
    for threads in threads {
        let mut ratios: Vec<(Isa, f64)> = Vec::new();
        for (name, pixels, batch, net) in &networks {
            if wanted.is_some_and(|wanted| !format!("{name}{pixels}").contains(wanted)) {
                continue;
            }
            let (parameters, macs) = (net.parameter_count(), net.macs());
            println!("{name} {pixels}x{pixels} batch {batch}, {threads} threads: {parameters} parameters, {macs} MACs");
            for &isa in &isas {
                let mut ours = Ours::new(net, *batch, isa, threads);
                let sizes = [*pixels, *batch, threads];
                let waiting = if threads == 1 { vec![false] } else { vec![false, true] };
                let start = |python: &String| -> Vec<Torch> {
                    waiting.iter().map(|&passive| Torch::start(python, name, sizes, isa, passive)).collect()
                };
                let mut torch = python.as_ref().map(start).unwrap_or_default();
                let (mut own, mut their, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
                for _ in 0..repetitions {
                    let one = ours.measure(seconds);
                    own.push(one);
                    // The better of those that spin and those that sleep.
                    let other = torch.iter_mut().map(|torch| torch.measure(seconds)).min_by(|a, b| a.0.total_cmp(&b.0));
                    if let Some(other) = other {
                        their.push(other);
                        pairs.push(one.0 / other.0);
                    }
                }
                let middle = |all: &[(f64, f64)]| {
                    let of = |pick: fn(&(f64, f64)) -> f64| quartiles(all.iter().map(pick).collect())[1];
                    (of(|one| one.0), of(|one| one.1))
                };
                let (us, speed) = middle(&own);
                let mut line = format!("  {:9} {us:7.0} ({speed:.0})", isa.name());
                if !pairs.is_empty() {
                    let ((us, speed), [low, ratio, high]) = (middle(&their), quartiles(pairs));
                    line += &format!("  torch {us:7.0} ({speed:.0})  ratio {ratio:.3} ({low:.3} to {high:.3})");
                    ratios.push((isa, ratio));
                }
                println!("{line}");
            }
        }
        for &isa in &isas {
            let own: Vec<f64> = ratios.iter().filter(|(i, _)| *i == isa).map(|(_, r)| r.ln()).collect();
            if !own.is_empty() {
                let mean = (own.iter().sum::<f64>() / own.len() as f64).exp();
                println!("{} threads {threads}: geometric mean {mean:.3} of torch", isa.name());
            }
        }
    }
}
