//! The network that training begins with.

use super::TrainingError;
use super::weights::Weights;
use crate::error::Error;
use crate::network::Network;
use smidgen_ir::{Activation, ConvParams, DataType, Graph, Op, Tensor, TensorId};
use smidgen_quant::dequantise;
use smidgen_train::{Architecture, Import, Net, Random, Role};
use std::ops::Range;

/// A network that can be trained, and what its training begins with.
#[derive(Clone, Debug)]
pub struct Start {
    /// What is trained.
    pub net: Net,
    /// Its parameters.
    pub parameters: Vec<f32>,
    /// Its normalisations' means and variances.
    pub state: Vec<f32>,
    /// The same as a network that takes samples.
    pub network: Network,
    /// The layer that was replaced since the data have another number of classes.
    pub replaced: Option<Replaced>,
    /// The first layers' weights are multiplied by this power of two while training, and pixels divided by it.
    pub scale: f32,
    /// The weights come from no file.
    fresh: bool,
    /// Normalisation was put in the place of biases: its statistics have to become those of the samples first.
    pub settles: bool,
    /// The file's network, if it computes on integers: its input says what pixels become.
    pub integers: Option<Network>,
    /// The layers that keep their weights.
    pub frozen: Vec<String>,
    /// Each layer's learning rate is this part of that of the layer behind it.
    pub decay: f32,
}

/// What training makes of a network to begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning<'a> {
    /// Classes of the data.
    pub classes: usize,
    /// Begin with fresh weights in place of the network's.
    pub fresh: bool,
    /// Train biases as they are, in place of batch normalisation that is folded into the weights again.
    pub biases: bool,
    /// What fresh weights follow from.
    pub seed: u64,
    /// Layers that keep their weights.
    pub freeze: Option<&'a Freeze>,
}

/// Which layers keep their weights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Freeze {
    /// The first ones.
    First(usize),
    /// Those whose output has such a name: `*` stands for any text.
    Named(String),
}

impl std::str::FromStr for Freeze {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Named(text.to_owned()), Self::First))
    }
}

/// Whether a text has such a form: `*` stands for any text.
fn has_form(text: &str, form: &str) -> bool {
    match form.split_once('*') {
        None => text == form,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && has_form(&rest[at..], after))),
    }
}

/// The names of the outputs of layers with weights, in order.
fn layers(graph: &Graph) -> Vec<String> {
    let weighted = |op: &Op| {
        matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::TransposeConv { .. } | Op::FullyConnected { .. })
    };
    let layers = graph.operators.iter().filter(|operator| weighted(&operator.op));
    layers.map(|operator| graph.tensor(operator.outputs[0]).name.clone()).collect()
}

/// The names of the layers that keep their weights.
fn frozen_layers(graph: &Graph, freeze: Option<&Freeze>) -> Result<Vec<String>, TrainingError> {
    let layers = layers(graph);
    let frozen: Vec<String> = match freeze {
        None => return Ok(Vec::new()),
        Some(Freeze::First(count)) => layers.iter().take(*count).cloned().collect(),
        Some(Freeze::Named(form)) => layers.iter().filter(|name| has_form(name, form)).cloned().collect(),
    };
    if frozen.is_empty() && freeze != Some(&Freeze::First(0)) || frozen.len() == layers.len() {
        return Err(TrainingError::Freeze { frozen: frozen.len(), layers });
    }
    // An activation that becomes part of its layer gives that its name.
    let name = |id: &TensorId| &graph.tensor(*id).name;
    let activations = graph.operators.iter().filter(|operator| matches!(operator.op, Op::Unary(_)));
    let named = activations.filter(|operator| frozen.contains(name(&operator.inputs[0])));
    let activated: Vec<String> = named.map(|operator| name(&operator.outputs[0]).clone()).collect();
    Ok([frozen, activated].concat())
}

/// A last layer that gave way to a fresh one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// What it writes.
    pub layer: String,
    /// Outputs that it had.
    pub before: usize,
    /// Outputs that it has now.
    pub after: usize,
}

impl Start {
    /// A published architecture with fresh weights.
    ///
    /// # Errors
    /// If there are no pixels or no classes.
    pub fn of_architecture(
        architecture: Architecture,
        (input, classes): ([usize; 3], usize),
        seed: u64,
    ) -> Result<Self, Error> {
        Self::of_net(architecture.build(input, classes)?, seed)
    }

    /// A network with fresh weights.
    ///
    /// # Errors
    /// If it is not valid, which is a fault of smidgen's.
    pub fn of_net(net: Net, seed: u64) -> Result<Self, Error> {
        let parameters = net.initial_parameters(seed);
        let network = Network::from_graph(net.to_graph(&parameters, &net.initial_state())?)?;
        let (replaced, scale, state) = (None, 1.0, net.initial_state());
        Ok(Self {
            net,
            parameters,
            state,
            network,
            replaced,
            scale,
            fresh: true,
            settles: false,
            integers: None,
            frozen: Vec::new(),
            decay: 1.0,
        })
    }

    /// A network with the weights that it has, or with fresh ones. If it has another number of outputs than there are
    /// classes, its last layer is replaced. One of integers becomes the float network that they stand for, whose
    /// activations nothing rounds.
    ///
    /// # Errors
    /// If an operator has no gradient, or the last layer cannot be replaced.
    pub fn of_network(network: &Network, beginning: Beginning<'_>) -> Result<Self, Error> {
        let Beginning { classes, fresh, biases, seed, freeze } = beginning;
        let mut network = network.clone();
        let quantised = network.graph().tensors.iter().any(|tensor| matches!(tensor.dtype, DataType::Quantised(..)));
        let integers = quantised.then(|| network.clone());
        if quantised {
            network = network.with_graph(dequantise(network.graph())?)?;
        }
        network.canonicalise()?;
        // What has no gradient is named before what has the wrong number of outputs.
        Net::from_graph(network.graph())?;
        let mut graph = network.graph().clone();
        let replaced = replace_head(&mut graph, classes, seed)?;
        if replaced.is_some() {
            network = network.with_graph(graph)?;
            // What only the old layer read.
            network.canonicalise()?;
        }
        let graph = network.graph();
        let frozen = frozen_layers(graph, freeze)?;
        let keeps = |name: &str| frozen.iter().any(|layer| layer == name);
        let (net, mut parameters) =
            Net::import(graph, Import { normalise: !biases, frozen: &keeps, ..Import::default() })?;
        if fresh {
            parameters = fresh_parameters(&net, seed);
        }
        let (settles, state) = (net.state_count() > 0, net.initial_state());
        Ok(Self { net, parameters, state, network, replaced, scale: 1.0, fresh, settles, integers, frozen, decay: 1.0 })
    }

    /// Begins with other weights, means and variances: those that PyTorch has made of this network.
    ///
    /// # Errors
    /// If they are of another network.
    pub fn restore(&mut self, weights: &Weights) -> Result<(), Error> {
        let torch = self.net.to_torch(1.0)?;
        torch.restore(&|name| weights.get(name), &mut self.parameters, &mut self.state)?;
        let factor = self.scale / weights.scale;
        for i in self.first_weights().unwrap_or_default().into_iter().flatten() {
            self.parameters[i] *= factor;
        }
        self.settles = false;
        Ok(())
    }

    /// Whether a layer keeps its weights.
    pub(crate) fn is_frozen(&self, layer: &str) -> bool {
        self.frozen.iter().any(|name| name == layer)
    }

    /// For each tensor of a network's parameters, its share of the learning rate.
    pub(crate) fn shares(&self, net: &Net) -> Vec<f32> {
        let layer = |name: &str| name.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
        let mut layers: Vec<String> = Vec::new();
        for parameter in net.parameters() {
            let layer = layer(&parameter.name);
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
        let share = |name: &str| {
            let layer = layer(name);
            let place = layers.iter().position(|other| *other == layer).unwrap_or(0);
            if self.is_frozen(&layer) { 0.0 } else { self.decay.powi((layers.len() - 1 - place) as i32) }
        };
        net.parameters().iter().map(|parameter| share(&parameter.name)).collect()
    }

    /// Frozen layers and the decay of rates, in words.
    pub(crate) fn told_shares(&self) -> String {
        format!("{} layers, rates of layers fall by {}", self.frozen.len(), self.decay)
    }

    /// Prepares for pixels up to this number, as 255 is: weights that read them would be pushed about by gradients as
    /// many times too large, in steps that have as many times too much effect. Fresh weights are left as they are,
    /// which suits the smaller pixels. Nothing is done where something else than a layer with weights reads the input.
    #[must_use]
    pub fn scaled(mut self, greatest: f64) -> Self {
        let mut scale = 1.0;
        while f64::from(2.0 * scale) <= greatest && scale < 65_536.0 {
            scale *= 2.0;
        }
        if let Some(ranges) = self.first_weights() {
            let factor = if self.fresh { 1.0 } else { scale };
            ranges.into_iter().flatten().for_each(|i| self.parameters[i] *= factor);
            self.scale = scale;
        }
        self
    }

    /// Parameters as the network has them, of those that are trained. This is exact, the scale being a power of two.
    pub(crate) fn unscaled(&self, parameters: &[f32]) -> Vec<f32> {
        let mut parameters = parameters.to_vec();
        let ranges = self.first_weights().unwrap_or_default();
        ranges.into_iter().flatten().for_each(|i| parameters[i] /= self.scale);
        parameters
    }

    /// Where the weights of the layers lie that read the input, if nothing else reads it.
    fn first_weights(&self) -> Option<Vec<Range<usize>>> {
        let graph = self.network.graph();
        let input = graph.inputs.first()?;
        let mut found = Vec::new();
        for operator in graph.operators.iter().filter(|operator| operator.inputs.contains(input)) {
            let weighted =
                matches!(operator.op, Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::FullyConnected { .. });
            let name = format!("{}.weight", graph.tensor(operator.outputs[0]).name);
            let named: Vec<_> = self.net.parameters().iter().filter(|parameter| parameter.name == name).collect();
            let &[parameter] = named.as_slice() else { return None };
            // What several layers share is scaled for none.
            let readers = graph.operators.iter().filter(|other| other.inputs.get(1) == operator.inputs.get(1)).count();
            if !weighted || readers != 1 {
                return None;
            }
            found.push(parameter.range());
        }
        Some(found)
    }
}

/// Parameters for a network without normalisation: weights uniform in `+-sqrt(6 / fan in)`, which keeps the variance
/// through layers with rectifiers (He et al. 2015, "Delving deep into rectifiers", section 2.2), biases 0, slopes 1/4.
fn fresh_parameters(net: &Net, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut parameters = net.initial_parameters(seed);
    for parameter in net.parameters() {
        let elements = &mut parameters[parameter.range()];
        match parameter.role {
            Role::Weight => {
                let bound = (6.0 / parameter.fan_in.max(1) as f32).sqrt();
                elements.iter_mut().for_each(|weight| *weight = random.uniform(-bound, bound));
            }
            Role::Bias => elements.fill(0.0),
            Role::Scale | Role::Shift | Role::Slope => {}
        }
    }
    parameters
}

/// Puts a fresh layer in the place of the last one, if there are not as many outputs as classes.
fn replace_head(graph: &mut Graph, classes: usize, seed: u64) -> Result<Option<Replaced>, TrainingError> {
    let &[output] = graph.outputs.as_slice() else { return Ok(None) };
    let outputs = graph.tensor(output).shape.elements();
    if outputs == classes {
        return Ok(None);
    }
    let (producers, consumers) = (graph.producers(), graph.consumers());
    let mut chain = vec![output];
    loop {
        let last = chain[chain.len() - 1];
        let Some(id) = producers[last.index()] else {
            return Err(TrainingError::Head { outputs, classes, layer: "an input".into() });
        };
        let operator = &graph.operators[id.index()];
        let refused = || {
            let layer = format!("{}, which writes `{}`", operator.op.name(), graph.tensor(last).name);
            TrainingError::Head { outputs, classes, layer }
        };
        // What somebody else reads has to keep its shape.
        let alone = consumers[last.index()].len() == usize::from(last != output);
        match operator.op {
            _ if !alone => return Err(refused()),
            // What keeps classes apart; means and pools do so over pixels.
            Op::Softmax { .. } | Op::Reshape { .. } | Op::Pool2d { .. } => chain.push(operator.inputs[0]),
            Op::Reduce { ref axes, .. } if axes == &[1, 2] => chain.push(operator.inputs[0]),
            Op::FullyConnected { .. } | Op::Conv2d(_) => {
                // The last dimension is that of the classes.
                if graph.tensor(last).shape.dims().last() != Some(&outputs) {
                    return Err(refused());
                }
                break;
            }
            _ => return Err(refused()),
        }
    }
    let layer = chain[chain.len() - 1];
    for &id in &chain {
        if let Some(op) = producers[id.index()].map(|op| op.index()) {
            resize(graph, id, op, outputs, classes);
        }
    }
    if let Some(op) = producers[layer.index()] {
        fresh_layer(graph, op.index(), classes, seed);
    }
    Ok(Some(Replaced { layer: graph.tensor(layer).name.clone(), before: outputs, after: classes }))
}

/// Gives a tensor as many elements as there are classes, where its shape has the old number.
fn resize(graph: &mut Graph, id: TensorId, op: usize, before: usize, after: usize) {
    let mut dims = graph.tensor(id).shape.dims().to_vec();
    if let Some(size) = dims.iter_mut().rev().find(|size| **size == before) {
        *size = after;
    }
    if let Op::Reshape { shape, .. } = &mut graph.operators[op].op {
        shape.clone_from(&dims);
    }
    graph.tensors[id.index()].shape = dims.into();
}

/// New weights, uniform in `+-1 / sqrt(fan in)`, and a bias of zeros for a fully connected layer or a convolution, and
/// no activation.
fn fresh_layer(graph: &mut Graph, op: usize, classes: usize, seed: u64) {
    let operator = &graph.operators[op];
    let (input, weights) = (operator.inputs[0], operator.inputs[1]);
    let mut dims = graph.tensor(weights).shape.dims().to_vec();
    let fan_in: usize = dims.iter().skip(1).product();
    if let Some(outputs) = dims.first_mut() {
        *outputs = classes;
    }
    let bias = operator.inputs.get(2).map(|&bias| graph.tensor(bias).name.clone());
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    let mut random = Random::new(seed);
    let values: Vec<u8> = (0..classes * fan_in).flat_map(|_| random.uniform(-bound, bound).to_le_bytes()).collect();
    let name = graph.tensor(weights).name.clone();
    let bias = bias.unwrap_or_else(|| format!("{name}.bias"));
    let weights = graph.add_tensor(Tensor::constant(name, dims, DataType::FLOAT32, values));
    let bias = graph.add_tensor(Tensor::constant(bias, vec![classes], DataType::FLOAT32, vec![0; 4 * classes]));
    let operator = &mut graph.operators[op];
    operator.inputs = vec![input, weights, bias];
    if let Op::FullyConnected { activation, .. } | Op::Conv2d(ConvParams { activation, .. }) = &mut operator.op {
        *activation = Activation::None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
graph "classifier"
inputs(%0)
outputs(%5)

%0 "features" : f32[1x4]
%1 "weights" : f32[3x4] = splat 0.5
%2 "scores" : f32[1x3] = FULLY_CONNECTED(%0, %1)
%3 "shaped" : f32[1x1x3] = RESHAPE(%2) shape=[1, 1, 3]
%4 "likely" : f32[1x1x3] = SOFTMAX(%3) beta=1.0
%5 "classes" : f32[3] = RESHAPE(%4) shape=[3]
"#;

    fn begun(classes: usize, fresh: bool) -> Beginning<'static> {
        Beginning { classes, fresh, biases: false, seed: 1, freeze: None }
    }

    #[test]
    fn a_last_layer_behind_softmax_and_shapes_is_replaced() {
        let network = Network::from_text(TEXT).unwrap();
        let kept = Start::of_network(&network, begun(3, false)).unwrap();
        assert!(kept.replaced.is_none() && kept.parameters.iter().all(|&p| p == 0.5));
        let start = Start::of_network(&network, begun(5, false)).unwrap();
        assert_eq!(start.replaced, Some(Replaced { layer: "scores".into(), before: 3, after: 5 }));
        assert_eq!((start.net.output_len(), start.parameters.len()), (5, 5 * 4 + 5));
        let dims: Vec<&[usize]> =
            start.network.graph().outputs.iter().map(|&id| start.network.graph().tensor(id).shape.dims()).collect();
        assert_eq!(dims, [&[5]]);
        assert!(start.parameters.iter().all(|p| p.abs() <= 0.5) && start.parameters.iter().any(|&p| p != 0.5));
    }

    #[test]
    fn the_first_weights_are_scaled_and_back() {
        let network = Network::from_text(TEXT).unwrap();
        let start = Start::of_network(&network, begun(3, false)).unwrap();
        let before = start.parameters.clone();
        let start = start.scaled(255.0);
        assert_eq!(start.scale, 128.0);
        assert!(start.parameters.iter().all(|&p| p == 64.0), "{:?}", start.parameters);
        assert_eq!(start.unscaled(&start.parameters), before);
        let fresh = Start::of_network(&network, begun(3, true)).unwrap();
        let scaled = fresh.clone().scaled(255.0);
        assert_eq!(scaled.parameters, fresh.parameters);
        assert!(scaled.unscaled(&scaled.parameters).iter().zip(&fresh.parameters).all(|(a, b)| a * 128.0 == *b));
        let text = TEXT.replace(
            "\"scores\" : f32[1x3] = FULLY_CONNECTED(%0, %1)",
            "\"scores\" : f32[1x3] = FULLY_CONNECTED(%6, %1)",
        );
        let text = text.replace("%2 \"scores\"", "%6 \"root\" : f32[1x4] = SQRT(%0)\n%2 \"scores\"");
        let start = Start::of_network(&Network::from_text(&text).unwrap(), begun(3, false)).unwrap().scaled(255.0);
        assert_eq!((start.scale, start.parameters), (1.0, before));
    }

    #[test]
    fn layers_are_frozen_by_number_and_by_name() {
        let forms = [("block1.*", true), ("*.expand", true), ("*1*p*", true), ("block1", false), ("*.project", false)];
        for (form, is) in forms {
            assert_eq!(has_form("block1.expand", form), is, "{form}");
        }
        let before = "%6 \"square\" : f32[4x4] = splat 0.25\n%8 \"first\" : f32[1x4] = FULLY_CONNECTED(%0, %6)\n\
                      %7 \"bent\" : f32[1x4] = RELU(%8)\n";
        let text = TEXT.replace("FULLY_CONNECTED(%0, %1)", "FULLY_CONNECTED(%7, %1)");
        let text = text.replace("%2 \"scores\"", &format!("{before}%2 \"scores\""));
        let network = Network::from_text(&text).unwrap();
        for freeze in [Freeze::First(1), Freeze::Named("fir*".into())] {
            let start = Start::of_network(&network, Beginning { freeze: Some(&freeze), ..begun(3, false) }).unwrap();
            assert!(start.is_frozen("first") && start.is_frozen("bent") && !start.is_frozen("scores"));
            assert_eq!(start.shares(&start.net), [0.0, 1.0]);
        }
        let start = Start { decay: 0.5, ..Start::of_network(&network, begun(3, false)).unwrap() };
        assert_eq!(start.shares(&start.net), [0.5, 1.0]);
        for freeze in [Freeze::First(2), Freeze::Named("last".into())] {
            let error = Start::of_network(&network, Beginning { freeze: Some(&freeze), ..begun(3, false) });
            assert!(error.unwrap_err().to_string().contains("of the network's 2 layers"));
        }
    }

    #[test]
    fn an_integer_network_and_a_convolution_at_its_end_are_begun_with() {
        let text = r#"
graph "integers"
inputs(%0)
outputs(%6)

%0 "x" : i8[1x4x4x2]{0.0078431373; -1}
%1 "w" : i8[4x4x4x2]{axis 0: 0.01, 0.02, 0.03, 0.04} = splat 5
%2 "a" : i8[1x1x1x4]{0.023529412; -128} = CONV_2D(%0, %1) stride=[1, 1] padding=valid
%3 "v" : i8[3x1x1x4]{axis 0: 0.01, 0.02, 0.03} = splat 7
%4 "scores" : i8[1x1x1x3]{0.1; 0} = CONV_2D(%2, %3) stride=[1, 1] padding=valid
%5 "row" : i8[1x3]{0.1; 0} = RESHAPE(%4) shape=[1, 3]
%6 "y" : f32[1x3] = DEQUANTIZE(%5)
"#;
        let network = Network::from_text(text).unwrap();
        let kept = Start::of_network(&network, begun(3, false)).unwrap();
        assert!(kept.integers.is_some() && kept.replaced.is_none());
        let names: Vec<&str> = kept.network.graph().operators.iter().map(|o| o.op.name()).collect();
        assert_eq!(names, ["CONV_2D", "CONV_2D", "RESHAPE"]);
        let first = kept.network.graph().tensors.iter().find(|t| t.name == "w").unwrap().floats().unwrap();
        assert!((first[0] - 0.05).abs() < 1e-7 && (first[127] - 0.2).abs() < 1e-7, "{first:?}");
        let Op::Conv2d(conv) = &kept.network.graph().operators[0].op else { panic!("{names:?}") };
        assert_eq!(conv.activation, Activation::Relu6);
        let replaced = Start::of_network(&network, begun(7, false)).unwrap();
        assert_eq!(replaced.replaced, Some(Replaced { layer: "scores".into(), before: 3, after: 7 }));
        assert_eq!(replaced.net.output_len(), 7);
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let text = TEXT.replace("SOFTMAX(%3) beta=1.0", "LOGISTIC(%3)");
        let network = Network::from_text(&text).unwrap();
        let error = Start::of_network(&network, begun(5, false)).unwrap_err().to_string();
        assert!(error.contains("3 outputs") && error.contains("5 classes") && error.contains("LOGISTIC"), "{error}");
    }
}
