//! From bytes to a graph: tables, then tensors, then operators, then the graph of what is used.

mod call;
mod movement;
mod operators;
mod tensors;
#[cfg(test)]
mod tests;

use crate::error::ReadError;
use crate::flat::{Numbers, Record};
use crate::schema::{CUSTOM, IDENTIFIER, OPERATORS, VERSION, model, operator, operator_code, subgraph};
use crate::support::Builtin;
use call::{Call, Trouble};
use smidgen_ir::front::{Budget, Subject, Unsupported, listed as names, quoted};
use smidgen_ir::{Graph, Operator, Shape, Tensor, TensorId};
use std::borrow::Cow;
use tensors::Source;

/// Reads a TensorFlow Lite file.
///
/// The graph is what the file says: no operator is folded or dropped. `source` of each tensor and operator is its index in the
/// file. It is not yet validated: call [`smidgen_ir::validate()`] before anything that relies on it.
///
/// # Errors
/// [`ReadError`], whose [`kind`](ReadError::kind) says whether the file is at fault or asks for something unsupported.
pub fn read(bytes: &[u8]) -> Result<Graph, ReadError> {
    let (graph, unsupported) = Reader::open(bytes)?.graph()?;
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

/// Which operator an operator code stands for.
enum Code {
    Known(Builtin),
    Unknown { name: String, hint: &'static str },
}

impl Code {
    fn name(&self) -> &str {
        match self {
            Self::Known(builtin) => builtin.entry().name,
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
}

/// An operator's place in the graph: its tensors, by index in the file.
struct Wiring<'a> {
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
        let mut unsupported = Vec::new();
        let subgraphs = model.records(model::subgraphs)?;
        let subgraph = subgraphs.get(0)?.ok_or_else(|| model.fault(model::subgraphs, "there is no subgraph"))?;
        if subgraphs.len() > 1 {
            unsupported.push(Unsupported {
                subject: Subject::File,
                tensors: String::new(),
                reason: format!("it holds {} subgraphs", subgraphs.len()),
                hint: "convert the network without control flow, and one signature at a time".into(),
            });
        }
        Ok(Self { bytes, model, subgraph, budget: Budget::for_file(bytes.len()), unsupported })
    }

    fn graph(mut self) -> Result<(Graph, Vec<Unsupported>), ReadError> {
        let mut tensors = self.tensors()?;
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
        let wirings = self.wirings(codes.len(), tensors.len())?;
        order(&wirings, &codes, &mut tensors, &inputs, &outputs)?;
        self.report_tensors(&tensors, &wirings, &inputs, &outputs)?;

        let mut operators = Vec::new();
        for (index, wiring) in wirings.iter().enumerate() {
            let (name, trouble) = match &codes[wiring.code] {
                Code::Unknown { name, hint } => {
                    let reason = Unsupported::UNKNOWN_OPERATOR.to_string();
                    (name.as_str(), Trouble::Unsupported { reason, hint: Cow::Borrowed(*hint) })
                }
                Code::Known(builtin) => {
                    let used = wiring.inputs.iter().flatten().chain(&wiring.outputs);
                    if used.clone().any(|&t| tensors[t].dtype.is_err()) {
                        // The tensor has been reported; what this operator makes of it would only repeat that.
                        continue;
                    }
                    match Call::new(*builtin, wiring, &tensors).and_then(|call| call.decode()) {
                        Ok((op, inputs)) => {
                            self.budget.take(size_of::<Operator>() + 8 * (inputs.len() + wiring.outputs.len()))?;
                            operators.push((index, op, inputs));
                            continue;
                        }
                        Err(trouble) => (builtin.entry().name, trouble),
                    }
                }
            };
            let listed = listed(wiring, &tensors);
            match trouble {
                Trouble::Damaged(fault) => return Err(fault.into()),
                Trouble::Malformed(what) => {
                    return Err(ReadError::Operator { index, operator: name.into(), tensors: listed, what });
                }
                Trouble::Unsupported { reason, hint } => self.report(Unsupported {
                    subject: Subject::Operator { index, name: name.into() },
                    tensors: listed,
                    reason,
                    hint,
                })?,
            }
        }
        if !self.unsupported.is_empty() {
            return Ok((Graph::default(), self.unsupported));
        }
        let name = self.subgraph.get(subgraph::name)?.map_or(String::new(), |text| text.lossy());
        self.budget.take(name.len())?;
        Ok((assemble(name, tensors, &wirings, operators, &inputs, &outputs), Vec::new()))
    }

    fn report(&mut self, entry: Unsupported) -> Result<(), ReadError> {
        self.budget.take(entry.bytes())?;
        self.unsupported.push(entry);
        Ok(())
    }

    /// Reports the tensors of unsupported kinds that the network uses.
    fn report_tensors(
        &mut self,
        tensors: &[Source],
        wirings: &[Wiring<'_>],
        inputs: &[usize],
        outputs: &[usize],
    ) -> Result<(), ReadError> {
        let mut used = vec![false; tensors.len()];
        let wired = wirings.iter().flat_map(|w| w.inputs.iter().flatten().chain(&w.outputs));
        wired.chain(inputs).chain(outputs).for_each(|&t| used[t] = true);
        for (index, tensor) in tensors.iter().enumerate().filter(|&(i, _)| used[i]) {
            if let Err(refusal) = &tensor.dtype {
                self.report(Unsupported {
                    subject: Subject::Tensor { index, name: quoted(&tensor.name) },
                    tensors: String::new(),
                    reason: refusal.reason.clone(),
                    hint: refusal.hint.into(),
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
                    let hint = match name.strip_prefix("Flex") {
                        Some(_) => "convert without \"select TensorFlow operators\"",
                        None => REPLACE,
                    };
                    Code::Unknown { name: format!("CUSTOM {}", quoted(&name)), hint }
                }
                None => match usize::try_from(code).ok().and_then(|code| OPERATORS.get(code)) {
                    Some(name) => Code::Unknown { name: (*name).into(), hint: hint_for(name) },
                    None => Code::Unknown { name: format!("number {code}"), hint: REPLACE },
                },
            };
            self.budget.take(size_of::<Code>() + code.name().len())?;
            codes.push(code);
        }
        Ok(codes)
    }

    fn wirings(&self, codes: usize, tensors: usize) -> Result<Vec<Wiring<'a>>, ReadError> {
        let records = self.subgraph.records(subgraph::operators)?;
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

const REPLACE: &str = "replace it by supported operators";

/// What to do about a builtin operator that is not supported.
fn hint_for(name: &str) -> &'static str {
    match name {
        "IF" | "WHILE" | "CALL" | "CALL_ONCE" => "convert the network without control flow",
        "VAR_HANDLE" | "READ_VARIABLE" | "ASSIGN_VARIABLE" => "freeze the network's variables before converting it",
        "SHAPE" | "RANK" => "give the network a fixed input shape when converting it, so that shapes become constants",
        "DENSIFY" => "convert the network without sparse weights",
        _ => REPLACE,
    }
}

/// The tensors of an operator: `"x", "w" -> "y"`, at most four on each side.
fn listed(wiring: &Wiring<'_>, tensors: &[Source]) -> String {
    let inputs = wiring.inputs.iter().map(|t| t.map(|t| &*tensors[t].name));
    let outputs = wiring.outputs.iter().map(|&t| Some(&*tensors[t].name));
    format!("{} -> {}", names(inputs), names(outputs))
}

/// Checks that each operator reads only graph inputs, constants and what an earlier operator wrote, and that each tensor is
/// written once. A tensor without elements or bytes that nothing writes is a constant after this.
fn order(
    wirings: &[Wiring<'_>],
    codes: &[Code],
    tensors: &mut [Source],
    inputs: &[usize],
    outputs: &[usize],
) -> Result<(), ReadError> {
    let mut written = vec![false; tensors.len()];
    let graph = |what: String| ReadError::Graph { what };
    for &t in inputs {
        let name = || quoted(&tensors[t].name);
        if tensors[t].data.is_some() {
            return Err(graph(format!("graph input {} (tensor {t}) is a constant", name())));
        }
        if std::mem::replace(&mut written[t], true) {
            return Err(graph(format!("tensor {t} {} is a graph input twice", name())));
        }
    }
    let mut producers = written.clone();
    wirings.iter().flat_map(|w| &w.outputs).for_each(|&t| producers[t] = true);
    for (tensor, _) in tensors.iter_mut().zip(&producers).filter(|(tensor, produced)| tensor.is_empty() && !**produced)
    {
        tensor.data.get_or_insert_with(|| [].into());
    }
    for (index, wiring) in wirings.iter().enumerate() {
        let fail = |what: String| ReadError::Operator {
            index,
            operator: codes[wiring.code].name().into(),
            tensors: listed(wiring, tensors),
            what,
        };
        for &t in wiring.inputs.iter().flatten() {
            if !written[t] && tensors[t].data.is_none() {
                let name = quoted(&tensors[t].name);
                return Err(fail(format!(
                    "it reads {name} (tensor {t}), which is neither a graph input nor a constant, and which no earlier \
                     operator writes"
                )));
            }
        }
        for &t in &wiring.outputs {
            let name = || quoted(&tensors[t].name);
            if tensors[t].data.is_some() {
                return Err(fail(format!("it writes {} (tensor {t}), which is a constant", name())));
            }
            if std::mem::replace(&mut written[t], true) {
                return Err(fail(format!("it writes {} (tensor {t}), which is written already", name())));
            }
        }
    }
    for &t in outputs {
        if !written[t] && tensors[t].data.is_none() {
            return Err(graph(format!("nothing writes graph output {} (tensor {t})", quoted(&tensors[t].name))));
        }
    }
    Ok(())
}

/// The graph of the tensors that are used, in the file's order.
fn assemble(
    name: String,
    tensors: Vec<Source>,
    wirings: &[Wiring<'_>],
    operators: Vec<(usize, smidgen_ir::Op, Vec<usize>)>,
    inputs: &[usize],
    outputs: &[usize],
) -> Graph {
    let mut used = vec![false; tensors.len()];
    let wired = operators.iter().flat_map(|(index, _, read)| read.iter().chain(&wirings[*index].outputs));
    wired.chain(inputs).chain(outputs).for_each(|&t| used[t] = true);
    let mut graph = Graph::new(name);
    let mut ids = vec![TensorId(0); tensors.len()];
    for (index, source) in tensors.into_iter().enumerate().filter(|&(i, _)| used[i]) {
        let Ok(dtype) = source.dtype else { continue };
        let (name, shape, data) = (source.name, Shape(source.shape), source.data);
        ids[index] = graph.add_tensor(Tensor { name, shape, dtype, data, source: Some(index as u32) });
    }
    let id = |&t: &usize| ids[t];
    for (index, op, read) in operators {
        let written = wirings[index].outputs.iter().map(id).collect();
        let operator = graph.add_operator(op, read.iter().map(id).collect(), written);
        graph.operators[operator.index()].source = Some(index as u32);
    }
    graph.inputs = inputs.iter().map(id).collect();
    graph.outputs = outputs.iter().map(id).collect();
    graph
}
