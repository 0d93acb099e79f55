//! What files with variables say, held to an interpreter of a few lines, and that to the reference.

use crate::hostile::build::{FLOAT, File, INT8, tensor_node};
use crate::schema::tensor;
use crate::support::Builtin;
use crate::write::options::Options;
use crate::{check, read, write};
use smidgen_ir::{Graph, Op, validate};
use smidgen_reference::{Case, Reference};

type Row = [f32; 4];

fn bytes(row: Row) -> Vec<u8> {
    row.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// An operator on rows, by tensors and variables.
#[derive(Clone, Copy, Debug)]
enum Act {
    Read { variable: usize, to: usize },
    Assign { variable: usize, from: usize },
    Add { a: usize, b: usize, to: usize },
}

/// What some frames give, act after act, as the format means it.
fn act(acts: &[Act], initial: &[Row], outputs: &[usize], frames: &[Row], tensors: usize) -> Vec<Vec<Row>> {
    let mut variables = initial.to_vec();
    let frame = |&x: &Row| {
        let mut rows = vec![[0.0; 4]; tensors];
        rows[0] = x;
        for act in acts {
            match *act {
                Act::Read { variable, to } => rows[to] = variables[variable],
                Act::Assign { variable, from } => variables[variable] = rows[from],
                Act::Add { a, b, to } => rows[to] = std::array::from_fn(|i| rows[a][i] + rows[b][i]),
            }
        }
        outputs.iter().map(|&t| rows[t]).collect()
    };
    frames.iter().map(frame).collect()
}

/// The same of a graph: reads and assignments are resolved, so its operators may run in any order that their tensors
/// allow.
fn run(graph: &Graph, frames: &[Row]) -> Vec<Vec<Row>> {
    let row = |bytes: &[u8]| -> Row {
        std::array::from_fn(|i| f32::from_le_bytes(bytes[4 * i..][..4].try_into().expect("four bytes")))
    };
    let mut held: Vec<Row> = graph.variables.iter().map(|v| row(&graph.initial_bytes(v))).collect();
    let frame = |&x: &Row| {
        let mut rows: Vec<Row> = graph.tensors.iter().map(|t| t.data.as_deref().map_or([0.0; 4], row)).collect();
        rows[graph.inputs[0].index()] = x;
        for (variable, &held) in graph.variables.iter().zip(&held) {
            rows[variable.value.index()] = held;
        }
        for operator in &graph.operators {
            let read = |i: usize| rows[operator.inputs[i].index()];
            rows[operator.outputs[0].index()] = match operator.op {
                Op::Reshape { .. } => read(0),
                Op::Binary { .. } => std::array::from_fn(|i| read(0)[i] + read(1)[i]),
                ref other => panic!("{other:?}"),
            };
        }
        held = graph.variables.iter().map(|v| rows[v.next.index()]).collect();
        graph.outputs.iter().map(|t| rows[t.index()]).collect()
    };
    frames.iter().map(frame).collect()
}

/// Numbers that look like nothing in particular.
pub(super) struct Numbers(pub u64);

impl Numbers {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn reads_and_assignments_in_any_order_mean_what_they_say() {
    let frames: Vec<Row> = (0..6).map(|i| [i as f32, 1.0, -2.0, 0.5 * i as f32]).collect();
    let mut reference = Reference::start_or_skip("variables in random order");
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let variables = 1 + numbers.below(3);
        let initial: Vec<Row> = (0..variables).map(|v| [v as f32 + 0.25; 4]).collect();
        let mut file = File::new();
        let named: Vec<String> = (0..variables).map(|v| format!("v{v}")).collect();
        let values = named.iter().zip(&initial).map(|(name, &row)| (&**name, &[1, 4][..], FLOAT, bytes(row))).collect();
        let subgraph = file.initial(values);
        file.operator(Builtin::CallOnce, &[], &[], Options::CallOnce { subgraph });
        // Two handles may name one variable.
        let handles: Vec<Vec<i32>> = named.iter().map(|name| (0..2).map(|_| file.handle(name)).collect()).collect();
        let mut there = vec![0usize];
        let mut acts = Vec::new();
        for step in 0..3 + numbers.below(12) {
            let variable = numbers.below(variables);
            let handle = handles[variable][numbers.below(2)];
            let some = there[numbers.below(there.len())];
            let new = |file: &mut File| file.activation(&format!("t{step}"), &[1, 4], FLOAT) as usize;
            match numbers.below(3) {
                0 => {
                    let to = new(&mut file);
                    file.operator(Builtin::ReadVariable, &[handle], &[to as i32], Options::None);
                    acts.push(Act::Read { variable, to });
                    there.push(to);
                }
                1 => {
                    file.operator(Builtin::AssignVariable, &[handle, some as i32], &[], Options::None);
                    acts.push(Act::Assign { variable, from: some });
                }
                _ => {
                    let (to, other) = (new(&mut file), there[numbers.below(there.len())]);
                    file.operator(
                        Builtin::Add,
                        &[some as i32, other as i32],
                        &[to as i32],
                        Options::Arithmetic { activation: 0 },
                    );
                    acts.push(Act::Add { a: some, b: other, to });
                    there.push(to);
                }
            }
        }
        let outputs: Vec<usize> = (0..2).map(|_| there[numbers.below(there.len())]).collect();
        // An input that is an output as well is for other tests.
        let outputs: Vec<usize> = outputs.into_iter().filter(|&t| t != 0).collect();
        let (false, tensors) = (outputs.is_empty(), file.tensors.len()) else { continue };
        file.outputs = outputs.iter().map(|&t| t as i32).collect();
        let expected = act(&acts, &initial, &outputs, &frames, tensors);
        let model = file.bytes();
        let graph = read(&model).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{acts:?}"));
        validate(&graph).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{acts:?}"));
        assert_eq!(run(&graph, &frames), expected, "seed {seed}: {acts:?}");
        let written = write(&graph).expect("a valid graph");
        let again = read(&written).expect("what is written");
        assert_eq!(run(&again, &frames), expected, "seed {seed}, written and read: {acts:?}");
        assert!(write(&again).as_ref() == Ok(&written), "seed {seed}: {acts:?}");
        let mut cleaned = graph.clone();
        smidgen_ir::passes::canonicalise(&mut cleaned);
        assert_eq!(run(&cleaned, &frames), expected, "seed {seed}, cleaned up: {acts:?}");
        if let Some(reference) = &mut reference {
            for model in [model, written] {
                let samples = frames.iter().map(|&row| vec![bytes(row)]).collect();
                let outcome = reference.run_case(&Case { model, samples, ..Case::default() });
                let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{acts:?}"));
                for (sample, expected) in outcome.samples.iter().zip(&expected) {
                    let expected: Vec<Vec<u8>> = expected.iter().map(|&row| bytes(row)).collect();
                    assert_eq!(sample.outputs, expected, "seed {seed}, the reference: {acts:?}");
                }
            }
        }
    }
}

/// A network whose output is the sum of its input and what a variable held, which is what it holds next.
fn sum(change: impl FnOnce(&mut File, i32, i32)) -> File {
    let mut file = File::new();
    let subgraph = file.initial(vec![("v", &[1, 4], FLOAT, bytes([1.0, 2.0, 3.0, 4.0]))]);
    file.operator(Builtin::CallOnce, &[], &[], Options::CallOnce { subgraph });
    let handle = file.handle("v");
    let (old, y) = (file.activation("old", &[1, 4], FLOAT), file.activation("y", &[1, 4], FLOAT));
    file.operator(Builtin::ReadVariable, &[handle], &[old], Options::None);
    file.operator(Builtin::Add, &[0, old], &[y], Options::Arithmetic { activation: 0 });
    file.operator(Builtin::AssignVariable, &[handle, y], &[], Options::None);
    file.outputs = vec![y];
    change(&mut file, handle, y);
    file
}

#[test]
fn a_sum_over_calls_is_read() {
    let graph = read(&sum(|_, _, _| ()).bytes()).expect("a network");
    assert_eq!(graph.operators.len(), 1);
    let frames = [[1.0; 4], [10.0; 4], [100.0; 4]];
    let sums = [[2.0, 3.0, 4.0, 5.0], [12.0, 13.0, 14.0, 15.0], [112.0, 113.0, 114.0, 115.0]];
    assert_eq!(run(&graph, &frames), sums.map(|row| vec![row]));
}

/// The obstacles of a file that is sound otherwise.
fn obstacles(file: File) -> Vec<String> {
    check(&file.bytes()).expect("a sound file").iter().map(ToString::to_string).collect()
}

#[test]
fn what_no_variable_can_be_is_said() {
    let only = |file: File, what: &str| {
        let all = obstacles(file);
        assert!(all.len() == 1 && all[0].contains(what), "{what}: {all:?}");
    };
    // Another shape, another type.
    only(
        sum(|file, handle, _| {
            let wide = file.activation("wide", &[1, 8], FLOAT);
            let axis = Options::Concatenation { axis: 1, activation: 0 };
            file.operator(Builtin::Concatenation, &[0, 0], &[wide], axis);
            file.operator(Builtin::AssignVariable, &[handle, wide], &[], Options::None);
        }),
        "assigns 1x8 f32 to a variable that is read as 1x4 f32",
    );
    only(
        sum(|file, handle, _| {
            let narrow = file.constant("narrow", &[1, 4], INT8, vec![1, 2, 3, 4]);
            file.operator(Builtin::AssignVariable, &[handle, narrow], &[], Options::None);
        }),
        "assigns 1x4 i8 to a variable that is read as 1x4 f32",
    );
    // Nothing is known of its first value.
    only(
        sum(|file, _, _| {
            let (handle, old) = (file.handle("w"), file.activation("w_old", &[1, 4], FLOAT));
            file.operator(Builtin::ReadVariable, &[handle], &[old], Options::None);
            file.operator(Builtin::AssignVariable, &[handle, 0], &[], Options::None);
        }),
        "nothing has assigned to before",
    );
    // A tensor that is no handle, a handle that is an output, initial values that come late or are not constants.
    only(
        sum(|file, _, y| {
            let old = file.activation("old2", &[1, 4], FLOAT);
            file.operator(Builtin::ReadVariable, &[y], &[old], Options::None);
        }),
        "names no variable",
    );
    only(sum(|file, handle, _| file.outputs.push(handle)), "its type is resource");
    only(
        sum(|file, _, _| {
            let subgraph = file.initial(vec![("v", &[1, 4], FLOAT, bytes([0.0; 4]))]);
            file.operator(Builtin::CallOnce, &[], &[], Options::CallOnce { subgraph });
        }),
        "it comes after a read or an assignment",
    );
    for (subgraph, what) in
        [(0, "it runs subgraph 0 of 2"), (7, "it runs subgraph 7 of 2"), (-1, "it runs subgraph -1 of 2")]
    {
        let mut file = sum(|_, _, _| ());
        let code = file.code(Builtin::CallOnce.code());
        let node = crate::hostile::build::operator_node(code, &[], &[])
            .with(crate::schema::operator::builtin_options_type, 103)
            .with(
                crate::schema::operator::builtin_options,
                crate::write::options::node(&Options::CallOnce { subgraph }).expect("options"),
            );
        file.operators.insert(0, node);
        only(file, what);
    }
}

#[test]
fn a_variable_assigned_twice_holds_what_came_last_and_one_only_read_is_a_constant() {
    let twice = sum(|file, handle, y| {
        let z = file.activation("z", &[1, 4], FLOAT);
        file.operator(Builtin::Add, &[y, y], &[z], Options::Arithmetic { activation: 0 });
        file.operator(Builtin::AssignVariable, &[handle, z], &[], Options::None);
    });
    let graph = read(&twice.bytes()).expect("a network");
    assert_eq!(run(&graph, &[[0.0; 4]; 2])[1][0], [2.0, 4.0, 6.0, 8.0]);

    let mut file = sum(|_, _, _| ());
    file.operators.pop();
    let graph = read(&file.bytes()).expect("a network");
    assert!(graph.variables.is_empty());
    assert_eq!(run(&graph, &[[1.0; 4]; 2])[1][0], [2.0, 3.0, 4.0, 5.0]);
}

/// `y = x + state`, where an operator writes the variable tensor `state` after that has been read: `state = x + y`.
fn variable_tensor(writes: usize) -> File {
    let mut file = File::new();
    let state = file.tensor(tensor_node("state", &[1, 4], FLOAT).with(tensor::is_variable, true));
    let y = file.activation("y", &[1, 4], FLOAT);
    file.operator(Builtin::Add, &[0, state], &[y], Options::Arithmetic { activation: 0 });
    for _ in 0..writes {
        file.operator(Builtin::Add, &[0, y], &[state], Options::Arithmetic { activation: 0 });
    }
    file.outputs = vec![y];
    file
}

#[test]
fn variable_tensors_begin_with_zeros_and_keep_what_is_written() {
    let frames = [[1.0; 4], [10.0; 4], [100.0; 4]];
    let mut reference = Reference::start_or_skip("variable tensors");
    for (writes, expected) in [(0, [1.0, 10.0, 100.0]), (1, [1.0, 12.0, 122.0])] {
        let model = variable_tensor(writes).bytes();
        let graph = read(&model).expect("a network");
        validate(&graph).expect("a valid network");
        assert_eq!(graph.variables.len(), writes);
        assert_eq!(run(&graph, &frames), expected.map(|v| vec![[v; 4]]));
        if let Some(reference) = &mut reference {
            let samples = frames.iter().map(|&row| vec![bytes(row)]).collect();
            let outcome =
                reference.run_case(&Case { model, samples, ..Case::default() }).expect("a file that it loads");
            let found: Vec<&Vec<u8>> = outcome.samples.iter().map(|sample| &sample.outputs[0]).collect();
            assert_eq!(found, expected.map(|v| bytes([v; 4])).iter().collect::<Vec<_>>(), "{writes} writes");
        }
    }
    assert!(obstacles(variable_tensor(2))[0].contains("it is a variable"));
}
