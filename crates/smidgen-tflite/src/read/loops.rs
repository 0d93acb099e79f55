//! What files with loops say: the same as the loops do in the reference, turn by turn.

use super::state::Numbers;
use crate::hostile::build::{BOOL, FLOAT, File, INT32, VARIANT, tensor_node};
use crate::hostile::files;
use crate::schema::{gather, if_options};
use crate::support::Builtin;
use crate::write::options::Options;
use crate::write::tree::Node;
use crate::{check, read, write};
use smidgen_ir::{Op, passes, validate};
use smidgen_reference::{Case, Reference};

/// Numbers in the schema, and those of the operators' options.
const GATHER: (i32, u8) = (36, 23);
const IF: (i32, u8) = (118, 92);

impl Numbers {
    /// Floats between -1 and 1, as bytes.
    fn floats(&mut self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| (self.below(200) as f32 / 100.0 - 1.0).to_le_bytes()).collect()
    }
}

/// How the steps of a recurrent layer come into its output.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    /// Rows of a tensor, each put between what lies before and behind it.
    Rows,
    /// A list of tensors.
    List,
}

/// A file with the layer `h = tanh(w x + u h + b)` as Keras writes it: a loop that counts steps. Its outputs are the states of all steps, and
/// the last.
fn layer(form: Form, [steps, batch, size, units]: [i32; 4], numbers: &mut Numbers) -> Vec<u8> {
    let mut file = File::new();
    file.tensors[0] = tensor_node("x", &[steps, batch, size], FLOAT);
    let weights = [vec![units, size], vec![units, units], vec![units]].map(|shape| {
        let count = shape.iter().product::<i32>();
        (shape, numbers.floats(count as usize))
    });
    let rows = [steps, batch, units];
    let x_type: (&[i32], i8) = match form {
        Form::Rows => (&[steps, batch, size], FLOAT),
        Form::List => (&[], VARIANT),
    };
    let l_type: (&[i32], i8) = if form == Form::Rows { (&rows, FLOAT) } else { (&[], VARIANT) };
    let condition = file.below(steps, &[(&[batch, units], FLOAT), l_type, x_type]);
    let body = file.subgraph(|file| {
        let i = file.activation("i", &[], INT32);
        let h = file.activation("h", &[batch, units], FLOAT);
        let [l, x] =
            [("l", l_type), ("x", x_type)].map(|(name, (shape, element))| file.activation(name, shape, element));
        file.inputs = vec![i, h, l, x];
        let [w, u, b] = weights.map(|(shape, bytes)| file.constant("w", &shape, FLOAT, bytes));
        let next = file.counted(i, 1);
        let xt = file.activation("xt", &[batch, size], FLOAT);
        match form {
            Form::Rows => {
                let options = Node::default().with(gather::axis, 0);
                file.foreign(GATHER.0, &[x, i], &[xt], Some((GATHER.1, options)));
            }
            Form::List => {
                let shape = file.integers("shape", &[batch, size]);
                file.custom("TensorListGetItem", &[x, i, shape], &[xt]);
            }
        }
        let [a, r, s, new] = ["a", "r", "s", "new"].map(|name| file.activation(name, &[batch, units], FLOAT));
        let full =
            || Options::FullyConnected { activation: 0, keep_num_dims: false, asymmetric_quantize_inputs: false };
        file.operator(Builtin::FullyConnected, &[xt, w, b], &[a], full());
        file.operator(Builtin::FullyConnected, &[h, u, -1], &[r], full());
        file.operator(Builtin::Add, &[a, r], &[s], Options::Arithmetic { activation: 0 });
        file.operator(Builtin::Tanh, &[s], &[new], Options::None);
        let longer = file.activation("longer", l_type.0, l_type.1);
        match form {
            Form::Rows => {
                let item = file.activation("item", &[1, batch, units], FLOAT);
                let shape = file.integers("shape", &[1, batch, units]);
                file.operator(Builtin::Reshape, &[new, shape], &[item], Options::Reshape { new_shape: vec![] });
                let (zero, all) = (file.integer("zero", 0), file.integer("all", -1));
                let [size, begin] = ["size", "begin"].map(|name| file.activation(name, &[3], INT32));
                file.operator(Builtin::Pack, &[i, all, all], &[size], Options::Pack { axis: 0, values: 3 });
                file.operator(Builtin::Pack, &[next, zero, zero], &[begin], Options::Pack { axis: 0, values: 3 });
                let (first, rest) = (file.integers("first", &[0; 3]), file.integers("rest", &[-1; 3]));
                let [head, tail] = ["head", "tail"].map(|name| {
                    file.tensor(
                        tensor_node(name, &[1, batch, units], FLOAT)
                            .with(crate::schema::tensor::shape_signature, vec![-1, batch, units]),
                    )
                });
                file.operator(Builtin::Slice, &[l, first, size], &[head], Options::None);
                file.operator(Builtin::Slice, &[l, begin, rest], &[tail], Options::None);
                let joined = Options::Concatenation { axis: 0, activation: 0 };
                file.operator(Builtin::Concatenation, &[head, item, tail], &[longer], joined);
            }
            Form::List => file.custom("TensorListSetItem", &[l, i, new], &[longer]),
        }
        file.outputs = vec![next, new, longer, x];
    });
    let zero = file.integer("start", 0);
    let h = file.constant("h0", &[batch, units], FLOAT, vec![0; 4 * (batch * units) as usize]);
    let (l, x) = match form {
        Form::Rows => (file.constant("l0", &rows, FLOAT, vec![0; 4 * rows.iter().product::<i32>() as usize]), 0),
        Form::List => {
            let shape = file.integers("shape", &[batch, units]);
            let n = file.integer("n", steps);
            let [l, x] = ["l0", "xs"].map(|name| file.activation(name, &[], VARIANT));
            file.custom("TensorListReserve", &[shape, n], &[l]);
            let shape = file.integers("shape", &[batch, size]);
            file.custom("TensorListFromTensor", &[0, shape], &[x]);
            (l, x)
        }
    };
    let i1 = file.activation("i1", &[], INT32);
    let last = file.activation("last", &[batch, units], FLOAT);
    let [l1, x1] =
        [("all", l_type), ("x1", x_type)].map(|(name, (shape, element))| file.activation(name, shape, element));
    file.repeat([condition, body], &[zero, h, l, x], &[i1, last, l1, x1]);
    file.outputs = match form {
        Form::Rows => vec![l1, last],
        Form::List => {
            let shape = file.integers("shape", &[batch, units]);
            let stacked = file.activation("stacked", &rows, FLOAT);
            file.custom("TensorListStack", &[l1, shape], &[stacked]);
            vec![stacked, last]
        }
    };
    file.bytes()
}

#[test]
fn loops_are_their_turns() {
    let Some(mut reference) = Reference::start_or_skip("loops") else { return };
    for seed in 0..60 {
        let sizes = |numbers: &mut Numbers| [5, 3, 6, 5].map(|most| 1 + numbers.below(most) as i32);
        let sizes = sizes(&mut Numbers(seed));
        let looped = layer(Form::Rows, sizes, &mut Numbers(seed + 1000));
        let listed = layer(Form::List, sizes, &mut Numbers(seed + 1000));
        let x = Numbers(seed + 2000).floats((sizes[0] * sizes[1] * sizes[2]) as usize);
        let mut run = |model: Vec<u8>| {
            let case = Case { model, samples: vec![vec![x.clone()]], ..Case::default() };
            let outcome = reference.run_case(&case).unwrap_or_else(|error| panic!("seed {seed}, {sizes:?}: {error}"));
            outcome.samples[0].outputs.clone()
        };
        let expected = run(looped.clone());
        for (form, file) in [(Form::Rows, looped), (Form::List, listed)] {
            let mut graph = read(&file).unwrap_or_else(|error| panic!("seed {seed}, {form:?}, {sizes:?}: {error}"));
            validate(&graph).unwrap_or_else(|error| panic!("seed {seed}, {form:?}, {sizes:?}: {error}"));
            let turns = graph.operators.iter().filter(|o| o.op == Op::Unary(smidgen_ir::UnaryKind::Tanh)).count();
            assert_eq!(turns, sizes[0] as usize);
            assert_eq!(run(write(&graph).expect("a graph")), expected, "seed {seed}, {form:?}, {sizes:?}");
            passes::canonicalise(&mut graph);
            assert_eq!(run(write(&graph).expect("a graph")), expected, "seed {seed}, {form:?}, {sizes:?}, cleaned up");
        }
    }
}

/// A file in which an operator chooses between `x + x` and `x`, by a constant or by an input.
fn choice(which: Option<bool>) -> Vec<u8> {
    let mut file = File::new();
    let branch = |file: &mut File, doubles: bool| {
        file.subgraph(|file| {
            let [x, y] = ["x", "y"].map(|name| file.activation(name, &[1, 4], FLOAT));
            file.inputs = vec![x];
            file.outputs = vec![if doubles { y } else { x }];
            if doubles {
                file.operator(Builtin::Add, &[x, x], &[y], Options::Arithmetic { activation: 0 });
            }
        })
    };
    let (yes, no) = (branch(&mut file, true), branch(&mut file, false));
    let condition = match which {
        Some(which) => file.constant("which", &[1], BOOL, vec![which.into()]),
        None => {
            let which = file.activation("which", &[1], BOOL);
            file.inputs.push(which);
            which
        }
    };
    let y = file.activation("y", &[1, 4], FLOAT);
    let options = Node::default().with(if_options::then_subgraph_index, yes).with(if_options::else_subgraph_index, no);
    file.foreign(IF.0, &[condition, 0], &[y], Some((IF.1, options)));
    file.outputs = vec![y];
    file.bytes()
}

#[test]
fn a_choice_that_is_known_is_what_was_chosen() {
    for which in [true, false] {
        let graph = read(&choice(Some(which))).expect("a network");
        validate(&graph).expect("a valid graph");
        let adds = graph.operators.iter().filter(|o| matches!(o.op, Op::Binary { .. })).count();
        assert_eq!(adds, usize::from(which));
    }
    let found = check(&choice(None)).expect("a sound file");
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(found.reason, "which branch it takes depends on \"which\", which is not known when reading");
}

/// A loop over `x` with a body that `build` makes of (counter, x), and a limit.
fn counting(limit: i32, build: impl FnOnce(&mut File, i32, i32) -> [i32; 2]) -> Vec<u8> {
    let mut file = File::new();
    let condition = file.below(limit, &[(&[1, 4], FLOAT)]);
    let body = file.subgraph(|file| {
        let i = file.activation("i", &[], INT32);
        let x = file.activation("x", &[1, 4], FLOAT);
        file.inputs = vec![i, x];
        file.outputs = build(file, i, x).to_vec();
    });
    let zero = file.integer("zero", 0);
    let (i, y) = (file.activation("i1", &[], INT32), file.activation("y", &[1, 4], FLOAT));
    file.repeat([condition, body], &[zero, 0], &[i, y]);
    file.outputs = vec![y];
    file.bytes()
}

#[test]
fn loops_that_do_not_end_or_take_what_is_not_there_are_said_once() {
    let causes = |file: &[u8]| check(file).expect("a sound file").iter().map(ToString::to_string).collect::<Vec<_>>();
    // No turn at all.
    let graph = read(&counting(0, |file, i, x| [file.counted(i, 1), x])).expect("a network");
    assert_eq!(graph.operators.len(), 1);
    // A counter that stands still, and turns without operators.
    for by in [0, -1] {
        let double = |file: &mut File, i: i32, x: i32| {
            let y = file.activation("y", &[1, 4], FLOAT);
            file.operator(Builtin::Add, &[x, x], &[y], Options::Arithmetic { activation: 0 });
            [file.counted(i, by), y]
        };
        let found = causes(&counting(3, double));
        assert!(found.len() == 1 && found[0].contains("WHILE"), "{found:?}");
    }
    let found = causes(&counting(3, |_, i, x| [i, x]));
    assert!(found.len() == 1 && found[0].contains("WHILE"), "{found:?}");
    // An operator that is not supported, in each of three turns.
    let found = causes(&counting(3, |file, i, x| {
        let y = file.activation("y", &[1, 4], FLOAT);
        file.foreign(26, &[x], &[y], None);
        [file.counted(i, 1), y]
    }));
    assert!(found.len() == 1 && found[0].contains("WHILE") && found[0].contains("subgraph"), "{found:?}");
}

#[test]
fn refusals_name_the_loop_and_what_is_wrong_with_it() {
    let double = |file: &mut File, x: i32| {
        let y = file.activation("y", &[1, 4], FLOAT);
        file.operator(Builtin::Add, &[x, x], &[y], Options::Arithmetic { activation: 0 });
        y
    };
    // A counter that ends next to the largest integer, or that is drawn from data.
    let nearly = |file: &mut File, i: i32, x: i32| {
        let by = file.integer("much", i32::MAX / 2);
        let next = file.activation("count", &[], INT32);
        file.operator(Builtin::Add, &[i, by], &[next], Options::Arithmetic { activation: 0 });
        [next, double(file, x)]
    };
    let from_data = |file: &mut File, _: i32, x: i32| {
        let next = file.activation("count", &[], INT32);
        file.operator(Builtin::ArgMax, &[x, 0], &[next], Options::ArgMax { output_type: 2 });
        [next, x]
    };
    // A subgraph that a WHILE is to run; 0 is the network, 1 the condition, 2 the body, which doubles and runs what it is told to.
    let runs = |number: i32| {
        let mut file = File::new();
        let condition = file.below(3, &[(&[1, 4], FLOAT)]);
        let body = file.subgraph(|file| {
            let (i, x) = (file.activation("i", &[], INT32), file.activation("x", &[1, 4], FLOAT));
            file.inputs = vec![i, x];
            let (next, y) = (file.counted(i, 1), file.activation("y", &[1, 4], FLOAT));
            let end = file.activation("end", &[], INT32);
            file.repeat([1, number], &[next, x], &[end, y]);
            file.outputs = vec![next, y];
        });
        let (zero, end) = (file.integer("zero", 0), file.activation("end", &[], INT32));
        let y = file.activation("y", &[1, 4], FLOAT);
        file.repeat([condition, body], &[zero, 0], &[end, y]);
        file.outputs = vec![y];
        file.bytes()
    };
    // A list of two places, read at the third.
    let list = |at: i32, count: i32| {
        let mut file = File::new();
        let [xs, y] = [("xs", VARIANT), ("y", FLOAT)].map(|(name, element)| file.activation(name, &[4], element));
        let (shape, place) = (file.integers("shape", &[4]), file.integer("place", at));
        let n = file.integer("n", count);
        let made = if count > 0 { ("TensorListReserve", [shape, n]) } else { ("TensorListFromTensor", [0, shape]) };
        file.custom(made.0, &made.1, &[xs]);
        file.custom("TensorListGetItem", &[xs, place, shape], &[y]);
        file.outputs = vec![y];
        file.bytes()
    };
    for (bytes, expected) in [
        (
            counting(30_000, |file, i, x| [file.counted(i, 1), double(file, x)]),
            "after 10000 turns of subgraph 2, all loops have come to more than 20000 operators",
        ),
        (
            counting(30_000, |file, i, x| [file.counted(i, 1), x]),
            "after 18181 turns of subgraph 2, all loops have come to more than 200000 tensors and operators",
        ),
        (counting(3, |_, i, x| [i, x]), "it does not end within 20000 turns of subgraph 2; give the layer fewer steps"),
        (counting(i32::MAX, nearly), "\"count\", by which it counts its turns, leaves the range of its type in turn 3"),
        (counting(3, from_data), "whether it ends after 1 turns depends on \"count\", which is not known when reading"),
        (runs(9), "it runs subgraph 9, and the file has 3, numbered from 0"),
        (runs(-1), "it runs subgraph -1, and the file has 3"),
        (runs(0), "it runs subgraph 0, the one that it is in: a recursion"),
        (runs(2), "it runs subgraph 2, which it is in itself: a recursion"),
        (runs(1), "it hands 2 tensors to subgraph 1 and takes 2 back, and that takes 2 and gives 1"),
        (list(1, 0), "it reads past the end of a list of 1 tensors"),
        (list(2, 2), "it reads past the end of a list of 2 tensors"),
        (list(0, 2), "it reads from a list of 2 tensors what nothing has put there"),
    ] {
        let found = check(&bytes).expect("a sound file");
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}: {said:?}");
        assert!(found.iter().all(|f| !f.hint.is_empty()), "{said:?}");
    }
}

#[test]
fn loops_in_loops_read_their_subgraphs_once() {
    let turns = [400, 20];
    let mut file = File::new();
    let conditions = turns.map(|limit| file.below(limit, &[(&[1, 4], FLOAT)]));
    let body = |file: &mut File, build: &dyn Fn(&mut File, i32, i32)| {
        file.subgraph(|file| {
            let i = file.activation("i", &[], INT32);
            let [x, y] = ["x", "y"].map(|name| file.activation(name, &[1, 4], FLOAT));
            file.inputs = vec![i, x];
            build(file, x, y);
            file.outputs = vec![file.counted(i, 1), y];
        })
    };
    let run = |file: &mut File, subgraphs: [i32; 2], x: i32, y: i32| {
        let zero = file.integer("zero", 0);
        let end = file.activation("end", &[], INT32);
        file.repeat(subgraphs, &[zero, x], &[end, y]);
    };
    let inner = body(&mut file, &|file, x, y| file.operator(Builtin::Tanh, &[x], &[y], Options::None));
    let outer = body(&mut file, &|file, x, y| run(file, [conditions[1], inner], x, y));
    let y = file.activation("y", &[1, 4], FLOAT);
    run(&mut file, [conditions[0], outer], 0, y);
    file.outputs = vec![y];
    let graph = read(&file.bytes()).expect("a network");
    validate(&graph).expect("a valid graph");
    let count = graph.operators.iter().filter(|o| o.op == Op::Unary(smidgen_ir::UnaryKind::Tanh)).count();
    assert_eq!(count as i32, turns[0] * turns[1]);
}

#[test]
fn a_list_holds_what_was_set_last() {
    // The hostile file: each turn sets another place.
    let graph = read(&files::list_loop()).expect("a network");
    let pack = graph.operators.iter().find(|o| matches!(o.op, Op::Pack { .. })).expect("what stacks the list");
    assert_eq!(pack.inputs.len() as i32, files::LIST_TURNS);
}
