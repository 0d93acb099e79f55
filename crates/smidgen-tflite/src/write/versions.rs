//! Which version of an operator has what it uses. An interpreter too old for a version refuses the file instead of
//! computing something else.

use super::draft::DraftTensor;
use super::options::Options;
use smidgen_ir::ElementType::{self, Float32, Int4, Int8};
use smidgen_ir::Quantisation;

/// What the version of an operator follows from.
pub(crate) struct Signature<'a> {
    pub(super) tensors: &'a [DraftTensor<'a>],
    /// Indices of its inputs.
    pub(crate) inputs: &'a [usize],
    pub(super) outputs: &'a [usize],
    pub(crate) options: &'a Options,
}

impl Signature<'_> {
    fn input(&self, i: usize) -> Option<&DraftTensor<'_>> {
        self.inputs.get(i).and_then(|&t| self.tensors.get(t))
    }

    fn output(&self) -> Option<&DraftTensor<'_>> {
        self.outputs.first().map(|&t| &self.tensors[t])
    }

    /// Element type of an input; float32 if there is none.
    pub(crate) fn element(&self, i: usize) -> ElementType {
        self.input(i).map_or(Float32, |t| t.dtype.element())
    }

    /// Element type of the first input.
    pub(crate) fn x(&self) -> ElementType {
        self.element(0)
    }

    /// Element type of the output.
    pub(crate) fn result(&self) -> ElementType {
        self.output().map_or(Float32, |t| t.dtype.element())
    }

    /// Dimensions of an input; none if there is none.
    pub(crate) fn shape(&self, i: usize) -> &[i32] {
        self.input(i).map_or(&[], |t| &t.shape)
    }

    /// True if an input has a scale for each channel.
    pub(crate) fn per_channel(&self, i: usize) -> bool {
        self.input(i).is_some_and(|t| matches!(t.dtype.quantisation(), Some(Quantisation::PerChannel { .. })))
    }

    /// Scale of an input; 0 if it has not one.
    pub(crate) fn scale(&self, i: usize) -> f64 {
        scale(self.input(i))
    }

    /// Scale of the output; 0 if it has not one.
    pub(crate) fn output_scale(&self) -> f64 {
        scale(self.output())
    }

    /// The version listed for a type, else 1.
    pub(crate) fn by_type(&self, element: ElementType, versions: &[(ElementType, i32)]) -> i32 {
        versions.iter().find(|(e, _)| *e == element).map_or(1, |&(_, version)| version)
    }

    /// The version for int8 weights, int4 weights, and int8 weights on floats, per tensor and per channel.
    pub(crate) fn weights(&self, [int8, int4, float, floats]: [i32; 4]) -> i32 {
        match (self.x(), self.element(1)) {
            (Int8, Int8) => int8,
            (Int8, Int4) => int4,
            (Float32, Int8) if self.per_channel(1) => floats,
            (Float32, Int8) => float,
            _ => 1,
        }
    }
}

fn scale(tensor: Option<&DraftTensor<'_>>) -> f64 {
    tensor.and_then(|t| t.dtype.quantisation()?.per_tensor()).map_or(0.0, |(scale, _)| f64::from(scale))
}
