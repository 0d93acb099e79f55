//! Changes of a picture's bytes.

use smidgen_train::Random;

/// A real number as the nearest byte.
pub(super) fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// A change that is drawn for a picture.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Change {
    /// Each pixel of the result comes from this matrix times its place, both from the middle on.
    Affine([[f32; 2]; 2]),
    /// All channels are multiplied.
    Brightness(f32),
    /// Distances from the mean of all pixels are multiplied.
    Contrast(f32),
    /// Distances of the channels from a pixel's luminance are multiplied.
    Saturation(f32),
    /// Distances from the mean of the nine pixels around are multiplied.
    Sharpness(f32),
    /// The range of all channels becomes 0 to 255.
    Stretch,
}

/// A third of what RandAugment's authors allow at most: 30 degrees, a shear of 0.3, factors of 1 plus or minus 0.9.
const ANGLE: f32 = 10.0 * std::f32::consts::PI / 180.0;
const SHEAR: f32 = 0.1;
const FACTOR: f32 = 0.3;

/// Draws a change for a picture of this size.
pub(super) fn draw(random: &mut Random, [_, _, channels]: [usize; 3]) -> Change {
    let kinds = if channels == 3 { 8 } else { 7 };
    let kind = random.below(kinds);
    let sign = if random.bits() >> 63 == 1 { 1.0 } else { -1.0 };
    match kind {
        0 => {
            let (sine, cosine) = (libm::sinf(sign * ANGLE), libm::cosf(sign * ANGLE));
            Change::Affine([[cosine, sine], [-sine, cosine]])
        }
        1 => Change::Affine([[1.0, 0.0], [sign * SHEAR, 1.0]]),
        2 => Change::Affine([[1.0, sign * SHEAR], [0.0, 1.0]]),
        3 => Change::Brightness(1.0 + sign * FACTOR),
        4 => Change::Contrast(1.0 + sign * FACTOR),
        5 => Change::Sharpness(1.0 + sign * FACTOR),
        6 => Change::Stretch,
        _ => Change::Saturation(1.0 + sign * FACTOR),
    }
}

/// The mean of a run of bytes.
fn mean(bytes: &[u8]) -> f32 {
    let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
    (sum as f64 / bytes.len().max(1) as f64) as f32
}

/// The luminance of a pixel of red, green and blue (ITU-R BT.601).
fn luminance(pixel: &[u8]) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

/// An index outside of `0..side`, reflected at the first or the last one.
fn reflected(index: isize, side: usize) -> usize {
    super::reflected(index.clamp(1 - side as isize, 2 * side as isize - 2), side)
}

impl Change {
    /// Changes a picture of this size.
    pub(super) fn apply(self, [height, width, channels]: [usize; 3], picture: &mut [u8]) {
        match self {
            Self::Affine(matrix) => affine(matrix, [height, width, channels], picture),
            Self::Brightness(by) => picture.iter_mut().for_each(|own| *own = byte(f32::from(*own) * by)),
            Self::Contrast(by) => {
                let middle = mean(picture);
                picture.iter_mut().for_each(|own| *own = byte(middle + (f32::from(*own) - middle) * by));
            }
            Self::Saturation(by) if channels == 3 => {
                for pixel in picture.chunks_exact_mut(3) {
                    let grey = luminance(pixel);
                    pixel.iter_mut().for_each(|own| *own = byte(grey + (f32::from(*own) - grey) * by));
                }
            }
            Self::Saturation(_) => {}
            Self::Sharpness(by) => {
                let before = picture.to_vec();
                for (i, own) in picture.iter_mut().enumerate() {
                    let (pixel, channel) = (i / channels, i % channels);
                    let (y, x) = ((pixel / width) as isize, (pixel % width) as isize);
                    let mut sum = 0.0;
                    for (dy, dx) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx))) {
                        let at = reflected(y + dy, height) * width + reflected(x + dx, width);
                        sum += f32::from(before[at * channels + channel]);
                    }
                    let around = sum / 9.0;
                    *own = byte(around + (f32::from(*own) - around) * by);
                }
            }
            Self::Stretch => {
                let (low, high) = picture.iter().fold((255, 0), |(low, high), &own| (own.min(low), own.max(high)));
                if low < high {
                    let factor = 255.0 / f32::from(high - low);
                    picture.iter_mut().for_each(|own| *own = byte(f32::from(*own - low) * factor));
                }
            }
        }
    }
}

/// Moves pixels, interpolated between their four neighbours.
fn affine([[a, b], [c, d]]: [[f32; 2]; 2], [height, width, channels]: [usize; 3], picture: &mut [u8]) {
    let before = picture.to_vec();
    let (middle_y, middle_x) = ((height as f32 - 1.0) / 2.0, (width as f32 - 1.0) / 2.0);
    for (place, pixel) in picture.chunks_exact_mut(channels).enumerate() {
        let (y, x) = ((place / width) as f32 - middle_y, (place % width) as f32 - middle_x);
        let (from_y, from_x) = (a * y + b * x + middle_y, c * y + d * x + middle_x);
        let (top, left) = (from_y.floor(), from_x.floor());
        let (down, right) = (from_y - top, from_x - left);
        let (rows, columns) = ([0, 1].map(|i| top as isize + i), [0, 1].map(|i| left as isize + i));
        let (rows, columns) = (rows.map(|row| reflected(row, height)), columns.map(|column| reflected(column, width)));
        for (channel, own) in pixel.iter_mut().enumerate() {
            let at = |y: usize, x: usize| f32::from(before[(rows[y] * width + columns[x]) * channels + channel]);
            let upper = at(0, 0) * (1.0 - right) + at(0, 1) * right;
            let lower = at(1, 0) * (1.0 - right) + at(1, 1) * right;
            *own = byte(upper * (1.0 - down) + lower * down);
        }
    }
}

/// Multiplies brightness, contrast and, of three channels, saturation by 1 plus or minus up to `by`.
pub(super) fn jitter(random: &mut Random, by: f32, channels: usize, picture: &mut [u8]) {
    let [brightness, contrast, saturation] = [0; 3].map(|_| random.uniform(1.0 - by, 1.0 + by));
    // Neither of these looks at the picture's size.
    for change in [Change::Brightness(brightness), Change::Contrast(contrast), Change::Saturation(saturation)] {
        change.apply([1, picture.len() / channels, channels], picture);
    }
}

/// Makes a square of this share of the shorter side grey, of which a part may lie outside.
pub(super) fn cut(random: &mut Random, share: f32, [height, width, channels]: [usize; 3], picture: &mut [u8]) {
    const GREY: u8 = 128;
    let side = ((share * height.min(width) as f32).round() as usize).max(1);
    let (y, x) = (random.below(height), random.below(width));
    let span = |middle: usize, most: usize| middle.saturating_sub(side / 2)..(middle + side.div_ceil(2)).min(most);
    for row in span(y, height) {
        let columns = span(x, width);
        picture[(row * width + columns.start) * channels..(row * width + columns.end) * channels].fill(GREY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: Change, size: [usize; 3], picture: &[u8]) -> Vec<u8> {
        let mut picture = picture.to_vec();
        change.apply(size, &mut picture);
        picture
    }

    #[test]
    fn changes_do_what_their_names_say() {
        let row = [10, 20, 30, 40];
        let size = [1, 4, 1];
        assert_eq!(changed(Change::Brightness(1.5), size, &row), [15, 30, 45, 60]);
        assert_eq!(changed(Change::Contrast(2.0), size, &row), [0, 15, 35, 55]);
        assert_eq!(changed(Change::Stretch, size, &row), [0, 85, 170, 255]);
        assert_eq!(changed(Change::Stretch, size, &[7; 4]), [7; 4]);
        assert_eq!(changed(Change::Saturation(0.0), [1, 1, 3], &[255, 0, 0]), [76; 3]);
        assert_eq!(changed(Change::Saturation(0.0), size, &row), row);
        let dot = [0, 0, 0, 0, 90, 0, 0, 0, 0];
        assert_eq!(changed(Change::Sharpness(0.0), [3, 3, 1], &dot)[4], 10);
        assert_eq!(changed(Change::Sharpness(1.0), [3, 3, 1], &dot), dot);
        // A quarter of a turn, and back.
        let turned = changed(Change::Affine([[0.0, 1.0], [-1.0, 0.0]]), [2, 2, 1], &[1, 2, 3, 4]);
        assert_eq!(turned, [2, 4, 1, 3]);
        assert_eq!(changed(Change::Affine([[0.0, -1.0], [1.0, 0.0]]), [2, 2, 1], &turned), [1, 2, 3, 4]);
        let sheared = changed(Change::Affine([[1.0, 0.0], [1.0, 1.0]]), [3, 3, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(sheared[3..6], [4, 5, 6]);
        assert_eq!((sheared[1], sheared[7]), (1, 9));
    }

    #[test]
    fn every_change_is_drawn_and_keeps_a_picture_of_one_pixel() {
        let mut random = Random::new(3);
        let drawn: Vec<Change> = (0..300).map(|_| draw(&mut random, [1, 1, 3])).collect();
        let kinds: std::collections::HashSet<_> = drawn.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 6);
        for change in drawn {
            let mut pixel = [10, 20, 30];
            change.apply([1, 1, 3], &mut pixel);
            if let Change::Affine(_) | Change::Sharpness(_) = change {
                assert_eq!(pixel, [10, 20, 30]);
            }
        }
    }

    #[test]
    fn a_square_is_cut_out() {
        let mut random = Random::new(5);
        for _ in 0..50 {
            let mut picture = [0; 8 * 6 * 3];
            cut(&mut random, 0.5, [8, 6, 3], &mut picture);
            let grey = picture.chunks(3).filter(|pixel| pixel.iter().all(|&byte| byte == 128)).count();
            assert!((1..=9).contains(&grey), "{grey}");
            assert_eq!(picture.iter().filter(|&&byte| byte != 0).count(), 3 * grey);
        }
    }
}
