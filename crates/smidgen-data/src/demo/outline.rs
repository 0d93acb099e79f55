//! The shapes: which points of a plane are inside. All lie in the disc of radius 1 around the origin and nearly fill it; y points up.

/// Whether a point `(x, y)` is inside.
pub type Outline = fn(f64, f64) -> bool;

/// Shapes and their names: the classes of a set are the first of these.
pub const OUTLINES: [(&str, Outline); 10] = [
    ("disc", |x, y| x * x + y * y <= 0.81),
    ("ring", |x, y| (0.3..=0.9).contains(&(x * x + y * y))),
    ("square", |x, y| x.abs().max(y.abs()) <= 0.72),
    ("triangle", |x, y| y >= -0.5 && SQRT_3 * x.abs() + y <= 1.0),
    ("cross", |x, y| x.abs().min(y.abs()) <= 0.27 && x.abs().max(y.abs()) <= 0.94),
    ("star", |x, y| inside(&STAR, x, y)),
    ("bar", |x, y| x.abs() <= 0.95 && y.abs() <= 0.28),
    ("crescent", |x, y| x * x + y * y <= 0.9 && (x - 0.5) * (x - 0.5) + y * y > 0.55),
    ("arrow", |x, y| inside(&ARROW, x, y)),
    ("heart", heart),
];

const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// Five points on the circle of radius 1 and five on that of 0.42, 36 degrees apart, from the top.
const STAR: [(f64, f64); 10] = [
    (0.0, 1.0),
    (-0.246_870, 0.339_787),
    (-0.951_057, 0.309_017),
    (-0.399_444, -0.129_787),
    (-0.587_785, -0.809_017),
    (0.0, -0.42),
    (0.587_785, -0.809_017),
    (0.399_444, -0.129_787),
    (0.951_057, 0.309_017),
    (0.246_870, 0.339_787),
];

/// A shaft and a head.
const ARROW: [(f64, f64); 7] =
    [(0.0, 1.0), (-0.72, 0.2), (-0.24, 0.2), (-0.24, -0.95), (0.24, -0.95), (0.24, 0.2), (0.72, 0.2)];

/// Two half discs side by side on a triangle.
fn heart(x: f64, y: f64) -> bool {
    let x = x.abs();
    let lobe = (x - 0.42) * (x - 0.42) + (y - 0.36) * (y - 0.36) <= 0.42 * 0.42;
    // The straight side touches its half disc near the widest place.
    let point = (-0.92..=0.36).contains(&y) && x <= (y + 0.92) * 0.66;
    lobe || point
}

/// Whether a point is inside a polygon: a ray from it to the right crosses an odd number of sides.
fn inside(corners: &[(f64, f64)], x: f64, y: f64) -> bool {
    let next = corners.iter().cycle().skip(1);
    let crossed = |((ax, ay), (bx, by)): &(&(f64, f64), &(f64, f64))| {
        (*ay > y) != (*by > y) && x < ax + (bx - ax) * (y - ay) / (by - ay)
    };
    corners.iter().zip(next).filter(crossed).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of the square from -1 to 1 that a shape covers.
    fn area(outline: Outline) -> f64 {
        const STEPS: i32 = 400;
        let at = |i: i32| (f64::from(i) + 0.5) / f64::from(STEPS) * 2.0 - 1.0;
        let covered: usize = (0..STEPS).map(|i| (0..STEPS).filter(|&j| outline(at(j), at(i))).count()).sum();
        covered as f64 / f64::from(STEPS * STEPS) * 4.0
    }

    #[test]
    fn areas_are_those_of_the_shapes() {
        let of = |name: &str| area(OUTLINES.iter().find(|(found, _)| *found == name).unwrap().1);
        for (name, expected) in [
            ("disc", std::f64::consts::PI * 0.81),
            ("ring", std::f64::consts::PI * 0.6),
            ("square", 1.44 * 1.44),
            // Equilateral, in the circle of radius 1.
            ("triangle", 0.75 * SQRT_3),
            ("cross", 2.0 * 1.88 * 0.54 - 0.54 * 0.54),
            // Ten triangles between the middle, a point and a dent.
            ("star", 5.0 * 0.42 * 0.587_785),
            ("bar", 1.9 * 0.56),
            ("arrow", 0.48 * 1.15 + 0.72 * 0.8),
        ] {
            assert!((of(name) - expected).abs() < 0.02, "{name}: {} and not {expected}", of(name));
        }
    }

    #[test]
    fn shapes_lie_in_the_disc_of_radius_1_and_differ() {
        let at = |i: i32| f64::from(i) / 50.0 - 1.2;
        let masks: Vec<Vec<bool>> = OUTLINES
            .iter()
            .map(|(name, outline)| {
                let points = (0..121).flat_map(|i| (0..121).map(move |j| (at(j), at(i))));
                let points = points.map(|(x, y)| {
                    let is = outline(x, y);
                    assert!(!is || x * x + y * y <= 1.1, "{name} at {x}, {y}");
                    is
                });
                points.collect()
            })
            .collect();
        for (i, one) in masks.iter().enumerate() {
            assert!(one.iter().filter(|&&inside| inside).count() > 1000, "{}", OUTLINES[i].0);
            for (j, other) in masks.iter().enumerate().take(i) {
                let differ = one.iter().zip(other).filter(|(a, b)| a != b).count();
                assert!(differ > 700, "{} and {}: {differ}", OUTLINES[i].0, OUTLINES[j].0);
            }
        }
    }
}
