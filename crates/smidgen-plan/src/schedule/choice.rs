//! Names of schedules, as users write them: `auto`, `layer`, `stream`, `patch:3x3@12`, `strips:4@9`.

use std::fmt;
use std::str::FromStr;

/// Which schedule to use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ScheduleChoice {
    /// The planner chooses segments and a schedule for each. Nothing is recomputed unless a budget cannot be met otherwise.
    #[default]
    Auto,
    /// Every step once, whole.
    Layer,
    /// All of the network row by row: nothing is recomputed.
    Stream,
    /// The first operators tile by tile, layer after layer within a tile; halos are recomputed. The rest as `Auto`.
    Patch {
        /// Tiles down.
        rows: usize,
        /// Tiles across.
        cols: usize,
        /// How many operators of the graph.
        operators: usize,
    },
    /// The first operators in column strips, each row by row; only halos between strips are recomputed. The rest as `Auto`.
    Strips {
        /// Strips across.
        count: usize,
        /// How many operators of the graph.
        operators: usize,
    },
}

impl fmt::Display for ScheduleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Layer => f.write_str("layer"),
            Self::Stream => f.write_str("stream"),
            Self::Patch { rows, cols, operators } => write!(f, "patch:{rows}x{cols}@{operators}"),
            Self::Strips { count, operators } => write!(f, "strips:{count}@{operators}"),
        }
    }
}

/// A schedule's name could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no schedule: write auto, layer, stream, patch:ROWSxCOLS@OPERATORS or strips:COUNT@OPERATORS")]
pub struct ParseScheduleError(
    /// What was given.
    pub String,
);

impl FromStr for ScheduleChoice {
    type Err = ParseScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let positive = |number: &str| number.parse::<usize>().ok().filter(|&n| n > 0);
        let tiled = || -> Option<Self> {
            let (kind, rest) = text.split_once(':')?;
            let (tiles, operators) = rest.split_once('@')?;
            let operators = positive(operators)?;
            match kind {
                "patch" => {
                    let (rows, cols) = tiles.split_once('x')?;
                    Some(Self::Patch { rows: positive(rows)?, cols: positive(cols)?, operators })
                }
                "strips" => Some(Self::Strips { count: positive(tiles)?, operators }),
                _ => None,
            }
        };
        match text {
            "auto" => Ok(Self::Auto),
            "layer" => Ok(Self::Layer),
            "stream" => Ok(Self::Stream),
            _ => tiled().ok_or_else(|| ParseScheduleError(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for text in ["auto", "layer", "stream", "patch:2x3@7", "strips:4@9"] {
            assert_eq!(text.parse::<ScheduleChoice>().unwrap().to_string(), text);
        }
        for text in ["", "patch", "patch:2x2", "patch:0x2@3", "strips:2x2@3", "strips:2@0", "patch:2x-1@3"] {
            assert!(text.parse::<ScheduleChoice>().is_err(), "{text}");
        }
    }
}
