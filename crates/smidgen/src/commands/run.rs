//! `smidgen run`: one inference on the host.

use super::Answer;
use super::inspect::{layout, port};
use crate::console::format::{count, thousands};
use crate::console::inputs::Preparation;
use crate::console::options::{Model, ReferenceOption};
use crate::console::output::{Output, STRONG};
use crate::console::{Failure, classes, interrupt, progress};
use clap::Args;
use serde_json::{Value, json};
use smidgen::data::input::{self, Prepared};
use smidgen::data::{Array, npz};
use smidgen::ir::visible_path;
use smidgen::{Network, Runner};
use std::path::PathBuf;

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

Arrays have the shape of the input in the model file: of an ONNX file's images, channels first. They are transposed, which is \
said; an array that suits the network only with the channels last is taken as it is. What is written and shown is as \
the file has it.

What a pixel becomes is always printed. `auto` takes the normalisation whose real numbers fill the range of the \
input's quantisation: 0..255 is raw, 0..1 unit, -1..1 symmetric. A float input takes that of the QUANTIZE behind it. \
Where nothing fits, pixels are spread over that range (0..1 where there is none), and a warning says so.")]
pub struct Run {
    #[command(flatten)]
    model: Model,
    /// What goes in: .npy, .npz, or a picture (JPEG, PNG, BMP); once for each of the network's inputs
    #[arg(short, long, value_name = "FILE", required = true)]
    input: Vec<PathBuf>,
    #[command(flatten)]
    preparation: Preparation,
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

impl Run {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let network = self.model.open()?;
        let graph = network.graph();
        let labels = self.labels.as_deref().map(classes::read_labels).transpose()?;
        let prepared = self.preparation.load(&self.input, network.interface())?;
        for warning in prepared.iter().filter_map(|p| p.warning.as_ref()) {
            out.warn(warning);
        }
        let inputs: Vec<Array> = prepared.iter().map(|p| p.array.clone()).collect();
        let waiting = progress::waiting(out, "running");
        let outputs = Runner::new(&network, &self.reference.options())?.run_in_graph(&inputs)?;
        drop(waiting);
        // From here on everything is as the model file has it.
        let interface = network.interface();
        let outputs = interface.outputs_to_file(&outputs);
        if let Some(path) = &self.output {
            let to_file = |(i, array)| interface.input(i).to_file(array);
            let inputs: Vec<Array> = inputs.iter().enumerate().map(to_file).collect();
            interrupt::write(path, &npz::to_bytes(&named(&inputs, &outputs)))?;
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
            out.json(&self.describe(&network, &prepared, &outputs, &labels))?;
            return Ok(Answer::Yes);
        }
        for (i, prepared) in prepared.iter().enumerate() {
            out.wrapped(&format!("input {i}  {}", prepared.story), 9)?;
        }
        for (j, output) in outputs.iter().enumerate() {
            let tensor = graph.tensor(graph.outputs[j]);
            let layout = interface.output(j).rearranged().map_or_else(String::new, layout);
            out.note(format!("{STRONG}output {j}{STRONG:#}  {}{layout}", port(tensor)))?;
            let reals = input::reals(graph, j, output);
            out.print(classes::show(output, &reals, &labels, tensor.per_tensor().is_some(), self.top))?;
        }
        if let Some(path) = &self.output {
            out.note(format!("written to {}", visible_path(path)))?;
        }
        Ok(Answer::Yes)
    }

    fn describe(&self, network: &Network, inputs: &[Prepared], outputs: &[Array], labels: &[String]) -> Value {
        let (graph, interface) = (network.graph(), network.interface());
        let input = |(i, p): (usize, &Prepared)| {
            let (shape, dtype) = (interface.input(i).file_shape(), p.array.dtype.name());
            json!({ "source": p.story, "shape": shape, "type": dtype, "warning": p.warning })
        };
        let inputs: Vec<Value> = inputs.iter().enumerate().map(input).collect();
        let outputs: Vec<Value> = outputs
            .iter()
            .enumerate()
            .map(|(j, output)| {
                let reals = input::reals(graph, j, output);
                let top: Vec<Value> = classes::best(&reals, self.top)
                    .into_iter()
                    .filter(|_| classes::is_classes(output))
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

/// Arrays by the names of a golden file.
fn named(inputs: &[Array], outputs: &[Array]) -> Vec<(String, Array)> {
    let single = inputs.len() == 1;
    let input = |i: usize| if single { "input_0".to_owned() } else { format!("input_0_{i}") };
    let inputs = inputs.iter().enumerate().map(|(i, array)| (input(i), array.clone()));
    let outputs = outputs.iter().enumerate().map(|(j, array)| (format!("output_0_{j}"), array.clone()));
    inputs.chain(outputs).collect()
}
