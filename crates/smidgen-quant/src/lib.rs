//! Post-training quantisation: a float graph and samples of its inputs become an integer graph.
//!
//! The scheme is TensorFlow Lite's for int8 (its "quantization specification"): activations have one scale and zero point for a
//! tensor, weights one scale for each output channel and zero point 0 (one for all channels in FULLY_CONNECTED), biases are
//! int32 with the product of both scales. Weights may have 4 bits instead, always with a scale for each output channel. Activations
//! may be int16, symmetric about 0, in all layers or in some; biases are int64 there. The result is an ordinary [`Graph`]; whoever
//! runs it needs nothing from here.
//!
//! In order:
//! 1. `prepare`: constants folded, operators that int8 has no form for rewritten, what cannot be quantised refused.
//! 2. `state`: what is kept between inferences becomes inputs and outputs until the end.
//! 3. `observe`: the graph is run over the samples with [`smidgen_exec`]; extremes, means and histograms of every tensor.
//! 4. `equalise` (on request): channels scaled against each other where that changes no result.
//! 5. [`range`]: the interval of each tensor that integers will represent; `mask`: how far down that reaches before a SOFTMAX.
//! 6. `params`: scales and zero points; tensors that an operator ties together get the same ones. `formats`: which operators
//!    compute on int16, and what lies between them and others; `sensitivity`: which of them need it; `recurrent`: how recurrent layers
//!    hold their state; `floats`: which operators stay on floats.
//! 7. `convert`: the integer graph, with `weights` quantised and biases corrected; `compensate` rounds them by what their layer
//!    reads (`moments`), in a `walk` through both networks.
//! 8. `widths`: which weights take 4 bits, where they are mixed; then `convert` once more.
//! 9. [`noise`]: the error that each operator adds, and what of it has piled up there.
//!
//! [`dequantise`] goes back to floats, and [`requantise`] to integers again once these were trained.
//!
//! The same graph, samples and options give the same bytes, whatever the number of threads.
#![forbid(unsafe_code)]

mod affine;
mod convert;
mod dequantise;
mod equalisation;
mod error;
mod floats;
mod formats;
mod histogram;
mod mask;
pub mod noise;
mod observe;
mod params;
mod prepare;
pub mod range;
mod recurrent;
mod second_moments;
mod second_order;
mod sensitivity;
mod state;
mod walk;
mod weights;
mod widths;

pub use dequantise::{dequantise, requantise};
pub use error::QuantError;
pub use noise::Layer;
pub use range::RangeMethod;

use formats::Formats;
use smidgen_ir::{ElementType, Graph, Operator, TensorId, cost, validate};
use walk::Walk;
use weights::Width;

/// The bytes of each of a network's inputs: little endian, row-major.
pub type Inputs = Vec<Vec<u8>>;

/// What goes in and comes out of the quantised network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ends {
    /// The stored integers.
    #[default]
    Int8,
    /// Floats, with a QUANTIZE and DEQUANTIZE around the integers.
    Float32,
}

/// How many bits weights take. 4 bits are for CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED; other layers keep 8.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum WeightBits {
    /// 8 each.
    #[default]
    Int8,
    /// 4 each.
    Int4,
    /// Some layers' 8, others' 4, such that weights and biases take at most this part of the bytes that they take at 8 bits. `None`:
    /// 0.58, or as much more as 4 bits everywhere take.
    Mixed(Option<f64>),
}

/// How many bits activations take. Operators without a form for int16 (HARD_SWISH, PRELU, RELU_N1_TO_1 and ARG_MAX) keep
/// 8.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum ActivationBits {
    /// 8 each.
    #[default]
    Int8,
    /// 16 each, inputs and outputs as well. Weights have 8 then.
    Int16,
    /// Some layers' 16, others' 8, such that the outputs' noise (before a SOFTMAX) lies this many decibels below the signal. `None`:
    /// at most twice the noise that 16 bits everywhere leave. Integer inputs and outputs keep 8.
    Mixed(Option<f64>),
}

/// How weights are rounded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rounding {
    /// To the nearest of steps that cover the greatest weight.
    Nearest,
    /// To the nearest, with steps of the least squared error: the greatest weights may be clipped.
    Clipped,
    /// Such that the errors of a layer's weights make up for each other on what the layer reads.
    Compensated,
}

/// How to quantise.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// How an activation's range follows from its values.
    pub range: RangeMethod,
    /// Scale channels against each other first (see [`Quantised::equalised`]).
    pub equalise: bool,
    /// Take from biases what rounding the weights adds to a layer's mean output.
    pub correct_bias: bool,
    /// Bits of weights. Layers that compute on int16 keep 8.
    pub weights: WeightBits,
    /// Bits of activations.
    pub activations: ActivationBits,
    /// Activations that get 16 bits in any case, by their name in the float network or by that of the operator that writes them. A named
    /// input or output is int16 itself.
    pub wide: Vec<String>,
    /// How weights are rounded; `None`: to the nearest where all have 8 bits, otherwise compensated.
    pub rounding: Option<Rounding>,
    /// Inputs and outputs.
    pub ends: Ends,
    /// For each input, the range of its values where that is known better than from samples: pixels have one.
    pub inputs: Vec<Option<(f32, f32)>>,
    /// Samples, from the first on, that the error of each layer is measured with.
    pub noise_samples: usize,
}

impl Default for Options {
    /// Ranges from least to greatest value, weights and activations of 8 bits, biases corrected, no equalisation, integer ends, errors from 32
    /// samples.
    fn default() -> Self {
        Self {
            range: RangeMethod::default(),
            equalise: false,
            correct_bias: true,
            weights: WeightBits::default(),
            activations: ActivationBits::default(),
            wide: Vec::new(),
            rounding: None,
            ends: Ends::default(),
            inputs: Vec::new(),
            noise_samples: 32,
        }
    }
}

/// What is being done, for a progress bar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Running a float network that keeps state, to find what each inference begins with.
    Follow,
    /// Running the float network to find ranges.
    Observe,
    /// Running its LSTM step by step to find what they hold on the way.
    Step,
    /// Running it again to find how values are spread.
    Spread,
    /// Rounding weights by what their layer reads: once for each operator, twice where widths are mixed.
    Round,
    /// Trying a layer with weights of 4 bits.
    Try,
    /// Trying which activations need 16 bits.
    Widen,
    /// Comparing both networks.
    Compare,
}

/// Called after each sample, operator or layer of each stage, from any thread.
pub type Progress<'a> = &'a (dyn Fn(Stage) + Sync);

/// A quantised network and what became of its layers.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// The integer graph.
    pub graph: Graph,
    /// One for each of its operators that computes something, in order.
    pub layers: Vec<Layer>,
    /// For each output of the network, its signal-to-noise ratio in decibels; `None` where nothing was lost, or where
    /// the output is no real number.
    pub outputs: Vec<Option<f64>>,
    /// How many pairs of layers were equalised.
    pub equalised: usize,
    /// What 16 bits for activations do, where some have them or were tried.
    pub widened: Option<Widened>,
    /// Bytes of weights, biases and other constants, and what they would take with 8 bits for each weight.
    pub constant_bytes: [usize; 2],
}

/// A network with activations of 16 bits beside the one without.
#[derive(Clone, PartialEq, Debug)]
pub struct Widened {
    /// The network with int8 activations everywhere and weights of 8 bits.
    pub int8: Graph,
    /// Its signal-to-noise ratio in decibels at the outputs, or before a SOFTMAX; `None` if there is no noise.
    pub int8_ratio: Option<f64>,
    /// The same of the result's activations, with weights of 8 bits.
    pub ratio: Option<f64>,
    /// What was tried, with [`ActivationBits::Mixed`].
    pub mixed: Option<Mixed>,
}

/// What was tried to find the activations that need 16 bits.
#[derive(Clone, PartialEq, Debug)]
pub struct Mixed {
    /// Signal-to-noise ratio in decibels with 16 bits for all of them; `None` if there is no noise.
    pub int16_ratio: Option<f64>,
    /// What was aimed at.
    pub target: Option<f64>,
    /// The activations, by the harm that 8 bits do to the outputs for what 16 cost.
    pub tried: Vec<Tried>,
}

/// Activations that must have the same type.
#[derive(Clone, PartialEq, Debug)]
pub struct Tried {
    /// Their names.
    pub tensors: Vec<String>,
    /// Noise over signal at the outputs that 8 bits for these, and 16 for all others, add.
    pub harm: f64,
    /// True if they have 16 bits.
    pub wide: bool,
}

/// Quantises a float graph, with samples of its inputs. Where the network keeps state between inferences, the samples are inferences one behind
/// the other.
///
/// # Errors
/// [`QuantError`] if there are no samples or they do not fit, if the graph holds integers with a scale already, if a weight or
/// a value computed from a sample is not finite, if no scales stand for a layer, if a name is unknown, or if what is asked for cannot be
/// had.
pub fn quantise(
    graph: &Graph,
    samples: &[Inputs],
    options: &Options,
    progress: Progress<'_>,
) -> Result<Quantised, QuantError> {
    validate(graph).map_err(QuantError::Graph)?;
    let (opened, first) = state::open(graph);
    let mut float = prepare::prepare(&opened)?;
    let states = state::pairs(&float, first.len());
    observe::check_samples(&float.inputs[..graph.inputs.len()], &float, samples)?;
    let followed = match first.is_empty() {
        true => None,
        false => Some(state::follow(&float, samples, &first, progress)?),
    };
    let calls = samples;
    let samples = followed.as_deref().unwrap_or(samples);
    let mut seen = observe::observe(&float, samples, progress)?;
    let mut equalised = 0;
    if options.equalise {
        equalised = equalisation::equalise(&mut float, &seen);
        if equalised > 0 {
            seen = observe::observe(&float, samples, progress)?;
        }
    }
    let extents = observe::extents(&float, samples, progress)?;
    let floors = [ElementType::Int8, ElementType::Int16].map(|element| mask::floors(&float, &states, &seen, element));
    let ranges = |method: RangeMethod, floors: &[Option<f32>]| {
        let mut ranges = observe::ranges(&float, samples, (&seen, floors), method, progress)?;
        recurrent::widen(&float, &extents, &mut ranges);
        for (&id, known) in float.inputs.iter().zip(&options.inputs) {
            if let (Some(known), Some(range)) = (known, &mut ranges[id.index()]) {
                *range = *known;
            }
        }
        Ok::<_, QuantError>(ranges)
    };
    // int16 has steps enough for all values that were seen.
    let [narrow, wide] = [(options.range, &floors[0]), (RangeMethod::MinMax, &floors[1])]
        .map(|(method, floors)| ranges(method, floors).map(|ranges| (ranges, &floors[..])));
    let known = [(narrow?, ElementType::Int8), (wide?, ElementType::Int16)];
    let floors = floors.each_ref().map(|floors| &floors[..]);
    let stored = |floats: [&[bool]; 2]| {
        let of = |k: usize| {
            let ((ranges, floors), element) = &known[k];
            params::params(&float, &states, (ranges, floors, floats[k]), *element)
        };
        [of(0), of(1)]
    };
    // What turns out to be computed on floats puts no limits on scales.
    let [narrow, wide] = stored([&[], &[]]);
    let forms = recurrent::forms(&float, &narrow, &seen, &extents);
    let unsuited = [(&narrow[..], floors[0]), (&wide[..], floors[1])];
    let unsuited = unsuited.map(|stored| floats::unsuited(&float, stored, &seen, &forms));
    let [narrow, wide] = stored(unsuited.each_ref().map(|u| &u[..]));
    let rounding = options.rounding.unwrap_or(match options.weights {
        WeightBits::Int8 => Rounding::Nearest,
        WeightBits::Int4 | WeightBits::Mixed(_) => Rounding::Compensated,
    });
    let measured = &samples[..samples.len().min(options.noise_samples.max(1))];
    let formats = |asked: Vec<bool>| {
        Formats::new(&float, [&narrow, &wide], unsuited.each_ref().map(|u| &u[..]), (&forms, &states), asked)
    };
    let build = |asked: Vec<bool>| {
        // What rounding has to walk through both networks for is too slow to be tried often.
        let rounding = if rounding == Rounding::Compensated { Rounding::Nearest } else { rounding };
        let formats = &formats(asked);
        let plan = convert::Plan { float: &float, formats, seen: &seen, floors, options, rounding, states: &states };
        let converted = convert::convert(plan, &vec![Width::Int8; float.operators.len()], None, false)?.0;
        validated(&converted.graph)?;
        Ok(converted)
    };
    let (asked, mut widened) = widen(&float, &states, options, measured, &build, progress)?;
    let formats = formats(asked);
    let plan =
        convert::Plan { float: &float, formats: &formats, seen: &seen, floors, options, rounding, states: &states };
    let walk = || (rounding == Rounding::Compensated).then(|| Walk::new(&float, samples, progress));
    let all = |width: Width| {
        let of = |operator: &Operator| if convert::takes_int4(&operator.op) { width } else { Width::Int8 };
        float.operators.iter().map(of).collect::<Vec<Width>>()
    };
    let mut converted = match options.weights {
        WeightBits::Int8 => convert::convert(plan, &all(Width::Int8), walk(), false)?.0,
        WeightBits::Int4 => convert::convert(plan, &all(Width::Int4), walk(), false)?.0,
        WeightBits::Mixed(ratio) => {
            let (int8, alternatives) = convert::convert(plan, &all(Width::Int8), walk(), true)?;
            validated(&int8.graph)?;
            let widths = widths::choose(&float, &int8, &alternatives, samples, ratio, progress)?;
            convert::convert(plan, &widths, walk(), false)?.0
        }
    };
    validated(&converted.graph)?;
    let (layers, mut outputs) = noise::measure(&float, &converted, &seen, measured, progress)?;
    if !first.is_empty() {
        let calls = &calls[..measured.len()];
        outputs = noise::in_sequence(&float, &converted, calls, &first)?;
        let mut int8 = widened.as_mut().map(|widened| &mut widened.int8);
        for opened in int8.iter_mut().map(|graph| &mut **graph).chain([&mut converted.graph]) {
            state::close(opened, &first);
            validated(opened)?;
        }
    }
    let constant_bytes = constant_bytes(&converted.graph);
    Ok(Quantised { graph: converted.graph, layers, outputs, equalised, widened, constant_bytes })
}

/// Checks an integer graph that was built.
fn validated(graph: &Graph) -> Result<(), QuantError> {
    validate(graph).map_err(|error| QuantError::of_result(graph, error))
}

/// The activations that get 16 bits, and what that does if any do or were tried. `build` makes the integer network for a choice.
fn widen(
    float: &Graph,
    states: &[[TensorId; 2]],
    options: &Options,
    samples: &[Inputs],
    build: &dyn Fn(Vec<bool>) -> Result<Converted, QuantError>,
    progress: Progress<'_>,
) -> Result<(Vec<bool>, Option<Widened>), QuantError> {
    let none = vec![false; float.tensors.len()];
    let named = sensitivity::named(float, states, &options.wide)?;
    if options.activations == ActivationBits::Int8 && options.wide.is_empty() {
        return Ok((none, None));
    }
    let trial = noise::Trial::new(float, samples)?;
    let mut measure = |asked: &[bool]| {
        let noise = trial.noise(&build(asked.to_vec())?)?;
        progress(Stage::Widen);
        Ok(noise)
    };
    let decibels = |noise: f64| (noise > 0.0).then(|| -10.0 * noise.log10());
    let (asked, mixed, noise) = match options.activations {
        ActivationBits::Mixed(snr) => {
            let mut fixed = none.clone();
            if options.ends == Ends::Int8 {
                let inputs = &float.inputs[..float.inputs.len() - states.len()];
                let outputs = &float.outputs[..float.outputs.len() - states.len()];
                inputs.iter().chain(outputs).for_each(|id| fixed[id.index()] = true);
            }
            let found = sensitivity::choose(float, states, [&named, &fixed], snr, &mut measure)?;
            let names = |ids: &[TensorId]| ids.iter().map(|&id| float.tensor(id).name.clone()).collect();
            let tried = found.candidates.iter().zip(&found.taken);
            let tried = tried.map(|(c, &wide)| Tried { tensors: names(&c.tensors), harm: c.harm, wide }).collect();
            let taken = found.candidates.iter().zip(&found.taken).filter(|(_, taken)| **taken).map(|(c, _)| c);
            let asked = sensitivity::with(&named, taken);
            let mixed = Mixed { int16_ratio: decibels(found.int16), target: decibels(found.target), tried };
            (asked, Some(mixed), found.chosen)
        }
        ActivationBits::Int8 => {
            let noise = measure(&named)?;
            (named, None, noise)
        }
        ActivationBits::Int16 => {
            let all: Vec<bool> =
                (0..float.tensors.len()).map(|i| params::is_activation(float, TensorId(i as u32))).collect();
            let noise = measure(&all)?;
            (all, None, noise)
        }
    };
    let int8 = build(none)?;
    let int8_ratio = decibels(trial.noise(&int8)?);
    Ok((asked, Some(Widened { int8: int8.graph, int8_ratio, ratio: decibels(noise), mixed })))
}

/// Bytes of constants as they are, and with 8 bits for each weight.
fn constant_bytes(graph: &Graph) -> [usize; 2] {
    let bytes = cost(graph).parameter_bytes;
    let int4 = graph.tensors.iter().filter(|t| t.element() == ElementType::Int4);
    [bytes, bytes + int4.map(|t| t.shape.elements() - t.bytes()).sum::<usize>()]
}

/// The quantised graph, and which tensor of the float graph each of its tensors stands for.
#[derive(Clone)]
struct Converted {
    graph: Graph,
    origin: Vec<Option<TensorId>>,
    /// Floors of those that are masked: what lies below says nothing.
    floors: Vec<Option<f32>>,
}
