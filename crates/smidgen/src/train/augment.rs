//! Simple augmentation of pictures: a shifted crop, mirrored or not.

use smidgen_train::Random;

/// What happens to a picture of `height` rows and `width` columns in one epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Rows and columns by which it is shifted, each up to an eighth of the picture either way.
    pub shift: [isize; 2],
    /// Left and right are exchanged.
    pub mirrored: bool,
}

impl View {
    /// The picture as it is.
    pub const PLAIN: Self = Self { shift: [0; 2], mirrored: false };

    /// The view of a sample in an epoch: it depends on these and on the seed alone.
    pub fn of([height, width]: [usize; 2], (seed, epoch, sample): (u64, usize, usize)) -> Self {
        // The generator mixes its state: each number in turn leads to another stream.
        let mut random = Random::new(seed);
        for number in [epoch, sample] {
            random = Random::new(random.bits() ^ number as u64);
        }
        let mut shift = |side: usize| {
            let most = side / 8;
            random.below(2 * most + 1) as isize - most as isize
        };
        Self { shift: [shift(height), shift(width)], mirrored: random.bits() >> 63 == 1 }
    }

    /// Writes what is seen of a picture, pixel by pixel; what lies outside is the picture reflected at its border.
    pub fn write<T>(
        self,
        [height, width, channels]: [usize; 3],
        from: &[u8],
        into: &mut [T],
        real: impl Fn(usize, u8) -> T,
        source: impl Fn(usize) -> usize,
    ) {
        let mut into = into.chunks_exact_mut(channels);
        for y in 0..height {
            let row = reflected(y as isize + self.shift[0], height) * width;
            for x in 0..width {
                let x = if self.mirrored { width - 1 - x } else { x };
                let at = (row + reflected(x as isize + self.shift[1], width)) * channels;
                let Some(pixel) = into.next() else { return };
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = real(channel, from[at + source(channel)]);
                }
            }
        }
    }
}

/// An index outside of `0..side`, by less than `side`, reflected at the first or the last one.
fn reflected(index: isize, side: usize) -> usize {
    let last = side as isize - 1;
    let index = if index < 0 { -index } else { index };
    (if index > last { 2 * last - index } else { index }).clamp(0, last) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(view: View, size: [usize; 3], picture: &[u8]) -> Vec<u8> {
        let mut out = vec![0; picture.len()];
        view.write(size, picture, &mut out, |_, byte| byte, |channel| channel);
        out
    }

    #[test]
    fn borders_are_reflected_and_sides_exchanged() {
        let row = [0, 1, 2, 3, 4, 5, 6, 7];
        let size = [1, 8, 1];
        assert_eq!(seen(View::PLAIN, size, &row), row);
        assert_eq!(seen(View { shift: [0, 2], mirrored: false }, size, &row), [2, 3, 4, 5, 6, 7, 6, 5]);
        assert_eq!(seen(View { shift: [0, -2], mirrored: false }, size, &row), [2, 1, 0, 1, 2, 3, 4, 5]);
        assert_eq!(seen(View { shift: [0, -1], mirrored: true }, size, &row), [6, 5, 4, 3, 2, 1, 0, 1]);
        let colours = [10, 11, 12, 20, 21, 22];
        assert_eq!(seen(View { shift: [0, 0], mirrored: true }, [1, 2, 3], &colours), [20, 21, 22, 10, 11, 12]);
        assert_eq!(seen(View { shift: [1, 0], mirrored: false }, [2, 1, 3], &colours), [20, 21, 22, 10, 11, 12]);
    }

    #[test]
    fn views_are_of_every_kind_and_repeat() {
        let all: Vec<View> = (0..600).map(|i| View::of([32, 24], (7, i / 100, i % 100))).collect();
        for (axis, most) in [(0, 4), (1, 3)] {
            for shift in -most..=most {
                let count = all.iter().filter(|view| view.shift[axis] == shift).count();
                assert!(count > 300 / (2 * most as usize + 1), "{count} of 600 are shifted by {shift}");
            }
        }
        let mirrored = all.iter().filter(|view| view.mirrored).count();
        assert!((240..360).contains(&mirrored), "{mirrored} of 600 are mirrored");
        assert_eq!(View::of([32, 24], (7, 2, 30)), all[230]);
        assert_ne!(all[..100], all[100..200]);
        assert_eq!(View::of([7, 1], (7, 2, 30)).shift, [0, 0]);
    }
}
