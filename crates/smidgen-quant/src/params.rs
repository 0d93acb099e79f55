//! Scales and zero points of activations, from their ranges and from what operators ask of each other's.

use crate::affine::Affine;
use crate::observe::ENDLESS;
use crate::recurrent;
use crate::weights::Layout;
use smidgen_ir::{Activation, BinaryKind, DataType, ElementType, Graph, Op, Operator, PadValue, TensorId, UnaryKind};

/// True if integers demand that inputs and outputs have one scale and zero point, since the operator only moves or picks values.
pub(crate) fn is_tied(op: &Op) -> bool {
    op.traits().values.keep_type()
}

/// The scale and zero point that the scheme prescribes for an operator's output of this type.
fn prescribed(op: &Op, element: ElementType) -> Option<Affine> {
    let wide = element == ElementType::Int16;
    match op {
        Op::Softmax { .. } | Op::Unary(UnaryKind::Logistic | UnaryKind::Tanh) if wide => {
            Some(Affine::int16(1.0 / 32768.0))
        }
        Op::Softmax { .. } | Op::Unary(UnaryKind::Logistic) => Some(Affine::int8(1.0 / 256.0, -128)),
        Op::Unary(UnaryKind::Tanh) => Some(Affine::int8(1.0 / 128.0, 0)),
        _ => None,
    }
}

/// The least and the greatest value that a tensor's integers are to hold, if it has any.
type Range = Option<(f32, f32)>;

/// Tensors that get one scale and zero point: sets, each known by one of its members.
struct Groups(Vec<usize>);

impl Groups {
    fn of(&mut self, id: TensorId) -> usize {
        let mut at = id.index();
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// True for a float that is computed at run time, or given.
pub(crate) fn is_activation(graph: &Graph, id: TensorId) -> bool {
    let tensor = graph.tensor(id);
    tensor.dtype == DataType::FLOAT32 && !tensor.is_constant()
}

/// The floats that an operator reads and writes, constants left out.
pub(crate) fn activations(graph: &Graph, operator: &Operator) -> Vec<TensorId> {
    operator.inputs.iter().chain(&operator.outputs).copied().filter(|&id| is_activation(graph, id)).collect()
}

/// Tensors that operators tie together, and the value of each state to what it becomes.
fn tied(graph: &Graph, states: &[[TensorId; 2]]) -> Groups {
    let mut groups = Groups((0..graph.tensors.len()).collect());
    for operator in graph.operators.iter().filter(|o| is_tied(&o.op)) {
        activations(graph, operator).windows(2).for_each(|pair| groups.join(pair[0], pair[1]));
    }
    // An LSTM goes on from its own output.
    for operator in &graph.operators {
        let mut hidden = recurrent::hidden(operator);
        hidden.retain(|&id| is_activation(graph, id));
        hidden.windows(2).for_each(|pair| groups.join(pair[0], pair[1]));
    }
    states.iter().filter(|pair| pair.iter().all(|&id| is_activation(graph, id))).for_each(|&[a, b]| groups.join(a, b));
    groups
}

/// The sets of activations that operators tie together, each in order; most have one member.
pub(crate) fn groups(graph: &Graph, states: &[[TensorId; 2]]) -> Vec<Vec<TensorId>> {
    let mut groups = tied(graph, states);
    let mut members: Vec<Vec<TensorId>> = vec![Vec::new(); graph.tensors.len()];
    for id in (0..graph.tensors.len()).map(|i| TensorId(i as u32)).filter(|&id| is_activation(graph, id)) {
        members[groups.of(id)].push(id);
    }
    members.retain(|members| !members.is_empty());
    members
}

/// One entry for each tensor: its scale and zero point if it is stored as int8 or int16, or `None` for constants and for what is no
/// float. Nothing below a [floor](crate::mask) counts, and the operators of `floats` compute on such.
///
/// Where an operator ties tensors together and the scheme prescribes one of them, all take the prescribed one if it holds their values;
/// otherwise that one stays out, and its integers are brought to the others' scale when read. So are a state's value and what it becomes.
pub(crate) fn params(
    graph: &Graph,
    states: &[[TensorId; 2]],
    (ranges, floors, floats): (&[Range], &[Option<f32>], &[bool]),
    element: ElementType,
) -> Vec<Option<Affine>> {
    let is_activation = |id: TensorId| is_activation(graph, id);
    let mut groups = tied(graph, states);
    let mut fixed: Vec<Option<Affine>> = vec![None; graph.tensors.len()];
    // The range of a group's members that nothing prescribes, and what is prescribed for others of it.
    let mut free: Vec<Option<(f32, f32)>> = vec![None; graph.tensors.len()];
    let mut asked: Vec<Vec<Affine>> = vec![Vec::new(); graph.tensors.len()];
    let widen = |range: &mut Option<(f32, f32)>, (low, high): (f32, f32)| {
        let (a, b) = range.unwrap_or((low, high));
        *range = Some((a.min(low), b.max(high)));
    };
    for operator in &graph.operators {
        if let Some(affine) = prescribed(&operator.op, element)
            && is_activation(operator.outputs[0])
        {
            fixed[operator.outputs[0].index()] = Some(affine);
            asked[groups.of(operator.outputs[0])].push(affine);
        }
        let Some(&first) = activations(graph, operator).first().filter(|_| is_tied(&operator.op)) else { continue };
        let group = groups.of(first);
        for (&id, values) in operator.inputs.iter().filter_map(|id| Some(id).zip(graph.tensor(*id).floats())) {
            let most = bounded(&operator.op, ranges[operator.outputs[0].index()]);
            let values = raised(values, floors[id.index()]).into_iter().filter(|value| value.abs() <= most);
            values.for_each(|v| widen(&mut free[group], (v, v)));
        }
        if let Op::Pad { value: PadValue::Float(value), .. } = operator.op
            && value.abs() < ENDLESS
        {
            let value = value.max(floors[operator.outputs[0].index()].unwrap_or(value));
            widen(&mut free[group], (value, value));
        }
    }
    let ids = || (0..graph.tensors.len()).map(|i| TensorId(i as u32)).filter(|&id| is_activation(id));
    for id in ids() {
        if let (None, Some(range)) = (fixed[id.index()], ranges[id.index()]) {
            widen(&mut free[groups.of(id)], range);
        }
    }
    let mut common: Vec<Option<Affine>> = vec![None; graph.tensors.len()];
    for id in ids() {
        let group = groups.of(id);
        let holds = |affine: Affine| {
            let (low, high) = affine.range();
            free[group].is_none_or(|(from, to)| from >= low - affine.scale && to <= high + affine.scale)
        };
        common[group] = Some(match asked[group].as_slice() {
            [first, rest @ ..] if rest.iter().all(|a| a == first) && holds(*first) => *first,
            all => {
                let mut range = free[group];
                all.iter().for_each(|affine| widen(&mut range, affine.range()));
                let (low, high) = range.unwrap_or((0.0, 1.0));
                Affine::covering(low, high, element)
            }
        });
    }
    keep_factors_small(graph, &mut groups, (&fixed, floors, floats), &mut common, element);
    let mut params = vec![None; graph.tensors.len()];
    for id in ids() {
        params[id.index()] = fixed[id.index()].or(common[groups.of(id)]);
    }
    params
}

/// Raises output scales that are so small beside an operator's inputs that what it computes would not fit an accumulator that is
/// shifted left by the factor between them. That takes a layer whose outputs are almost always clipped, so no precision is lost that
/// mattered.
fn keep_factors_small(
    graph: &Graph,
    groups: &mut Groups,
    (fixed, floors, floats): (&[Option<Affine>], &[Option<f32>], &[bool]),
    common: &mut [Option<Affine>],
    element: ElementType,
) {
    // Half of what the validator allows.
    const SUM: f64 = (1u64 << 18) as f64;
    const WIDE_SUM: f64 = (1u64 << 12) as f64;
    const OTHER: f64 = (1u64 << 29) as f64;
    // A quarter: an input that comes from int8 may have steps of nearly twice this size.
    const WIDE: f64 = (1u64 << 5) as f64;
    // An accumulator in steps of the output: with a bias that is limited to twice this, the sum has 31 bits.
    const STEPS: f64 = (1u64 << 28) as f64;
    let is_int16 = element == ElementType::Int16;
    let weighted = if is_int16 { WIDE } else { OTHER };
    // So many steps has an input less its zero point at most.
    let most = if is_int16 { 65536.0 } else { 256.0 };
    let on_floats = |i: usize| floats.get(i).copied().unwrap_or(false);
    for (_, operator) in graph.operators.iter().enumerate().filter(|(i, _)| !on_floats(*i)) {
        let mut scale = |id: TensorId| -> f64 {
            let affine = match graph.tensor(id).floats() {
                // Weights are int8 always.
                Some(values) => Some(Affine::covering_all(&raised(values, floors[id.index()]), ElementType::Int8)),
                None => fixed[id.index()].or(common[groups.of(id)]),
            };
            affine.map_or(1.0, |a| f64::from(a.scale))
        };
        let inputs: Vec<f64> = operator.inputs.iter().map(|&id| scale(id)).collect();
        let greatest = inputs.iter().copied().fold(0.0, f64::max);
        let bounded = f64::from(bound(&operator.op)) * 2.0 / STEPS;
        let least = match &operator.op {
            Op::Binary { kind: BinaryKind::Add | BinaryKind::Sub, .. } => {
                greatest / if is_int16 { WIDE_SUM } else { SUM }
            }
            // A weight's own scale is no greater than that of its range.
            op if op.traits().weights.is_some() => {
                let products = largest_sum(graph, operator) * inputs[0] * most;
                (inputs[0] * inputs[1] * 2.0 / weighted).max(products / STEPS)
            }
            Op::Binary { kind: BinaryKind::Mul, .. } => inputs[0] * inputs[1] * most * most / (4.0 * STEPS),
            Op::Prelu => (inputs[0] * most).max(inputs[0] * inputs[1] * most * most) / STEPS,
            Op::Unary(UnaryKind::LeakyRelu { alpha }) => {
                inputs[0].max(inputs[0] * f64::from(alpha.abs())) * most / STEPS
            }
            // These go by tables.
            Op::Unary(UnaryKind::Exp | UnaryKind::Log | UnaryKind::Function(_)) => 0.0,
            Op::Unary(_) | Op::Reduce { .. } => greatest * most / STEPS,
            _ => 0.0,
        }
        .max(bounded);
        let group = groups.of(operator.outputs[0]);
        if let Some(affine) = common[group].as_mut().filter(|a| f64::from(a.scale) < least) {
            affine.scale = least as f32;
        }
    }
}

/// Values of a constant, none of them below its floor.
pub(crate) fn raised(mut values: Vec<f32>, floor: Option<f32>) -> Vec<f32> {
    if let Some(floor) = floor {
        values.iter_mut().for_each(|value| *value = value.max(floor));
    }
    values
}

/// Beyond this magnitude a constant that MINIMUM or MAXIMUM compares with bounds nothing that comes near it, as 1e6 does beside a few units:
/// the end of the stored range stands for it.
fn bounded(op: &Op, range: Range) -> f32 {
    /// How much further than all results values may come to lie.
    const BEYOND: f32 = 16.0;
    match (op, range) {
        (Op::Binary { kind: BinaryKind::Minimum | BinaryKind::Maximum, .. }, Some((low, high))) if low < high => {
            BEYOND * low.abs().max(high.abs())
        }
        _ => f32::INFINITY,
    }
}

/// The end of an operator's activation, which must lie within so many steps of the output; 0 if it has none.
fn bound(op: &Op) -> f32 {
    let activation = match op {
        Op::Unary(UnaryKind::Relu6) => Activation::Relu6,
        Op::Unary(UnaryKind::ReluN1To1) => Activation::ReluN1To1,
        op => op.activation().unwrap_or_default(),
    };
    Some(activation.range().1).filter(|end| end.is_finite()).unwrap_or(0.0)
}

/// The greatest sum of the magnitudes of one output's weights.
fn largest_sum(graph: &Graph, operator: &Operator) -> f64 {
    let weights = graph.tensor(operator.inputs[1]);
    let layout = Layout::of(&operator.op, weights.shape.dims());
    let (Some(layout), Some(values)) = (layout, weights.floats()) else { return 0.0 };
    let mut sums = vec![0.0; layout.outputs];
    values.iter().enumerate().for_each(|(i, &value)| sums[layout.output(i)] += f64::from(value.abs()));
    sums.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::text;

    fn covering(low: f32, high: f32) -> Affine {
        Affine::covering(low, high, ElementType::Int8)
    }

    fn of(source: &str, ranges: &[(&str, (f32, f32))]) -> Vec<Option<Affine>> {
        stored(source, ranges, ElementType::Int8)
    }

    fn stored(source: &str, ranges: &[(&str, (f32, f32))], element: ElementType) -> Vec<Option<Affine>> {
        let graph = text::parse(source).unwrap_or_else(|e| panic!("{e}: {source}"));
        let range = |name: &str| ranges.iter().find(|(n, _)| *n == name).map(|(_, range)| *range);
        let ranges: Vec<_> = graph.tensors.iter().map(|t| range(&t.name)).collect();
        params(&graph, &[], (&ranges, &vec![None; ranges.len()], &[]), element)
    }

    #[test]
    fn tied_tensors_share_what_covers_all() {
        let source = "graph \"t\" inputs(%0, %1) outputs(%3)
            %0 \"a\" : f32[1x2] %1 \"b\" : f32[1x2]
            %2 \"c\" : f32[1x4] = CONCATENATION(%0, %1) axis=1
            %3 \"d\" : f32[4x1] = RESHAPE(%2) shape=[4, 1]";
        let found = of(source, &[("a", (-1.0, 0.5)), ("b", (0.0, 3.0)), ("c", (-1.0, 3.0))]);
        assert_eq!(found, [Some(covering(-1.0, 3.0)); 4]);
    }

    #[test]
    fn what_is_prescribed_holds_for_its_group_if_it_suits() {
        let source = |other: &str| {
            format!(
                "graph \"t\" inputs(%0) outputs(%3)
                %0 \"x\" : f32[1x2]
                %1 \"p\" : f32[1x2] = LOGISTIC(%0)
                %2 \"q\" : f32[1x2] = {other}(%0)
                %3 \"y\" : f32[1x4] = CONCATENATION(%1, %2) axis=1"
            )
        };
        let fixed = Affine::int8(1.0 / 256.0, -128);
        let ranges = [("x", (-9.0, 9.0)), ("p", (0.0, 1.0)), ("q", (0.0, 1.0)), ("y", (0.0, 1.0))];
        assert_eq!(of(&source("LOGISTIC"), &ranges)[1..], [Some(fixed); 3]);
        assert_eq!(of(&source("RELU"), &ranges)[1..], [Some(fixed); 3]);
        let tanh = of(&source("TANH"), &ranges);
        assert_eq!(tanh[1..3], [Some(fixed), Some(Affine::int8(1.0 / 128.0, 0))]);
        assert_eq!(tanh[3], Some(covering(-1.0, 1.0)));
        let wide = of(&source("RELU"), &[("q", (0.0, 4.0)), ("y", (0.0, 4.0))]);
        assert_eq!(wide[1..], [Some(fixed), Some(covering(0.0, 4.0)), Some(covering(0.0, 4.0))]);
    }

    #[test]
    fn constants_and_paddings_count() {
        let source = "graph \"t\" inputs(%0) outputs(%3)
            %0 \"x\" : f32[1x2]
            %1 : f32[2] = [-2.0, 5.0]
            %2 \"m\" : f32[1x2] = MAXIMUM(%0, %1)
            %3 \"y\" : f32[1x4] = PADV2(%2) pads=[[0, 0], [1, 1]] value=-7.0";
        let found = of(source, &[("x", (-1.0, 1.0)), ("m", (0.0, 5.0)), ("y", (-7.0, 5.0))]);
        assert_eq!([found[0], found[2], found[3]], [Some(covering(-7.0, 5.0)); 3]);
    }

    #[test]
    fn bounds_that_nothing_comes_near_do_not_count() {
        let source = "graph \"t\" inputs(%0) outputs(%2)
            %0 \"x\" : f32[1x2]
            %1 : f32[1] = [1e6]
            %2 \"m\" : f32[1x2] = MINIMUM(%0, %1)";
        let found = of(source, &[("x", (-1.0, 2.0)), ("m", (-1.0, 2.0))]);
        assert_eq!([found[0], found[2]], [Some(covering(-1.0, 2.0)); 2]);
        // What might be reached does.
        let near = of(&source.replace("1e6", "6.0"), &[("x", (-1.0, 2.0)), ("m", (-1.0, 2.0))]);
        assert_eq!([near[0], near[2]], [Some(covering(-1.0, 6.0)); 2]);
    }

    #[test]
    fn factors_between_scales_stay_small() {
        let source = "graph \"t\" inputs(%0) outputs(%2)
            %0 \"x\" : f32[1x2]
            %1 : f32[2] = [1.0, 1.0]
            %2 \"y\" : f32[1x2] = ADD(%0, %1) activation=relu";
        let found = of(source, &[("x", (-1e9, 0.0)), ("y", (0.0, 0.0))]);
        let [x, y] = [found[0].unwrap(), found[2].unwrap()];
        assert!(x.scale / y.scale < (1 << 19) as f32, "{x:?} {y:?}");
    }

    #[test]
    fn int16_is_symmetric_and_has_prescriptions_of_its_own() {
        let source = "graph \"t\" inputs(%0) outputs(%3)
            %0 \"x\" : f32[1x2]
            %1 \"p\" : f32[1x2] = LOGISTIC(%0)
            %2 \"t\" : f32[1x2] = TANH(%0)
            %3 \"y\" : f32[1x4] = CONCATENATION(%1, %2) axis=1";
        let ranges = [("x", (-3.0, 6.0)), ("p", (0.0, 1.0)), ("t", (-1.0, 1.0)), ("y", (-1.0, 1.0))];
        let found = stored(source, &ranges, ElementType::Int16);
        assert_eq!(found[0], Some(Affine::int16(6.0 / 32767.0)));
        // Both are prescribed the same, so nothing lies between them and what joins them.
        assert_eq!(found[1..], [Some(Affine::int16(1.0 / 32768.0)); 3]);
    }

    #[test]
    fn factors_of_weighted_layers_on_int16_stay_small() {
        let source = "graph \"t\" inputs(%0) outputs(%2)
            %0 \"x\" : f32[1x2]
            %1 : f32[1x2] = [100.0, -100.0]
            %2 \"y\" : f32[1x1] = FULLY_CONNECTED(%0, %1)";
        let found = stored(source, &[("x", (-300.0, 300.0)), ("y", (-0.001, 0.001))], ElementType::Int16);
        let [x, y] = [found[0].unwrap(), found[2].unwrap()];
        let factor = 2.0 * x.scale * (100.0 / 127.0) / y.scale;
        assert!(factor < 128.0 && factor > 16.0, "{factor}");
    }
}
