//! Which operators compute on int16 activations, and how each tensor is stored therefore.
//!
//! What is decided is which tensors get 16 bits. Their producer and their consumers compute on int16 then, with all their inputs
//! and outputs; an operator that has no form for int16 stays as it is. What an operator computes is stored as it computes; whoever
//! computes on the other type reads a copy.

use crate::affine::Affine;
use crate::params::activations;
use smidgen_ir::{Graph, Op, TensorId};

/// True if the operator may come to compute on int16.
pub(crate) fn takes_int16(op: &Op) -> bool {
    op.takes_int16() && !matches!(op, Op::Quantize | Op::Dequantize)
}

/// How every float tensor is stored.
#[derive(Clone)]
pub(crate) struct Formats<'a> {
    /// Each tensor's scale and zero point in int8.
    narrow: &'a [Option<Affine>],
    /// The same in int16.
    wide: &'a [Option<Affine>],
    /// Tensors that are to have 16 bits.
    pub asked: Vec<bool>,
    /// Operators that compute on int16.
    pub operators: Vec<bool>,
    /// Tensors that are stored as int16.
    stored: Vec<bool>,
}

impl<'a> Formats<'a> {
    /// With 16 bits for the tensors that are asked for.
    pub fn new(graph: &Graph, [narrow, wide]: [&'a [Option<Affine>]; 2], asked: Vec<bool>) -> Self {
        let mut stored = vec![false; graph.tensors.len()];
        graph.inputs.iter().for_each(|id| stored[id.index()] = asked[id.index()]);
        let mut operators = Vec::with_capacity(graph.operators.len());
        for operator in &graph.operators {
            let touched = activations(graph, operator).into_iter().any(|id| asked[id.index()]);
            let is_wide = touched && takes_int16(&operator.op);
            operator.outputs.iter().for_each(|id| stored[id.index()] = is_wide);
            operators.push(is_wide);
        }
        Self { narrow, wide, asked, operators, stored }
    }

    /// True if the tensor is stored as int16.
    pub fn is_wide(&self, id: TensorId) -> bool {
        self.stored[id.index()]
    }

    /// How the tensor is stored where it is computed.
    pub fn own(&self, id: TensorId) -> Option<Affine> {
        self.of(id, self.is_wide(id))
    }

    /// How it would be stored as int16, or as int8.
    fn of(&self, id: TensorId, wide: bool) -> Option<Affine> {
        if wide { self.wide[id.index()] } else { self.narrow[id.index()] }
    }

    /// How a reader takes it that computes on int16, or on int8, and asks for nothing else.
    pub fn read(&self, id: TensorId, wide: bool) -> Option<Affine> {
        let own = self.own(id)?;
        match (own.is_wide(), wide) {
            (false, true) => Some(own.widened()),
            (true, false) => self.of(id, false),
            _ => Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::params;
    use smidgen_ir::{ElementType, text};

    #[test]
    fn a_tensor_of_16_bits_takes_its_producer_and_its_consumers_along() {
        let source = "graph \"t\" inputs(%0) outputs(%5)
            %0 \"x\" : f32[1x2]
            %1 \"a\" : f32[1x2] = TANH(%0)
            %2 \"b\" : f32[1x2] = HARD_SWISH(%1)
            %3 \"c\" : f32[1x2] = LOGISTIC(%1)
            %4 \"d\" : f32[1x2] = RELU(%3)
            %5 \"e\" : f32[1x2] = RELU6(%4)";
        let graph = text::parse(source).unwrap();
        let ranges = vec![Some((0.0, 2.0)); graph.tensors.len()];
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16].map(|e| params(&graph, &ranges, e));
        let at = |name: &str| TensorId(graph.tensors.iter().position(|t| t.name == name).unwrap() as u32);
        let mut asked = vec![false; graph.tensors.len()];
        asked[at("a").index()] = true;
        let formats = Formats::new(&graph, [&narrow, &wide], asked);
        assert_eq!(formats.operators, [true, false, true, false, false]);
        let own = ["x", "a", "b", "c", "d", "e"].map(|name| formats.own(at(name)).unwrap().element);
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16];
        assert_eq!(own, [narrow, wide, narrow, wide, narrow, narrow]);
        let x = formats.own(at("x")).unwrap();
        assert_eq!(formats.read(at("x"), true), Some(Affine::int16(x.scale / 128.0)));
        assert_eq!(formats.read(at("c"), false), Some(Affine::int8(1.0 / 256.0, -128)));
        assert_eq!(formats.read(at("a"), true), formats.own(at("a")));
    }
}
