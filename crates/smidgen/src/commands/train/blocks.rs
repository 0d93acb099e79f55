//! A network described as blocks in JSON.

use serde_json::{Map, Value};
use smidgen::train::{Activation, Block};

/// A network as a file describes it: `{"input": [96, 96, 3], "blocks": [...]}` with blocks
/// `{"conv": FILTERS, "kernel": K, "stride": S, "activation": A}`, `{"depthwise": K, "stride": S, "activation": A}` and
/// `{"inverted": FILTERS, "middle": CHANNELS, "kernel": K, "stride": S, "activation": A}`, with `fused` in place of
/// `inverted` for fused ones.
///
/// Taps are a number, or `[height, width]` but in inverted residuals; 3 where they are left out. Strides are 1, and
/// activations `relu6` (or `relu`, `hard_swish`, `none`), where they are left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// Rows, columns and channels.
    pub input: [usize; 3],
    /// What follows one another.
    pub blocks: Vec<Block>,
}

/// No number in a description is greater.
const MOST: u64 = 4096;

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// In words, what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let all = value.as_object().ok_or("it is no object")?;
        only(all, &["input", "blocks", "name"]).map_err(|key| format!("`{key}` is no part of a description"))?;
        let sides = all.get("input").and_then(Value::as_array).map(|sides| sides.iter().map(number).collect());
        let sides: Option<Vec<usize>> = sides.flatten();
        let input = sides.and_then(|sides| sides.try_into().ok());
        let input = input.ok_or("`input` is not [rows, columns, channels], numbers from 1 to 4096")?;
        let blocks = all.get("blocks").and_then(Value::as_array).filter(|blocks| !blocks.is_empty());
        let blocks = blocks.ok_or("`blocks` is no list of blocks")?.iter().enumerate();
        let blocks = blocks.map(|(place, block)| of(block).map_err(|error| format!("block {place}: {error}")));
        Ok(Self { input, blocks: blocks.collect::<Result<_, _>>()? })
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().filter(|number| (1..=MOST).contains(number)).map(|number| number as usize)
}

/// The first key that is none of these.
fn only<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> Result<(), &'a str> {
    object.keys().find(|key| !keys.contains(&key.as_str())).map_or(Ok(()), |key| Err(key.as_str()))
}

fn of(value: &Value) -> Result<Block, String> {
    let object = value.as_object().ok_or("it is no object")?;
    let kinds = ["conv", "depthwise", "inverted", "fused"];
    let mut named = kinds.into_iter().filter(|kind| object.contains_key(*kind));
    let (Some(kind), None) = (named.next(), named.next()) else {
        return Err("it is not one of `conv`, `depthwise`, `inverted` and `fused`".into());
    };
    let known: &[&str] = match kind {
        "conv" => &["conv", "kernel", "stride", "activation"],
        "depthwise" => &["depthwise", "stride", "activation"],
        "fused" => &["fused", "middle", "kernel", "stride", "activation"],
        _ => &["inverted", "middle", "kernel", "stride", "activation"],
    };
    only(object, known).map_err(|key| format!("`{key}` is no part of `{kind}`"))?;
    let count = |key: &str, default: Option<usize>| match object.get(key) {
        Some(value) => number(value).ok_or_else(|| format!("`{key}` is no number from 1 to {MOST}")),
        None => default.ok_or_else(|| format!("`{key}` is missing")),
    };
    let taps = |key: &str| match object.get(key).and_then(Value::as_array).map(Vec::as_slice) {
        Some([rows, columns]) => match (number(rows), number(columns)) {
            (Some(rows), Some(columns)) => Ok([rows, columns]),
            _ => Err(format!("`{key}` is not [rows, columns]")),
        },
        Some(_) => Err(format!("`{key}` is not [rows, columns]")),
        None => Ok([count(key, Some(3))?; 2]),
    };
    let stride = count("stride", Some(1))?;
    let activation = match object.get("activation").map(|name| name.as_str().unwrap_or_default()) {
        None | Some("relu6") => Activation::Relu6,
        Some("relu") => Activation::Relu,
        Some("hard_swish") => Activation::HardSwish,
        Some("none") => Activation::None,
        Some(_) => return Err("`activation` is not `relu6`, `relu`, `hard_swish` or `none`".into()),
    };
    Ok(match kind {
        "conv" => Block::Conv { filters: count("conv", None)?, kernel: taps("kernel")?, stride, activation },
        "depthwise" => Block::Depthwise { kernel: taps("depthwise")?, stride, activation },
        _ => {
            let (filters, middle, kernel) = (count(kind, None)?, count("middle", None)?, count("kernel", Some(3))?);
            match kind {
                "fused" => Block::Fused { middle, filters, kernel, stride, activation },
                _ => Block::Inverted { middle, filters, kernel, stride, activation },
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_and_faults_are_named() {
        let text = r#"{"input": [32, 24, 3], "blocks": [{"conv": 8, "stride": 2}, {"depthwise": [3, 5]},
            {"inverted": 8, "middle": 24, "kernel": 5, "activation": "relu"}, {"fused": 16, "middle": 32, "stride": 2}]}"#;
        let description = Description::parse(text).unwrap();
        assert_eq!(description.input, [32, 24, 3]);
        let (stride, activation) = (1, Activation::Relu6);
        let blocks = [
            Block::Conv { filters: 8, kernel: [3, 3], stride: 2, activation },
            Block::Depthwise { kernel: [3, 5], stride, activation },
            Block::Inverted { middle: 24, filters: 8, kernel: 5, stride, activation: Activation::Relu },
            Block::Fused { middle: 32, filters: 16, kernel: 3, stride: 2, activation },
        ];
        assert_eq!(description.blocks, blocks);
        for (from, to, told) in [
            ("\"conv\": 8", "\"conv\": 0", "block 0: `conv` is no number from 1 to 4096"),
            ("\"middle\": 24, ", "", "block 2: `middle` is missing"),
            ("\"relu\"", "\"tanh\"", "block 2: `activation` is not"),
            ("\"stride\"", "\"strides\"", "block 0: `strides` is no part of `conv`"),
            ("[3, 5]", "[3]", "block 1: `depthwise` is not [rows, columns]"),
            ("[32, 24, 3]", "[32, 3]", "`input` is not"),
            ("\"input\"", "input", "it is no JSON"),
            ("{\"depthwise\"", "{\"conv\": 1, \"depthwise\"", "block 1: it is not one of"),
        ] {
            let error = Description::parse(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
