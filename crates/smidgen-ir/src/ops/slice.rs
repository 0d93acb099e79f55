//! SLICE and STRIDED_SLICE.

use super::spec::{MOVES, entries, named, one};
use super::{Op, OpSpec, Traits, view};
use crate::cost::ReceptiveField;
use crate::graph::Operator;
use crate::infer::{Inferred, ShapeError};
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Given, ParseErrorKind, Value};
use crate::validate::{OperatorError, Parameters, Rules};
use std::ops::RangeInclusive;

/// One slice along one axis of a strided slice, normalised: no masks, no negative indices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AxisSlice {
    /// First index taken; below the axis' size unless `len` is 0.
    pub start: usize,
    /// Step from one index to the next; not 0, may be negative.
    pub stride: isize,
    /// How many indices are taken.
    pub len: usize,
    /// Drop this axis from the output; then `len` is 1.
    pub shrink: bool,
}

impl AxisSlice {
    fn parse(value: &Value) -> Option<Self> {
        let (entries, shrink) = match value.entries()? {
            [rest @ .., last] if rest.len() == 3 && last.word() == Some("shrink") => (rest, true),
            entries => (entries, false),
        };
        let [start, stride, len] = entries else { return None };
        Some(Self { start: start.number()?, stride: stride.word()?.parse().ok()?, len: len.number()?, shrink })
    }
}

impl OpSpec for view::Slice<'_> {
    fn name(&self) -> &'static str {
        "SLICE"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (x, begin, size) = (&inputs[0].shape, self.begin, self.size);
        entries(x, "the slice's begin", begin.len())?;
        entries(x, "the slice's size", size.len())?;
        for (axis, (&total, (&first, &len))) in x.0.iter().zip(begin.iter().zip(size)).enumerate() {
            if first.checked_add(len).is_none_or(|end| end > total) {
                let last = first as i128 + len as i128 - 1;
                return Err(ShapeError::Slice { axis, first: first as i128, last, size: total });
            }
        }
        Ok(one(inputs, Shape(size.to_vec())))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], _: &Shape) -> ReceptiveField {
        seen
    }

    fn is_identity(&self, _: &Operator, _: &Tensor) -> bool {
        true
    }

    fn attributes(&self, out: &mut Attributes) {
        out.list("begin", self.begin);
        out.list("size", self.size);
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "SLICE", || Ok(Op::Slice { begin: given.numbers("begin")?, size: given.numbers("size")? }))
    }
}

impl OpSpec for view::StridedSlice<'_> {
    fn name(&self) -> &'static str {
        "STRIDED_SLICE"
    }

    fn traits(&self) -> Traits {
        MOVES
    }

    fn inputs(&self) -> RangeInclusive<usize> {
        1..=1
    }

    fn parameters(&self, check: Parameters) -> Result<(), OperatorError> {
        check.small("the slice's stride", &self.axes.iter().map(|a| a.stride.unsigned_abs()).collect::<Vec<_>>())
    }

    fn infer(&self, inputs: &[&Tensor]) -> Result<Vec<Inferred>, ShapeError> {
        let (x, axes) = (&inputs[0].shape, self.axes);
        entries(x, "the slice", axes.len())?;
        let mut shape = Vec::with_capacity(axes.len());
        for (axis, (&size, slice)) in x.0.iter().zip(axes).enumerate() {
            if slice.stride == 0 {
                return Err(ShapeError::Zero { parameter: "the slice's stride" });
            }
            if slice.len > 0 {
                // 128 bits hold any product of two machine words.
                let (first, steps) = (slice.start as i128, slice.len as i128 - 1);
                let last =
                    steps.checked_mul(slice.stride as i128).and_then(|n| n.checked_add(first)).unwrap_or(i128::MAX);
                let inside = 0..size as i128;
                if !inside.contains(&first) || !inside.contains(&last) {
                    return Err(ShapeError::Slice { axis, first, last, size });
                }
            }
            match slice.shrink {
                true if slice.len != 1 => return Err(ShapeError::Shrink { axis, len: slice.len }),
                true => {}
                false => shape.push(slice.len),
            }
        }
        Ok(one(inputs, Shape(shape)))
    }

    fn types(&self, rules: &Rules<'_>) -> Result<(), OperatorError> {
        rules.unchanged()
    }

    fn field(&self, seen: ReceptiveField, _: &[&Shape], output: &Shape) -> ReceptiveField {
        if output.rank() != 4 || self.axes.iter().any(|a| a.shrink) {
            return ReceptiveField::Whole;
        }
        seen.through([1, 1], [1, 2].map(|axis| self.axes[axis].stride.unsigned_abs() as f64))
    }

    fn is_identity(&self, _: &Operator, x: &Tensor) -> bool {
        self.axes.iter().zip(&x.shape.0).all(|(a, &size)| a.stride == 1 || size == 1)
    }

    fn only_relabels(&self, _: &Operator, x: &Shape) -> bool {
        let whole = self.axes.iter().zip(&x.0).all(|(a, &size)| a.len == size && (a.stride == 1 || size == 1));
        whole && self.axes.iter().any(|a| a.shrink)
    }

    fn attributes(&self, out: &mut Attributes) {
        let entry = |a: &AxisSlice| {
            let shrink = if a.shrink { ", shrink" } else { "" };
            format!("[{}, {}, {}{shrink}]", a.start, a.stride, a.len)
        };
        out.list("axes", &self.axes.iter().map(entry).collect::<Vec<_>>());
    }

    fn parse(name: &str, given: &mut Given) -> Result<Option<Op>, ParseErrorKind> {
        named(name, "STRIDED_SLICE", || {
            Ok(Op::StridedSlice {
                axes: given.need("axes", "a list of [start, stride, len] or [start, stride, len, shrink]", |v| {
                    v.entries()?.iter().map(AxisSlice::parse).collect()
                })?,
            })
        })
    }
}
