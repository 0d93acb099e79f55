//! Files that are wrong in one place, built from the same tables as good ones.

use crate::flat::Many;
use crate::schema::{
    CUSTOM, IDENTIFIER, VERSION, buffer, model, operator, operator_code, quantization, subgraph, tensor, while_options,
};
use crate::support::{Builtin, options};
use crate::write::options::{Options, node};
use crate::write::tree::{Node, serialise};

pub(crate) const RESOURCE: i8 = 13;
pub(crate) const VARIANT: i8 = 14;
pub(crate) const BOOL: i8 = 6;
/// LESS in the schema.
pub(crate) const LESS: i32 = 58;
/// CUMSUM in the schema.
pub(crate) const CUMSUM: i32 = 128;
/// ONE_HOT in the schema, and its options.
pub(crate) const ONE_HOT: (i32, u8) = (85, 61);
/// SPACE_TO_DEPTH in the schema, and its options.
pub(crate) const SPACE_TO_DEPTH: (i32, u8) = (26, 19);
/// WHILE in the schema, and its options.
const WHILE: (i32, u8) = (119, 93);
pub(crate) const FLOAT: i8 = 0;
pub(crate) const INT32: i8 = 2;
pub(crate) const UINT8: i8 = 3;
pub(crate) const INT8: i8 = 9;
pub(crate) const INT16: i8 = 7;
pub(crate) const INT4: i8 = 17;

/// A file in the making. It starts with one input, tensor 0 `x`: float32 of shape 1x4.
pub(crate) struct File {
    pub version: u32,
    pub tensors: Vec<Node<'static>>,
    pub buffers: Vec<Node<'static>>,
    pub codes: Vec<Node<'static>>,
    pub operators: Vec<Node<'static>>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    /// Subgraphs beside the first.
    pub subgraphs: Vec<Node<'static>>,
}

impl File {
    pub(crate) fn new() -> Self {
        Self {
            version: VERSION,
            tensors: vec![tensor_node("x", &[1, 4], FLOAT)],
            buffers: vec![Node::default()],
            codes: Vec::new(),
            operators: Vec::new(),
            inputs: vec![0],
            outputs: Vec::new(),
            subgraphs: Vec::new(),
        }
    }

    /// A file whose only operator reads tensor 0 and writes tensor 1, `y`, of `shape`.
    pub(crate) fn one(builtin: Builtin, options: Options, shape: &[i32]) -> Self {
        let mut file = Self::new();
        file.activation("y", shape, FLOAT);
        file.operator(builtin, &[0], &[1], options);
        file.outputs = vec![1];
        file
    }

    /// Adds a tensor and gives its index.
    pub(crate) fn tensor(&mut self, node: Node<'static>) -> i32 {
        self.tensors.push(node);
        self.tensors.len() as i32 - 1
    }

    pub(crate) fn activation(&mut self, name: &str, shape: &[i32], element: i8) -> i32 {
        self.tensor(tensor_node(name, shape, element))
    }

    pub(crate) fn constant(&mut self, name: &str, shape: &[i32], element: i8, bytes: Vec<u8>) -> i32 {
        let index = self.buffer(Node::default().with(buffer::data, bytes.leak()));
        self.tensor(tensor_node(name, shape, element).with(tensor::buffer, index))
    }

    /// A constant of type int32 with one dimension.
    pub(crate) fn integers(&mut self, name: &str, values: &[i32]) -> i32 {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, &[values.len() as i32], INT32, bytes)
    }

    pub(crate) fn buffer(&mut self, node: Node<'static>) -> u32 {
        self.buffers.push(node);
        self.buffers.len() as u32 - 1
    }

    pub(crate) fn operator(&mut self, builtin: Builtin, inputs: &[i32], outputs: &[i32], with: Options) {
        let record = self.operator_record(builtin, inputs, outputs, with);
        self.operators.push(record);
    }

    fn operator_record(&mut self, builtin: Builtin, inputs: &[i32], outputs: &[i32], with: Options) -> Node<'static> {
        let code = self.code(builtin.code());
        let record = operator_node(code, inputs, outputs);
        match node(&with) {
            Some(table) => {
                record.with(operator::builtin_options_type, options(builtin)).with(operator::builtin_options, table)
            }
            None => record,
        }
    }

    /// Adds a variable's handle by VAR_HANDLE, and gives its tensor.
    pub(crate) fn handle(&mut self, shared_name: &str) -> i32 {
        let handle = self.activation(shared_name, &[], RESOURCE);
        let with = Options::VarHandle { shared_name: shared_name.into() };
        self.operator(Builtin::VarHandle, &[], &[handle], with);
        handle
    }

    /// Adds a subgraph that assigns constants to variables; the index that CALL_ONCE names it by.
    pub(crate) fn initial(&mut self, values: Vec<(&str, &[i32], i8, Vec<u8>)>) -> i32 {
        let (mut tensors, mut operators) = (Vec::new(), Vec::new());
        for (name, shape, element, bytes) in values {
            let at = tensors.len() as i32;
            let buffer = self.buffer(Node::default().with(buffer::data, bytes.leak()));
            tensors.push(tensor_node(name, &[], RESOURCE));
            tensors.push(tensor_node("value", shape, element).with(tensor::buffer, buffer));
            let with = Options::VarHandle { shared_name: name.into() };
            operators.push(self.operator_record(Builtin::VarHandle, &[], &[at], with));
            operators.push(self.operator_record(Builtin::AssignVariable, &[at, at + 1], &[], Options::None));
        }
        let subgraph = Node::default()
            .with(subgraph::tensors, tensors)
            .with(subgraph::inputs, Vec::new())
            .with(subgraph::outputs, Vec::new())
            .with(subgraph::operators, operators);
        self.subgraphs.push(subgraph);
        self.subgraphs.len() as i32
    }

    /// Adds a subgraph that `build` fills, which begins empty, and gives its number.
    pub(crate) fn subgraph(&mut self, build: impl FnOnce(&mut Self)) -> i32 {
        use std::mem::take;
        let outer =
            (take(&mut self.tensors), take(&mut self.operators), take(&mut self.inputs), take(&mut self.outputs));
        build(self);
        let subgraph = Node::default()
            .with(subgraph::tensors, take(&mut self.tensors))
            .with(subgraph::inputs, take(&mut self.inputs))
            .with(subgraph::outputs, take(&mut self.outputs))
            .with(subgraph::operators, take(&mut self.operators));
        (self.tensors, self.operators, self.inputs, self.outputs) = outer;
        self.subgraphs.push(subgraph);
        self.subgraphs.len() as i32
    }

    /// Adds a constant of one int32.
    pub(crate) fn integer(&mut self, name: &str, value: i32) -> i32 {
        self.constant(name, &[], INT32, value.to_le_bytes().to_vec())
    }

    /// Adds a subgraph that says whether a counter, its first input, is below a limit; the others have these shapes and types.
    pub(crate) fn below(&mut self, limit: i32, others: &[(&[i32], i8)]) -> i32 {
        self.subgraph(|file| {
            let i = file.activation("i", &[], INT32);
            let others = others.iter().map(|(shape, element)| file.activation("other", shape, *element)).collect();
            file.inputs = [vec![i], others].concat();
            let n = file.integer("n", limit);
            let more = file.activation("more", &[], BOOL);
            file.foreign(LESS, &[i, n], &[more], None);
            file.outputs = vec![more];
        })
    }

    /// Adds the sum of a counter and a number, and gives its tensor.
    pub(crate) fn counted(&mut self, i: i32, by: i32) -> i32 {
        let by = self.integer("by", by);
        let next = self.activation("next", &[], INT32);
        self.operator(Builtin::Add, &[i, by], &[next], Options::Arithmetic { activation: 0 });
        next
    }

    /// Adds a WHILE of two subgraphs.
    pub(crate) fn repeat(&mut self, [condition, body]: [i32; 2], inputs: &[i32], outputs: &[i32]) {
        let options = Node::default()
            .with(while_options::cond_subgraph_index, condition)
            .with(while_options::body_subgraph_index, body);
        self.foreign(WHILE.0, inputs, outputs, Some((WHILE.1, options)));
    }

    /// Adds an operator by its number in the schema, with a table of options of this number.
    pub(crate) fn foreign(&mut self, code: i32, inputs: &[i32], outputs: &[i32], with: Option<(u8, Node<'static>)>) {
        let code = self.code(code);
        let record = operator_node(code, inputs, outputs);
        self.operators.push(match with {
            Some((tag, table)) => {
                record.with(operator::builtin_options_type, tag).with(operator::builtin_options, table)
            }
            None => record,
        });
    }

    /// Adds a custom operator of this name.
    pub(crate) fn custom(&mut self, name: &'static str, inputs: &[i32], outputs: &[i32]) {
        let code = self.code(CUSTOM);
        let record = std::mem::take(&mut self.codes[code as usize]).with(operator_code::custom_code, name.into());
        self.codes[code as usize] = record;
        self.operators.push(operator_node(code, inputs, outputs));
    }

    pub(crate) fn code(&mut self, code: i32) -> u32 {
        self.codes.push(Node::default().with(operator_code::builtin_code, code));
        self.codes.len() as u32 - 1
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let subgraph = Node::default()
            .with(subgraph::tensors, self.tensors)
            .with(subgraph::inputs, self.inputs)
            .with(subgraph::outputs, self.outputs)
            .with(subgraph::operators, self.operators);
        let root = Node::default()
            .with(model::version, self.version)
            .with::<Many>(model::operator_codes, self.codes)
            .with(model::subgraphs, [subgraph].into_iter().chain(self.subgraphs).collect())
            .with(model::buffers, self.buffers);
        serialise(&root, IDENTIFIER, 1024)
    }
}

pub(crate) fn tensor_node(name: &str, shape: &[i32], element: i8) -> Node<'static> {
    Node::default()
        .with(tensor::shape, shape.to_vec())
        .with(tensor::element, element)
        .with(tensor::name, name.to_string())
}

pub(crate) fn operator_node(code: u32, inputs: &[i32], outputs: &[i32]) -> Node<'static> {
    Node::default()
        .with(operator::opcode_index, code)
        .with(operator::inputs, inputs.to_vec())
        .with(operator::outputs, outputs.to_vec())
}

/// A tensor `q` of type int8 and shape 1x4 with these scales and zero points along this axis.
pub(crate) fn quantised(scales: &[f32], zero_points: &[i64], axis: i32) -> Node<'static> {
    quantised_as(tensor_node("q", &[1, 4], INT8), scales, zero_points, axis)
}

/// The tensor with these scales and zero points along this axis.
pub(crate) fn quantised_as(node: Node<'static>, scales: &[f32], zero_points: &[i64], axis: i32) -> Node<'static> {
    let parameters = Node::default()
        .with(quantization::scale, scales.to_vec())
        .with(quantization::zero_point, zero_points.to_vec())
        .with(quantization::quantized_dimension, axis);
    node.with(tensor::quantization, parameters)
}

/// Every place of the file that holds the forward offset to `target`, which is made to point to `to` instead.
pub(crate) fn redirect(bytes: &mut [u8], target: usize, to: usize) {
    for place in (0..bytes.len() - 3).step_by(4) {
        let word: [u8; 4] = bytes[place..place + 4].try_into().unwrap_or_default();
        if place < target && u32::from_le_bytes(word) as usize == target - place {
            bytes[place..place + 4].copy_from_slice(&((to - place) as u32).to_le_bytes());
        }
    }
}

/// Byte offset of the first place that holds these bytes.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("the bytes are in the file")
}
