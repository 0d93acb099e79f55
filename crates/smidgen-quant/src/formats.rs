//! Which operators compute on int16 activations, which on floats, and how each tensor is stored therefore.
//!
//! What is decided is which tensors get 16 bits. Their producer and their consumers compute on int16 then, with all their inputs
//! and outputs; an operator that has no form for int16 stays as it is. What an operator computes is stored as it computes; whoever
//! computes on another type reads a copy.

use crate::affine::Affine;
use crate::floats;
use crate::params::activations;
use crate::recurrent::{Form, wide_state};
use smidgen_ir::{Graph, Op, Operator, TensorId};

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
    /// Operators that compute on floats.
    pub floats: Vec<bool>,
    /// Recurrent layers that compute on int8, and how their state is stored.
    pub forms: Vec<Option<Form>>,
    /// Tensors that are int16 whatever is asked for: the memories of recurrent layers.
    held: Vec<Option<Affine>>,
    /// Tensors that are stored as int16.
    stored: Vec<bool>,
    /// Tensors that are stored as floats.
    real: Vec<bool>,
}

impl<'a> Formats<'a> {
    /// With 16 bits for the tensors that are asked for. `unsuited` are the operators that [cannot](floats::unsuited) compute on int8, and on
    /// int16; `forms` are those of recurrent layers, `states` the values of the network's state and what they become.
    pub fn new(
        graph: &Graph,
        [narrow, wide]: [&'a [Option<Affine>]; 2],
        unsuited: [&[bool]; 2],
        (forms, states): (&[Option<Form>], &[[TensorId; 2]]),
        asked: Vec<bool>,
    ) -> Self {
        let touched = |operator: &Operator| activations(graph, operator).into_iter().any(|id| asked[id.index()]);
        let on_floats = |(i, operator): (usize, &Operator)| {
            let wide_one = touched(operator) && takes_int16(&operator.op);
            unsuited[usize::from(wide_one)].get(i).copied().unwrap_or(false)
        };
        let mut floats: Vec<bool> = graph.operators.iter().enumerate().map(on_floats).collect();
        floats::with_feeders(graph, &mut floats);
        let mut real = vec![false; graph.tensors.len()];
        let mut stored = vec![false; graph.tensors.len()];
        graph.inputs.iter().for_each(|id| stored[id.index()] = asked[id.index()]);
        let mut operators = Vec::with_capacity(graph.operators.len());
        for (operator, &on_floats) in graph.operators.iter().zip(&floats) {
            let is_int16 = !on_floats && touched(operator) && takes_int16(&operator.op);
            operator.outputs.iter().for_each(|id| stored[id.index()] = is_int16);
            operator.outputs.iter().for_each(|id| real[id.index()] = on_floats);
            operators.push(is_int16);
        }
        let mut held = vec![None; graph.tensors.len()];
        let (consumers, producers) = (graph.consumers(), graph.producers());
        for &[value, next] in states {
            // A state is stored as what becomes of it; as floats only for operators on floats.
            stored[value.index()] = stored[next.index()];
            let on_floats = consumers[value.index()].iter().all(|reader| floats[reader.index()]);
            real[value.index()] = real[next.index()] && on_floats;
        }
        let mut forms = forms.to_vec();
        forms.resize(graph.operators.len(), None);
        for ((operator, form), &on_floats) in graph.operators.iter().zip(&mut forms).zip(&floats) {
            *form = form.filter(|_| !on_floats);
            let [value, next] = wide_state(operator);
            let Some(form) = form else { continue };
            // What is handed in, and for this layer alone.
            let own = |id: &TensorId| {
                producers[id.index()].is_none() && !graph.tensor(*id).is_constant() && consumers[id.index()].len() == 1
            };
            value.filter(own).into_iter().chain(next).for_each(|id| held[id.index()] = Some(form.wide()));
        }
        Self { narrow, wide, asked, operators, floats, forms, held, stored, real }
    }

    /// True if the tensor is stored as int16.
    pub fn is_int16(&self, id: TensorId) -> bool {
        self.stored[id.index()]
    }

    /// How the tensor is stored where it is computed; `None` if that is as floats.
    pub fn own(&self, id: TensorId) -> Option<Affine> {
        if self.real[id.index()] {
            return None;
        }
        self.held[id.index()].or_else(|| self.of(id, self.is_int16(id)))
    }

    /// How it is stored as an input or output of the integer network.
    pub fn end(&self, id: TensorId) -> Option<Affine> {
        self.held[id.index()].or_else(|| self.read(id, self.asked[id.index()]))
    }

    /// How it would be stored as int16, or as int8.
    fn of(&self, id: TensorId, wide: bool) -> Option<Affine> {
        if wide { self.wide[id.index()] } else { self.narrow[id.index()] }
    }

    /// How a reader takes it that computes on int16, or on int8, and asks for nothing else.
    pub fn read(&self, id: TensorId, wide: bool) -> Option<Affine> {
        let Some(own) = self.own(id) else { return self.of(id, wide) };
        match (own.is_int16(), wide) {
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
    use smidgen_ir::{ElementType, UnaryKind, text};

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
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16]
            .map(|e| params(&graph, &[], (&ranges, &vec![None; ranges.len()], &[]), e));
        let at = |name: &str| TensorId(graph.tensors.iter().position(|t| t.name == name).unwrap() as u32);
        let mut asked = vec![false; graph.tensors.len()];
        asked[at("a").index()] = true;
        let formats = Formats::new(&graph, [&narrow, &wide], [&[], &[]], (&[], &[]), asked);
        assert_eq!(formats.operators, [true, false, true, false, false]);
        let own = ["x", "a", "b", "c", "d", "e"].map(|name| formats.own(at(name)).unwrap().element);
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16];
        assert_eq!(own, [narrow, wide, narrow, wide, narrow, narrow]);
        let x = formats.own(at("x")).unwrap();
        assert_eq!(formats.read(at("x"), true), Some(Affine::int16(x.scale / 128.0)));
        assert_eq!(formats.read(at("c"), false), Some(Affine::int8(1.0 / 256.0, -128)));
        assert_eq!(formats.read(at("a"), true), formats.own(at("a")));
    }
    #[test]
    fn what_only_operators_on_floats_read_stays_with_them() {
        let source = "graph \"t\" inputs(%0) outputs(%6)
            %0 \"x\" : f32[1x4]
            %1 \"mean\" : f32[1x1] = MEAN(%0) axes=[1] keep_dims=true
            %2 \"centred\" : f32[1x4] = SUB(%0, %1)
            %3 \"squares\" : f32[1x4] = MUL(%2, %2)
            %4 \"variance\" : f32[1x1] = MEAN(%3) axes=[1] keep_dims=true
            %5 \"deviation\" : f32[1x1] = SQRT(%4)
            %6 \"y\" : f32[1x4] = MUL(%2, %5)";
        let graph = text::parse(source).unwrap();
        let ranges = vec![Some((0.0, 2.0)); graph.tensors.len()];
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16]
            .map(|e| params(&graph, &[], (&ranges, &vec![None; ranges.len()], &[]), e));
        let without: Vec<bool> =
            graph.operators.iter().map(|o| matches!(o.op, Op::Unary(UnaryKind::Function(_)))).collect();
        let formats =
            Formats::new(&graph, [&narrow, &wide], [&without, &without], (&[], &[]), vec![false; graph.tensors.len()]);
        // The last MUL reads what is centred as well.
        assert_eq!(formats.floats, [false, false, true, true, true, false]);
        let deviation = graph.operators[4].outputs[0];
        assert_eq!(formats.own(deviation), None);
        assert_eq!(formats.read(deviation, true), wide[deviation.index()]);
    }

    #[test]
    fn beside_int16_exponentials_are_floats() {
        let source = "graph \"t\" inputs(%0) outputs(%1)
            %0 \"x\" : f32[1x4]
            %1 \"y\" : f32[1x4] = EXP(%0)";
        let graph = text::parse(source).unwrap();
        let ranges = vec![Some((0.0, 2.0)); graph.tensors.len()];
        let [narrow, wide] = [ElementType::Int8, ElementType::Int16]
            .map(|e| params(&graph, &[], (&ranges, &vec![None; ranges.len()], &[]), e));
        let seen = vec![None; graph.tensors.len()];
        let unsuited = [&narrow, &wide].map(|stored| floats::unsuited(&graph, (stored, &[]), &seen, &[]));
        let of = |asked| {
            let unsuited = [&unsuited[0][..], &unsuited[1][..]];
            Formats::new(&graph, [&narrow, &wide], unsuited, (&[], &[]), vec![asked; 2]).floats
        };
        assert_eq!([of(false), of(true)], [[false], [true]]);
    }
}
