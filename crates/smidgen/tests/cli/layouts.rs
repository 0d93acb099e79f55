//! The order of axes: arrays for an ONNX file come and go as that file has them, whatever the command.

use crate::build::{attribute, file, floats, graph, node, port};
use crate::support::{Finished, Folder, simulates};
use smidgen::boards::Core;
use smidgen::data::{Archive, Array};
use smidgen::{Network, files};

/// What mixes two channels into two: `y[o] = sum(W[o][i] * x[i])`.
const W: [[f32; 2]; 2] = [[1.0, -2.0], [0.5, 3.0]];

/// A convolution with a kernel of one element over `[1, 2, sizes...]`, whose output is an image or a line as well.
fn mixer(sizes: &[usize]) -> Vec<u8> {
    let shape = shape(sizes);
    let dims: Vec<Result<i64, &str>> = shape.iter().map(|&d| Ok(d as i64)).collect();
    let kernel: Vec<i64> = [2, 2].into_iter().chain(sizes.iter().map(|_| 1)).collect();
    let nodes = [node("Conv", &["x", "w"], &["y"])];
    let weights = floats("w", &kernel, W.as_flattened());
    file(17, graph(&nodes, &[weights], &[port("x", &dims)], &[port("y", &dims)]))
}

fn shape(sizes: &[usize]) -> Vec<usize> {
    [1, 2].into_iter().chain(sizes.iter().copied()).collect()
}

/// An input of that shape, channels first, and what [`mixer`] makes of it.
fn sample(sizes: &[usize], seed: usize) -> [Array; 2] {
    let pixels: usize = sizes.iter().product();
    let x: Vec<f32> = (0..2 * pixels).map(|i| ((i * 7 + seed * 3) % 11) as f32 - 5.0).collect();
    let y: Vec<f32> =
        W.iter().flat_map(|[a, b]| (0..pixels).map(|p| a * x[p] + b * x[pixels + p]).collect::<Vec<_>>()).collect();
    [x, y].map(|values| Array::from_f32(&shape(sizes), &values))
}

/// Two channels first, made two channels last.
fn turned(array: &Array) -> Array {
    let values = array.to_f32().unwrap();
    let pixels = values.len() / 2;
    let last: Vec<f32> = (0..pixels).flat_map(|p| [values[p], values[pixels + p]]).collect();
    let shape = [&[1], &array.shape[2..], &[2]].concat();
    Array::from_f32(&shape, &last)
}

fn arrays(folder: &Folder, name: &str) -> Archive {
    Archive::new(files::read(&folder.path(name)).unwrap()).unwrap()
}

/// Output without the places where lines are broken.
fn said(finished: &Finished) -> String {
    finished.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines and images; of the last of each a channel is as long as there are channels.
const SIZES: [&[usize]; 4] = [&[3], &[3, 4], &[2], &[2, 2]];

#[test]
fn run_takes_and_gives_arrays_in_the_files_order() {
    for sizes in SIZES {
        let folder = Folder::new();
        let [x, y] = sample(sizes, 0);
        folder.write("mixer.onnx", mixer(sizes)).npy("x.npy", &x).npz("x.npz", &[("input_0", x.clone())]);
        for input in ["x.npy", "x.npz"] {
            let run = ["run", "mixer.onnx", "--input", input, "--output", "out.npz"];
            let told = said(&folder.smidgen(&run).expect(0));
            assert!(told.contains("as the model file has it, transposed to"), "{told}");
            let mut out = arrays(&folder, "out.npz");
            assert_eq!(out.get("input_0").unwrap().unwrap(), x, "{sizes:?}");
            assert_eq!(out.get("output_0_0").unwrap().unwrap(), y, "{sizes:?}");
        }
        let json = folder.smidgen(&["run", "mixer.onnx", "--input", "x.npy", "--json"]).expect(0).json();
        assert_eq!(json["outputs"][0]["shape"], serde_json::json!(y.shape));
        assert_eq!(json["inputs"][0]["shape"], serde_json::json!(x.shape));
        assert_eq!(json["outputs"][0]["values"], serde_json::json!(y.to_f64()));
        // What was written is a golden file.
        folder.smidgen(&["verify", "mixer.onnx", "--golden", "out.npz"]).expect(0);
    }
}

#[test]
fn goldens_are_in_the_files_order_and_where_only_the_networks_fits_that_is_told() {
    for sizes in SIZES {
        let folder = Folder::new();
        let [x, y] = sample(sizes, 1);
        folder.write("mixer.onnx", mixer(sizes));
        let verify = ["verify", "mixer.onnx", "--golden", "golden.npz"];
        folder.npz("golden.npz", &[("input_0", x.clone()), ("output_0_0", y.clone())]);
        let told = said(&folder.smidgen(&verify).expect(0));
        assert!(told.contains("`output_0_0`") && told.contains("transposed to"), "{told}");
        folder.npz("golden.npz", &[("input_0", turned(&x)), ("output_0_0", turned(&y))]);
        if sizes.contains(&2) {
            // Both orders fit: it is the file's, in which these numbers are wrong.
            folder.smidgen(&verify).expect(1);
        } else {
            let told = said(&folder.smidgen(&verify).expect(0));
            assert!(told.contains("taken as it is (channels last)"), "{told}");
        }
    }
}

#[test]
fn a_difference_is_named_by_its_place_in_the_file() {
    let folder = Folder::new();
    let [x, y] = sample(&[3, 4], 0);
    let mut values = y.to_f32().unwrap();
    // Channel 1, row 2, column 1.
    values[12 + 2 * 4 + 1] += 100.0;
    let golden = [("input_0", x), ("output_0_0", Array::from_f32(&y.shape, &values))];
    folder.write("mixer.onnx", mixer(&[3, 4])).npz("golden.npz", &golden);
    let json = folder.smidgen(&["verify", "mixer.onnx", "--golden", "golden.npz", "--json"]).expect(1).json();
    assert_eq!(json["first_difference"]["at"], serde_json::json!([0, 1, 2, 1]));
}

#[test]
fn what_lies_between_is_compared_by_the_files_names() {
    let dims = [Ok(1), Ok(2), Ok(2), Ok(2)];
    let nodes = [
        node("Conv", &["x", "w"], &["between"]),
        node("Sigmoid", &["between"], &["s"]),
        node("Add", &["s", "x"], &["y"]),
    ];
    let weights = floats("w", &[2, 2, 1, 1], W.as_flattened());
    let [x, between] = sample(&[2, 2], 0);
    let values = x.to_f32().unwrap().into_iter().zip(between.to_f32().unwrap());
    let y: Vec<f32> = values.map(|(x, b)| 1.0 / (1.0 + (-b).exp()) + x).collect();
    let y = Array::from_f32(&x.shape, &y);
    let folder = Folder::new();
    folder.write("net.onnx", file(17, graph(&nodes, &[weights], &[port("x", &dims)], &[port("y", &dims)])));
    let verify = ["verify", "net.onnx", "--golden", "golden.npz", "--json"];
    folder.npz("golden.npz", &[("input_0", x.clone()), ("output_0_0", y.clone()), ("between", between.clone())]);
    let json = folder.smidgen(&verify).expect(0).json();
    assert_eq!(json["intermediates"][0]["array"], "between", "{json}");
    assert_eq!(json["not_compared"], 0);
    let mut wrong = between.to_f32().unwrap();
    // Channel 1, row 0, column 1.
    wrong[5] += 1.0;
    let wrong = Array::from_f32(&between.shape, &wrong);
    folder.npz("golden.npz", &[("input_0", x), ("output_0_0", y), ("between", wrong)]);
    let json = folder.smidgen(&verify).expect(1).json();
    assert_eq!(json["first_difference"]["operator"]["name"], "CONV_2D");
    assert_eq!(json["first_difference"]["at"], serde_json::json!([0, 1, 0, 1]));

    // A flattened image whose order went into the weights behind it is not the file's value any more.
    let x = Array::from_f32(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let flat = Array::from_f32(&[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    folder.write("net.onnx", picker());
    folder.npz("golden.npz", &[("input_0", x), ("output_0_0", flat.clone()), ("f", flat)]);
    let json = folder.smidgen(&verify).expect(0).json();
    assert_eq!((&json["not_compared"], &json["intermediates"]), (&1.into(), &serde_json::json!([])));
}

#[test]
fn what_fits_neither_order_is_refused_with_the_files_shape() {
    let folder = Folder::new();
    folder.write("mixer.onnx", mixer(&[3, 4]));
    let wrong = Array::from_f32(&[1, 2, 4, 3], &[0.0; 24]);
    folder.npy("x.npy", &wrong).npz("golden.npz", &[("input_0", wrong.clone()), ("output_0_0", wrong)]);
    for arguments in [["run", "mixer.onnx", "-i", "x.npy"], ["verify", "mixer.onnx", "-g", "golden.npz"]] {
        let told = folder.smidgen(&arguments).expect(2).stderr;
        let told = told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(told.contains("1x2x3x4 (or 1x3x4x2, channels last)"), "{told}");
    }
}

#[test]
fn several_inputs_each_have_their_own_order() {
    let dims = [Ok(1), Ok(2), Ok(3), Ok(4)];
    let nodes = [node("Conv", &["x", "w"], &["c"]), node("Add", &["c", "z"], &["y"])];
    let weights = floats("w", &[2, 2, 1, 1], W.as_flattened());
    let inputs = [port("x", &dims), port("z", &dims)];
    let folder = Folder::new();
    folder.write("two.onnx", file(17, graph(&nodes, &[weights], &inputs, &[port("y", &dims)])));
    let ([x, c], [z, _]) = (sample(&[3, 4], 0), sample(&[3, 4], 5));
    let sum: Vec<f32> = c.to_f32().unwrap().iter().zip(z.to_f32().unwrap()).map(|(a, b)| a + b).collect();
    let y = Array::from_f32(&c.shape, &sum);
    // One as the file has it, the other channels last.
    folder.npz("golden.npz", &[("input_0_0", x.clone()), ("input_0_1", turned(&z)), ("output_0_0", y.clone())]);
    folder.smidgen(&["verify", "two.onnx", "--golden", "golden.npz"]).expect(0);
    folder.npy("x.npy", &x).npy("z.npy", &z);
    folder.smidgen(&["run", "two.onnx", "-i", "x.npy", "-i", "z.npy", "-o", "out.npz"]).expect(0);
    assert_eq!(arrays(&folder, "out.npz").get("output_0_0").unwrap().unwrap(), y);
}

/// As exporters from Keras write it: channels last in the file, turned by the graph itself.
#[test]
fn files_that_have_the_channels_last_keep_them_there() {
    let dims = [Ok(1), Ok(3), Ok(4), Ok(2)];
    let turn =
        |from: &str, to: &str, perm: [i64; 4]| node("Transpose", &[from], &[to]).message(5, attribute("perm", &perm));
    let nodes = [turn("x", "first", [0, 3, 1, 2]), node("Conv", &["first", "w"], &["c"]), turn("c", "y", [0, 2, 3, 1])];
    let weights = floats("w", &[2, 2, 1, 1], W.as_flattened());
    let [x, y] = sample(&[3, 4], 2).map(|array| turned(&array));
    let folder = Folder::new();
    folder.write("keras.onnx", file(17, graph(&nodes, &[weights], &[port("x", &dims)], &[port("y", &dims)])));
    folder.npz("golden.npz", &[("input_0", x.clone()), ("output_0_0", y.clone())]).npy("x.npy", &x);
    folder.smidgen(&["verify", "keras.onnx", "--golden", "golden.npz"]).expect(0);
    folder.smidgen(&["run", "keras.onnx", "-i", "x.npy", "-o", "out.npz"]).expect(0);
    assert_eq!(arrays(&folder, "out.npz").get("output_0_0").unwrap().unwrap(), y);
}

#[test]
fn the_library_takes_and_gives_the_files_order() {
    for sizes in SIZES {
        let network = Network::from_bytes(&mixer(sizes)).unwrap();
        let [x, y] = sample(sizes, 3);
        assert_eq!(network.run(std::slice::from_ref(&x)).unwrap()[0], y, "{sizes:?}");
        if !sizes.contains(&2) {
            assert_eq!(network.run(&[turned(&x)]).unwrap()[0], y);
        }
    }
}

/// A classifier of lines `2 x 2`: the greatest of four numbers, each of them one element, names the class.
fn picker() -> Vec<u8> {
    let nodes =
        [node("Conv", &["x", "w"], &["c"]), node("Flatten", &["c"], &["f"]), node("MatMul", &["f", "m"], &["y"])];
    let identity: Vec<f32> = (0..16).map(|i| f32::from(i % 5 == 0)).collect();
    let constants = [floats("w", &[2, 2, 1], &[1.0, 0.0, 0.0, 1.0]), floats("m", &[4, 4], &identity)];
    let (line, classes) = ([Ok(1), Ok(2), Ok(2)], [Ok(1), Ok(4)]);
    file(17, graph(&nodes, &constants, &[port("x", &line)], &[port("y", &classes)]))
}

#[test]
fn sets_of_samples_are_in_the_files_order() {
    let folder = Folder::new();
    let samples: Vec<f32> = (0..80).map(|i| if i % 4 == i / 4 % 4 { 2.0 + (i / 16) as f32 } else { 0.25 }).collect();
    let labels = Array::new(smidgen::Dtype::Uint8, &[20], (0..20).map(|i| i % 4).collect());
    let x = Array::from_f32(&[20, 2, 2], &samples);
    folder.write("picker.onnx", picker()).npz("set.npz", &[("x", x.clone()), ("y", labels)]).npy("x.npy", &x);
    let finished = folder.smidgen(&["eval", "picker.onnx", "--data", "set.npz"]).expect(0);
    assert!(finished.stdout.contains("top-1 100.00 % (20 of 20)"), "{}", finished.stdout);
    assert!(said(&finished).contains("transposed to 1x2x2"), "{}", finished.stdout);
    // The int8 network, whose samples have the channels last, is as right: the ranges of each element are those of its
    // own samples.
    let quantise = ["quantize", "picker.onnx", "-o", "small.tflite", "--data", "x.npy"];
    let told = said(&folder.smidgen(&quantise).expect(0));
    assert!(told.contains("transposed to 1x2x2") && told.contains("1x2x2 in small.tflite, channels last"), "{told}");
    let last: Vec<f32> = samples.chunks(4).flat_map(|s| [s[0], s[2], s[1], s[3]]).collect();
    let labels = Array::new(smidgen::Dtype::Uint8, &[20], (0..20).map(|i| i % 4).collect());
    folder.npz("last.npz", &[("x", Array::from_f32(&[20, 2, 2], &last)), ("y", labels)]);
    let json = folder.smidgen(&["eval", "small.tflite", "--data", "last.npz", "--json"]).expect(0).json();
    assert_eq!(json["top1"], 1.0, "{json}");
}

#[test]
fn commands_that_leave_onnx_behind_say_which_shapes_differ() {
    let folder = Folder::new();
    folder.write("mixer.onnx", mixer(&[3, 4])).write("picker.onnx", picker());
    let told = said(&folder.smidgen(&["convert", "mixer.onnx", "mixer.tflite"]).expect(0));
    assert!(told.contains("input `x`: 1x3x4x2 in mixer.tflite, channels last; 1x2x3x4 in the model file"), "{told}");
    assert!(told.contains("output `y`: 1x3x4x2 in mixer.tflite"), "{told}");
    let told = said(&folder.smidgen(&["check", "mixer.onnx"]).expect(0));
    assert!(told.contains("input `x`: 1x3x4x2 in the network, channels last; 1x2x3x4 in the model file"), "{told}");
    let told = said(&folder.smidgen(&["inspect", "mixer.onnx"]).expect(0));
    assert!(told.contains("f32 1x3x4x2 (the file's 1x2x3x4, with the channels last)"), "{told}");
    // The written file is in its own order, and says nothing.
    let [x, y] = sample(&[3, 4], 0).map(|array| turned(&array));
    folder.npz("golden.npz", &[("input_0", x), ("output_0_0", y)]);
    let told = said(&folder.smidgen(&["verify", "mixer.tflite", "--golden", "golden.npz"]).expect(0));
    assert!(!told.contains("transposed") && !told.contains("as it is"), "{told}");
}

#[test]
fn generated_code_says_in_which_order_it_takes_and_gives() {
    let folder = Folder::new();
    folder.write("mixer.onnx", mixer(&[3, 4]));
    let emit = if simulates(Core::CortexM7) { "rust,c" } else { "rust" };
    folder.smidgen(&["compile", "mixer.onnx", "--board", "stm32f746", "--emit", emit, "-o", "out"]).expect(0);
    let mut texts = vec!["out/rust/src/lib.rs"];
    texts.extend((emit == "rust,c").then_some("out/c/include/mixer.h"));
    for path in texts {
        let text = String::from_utf8(files::read(&folder.path(path)).unwrap()).unwrap();
        let words: Vec<&str> = text.split_whitespace().filter(|word| !matches!(*word, "*" | "///")).collect();
        let found = words.join(" ").matches("The model file has it as 1x2x3x4; here it is channels last").count();
        assert_eq!(found, 2, "{path}: {text}");
    }
}

#[test]
fn firmware_is_compared_with_goldens_in_the_files_order() {
    if !simulates(Core::CortexM7) {
        return;
    }
    let folder = Folder::new();
    let ([x, y], [x1, y1]) = (sample(&[2, 2], 0), sample(&[2, 2], 1));
    let golden = [("input_0", x.clone()), ("output_0_0", y), ("input_1", x1), ("output_1_0", y1)];
    folder.write("mixer.onnx", mixer(&[2, 2])).npz("golden.npz", &golden).npy("x.npy", &x);
    let simulate = ["simulate", "mixer.onnx", "--board", "stm32f746"];
    let finished = folder.smidgen(&[&simulate[..], &["--golden", "golden.npz"]].concat()).expect(0);
    assert!(finished.stdout.contains("and the golden file's, 2 samples"), "{}", finished.stdout);
    assert!(said(&finished).contains("`input_0` 1x2x2x2 as the model file has it, transposed"), "{}", finished.stdout);
    let finished = folder.smidgen(&[&simulate[..], &["--input", "x.npy"]].concat()).expect(0);
    assert!(said(&finished).contains("as the model file has it, transposed"), "{}", finished.stdout);
}
