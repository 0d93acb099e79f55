//! From a file to a network's input, whatever the file is: what suits is taken as it is, what can be converted without a
//! guess is converted, and what was done is said.

use crate::Error;
use crate::files;
use crate::interface::{Interface, without_batch};
use crate::npy;
use crate::npz::{self, Archive};
use crate::picture::{self, Fit, Normalisation, Normalise, Picture, PictureInput};
use crate::set::{Content, Sample};
use crate::{Array, Dtype};
use smidgen_ir::{ElementType, Graph};
use std::path::Path;

/// Why an array does not suit a network's input.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum InputError {
    /// An archive without an array that is clearly meant.
    #[error("none of the arrays is called `input_{index}` or `{tensor}`; the archive holds {names}")]
    Ambiguous {
        /// Index of the network's input.
        index: usize,
        /// The input tensor's name.
        tensor: String,
        /// The arrays' names.
        names: String,
    },
    /// An archive without the array that was asked for.
    #[error("there is no array `{name}`; the archive holds {names}")]
    NoSuchArray {
        /// The name asked for.
        name: String,
        /// The arrays' names.
        names: String,
    },
    /// Neither an array, nor an archive, nor a picture.
    #[error("neither a NumPy array or archive (.npy, .npz) nor a picture (JPEG, PNG, BMP)")]
    Unrecognised,
    /// More or fewer arrays than the network has inputs.
    #[error("a sample has {given} of the network's {wanted} inputs")]
    Count {
        /// Arrays or pictures of the sample.
        given: usize,
        /// Inputs of the network.
        wanted: usize,
    },
    /// Another shape.
    #[error("the network's input `{tensor}` is {expected}; the array is {given}")]
    Shape {
        /// The input tensor's name.
        tensor: String,
        /// Its element type and shape.
        expected: String,
        /// The array's.
        given: String,
    },
    /// Another element type, which cannot be converted without a guess.
    #[error("the network's input `{tensor}` is {expected}; the array is {given}")]
    Type {
        /// The input tensor's name.
        tensor: String,
        /// Its element type and shape.
        expected: String,
        /// The array's.
        given: String,
        /// What would be taken.
        taken: &'static str,
    },
    /// A sample with something that is no number.
    #[error("the array for the network's input `{tensor}` holds {value}, at element {element} from 0")]
    Value {
        /// The input tensor's name.
        tensor: String,
        /// NaN or an infinity.
        value: String,
        /// Where it lies, row by row.
        element: usize,
    },
}

impl InputError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Ambiguous { .. } => "name the array: `--array NAME`".into(),
            Self::NoSuchArray { .. } => return None,
            Self::Count { .. } => {
                "networks with several inputs take an .npz file with the arrays `input_K_0`, `input_K_1`, ... for sample K".into()
            }
            Self::Unrecognised => "files are told apart by their first bytes, not by their names".into(),
            Self::Shape { expected, .. } => {
                format!("an array of that shape is needed ({expected}); `smidgen inspect` shows every input")
            }
            Self::Type { taken, .. } => format!("this input takes {taken}"),
            Self::Value { .. } => {
                "leave such samples out, or write a number where nothing was measured: `numpy.nan_to_num`".into()
            }
        })
    }
}

/// What a file holds.
#[derive(Debug)]
pub enum Source {
    /// A `.npy` array.
    Array(Array),
    /// A `.npz` archive.
    Archive(Archive),
    /// A picture.
    Picture(Picture),
}

impl Source {
    /// Opens a file, told apart by its first bytes and not by its name.
    ///
    /// # Errors
    /// If it cannot be read, or is none of the three.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path)?;
        Self::from_bytes(bytes).map_err(|e| e.at(path))
    }

    fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(if bytes.starts_with(npy::MAGIC) {
            Self::Array(npy::parse(bytes)?)
        } else if bytes.starts_with(npz::MAGIC) {
            Self::Archive(Archive::new(bytes)?)
        } else if Picture::recognises(&bytes) {
            Self::Picture(Picture::decode(&bytes)?)
        } else {
            return Err(InputError::Unrecognised.into());
        })
    }
}

/// The array of an archive that is meant for input `index`: the one called `name` if that is given, else `input_INDEX`,
/// `input_0_INDEX` (a golden file's first sample), the tensor's own name, or the only one there is.
///
/// # Errors
/// If there is no such array, or it cannot be read.
pub fn pick<'g>(
    archive: &mut Archive,
    network: impl Into<Interface<'g>>,
    index: usize,
    name: Option<&str>,
) -> Result<(String, Array), Error> {
    let graph = network.into().graph();
    let tensor = graph.tensor(graph.inputs[index]).name.clone();
    let listed = |archive: &Archive| {
        const SHOWN: usize = 8;
        let names = archive.names();
        let mut text = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        match names.len() {
            0 => text.push_str("nothing"),
            n if n > SHOWN => text.push_str(&format!(" and {} more", n - SHOWN)),
            _ => {}
        }
        text
    };
    let candidates = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let only = archive.names().first().filter(|_| archive.names().len() == 1).cloned();
            [format!("input_{index}"), format!("input_0_{index}"), tensor.clone()].into_iter().chain(only).collect()
        }
    };
    for candidate in candidates {
        if let Some(array) = archive.get(&candidate)? {
            return Ok((candidate, array));
        }
    }
    let names = listed(archive);
    Err(match name {
        Some(name) => InputError::NoSuchArray { name: name.to_owned(), names }.into(),
        None => InputError::Ambiguous { index, tensor, names }.into(),
    })
}

/// Brings an array to what graph input `index` takes, and says what was done (nothing: an empty text).
///
/// Its axes lie as in the network's file, or else as in the graph: see [`interface`](crate::interface). The result is
/// in the graph's order. Taken are: the input's own element type; float64 for float32; integers that fit for integers without a scale; real numbers (float32, float64)
/// for a quantised input, which are quantised with its scale; and, where the input is a picture, uint8 pixels, which
/// are normalised as a picture's are. A leading 1 more or less in the shape does not matter.
///
/// # Errors
/// If the shape differs, or the element type cannot be converted without a guess.
pub fn adapt<'g>(
    network: impl Into<Interface<'g>>,
    index: usize,
    array: Array,
    normalise: Normalise,
) -> Result<(Array, String), Error> {
    let network = network.into();
    let normalise = network.normalise(normalise);
    let (array, suits) = network.input(index).to_graph(array).map_err(|array| shape_error(network, index, &array))?;
    let turned = network.input(index).told(suits);
    let (array, note) = convert(network, index, array, normalise)?;
    let notes: Vec<String> = [turned, note].into_iter().filter(|note| !note.is_empty()).collect();
    Ok((array, notes.join("; ")))
}

/// The input's element type and the shapes that are taken for it.
fn expected(network: Interface, index: usize) -> String {
    let graph = network.graph();
    let dtype = Dtype::of(graph.tensor(graph.inputs[index]).element());
    format!("{dtype} {}", network.input(index).describe())
}

fn shape_error(network: Interface, index: usize, array: &Array) -> Error {
    let graph = network.graph();
    let tensor = graph.tensor(graph.inputs[index]).name.clone();
    InputError::Shape { tensor, expected: expected(network, index), given: array.describe() }.into()
}

/// Brings an array of the input's shape to its element type, and says what was done.
fn convert(network: Interface, index: usize, array: Array, normalise: Normalise) -> Result<(Array, String), Error> {
    let graph = network.graph();
    let tensor = graph.tensor(graph.inputs[index]);
    let wanted = Dtype::of(tensor.element());
    let shape = tensor.shape.dims().to_vec();
    let given = array.dtype;
    if given == wanted {
        return Ok((array, String::new()));
    }
    match (given, wanted, tensor.per_tensor()) {
        (Dtype::Float64, Dtype::Float32, _) => {
            let values: Vec<f32> = array.to_f64().iter().map(|&v| v as f32).collect();
            Ok((Array::from_f32(&shape, &values), "float64 rounded to float32".into()))
        }
        (Dtype::Float32 | Dtype::Float64, _, Some((scale, zero_point))) => {
            let data = quantise(&array.to_f64(), scale, zero_point, tensor.element());
            let note = format!("real numbers quantised with scale {scale} and zero point {zero_point}");
            Ok((Array::new(wanted, &shape, data), note))
        }
        (Dtype::Uint8, ..) if PictureInput::of(graph, index).is_ok() => {
            let prepared = PictureInput::of(graph, index)?.from_pixels(&array.data, normalise)?;
            Ok((prepared.array.clone(), format!("pixels; {}", prepared.describe())))
        }
        // What a network with ends of uint8 is given once they are cut.
        (Dtype::Uint8, Dtype::Int8, Some(_)) => {
            Ok((Array::new(wanted, &shape, flipped(&array.data)), "uint8, 128 less".into()))
        }
        // Indices, say: NumPy makes int64 of whole numbers where nothing else is asked for.
        (_, _, None) if let Some(data) = whole(&array, tensor.element()) => {
            Ok((Array::new(wanted, &shape, data), format!("{given} taken for {wanted}")))
        }
        _ => Err(InputError::Type {
            tensor: tensor.name.clone(),
            expected: expected(network, index),
            given: array.describe(),
            taken: match tensor.per_tensor() {
                Some(_) => "its stored integers, real numbers (float32) to be quantised, or uint8 pixels of a picture",
                None if wanted == Dtype::Float32 => "float32, or uint8 pixels of a picture",
                None => "that type, or integers that fit it",
            },
        }
        .into()),
    }
}

/// An array's integers as those of another integer type, little endian; `None` if either holds other numbers, or one does not fit.
fn whole(array: &Array, element: ElementType) -> Option<Vec<u8>> {
    const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;
    let is_whole = |dtype| matches!(dtype, Dtype::Int8 | Dtype::Uint8 | Dtype::Int16 | Dtype::Int32 | Dtype::Int64);
    if !is_whole(array.dtype) || !is_whole(Dtype::of(element)) {
        return None;
    }
    let (low, high) = element.range()?;
    let values = array.to_f64();
    let fits = |value: &f64| value.abs() < EXACT && (low..=high).contains(&(*value as i64));
    if !values.iter().all(fits) {
        return None;
    }
    let bytes = element.bits().div_ceil(8);
    Some(values.into_iter().flat_map(|value| (value as i64).to_le_bytes().into_iter().take(bytes)).collect())
}

/// Bytes of uint8 as those of int8 that stand for 128 less, or back: QUANTIZE between the two of one scale.
pub fn flipped(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x80).collect()
}

/// Stored integers, little endian, of real numbers: divided by the scale in single precision and rounded to the nearest, ties
/// away from zero (as TensorFlow Lite's QUANTIZE does), shifted by the zero point, and clamped.
pub fn quantise(reals: &[f64], scale: f32, zero_point: i32, element: ElementType) -> Vec<u8> {
    let bytes = element.bits().div_ceil(8);
    let (low, high) = element.range().unwrap_or((i64::MIN, i64::MAX));
    let stored = |real: f64| {
        // The cast saturates, and takes what is not a number to zero.
        let q = (real as f32 / scale).round() as i64;
        (i128::from(q) + i128::from(zero_point)).clamp(low.into(), high.into()) as i64
    };
    reals.iter().flat_map(|&real| stored(real).to_le_bytes().into_iter().take(bytes)).collect()
}

/// Where one network input came from and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// The input, its axes as in the graph.
    pub array: Array,
    /// What was read and what was done to it, in words.
    pub story: String,
    /// Set if something had to be guessed: which, and how to settle it.
    pub warning: Option<String>,
}

/// Reads the file for graph input `index` and makes it into that input. `name` is the array to take from an archive.
///
/// # Errors
/// If the file cannot be read or does not suit the input.
pub fn load<'g>(
    network: impl Into<Interface<'g>>,
    index: usize,
    path: &Path,
    name: Option<&str>,
    normalise: Normalise,
    fit: Fit,
) -> Result<Prepared, Error> {
    let network = network.into();
    let normalise = network.normalise(normalise);
    let graph = network.graph();
    let shown = path.display();
    let prepared = |source: &str, (array, note): (Array, String)| {
        let story = if note.is_empty() { source.to_owned() } else { format!("{source}: {note}") };
        Prepared { array, story, warning: None }
    };
    let inner = || -> Result<Prepared, Error> {
        match Source::open(path)? {
            Source::Array(array) => Ok(prepared(&format!("{shown}"), adapt(network, index, array, normalise)?)),
            Source::Archive(mut archive) => {
                let (name, array) = pick(&mut archive, network, index, name)?;
                Ok(prepared(&format!("{shown}, array `{name}`"), adapt(network, index, array, normalise)?))
            }
            Source::Picture(picture) => {
                let input = PictureInput::of(graph, index)?;
                let made = picture.prepare(&input, normalise, fit)?;
                let (width, height) = picture.size();
                let [to_height, to_width, channels] = input.size();
                let sized = match (fit, (width as usize, height as usize) == (to_width, to_height)) {
                    (_, true) => format!("{width}x{height}"),
                    (Fit::Stretch, _) => format!("{width}x{height}, scaled to {to_width}x{to_height}"),
                    (Fit::Crop, _) => format!("{width}x{height}, scaled and cropped to {to_width}x{to_height}"),
                };
                let colour = if channels == 1 { "grey" } else { "colour" };
                let warning = made.guessed.then(|| {
                    format!(
                        "normalisation `{}` is a guess, {}; if the classes make no sense, choose another with \
                         --normalise",
                        made.normalisation, made.reason
                    )
                });
                let story = format!("{shown}: {colour} picture of {sized}; {}", made.describe());
                Ok(Prepared { array: made.array, story, warning })
            }
        }
    };
    inner().map_err(|e| e.at(path))
}

/// Makes samples of a set into a network's inputs.
#[derive(Clone, Debug)]
pub struct Feeder<'g> {
    network: Interface<'g>,
    normalise: Normalise,
    fit: Fit,
    infinities: bool,
}

impl<'g> Feeder<'g> {
    /// For this network. Pictures are normalised and fitted as given, and samples hold nothing but numbers.
    pub fn new(network: impl Into<Interface<'g>>, normalise: Normalise, fit: Fit) -> Self {
        let network: Interface = network.into();
        Self { network, normalise: network.normalise(normalise), fit, infinities: false }
    }

    /// The same, and samples may hold infinities: where a network only runs they have a meaning, as in a mask, and a loss
    /// has none with them.
    #[must_use]
    pub fn with_infinities(self) -> Self {
        Self { infinities: true, ..self }
    }

    /// The same with another normalisation.
    pub fn with(&self, normalisation: Normalisation) -> Self {
        Self { normalise: Normalise::Fixed(normalisation), ..self.clone() }
    }

    /// What pixels become; `None` if the network does not take one picture, or not one for which the normalisation is.
    pub fn normalisation(&self) -> Option<Normalisation> {
        Some(self.sample_pixels()?.normalisation)
    }

    /// The inputs for a sample, their axes as in the graph. Pictures, and arrays of pixels (uint8, `[height, width,
    /// channels]` or `[height, width]`, or in the order of the network's file), may have any size; other arrays must
    /// have the input's shape in the file or in the graph.
    ///
    /// # Errors
    /// If a picture cannot be decoded, something does not suit its input, or something is no number.
    pub fn inputs(&self, sample: &Sample) -> Result<Vec<Array>, Error> {
        Ok(self.told_inputs(sample)?.into_iter().map(|(array, _)| array).collect())
    }

    /// As [`inputs`](Self::inputs), with what was done about the order of each array's axes; nothing where file and
    /// graph agree.
    ///
    /// # Errors
    /// As [`inputs`](Self::inputs).
    pub fn told_inputs(&self, sample: &Sample) -> Result<Vec<(Array, String)>, Error> {
        let graph = self.network.graph();
        let wanted = graph.inputs.len();
        let given = match &sample.content {
            Content::Picture(_) => 1,
            Content::Arrays(arrays) => arrays.len(),
        };
        if given != wanted {
            return Err(InputError::Count { given, wanted }.into());
        }
        match &sample.content {
            Content::Picture(bytes) => {
                let input = PictureInput::of(graph, 0)?;
                let array = Picture::decode(bytes)?.prepare(&input, self.normalise, self.fit)?.array;
                Ok(vec![(array, String::new())])
            }
            Content::Arrays(arrays) => {
                arrays.iter().enumerate().map(|(i, array)| self.array(i, array.clone())).collect()
            }
        }
    }

    fn array(&self, index: usize, array: Array) -> Result<(Array, String), Error> {
        self.check(index, &array)?;
        let axes = self.network.input(index);
        if array.dtype == Dtype::Uint8
            && axes.suits(&array.shape).is_none()
            && let Ok(input) = PictureInput::of(self.network.graph(), index)
            && let Some((picture, note)) = self.pixels(index, &array, input.size()[2])
        {
            return Ok((picture.prepare(&input, self.normalise, self.fit)?.array, note));
        }
        let suits = axes.suits(&array.shape);
        let (array, _) = adapt(self.network, index, array, self.normalise)?;
        Ok((array, suits.map_or_else(String::new, |suits| axes.told(suits))))
    }

    /// Whether all elements are numbers, in single precision too.
    fn check(&self, index: usize, array: &Array) -> Result<(), Error> {
        if !array.dtype.is_float() {
            return Ok(());
        }
        let sound = |value: f32| value.is_finite() || self.infinities && value.is_infinite();
        let mut elements = array.to_f64().into_iter().enumerate();
        let Some((element, value)) = elements.find(|&(_, value)| !sound(value as f32)) else { return Ok(()) };
        let graph = self.network.graph();
        let tensor = graph.tensor(graph.inputs[index]).name.clone();
        // A double may be a number that only single precision has no place for.
        let value = if value.is_finite() { format!("{value:e}") } else { value.to_string() };
        Err(InputError::Value { tensor, value, element }.into())
    }

    /// Pixels of another size than the input's: channels first where the file has them so, else last.
    fn pixels(&self, index: usize, array: &Array, channels: usize) -> Option<(Picture, String)> {
        let shape = without_batch(&array.shape);
        if let Some(port) = self.network.input(index).rearranged()
            && port.is_channels_last()
            && let &[depth, height, width] = shape
            && depth == channels
        {
            let rows = Array { shape: shape.to_vec(), ..array.clone() }.transposed(&[1, 2, 0]);
            let note = format!("{depth}x{height}x{width} with the channels first, as the model file has them");
            return Some((Picture::from_pixels(&rows.shape, &rows.data)?, note));
        }
        Some((Picture::from_pixels(shape, &array.data)?, String::new()))
    }

    /// The least and the greatest real number that a pixel can become; `None` if the network does not take one picture.
    pub fn pixel_range(&self) -> Option<(f64, f64)> {
        Some(self.sample_pixels()?.normalisation.range())
    }

    fn sample_pixels(&self) -> Option<picture::Prepared> {
        let graph = self.network.graph();
        let input = PictureInput::of(graph, 0).ok().filter(|_| graph.inputs.len() == 1)?;
        let [height, width, channels] = input.size();
        input.from_pixels(&vec![0; height * width * channels], self.normalise).ok()
    }

    /// What pixels become, in words, and whether that is a guess; `None` if the network does not take one picture.
    pub fn describe(&self) -> Option<(String, bool)> {
        let prepared = self.sample_pixels()?;
        Some((prepared.describe(), prepared.guessed))
    }
}

/// Real numbers as float32 of an array of stored integers: `scale * (stored - zero_point)`, as DEQUANTIZE gives them.
pub fn dequantise(array: &Array, scale: f32, zero_point: i32) -> Array {
    // The product is exact in double precision, so that it is rounded once.
    let real = |stored: f64| (f64::from(scale) * (stored - f64::from(zero_point))) as f32;
    let values: Vec<f32> = array.to_f64().into_iter().map(real).collect();
    Array::from_f32(&array.shape, &values)
}

/// Real numbers of an output, in the array's order of axes: dequantised where it is quantised, else the values
/// themselves.
///
/// # Panics
/// If the array has not as many elements as the graph's output `index`.
pub fn reals(graph: &Graph, index: usize, array: &Array) -> Vec<f64> {
    let tensor = graph.tensor(graph.outputs[index]);
    assert_eq!(array.elements(), tensor.shape.elements(), "the elements of output {index}");
    let values = array.to_f64();
    match tensor.per_tensor() {
        Some((scale, zero)) => values.iter().map(|v| f64::from(scale) * (v - f64::from(zero))).collect(),
        None => values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::{DataType, Shape, Tensor};

    fn graph(shape: impl Into<Shape>, dtype: DataType) -> Graph {
        let mut graph = Graph::new("");
        graph.add_input(Tensor::activation("x", shape, dtype));
        graph
    }

    fn adapted(graph: &Graph, array: Array) -> Result<(Array, String), Error> {
        adapt(graph, 0, array, Normalise::Auto)
    }

    #[test]
    fn what_suits_is_taken_as_it_is() {
        let g = graph([1, 4], DataType::int8(0.5, 3));
        let array = Array::from_i8(&[4], &[1, 2, 3, 4]);
        assert_eq!(adapted(&g, array).unwrap(), (Array::from_i8(&[1, 4], &[1, 2, 3, 4]), String::new()));
    }

    #[test]
    fn real_numbers_are_quantised() {
        let g = graph([1, 4], DataType::int8(0.5, 3));
        let (array, note) = adapted(&g, Array::from_f32(&[1, 4], &[0.0, 0.25, -0.25, 1000.0])).unwrap();
        assert_eq!(array, Array::from_i8(&[1, 4], &[3, 4, 2, 127]));
        assert_eq!(note, "real numbers quantised with scale 0.5 and zero point 3");
        let nan = adapted(&g, Array::from_f32(&[4], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0])).unwrap().0;
        assert_eq!(nan, Array::from_i8(&[1, 4], &[3, 127, -128, 3]));
    }

    #[test]
    fn integers_that_fit_are_indices() {
        let g = graph([1, 3], DataType::Plain(ElementType::Int32));
        let wide = |values: [i64; 3]| Array::new(Dtype::Int64, &[3], values.map(i64::to_le_bytes).concat());
        let (array, note) = adapted(&g, wide([7, -1, i32::MAX.into()])).unwrap();
        assert_eq!(array, Array::new(Dtype::Int32, &[1, 3], [7, -1, i32::MAX].map(i32::to_le_bytes).concat()));
        assert_eq!(note, "int64 taken for int32");
        assert_eq!(adapted(&g, Array::new(Dtype::Uint8, &[3], vec![1, 2, 255])).unwrap().0.dtype, Dtype::Int32);
        for array in [wide([7, 1 << 31, 0]), wide([i64::MAX, 0, 0]), Array::from_f32(&[3], &[1.0, 2.0, 3.0])] {
            assert!(adapted(&g, array).unwrap_err().to_string().contains("int32 1x3"));
        }
    }

    #[test]
    fn samples_hold_nothing_but_numbers() {
        for dtype in [DataType::FLOAT32, DataType::int8(0.5, 3)] {
            let g = graph([1, 4], dtype);
            let feeder = Feeder::new(&g, Normalise::Auto, Fit::default());
            let fed = |feeder: &Feeder, array: Array| {
                let content = Content::Arrays(vec![array]);
                feeder.inputs(&Sample { index: 7, name: "x[7]".into(), class: Some(0), content })
            };
            for (value, told, runs) in [
                (f64::NAN, "NaN", false),
                (f64::INFINITY, "inf", true),
                (f64::NEG_INFINITY, "-inf", true),
                (-1e300, "-1e300", true),
                (1e30, "", true),
            ] {
                let doubles = [0.0, 1.0, value, 3.0].iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
                let singles = Array::from_f32(&[4], &[0.0, 1.0, value as f32, 3.0]);
                let arrays = [Array::new(Dtype::Float64, &[4], doubles), singles];
                let single = format!("{}", value as f32);
                for (array, told) in arrays.into_iter().zip([told, if told.is_empty() { told } else { &single }]) {
                    match fed(&feeder, array.clone()) {
                        Ok(_) => assert_eq!(told, ""),
                        Err(error) => assert_eq!(
                            error.to_string(),
                            format!("the array for the network's input `x` holds {told}, at element 2 from 0")
                        ),
                    }
                    assert_eq!(fed(&feeder.clone().with_infinities(), array).is_ok(), runs, "{told}");
                }
            }
        }
    }

    #[test]
    fn pixels_are_normalised_as_a_picture_is() {
        let g = graph([1, 1, 2, 1], DataType::int8(1.0 / 255.0, -128));
        let (array, _) = adapted(&g, Array::new(Dtype::Uint8, &[1, 2, 1], vec![0, 255])).unwrap();
        assert_eq!(array, Array::from_i8(&[1, 1, 2, 1], &[-128, 127]));
    }

    #[test]
    fn what_does_not_suit_is_refused_by_name() {
        let g = graph([1, 4], DataType::FLOAT32);
        let shape = adapted(&g, Array::from_f32(&[5], &[0.0; 5])).unwrap_err();
        assert_eq!(shape.to_string(), "the network's input `x` is float32 1x4; the array is float32 5");
        let dtype = adapted(&g, Array::from_i8(&[4], &[0; 4])).unwrap_err();
        assert!(matches!(dtype, Error::Input(InputError::Type { .. })), "{dtype}");
    }

    #[test]
    fn an_archive_is_searched_by_name() {
        let g = graph([1], DataType::FLOAT32);
        let one = |v: f32| Array::from_f32(&[1], &[v]);
        let archive = |names: &[&str]| {
            let arrays: Vec<_> = names.iter().enumerate().map(|(i, n)| (n.to_string(), one(i as f32))).collect();
            Archive::new(npz::to_bytes(&arrays)).unwrap()
        };
        let found = |names: &[&str], name| pick(&mut archive(names), &g, 0, name).map(|(name, _)| name);
        assert_eq!(found(&["y", "input_0"], None).unwrap(), "input_0");
        assert_eq!(found(&["y", "x"], None).unwrap(), "x");
        assert_eq!(found(&["y"], None).unwrap(), "y");
        assert_eq!(found(&["y", "z"], Some("z")).unwrap(), "z");
        assert!(matches!(found(&["y", "z"], None), Err(Error::Input(InputError::Ambiguous { .. }))));
        assert!(matches!(found(&["y"], Some("z")), Err(Error::Input(InputError::NoSuchArray { .. }))));
        assert!(matches!(Source::from_bytes(b"text".to_vec()), Err(Error::Input(InputError::Unrecognised))));
        assert!(matches!(Source::from_bytes(b"BMtext".to_vec()), Err(Error::Picture(_))));
    }

    #[test]
    fn a_wrong_type_in_a_file_is_the_requests_fault() {
        assert!(!Error::from(npy::NpyError::Dtype("<c8".into())).is_malformed());
    }
}
