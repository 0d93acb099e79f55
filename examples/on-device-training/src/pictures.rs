//! Drawn pictures: stripes that run in another direction for each class, two pixels wide, with noise.

use model::{INPUT_SHAPE, Input};

const COLUMNS: usize = INPUT_SHAPE[2];
const CHANNELS: usize = INPUT_SHAPE[3];

/// Draws a picture of a class; each number gives another one.
pub fn draw(picture: &mut Input, class: usize, number: u32) {
    let mut random = number.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 24
    };
    let (phase, contrast) = (next() as usize & 3, 50 + (next() & 31) as i32);
    for (i, pixel) in picture.chunks_exact_mut(CHANNELS).enumerate() {
        let (y, x) = (i / COLUMNS, i % COLUMNS);
        let across = match class {
            0 => y,
            1 => x,
            2 => x + y,
            _ => x + 2 * y,
        };
        let light = if ((across + phase) >> 1) & 1 == 0 { contrast } else { -contrast };
        for value in pixel {
            *value = (light + (next() & 31) as i32 - 16) as i8;
        }
    }
}
