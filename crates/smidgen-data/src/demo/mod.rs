//! A set of pictures that is drawn, not photographed: shapes on textured grounds, for trying out training without any data.
//!
//! A picture shows one shape of any place, size and rotation. Colours, textures, light and noise vary, and small spots lie about, so that
//! neither a colour nor a pixel gives the class away. Each picture follows from the seed, its part, class and number alone: a set of more
//! pictures has those of a smaller one, byte for byte. Drawing uses operations that IEEE 754 rounds the same way everywhere, no
//! trigonometry, so that pixels are the same on every machine.

mod draw;
mod outline;
mod scene;
mod texture;

use self::draw::Draw;
use self::outline::{OUTLINES, Outline};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use std::collections::BTreeMap;

/// Most bytes of pixels in a set, which is made in memory before it is written.
const MOST_BYTES: usize = 1 << 30;

/// The part of a set that a picture belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// To be trained on.
    Train,
    /// Never to be trained on.
    Test,
}

impl Part {
    /// The folder of its pictures, as [`set`](crate::set) reads it.
    fn folder(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// A set of drawn pictures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demo {
    classes: usize,
    per_class: usize,
    size: u32,
    seed: u64,
}

/// Why there is no such set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DemoError {
    /// Fewer than two classes, or more than there are shapes.
    #[error("the number of classes is {0}; there are 2 to {most}", most = Demo::CLASSES)]
    Classes(usize),
    /// Pictures in which no shape can be told from another, or needlessly large ones.
    #[error("pictures of {0}x{0} pixels; they have 16 to 512")]
    Size(u32),
    /// A class without pictures.
    #[error("no pictures of a class; there is at least one")]
    Empty,
    /// More than is made in memory.
    #[error("the set has more than {} MiB of pixels", MOST_BYTES >> 20)]
    Large,
}

impl Demo {
    /// As many classes as there are shapes.
    pub const CLASSES: usize = OUTLINES.len();

    /// A set of `per_class` pictures of each of the first `classes` shapes to train on, and a quarter as many (rounded up) to test;
    /// `size` is the pixels of each side.
    ///
    /// # Errors
    /// If there are no such classes or sizes, or the set would have more than 1 GiB of pixels.
    pub fn new(classes: usize, per_class: usize, size: u32, seed: u64) -> Result<Self, DemoError> {
        if !(2..=Self::CLASSES).contains(&classes) {
            return Err(DemoError::Classes(classes));
        }
        if !(16..=512).contains(&size) {
            return Err(DemoError::Size(size));
        }
        if per_class == 0 {
            return Err(DemoError::Empty);
        }
        let demo = Self { classes, per_class, size, seed };
        let pixels = classes * size as usize * size as usize * 3;
        let all = per_class.checked_add(demo.count(Part::Test)).and_then(|count| count.checked_mul(pixels));
        if all.is_none_or(|bytes| bytes > MOST_BYTES) {
            return Err(DemoError::Large);
        }
        Ok(demo)
    }

    /// The names of its classes, in the order of their labels: the alphabet's.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.outlines().iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    /// Pictures of each class in a part.
    pub fn count(&self, part: Part) -> usize {
        match part {
            Part::Train => self.per_class,
            Part::Test => self.per_class.div_ceil(4),
        }
    }

    /// Red, green and blue of one picture, row by row: `[size, size, 3]`.
    ///
    /// # Panics
    /// If there is no class of this name in [`names`](Self::names).
    pub fn picture(&self, part: Part, class: &str, number: usize) -> Vec<u8> {
        let found = self.outlines().iter().position(|(name, _)| *name == class);
        let class = found.unwrap_or_else(|| panic!("there is no class `{class}`"));
        let (_, outline) = OUTLINES[class];
        let mut draw = Draw::new([self.seed, part as u64, class as u64, number as u64]);
        scene::render(&mut draw, outline, self.size as usize)
    }

    /// All pictures as PNG files, by their path in a folder: `train/disc/00001.png`.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for part in [Part::Train, Part::Test] {
            for (class, _) in self.outlines() {
                for number in 0..self.count(part) {
                    let name = format!("{}/{class}/{number:05}.png", part.folder());
                    files.insert(name, self.png(&self.picture(part, class, number)));
                }
            }
        }
        files
    }

    fn outlines(&self) -> &'static [(&'static str, Outline)] {
        &OUTLINES[..self.classes]
    }

    fn png(&self, pixels: &[u8]) -> Vec<u8> {
        let mut png = Vec::new();
        // Noise does not get smaller by trying harder.
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Sub)
            .write_image(pixels, self.size, self.size, ExtendedColorType::Rgb8)
            .expect("writing to memory does not fail");
        png
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGESTS: [u64; 3] = [13_874_016_917_874_982_693, 2_102_641_462_782_610_290, 17_773_418_398_283_237_366];

    /// FNV-1a of bytes (Fowler, Noll and Vo), to tell a changed picture.
    fn digest(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    #[test]
    fn pixels_are_those_of_every_machine_and_of_every_larger_set() {
        let one = Demo::new(6, 3, 32, 7).unwrap();
        let larger = Demo::new(10, 30, 32, 7).unwrap();
        let mut all = Vec::new();
        for (part, name, number) in [(Part::Train, "disc", 0), (Part::Train, "star", 2), (Part::Test, "disc", 0)] {
            let pixels = one.picture(part, name, number);
            assert_eq!(pixels, larger.picture(part, name, number), "{name} {number}");
            assert_eq!(pixels.len(), 32 * 32 * 3);
            all.push(digest(&pixels));
        }
        assert_eq!(all, DIGESTS);
        let other = Demo::new(6, 3, 32, 8).unwrap();
        assert_ne!(other.picture(Part::Train, "disc", 0), one.picture(Part::Train, "disc", 0), "of another seed");
    }

    #[test]
    fn all_pictures_are_different_and_decode_to_what_was_drawn() {
        let demo = Demo::new(Demo::CLASSES, 6, 16, 1).unwrap();
        let files = demo.files();
        assert_eq!(files.len(), Demo::CLASSES * (6 + 2));
        let mut pictures: Vec<&Vec<u8>> = files.values().collect();
        pictures.sort_unstable();
        pictures.dedup();
        assert_eq!(pictures.len(), files.len());
        let decoded = image::load_from_memory(&files["test/ring/00001.png"]).unwrap().into_rgb8();
        assert_eq!(decoded.dimensions(), (16, 16));
        assert_eq!(decoded.into_raw(), demo.picture(Part::Test, "ring", 1));
    }

    #[test]
    fn sets_that_cannot_be_are_refused() {
        let refused = |classes, per_class, size| Demo::new(classes, per_class, size, 0).unwrap_err();
        assert_eq!(refused(1, 1, 32), DemoError::Classes(1));
        assert_eq!(refused(11, 1, 32), DemoError::Classes(11));
        assert_eq!(refused(2, 1, 15), DemoError::Size(15));
        assert_eq!(refused(2, 0, 32), DemoError::Empty);
        for per_class in [100_000, usize::MAX] {
            assert_eq!(refused(6, per_class, 512), DemoError::Large);
        }
        assert!(refused(1, 1, 32).to_string().contains("2 to 10"));
    }
}
