//! One operator of a graph on its way into the file: what the operators' rooms write it with.

use super::draft::{Draft, DraftOperator};
use super::options::Options;
use super::versions::Signature;
use crate::error::WriteError;
use crate::ops::{self, Written};
use crate::support::Builtin;
use smidgen_ir::front::quoted;
use smidgen_ir::{DataType, ElementType, Operator, PadValue, Padding, Tensor, TensorId, Window};
use std::borrow::Cow;

/// An operator on its way into the draft.
pub(crate) struct Writer<'g, 'd> {
    pub(crate) draft: &'d mut Draft<'g>,
    index: usize,
    pub(crate) operator: &'g Operator,
    /// Indices into the draft's tensors.
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) intermediates: Vec<usize>,
}

impl<'g> Draft<'g> {
    /// Adds an operator in the version that covers it.
    fn push_new(&mut self, (builtin, inputs, options): Written, outputs: Vec<usize>, intermediates: Vec<usize>) {
        let signature = Signature { tensors: &self.tensors, inputs: &inputs, outputs: &outputs, options: &options };
        let version = (builtin.row().version)(&signature);
        self.push(DraftOperator { builtin, version, inputs, outputs, intermediates, options });
    }

    /// Adds an operator of the graph.
    pub(super) fn lower(&mut self, index: usize, operator: &'g Operator) -> Result<(), WriteError> {
        let count = self.graph.tensors.len();
        let known = |id: &TensorId| {
            Some(id.index()).filter(|&t| t < count).ok_or_else(|| WriteError::Graph {
                what: format!("operator {index} {} names {id}, but there are {count} tensors", operator.op.name()),
            })
        };
        let inputs = operator.inputs.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let outputs = operator.outputs.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let mut writer = Writer { draft: self, index, operator, inputs, outputs, intermediates: Vec::new() };
        let written = ops::write(&mut writer, &operator.op)?;
        let (outputs, intermediates) = (writer.outputs, writer.intermediates);
        self.push_new(written, outputs, intermediates);
        Ok(())
    }
}

impl<'g> Writer<'g, '_> {
    pub(crate) fn fail(&self, what: impl Into<String>) -> WriteError {
        let name = self.outputs.first().map_or("", |&t| &self.draft.tensors[t].name);
        WriteError::Operator {
            index: self.index,
            operator: self.operator.op.name().into(),
            output: quoted(name),
            what: what.into(),
        }
    }

    /// A number that the format stores in 32 bits.
    pub(crate) fn int(&self, value: usize) -> Result<i32, WriteError> {
        i32::try_from(value).map_err(|_| self.fail(format!("a parameter of {value} is too large")))
    }

    pub(crate) fn ints(&self, values: impl IntoIterator<Item = usize>) -> Result<Vec<i32>, WriteError> {
        values.into_iter().map(|v| self.int(v)).collect()
    }

    pub(crate) fn pair(&self, [h, w]: [usize; 2]) -> Result<[i32; 2], WriteError> {
        Ok([self.int(h)?, self.int(w)?])
    }

    /// Input `i` as the graph has it: a PAD put in front does not change it.
    pub(crate) fn input(&self, i: usize) -> Result<&'g Tensor, WriteError> {
        let t = self.operator.inputs.get(i).ok_or_else(|| self.fail(format!("it has no input {i}")))?;
        Ok(self.draft.graph.tensor(*t))
    }

    pub(crate) fn output(&self) -> Result<&'g Tensor, WriteError> {
        let t = self.outputs.first().ok_or_else(|| self.fail("it has no output"))?;
        Ok(&self.draft.graph.tensors[*t])
    }

    /// A constant parameter, named after the operator's output.
    pub(crate) fn parameter(&mut self, name: &str, values: &[i32]) -> Result<usize, WriteError> {
        let name = format!("{}/{name}", self.output()?.name);
        Ok(self.draft.parameter(name, values, false))
    }

    pub(crate) fn scalar(&mut self, name: &str, value: usize) -> Result<usize, WriteError> {
        let (value, name) = (self.int(value)?, format!("{}/{name}", self.output()?.name));
        Ok(self.draft.parameter(name, &[value], true))
    }

    /// The inputs, then one more.
    pub(crate) fn and(&self, extra: usize) -> Vec<usize> {
        self.inputs.iter().copied().chain([extra]).collect()
    }

    pub(crate) fn plain(&self, builtin: Builtin) -> Result<Written, WriteError> {
        Ok((builtin, self.inputs.clone(), Options::None))
    }

    pub(crate) fn with(&self, builtin: Builtin, options: Options) -> Result<Written, WriteError> {
        Ok((builtin, self.inputs.clone(), options))
    }

    pub(crate) fn plain_padding(&self, padding: Padding) -> Result<i8, WriteError> {
        match padding {
            Padding::Same => Ok(0),
            Padding::Valid => Ok(1),
            Padding::Explicit { .. } => {
                Err(self.fail("its padding is neither SAME nor VALID, which is all the format has for it"))
            }
        }
    }

    /// The number of a window's padding. Padding that is neither SAME nor VALID is put in a PAD of its own in front,
    /// which fills with `value`.
    pub(crate) fn padding(
        &mut self,
        padding: Padding,
        window: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        value: PadValue,
    ) -> Result<i8, WriteError> {
        let Padding::Explicit { top, bottom, left, right } = padding else {
            return self.plain_padding(padding);
        };
        let x = self.input(0)?;
        let Some(image) = x.shape.nhwc() else {
            return Err(self.fail("its input needs four dimensions"));
        };
        let resolve = |padding, axis: usize| {
            Window::resolve(image[1 + axis], window[axis], stride[axis], dilation[axis], padding, axis)
        };
        let wanted = [resolve(padding, 0), resolve(padding, 1)];
        for (number, padding) in [(0, Padding::Same), (1, Padding::Valid)] {
            if wanted == [resolve(padding, 0), resolve(padding, 1)] && wanted[0].is_some() {
                return Ok(number);
            }
        }
        let pads = [[0, 0], [top, bottom], [left, right], [0, 0]];
        let shape = image.iter().zip(pads).map(|(&size, [before, after])| {
            let padded = size.checked_add(before).and_then(|size| size.checked_add(after));
            self.int(padded.unwrap_or(usize::MAX))
        });
        let shape = shape.collect::<Result<Vec<_>, _>>()?;
        let name = format!("{}/padded", self.output()?.name);
        let paddings = self.paddings(&name, &pads)?;
        let padded = self.draft.activation(name, shape, &x.dtype);
        let fill = self.pad_value(value)?;
        let builtin = if fill.is_some() { Builtin::PadV2 } else { Builtin::Pad };
        let inputs = [self.inputs[0], paddings].into_iter().chain(fill).collect::<Vec<_>>();
        let outputs = vec![padded];
        self.draft.push_new((builtin, inputs, Options::None), outputs, Vec::new());
        self.inputs[0] = padded;
        Ok(1)
    }

    /// The parameter of the PAD that writes `output`: a row of before and after for each axis.
    pub(crate) fn paddings(&mut self, output: &str, pads: &[[usize; 2]]) -> Result<usize, WriteError> {
        let values = self.ints(pads.iter().flatten().copied())?;
        let name = format!("{output}/paddings");
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dtype = Cow::Owned(DataType::Plain(ElementType::Int32));
        Ok(self.draft.constant(name, vec![pads.len() as i32, 2], dtype, bytes))
    }

    pub(crate) fn pad_value(&mut self, value: PadValue) -> Result<Option<usize>, WriteError> {
        let x = self.input(0)?;
        let bytes = match (value, x.element()) {
            (PadValue::Zero, _) => return Ok(None),
            (PadValue::Float(value), ElementType::Float32) => value.to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int8 | ElementType::Uint8 | ElementType::Bool) => vec![value as u8],
            (PadValue::Integer(value), ElementType::Int16) => (value as i16).to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int32) => value.to_le_bytes().to_vec(),
            (PadValue::Integer(value), ElementType::Int64) => i64::from(value).to_le_bytes().to_vec(),
            (_, element) => return Err(self.fail(format!("{value:?} does not pad a tensor of {element}"))),
        };
        let name = format!("{}/value", self.output()?.name);
        Ok(Some(self.draft.constant(name, Vec::new(), Cow::Borrowed(&x.dtype), bytes)))
    }
}
