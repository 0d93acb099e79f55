//! The texts of this crate's own files, for what is written beside generated code.
//!
//! They travel inside the package, so that a smidgen that was installed from one needs no repository.

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!($path))),*]
    };
}

/// Path under `src/`, with `/` between its parts, and text of every file but this one and those of tests; sorted by path.
#[rustfmt::skip]
pub const FILES: &[(&str, &str)] = files! {
    "convert.rs"
    "convert/real.rs"
    "fixed.rs"
    "float/binary.rs"
    "float/conv2d.rs"
    "float/depthwise.rs"
    "float/fully_connected.rs"
    "float/function.rs"
    "float/hybrid.rs"
    "float/matmul.rs"
    "float/mod.rs"
    "float/pool.rs"
    "float/recurrent.rs"
    "float/reduce.rs"
    "float/resize.rs"
    "float/softmax.rs"
    "float/svdf.rs"
    "float/transpose_conv.rs"
    "float/unary.rs"
    "geometry.rs"
    "int16/lookup.rs"
    "int16/mcu/channel.rs"
    "int16/mcu/conv2d.rs"
    "int16/mcu/depthwise.rs"
    "int16/mcu/fully_connected.rs"
    "int16/mcu/mod.rs"
    "int16/mcu/pack.rs"
    "int16/mod.rs"
    "int16/reduce.rs"
    "int16/sigmoid.rs"
    "int16/slopes.rs"
    "int16/softmax.rs"
    "int16/sum.rs"
    "int8/fast/conv2d.rs"
    "int8/fast/depthwise.rs"
    "int8/fast/fully_connected.rs"
    "int8/fast/matmul.rs"
    "int8/fast/mod.rs"
    "int8/lstm.rs"
    "int8/mcu/blocks.rs"
    "int8/mcu/conv2d.rs"
    "int8/mcu/conv2d/offset.rs"
    "int8/mcu/depthwise/armv7em/group.rs"
    "int8/mcu/depthwise/armv7em/larger.rs"
    "int8/mcu/depthwise/armv7em/mod.rs"
    "int8/mcu/depthwise/armv7em/stage.rs"
    "int8/mcu/depthwise/armv7em/taps.rs"
    "int8/mcu/depthwise/armv7em/three.rs"
    "int8/mcu/depthwise/general.rs"
    "int8/mcu/depthwise/mod.rs"
    "int8/mcu/depthwise/portable.rs"
    "int8/mcu/epilogue.rs"
    "int8/mcu/fully_connected.rs"
    "int8/mcu/fully_connected/armv7em.rs"
    "int8/mcu/lanes.rs"
    "int8/mcu/lstm.rs"
    "int8/mcu/mod.rs"
    "int8/mcu/nibbles.rs"
    "int8/mcu/pairs.rs"
    "int8/mcu/product.rs"
    "int8/mcu/sum.rs"
    "int8/mcu/variants.rs"
    "int8/mcu/weights.rs"
    "int8/mcu/x86_64.rs"
    "int8/mod.rs"
    "int8/normalise.rs"
    "int8/pair.rs"
    "int8/reduce.rs"
    "int8/softmax.rs"
    "int8/sum.rs"
    "int8/svdf.rs"
    "int8/table.rs"
    "isa/avx2.rs"
    "isa/dsp/conv/blocks.rs"
    "isa/dsp/conv/mod.rs"
    "isa/dsp/conv/stage.rs"
    "isa/dsp/conv/variants.rs"
    "isa/dsp/int16.rs"
    "isa/dsp/matmul.rs"
    "isa/dsp/mod.rs"
    "isa/mod.rs"
    "isa/portable.rs"
    "isa/scalar/armv6m.rs"
    "isa/scalar/armv7m.rs"
    "isa/scalar/assembly.rs"
    "isa/scalar/mod.rs"
    "isa/scalar/portable.rs"
    "lib.rs"
    "memory.rs"
    "movement/concat.rs"
    "movement/gather.rs"
    "movement/load.rs"
    "movement/mod.rs"
    "movement/permute.rs"
    "nd.rs"
    "operand.rs"
    "plain.rs"
    "pooling.rs"
    "reference/binary.rs"
    "reference/conv2d.rs"
    "reference/depthwise.rs"
    "reference/fully_connected.rs"
    "reference/matmul.rs"
    "reference/mod.rs"
    "reference/pool.rs"
    "reference/reduce.rs"
    "reference/resize.rs"
    "reference/transpose_conv.rs"
    "requant.rs"
    "store.rs"
    "training/armv7em.rs"
    "training/avx2.rs"
    "training/block.rs"
    "training/classifier.rs"
    "training/convolution.rs"
    "training/element.rs"
    "training/forward.rs"
    "training/gradient.rs"
    "training/mod.rs"
    "training/update.rs"
    "training/x86_64.rs"
    "view.rs"
};

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::path::Path;

    fn collect(folder: &Path, inside: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{inside}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{path}/"), found);
            } else if path.ends_with(".rs") && path != "sources.rs" && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_file_is_listed_once_in_order() {
        let mut found = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|file| file.0).collect();
        assert_eq!(listed, found, "the list in src/sources.rs is of the files that are there");
    }
}
