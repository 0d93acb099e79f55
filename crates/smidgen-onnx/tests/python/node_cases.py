"""Writes the ONNX project's backend node tests to standard output, for node_tests.rs to read.

Every number is little endian. A blob is a u32 length and that many bytes.

case:    u8 1, blob name, f64 rtol, f64 atol, u32 variants, for each: blob model,
         u32 inputs, for each: tensor, u32 outputs, for each: tensor
tensor:  blob name, u32 TensorProto.DataType, u32 rank, u32 sizes, blob elements
end:     u8 0

The variants of a model differ in how many of its inputs have become constants: none, all but the first, all.
"""

import copy
import os
import struct
import warnings

import numpy as np
from onnx import numpy_helper


def blob(stream, data):
    stream.write(struct.pack("<I", len(data)))
    stream.write(data)


def tensor(stream, name, array):
    proto = numpy_helper.from_array(array)
    blob(stream, name.encode())
    stream.write(struct.pack(f"<II{array.ndim}I", proto.data_type, array.ndim, *array.shape))
    blob(stream, np.ascontiguousarray(array).tobytes())


def frozen(model, names, arrays, keep):
    """The model with all inputs but the first `keep` as constants."""
    model = copy.deepcopy(model)
    graph = model.graph
    for name, array in list(zip(names, arrays))[keep:]:
        graph.initializer.append(numpy_helper.from_array(array, name))
    del graph.input[keep:]
    return model


def write(stream, case):
    graph = case.model.graph
    names = [info.name for info in graph.input]
    inputs, outputs = case.data_sets[0]
    values = list(inputs) + list(outputs)
    if len(names) != len(inputs) or not all(isinstance(value, (np.ndarray, np.generic)) for value in values):
        return False
    arrays = [np.asarray(value) for value in values]
    if any(array.dtype.kind not in "fiub" for array in arrays):
        return False
    given, wanted = arrays[: len(inputs)], arrays[len(inputs) :]
    variants = [case.model] + [frozen(case.model, names, given, keep) for keep in (1, 0) if keep < len(names)]
    stream.write(b"\x01")
    blob(stream, case.name.encode())
    stream.write(struct.pack("<dd", case.rtol, case.atol))
    stream.write(struct.pack("<I", len(variants)))
    for model in variants:
        blob(stream, model.SerializeToString())
    stream.write(struct.pack("<I", len(given)))
    for name, array in zip(names, given):
        tensor(stream, name, array)
    stream.write(struct.pack("<I", len(wanted)))
    for info, array in zip(graph.output, wanted):
        tensor(stream, info.name, array)
    return True


def main():
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    from onnx.backend.test.case import node

    for case in node.collect_testcases(None):
        if case.model is None or not case.data_sets or not write(stream, case):
            # Sequences, optional values, text: no tensors.
            stream.write(b"\x02")
            blob(stream, case.name.encode())
    stream.write(b"\x00")
    stream.flush()


main()
