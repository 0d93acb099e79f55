//! Golden files: reference inputs, outputs and intermediate tensors, by the names of their arrays.
//!
//! The axes of inputs and outputs lie as in the file that the network was read from, or else as in the graph.
//!
//! `input_K` (or `input_K_I` where there are several), `output_K_J` and `tensor_I`, where K counts samples, J the
//! network's outputs, and I its inputs or (for `tensor_I`, which belongs to sample 0) the tensors of the model file.
//! What an ONNX file's operators write goes by the name that it has there instead of `tensor_I`.

use crate::data::input::{flipped, quantise};
use crate::data::{Archive, Array, Dtype, Interface, PortAxes, Suits};
use crate::error::Error;
use smidgen_ir::{ElementType, Graph, TensorId};

/// Why a golden file does not suit a network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GoldenError {
    /// No `output_K_J`.
    #[error("not a golden file: it holds no array `output_K_J`, only {names}")]
    NoOutputs {
        /// What it holds.
        names: String,
    },
    /// An output without its input.
    #[error("it holds outputs of sample {sample} but no `{name}`")]
    NoInput {
        /// The sample.
        sample: usize,
        /// The array that is missing.
        name: String,
    },
    /// An output that the network does not have.
    #[error("it holds `{name}`, but the network has {outputs} output(s)")]
    NoSuchOutput {
        /// The array.
        name: String,
        /// How many outputs the network has.
        outputs: usize,
    },
    /// Another shape or element type than the network's.
    #[error("its array `{name}` is {given}; the network's `{tensor}` is {expected}")]
    Mismatch {
        /// The array.
        name: String,
        /// Its element type and shape.
        given: String,
        /// The network's tensor.
        tensor: String,
        /// Its element type and shape.
        expected: String,
    },
}

impl GoldenError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoOutputs { .. } | Self::NoInput { .. } => {
                "a golden file holds `input_K` and `output_K_J` for each sample K and output J; \
                 `smidgen run MODEL --input FILE --output GOLDEN.npz` writes one"
                    .into()
            }
            Self::Mismatch { given, expected, .. } if of_one_type(given, expected) => {
                "another shape: is it the golden file of this very model, made with inputs of these sizes?".into()
            }
            Self::NoSuchOutput { .. } | Self::Mismatch { .. } => "is it the golden file of this very model?".into(),
        })
    }
}

/// A golden file beside the network it was made from.
pub struct Golden<'a> {
    network: Interface<'a>,
    graph: &'a Graph,
    archive: &'a mut Archive,
    /// For each sample, its number and the network's outputs that it holds.
    samples: Vec<(usize, Vec<usize>)>,
    /// What became of arrays whose axes lie otherwise than in the graph: an entry for each input and output and way.
    orders: Vec<(TensorId, Suits, String)>,
}

impl<'a> Golden<'a> {
    /// Lists the samples.
    ///
    /// # Errors
    /// If there are none, or one holds an output that the network does not have.
    pub fn new(network: impl Into<Interface<'a>>, archive: &'a mut Archive) -> Result<Self, Error> {
        let network = network.into();
        let graph = network.graph();
        let mut samples = std::collections::BTreeMap::<usize, Vec<usize>>::new();
        for name in archive.names() {
            let Some((k, j)) = name.strip_prefix("output_").and_then(|rest| rest.split_once('_')) else { continue };
            let (Ok(k), Ok(j)) = (k.parse(), j.parse()) else { continue };
            if j >= graph.outputs.len() {
                return Err(GoldenError::NoSuchOutput { name: name.clone(), outputs: graph.outputs.len() }.into());
            }
            samples.entry(k).or_default().push(j);
        }
        if samples.is_empty() {
            let names: Vec<_> = archive.names().iter().take(6).map(|name| format!("`{name}`")).collect();
            let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            return Err(GoldenError::NoOutputs { names }.into());
        }
        samples.values_mut().for_each(|outputs| outputs.sort_unstable());
        Ok(Self { network, graph, archive, samples: samples.into_iter().collect(), orders: Vec::new() })
    }

    /// Each sample's number and the network's outputs that it holds.
    pub fn samples(&self) -> &[(usize, Vec<usize>)] {
        &self.samples
    }

    /// The network.
    pub fn network(&self) -> Interface<'a> {
        self.network
    }

    /// What has become of arrays that were read so far and whose axes lie otherwise in the graph than in the file that
    /// the network was read from, in words: one line for each input and output.
    pub fn orders(&self) -> Vec<String> {
        self.orders.iter().map(|(.., told)| told.clone()).collect()
    }

    /// The network's inputs for a sample, their axes as in the graph. Where the network's ends were cut to integers but
    /// the file holds real numbers, these are quantised as the QUANTIZE that was cut did it; uint8 becomes int8, 128 less.
    ///
    /// # Errors
    /// If one is missing, or of another shape or type than the network's.
    pub fn inputs(&mut self, sample: usize) -> Result<Vec<Array>, Error> {
        let single = self.graph.inputs.len() == 1;
        let mut inputs = Vec::new();
        for (i, &id) in self.graph.inputs.iter().enumerate() {
            let (short, long) = (format!("input_{sample}"), format!("input_{sample}_{i}"));
            let found = match self.archive.get(&long)? {
                Some(array) => Some((long.clone(), array)),
                None if single => self.archive.get(&short)?.map(|array| (short.clone(), array)),
                None => None,
            };
            let missing = || GoldenError::NoInput { sample, name: if single { short } else { long } };
            let (name, array) = found.ok_or_else(missing)?;
            let array = self.checked(name, id, self.network.input(i), array)?;
            let tensor = self.graph.tensor(id);
            inputs.push(match tensor.per_tensor() {
                Some((scale, zero_point)) if array.dtype.is_float() => {
                    let data = quantise(&array.to_f64(), scale, zero_point, tensor.element());
                    Array::new(Dtype::of(tensor.element()), &array.shape, data)
                }
                _ => array,
            });
        }
        Ok(inputs)
    }

    /// The reference's output `output` for a sample that [`samples`](Self::samples) lists with it, its axes as in the
    /// graph. It may be the real numbers (float32) of an output whose DEQUANTIZE was cut.
    ///
    /// # Errors
    /// If it cannot be read, or is of another shape or type than the network's.
    pub fn output(&mut self, sample: usize, output: usize) -> Result<Array, Error> {
        let name = format!("output_{sample}_{output}");
        let array = self.archive.get(&name)?.ok_or(GoldenError::NoInput { sample, name: name.clone() })?;
        self.checked(name, self.graph.outputs[output], self.network.output(output), array)
    }

    /// The reference's value of a tensor for sample 0, with its array's name and its axes as in the graph, if the file
    /// holds it with the shape and type that the network's has. (Some interpreters report a constant shape for what
    /// they resized, or bytes for packed int4.)
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn tensor(&mut self, id: TensorId) -> Result<Option<(String, Array)>, Error> {
        let tensor = self.graph.tensor(id);
        let dims = tensor.shape.dims();
        let (name, axes) = match (self.network.has_names(), tensor.source) {
            (true, _) => match self.network.value(id) {
                Some((name, axes)) if !is_end(name) => (name.to_owned(), Some(axes)),
                _ => return Ok(None),
            },
            (false, Some(source)) => (format!("tensor_{source}"), None),
            (false, None) => return Ok(None),
        };
        let wanted = Dtype::of(tensor.element());
        let array = match self.archive.get(&name)? {
            Some(array) if array.dtype == wanted => array,
            // A network of uint8 is computed with integers less 128.
            Some(array) if array.dtype == Dtype::Uint8 && tensor.element() == ElementType::Int8 => {
                Array::new(wanted, &array.shape, flipped(&array.data))
            }
            _ => return Ok(None),
        };
        let suits = array.shape == dims || axes.is_some_and(|axes| array.shape == axes.file_shape());
        Ok(match axes {
            _ if !suits => None,
            Some(axes) => axes.to_graph(array).ok().map(|(array, _)| (name, array)),
            None => Some((name, array)),
        })
    }

    /// Number of arrays that are neither inputs nor outputs.
    pub fn tensors(&self) -> usize {
        self.archive.names().iter().filter(|name| !is_end(name)).count()
    }

    fn checked(&mut self, name: String, id: TensorId, axes: PortAxes, array: Array) -> Result<Array, Error> {
        let tensor = self.graph.tensor(id);
        let wanted = Dtype::of(tensor.element());
        // An end of uint8 was cut, which converters give the scale of what is computed with.
        let array = match (array.dtype, wanted, tensor.per_tensor()) {
            (Dtype::Uint8, Dtype::Int8, Some(_)) => Array::new(wanted, &array.shape, flipped(&array.data)),
            _ => array,
        };
        let real = tensor.per_tensor().is_some() && array.dtype == Dtype::Float32;
        let sized = [axes.file_shape(), tensor.shape.dims()].contains(&array.shape.as_slice());
        if !sized || array.dtype != wanted && !real {
            let expected = format!("{wanted} {}", axes.describe());
            let tensor = tensor.name.clone();
            return Err(GoldenError::Mismatch { name, given: array.describe(), tensor, expected }.into());
        }
        let (array, suits) = axes.to_graph(array).expect("the shape is one of the two");
        let told = axes.told(suits);
        if !told.is_empty() && !self.orders.iter().any(|(of, how, _)| (*of, *how) == (id, suits)) {
            self.orders.push((id, suits, format!("`{name}` {told}")));
        }
        Ok(array)
    }
}

/// True if an array of this name is an input or output of a sample.
fn is_end(name: &str) -> bool {
    name.starts_with("input_") || name.starts_with("output_")
}

/// True if two descriptions begin with the same element type.
fn of_one_type(one: &str, other: &str) -> bool {
    one.split(' ').next() == other.split(' ').next()
}
