//! Products of what is computed at run time, which ONNX's own tests have in double precision alone, and GELU however it is spelt.

mod common;

use common::build::{Message, file, floats, graph, node, number, port, raw};
use common::{Array, names, run};
use smidgen_onnx::{Options, read_with};
use std::collections::BTreeMap;

fn text(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).int(20, 3)
}

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 29 + seed * 13) % 23) as f32 / 8.0 - 1.25).collect()
}

fn array(name: &str, dims: &[usize], values: &[f32]) -> Array {
    let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Array { name: name.into(), data_type: 1, dims: dims.to_vec(), data }
}

/// Every index of some letters with these sizes.
fn indices(letters: &[char], sizes: &BTreeMap<char, usize>) -> Vec<BTreeMap<char, usize>> {
    let mut all = vec![BTreeMap::new()];
    for &letter in letters {
        let more = |index: BTreeMap<char, usize>| {
            (0..sizes[&letter]).map(move |i| index.iter().map(|(&l, &i)| (l, i)).chain([(letter, i)]).collect())
        };
        all = all.into_iter().flat_map(more).collect();
    }
    all
}

/// What an equation means, element by element.
fn defined(terms: &[&str], result: &str, operands: &[Vec<f32>], sizes: &BTreeMap<char, usize>) -> Vec<f32> {
    let mut letters: Vec<char> = result.chars().collect();
    let summed = |l: &&char| !result.contains(**l) && terms.iter().any(|term| term.contains(**l));
    letters.extend(sizes.keys().filter(summed));
    let at = |term: &str, index: &BTreeMap<char, usize>| term.chars().fold(0, |at, l| at * sizes[&l] + index[&l]);
    let mut sums = vec![0.0; result.chars().map(|l| sizes[&l]).product()];
    for index in indices(&letters, sizes) {
        let product: f32 = terms.iter().zip(operands).map(|(term, values)| values[at(term, &index)]).product();
        sums[at(result, &index)] += product;
    }
    sums
}

#[test]
fn einsum_is_what_its_equation_says() {
    let sizes = BTreeMap::from([('b', 2), ('d', 4), ('h', 3), ('i', 5), ('j', 6)]);
    for (equation, terms, result) in [
        ("bhid,bhjd->bhij", &["bhid", "bhjd"][..], "bhij"),
        ("bhij, bhjd -> bihd", &["bhij", "bhjd"], "bihd"),
        ("ij,jd->di", &["ij", "jd"], "di"),
        ("bi,bi->b", &["bi", "bi"], "b"),
        ("i,j->ij", &["i", "j"], "ij"),
        ("bid,d", &["bid", "d"], "bi"),
        ("bid->db", &["bid"], "db"),
        ("hi->ih", &["hi"], "ih"),
    ] {
        let operands: Vec<Vec<f32>> =
            terms.iter().enumerate().map(|(i, term)| numbers(term.chars().map(|l| sizes[&l]).product(), i)).collect();
        let input = ["p", "q"];
        let dims = |term: &str| term.chars().map(|l| sizes[&l]).collect::<Vec<usize>>();
        let ports: Vec<Message> = terms
            .iter()
            .zip(input)
            .map(|(term, name)| port(name, &dims(term).iter().map(|&d| Ok(d as i64)).collect::<Vec<_>>()))
            .collect();
        let einsum = node("Einsum", &input[..terms.len()], &["y"]).message(5, text("equation", equation));
        let bytes = file(17, graph(&[einsum], &[], &ports, &[port("y", &[])]));
        let import = read_with(&bytes, &Options::default()).unwrap_or_else(|e| panic!("{equation}: {e}"));
        let arrays: Vec<Array> =
            terms.iter().zip(input).zip(&operands).map(|((term, name), v)| array(name, &dims(term), v)).collect();
        let found = run(&import, &arrays).unwrap_or_else(|e| panic!("{equation}: {e}"));
        assert_eq!(found[0].0.shape, dims(result), "{equation}");
        let expected = defined(terms, result, &operands, &sizes);
        for (f, e) in common::floats(&found[0].1).into_iter().zip(expected) {
            assert!((f - e).abs() <= 1e-4, "{equation}: {f}, not {e}");
        }
    }
}

#[test]
fn gelu_is_recognised_however_it_is_spelt() {
    let constants = [
        floats("root", &[], &[std::f32::consts::SQRT_2]),
        floats("inverse", &[1], &[std::f32::consts::FRAC_1_SQRT_2]),
        floats("one", &[], &[1.0]),
        floats("half", &[], &[0.5]),
    ];
    let by_division = node("Div", &["x", "root"], &["s"]);
    let by_product = node("Mul", &["x", "inverse"], &["s"]);
    let gate = [node("Erf", &["s"], &["e"]), node("Add", &["e", "one"], &["g"])];
    for (scaled, ends) in [
        (&by_division, [node("Mul", &["x", "g"], &["p"]), node("Mul", &["p", "half"], &["y"])]),
        (&by_product, [node("Mul", &["x", "half"], &["p"]), node("Mul", &["p", "g"], &["y"])]),
        (&by_product, [node("Mul", &["half", "g"], &["p"]), node("Mul", &["x", "p"], &["y"])]),
    ] {
        let nodes = [&[scaled.clone()][..], &gate, &ends].concat();
        let bytes = file(17, graph(&nodes, &constants, &[port("x", &[Ok(1), Ok(7)])], &[port("y", &[])]));
        let import = read_with(&bytes, &Options::default()).unwrap();
        assert_eq!(names(&import.graph), ["GELU"]);
    }
    // Another factor is no GELU.
    let other = node("Mul", &["x", "one"], &["s"]);
    let ends = [node("Mul", &["x", "g"], &["p"]), node("Mul", &["p", "half"], &["y"])];
    let nodes = [&[other][..], &gate, &ends].concat();
    let bytes = file(17, graph(&nodes, &constants, &[port("x", &[Ok(1), Ok(7)])], &[port("y", &[])]));
    assert!(names(&read_with(&bytes, &Options::default()).unwrap().graph).contains(&"ERF"));
}

#[test]
fn what_dynamic_quantisation_writes_gives_its_sums() {
    // As ONNX Runtime writes a layer: the input in 8 bits, integers multiplied, and scaled back.
    let nodes = [
        node("DynamicQuantizeLinear", &["x"], &["q", "s", "z"]),
        node("MatMulInteger", &["q", "w", "z", "wz"], &["i"]),
        node("Cast", &["i"], &["f"]).message(5, number("to", 1)),
        node("Mul", &["s", "ws"], &["both"]),
        node("Mul", &["f", "both"], &["y"]),
    ];
    let weights: Vec<i8> = (0..12).map(|i| (i * 19 % 41) as i8 - 20).collect();
    let bytes: Vec<u8> = weights.iter().map(|&w| w as u8).collect();
    let constants = [raw("w", 3, &[4, 3], &bytes), raw("wz", 3, &[], &[0]), floats("ws", &[], &[0.05])];
    let bytes = file(17, graph(&nodes, &constants, &[port("x", &[Ok(2), Ok(4)])], &[port("y", &[])]));
    let import = read_with(&bytes, &Options::default()).unwrap();
    let x = numbers(8, 3);
    let found = run(&import, &[array("x", &[2, 4], &x)]).unwrap();
    let (low, high) = x.iter().fold((0f32, 0f32), |(low, high), &v| (low.min(v), high.max(v)));
    let scale = (high - low) / 255.0;
    let zero = (-low / scale).round_ties_even();
    let stored = |v: f32| ((v / scale).round_ties_even() + zero).clamp(0.0, 255.0) - zero;
    for (at, f) in common::floats(&found[0].1).into_iter().enumerate() {
        let sum: f32 = (0..4).map(|k| stored(x[at / 3 * 4 + k]) * f32::from(weights[k * 3 + at % 3])).sum();
        let expected = sum * (scale * 0.05);
        assert!((f - expected).abs() <= 1e-5, "{at}: {f}, not {expected}");
    }
}
