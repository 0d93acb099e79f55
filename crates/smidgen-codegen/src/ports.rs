//! The network's inputs and outputs as the caller of generated code sees them.

use crate::Options;
use crate::source::plain;
use smidgen_ir::front;
use smidgen_ir::{ElementType, Graph, Shape};
use smidgen_program::{BufferId, Operand, Port, Program, Run};

/// An input or output.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct PortInfo {
    /// `""` for the only one, else `_0`, `_1`, ...
    pub suffix: String,
    /// The tensor's name, fit for comments.
    pub tensor: String,
    pub shape: Vec<usize>,
    /// What there is to say where the model file has its elements in another order.
    pub order: Option<String>,
    /// Rust's name of the element type.
    pub element: &'static str,
    pub elements: usize,
    /// Scale and zero point.
    pub quantisation: Option<(f32, i32)>,
    pub place: Place,
    /// The rows that are pushed one by one, if it is streamed.
    pub rows: Option<Rows>,
}

/// Where the elements are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Byte offset in the arena.
    Arena(usize),
    /// Index of the constant.
    Constant(usize),
}

/// How a streamed input is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rows {
    pub count: usize,
    /// Elements of one.
    pub elements: usize,
    /// How many are stored at a time.
    pub slots: usize,
}

impl PortInfo {
    /// Name of a type or constant for it: `Input`, `Input1`.
    pub fn camel(&self, name: &str) -> String {
        format!("{name}{}", self.suffix.trim_start_matches('_'))
    }
}

/// The inputs and the outputs, where it learns the sample and the logits; the options say how the model file orders their axes.
pub(crate) fn ports(program: &Program, graph: &Graph, options: &Options) -> (Vec<PortInfo>, Vec<PortInfo>) {
    let file = options.ports.as_ref();
    let all = |ports: &[Port], file: Option<&[front::Port]>, streams: bool| {
        // What else a training step takes and gives has functions of its own.
        let ports = if options.training.is_some() { ports.get(..1).unwrap_or_default() } else { ports };
        let one = |(i, port): (usize, &Port)| PortInfo {
            order: file.and_then(|file| order(file.get(i)?)),
            ..info(program, graph, i, port, ports.len() == 1, streams)
        };
        ports.iter().enumerate().map(one).collect()
    };
    (
        all(&program.inputs, file.map(|file| file.inputs.as_slice()), true),
        all(&program.outputs, file.map(|file| file.outputs.as_slice()), false),
    )
}

/// How the elements of an array of the model file lie here, if otherwise than there.
fn order(port: &front::Port) -> Option<String> {
    let file = Shape(port.shape.clone());
    let here = match port.is_channels_last() {
        true => "channels last, the channels of a pixel beside each other".to_owned(),
        false => format!("with the file's axes as {:?}", port.axes),
    };
    port.moves_elements().then(|| {
        format!("The model file has it as {file}; here it is {here}: an array made for the file must be transposed.")
    })
}

fn info(program: &Program, graph: &Graph, index: usize, port: &Port, alone: bool, streams: bool) -> PortInfo {
    let tensor = graph.tensor(port.tensor);
    let (place, element) = match port.operand {
        Operand::Buffer(BufferId(id), _) => {
            let buffer = &program.buffers[id as usize];
            (Place::Arena(buffer.offset), rust_type(buffer.spec.element))
        }
        // A constant of 4 bits keeps two to a byte.
        Operand::Constant(id) => {
            let packed = tensor.element() == ElementType::Int4;
            (Place::Constant(id.index()), if packed { "u8" } else { rust_type(tensor.element()) })
        }
    };
    let elements = match port.operand {
        Operand::Buffer(id, _) => program.buffers[id.index()].spec.extent.elements(),
        Operand::Constant(id) => program.constants[id.index()].bytes.len() / crate::call::element_size(element),
    };
    let awaited = |run: &Run| matches!(run, Run::Await { input, .. } if *input == index);
    let rows = port.operand.buffer().filter(|_| streams && program.runs.iter().any(awaited)).map(|id| {
        let buffer = &program.buffers[id.index()];
        let extent = buffer.spec.extent;
        Rows { count: extent.rows, elements: extent.cols * extent.depth, slots: buffer.slots }
    });
    PortInfo {
        suffix: if alone { String::new() } else { format!("_{index}") },
        tensor: plain(&tensor.name),
        shape: tensor.shape.dims().to_vec(),
        order: None,
        element,
        elements,
        quantisation: tensor.per_tensor(),
        place,
        rows,
    }
}

/// How elements lie in the arena; booleans are bytes there, of which the caller may write any.
pub(crate) fn rust_type(element: ElementType) -> &'static str {
    match element {
        ElementType::Float32 => "f32",
        ElementType::Int4 | ElementType::Int8 => "i8",
        ElementType::Int16 => "i16",
        ElementType::Int32 => "i32",
        ElementType::Int64 => "i64",
        ElementType::Uint8 | ElementType::Bool => "u8",
    }
}
