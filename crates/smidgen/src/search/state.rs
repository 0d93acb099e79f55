//! What a search keeps in its folder, to go on after an interruption, and what it leaves to be repeated from.

use crate::error::Error;
use crate::train::{Epoch, Log, TrainingError};
use serde::{Deserialize, Serialize};
use smidgen_data::files;
use smidgen_search::{Budget, Figures, Scored};
use smidgen_train::TrainError;
use std::path::{Path, PathBuf};

/// The form that is written here.
const VERSION: u32 = 1;

/// Why a search cannot go on, or be repeated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StateError {
    /// A file that a search goes on from does not hold what it should.
    #[error("it does not hold {what} of a `smidgen search` of this version: it is damaged, or another one's")]
    Damaged {
        /// What it should hold.
        what: &'static str,
    },
    /// A file that is no record of a search, or a damaged one.
    #[error("it does not hold the record of a `smidgen search`")]
    NoRecord,
    /// Another search was begun in the folder.
    #[error("another search was begun there: there {what} is {there}, here {here}")]
    Other {
        /// What differs.
        what: String,
        /// Its value there.
        there: String,
        /// Its value now.
        here: String,
    },
}

impl StateError {
    /// `state/search.json` cannot be used.
    pub(crate) const NO_STATE: Self = Self::Damaged { what: "the state" };

    /// What a checkpoint of the network's training cannot be used for.
    pub fn of_training(error: Error, path: &Path) -> Error {
        let state = match error {
            Error::Training(TrainingError::Checkpoint { what, there, here }) => Self::Other { what, there, here },
            Error::Training(TrainingError::NoCheckpoint | TrainingError::NoLog)
            | Error::Train(TrainError::Checkpoint { .. }) => Self::Damaged { what: "the training" },
            other => return other.at(path),
        };
        Error::from(state).at(path)
    }

    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "the search cannot go on from there: name another folder with `-o`, or remove this one, to begin anew"
            }
            Self::NoRecord => "`--replay` takes the record.json that a search with `--time` has left in its folder",
            Self::Other { .. } => {
                "go on with the options and data that it was begun with, or name another folder with `-o`"
            }
        }
    }
}

/// A space as it was looked at, for reports.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpaceLine {
    /// Name of the skeleton.
    pub skeleton: String,
    /// Width multiplier.
    pub width: f64,
    /// Rows, columns and channels of the input.
    pub input: [usize; 3],
    /// Networks drawn.
    pub drawn: usize,
    /// Multiply-accumulates of those that keep the budget, rising.
    pub macs: Vec<u64>,
    /// Networks that exceed SRAM, flash, multiply-accumulates, instructions.
    pub exceeded: [usize; 4],
    /// What the smallest network takes.
    pub smallest: Figures,
}

/// What a clock has decided, so that it can be decided again: all of it, or as much as there is yet.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// What networks may take, with what there is time to train.
    pub budget: Option<Budget>,
    /// Networks that were drawn of each space.
    pub draws: Option<usize>,
    /// When each step of the supernet was taken: the bits of a number from 0 to 1.
    pub supernet: Vec<u64>,
    /// Networks that were compared, ...
    pub evaluations: Option<usize>,
    /// ... of which so many make a generation.
    pub population: Option<usize>,
    /// The log of the training.
    pub training: Option<String>,
}

impl Record {
    /// Reads one.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path)?;
        let record: Option<Self> = serde_json::from_slice(&bytes).ok();
        let sound = record.filter(|record| record.training.as_deref().is_none_or(|text| Log::of_file(text).is_ok()));
        sound.ok_or_else(|| Error::from(StateError::NoRecord).at(path))
    }
}

/// Everything but the weights.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// What the result depends on.
    pub identity: Vec<(String, String)>,
    /// Seconds spent.
    pub spent: f64,
    /// What the clock has decided.
    pub record: Record,
    /// The spaces that were looked at; empty before.
    pub spaces: Vec<SpaceLine>,
    /// The place of the chosen one.
    pub chosen: usize,
    /// Steps of the supernet that are over.
    pub steps: u64,
    /// Whether those are all.
    pub trained: bool,
    /// What the supernet's epochs came to.
    pub epochs: Vec<SupernetEpoch>,
    /// Networks that were compared.
    pub seen: Vec<Scored>,
    /// Whether those are all.
    pub found: bool,
    /// Seconds that the training of the network found has, once it was begun.
    pub training: Option<f64>,
    /// What its epochs came to: those before the last checkpoint, and maybe some that are trained again.
    #[serde(default)]
    pub trained_epochs: Vec<Epoch>,
}

/// What an epoch of the supernet came to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct SupernetEpoch {
    /// The largest network's mean loss.
    pub loss: f64,
    /// Share of samples that it was right about when they were seen.
    pub accuracy: f64,
}

impl State {
    /// At the beginning.
    pub fn new(identity: Vec<(String, String)>) -> Self {
        Self {
            version: VERSION,
            identity,
            spent: 0.0,
            record: Record::default(),
            spaces: Vec::new(),
            chosen: 0,
            steps: 0,
            trained: false,
            epochs: Vec::new(),
            seen: Vec::new(),
            found: false,
            training: None,
            trained_epochs: Vec::new(),
        }
    }
}

/// The files of a search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// In this folder.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Everything but the weights.
    pub fn state(&self) -> PathBuf {
        self.file("state/search.json")
    }

    /// The supernet.
    pub fn supernet(&self) -> PathBuf {
        self.file("state/supernet.bin")
    }

    /// The training of the network found.
    pub fn training(&self) -> PathBuf {
        self.file("state/training.bin")
    }

    /// What was kept of a search; `None` if none was begun here.
    ///
    /// # Errors
    /// If the file cannot be read, or is none of a search.
    pub fn load(&self) -> Result<Option<State>, Error> {
        let path = self.state();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path)?;
        let state: Option<State> = serde_json::from_slice(&bytes).ok();
        let state = state.filter(|state| state.version == VERSION);
        Ok(Some(state.ok_or_else(|| Error::from(StateError::NO_STATE).at(&path))?))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// If it cannot be written; what was there before stays.
    pub fn save(&self, state: &State) -> Result<(), Error> {
        let bytes = serde_json::to_vec(state).unwrap_or_default();
        Ok(files::write_atomically(&self.state(), &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::search::clock::Counts;
    use crate::search::{Length, Options, Search};
    use crate::train::{Augment, Epoch};
    use smidgen_search::Budget;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn epochs_outlive_an_interruption_each_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let never = AtomicBool::new(false);
        let open = || {
            let counts = Counts { draws: 1, supernet: 1, evaluations: 1, epochs: 9 };
            let options = Options {
                budget: Budget::default(),
                length: Length::Counts(counts),
                seed: 0,
                threads: 1,
                batch: 1,
                rate: 0.1,
                augment: Augment::NONE,
                balance: false,
                netaug: false,
                replay: None,
            };
            Search::open(folder.path(), (options, Vec::new()), (&never, &|_| {})).unwrap()
        };
        let epoch = |number: usize, loss: f64| {
            let tested = (number > 1).then_some(0.5);
            Epoch { number, loss, accuracy: 0.25, tested, rate: 0.1, knowing: number > 2 }
        };
        let mut search = open();
        for number in 1..=3 {
            search.trained(epoch(number, 1.0 / number as f64));
        }
        search.keep_training(b"a checkpoint").unwrap();
        // Not kept: it comes after the last checkpoint.
        search.trained(epoch(4, 7.0));
        let mut search = open();
        assert_eq!(search.state().trained_epochs, [1, 2, 3].map(|n| epoch(n, 1.0 / n as f64)));
        // The checkpoint may be of an earlier epoch than those that were kept.
        search.trained(epoch(3, 5.0));
        search.trained(epoch(4, 6.0));
        let losses: Vec<f64> = search.state().trained_epochs.iter().map(|epoch| epoch.loss).collect();
        assert_eq!(losses, [1.0, 0.5, 5.0, 6.0]);
    }
}
