//! One picture: a ground, a shape on it, small spots, light and noise.

use super::draw::Draw;
use super::outline::Outline;
use super::texture::{Colour, Texture};

/// Each pixel is the mean of so many points by so many.
const POINTS: usize = 3;
/// How far colours of one surface are from their mean.
const SPREAD: f64 = 0.14;
/// How far the shape's mean colour is from the ground's at least, all three parts taken together.
const CONTRAST: f64 = 0.9;

/// Where a shape lies in the picture, whose sides are 1.
struct Place {
    x: f64,
    y: f64,
    radius: f64,
    /// Height through width, before it is turned.
    stretch: f64,
    direction: (f64, f64),
}

impl Place {
    /// Anywhere, as long as nearly all of it is seen.
    fn new(draw: &mut Draw, smallest: f64, largest: f64) -> Self {
        let radius = draw.between(smallest, largest);
        let margin = 0.95 * radius;
        let (x, y) = (draw.between(margin, 1.0 - margin), draw.between(margin, 1.0 - margin));
        Self { x, y, radius, stretch: draw.between(0.85, 1.15), direction: draw.direction() }
    }

    /// A point of the picture in the shape's coordinates.
    fn within(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = ((x - self.x) / self.radius, (y - self.y) / self.radius);
        let (c, s) = self.direction;
        ((x * c + y * s) * self.stretch, (y * c - x * s) / self.stretch)
    }
}

/// Red, green and blue of a picture of `size` by `size` pixels, row by row.
pub fn render(draw: &mut Draw, outline: Outline, size: usize) -> Vec<u8> {
    let base = colour(draw);
    let ground = Texture::new(draw, base, SPREAD);
    let base = contrasting(draw, base);
    let shape = Texture::new(draw, base, SPREAD);
    let place = Place::new(draw, 0.26, 0.45);
    let spots: Vec<(Place, Colour)> =
        (0..draw.below(4)).map(|_| (Place::new(draw, 0.02, 0.06), colour(draw))).collect();
    let light = Light::new(draw);
    let noise = draw.between(0.01, 0.06);

    let at = |pixel: usize, point: usize| (pixel * POINTS + point) as f64 / (size * POINTS) as f64;
    let mut pixels = Vec::with_capacity(size * size * 3);
    for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
        let mut sum = [0.0; 3];
        for (i, j) in (0..POINTS).flat_map(|i| (0..POINTS).map(move |j| (i, j))) {
            let (x, y) = (at(column, j), at(row, i));
            let spot = spots.iter().find(|(place, _)| {
                let (u, v) = place.within(x, y);
                u * u + v * v <= 1.0
            });
            let (u, v) = place.within(x, y);
            let seen = match spot {
                Some((_, colour)) => *colour,
                None if outline(u, v) => shape.at(x, y),
                None => ground.at(x, y),
            };
            sum.iter_mut().zip(seen).for_each(|(sum, part)| *sum += part);
        }
        let light = light.at(at(column, 0), at(row, 0)) / (POINTS * POINTS) as f64;
        pixels.extend(sum.map(|part| {
            let level = part * light + draw.between(-noise, noise);
            // To the nearest of 256 levels.
            (level.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
        }));
    }
    pixels
}

/// Light that falls unevenly: brightness in the middle, and how it changes to the right and downwards.
struct Light {
    middle: f64,
    right: f64,
    down: f64,
}

impl Light {
    fn new(draw: &mut Draw) -> Self {
        let middle = draw.between(0.6, 1.1);
        let ((right, down), change) = (draw.direction(), draw.between(0.0, 0.5));
        Self { middle, right: right * change, down: down * change }
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        self.middle * (1.0 + (x - 0.5) * self.right + (y - 0.5) * self.down)
    }
}

fn colour(draw: &mut Draw) -> Colour {
    [0; 3].map(|_| draw.between(0.0, 1.0))
}

/// A colour that can be told from another one.
fn contrasting(draw: &mut Draw, other: Colour) -> Colour {
    loop {
        // From the middle of all colours a third of the others are far enough, and from other places more.
        let found = colour(draw);
        let apart: f64 = found.iter().zip(other).map(|(a, b)| (a - b).abs()).sum();
        if apart >= CONTRAST {
            return found;
        }
    }
}
