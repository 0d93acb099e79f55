//! Element-wise operators, movement and reductions: what each declares to the planner is what it does, whatever the schedule; and int8
//! arithmetic stays within a step of the same arithmetic on real numbers.

use proptest::prelude::*;
use smidgen_certify::live_ranges;
use smidgen_certify::{Certified, certify};
use smidgen_exec::Executor;
use smidgen_ir::{
    Activation, AxisSlice, BinaryKind, DataType, ElementType, Graph, Op, PadValue, ReduceKind, ResizeKind, Tensor,
    TensorId, UnaryKind, infer, validate,
};
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::{PlanError, PlanOptions, ScheduleChoice, layer_wise, plan};
use smidgen_program::Operand;

/// Numbers drawn from a seed (xorshift).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// In `low .. high`.
    fn range(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() >> 16) as usize % (high - low)
    }

    fn chance(&mut self, of_ten: usize) -> bool {
        self.range(0, 10) < of_ten
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.range(0, of.len())].clone()
    }

    fn int8(&mut self) -> DataType {
        let scale = self.range(1, 64) as f32 / 512.0;
        DataType::int8(scale, self.pick(&[-128, 127, 0, 5, -77]))
    }

    fn bytes(&mut self, element: ElementType, count: usize) -> Vec<u8> {
        match element {
            ElementType::Float32 => {
                (0..count).flat_map(|_| (self.range(0, 4000) as f32 / 500.0 - 4.0).to_le_bytes()).collect()
            }
            _ => (0..count).map(|_| (self.next() >> 20) as u8).collect(),
        }
    }
}

/// A graph under construction.
struct Network {
    graph: Graph,
    draw: Draw,
    float: bool,
}

impl Network {
    fn dtype(&mut self) -> DataType {
        if self.float { DataType::FLOAT32 } else { self.draw.int8() }
    }

    fn dims(&self, id: TensorId) -> [usize; 4] {
        self.graph.tensor(id).shape.nhwc().expect("four dimensions")
    }

    /// Appends an operator; its outputs have the type given, or that of the first input.
    fn add(&mut self, op: Op, inputs: Vec<TensorId>, dtype: Option<DataType>) -> Vec<TensorId> {
        let tensors: Vec<&Tensor> = inputs.iter().map(|&t| self.graph.tensor(t)).collect();
        let dtype = dtype.unwrap_or_else(|| tensors[0].dtype.clone());
        let shapes = infer::infer(&op, &tensors).unwrap_or_else(|e| panic!("{op:?}: {e:?}"));
        let outputs = (shapes.into_iter())
            .map(|s| self.graph.add_tensor(Tensor::activation("t", s.shape, dtype.clone())))
            .collect::<Vec<_>>();
        self.graph.add_operator(op, inputs, outputs.clone());
        outputs
    }

    fn constant(&mut self, dims: Vec<usize>, dtype: DataType) -> TensorId {
        let bytes = self.draw.bytes(dtype.element(), dims.iter().product());
        self.graph.add_tensor(Tensor::constant("c", dims, dtype, bytes))
    }

    /// Appends a random operator to `x`, of the same rank; `earlier` are tensors that it may also read.
    fn grow(&mut self, x: TensorId, earlier: &[TensorId]) -> TensorId {
        let dims = self.dims(x);
        let [_, h, w, c] = dims;
        let activation = self.draw.pick(&[Activation::None, Activation::Relu, Activation::Relu6]);
        match self.draw.range(0, 13) {
            0 => {
                let kinds =
                    [UnaryKind::Tanh, UnaryKind::Relu, UnaryKind::HardSwish, UnaryKind::LeakyRelu { alpha: 0.1 }];
                let (kind, dtype) = (self.draw.pick(&kinds), self.dtype());
                // HARD_SWISH cannot write scales under 1/128 of its input's; all scales here are closer than that.
                self.add(Op::Unary(kind), vec![x], Some(dtype))[0]
            }
            1 => {
                let kind = self.draw.pick(&[BinaryKind::Add, BinaryKind::Sub, BinaryKind::Mul]);
                let shape: Vec<usize> = dims.iter().map(|&d| if self.draw.chance(5) { d } else { 1 }).collect();
                let skip = self.draw.range(0, 4);
                let (of, dtype) = (self.dtype(), self.dtype());
                let other = self.constant(shape[skip..].to_vec(), of);
                let inputs = if self.draw.chance(5) { vec![x, other] } else { vec![other, x] };
                self.add(Op::Binary { kind, activation }, inputs, Some(dtype))[0]
            }
            2 | 3 => {
                let same: Vec<_> = earlier.iter().copied().filter(|&e| self.dims(e) == dims).collect();
                let other = if same.is_empty() { x } else { self.draw.pick(&same) };
                let dtype = self.dtype();
                self.add(Op::Binary { kind: BinaryKind::Add, activation }, vec![other, x], Some(dtype))[0]
            }
            4 => {
                let mut side = |most| [self.draw.range(0, most), self.draw.range(0, most)];
                let pads = vec![side(2), side(3), side(3), side(3)];
                self.add(Op::Pad { pads, value: PadValue::Zero }, vec![x], None)[0]
            }
            5 => {
                let begin: Vec<usize> = dims.iter().map(|&d| self.draw.range(0, d)).collect();
                let size = dims.iter().zip(&begin).map(|(&d, &b)| self.draw.range(1, d - b + 1)).collect();
                self.add(Op::Slice { begin, size }, vec![x], None)[0]
            }
            6 => {
                let axis = |draw: &mut Draw, d: usize| {
                    let (start, stride) = (draw.range(0, d), draw.range(1, 3));
                    AxisSlice { start, stride: stride as isize, len: (d - start).div_ceil(stride), shrink: false }
                };
                let axes = dims.iter().map(|&d| axis(&mut self.draw, d)).collect();
                self.add(Op::StridedSlice { axes }, vec![x], None)[0]
            }
            7 | 8 => {
                let kind = self.draw.pick(&[ResizeKind::Nearest, ResizeKind::Bilinear]);
                let mode = self.draw.range(0, 3);
                let output =
                    if self.draw.chance(3) { [2 * h, 2 * w] } else { [self.draw.range(1, 12), self.draw.range(1, 12)] };
                let op = Op::Resize { kind, output, align_corners: mode == 1, half_pixel_centers: mode == 2 };
                self.add(op, vec![x], None)[0]
            }
            9 => {
                let axis = self.draw.range(0, 4);
                let dtype = self.graph.tensor(x).dtype.clone();
                let fits = |e: &TensorId| {
                    let shape = (0..4).all(|a| a == axis || self.dims(*e)[a] == dims[a]);
                    shape && self.graph.tensor(*e).dtype == dtype
                };
                let others: Vec<TensorId> = earlier.iter().copied().filter(fits).collect();
                let constant = self.constant(dims.to_vec(), dtype);
                let other = if others.is_empty() { constant } else { self.draw.pick(&others) };
                let activation = if self.float { activation } else { Activation::None };
                self.add(Op::Concatenation { axis, activation }, vec![x, other, constant], None)[0]
            }
            10 if c % 2 == 0 => {
                let parts = self.add(Op::Split { axis: 3, parts: 2 }, vec![x], None);
                let dtype = self.dtype();
                self.add(Op::Binary { kind: BinaryKind::Mul, activation }, parts, Some(dtype))[0]
            }
            11 => self.add(Op::Transpose { perm: vec![0, 2, 1, 3] }, vec![x], None)[0],
            _ => {
                let dtype = if self.float { DataType::FLOAT32 } else { DataType::int8(1.0 / 256.0, -128) };
                self.add(Op::Softmax { beta: 0.7 }, vec![x], Some(dtype))[0]
            }
        }
    }
}

/// A random chain with some branches.
fn network(seed: u64) -> Graph {
    let mut draw = Draw(seed | 1);
    draw.next();
    let (float, batch) = (draw.chance(3), draw.pick(&[1, 1, 1, 2]));
    let mut net = Network { graph: Graph::new("random"), draw, float };
    let dims = vec![batch, net.draw.range(1, 9), net.draw.range(1, 9), net.draw.range(1, 6)];
    let dtype = net.dtype();
    let mut x = net.graph.add_input(Tensor::activation("x", dims, dtype));
    let mut earlier = vec![x];
    for _ in 0..net.draw.range(1, 5) {
        x = net.grow(x, &earlier);
        earlier.push(x);
    }
    if net.draw.chance(4) {
        let (kind, keep_dims) = (net.draw.pick(&[ReduceKind::Mean, ReduceKind::Sum]), net.draw.chance(5));
        let dtype = net.dtype();
        x = net.add(Op::Reduce { kind, axes: vec![1, 2], keep_dims }, vec![x], Some(dtype))[0];
    }
    net.graph.outputs = vec![x];
    net.graph
}

fn run(program: Certified, inputs: &[Vec<u8>], poison: bool) -> Vec<u8> {
    let live = poison.then(|| live_ranges(&program).after);
    let mut executor = Executor::new(program);
    if let Some(live) = live {
        executor = executor.with_poison(live).expect("ranges inside the arena");
    }
    for (i, input) in inputs.iter().enumerate() {
        executor.set_input(i, input).expect("an input of this size");
    }
    executor.run();
    executor.output(0).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows, columns, rings and overlaps follow from what a step declares, so a wrong declaration gives other bytes.
    #[test]
    fn every_schedule_gives_the_same_bytes(seed in any::<u64>()) {
        let graph = network(seed);
        validate(&graph).unwrap_or_else(|e| panic!("{e:?}"));
        let lowered = lower(&graph, &LowerOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let mut draw = Draw(seed.rotate_left(17) | 1);
        let input = graph.tensor(graph.inputs[0]);
        let inputs = vec![draw.bytes(input.element(), input.shape.elements())];
        let expected = run(certify(layer_wise(&lowered)).expect("a sound program"), &inputs, false);
        let tiles = ScheduleChoice::Patch { rows: 2, cols: 2, operators: draw.range(1, 4) };
        let strips = ScheduleChoice::Strips { count: 2, operators: draw.range(1, 4) };
        for schedule in [ScheduleChoice::Layer, ScheduleChoice::Stream, ScheduleChoice::Auto, tiles, strips] {
            for stream_input in [false, true] {
                let options = PlanOptions { schedule, stream_input, ..PlanOptions::default() };
                let plan = match plan(&lowered, &options) {
                    Ok(plan) => plan,
                    Err(PlanError::Tile(_) | PlanError::StreamedTiles(_)) => continue,
                    Err(error) => panic!("{schedule}: {error}"),
                };
                let got = run(plan.program, &inputs, true);
                prop_assert!(got == expected, "{schedule}, input streamed: {stream_input}\n{graph:#?}");
            }
        }
    }

    /// The float kernels on the real numbers that the stored integers stand for are the model.
    #[test]
    fn int8_is_within_a_step_of_real_arithmetic(seed in any::<u64>()) {
        let mut draw = Draw(seed | 1);
        draw.next();
        let dims = vec![1, draw.range(1, 5), draw.range(1, 5), draw.range(1, 5)];
        let binary = |kind, activation| Op::Binary { kind, activation };
        let mean = Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true };
        let (op, count) = draw.pick(&[
            (binary(BinaryKind::Add, Activation::Relu6), 2),
            (binary(BinaryKind::Sub, Activation::None), 2),
            (binary(BinaryKind::Mul, Activation::ReluN1To1), 2),
            (mean, 1),
            (Op::Softmax { beta: 1.3 }, 1),
            (Op::Quantize, 1),
        ]);
        let from: Vec<DataType> = (0..count).map(|_| draw.int8()).collect();
        let to = if matches!(op, Op::Softmax { .. }) { DataType::int8(1.0 / 256.0, -128) } else { draw.int8() };
        let stored: Vec<Vec<u8>> = from.iter().map(|_| draw.bytes(ElementType::Int8, dims.iter().product())).collect();
        let got = run_one(op.clone(), &dims, &from, to.clone(), &stored);
        let (scale, zero_point) = to.quantisation().and_then(|q| q.per_tensor()).expect("int8");
        let real: Vec<Vec<u8>> = (from.iter().zip(&stored))
            .map(|(dtype, bytes)| {
                let (scale, zero) = dtype.quantisation().and_then(|q| q.per_tensor()).expect("int8");
                bytes.iter().flat_map(|&b| (scale * (b as i8 as i32 - zero) as f32).to_le_bytes()).collect()
            })
            .collect();
        let exact = match op {
            Op::Quantize => real[0].clone(),
            op => run_one(op, &dims, &vec![DataType::FLOAT32; count], DataType::FLOAT32, &real),
        };
        for (&got, exact) in got.iter().zip(exact.chunks_exact(4)) {
            let exact = f32::from_le_bytes(exact.try_into().expect("four bytes")) as f64;
            let step = (exact / scale as f64 + zero_point as f64).clamp(-128.0, 127.0);
            prop_assert!((got as i8 as f64 - step).abs() <= 1.0, "{} for {step} steps", got as i8);
        }
    }
}

/// The output of one operator on inputs of the same dimensions.
fn run_one(op: Op, dims: &[usize], from: &[DataType], to: DataType, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut net = Network { graph: Graph::new("one"), draw: Draw(1), float: false };
    let ids = from.iter().map(|d| net.graph.add_input(Tensor::activation("x", dims.to_vec(), d.clone()))).collect();
    net.graph.outputs = net.add(op, ids, Some(to));
    let lowered = lower(&net.graph, &LowerOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(lowered.inputs.iter().all(|port| matches!(port.operand, Operand::Buffer(..))));
    run(certify(layer_wise(&lowered)).expect("a sound program"), inputs, false)
}
