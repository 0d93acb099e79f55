//! From a network and a scheme to the steps of one iteration of training.

use crate::calibrate::{DRAWN, Magnitudes, drawn, magnitudes};
use crate::error::AdaptError;
use crate::lists::drop_unused;
use crate::lite_residual::Trained;
use crate::memory::selected;
use crate::movement::{Movement, Tap, movement, resize_taps, sizes};
use crate::network::{Features, is_convolution};
use crate::scheme::{Criterion, Loss, Rounding, Scheme};
use crate::surrogate::{average, convolution, effective, product_sizes, refuse, slopes, weight_scale, window_of};
use smidgen_exec::relabelled;
use smidgen_ir::{BinaryKind, DataType, ElementType, Graph, Op, OpId, Operator, PoolKind, Tensor, TensorId};
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::{Binary, Int8};
use smidgen_kernels::training::{
    AxisMap, BiasStep, Conv2d, Cross, Depthwise, DepthwiseGradient, DepthwiseStep, ERROR_BITS, FACTOR_BITS, Feed, Head,
    InputGradient, MOST_AXES, Noise, ProductGradient, Rearrange, Resized, SUM_SCRATCH, Select, Spread, Step as Rounded,
    Total, WEIGHT_BITS, WHOLE_SHARE, WeightStep, blocks, mask_bytes,
};
use smidgen_lower::{KernelSet, LowerOptions};
use smidgen_program::footprint::{Footprint, Granularity, WriteOrder};
use smidgen_program::kernel::{self, Kernel};
use smidgen_program::program::{
    BufferId, BufferSpec, Constant, ConstantId, Extent, Initial, Lowered, Operand, Port, Step, StepId, Target, Variable,
};
use std::collections::HashMap;

/// Bits that a gradient's greatest element has to spare against the greatest that calibration saw.
const HEADROOM: f64 = 4.0;

/// Scales of weights up to this one are what quantisers put in place of 0: such a channel gives a constant, and is not trained.
pub(crate) const DEAD_SCALE: f64 = 4e-9;

/// What a variable of a training step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Weights of a convolution, all or those of some input channels.
    Weights(usize),
    /// Biases of a convolution.
    Bias(usize),
    /// What is left of steps of a convolution's weights.
    KeptOfWeights(usize),
    /// What is left of steps of a convolution's biases.
    KeptOfBias(usize),
    /// The classifier's weights.
    ClassifierWeights,
    /// The classifier's biases.
    ClassifierBias,
    /// The seed of the random numbers.
    Seed,
    /// Steps of the classifier's weights that are collected.
    CollectedOfClassifierWeights,
    /// Steps of the classifier's biases that are collected.
    CollectedOfClassifierBias,
    /// How many samples' steps are collected.
    Collected,
}

/// A variable of a training step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// What it is; convolutions have the scheme's numbers, those of lite residual modules the numbers behind them.
    pub role: Role,
    /// Index into [`Lowered::variables`].
    pub variable: usize,
    /// Bytes.
    pub bytes: usize,
}

/// One iteration of training, as steps.
#[derive(Clone, Debug)]
pub struct TrainingStep {
    /// The tensors that ports name: inputs are the sample, its label and the learning rate (int32, [`RATE_BITS`](smidgen_kernels::training::RATE_BITS)), outputs the logits and
    /// the loss (int32, [`LOGIT_BITS`](smidgen_kernels::training::LOGIT_BITS)). Its operators are those before the classifier.
    pub graph: Graph,
    /// Forward pass, gradients, updates.
    pub lowered: Lowered,
    /// What is trained.
    pub parameters: Vec<Parameter>,
    /// The step that computes the logits: those up to it are an inference.
    pub logits: StepId,
    /// The first step that computes a gradient.
    pub backward: StepId,
    /// The gradients that are computed, in their order.
    pub gradients: Vec<Computed>,
    /// Classes.
    pub classes: usize,
    /// Samples whose steps are collected before anything moves; 1 where each moves it.
    pub collects: u32,
}

impl TrainingStep {
    /// Bytes that stay between steps: all that is trained, what is left of earlier steps, and the seed.
    pub fn kept_bytes(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.bytes).sum()
    }

    /// Whether a step changes what is trained.
    pub fn updates(&self, step: usize) -> bool {
        let variables = &self.lowered.variables;
        self.lowered.steps.get(step).is_some_and(|step| {
            step.outputs.iter().any(|target| variables.iter().any(|variable| variable.next == target.buffer))
        })
    }
}

/// A gradient as the step computes it: the first output of a step (int16, [by channels](smidgen_kernels::training)), of which one is worth `unit * 2^exponent`, where the exponent is the
/// second output of the first of these steps.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Computed {
    /// The tensor: the gradient is that of its stored integers, before the clamp of what computes it.
    pub tensor: TensorId,
    /// The step.
    pub step: StepId,
    /// Pixels and channels.
    pub sizes: [usize; 2],
    /// What one is worth.
    pub unit: f64,
}

/// Compiles a training step. Gradients' units are chosen by `samples` of the network's input, or by drawn ones where there are none.
///
/// # Errors
/// If the scheme does not suit the network, the network has no classifier, or a gradient would have to pass an operator without one.
pub fn compile(
    graph: &Graph,
    classes: usize,
    scheme: &Scheme,
    options: &LowerOptions,
    samples: &[Vec<i8>],
) -> Result<TrainingStep, AdaptError> {
    if !(2..=1 << 16).contains(&classes) {
        return Err(AdaptError::Classes(classes));
    }
    let features = Features::of(graph)?;
    let drawn = if samples.is_empty() { drawn(&features, DRAWN) } else { Vec::new() };
    let samples = if samples.is_empty() { &drawn } else { samples };
    let learnt = Trained::of(features, scheme, options, samples)?;
    let trained = learnt.operators();
    let Trained { features, parts, biases } = learnt;
    let magnitudes = magnitudes(&features, &trained, options, samples)?;
    let reference = LowerOptions { kernels: KernelSet::Reference, ..*options };
    let exact = smidgen_lower::lower(&features.graph, &reference)?;
    let lowered = smidgen_lower::lower(&features.graph, &options.for_mcu())?;
    let reached = features.reached(&trained);
    let mut compiler = Compiler {
        features: &features,
        scheme,
        parts,
        biases,
        trained,
        reached,
        magnitudes,
        exact,
        out: Lowered { steps: Vec::new(), variables: Vec::new(), ..lowered.clone() },
        saved: HashMap::new(),
        activations: HashMap::new(),
        masks: HashMap::new(),
        parameters: Vec::new(),
        computed: Vec::new(),
        salt: 0,
    };
    compiler.forward(&lowered)?;
    compiler.rest(classes)
}

/// A gradient: a buffer of int16 with pixels and channels, and what one of it is worth, times two to the exponent of the step.
#[derive(Clone, Copy)]
struct Gradient {
    buffer: BufferId,
    sizes: [usize; 2],
    unit: f64,
}

impl Gradient {
    fn operand(&self) -> Operand {
        Operand::Buffer(self.buffer, kernel::by_channels(self.sizes[0], self.sizes[1]))
    }
}

/// What the backward pass needs of a layer's forward pass.
#[derive(Clone)]
struct Saved {
    /// Among the convolutions.
    number: usize,
    window: Window2d,
    images: usize,
    depthwise: bool,
    quant: Int8,
    weights: Operand,
    bias: Option<usize>,
    updated: Option<Updated>,
    /// Which channels have their weights apart.
    list: ConstantId,
}

/// Weights that are trained.
#[derive(Clone)]
struct Updated {
    variable: usize,
    /// What is saved of the layer's input, and how many channels that has.
    input: Operand,
    channels: usize,
    /// The others of its weights are a constant.
    apart: bool,
}

/// What the whole backward pass has in common.
#[derive(Clone, Copy)]
struct Common {
    /// What one of the features' gradient is worth: other gradients' units follow from it.
    reference: f64,
    rate: Operand,
    exponent: Operand,
    seed: Operand,
    /// How many samples' steps are collected, where that is done.
    collected: Option<Operand>,
}

impl Common {
    /// What an update reads behind its own operands.
    fn operands(&self) -> impl Iterator<Item = Operand> {
        [self.rate, self.exponent, self.seed].into_iter().chain(self.collected)
    }
}

struct Compiler<'a> {
    features: &'a Features,
    scheme: &'a Scheme,
    parts: Vec<Option<f64>>,
    biases: Vec<bool>,
    trained: Vec<bool>,
    reached: Vec<bool>,
    magnitudes: Magnitudes,
    exact: Lowered,
    out: Lowered,
    saved: HashMap<usize, Saved>,
    /// Where the forward pass has each tensor that is no constant.
    activations: HashMap<TensorId, BufferId>,
    masks: HashMap<usize, (BufferId, Extent)>,
    parameters: Vec<Parameter>,
    computed: Vec<Computed>,
    salt: u32,
}

/// A kernel that runs whole and reads everything until its end.
const WHOLE: WriteOrder = WriteOrder { granularity: Granularity::Run, reads_first: false };
/// A kernel that changes two inputs element by element: nothing else lies where they do.
const BOTH_IN_PLACE: WriteOrder = WriteOrder { granularity: Granularity::Run, reads_first: true };
/// A kernel that changes its first input element by element.
const IN_PLACE: WriteOrder = WriteOrder { granularity: Granularity::Elements(1), reads_first: true };

/// About how many parts a gradient of many channels is computed in, where it is used up as it comes.
const BANDS: usize = 8;
/// Pixels of which updates still take so many channels together as they can.
const FEW_PIXELS: usize = 256;

/// A kernel that computes a gradient by bands: of 16 channels or a multiple, since updates take so many together; of large images the fewest that
/// there can be, since they are what memory is needed for.
fn by_bands([pixels, channels]: [usize; 2]) -> WriteOrder {
    let rows = if pixels > FEW_PIXELS { 1 } else { (blocks(channels) / BANDS).next_multiple_of(4).max(4) };
    WriteOrder { granularity: Granularity::Planes { rows, channels: 4 }, reads_first: false }
}

/// Pixels and channels of a tensor.
fn sizes_of(tensor: &Tensor) -> [usize; 2] {
    sizes(tensor.shape.dims())
}

/// Pixels and channels of images.
fn sizes_of_images(images: usize, [rows, cols, channels]: [usize; 3]) -> [usize; 2] {
    [images * rows * cols, channels]
}
fn flat(elements: usize) -> Extent {
    Extent { rows: 1, cols: 1, depth: elements }
}

fn pixels([rows, depth]: [usize; 2]) -> Extent {
    Extent { rows, cols: 1, depth }
}

/// A positive real number as `mantissa * 2^-shift` with a mantissa of 31 bits.
fn fixed(real: f64) -> [i32; 2] {
    if real <= 0.0 || !real.is_finite() {
        return [0, 0];
    }
    let exponent = real.log2().floor() as i32;
    let mantissa = (real * 2f64.powi(30 - exponent)).round();
    // What rounds up to a power of two has one bit more.
    if mantissa >= 2f64.powi(31) { [1 << 30, 29 - exponent] } else { [mantissa as i32, 30 - exponent] }
}

/// Bits by which sums of so many products of numbers below these are shifted so that they have 32.
fn narrow(terms: usize, bits: u32) -> u32 {
    let all = (terms.max(1) as f64).log2() + f64::from(bits);
    (all - 31.0).ceil().max(0.0) as u32
}

fn words(values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    values.into_iter().flat_map(i32::to_le_bytes).collect()
}

impl<'a> Compiler<'a> {
    fn graph(&self) -> &'a Graph {
        &self.features.graph
    }

    fn buffer(&mut self, name: String, element: ElementType, extent: Extent) -> BufferId {
        self.out.buffers.push(BufferSpec { name, tensor: None, element, extent });
        BufferId(self.out.buffers.len() as u32 - 1)
    }

    fn constant(&mut self, name: String, bytes: Vec<u8>, align: usize) -> ConstantId {
        self.out.constants.push(Constant { name, bytes, align });
        ConstantId(self.out.constants.len() as u32 - 1)
    }

    /// A variable whose next value is not written yet.
    fn variable(&mut self, role: Role, name: String, element: ElementType, extent: Extent, initial: Initial) -> usize {
        let value = self.buffer(name.clone(), element, extent);
        let bytes = self.out.buffers[value.index()].bytes();
        self.out.variables.push(Variable { name, value, next: value, initial });
        let variable = self.out.variables.len() - 1;
        self.parameters.push(Parameter { role, variable, bytes });
        variable
    }

    fn value(&self, variable: usize) -> Operand {
        let id = self.out.variables[variable].value;
        Operand::Buffer(id, self.out.buffers[id.index()].extent)
    }

    fn push(&mut self, mut step: Step) -> StepId {
        let pattern = step.kernel.spec().pattern();
        step.footprint = match &pattern {
            kernel::Pattern::Given { inputs, .. } => inputs.iter().map(|taken| taken.needed.footprint()).collect(),
            _ => vec![Footprint::ALL; step.inputs.len()],
        };
        (step.consumes, step.state_bytes) = (pattern.consumes(), pattern.state());
        drop(pattern);
        self.out.steps.push(step);
        StepId(self.out.steps.len() as u32 - 1)
    }

    /// Adds a step that gives a variable its next value.
    fn update(&mut self, variable: usize, kept: Option<Role>, mut step: Step) {
        let Variable { value, ref name, .. } = self.out.variables[variable];
        let (name, spec) = (format!("{name} next"), self.out.buffers[value.index()].clone());
        let next = self.buffer(name, spec.element, spec.extent);
        self.out.variables[variable].next = next;
        let (_, extent) = step.kernel.spec().pattern().output(spec.extent);
        step.inputs.insert(0, Operand::Buffer(value, extent));
        step.outputs = vec![Target { buffer: next, extent }];
        step.order = IN_PLACE;
        step.partial = matches!(step.kernel, Kernel::UpdateBias(_) | Kernel::UpdateConv2d(_)) && extent.rows > 1;
        let outputs = step.kernel.spec().pattern().outputs(extent);
        if let (Some(&(element, extent)), Some(role)) = (outputs.get(1), kept) {
            // It runs whole, and both lie where they lay.
            (step.partial, step.order) = (false, BOTH_IN_PLACE);
            let name = format!("kept of {}", spec.name);
            let rest = self.variable(role, name.clone(), element, extent, Initial::Fill(0));
            let next = self.buffer(format!("{name} next"), element, extent);
            self.out.variables[rest].next = next;
            step.inputs.push(Operand::Buffer(self.out.variables[rest].value, extent));
            step.outputs.push(Target { buffer: next, extent });
        }
        self.push(step);
    }

    /// Adds a step that computes a gradient.
    fn gradient(&mut self, name: String, sizes: [usize; 2], unit: f64, mut step: Step) -> (StepId, Gradient) {
        let extent = kernel::by_channels(sizes[0], sizes[1]);
        let buffer = self.buffer(name, ElementType::Int16, extent);
        step.outputs = vec![Target { buffer, extent }];
        step.partial = match &step.kernel {
            Kernel::GradientConv2d(kernel) => kernel.layer.feed != Feed::Rows,
            Kernel::RearrangeGradient(_) => false,
            // Of one pixel for all there is one row of sums.
            Kernel::ProductGradient(_) => extent.rows > 1,
            _ => true,
        };
        (self.push(step), Gradient { buffer, sizes, unit })
    }

    /// The gradient with other pixels and channels, if it does not have these.
    fn seen(&mut self, gradient: Gradient, sizes: [usize; 2]) -> Gradient {
        if gradient.sizes == sizes {
            return gradient;
        }
        let name = format!("{} reshaped", self.out.buffers[gradient.buffer.index()].name);
        let one = AxisMap { size: 1, first: 0, step: 1, count: 1, stride: 0 };
        let mut axes = [one; MOST_AXES];
        let count = sizes[0] * sizes[1];
        axes[MOST_AXES - 1] = AxisMap { size: count, count, stride: 1, ..one };
        let layer = Rearrange { axes, start: 0, from: gradient.sizes, to: sizes };
        let step = Step {
            name: format!("RESHAPE {name}"),
            inputs: vec![gradient.operand()],
            ..Step::new(kernel::RearrangeGradient { layer }.into(), WHOLE)
        };
        self.gradient(name, sizes, gradient.unit, step).1
    }

    /// Steps of an inference up to the features; layers that gradients pass with what these need.
    fn forward(&mut self, lowered: &Lowered) -> Result<(), AdaptError> {
        for step in &lowered.steps {
            let index = step.op.map(OpId::index);
            let operator = index.map(|index| &self.graph().operators[index]);
            match (index, operator) {
                (Some(index), Some(operator)) if self.reached[operator.outputs[0].index()] => {
                    self.forward_layer(index, operator, step.clone())?;
                }
                _ => self.out.steps.push(step.clone()),
            }
        }
        let graph = self.graph();
        for (i, spec) in self.out.buffers.iter().enumerate() {
            for tensor in spec.tensor.iter().flat_map(|&tensor| relabelled(graph, tensor)) {
                self.activations.insert(tensor, BufferId(i as u32));
            }
        }
        Ok(())
    }

    /// A tensor of the forward pass as pixels and channels.
    fn activation(&mut self, index: usize, tensor: TensorId, sizes: [usize; 2]) -> Result<Operand, AdaptError> {
        if let Some(&id) = self.activations.get(&tensor) {
            return Ok(Operand::Buffer(id, pixels(sizes)));
        }
        let tensor = self.graph().tensor(tensor);
        let Some(all) = tensor.integers() else {
            return Err(refuse(self.graph(), index, "what it reads is not kept"));
        };
        let bytes = all.into_iter().map(|x| x as i8 as u8).collect();
        Ok(Operand::Constant(self.constant(tensor.name.clone(), bytes, 1)))
    }

    fn internal<T>(&self, step: &Step, what: &str) -> Result<T, AdaptError> {
        Err(AdaptError::Internal(format!("step {}: {what}", step.name)))
    }

    fn forward_layer(&mut self, index: usize, operator: &Operator, step: Step) -> Result<(), AdaptError> {
        let weighted = is_convolution(&operator.op) || matches!(operator.op, Op::Binary { kind: BinaryKind::Add, .. });
        if !weighted {
            self.out.steps.push(step);
            return Ok(());
        }
        let exact: Vec<&Step> = self.exact.steps.iter().filter(|s| s.op == Some(OpId(index as u32))).collect();
        let &[exact] = &exact[..] else {
            return Err(refuse(self.graph(), index, "it is computed in several steps"));
        };
        let exact = exact.clone();
        match (&operator.op, &exact.kernel) {
            (op, _) if is_convolution(op) => self.forward_convolution(index, operator, step, &exact),
            (Op::Binary { kind: BinaryKind::Add, .. }, Kernel::BinaryI8(binary)) => {
                let Binary::Sum(terms) = binary.function else {
                    return self.internal(&step, "an addition is no sum");
                };
                let extent = step.outputs[0].extent;
                if binary.operands != [extent; 2] || exact.inputs.iter().any(|operand| operand.buffer().is_none()) {
                    return Err(refuse(self.graph(), index, "one of its operands is constant or broadcast"));
                }
                let mask = self.mask(index, extent, &step.name);
                let view = |operand: &Operand| match *operand {
                    Operand::Buffer(id, _) => Operand::Buffer(id, extent),
                    constant => constant,
                };
                let outputs = vec![step.outputs[0], mask];
                let inputs = step.inputs.iter().map(view).collect();
                let kernel = Kernel::TrainSum(kernel::TrainSum { extent, terms });
                self.push(Step {
                    inputs,
                    outputs,
                    op: step.op,
                    name: step.name,
                    scratch_bytes: SUM_SCRATCH,
                    ..Step::new(kernel, WHOLE)
                });
                Ok(())
            }
            _ => Err(refuse(self.graph(), index, "none is known; train only what comes after it")),
        }
    }

    /// The mask of an operator's output, as a target.
    fn mask(&mut self, index: usize, of: Extent, name: &str) -> Target {
        let extent = Extent { depth: mask_bytes(of.depth), ..of };
        let buffer = self.buffer(format!("{name} mask"), ElementType::Int8, extent);
        self.masks.insert(index, (buffer, of));
        Target { buffer, extent }
    }

    fn forward_convolution(
        &mut self,
        index: usize,
        operator: &Operator,
        step: Step,
        exact: &Step,
    ) -> Result<(), AdaptError> {
        let Some((window, images, depthwise)) = convolution(self.graph(), operator) else {
            return self.internal(&step, "a convolution without a window");
        };
        let quant = match &exact.kernel {
            Kernel::Conv2dI8(k) => k.quant,
            Kernel::DepthwiseI8(k) => k.quant,
            Kernel::FullyConnectedI8(k) if k.weight_zero == 0 => k.quant,
            _ => {
                return Err(refuse(
                    self.graph(),
                    index,
                    "its activations are not int8, or its weights have a zero point",
                ));
            }
        };
        let Some(number) = self.features.convolutions.iter().position(|id| id.index() == index) else {
            return self.internal(&step, "a convolution that has no number");
        };
        let bytes = |i: usize| self.exact.constants[exact.constants[i].index()].bytes.clone();
        let (weights, bias, multipliers, shifts) = (bytes(0), bytes(1), bytes(2), bytes(3));
        let outputs = window.output[2];
        let filters = match depthwise {
            false => Extent { rows: outputs * window.size[0], cols: window.size[1], depth: window.input[2] },
            true => Extent { rows: window.size[0], cols: window.size[1], depth: outputs },
        };
        let multipliers = self.constant(format!("{} multipliers", step.name), multipliers, 4);
        let shifts = self.constant(format!("{} shifts", step.name), shifts, 1);
        let extents = Extent { rows: images * window.input[0], cols: window.input[1], depth: window.input[2] };
        let Some(input) = step.inputs[0].buffer() else {
            return Err(refuse(self.graph(), index, "its input is constant"));
        };
        let input = Operand::Buffer(input, extents);

        // Weights: all or some of them change, or none does.
        let in_c = window.input[2];
        let part = self.parts[number];
        let channels = part.map_or(0, |ratio| if depthwise { in_c } else { selected(in_c, ratio) });
        let mut list = Vec::new();
        let (weights_operand, apart, mut updated) = if channels == 0 {
            let id = self.constant(format!("{} weights", step.name), weights, 4);
            (Operand::Constant(id), None, None)
        } else if depthwise || channels == in_c {
            // Zeros need no flash.
            let initial = match weights.iter().all(|&w| w == 0) {
                true => Initial::Fill(0),
                false => Initial::Constant(self.constant(format!("{} initial weights", step.name), weights, 4)),
            };
            let name = format!("weights of {}", step.name);
            let variable = self.variable(Role::Weights(number), name, ElementType::Int8, filters, initial);
            let updated = Updated { variable, input, channels: in_c, apart: false };
            (self.value(variable), None, Some(updated))
        } else {
            list = chosen(&weights, in_c, channels, self.scheme.weight_select_criteria);
            let (mut frozen, mut moving) = (weights.clone(), Vec::new());
            for row in frozen.chunks_exact_mut(in_c) {
                moving.extend(list.iter().map(|&c| std::mem::take(&mut row[usize::from(c)])));
            }
            let frozen = self.constant(format!("{} weights", step.name), frozen, 4);
            let initial = self.constant(format!("{} initial weights", step.name), moving, 4);
            let extent = Extent { depth: channels, ..filters };
            let name = format!("weights of {}", step.name);
            let variable =
                self.variable(Role::Weights(number), name, ElementType::Int8, extent, Initial::Constant(initial));
            (Operand::Constant(frozen), Some(variable), None)
        };
        let list_bytes = list.iter().flat_map(|channel| channel.to_le_bytes()).collect();
        let list_id = self.constant(format!("{} channels", step.name), list_bytes, 2);
        if let Some(variable) = apart {
            // The selected channels of the input are all that is saved.
            let count = images * window.input[0] * window.input[1];
            let extent = Extent { depth: channels, ..extents };
            let buffer = self.buffer(format!("{} input", step.name), ElementType::Int8, extent);
            let layer = Select { pixels: count, channels: in_c, selected: channels };
            let Operand::Buffer(whole, _) = input else { return self.internal(&step, "no input") };
            self.push(Step {
                name: format!("SELECT for {}", step.name),
                inputs: vec![Operand::Buffer(whole, pixels([count, in_c]))],
                constants: vec![list_id],
                outputs: vec![Target { buffer, extent: pixels([count, channels]) }],
                ..Step::new(Kernel::SelectChannels(kernel::SelectChannels { layer }), WHOLE)
            });
            let input = Operand::Buffer(buffer, extent);
            updated = Some(Updated { variable, input, channels, apart: true });
        }
        let bias_id = self.constant(format!("{} bias", step.name), bias, 4);
        let trains_bias = self.biases[number];
        let bias_variable = trains_bias.then(|| {
            let name = format!("bias of {}", step.name);
            self.variable(Role::Bias(number), name, ElementType::Int32, flat(outputs), Initial::Constant(bias_id))
        });
        let bias = bias_variable.map_or(Operand::Constant(bias_id), |variable| self.value(variable));

        let out = Extent { rows: images * window.output[0], cols: window.output[1], depth: outputs };
        let mask = self.mask(index, out, &step.name);
        let mut inputs = vec![input, weights_operand, bias];
        let mut constants = vec![multipliers, shifts];
        let (kernel, scratch_bytes) = if depthwise {
            let layer = Depthwise { window, images, quant };
            (Kernel::TrainDepthwise(kernel::TrainDepthwise { layer }), layer.scratch())
        } else {
            let selected = if apart.is_some() { channels } else { 0 };
            inputs.extend(apart.map(|variable| self.value(variable)));
            constants.push(list_id);
            let layer = Conv2d { window, images, quant, selected };
            (Kernel::TrainConv2d(kernel::TrainConv2d { layer }), layer.scratch())
        };
        self.push(Step {
            name: step.name,
            op: step.op,
            inputs,
            constants,
            scratch_bytes,
            outputs: vec![Target { extent: out, ..step.outputs[0] }, mask],
            macs: step.macs,
            ..Step::new(kernel, WHOLE)
        });
        let saved = Saved {
            number,
            window,
            images,
            depthwise,
            quant,
            weights: weights_operand,
            bias: bias_variable,
            updated,
            list: list_id,
        };
        self.saved.insert(index, saved);
        Ok(())
    }

    /// Classifier, loss, gradients, updates; and what the caller sees.
    fn rest(mut self, classes: usize) -> Result<TrainingStep, AdaptError> {
        let mut graph = self.graph().clone();
        let plain = |name: &str, dims: Vec<usize>| Tensor::activation(name, dims, DataType::Plain(ElementType::Int32));
        let label = graph.add_input(plain("label", vec![1]));
        let rate = graph.add_input(plain("learning_rate", vec![1]));
        let logits_tensor = graph.add_tensor(plain("logits", vec![classes]));
        let loss_tensor = graph.add_tensor(plain("loss", vec![1]));
        graph.outputs = vec![logits_tensor, loss_tensor];
        let buffer = |compiler: &mut Self, name: &str, tensor: Option<TensorId>, count: usize| {
            let id = compiler.buffer(name.into(), ElementType::Int32, flat(count));
            compiler.out.buffers[id.index()].tensor = tensor;
            Operand::Buffer(id, flat(count))
        };
        let label_at = buffer(&mut self, "label", Some(label), 1);
        let rate_at = buffer(&mut self, "learning_rate", Some(rate), 1);
        for (tensor, operand) in [(label, label_at), (rate, rate_at)] {
            self.out.inputs.push(Port { tensor, operand });
        }
        let logits = buffer(&mut self, "logits", Some(logits_tensor), classes);
        let loss = buffer(&mut self, "loss", Some(loss_tensor), 1);
        let errors = buffer(&mut self, "errors", None, classes);
        let exponent = buffer(&mut self, "exponent", None, 1);
        let target = |operand: Operand| match operand {
            Operand::Buffer(buffer, extent) => Target { buffer, extent },
            Operand::Constant(_) => unreachable!("made above, as a buffer"),
        };

        let Some(&Port { operand: Operand::Buffer(features, _), .. }) = self.out.outputs.first() else {
            return Err(AdaptError::Internal("the features are no buffer".into()));
        };
        let (count, (scale, zero)) = (self.features.count, self.features.quantisation);
        let features = Operand::Buffer(features, flat(count));
        let scale = f64::from(scale);
        let exponent_of = scale.log2().floor() as i32;
        let head = Head {
            inputs: count,
            classes,
            zero,
            scale: [(scale * 2f64.powi(14 - exponent_of)).round().min(32767.0) as i32, 14 - exponent_of],
        };
        if !(0..=62).contains(&head.scale[1]) {
            return Err(AdaptError::NoClassifier(format!("its features have a scale of {scale}")));
        }
        let zeros = Initial::Fill(0);
        let sizes = pixels([classes, count]);
        let weights =
            self.variable(Role::ClassifierWeights, "classifier weights".into(), ElementType::Int32, sizes, zeros);
        let bias =
            self.variable(Role::ClassifierBias, "classifier bias".into(), ElementType::Int32, flat(classes), zeros);
        let macs = (classes * count) as u64;
        let step = |name: &str, kernel: Kernel, inputs: Vec<Operand>, outputs: Vec<Target>| Step {
            name: name.into(),
            inputs,
            outputs,
            macs,
            ..Step::new(kernel, WHOLE)
        };
        let (weights_at, bias_at) = (self.value(weights), self.value(bias));
        let counter = (self.scheme.accumulate > 1)
            .then(|| self.variable(Role::Collected, "samples collected".into(), ElementType::Int32, flat(1), zeros));
        let collected = counter.map(|counter| self.value(counter));
        let logits_step = self.push(step(
            "CLASSIFIER logits",
            kernel::Classifier { head }.into(),
            vec![features, weights_at, bias_at],
            vec![target(logits)],
        ));
        let layer = Cross { classes };
        let (name, kernel) = match self.scheme.loss {
            Loss::CrossEntropy => ("CROSS_ENTROPY loss", kernel::CrossEntropy { layer }.into()),
            Loss::MeanSquaredError => ("SQUARED_ERROR loss", kernel::SquaredError { layer }.into()),
        };
        let outputs = vec![target(errors), target(loss)];
        let backward = self.push(step(name, kernel, vec![logits, label_at], outputs));
        if self.trained.contains(&true) {
            let extent = kernel::by_channels(1, count);
            let top = self.buffer("gradient of features".into(), ElementType::Int16, extent);
            let outputs = vec![Target { buffer: top, extent }, target(exponent)];
            let kernel = kernel::ClassifierGradient { head }.into();
            let step = self.push(step("GRADIENT of features", kernel, vec![errors, weights_at], outputs));
            let unit = scale * 2f64.powi(-((ERROR_BITS + WEIGHT_BITS) as i32));
            let sizes = [1, count];
            self.computed.push(Computed { tensor: self.features.tensor(), step, sizes, unit });
            self.classifier_updates(&head, [weights, bias], ([features, errors, rate_at], collected), macs);
            let seed_bytes = self.constant("seed".into(), 1i32.to_le_bytes().to_vec(), 4);
            let initial = Initial::Constant(seed_bytes);
            let seed = self.variable(Role::Seed, "seed".into(), ElementType::Int32, flat(1), initial);
            let common = Common { reference: unit, rate: rate_at, exponent, seed: self.value(seed), collected };
            self.gradients(Gradient { buffer: top, sizes, unit }, common)?;
            let kernel: Kernel = kernel::NextSeed.into();
            self.update(seed, None, Step { name: "NEXT seed".into(), ..Step::new(kernel, IN_PLACE) });
        } else {
            self.classifier_updates(&head, [weights, bias], ([features, errors, rate_at], collected), macs);
        }
        if let Some(counter) = counter {
            let kernel: Kernel = kernel::CountSample { collected: self.scheme.accumulate }.into();
            self.update(counter, None, Step { name: "COUNT sample".into(), ..Step::new(kernel, IN_PLACE) });
        }
        self.out.outputs =
            vec![Port { tensor: logits_tensor, operand: logits }, Port { tensor: loss_tensor, operand: loss }];
        // What does not change is a constant after all.
        drop_unused(&mut self.out);
        Ok(TrainingStep {
            graph,
            lowered: self.out,
            parameters: self.parameters,
            gradients: self.computed,
            logits: logits_step,
            backward,
            classes,
            collects: self.scheme.accumulate,
        })
    }

    fn classifier_updates(
        &mut self,
        head: &Head,
        [weights, bias]: [usize; 2],
        ([features, errors, rate], count): ([Operand; 3], Option<Operand>),
        macs: u64,
    ) {
        let collected = self.scheme.accumulate;
        let kernel: Kernel = kernel::UpdateClassifier { head: *head, collected }.into();
        let name = "UPDATE classifier weights".into();
        let inputs = [features, errors, rate].into_iter().chain(count).collect();
        let role = Some(Role::CollectedOfClassifierWeights);
        self.update(weights, role, Step { name, inputs, macs, ..Step::new(kernel, IN_PLACE) });
        let layer = Cross { classes: head.classes };
        let kernel: Kernel = kernel::UpdateClassifierBias { layer, collected }.into();
        let name = "UPDATE classifier bias".into();
        let inputs = [errors, rate].into_iter().chain(count).collect();
        let role = Some(Role::CollectedOfClassifierBias);
        self.update(bias, role, Step { name, inputs, ..Step::new(kernel, IN_PLACE) });
    }

    /// The backward pass: operators from the last to the first, each with the sum of the gradients that its output has received.
    fn gradients(&mut self, top: Gradient, common: Common) -> Result<(), AdaptError> {
        let graph = self.graph();
        let mut received: HashMap<TensorId, Vec<Gradient>> = HashMap::from([(self.features.tensor(), vec![top])]);
        for (index, operator) in graph.operators.iter().enumerate().rev() {
            for (k, &output) in operator.outputs.iter().enumerate() {
                if !self.reached[output.index()] {
                    continue;
                }
                let Some(parts) = received.remove(&output) else { continue };
                let gradient = self.total(output, parts, common);
                for (input, gradient) in self.backward((index, k), operator, gradient, common)? {
                    received.entry(input).or_default().push(gradient);
                }
            }
        }
        Ok(())
    }

    /// The least unit in which a tensor's gradient fits 16 bits with some to spare, as that of the features does in its own.
    fn least_unit(&self, tensor: TensorId, common: Common) -> f64 {
        let greatest = self.magnitudes.get(&tensor).copied().unwrap_or(1.0).max(1e-30);
        greatest * common.reference * HEADROOM
    }

    /// Bits by which sums in this unit are shifted for that.
    fn shift(&self, tensor: TensorId, unit: f64, common: Common) -> u32 {
        (self.least_unit(tensor, common) / unit).log2().ceil().clamp(0.0, 30.0) as u32
    }

    /// The sum of what a tensor received.
    fn total(&mut self, tensor: TensorId, parts: Vec<Gradient>, common: Common) -> Gradient {
        let sizes = sizes_of(self.graph().tensor(tensor));
        let parts: Vec<Gradient> = parts.into_iter().map(|part| self.seen(part, sizes)).collect();
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { unreachable!("a tensor without a gradient has no entry") };
        parts.fold(first, |sum, part| {
            let wanted = self.least_unit(tensor, common);
            let ratios = [sum.unit / wanted, part.unit / wanted];
            let most = ratios[0].max(ratios[1]);
            let shift = (f64::from(FACTOR_BITS) - most.log2()).floor().clamp(0.0, 30.0);
            let factors = ratios.map(|ratio| (ratio * 2f64.powf(shift)).round().min(16384.0) as i16);
            let name = format!("gradient of {}", self.graph().tensor(tensor).name);
            let layer = Total { factors, shift: shift as u32 };
            let step = Step {
                name: format!("ADD_GRADIENTS {name}"),
                inputs: vec![sum.operand(), part.operand()],
                ..Step::new(kernel::AddGradients { sizes, layer }.into(), IN_PLACE)
            };
            let (step, gradient) = self.gradient(name, sizes, wanted, step);
            // What came before was a part of it.
            self.computed.retain(|computed| computed.tensor != tensor);
            self.computed.push(Computed { tensor, step, sizes, unit: wanted });
            gradient
        })
    }

    /// The gradient where the clamp of the operator's output lets it pass.
    fn masked(&mut self, index: usize, gradient: Gradient) -> Gradient {
        let Some(&(mask, extent)) = self.masks.get(&index) else { return gradient };
        let sizes = [extent.rows * extent.cols, extent.depth];
        let gradient = self.seen(gradient, sizes);
        let name = format!("{} masked", self.out.buffers[gradient.buffer.index()].name);
        let mask = Operand::Buffer(mask, Extent { depth: mask_bytes(extent.depth), ..extent });
        let step = Step {
            name: format!("MASK {name}"),
            inputs: vec![gradient.operand(), mask],
            ..Step::new(kernel::MaskGradient { extent }.into(), IN_PLACE)
        };
        self.gradient(name, sizes, gradient.unit, step).1
    }

    fn backward(
        &mut self,
        (index, output): (usize, usize),
        operator: &Operator,
        gradient: Gradient,
        common: Common,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let graph = self.graph();
        let scale = |id: TensorId| graph.tensor(id).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale));
        let input = operator.inputs[0];
        if self.saved.contains_key(&index) {
            let gradient = self.masked(index, gradient);
            return self.convolution_backward(index, operator, gradient, common);
        }
        let reached = |compiler: &Self, id: TensorId| compiler.reached[id.index()];
        match &operator.op {
            Op::Binary { kind: BinaryKind::Add, .. } => {
                let gradient = self.masked(index, gradient);
                let part = |id: TensorId| {
                    let unit = gradient.unit * scale(id) / scale(operator.outputs[0]);
                    (id, Gradient { unit, ..gradient })
                };
                let inputs = operator.inputs.iter().copied().filter(|&id| reached(self, id));
                Ok(inputs.map(part).collect())
            }
            op @ (Op::Unary(_) | Op::Quantize) if reached(self, input) => {
                let Some(slopes) = slopes(op, graph.tensor(input), graph.tensor(operator.outputs[0])) else {
                    return Err(refuse(graph, index, "none is known; train only what comes after it"));
                };
                self.slope_backward(index, input, &slopes, gradient, common)
            }
            Op::Pool2d { kind: PoolKind::Max, window: size, stride, padding, .. } if reached(self, input) => {
                let found = window_of(graph, operator, *size, *stride, *padding);
                let Some((window, images)) = found else {
                    return Err(refuse(graph, index, "its input has no rows and columns"));
                };
                let gradient = self.seen(gradient, sizes_of_images(images, window.output));
                let sizes = sizes_of_images(images, window.input);
                let shift = self.shift(input, gradient.unit, common);
                let x = self.activation(index, input, sizes)?;
                let Operand::Buffer(x, _) = x else {
                    return Err(refuse(graph, index, "its input is constant"));
                };
                let extent = Extent { rows: images * window.input[0], cols: window.input[1], depth: window.input[2] };
                let name = format!("gradient of {}", graph.tensor(input).name);
                let step = Step {
                    name: format!("GREATEST {name}"),
                    inputs: vec![gradient.operand(), Operand::Buffer(x, extent)],
                    ..Step::new(
                        kernel::MaxPoolGradient { layer: Spread { window, images, shift } }.into(),
                        by_bands(sizes),
                    )
                };
                self.passed(input, name, sizes, gradient.unit * 2f64.powi(shift as i32), step)
            }
            Op::Resize { .. } if reached(self, input) => self.resize_backward(index, operator, gradient, common),
            Op::Binary { kind: BinaryKind::Mul, .. } => self.product_backward(index, operator, gradient, common),
            _ if average(graph, operator).is_none() && movement(graph, operator, 0, output).is_some() => {
                let mut parts = Vec::new();
                for (i, &input) in operator.inputs.iter().enumerate() {
                    let Some(Movement { map, weight }) = movement(graph, operator, i, output) else { continue };
                    if !reached(self, input) {
                        continue;
                    }
                    let gradient = self.seen(gradient, map.from);
                    let unit = gradient.unit * weight * scale(input) / scale(operator.outputs[output]);
                    if map.from == map.to && matches!(operator.op, Op::Reshape { .. }) {
                        parts.push((input, Gradient { unit, ..gradient }));
                        continue;
                    }
                    let name = format!("gradient of {}", graph.tensor(input).name);
                    let step = Step {
                        name: format!("REARRANGE {name}"),
                        inputs: vec![gradient.operand()],
                        ..Step::new(kernel::RearrangeGradient { layer: map }.into(), WHOLE)
                    };
                    parts.extend(self.passed(input, name, map.to, unit, step)?);
                }
                Ok(parts)
            }
            Op::Unary(_) | Op::Quantize | Op::Resize { .. } | Op::Pool2d { kind: PoolKind::Max, .. } => Ok(Vec::new()),
            Op::Pool2d { .. } | Op::Reduce { .. } => {
                let Some((window, images)) = average(graph, operator) else {
                    return Err(refuse(graph, index, "only averages over rows and columns have one"));
                };
                if !reached(self, input) {
                    return Ok(Vec::new());
                }
                let gradient = self.seen(gradient, sizes_of_images(images, window.output));
                let name = format!("gradient of {}", graph.tensor(input).name);
                let unit = gradient.unit * scale(input) / scale(operator.outputs[0]) / window.area() as f64;
                // Of a mean over everything nothing is added up, and nothing can grow.
                let alone = window.output[..2] == [1, 1] && window.size == window.input[..2];
                let shift = if alone { 0 } else { self.shift(input, unit, common) };
                let unit = unit * 2f64.powi(shift as i32);
                let step = Step {
                    name: format!("SPREAD {name}"),
                    inputs: vec![gradient.operand()],
                    ..Step::new(
                        kernel::SpreadGradient { layer: Spread { window, images, shift } }.into(),
                        by_bands(sizes_of_images(images, window.input)),
                    )
                };
                let sizes = sizes_of_images(images, window.input);
                let (step, gradient) = self.gradient(name, sizes, unit, step);
                self.computed.push(Computed { tensor: input, step, sizes, unit });
                Ok(vec![(input, gradient)])
            }
            _ => Err(refuse(graph, index, "none is known; train only what comes after it")),
        }
    }

    /// Adds the step that computes the gradient of a tensor.
    fn passed(
        &mut self,
        tensor: TensorId,
        name: String,
        sizes: [usize; 2],
        unit: f64,
        step: Step,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let (step, gradient) = self.gradient(name, sizes, unit, step);
        self.computed.push(Computed { tensor, step, sizes, unit });
        Ok(vec![(tensor, gradient)])
    }

    /// Through a function of one element.
    fn slope_backward(
        &mut self,
        index: usize,
        input: TensorId,
        slopes: &[f64],
        gradient: Gradient,
        common: Common,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let most = slopes.iter().fold(1e-30f64, |most, slope| most.max(slope.abs()));
        let fixed = slopes.iter().flat_map(|slope| ((slope / most * 32767.0).round() as i16).to_le_bytes()).collect();
        let name = format!("gradient of {}", self.graph().tensor(input).name);
        let constants = vec![self.constant(format!("{name} slopes"), fixed, 2)];
        let unit = gradient.unit * most / 32767.0;
        let shift = self.shift(input, unit, common);
        let x = self.activation(index, input, gradient.sizes)?;
        let step = Step {
            name: format!("SLOPE {name}"),
            inputs: vec![gradient.operand(), x],
            constants,
            ..Step::new(kernel::SlopeGradient { sizes: gradient.sizes, shift }.into(), IN_PLACE)
        };
        self.passed(input, name, gradient.sizes, unit * 2f64.powi(shift as i32), step)
    }

    /// Through an enlargement or a reduction.
    fn resize_backward(
        &mut self,
        index: usize,
        operator: &Operator,
        gradient: Gradient,
        common: Common,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let graph = self.graph();
        let (input, output) = (operator.inputs[0], operator.outputs[0]);
        let shapes = [input, output].map(|id| graph.tensor(id).shape.nhwc());
        let (
            &Op::Resize { kind, align_corners, half_pixel_centers, .. },
            [Some([images, h, w, c]), Some([_, oh, ow, _])],
        ) = (&operator.op, shapes)
        else {
            return Err(refuse(graph, index, "its input has no rows and columns"));
        };
        let along = |sizes| resize_taps(kind, sizes, align_corners, half_pixel_centers);
        let taps = [along([h, oh]), along([w, ow])];
        let whole = f64::from(WHOLE_SHARE);
        let word = |&(first, second, share): &Tap| [first as u16, second as u16, (share * whole).round() as u16];
        let words = taps.iter().flatten().flat_map(word).flat_map(u16::to_le_bytes).collect();
        // The most that an input gives along each axis.
        let most = |taps: &[Tap], size: usize| {
            let mut given = vec![0.0; size];
            for &(first, second, share) in taps {
                given[first] += 1.0 - share;
                given[second] += share;
            }
            given.into_iter().fold(1.0, f64::max) * whole
        };
        let narrow = ((most(&taps[0], h) * most(&taps[1], w)).log2().ceil() as u32).saturating_sub(15).min(24);
        let name = format!("gradient of {}", graph.tensor(input).name);
        let constants = vec![self.constant(format!("{name} taps"), words, 2)];
        let scale = |id: TensorId| graph.tensor(id).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale));
        let gradient = self.seen(gradient, sizes_of_images(images, [oh, ow, c]));
        let unit = gradient.unit * scale(input) / scale(output) * 2f64.powi(narrow as i32) / whole.powi(2);
        let shift = self.shift(input, unit, common);
        let sizes = sizes_of_images(images, [h, w, c]);
        let layer = Resized { images, input: [h, w, c], output: [oh, ow, c], narrow, shift };
        let step = Step {
            name: format!("RESIZE {name}"),
            inputs: vec![gradient.operand()],
            constants,
            scratch_bytes: layer.scratch(),
            ..Step::new(kernel::ResizeGradient { layer }.into(), by_bands(sizes))
        };
        self.passed(input, name, sizes, unit * 2f64.powi(shift as i32), step)
    }

    /// Through a product, to each of its operands that is reached.
    fn product_backward(
        &mut self,
        index: usize,
        operator: &Operator,
        gradient: Gradient,
        common: Common,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let graph = self.graph();
        let exact = self.exact.steps.iter().find(|step| step.op == Some(OpId(index as u32)));
        let product = match exact.map(|step| &step.kernel) {
            Some(Kernel::BinaryI8(kernel::BinaryI8 { function: Binary::Product(product), .. })) => *product,
            Some(Kernel::BroadcastI8(kernel)) => match kernel.function {
                Binary::Product(product) => product,
                _ => return Err(AdaptError::Internal("a product is none".into())),
            },
            _ => return Err(refuse(graph, index, "it is no product of int8")),
        };
        let Some((sizes, broadcast)) = product_sizes(graph, operator) else {
            return Err(refuse(graph, index, "its operands are neither alike nor one pixel for all"));
        };
        let scale = |id: TensorId| graph.tensor(id).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale));
        let gradient = self.seen(gradient, sizes);
        let effective = scale(operator.inputs[0]) * scale(operator.inputs[1]) / scale(operator.outputs[0]);
        let mut parts = Vec::new();
        for k in 0..2 {
            let (own, other) = (operator.inputs[k], operator.inputs[1 - k]);
            if !self.reached[own.index()] {
                continue;
            }
            let broadcast = [broadcast[k], broadcast[1 - k]];
            let of = |one: bool| if one { [1, sizes[1]] } else { sizes };
            let inputs = vec![
                gradient.operand(),
                self.activation(index, own, of(broadcast[0]))?,
                self.activation(index, other, of(broadcast[1]))?,
            ];
            let unit = gradient.unit * effective;
            let shift = self.shift(own, unit, common);
            let layer = ProductGradient { product, sizes, broadcast, second: k == 1, shift };
            let name = format!("gradient of {}", graph.tensor(own).name);
            let step = Step {
                name: format!("PRODUCT {name}"),
                inputs,
                ..Step::new(kernel::ProductGradient { layer }.into(), by_bands(sizes))
            };
            parts.extend(self.passed(own, name, of(broadcast[0]), unit * 2f64.powi(shift as i32), step)?);
        }
        Ok(parts)
    }

    fn convolution_backward(
        &mut self,
        index: usize,
        operator: &Operator,
        gradient: Gradient,
        common: Common,
    ) -> Result<Vec<(TensorId, Gradient)>, AdaptError> {
        let graph = self.graph();
        let saved = self.saved[&index].clone();
        let number = saved.number;
        let Saved { window, images, depthwise, .. } = saved;
        let name = graph.tensor(operator.outputs[0]).name.clone();
        let outputs = window.output[2];
        let effective: Vec<f64> = (0..outputs).map(|o| effective(graph, operator, o)).collect();
        let gradient = self.seen(gradient, sizes_of_images(images, window.output));
        let gradient_at = gradient.operand();
        let mut passed = Vec::new();
        let input = operator.inputs[0];
        let weights = graph.tensor(operator.inputs[1]);
        let input_scale = graph.tensor(input).per_tensor().map_or(1.0, |(scale, _)| f64::from(scale));
        let scales: Vec<f64> = (0..outputs).map(|o| weight_scale(weights, o)).collect();
        let aware = self.scheme.quantisation_aware_scaling;
        let collected = self.scheme.accumulate;
        // What is collected counts in parts of a step.
        let (noise, kept) = match self.scheme.rounding {
            Rounding::Stochastic => (Noise::Stochastic, if collected > 1 { 8 } else { 0 }),
            Rounding::Nearest => (Noise::Nearest, if collected > 1 { 8 } else { 0 }),
            Rounding::Kept8 => (Noise::Nearest, 8),
            Rounding::Kept16 => (Noise::Nearest, 16),
        };
        let positions = images * window.output[0] * window.output[1];
        // Steps of biases are many integers; those of weights few.
        let rounded = |compiler: &mut Self, narrow: u32, bias: bool| {
            compiler.salt = compiler.salt.wrapping_add(0x6d2b_79f5);
            let held = match collected > 1 {
                true if bias => 4,
                true => kept / 4,
                false => kept / 8,
            };
            Rounded { narrow, noise, salt: compiler.salt, kept, held, collected }
        };
        if let Some(variable) = saved.bias {
            let step = rounded(self, narrow(positions, 15), true);
            let bias = operator.inputs.get(2).and_then(|&id| graph.tensor(id).integers()).unwrap_or_default();
            let factor = |o: usize| {
                let scaling = if aware { (scales[o] * input_scale).powi(-2) } else { 1.0 };
                // A bias at the end of its range stands for one beyond it.
                let frozen =
                    scales[o] <= DEAD_SCALE || bias.get(o).is_some_and(|b| b.unsigned_abs() >= i32::MAX as u32);
                let real = effective[o] * gradient.unit * scaling * 2f64.powi(step.narrow as i32);
                fixed(if frozen { 0.0 } else { real })
            };
            let factors = words((0..outputs).flat_map(factor));
            let factors = self.constant(format!("{name} bias steps"), factors, 4);
            let layer = BiasStep { pixels: positions, channels: outputs, step };
            let inputs = [gradient_at].into_iter().chain(common.operands()).collect();
            let kernel = kernel::UpdateBias { layer }.into();
            let name = format!("UPDATE bias of {name}");
            let kept = Some(Role::KeptOfBias(number));
            self.update(variable, kept, Step { name, inputs, constants: vec![factors], ..Step::new(kernel, IN_PLACE) });
        }
        // Behind the biases, whose update is the last to read the gradient where no weights are trained: then its place is free.
        if self.reached[input.index()] {
            // Factors of the channels, over the greatest.
            let most = effective.iter().fold(0f64, |most, &e| most.max(e)) * gradient.unit;
            let top = most * 32768.0 / 32767.0;
            let factors = effective.iter().map(|e| (e * gradient.unit / top * 32768.0).round() as i16);
            let factors = factors.flat_map(i16::to_le_bytes).collect();
            let factors = self.constant(format!("{name} factors"), factors, 2);
            let terms = window.area() * if depthwise { window.multiplier().max(1) } else { outputs };
            // Weights have at most 7 bits, gradients 15.
            let spare = narrow(terms, 22);
            let unit = top * 2f64.powi(spare as i32);
            let shift = self.shift(input, unit, common);
            let of = format!("gradient of {}", graph.tensor(input).name);
            let sizes = sizes_of_images(images, window.input);
            let narrow = 15 + spare;
            let mut step = if depthwise {
                let layer = DepthwiseGradient { window, images, narrow, shift };
                Step {
                    inputs: vec![gradient_at, saved.weights],
                    constants: vec![factors],
                    scratch_bytes: layer.scratch(),
                    ..Step::new(kernel::GradientDepthwise { layer }.into(), by_bands(sizes))
                }
            } else {
                let apart = saved.updated.as_ref().filter(|updated| updated.apart);
                let selected = apart.map_or(0, |updated| updated.channels);
                let feed = feed(&window, images);
                let listed = self.out.constants[saved.list.index()].bytes.clone();
                let numbers = match listed.is_empty() {
                    true => factors,
                    false => {
                        let bytes = [&self.out.constants[factors.index()].bytes[..], &listed].concat();
                        self.constant(format!("{name} factors and channels"), bytes, 2)
                    }
                };
                let given = match feed {
                    Feed::Staged => self.scaled(gradient, narrow, factors, &of),
                    Feed::Whole | Feed::Rows => gradient_at,
                };
                let layer = InputGradient { window, images, selected, narrow, shift, feed };
                let by_blocks = |operand: Operand, each: usize| match operand {
                    Operand::Buffer(id, _) => Operand::Buffer(id, kernel::by_blocks(outputs, each * window.area())),
                    constant => constant,
                };
                let mut inputs = vec![given, by_blocks(saved.weights, window.input[2])];
                inputs.extend(apart.map(|updated| by_blocks(self.value(updated.variable), selected)));
                let order = if feed == Feed::Staged { by_bands(sizes) } else { WHOLE };
                Step {
                    inputs,
                    constants: vec![numbers],
                    scratch_bytes: layer.scratch(),
                    ..Step::new(kernel::GradientConv2d { layer }.into(), order)
                }
            };
            step.name = format!("GRADIENT {of}");
            step.macs = self.macs(&saved);
            let unit = unit * 2f64.powi(shift as i32);
            let (step, gradient) = self.gradient(of, sizes, unit, step);
            self.computed.push(Computed { tensor: input, step, sizes, unit });
            passed.push((input, gradient));
        }
        if let Some(updated) = &saved.updated {
            let step = rounded(self, narrow(positions, 23), false);
            let factor = |o: usize| {
                let scaling = if aware { scales[o].powi(-2) } else { 1.0 };
                let real = effective[o] * gradient.unit * scaling * 2f64.powi(step.narrow as i32);
                fixed(if scales[o] <= DEAD_SCALE { 0.0 } else { real })
            };
            let factors = words((0..outputs).flat_map(factor));
            let factors = self.constant(format!("{name} weight steps"), factors, 4);
            let zero = saved.quant.input_zero;
            let (kernel, scratch_bytes): (Kernel, _) = if depthwise {
                (kernel::UpdateDepthwise { layer: DepthwiseStep { window, images, zero, step } }.into(), 0)
            } else {
                let layer = WeightStep { window, images, channels: updated.channels, zero, step };
                (kernel::UpdateConv2d { layer }.into(), layer.scratch())
            };
            let inputs = [updated.input, gradient_at].into_iter().chain(common.operands()).collect();
            let macs = self.macs(&saved) / window.input[2].max(1) as u64 * updated.channels as u64;
            let name = format!("UPDATE weights of {name}");
            let constants = vec![factors];
            let step = Step { name, inputs, macs, constants, scratch_bytes, ..Step::new(kernel, IN_PLACE) };
            self.update(updated.variable, Some(Role::KeptOfWeights(number)), step);
        }
        Ok(passed)
    }

    /// A gradient as that of a pointwise convolution is taken.
    fn scaled(&mut self, gradient: Gradient, narrow: u32, factors: ConstantId, of: &str) -> Operand {
        let [pixels, channels] = gradient.sizes;
        let extent = Extent { rows: pixels, cols: 1, depth: 4 * blocks(channels) };
        let name = format!("{} scaled", self.out.buffers[gradient.buffer.index()].name);
        let buffer = self.buffer(name, ElementType::Int16, extent);
        self.push(Step {
            name: format!("SCALE for {of}"),
            inputs: vec![gradient.operand()],
            constants: vec![factors],
            outputs: vec![Target { buffer, extent }],
            ..Step::new(kernel::ScaleGradient { sizes: gradient.sizes, narrow }.into(), WHOLE)
        });
        Operand::Buffer(buffer, extent)
    }

    /// Multiply-accumulates of a layer's forward pass, padding counted.
    fn macs(&self, saved: &Saved) -> u64 {
        let window = &saved.window;
        let inputs = if saved.depthwise { 1 } else { window.input[2] };
        (saved.images * window.output.iter().product::<usize>() * window.area() * inputs) as u64
    }
}

/// How a convolution's gradient is taken for that of its input: by rows, where the sums that this takes are smaller than the gradient.
fn feed(window: &Window2d, images: usize) -> Feed {
    let bytes = |sizes: [usize; 3], each: usize| images * sizes[0] * sizes[1] * 4 * blocks(sizes[2]) * each;
    if bytes(window.output, 2) > bytes(window.input, 4) {
        Feed::Rows
    } else if window.is_pointwise() {
        Feed::Staged
    } else {
        Feed::Whole
    }
}

/// The input channels whose weights are trained, in ascending order.
pub(crate) fn chosen(weights: &[u8], in_c: usize, count: usize, criterion: Criterion) -> Vec<u16> {
    let mut norms = vec![0i64; in_c];
    for row in weights.chunks_exact(in_c) {
        for (norm, &w) in norms.iter_mut().zip(row) {
            *norm += i64::from(w as i8).pow(2);
        }
    }
    let mut order: Vec<usize> = (0..in_c).collect();
    match criterion {
        Criterion::Greatest => order.sort_by_key(|&c| std::cmp::Reverse(norms[c])),
        Criterion::Least => order.sort_by_key(|&c| norms[c]),
        Criterion::First => {}
    }
    order.truncate(count);
    order.sort_unstable();
    order.into_iter().map(|c| c as u16).collect()
}
