//! From bytes to a graph: the file's messages, then its constants and inputs, then node by node, then what can be fused.

use crate::call::{Call, Value};
use crate::constant::{Constant, Element, decode};
use crate::emit::{Active, Emitter, Scales, channels_last, identity};
use crate::error::ReadError;
use crate::fuse::UnsupportedGroup;
use crate::node_error::NodeError;
use crate::ops::LACKING;
use crate::options::{Import, Options};
use crate::schema::{Dim, External, Model, Node, Refused, TensorView, ValueInfo};
use crate::support::{Known, find};
use crate::{fold, fuse, order};
use smidgen_ir::front::{Budget, LackingEntry, Port, Subject, Unsupported, listed, quoted};
use smidgen_ir::validate::beyond_bounds;
use smidgen_ir::{DataType, ElementType, Graph, Op, Quantisation, Shape, Tensor, passes, validate};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// The operator sets that can be read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// Bytes of memory granted for each byte of the file, and to every file. An operator takes some 20 bytes of a file, and as a node
/// with its tensor in the graph and in the copies that rewrites make some 900.
const GRANT: (usize, usize) = (64, 64 * 1024);

/// What to do about an operator that does not suit its own tensors.
const CONTRADICTS: &str = "the operator contradicts its tensors, which no exporter writes: export the network again, and try the file in ONNX Runtime";

/// Most operators of a quantised network of which it is said that they compute on floats.
const MOST_NOTES: usize = 32;

/// True if these bytes look like an ONNX file: its first field is the version of the format.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=127, ..]) && bytes.get(4..8) != Some(b"TFL3")
}

/// Reads an ONNX file whose shapes are fixed and whose weights it holds itself.
///
/// # Errors
/// As [`read_with`].
pub fn read(bytes: &[u8]) -> Result<Import, ReadError> {
    read_with(bytes, &Options::default())
}

/// Reads an ONNX file.
///
/// The graph is [valid](smidgen_ir::validate()). Images, `[N,C,H,W]` in the file, are `[N,H,W,C]` in it; the [`Import`] says of
/// each input and output how its axes lie.
///
/// # Errors
/// [`ReadError`], whose [`kind`](ReadError::kind) says whether the file is at fault, asks for something unsupported, or leaves open
/// what `options` must say.
pub fn read_with(bytes: &[u8], options: &Options<'_>) -> Result<Import, ReadError> {
    match graph(bytes, options)? {
        Ok(import) => Ok(import),
        Err(unsupported) => Err(ReadError::Unsupported(unsupported)),
    }
}

/// Everything in an ONNX file that [`read_with`] cannot take, all at once. Empty if it succeeds.
///
/// # Errors
/// [`ReadError`], if the file is malformed or leaves something open; never [`ReadError::Unsupported`].
pub fn check(bytes: &[u8], options: &Options<'_>) -> Result<Vec<Unsupported>, ReadError> {
    Ok(graph(bytes, options)?.err().unwrap_or_default())
}

type Outcome = Result<Result<Import, Vec<Unsupported>>, ReadError>;

fn graph(bytes: &[u8], options: &Options<'_>) -> Outcome {
    let not_onnx = |what: &str| ReadError::NotOnnx { what: what.into() };
    if bytes.is_empty() {
        return Err(not_onnx("it is empty"));
    }
    let (factor, base) = GRANT;
    let budget = Budget::of(bytes.len().saturating_mul(factor).saturating_add(base));
    let model = Model::of(bytes, &budget).map_err(refused)?;
    let Some(file) = &model.graph else { return Err(not_onnx("there is no graph in it")) };
    let opset = model.opset.unwrap_or(1);
    let mut unsupported = Vec::new();
    let mut of_file = |reason: String, hint: &'static str| {
        let (subject, tensors) = (Subject::File, String::new());
        unsupported.push(Unsupported { subject, tensors, reason, hint: hint.into(), cause: None });
    };
    if !OPSETS.contains(&opset) {
        of_file(
            format!("its operators are of set {opset}; sets {} to {} are supported", OPSETS.start(), OPSETS.end()),
            "export it with another `opset_version`, or convert it with `onnx.version_converter`",
        );
    }
    if model.functions > 0 {
        of_file(
            format!("it defines {} functions of its own", model.functions),
            "inline them with `onnx.inliner.inline_local_functions`",
        );
    }
    if file.sparse > 0 {
        of_file("it has sparse constants".into(), "export it with dense weights");
    }
    if !unsupported.is_empty() {
        return Ok(Err(unsupported));
    }
    let order = match order::sorted(file, &budget).map_err(refused)? {
        Ok(order) => order,
        Err(index) => return Err(order::cycle(file, index, wiring(&file.nodes[index]))),
    };
    let sources = Sources::of(file, options, &budget)?;
    // How the inputs lie decides what has to be moved inside: the way that moves least, images channels last if it is the same.
    let mut best: Option<(usize, Translated)> = None;
    for ranks in [4..5usize, 3..5, 0..0] {
        // Each attempt is granted what is left, and only one is kept.
        let budget = budget.rest();
        let mut translation = Translation::of(file, &sources, opset, budget, &ranks)?;
        translation.emit.training = options.training;
        let translated = translation.run(&order)?;
        if !translated.unsupported.is_empty() {
            return Ok(Err(translated.unsupported));
        }
        let moved = moved(&translated.graph, &translated.scales);
        if best.as_ref().is_none_or(|(least, _)| moved < *least) {
            best = Some((moved, translated));
        }
        if moved == 0 {
            break;
        }
    }
    let Some((_, Translated { mut graph, scales, inputs, outputs, values, .. })) = best else {
        return Err(ReadError::Graph { what: "the file has no network".into() });
    };
    passes::remove_dead(&mut graph);
    let beyond = beyond_bounds(&graph);
    if !beyond.is_empty() {
        return Ok(Err(beyond));
    }
    validate(&graph)?;
    let obstacles = fuse::fuse(&mut graph, scales);
    numbers(&graph)?;
    validate(&graph)?;
    let entry = |obstacle: &UnsupportedGroup| {
        let node = file.nodes.get(obstacle.node)?;
        let subject = Subject::Operator { index: obstacle.node, name: node.op.into() };
        let (reason, hint) = (obstacle.why.reason(), obstacle.why.hint());
        Some(Unsupported { subject, tensors: wiring(node), reason, hint, cause: None })
    };
    let (refused, kept): (Vec<_>, Vec<_>) = obstacles.iter().partition(|o| o.why.refuses());
    let entries =
        |list: Vec<&UnsupportedGroup>| list.into_iter().take(MOST_NOTES).filter_map(entry).collect::<Vec<_>>();
    match entries(refused) {
        refused if refused.is_empty() => Ok(Ok(Import { graph, inputs, outputs, values, notes: entries(kept) })),
        refused => Ok(Err(refused)),
    }
}

fn refused(refused: Refused) -> ReadError {
    match refused {
        Refused::WireError(fault) => ReadError::Damaged { place: fault.place, offset: fault.offset, what: fault.what },
        Refused::Over(over) => ReadError::Inflated { limit: over.limit },
    }
}

/// Elements that are moved by transpositions which neither end of the network asks for, once they are fused.
fn moved(graph: &Graph, scales: &Scales) -> usize {
    let mut graph = graph.clone();
    passes::remove_dead(&mut graph);
    if validate(&graph).is_ok() {
        fuse::fuse(&mut graph, scales.clone());
    }
    let transposed = graph.operators.iter().filter(|o| matches!(o.op, Op::Transpose { .. }));
    transposed.map(|o| graph.tensor(o.outputs[0]).shape.elements()).sum()
}

/// Constants must be numbers, and weights finite.
fn numbers(graph: &Graph) -> Result<(), ReadError> {
    let mut weights = vec![false; graph.tensors.len()];
    for operator in &graph.operators {
        if matches!(
            operator.op,
            Op::Conv2d(_) | Op::DepthwiseConv2d { .. } | Op::TransposeConv { .. } | Op::FullyConnected { .. }
        ) {
            operator.inputs.iter().skip(1).for_each(|t| weights[t.index()] = true);
        }
    }
    for (tensor, &finite) in graph.tensors.iter().zip(&weights) {
        let Some(values) = tensor.floats() else { continue };
        if let Some(index) = values.iter().position(|v| v.is_nan() || finite && v.is_infinite()) {
            let name = quoted(&tensor.name);
            return Err(ReadError::NotANumber { name, value: values[index], index });
        }
    }
    Ok(())
}

/// What the file's nodes read that no node makes.
struct Sources<'a> {
    constants: HashMap<&'a str, Rc<Constant>>,
    inputs: Vec<Input<'a>>,
    unsupported: Vec<Unsupported>,
}

struct Input<'a> {
    name: &'a str,
    element: Element,
    dims: Vec<usize>,
}

impl<'a> Sources<'a> {
    fn of(file: &crate::schema::Graph<'a>, options: &Options<'_>, budget: &Budget) -> Result<Self, ReadError> {
        let mut sources = Self { constants: HashMap::new(), inputs: Vec::new(), unsupported: Vec::new() };
        let mut outside = Outside::default();
        for (index, view) in file.initializers.iter().enumerate() {
            match decode(view, budget, |external, bytes| outside.fetch(options, external, bytes, budget)) {
                Ok(constant) => {
                    budget.take(size_of::<Constant>() + 64).map_err(|over| refused(over.into()))?;
                    if sources.constants.insert(view.name, constant.into()).is_some() {
                        return Err(ReadError::Graph {
                            what: format!("constant {} is there twice", quoted(view.name)),
                        });
                    }
                }
                Err(error) => sources.error(error, index, view)?,
            }
        }
        for (index, info) in file.inputs.iter().enumerate() {
            // Older files list their constants among the inputs.
            if sources.constants.contains_key(info.name) {
                continue;
            }
            match input(info, options)? {
                Ok(input) => sources.inputs.push(input),
                Err(reason) => sources.unsupported.push(Unsupported {
                    subject: Subject::Tensor { index, name: quoted(info.name) },
                    tensors: String::new(),
                    reason,
                    hint: "export the network with float32 inputs".into(),
                    cause: None,
                }),
            }
        }
        for (name, _) in &options.shapes {
            if !file.inputs.iter().any(|info| info.name == name) {
                let names: Vec<String> = sources.inputs.iter().map(|i| quoted(i.name)).collect();
                let what = format!("there is no input {}; the inputs are {}", quoted(name), names.join(", "));
                return Err(ReadError::Shape { what });
            }
        }
        Ok(sources)
    }

    fn error(&mut self, error: NodeError, index: usize, view: &TensorView<'_>) -> Result<(), ReadError> {
        match error {
            NodeError::Unsupported { reason, hint } => {
                let subject = Subject::Tensor { index, name: quoted(view.name) };
                self.unsupported.push(Unsupported { subject, tensors: String::new(), reason, hint, cause: None });
                Ok(())
            }
            NodeError::WireError(fault) => Err(refused(fault.into())),
            NodeError::Over(over) => Err(refused(over.into())),
            NodeError::Malformed(what) => Err(ReadError::Graph { what }),
            NodeError::External { location, what } => Err(ReadError::External { location, what }),
            NodeError::Consequence => Ok(()),
        }
    }
}

/// Most bytes that are taken from other files: as much as is read of any file.
const MOST_OUTSIDE: usize = 1 << 30;

/// What has been read of other files: for each, the bytes in all and where the last of them ends.
#[derive(Default)]
struct Outside<'a>(HashMap<&'a str, (usize, usize)>);

impl<'a> Outside<'a> {
    /// Bytes of other files that are as good as bytes of this one, each counted once however often it is read.
    fn bytes(&self) -> usize {
        self.0.values().map(|&(read, end)| read.min(end)).fold(0, usize::saturating_add)
    }

    /// Reads a range of another file, as the caller of [`read_with`] lets it, and grants what it brings.
    fn fetch(
        &mut self,
        options: &Options<'_>,
        external: &External<'a>,
        bytes: usize,
        budget: &Budget,
    ) -> Result<Vec<u8>, NodeError> {
        let fail = |what: String| NodeError::External { location: external.location.into(), what };
        if let Some(length) = external.length.filter(|&length| length != bytes as u64) {
            return Err(fail(format!(
                "the network gives a constant {length} bytes there, but its shape takes {bytes}"
            )));
        }
        let plain = |part: &str| !part.is_empty() && part != ".." && !part.contains(['\\', ':', '\0']);
        if !external.location.split('/').all(plain) {
            return Err(fail("it does not lie in the network's own folder".into()));
        }
        let Some(external_data) = &options.external else {
            return Err(fail("the network was handed over without its folder; open it as a file".into()));
        };
        let read: usize = self.0.values().map(|&(read, _)| read).fold(bytes, usize::saturating_add);
        if read > MOST_OUTSIDE {
            return Err(fail("the constants in other files have more than 1 GiB".into()));
        }
        let data = external_data(external.location, external.offset, bytes).map_err(|error| fail(error.to_string()))?;
        if data.len() < bytes {
            let (found, offset) = (data.len(), external.offset);
            return Err(fail(format!("it ends {found} bytes after byte {offset}, where a constant of {bytes} begins")));
        }
        let before = self.bytes();
        let (read, end) = self.0.entry(external.location).or_default();
        *read += bytes;
        let ends = external.offset.saturating_add(bytes as u64);
        *end = (*end).max(usize::try_from(ends).unwrap_or(usize::MAX));
        budget.extend(self.bytes() - before);
        budget.take(bytes)?;
        Ok(data)
    }
}

/// An input with its shape settled; or why its type is not supported.
fn input<'a>(info: &ValueInfo<'a>, options: &Options<'_>) -> Result<Result<Input<'a>, String>, ReadError> {
    let name = quoted(info.name);
    let Some(data_type) = info.data_type else { return Ok(Err("it is not a tensor".into())) };
    let element = match Element::of(data_type) {
        Ok(element) => element,
        Err(found) => return Ok(Err(format!("it holds {found}"))),
    };
    if element.at_run_time().is_none() {
        return Ok(Err(format!("it holds {}", element.name())));
    }
    let given = options.shapes.iter().find(|(name, _)| name == info.name).map(|(_, dims)| dims);
    let shape = |dims: &[Dim<'_>]| {
        let size = |dim: &Dim<'_>| match dim {
            Dim::Size(n) => n.to_string(),
            Dim::Symbol("") => "?".into(),
            Dim::Symbol(symbol) => (*symbol).to_string(),
        };
        dims.iter().map(size).collect::<Vec<_>>()
    };
    let open = |dims: &[Dim<'_>]| {
        let sizes = shape(dims);
        let filled = |(i, size): (usize, &String)| match size.parse::<u64>() {
            Ok(_) => size.clone(),
            Err(_) if i == 0 => "1".into(),
            Err(_) => "SIZE".into(),
        };
        let example = sizes.iter().enumerate().map(filled).collect::<Vec<_>>().join(",");
        ReadError::OpenShape { name: name.clone(), shape: sizes.join("x"), example: format!("{}={example}", info.name) }
    };
    let Some(declared) = &info.dims else {
        return match given {
            Some(dims) if !dims.contains(&0) => Ok(Ok(Input { name: info.name, element, dims: dims.clone() })),
            Some(_) => Ok(Err("it has no elements".into())),
            None => Err(ReadError::OpenShape {
                name: name.clone(),
                shape: "of any number of dimensions".into(),
                example: format!("{}=1,SIZE,...", info.name),
            }),
        };
    };
    let mut dims = Vec::new();
    if let Some(given) = given {
        let fits = given.len() == declared.len()
            && given.iter().zip(declared).all(|(&g, d)| !matches!(d, Dim::Size(n) if *n >= 0 && *n != g as i64));
        if !fits {
            let what = format!(
                "the shape {} does not suit input {name}, which is {}",
                Shape(given.clone()),
                shape(declared).join("x")
            );
            return Err(ReadError::Shape { what });
        }
        dims.clone_from(given);
    } else {
        for (axis, dim) in declared.iter().enumerate() {
            dims.push(match *dim {
                Dim::Size(n) if n >= 0 => n as usize,
                // One image at a time.
                _ if axis == 0 && declared.len() > 1 => 1,
                _ => return Err(open(declared)),
            });
        }
    }
    if dims.contains(&0) {
        return Ok(Err("it has no elements".into()));
    }
    Ok(Ok(Input { name: info.name, element, dims }))
}

/// What became of the file's nodes.
struct Translated {
    graph: Graph,
    scales: Scales,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    values: Vec<Port>,
    unsupported: Vec<Unsupported>,
}

/// The file's nodes on their way into a graph.
struct Translation<'a, 's> {
    file: &'s crate::schema::Graph<'a>,
    opset: i64,
    emit: Emitter,
    values: HashMap<&'a str, Value>,
    inputs: Vec<Port>,
    /// What nodes have written, for each tensor that has it.
    written: Vec<Port>,
    unsupported: Vec<Unsupported>,
}

impl<'a, 's> Translation<'a, 's> {
    /// Begins with the file's constants and inputs; inputs of these `ranks` are images or lines with the channels last.
    fn of(
        file: &'s crate::schema::Graph<'a>,
        sources: &Sources<'a>,
        opset: i64,
        budget: Budget,
        ranks: &std::ops::Range<usize>,
    ) -> Result<Self, ReadError> {
        let constants = sources.constants.iter().map(|(&name, c)| (name, Value::Constant(c.clone())));
        let mut translation = Self {
            file,
            opset,
            emit: Emitter::new(file.name, budget),
            values: constants.collect(),
            inputs: Vec::new(),
            written: Vec::new(),
            unsupported: sources.unsupported.clone(),
        };
        for view in &file.initializers {
            // What could not be decoded has been reported.
            translation.values.entry(view.name).or_insert(Value::Missing);
        }
        for info in &file.inputs {
            translation.values.entry(info.name).or_insert(Value::Missing);
        }
        for input in &sources.inputs {
            translation.input(input, ranks)?;
        }
        Ok(translation)
    }

    fn input(&mut self, input: &Input<'a>, ranks: &std::ops::Range<usize>) -> Result<(), ReadError> {
        let rank = input.dims.len();
        let layout = if ranks.contains(&rank) { channels_last(rank) } else { identity(rank) };
        let shape: Vec<usize> = layout.iter().map(|&axis| input.dims[axis]).collect();
        let Some(element) = input.element.at_run_time() else { return Ok(()) };
        let tensor = Tensor::activation(input.name, shape, DataType::Plain(element));
        let id = match self.emit.tensor(tensor) {
            Ok(id) => id,
            Err(error) => return Err(self.fatal(error)),
        };
        self.emit.graph.inputs.push(id);
        self.inputs.push(Port { name: input.name.into(), shape: input.dims.clone(), axes: layout.clone() });
        self.values.insert(input.name, Value::Active(Active { id, layout, element: input.element }));
        Ok(())
    }

    /// What a trouble comes to that no node is at fault for.
    fn fatal(&self, error: NodeError) -> ReadError {
        match error {
            NodeError::WireError(fault) => refused(fault.into()),
            NodeError::Over(over) => refused(over.into()),
            NodeError::Malformed(what) | NodeError::Unsupported { reason: what, .. } => ReadError::Graph { what },
            NodeError::External { location, what } => ReadError::External { location, what },
            NodeError::Consequence => ReadError::Graph { what: "an output depends on what is missing".into() },
        }
    }

    /// Translates the nodes in this order.
    fn run(mut self, order: &[usize]) -> Result<Translated, ReadError> {
        for &index in order {
            self.node(index, &self.file.nodes[index])?;
        }
        let mut outputs = Vec::new();
        if self.unsupported.is_empty() {
            if self.file.outputs.is_empty() {
                return Err(ReadError::Graph { what: "the network has no output".into() });
            }
            for (index, info) in self.file.outputs.iter().enumerate() {
                match self.output(info.name) {
                    Ok(port) => outputs.push(port),
                    Err(NodeError::Unsupported { reason, hint }) => self.unsupported.push(Unsupported {
                        subject: Subject::Tensor { index, name: quoted(info.name) },
                        tensors: String::new(),
                        reason,
                        hint,
                        cause: None,
                    }),
                    Err(error) => return Err(self.fatal(error)),
                }
            }
        }
        let Self { emit, inputs, written: values, unsupported, .. } = self;
        Ok(Translated { graph: emit.graph, scales: emit.scales, inputs, outputs, values, unsupported })
    }

    fn node(&mut self, index: usize, node: &'s Node<'a>) -> Result<(), ReadError> {
        let fail = |what: String| ReadError::Operator { index, operator: node.op.into(), tensors: wiring(node), what };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &name in &node.inputs {
            inputs.push(match (name, self.values.get(name)) {
                ("", _) => None,
                (_, Some(value)) => Some(value.clone()),
                (_, None) => {
                    return Err(fail(format!(
                        "it reads {}, which is neither an input nor a constant, and which no operator writes",
                        quoted(name)
                    )));
                }
            });
        }
        let written = node.outputs.iter().filter(|name| !name.is_empty());
        if let Some(twice) = written.clone().find(|name| self.values.contains_key(**name)) {
            return Err(fail(format!("it writes {}, which is there already", quoted(twice))));
        }
        self.emit.node = index;
        let first = self.emit.graph.tensors.len();
        let error = match self.translate(node, inputs) {
            Ok(values) if values.len() >= written.clone().count() => {
                self.name(node, first);
                for (&name, value) in node.outputs.iter().zip(values).filter(|(name, _)| !name.is_empty()) {
                    if let Value::Active(x) = &value {
                        self.record(name, x)?;
                    }
                    self.values.insert(name, value);
                }
                return Ok(());
            }
            Ok(values) => {
                NodeError::Malformed(format!("it has {} outputs, not {}", values.len(), written.clone().count()))
            }
            Err(error) => error,
        };
        match error {
            // ONNX Runtime loads many such files, and refuses them, if at all, when it runs.
            NodeError::Malformed(reason) => self.report(index, node, reason, CONTRADICTS.into())?,
            NodeError::Unsupported { reason, hint } => self.report(index, node, reason, hint)?,
            // What it reads has been reported.
            NodeError::Consequence => {}
            other => return Err(self.fatal(other)),
        }
        for &name in written {
            self.values.insert(name, Value::Missing);
        }
        Ok(())
    }

    /// Reports what stands in the way of a node.
    fn report(
        &mut self,
        index: usize,
        node: &Node<'a>,
        reason: String,
        hint: Cow<'static, str>,
    ) -> Result<(), ReadError> {
        let subject = Subject::Operator { index, name: node.op.into() };
        let cause = match node.op {
            "LSTM" | "GRU" | "RNN" => Some("a recurrent layer"),
            _ => LackingEntry::find(LACKING, &full_name(node)).and_then(|row| row.cause),
        };
        let entry = Unsupported { subject, tensors: wiring(node), reason, hint, cause };
        // A vector may grow to twice its contents.
        self.emit.budget.take(2 * entry.bytes()).map_err(|over| refused(over.into()))?;
        self.unsupported.push(entry);
        Ok(())
    }

    fn translate(&mut self, node: &'s Node<'a>, inputs: Vec<Option<Value>>) -> Result<Vec<Value>, NodeError> {
        // ONNX Runtime's quantiser writes these two in its own domain where the operator set is older than their types.
        let contributed = node.domain == "com.microsoft" && matches!(node.op, "QuantizeLinear" | "DequantizeLinear");
        let known = if is_standard(node) || contributed { find(node.op) } else { Known::Unknown };
        if matches!(known, Known::Unknown) {
            return Err(match LackingEntry::find(LACKING, &full_name(node)) {
                Some(row) => NodeError::unsupported(row.reason(), row.hint),
                None if is_standard(node) => NodeError::unsupported(
                    Unsupported::UNKNOWN_OPERATOR,
                    "replace it by supported operators, which `smidgen ops --format onnx` lists",
                ),
                None => NodeError::unsupported(
                    format!("{} (of {})", Unsupported::UNKNOWN_OPERATOR, quoted(node.domain)),
                    "export the network with standard operators",
                ),
            });
        }
        if inputs.iter().any(|input| matches!(input, Some(Value::Missing))) {
            return Err(NodeError::Consequence);
        }
        let mut call = Call { node, opset: self.opset, inputs, emit: &mut self.emit };
        if let Some(values) = fold::evaluate(&mut call)? {
            return Ok(values);
        }
        match known {
            Known::Translated(translate) => translate(&mut call),
            Known::Folded | Known::Unknown => Err(NodeError::unsupported(
                "its operands are computed at run time; it is supported on constants only",
                "export the network with fixed shapes and without control flow",
            )),
        }
    }

    /// Notes which tensor has what a node writes; of several names for one tensor the first stays.
    fn record(&mut self, name: &str, x: &Active) -> Result<(), ReadError> {
        if self.emit.graph.tensor(x.id).source.is_some() || self.emit.graph.inputs.contains(&x.id) {
            return Ok(());
        }
        let port = Port { name: name.into(), shape: self.emit.dims(x), axes: x.layout.clone() };
        let bytes = size_of::<Port>() + name.len() + 2 * size_of_val(port.shape.as_slice());
        self.emit.budget.take(bytes).map_err(|over| refused(over.into()))?;
        self.emit.graph.tensors[x.id.index()].source = u32::try_from(self.written.len()).ok();
        self.written.push(port);
        Ok(())
    }

    /// Names what a node made after its outputs.
    fn name(&mut self, node: &Node<'a>, first: usize) {
        let name = node.outputs.iter().find(|name| !name.is_empty()).copied().unwrap_or("");
        for tensor in self.emit.graph.tensors.iter_mut().skip(first).filter(|t| t.name.is_empty()) {
            tensor.name = name.into();
        }
    }

    /// Quantised uint8 are int8 inside, 128 less, and what they are in the file at the network's end.
    fn as_bytes(&mut self, x: Active) -> Result<Active, NodeError> {
        match *self.emit.dtype(&x) {
            DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { scale, zero_point })
                if x.element == Element::U8 =>
            {
                let quantisation = Quantisation::PerTensor { scale, zero_point: zero_point + 128 };
                let dtype = DataType::Quantised(ElementType::Uint8, quantisation);
                let id = self.emit.one(Op::Quantize, vec![x.id], &dtype)?;
                self.emit.graph.tensors[id.index()].name = self.emit.graph.tensor(x.id).name.clone();
                Ok(Active { id, ..x })
            }
            _ => Ok(x),
        }
    }

    fn output(&mut self, name: &str) -> Result<Port, NodeError> {
        let x = match self.values.get(name) {
            Some(Value::Active(x)) => x.clone(),
            Some(Value::Constant(constant)) => {
                let constant = constant.clone();
                let layout = identity(constant.dims.len());
                if constant.dims.contains(&0) {
                    return Err(NodeError::unsupported("it is an output without elements", "leave it out"));
                }
                let id = self.emit.constant(&constant, &layout)?;
                Active { id, layout, element: constant.element }
            }
            Some(Value::Missing) => return Err(NodeError::Consequence),
            None => return Err(NodeError::Malformed(format!("nothing writes graph output {}", quoted(name)))),
        };
        let x = self.as_bytes(x)?;
        let rank = x.layout.len();
        let x = if x.layout == channels_last(rank) { x } else { self.emit.arrange(&x, &identity(rank))? };
        self.emit.graph.outputs.push(x.id);
        Ok(Port { name: name.into(), shape: self.emit.dims(&x), axes: x.layout })
    }
}

/// True if the node's operator is one of the standard's.
fn is_standard(node: &Node<'_>) -> bool {
    matches!(node.domain, "" | "ai.onnx")
}

/// The name of a node's operator as [`LACKING`] has it.
fn full_name(node: &Node<'_>) -> String {
    if is_standard(node) { node.op.into() } else { format!("{}.{}", node.domain, node.op) }
}

/// The tensors of a node: `"x", "w" -> "y"`.
fn wiring(node: &Node<'_>) -> String {
    let side = |names: &[&str]| listed(names.iter().map(|&name| (!name.is_empty()).then_some(name)));
    format!("{} -> {}", side(&node.inputs), side(&node.outputs))
}
