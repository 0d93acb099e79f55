//! What a network gets for a pixel: the conventions of frameworks, and a mean and a deviation for each channel.

use std::fmt;

/// What the caller asks for.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Normalise {
    /// Deduce it from the range of real numbers that the input's quantisation can hold.
    #[default]
    Auto,
    /// This one.
    Fixed(Normalisation),
    /// This one, which the network's file says.
    Stored(Normalisation),
}

/// The value that a network gets for a pixel of 0 to 255.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Normalisation {
    /// The pixel itself. An int8 input gets the pixel minus 128 as its stored byte, whatever its scale.
    Raw,
    /// `pixel / 127.5 - 1`: -1 to 1.
    Symmetric,
    /// `pixel / 255`: 0 to 1.
    Unit,
    /// The pixel's byte taken for a signed one: 0 to 127, then -128 to -1. What TensorFlow Lite Micro's person detection expects.
    Bytes,
    /// `(pixel - mean) / deviation`, channel by channel.
    Standard(Standard),
    /// Spread evenly over all that the input's quantisation can hold.
    Fill {
        /// The real number for pixel 0.
        low: f64,
        /// The real number for pixel 255.
        high: f64,
    },
}

/// A mean and a deviation, for pixels of 0 to 255.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Standard {
    name: &'static str,
    mean: [f64; 4],
    deviation: [f64; 4],
    /// Channels that there are values for; 1 if they hold for all.
    channels: usize,
    /// The network's channels are blue, green and red.
    swapped: bool,
}

/// The name of means and deviations that have no other.
const CUSTOM: &str = "mean and deviation";

/// Why a mean and a deviation are none.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum StandardError {
    /// Neither one value for all channels, nor one for each of three or four.
    #[error("there are {mean} means and {deviation} deviations; pictures have 1, 3 or 4 channels")]
    Count {
        /// Means given.
        mean: usize,
        /// Deviations given.
        deviation: usize,
    },
    /// Not a number, not finite, or a deviation that is not above 0.
    #[error("a {what} of {value} is not possible")]
    Value {
        /// `mean` or `deviation`.
        what: &'static str,
        /// The value.
        value: f64,
    },
}

impl Standard {
    /// What networks of PyTorch's torchvision, timm and Keras' mode `torch` were trained with: means 0.485, 0.456, 0.406 and deviations 0.229, 0.224,
    /// 0.225 of pixels of 0 to 1.
    pub const IMAGENET: Self = Self {
        name: "imagenet",
        mean: [0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0, 0.0],
        deviation: [0.229 * 255.0, 0.224 * 255.0, 0.225 * 255.0, 1.0],
        channels: 3,
        swapped: false,
    };
    /// What networks from Caffe were trained with, and Keras' ResNet50 and VGG (mode `caffe`): blue, green, red, each minus its mean.
    pub const CAFFE: Self =
        Self { name: "caffe", mean: [103.939, 116.779, 123.68, 0.0], deviation: [1.0; 4], channels: 3, swapped: true };

    /// Of means and deviations: one for all channels, or one for each. If none of all is greater than 1, they are of pixels of 0 to 1,
    /// as PyTorch's are, else of pixels of 0 to 255. No mean is a mean of 0, no deviation one of 1.
    ///
    /// # Errors
    /// [`StandardError`].
    pub fn new(mean: &[f64], deviation: &[f64]) -> Result<Self, StandardError> {
        let channels = mean.len().max(deviation.len());
        let count = |values: &[f64]| values.len() <= 1 || values.len() == channels;
        if !matches!(channels, 1 | 3 | 4) || !count(mean) || !count(deviation) {
            return Err(StandardError::Count { mean: mean.len(), deviation: deviation.len() });
        }
        let bad_mean = mean.iter().find(|value| !value.is_finite());
        let bad_deviation = deviation.iter().find(|value| !(value.is_finite() && **value > 0.0));
        for (what, bad) in [("mean", bad_mean), ("deviation", bad_deviation)] {
            if let Some(&value) = bad {
                return Err(StandardError::Value { what, value });
            }
        }
        let unit = mean.iter().chain(deviation).all(|value| value.abs() <= 1.0);
        let one = if unit { 255.0 } else { 1.0 };
        let whole = |values: &[f64], default: f64| -> [f64; 4] {
            std::array::from_fn(|c| one * values.get(c).or(values.first()).copied().unwrap_or(default))
        };
        // Without a deviation, means of 0 to 255 are only taken away, as Caffe does.
        let (mean, deviation) = (whole(mean, 0.0), whole(deviation, 1.0));
        Ok(Self { name: CUSTOM, mean, deviation, channels, swapped: false })
    }

    fn real(&self, pixel: u8, channel: usize) -> f64 {
        (f64::from(pixel) - self.mean[channel]) / self.deviation[channel]
    }
}

impl Normalisation {
    /// Those that networks are published for, from the most frequent on.
    pub const KNOWN: [Self; 5] =
        [Self::Unit, Self::Symmetric, Self::Raw, Self::Standard(Standard::IMAGENET), Self::Standard(Standard::CAFFE)];

    /// The name on the command line, where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Symmetric => "symmetric",
            Self::Unit => "unit",
            Self::Bytes => "bytes",
            Self::Standard(standard) => standard.name,
            Self::Fill { .. } => "fill",
        }
    }

    /// Channels of a picture that it is for; `None` if it suits any.
    pub fn channels(self) -> Option<usize> {
        match self {
            Self::Standard(standard) if standard.channels > 1 => Some(standard.channels),
            _ => None,
        }
    }

    /// The picture's channel that becomes a channel of the network.
    pub fn source(self, channel: usize) -> usize {
        match self {
            Self::Standard(Standard { swapped: true, channels, .. }) => channels - 1 - channel,
            _ => channel,
        }
    }

    /// True if the network takes blue, green and red in this order.
    pub fn is_swapped(self) -> bool {
        matches!(self, Self::Standard(Standard { swapped: true, .. }))
    }

    /// The real number for a pixel of a channel of the network.
    pub fn real(self, pixel: u8, channel: usize) -> f64 {
        let value = f64::from(pixel);
        match self {
            Self::Raw => value,
            Self::Symmetric => value / 127.5 - 1.0,
            Self::Unit => value / 255.0,
            Self::Bytes => f64::from(pixel as i8),
            Self::Standard(standard) => standard.real(pixel, channel),
            Self::Fill { low, high } => low + (high - low) * value / 255.0,
        }
    }

    /// The least and the greatest real number that a pixel of any channel can become.
    pub fn range(self) -> (f64, f64) {
        let ends = |c: usize| (self.real(0, c), self.real(255, c));
        match self {
            Self::Bytes => (-128.0, 127.0),
            _ => (1..self.channels().unwrap_or(1))
                .map(ends)
                .fold(ends(0), |(low, high), (l, h)| (low.min(l), high.max(h))),
        }
    }

    /// The one whose real numbers fill the range of a quantised input of so many channels, if one does within 5 %, or within 1 % where it
    /// differs from channel to channel.
    pub(crate) fn filling(low: f64, high: f64, channels: usize) -> Option<Self> {
        let near = |l: f64, h: f64, part: f64| {
            let slack = part * (high - low);
            (low - l).abs() <= slack && (high - h).abs() <= slack
        };
        let same =
            [(Self::Raw, 0.0, 255.0), (Self::Raw, -128.0, 127.0), (Self::Symmetric, -1.0, 1.0), (Self::Unit, 0.0, 1.0)]
                .into_iter()
                .find(|&(_, l, h)| near(l, h, 0.05))
                .map(|(normalisation, ..)| normalisation);
        let differing = [Standard::IMAGENET, Standard::CAFFE].map(Self::Standard);
        same.or_else(|| {
            differing.into_iter().filter(|_| channels == 3).find(|known| {
                let (l, h) = known.range();
                near(l, h, 0.01)
            })
        })
    }
}

/// What separates the parts of a normalisation's text.
const PARTS: char = ' ';

impl Normalisation {
    /// A text that says it, for the metadata of a file: a name, or numbers with all their digits.
    pub fn text(self) -> String {
        let numbers = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Fill { low, high } => format!("fill {low} {high}"),
            Self::Standard(own) if !Self::KNOWN.contains(&self) => {
                let Standard { mean, deviation, channels, .. } = own;
                format!("standard {} {}", numbers(&mean[..channels]), numbers(&deviation[..channels]))
            }
            _ => self.name().into(),
        }
    }

    /// The normalisation of a [text](Self::text); `None` if it is none.
    pub fn of_text(text: &str) -> Option<Self> {
        let simple = Self::KNOWN.into_iter().chain([Self::Bytes]).find(|known| known.name() == text);
        let mut parts = text.split(PARTS);
        let numbers = |part: Option<&str>| -> Option<Vec<f64>> {
            let values: Option<Vec<f64>> = part?.split(',').map(|number| number.parse().ok()).collect();
            values.filter(|values| matches!(values.len(), 1 | 3 | 4) && values.iter().all(|value| value.is_finite()))
        };
        simple.or_else(|| match parts.next()? {
            "fill" => {
                let ends = [numbers(parts.next())?, numbers(parts.next())?].concat();
                let &[low, high] = ends.as_slice() else { return None };
                parts.next().is_none().then_some(Self::Fill { low, high })
            }
            "standard" => {
                let (mean, deviation) = (numbers(parts.next())?, numbers(parts.next())?);
                let sound = mean.len() == deviation.len() && deviation.iter().all(|value| *value > 0.0);
                if !sound || parts.next().is_some() {
                    return None;
                }
                let all = |values: &[f64]| {
                    std::array::from_fn(|c| values.get(c).or(values.first()).copied().unwrap_or_default())
                };
                let (mean, deviation, channels) = (all(&mean), all(&deviation), mean.len());
                Some(Self::Standard(Standard { name: CUSTOM, mean, deviation, channels, swapped: false }))
            }
            _ => None,
        })
    }
}

impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_deviations_are_of_pixels_of_one_or_of_255() {
        let of = |mean: &[f64], deviation: &[f64]| Normalisation::Standard(Standard::new(mean, deviation).unwrap());
        let torch = of(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]);
        for (channel, expected) in [(0, -2.117_904), (1, -2.035_714), (2, -1.804_444)] {
            assert!((torch.real(0, channel) - expected).abs() < 1e-6);
            assert_eq!(torch.real(77, channel), Normalisation::Standard(Standard::IMAGENET).real(77, channel));
        }
        assert!((torch.range().0 + 2.117_904).abs() < 1e-6 && (torch.range().1 - 2.64).abs() < 1e-6);
        let whole = of(&[123.675, 116.28, 103.53], &[58.395, 57.12, 57.375]);
        assert!((whole.real(200, 1) - torch.real(200, 1)).abs() < 1e-12);
        for pixel in [0, 100, 255] {
            assert_eq!(of(&[0.5], &[0.5]).real(pixel, 2), Normalisation::Symmetric.real(pixel, 0));
            assert_eq!(of(&[127.5], &[127.5]).real(pixel, 0), Normalisation::Symmetric.real(pixel, 0));
            assert_eq!(of(&[0.0], &[1.0]).real(pixel, 0), Normalisation::Unit.real(pixel, 0));
            assert_eq!(of(&[], &[255.0]).real(pixel, 0), Normalisation::Unit.real(pixel, 0));
            assert_eq!(of(&[104.0, 117.0, 123.0], &[]).real(pixel, 1), f64::from(pixel) - 117.0);
        }
    }

    #[test]
    fn texts_come_back_with_every_digit() {
        let standard =
            |mean: &[f64], deviation: &[f64]| Normalisation::Standard(Standard::new(mean, deviation).unwrap());
        let others = [
            Normalisation::Bytes,
            Normalisation::Fill { low: -1.0 / 3.0, high: 2.1 },
            standard(&[0.1, 0.2, 1.0 / 3.0], &[0.3, 0.7, 0.9]),
            standard(&[12.5], &[77.1]),
        ];
        for known in Normalisation::KNOWN.into_iter().chain(others) {
            assert_eq!(Normalisation::of_text(&known.text()), Some(known), "{}", known.text());
        }
        let no =
            ["", "units", "fill 1", "fill 1 2 3", "fill a b", "standard 1,2 3,4", "standard 1 0", "standard 1 NaN"];
        assert!(no.iter().all(|text| Normalisation::of_text(text).is_none()));
    }

    #[test]
    fn what_is_no_mean_and_no_deviation_is_refused() {
        for (mean, deviation) in [(&[0.5, 0.5][..], &[0.5][..]), (&[0.1, 0.2, 0.3], &[0.1, 0.2, 0.3, 0.4]), (&[], &[])]
        {
            assert!(matches!(Standard::new(mean, deviation), Err(StandardError::Count { .. })));
        }
        for (mean, deviation) in [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::INFINITY)] {
            assert!(matches!(Standard::new(&[mean], &[deviation]), Err(StandardError::Value { .. })));
        }
    }

    #[test]
    fn a_range_tells_the_conventions_apart() {
        for known in Normalisation::KNOWN {
            let (low, high) = known.range();
            assert_eq!(Normalisation::filling(low, high, 3), Some(known));
        }
        let (low, high) = Normalisation::Standard(Standard::IMAGENET).range();
        assert_eq!(Normalisation::filling(low, high, 1), None, "of one channel");
        assert_eq!(Normalisation::filling(-2.5, 3.4, 3), None);
    }
}
