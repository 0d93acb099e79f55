//! The shapes of pictures, and those of the inputs that they become.

use crate::console::inputs::FitName;
use smidgen::search::Space;

/// Rows of each picture for a column of it, rising.
pub(super) struct Ratios(Vec<f64>);

/// Ratios that are less than this factor apart are taken for one: nobody sees that a picture was stretched by it.
const ALIKE: f64 = 1.1;
/// Of all pictures, the share at either end that may have another shape.
const ODD: f64 = 0.05;

/// Whether two ratios are about the same.
pub(super) fn is_about(a: f64, b: f64) -> bool {
    a / b < ALIKE && b / a < ALIKE
}

impl Ratios {
    /// Of pictures with these rows and columns.
    pub fn of(sides: &[[usize; 2]]) -> Self {
        let mut all: Vec<f64> =
            sides.iter().map(|&[rows, columns]| rows.max(1) as f64 / columns.max(1) as f64).collect();
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    fn at(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1) as f64;
        self.0.get((last * part).round() as usize).copied().unwrap_or(1.0)
    }

    /// The one ratio that nearly all pictures have, if they do.
    pub fn common(&self) -> Option<f64> {
        let middle = self.at(0.5);
        (is_about(self.at(ODD), middle) && is_about(self.at(1.0 - ODD), middle)).then_some(middle)
    }

    /// What becomes of pictures for inputs of this space, where that is to be known.
    pub fn told(&self, space: &Space, fit: FitName) -> Option<String> {
        let [rows, columns, _] = space.input;
        let ratio = rows as f64 / columns as f64;
        let how = match fit {
            FitName::Stretch => "are stretched to that of the inputs; `--fit crop` cuts out their middle instead",
            FitName::Crop => "lose what is beyond that of the inputs around their middle",
        };
        match self.common() {
            // Small inputs come less close to a ratio, in whole pixels.
            Some(common) if common / ratio < ALIKE * 1.05 && ratio / common < ALIKE * 1.05 => {
                let kept = !is_about(common, 1.0);
                kept.then(|| format!("pictures have {common:.2} rows for a column, and the inputs about as many"))
            }
            Some(common) => Some(format!("pictures have {common:.2} rows for a column, and {how}")),
            None => {
                let (least, most) = (self.at(ODD), self.at(1.0 - ODD));
                Some(format!("pictures of several shapes ({least:.2} to {most:.2} rows for a column) {how}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_shape_are_known() {
        let mut sides = vec![[480, 640]; 40];
        assert_eq!(Ratios::of(&sides).common(), Some(0.75));
        // A few of another shape, and pixels more or less, are none the worse.
        sides.extend([[640, 480], [482, 639]]);
        assert_eq!(Ratios::of(&sides).common(), Some(0.75));
        sides.extend([[640, 480]; 12]);
        assert_eq!(Ratios::of(&sides).common(), None);
        assert_eq!(Ratios::of(&[[48, 50], [50, 48]]).common().map(|ratio| is_about(ratio, 1.0)), Some(true));
    }

    #[test]
    fn what_becomes_of_pictures_is_told_where_it_matters() {
        let space = |rows, columns| Space::new(0.5, [rows, columns, 3], 2);
        let told = |sides: &[[usize; 2]], space: &Space, fit| Ratios::of(sides).told(space, fit).unwrap_or_default();
        let (square, wide) = (space(96, 96), space(84, 112));
        assert_eq!(told(&[[100, 100]; 9], &square, FitName::Stretch), "");
        assert!(told(&[[480, 640]; 9], &wide, FitName::Stretch).contains("0.75 rows for a column, and the inputs"));
        assert!(told(&[[480, 640]; 9], &square, FitName::Stretch).contains("are stretched"));
        assert!(told(&[[480, 640], [640, 480]], &square, FitName::Crop).contains("several shapes (0.75 to 1.33"));
    }
}
