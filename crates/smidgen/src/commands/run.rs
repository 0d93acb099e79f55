//! `smidgen run`: one inference on the host.

use super::Answer;
use super::inspect::port;
use crate::console::Failure;
use crate::console::format::{count, real, thousands};
use crate::console::options::{Model, ReferenceOption};
use crate::console::output::{Output, STRONG};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use smidgen::data::input::{self, Prepared};
use smidgen::data::picture::{Fit, Normalisation, Normalise};
use smidgen::data::{Array, npz};
use smidgen::ir::Graph;
use smidgen::{Runner, files};
use std::path::{Path, PathBuf};

/// Run a network once on the host and show what it says
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen run model.tflite --input cat.jpg --labels labels.txt
      decode the picture, resize and normalise it as the input's quantisation asks, name the best classes
  smidgen run model.tflite --input features.npy
      an array of the input's shape: its stored integers, or real numbers to be quantised
  smidgen run model.tflite --input samples.npz --array input_3 --output result.npz
      one array of an archive; inputs and outputs are written as `input_0` and `output_0_J`
  smidgen run model.tflite --input left.npy --input right.npy
      a network with two inputs

What a pixel becomes is always printed. `auto` takes the normalisation whose real numbers fill the range of the \
input's quantisation: 0..255 is raw, 0..1 unit, -1..1 symmetric. A float input takes that of the QUANTIZE behind it. \
Where nothing fits, pixels are spread over that range (0..1 where there is none), and a warning says so.")]
pub struct Run {
    #[command(flatten)]
    model: Model,
    /// What goes in: .npy, .npz, or a picture (JPEG, PNG, BMP); once for each of the network's inputs
    #[arg(short, long, value_name = "FILE", required = true)]
    input: Vec<PathBuf>,
    /// The array to take from an .npz file [default: input_0, or the only one]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// What a picture's pixels (0 to 255) become
    #[arg(long, value_enum, default_value_t)]
    normalise: NormaliseName,
    /// How a picture of another shape is made to fit
    #[arg(long, value_enum, default_value_t)]
    fit: FitName,
    /// Write inputs and outputs to this .npz file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Names of the classes, one on each line
    #[arg(short, long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How many classes to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    reference: ReferenceOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum NormaliseName {
    /// As the input's quantisation asks
    #[default]
    Auto,
    /// 0..255; an int8 input stores the pixel minus 128
    Raw,
    /// -1..1
    Symmetric,
    /// 0..1
    Unit,
    /// The pixel's byte taken for a signed one, as TensorFlow Lite Micro's person detection wants it
    Bytes,
}

impl From<NormaliseName> for Normalise {
    fn from(name: NormaliseName) -> Self {
        match name {
            NormaliseName::Auto => Self::Auto,
            NormaliseName::Raw => Self::Fixed(Normalisation::Raw),
            NormaliseName::Symmetric => Self::Fixed(Normalisation::Symmetric),
            NormaliseName::Unit => Self::Fixed(Normalisation::Unit),
            NormaliseName::Bytes => Self::Fixed(Normalisation::Bytes),
        }
    }
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum FitName {
    /// Scale both sides independently
    #[default]
    Stretch,
    /// Scale until the smaller side fits and cut out the middle
    Crop,
}

impl From<FitName> for Fit {
    fn from(name: FitName) -> Self {
        match name {
            FitName::Stretch => Self::Stretch,
            FitName::Crop => Self::Crop,
        }
    }
}

/// Elements beyond which an output is summed up rather than ranked as classes.
const MOST_CLASSES: usize = 100_000;

impl Run {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let network = self.model.open()?;
        let graph = network.graph();
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let prepared = self.inputs(graph)?;
        for warning in prepared.iter().filter_map(|p| p.warning.as_ref()) {
            out.warn(warning);
        }
        let inputs: Vec<Array> = prepared.iter().map(|p| p.array.clone()).collect();
        let outputs = Runner::new(&network, &self.reference.options())?.run(&inputs)?;
        if let Some(path) = &self.output {
            files::write_atomically(path, &npz::to_bytes(&named(&inputs, &outputs)))?;
        }
        if let Some(labels) = &labels
            && !outputs.iter().any(|o| o.elements() == labels.len())
        {
            let sizes: Vec<_> = outputs.iter().map(|o| thousands(o.elements() as u64)).collect();
            let (labels, sizes) = (count(labels.len(), "label"), sizes.join(", "));
            out.warn(format!(
                "there are {labels}, but outputs of {sizes} elements; labels are used where they suffice"
            ));
        }
        let labels = labels.unwrap_or_default();
        if self.json {
            out.json(&self.describe(graph, &prepared, &outputs, &labels))?;
            return Ok(Answer::Yes);
        }
        for (i, prepared) in prepared.iter().enumerate() {
            out.wrapped(&format!("input {i}  {}", prepared.story), 9)?;
        }
        for (j, output) in outputs.iter().enumerate() {
            let tensor = graph.tensor(graph.outputs[j]);
            out.note(format!("{STRONG}output {j}{STRONG:#}  {}", port(tensor)))?;
            let reals = input::reals(graph, j, output);
            out.print(self.show(output, &reals, &labels, tensor.per_tensor().is_some()))?;
        }
        if let Some(path) = &self.output {
            out.note(format!("written to {}", path.display()))?;
        }
        Ok(Answer::Yes)
    }

    fn inputs(&self, graph: &Graph) -> Result<Vec<Prepared>, Failure> {
        let wanted = graph.inputs.len();
        // One archive can hold all inputs of a network.
        let one_archive = self.input.len() == 1 && wanted > 1;
        if self.input.len() != wanted && !one_archive {
            let has = count(wanted, "input");
            return Err(Failure::usage(
                format!("the network has {has}, but {} given", count(self.input.len(), "file")),
                "give `--input FILE` once for each, in the order that `smidgen inspect` shows",
            ));
        }
        if self.array.is_some() && wanted > 1 {
            return Err(Failure::usage(
                "--array names one array, but the network has several inputs",
                "name the arrays input_0, input_1, ... in the archive",
            ));
        }
        (0..wanted)
            .map(|i| {
                let path: &Path = if one_archive { &self.input[0] } else { &self.input[i] };
                let name = self.array.as_deref();
                Ok(input::load(graph, i, path, name, self.normalise.into(), self.fit.into())?)
            })
            .collect()
    }

    /// The best classes, or (for what is no list of classes) the range of values.
    fn show(&self, output: &Array, reals: &[f64], labels: &[String], quantised: bool) -> String {
        if !is_classes(output) {
            let (low, high) = reals.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
            let mean = reals.iter().sum::<f64>() / reals.len().max(1) as f64;
            return format!("  {} to {}, mean {}\n", real(low), real(high), real(mean));
        }
        let stored = output.to_f64();
        let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        // Four decimals where that is apt for all, so that the points stand below each other.
        let greatest = reals.iter().fold(0f64, |m, v| m.max(v.abs()));
        let value = |v: f64| if (0.01..1e6).contains(&greatest) { format!("{v:.4}") } else { real(v) };
        for i in best(reals, self.top) {
            let label = labels.get(i).map_or("", String::as_str);
            let raw = if quantised { format!("  (stored {})", stored[i]) } else { String::new() };
            text.push_str(&format!("  {i:5}  {label:width$}  {:>11}{raw}\n", value(reals[i])));
        }
        text
    }

    fn describe(&self, graph: &Graph, inputs: &[Prepared], outputs: &[Array], labels: &[String]) -> Value {
        let inputs: Vec<Value> = inputs
            .iter()
            .map(|p| json!({ "source": p.story, "shape": p.array.shape, "type": p.array.dtype.name(), "warning": p.warning }))
            .collect();
        let outputs: Vec<Value> = outputs
            .iter()
            .enumerate()
            .map(|(j, output)| {
                let reals = input::reals(graph, j, output);
                let top: Vec<Value> = best(&reals, self.top)
                    .into_iter()
                    .filter(|_| is_classes(output))
                    .map(|i| json!({ "class": i, "label": labels.get(i), "value": reals[i] }))
                    .collect();
                json!({
                    "name": graph.tensor(graph.outputs[j]).name,
                    "shape": output.shape,
                    "type": output.dtype.name(),
                    "values": reals,
                    "top": top,
                })
            })
            .collect();
        json!({ "inputs": inputs, "outputs": outputs })
    }
}

/// True for an output that can be a list of classes: one axis longer than 1.
fn is_classes(output: &Array) -> bool {
    output.shape.iter().filter(|&&d| d != 1).count() <= 1 && output.elements() <= MOST_CLASSES
}

/// Indices of the greatest values, the first of equals first.
fn best(reals: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..reals.len()).collect();
    order.sort_by(|&a, &b| reals[b].total_cmp(&reals[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}

/// One label a line; trailing empty lines do not count.
fn read_labels(path: &Path) -> Result<Vec<String>, Failure> {
    let text = String::from_utf8(files::read(path)?).map_err(|_| {
        Failure::usage(format!("`{}` is not text", path.display()), "labels are UTF-8 text, one on each line")
    })?;
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}

/// Arrays by the names of a golden file.
fn named(inputs: &[Array], outputs: &[Array]) -> Vec<(String, Array)> {
    let single = inputs.len() == 1;
    let input = |i: usize| if single { "input_0".to_owned() } else { format!("input_0_{i}") };
    let inputs = inputs.iter().enumerate().map(|(i, array)| (input(i), array.clone()));
    let outputs = outputs.iter().enumerate().map(|(j, array)| (format!("output_0_{j}"), array.clone()));
    inputs.chain(outputs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_in_order() {
        assert_eq!(best(&[0.1, 0.7, 0.7, 0.2], 3), [1, 2, 3]);
        assert_eq!(best(&[f64::NAN, 1.0], 5).len(), 2);
        assert!(best(&[], 5).is_empty());
    }
}
