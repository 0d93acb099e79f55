//! The network: read, check, change, run.

use crate::data::{Array, Dtype, Interface, Normalisation};
use crate::error::Error;
use crate::{c_array, files, foreign};
use flate2::bufread::GzDecoder;
use smidgen_certify::{Certified, certify};
use smidgen_exec::{Executor, relabelled};
use smidgen_ir::cost::Cost;
use smidgen_ir::front::Unsupported;
pub use smidgen_ir::front::{Port, Ports};
use smidgen_ir::{Graph, Operator, TensorId, passes};
use smidgen_lower::{LowerError, LowerOptions};
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a file may leave open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReadOptions {
    /// Shapes of inputs by name, in the file's order of axes; for ONNX files. The first axis is 1 where nothing is said.
    pub shapes: Vec<(String, Vec<usize>)>,
    /// Integer weights beside float activations (dynamic-range quantisation) become the floats that they stand for; for TensorFlow
    /// Lite files that are to be quantised.
    pub float_weights: bool,
    /// Normalisation in training mode is read as in evaluation mode; for ONNX files that are to be trained.
    pub training: bool,
}

/// The name of the metadata in which a TensorFlow Lite file says what pixels become.
const PIXELS: &str = "smidgen.pixels";

/// A network that has been read and found valid.
///
/// ```no_run
/// use smidgen::{Array, Network};
///
/// let network = Network::open("person-detect.tflite")?;
/// println!("{} multiply-accumulates", network.cost().macs);
/// let outputs = network.run(&[Array::from_i8(&[1, 96, 96, 1], &[0; 9216])])?;
/// println!("{:?}", outputs[0].to_f64());
/// # Ok::<(), smidgen::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    graph: Graph,
    ports: Option<Ports>,
    /// What the nodes of an ONNX file write; tensors' sources index this.
    values: Vec<Port>,
    notes: Vec<Unsupported>,
    /// What the file says that pixels become.
    pixels: Option<Normalisation>,
}

impl Network {
    /// Reads a file: TensorFlow Lite's format, ONNX, a C array of either, or the [textual form](smidgen_ir::text) of a graph, told
    /// apart by their content.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, asks for what smidgen does not do, or leaves open a shape.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, &ReadOptions::default())
    }

    /// Reads a file as [`open`](Self::open) does, with what it leaves open.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if shapes are given that do not suit the file.
    pub fn open_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = |content| match content {
            Content::Onnx(bytes) => Self::from_onnx(&bytes, &onnx_options(path, options)),
            _ if !options.shapes.is_empty() => {
                let what = "a shape is given, but this file is not ONNX and leaves none open".into();
                Err(smidgen_onnx::ReadError::Shape { what }.into())
            }
            Content::Text(text) => Self::from_text(&text),
            Content::Tflite(bytes) => {
                let float_weights = options.float_weights;
                Self::of_tflite(&bytes, smidgen_tflite::Options { float_weights })
            }
        };
        Content::of_file(path, read)
    }

    /// Reads the bytes of a file, as [`open`](Self::open) does.
    ///
    /// # Errors
    /// If they are damaged, or ask for what smidgen does not do.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match Content::of(bytes.into(), None)? {
            Content::Text(text) => Self::from_text(&text),
            Content::Onnx(bytes) => Self::from_onnx(&bytes, &smidgen_onnx::Options::default()),
            Content::Tflite(bytes) => Self::from_tflite(&bytes),
        }
    }

    /// Reads the bytes of an ONNX file. Its images come out channels last; [`ports`](Self::ports) tells.
    ///
    /// # Errors
    /// If they are damaged, ask for what smidgen does not do, or leave open what `options` does not say.
    pub fn from_onnx(bytes: &[u8], options: &smidgen_onnx::Options<'_>) -> Result<Self, Error> {
        let smidgen_onnx::Import { graph, inputs, outputs, values, notes } = smidgen_onnx::read_with(bytes, options)?;
        Ok(Self { ports: Some(Ports { inputs, outputs }), values, notes, ..Self::from_graph(graph)? })
    }

    /// How the file's inputs and outputs lie in the graph, of a network that was read from an ONNX file.
    pub fn ports(&self) -> Option<&Ports> {
        self.ports.as_ref()
    }

    /// The graph with what orders the axes of arrays that come from or go to the outside: the file that it was read
    /// from.
    pub fn interface(&self) -> Interface<'_> {
        Interface::new(&self.graph, self.ports.as_ref()).with_values(&self.values).with_pixels(self.pixels)
    }

    /// What the file that it was read from says that pixels become, where it does: what [training](crate::train) writes
    /// says so.
    pub fn pixels(&self) -> Option<Normalisation> {
        self.pixels
    }

    /// Says what pixels become, for the file that is [written](Self::to_tflite).
    pub fn set_pixels(&mut self, pixels: Option<Normalisation>) {
        self.pixels = pixels;
    }

    /// Of a network that was quantised already in an ONNX file: operators that compute on floats all the same, why, and what to do
    /// about it. At most 32.
    pub fn notes(&self) -> &[Unsupported] {
        &self.notes
    }

    /// Parses the [textual form](smidgen_ir::text) of a graph.
    ///
    /// # Errors
    /// If the text is not a graph, or not a valid one.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        Self::from_graph(smidgen_ir::text::parse(text)?)
    }

    /// Reads the bytes of a TensorFlow Lite file.
    ///
    /// # Errors
    /// If they are damaged, or ask for what smidgen does not do.
    pub fn from_tflite(bytes: &[u8]) -> Result<Self, Error> {
        Self::of_tflite(bytes, smidgen_tflite::Options::default())
    }

    fn of_tflite(bytes: &[u8], options: smidgen_tflite::Options) -> Result<Self, Error> {
        let graph = smidgen_tflite::read_with(bytes, options)?;
        smidgen_ir::validate(&graph).map_err(smidgen_tflite::ReadError::from)?;
        // Metadata that nobody can read is somebody else's.
        let stored = smidgen_tflite::metadata(bytes, PIXELS).ok().flatten();
        let pixels = stored.and_then(|text| Normalisation::of_text(std::str::from_utf8(text).ok()?));
        Ok(Self { pixels, ..Self::unchecked(graph) })
    }

    fn unchecked(graph: Graph) -> Self {
        Self { graph, ports: None, values: Vec::new(), notes: Vec::new(), pixels: None }
    }

    /// Takes a graph.
    ///
    /// # Errors
    /// If it is not valid.
    pub fn from_graph(graph: Graph) -> Result<Self, Error> {
        smidgen_ir::validate(&graph)?;
        Ok(Self::unchecked(graph))
    }

    /// The same with other inputs and outputs: those of steps that were made of this graph, whose operators do not write them.
    pub(crate) fn with_ports(&self, graph: Graph) -> Self {
        Self { graph, ports: None, values: Vec::new(), notes: Vec::new(), pixels: self.pixels }
    }

    /// What is computed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What it costs: exact counts.
    pub fn cost(&self) -> Cost {
        smidgen_ir::cost::cost(&self.graph)
    }

    /// The bytes of a TensorFlow Lite file of this network; the same network gives the same bytes.
    ///
    /// # Errors
    /// If the graph holds what the format cannot say.
    pub fn to_tflite(&self) -> Result<Vec<u8>, Error> {
        let pixels = self.pixels.map(Normalisation::text);
        let metadata: Vec<(&str, &[u8])> = pixels.iter().map(|text| (PIXELS, text.as_bytes())).collect();
        Ok(smidgen_tflite::write_with(&self.graph, &metadata)?)
    }

    /// Folds constants and padding, and drops operators that do nothing and tensors that nobody needs. Outputs keep their bytes.
    /// Returns the number of rewrites.
    ///
    /// # Errors
    /// If that gave an invalid graph, which is a fault of smidgen's.
    pub fn canonicalise(&mut self) -> Result<usize, Error> {
        let mut graph = self.graph.clone();
        let folded = smidgen_exec::fold_constants(&mut graph, &LowerOptions::default());
        let rewrites = folded + passes::canonicalise(&mut graph);
        self.replace(graph)?;
        Ok(rewrites)
    }

    /// Cuts the QUANTIZE at each input and the DEQUANTIZE at each output, so that the network takes and gives integers. Returns
    /// how many were cut.
    ///
    /// # Errors
    /// If that gave an invalid graph, which is a fault of smidgen's.
    pub fn strip_io(&mut self) -> Result<usize, Error> {
        let mut graph = self.graph.clone();
        let cut = passes::strip_io(&mut graph);
        self.replace(graph)?;
        Ok(cut)
    }

    /// The same with another graph, whose inputs are those of this one. Where an output has another size, so it has in
    /// the file's order of axes.
    ///
    /// # Errors
    /// If the graph is not valid.
    pub(crate) fn with_graph(&self, graph: Graph) -> Result<Self, Error> {
        let mut ports = self.ports.clone();
        for (port, &id) in ports.iter_mut().flat_map(|ports| &mut ports.outputs).zip(&graph.outputs) {
            let dims = graph.tensor(id).shape.dims();
            for (&axis, &size) in port.axes.iter().zip(dims) {
                if let Some(own) = port.shape.get_mut(axis) {
                    *own = size;
                }
            }
        }
        Ok(Self { ports, pixels: self.pixels, ..Self::from_graph(graph)? })
    }

    fn replace(&mut self, graph: Graph) -> Result<(), Error> {
        smidgen_ir::validate(&graph).map_err(Error::Pass)?;
        self.graph = graph;
        Ok(())
    }

    /// Compiles for running layer by layer: every tensor whole, one after the other.
    ///
    /// # Errors
    /// If an operator has no kernel for its types or parameters.
    pub fn compile(&self, options: &LowerOptions) -> Result<Certified, Error> {
        Ok(certify(smidgen_plan::layer_wise(&smidgen_lower::lower(&self.graph, options)?))?)
    }

    /// Every operator that has no kernel for its types or parameters, and the reason; empty if [`compile`](Self::compile)
    /// succeeds with these options.
    pub fn obstacles(&self, options: &LowerOptions) -> Vec<LowerError> {
        let alone = |index: usize| {
            let mut graph = Graph::new("");
            let operator = &self.graph.operators[index];
            let mut add = |ids: &[TensorId]| -> Vec<TensorId> {
                ids.iter().map(|&id| graph.add_tensor(self.graph.tensor(id).clone())).collect()
            };
            let (inputs, outputs) = (add(&operator.inputs), add(&operator.outputs));
            graph.inputs = inputs.iter().copied().filter(|&id| !graph.tensor(id).is_constant()).collect();
            graph.outputs = outputs.clone();
            graph.operators.push(Operator { inputs, outputs, ..operator.clone() });
            graph
        };
        match smidgen_lower::lower(&self.graph, options) {
            Ok(_) => return Vec::new(),
            Err(error @ LowerError::TooLarge { .. }) => return vec![error],
            Err(LowerError::Unsupported { .. }) => {}
        }
        let refused = (0..self.graph.operators.len()).filter_map(|index| {
            match smidgen_lower::lower(&alone(index), options).err()? {
                LowerError::Unsupported { operator, output, reason, .. } => {
                    Some(LowerError::Unsupported { index, operator, output, reason })
                }
                error @ LowerError::TooLarge { .. } => Some(error),
            }
        });
        refused.collect()
    }

    /// Runs once, with the default options. To run often, make a [`Runner`].
    ///
    /// Arrays have their axes in the order of the file that the network was read from, as for [`Runner::run`].
    ///
    /// # Errors
    /// If the network cannot be compiled, or an input has another shape or element type than the network's.
    pub fn run(&self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        Runner::new(self, &LowerOptions::default())?.run(inputs)
    }
}

/// Everything in a file that its reader does not support; empty if it can be read. Of a graph's text that is what is beyond a bound.
///
/// # Errors
/// If the file cannot be read, is damaged, or leaves open a shape.
pub fn unsupported(path: &Path, options: &ReadOptions) -> Result<Vec<Unsupported>, Error> {
    let check = |content| match content {
        Content::Text(text) => Ok(smidgen_ir::validate::beyond_bounds(&smidgen_ir::text::parse(&text)?)),
        Content::Onnx(bytes) => Ok(smidgen_onnx::check(&bytes, &onnx_options(path, options))?),
        Content::Tflite(bytes) => Ok(smidgen_tflite::check(&bytes)?),
    };
    Content::of_file(path, check)
}

/// What a file holds.
enum Content {
    /// The textual form of a graph.
    Text(String),
    Onnx(Vec<u8>),
    /// TensorFlow Lite's format, or what is nothing else.
    Tflite(Vec<u8>),
}

impl Content {
    /// Takes a file, and says which file it is where that fails.
    fn of_file<T>(path: &Path, take: impl FnOnce(Self) -> Result<T, Error>) -> Result<T, Error> {
        if path.is_dir()
            && let Some(kind) = foreign::folder_kind(path)
        {
            return Err(Error::Foreign(kind).at(path));
        }
        let bytes = files::read(path)?;
        let start = bytes[..bytes.len().min(LOOKED_AT)].to_vec();
        let taken = Self::of(bytes, Some(path)).and_then(take);
        taken
            .map_err(|error| match (&error, foreign::kind(&start, Some(path))) {
                // Other files begin like ONNX ones too: TensorFlow's graphs and those of Core ML.
                (Error::Onnx(e), Some(kind)) if e.kind() == smidgen_ir::front::ErrorKind::Malformed => {
                    Error::Foreign(kind)
                }
                _ => error,
            })
            .map_err(|error| error.at(path))
    }

    /// Tells what the bytes are.
    fn of(bytes: Vec<u8>, path: Option<&Path>) -> Result<Self, Error> {
        let bytes = if bytes.starts_with(GZIP) { unpacked(&bytes)? } else { bytes };
        let known = |bytes: &[u8]| bytes.get(4..8) == Some(b"TFL3");
        if known(&bytes) {
            return Ok(Self::Tflite(bytes));
        }
        if let Some(text) = as_text(&bytes) {
            return Ok(Self::Text(text.into()));
        }
        if smidgen_onnx::is_onnx(&bytes) {
            return Ok(Self::Onnx(bytes));
        }
        if let Some(kind) = foreign::kind(&bytes, path) {
            return Err(Error::Foreign(kind));
        }
        match c_array::bytes(&bytes) {
            None => Ok(Self::Tflite(bytes)),
            Some(array) => {
                let array = array?;
                match foreign::kind(&array, None) {
                    Some(kind) if !known(&array) => Err(Error::Foreign(kind)),
                    _ if smidgen_onnx::is_onnx(&array) => Ok(Self::Onnx(array)),
                    _ => Ok(Self::Tflite(array)),
                }
            }
        }
    }
}

/// How a file that gzip compressed begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// The most bytes that a compressed file may hold: no microcontroller has flash for a hundredth of it.
const MOST_UNPACKED: u64 = 1 << 28;

/// What gzip compressed: one part or several, one behind the other, and zeros behind them, as tools for tapes leave.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut rest, mut content) = (bytes, Vec::new());
    while rest.starts_with(GZIP) {
        let mut part = GzDecoder::new(rest);
        let left = MOST_UNPACKED + 1 - content.len() as u64;
        match part.by_ref().take(left).read_to_end(&mut content) {
            Err(_) => return Err(Error::Foreign(&foreign::DAMAGED_GZIP)),
            Ok(_) if content.len() as u64 > MOST_UNPACKED => return Err(Error::Foreign(&foreign::LARGE_GZIP)),
            Ok(_) => rest = part.into_inner(),
        }
    }
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Error::Foreign(&foreign::TRAILING_GZIP));
    }
    match content.starts_with(GZIP) {
        true => Err(Error::Foreign(&foreign::TWICE_GZIP)),
        false => Ok(content),
    }
}

/// How much of a file is looked at to tell what it is where reading it has failed.
const LOOKED_AT: usize = 1 << 16;

/// Options for an ONNX file whose weights may lie in files beside it.
fn onnx_options<'a>(path: &'a Path, options: &ReadOptions) -> smidgen_onnx::Options<'a> {
    let external =
        move |location: &str, offset: u64, bytes: usize| files::read_part(&beside(path, location)?, offset, bytes);
    let (shapes, training) = (options.shapes.clone(), options.training);
    smidgen_onnx::Options { shapes, external: Some(Box::new(external)), training }
}

/// Where a model's file of weights lies. A link may lead to it, but not out of the model's own folder: that of its path, or where the
/// model is a link itself, that of what it leads to (a cache of downloads keeps both so).
fn beside(model: &Path, location: &str) -> io::Result<PathBuf> {
    let folder = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let found = folder(model).join(location).canonicalize()?;
    let homes = [folder(model).canonicalize()?, folder(&model.canonicalize()?)];
    if homes.iter().any(|home| found.starts_with(home)) {
        return Ok(found);
    }
    let what = "a link leads out of the model's folder; put a copy of the file beside the model if you trust it";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

/// The text, if this is the textual form of a graph: its first word is `graph`, perhaps after comments.
pub fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let first = text.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with("//"))?;
    first.starts_with("graph").then_some(text)
}

/// A network made ready to run: compiled, with an arena.
///
/// What the network's variables hold stays from one run to the next: the inputs of runs in a row are frames of one
/// sequence, until [`reset`](Self::reset) begins another.
#[derive(Clone, Debug)]
pub struct Runner<'a> {
    network: Interface<'a>,
    executor: Executor,
}

impl<'a> Runner<'a> {
    /// Compiles layer by layer.
    ///
    /// # Errors
    /// If an operator has no kernel for its types or parameters.
    pub fn new(network: &'a Network, options: &LowerOptions) -> Result<Self, Error> {
        Ok(Self::with_program(network, network.compile(options)?))
    }

    /// Runs a Program made from this network's graph.
    pub fn with_program(network: &'a Network, program: Certified) -> Self {
        Self { network: network.interface(), executor: Executor::new(program) }
    }

    /// The Program that is run.
    pub fn program(&self) -> &Certified {
        self.executor.program()
    }

    /// Forgets all earlier runs: the next one is that of a first inference. Without variables this does nothing.
    pub fn reset(&mut self) {
        self.executor.reset();
    }

    /// What outlives a run, [as bytes](Executor::state); none without variables.
    pub fn state(&self) -> &[u8] {
        self.executor.state()
    }

    /// The outputs for these inputs.
    ///
    /// The axes of both lie as in the file that the network was read from: `[N,C,H,W]` for an image of an ONNX file,
    /// which the graph holds as `[N,H,W,C]`. An input of a shape that only the graph has is taken as it is; where both
    /// have it, it is the file's. Leading axes of size 1 do not matter.
    ///
    /// # Errors
    /// If an input has another shape or element type than the network's, or their number differs.
    pub fn run(&mut self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        let network = self.network;
        self.count(inputs)?;
        let to_graph = |(index, array): (usize, &Array)| {
            let axes = network.input(index);
            let (given, wanted) = (array.describe(), axes.describe());
            let refused = |_| Error::Input { index, given, wanted };
            axes.to_graph(array.clone()).map_or_else(|array| Err(refused(array)), |(array, _)| Ok(array))
        };
        let inputs = inputs.iter().enumerate().map(to_graph).collect::<Result<Vec<Array>, Error>>()?;
        Ok(network.outputs_to_file(&self.run_in_graph(&inputs)?))
    }

    fn count(&self, inputs: &[Array]) -> Result<(), Error> {
        let (given, wanted) = (inputs.len(), self.network.graph().inputs.len());
        if given == wanted { Ok(()) } else { Err(Error::InputCount { given, wanted }) }
    }

    /// The outputs for these inputs, the axes of both as in the graph: what [`data::input`](crate::data::input) makes
    /// is of this kind.
    ///
    /// # Errors
    /// If an input has another shape or element type than the graph's, or their number differs.
    pub fn run_in_graph(&mut self, inputs: &[Array]) -> Result<Vec<Array>, Error> {
        self.run_with(inputs, |_, _| {})
    }

    /// Like [`run_in_graph`](Self::run_in_graph), showing every tensor that a step writes, in the order of execution
    /// and with its axes as in the graph. Tensors that merely relabel another's bytes (RESHAPE) are shown with it.
    ///
    /// # Errors
    /// As [`run_in_graph`](Self::run_in_graph).
    pub fn run_with(
        &mut self,
        inputs: &[Array],
        mut observe: impl FnMut(TensorId, &Array),
    ) -> Result<Vec<Array>, Error> {
        self.count(inputs)?;
        let graph = self.network.graph();
        for (index, (array, &id)) in inputs.iter().zip(&graph.inputs).enumerate() {
            let tensor = graph.tensor(id);
            let (dtype, dims) = (Dtype::of(tensor.element()), tensor.shape.dims());
            if (array.dtype, array.shape.as_slice()) != (dtype, dims) {
                let wanted = Array { dtype, shape: dims.to_vec(), data: Vec::new() }.describe();
                return Err(Error::Input { index, given: array.describe(), wanted });
            }
            self.executor.set_input(index, &array.data)?;
        }
        self.executor.run_with(&mut |finished| {
            for (id, bytes) in finished.tensors() {
                for id in relabelled(graph, id) {
                    observe(id, &array(graph, id, bytes));
                }
            }
        });
        Ok(graph.outputs.iter().enumerate().map(|(i, &id)| array(graph, id, self.executor.output(i))).collect())
    }
}

/// Bytes as the executor holds them (an output that is a constant keeps its packing), as an array.
fn array(graph: &Graph, id: TensorId, bytes: &[u8]) -> Array {
    let tensor = graph.tensor(id);
    Array { dtype: Dtype::of(tensor.element()), shape: tensor.shape.dims().to_vec(), data: bytes.to_vec() }
}

#[cfg(test)]
mod runner_tests {
    use super::*;

    #[test]
    fn wrong_arrays_are_refused_and_the_next_right_ones_taken() {
        let network = Network::from_graph(smidgen_synthetic::demo(1)).unwrap();
        let input = network.graph().tensor(network.graph().inputs[0]);
        let dims = input.shape.dims().to_vec();
        let right = Array::from_i8(&dims, &vec![3; dims.iter().product()]);
        let mut runner = Runner::new(&network, &LowerOptions::default()).unwrap();
        let few = Array::from_i8(&[1, 2], &[0; 2]);
        let floats = Array { dtype: Dtype::of(smidgen_ir::ElementType::Float32), ..right.clone() };
        for wrong in [&few, &floats] {
            let error = runner.run(std::slice::from_ref(wrong)).unwrap_err();
            assert!(matches!(error, Error::Input { index: 0, .. }), "{error}");
            assert_eq!(error.kind(), crate::ErrorKind::Request);
            let error = runner.run_in_graph(std::slice::from_ref(wrong)).unwrap_err();
            assert!(matches!(error, Error::Input { index: 0, .. }), "{error}");
        }
        let error = runner.run(&[]).unwrap_err();
        assert_eq!(error.to_string(), "0 arrays are given; the network takes 1");
        assert_eq!(runner.run(std::slice::from_ref(&right)).unwrap(), network.run(&[right]).unwrap());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn weights_in_other_files_lie_in_the_models_own_folder_whatever_links_say() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["model/sub", "cache", "elsewhere"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["model/m.onnx", "model/sub/w", "elsewhere/secret", "cache/blob", "cache/weights"] {
            fs::write(at(name), name).unwrap();
        }
        symlink(at("model/sub/w"), at("model/inside")).unwrap();
        symlink(at("elsewhere/secret"), at("model/outside")).unwrap();
        symlink(at("elsewhere"), at("model/folder")).unwrap();
        symlink("/dev/zero", at("model/device")).unwrap();
        let kind = |location: &str| beside(&at("model/m.onnx"), location).map_err(|error| error.kind());
        assert!(kind("sub/w").is_ok() && kind("inside").is_ok());
        for location in ["outside", "folder/secret", "device"] {
            assert_eq!(kind(location), Err(io::ErrorKind::PermissionDenied), "{location}");
        }
        assert_eq!(kind("none"), Err(io::ErrorKind::NotFound));
        // A cache of downloads: model and weights are links into one folder.
        symlink(at("cache/blob"), at("model/linked.onnx")).unwrap();
        symlink(at("cache/weights"), at("model/linked.data")).unwrap();
        assert!(beside(&at("model/linked.onnx"), "linked.data").is_ok());
        assert!(beside(&at("model/m.onnx"), "linked.data").is_err());
    }
}
