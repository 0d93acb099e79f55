//! LSTM, GRU and RNN: a layer of each direction, joined where there are two.

use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value, float_value};
use crate::constant::{Constant, Element};
use crate::node_error::NodeError;
use smidgen_ir::{Activation, Cell, DataType, Op, RecurrentParams, TensorId};

rows! {
    "GRU" FLOAT gru, "constant weights; both directions; sigmoid and tanh; without clip";
    "LSTM" FLOAT lstm, "constant weights; both directions; sigmoid and tanh; without clip, input_forget and peepholes";
    "RNN" FLOAT rnn, "constant weights; both directions; tanh or relu; without clip";
}

const DTYPE: &DataType = &DataType::FLOAT32;

pub fn lstm(call: &mut Call<'_, '_>) -> Outputs {
    if call.flag("input_forget", false)? {
        return Err(NodeError::unsupported("its input and forget gates are coupled", FIXED_PARAMETERS));
    }
    if let Some(peepholes) = call.optional(7, "its peepholes")?
        && peepholes.floats().iter().any(|&p| p != 0.0)
    {
        return Err(NodeError::unsupported(
            "it has peepholes",
            "train it without: other cells look at their state less",
        ));
    }
    // The file's gates are i, o, f, g.
    layer(call, "LSTM", &[0, 2, 3, 1], |_| Ok(Cell::Lstm))
}

pub fn gru(call: &mut Call<'_, '_>) -> Outputs {
    let cell = if call.flag("linear_before_reset", false)? { Cell::GruResetAfter } else { Cell::Gru };
    layer(call, "GRU", &[0, 1, 2], |_| Ok(cell))
}

pub fn rnn(call: &mut Call<'_, '_>) -> Outputs {
    layer(call, "RNN", &[0], |activation| match activation {
        "relu" => Ok(Cell::Relu),
        _ => Ok(Cell::Tanh),
    })
}

/// The activations of a direction as they are without being named.
fn usual(operator: &str) -> &'static [&'static str] {
    match operator {
        "LSTM" => &["sigmoid", "tanh", "tanh"],
        "GRU" => &["sigmoid", "tanh"],
        _ => &["tanh"],
    }
}

/// How a node's directions lie.
struct Directions {
    /// For each, whether it goes from the last step to the first.
    reverse: Vec<bool>,
    cells: Vec<Cell>,
    /// Where the file has batch first.
    batch_first: bool,
}

impl Directions {
    fn of(
        call: &Call<'_, '_>,
        operator: &str,
        cell: impl Fn(&str) -> Result<Cell, NodeError>,
    ) -> Result<Self, NodeError> {
        let reverse = match call.text("direction")?.unwrap_or("forward") {
            "forward" => vec![false],
            "reverse" => vec![true],
            "bidirectional" => vec![false, true],
            other => return Err(NodeError::Malformed(format!("its direction is {other:?}"))),
        };
        if call.float("clip", 0.0)? != 0.0 {
            return Err(NodeError::unsupported("it clips its gates", FIXED_PARAMETERS));
        }
        let usual = usual(operator);
        let named = call.texts("activations")?.unwrap_or_default();
        let named: Vec<String> = named.iter().map(|name| name.to_ascii_lowercase()).collect();
        if !named.is_empty() && named.len() != usual.len() * reverse.len() {
            let what = format!("it has {} activations for {} directions", named.len(), reverse.len());
            return Err(NodeError::Malformed(what));
        }
        let mut cells = Vec::new();
        for i in 0..reverse.len() {
            let own: Vec<&str> = named.iter().skip(i * usual.len()).take(usual.len()).map(String::as_str).collect();
            let known = own.is_empty() || own == usual || operator == "RNN" && own == ["relu"];
            if !known {
                return Err(NodeError::unsupported(
                    format!("its activations are {}", own.join(", ")),
                    "use the usual ones: sigmoid for gates and tanh for values; of RNN tanh or relu",
                ));
            }
            cells.push(cell(own.first().copied().unwrap_or_default())?);
        }
        Ok(Self { reverse, cells, batch_first: call.flag("layout", false)? })
    }
}

/// The part of a constant `[D, ..]` that belongs to a direction, in which `blocks` blocks of equal size are put in
/// `order`.
fn part(constant: &Constant, direction: usize, directions: usize, order: &[usize]) -> Vec<f32> {
    let values = constant.floats();
    let count = values.len() / directions;
    let own = &values[direction * count..][..count];
    let block = count / order.len();
    order.iter().flat_map(|&i| own[i * block..][..block].iter().copied()).collect()
}

fn tensor(call: &mut Call<'_, '_>, name: String, dims: Vec<usize>, values: Vec<f32>) -> Result<TensorId, NodeError> {
    let axes: Vec<usize> = (0..dims.len()).collect();
    let constant = Constant::from_f64(Element::F32, dims, values.into_iter().map(f64::from));
    call.emit.constant(&Constant { name, ..constant }, &axes)
}

fn expect(what: &str, constant: &Constant, dims: &[usize]) -> Result<(), NodeError> {
    match constant.dims == dims && constant.element.is_float() {
        true => Ok(()),
        false => {
            let (found, element) = (&constant.dims, constant.element.name());
            Err(NodeError::Malformed(format!("{what} are {found:?} of {element}, not {dims:?} of float32")))
        }
    }
}

/// Both layouts of the file: of an input or output of all steps, and of a state.
struct Axes {
    /// Place of the batch, the steps and the direction in `[T, D, N, H]`.
    sequence: [usize; 3],
    /// Place of the batch and the direction in `[D, N, H]`.
    state: [usize; 2],
}

fn layer(
    call: &mut Call<'_, '_>,
    operator: &str,
    order: &[usize],
    cell: impl Fn(&str) -> Result<Cell, NodeError>,
) -> Outputs {
    let directions = Directions::of(call, operator, cell)?;
    let count = directions.reverse.len();
    let (weights, state) = (call.constant(1, "its weights W")?, call.constant(2, "its weights R")?);
    let x = call.float_input(0)?;
    let dims = call.emit.dims(&x);
    let &[first, second, inputs] = &*dims else {
        return Err(NodeError::Malformed(format!("its input has {} dimensions", dims.len())));
    };
    let [batch, steps] = if directions.batch_first { [first, second] } else { [second, first] };
    let gates = order.len();
    let Some(&units) = state.dims.get(2).filter(|&&units| units > 0 && state.dims.len() == 3) else {
        return Err(NodeError::Malformed(format!("its weights R have the shape {:?}", state.dims)));
    };
    let rows = units.checked_mul(2 * gates).ok_or_else(|| NodeError::Malformed("it has too many units".into()))? / 2;
    expect("its weights W", &weights, &[count, rows, inputs])?;
    expect("its weights R", &state, &[count, rows, units])?;
    let bias = call.optional(3, "its bias")?;
    if let Some(bias) = &bias {
        expect("its biases", bias, &[count, 2 * rows])?;
    }
    if let Some(lengths) = call.list(4, "its list of lengths")?
        && lengths.iter().any(|&length| usize::try_from(length) != Ok(steps))
    {
        return Err(NodeError::unsupported(
            format!("its sequences are of different lengths ({lengths:?} of {steps} steps)"),
            "give it sequences that are as long as its input",
        ));
    }
    let axes = match directions.batch_first {
        true => Axes { sequence: [0, 1, 2], state: [0, 1] },
        false => Axes { sequence: [2, 0, 1], state: [1, 0] },
    };
    // Whichever of both orders the input has: that of one sequence is the same.
    let [n, t] = if directions.batch_first { [0, 1] } else { [1, 0] };
    let time_major = batch > 1 && x.layout == [t, n, 2];
    let x = call.emit.arrange(&x, &if time_major { [t, n, 2] } else { [n, t, 2] })?;
    let memories = if operator == "LSTM" { 2 } else { 1 };
    let states: Vec<Vec<TensorId>> = (0..memories)
        .map(|i| first_states(call, 5 + i, &axes, [count, batch, units]))
        .collect::<Result<Vec<_>, _>>()?;
    let given = states.iter().any(|list| !list.is_empty());
    let asked: Vec<bool> = (0..3).map(|i| call.node.outputs.get(i).is_some_and(|name| !name.is_empty())).collect();
    // Those that come after the last that is asked for need not be there.
    let asked = [asked[0], asked[1] || asked == [false; 3], asked[2] && operator == "LSTM"];
    let mut made: [Vec<TensorId>; 3] = Default::default();
    for direction in 0..count {
        let cell = directions.cells[direction];
        let own = |constant: &Constant| part(constant, direction, count, order);
        let name = |constant: &Constant, what: &str| match constant.name.is_empty() {
            true => String::new(),
            false if count == 1 => constant.name.clone(),
            false => format!("{} {what}", constant.name),
        };
        let which = if directions.reverse[direction] { "backward" } else { "forward" };
        let biases = match &bias {
            None => vec![0.0; cell.biases() * units],
            Some(bias) => {
                // The inputs' and the state's, gate by gate.
                let both: Vec<usize> = order.iter().copied().chain(order.iter().map(|gate| gate + gates)).collect();
                let both = part(bias, direction, count, &both);
                let (of_inputs, of_state) = both.split_at(rows);
                let mut sums: Vec<f32> = of_inputs.iter().zip(of_state).map(|(a, b)| a + b).collect();
                if cell == Cell::GruResetAfter {
                    sums[2 * units..].copy_from_slice(&of_inputs[2 * units..]);
                    sums.extend(&of_state[2 * units..]);
                }
                sums
            }
        };
        let mut operands = vec![
            x.id,
            tensor(call, name(&weights, which), vec![rows, inputs], own(&weights))?,
            tensor(call, name(&state, which), vec![rows, units], own(&state))?,
        ];
        let name = bias.as_ref().map_or(String::new(), |bias| name(bias, which));
        operands.push(tensor(call, name, vec![biases.len()], biases)?);
        if given {
            for list in &states {
                operands.push(match list.get(direction) {
                    Some(&id) => id,
                    None => tensor(call, String::new(), vec![batch, units], vec![0.0; batch * units])?,
                });
            }
        }
        let params = RecurrentParams {
            cell,
            time_major,
            reverse: directions.reverse[direction],
            clip: None,
            sequence: asked[0],
            last: asked[1],
            memory: asked[2],
            asymmetric_quantize_inputs: false,
        };
        let outputs = call.emit.push(Op::Recurrent(params), operands, DTYPE)?;
        let places = (0..3).filter(|&i| asked[i]);
        places.zip(outputs).for_each(|(i, id)| made[i].push(id));
    }
    let mut outputs = Vec::new();
    for (i, ids) in made.into_iter().enumerate().take(1 + memories) {
        outputs.push(match (i, ids.is_empty()) {
            (_, true) => Value::Missing,
            (0, _) => sequence(call, ids, &axes, time_major)?,
            _ => last(call, ids, &axes)?,
        });
    }
    outputs.truncate(call.node.outputs.len());
    Ok(outputs)
}

/// The first states of each direction, `[N, H]`; none if they are 0.
fn first_states(
    call: &mut Call<'_, '_>,
    input: usize,
    axes: &Axes,
    [count, batch, units]: [usize; 3],
) -> Result<Vec<TensorId>, NodeError> {
    if !call.has(input) {
        return Ok(Vec::new());
    }
    if let Value::Constant(constant) = call.value(input)?
        && constant.floats().iter().all(|&v| v == 0.0)
    {
        return Ok(Vec::new());
    }
    let first = call.float_input(input)?;
    let mut expected = [0, 0, units];
    (expected[axes.state[0]], expected[axes.state[1]]) = (batch, count);
    if call.emit.dims(&first) != expected {
        let found = call.emit.dims(&first);
        return Err(NodeError::Malformed(format!("its first states are {found:?}, not {expected:?}")));
    }
    let first = call.emit.arrange(&first, &[axes.state[1], axes.state[0], 2])?;
    let mut states = Vec::new();
    for direction in 0..count {
        let mut id = first.id;
        if count > 1 {
            let op = Op::Slice { begin: vec![direction, 0, 0], size: vec![1, batch, units] };
            id = call.emit.one(op, vec![id], DTYPE)?;
        }
        states.push(call.emit.relabel(id, vec![batch, units])?);
    }
    Ok(states)
}

/// `[.., .., H]` of each direction as all outputs: the direction comes before the units, where layers behind want it.
fn sequence(call: &mut Call<'_, '_>, ids: Vec<TensorId>, axes: &Axes, time_major: bool) -> Result<Value, NodeError> {
    let count = ids.len();
    let mut shape = call.emit.graph.tensor(ids[0]).shape.dims().to_vec();
    let id = joined(call, ids, 2)?;
    shape.insert(2, count);
    let id = call.emit.relabel(id, shape)?;
    let [batch, steps, direction] = axes.sequence;
    let outer = if time_major { [steps, batch] } else { [batch, steps] };
    Ok(float_value(id, vec![outer[0], outer[1], direction, 3]))
}

/// `[N, H]` of each direction as last states.
fn last(call: &mut Call<'_, '_>, ids: Vec<TensorId>, axes: &Axes) -> Result<Value, NodeError> {
    let count = ids.len();
    let mut shape = call.emit.graph.tensor(ids[0]).shape.dims().to_vec();
    let id = joined(call, ids, 1)?;
    shape.insert(1, count);
    let id = call.emit.relabel(id, shape)?;
    Ok(float_value(id, vec![axes.state[0], axes.state[1], 2]))
}

fn joined(call: &mut Call<'_, '_>, ids: Vec<TensorId>, axis: usize) -> Result<TensorId, NodeError> {
    match *ids {
        [id] => Ok(id),
        _ => call.emit.one(Op::Concatenation { axis, activation: Activation::None }, ids, DTYPE),
    }
}
