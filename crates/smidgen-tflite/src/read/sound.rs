//! Sound files in forms that our writer never makes: nothing that the reference loads may be called damaged.
//!
//! Files are drawn from a seed: every operator of the schema, with every element type, with operands that are constant, computed or
//! absent, options of its own or none, and what else a file may say beside. Whatever the reader calls malformed is handed to the
//! reference, which must refuse it too.

use crate::hostile::build::{File, operator_node, quantised_as, tensor_node};
use crate::schema::{OPERATORS, TENSOR_TYPES, buffer, model, operator, quantization, subgraph, tensor};
use crate::support::{Builtin, SUPPORTED, options};
use crate::write::options::{Options, node};
use crate::write::tree::{Node, serialise};
use crate::{ErrorKind, ReadError, read};
use smidgen_reference::{Case, Reference};
use std::fmt::Write as _;

/// Reproducible numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Bits of an element of each type of tensor, by its number in the schema; 0 where a buffer is no list of elements.
const BITS: [usize; 23] = [32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8];

/// Types that networks mostly have: float32, int8, uint8, int32, float16, int16.
const USUAL: [i8; 6] = [0, 9, 3, 2, 1, 7];

const SHAPES: [&[i32]; 8] = [&[1, 4, 4, 2], &[1, 8], &[4], &[], &[2, 3], &[1, 1, 6], &[1, 4, 4, 4], &[2]];

/// Options with which an operator of these shapes makes sense.
fn options_of(builtin: Builtin, random: &mut Random) -> Options {
    let (one, activation) = ([1, 1], random.of(&[0, 0, 0, 1, 3, 4]));
    let padding = random.below(2) as i8;
    match builtin {
        Builtin::Conv2d => Options::Conv { padding, stride: one, dilation: one, activation },
        Builtin::DepthwiseConv2d => {
            Options::Depthwise { padding, stride: one, dilation: one, activation, multiplier: random.below(2) as i32 }
        }
        Builtin::TransposeConv => Options::TransposeConv { padding, stride: one, activation: 0 },
        Builtin::FullyConnected => Options::FullyConnected {
            activation,
            keep_num_dims: random.one_in(2),
            asymmetric_quantize_inputs: random.one_in(2),
        },
        Builtin::Add | Builtin::Sub | Builtin::Mul | Builtin::Div => Options::Arithmetic { activation },
        Builtin::AveragePool2d | Builtin::MaxPool2d => {
            Options::Pool { padding, stride: one, window: [2, 2], activation }
        }
        Builtin::Mean | Builtin::Sum => Options::Reducer { keep_dims: random.one_in(2) },
        Builtin::Reshape => Options::Reshape { new_shape: random.of(&[&[-1][..], &[32], &[]]).to_vec() },
        Builtin::Squeeze => Options::Squeeze { dims: random.of(&[&[][..], &[0], &[-1]]).to_vec() },
        Builtin::Concatenation => Options::Concatenation { axis: random.of(&[0, -1, 1]), activation: 0 },
        Builtin::Split => Options::Split { parts: 2 },
        Builtin::Pack => Options::Pack { values: 2, axis: random.of(&[0, -1]) },
        Builtin::Unpack => Options::Unpack { values: 2, axis: random.of(&[0, -1]) },
        Builtin::StridedSlice => Options::StridedSlice { shrink: random.below(2) as i32 },
        Builtin::ResizeBilinear => Options::ResizeBilinear { align_corners: false, half_pixel_centers: true },
        Builtin::ResizeNearestNeighbor => Options::ResizeNearest { align_corners: false, half_pixel_centers: true },
        Builtin::Softmax => Options::Softmax { beta: 1.0 },
        Builtin::LeakyRelu => Options::LeakyRelu { alpha: 0.1 },
        Builtin::ArgMax => Options::ArgMax { output_type: random.of(&[2, 4]) },
        _ => Options::None,
    }
}

/// Scales and zero points in every form that files have them in, some of them without sense.
fn quantised(node: Node<'static>, shape: &[i32], element: i8, random: &mut Random) -> Node<'static> {
    let zero = if element == 3 { 128 } else { 0 };
    match random.below(9) {
        0..=3 => quantised_as(node, &[0.5], &[zero], random.below(3) as i32),
        4 => quantised_as(node, &[], &[], 0),
        5 if !shape.is_empty() => {
            let axis = random.below(shape.len());
            let count = shape[axis] as usize;
            quantised_as(node, &vec![0.25; count], &vec![0; count], axis as i32)
        }
        6 => node.with(tensor::quantization, Node::default().with(quantization::scale, vec![0.5])),
        7 => node.with(tensor::quantization, Node::default()),
        _ => node,
    }
}

/// A constant's bytes: small numbers, so that lists of sizes and axes make sense now and then.
fn elements(shape: &[i32], element: i8, random: &mut Random) -> Vec<u8> {
    let bits = BITS[element as usize];
    let count: i32 = shape.iter().product();
    if bits == 0 {
        return vec![0; 8];
    }
    let mut bytes = vec![0; (count as usize * bits).div_ceil(8)];
    bytes.chunks_mut(bits.div_ceil(8)).for_each(|element| element[0] = random.of(&[0, 1, 1, 2, 4]));
    bytes
}

/// A file in the making, and what it is in words.
struct Draft<'r> {
    file: File,
    random: &'r mut Random,
    words: String,
}

impl Draft<'_> {
    fn element(&mut self) -> i8 {
        if self.random.one_in(3) { self.random.below(TENSOR_TYPES.len()) as i8 } else { self.random.of(&USUAL) }
    }

    fn tensor(&mut self, shape: &[i32], element: i8, constant: bool) -> i32 {
        let mut node = tensor_node(self.random.of(&["a", "b", ""]), shape, element);
        if element != 0 || self.random.one_in(8) {
            node = quantised(node, shape, element, self.random);
        }
        if self.random.one_in(12) {
            node = node.with(tensor::shape_signature, shape.iter().map(|&d| if d == 1 { -1 } else { d }).collect());
        }
        if constant {
            let bytes: &'static [u8] = elements(shape, element, self.random).leak();
            let index = self.file.buffer(Node::default().with(buffer::data, bytes));
            node = node.with(tensor::buffer, index);
        } else if self.random.one_in(16) {
            node = node.with(tensor::is_variable, true);
        }
        let what = if constant { "constant " } else { "" };
        write!(self.words, ", {what}{} {shape:?}", TENSOR_TYPES[element as usize]).expect("a string takes anything");
        self.file.tensor(node)
    }

    /// Operands that suit an operator on `x`, or anything.
    fn operands(&mut self, code: i32, x: &[i32], element: i8) -> Vec<i32> {
        let suited = Builtin::from_code(code).filter(|_| !self.random.one_in(4));
        let constant = !self.random.one_in(4);
        let (rank, depth) = (x.len() as i32, x.last().copied().unwrap_or(1));
        let list = |draft: &mut Self, length: i32| draft.tensor(&[length], 2, constant);
        match suited {
            Some(Builtin::Conv2d | Builtin::DepthwiseConv2d) => {
                let other = self.element();
                let weights = self.random.of(&[element, element, 9, other]);
                let w = self.tensor(&[if code == 4 { 1 } else { depth }, 1, 1, depth], weights, constant);
                let bias = self.random.of(&[0, 2]);
                let b = self.tensor(&[depth], bias, constant);
                vec![0, w, if self.random.one_in(3) { -1 } else { b }]
            }
            Some(Builtin::FullyConnected) => {
                let weights = self.random.of(&[element, element, 9, 3, 17, 1]);
                let w = self.tensor(&[3, depth], weights, constant);
                if self.random.one_in(2) { vec![0, w] } else { vec![0, w, -1] }
            }
            Some(Builtin::Pad | Builtin::PadV2) => {
                let pads = self.tensor(&[rank, 2], self.random.0 as i8 & 2 | 2, constant);
                vec![0, pads]
            }
            Some(Builtin::Split) => {
                let axis = self.tensor(&[], 2, constant);
                vec![axis, 0]
            }
            Some(Builtin::Slice) => vec![0, list(self, rank), list(self, rank)],
            Some(Builtin::StridedSlice) => vec![0, list(self, rank), list(self, rank), list(self, rank)],
            Some(Builtin::Mean | Builtin::Sum | Builtin::ExpandDims | Builtin::ArgMax) => vec![0, list(self, 1)],
            Some(Builtin::Reshape) => vec![0, list(self, 2)],
            Some(Builtin::Transpose) => vec![0, list(self, rank)],
            Some(Builtin::ResizeBilinear | Builtin::ResizeNearestNeighbor) => vec![0, list(self, 2)],
            Some(
                Builtin::Add
                | Builtin::Sub
                | Builtin::Mul
                | Builtin::Div
                | Builtin::Maximum
                | Builtin::Minimum
                | Builtin::Prelu
                | Builtin::Concatenation
                | Builtin::Pack,
            ) => {
                let other = self.tensor(x, element, constant);
                vec![0, other]
            }
            Some(_) => vec![0],
            None => {
                let more = self.random.below(4);
                let mut inputs = vec![0];
                for _ in 0..more {
                    let (shape, element) = (self.random.of(&SHAPES), self.element());
                    let constant = self.random.one_in(2);
                    let operand = self.tensor(shape, element, constant);
                    inputs.push(if self.random.one_in(8) { -1 } else { operand });
                }
                inputs
            }
        }
    }
}

/// A file, and what it is in words.
fn drawn(random: &mut Random) -> (Vec<u8>, String) {
    let code = if random.one_in(3) {
        random.below(OPERATORS.len()) as i32
    } else {
        let name = SUPPORTED[random.below(SUPPORTED.len())].name;
        OPERATORS.iter().position(|known| *known == name).expect("the table is of the schema") as i32
    };
    let file = File { tensors: Vec::new(), ..File::new() };
    let mut draft = Draft { file, random, words: OPERATORS[code as usize].to_string() };
    let element = draft.element();
    let x = if draft.random.one_in(2) { SHAPES[0] } else { draft.random.of(&SHAPES) };
    draft.tensor(x, element, false);
    let inputs = draft.operands(code, x, element);
    // Of what is not constant, everything but x is an input too, mostly.
    let outputs: Vec<i32> = (0..if matches!(code, 49 | 88) { 2 } else { 1 })
        .map(|_| {
            let (shape, of) = (draft.random.of(&[x, x, &[][..]]), draft.random.of(&[element, element, 0, 9, 2, 4]));
            draft.tensor(shape, of, false)
        })
        .collect();
    let with = Builtin::from_code(code).filter(|_| !draft.random.one_in(10)).map(|b| (b, options_of(b, draft.random)));
    let index = draft.file.code(code);
    let mut record = operator_node(index, &inputs, &outputs);
    if let Some((builtin, table)) = with.and_then(|(builtin, with)| Some((builtin, node(&with)?))) {
        record = record.with(operator::builtin_options_type, options(builtin)).with(operator::builtin_options, table);
    } else {
        draft.words.push_str(", without options");
    }
    draft.file.operators.push(record);
    if draft.random.one_in(6) {
        // Something that nothing uses, of whatever kind.
        let (shape, element) = (draft.random.of(&SHAPES), draft.random.below(TENSOR_TYPES.len()) as i8);
        draft.tensor(shape, element, true);
    }
    draft.file.outputs = outputs;
    let more = draft.random.below(12);
    (bytes(draft.file, more, &inputs), draft.words)
}

/// The file's bytes, with what it may say beside.
fn bytes(mut file: File, more: usize, operands: &[i32]) -> Vec<u8> {
    let computed = |&&t: &&i32| t > 0 && !file.tensors[t as usize].holds(tensor::buffer);
    let others: Vec<i32> = operands.iter().filter(computed).copied().collect();
    file.inputs.extend(others);
    if more == 0 {
        // An output that is an input.
        file.outputs.push(0);
    }
    let graph = |file: &mut File| {
        Node::default()
            .with(subgraph::tensors, std::mem::take(&mut file.tensors))
            .with(subgraph::inputs, file.inputs.clone())
            .with(subgraph::outputs, file.outputs.clone())
            .with(subgraph::operators, std::mem::take(&mut file.operators))
    };
    let mut subgraphs = vec![graph(&mut file)];
    if more == 1 {
        let mut second = File::new();
        second.outputs = vec![0];
        subgraphs.push(graph(&mut second).with(subgraph::name, "other".into()));
    }
    if more == 2 {
        // Buffer 0 is empty by convention alone.
        file.buffers[0] = Node::default().with(buffer::data, &[1, 2, 3]);
    }
    let root = Node::default()
        .with(model::version, 3)
        .with(model::operator_codes, file.codes)
        .with(model::subgraphs, subgraphs)
        .with(model::description, "drawn".into())
        .with(model::buffers, file.buffers);
    serialise(&root, "TFL3", 1024)
}

/// Why a file is called malformed; `None` if it is not.
fn malformed(bytes: &[u8]) -> Option<String> {
    let error = match read(bytes) {
        Ok(graph) => ReadError::from(smidgen_ir::validate(&graph).err()?),
        Err(error) => error,
    };
    (error.kind() == ErrorKind::Malformed).then(|| error.to_string())
}

#[test]
fn nothing_that_the_reference_loads_is_called_malformed() {
    let Some(mut reference) = Reference::start_or_skip("sound files in other forms") else { return };
    let cases = std::env::var("SMIDGEN_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(30_000);
    let mut random = Random(8);
    let (mut accepted, mut unsupported, mut blamed) = (0, 0, Vec::new());
    for _ in 0..cases {
        let (bytes, words) = drawn(&mut random);
        match malformed(&bytes) {
            Some(why) => blamed.push((bytes, words, why)),
            None if read(&bytes).is_ok() => accepted += 1,
            None => unsupported += 1,
        }
    }
    let files: Vec<Case> = blamed.iter().map(|(model, ..)| Case { model: model.clone(), ..Case::default() }).collect();
    let results = reference.run_batch(&files);
    let wrong: Vec<String> = blamed
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.is_ok())
        .map(|((_, words, why), _)| format!("{words}\n  {why}"))
        .collect();
    println!("{accepted} accepted, {unsupported} unsupported, {} called malformed", blamed.len());
    assert!(accepted > cases / 20 && unsupported > cases / 20, "the files drawn are of one kind");
    assert!(wrong.is_empty(), "{} sound files called malformed:\n{}", wrong.len(), wrong.join("\n"));
}
