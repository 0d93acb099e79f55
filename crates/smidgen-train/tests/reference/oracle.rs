//! PyTorch in float64 as a second witness, where `SMIDGEN_TORCH` names a Python that has it.

use super::{Layer, Model, Padding, Window, name, wide};
use smidgen_ir::{Function, Graph, Op, PadValue, PoolKind, ReduceKind, TensorId, UnaryKind};
use smidgen_reference::{Lack, skip};
use smidgen_train::{Addend, ConvLayer, Net, Trainer};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the network computes, in Python.
pub struct Program {
    text: String,
    files: Vec<(String, Vec<u8>)>,
}

/// A Python with PyTorch that runs a script of this folder: it reads folders' names, and answers each with a line.
pub struct Python(Child);

impl Python {
    /// `None` if there is no PyTorch, which is said.
    pub fn start(script: &str, what: &str) -> Option<Mutex<Self>> {
        let Some(python) = std::env::var_os("SMIDGEN_TORCH") else {
            skip(Lack::Optional, what, "SMIDGEN_TORCH names no Python that has PyTorch");
            return None;
        };
        let script = format!("{}/tests/reference/{script}", env!("CARGO_MANIFEST_DIR"));
        let piped = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Some(Mutex::new(Self(piped.expect("the Python of SMIDGEN_TORCH starts"))))
    }

    /// Hands files over, and gives the doubles of those that lie there when it has answered.
    pub fn ask<const N: usize>(
        &mut self,
        files: &[(&str, Vec<u8>)],
        answers: [&str; N],
        program: &str,
    ) -> [Vec<f64>; N] {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", self.0.id()));
        std::fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
        writeln!(self.0.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
        let mut answer = String::new();
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "PyTorch failed at\n{program}");
        let doubles = answers.map(|name| {
            let bytes = std::fs::read(folder.join(name)).unwrap();
            bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
        });
        std::fs::remove_dir_all(&folder).unwrap();
        doubles
    }
}

/// Compares the trainer's last gradient, parameter by parameter, with PyTorch's. `false` if there is no PyTorch.
pub fn agrees(program: Program, trainer: &Trainer, inputs: &[f32], labels: &[u32]) -> bool {
    static ORACLE: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
    let oracle = ORACLE.get_or_init(|| Python::start("oracle.py", "the comparison with PyTorch"));
    let Some(oracle) = oracle else { return false };
    let floats = |x: &[f32]| x.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let mut files = vec![
        ("p.bin", floats(trainer.parameters())),
        ("x.bin", floats(inputs)),
        ("y.bin", labels.iter().flat_map(|l| l.to_le_bytes()).collect()),
        ("program.py", program.text.clone().into_bytes()),
    ];
    files.extend(program.files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    let [exact] = oracle.lock().unwrap_or_else(PoisonError::into_inner).ask(&files, ["g.bin"], &program.text);
    let own = wide(trainer.gradient());
    assert_eq!(own.len(), exact.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let whole = norm(&mut exact.iter().copied());
    for q in trainer.net().parameters() {
        let error = norm(&mut q.range().map(|i| own[i] - exact[i]));
        let relative = error / norm(&mut q.range().map(|i| exact[i])).max(1e-3 * whole);
        assert!(relative < 1e-4, "{}: relative error {relative:e} from PyTorch's, in\n{}", q.name, program.text);
    }
    true
}

fn header(shape: &[usize], shard: usize, smoothing: f32) -> String {
    format!("shape, shard, smoothing = {shape:?}, {shard}, {smoothing}\n\ndef network(x):\n")
}

/// The pixels of padding above, below, to the left and to the right, and those above and to the left.
fn pads(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding: Padding) -> String {
    let along = |i: usize| {
        let w = Window::resolve(input[i], kernel[i], stride[i], dilation[i], padding, i).unwrap();
        (w.before, ((w.output - 1) * w.stride + w.extent()).saturating_sub(input[i] + w.before))
    };
    let ((top, bottom), (left, right)) = (along(0), along(1));
    format!("({top}, {bottom}, {left}, {right})")
}

fn pair(x: [usize; 2]) -> String {
    format!("({}, {})", x[0], x[1])
}

/// A model of fused layers.
pub fn of_model(model: &Model, net: &Net, shard: usize, smoothing: f32) -> Program {
    let mut text = header(&model.input, shard, smoothing);
    text.push_str("    v0 = x\n");
    let mut shapes = vec![model.input.clone()];
    for (i, layer) in model.layers.iter().enumerate() {
        let span = |what: &str| {
            let wanted = format!("{}.{what}", name(i));
            let q = net.parameters().iter().find(|q| q.name == wanted).unwrap();
            let shape: Vec<String> = q.shape.iter().map(usize::to_string).collect();
            format!("span({}, {})", q.offset, shape.join(", "))
        };
        let after = |addend: Addend, x: String| match addend {
            Addend::None => x,
            Addend::Bias => format!("{x} + {}", span("bias")),
            Addend::Norm => format!("norm({x}, {}, {})", span("scale"), span("shift")),
        };
        let conv = |x: usize, layer: &ConvLayer, w: String, groups: usize| {
            let [h, wd] = [shapes[x][0], shapes[x][1]];
            let ConvLayer { kernel, stride, dilation, padding, .. } = *layer;
            let pads = pads([h, wd], kernel, stride, dilation, padding);
            format!("conv(v{x}, {w}, None, {}, {}, {pads}, {groups})", pair(stride), pair(dilation))
        };
        let (expression, shape) = match layer {
            Layer::Conv { x, filters, layer } => {
                let pointwise =
                    net.parameters().iter().any(|q| q.name == format!("{}.weight", name(i)) && q.shape.len() == 2);
                let w = if pointwise {
                    format!("{}.t().reshape({filters}, -1, 1, 1)", span("weight"))
                } else {
                    format!("{}.permute(3, 2, 0, 1)", span("weight"))
                };
                let y = after(layer.addend, conv(*x, layer, w, 1));
                (format!("act({y}, '{:?}')", layer.activation), resolved(&shapes[*x], layer, *filters))
            }
            Layer::Depthwise { x, layer } => {
                let c = shapes[*x][2];
                let w = format!("{}.permute(2, 0, 1).unsqueeze(1)", span("weight"));
                let y = after(layer.addend, conv(*x, layer, w, c));
                (format!("act({y}, '{:?}')", layer.activation), resolved(&shapes[*x], layer, c))
            }
            Layer::Add { x, y, activation } => (format!("act(v{x} + v{y}, '{activation:?}')"), shapes[*x].clone()),
            Layer::Activate { x, activation } => (format!("act(v{x}, '{activation:?}')"), shapes[*x].clone()),
            Layer::Pool { x } => (format!("v{x}.mean((1, 2))"), vec![shapes[*x][2]]),
            Layer::Linear { x, outputs, addend, activation } => {
                let y = after(*addend, format!("v{x} @ {}", span("weight")));
                (format!("act({y}, '{activation:?}')"), vec![*outputs])
            }
        };
        writeln!(text, "    v{} = {expression}", i + 1).unwrap();
        shapes.push(shape);
    }
    writeln!(text, "    return v{}", model.layers.len()).unwrap();
    Program { text, files: Vec::new() }
}

fn resolved(input: &[usize], layer: &ConvLayer, c: usize) -> Vec<usize> {
    let along = |i: usize| {
        Window::resolve(input[i], layer.kernel[i], layer.stride[i], layer.dilation[i], layer.padding, i).unwrap().output
    };
    vec![along(0), along(1), c]
}

/// A graph whose output, or the input of the SOFTMAX before it, is `wanted`. Its batch is 1: samples go one by one.
pub fn of_graph(graph: &Graph, net: &Net, wanted: TensorId, smoothing: f32) -> Program {
    let mut text = header(graph.tensor(graph.inputs[0]).shape.dims(), 1, smoothing);
    let mut files = Vec::new();
    // An element among the parameters is given its own number, and found again among the constants.
    let marks = |by: f32| (0..net.parameter_count()).map(|i| i as f32 + by).collect::<Vec<f32>>();
    let (marked, other) = (net.to_graph(&marks(0.0), &[]).unwrap(), net.to_graph(&marks(0.5), &[]).unwrap());
    writeln!(text, "    v{} = x[0]", graph.inputs[0].0).unwrap();
    for (i, tensor) in graph.tensors.iter().enumerate().filter(|(_, t)| t.is_constant()) {
        let (own, id) = (tensor.floats().unwrap(), TensorId(i as u32));
        let places = marked.tensor(id).floats().unwrap();
        let dims = tensor.shape.dims();
        if marked.tensor(id) == other.tensor(id) {
            files.push((format!("t{i}.bin"), own.iter().flat_map(|v| v.to_le_bytes()).collect()));
            writeln!(text, "    v{i} = constant({i}, {dims:?})").unwrap();
        } else {
            files.push((format!("i{i}.bin"), places.iter().flat_map(|&v| (v as u32).to_le_bytes()).collect()));
            writeln!(text, "    v{i} = bound({i}, {dims:?})").unwrap();
        }
    }
    for operator in &graph.operators {
        let inputs: Vec<String> = operator.inputs.iter().map(|t| format!("v{}", t.0)).collect();
        for (k, output) in operator.outputs.iter().enumerate() {
            let dims = graph.tensor(*output).shape.dims();
            let shapes: Vec<&[usize]> = operator.inputs.iter().map(|&t| graph.tensor(t).shape.dims()).collect();
            let y = expression(&operator.op, &inputs, &shapes, dims, k);
            writeln!(text, "    v{} = {y}", output.0).unwrap();
        }
    }
    writeln!(text, "    return v{}", wanted.0).unwrap();
    Program { text, files }
}

/// An operator in Python.
fn expression(op: &Op, inputs: &[String], shapes: &[&[usize]], dims: &[usize], k: usize) -> String {
    let (x, w) = (&inputs[0], inputs.get(1).cloned().unwrap_or_default());
    let bias = inputs.get(2).map_or("None", String::as_str);
    match op {
        Op::Conv2d(p) | Op::DepthwiseConv2d { conv: p, .. } => {
            let kernel = [shapes[1][1], shapes[1][2]];
            let pads = pads([shapes[0][1], shapes[0][2]], kernel, p.stride, p.dilation, p.padding);
            let (order, groups) = match op {
                Op::Conv2d(_) => ("0, 3, 1, 2", 1),
                _ => ("3, 0, 1, 2", shapes[0][3]),
            };
            let (stride, dilation) = (pair(p.stride), pair(p.dilation));
            let y = format!("conv({x}, {w}.permute({order}), {bias}, {stride}, {dilation}, {pads}, {groups})");
            format!("act({y}, '{:?}')", p.activation)
        }
        Op::TransposeConv { stride, padding, output, activation } => {
            let along =
                |i: usize| Window::resolve(output[i], shapes[1][i + 1], stride[i], 1, *padding, i).unwrap().before;
            let (before, stride, output) = (pair([along(0), along(1)]), pair(*stride), pair(*output));
            format!(
                "act(transposed({x}, {w}.permute(3, 0, 1, 2), {bias}, {stride}, {before}, {output}), '{activation:?}')"
            )
        }
        Op::FullyConnected { activation, .. } => {
            format!("act(F.linear({x}.reshape(-1, {}), {w}, {bias}), '{activation:?}').reshape({dims:?})", shapes[1][1])
        }
        Op::Binary { kind, activation } => {
            let name = format!("{kind:?}").to_lowercase();
            format!("act(torch.{name}({x}, {w}), '{activation:?}')")
        }
        Op::Pool2d { kind, window, stride, padding, activation } => {
            let pads = pads([shapes[0][1], shapes[0][2]], *window, *stride, [1; 2], *padding);
            let name = if *kind == PoolKind::Average { "average" } else { "greatest" };
            format!("act({name}({x}, {}, {}, {pads}), '{activation:?}')", pair(*window), pair(*stride))
        }
        Op::Reduce { kind, axes, .. } => {
            let name = match kind {
                ReduceKind::Mean => "mean",
                ReduceKind::Sum => "sum",
                ReduceKind::Max => "amax",
                ReduceKind::Min => "amin",
            };
            format!("{x}.{name}({axes:?}).reshape({dims:?})")
        }
        Op::Pad { pads, value } => {
            let sizes: Vec<String> = pads.iter().rev().map(|p| format!("{}, {}", p[0], p[1])).collect();
            let value = if let PadValue::Float(v) = value { *v } else { 0.0 };
            format!("F.pad({x}, ({}), value={value})", sizes.join(", "))
        }
        Op::Reshape { .. } => format!("{x}.reshape({dims:?})"),
        Op::Transpose { perm } => format!("{x}.permute({perm:?})"),
        Op::Concatenation { axis, activation } => {
            format!("act(torch.cat([{}], {axis}), '{activation:?}')", inputs.join(", "))
        }
        Op::Split { axis, parts } => format!("torch.chunk({x}, {parts}, {axis})[{k}]"),
        Op::Pack { axis } => format!("torch.stack([{}], {axis})", inputs.join(", ")),
        Op::Unpack { axis } => format!("{x}.select({axis}, {k})"),
        Op::Slice { begin, size } => {
            let parts: Vec<String> = begin.iter().zip(size).map(|(b, s)| format!("{b}:{}", b + s)).collect();
            format!("{x}[{}]", parts.join(", "))
        }
        Op::StridedSlice { axes } => {
            let mut y = x.clone();
            for (axis, a) in axes.iter().enumerate() {
                let at: Vec<isize> = (0..a.len).map(|i| a.start as isize + i as isize * a.stride).collect();
                y = format!("{y}.index_select({axis}, torch.tensor({at:?}))");
            }
            format!("{y}.reshape({dims:?})")
        }
        Op::Resize { kind, output, align_corners, half_pixel_centers } => {
            let flag = |on: bool| if on { "True" } else { "False" };
            let (align, half) = (flag(*align_corners), flag(*half_pixel_centers));
            format!("resize({x}, '{kind:?}', {}, {align}, {half})", pair(*output))
        }
        Op::Softmax { beta } => format!("torch.softmax({x} * {beta}, -1)"),
        Op::Unary(kind) => match kind {
            UnaryKind::Logistic => format!("torch.sigmoid({x})"),
            UnaryKind::LeakyRelu { alpha } => format!("F.leaky_relu({x}, {alpha})"),
            UnaryKind::Tanh | UnaryKind::Exp | UnaryKind::Log => {
                format!("torch.{}({x})", format!("{kind:?}").to_lowercase())
            }
            UnaryKind::Function(Function::GeluTanh) => format!("F.gelu({x}, approximate='tanh')"),
            UnaryKind::Function(function @ (Function::Elu | Function::Gelu | Function::Softplus)) => {
                format!("F.{}({x})", format!("{function:?}").to_lowercase())
            }
            UnaryKind::Function(function) => format!("torch.{}({x})", format!("{function:?}").to_lowercase()),
            _ => format!("act({x}, '{kind:?}')"),
        },
        Op::BatchMatmul { adjoint } => {
            let turned = |operand: &str, turned: bool| match turned {
                true => format!("{operand}.transpose(-2, -1)"),
                false => operand.to_owned(),
            };
            format!("torch.matmul({}, {})", turned(x, adjoint[0]), turned(&w, adjoint[1]))
        }
        Op::Prelu => format!("torch.where({x} > 0, {x}, {w} * {x})"),
        Op::ArgMax { .. }
        | Op::Normalise(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Gather { .. }
        | Op::Cast
        | Op::Quantize
        | Op::Dequantize
        | Op::Recurrent(_)
        | Op::Svdf { .. } => panic!("no operator of real numbers"),
    }
}
