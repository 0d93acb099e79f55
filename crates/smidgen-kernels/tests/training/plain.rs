//! The kernels of a training step by their definitions: every tensor a vector, every sum of 64 bits, one element after the other.

use smidgen_kernels::Window2d;
use smidgen_kernels::requant::{Factor, Rounding};

/// For each tap that lies inside the input, the output pixel, the tap and the input pixel. Pixels are counted over all images.
pub fn links(window: &Window2d, images: usize) -> Vec<[usize; 3]> {
    let ([height, width, _], [out_h, out_w, _]) = (window.input, window.output);
    let mut found = Vec::new();
    for image in 0..images {
        for (oy, ox) in (0..out_h).flat_map(|oy| (0..out_w).map(move |ox| (oy, ox))) {
            for tap in 0..window.area() {
                let [ky, kx] = [tap / window.size[1], tap % window.size[1]];
                let y = (oy * window.stride[0] + ky * window.dilation[0]).checked_sub(window.before[0]);
                let x = (ox * window.stride[1] + kx * window.dilation[1]).checked_sub(window.before[1]);
                let (Some(y), Some(x)) = (y, x) else { continue };
                if y < height && x < width {
                    let output = (image * out_h + oy) * out_w + ox;
                    found.push([output, tap, (image * height + y) * width + x]);
                }
            }
        }
    }
    found
}

/// The product with a factor, from real numbers' definition of each rounding.
pub fn scaled(x: i64, factor: Factor, rounding: Rounding) -> i64 {
    let (product, multiplier) = (i128::from(x), i128::from(factor.multiplier));
    let floor = |x: i128, bits: u32| (x + (1i128 << bits >> 1)) >> bits;
    let value = match rounding {
        Rounding::Once => floor(product * multiplier, (31 - i32::from(factor.shift)) as u32),
        Rounding::Twice => {
            let left = factor.shift.max(0) as u32;
            let high = floor(i128::from((product << left) as i32) * multiplier, 31);
            let right = (-i32::from(factor.shift)).max(0) as u32;
            // Ties away from zero.
            if high < 0 { -floor(-high, right) } else { floor(high, right) }
        }
    };
    i64::from(value as i32)
}

/// Clamped outputs of `channels` a pixel and their masks.
pub fn clamped(values: &[i64], channels: usize, [min, max]: [i8; 2]) -> (Vec<u8>, Vec<u8>) {
    let outputs = values.iter().map(|&x| x.clamp(min.into(), max.into()) as i8 as u8).collect();
    let mut masks = Vec::new();
    for pixel in values.chunks(channels) {
        for eight in pixel.chunks(8) {
            let inside = |x: i64| (i64::from(min)..=i64::from(max)).contains(&x);
            masks.push(eight.iter().enumerate().map(|(i, &x)| u8::from(inside(x)) << i).sum());
        }
    }
    (outputs, masks)
}

/// `x / 2^shift`, ties upwards.
pub fn shifted(x: i64, shift: u32) -> i64 {
    (x + (1i64 << shift >> 1)) >> shift
}

/// The nearest number of 16 bits.
pub fn saturated(x: i64) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
