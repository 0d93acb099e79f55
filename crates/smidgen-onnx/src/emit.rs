//! The graph as it grows, and where in its tensors the file's axes lie.
//!
//! The file's images are `[N,C,H,W]`, the graph's `[N,H,W,C]`. Each tensor computed at run time therefore carries a layout: for each axis
//! of the graph's tensor, the file's axis that lies there. A transposition in the file only changes the layout; one in the graph
//! is made where an operator demands another layout than its input has, and never twice for one tensor.

use crate::constant::{Constant, Element};
use crate::node_error::NodeError;
use smidgen_ir::front::Budget;
use smidgen_ir::{DataType, Graph, Op, ReshapeKind, Shape, Tensor, TensorId, infer};
use std::collections::HashMap;
use std::sync::Arc;

/// A tensor that is computed at run time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Active {
    /// The graph's tensor.
    pub id: TensorId,
    /// For each of its axes, the file's.
    pub layout: Vec<usize>,
    /// The file's type of its elements.
    pub element: Element,
}

/// Constants of floats that were made of integers, with the scale of all or of each output channel. They are known by their
/// bytes' place in memory, which no renumbering of tensors changes and which stays taken as long as it is held here.
#[derive(Clone, Default)]
pub(crate) struct Scales(HashMap<*const u8, Known>);

/// A constant's bytes, and its scales.
type Known = (Arc<[u8]>, Arc<[f32]>);

impl Scales {
    pub fn insert(&mut self, tensor: &Tensor, scales: Arc<[f32]>) {
        if let Some(data) = &tensor.data {
            self.0.insert(data.as_ptr(), (data.clone(), scales));
        }
    }

    pub fn get(&self, tensor: &Tensor) -> Option<Arc<[f32]>> {
        self.0.get(&tensor.data.as_ref()?.as_ptr()).map(|(_, scales)| scales.clone())
    }
}

/// A graph in the making.
pub(crate) struct Emitter {
    pub graph: Graph,
    pub budget: Budget,
    /// Index of the node that is being read.
    pub node: usize,
    /// Training mode is read as evaluation mode.
    pub training: bool,
    arranged: HashMap<(TensorId, Vec<usize>), TensorId>,
    /// Constants that were made of integers.
    pub scales: Scales,
}

/// The layout in which graph and file agree.
pub(crate) fn identity(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

/// Batch, then the image's axes, then channels.
pub(crate) fn channels_last(rank: usize) -> Vec<usize> {
    match rank {
        0..=2 => identity(rank),
        _ => [0].into_iter().chain(2..rank).chain([1]).collect(),
    }
}

impl Emitter {
    pub fn new(name: &str, budget: Budget) -> Self {
        let graph = Graph::new(name);
        Self { graph, budget, node: 0, arranged: HashMap::new(), scales: Scales::default(), training: false }
    }

    /// Sizes along the file's axes.
    pub fn dims(&self, x: &Active) -> Vec<usize> {
        let own = self.graph.tensor(x.id).shape.dims();
        let mut dims = vec![0; own.len()];
        for (&size, &axis) in own.iter().zip(&x.layout) {
            dims[axis] = size;
        }
        dims
    }

    pub fn dtype(&self, x: &Active) -> &DataType {
        &self.graph.tensor(x.id).dtype
    }

    /// Adds a tensor, charging what it takes.
    pub fn tensor(&mut self, tensor: Tensor) -> Result<TensorId, NodeError> {
        let data = tensor.data.as_ref().map_or(0, |data| data.len());
        self.budget.take(2 * size_of::<Tensor>() + 8 * tensor.shape.rank() + tensor.name.len() + data)?;
        Ok(self.graph.add_tensor(tensor))
    }

    /// Adds an operator; its outputs have the inferred shapes and `dtype`.
    pub fn push(&mut self, op: Op, inputs: Vec<TensorId>, dtype: &DataType) -> Result<Vec<TensorId>, NodeError> {
        let tensors: Vec<&Tensor> = inputs.iter().map(|&id| self.graph.tensor(id)).collect();
        let inferred = infer(&op, &tensors)?;
        self.budget.take(4 * size_of::<smidgen_ir::Operator>() + 16 * (inputs.len() + inferred.len()))?;
        let mut outputs = Vec::with_capacity(inferred.len());
        for found in inferred {
            if found.shape.checked_elements().is_none_or(|n| n > i32::MAX as usize) {
                return Err(NodeError::unsupported(
                    format!("it makes a tensor of {}, which has 2^31 elements or more", found.shape),
                    "use a smaller input",
                ));
            }
            outputs.push(self.tensor(Tensor::activation(String::new(), found.shape, dtype.clone()))?);
        }
        let id = self.graph.add_operator(op, inputs, outputs.clone());
        self.graph.operators[id.index()].source = u32::try_from(self.node).ok();
        Ok(outputs)
    }

    /// Adds an operator with one output.
    pub fn one(&mut self, op: Op, inputs: Vec<TensorId>, dtype: &DataType) -> Result<TensorId, NodeError> {
        let outputs = self.push(op, inputs, dtype)?;
        outputs.first().copied().ok_or_else(|| NodeError::Malformed("it has no output".into()))
    }

    /// Relabels a tensor's bytes.
    pub fn relabel(&mut self, id: TensorId, shape: Vec<usize>) -> Result<TensorId, NodeError> {
        if self.graph.tensor(id).shape.dims() == shape {
            return Ok(id);
        }
        let dtype = self.graph.tensor(id).dtype.clone();
        self.one(Op::Reshape { kind: ReshapeKind::Reshape, shape }, vec![id], &dtype)
    }

    /// The same values with the file's axes where `layout` says.
    pub fn arrange(&mut self, x: &Active, layout: &[usize]) -> Result<Active, NodeError> {
        let arranged = |id| Active { id, layout: layout.to_vec(), element: x.element };
        if x.layout == layout {
            return Ok(x.clone());
        }
        let key = (x.id, layout.to_vec());
        if let Some(&id) = self.arranged.get(&key) {
            return Ok(arranged(id));
        }
        let dims = self.dims(x);
        let id = if same_order(&dims, &x.layout, layout) {
            self.relabel(x.id, layout.iter().map(|&axis| dims[axis]).collect())?
        } else {
            let place = |axis: &usize| x.layout.iter().position(|a| a == axis).unwrap_or(*axis);
            let perm = layout.iter().map(place).collect();
            let dtype = self.dtype(x).clone();
            self.one(Op::Transpose { perm }, vec![x.id], &dtype)?
        };
        self.arranged.insert(key, id);
        Ok(arranged(id))
    }

    /// Adds a constant with its axes where `layout` says, as elements that the graph has.
    pub fn constant(&mut self, constant: &Constant, layout: &[usize]) -> Result<TensorId, NodeError> {
        let turned = constant.transposed(layout);
        let Some(element) = turned.element.at_run_time() else {
            return Err(NodeError::unsupported(
                format!("it computes with {}, which smidgen does not do at run time", constant.element.name()),
                "export the network in float32",
            ));
        };
        if turned.dims.contains(&0) {
            return Err(NodeError::unsupported("one of its operands has no elements", "leave it out"));
        }
        let name = constant.name.clone();
        let id = self.tensor(Tensor::constant(name, Shape(turned.dims), DataType::Plain(element), turned.data))?;
        if let Some(scales) = turned.scales {
            self.scales.insert(self.graph.tensor(id), scales);
        }
        Ok(id)
    }

    /// The same elements with other sizes along the file's axes.
    ///
    /// Axes that are split or joined among themselves keep their places, so that an image stays channels last where the new
    /// shape allows it.
    pub fn reshape(&mut self, x: &Active, dims: &[usize]) -> Result<Active, NodeError> {
        let from = self.dims(x);
        if from == dims {
            return Ok(x.clone());
        }
        if from.iter().product::<usize>() != dims.iter().product::<usize>() {
            return Err(NodeError::Malformed(format!(
                "{} cannot be given the shape {}",
                Shape(from),
                Shape(dims.to_vec())
            )));
        }
        let mut groups = groups(&from, dims);
        let place = |axis: &usize| x.layout.iter().position(|a| a == axis).unwrap_or(usize::MAX);
        groups.sort_by_key(|(old, _)| {
            let significant = old.iter().find(|&&axis| from[axis] != 1).or(old.first());
            significant.map_or(usize::MAX, place)
        });
        let wanted: Vec<usize> = groups.iter().flat_map(|(old, _)| old.clone()).collect();
        let x = self.arrange(x, &wanted)?;
        let layout: Vec<usize> = groups.iter().flat_map(|(_, new)| new.clone()).collect();
        let id = self.relabel(x.id, layout.iter().map(|&axis| dims[axis]).collect())?;
        Ok(Active { id, layout, element: x.element })
    }
}

/// True if both layouts have the axes of more than one index in the same order.
fn same_order(dims: &[usize], a: &[usize], b: &[usize]) -> bool {
    let significant = |layout: &[usize]| layout.iter().copied().filter(|&axis| dims[axis] != 1).collect::<Vec<_>>();
    significant(a) == significant(b)
}

/// Cuts two shapes of as many elements into runs of axes of as many elements: the finest such cut.
fn groups(from: &[usize], to: &[usize]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (start_i, start_j) = (i, j);
        let (mut a, mut b) = (1, 1);
        if i < from.len() {
            a = from[i];
            i += 1;
        }
        if j < to.len() {
            b = to[j];
            j += 1;
        }
        while a != b {
            if a < b && i < from.len() {
                a *= from[i];
                i += 1;
            } else if j < to.len() {
                b *= to[j];
                j += 1;
            } else {
                break;
            }
        }
        groups.push(((start_i..i).collect(), (start_j..j).collect()));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(emitter: &mut Emitter, dims: [usize; 4]) -> Active {
        let id = emitter.tensor(Tensor::activation("x", dims, DataType::FLOAT32)).unwrap();
        Active { id, layout: channels_last(4), element: Element::F32 }
    }

    fn names(emitter: &Emitter) -> Vec<&'static str> {
        emitter.graph.operators.iter().map(|o| o.op.name()).collect()
    }

    #[test]
    fn splitting_channels_moves_nothing() {
        let mut emitter = Emitter::new("", Budget::for_file(1000));
        let x = image(&mut emitter, [1, 5, 7, 6]);
        let y = emitter.reshape(&x, &[1, 2, 3, 5, 7]).unwrap();
        assert_eq!(emitter.graph.tensor(y.id).shape, Shape::from([1, 5, 7, 2, 3]));
        assert_eq!((y.layout.as_slice(), names(&emitter).as_slice()), (&[0, 3, 4, 1, 2][..], &["RESHAPE"][..]));
    }

    #[test]
    fn flattening_an_image_takes_one_transposition_and_a_pixel_none() {
        let mut emitter = Emitter::new("", Budget::for_file(1000));
        let x = image(&mut emitter, [1, 1, 1, 6]);
        emitter.reshape(&x, &[1, 6]).unwrap();
        assert_eq!(names(&emitter), ["RESHAPE"]);
        let x = image(&mut emitter, [1, 5, 7, 6]);
        emitter.reshape(&x, &[1, 210]).unwrap();
        assert_eq!(names(&emitter)[1..], ["TRANSPOSE", "RESHAPE"]);
    }

    #[test]
    fn the_finest_cut_of_two_shapes() {
        assert_eq!(groups(&[2, 6, 5], &[2, 2, 3, 5]), [(vec![0], vec![0]), (vec![1], vec![1, 2]), (vec![2], vec![3])]);
        assert_eq!(groups(&[1, 8, 1, 1], &[1, 8]).len(), 4);
        assert_eq!(groups(&[], &[1, 1]).len(), 2);
    }
}
