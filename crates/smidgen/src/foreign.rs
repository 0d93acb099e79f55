//! Files that are no model which smidgen reads, told apart by their first bytes, and what makes a model of them.

use crate::error::ErrorKind;
use smidgen_data::files::zip_names;
use std::path::Path;

/// A kind of file that people bring where a model is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// What it is, after "it is".
    pub what: &'static str,
    /// How to get a model: the command or the call that converts it.
    pub advice: &'static str,
    /// Who has to act: [`ErrorKind::Unsupported`] for a sound file of another format.
    pub kind: ErrorKind,
    /// Content by which it is known.
    sign: Sign,
    /// Extensions by which it is known where the content says nothing.
    extensions: &'static [&'static str],
}

/// What tells a kind of file by its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sign {
    /// These bytes at this place.
    At(usize, &'static [u8]),
    /// The first of the text, whatever the case of its letters, after spaces.
    Text(&'static str),
    /// All of these somewhere in the first bytes.
    Holds(&'static [&'static [u8]]),
    /// An archive of zip with a file whose name ends so.
    Zip(&'static str),
    /// Nothing but the extension.
    None,
}

/// How far into a file [`Sign::Holds`] looks.
const LOOKED_AT: usize = 1 << 16;

const KERAS: &str = "convert it: `tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(FILE)).convert()`, and write the bytes to a \
     `.tflite` file";
const TORCH: &str = "weights alone are no network: load them into the model's class, then `torch.onnx.export(model, example_input, \"model.onnx\")`";
const SAVED_MODEL: &str = "convert the folder: `tf.lite.TFLiteConverter.from_saved_model(FOLDER).convert()`, and write the bytes to a `.tflite` file";
const ORIGINAL: &str = "it cannot be converted back: hand in the `.tflite` or `.onnx` file that it was made from";
const CORE_ML: &str =
    "export the network that it was made from: `torch.onnx.export`, or TensorFlow's `TFLiteConverter`";

/// A kind of sound files of another format.
const fn other(sign: Sign, extensions: &'static [&'static str], what: &'static str, advice: &'static str) -> Kind {
    Kind { what, advice, kind: ErrorKind::Unsupported, sign, extensions }
}

/// Every kind, the more special before the more general.
const KINDS: &[Kind] = &[
    other(
        Sign::Text("version https://git-lfs"),
        &[],
        "a pointer of Git LFS, which stands for the file itself",
        "fetch the file: `git lfs install`, then `git lfs pull` in the repository",
    ),
    Kind {
        kind: ErrorKind::Malformed,
        ..other(Sign::Text("<!doctype html"), &["html", "htm"], "a web page", DOWNLOAD)
    },
    Kind { kind: ErrorKind::Malformed, ..other(Sign::Text("<html"), &[], "a web page", DOWNLOAD) },
    other(Sign::At(0, b"\x89HDF\r\n\x1a\n"), &["h5", "hdf5"], "a Keras model or its weights (HDF5)", KERAS),
    other(Sign::Zip("model.weights.h5"), &["keras"], "a Keras model", KERAS),
    other(
        Sign::Zip("constants.pkl"),
        &[],
        "a TorchScript program",
        "export the network that it was made from: `torch.onnx.export(model, example_input, \"model.onnx\")`; a traced module \
         from `torch.jit.load(FILE)` will do",
    ),
    other(Sign::Zip("data.pkl"), &["pt", "pth", "ckpt"], "a PyTorch checkpoint", TORCH),
    // The number with which `torch.save` began before it wrote archives.
    other(
        Sign::At(0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"),
        &[],
        "a PyTorch checkpoint of the older form",
        TORCH,
    ),
    other(
        Sign::Zip(".tflite"),
        &["task"],
        "an archive with models in it",
        "unpack it with `unzip`, and hand in the `.tflite` file",
    ),
    other(
        Sign::Zip(".npy"),
        &["npz", "npy"],
        "arrays of NumPy, not a network",
        "arrays are inputs: `smidgen run MODEL --input FILE`, or samples: `smidgen quantize MODEL --data FILE`",
    ),
    other(
        Sign::At(0, b"\x93NUMPY"),
        &[],
        "an array of NumPy, not a network",
        "arrays are inputs: `smidgen run MODEL --input FILE`",
    ),
    other(Sign::Zip(".nntxt"), &["nnp"], "a network of NNabla", "convert it: `nnabla_cli convert FILE model.onnx`"),
    other(Sign::Zip(""), &["zip"], "an archive", "unpack it with `unzip`, and hand in the model"),
    other(Sign::At(0, b"PK\x03\x04"), &[], "an archive (zip) that is damaged or cut short", DOWNLOAD),
    other(
        Sign::At(0, b"\xfd7zXZ\0"),
        &["xz"],
        "compressed (xz)",
        "unpack it: `unxz FILE`, or `tar xf FILE` if it is an archive",
    ),
    other(
        Sign::At(0, b"BZh"),
        &["bz2"],
        "compressed (bzip2)",
        "unpack it: `bunzip2 FILE`, or `tar xf FILE` if it is an archive",
    ),
    other(Sign::At(0, b"\x28\xb5\x2f\xfd"), &["zst"], "compressed (Zstandard)", "unpack it: `unzstd FILE`"),
    other(
        Sign::At(0, b"7z\xbc\xaf\x27\x1c"),
        &["7z"],
        "an archive (7-Zip)",
        "unpack it: `7z x FILE`, and hand in the model",
    ),
    other(Sign::At(257, b"ustar"), &["tar"], "an archive (tar)", "unpack it: `tar xf FILE`, and hand in the model"),
    other(Sign::At(0, b"EDL2"), &["espdl"], "a model of ESP-DL", ORIGINAL),
    other(Sign::At(0, b"EDL1"), &[], "a model of ESP-DL", ORIGINAL),
    other(Sign::At(4, b"ET12"), &["pte"], "a program of ExecuTorch", TORCH),
    other(Sign::At(0, b"LDMK"), &["kmodel"], "a model compiled for a Kendryte chip", ORIGINAL),
    other(Sign::At(0, b"ML\xefR"), &["mlirbc"], "a program of MLIR (bytecode)", ORIGINAL),
    other(Sign::Holds(&[b"module", b"func.func"]), &["mlir"], "a program of MLIR (text)", ORIGINAL),
    other(Sign::Holds(&[b"<net ", b"<layers>"]), &["xml"], "a network of OpenVINO", ORIGINAL),
    other(
        Sign::Holds(&[b"\"modelTopology\""]),
        &[],
        "a model of TensorFlow.js",
        "convert it: `tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras FILE model.h5`, then that \
         with TensorFlow's `TFLiteConverter`",
    ),
    other(Sign::Text("7767517"), &[], "a network of ncnn", ORIGINAL),
    other(Sign::At(8, b"{\""), &["safetensors"], "weights alone (safetensors)", TORCH),
    other(
        Sign::Holds(&[b"StatefulPartitionedCall", b"saver"]),
        &[],
        "the graph of a TensorFlow SavedModel",
        SAVED_MODEL,
    ),
    other(Sign::None, &["mlmodel", "mlpackage"], "a model of Core ML", CORE_ML),
    other(
        Sign::Holds(&[b"\x12\x0bPlaceholder"]),
        &["pb", "pbtxt"],
        "a graph of TensorFlow 1",
        "convert it: `tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(FILE, [INPUT], [OUTPUT]).convert()`; a `saved_model.pb` \
         belongs to its folder: `from_saved_model(FOLDER)`",
    ),
    other(Sign::None, &["nnb"], "a network of NNabla's C runtime", ORIGINAL),
    other(
        Sign::None,
        &["nb", "rknn", "om", "hef", "dla", "eim", "engine"],
        "a network compiled for one chip",
        ORIGINAL,
    ),
    other(Sign::At(0, b"\x80\x02"), &[], "a PyTorch checkpoint of the older form, or another object of Python", TORCH),
    other(Sign::At(0, b"\x80\x03"), &[], "an object of Python (pickle)", PICKLE),
    other(Sign::At(0, b"\x80\x04"), &["pkl", "pickle", "joblib"], "an object of Python (pickle)", PICKLE),
    other(Sign::At(0, b"\x80\x05"), &[], "an object of Python (pickle)", PICKLE),
    other(Sign::At(0, b"\x89PNG\r\n\x1a\n"), &[], "a picture, not a network", PICTURE),
    other(Sign::At(0, b"\xff\xd8\xff"), &[], "a picture, not a network", PICTURE),
];

/// A file that gzip compressed, and of which not all is there.
pub const DAMAGED_GZIP: Kind = Kind {
    kind: ErrorKind::Malformed,
    ..other(Sign::None, &[], "compressed (gzip), and damaged or cut short", "download it again, or compress it again")
};
/// One behind whose compressed part there is something else.
pub const TRAILING_GZIP: Kind = Kind {
    kind: ErrorKind::Malformed,
    ..other(
        Sign::None,
        &[],
        "compressed (gzip), with bytes behind the compressed part that are not",
        "unpack it, which leaves them out, and hand in what comes out: `gunzip -c FILE > MODEL`; or download it again",
    )
};
/// One that was compressed and then compressed again.
pub const TWICE_GZIP: Kind = other(
    Sign::None,
    &[],
    "compressed twice (gzip inside of gzip)",
    "unpack it once, and hand in what comes out: `gunzip -c FILE > MODEL.gz`",
);
/// One with more in it than any model for a microcontroller has.
pub const LARGE_GZIP: Kind = other(
    Sign::None,
    &[],
    "compressed (gzip), with more than 256 MiB in it",
    "unpack it: `gunzip FILE`, or `tar xf FILE` if it is an archive",
);

const DOWNLOAD: &str = "the download saved something else than the file: take the link to the raw file (on GitHub, \"Download raw file\"), and download it \
     again";
const PICKLE: &str = "write the network in it as `.tflite` or `.onnx`; for scikit-learn, `skl2onnx`";
const PICTURE: &str = "pictures are inputs: `smidgen run MODEL --input FILE`";

/// What these bytes are, if they are of a known kind that is no model which smidgen reads. What the content says comes before
/// what the name says.
pub fn kind(bytes: &[u8], path: Option<&Path>) -> Option<&'static Kind> {
    let first = &bytes[..bytes.len().min(LOOKED_AT)];
    let names = bytes.starts_with(b"PK\x03\x04").then(|| zip_names(bytes)).flatten();
    let is = |kind: &&Kind| match kind.sign {
        Sign::At(place, wanted) => bytes.get(place..).is_some_and(|rest| rest.starts_with(wanted)),
        Sign::Text(wanted) => {
            let text = first.trim_ascii_start();
            text.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
        }
        Sign::Holds(all) => all.iter().all(|wanted| first.windows(wanted.len()).any(|window| window == *wanted)),
        Sign::Zip(end) => names.as_ref().is_some_and(|names| names.iter().any(|name| name.ends_with(end))),
        Sign::None => false,
    };
    KINDS.iter().find(is).or_else(|| by_name(path?))
}

/// The kind that a file's extension names.
fn by_name(path: &Path) -> Option<&'static Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    KINDS.iter().find(|kind| kind.extensions.contains(&extension.as_str()))
}

/// What this folder is, if it is of a known kind.
pub fn folder_kind(path: &Path) -> Option<&'static Kind> {
    const FOLDER: Kind = other(Sign::None, &[], "a TensorFlow SavedModel", SAVED_MODEL);
    if path.join("saved_model.pb").is_file() || path.join("saved_model.pbtxt").is_file() {
        return Some(&FOLDER);
    }
    by_name(path).filter(|kind| kind.extensions.contains(&"mlpackage"))
}
