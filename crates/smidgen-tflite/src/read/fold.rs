//! Computing when reading what operators make of shapes.
//!
//! A model that asks for a tensor's shape (`tf.shape`) is converted to operators that compute with it, up to a RESHAPE or another operator whose
//! parameters have to be constants. Shapes are fixed here, so these are. What is computed is small, and of the reference's types and
//! rules: int32 and int64 of at most 52 bits, float32, booleans. Where a rule leaves the result open nothing is computed, and the operator is
//! read like any other.

use super::call::Call;
use super::tensors::Source;
use super::{Code, Wiring};
use crate::flat::{Fault, Record};
use crate::schema::{arithmetic, gather, operator, reducer};
use smidgen_ir::front::SupportEntry;
use smidgen_ir::{DataType, ElementType, Op, Shape, Tensor, element_count, infer};
use std::sync::Arc;

/// Operators that are computed here and nowhere else: they are read where what they read is known. In alphabetical order.
pub const COMPUTED: &[SupportEntry] = &[
    computed("BROADCAST_ARGS", ""),
    computed("BROADCAST_TO", "of constants, and of what is computed when the network runs too"),
    computed("FILL", ""),
    computed("FLOOR_DIV", ""),
    computed("FLOOR_MOD", ""),
    computed("LOGICAL_NOT", ""),
    computed("RANGE", ""),
    computed("RANK", "of any tensor, since shapes are fixed"),
    computed("REDUCE_PROD", ""),
    computed(
        "SELECT",
        "of constants; of what is computed when the network runs too, where it is SELECT_V2 with operands of one shape",
    ),
    computed("SHAPE", "of any tensor, since shapes are fixed"),
    computed("ZEROS_LIKE", ""),
];

const fn computed(name: &'static str, remarks: &'static str) -> SupportEntry {
    SupportEntry { name, types: &[], remarks }
}

/// Elements of a result at most; more than any list of parameters has.
const MOST: usize = 4096;

/// Integers below this magnitude, 2^52, are exact in double precision, and so is the floor of their quotients.
const EXACT: f64 = 4_503_599_627_370_496.0;

/// Constants that an operator gives, one for each output.
pub(super) struct Folded {
    pub shape: Vec<usize>,
    pub element: ElementType,
    pub data: Arc<[u8]>,
}

/// A small constant as numbers, all of which double precision holds.
#[derive(Clone)]
struct Numbers {
    dims: Vec<usize>,
    element: ElementType,
    values: Vec<f64>,
}

impl Numbers {
    fn of(source: &Source) -> Option<Self> {
        let (Ok(DataType::Plain(element)), Some(data)) = (&source.dtype, &source.data) else { return None };
        let count = element_count(&source.shape).filter(|&count| count <= MOST)?;
        let values: Vec<f64> = match element {
            ElementType::Int32 | ElementType::Int64 => source.integers()?.into_iter().map(|x| x as f64).collect(),
            ElementType::Float32 => data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect(),
            ElementType::Bool => data.iter().map(|&b| f64::from(u8::from(b != 0))).collect(),
            _ => return None,
        };
        let exact = *element == ElementType::Float32 || values.iter().all(|x| x.abs() < EXACT);
        (exact && values.len() == count).then(|| Self { dims: source.shape.clone(), element: *element, values })
    }

    /// Numbers of a type, rounded to what it holds; `None` if an integer is beyond it, or there are too many.
    fn new(element: ElementType, dims: Vec<usize>, values: Vec<f64>) -> Option<Self> {
        if element_count(&dims) != Some(values.len()) || values.len() > MOST {
            return None;
        }
        let values: Option<Vec<f64>> = match element {
            ElementType::Float32 => Some(values.into_iter().map(|x| f64::from(x as f32)).collect()),
            _ => {
                let (least, most) = element.range()?;
                let holds = |x: &f64| x.fract() == 0.0 && x.abs() < EXACT && (least..=most).contains(&(*x as i64));
                values.iter().all(holds).then_some(values)
            }
        };
        Some(Self { dims, element, values: values? })
    }

    fn bytes(&self) -> Option<Arc<[u8]>> {
        let values = self.values.iter();
        Some(match self.element {
            ElementType::Float32 => values.flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            ElementType::Int32 => values.flat_map(|&x| (x as i32).to_le_bytes()).collect(),
            ElementType::Int64 => values.flat_map(|&x| (x as i64).to_le_bytes()).collect(),
            ElementType::Bool => values.map(|&x| u8::from(x != 0.0)).collect(),
            _ => return None,
        })
    }

    /// The one number of a scalar or of a list of one.
    fn one(&self) -> Option<f64> {
        match *self.values {
            [value] => Some(value),
            _ => None,
        }
    }

    /// A list of sizes.
    fn sizes(&self) -> Option<Vec<usize>> {
        self.values.iter().map(|&x| (0.0..=EXACT).contains(&x).then_some(x as usize)).collect()
    }

    /// Elements from `first` on, along each axis so many, so far apart.
    fn gathered(&self, first: isize, axes: &[(usize, isize)]) -> Option<Vec<f64>> {
        let count = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.0)).filter(|&count| count <= MOST)?;
        (0..count)
            .map(|mut i| {
                let mut at = first;
                for &(size, step) in axes.iter().rev() {
                    at += (i % size) as isize * step;
                    i /= size;
                }
                usize::try_from(at).ok().and_then(|at| self.values.get(at).copied())
            })
            .collect()
    }

    /// Distances from element to element along each axis.
    fn strides(&self) -> Vec<isize> {
        (0..self.dims.len()).map(|axis| self.dims[axis + 1..].iter().product::<usize>() as isize).collect()
    }

    /// Repeated along the axes where the size is 1, or that are not there, to a greater shape.
    fn broadcast(&self, dims: &[usize]) -> Option<Vec<f64>> {
        let lead = dims.len().checked_sub(self.dims.len())?;
        let strides = self.strides();
        let axes: Option<Vec<(usize, isize)>> = (dims.iter().enumerate())
            .map(|(axis, &size)| match axis.checked_sub(lead).map(|own| (self.dims[own], strides[own])) {
                None | Some((1, _)) => Some((size, 0)),
                Some((own, stride)) => (own == size).then_some((size, stride)),
            })
            .collect();
        self.gathered(0, &axes?)
    }
}

/// The shape of two operands together.
fn together(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |own| dims[own]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (1, n) | (n, 1) => Some(n),
            (m, n) => (m == n).then_some(m),
        })
        .collect()
}

/// An operator to compute.
pub(super) struct Fold<'a> {
    wiring: &'a Wiring<'a>,
    code: &'a Code,
    tensors: &'a [Source],
}

impl<'a> Fold<'a> {
    pub fn new(wiring: &'a Wiring<'a>, code: &'a Code, tensors: &'a [Source]) -> Self {
        Self { wiring, code, tensors }
    }

    /// What the operator gives, if it reads nothing but small constants and shapes, and is one of those that are computed here.
    ///
    /// # Errors
    /// If its tables are damaged.
    pub fn evaluate(&self) -> Result<Option<Vec<Folded>>, Fault> {
        let outputs = &self.wiring.outputs;
        if outputs.is_empty() || outputs.iter().any(|&t| self.tensors[t].stored) {
            return Ok(None);
        }
        let Some(results) = self.results()? else { return Ok(None) };
        if results.len() != outputs.len() {
            return Ok(None);
        }
        let folded = |(numbers, &t): (Numbers, &usize)| {
            let agrees = self.tensors[t].dtype.as_ref().is_ok_and(|dtype| *dtype == DataType::Plain(numbers.element));
            let data = numbers.bytes().filter(|_| agrees)?;
            Some(Folded { shape: numbers.dims, element: numbers.element, data })
        };
        Ok(results.into_iter().zip(outputs).map(folded).collect())
    }

    /// True for arithmetic on two constants of integers whose result their type does not hold. The reference lets it wrap around.
    pub fn overflows(&self) -> bool {
        let &[Some(a), Some(b)] = self.wiring.inputs.as_slice() else { return false };
        let (Some(a), Some(b)) = (Numbers::of(&self.tensors[a]), Numbers::of(&self.tensors[b])) else { return false };
        let (Some((f, false)), Some(range)) = (operation(self.code.name(), a.element), a.element.range()) else {
            return false;
        };
        let Some(dims) = together(&a.dims, &b.dims) else { return false };
        let (Some(x), Some(y)) = (a.broadcast(&dims), b.broadcast(&dims)) else { return false };
        let holds = |result: f64| !result.is_finite() || (range.0 as f64..=range.1 as f64).contains(&result);
        x.into_iter().zip(y).any(|(x, y)| !holds(f(x, y)))
    }

    fn results(&self) -> Result<Option<Vec<Numbers>>, Fault> {
        let one = |numbers: Option<Numbers>| Ok(numbers.map(|numbers| vec![numbers]));
        let name = self.code.name();
        if matches!(self.code, Code::Unknown { .. }) && COMPUTED.iter().all(|entry| entry.name != name) {
            return Ok(None);
        }
        if matches!(name, "SHAPE" | "RANK") {
            return one(self.of_shape(name));
        }
        // Of many inputs each may be small.
        let count = |input: &Option<usize>| input.map_or(Some(0), |t| element_count(&self.tensors[t].shape));
        let total = self.wiring.inputs.iter().try_fold(0usize, |n, input| n.checked_add(count(input)?));
        if total.is_none_or(|total| total > 4 * MOST) {
            return Ok(None);
        }
        let inputs: Option<Vec<Numbers>> =
            self.wiring.inputs.iter().map(|input| input.and_then(|t| Numbers::of(&self.tensors[t]))).collect();
        let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) else { return Ok(None) };
        match (name, &inputs[..]) {
            ("CAST", [x]) => one(self.element().and_then(|to| cast(x, to))),
            ("GATHER", [x, indices]) => {
                let options = self.options()?;
                let number = |field| options.as_ref().map_or(Ok(0), |o| o.get(field).map(|n| n.unwrap_or(0)));
                let (axis, batch) = (number(gather::axis)?, number(gather::batch_dims)?);
                one(taken(x, indices, axis).filter(|_| batch == 0))
            }
            ("FILL", [dims, value]) => one(dims.sizes().and_then(|dims| filled(value, dims))),
            ("BROADCAST_TO", [x, dims]) => one(dims.sizes().and_then(|dims| {
                let values = x.broadcast(&dims)?;
                Numbers::new(x.element, dims, values)
            })),
            ("ZEROS_LIKE", [x]) => one(Numbers::new(x.element, x.dims.clone(), vec![0.0; x.values.len()])),
            ("BROADCAST_ARGS", [a, b]) => one((|| {
                let dims = together(&a.sizes()?, &b.sizes()?)?;
                Numbers::new(a.element, vec![dims.len()], dims.into_iter().map(|d| d as f64).collect())
            })()),
            ("RANGE", [start, limit, delta]) => one(range(start, limit, delta)),
            ("SELECT" | "SELECT_V2", [condition, x, y]) => one(selected(condition, x, y)),
            ("REDUCE_PROD" | "SUM" | "REDUCE_MAX" | "REDUCE_MIN", [x, axes]) => {
                let keep = match self.options()? {
                    Some(options) => options.get(reducer::keep_dims)?.unwrap_or(false),
                    None => false,
                };
                one(reduced(name, x, axes, keep))
            }
            (_, [x]) if function(name).is_some() => {
                let values = function(name).map(|f| x.values.iter().map(|&x| f(x)).collect());
                one(values.and_then(|values| Numbers::new(x.element, x.dims.clone(), values)))
            }
            (_, [a, b]) if operation(name, a.element).is_some() => {
                let activation = match self.options()? {
                    Some(options) if matches!(name, "ADD" | "SUB" | "MUL" | "DIV") => {
                        options.get(arithmetic::activation)?.unwrap_or(0)
                    }
                    _ => 0,
                };
                one(combined(name, a, b).filter(|_| activation == 0))
            }
            _ => Ok(self.moved(&inputs)),
        }
    }

    fn options(&self) -> Result<Option<Record<'a>>, Fault> {
        self.wiring.record.get(operator::builtin_options)
    }

    /// The element type that the file gives the first output.
    fn element(&self) -> Option<ElementType> {
        self.wiring.outputs.first().map(|&t| self.tensors[t].element())
    }

    /// SHAPE and RANK, which ask nothing of the elements.
    fn of_shape(&self, name: &str) -> Option<Numbers> {
        let [Some(x)] = self.wiring.inputs[..] else { return None };
        let dims: Vec<f64> = self.tensors[x].shape.iter().map(|&d| d as f64).collect();
        // Of a tensor that is not taken the shape is not known either.
        self.tensors[x].dtype.as_ref().ok()?;
        let element = self.element()?;
        match name {
            "RANK" => Numbers::new(element, vec![], vec![dims.len() as f64]),
            _ => Numbers::new(element, vec![dims.len()], dims),
        }
    }

    /// Operators that only move elements, as the graph has them.
    fn moved(&self, inputs: &[Numbers]) -> Option<Vec<Numbers>> {
        let Code::Known(builtin) = self.code else { return None };
        let call = Call::new(*builtin, self.wiring, self.tensors, false).ok()?;
        let (op, data) = (builtin.row().read)(&call).ok()?;
        let positions = data.iter().map(|t| self.wiring.inputs.iter().position(|input| *input == Some(*t)));
        let data: Vec<&Numbers> = positions.map(|at| at.and_then(|at| inputs.get(at))).collect::<Option<_>>()?;
        let plain = |x: &&Numbers| Tensor::activation("", Shape(x.dims.clone()), DataType::Plain(x.element));
        let shapes: Vec<Tensor> = data.iter().map(plain).collect();
        let inferred = infer(&op, &shapes.iter().collect::<Vec<_>>()).ok()?;
        let dims: Vec<Vec<usize>> = inferred.into_iter().map(|one| one.shape.0).collect();
        let &[x, ..] = &data[..] else { return None };
        let parts: Vec<Vec<f64>> = match &op {
            Op::Reshape { .. } => vec![x.values.clone()],
            Op::Concatenation { axis, .. } | Op::Pack { axis } => vec![joined(&data, *axis)?],
            Op::Slice { begin, size } => {
                let strides = x.strides();
                let first = begin.iter().zip(&strides).map(|(&begin, stride)| begin as isize * stride).sum();
                let axes: Vec<(usize, isize)> = size.iter().copied().zip(strides).collect();
                vec![x.gathered(first, &axes)?]
            }
            Op::StridedSlice { axes } => {
                let strides = x.strides();
                let first = axes.iter().zip(&strides).map(|(axis, stride)| axis.start as isize * stride).sum();
                let step = |(axis, stride): (&smidgen_ir::AxisSlice, &isize)| (axis.len, axis.stride * stride);
                vec![x.gathered(first, &axes.iter().zip(&strides).map(step).collect::<Vec<_>>())?]
            }
            Op::Transpose { perm } => {
                let strides = x.strides();
                let axes: Vec<(usize, isize)> = perm.iter().map(|&axis| (x.dims[axis], strides[axis])).collect();
                vec![x.gathered(0, &axes)?]
            }
            Op::Split { axis, .. } | Op::Unpack { axis } => {
                let (strides, count) = (x.strides(), dims.len().max(1));
                let each = x.dims[*axis] / count;
                let mut axes: Vec<(usize, isize)> = x.dims.iter().copied().zip(strides.iter().copied()).collect();
                axes[*axis].0 = each;
                let first = |i: usize| (i * each) as isize * strides[*axis];
                (0..count).map(|i| x.gathered(first(i), &axes)).collect::<Option<_>>()?
            }
            _ => return None,
        };
        dims.into_iter().zip(parts).map(|(dims, values)| Numbers::new(x.element, dims, values)).collect()
    }
}

/// Joined along an axis, which for PACK is a new one.
fn joined(parts: &[&Numbers], axis: usize) -> Option<Vec<f64>> {
    let outer: usize = parts.first()?.dims.get(..axis)?.iter().product();
    let mut values = Vec::new();
    for i in 0..outer {
        for part in parts {
            let size = part.values.len() / outer;
            values.extend_from_slice(part.values.get(i * size..(i + 1) * size)?);
        }
    }
    Some(values)
}

fn cast(x: &Numbers, to: ElementType) -> Option<Numbers> {
    let value = |&value: &f64| match to {
        ElementType::Float32 => value,
        ElementType::Bool => f64::from(u8::from(value != 0.0)),
        _ => value.trunc(),
    };
    Numbers::new(to, x.dims.clone(), x.values.iter().map(value).collect())
}

fn taken(x: &Numbers, indices: &Numbers, axis: i32) -> Option<Numbers> {
    let rank = x.dims.len() as i32;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok().filter(|&axis| axis < x.dims.len())?;
    let (outer, inner) = (x.dims[..axis].iter().product::<usize>(), x.dims[axis + 1..].iter().product::<usize>());
    let dims = [&x.dims[..axis], &indices.dims, &x.dims[axis + 1..]].concat();
    element_count(&dims).filter(|&count| count <= MOST)?;
    let mut values = Vec::new();
    for i in 0..outer {
        for index in indices.sizes()? {
            let at = (i * x.dims[axis] + index) * inner;
            values.extend_from_slice(x.values.get(at..at + inner).filter(|_| index < x.dims[axis])?);
        }
    }
    Numbers::new(x.element, dims, values)
}

fn filled(value: &Numbers, dims: Vec<usize>) -> Option<Numbers> {
    let count = element_count(&dims).filter(|&count| count <= MOST)?;
    Numbers::new(value.element, dims, vec![value.one()?; count])
}

fn range(start: &Numbers, limit: &Numbers, delta: &Numbers) -> Option<Numbers> {
    let [first, end, step] = [start.one()?, limit.one()?, delta.one()?];
    let count = ((end - first) / step).ceil().max(0.0);
    // What is no number counts as 0.
    let count = Some(count as usize).filter(|&count| count <= MOST && !step.is_nan() && step != 0.0)?;
    let values: Vec<f64> = (0..count).map(|i| first + i as f64 * step).collect();
    Numbers::new(start.element, vec![values.len()], values)
}

fn selected(condition: &Numbers, x: &Numbers, y: &Numbers) -> Option<Numbers> {
    let dims = together(&together(&condition.dims, &x.dims)?, &y.dims)?;
    let [condition, a, b] = [condition.broadcast(&dims)?, x.broadcast(&dims)?, y.broadcast(&dims)?];
    let values = condition.iter().zip(a.iter().zip(&b)).map(|(&c, (&a, &b))| if c != 0.0 { a } else { b }).collect();
    Numbers::new(x.element, dims, values).filter(|_| x.element == y.element)
}

fn reduced(name: &str, x: &Numbers, axes: &Numbers, keep: bool) -> Option<Numbers> {
    let rank = x.dims.len();
    let mut gone = vec![false; rank];
    for &axis in &axes.values {
        let axis = if axis < 0.0 { axis + rank as f64 } else { axis };
        *gone.get_mut((0.0..EXACT).contains(&axis).then_some(axis as usize)?)? = true;
    }
    let (start, f): (f64, fn(f64, f64) -> f64) = match name {
        "REDUCE_PROD" => (1.0, |a, b| a * b),
        "SUM" => (0.0, |a, b| a + b),
        "REDUCE_MAX" => (f64::NEG_INFINITY, f64::max),
        _ => (f64::INFINITY, f64::min),
    };
    let strides = x.strides();
    let along = |which: bool| -> Vec<(usize, isize)> {
        (0..rank).filter(|&axis| gone[axis] == which).map(|axis| (x.dims[axis], strides[axis])).collect()
    };
    // Where each result begins, as places among the elements.
    let places = Numbers { values: (0..x.values.len()).map(|i| i as f64).collect(), ..x.clone() };
    let firsts = places.gathered(0, &along(false))?;
    let total = |&first: &f64| Some(x.gathered(first as isize, &along(true))?.into_iter().fold(start, f));
    let values: Vec<f64> = firsts.iter().map(total).collect::<Option<_>>()?;
    // Sums and products of floats depend on their order.
    if x.element == ElementType::Float32 && matches!(name, "REDUCE_PROD" | "SUM") {
        return None;
    }
    let size = |axis: usize| if gone[axis] { keep.then_some(1) } else { Some(x.dims[axis]) };
    Numbers::new(x.element, (0..rank).filter_map(size).collect(), values)
}

/// A function of one number; exact, or rounded once.
fn function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "NEG" => |x| -x,
        "ABS" => f64::abs,
        "FLOOR" => f64::floor,
        "CEIL" => f64::ceil,
        "ROUND" => f64::round_ties_even,
        "LOGICAL_NOT" => |x| f64::from(u8::from(x == 0.0)),
        "SQUARE" => |x| x * x,
        "SQRT" => f64::sqrt,
        _ => return None,
    })
}

/// What an operator makes of two numbers, and whether that is a boolean.
type Operation = (fn(f64, f64) -> f64, bool);

/// The operator of this name on such elements. A result that is no number is none.
fn operation(name: &str, element: ElementType) -> Option<Operation> {
    let whole = element != ElementType::Float32;
    Some(match name {
        "ADD" => (|a, b| a + b, false),
        "SUB" => (|a, b| a - b, false),
        "MUL" => (|a, b| a * b, false),
        // Of integers towards zero.
        "DIV" if whole => (|a, b| (a / b).trunc(), false),
        "DIV" => (|a, b| a / b, false),
        "FLOOR_DIV" => (|a, b| (a / b).floor(), false),
        "FLOOR_MOD" if whole => (|a, b| a - (a / b).floor() * b, false),
        "MAXIMUM" => (f64::max, false),
        "MINIMUM" => (f64::min, false),
        "EQUAL" => (|a, b| f64::from(u8::from(a == b)), true),
        "NOT_EQUAL" => (|a, b| f64::from(u8::from(a != b)), true),
        "LESS" => (|a, b| f64::from(u8::from(a < b)), true),
        "LESS_EQUAL" => (|a, b| f64::from(u8::from(a <= b)), true),
        "GREATER" => (|a, b| f64::from(u8::from(a > b)), true),
        "GREATER_EQUAL" => (|a, b| f64::from(u8::from(a >= b)), true),
        "LOGICAL_AND" => (|a, b| f64::from(u8::from(a != 0.0 && b != 0.0)), true),
        "LOGICAL_OR" => (|a, b| f64::from(u8::from(a != 0.0 || b != 0.0)), true),
        _ => return None,
    })
}

fn combined(name: &str, a: &Numbers, b: &Numbers) -> Option<Numbers> {
    let (f, is_truth) = operation(name, a.element)?;
    let dims = together(&a.dims, &b.dims)?;
    let (x, y) = (a.broadcast(&dims)?, b.broadcast(&dims)?);
    let values: Vec<f64> = x.into_iter().zip(y).map(|(x, y)| f(x, y)).collect();
    let element = if is_truth { ElementType::Bool } else { a.element };
    Numbers::new(element, dims, values).filter(|_| a.element == b.element)
}
