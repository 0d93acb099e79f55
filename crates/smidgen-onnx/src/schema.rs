//! The messages of an ONNX file that matter here, as views of the file. Field numbers are those of onnx.proto.
//!
//! Lists are charged to the budget before they are kept: two bytes of the file can ask for a node.

use crate::wire::{Message, WireError};
use smidgen_ir::front::{Budget, OverBudget};

/// Why a message could not be taken in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The file is damaged.
    WireError(WireError),
    /// It asks for too much memory.
    Over(OverBudget),
}

impl From<WireError> for Refused {
    fn from(fault: WireError) -> Self {
        Self::WireError(fault)
    }
}

impl From<OverBudget> for Refused {
    fn from(over: OverBudget) -> Self {
        Self::Over(over)
    }
}

/// An empty list with room for just the fields of this number, charging what they take: files hold many short lists, which
/// would otherwise take four entries each.
fn list<T>(message: Message<'_>, number: u32, budget: &Budget) -> Result<Vec<T>, Refused> {
    // A field that is damaged ends the message; who reads it reports that.
    let count =
        message.fields().take_while(Result::is_ok).filter(|f| f.as_ref().is_ok_and(|f| f.number == number)).count();
    budget.take(count * size_of::<T>())?;
    Ok(Vec::with_capacity(count))
}

/// A network and the operator sets that its nodes are of.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    /// Version of the default operator set.
    pub opset: Option<i64>,
    /// The main graph.
    pub graph: Option<Graph<'a>>,
    /// How many functions it defines.
    pub functions: usize,
}

impl<'a> Model<'a> {
    pub fn of(file: &'a [u8], budget: &Budget) -> Result<Self, Refused> {
        let mut model = Self { opset: None, graph: None, functions: 0 };
        for field in Message::root("ModelProto", file).fields() {
            let field = field?;
            match field.number {
                7 => model.graph = Some(Graph::of(field.message("GraphProto")?, budget)?),
                8 => {
                    let (mut domain, mut version) = ("", 0);
                    for field in field.message("OperatorSetIdProto")?.fields() {
                        let field = field?;
                        match field.number {
                            1 => domain = field.text()?,
                            2 => version = field.int()?,
                            _ => {}
                        }
                    }
                    if domain.is_empty() || domain == "ai.onnx" {
                        model.opset = Some(version);
                    }
                }
                25 => model.functions += 1,
                _ => {}
            }
        }
        Ok(model)
    }
}

/// Nodes, constants, inputs and outputs.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub name: &'a str,
    pub nodes: Vec<Node<'a>>,
    pub initializers: Vec<TensorView<'a>>,
    /// How many constants are sparse.
    pub sparse: usize,
    pub inputs: Vec<ValueInfo<'a>>,
    pub outputs: Vec<ValueInfo<'a>>,
}

impl<'a> Graph<'a> {
    fn of(message: Message<'a>, budget: &Budget) -> Result<Self, Refused> {
        let mut graph = Self {
            name: "",
            nodes: list(message, 1, budget)?,
            initializers: list(message, 5, budget)?,
            sparse: 0,
            inputs: list(message, 11, budget)?,
            outputs: list(message, 12, budget)?,
        };
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => graph.nodes.push(Node::of(field.message("NodeProto")?, budget)?),
                2 => graph.name = field.text()?,
                5 => graph.initializers.push(TensorView::of(field.message("TensorProto")?, budget)?),
                11 | 12 => {
                    let info = ValueInfo::of(field.message("ValueInfoProto")?, budget)?;
                    let list = if field.number == 11 { &mut graph.inputs } else { &mut graph.outputs };
                    list.push(info);
                }
                15 => graph.sparse += 1,
                _ => {}
            }
        }
        Ok(graph)
    }
}

/// One operator.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub name: &'a str,
    pub op: &'a str,
    pub domain: &'a str,
    /// Names of what it reads; empty for an absent optional input.
    pub inputs: Vec<&'a str>,
    /// Names of what it writes; empty for an unwanted optional output.
    pub outputs: Vec<&'a str>,
    pub attributes: Vec<Attribute<'a>>,
}

impl<'a> Node<'a> {
    fn of(message: Message<'a>, budget: &Budget) -> Result<Self, Refused> {
        let mut node = Self {
            name: "",
            op: "",
            domain: "",
            inputs: list(message, 1, budget)?,
            outputs: list(message, 2, budget)?,
            attributes: list(message, 5, budget)?,
        };
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => node.name = field.text()?,
                4 => node.op = field.text()?,
                5 => node.attributes.push(Attribute::of(field.message("AttributeProto")?)?),
                7 => node.domain = field.text()?,
                _ => {}
            }
        }
        Ok(node)
    }
}

/// A named parameter of a node. Its value is looked at when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub name: &'a str,
    message: Message<'a>,
}

impl<'a> Attribute<'a> {
    fn of(message: Message<'a>) -> Result<Self, WireError> {
        let mut name = "";
        for field in message.fields() {
            let field = field?;
            if field.number == 1 {
                name = field.text()?;
            }
        }
        Ok(Self { name, message })
    }

    pub fn fault(&self, what: impl Into<String>) -> WireError {
        self.message.fault(what)
    }

    pub fn int(&self) -> Result<Option<i64>, WireError> {
        self.last(3, |field| field.int())
    }

    pub fn float(&self) -> Result<Option<f32>, WireError> {
        self.last(2, |field| field.float())
    }

    pub fn text(&self) -> Result<Option<&'a str>, WireError> {
        self.last(4, |field| field.text())
    }

    /// A list of texts.
    pub fn texts(&self, budget: &Budget) -> Result<Vec<&'a str>, Refused> {
        budget.take(16 * self.message.len())?;
        let mut list = Vec::new();
        for field in self.message.fields() {
            let field = field?;
            if field.number == 9 {
                list.push(field.text()?);
            }
        }
        Ok(list)
    }

    pub fn tensor(&self, budget: &Budget) -> Result<Option<TensorView<'a>>, Refused> {
        let mut found = None;
        for field in self.message.fields() {
            let field = field?;
            if field.number == 5 {
                found = Some(TensorView::of(field.message("TensorProto")?, budget)?);
            }
        }
        Ok(found)
    }

    pub fn ints(&self, budget: &Budget) -> Result<Vec<i64>, Refused> {
        // A packed number takes at least a byte.
        budget.take(16 * self.message.len())?;
        let mut list = Vec::new();
        for field in self.message.fields() {
            let field = field?;
            if field.number == 8 {
                field.ints(|value| list.push(value))?;
            }
        }
        Ok(list)
    }

    pub fn floats(&self, budget: &Budget) -> Result<Vec<f32>, Refused> {
        budget.take(2 * self.message.len())?;
        let mut list = Vec::new();
        for field in self.message.fields() {
            let field = field?;
            if field.number == 7 {
                field.fixed(4, |bytes| {
                    list.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
                })?;
            }
        }
        Ok(list)
    }

    fn last<T>(
        &self,
        number: u32,
        get: impl Fn(&crate::wire::Field<'a>) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        let mut found = None;
        for field in self.message.fields() {
            let field = field?;
            if field.number == number {
                found = Some(get(&field)?);
            }
        }
        Ok(found)
    }
}

/// A constant: its elements in one of several fields, or in another file.
#[derive(Clone, Debug)]
pub(crate) struct TensorView<'a> {
    pub message: Message<'a>,
    pub name: &'a str,
    pub dims: Vec<i64>,
    /// Value of `TensorProto.DataType`.
    pub data_type: i64,
    /// Little endian, row-major, where it is there.
    pub raw: Option<&'a [u8]>,
    /// Where in another file its elements are.
    pub external: Option<External<'a>>,
}

/// A range of another file, which lies beside the network's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct External<'a> {
    /// The file, relative to the network's folder.
    pub location: &'a str,
    /// First byte.
    pub offset: u64,
    /// Number of bytes; to the end of the file where it is not given.
    pub length: Option<u64>,
}

impl<'a> TensorView<'a> {
    fn of(message: Message<'a>, budget: &Budget) -> Result<Self, Refused> {
        let mut tensor = Self { message, name: "", dims: Vec::new(), data_type: 0, raw: None, external: None };
        let mut external = External::default();
        let mut elsewhere = false;
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => {
                    budget.take(16 * field.bytes().map_or(1, <[u8]>::len))?;
                    field.ints(|dim| tensor.dims.push(dim))?;
                }
                2 => tensor.data_type = field.int()?,
                8 => tensor.name = field.text()?,
                9 => tensor.raw = Some(field.bytes()?),
                13 => {
                    let (mut key, mut value) = ("", "");
                    let entry = field.message("StringStringEntryProto")?;
                    for field in entry.fields() {
                        let field = field?;
                        match field.number {
                            1 => key = field.text()?,
                            2 => value = field.text()?,
                            _ => {}
                        }
                    }
                    let number = || value.parse().map_err(|_| entry.fault(format!("`{key}` is not a number")));
                    match key {
                        "location" => external.location = value,
                        "offset" => external.offset = number()?,
                        "length" => external.length = Some(number()?),
                        _ => {}
                    }
                }
                14 => elsewhere = field.int()? == 1,
                _ => {}
            }
        }
        tensor.external = elsewhere.then_some(external);
        Ok(tensor)
    }

    /// Goes through the elements in typed fields, as `i64` values or little-endian bytes of floats.
    pub fn typed(&self, mut ints: impl FnMut(i64), mut floats: impl FnMut(usize, &[u8])) -> Result<(), WireError> {
        for field in self.message.fields() {
            let field = field?;
            match field.number {
                4 => field.fixed(4, |bytes| floats(4, bytes))?,
                10 => field.fixed(8, |bytes| floats(8, bytes))?,
                5 | 7 | 11 => field.ints(&mut ints)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A size along one axis of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dim<'a> {
    Size(i64),
    /// Left open, perhaps with a name.
    Symbol(&'a str),
}

/// An input or output of the graph.
#[derive(Debug)]
pub(crate) struct ValueInfo<'a> {
    pub name: &'a str,
    /// Value of `TensorProto.DataType`; `None` if it is not a tensor.
    pub data_type: Option<i64>,
    /// `None` if not even the number of axes is given.
    pub dims: Option<Vec<Dim<'a>>>,
}

impl<'a> ValueInfo<'a> {
    fn of(message: Message<'a>, budget: &Budget) -> Result<Self, Refused> {
        let mut info = Self { name: "", data_type: None, dims: None };
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => info.name = field.text()?,
                2 => {
                    for field in field.message("TypeProto")?.fields() {
                        let field = field?;
                        if field.number == 1 {
                            info.tensor(field.message("TypeProto.Tensor")?, budget)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(info)
    }

    fn tensor(&mut self, message: Message<'a>, budget: &Budget) -> Result<(), Refused> {
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => self.data_type = Some(field.int()?),
                2 => {
                    let shape = field.message("TensorShapeProto")?;
                    let dims = self.dims.insert(list(shape, 1, budget)?);
                    for field in shape.fields() {
                        let field = field?;
                        if field.number != 1 {
                            continue;
                        }
                        let mut dim = Dim::Symbol("");
                        for field in field.message("TensorShapeProto.Dimension")?.fields() {
                            let field = field?;
                            match field.number {
                                1 => dim = Dim::Size(field.int()?),
                                2 => dim = Dim::Symbol(field.text()?),
                                _ => {}
                            }
                        }
                        dims.push(dim);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
