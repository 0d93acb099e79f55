//! A network's inputs and outputs as its file has them: the one place where arrays change between the file's order of
//! axes and the graph's.
//!
//! ONNX keeps images as `[N,C,H,W]`, the graph as `[N,H,W,C]`. Arrays come and go in the order of the file, since that
//! is what other programs take and give for it; everything between is in the order of the graph. An array that suits
//! the graph but not the file is taken as it is. Where both suit, it is the file's.

use crate::array::Array;
use crate::normalise::{Normalisation, Normalise};
use smidgen_ir::front::{Port, Ports};
use smidgen_ir::{Graph, Shape, TensorId};

/// A graph, and how the file that it was read from orders the axes of its inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'g> {
    graph: &'g Graph,
    ports: Option<&'g Ports>,
    /// What operators of the file write; tensors' sources index this.
    values: &'g [Port],
    /// What the file says of pixels.
    pixels: Option<Normalisation>,
}

impl<'g> From<&'g Graph> for Interface<'g> {
    /// A graph that orders its axes as its file does.
    fn from(graph: &'g Graph) -> Self {
        Self { graph, ports: None, values: &[], pixels: None }
    }
}

impl<'g> Interface<'g> {
    /// A graph and the inputs and outputs of its file, one for each of the graph's.
    pub fn new(graph: &'g Graph, ports: Option<&'g Ports>) -> Self {
        Self { graph, ports, values: &[], pixels: None }
    }

    /// With what the file's operators write, as far as a tensor of the graph has it:
    /// [`Tensor::source`](smidgen_ir::Tensor::source) indexes `values`.
    pub fn with_values(self, values: &'g [Port]) -> Self {
        Self { values, ..self }
    }

    /// With what pixels are to become, if the file says so: it is taken where nothing else is asked for.
    pub fn with_pixels(self, pixels: Option<Normalisation>) -> Self {
        Self { pixels, ..self }
    }

    /// What pixels become where this is asked for.
    pub(crate) fn normalise(&self, asked: Normalise) -> Normalise {
        match (asked, self.pixels) {
            (Normalise::Auto, Some(stored)) => Normalise::Stored(stored),
            (asked, _) => asked,
        }
    }

    /// The graph.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// How the axes of input `index` lie.
    ///
    /// # Panics
    /// If the graph has no such input.
    pub fn input(&self, index: usize) -> PortAxes<'g> {
        let dims = self.graph.tensor(self.graph.inputs[index]).shape.dims();
        PortAxes::new(dims, self.ports.and_then(|ports| ports.inputs.get(index)))
    }

    /// How the axes of output `index` lie.
    ///
    /// # Panics
    /// If the graph has no such output.
    pub fn output(&self, index: usize) -> PortAxes<'g> {
        let dims = self.graph.tensor(self.graph.outputs[index]).shape.dims();
        PortAxes::new(dims, self.ports.and_then(|ports| ports.outputs.get(index)))
    }

    /// The name that the file has for what a tensor holds, and how its axes lie there; `None` if the file does not name
    /// its tensors in this way, or not this one.
    pub fn value(&self, tensor: TensorId) -> Option<(&'g str, PortAxes<'g>)> {
        let tensor = self.graph.tensor(tensor);
        let port = self.values.get(tensor.source? as usize)?;
        Some((&port.name, PortAxes::new(tensor.shape.dims(), Some(port))))
    }

    /// True if the file knows what lies between its inputs and outputs by names rather than numbers.
    pub fn has_names(&self) -> bool {
        self.ports.is_some()
    }

    /// Outputs, in the graph's order, as the file has them.
    pub fn outputs_to_file(&self, outputs: &[Array]) -> Vec<Array> {
        outputs.iter().enumerate().map(|(j, array)| self.output(j).to_file(array)).collect()
    }
}

/// The axes of one input or output, in the graph and in the file.
#[derive(Clone, Copy, Debug)]
pub struct PortAxes<'g> {
    dims: &'g [usize],
    port: Option<&'g Port>,
}

/// How an array's shape suits an input or output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Suits {
    /// Graph and file agree about the order of axes, and so does the array.
    Both,
    /// It is in the file's order of axes, which is not the graph's: it is to be transposed.
    File,
    /// It is in the graph's order of axes, which is not the file's.
    Graph,
}

impl<'g> PortAxes<'g> {
    fn new(dims: &'g [usize], port: Option<&'g Port>) -> Self {
        // A pass that gave an end another shape has left the file's behind.
        let agrees = |port: &&Port| {
            let turned = port.axes.iter().map(|&axis| port.shape.get(axis));
            turned.eq(dims.iter().map(Some))
        };
        Self { dims, port: port.filter(|port| port.is_rearranged()).filter(agrees) }
    }

    /// The file's order of axes, where it is not the graph's.
    pub fn rearranged(&self) -> Option<&'g Port> {
        self.port
    }

    /// The shape in the file.
    pub fn file_shape(&self) -> &'g [usize] {
        self.port.map_or(self.dims, |port| &port.shape)
    }

    /// How an array of this shape is to be taken; `None` if it suits neither file nor graph. Leading axes of size 1 do
    /// not matter.
    pub fn suits(&self, shape: &[usize]) -> Option<Suits> {
        let shape = without_batch(shape);
        match self.port {
            None => (shape == without_batch(self.dims)).then_some(Suits::Both),
            Some(port) if shape == without_batch(&port.shape) => Some(Suits::File),
            Some(_) => (shape == without_batch(self.dims)).then_some(Suits::Graph),
        }
    }

    /// The array in the graph's order of axes and with the graph's shape, and how it was taken; the array itself if it
    /// does not suit.
    ///
    /// # Errors
    /// If its shape is neither the file's nor the graph's, but for leading axes of size 1.
    pub fn to_graph(&self, array: Array) -> Result<(Array, Suits), Array> {
        let Some(suits) = self.suits(&array.shape) else { return Err(array) };
        let array = match self.port.filter(|_| suits == Suits::File) {
            Some(port) => Array { shape: port.shape.clone(), ..array }.transposed(&port.axes),
            None => Array { shape: self.dims.to_vec(), ..array },
        };
        Ok((array, suits))
    }

    /// An array of the graph's shape in the file's order of axes.
    ///
    /// # Panics
    /// If it has another shape than the graph's.
    pub fn to_file(&self, array: &Array) -> Array {
        assert_eq!(array.shape, self.dims, "the shape of an input or output");
        if self.port.is_none() {
            return array.clone();
        }
        array.transposed(&(0..self.dims.len()).map(|axis| self.place(axis)).collect::<Vec<_>>())
    }

    /// The index of an element in the file's order, from its index in the graph's.
    pub fn index_in_file(&self, index: &[usize]) -> Vec<usize> {
        (0..index.len()).map(|axis| index[self.place(axis)]).collect()
    }

    /// Where the file's `axis` lies in the graph.
    fn place(&self, axis: usize) -> usize {
        self.port.and_then(|port| port.axes.iter().position(|&a| a == axis)).unwrap_or(axis)
    }

    /// The shapes that are taken, as messages show them: `1x3x8x8`, or `1x3x8x8 (or 1x8x8x3, channels last)`.
    pub fn describe(&self) -> String {
        let own = Shape(self.dims.to_vec());
        match self.port {
            None => own.to_string(),
            Some(port) => format!("{} (or {own}, {})", Shape(port.shape.clone()), order(port)),
        }
    }

    /// What became of an array, in words; nothing where file and graph agree.
    pub fn told(&self, suits: Suits) -> String {
        let (Some(port), own) = (self.port, Shape(self.dims.to_vec())) else { return String::new() };
        if !port.moves_elements() {
            return String::new();
        }
        let file = Shape(port.shape.clone());
        match suits {
            Suits::Both => String::new(),
            Suits::File => format!("{file} as the model file has it, transposed to {own} ({})", order(port)),
            Suits::Graph => format!("{own} taken as it is ({}); the model file has {file}", order(port)),
        }
    }
}

/// How the graph orders the axes of an input or output whose file orders them differently.
fn order(port: &Port) -> String {
    if port.is_channels_last() { "channels last".into() } else { format!("axes {:?} of the file's", port.axes) }
}

/// Dimensions without leading ones.
pub(crate) fn without_batch(dims: &[usize]) -> &[usize] {
    let ones = dims.iter().take_while(|&&d| d == 1).count();
    &dims[ones..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::{DataType, Tensor};

    fn port(shape: &[usize], axes: &[usize]) -> Ports {
        let port = Port { name: "x".into(), shape: shape.to_vec(), axes: axes.to_vec() };
        Ports { inputs: vec![port], outputs: vec![] }
    }

    fn graph(dims: &[usize]) -> Graph {
        let mut graph = Graph::new("");
        graph.add_input(Tensor::activation("x", Shape(dims.to_vec()), DataType::FLOAT32));
        graph
    }

    fn counted(shape: &[usize]) -> Array {
        Array::from_f32(shape, &(0..shape.iter().product::<usize>()).map(|i| i as f32).collect::<Vec<_>>())
    }

    #[test]
    fn the_files_order_is_transposed_and_the_graphs_taken_as_it_is() {
        let (graph, ports) = (graph(&[1, 3, 2]), port(&[1, 2, 3], &[0, 2, 1]));
        let axes = Interface::new(&graph, Some(&ports)).input(0);
        for shape in [&[1, 2, 3][..], &[2, 3]] {
            let (array, suits) = axes.to_graph(counted(shape)).unwrap();
            assert_eq!(array, Array::from_f32(&[1, 3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
            assert_eq!(suits, Suits::File);
            assert_eq!(axes.to_file(&array), counted(&[1, 2, 3]));
        }
        assert_eq!(axes.to_graph(counted(&[3, 2])).unwrap(), (counted(&[1, 3, 2]), Suits::Graph));
        assert_eq!(axes.to_graph(counted(&[6])).unwrap_err(), counted(&[6]));
        assert_eq!(axes.index_in_file(&[0, 2, 1]), [0, 1, 2]);
        assert_eq!(axes.describe(), "1x2x3 (or 1x3x2, channels last)");
    }

    #[test]
    fn of_two_orders_that_suit_the_files_wins() {
        let (graph, ports) = (graph(&[1, 2, 2]), port(&[1, 2, 2], &[0, 2, 1]));
        let axes = Interface::new(&graph, Some(&ports)).input(0);
        let (array, suits) = axes.to_graph(counted(&[1, 2, 2])).unwrap();
        assert_eq!(array, Array::from_f32(&[1, 2, 2], &[0.0, 2.0, 1.0, 3.0]));
        assert_eq!(suits, Suits::File);
    }

    #[test]
    fn where_file_and_graph_agree_nothing_is_said() {
        let (graph, ports) = (graph(&[1, 4]), port(&[1, 4], &[0, 1]));
        for axes in [Interface::new(&graph, Some(&ports)).input(0), Interface::from(&graph).input(0)] {
            assert_eq!(axes.to_graph(counted(&[4])).unwrap(), (counted(&[1, 4]), Suits::Both));
            assert_eq!((axes.told(Suits::Both), axes.describe()), (String::new(), "1x4".into()));
        }
    }
}
