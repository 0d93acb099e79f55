//! What a picture looks like from one epoch to the next: shifted and mirrored, and if asked for, with other colours, a
//! hole, a few random changes, or another picture mixed in. All of it works on bytes, and follows from a seed, the
//! epoch and the sample alone.

mod change;

use smidgen_train::Random;
use std::fmt;
use std::str::FromStr;

/// What may happen to pictures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Augment {
    /// They are shifted by up to an eighth of their sides, reflected at their borders.
    pub crop: bool,
    /// Every other one is mirrored.
    pub flip: bool,
    /// Brightness, contrast and saturation are multiplied by 1 plus or minus up to this, which is below 1.
    pub colour: f32,
    /// A square of this share of the shorter side, up to 1, becomes grey somewhere (DeVries and Taylor 2017, "Improved
    /// regularization of convolutional neural networks with cutout").
    pub cutout: f32,
    /// Each is mixed with another in a share drawn from the symmetric beta distribution of this parameter, and so are
    /// their labels (Zhang et al. 2018, "mixup: beyond empirical risk minimization").
    pub mixup: f32,
    /// So many changes, drawn from rotation, shearing, brightness, contrast, saturation, sharpness and the stretching of
    /// contrast, at a third of the greatest magnitude (Cubuk et al. 2020, "RandAugment").
    pub random: u8,
}

impl Default for Augment {
    /// Cropping and flipping.
    fn default() -> Self {
        Self { crop: true, flip: true, ..Self::NONE }
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { crop, flip, colour, cutout, mixup, random } = *self;
        let mut words: Vec<String> = Vec::new();
        words.extend(crop.then(|| "crop".into()));
        words.extend(flip.then(|| "flip".into()));
        for (name, value) in [("colour", colour), ("cutout", cutout), ("mixup", mixup)] {
            words.extend((value > 0.0).then(|| format!("{name}={value}")));
        }
        words.extend((random > 0).then(|| format!("randaugment={random}")));
        f.write_str(&if words.is_empty() { "none".to_owned() } else { words.join(",") })
    }
}

impl FromStr for Augment {
    type Err = String;

    /// Words with commas between: `crop,flip,colour=0.2,cutout=0.25,mixup=0.2,randaugment=2`, or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::NONE;
        for word in text.split(',').filter(|_| text != "none") {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let number = |default: f32, most: f32| match value.map(str::parse) {
                None => Ok(default),
                Some(Ok(value)) if value > 0.0 && value <= most => Ok(value),
                Some(_) => Err(format!("`{name}` takes a number above 0, up to {most}")),
            };
            match (name, value) {
                ("crop", None) => all.crop = true,
                ("flip", None) => all.flip = true,
                ("colour" | "color", _) => all.colour = number(0.2, 0.9)?,
                ("cutout", _) => all.cutout = number(0.25, 1.0)?,
                ("mixup", _) => all.mixup = number(0.2, 10.0)?,
                ("randaugment", _) => {
                    let count = number(2.0, 8.0)?;
                    if count.fract() != 0.0 {
                        return Err("`randaugment` takes a whole number of changes, up to 8".into());
                    }
                    all.random = count as u8;
                }
                _ => {
                    let known = "crop, flip, colour=0.2, cutout=0.25, mixup=0.2, randaugment=2";
                    return Err(format!("`{word}` is none of {known}, nor `none`"));
                }
            }
        }
        Ok(all)
    }
}

/// A stream of random numbers for a sample in an epoch.
fn stream((seed, epoch, sample): (u64, usize, usize)) -> Random {
    // The generator mixes its state: each number in turn leads to another stream.
    let mut random = Random::new(seed);
    for number in [epoch, sample] {
        random = Random::new(random.bits() ^ number as u64);
    }
    random
}

/// What tells the streams of changes and of mixing from that of views.
const CHANGES: u64 = 0x6368_616e_6765_7300;
const MIXING: u64 = 0x6d69_7869_6e67_0000;

impl Augment {
    /// Pictures as they are.
    pub const NONE: Self = Self { crop: false, flip: false, colour: 0.0, cutout: 0.0, mixup: 0.0, random: 0 };

    /// Whether pixels are moved at most.
    pub fn only_moves(&self) -> bool {
        Self { crop: false, flip: false, ..*self } == Self::NONE
    }

    /// The view of a sample, by seed, epoch and its number, in a picture of this size.
    pub fn view(&self, [height, width, _]: [usize; 3], key: (u64, usize, usize)) -> View {
        let View { shift, mirrored } = View::of([height, width], key);
        View { shift: if self.crop { shift } else { [0; 2] }, mirrored: mirrored && self.flip }
    }

    /// A picture of this size as it is seen, without what is mixed in.
    pub fn seen(&self, size: [usize; 3], from: &[u8], key: (u64, usize, usize)) -> Vec<u8> {
        let mut picture = vec![0; from.len()];
        self.view(size, key).write(size, from, &mut picture, |_, byte| byte, |channel| channel);
        let mut random = Random::new(stream(key).bits() ^ CHANGES);
        for _ in 0..self.random {
            change::draw(&mut random, size).apply(size, &mut picture);
        }
        if self.colour > 0.0 {
            change::jitter(&mut random, self.colour, size[2], &mut picture);
        }
        if self.cutout > 0.0 {
            change::cut(&mut random, self.cutout, size, &mut picture);
        }
        picture
    }

    /// Which of so many samples is mixed into one, and the share of that one itself; `None` if none is.
    pub fn partner(&self, samples: usize, key: (u64, usize, usize)) -> Option<(usize, f32)> {
        if self.mixup == 0.0 || samples == 0 {
            return None;
        }
        let mut random = Random::new(stream(key).bits() ^ MIXING);
        Some((random.below(samples), random.beta(self.mixup)))
    }
}

/// Mixes a picture into another, of which `share` remains.
pub fn mix(picture: &mut [u8], other: &[u8], share: f32) {
    for (own, &other) in picture.iter_mut().zip(other) {
        *own = change::byte(share * f32::from(*own) + (1.0 - share) * f32::from(other));
    }
}

/// The probabilities that labels with shares stand for, smoothed.
pub fn soften(labels: &[(u32, f32)], smoothing: f32, into: &mut [f32]) {
    let each = smoothing / into.len() as f32;
    into.fill(each);
    for &(label, share) in labels {
        if let Some(one) = into.get_mut(label as usize) {
            *one += share * (1.0 - smoothing);
        }
    }
}

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
    pub fn of([height, width]: [usize; 2], key: (u64, usize, usize)) -> Self {
        let mut random = stream(key);
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

    #[test]
    fn words_say_what_happens_and_come_back() {
        let all = "crop,flip,colour=0.3,cutout=0.5,mixup=0.4,randaugment=3";
        for text in [all, "crop,flip", "none", "flip,mixup=0.2"] {
            assert_eq!(text.parse::<Augment>().unwrap().to_string(), text);
        }
        assert_eq!("crop,flip".parse::<Augment>().unwrap(), Augment::default());
        assert_eq!("colour,randaugment".parse::<Augment>().unwrap().to_string(), "colour=0.2,randaugment=2");
        for (text, told) in [
            ("crop,turn", "`turn` is none of crop"),
            ("cutout=2", "`cutout` takes a number above 0, up to 1"),
            ("mixup=0", "`mixup` takes"),
            ("randaugment=1.5", "a whole number"),
            ("crop=1", "`crop=1` is none of"),
            ("", "`` is none of"),
        ] {
            assert!(text.parse::<Augment>().unwrap_err().contains(told), "{text}");
        }
    }

    /// A picture in which every pixel tells its place.
    fn places([height, width, _]: [usize; 3]) -> Vec<u8> {
        (0..height * width).flat_map(|i| [(i / width * 20) as u8, (i % width * 20) as u8, 60]).collect()
    }

    #[test]
    fn everything_follows_from_seed_epoch_and_sample() {
        let size = [12, 10, 3];
        let picture = places(size);
        for text in ["colour=0.4", "cutout=0.5", "randaugment=2", "crop,flip,colour,cutout,randaugment"] {
            let augment: Augment = text.parse().unwrap();
            let seen = |key| augment.seen(size, &picture, key);
            assert_eq!(seen((1, 2, 3)), seen((1, 2, 3)), "{text}");
            let others = [(1, 2, 4), (1, 3, 3), (2, 2, 3)].map(seen);
            assert!(others.iter().all(|other| *other != seen((1, 2, 3))), "{text}");
        }
        assert_eq!(Augment::NONE.seen(size, &picture, (1, 2, 3)), picture);
        let mixup = Augment { mixup: 0.3, ..Augment::NONE };
        let partners: Vec<(usize, f32)> = (0..200).filter_map(|i| mixup.partner(50, (1, 0, i))).collect();
        assert_eq!(partners.len(), 200);
        assert!(partners.iter().all(|(partner, share)| *partner < 50 && (0.0..=1.0).contains(share)));
        // With such a parameter most are nearly whole, in one way or the other, and as often in either.
        let whole = partners.iter().filter(|(_, share)| !(0.1..0.9).contains(share)).count();
        let first = partners.iter().filter(|(_, share)| *share > 0.5).count();
        assert!(whole > 90 && (70..130).contains(&first), "{whole} {first}");
        assert!(Augment::default().partner(50, (1, 0, 0)).is_none());
    }

    #[test]
    fn pictures_and_labels_are_mixed_in_the_same_shares() {
        let mut picture = vec![0, 100, 255];
        mix(&mut picture, &[200, 100, 0], 0.25);
        assert_eq!(picture, [150, 100, 64]);
        let mut shares = [9.0; 4];
        soften(&[(1, 0.25), (3, 0.75)], 0.2, &mut shares);
        let expected = [0.05, 0.25, 0.05, 0.65];
        assert!(shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{shares:?}");
        soften(&[(2, 0.5), (2, 0.5)], 0.0, &mut shares);
        assert_eq!(shares, [0.0, 0.0, 1.0, 0.0]);
    }

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
