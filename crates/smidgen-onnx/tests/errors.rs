//! Files that cannot be taken: each with an error that says where and what to do.

mod common;

use common::build::{attribute, chain, classifier, file, floats, graph, ints, node, normalised, number, port, raw};
use common::names;
use smidgen_onnx::{ErrorKind, Options, ReadError, check, is_onnx, read, read_with};

const IMAGE: [Result<i64, &str>; 4] = [Err("batch"), Ok(3), Err("height"), Err("width")];

fn relu(dims: &[Result<i64, &str>]) -> Vec<u8> {
    file(17, graph(&[node("Relu", &["x"], &["y"])], &[], &[port("x", dims)], &[port("y", &[])]))
}

fn with_shape(bytes: &[u8], name: &str, dims: &[usize]) -> Result<smidgen_onnx::Import, ReadError> {
    read_with(bytes, &Options { shapes: vec![(name.into(), dims.to_vec())], ..Options::default() })
}

fn refused(bytes: &[u8], kind: ErrorKind) -> String {
    let error = read(bytes).expect_err("an error");
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

#[test]
fn an_open_batch_is_one_and_other_open_sizes_are_asked_for() {
    let import = read(&relu(&[Err("batch"), Ok(3), Ok(8), Ok(6)])).unwrap();
    assert_eq!(
        (import.inputs[0].shape.as_slice(), import.inputs[0].axes.as_slice()),
        (&[1, 3, 8, 6][..], &[0, 2, 3, 1][..])
    );
    assert_eq!(import.graph.tensor(import.graph.inputs[0]).shape.dims(), [1, 8, 6, 3]);
    let ReadError::OpenShape { shape, example, .. } = read(&relu(&IMAGE)).unwrap_err() else { panic!("another error") };
    assert_eq!((shape.as_str(), example.as_str()), ("batchx3xheightxwidth", "x=1,3,SIZE,SIZE"));
    assert_eq!(with_shape(&relu(&IMAGE), "x", &[2, 3, 4, 4]).unwrap().inputs[0].shape, [2, 3, 4, 4]);
}

#[test]
fn a_shape_that_does_not_suit_is_refused() {
    for (name, dims, message) in [
        ("x", &[1, 4, 8, 8][..], "the shape 1x4x8x8 does not suit input \"x\", which is batchx3xheightxwidth"),
        ("x", &[1, 3, 8], "the shape 1x3x8 does not suit input \"x\", which is batchx3xheightxwidth"),
        ("z", &[1, 3, 8, 8], "there is no input \"z\"; the inputs are \"x\""),
    ] {
        let both = Options {
            shapes: vec![("x".into(), vec![1, 3, 8, 8]), (name.into(), dims.to_vec())],
            ..Options::default()
        };
        let only = Options { shapes: vec![(name.into(), dims.to_vec())], ..Options::default() };
        let error = read_with(&relu(&IMAGE), if name == "x" { &only } else { &both }).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Request, message));
    }
}

#[test]
fn every_unsupported_operator_is_named_with_its_place() {
    let nodes = [node("Det", &["x"], &["a"]), node("Relu", &["a"], &["b"]), node("NonZero", &["b"], &["y"])];
    let bytes = file(17, graph(&nodes, &[], &[port("x", &[Ok(2), Ok(2)])], &[port("y", &[])]));
    let found: Vec<String> =
        check(&bytes, &Options::default()).unwrap().iter().map(|f| format!("{} ({})", f.subject, f.tensors)).collect();
    // What reads the first is a consequence, unsupported or not.
    assert_eq!(found, ["operator 0 Det (\"x\" -> \"a\")", "operator 2 NonZero (\"b\" -> \"y\")"]);
    let message = refused(&bytes, ErrorKind::Unsupported);
    assert!(message.contains("operator 0 Det") && message.contains("supported operators: Abs, Acos"), "{message}");
}

#[test]
fn weights_that_are_no_numbers_are_unsupported_in_a_sound_file() {
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let nodes = [node("MatMul", &["x", "w"], &["y"])];
        let weights = floats("w", &[2, 2], &[1.0, value, 0.5, 0.25]);
        let bytes = file(17, graph(&nodes, &[weights], &[port("x", &[Ok(1), Ok(2)])], &[port("y", &[])]));
        let message = refused(&bytes, ErrorKind::Unsupported);
        assert!(message.starts_with(&format!("constant \"w\" holds {shown}")), "{message}");
    }
}

#[test]
fn nodes_in_a_cycle_or_that_read_what_nothing_writes_are_refused() {
    let nodes = [node("Relu", &["b"], &["a"]), node("Relu", &["a"], &["b"])];
    let bytes = file(17, graph(&nodes, &[], &[port("x", &[Ok(2)])], &[port("b", &[])]));
    let message = refused(&bytes, ErrorKind::Malformed);
    assert_eq!(
        message,
        "operator 0 Relu (\"b\" -> \"a\"): it reads what depends on its own output: operators form a cycle, so none of them \
         can run first"
    );
    let itself = [node("Relu", &["x"], &["b"]), node("Add", &["a", "b"], &["a"])];
    let bytes = file(17, graph(&itself, &[], &[port("x", &[Ok(2)])], &[port("b", &[])]));
    assert!(refused(&bytes, ErrorKind::Malformed).starts_with("operator 1 Add"));
    let bytes = file(17, graph(&[node("Relu", &["z"], &["y"])], &[], &[port("x", &[Ok(2)])], &[port("y", &[])]));
    assert!(refused(&bytes, ErrorKind::Malformed).contains("it reads \"z\", which is neither an input nor a constant"));
    let twice = [node("Relu", &["x"], &["y"]), node("Relu", &["x"], &["y"])];
    let bytes = file(17, graph(&twice, &[], &[port("x", &[Ok(2)])], &[port("y", &[])]));
    assert!(refused(&bytes, ErrorKind::Malformed).contains("it writes \"y\", which is there already"));
}

#[test]
fn nodes_out_of_order_are_sorted() {
    // Two branches and the sum of them, from the end to the beginning.
    let nodes = [
        node("Add", &["c", "d"], &["y"]),
        node("Tanh", &["a"], &["d"]),
        node("Sigmoid", &["a"], &["c"]),
        node("Exp", &["x"], &["a"]),
    ];
    let order = |nodes: &[common::build::Message]| {
        let bytes = file(17, graph(nodes, &[], &[port("x", &[Ok(2)])], &[port("y", &[])]));
        let import = read(&bytes).unwrap();
        import.graph.operators.iter().map(|o| (o.op.name(), o.source)).collect::<Vec<_>>()
    };
    assert_eq!(order(&nodes), [("EXP", Some(3)), ("LOGISTIC", Some(2)), ("TANH", Some(1)), ("ADD", Some(0))]);
    let forth: Vec<_> = nodes.iter().rev().cloned().collect();
    assert_eq!(order(&forth), [("EXP", Some(0)), ("LOGISTIC", Some(1)), ("TANH", Some(2)), ("ADD", Some(3))]);
    // A chain as long as it may be is no stack.
    assert_eq!(read(&chain((0..5000).rev())).unwrap().graph.operators.len(), 5000);
}

fn name(i: usize) -> String {
    format!("t{i}")
}

#[test]
fn many_small_operators_are_no_inflation() {
    for count in [1, 150, 300, 3000, 20_000] {
        let bytes = chain(0..count);
        let import = read(&bytes).unwrap_or_else(|e| panic!("{count} operators in {} bytes: {e}", bytes.len()));
        assert_eq!(import.graph.operators.len(), count);
    }
}

#[test]
fn sizes_beyond_all_bounds_are_refused() {
    let huge = [Ok(1), Ok(1 << 40), Ok(1 << 40), Ok(1 << 40)];
    read(&relu(&huge)).expect_err("2^120 elements");
    let nodes = [node("ConstantOfShape", &["shape"], &["c"]), node("Add", &["x", "c"], &["y"])];
    let bytes =
        file(17, graph(&nodes, &[ints("shape", &[1 << 20, 1 << 20])], &[port("x", &[Ok(1)])], &[port("y", &[])]));
    assert!(matches!(read(&bytes), Err(ReadError::Inflated { .. })));
    let bytes = file(17, graph(&[], &[raw("w", 1, &[1 << 62, 8], &[0; 4])], &[], &[port("w", &[])]));
    assert!(refused(&bytes, ErrorKind::Malformed).contains("impossible shape"));
}

#[test]
fn weights_in_other_files_are_fetched_within_the_folder_only() {
    use common::build::Message;
    let external = |location: &str| {
        let entry = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
        let tensor = Message::default().int(1, 2).int(1, 2).int(2, 1).text(8, "w").int(14, 1);
        let weights = tensor.message(13, entry("location", location)).message(13, entry("offset", "8"));
        file(
            17,
            graph(&[node("MatMul", &["x", "w"], &["y"])], &[weights], &[port("x", &[Ok(1), Ok(2)])], &[port("y", &[])]),
        )
    };
    let fetch = |location: &str, offset: u64, bytes: usize| {
        assert_eq!((location, offset, bytes), ("weights.bin", 8, 16));
        Ok([1f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect())
    };
    let import = read_with(
        &external("weights.bin"),
        &Options { shapes: vec![], external: Some(Box::new(fetch)), ..Options::default() },
    )
    .unwrap();
    assert_eq!(names(&import.graph), ["FULLY_CONNECTED"]);
    for outside in ["../weights.bin", "/etc/passwd", "a/../../b", "", "c:weights"] {
        let options = Options {
            shapes: vec![],
            external: Some(Box::new(|_, _, _| panic!("it was opened"))),
            ..Options::default()
        };
        let error = read_with(&external(outside), &options).unwrap_err();
        assert!(error.to_string().contains("does not lie in the network's own folder"), "{outside}: {error}");
    }
    assert!(refused(&external("weights.bin"), ErrorKind::Request).contains("without its folder"));
    let short = Options { shapes: vec![], external: Some(Box::new(|_, _, _| Ok(vec![0; 12]))), ..Options::default() };
    let error = read_with(&external("./weights.bin"), &short).unwrap_err();
    let message =
        "the weights in `./weights.bin` cannot be read: it ends 12 bytes after byte 8, where a constant of 16 begins";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Request, message));
}

#[test]
fn constant_nodes_with_weights_in_other_files_are_unsupported_and_say_what_to_do() {
    use common::build::Message;
    let entry = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
    let tensor = Message::default().int(1, 2).int(1, 2).int(2, 1).text(8, "w").int(14, 1);
    let value =
        Message::default().text(1, "value").message(5, tensor.message(13, entry("location", "w.bin"))).int(20, 4);
    let nodes = [node("Constant", &[], &["w"]).message(5, value), node("MatMul", &["x", "w"], &["y"])];
    let bytes = file(17, graph(&nodes, &[], &[port("x", &[Ok(1), Ok(2)])], &[port("y", &[])]));
    let message = refused(&bytes, ErrorKind::Unsupported);
    assert!(message.contains("operator 0 Constant") && message.contains("lies in another file, `w.bin`"), "{message}");
    assert!(message.contains("save the network in one file"), "{message}");
}

#[test]
fn tensors_of_too_many_dimensions_are_listed() {
    let dims = [Ok(1), Ok(2), Ok(1), Ok(2), Ok(1), Ok(2), Ok(3)];
    let nodes = [node("Sigmoid", &["x"], &["a"]), node("Sigmoid", &["a"], &["y"])];
    let bytes = file(17, graph(&nodes, &[], &[port("x", &dims)], &[port("y", &[])]));
    let found = check(&bytes, &Options::default()).unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|f| f.reason.contains("of 7 dimensions; at most 6")), "{found:?}");
}

/// A network that multiplies by `count` constants of `size` x `size` floats each, all in other files.
fn outside(size: i64, places: &[(&str, u64)]) -> Vec<u8> {
    use common::build::Message;
    let entry = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
    let tensor = |(i, (location, offset)): (usize, &(&str, u64))| {
        let tensor = Message::default().int(1, size).int(1, size).int(2, 1).text(8, &format!("w{i}")).int(14, 1);
        let offset = entry("offset", &offset.to_string());
        let length = entry("length", &(4 * size * size).to_string());
        tensor.message(13, entry("location", location)).message(13, offset).message(13, length)
    };
    let weights: Vec<Message> = places.iter().enumerate().map(tensor).collect();
    let multiply = |i: usize| node("MatMul", &[&name(i), &format!("w{i}")], &[&name(i + 1)]);
    let nodes: Vec<Message> = (0..places.len()).map(multiply).collect();
    file(17, graph(&nodes, &weights, &[port("t0", &[Ok(1), Ok(size)])], &[port(&name(places.len()), &[])]))
}

#[test]
fn weights_in_other_files_may_be_far_larger_than_the_graph() {
    let read_from = |places: &[(&str, u64)]| {
        let fetch = |_: &str, _: u64, bytes: usize| Ok(vec![0; bytes]);
        read_with(
            &outside(512, places),
            &Options { shapes: vec![], external: Some(Box::new(fetch)), ..Options::default() },
        )
    };
    let step = 4 * 512 * 512;
    let import = read_from(&[("a.data", 0), ("a.data", step), ("folder/b.data", 64), ("c.data", 4096)]).unwrap();
    assert_eq!(names(&import.graph), ["FULLY_CONNECTED"; 4]);
    // One range read over and over is one range.
    let over = read_from(&[("a.data", 0); 100]);
    assert!(matches!(over, Err(ReadError::Inflated { .. })), "{over:?}");
}

#[test]
fn other_operator_sets_and_element_types_are_refused() {
    let old = file(6, graph(&[node("Relu", &["x"], &["y"])], &[], &[port("x", &[Ok(2)])], &[port("y", &[])]));
    assert!(refused(&old, ErrorKind::Unsupported).contains("its operators are of set 6; sets 7 to 28 are supported"));
    let nodes = [node("Add", &["x", "c"], &["y"])];
    let half = raw("c", 10, &[2], &[0, 0x3c, 0, 0x40]);
    let bytes = file(17, graph(&nodes, &[half], &[port("x", &[Ok(2)])], &[port("y", &[])]));
    assert!(refused(&bytes, ErrorKind::Unsupported).contains("it computes with float16"));
    assert!(matches!(read(b""), Err(ReadError::NotOnnx { .. })));
    assert!(is_onnx(&classifier()) && !is_onnx(b"graph") && !is_onnx(b"\x08\x00\x00\x00TFL3"));
}

#[test]
fn weights_of_half_precision_are_floats_behind_a_cast() {
    let one_and_two = [0, 0x3c, 0, 0x40];
    let cast = node("Cast", &["h"], &["w"]).message(5, number("to", 1));
    let nodes = [cast, node("Add", &["x", "w"], &["y"])];
    let half = raw("h", 10, &[2], &one_and_two);
    let bytes = file(17, graph(&nodes, &[half], &[port("x", &[Ok(2)])], &[port("y", &[])]));
    let import = read(&bytes).unwrap();
    assert_eq!(names(&import.graph), ["ADD"]);
    assert_eq!(import.graph.tensor(import.graph.operators[0].inputs[1]).floats(), Some(vec![1.0, 2.0]));
}

#[test]
fn images_come_out_channels_last_and_fused() {
    let import = read(&classifier()).unwrap();
    assert_eq!(
        names(&import.graph),
        ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"],
        "the shape, the normalisation, the activation and the transposition before the matrix are gone"
    );
    let nodes = [
        node("Transpose", &["x"], &["t"]).message(5, attribute("perm", &[0, 3, 1, 2])),
        node("GlobalMaxPool", &["t"], &["g"]),
        node("Squeeze", &["g", "axes"], &["y"]),
    ];
    let image = [Ok(1), Ok(5), Ok(4), Ok(3)];
    let bytes = file(17, graph(&nodes, &[ints("axes", &[2, 3])], &[port("x", &image)], &[port("y", &[])]));
    let import = read(&bytes).unwrap();
    assert_eq!(names(&import.graph), ["MAX_POOL_2D", "RESHAPE"], "an input that is channels last in the file stays so");
    assert!(!import.inputs[0].is_rearranged());
    let split = node("Split", &["x"], &["a", "b"]).message(5, number("axis", 1)).message(5, number("num_outputs", 2));
    let bytes = file(18, graph(&[split], &[], &[port("x", &[Ok(1), Ok(4)])], &[port("a", &[]), port("b", &[])]));
    assert_eq!(names(&read(&bytes).unwrap().graph), ["SPLIT"]);
}

#[test]
fn training_mode_is_read_as_evaluation_mode_where_that_is_asked_for() {
    let training = normalised(true);
    let refused = read_with(&training, &Options::default()).unwrap_err().to_string();
    assert!(refused.contains("training mode"), "{refused}");
    let read = |bytes: &[u8], training| read_with(bytes, &Options { training, ..Options::default() }).unwrap().graph;
    assert_eq!(read(&training, true).tensors, read(&normalised(false), false).tensors);
}
