"""Recurrent networks as people export them, of random weights: `keras`, `keras2` (both to TensorFlow Lite) or `torch` (to ONNX).

    recurrent_exports.py FLAVOUR FOLDER [NAME KIND]

Prints a line for each network: its file's name, and what kind of file it is: `float`, `int8`, or `fine` for int8 whose memory has finer steps
than LiteRT computes with. Beside each file lies FILE.npz with the runtime's outputs for CALLS
inputs, one call behind the other (of a fine one those of the float network, rounded); x.npz has samples. With a NAME and a KIND only that network is made: TensorFlow's converter ends
the process on some, so that each has one of its own.
"""

import os
import subprocess
import sys

FLAVOUR, FOLDER = sys.argv[1], sys.argv[2]
if FLAVOUR == "keras2":
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np

STEPS, SIZE, UNITS, CALLS, SAMPLES = 100, 8, 16, 20, 48
NAMES = ["lstm", "sequence", "stacked", "gru", "before", "rnn", "both"]
rng = np.random.default_rng(7)
x = rng.standard_normal((SAMPLES, 1, STEPS, SIZE)).astype(np.float32)


def save(path, run):
    golden = {}
    for call in range(CALLS):
        given, outputs = run(x[call])
        golden[f"input_{call}"] = given
        golden.update({f"output_{call}_{i}": output for i, output in enumerate(outputs)})
    np.savez(path + ".npz", **golden)


def keras(name, kind):
    import tensorflow as tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(3)
    made = {
        "lstm": [layers.LSTM(UNITS)],
        "sequence": [layers.LSTM(UNITS, return_sequences=True)],
        "stacked": [layers.LSTM(UNITS, return_sequences=True), layers.LSTM(UNITS)],
        "gru": [layers.GRU(UNITS)],
        "before": [layers.GRU(UNITS, reset_after=False)],
        "rnn": [layers.SimpleRNN(UNITS)],
        "both": [layers.Bidirectional(layers.LSTM(UNITS))],
    }[name]
    inputs = tf.keras.Input((STEPS, SIZE), batch_size=1)
    outputs = inputs
    for layer in made + [layers.Dense(4)]:
        outputs = layer(outputs)
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(inputs, outputs))
    if kind == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in x)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path = os.path.join(FOLDER, f"{name}-{kind}.tflite")
    with open(path, "wb") as file:
        file.write(converter.convert())

    def started(path):
        resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = tf.lite.Interpreter(model_path=path, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        return interpreter, interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def outputs_of(interpreter, read, written, sample):
        interpreter.set_tensor(read["index"], sample)
        interpreter.invoke()
        return interpreter.get_tensor(written["index"])

    def stored(values, end):
        scale, zero = end["quantization"]
        return np.clip(np.round(values / scale) + zero, -128, 127).astype(np.int8)

    interpreter, read, written = started(path)
    if kind == "float":
        save(path, lambda sample: (sample, [outputs_of(interpreter, read, written, sample)]))
        return path, kind
    memories = [t for t in interpreter.get_tensor_details() if t["dtype"] == np.int16 and len(t["shape"]) == 2]
    if any(0 < t["quantization"][0] < 2.0**-15 for t in memories):
        # LiteRT has no TANH for such a memory: what counts are the float network's numbers.
        float_network = started(os.path.join(FOLDER, f"{name}-float.tflite"))
        save(path, lambda sample: (stored(sample, read), [stored(outputs_of(*float_network, sample), written)]))
        return path, "fine"

    def run(sample):
        sample = stored(sample, read)
        return sample, [outputs_of(interpreter, read, written, sample)]

    save(path, run)
    return path, kind


def torch(name, _):
    import onnxruntime
    import torch

    torch.manual_seed(3)
    layer = {
        "lstm": lambda: torch.nn.LSTM(SIZE, UNITS, batch_first=True),
        "sequence": lambda: torch.nn.LSTM(SIZE, UNITS, batch_first=True),
        "stacked": lambda: torch.nn.LSTM(SIZE, UNITS, 2, batch_first=True),
        "gru": lambda: torch.nn.GRU(SIZE, UNITS, batch_first=True),
        "before": lambda: torch.nn.GRU(SIZE, UNITS, 2, batch_first=True),
        "rnn": lambda: torch.nn.RNN(SIZE, UNITS, batch_first=True),
        "both": lambda: torch.nn.LSTM(SIZE, UNITS, batch_first=True, bidirectional=True),
    }[name]()

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer
            self.dense = torch.nn.Linear(2 * UNITS if name == "both" else UNITS, 4)

        def forward(self, x):
            y, _ = self.layer(x)
            return self.dense(y if name == "sequence" else y[:, -1])

    path = os.path.join(FOLDER, f"{name}.onnx")
    names = {"input_names": ["x"], "output_names": ["y"], "opset_version": 17}
    torch.onnx.export(Network().eval(), (torch.from_numpy(x[0]),), path, dynamo=False, **names)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    save(path, lambda sample: (sample, session.run(None, {"x": sample})))
    return path, "float"


def main():
    if len(sys.argv) > 3:
        path, kind = (torch if FLAVOUR == "torch" else keras)(*sys.argv[3:5])
        print(f"made\t{os.path.basename(path)}\t{kind}")
        return
    np.savez(os.path.join(FOLDER, "x.npz"), x=x[:, 0])
    kinds = ["float"] if FLAVOUR == "torch" else ["float", "int8"]
    for name in NAMES:
        for kind in kinds:
            command = [sys.executable, sys.argv[0], FLAVOUR, FOLDER, name, kind]
            result = subprocess.run(command, capture_output=True, text=True)
            lines = [line for line in result.stdout.splitlines() if line.startswith("made\t")]
            print(lines[0] if lines else f"failed\t{name}\t{kind}", flush=True)


main()
