//! From bytes to a graph: tables, then tensors, then operators, then the graph of what is used.

pub(crate) mod call;
pub(crate) mod cause;
mod composed;
mod dilated;
mod fold;
pub(crate) mod grouped;
#[cfg(test)]
mod layers;
mod lists;
#[cfg(test)]
mod loops;
#[cfg(test)]
mod others;
mod recurrent;
mod restored;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod state;
mod tensors;
#[cfg(test)]
mod tests;
mod uint8;
mod unroll;
mod variables;

use crate::error::ReadError;
use crate::flat::{Numbers, Record};
use crate::schema::{
    CUSTOM, IDENTIFIER, OPERATORS, VERSION, buffer, metadata, model, operator, operator_code, subgraph,
};
use crate::support::Builtin;
use call::{Call, Trouble};
use cause::{Cause, HALF, NO_CONVERTER, OPEN, STATE, Why};
pub use composed::COMPOSED;
pub use dilated::AROUND;
use dilated::Rewrite;
pub use fold::COMPUTED;
use fold::Fold;
use smidgen_ir::front::{Budget, Subject, Unsupported, listed as names, quoted};
use smidgen_ir::validate::beyond_bounds;
use smidgen_ir::{DataType, ElementType, Graph, Operator, ReshapeKind, Shape, Tensor, TensorId, Variable, infer};
use std::borrow::Cow;
use std::collections::HashSet;
pub(crate) use tensors::{MAX_RANK, Source};
use uint8::Ends;
pub use unroll::UNROLLED;
use unroll::{Progress, Task};
use variables::Held;

/// How to read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Make the integer weights of convolutions and FULLY_CONNECTED on floats (dynamic-range quantisation) the floats that they
    /// stand for, as a network to be quantised needs them. Otherwise those that no kernel takes are unsupported.
    pub float_weights: bool,
}

/// Reads a TensorFlow Lite file.
///
/// The graph is what the file says: no operator is folded or dropped but the DEQUANTIZE of constants in half precision, and what stands between
/// constants and the weights of a layer. `source` of each tensor and operator is its index in the
/// file. It is not yet validated: call [`smidgen_ir::validate()`] before anything that relies on it.
///
/// # Errors
/// [`ReadError`], whose [`kind`](ReadError::kind) says whether the file is at fault or asks for something unsupported.
pub fn read(bytes: &[u8]) -> Result<Graph, ReadError> {
    read_with(bytes, Options::default())
}

/// Reads a TensorFlow Lite file as [`read`] does, in one of several ways.
///
/// # Errors
/// As [`read`].
pub fn read_with(bytes: &[u8], options: Options) -> Result<Graph, ReadError> {
    let (graph, unsupported) = Reader { options, ..Reader::open(bytes)? }.graph()?;
    if unsupported.is_empty() { Ok(graph) } else { Err(ReadError::Unsupported(unsupported)) }
}

/// Everything in a TensorFlow Lite file that [`read`] cannot take: unsupported operators, tensors and features, all at once.
/// Empty if `read` succeeds.
///
/// # Errors
/// [`ReadError`], if the file is malformed; never [`ReadError::Unsupported`].
pub fn check(bytes: &[u8]) -> Result<Vec<Unsupported>, ReadError> {
    Ok(Reader::open(bytes)?.graph()?.1)
}

/// What a file holds under a name of its metadata, if it does.
///
/// # Errors
/// [`ReadError`], if the file is malformed.
pub fn metadata<'a>(bytes: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, ReadError> {
    let model = Reader::open(bytes)?.model;
    let (entries, buffers) = (model.records(model::metadata)?, model.records(model::buffers)?);
    for index in 0..entries.len() {
        let Some(entry) = entries.get(index)? else { continue };
        if entry.get(metadata::name)?.is_none_or(|own| own.0 != name.as_bytes()) {
            continue;
        }
        let number = entry.get(metadata::buffer)?.unwrap_or(0);
        let Some(held) = buffers.get(number as usize)? else {
            return Err(entry
                .fault(metadata::buffer, format!("buffer {number} is named, of {}", buffers.len()))
                .into());
        };
        return Ok(Some(held.numbers(buffer::data)?.bytes()));
    }
    Ok(None)
}

/// Which operator an operator code stands for.
enum Code {
    Known(Builtin),
    Unknown { name: String, why: Why },
}

impl Code {
    fn name(&self) -> &str {
        match self {
            Self::Known(builtin) => builtin.name(),
            Self::Unknown { name, .. } => name,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    model: Record<'a>,
    subgraph: Record<'a>,
    budget: Budget,
    unsupported: Vec<Unsupported>,
    /// The first thing that the file says two ways about. It is held against the file only where nothing is unsupported: shapes
    /// behind an unsupported operator are not known, and parameters of its making are not read.
    contradiction: Option<ReadError>,
    options: Options,
    /// The network computes with uint8, which is read as int8.
    uint8: bool,
}

/// An operator's place in the graph: its tensors, by index in the file.
pub(crate) struct Wiring<'a> {
    record: Record<'a>,
    code: usize,
    /// `None` for an optional input that is absent.
    inputs: Vec<Option<usize>>,
    outputs: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let not_tflite = |what: String| ReadError::NotTflite { what };
        let identifier =
            bytes.get(4..8).ok_or_else(|| not_tflite(format!("{} bytes are too few for any", bytes.len())))?;
        if identifier != IDENTIFIER.as_bytes() {
            return Err(not_tflite(format!("bytes 4 to 7 are \"{}\", not {IDENTIFIER:?}", identifier.escape_ascii())));
        }
        let model = Record::root(bytes)?;
        let version = model.get(model::version)?.unwrap_or(0);
        if version != VERSION {
            return Err(not_tflite(format!("its schema's version is {version}, not {VERSION}")));
        }
        let subgraphs = model.records(model::subgraphs)?;
        let subgraph = subgraphs.get(0)?.ok_or_else(|| model.fault(model::subgraphs, "there is no subgraph"))?;
        Ok(Self {
            bytes,
            model,
            subgraph,
            budget: Budget::for_file(bytes.len()),
            unsupported: Vec::new(),
            contradiction: None,
            options: Options::default(),
            uint8: false,
        })
    }

    fn graph(mut self) -> Result<(Graph, Vec<Unsupported>), ReadError> {
        let mut tensors = self.tensors(self.subgraph)?;
        let count = tensors.len();
        let codes = self.codes()?;
        let ports = [subgraph::inputs, subgraph::outputs];
        let [inputs, outputs] = ports.map(|field| -> Result<Vec<usize>, ReadError> {
            let numbers = self.subgraph.numbers(field)?;
            self.budget.take(numbers.len() * size_of::<usize>())?;
            let index = |i: i32| {
                let index = usize::try_from(i).ok().filter(|&i| i < tensors.len());
                index.ok_or_else(|| self.subgraph.fault(field, format!("tensor {i} of {} is named", tensors.len())))
            };
            Ok(numbers.iter().map(index).collect::<Result<_, _>>()?)
        });
        let (inputs, outputs) = (inputs?, outputs?);
        let mut wirings = self.wirings(self.subgraph, codes.len(), tensors.len())?;
        self.uint8 = uint8::computes(&wirings, &codes, &tensors);
        if self.uint8 {
            self.shift(&mut tensors)?;
        }
        let mut folded = widened(&wirings, &codes, &mut tensors);
        self.restored(&wirings, &codes, &mut tensors, &mut folded)?;
        let rewrites = dilated::joined(&mut wirings, &codes, &mut folded, &tensors, &outputs);
        self.recurrent(&mut wirings, &codes, &mut tensors)?;
        let held = self.variables(&mut wirings, &codes, &mut folded, &mut tensors, &inputs)?;
        self.order(&wirings, &codes, &folded, &mut tensors, &inputs, &outputs)?;
        self.report_subgraphs(&wirings, &codes)?;

        let mut all = Progress::new(wirings, tensors, &folded);
        let mut repeated = HashSet::new();
        while let Some(task) = all.tasks.pop_front() {
            let index = match task {
                Task::Turn(number) if self.turn(number, &codes, &mut all)? => continue,
                Task::Turn(number) => all.operator_of(number),
                Task::Operator(index) => {
                    let wiring = &all.wirings[index];
                    if let Some(constants) = Fold::new(wiring, &codes[wiring.code], &all.tensors).evaluate()? {
                        for (&t, constant) in wiring.outputs.iter().zip(constants) {
                            self.budget.take(constant.data.len() + size_of::<usize>() * constant.shape.len())?;
                            all.tensors[t].hold(constant);
                        }
                        continue;
                    }
                    if all.origin(index) != index && Fold::new(wiring, &codes[wiring.code], &all.tensors).overflows() {
                        all.beyond.extend(all.wirings[index].outputs.iter().copied());
                    }
                    if self.resolve(index, &codes, &mut all)? {
                        continue;
                    }
                    index
                }
            };
            let origin = all.origin(index);
            let Progress { wirings, tensors, left, beyond, .. } = &mut all;
            let wiring = &wirings[index];
            let (name, trouble) = match &codes[wiring.code] {
                code if let Some((reason, hint)) = left.remove(&index) => {
                    (code.name(), Trouble::Unsupported { reason, hint: Cow::Borrowed(hint), cause: None })
                }
                Code::Unknown { name, why: Why { reason, hint, cause } } => {
                    let hint = Cow::Borrowed(*hint);
                    (name.as_str(), Trouble::Unsupported { reason: reason.clone(), hint, cause: *cause })
                }
                // Resolved; what it assigns has been looked at.
                Code::Known(Builtin::AssignVariable) => continue,
                Code::Known(builtin) => {
                    let used = wiring.inputs.iter().flatten().chain(&wiring.outputs);
                    if used.clone().any(|&t| tensors[t].dtype.is_err()) {
                        // The tensor is reported; what this operator makes of it would only repeat that.
                        continue;
                    }
                    self.centre_weights(*builtin, wiring, tensors)?;
                    let decode = || {
                        uint8::unmixed(*builtin, wiring, tensors)?;
                        let call = Call::new(*builtin, wiring, tensors, self.options.float_weights)?;
                        match rewrites.get(&index) {
                            Some(Rewrite::Shape(shape)) => {
                                let op = smidgen_ir::Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.clone() };
                                Ok((op, vec![call.index(0)?]))
                            }
                            rewrite => {
                                let (op, inputs) = (builtin.row().read)(&call)?;
                                Ok((if let Some(rewrite) = rewrite { rewrite.apply(op) } else { op }, inputs))
                            }
                        }
                    };
                    match decode() {
                        Ok((op, mut inputs)) => {
                            // Turns of loops have a limit of their own.
                            if origin == index {
                                self.budget.take(size_of::<Operator>() + 8 * (inputs.len() + wiring.outputs.len()))?;
                            }
                            if self.options.float_weights {
                                self.float_weights(&op, &inputs, tensors)?;
                            }
                            if let smidgen_ir::Op::Conv2d(conv) = op
                                && let Some(groups) =
                                    grouped::groups(&tensors[inputs[0]].shape, &tensors[inputs[1]].shape)
                            {
                                if !all.grouped(index, conv, &inputs, groups) {
                                    let reason =
                                        format!("it is a convolution in {} groups, which are too many", groups[0]);
                                    all.leave(index, reason, "use fewer groups, or DEPTHWISE_CONV_2D");
                                    all.tasks.push_front(Task::Operator(index));
                                }
                                continue;
                            }
                            let Progress { wirings, tensors, operators, .. } = &mut all;
                            let wiring = &wirings[index];
                            shape_outputs(&op, &inputs, &wiring.outputs, tensors);
                            if without_elements(&op, &mut inputs, &wiring.outputs, tensors) {
                                continue;
                            }
                            operators.push((index, op, inputs));
                            continue;
                        }
                        Err(_) if wiring.outputs.iter().any(|t| beyond.contains(t)) => {
                            let (reason, hint) =
                                ("its result leaves the range of its type", "count with smaller numbers");
                            let trouble =
                                Trouble::Unsupported { reason: reason.into(), hint: Cow::Borrowed(hint), cause: None };
                            (builtin.name(), trouble)
                        }
                        Err(trouble) => (builtin.name(), trouble),
                    }
                }
            };
            let listed = || listed(wiring, tensors);
            let inside = |reason: String| match origin == index {
                true => reason,
                false => format!("in a subgraph that it runs, {name}: {reason}"),
            };
            let name = codes[wirings[origin].code].name();
            match trouble {
                Trouble::Damaged(fault) => return Err(fault.into()),
                Trouble::Malformed(what) => {
                    let what = inside(what);
                    let operator =
                        || ReadError::Operator { index: origin, operator: name.into(), tensors: listed(), what };
                    self.contradiction.get_or_insert_with(operator);
                }
                Trouble::Unsupported { reason, hint, cause } => {
                    let reason = inside(reason);
                    // All turns of a loop have the same obstacles.
                    if origin == index || repeated.insert(reason.clone()) {
                        let subject = Subject::Operator { index: origin, name: name.into() };
                        self.report(Unsupported { subject, tensors: listed(), reason, hint, cause })?;
                    }
                }
            }
        }
        let origins: Vec<usize> = (0..all.wirings.len()).map(|index| all.origin(index)).collect();
        let Progress { wirings, tensors, operators, .. } = all;
        self.check_variables(&held, &wirings, &codes, &tensors)?;
        self.report_tensors((&tensors, count), &wirings, &codes, &inputs, &outputs)?;
        if !self.unsupported.is_empty() {
            return Ok((Graph::default(), self.unsupported));
        }
        if let Some(error) = self.contradiction {
            return Err(error);
        }
        let name = self.subgraph.get(subgraph::name)?.map_or(String::new(), |text| text.lossy());
        self.budget.take(name.len())?;
        let graph = assemble(name, (tensors, count), (&wirings, &origins), operators, [&inputs, &outputs], &held);
        let beyond = beyond_bounds(&graph);
        Ok((graph, beyond))
    }

    fn report(&mut self, entry: Unsupported) -> Result<(), ReadError> {
        self.budget.take(entry.bytes())?;
        self.unsupported.push(entry);
        Ok(())
    }

    /// Makes the integer weights of an operator on floats the floats that they stand for.
    fn float_weights(&self, op: &smidgen_ir::Op, inputs: &[usize], tensors: &mut [Source]) -> Result<(), ReadError> {
        let (Some(_), &[x, weights, ..]) = (op.traits().weights, inputs) else { return Ok(()) };
        if tensors[x].element() == ElementType::Float32
            && matches!(tensors[weights].element(), ElementType::Int8 | ElementType::Int4)
            && let Some(bytes) = tensors[weights].real_bytes()
        {
            self.budget.take(bytes.len())?;
            tensors[weights].data = Some(bytes.into());
            tensors[weights].dtype = Ok(DataType::FLOAT32);
        }
        Ok(())
    }

    /// Reports that there are several subgraphs, unless operators run them, which are obstacles themselves.
    fn report_subgraphs(&mut self, wirings: &[Wiring<'_>], codes: &[Code]) -> Result<(), ReadError> {
        let count = self.model.records(model::subgraphs)?.len();
        if count > 1 && !wirings.iter().any(|wiring| cause::runs_subgraphs(codes[wiring.code].name())) {
            self.report(Unsupported {
                subject: Subject::File,
                tensors: String::new(),
                reason: format!("it holds {count} subgraphs, none of which runs another: a network for each signature"),
                hint: "convert one signature at a time: `TFLiteConverter.from_concrete_functions([function])`".into(),
                cause: None,
            })?;
        }
        Ok(())
    }

    /// Reports the tensors of unsupported kinds that the network uses, where it is not the operator that writes them which is
    /// to blame.
    fn report_tensors(
        &mut self,
        (tensors, own): (&[Source], usize),
        wirings: &[Wiring<'_>],
        codes: &[Code],
        inputs: &[usize],
        outputs: &[usize],
    ) -> Result<(), ReadError> {
        let mut repeated = HashSet::new();
        // What unsupported operators alone read, and what they write, comes and goes with them.
        let (known, unknown): (Vec<_>, Vec<_>) = wirings.iter().partition(|w| matches!(codes[w.code], Code::Known(_)));
        let mut used = vec![false; tensors.len()];
        let wired = known.iter().flat_map(|w| w.inputs.iter().flatten().chain(&w.outputs));
        wired.chain(inputs).chain(outputs).for_each(|&t| used[t] = true);
        let mut explained = vec![false; tensors.len()];
        unknown.iter().flat_map(|w| &w.outputs).for_each(|&t| explained[t] = true);
        let mut ends = vec![false; tensors.len()];
        inputs.iter().chain(outputs).for_each(|&t| ends[t] = true);
        for (index, tensor) in tensors.iter().enumerate().filter(|&(i, _)| used[i] || explained[i]) {
            let caused = |reason: &str, cause: &Cause| Some((reason.to_string(), cause.hint, Some(cause.name)));
            let refused = match &tensor.dtype {
                _ if explained[index] && !tensor.open => None,
                _ if explained[index] => caused("its shape is open", &OPEN),
                Err(refusal) if refusal.malformed => {
                    let (name, what) = (quoted(&tensor.name), refusal.reason.clone());
                    self.contradiction.get_or_insert(ReadError::Tensor { index, name, what });
                    None
                }
                Err(refusal) => Some((refusal.reason.clone(), refusal.hint, refusal.cause)),
                Ok(_) if tensor.variable => caused("it is a variable", &STATE),
                Ok(_) if tensor.half && ends[index] => caused("its type is float16", &HALF),
                Ok(_) => None,
            };
            if let Some((reason, hint, cause)) = refused
                // Each turn of a loop has tensors like those of the first.
                && (index < own || repeated.insert((&tensor.name, reason.clone())))
            {
                self.report(Unsupported {
                    subject: Subject::Tensor { index, name: quoted(&tensor.name) },
                    tensors: String::new(),
                    reason,
                    hint: hint.into(),
                    cause,
                })?;
            }
        }
        Ok(())
    }

    fn codes(&self) -> Result<Vec<Code>, ReadError> {
        let records = self.model.records(model::operator_codes)?;
        let mut codes = Vec::new();
        for i in 0..records.len() {
            let Some(record) = records.get(i)? else { break };
            // Values up to 127 stand in the older field, which files of either age fill.
            let old = record.get(operator_code::deprecated_builtin_code)?.unwrap_or(0);
            let code = record.get(operator_code::builtin_code)?.unwrap_or(0).max(old.into());
            let code = match Builtin::from_code(code) {
                Some(builtin) => Code::Known(builtin),
                None if code == CUSTOM => {
                    let name = record.get(operator_code::custom_code)?.map_or(String::new(), |text| text.lossy());
                    let why = cause::of(&name);
                    Code::Unknown { name: format!("CUSTOM {}", quoted(&name)), why }
                }
                None => match usize::try_from(code).ok().and_then(|code| OPERATORS.get(code)) {
                    Some(name) => Code::Unknown { name: (*name).into(), why: cause::of(name) },
                    None => {
                        let name = format!("number {code}");
                        Code::Unknown { why: cause::of(&name), name }
                    }
                },
            };
            self.budget.take(size_of::<Code>() + code.name().len())?;
            codes.push(code);
        }
        Ok(codes)
    }

    fn wirings(&self, subgraph: Record<'a>, codes: usize, tensors: usize) -> Result<Vec<Wiring<'a>>, ReadError> {
        let records = subgraph.records(subgraph::operators)?;
        let mut wirings = Vec::new();
        for i in 0..records.len() {
            let Some(record) = records.get(i)? else { break };
            let code = record.get(operator::opcode_index)?.unwrap_or(0) as usize;
            if code >= codes {
                let what = format!("operator {i} names operator code {code} of {codes}");
                return Err(record.fault(operator::opcode_index, what).into());
            }
            let inputs: Numbers<'_, i32> = record.numbers(operator::inputs)?;
            let outputs: Numbers<'_, i32> = record.numbers(operator::outputs)?;
            self.budget.take(size_of::<Wiring<'_>>() + 16 * inputs.len() + 8 * outputs.len())?;
            let index = |number: i32| usize::try_from(number).ok().filter(|&t| t < tensors);
            let unknown = |number: i32| format!("operator {i} names tensor {number} of {tensors}");
            let inputs = inputs.iter().map(|number| match number {
                -1 => Ok(None),
                _ => index(number).map(Some).ok_or_else(|| record.fault(operator::inputs, unknown(number))),
            });
            let outputs = outputs
                .iter()
                .map(|number| index(number).ok_or_else(|| record.fault(operator::outputs, unknown(number))));
            wirings.push(Wiring {
                record,
                code,
                inputs: inputs.collect::<Result<_, _>>()?,
                outputs: outputs.collect::<Result<_, _>>()?,
            });
        }
        Ok(wirings)
    }
}

/// The tensors of an operator: `"x", "w" -> "y"`, at most four on each side.
fn listed(wiring: &Wiring<'_>, tensors: &[Source]) -> String {
    let inputs = wiring.inputs.iter().map(|t| t.map(|t| &*tensors[t].name));
    let outputs = wiring.outputs.iter().map(|&t| Some(&*tensors[t].name));
    format!("{} -> {}", names(inputs), names(outputs))
}

/// Makes constants of what DEQUANTIZE reads in half precision: the converter stores weights so, and its result is known. True
/// for each operator that is done with.
fn widened(wirings: &[Wiring<'_>], codes: &[Code], tensors: &mut [Source]) -> Vec<bool> {
    let mut folded = vec![false; wirings.len()];
    for (index, wiring) in wirings.iter().enumerate() {
        let (Code::Known(Builtin::Dequantize), [Some(from)], [to]) =
            (&codes[wiring.code], wiring.inputs.as_slice(), wiring.outputs.as_slice())
        else {
            continue;
        };
        let (from, to) = (*from, *to);
        let constant = tensors[from].half && tensors[from].dtype.is_ok() && tensors[from].data.is_some();
        if constant && !tensors[to].stored && tensors[to].dtype.as_ref().is_ok_and(|d| *d == DataType::FLOAT32) {
            let (shape, data) = (tensors[from].shape.clone(), tensors[from].data.clone());
            (tensors[to].shape, tensors[to].data, tensors[to].stored) = (shape, data, true);
            folded[index] = true;
        }
    }
    folded
}

/// Gives an operator's outputs the shapes that follow from its inputs, as the reference does: what the file says of the shapes
/// between its inputs and outputs need not be right, and is not where an input was open when the file was made.
fn shape_outputs(op: &smidgen_ir::Op, inputs: &[usize], outputs: &[usize], tensors: &mut [Source]) {
    let plain = |&t: &usize| {
        let source = &tensors[t];
        Tensor::activation(String::new(), Shape(source.shape.clone()), DataType::Plain(source.element()))
    };
    let inputs: Vec<Tensor> = inputs.iter().map(plain).collect();
    let Ok(inferred) = infer(op, &inputs.iter().collect::<Vec<_>>()) else {
        // The validator says what does not fit.
        return;
    };
    if inferred.len() == outputs.len() {
        for (&t, found) in outputs.iter().zip(inferred) {
            (tensors[t].shape, tensors[t].open) = (found.shape.0, false);
        }
    }
}

/// Leaves out what has no elements: a CONCATENATION does not read it, and an operator that makes nothing else is none. True for such an
/// operator; its outputs are constants after this.
fn without_elements(op: &smidgen_ir::Op, inputs: &mut Vec<usize>, outputs: &[usize], tensors: &mut [Source]) -> bool {
    let is_empty = |&t: &usize| tensors[t].is_empty();
    if matches!(op, smidgen_ir::Op::Concatenation { .. }) && !inputs.iter().all(is_empty) {
        inputs.retain(|t| !is_empty(t));
    }
    let nothing = !outputs.is_empty() && outputs.iter().all(is_empty);
    if nothing {
        outputs.iter().for_each(|&t| (tensors[t].stored, tensors[t].data) = (true, Some([].into())));
    }
    nothing
}

impl Reader<'_> {
    /// Checks that each operator reads only graph inputs, constants, state and what an earlier operator wrote, and that each tensor
    /// is written once. A tensor without elements or bytes that nothing writes is a constant after this.
    ///
    /// The reference does not check: such a file runs, on whatever the memory holds or on what was written last.
    fn order(
        &mut self,
        wirings: &[Wiring<'_>],
        codes: &[Code],
        folded: &[bool],
        tensors: &mut [Source],
        inputs: &[usize],
        outputs: &[usize],
    ) -> Result<(), ReadError> {
        let mut written: Vec<bool> = tensors.iter().map(|t| t.variable || t.given).collect();
        for &t in inputs {
            let name = || quoted(&tensors[t].name);
            let reason = if tensors[t].stored {
                format!("graph input {} (tensor {t}) is a constant", name())
            } else if std::mem::replace(&mut written[t], true) && !tensors[t].variable {
                format!("tensor {t} {} is a graph input twice", name())
            } else {
                continue;
            };
            self.report_order(Subject::File, String::new(), reason)?;
        }
        let mut producers = written.clone();
        wirings.iter().flat_map(|w| &w.outputs).for_each(|&t| producers[t] = true);
        let alone = tensors.iter_mut().zip(&producers).filter(|(tensor, produced)| tensor.is_empty() && !**produced);
        for (tensor, _) in alone {
            tensor.data.get_or_insert_with(|| [].into());
            tensor.stored = true;
        }
        for (index, wiring) in wirings.iter().enumerate().filter(|&(index, _)| !folded[index]) {
            let name = |t: usize| quoted(&tensors[t].name);
            // Scratch memory of operators that are not supported is nobody's output.
            let reads = if matches!(codes[wiring.code], Code::Known(_)) { wiring.inputs.as_slice() } else { &[] };
            let unread = reads.iter().flatten().find(|&&t| !written[t] && !tensors[t].stored);
            let mut reason = unread.map(|&t| {
                format!(
                    "it reads {} (tensor {t}), which is neither a graph input nor a constant, and which no earlier operator \
                     writes",
                    name(t)
                )
            });
            for &t in &wiring.outputs {
                if tensors[t].stored {
                    reason =
                        reason.or_else(|| Some(format!("it writes {} (tensor {t}), which is a constant", name(t))));
                } else if std::mem::replace(&mut written[t], true) && !tensors[t].variable {
                    reason = reason
                        .or_else(|| Some(format!("it writes {} (tensor {t}), which is written already", name(t))));
                }
            }
            if let Some(reason) = reason {
                let operator = codes[wiring.code].name().into();
                self.report_order(Subject::Operator { index, name: operator }, listed(wiring, tensors), reason)?;
            }
        }
        for &t in outputs {
            if !written[t] && !tensors[t].stored {
                let reason = format!("nothing writes graph output {} (tensor {t})", quoted(&tensors[t].name));
                self.report_order(Subject::File, String::new(), reason)?;
            }
        }
        Ok(())
    }

    fn report_order(&mut self, subject: Subject, tensors: String, reason: String) -> Result<(), ReadError> {
        self.report(Unsupported { subject, tensors, reason, hint: NO_CONVERTER.into(), cause: None })
    }
}

/// The graph of the tensors that are used, in the file's order; of the tensors so many are the file's.
fn assemble(
    name: String,
    (tensors, count): (Vec<Source>, usize),
    (wirings, origins): (&[Wiring<'_>], &[usize]),
    operators: Vec<(usize, smidgen_ir::Op, Vec<usize>)>,
    [inputs, outputs]: [&[usize]; 2],
    held: &[Held],
) -> Graph {
    let mut used = vec![false; tensors.len()];
    let wired = operators.iter().flat_map(|(index, _, read)| read.iter().chain(&wirings[*index].outputs));
    let variables = held.iter().flat_map(|v| [&v.value, &v.next].into_iter().chain(&v.initial));
    wired.chain(inputs).chain(outputs).chain(variables).for_each(|&t| used[t] = true);
    let mut types = vec![None; tensors.len()];
    for variable in held {
        // A constant in a subgraph of its own need not say what its numbers stand for.
        if let Some(initial) = variable.initial {
            types[initial] = tensors[variable.value].dtype.as_ref().ok().cloned();
        }
    }
    let differs = |(index, op, read): &(usize, smidgen_ir::Op, Vec<usize>)| {
        uint8::differs(op, read, &wirings[*index].outputs, &tensors)
    };
    let as_uint8: Vec<bool> = operators.iter().map(differs).collect();
    let mut graph = Graph::new(name);
    let mut ids = vec![TensorId(0); tensors.len()];
    let mut ends = Ends::of(&tensors, [inputs, outputs]);
    for (index, source) in tensors.into_iter().enumerate().filter(|&(i, _)| used[i]) {
        let Some(dtype) = types[index].take().or(source.dtype.ok()) else { continue };
        let (name, shape, data) = (source.name, Shape(source.shape), source.data);
        let tensor = Tensor { name, shape, dtype, data, source: (index < count).then_some(index as u32) };
        ids[index] = match source.uint8 {
            Some(end) => ends.add(&mut graph, index, tensor, end),
            None => graph.add_tensor(tensor),
        };
    }
    let id = |&t: &usize| ids[t];
    ends.enter(&mut graph, inputs, &ids);
    for ((index, op, read), uint8) in operators.into_iter().zip(as_uint8) {
        let written = wirings[index].outputs.iter().map(id).collect();
        let operator = graph.add_operator(op, read.iter().map(id).collect(), written);
        let operator = &mut graph.operators[operator.index()];
        (operator.uint8, operator.source) = (uint8, Some(origins[index] as u32));
    }
    ends.leave(&mut graph, outputs, &ids);
    let variable = |v: &Held| Variable { value: id(&v.value), next: id(&v.next), initial: v.initial.as_ref().map(id) };
    graph.variables = held.iter().map(variable).collect();
    graph
}
