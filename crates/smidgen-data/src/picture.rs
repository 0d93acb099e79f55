//! From a photograph to a network's input: size, channels, and the real numbers that the network was trained on.

use crate::array::{Array, Dtype};
use crate::input::{flipped, quantise};
pub use crate::normalise::{Normalisation, Normalise, Standard, StandardError};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Limits, imageops::FilterType};
use smidgen_ir::{DataType, ElementType, Graph, Op, Shape, Tensor};
use std::io::Cursor;

/// How a picture of another aspect ratio is brought to the network's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fit {
    /// Scale both sides independently: nothing is lost, shapes are distorted.
    #[default]
    Stretch,
    /// Scale until the smaller side fits and cut the middle out.
    Crop,
}

/// Most pixels of a picture that is decoded. A few hundred kilobytes can declare a thousand million.
const MOST_PIXELS: u64 = 50_000_000;
/// Bytes that decoding may take: those pixels with four bytes each, and what the decoder keeps besides.
const MOST_BYTES: u64 = 256 << 20;

/// Why a picture could not be read or does not suit the input.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Not a picture, or a damaged or unsupported one.
    #[error("not a picture that can be read")]
    Decode(#[source] image::ImageError),
    /// More pixels than any camera takes: decoding would take gigabytes.
    #[error("the picture has {width}x{height} pixels; at most {MOST_PIXELS} are decoded")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The network's input is not a picture's.
    #[error("the input `{name}` is {shape}, which is not one picture of 1, 3 or 4 channels")]
    NotAPicture {
        /// The input tensor's name.
        name: String,
        /// Its shape.
        shape: Shape,
    },
    /// Means and deviations for another number of channels.
    #[error("the normalisation `{normalisation}` is for {given} channels, and the input `{name}` has {channels}")]
    Channels {
        /// The input tensor's name.
        name: String,
        /// Its channels.
        channels: usize,
        /// The normalisation's name.
        normalisation: &'static str,
        /// Its channels.
        given: usize,
    },
    /// The network's input has an element type that pixels cannot be brought to.
    #[error("the input `{name}` is {element} without a scale; pixels can only become float32 or quantised integers")]
    Element {
        /// The input tensor's name.
        name: String,
        /// Its element type.
        element: ElementType,
    },
}

/// What a network's input asks of a picture.
#[derive(Clone, PartialEq, Debug)]
pub struct PictureInput {
    /// The input tensor's name.
    name: String,
    /// Shape of the input tensor: `[1, height, width, channels]`, or without the leading 1.
    shape: Vec<usize>,
    height: u32,
    width: u32,
    channels: usize,
    element: ElementType,
    /// Scale and zero point: the input's own, or that of the QUANTIZE that a float input goes into.
    quantisation: Option<(f32, i32)>,
    /// How these integers are stored; int16 holds as much below 0 as above, whatever pixels become.
    stored: ElementType,
}

/// A picture made into a network's input.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// The input.
    pub array: Array,
    /// What a pixel became.
    pub normalisation: Normalisation,
    /// Why that, in words.
    pub reason: String,
    /// True if nothing in the model says how pixels are to be normalised, so that `normalisation` is a guess.
    pub guessed: bool,
}

impl Prepared {
    /// What a pixel became and why: `normalised as symmetric (-1..1), since ...`.
    pub fn describe(&self) -> String {
        let range = match self.normalisation {
            Normalisation::Raw if self.array.dtype == Dtype::Int8 => "stored as pixel - 128".into(),
            Normalisation::Raw if self.array.dtype == Dtype::Uint8 => "stored as they are".into(),
            Normalisation::Raw => "0..255".into(),
            Normalisation::Symmetric => "-1..1".into(),
            Normalisation::Unit => "0..1".into(),
            Normalisation::Bytes => "the pixel's byte, taken for a signed one".into(),
            Normalisation::Standard(_) => {
                let (low, high) = self.normalisation.range();
                let order = if self.normalisation.is_swapped() { "blue, green, red; " } else { "" };
                format!("{order}{low:.3}..{high:.3}")
            }
            Normalisation::Fill { low, high } => format!("{low:.3}..{high:.3}"),
        };
        format!("normalised `{}` ({range}), {}", self.normalisation, self.reason)
    }
}

impl PictureInput {
    /// What graph input `index` asks for.
    ///
    /// # Errors
    /// If that input is not shaped like one picture, or its elements are neither float32 nor quantised integers.
    ///
    /// # Panics
    /// If the graph has no such input.
    pub fn of(graph: &Graph, index: usize) -> Result<Self, PictureError> {
        let id = graph.inputs[index];
        let tensor = graph.tensor(id);
        let not = || PictureError::NotAPicture { name: tensor.name.clone(), shape: tensor.shape.clone() };
        let (height, width, channels) = match *tensor.shape.dims() {
            [1, h, w, c] | [h, w, c] if matches!(c, 1 | 3 | 4) => (h, w, c),
            _ => return Err(not()),
        };
        let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=1 << 16).contains(n)).ok_or_else(not);
        let stored = match &tensor.dtype {
            DataType::Plain(ElementType::Float32) => graph
                .operators
                .iter()
                .find(|o| matches!(o.op, Op::Quantize) && o.inputs.contains(&id))
                .map(|o| graph.tensor(o.outputs[0])),
            DataType::Quantised(..) => Some(tensor),
            DataType::Plain(_) => None,
        };
        let quantisation = stored.and_then(Tensor::per_tensor);
        if tensor.element() != ElementType::Float32 && quantisation.is_none() {
            return Err(PictureError::Element { name: tensor.name.clone(), element: tensor.element() });
        }
        Ok(Self {
            name: tensor.name.clone(),
            shape: tensor.shape.dims().to_vec(),
            height: side(height)?,
            width: side(width)?,
            channels,
            element: tensor.element(),
            quantisation,
            stored: stored.map_or(tensor.element(), Tensor::element),
        })
    }

    /// Height, width and channels.
    pub fn size(&self) -> [usize; 3] {
        [self.height as usize, self.width as usize, self.channels]
    }

    /// Real numbers that the quantisation can hold.
    fn range(&self) -> Option<(f64, f64)> {
        let (scale, zero_point) = self.quantisation?;
        let (low, high) = self.stored.range()?;
        let real = |q: i64| f64::from(scale) * (q as f64 - f64::from(zero_point));
        Some((real(low), real(high)))
    }

    /// Which normalisation is meant, why, and whether that is a guess.
    fn choose(&self, normalise: Normalise) -> (Normalisation, String, bool) {
        if let Normalise::Fixed(normalisation) = normalise {
            return (normalisation, "as asked".into(), false);
        }
        if let Normalise::Stored(normalisation) = normalise {
            return (normalisation, "as the model file says".into(), false);
        }
        let wide = self.stored == ElementType::Int16;
        match self.range() {
            Some((_, high)) if wide && (high - 255.0).abs() <= 0.05 * 255.0 => {
                (Normalisation::Raw, format!("since the int16 input holds real numbers up to {high:.3}"), false)
            }
            Some((_, high)) if wide && (high - 1.0).abs() <= 0.05 => {
                let reason = format!("since the int16 input holds real numbers up to {high:.3}, of 0..1 or of -1..1");
                (Normalisation::Unit, reason, true)
            }
            Some((low, high)) => match Normalisation::filling(low, high, self.channels) {
                Some(normalisation) => {
                    (normalisation, format!("since the input holds real numbers from {low:.3} to {high:.3}"), false)
                }
                None => (
                    Normalisation::Fill { low, high },
                    format!(
                        "since the input holds real numbers from {low:.3} to {high:.3}, which fits neither 0..255, 0..1 nor -1..1"
                    ),
                    true,
                ),
            },
            None => (Normalisation::Unit, "since a float input does not say what range it was trained on".into(), true),
        }
    }

    /// Makes pixels `[height, width, channels]` of exactly [`size`](Self::size), the channels red, green and blue, into the input.
    ///
    /// # Errors
    /// If the normalisation is for another number of channels.
    ///
    /// # Panics
    /// If there are more or fewer pixels.
    pub fn from_pixels(&self, pixels: &[u8], normalise: Normalise) -> Result<Prepared, PictureError> {
        let (normalisation, reason, guessed) = self.choose(normalise);
        if let Some(given) = normalisation.channels().filter(|&given| given != self.channels) {
            let (name, channels) = (self.name.clone(), self.channels);
            return Err(PictureError::Channels { name, channels, normalisation: normalisation.name(), given });
        }
        let sources: Vec<usize> = (0..self.channels).map(|channel| normalisation.source(channel)).collect();
        let reals = pixels.chunks(self.channels).flat_map(|pixel| {
            sources.iter().enumerate().map(|(channel, &source)| normalisation.real(pixel[source], channel))
        });
        let data: Vec<u8> = match (self.element, self.quantisation) {
            (ElementType::Float32, _) | (_, None) => reals.flat_map(|real| (real as f32).to_le_bytes()).collect(),
            (ElementType::Int8, Some(_)) if normalisation == Normalisation::Raw => flipped(pixels),
            (ElementType::Uint8, Some(_)) if normalisation == Normalisation::Raw => pixels.to_vec(),
            (ElementType::Int8 | ElementType::Uint8, Some(_)) if normalisation == Normalisation::Bytes => {
                pixels.to_vec()
            }
            (element, Some((scale, zero_point))) => quantise(&reals.collect::<Vec<f64>>(), scale, zero_point, element),
        };
        let array = Array::new(Dtype::of(self.element), &self.shape, data);
        Ok(Prepared { array, normalisation, reason, guessed })
    }
}

/// A decoded picture.
#[derive(Clone, Debug)]
pub struct Picture(DynamicImage);

impl Picture {
    /// Decodes JPEG, PNG or BMP, told apart by their first bytes, and turns it upright as its EXIF entry says.
    ///
    /// # Errors
    /// If the bytes are none of these, are damaged, or have more than 50 million pixels.
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| PictureError::Decode(image::ImageError::IoError(e)))?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(PictureError::Decode)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(PictureError::TooLarge { width, height });
        }
        let decode = || {
            let orientation = decoder.orientation()?;
            let mut picture = DynamicImage::from_decoder(decoder)?;
            picture.apply_orientation(orientation);
            Ok(picture)
        };
        decode().map(Self).map_err(PictureError::Decode)
    }

    /// A picture of these pixels: `[height, width, channels]` with 1, 3 or 4 channels, or `[height, width]`. `None` for any other
    /// shape, or another number of bytes than the shape's.
    pub fn from_pixels(shape: &[usize], pixels: &[u8]) -> Option<Self> {
        let (height, width, channels) = match *shape {
            [height, width] => (height, width, 1),
            [height, width, channels] => (height, width, channels),
            _ => return None,
        };
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        let pixels = pixels.to_vec();
        Some(Self(match channels {
            1 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, pixels)?),
            3 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, pixels)?),
            4 => DynamicImage::ImageRgba8(ImageBuffer::from_raw(width, height, pixels)?),
            _ => return None,
        }))
    }

    /// True if these bytes begin like a picture that [`decode`](Self::decode) knows.
    pub fn recognises(bytes: &[u8]) -> bool {
        bytes.starts_with(b"\xff\xd8\xff") || bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"BM")
    }

    /// Whether it has no colours.
    pub fn is_grey(&self) -> bool {
        !self.0.color().has_color()
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    /// As a PNG file, for pages; `None` if it has no pixels.
    pub fn png(&self) -> Option<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        self.0.write_to(&mut bytes, ImageFormat::Png).ok()?;
        Some(bytes.into_inner())
    }

    /// Resizes (by area-weighted linear interpolation), converts to the input's channels, and normalises. Pixels of a picture
    /// that already has the right size are taken as they are.
    ///
    /// # Errors
    /// If the normalisation is for another number of channels.
    pub fn prepare(&self, input: &PictureInput, normalise: Normalise, fit: Fit) -> Result<Prepared, PictureError> {
        let (width, height) = (input.width, input.height);
        let sized = match fit {
            _ if self.size() == (width, height) => None,
            Fit::Stretch => Some(self.0.resize_exact(width, height, FilterType::Triangle)),
            Fit::Crop => Some(self.0.resize_to_fill(width, height, FilterType::Triangle)),
        };
        let sized = sized.as_ref().unwrap_or(&self.0);
        let pixels = match input.channels {
            1 => sized.to_luma8().into_raw(),
            3 => sized.to_rgb8().into_raw(),
            _ => sized.to_rgba8().into_raw(),
        };
        input.from_pixels(&pixels, normalise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(shape: impl Into<Shape>, dtype: DataType) -> Graph {
        let mut graph = Graph::new("");
        graph.add_input(Tensor::activation("x", shape, dtype));
        graph
    }

    fn chosen(scale: f32, zero_point: i32) -> (Normalisation, bool) {
        let input = PictureInput::of(&graph([1, 1, 1, 3], DataType::int8(scale, zero_point)), 0).unwrap();
        let prepared = input.from_pixels(&[0, 1, 2], Normalise::Auto).unwrap();
        (prepared.normalisation, prepared.guessed)
    }

    /// The first bytes of a PNG file of this size.
    fn png_head(width: u32, height: u32) -> Vec<u8> {
        let chunk = |name: &[u8], data: &[u8]| {
            let mut sum = flate2::Crc::new();
            sum.update(name);
            sum.update(data);
            [&(data.len() as u32).to_be_bytes()[..], name, data, &sum.sum().to_be_bytes()].concat()
        };
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let header = chunk(b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
        [&b"\x89PNG\r\n\x1a\n"[..], &header, &chunk(b"IDAT", &[0x78, 0x9c]), &chunk(b"IEND", &[])].concat()
    }

    /// The first bytes of a BMP file of this size.
    fn bmp_head(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for word in [54_u32, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_picture_of_absurd_size_is_refused_before_it_is_decoded() {
        for bytes in [png_head(30_000, 30_000), bmp_head(30_000, 30_000), png_head(60_000, 1000)] {
            let refused = Picture::decode(&bytes).unwrap_err();
            assert!(matches!(refused, PictureError::TooLarge { .. }), "{refused}");
        }
        // A sound header without pixels is damaged, whatever its size; axes of 0 or 2^31 are as well.
        for bytes in [png_head(30, 30), bmp_head(30, 30), png_head(0, 5), bmp_head(u32::MAX, 1 << 31)] {
            let refused = Picture::decode(&bytes).unwrap_err();
            assert!(matches!(refused, PictureError::Decode(_) | PictureError::TooLarge { .. }), "{refused}");
        }
    }

    #[test]
    fn the_quantisation_says_what_pixels_become() {
        assert_eq!(chosen(1.0, -128), (Normalisation::Raw, false));
        assert_eq!(chosen(1.0, 0), (Normalisation::Raw, false));
        assert_eq!(chosen(1.0 / 255.0, -128), (Normalisation::Unit, false));
        assert_eq!(chosen(1.0 / 128.0, -1), (Normalisation::Symmetric, false));
        assert_eq!(chosen(1.0 / 127.5, 0), (Normalisation::Symmetric, false));
        let (normalisation, guessed) = chosen(0.0235, -18);
        assert!(matches!(normalisation, Normalisation::Fill { low, high } if low < -2.5 && high > 3.4) && guessed);
    }

    #[test]
    fn the_common_quantisations_all_store_the_pixel_minus_128() {
        let pixels: Vec<u8> = (0..=255).collect();
        for (scale, zero_point) in [(1.0, -128), (1.0 / 255.0, -128), (2.0 / 255.0, -1)] {
            let input = PictureInput::of(&graph([1, 16, 16, 1], DataType::int8(scale, zero_point)), 0).unwrap();
            let stored = input.from_pixels(&pixels, Normalise::Auto).unwrap().array;
            for (p, &q) in pixels.iter().zip(&stored.data) {
                let difference = i32::from(q as i8) - (i32::from(*p) - 128);
                assert!(difference.abs() <= 1, "scale {scale}: pixel {p} is stored as {}", q as i8);
            }
        }
    }

    #[test]
    fn each_channel_has_its_mean_and_deviation() {
        let input = |channels| PictureInput::of(&graph([1, 1, 2, channels], DataType::FLOAT32), 0).unwrap();
        let with = |standard| {
            let normalise = Normalise::Fixed(Normalisation::Standard(standard));
            input(3).from_pixels(&[10, 20, 30, 40, 50, 60], normalise).unwrap().array.to_f32().unwrap()
        };
        let torch = [0.485, 0.456, 0.406].into_iter().zip([0.229, 0.224, 0.225]);
        let expected: Vec<f32> =
            torch.zip([10.0, 20.0, 30.0]).map(|((m, d), p)| ((p / 255.0 - m) / d) as f32).collect();
        let given = with(Standard::IMAGENET);
        assert!(given.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{given:?}");
        let caffe = [30.0 - 103.939, 20.0 - 116.779, 10.0 - 123.68, 60.0 - 103.939, 50.0 - 116.779, 40.0 - 123.68];
        assert_eq!(with(Standard::CAFFE), caffe.map(|real| real as f32));
        let refused = input(1).from_pixels(&[1, 2], Normalise::Fixed(Normalisation::Standard(Standard::IMAGENET)));
        assert!(matches!(refused, Err(PictureError::Channels { channels: 1, given: 3, .. })), "{refused:?}");
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        let with = |normalisation, scale, zero| {
            let input = PictureInput::of(&graph([1, 2, 2, 1], DataType::int8(scale, zero)), 0).unwrap();
            input.from_pixels(&[0, 127, 128, 255], Normalise::Fixed(normalisation)).unwrap().array.to_f64()
        };
        assert_eq!(with(Normalisation::Raw, 0.3, 5), [-128.0, -1.0, 0.0, 127.0]);
        assert_eq!(with(Normalisation::Bytes, 0.3, 5), [0.0, 127.0, -128.0, -1.0]);
        assert_eq!(with(Normalisation::Unit, 0.01, 5), [5.0, 55.0, 55.0, 105.0]);
        assert_eq!(with(Normalisation::Symmetric, 0.01, 5), [-95.0, 5.0, 5.0, 105.0]);
        assert_eq!(with(Normalisation::Fill { low: -12.8, high: 12.7 }, 0.1, 0), [-128.0, -1.0, 0.0, 127.0]);
    }

    #[test]
    fn int16_tells_the_greatest_pixel_alone() {
        let chosen = |scale: f32| {
            let input = PictureInput::of(&graph([1, 1, 1, 3], DataType::int16(scale)), 0).unwrap();
            let prepared = input.from_pixels(&[0, 128, 255], Normalise::Auto).unwrap();
            (prepared.normalisation, prepared.guessed, prepared.array.to_f64())
        };
        assert_eq!(chosen(255.0 / 32767.0), (Normalisation::Raw, false, vec![0.0, 16448.0, 32767.0]));
        assert_eq!(chosen(1.0 / 32767.0), (Normalisation::Unit, true, vec![0.0, 16448.0, 32767.0]));
        let (normalisation, guessed, _) = chosen(3.0 / 32767.0);
        assert!(matches!(normalisation, Normalisation::Fill { high, .. } if (high - 3.0).abs() < 1e-3) && guessed);
        // So it is behind a float input.
        let mut g = graph([2, 2, 1], DataType::FLOAT32);
        let q = g.add_tensor(Tensor::activation("q", [2, 2, 1], DataType::int16(255.0 / 32767.0)));
        g.add_operator(Op::Quantize, vec![g.inputs[0]], vec![q]);
        let prepared = PictureInput::of(&g, 0).unwrap().from_pixels(&[0, 51, 102, 255], Normalise::Auto).unwrap();
        assert_eq!((prepared.normalisation, prepared.guessed), (Normalisation::Raw, false));
    }

    #[test]
    fn a_float_input_takes_the_range_of_the_quantize_behind_it() {
        let mut g = graph([2, 2, 1], DataType::FLOAT32);
        let plain = PictureInput::of(&g, 0).unwrap().from_pixels(&[0, 51, 102, 255], Normalise::Auto).unwrap();
        assert_eq!((plain.normalisation, plain.guessed), (Normalisation::Unit, true));
        assert_eq!(plain.array.to_f32().unwrap(), [0.0, 0.2, 0.4, 1.0]);
        let q = g.add_tensor(Tensor::activation("q", [2, 2, 1], DataType::int8(1.0 / 127.5, 0)));
        g.add_operator(Op::Quantize, vec![g.inputs[0]], vec![q]);
        let quantised = PictureInput::of(&g, 0).unwrap().from_pixels(&[0, 51, 102, 255], Normalise::Auto).unwrap();
        assert_eq!((quantised.normalisation, quantised.guessed), (Normalisation::Symmetric, false));
        assert_eq!(quantised.array.to_f32().unwrap(), [-1.0, -0.6, -0.2, 1.0]);
    }

    #[test]
    fn inputs_that_are_no_picture_are_refused() {
        let of = |g: Graph| PictureInput::of(&g, 0);
        assert!(matches!(of(graph([1, 640], DataType::FLOAT32)), Err(PictureError::NotAPicture { .. })));
        assert!(matches!(of(graph([2, 8, 8, 3], DataType::FLOAT32)), Err(PictureError::NotAPicture { .. })));
        assert!(matches!(of(graph([1, 8, 8, 2], DataType::FLOAT32)), Err(PictureError::NotAPicture { .. })));
        assert!(matches!(of(graph([8, 8, 1], DataType::Plain(ElementType::Int32))), Err(PictureError::Element { .. })));
    }

    #[test]
    fn pictures_are_resized_and_change_their_channels() {
        let mut png = Cursor::new(Vec::new());
        let rgb = image::RgbImage::from_fn(8, 4, |x, _| image::Rgb([if x < 4 { 0 } else { 255 }; 3]));
        rgb.write_to(&mut png, image::ImageFormat::Png).unwrap();
        assert!(Picture::recognises(png.get_ref()));
        let picture = Picture::decode(png.get_ref()).unwrap();
        let input = PictureInput::of(&graph([1, 2, 2, 1], DataType::int8(1.0, -128)), 0).unwrap();
        let stored = |fit| picture.prepare(&input, Normalise::Auto, fit).unwrap().array.to_f64();
        let stretched = stored(Fit::Stretch);
        assert!(stretched[0] < -64.0 && stretched[1] > 64.0, "{stretched:?}");
        assert_eq!(stretched[0], stretched[2]);
        let cropped = stored(Fit::Crop);
        assert!(cropped[0] < -64.0 && cropped[1] > 64.0, "{cropped:?}");
        assert!(matches!(Picture::decode(b"BMtext"), Err(PictureError::Decode(_))));
        assert!(matches!(Picture::decode(b""), Err(PictureError::Decode(_))));
    }
}
