//! Running what has been read, and comparing with what another runtime gives.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod build;

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_ir::Graph;
use smidgen_lower::{LowerOptions, lower};
use smidgen_onnx::{Import, Port};
use smidgen_plan::layer_wise;

/// A tensor in the file's order of axes, little endian.
#[derive(Clone, Debug)]
pub struct Array {
    pub name: String,
    /// Value of `TensorProto.DataType`.
    pub data_type: u32,
    pub dims: Vec<usize>,
    pub data: Vec<u8>,
}

/// Moves the elements of `dims` so that axis `i` of the result is axis `axes[i]`.
pub fn transposed(data: &[u8], dims: &[usize], axes: &[usize]) -> Vec<u8> {
    let count: usize = dims.iter().product();
    let size = data.len() / count.max(1);
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    let sizes: Vec<usize> = axes.iter().map(|&a| dims[a]).collect();
    let mut result = Vec::with_capacity(data.len());
    for mut i in 0..count {
        let mut from = 0;
        for (&axis, &size) in axes.iter().zip(&sizes).rev() {
            from += i % size * strides[axis];
            i /= size;
        }
        result.extend_from_slice(&data[from * size..(from + 1) * size]);
    }
    result
}

/// The axes that undo a transposition.
pub fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; axes.len()];
    for (i, &axis) in axes.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}

/// Runs a network on arrays of the file's layout, found by name; its outputs in the file's layout.
pub fn run(import: &Import, arrays: &[Array]) -> Result<Vec<(Port, Vec<u8>)>, String> {
    let Import { graph, inputs, outputs, .. } = import;
    let lowered = lower(graph, &LowerOptions::default()).map_err(|e| format!("lowering: {e}"))?;
    let mut executor = Executor::new(certify(layer_wise(&lowered)).map_err(|e| format!("loading: {e}"))?);
    for (i, port) in inputs.iter().enumerate() {
        let array = arrays.iter().find(|a| a.name == port.name).ok_or_else(|| format!("no input {}", port.name))?;
        assert_eq!(array.dims, port.shape, "{}", port.name);
        let data = transposed(&array.data, &array.dims, &port.axes);
        executor.set_input(i, &data).map_err(|e| format!("input {i}: {e}"))?;
    }
    executor.run();
    let result = outputs.iter().enumerate().map(|(i, port)| {
        let own: Vec<usize> = port.axes.iter().map(|&a| port.shape[a]).collect();
        (port.clone(), transposed(executor.output(i), &own, &inverse(&port.axes)))
    });
    Ok(result.collect())
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Names of a graph's operators.
pub fn names(graph: &Graph) -> Vec<&'static str> {
    graph.operators.iter().map(|o| o.op.name()).collect()
}

/// Reads the numbers that the Python programs write.
pub struct Stream<R>(pub R);

impl<R: std::io::Read> Stream<R> {
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).expect("the Python program's output");
        bytes
    }

    pub fn u8(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    pub fn u32(&mut self) -> usize {
        u32::from_le_bytes(self.bytes()) as usize
    }

    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.bytes())
    }

    pub fn blob(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.u32()];
        self.0.read_exact(&mut bytes).expect("the Python program's output");
        bytes
    }

    pub fn text(&mut self) -> String {
        String::from_utf8(self.blob()).expect("text")
    }

    pub fn array(&mut self) -> Array {
        let (name, data_type, rank) = (self.text(), self.u32() as u32, self.u32());
        let dims = (0..rank).map(|_| self.u32()).collect();
        Array { name, data_type, dims, data: self.blob() }
    }

    pub fn arrays(&mut self) -> Vec<Array> {
        (0..self.u32()).map(|_| self.array()).collect()
    }
}

/// Starts a Python program with the modules that it imports, or says that `what` is skipped.
pub fn python(program: &str, arguments: &[&str], modules: &str, what: &str) -> Option<std::process::Child> {
    use smidgen_reference::{Lack, PYTHON_VARIABLE, skip};
    use std::process::{Command, Stdio};
    let Some(python) = std::env::var_os(PYTHON_VARIABLE) else {
        skip(Lack::Tool, what, &format!("{PYTHON_VARIABLE} is not set (`cargo xtask test` sets it)"));
        return None;
    };
    let imports = Command::new(&python).args(["-c", &format!("import {modules}")]).stderr(Stdio::null()).status();
    if !imports.is_ok_and(|status| status.success()) {
        // PyTorch takes gigabytes, so nobody is made to install it; the rest is in xtask/requirements.txt.
        let lack = if modules.contains("torch") { Lack::Optional } else { Lack::Tool };
        skip(lack, what, &format!("{} cannot import {modules}", python.to_string_lossy()));
        return None;
    }
    let child = Command::new(&python)
        .args(["-c", program])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Some(child.expect("Python runs"))
}
