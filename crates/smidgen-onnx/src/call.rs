//! One node as its translation sees it: typed attributes, inputs as constants or tensors.

use crate::constant::{Constant, Element, decode};
use crate::emit::{Active, Emitter, identity};
use crate::node_error::NodeError;
use crate::schema::Node;
use smidgen_ir::{DataType, visible};
use std::rc::Rc;

/// What a name in the file stands for.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Known when reading.
    Constant(Rc<Constant>),
    /// Computed at run time.
    Active(Active),
    /// An unsupported node would have made it.
    Missing,
}

impl Value {
    /// The file's type of its elements.
    pub fn element(&self) -> Result<Element, NodeError> {
        match self {
            Self::Constant(constant) => Ok(constant.element),
            Self::Active(active) => Ok(active.element),
            Self::Missing => Err(NodeError::Consequence),
        }
    }
}

/// A node being translated.
pub(crate) struct Call<'a, 'r> {
    pub node: &'r Node<'a>,
    /// Version of the operator set.
    pub opset: i64,
    /// `None` for an absent optional input.
    pub inputs: Vec<Option<Value>>,
    pub emit: &'r mut Emitter,
}

impl<'a> Call<'a, '_> {
    fn attribute(&self, name: &str) -> Option<&crate::schema::Attribute<'a>> {
        self.node.attributes.iter().find(|a| a.name == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Result<Option<i64>, NodeError> {
        match self.attribute(name) {
            Some(attribute) => {
                let value = attribute.int()?;
                value.map(Some).ok_or_else(|| attribute.fault(format!("`{name}` is not an integer")).into())
            }
            None => Ok(None),
        }
    }

    /// A flag attribute.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, NodeError> {
        Ok(self.int(name)?.map_or(default, |v| v != 0))
    }

    /// A float attribute.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, NodeError> {
        Ok(match self.attribute(name) {
            Some(attribute) => attribute.float()?.unwrap_or(default),
            None => default,
        })
    }

    /// A text attribute.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, NodeError> {
        Ok(match self.attribute(name) {
            Some(attribute) => attribute.text()?,
            None => None,
        })
    }

    /// An attribute that is a list of integers.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, NodeError> {
        Ok(match self.attribute(name) {
            Some(attribute) => Some(attribute.ints(&self.emit.budget)?),
            None => None,
        })
    }

    /// An attribute that is a list of texts.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>, NodeError> {
        Ok(match self.attribute(name) {
            Some(attribute) => Some(attribute.texts(&self.emit.budget)?),
            None => None,
        })
    }

    /// An attribute that is a list of floats.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, NodeError> {
        Ok(match self.attribute(name) {
            Some(attribute) => Some(attribute.floats(&self.emit.budget)?),
            None => None,
        })
    }

    /// An attribute that is a constant.
    pub fn tensor(&self, name: &str) -> Result<Option<Constant>, NodeError> {
        let Some(attribute) = self.attribute(name) else { return Ok(None) };
        let Some(view) = attribute.tensor(&self.emit.budget)? else { return Ok(None) };
        let constant = decode(&view, &self.emit.budget, |external, _| {
            Err(NodeError::unsupported(
                format!("its constant lies in another file, `{}`", visible(external.location)),
                "only the graph's own constants (initializers) may: save the network in one file, \
                 `onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\")`",
            ))
        })?;
        Ok(Some(constant))
    }

    /// True if input `i` is there.
    pub fn has(&self, i: usize) -> bool {
        matches!(self.inputs.get(i), Some(Some(_)))
    }

    /// Input `i`, which must be there.
    pub fn value(&self, i: usize) -> Result<&Value, NodeError> {
        match self.inputs.get(i) {
            Some(Some(Value::Missing)) => Err(NodeError::Consequence),
            Some(Some(value)) => Ok(value),
            Some(None) | None => Err(NodeError::Malformed(format!("it has no input {i}"))),
        }
    }

    /// Input `i` as a tensor of the graph; a constant becomes one, its axes in the file's order.
    pub fn active(&mut self, i: usize) -> Result<Active, NodeError> {
        match self.value(i)?.clone() {
            Value::Active(active) => Ok(active),
            Value::Constant(constant) => {
                let layout = identity(constant.dims.len());
                let id = self.emit.constant(&constant, &layout)?;
                Ok(Active { id, layout, element: constant.element })
            }
            Value::Missing => Err(NodeError::Consequence),
        }
    }

    /// Input `i` as a float tensor to compute with.
    pub fn float_input(&mut self, i: usize) -> Result<Active, NodeError> {
        let x = self.active(i)?;
        if *self.emit.dtype(&x) == DataType::FLOAT32 {
            return Ok(x);
        }
        Err(NodeError::unsupported(
            format!("it computes with {}, and smidgen computes with float32", x.element.name()),
            "export the network in float32",
        ))
    }

    /// Input `i`, which must be known when reading; `what` it is.
    pub fn constant(&self, i: usize, what: &str) -> Result<Rc<Constant>, NodeError> {
        match self.value(i)? {
            Value::Constant(constant) => Ok(constant.clone()),
            _ => Err(NodeError::unsupported(
                format!("{what} is computed at run time and must be constant"),
                "export the network with fixed shapes and its parameters as constants",
            )),
        }
    }

    /// Input `i`, if it is there, which must then be known when reading.
    pub fn optional(&self, i: usize, what: &str) -> Result<Option<Rc<Constant>>, NodeError> {
        if self.has(i) { self.constant(i, what).map(Some) } else { Ok(None) }
    }

    /// The integers of input `i`, if it is there.
    pub fn list(&self, i: usize, what: &str) -> Result<Option<Vec<i64>>, NodeError> {
        let Some(constant) = self.optional(i, what)? else { return Ok(None) };
        let list = constant.ints();
        list.map(Some).ok_or_else(|| NodeError::Malformed(format!("{what} is not a list of integers")))
    }

    /// An axis that may be counted from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, NodeError> {
        axis_of(axis, rank)
    }

    /// Axes that may be counted from the end, each named once.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, NodeError> {
        let mut found = axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<Vec<_>, _>>()?;
        found.sort_unstable();
        if found.windows(2).any(|w| w[0] == w[1]) {
            return Err(NodeError::Malformed(format!("axes {axes:?} name one axis twice")));
        }
        Ok(found)
    }

    /// A tensor that has the layout and type of `like`.
    pub fn like(&self, id: smidgen_ir::TensorId, like: &Active) -> Value {
        Value::Active(Active { id, layout: like.layout.clone(), element: like.element })
    }
}

/// An axis that may be counted from the end.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize, NodeError> {
    let from_end = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_end.and_then(|a| usize::try_from(a).ok()).filter(|&a| a < rank);
    found.ok_or_else(|| NodeError::Malformed(format!("axis {axis} is outside a tensor of {rank} dimensions")))
}

/// A float tensor at run time.
pub(crate) fn float_value(id: smidgen_ir::TensorId, layout: Vec<usize>) -> Value {
    Value::Active(Active { id, layout, element: Element::F32 })
}
