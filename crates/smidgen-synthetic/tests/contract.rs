//! The validator's contract: what it accepts makes nothing after it panic. Random graphs with wild numbers written into their
//! text: most are refused, and those that are not go all the way.

mod common;

use common::{inputs, run};
use smidgen_ir::text::{parse, print};
use smidgen_ir::{Graph, cost, passes, validate};
use smidgen_lower::{LowerOptions, lower};
use smidgen_synthetic::{Random, RandomGraphOptions, random_graph};

/// The text with one or two of its numbers replaced.
fn mutate(text: &str, random: &mut Random) -> String {
    let mut spans = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, c.is_ascii_digit() || c == '.') {
            (None, true) => start = Some(i),
            (Some(s), false) => {
                spans.push(s..i);
                start = None;
            }
            _ => {}
        }
    }
    let mut text = text.to_string();
    for _ in 0..2 {
        let span = spans[random.below(spans.len())].clone();
        let old = &text[span.clone()];
        let small = |random: &mut Random| random.below(9).to_string();
        let new = match random.below(6) {
            0..3 => small(random),
            3 if !old.contains('.') => (old.parse::<u64>().unwrap_or(0) + 1).to_string(),
            3 => format!("{old}1"),
            4 => random.choose(&["127", "128", "255", "65536", "2147483647", "2147483648", "1000000"]).to_string(),
            _ => {
                random.choose(&["18446744073709551615", "9223372036854775807", "0.00000001", "100000000.0"]).to_string()
            }
        };
        // After a change of length the other spans would be wrong.
        let last = new.len() != old.len();
        text.replace_range(span, &new);
        if last {
            break;
        }
    }
    text
}

/// Everything that may be done with a valid graph. True if it could be run as well.
fn exercise(graph: &Graph) -> bool {
    let cost = cost(graph);
    assert_eq!(parse(&print(graph)).as_ref(), Ok(graph));
    let mut cleaned = graph.clone();
    passes::canonicalise(&mut cleaned);
    assert_eq!(validate(&cleaned), Ok(()));
    passes::strip_io(&mut cleaned);
    passes::remove_dead(&mut cleaned);
    assert_eq!(validate(&cleaned), Ok(()));
    let bytes = cost.output_bytes + cost.input_bytes + cost.parameter_bytes;
    // A kernel that has no such operator may say so; large tensors are only a matter of patience.
    if bytes > 1 << 20 || cost.macs > 3_000_000 || lower(graph, &LowerOptions::default()).is_err() {
        return false;
    }
    run(graph, &inputs(graph, 0));
    true
}

#[test]
fn what_the_validator_accepts_makes_nothing_panic() {
    let (mut accepted, mut ran) = (0, 0);
    let mut random = Random::new(11);
    for seed in 0..300 {
        let options = RandomGraphOptions { blocks: 4, image: 12, float_io: seed % 3 == 0, ..Default::default() };
        let text = print(&random_graph(seed, &options));
        for _ in 0..20 {
            let mutated = mutate(&text, &mut random);
            let Ok(graph) = parse(&mutated) else { continue };
            if validate(&graph).is_ok() {
                accepted += 1;
                let outcome = std::panic::catch_unwind(|| exercise(&graph));
                ran += usize::from(outcome.unwrap_or_else(|_| panic!("seed {seed}:\n{mutated}")));
            }
        }
    }
    println!("of 6000 mutated graphs {accepted} are valid and {ran} ran");
    assert!(accepted > 500 && ran > 400);
}
