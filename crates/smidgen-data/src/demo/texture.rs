//! What surfaces look like: two colours, and a pattern that mixes them.

use super::draw::Draw;

/// Red, green and blue from 0 to 1.
pub type Colour = [f64; 3];

/// Two colours and how they are mixed from place to place.
#[derive(Clone, Debug)]
pub struct Texture {
    one: Colour,
    other: Colour,
    pattern: Pattern,
}

/// How much of the second colour there is at a point of the picture, whose sides are 1.
#[derive(Clone, Debug)]
enum Pattern {
    /// From the one to the other across the picture.
    Slope { direction: (f64, f64) },
    /// Soft stripes.
    Stripes { direction: (f64, f64), period: f64, phase: f64 },
    /// A turned chessboard.
    Checks { direction: (f64, f64), side: f64 },
    /// Clouds: noise of two sizes.
    Clouds { key: u64, cell: f64 },
}

impl Texture {
    /// A texture of colours around `base`, up to `spread` away from it.
    pub fn new(draw: &mut Draw, base: Colour, spread: f64) -> Self {
        let mut near = || base.map(|part| (part + draw.between(-spread, spread)).clamp(0.0, 1.0));
        let (one, other) = (near(), near());
        let pattern = match draw.below(4) {
            0 => Pattern::Slope { direction: draw.direction() },
            1 => Pattern::Stripes {
                direction: draw.direction(),
                period: draw.between(0.12, 0.4),
                phase: draw.between(0.0, 1.0),
            },
            2 => Pattern::Checks { direction: draw.direction(), side: draw.between(0.1, 0.3) },
            _ => Pattern::Clouds { key: draw.bits(), cell: draw.between(0.12, 0.35) },
        };
        Self { one, other, pattern }
    }

    /// The colour at a point of the picture.
    pub fn at(&self, x: f64, y: f64) -> Colour {
        let share = self.pattern.at(x, y);
        std::array::from_fn(|i| self.one[i] + (self.other[i] - self.one[i]) * share)
    }
}

impl Pattern {
    /// From 0 to 1.
    fn at(&self, x: f64, y: f64) -> f64 {
        match *self {
            Self::Slope { direction: (c, s) } => (0.5 + (x - 0.5) * c + (y - 0.5) * s).clamp(0.0, 1.0),
            Self::Stripes { direction: (c, s), period, phase } => {
                let at = (x * c + y * s) / period + phase;
                (2.0 * (at - at.floor()) - 1.0).abs()
            }
            Self::Checks { direction: (c, s), side } => {
                let (column, row) = (((x * c + y * s) / side).floor(), ((y * c - x * s) / side).floor());
                if (column as i64 + row as i64) % 2 == 0 { 0.0 } else { 1.0 }
            }
            Self::Clouds { key, cell } => {
                0.65 * noise(key, x / cell, y / cell) + 0.35 * noise(!key, 2.0 * x / cell, 2.0 * y / cell)
            }
        }
    }
}

/// Random values from 0 to 1 at whole coordinates, smooth between them.
fn noise(key: u64, x: f64, y: f64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let corner = |dx: i64, dy: i64| {
        let (column, row) = (left as i64 + dx, top as i64 + dy);
        Draw::new([key, column as u64, row as u64]).between(0.0, 1.0)
    };
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (u, v) = (smooth(x - left), smooth(y - top));
    let row = |dy| corner(0, dy) + (corner(1, dy) - corner(0, dy)) * u;
    row(0) + (row(1) - row(0)) * v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_in_range_and_around_the_base() {
        let mut draw = Draw::new([3]);
        for _ in 0..200 {
            let base = [0.1, 0.5, 0.95];
            let texture = Texture::new(&mut draw, base, 0.2);
            let at = |i: u32| f64::from(i) / 16.0;
            for (x, y) in (0..17).flat_map(|i| (0..17).map(move |j| (at(i), at(j)))) {
                for (part, base) in texture.at(x, y).iter().zip(base) {
                    assert!((0.0..=1.0).contains(part) && (part - base).abs() <= 0.2 + 1e-12, "{texture:?}: {part}");
                }
            }
        }
    }
}
