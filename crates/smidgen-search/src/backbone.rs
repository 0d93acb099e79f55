//! A pretrained network as the space of its cuts: fewer blocks, smaller kernels, fewer middle channels, other
//! resolutions, with the weights that it has.

use crate::candidate::Candidate;
use crate::error::SearchError;
use crate::space::{ANY, Stage};
use smidgen_ir::{Activation as Fused, BinaryKind, ConvParams, Graph, Op, Padding, ReduceKind, TensorId};
use smidgen_train::{Activation, Block, Net, Role, network_of_blocks, scaled};
use std::sync::Arc;

/// A network of blocks with its weights. Its inverted residuals with 3, 5 or 7 taps each way can be cut; everything else
/// stays as it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Backbone {
    /// Channels of its input.
    channels: usize,
    blocks: Vec<Block>,
    /// For each block that can be cut, its stage and its number there.
    slots: Vec<Option<(usize, usize)>>,
    stages: Arc<[Stage]>,
    layers: Vec<Layer>,
}

/// A layer's weights, and what follows its sums.
#[derive(Clone, PartialEq, Debug)]
struct Layer {
    shape: Vec<usize>,
    weights: Vec<f32>,
    biases: Vec<f32>,
}

/// Taps each way of depthwise convolutions that can be cut.
const KERNELS: [usize; 3] = [3, 5, 7];

impl Backbone {
    /// The network of a float graph whose convolutions have biases, with these parameters.
    ///
    /// # Errors
    /// If it is not convolutions one after another, some of them with a shortcut around an inverted residual, the mean of
    /// all pixels and a fully connected layer; or if nothing of it can be cut.
    pub fn new(graph: &Graph, net: &Net, parameters: &[f32]) -> Result<Self, SearchError> {
        let mut blocks = Reader { graph, at: 0, x: graph.inputs[0] }.blocks()?;
        // A shortcut is where the shapes agree: one that is missing there makes three layers of a block.
        let channels = graph.tensor(graph.inputs[0]).shape.dims().get(3).copied().unwrap_or(0);
        blocks = split(blocks, channels);
        let (slots, stages) = staged(&blocks, channels);
        let mut layers: Vec<Layer> = Vec::new();
        for parameter in net.parameters() {
            let values = parameters.get(parameter.range()).unwrap_or_default().to_vec();
            match (parameter.role, layers.last_mut()) {
                (Role::Weight, _) => {
                    layers.push(Layer { shape: sides(&parameter.shape), weights: values, biases: Vec::new() });
                }
                (Role::Bias, Some(layer)) => layer.biases = values,
                _ => return Err(refused(format!("`{}` is neither a weight nor a bias", parameter.name))),
            }
        }
        if stages.is_empty() {
            return Err(refused("it has no inverted residuals with 3, 5 or 7 taps each way".to_owned()));
        }
        let own = network_of_blocks([32, 32, channels], &plain(&blocks), 1)?;
        let weights = own.parameters().iter().filter(|parameter| parameter.role == Role::Weight);
        let shapes: Vec<Vec<usize>> = weights.map(|parameter| sides(&parameter.shape)).collect();
        // The last layer's outputs may be other classes.
        let differing = shapes.iter().zip(&layers).take(shapes.len() - 1).any(|(wanted, layer)| *wanted != layer.shape);
        if differing || shapes.len() != layers.len() {
            return Err(refused("its layers do not have the weights of blocks".to_owned()));
        }
        Ok(Self { channels, blocks: plain(&blocks), slots, stages: stages.into(), layers })
    }

    /// A hash (FNV-1a, of 64 bits) of its blocks and weights: another one is another network.
    pub fn hash(&self) -> u64 {
        let blocks = format!("{:?}", self.blocks).into_bytes();
        let of = |layer: &Layer| [&layer.weights[..], &layer.biases].concat();
        let weights = self.layers.iter().flat_map(of).flat_map(f32::to_le_bytes);
        let mixed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        blocks.into_iter().chain(weights).fold(0xcbf2_9ce4_8422_2325, mixed)
    }

    /// Channels of its input.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// A cut of it, each block with its place among all of them: its first middle channels and the centre of its taps.
    pub(crate) fn cut(&self, candidate: &Candidate) -> Vec<(usize, Block)> {
        let (mut cut, mut genes, mut channels) = (Vec::new(), candidate.genes.iter(), self.channels);
        for (place, (&block, &slot)) in self.blocks.iter().zip(&self.slots).enumerate() {
            let mut block = block;
            if let (Some((stage, number)), Some(gene)) = (slot, slot.and_then(|_| genes.next())) {
                if number >= candidate.depths[stage] {
                    continue;
                }
                if let Block::Inverted { middle, kernel, .. } = &mut block {
                    *kernel = gene.kernel.min(*kernel);
                    *middle = sixths(*middle, gene.expansion, channels);
                }
            }
            channels = block.filters().unwrap_or(channels);
            cut.push((place, block));
        }
        cut
    }

    /// Taps each way of each block that can be cut.
    pub(crate) fn most_taps(&self) -> Vec<usize> {
        let of = |(block, slot): (&Block, &Option<_>)| match *block {
            Block::Inverted { kernel, .. } => slot.map(|_| kernel),
            _ => None,
        };
        self.blocks.iter().zip(&self.slots).filter_map(of).collect()
    }

    /// The places of blocks that can be cut.
    pub(crate) fn places(&self) -> Vec<usize> {
        (0..self.blocks.len()).filter(|&place| self.slots[place].is_some()).collect()
    }

    /// Its stages.
    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Its weights as parameters of the network of all of its blocks; its biases are what normalisations add. What has
    /// another shape, as a last layer for other classes, keeps the parameters that it has.
    ///
    /// A filter that is normalised gets the length that fresh ones have, and its normalisation the rest: what a step of
    /// training changes of it is in proportion to its length then, which in a file may be anything.
    pub(crate) fn give(&self, net: &Net, parameters: &mut [f32]) {
        let mut layers = self.layers.iter();
        let mut current: Option<&Layer> = None;
        // Where the weights of the layer at hand lie.
        let mut weights = 0..0;
        for parameter in net.parameters() {
            let range = parameter.range();
            match parameter.role {
                Role::Weight => {
                    current = layers.next().filter(|layer| layer.shape == sides(&parameter.shape));
                    if let Some(layer) = current {
                        parameters[range.clone()].copy_from_slice(&layer.weights);
                    }
                    weights = range;
                }
                Role::Bias | Role::Shift => {
                    let own = &mut parameters[range];
                    if let Some(layer) = current.filter(|layer| layer.biases.len() == own.len()) {
                        own.copy_from_slice(&layer.biases);
                    }
                }
                Role::Scale if current.is_some() => {
                    let filters = parameter.len();
                    for (filter, at) in range.enumerate() {
                        let own = || weights.clone().skip(filter).step_by(filters);
                        let length = own().map(|i| f64::from(parameters[i]).powi(2)).sum::<f64>().sqrt();
                        // A filter of zeros stays one.
                        if length > 0.0 {
                            own().for_each(|i| parameters[i] = (f64::from(parameters[i]) * FRESH / length) as f32);
                            parameters[at] = (length / FRESH) as f32;
                        }
                    }
                }
                Role::Scale | Role::Slope => {}
            }
        }
    }
}

/// The length of a filter of uniform numbers between -1 and 1 over the root of their count, which fresh ones are: the root
/// of 1/3.
const FRESH: f64 = 0.577_350_269_189_625_8;

/// So many sixths of a block's middle channels: a multiple of 8, and never as many as its input has, which would make it
/// another block.
fn sixths(middle: usize, sixths: usize, channels: usize) -> usize {
    if sixths >= 6 {
        return middle;
    }
    let kept = scaled(middle, sixths as f64 / 6.0).min(middle);
    if kept == channels { (kept + 8).min(middle) } else { kept }
}

/// The dimensions of weights: a pointwise convolution may have its one tap among them.
fn sides(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().skip_while(|&side| side == 1).collect()
}

/// Why a network cannot be cut.
fn refused(reason: String) -> SearchError {
    SearchError::Backbone { reason }
}

/// What a layer with this fused activation is followed by.
fn activation(fused: Fused) -> Option<Activation> {
    match fused {
        Fused::None => Some(Activation::None),
        Fused::Relu => Some(Activation::Relu),
        Fused::Relu6 => Some(Activation::Relu6),
        Fused::ReluN1To1 => None,
    }
}

/// The one activation of a block's first two layers. Converters leave a ReLU6 as a ReLU where the samples that they saw did
/// not reach 6: one of both is a ReLU6 then.
fn both(one: Activation, other: Activation) -> Option<Activation> {
    match (one, other) {
        _ if one == other => Some(one),
        (Activation::Relu, Activation::Relu6) | (Activation::Relu6, Activation::Relu) => Some(Activation::Relu6),
        _ => None,
    }
}

/// A block, and whether its input is added.
type Read = (Block, bool);

/// Reads a graph from its input on.
struct Reader<'a> {
    graph: &'a Graph,
    /// The next operator.
    at: usize,
    /// What it reads.
    x: TensorId,
}

impl Reader<'_> {
    fn dims(&self, id: TensorId) -> [usize; 4] {
        <[usize; 4]>::try_from(self.graph.tensor(id).shape.dims()).unwrap_or_default()
    }

    /// The next operator as a layer, with its filters (none if it is depthwise), taps, stride and activation.
    fn layer(&self, ahead: usize) -> Option<(Option<usize>, [usize; 2], usize, Activation)> {
        let operator = self.graph.operators.get(self.at + ahead)?;
        let (conv, depthwise) = match &operator.op {
            Op::Conv2d(conv) => (conv, false),
            Op::DepthwiseConv2d { conv, multiplier: 1 } => (conv, true),
            _ => return None,
        };
        let ConvParams { stride: [stride, other], dilation: [1, 1], padding, activation: fused } = conv else {
            return None;
        };
        let [_, rows, columns, _] = self.dims(operator.inputs[0]);
        let [filters, high, wide, depth] = self.dims(operator.inputs[1]);
        // As many pixels as windows around each have: the sides of networks of blocks.
        let [_, out_rows, out_columns, _] = self.dims(operator.outputs[0]);
        let sized = [out_rows, out_columns] == [rows, columns].map(|side| side.div_ceil(*stride));
        let around = *padding != Padding::Valid || [high, wide] == [1, 1];
        // A convolution of groups has weights of fewer channels than its input.
        let whole = depthwise || depth == self.dims(operator.inputs[0])[3];
        let suits = stride == other && sized && around && whole;
        suits.then_some((if depthwise { None } else { Some(filters) }, [high, wide], *stride, activation(*fused)?))
    }

    fn follows(&self, ahead: usize) -> bool {
        let before = if ahead == 0 { Some(self.x) } else { self.output(ahead - 1) };
        self.graph.operators.get(self.at + ahead).is_some_and(|operator| operator.inputs.first().copied() == before)
    }

    fn output(&self, ahead: usize) -> Option<TensorId> {
        self.graph.operators.get(self.at + ahead)?.outputs.first().copied()
    }

    /// An inverted residual, the operators that it is of, and whether its input is added.
    fn inverted(&self) -> Option<(Block, usize, bool)> {
        let expands = matches!(self.layer(0)?, (Some(_), [1, 1], 1, _));
        let first = usize::from(expands);
        let (None, [kernel, other], stride, act) = self.layer(first)? else { return None };
        let (Some(filters), [1, 1], 1, Activation::None) = self.layer(first + 1)? else { return None };
        let channels = self.dims(self.x)[3];
        let (middle, act) = match self.layer(0)? {
            (Some(middle), [1, 1], 1, expanded) if expands && middle != channels => (middle, both(expanded, act)?),
            _ if !expands => (channels, act),
            _ => return None,
        };
        if kernel != other || !(0..first + 2).all(|ahead| self.follows(ahead)) {
            return None;
        }
        let block = Block::Inverted { middle, filters, kernel, stride, activation: act };
        let sum = self.adds_input(first + 2);
        Some((block, first + 2 + usize::from(sum), sum))
    }

    /// Whether an operator adds what the one before it writes to what is read now.
    fn adds_input(&self, ahead: usize) -> bool {
        self.graph.operators.get(self.at + ahead).is_some_and(|operator| {
            let both = [self.output(ahead - 1), Some(self.x)];
            let inputs = [operator.inputs.first().copied(), operator.inputs.get(1).copied()];
            let plain = matches!(operator.op, Op::Binary { kind: BinaryKind::Add, activation: Fused::None });
            plain && (inputs == both || inputs == [both[1], both[0]])
        })
    }

    /// A fused inverted residual with a shortcut, which stays as it is: without one it is two convolutions.
    fn fused(&self) -> Option<Block> {
        let (Some(middle), [kernel, other], stride, activation) = self.layer(0)? else { return None };
        let (Some(filters), [1, 1], 1, Activation::None) = self.layer(1)? else { return None };
        let follow = self.follows(0) && self.follows(1) && self.adds_input(2);
        (kernel == other && follow).then_some(Block::Fused { middle, filters, kernel, stride, activation })
    }

    fn blocks(mut self) -> Result<Vec<Read>, SearchError> {
        let mut blocks = Vec::new();
        loop {
            if let Some((block, operators, sum)) = self.inverted() {
                self.pass(operators);
                blocks.push((block, sum));
            } else if let Some(block) = self.fused() {
                self.pass(3);
                blocks.push((block, true));
            } else if let (true, Some((filters, kernel, stride, activation))) = (self.follows(0), self.layer(0)) {
                self.pass(1);
                let block = match filters {
                    Some(filters) => Block::Conv { filters, kernel, stride, activation },
                    None => Block::Depthwise { kernel, stride, activation },
                };
                blocks.push((block, false));
            } else {
                break;
            }
        }
        self.end()?;
        Ok(blocks)
    }

    fn pass(&mut self, operators: usize) {
        self.x = self.output(operators - 1).unwrap_or(self.x);
        self.at += operators;
    }

    /// The mean of all pixels, a fully connected layer, and nothing else with weights.
    fn end(&self) -> Result<(), SearchError> {
        let mut connected = 0;
        for (k, operator) in self.graph.operators[self.at..].iter().enumerate() {
            let [_, rows, columns, _] = self.dims(operator.inputs[0]);
            let fits = match &operator.op {
                Op::Reduce { kind: ReduceKind::Mean, axes, .. } => axes == &[1, 2],
                Op::Pool2d { .. } => {
                    let [_, r, c, _] = self.dims(operator.outputs[0]);
                    [r, c] == [1, 1] && rows * columns > 1
                }
                Op::Reshape { .. } | Op::Softmax { .. } => k > 0,
                Op::FullyConnected { .. } => {
                    connected += 1;
                    k > 0
                }
                _ => false,
            };
            if !fits {
                let name = &self.graph.tensor(operator.outputs[0]).name;
                return Err(refused(format!(
                    "its {}, which writes `{}`, is no part of inverted residuals, convolutions, a mean of all pixels \
                     or a last fully connected layer",
                    operator.op.name(),
                    smidgen_ir::visible(name)
                )));
            }
        }
        if connected == 1 { Ok(()) } else { Err(refused("it has no fully connected layer at its end".to_owned())) }
    }
}

fn plain(blocks: &[Read]) -> Vec<Block> {
    blocks.iter().map(|&(block, _)| block).collect()
}

/// The same with three layers in the place of an inverted residual whose shortcut is missing.
fn split(blocks: Vec<Read>, mut channels: usize) -> Vec<Read> {
    let mut all = Vec::new();
    for (block, sum) in blocks {
        match block {
            Block::Inverted { middle, filters, kernel, stride, activation }
                if stride == 1 && filters == channels && !sum =>
            {
                if middle != channels {
                    all.push((Block::Conv { filters: middle, kernel: [1; 2], stride: 1, activation }, false));
                }
                all.push((Block::Depthwise { kernel: [kernel; 2], stride, activation }, false));
                let project = Block::Conv { filters, kernel: [1; 2], stride: 1, activation: Activation::None };
                all.push((project, false));
            }
            block => all.push((block, sum)),
        }
        channels = block.filters().unwrap_or(channels);
    }
    all
}

/// Which blocks can be cut: stages of one that changes the shape, and those behind it with shortcuts.
fn staged(blocks: &[Read], mut channels: usize) -> (Vec<Option<(usize, usize)>>, Vec<Stage>) {
    let (mut slots, mut stages) = (Vec::new(), Vec::<Stage>::new());
    let mut open = false;
    for &(block, sum) in blocks {
        let slot = match block {
            Block::Inverted { middle, filters, kernel, stride, .. }
                if middle != channels && KERNELS.contains(&kernel) =>
            {
                let last = stages.len().saturating_sub(1);
                match stages.last_mut() {
                    // The first blocks of a stage are those that are kept: those with shortcuts can be left out.
                    Some(stage) if open && sum && stage.depths.len() < ANY.len() => {
                        stage.depths = &ANY[..stage.depths.len() + 1];
                        Some((last, stage.depths.len() - 1))
                    }
                    _ => {
                        stages.push(Stage { channels: filters, stride, depths: &ANY[..1] });
                        Some((stages.len() - 1, 0))
                    }
                }
            }
            _ => None,
        };
        open = slot.is_some();
        slots.push(slot);
        channels = block.filters().unwrap_or(channels);
    }
    (slots, stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Inputs, Space};
    use smidgen_ir::passes;
    use smidgen_train::{Architecture, Import, Random, Settings, Trainer};

    fn backbone(net: &Net) -> Result<Backbone, SearchError> {
        let mut graph = net.to_graph(&net.initial_parameters(3), &net.initial_state()).unwrap();
        passes::canonicalise(&mut graph);
        let (imported, parameters) = Net::import(&graph, Import::default()).unwrap();
        Backbone::new(&graph, &imported, &parameters)
    }

    #[test]
    fn a_published_network_is_cut_block_by_block() {
        let net = Architecture::McuNet5Fps.build([96, 96, 3], 5).unwrap();
        let backbone = Arc::new(backbone(&net).unwrap());
        let depths: Vec<usize> = backbone.stages().iter().map(|stage| stage.depths.len()).collect();
        assert_eq!(depths, [2, 2, 2, 3, 3, 1]);
        let spaces = Space::cuts(&backbone, [100, 100], 5, Inputs::Squares);
        let space = spaces.iter().find(|space| space.input == [96, 96, 3]).unwrap();
        let (largest, smallest) = (space.net(&space.largest()).unwrap(), space.net(&space.smallest()).unwrap());
        assert_eq!(largest.macs(), net.macs());
        assert!(smallest.macs() * 3 < largest.macs() * 2, "{} {}", smallest.macs(), largest.macs());
        let mut random = Random::new(4);
        for _ in 0..30 {
            let drawn = Candidate::draw(space, &mut random).mutated(space, 0.3, &mut random);
            assert!(drawn.is_of(space));
            assert!(space.net(&drawn).unwrap().macs() <= largest.macs());
        }
    }

    /// The largest cut computes what the backbone does, once its normalisations are those of samples.
    #[test]
    fn the_largest_cut_is_the_backbone() {
        let net = Architecture::McuNet5Fps.build([48, 48, 3], 4).unwrap();
        let backbone = Arc::new(backbone(&net).unwrap());
        let mut alone = Trainer::new(net.clone(), Settings::default(), 3).unwrap();
        let mut random = Random::new(8);
        let inputs: Vec<f32> = (0..6 * 48 * 48 * 3).map(|_| random.uniform(0.0, 1.0)).collect();
        let wanted = alone.predict(&inputs).unwrap();
        let spaces = Space::cuts(&backbone, [48, 48], 4, Inputs::Squares);
        let space = spaces.iter().find(|space| space.input == [48, 48, 3]).unwrap();
        let mut cut = Trainer::new(space.net(&space.largest()).unwrap(), Settings::default(), 9).unwrap();
        let parameters = space.pretrained(9).unwrap().unwrap();
        let samples = smidgen_train::Samples::new(cut.net(), &inputs, &[0; 6]).unwrap();
        cut.set_parameters(&parameters, &cut.net().initial_state()).unwrap();
        cut.settle(&samples).unwrap();
        for (a, b) in cut.predict(&inputs).unwrap().iter().zip(&wanted) {
            assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{a} {b}");
        }
    }

    /// Fused blocks, and blocks that are none, stay; those behind them are cut.
    #[test]
    fn what_is_no_inverted_residual_stays() {
        let activation = Activation::Relu6;
        let inverted = |middle, filters, stride| Block::Inverted { middle, filters, kernel: 5, stride, activation };
        let blocks = [
            Block::Conv { filters: 8, kernel: [3; 2], stride: 2, activation },
            Block::Fused { middle: 24, filters: 8, kernel: 3, stride: 1, activation },
            inverted(32, 16, 2),
            inverted(64, 16, 1),
            Block::Fused { middle: 24, filters: 16, kernel: 3, stride: 1, activation },
        ];
        let net = network_of_blocks([24, 24, 3], &blocks, 4).unwrap();
        let backbone = Arc::new(backbone(&net).unwrap());
        let depths: Vec<usize> = backbone.stages().iter().map(|stage| stage.depths.len()).collect();
        assert_eq!((depths, backbone.places()), (vec![2], vec![2, 3]));
        let space = Space::cuts(&backbone, [24, 24], 4, Inputs::Own).remove(0);
        assert_eq!(space.blocks(&space.largest()), blocks);
        let least = space.blocks(&space.smallest());
        assert_eq!(least.len(), 4);
        assert_eq!(least[2], Block::Inverted { middle: 16, filters: 16, kernel: 3, stride: 2, activation });
        assert_eq!((least[1], least[3]), (blocks[1], blocks[4]));
    }

    #[test]
    fn what_cannot_be_cut_is_named() {
        for (architecture, told) in [(Architecture::ResNet8, "ADD"), (Architecture::DsCnn, "no inverted residuals")] {
            let input = if architecture == Architecture::DsCnn { [49, 10, 1] } else { [32, 32, 3] };
            let error = backbone(&architecture.build(input, 3).unwrap()).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
