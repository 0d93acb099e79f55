"""Runs models in TensorFlow Lite's interpreter, one request after the other, until standard input ends.

Every number is little endian. A blob is a u32 length and that many bytes.

at start:  u8 2
request:   u8 flags (1: default kernels instead of the reference ones; 2: intermediate tensors as well), blob model,
           u32 samples, for each: u32 inputs, for each: blob
response:  u8 1, blob message                                                    the interpreter refused
           u8 0, f64 seconds, for each sample: u32 outputs, for each: blob,
                                               u32 tensors, for each: u32 index, blob
"""

import os
import struct
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

DEFAULT_KERNELS = 1
ALL_TENSORS = 2


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        sys.exit(0)
    return data


def read_u32(stream):
    return struct.unpack("<I", read_exactly(stream, 4))[0]


def read_blob(stream):
    return read_exactly(stream, read_u32(stream))


def write_u32(stream, value):
    stream.write(struct.pack("<I", value))


def write_blob(stream, data):
    write_u32(stream, len(data))
    stream.write(data)


def run(flags, model, samples):
    resolver = OpResolverType.AUTO if flags & DEFAULT_KERNELS else OpResolverType.BUILTIN_REF
    interpreter = Interpreter(
        model_content=model,
        num_threads=1,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=bool(flags & ALL_TENSORS),
    )
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    arrays = []
    for sample in samples:
        if len(sample) != len(inputs):
            raise ValueError(f"{len(sample)} inputs given, the model has {len(inputs)}")
        arrays.append([
            np.frombuffer(data, dtype=detail["dtype"]).reshape(detail["shape"])
            for data, detail in zip(sample, inputs)
        ])
    results = []
    start = time.perf_counter()
    for sample in arrays:
        for detail, array in zip(inputs, sample):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        result = [interpreter.get_tensor(index) for index in outputs]
        results.append((result, intermediates(interpreter) if flags & ALL_TENSORS else []))
    return time.perf_counter() - start, results


def intermediates(interpreter):
    found = []
    for detail in interpreter.get_tensor_details():
        try:
            found.append((detail["index"], interpreter.get_tensor(detail["index"])))
        except ValueError:
            # A scratch tensor that holds nothing.
            continue
    return found


def respond(stream, seconds, results):
    stream.write(struct.pack("<Bd", 0, seconds))
    for outputs, tensors in results:
        write_u32(stream, len(outputs))
        for array in outputs:
            write_blob(stream, array.tobytes())
        write_u32(stream, len(tensors))
        for index, array in tensors:
            write_u32(stream, index)
            write_blob(stream, array.tobytes())


def main():
    requests = sys.stdin.buffer
    # The protocol keeps standard output for itself, whatever a library prints.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    responses.write(b"\x02")
    responses.flush()
    while True:
        flags = read_exactly(requests, 1)[0]
        model = read_blob(requests)
        samples = [[read_blob(requests) for _ in range(read_u32(requests))] for _ in range(read_u32(requests))]
        try:
            seconds, results = run(flags, model, samples)
        except Exception as error:  # whatever it is, the caller is to see it
            responses.write(b"\x01")
            write_blob(responses, f"{type(error).__name__}: {error}".encode())
        else:
            respond(responses, seconds, results)
        responses.flush()


main()
