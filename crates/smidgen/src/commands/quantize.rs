//! `smidgen quantize`: from a float network to an integer one.

use super::Answer;
use crate::console::format::{bytes, count, real};
use crate::console::options::Model;
use crate::console::output::{BAD, Output};
use crate::console::samples::Data;
use crate::console::table::{Column, Table};
use crate::console::{Failure, interrupt, progress};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::data::Dataset;
use smidgen::data::set::Part;
use smidgen::quant::{Ends, Inputs, Layer, Options, Quantised, RangeMethod, Stage, quantise};
use smidgen::report::quant::{LayerRow, QuantSummary};
use smidgen::report::{self, Figure};
use smidgen::{Error, Network};
use std::path::PathBuf;

/// Turn a float network into an int8 one, with samples of its inputs
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen quantize model.tflite -o small.tflite --data photos/
      200 pictures of photos/train/CLASS/*.jpg (or photos/CLASS/*.jpg, or photos/*.jpg)
  smidgen quantize model.tflite -o small.tflite --data features.npz --range mse
      rows of the array `x`, or `input_0`, `input_1`, ...; ranges of least squared error
  smidgen quantize model.tflite -o small.tflite --data photos.tar.gz --normalise raw --report cost.html
      pixels 0..255 as the network was trained on; a page that shows which layer costs what

The scheme is TensorFlow Lite's: int8 activations with one scale and zero point, int8 weights with a scale for each output \
channel, int32 biases. The same samples and options give the same bytes. `smidgen eval` tells what the result is worth.")]
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

/// Decibels below which a layer deserves a look: noise of a tenth of the signal's magnitude.
const POOR: f64 = 20.0;

const COLUMNS: [Column; 7] = [
    Column::right("#", 0),
    Column::left("operator", 0),
    Column::left("output", 3),
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
            ends: if self.ends == EndsName::Int8 { Ends::Int8 } else { Ends::Float32 },
            // Samples may lack the darkest or the brightest pixel; the range that pixels have is known.
            inputs: vec![known.map(|(low, high)| (low as f32, high as f32)); network.graph().inputs.len()],
            ..Options::default()
        };
        let quantised = {
            let bars = [
                (Stage::Observe, progress::bar(out, "observing", samples.len())),
                (Stage::Spread, progress::bar(out, "counting", samples.len())),
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
        if let Some(worst) = worst(&quantised.layers) {
            let (style, db) = (BAD, decibels(worst.added));
            out.line(format!(
                "{style}operator {} {} leaves {db} dB{style:#}: try --range mse, or --equalise",
                worst.operator, worst.kind
            ))?;
        }
        out.note(format!("{}: {}, of {}", self.output.display(), bytes(after), bytes(before)))
    }

    fn summary(&self, quantised: &Quantised, samples: usize, [before, after]: [usize; 2]) -> QuantSummary {
        let figure =
            |label: &str, value: String, kind: &str| Figure { label: label.to_owned(), value, kind: kind.to_owned() };
        let mut figures = vec![
            figure("File", bytes(after), &format!("exact; the float network takes {}", bytes(before))),
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
            good: worst(&quantised.layers).is_none(),
            verdict,
            figures,
            layers: rows.collect(),
        }
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
        "float_bytes": before,
        "equalised_pairs": quantised.equalised,
        "outputs_db": quantised.outputs,
        "layers": layers,
    })
}
