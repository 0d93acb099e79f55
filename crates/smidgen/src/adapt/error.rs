//! Why no scheme can be found.

/// Why the search for an update scheme ends without one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SchemeError {
    /// Not even training the classifier alone fits.
    #[error("no scheme fits: {what} is {least} bytes for the last layer alone; {budget} are allowed")]
    NothingFits {
        /// What is counted.
        what: &'static str,
        /// The least budget.
        least: usize,
        /// The budget that was given.
        budget: usize,
    },
    /// No sample can be held out.
    #[error("none of the {samples} samples can be held out to measure on: each class has one at most")]
    NothingToHold {
        /// Samples to train.
        samples: usize,
    },
    /// Neither counts of biases nor convolutions can be other than those of the network.
    #[error("{what} names {given}; the network has {convolutions} convolutions, without its classifier")]
    Beyond {
        /// The option.
        what: &'static str,
        /// What it names.
        given: usize,
        /// What there is.
        convolutions: usize,
    },
    /// It was interrupted.
    #[error("interrupted")]
    Stopped,
    /// A file of measured points that is damaged, or none at all.
    #[error("it does not hold what a `smidgen adapt scheme` of this version has measured: {0}")]
    Damaged(String),
    /// What was measured there is something else.
    #[error("other contributions were measured there: there {what} is {there}, here {here}")]
    Other {
        /// What differs.
        what: String,
        /// Its value there.
        there: String,
        /// Its value now.
        here: String,
    },
}

impl SchemeError {
    pub(crate) fn help(&self) -> String {
        match self {
            Self::NothingFits { least, .. } => {
                return format!(
                    "allow it {least} bytes or more; beyond that, each bias and weight that is trained takes more"
                );
            }
            Self::NothingToHold { .. } => "give each class two samples or more, or ask for more `--samples`",
            Self::Beyond { .. } => {
                "counts of biases go from 0 to the number of convolutions, which are numbered from 0"
            }
            Self::Stopped => "the same command goes on where it was",
            Self::Damaged(_) => "remove the file to measure anew, or name another folder with `--work`",
            Self::Other { .. } => {
                "go on with the options, network and data that it was begun with, or name another folder with `--work`"
            }
        }
        .into()
    }
}
