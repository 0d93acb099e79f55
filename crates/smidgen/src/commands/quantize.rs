//! `smidgen quantize`: from a float network to an integer one.

mod accuracy;

use self::accuracy::Accuracy;
use super::Answer;
use super::inspect::moved;
use crate::console::format::{bytes, count, percent, real, thousands};
use crate::console::options::Model;
use crate::console::output::{BAD, Output};
use crate::console::samples::Data;
use crate::console::table::{Column, Table};
use crate::console::{Failure, interrupt, progress};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::data::Dataset;
use smidgen::data::picture::Normalisation;
use smidgen::data::set::Part;
use smidgen::evaluate::{EvaluateError, Skipped, prepared};
use smidgen::ir::text::print;
use smidgen::ir::visible_path;
use smidgen::ir::{DataType, ElementType, Graph, Op};
use smidgen::lowering::{LowerOptions, lower};
use smidgen::plan;
use smidgen::plan::planner::PlanOptions;
use smidgen::quant::{
    ActivationBits, Ends, Inputs, Layer, Options, Quantised, RangeMethod, Rounding, Stage, Tried, WeightBits, Widened,
    quantise,
};
use smidgen::report::quant::{LayerRow, QuantSummary};
use smidgen::report::{self, Figure};
use smidgen::{Error, Network};
use std::path::PathBuf;

/// Turn a float network into one of int8, with int4 weights or int16 activations where wanted, with samples of its inputs
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen quantize model.tflite -o small.tflite --data photos/
      200 pictures of photos/train/CLASS/*.jpg (or photos/CLASS/*.jpg, or photos/*.jpg)
  smidgen quantize model.tflite -o small.tflite --data features.npz --range mse
      rows of the array `x`, or `input_0`, `input_1`, ...; ranges of least squared error
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --normalise raw --html cost.html
      pixels 0..255 as the network was trained on; a page that shows which layer costs what
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights mixed
      weights of 4 bits where that harms least, of 8 elsewhere: at most 58 % of the bytes of int8
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights mixed --flash-ratio 0.7
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights int4 --equalise
  smidgen quantize model.tflite -o exact.tflite --data photos.tar.gz --activations mixed
      activations of 16 bits where 8 add the most noise to the outputs, until twice the least noise is left
  smidgen quantize model.tflite -o exact.tflite --data photos.tar.gz --activations mixed --snr 40
  smidgen quantize model.tflite -o exact.tflite --data photos.tar.gz --wide conv2d_1/Relu --wide SOFTMAX
      16 bits for an activation named by you, and for what operators of one kind write

The scheme is TensorFlow Lite's: int8 activations with one scale and zero point, int8 weights with a scale for each output \
channel, int32 biases. Weights of 4 bits are stored two to a byte, as TensorFlow Lite does. Activations of 16 bits are its \
16x8: int16 symmetric about 0, int8 weights, int64 biases; the producer and all readers of such an activation compute on int16, \
with a QUANTIZE to and from int8 around them. Operators that integers have no form for (DIV of two activations, SQRT, \
recurrent layers) compute on floats between a DEQUANTIZE and a QUANTIZE, and are named. The same samples and options give the same bytes. `smidgen eval` tells what the result is worth.")]
pub struct Quantize {
    #[command(flatten)]
    model: Model,
    /// The file to write: .tflite, or .ir for the textual form, which has what TensorFlow Lite has not
    #[arg(short, long, value_name = "OUT.tflite")]
    output: PathBuf,
    #[command(flatten)]
    data: Data,
    /// How many samples to run, as many of each class as possible
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    samples: u64,
    /// Which samples are taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How an activation's range follows from its values: minmax, percentile[:99.99], entropy or mse
    #[arg(long, value_name = "METHOD", default_value = "minmax")]
    range: RangeMethod,
    /// Scale channels of neighbouring layers against each other first, which changes no result
    #[arg(long)]
    equalise: bool,
    /// Leave biases as they are, instead of taking from them what rounding the weights adds on average
    #[arg(long)]
    keep_bias: bool,
    /// Bits of weights: 8, 4, or 4 in the layers where that harms least
    #[arg(long, value_enum, value_name = "BITS", default_value_t)]
    weights: WeightsName,
    /// With --weights mixed: what weights and biases may take, as a part of their bytes with int8 [default: 0.58]
    #[arg(long, value_name = "PART", value_parser = part)]
    flash_ratio: Option<f64>,
    /// Bits of activations: 8, 16, or 16 in the layers that need it
    #[arg(long, value_enum, value_name = "BITS", default_value_t)]
    activations: ActivationsName,
    /// With --activations mixed: decibels of signal over noise that the outputs shall have, before a SOFTMAX [default: 3 less than 16 bits
    /// everywhere give]
    #[arg(long, value_name = "DB", value_parser = finite)]
    snr: Option<f64>,
    /// 16 bits for this activation, named as in --json, or for all that operators of this name write; repeatable
    #[arg(long, value_name = "NAME")]
    wide: Vec<String>,
    /// How weights are rounded [default: nearest with --weights int8, otherwise compensated]
    #[arg(long, value_enum, value_name = "METHOD")]
    rounding: Option<RoundingName>,
    /// What goes in and comes out of the network
    #[arg(long, value_enum, value_name = "TYPE", default_value_t)]
    ends: EndsName,
    /// Write a page that shows which layer costs what, and accuracy before and after where samples have labels
    #[arg(long = "html", alias = "report", value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum EndsName {
    /// The stored integers: int8, or int16 with --activations int16
    #[default]
    Int8,
    /// Floats, with a QUANTIZE and a DEQUANTIZE at the ends
    Float32,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum WeightsName {
    /// 8 bits each
    #[default]
    Int8,
    /// 4 bits each, two to a byte
    Int4,
    /// 8 in some layers, 4 in others
    Mixed,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum ActivationsName {
    /// 8 bits each
    #[default]
    Int8,
    /// 16 bits each, weights of 8
    Int16,
    /// 16 in the layers that need it, 8 in others
    Mixed,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum RoundingName {
    /// To the nearest step, of steps that cover the greatest weight
    Nearest,
    /// To the nearest, of steps with the least squared error
    Clipped,
    /// So that errors make up for each other on what the layer reads
    Compensated,
}

/// A part of a whole: more than 0, at most 1.
fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0);
    part.ok_or_else(|| "a number above 0, up to 1, such as 0.6".to_owned())
}

/// A number of decibels.
fn finite(text: &str) -> Result<f64, String> {
    let decibels = text.parse().ok().filter(|decibels: &f64| decibels.is_finite());
    decibels.ok_or_else(|| "a number of decibels, such as 40".to_owned())
}

/// Decibels below which a layer deserves a look: noise of a tenth of the signal's magnitude.
const POOR: f64 = 20.0;

const COLUMNS: [Column; 10] = [
    Column::right("#", 0),
    Column::left("operator", 0),
    Column::left("output", 3),
    Column::left("acti-\nvations", 4),
    Column::left("weights", 5),
    Column::right("bytes", 6),
    Column::right("scale", 4),
    Column::right("zero\npoint", 5),
    Column::right("adds\ndB", 0),
    Column::right("in all\ndB", 0),
];

impl Quantize {
    /// Refuses options that contradict each other.
    fn check(&self) -> Result<(), Failure> {
        if !self.is_text() && self.output.extension().is_none_or(|extension| extension != "tflite") {
            return Err(Failure::usage(
                format!("`{}` does not end in .tflite", visible_path(&self.output)),
                "TensorFlow Lite files are what can be written, and the textual form in files that end in .ir",
            ));
        }
        if self.flash_ratio.is_some() && self.weights != WeightsName::Mixed {
            return Err(Failure::usage(
                "--flash-ratio is about --weights mixed",
                "add --weights mixed, or leave it out",
            ));
        }
        if self.snr.is_some() && self.activations != ActivationsName::Mixed {
            return Err(Failure::usage(
                "--snr is about --activations mixed",
                "add --activations mixed, or leave it out",
            ));
        }
        if self.activations == ActivationsName::Int16 {
            if self.weights != WeightsName::Int8 {
                return Err(Failure::usage(
                    "nothing computes with weights of 4 bits on int16 activations",
                    "leave --weights out, or take --activations mixed: weights of 4 bits are for its int8 layers",
                ));
            }
            if !self.wide.is_empty() {
                return Err(Failure::usage(
                    "with --activations int16 all activations have 16 bits",
                    "leave --wide out, or take it with --activations int8 or mixed",
                ));
            }
        }
        Ok(())
    }

    /// True if the textual form is to be written, which has layers that TensorFlow Lite has not.
    fn is_text(&self) -> bool {
        self.output.extension().is_some_and(|extension| extension == "ir")
    }

    /// A network as it is written.
    fn file(&self, network: &Network) -> Result<Vec<u8>, Error> {
        match self.is_text() {
            true => Ok(print(network.graph()).into_bytes()),
            false => network.to_tflite(),
        }
    }

    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        self.check()?;
        let network = self.model.open_to_quantise()?;
        let at = |error: Error| error.at(&self.model.path);
        let before = self.file(&network).map_err(at)?.len();
        let set = self.data.open(Part::Training)?;
        let feeder = self.data.feeder(&network)?.with_infinities();
        let indices = set.choose(self.samples as usize, self.seed);
        if !self.json {
            self.data.tell(out, &set, &feeder, &indices)?;
        }
        let samples = self.samples(out, &set, &feeder, &indices)?;
        let before_it = accuracy::before(out, &network, &self.data, (&feeder, self.seed), (&indices, &set))?;
        let known = feeder.pixel_range().filter(|_| set.holds_pixels());
        let options = Options {
            range: self.range,
            equalise: self.equalise,
            correct_bias: !self.keep_bias,
            weights: match self.weights {
                WeightsName::Int8 => WeightBits::Int8,
                WeightsName::Int4 => WeightBits::Int4,
                WeightsName::Mixed => WeightBits::Mixed(self.flash_ratio),
            },
            activations: match self.activations {
                ActivationsName::Int8 => ActivationBits::Int8,
                ActivationsName::Int16 => ActivationBits::Int16,
                ActivationsName::Mixed => ActivationBits::Mixed(self.snr),
            },
            wide: self.wide.clone(),
            rounding: self.rounding.map(|rounding| match rounding {
                RoundingName::Nearest => Rounding::Nearest,
                RoundingName::Clipped => Rounding::Clipped,
                RoundingName::Compensated => Rounding::Compensated,
            }),
            ends: if self.ends == EndsName::Int8 { Ends::Int8 } else { Ends::Float32 },
            // Samples may lack the darkest or the brightest pixel; the range that pixels have is known.
            inputs: vec![known.map(|(low, high)| (low as f32, high as f32)); network.graph().inputs.len()],
            ..Options::default()
        };
        let (operators, mixed) = (network.graph().operators.len(), self.weights == WeightsName::Mixed);
        let quantised = {
            let bars = [
                (Stage::Follow, progress::bar(out, "following", samples.len())),
                (Stage::Observe, progress::bar(out, "observing", samples.len())),
                (Stage::Step, progress::bar(out, "stepping", samples.len())),
                (Stage::Spread, progress::bar(out, "counting", samples.len())),
                (Stage::Round, progress::bar(out, "rounding", operators * if mixed { 2 } else { 1 })),
                (Stage::Widen, progress::bar(out, "widening", operators + 2)),
                (Stage::Try, progress::bar(out, "trying", operators)),
                (Stage::Compare, progress::bar(out, "comparing", samples.len().min(options.noise_samples))),
            ];
            let step = |stage| bars.iter().filter(|(s, _)| *s == stage).for_each(|(_, bar)| bar.inc(1));
            let quantised = quantise(network.graph(), &samples, &options, &step);
            bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
            quantised.map_err(|e| at(e.into()))?
        };
        let mut result = Network::from_graph(quantised.graph.clone())?;
        // A file that said what pixels become goes on to do so.
        result.set_pixels(network.pixels().and(feeder.normalisation()));
        let written = self.file(&result).map_err(at)?;
        // What cannot be read back must not replace what can.
        Network::from_bytes(&written).map_err(|e| e.at(&self.output))?;
        interrupt::write(&self.output, &written)?;
        let sizes = [before, written.len()];
        let sram = match &quantised.widened {
            Some(widened) => Some([planned(widened.int8.clone())?, planned(quantised.graph.clone())?]),
            None => None,
        };
        // What is left of its right answers, with pixels as they were calibrated.
        let accuracy = before_it.map(|before| before.after(out, &result, &self.data, &feeder)).transpose()?;
        // The named ones are told again by the input's range.
        if set.holds_pixels()
            && feeder.normalisation().is_some_and(|n| !Normalisation::KNOWN.contains(&n) && n.channels().is_some())
        {
            out.warn(
                "the written file cannot say which --mean and --std its pixels were calibrated with: give the same to `eval`, `run` and `compile`",
            );
        }
        let made = Made { quantised: &quantised, sizes, sram, accuracy: accuracy.as_ref() };
        if let Some(path) = &self.report {
            let page = report::quant::html(&self.summary(&made, samples.len()))
                .map_err(|e| Failure::usage(e.to_string(), "leave --html out"))?;
            interrupt::write(path, page.as_bytes())?;
        }
        if self.json {
            out.json(&describe(&made, samples.len()))?;
        } else {
            self.show(out, &made)?;
            for line in moved(&network, &self.output.display().to_string()) {
                out.wrapped(&format!("  {line}"), 4)?;
            }
        }
        Ok(Answer::Yes)
    }

    fn samples(
        &self,
        out: &mut Output,
        set: &Dataset,
        feeder: &smidgen::data::Feeder,
        indices: &[usize],
    ) -> Result<Vec<Inputs>, Failure> {
        let mut samples = Vec::with_capacity(indices.len());
        let mut skipped = Vec::new();
        for sample in set.read(indices) {
            match prepared(set, sample, (feeder, self.data.strict))? {
                Ok((_, arrays)) => samples.push(arrays.into_iter().map(|array| array.data).collect::<Inputs>()),
                Err(broken) => skipped.push(broken),
            }
        }
        if let (true, Some(first)) = (samples.is_empty(), skipped.first()) {
            let (name, reason) = (first.name.clone(), first.reason.clone());
            let pictures = skipped.len() as u64;
            return Err(Error::from(EvaluateError::AllBroken { pictures, name, reason }).into());
        }
        Skipped::told(&skipped, indices.len() as u64).into_iter().for_each(|text| out.warn(text));
        Ok(samples)
    }

    fn show(&self, out: &mut Output, made: &Made<'_>) -> Result<(), Failure> {
        let Made { quantised, sizes: [before, after], sram, accuracy } = *made;
        let mut table = Table::new(&COLUMNS);
        for layer in &quantised.layers {
            table.row(vec![
                layer.operator.to_string(),
                layer.kind.to_owned(),
                layer.shape.to_string(),
                layer.activation.name().to_owned(),
                layer.weights.map_or("-", |w| w.name()).to_owned(),
                if layer.constant_bytes > 0 { thousands(layer.constant_bytes as u64) } else { "-".to_owned() },
                real(layer.scale.into()),
                layer.zero_point.to_string(),
                decibels(layer.added),
                decibels(layer.total),
            ]);
        }
        out.print(table.render(out.width))?;
        out.wrapped(
            "dB: signal over noise, more is better; `adds` what the operator alone would leave, `in all` with what \
             came before",
            0,
        )?;
        if self.equalise {
            out.note(format!("equalised {}", count(quantised.equalised, "pair") + " of layers"))?;
        }
        let floats: Vec<String> =
            on_floats(&quantised.graph).map(|(kind, output)| format!("{kind} `{output}`")).collect();
        if !floats.is_empty() {
            let told = floats.join(", ");
            out.wrapped(&format!("on floats, since integers have no form or too few steps for them: {told}"), 0)?;
        }
        for (k, ratio) in quantised.outputs.iter().enumerate() {
            let ratio = ratio.map_or_else(|| "no noise".to_owned(), |db| format!("{db:.1} dB"));
            out.line(format!("output {k}  {ratio}"))?;
        }
        if let Some(accuracy) = accuracy {
            let [float, now] = accuracy.told();
            out.line(format!("top-1  {float} before, {now} after ({})", accuracy.samples()))?;
        }
        let [constants, int8] = quantised.constant_bytes;
        if constants < int8 {
            out.line(format!("weights and biases  {}", told_of_int8(constants, int8)))?;
        }
        if let (Some(widened), Some([int8, now])) = (&quantised.widened, sram) {
            for line in told_of_width(quantised, widened) {
                out.line(line)?;
            }
            out.line(format!("SRAM as planned  {}, {} with int8", bytes(now), bytes(int8)))?;
        }
        if let Some(worst) = worst(&quantised.layers) {
            let (style, db) = (BAD, decibels(worst.added));
            out.line(format!(
                "{style}operator {} {} leaves {db} dB{style:#}: try {}",
                worst.operator,
                worst.kind,
                remedy(worst)
            ))?;
        }
        out.note(format!("{}: {}, of {}", visible_path(&self.output), bytes(after), bytes(before)))
    }

    fn summary(&self, made: &Made<'_>, samples: usize) -> QuantSummary {
        let Made { quantised, sizes: [before, after], sram, accuracy } = *made;
        let figure =
            |label: &str, value: String, kind: &str| Figure { label: label.to_owned(), value, kind: kind.to_owned() };
        let mut figures = vec![
            figure("File", bytes(after), &format!("exact; the float network takes {}", bytes(before))),
            figure("Weights and biases", bytes(quantised.constant_bytes[0]), &{
                let [constants, int8] = quantised.constant_bytes;
                format!("exact; {} of what int8 takes", percent(constants as u64, int8 as u64, 1))
            }),
            figure("Samples", thousands(samples as u64), &format!("seed {}", self.seed)),
        ];
        for (k, ratio) in quantised.outputs.iter().enumerate() {
            let value = ratio.map_or_else(|| "no noise".to_owned(), |db| format!("{db:.1} dB"));
            figures.push(figure(&format!("Output {k}"), value, "signal over noise, measured"));
        }
        if let (Some(widened), Some([int8, now])) = (&quantised.widened, sram) {
            let [wide, all] = wide_layers(quantised);
            figures.push(figure("Layers on int16", wide.to_string(), &format!("of {all}")));
            let beside = |ratio| format!("measured before a SOFTMAX; with int8 {}", decibels_or_none(ratio));
            figures.push(figure("Outputs", decibels_or_none(widened.ratio), &beside(widened.int8_ratio)));
            figures.push(figure("SRAM", bytes(now), &format!("as planned; {} with int8", bytes(int8))));
        }
        let verdict = match worst(&quantised.layers) {
            Some(worst) => format!("{} {} adds the most noise.", worst.kind, worst.output),
            None => "No operator adds more noise than a tenth of its signal.".to_owned(),
        };
        let rows = quantised.layers.iter().map(|layer| LayerRow {
            index: layer.operator,
            kind: layer.kind.to_owned(),
            name: layer.output.clone(),
            shape: layer.shape.to_string(),
            activation: layer.activation.name().to_owned(),
            weights: layer.weights.map(|w| w.name().to_owned()),
            bytes: layer.constant_bytes,
            scale: real(layer.scale.into()),
            zero_point: layer.zero_point,
            represents: layer.represents,
            seen: layer.seen,
            added: layer.added,
            total: layer.total,
        });
        QuantSummary {
            model: self.model.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            method: self.range.to_string(),
            activations: match wide_layers(quantised) {
                [0, _] => "int8",
                [wide, all] if wide == all => "int16",
                _ => "int8 and int16",
            }
            .to_owned(),
            weights: match self.weights {
                WeightsName::Int8 => "8 bits",
                WeightsName::Int4 => "4 bits",
                WeightsName::Mixed => "4 or 8 bits",
            }
            .to_owned(),
            good: worst(&quantised.layers).is_none(),
            verdict,
            figures,
            accuracy: accuracy.map(|accuracy| accuracy.summary(self.seed)),
            layers: rows.collect(),
        }
    }
}

/// What was made, for the ways to present it.
#[derive(Clone, Copy)]
struct Made<'a> {
    quantised: &'a Quantised,
    /// Bytes of both files.
    sizes: [usize; 2],
    /// Bytes of SRAM that int8 everywhere takes and that this takes, if they differ.
    sram: Option<[usize; 2]>,
    /// How often both are right, where samples have labels.
    accuracy: Option<&'a Accuracy>,
}

/// Bytes of SRAM of a network as `smidgen plan` plans it, unless told otherwise.
fn planned(graph: Graph) -> Result<usize, Failure> {
    let mut network = Network::from_graph(graph)?;
    network.canonicalise()?;
    let lowered = lower(network.graph(), &LowerOptions::default().for_mcu()).map_err(Error::from)?;
    let plan = plan::planner::plan(&lowered, &PlanOptions::default()).map_err(Error::from)?;
    Ok(plan.report.total_bytes)
}

/// How many operators compute on int16, of how many.
fn wide_layers(quantised: &Quantised) -> [usize; 2] {
    let layers = quantised.layers.iter().filter(|layer| layer.kind != "QUANTIZE");
    let wide = layers.clone().filter(|layer| layer.activation == ElementType::Int16).count();
    [wide, layers.count()]
}

fn decibels_or_none(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "no noise".to_owned(), |db| format!("{db:.1} dB"))
}

/// What 16 bits for activations do, in words.
fn told_of_width(quantised: &Quantised, widened: &Widened) -> Vec<String> {
    let [wide, all] = wide_layers(quantised);
    let quantizes = quantised.layers.iter().filter(|layer| layer.kind == "QUANTIZE").count();
    let mut lines = vec![format!("int16 in {wide} of {all} layers, {} between types", count(quantizes, "QUANTIZE"))];
    let (now, int8) = (decibels_or_none(widened.ratio), decibels_or_none(widened.int8_ratio));
    let mut noise = format!("outputs (before a SOFTMAX)  {now}, with int8 {int8}");
    if let Some(mixed) = &widened.mixed {
        noise += &format!(", with int16 {}", decibels_or_none(mixed.int16_ratio));
        noise += &mixed.target.map_or_else(String::new, |target| format!("; wanted: {target:.1} dB"));
    }
    lines.push(noise);
    lines
}

fn told_of_int8(constants: usize, int8: usize) -> String {
    format!("{}, {} of the {} of int8", bytes(constants), percent(constants as u64, int8 as u64, 1), bytes(int8))
}

/// What may help a layer that adds much noise.
fn remedy(layer: &Layer) -> &'static str {
    match layer.weights {
        Some(ElementType::Int4) => "--weights mixed, or a greater --flash-ratio",
        _ if layer.activation == ElementType::Int8 => "--range mse, --equalise, or --activations mixed",
        _ => "--range mse, or --equalise",
    }
}

/// The layer that adds the most noise, if that is much.
fn worst(layers: &[Layer]) -> Option<&Layer> {
    let poor = layers.iter().filter(|layer| layer.added.is_some_and(|db| db < POOR));
    poor.min_by(|a, b| a.added.unwrap_or(POOR).total_cmp(&b.added.unwrap_or(POOR)))
}

fn decibels(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".into(), |db| format!("{db:.1}"))
}

/// Each operator that computes on floats in the quantised network: its name, and that of what it writes.
fn on_floats(graph: &Graph) -> impl Iterator<Item = (&'static str, &str)> {
    graph.operators.iter().filter_map(|operator| {
        let output = graph.tensor(*operator.outputs.first()?);
        let computes = output.dtype == DataType::FLOAT32 && operator.op != Op::Dequantize;
        computes.then(|| (operator.op.name(), output.name.as_str()))
    })
}

fn describe(made: &Made<'_>, samples: usize) -> Value {
    let Made { quantised, sizes: [before, after], sram, accuracy } = *made;
    let layers: Vec<Value> = quantised
        .layers
        .iter()
        .map(|layer| {
            json!({
                "operator": layer.operator,
                "kind": layer.kind,
                "output": layer.output,
                "shape": layer.shape.dims(),
                "activation": layer.activation.name(),
                "weights": layer.weights.map(|w| w.name()),
                "constant_bytes": layer.constant_bytes,
                "scale": layer.scale,
                "zero_point": layer.zero_point,
                "represents": layer.represents,
                "seen": layer.seen,
                "added_db": layer.added,
                "total_db": layer.total,
            })
        })
        .collect();
    let widened = quantised.widened.as_ref().map(|widened| {
        let tried = |t: &Tried| json!({ "activations": t.tensors, "noise_of_int8": t.harm, "int16": t.wide });
        json!({
            "ratio_db": widened.ratio,
            "int8_ratio_db": widened.int8_ratio,
            "int16_ratio_db": widened.mixed.as_ref().map(|m| m.int16_ratio),
            "target_db": widened.mixed.as_ref().map(|m| m.target),
            "tried": widened.mixed.as_ref().map(|m| m.tried.iter().map(tried).collect::<Vec<_>>()),
            "sram_bytes": sram.map(|[_, now]| now),
            "int8_sram_bytes": sram.map(|[int8, _]| int8),
        })
    });
    json!({
        "samples": samples,
        "accuracy": accuracy.map(|accuracy| json!({
            "float": accuracy.shares()[0],
            "quantised": accuracy.shares()[1],
            "samples": accuracy.samples,
            "part": accuracy.part,
            "calibrated_on_them": accuracy.calibrated,
        })),
        "bytes": after,
        "constant_bytes": quantised.constant_bytes[0],
        "int8_constant_bytes": quantised.constant_bytes[1],
        "float_bytes": before,
        "equalised_pairs": quantised.equalised,
        "outputs_db": quantised.outputs,
        "widened": widened,
        "floats": on_floats(&quantised.graph).map(|(kind, output)| json!({ "kind": kind, "output": output })).collect::<Vec<_>>(),
        "layers": layers,
    })
}
