//! State: resource variables (CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE) and variable tensors.
//!
//! The format orders reads and assignments by the order of the operators. Here each read becomes another name of the
//! tensor that was assigned last: the first before any assignment is the variable's value, what was assigned last what
//! it holds next ([`smidgen_ir::Variable`]). A variable that nothing assigns to is a constant.

use super::call::{Call, Trouble};
use super::cause::{Cause, NO_CONVERTER, STATE};
use super::tensors::Source;
use super::{Code, Reader, Wiring, listed};
use crate::error::ReadError;
use crate::schema::{call_once, model, subgraph, var_handle};
use crate::support::Builtin;
use smidgen_ir::Shape;
use smidgen_ir::front::{Subject, Unsupported, quoted};
use std::collections::HashMap;

/// A variable of the file, by indices of tensors.
pub(super) struct Held {
    pub value: usize,
    pub next: usize,
    /// The constant that it begins with; zeros without one.
    pub initial: Option<usize>,
    /// The operator that assigns last.
    pub assigned: usize,
}

/// Container and shared name, by which operators mean the same variable.
type Key = (String, String);

/// A resource variable on the way through the operators.
#[derive(Default)]
struct Resource {
    initial: Option<usize>,
    /// The tensor of the first read, if that comes before every assignment.
    value: Option<usize>,
    /// What a read finds here.
    current: Option<usize>,
    /// The operators that read first and assign last.
    read: usize,
    assigned: usize,
}

#[derive(Default)]
struct Resources {
    index: HashMap<Key, usize>,
    all: Vec<Resource>,
}

impl Resources {
    fn of(&mut self, key: Key) -> usize {
        let next = self.all.len();
        let index = *self.index.entry(key).or_insert(next);
        if index == next {
            self.all.push(Resource::default());
        }
        index
    }
}

/// Why state is not taken: what is odd about it, and what to do.
type UnsupportedGroup = (String, &'static Cause);

/// For what only a faulty converter writes.
const ODD: Cause = Cause { name: STATE.name, hint: NO_CONVERTER };

impl<'a> Reader<'a> {
    /// Resolves the file's variables: their operators are folded, or read and write other tensors than in the file.
    pub(super) fn variables(
        &mut self,
        wirings: &mut [Wiring<'a>],
        codes: &[Code],
        folded: &mut [bool],
        tensors: &mut Vec<Source>,
        inputs: &[usize],
    ) -> Result<Vec<Held>, ReadError> {
        let mut held = self.variable_tensors(wirings, codes, tensors, inputs)?;
        let mut resources = Resources::default();
        let mut handles: HashMap<usize, usize> = HashMap::new();
        let mut begun = false;
        for index in 0..wirings.len() {
            let Code::Known(builtin) = codes[wirings[index].code] else { continue };
            let wiring = &wirings[index];
            let handle = wiring.inputs.first().copied().flatten().and_then(|t| handles.get(&t).copied());
            let obstacle: Option<UnsupportedGroup> =
                match (builtin, wiring.inputs.as_slice(), wiring.outputs.as_slice()) {
                    (Builtin::VarHandle, [], &[to]) => {
                        let key = self.key(wiring, tensors)?;
                        handles.insert(to, resources.of(key));
                        tensors[to].given = true;
                        None
                    }
                    (Builtin::CallOnce, [], []) if begun => {
                        Some(("it comes after a read or an assignment".into(), &ODD))
                    }
                    (Builtin::CallOnce, [], []) => self.initial(wiring, codes, tensors, &mut resources)?,
                    (Builtin::ReadVariable, [_], &[to]) if let Some(handle) = handle => {
                        begun = true;
                        let resource = &mut resources.all[handle];
                        match (resource.current, resource.initial) {
                            (Some(current), _) => {
                                // Decoded as a change of shape that changes nothing.
                                wirings[index].inputs[0] = Some(current);
                                continue;
                            }
                            (None, Some(_)) => {
                                (resource.value, resource.current, resource.read) = (Some(to), Some(to), index);
                                tensors[to].given = true;
                                None
                            }
                            (None, None) => {
                                Some(("it reads a variable that nothing has assigned to before".into(), &ODD))
                            }
                        }
                    }
                    (Builtin::AssignVariable, &[_, Some(from)], []) if let Some(handle) = handle => {
                        begun = true;
                        let resource = &mut resources.all[handle];
                        (resource.current, resource.assigned) = (Some(from), index);
                        wirings[index].inputs = vec![Some(from)];
                        continue;
                    }
                    (Builtin::ReadVariable | Builtin::AssignVariable, [Some(_), ..], _) if handle.is_none() => {
                        Some(("it names no variable: its first input comes from no VAR_HANDLE before it".into(), &ODD))
                    }
                    (Builtin::VarHandle | Builtin::CallOnce | Builtin::ReadVariable | Builtin::AssignVariable, ..) => {
                        Some(("it has too few or too many inputs or outputs".into(), &ODD))
                    }
                    _ => continue,
                };
            folded[index] = true;
            if let Some((reason, cause)) = obstacle {
                let tensors = listed(&wirings[index], tensors);
                self.report_state(index, builtin, tensors, reason, cause)?;
            }
            // Handles are no tensors of the graph.
            wirings[index].inputs.clear();
            if builtin == Builtin::VarHandle {
                wirings[index].outputs.clear();
            }
        }
        for Resource { initial, value, current, read, assigned } in resources.all {
            // Without a read before every assignment what an earlier inference left is never seen.
            let (Some(initial), Some(value), Some(next)) = (initial, value, current) else { continue };
            if tensors[value].dtype.is_err() || tensors[initial].dtype.is_err() {
                continue;
            }
            let (first, read_as) = (tensors[initial].element(), tensors[value].element());
            if first != read_as {
                let reason = format!("it reads {read_as} from a variable that begins with {first}");
                let tensors = listed(&wirings[read], tensors);
                self.report_state(read, Builtin::ReadVariable, tensors, reason, &ODD)?;
                continue;
            }
            (tensors[value].shape, tensors[value].open) = (tensors[initial].shape.clone(), false);
            if next == value {
                (tensors[value].data, tensors[value].stored) = (tensors[initial].data.clone(), true);
                tensors[value].given = false;
            } else {
                held.push(Held { value, next, initial: Some(initial), assigned });
            }
        }
        Ok(held)
    }

    /// Reports each variable that is assigned another shape or type than its own, which the reference takes and changes
    /// it to.
    pub(super) fn check_variables(
        &mut self,
        held: &[Held],
        wirings: &[Wiring<'a>],
        codes: &[Code],
        tensors: &[Source],
    ) -> Result<(), ReadError> {
        for &Held { value, next, assigned, .. } in held {
            let (from, to) = (&tensors[next], &tensors[value]);
            let (Ok(assigns), Ok(holds)) = (&from.dtype, &to.dtype) else { continue };
            if from.shape == to.shape && assigns == holds {
                continue;
            }
            let Code::Known(builtin) = codes[wirings[assigned].code] else { continue };
            let shown = |shape: &[usize]| Shape(shape.to_vec()).to_string();
            let reason = format!(
                "it assigns {} {assigns} to a variable that is read as {} {holds}",
                shown(&from.shape),
                shown(&to.shape)
            );
            let tensors = listed(&wirings[assigned], tensors);
            self.report_state(assigned, builtin, tensors, reason, &STATE)?;
        }
        Ok(())
    }

    fn report_state(
        &mut self,
        index: usize,
        builtin: Builtin,
        tensors: String,
        reason: String,
        cause: &Cause,
    ) -> Result<(), ReadError> {
        self.report(Unsupported {
            subject: Subject::Operator { index, name: builtin.name().into() },
            tensors,
            reason,
            hint: cause.hint.into(),
            cause: Some(cause.name),
        })
    }

    /// Which variable a VAR_HANDLE means.
    fn key(&self, wiring: &Wiring<'a>, tensors: &[Source]) -> Result<Key, ReadError> {
        let call = match Call::new(Builtin::VarHandle, wiring, tensors, false) {
            Ok(call) => call,
            Err(Trouble::Damaged(fault)) => return Err(fault.into()),
            // Options of another operator name nothing.
            Err(Trouble::Malformed(_) | Trouble::Unsupported { .. }) => return Ok(Key::default()),
        };
        let text = |field| -> Result<String, ReadError> {
            match call.option(field) {
                Ok(text) => {
                    let text = text.map_or(String::new(), |text: crate::flat::Text<'_>| text.lossy());
                    self.budget.take(text.len())?;
                    Ok(text)
                }
                Err(Trouble::Damaged(fault)) => Err(fault.into()),
                Err(Trouble::Malformed(_) | Trouble::Unsupported { .. }) => Ok(String::new()),
            }
        };
        Ok((text(var_handle::container)?, text(var_handle::shared_name)?))
    }

    /// Notes what the subgraph that a CALL_ONCE runs assigns, which must be constants; the obstacle, if it does
    /// anything else.
    fn initial(
        &self,
        wiring: &Wiring<'a>,
        codes: &[Code],
        tensors: &mut Vec<Source>,
        resources: &mut Resources,
    ) -> Result<Option<UnsupportedGroup>, ReadError> {
        let refuse = |reason: String| Ok(Some((reason, &STATE)));
        let number = match Call::new(Builtin::CallOnce, wiring, tensors, false)
            .and_then(|call| call.number(call_once::init_subgraph_index, 0))
        {
            Ok(number) => number,
            Err(Trouble::Damaged(fault)) => return Err(fault.into()),
            Err(Trouble::Malformed(reason) | Trouble::Unsupported { reason, .. }) => return refuse(reason),
        };
        let subgraphs = self.model.records(model::subgraphs)?;
        let record = match usize::try_from(number).ok().filter(|&n| n > 0) {
            Some(n) => subgraphs.get(n)?,
            None => None,
        };
        let Some(record) = record else { return refuse(format!("it runs subgraph {number} of {}", subgraphs.len())) };
        let inner = self.tensors(record)?;
        let mut handles: HashMap<usize, usize> = HashMap::new();
        for (at, wiring) in self.wirings(record, codes.len(), inner.len())?.iter().enumerate() {
            let name = codes[wiring.code].name();
            match (&codes[wiring.code], wiring.inputs.as_slice(), wiring.outputs.as_slice()) {
                (Code::Known(Builtin::VarHandle), [], &[to]) => {
                    let key = self.key(wiring, &inner)?;
                    handles.insert(to, resources.of(key));
                }
                (Code::Known(Builtin::AssignVariable), &[Some(to), Some(from)], []) => {
                    let Some(&resource) = handles.get(&to) else {
                        return refuse(format!("operator {at} {name} of the subgraph that it runs names no variable"));
                    };
                    let Source { name: constant, shape, dtype: Ok(dtype), data: Some(data), half: false, .. } =
                        &inner[from]
                    else {
                        let what = quoted(&inner[from].name);
                        return refuse(format!("the subgraph that it runs assigns {what}, which is no constant"));
                    };
                    self.budget.take(size_of::<Source>() + constant.len())?;
                    resources.all[resource].initial = Some(tensors.len());
                    tensors.push(Source::constant(constant.clone(), shape.clone(), dtype.clone(), data.clone()));
                }
                _ => {
                    return refuse(format!(
                        "the subgraph that it runs does more than assign constants to variables: operator {at} is {name}"
                    ));
                }
            }
        }
        let outputs = record.numbers(subgraph::outputs)?.len();
        match outputs {
            0 => Ok(None),
            _ => refuse(format!("the subgraph that it runs has {outputs} outputs")),
        }
    }

    /// Takes apart the tensors that keep what the last call left in them: what is read before the operator that writes
    /// such a tensor is its value, what that writes what it holds next. One that no operator writes stays what it is
    /// when the network is loaded: zeros.
    fn variable_tensors(
        &self,
        wirings: &mut [Wiring<'a>],
        codes: &[Code],
        tensors: &mut Vec<Source>,
        inputs: &[usize],
    ) -> Result<Vec<Held>, ReadError> {
        let mut uses: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut others = vec![false; tensors.len()];
        inputs.iter().for_each(|&t| others[t] = true);
        for (index, wiring) in wirings.iter().enumerate() {
            wiring.outputs.iter().for_each(|&t| uses.entry(t).or_default().push(index));
            if let Code::Unknown { .. } = codes[wiring.code] {
                // Such operators change what they read.
                wiring.inputs.iter().flatten().chain(&wiring.outputs).for_each(|&t| others[t] = true);
            }
        }
        let mut held = Vec::new();
        for t in 0..others.len() {
            let Source { variable: true, stored: false, dtype: Ok(dtype), .. } = &tensors[t] else { continue };
            let Some(bytes) = Shape(tensors[t].shape.clone()).checked_elements().and_then(|n| dtype.element().bytes(n))
            else {
                continue;
            };
            let per_tensor = dtype.quantisation().is_none_or(|q| q.per_tensor().is_some());
            if others[t] || !per_tensor || tensors[t].half {
                continue;
            }
            let (dtype, name, shape) = (dtype.clone(), tensors[t].name.clone(), tensors[t].shape.clone());
            match uses.get(&t).map_or(&[][..], Vec::as_slice) {
                [] => {
                    self.budget.take(bytes)?;
                    let zero = dtype.quantisation().and_then(|q| q.per_tensor()).map_or(0, |(_, zero)| i64::from(zero));
                    let one = &zero.to_le_bytes()[..dtype.element().bits().div_ceil(8)];
                    tensors[t].data = Some(one.repeat(bytes / one.len()).into());
                    (tensors[t].stored, tensors[t].variable) = (true, false);
                }
                &[writer] => {
                    self.budget.take(size_of::<Source>() + name.len() + 8 * shape.len())?;
                    let value = tensors.len();
                    for input in wirings[..=writer].iter_mut().flat_map(|w| w.inputs.iter_mut().flatten()) {
                        if *input == t {
                            *input = value;
                        }
                    }
                    tensors[t].variable = false;
                    tensors.push(Source { shape, given: true, ..Source::activation(name, Ok(dtype)) });
                    held.push(Held { value, next: t, initial: None, assigned: writer });
                }
                _ => {}
            }
        }
        Ok(held)
    }
}
