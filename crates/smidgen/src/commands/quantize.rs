//! `smidgen quantize`: from a float network to an integer one.

use super::Answer;
use crate::console::format::{bytes, count, percent, real, thousands};
use crate::console::options::Model;
use crate::console::output::{BAD, Output};
use crate::console::samples::Data;
use crate::console::table::{Column, Table};
use crate::console::{Failure, interrupt, progress};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::data::Dataset;
use smidgen::data::set::Part;
use smidgen::ir::ElementType;
use smidgen::quant::{Ends, Inputs, Layer, Options, Quantised, RangeMethod, Rounding, Stage, WeightBits, quantise};
use smidgen::report::quant::{LayerRow, QuantSummary};
use smidgen::report::{self, Figure};
use smidgen::{Error, Network};
use std::path::PathBuf;

/// Turn a float network into one of int8, or of int4 weights, with samples of its inputs
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen quantize model.tflite -o small.tflite --data photos/
      200 pictures of photos/train/CLASS/*.jpg (or photos/CLASS/*.jpg, or photos/*.jpg)
  smidgen quantize model.tflite -o small.tflite --data features.npz --range mse
      rows of the array `x`, or `input_0`, `input_1`, ...; ranges of least squared error
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --normalise raw --report cost.html
      pixels 0..255 as the network was trained on; a page that shows which layer costs what
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights mixed
      weights of 4 bits where that harms least, of 8 elsewhere: at most 58 % of the bytes of int8
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights mixed --flash-ratio 0.7
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --weights int4 --equalise

The scheme is TensorFlow Lite's: int8 activations with one scale and zero point, int8 weights with a scale for each output \
channel, int32 biases. Weights of 4 bits are stored two to a byte, as TensorFlow Lite does. The same samples and options give the same bytes. `smidgen eval` tells what the result is worth.")]
pub struct Quantize {
    #[command(flatten)]
    model: Model,
    /// The file to write
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
    /// How weights are rounded [default: nearest with --weights int8, otherwise compensated]
    #[arg(long, value_enum, value_name = "METHOD")]
    rounding: Option<RoundingName>,
    /// What goes in and comes out of the network
    #[arg(long, value_enum, value_name = "TYPE", default_value_t)]
    ends: EndsName,
    /// Write a page that shows which layer costs what
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum EndsName {
    /// The stored integers
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

/// Decibels below which a layer deserves a look: noise of a tenth of the signal's magnitude.
const POOR: f64 = 20.0;

const COLUMNS: [Column; 9] = [
    Column::right("#", 0),
    Column::left("operator", 0),
    Column::left("output", 3),
    Column::left("weights", 5),
    Column::right("bytes", 6),
    Column::right("scale", 4),
    Column::right("zero\npoint", 5),
    Column::right("adds\ndB", 0),
    Column::right("in all\ndB", 0),
];

impl Quantize {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        if self.output.extension().is_none_or(|extension| extension != "tflite") {
            return Err(Failure::usage(
                format!("`{}` does not end in .tflite", self.output.display()),
                "TensorFlow Lite files are what can be written",
            ));
        }
        if self.flash_ratio.is_some() && self.weights != WeightsName::Mixed {
            return Err(Failure::usage(
                "--flash-ratio is about --weights mixed",
                "add --weights mixed, or leave it out",
            ));
        }
        let network = self.model.open()?;
        let at = |error: Error| error.at(&self.model.path);
        let before = network.to_tflite().map_err(at)?.len();
        let set = self.data.open(Part::Training)?;
        let feeder = self.data.feeder(network.graph());
        let indices = set.choose(self.samples as usize, self.seed);
        if !self.json {
            self.data.tell(out, &set, &feeder, indices.len())?;
        }
        let samples = self.samples(&set, &feeder, &indices)?;
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
                (Stage::Observe, progress::bar(out, "observing", samples.len())),
                (Stage::Spread, progress::bar(out, "counting", samples.len())),
                (Stage::Round, progress::bar(out, "rounding", operators * if mixed { 2 } else { 1 })),
                (Stage::Try, progress::bar(out, "trying", operators)),
                (Stage::Compare, progress::bar(out, "comparing", samples.len().min(options.noise_samples))),
            ];
            let step = |stage| bars.iter().filter(|(s, _)| *s == stage).for_each(|(_, bar)| bar.inc(1));
            let quantised = quantise(network.graph(), &samples, &options, &step);
            bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
            quantised.map_err(|e| at(e.into()))?
        };
        let result = Network::from_graph(quantised.graph.clone())?;
        let written = result.to_tflite().map_err(at)?;
        // What cannot be read back must not replace what can.
        Network::from_tflite(&written).map_err(|e| e.at(&self.output))?;
        interrupt::write(&self.output, &written)?;
        let sizes = [before, written.len()];
        if let Some(path) = &self.report {
            let page = report::quant::html(&self.summary(&quantised, samples.len(), sizes))
                .map_err(|e| Failure::usage(e.to_string(), "leave --report out"))?;
            interrupt::write(path, page.as_bytes())?;
        }
        if self.json {
            out.json(&describe(&quantised, samples.len(), sizes))?;
        } else {
            self.show(out, &quantised, sizes)?;
        }
        Ok(Answer::Yes)
    }

    fn samples(
        &self,
        set: &Dataset,
        feeder: &smidgen::data::Feeder,
        indices: &[usize],
    ) -> Result<Vec<Inputs>, Failure> {
        let mut samples = Vec::with_capacity(indices.len());
        for sample in set.read(indices) {
            let sample = sample.map_err(Error::from)?;
            let at = |error: smidgen::data::Error| error.at(&set.path_of(sample.index));
            let arrays = feeder.inputs(&sample).map_err(at).map_err(Error::from)?;
            samples.push((sample.index, arrays.into_iter().map(|array| array.data).collect::<Inputs>()));
        }
        // An archive gives them in its own order; sums of floats depend on it.
        samples.sort_by_key(|&(index, _)| index);
        Ok(samples.into_iter().map(|(_, inputs)| inputs).collect())
    }

    fn show(&self, out: &mut Output, quantised: &Quantised, [before, after]: [usize; 2]) -> Result<(), Failure> {
        let mut table = Table::new(&COLUMNS);
        for layer in &quantised.layers {
            table.row(vec![
                layer.operator.to_string(),
                layer.kind.to_owned(),
                layer.shape.to_string(),
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
        for (k, ratio) in quantised.outputs.iter().enumerate() {
            let ratio = ratio.map_or_else(|| "no noise".to_owned(), |db| format!("{db:.1} dB"));
            out.line(format!("output {k}  {ratio}"))?;
        }
        let [constants, int8] = quantised.constant_bytes;
        if constants < int8 {
            out.line(format!("weights and biases  {}", told_of_int8(constants, int8)))?;
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
        out.note(format!("{}: {}, of {}", self.output.display(), bytes(after), bytes(before)))
    }

    fn summary(&self, quantised: &Quantised, samples: usize, [before, after]: [usize; 2]) -> QuantSummary {
        let figure =
            |label: &str, value: String, kind: &str| Figure { label: label.to_owned(), value, kind: kind.to_owned() };
        let mut figures = vec![
            figure("File", bytes(after), &format!("exact; the float network takes {}", bytes(before))),
            figure("Weights and biases", bytes(quantised.constant_bytes[0]), &{
                let [constants, int8] = quantised.constant_bytes;
                format!("exact; {} of what int8 takes", percent(constants as u64, int8 as u64, 1))
            }),
            figure("Samples", samples.to_string(), &format!("seed {}", self.seed)),
        ];
        for (k, ratio) in quantised.outputs.iter().enumerate() {
            let value = ratio.map_or_else(|| "no noise".to_owned(), |db| format!("{db:.1} dB"));
            figures.push(figure(&format!("Output {k}"), value, "signal over noise, measured"));
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
            weights: match self.weights {
                WeightsName::Int8 => "8 bits",
                WeightsName::Int4 => "4 bits",
                WeightsName::Mixed => "4 or 8 bits",
            }
            .to_owned(),
            good: worst(&quantised.layers).is_none(),
            verdict,
            figures,
            layers: rows.collect(),
        }
    }
}

fn told_of_int8(constants: usize, int8: usize) -> String {
    format!("{}, {} of the {} of int8", bytes(constants), percent(constants as u64, int8 as u64, 1), bytes(int8))
}

/// What may help a layer that adds much noise.
fn remedy(layer: &Layer) -> &'static str {
    match layer.weights {
        Some(ElementType::Int4) => "--weights mixed, or a greater --flash-ratio",
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

fn describe(quantised: &Quantised, samples: usize, [before, after]: [usize; 2]) -> Value {
    let layers: Vec<Value> = quantised
        .layers
        .iter()
        .map(|layer| {
            json!({
                "operator": layer.operator,
                "kind": layer.kind,
                "output": layer.output,
                "shape": layer.shape.dims(),
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
    json!({
        "samples": samples,
        "bytes": after,
        "constant_bytes": quantised.constant_bytes[0],
        "int8_constant_bytes": quantised.constant_bytes[1],
        "float_bytes": before,
        "equalised_pairs": quantised.equalised,
        "outputs_db": quantised.outputs,
        "layers": layers,
    })
}
