//! Names of tensors, short enough for a table.
//!
//! TensorFlow joins the names of all operators that it fused: several hundred letters, of which the end of the first tells most.

/// Letters of a name in a table.
const MOST: usize = 40;
/// Letters that an end cut at a folder has at least: a shorter one, such as `/BiasAdd`, is that of many layers.
const LEAST: usize = 30;

/// A name of at most 40 letters: the first of several that `;` joins, without the folders that it can do without. What is left out is
/// shown by an ellipsis; pages keep the whole name in a tooltip.
pub fn short(name: &str) -> String {
    let first = name.split(';').find(|part| !part.is_empty()).unwrap_or(name);
    let cut = if first.len() < name.len() { "\u{2026}" } else { "" };
    let letters = |text: &str| text.chars().count();
    if letters(first) + letters(cut) <= MOST {
        return format!("{first}{cut}");
    }
    // The longest end that begins with a `/`: what is before it, other layers have too.
    let room = MOST - 1 - letters(cut);
    let mut ends = first.match_indices('/').map(|(at, _)| &first[at..]);
    let whole = ends.find(|end| letters(end) <= room).filter(|end| letters(end) >= LEAST);
    let tail = first.char_indices().rev().nth(room - 1).map_or(first, |(at, _)| &first[at..]);
    format!("\u{2026}{}{cut}", whole.unwrap_or(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_the_end_that_tells_them_apart() {
        for (name, expected) in [
            ("conv2d_1/Relu", "conv2d_1/Relu"),
            ("", ""),
            (";", ";"),
            ("model/conv2d/Conv2D;model/conv2d/BiasAdd", "model/conv2d/Conv2D\u{2026}"),
            ("functional_1/batch_normalization_3/FusedBatchNormV3", "\u{2026}/batch_normalization_3/FusedBatchNormV3"),
            ("functional_1/activation_3/Relu;functional_1/x", "functional_1/activation_3/Relu\u{2026}"),
        ] {
            assert_eq!(short(name), expected);
        }
        // Layers that differ in a folder's number stay apart.
        let of = |i: usize| short(&format!("functional_1/a_rather_long_folder_of_layer_{i}/BiasAdd"));
        assert_ne!(of(1), of(2));
        let long = short(&"\u{5d0}b".repeat(100));
        assert!(long.chars().count() <= MOST && long.contains('\u{2026}'), "{long}");
        assert!(short(&format!("{}/", "a".repeat(60))).chars().count() <= MOST);
    }
}
