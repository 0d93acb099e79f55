//! Sets of samples: a folder of pictures, a `.tar` or `.tar.gz` of one, an `.npz` or `.npy` file.
//!
//! A [`Dataset`] is a list of names and classes; contents are read when asked for, one after the other, so a set may be larger
//! than memory and an archive is never unpacked to disk. The list and every [choice](Dataset::choose) from it depend on the names
//! alone, so a folder and an archive of it give the same samples.

mod archive;
mod arrays;
mod choice;
mod folder;
mod layout;

use crate::Error;
use crate::array::{Array, Dtype};
use crate::files;
use crate::npy;
use crate::npz;
use arrays::{Opened, Stacked};
use layout::Layout;
use smidgen_ir::visible_path;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why something is not a set of samples.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetError {
    /// No pictures.
    #[error("`{}` holds no pictures", visible_path(path))]
    NoPictures {
        /// The folder or archive.
        path: PathBuf,
        /// Something that it does hold.
        found: Option<String>,
    },
    /// Pictures lie in folders of different depths, or too deep.
    #[error("pictures in `{}` are not in one folder for each class: `{one}` beside `{other}`", visible_path(path))]
    Layout {
        /// The folder or archive.
        path: PathBuf,
        /// A picture.
        one: String,
        /// A picture whose folders are of another kind.
        other: String,
    },
    /// There is no such split.
    #[error("`{}` has no part `{wanted}`; it has {found}", visible_path(path))]
    Split {
        /// The folder or archive.
        path: PathBuf,
        /// The split asked for.
        wanted: String,
        /// Those that are there.
        found: String,
    },
    /// Neither a folder nor an archive.
    #[error(
        "`{}` is neither a folder nor an archive (.tar, .tar.gz) of pictures nor a NumPy file (.npz, .npy)",
        visible_path(path)
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// An archive that cannot be unpacked.
    #[error("the archive `{}` is damaged: {reason}", visible_path(path))]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A folder that cannot be listed.
    #[error("the folder `{}` cannot be read: {reason}", visible_path(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A picture or a class whose name is not Unicode.
    #[error("the name of `{}` is not text", visible_path(path))]
    Name {
        /// The file or folder.
        path: PathBuf,
    },
    /// An `.npz` file without arrays that are clearly samples.
    #[error("`{}` holds {names}, of which none is clearly the samples", visible_path(path))]
    Arrays {
        /// The file.
        path: PathBuf,
        /// The arrays' names.
        names: String,
    },
    /// A label that is no class number.
    #[error("the label of sample {sample} in `{name}` is {value}; class numbers are 0 to {most}")]
    Label {
        /// The array's name.
        name: String,
        /// The sample, from 0.
        sample: usize,
        /// The label.
        value: String,
        /// The greatest number that there can be.
        most: usize,
    },
    /// Labels that do not go with the samples.
    #[error("the labels `{name}` are {given}, which is not one class number for each of {samples} samples")]
    Labels {
        /// The array's name.
        name: String,
        /// Its type and shape.
        given: String,
        /// Number of samples.
        samples: usize,
    },
}

impl SetError {
    /// True if the file is damaged.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Archive { .. })
    }

    pub(crate) fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoPictures { found: Some(found), .. } => {
                format!("it holds `{found}`; files whose names end in .jpg, .jpeg, .png or .bmp are pictures")
            }
            Self::NoPictures { found: None, .. } => {
                "files whose names end in .jpg, .jpeg, .png or .bmp are pictures".into()
            }
            Self::Layout { .. } => {
                "pictures lie in CLASS/NAME.jpg, in SPLIT/CLASS/NAME.jpg (with SPLIT train, val or test), or all in one folder \
                 without classes"
                    .into()
            }
            Self::Split { .. } => return None,
            Self::Kind { .. } => "files are told apart by their first bytes, not by their names".into(),
            Self::Archive { .. } => "the download that made it may have been interrupted".into(),
            Self::Folder { .. } => return None,
            Self::Name { .. } => "classes and samples are told by their names: rename it in UTF-8".into(),
            Self::Arrays { .. } => {
                "call the arrays `x` and `y` (or `x_train`, `y_train`, `x_test`, `y_test`), or `input_0`, `input_1`, ... with one \
                 sample each"
                    .into()
            }
            Self::Label { .. } => "classes are numbered from 0; leave out samples without a class".into(),
            Self::Labels { .. } => "labels are integers from 0 on, in an array of one dimension".into(),
        })
    }
}

/// Which part of a set that is split into training and test data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The one of this name.
    Named(String),
    /// Data for fitting: `train`, else whatever there is first.
    Training,
    /// Data for measuring: `test`, else `val`, else whatever there is first.
    Test,
}

/// One entry of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The picture's path inside the set, or the array and index.
    pub name: String,
    /// Index in [`Dataset::classes`], if the set is labelled.
    pub class: Option<usize>,
    /// Where the content lies: the index of the archive's entry or of the row.
    place: usize,
}

/// What an entry holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// The bytes of a picture's file.
    Picture(Vec<u8>),
    /// One array for each of a network's inputs.
    Arrays(Vec<Array>),
}

/// One entry with its content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Index in [`Dataset::items`].
    pub index: usize,
    /// As in [`Item`].
    pub name: String,
    /// As in [`Item`].
    pub class: Option<usize>,
    /// What it holds.
    pub content: Content,
}

#[derive(Clone, Debug)]
enum Source {
    Folder,
    /// With the bytes of each picture among the archive's entries.
    Archive(BTreeMap<usize, u64>),
    Stacked(Stacked),
}

/// A set of samples.
#[derive(Clone, Debug)]
pub struct Dataset {
    path: PathBuf,
    source: Source,
    items: Vec<Item>,
    classes: Vec<String>,
    part: Option<String>,
}

impl Dataset {
    /// Lists a folder, an archive or a NumPy file, told apart by their first bytes.
    ///
    /// # Errors
    /// If it cannot be read, holds no samples, or is laid out in a way that is not known.
    pub fn open(path: &Path, part: &Part) -> Result<Self, Error> {
        let pictures = |source, listing: Vec<(String, usize)>| -> Result<Self, Error> {
            let Layout { items, classes, part } = layout::arrange(path, listing, part)?;
            Ok(Self { path: path.to_owned(), source, items, classes, part })
        };
        if path.is_dir() {
            return pictures(Source::Folder, folder::list(path)?);
        }
        let first = files::first_bytes(path, 512)?;
        if first.starts_with(npy::MAGIC) || first.starts_with(npz::MAGIC) {
            let bytes = files::read(path)?;
            let Opened { stacked, labels, part } = Stacked::open(path, bytes, part).map_err(|e| e.at(path))?;
            let classes = labels.iter().flatten().max().map_or(0, |&most| most + 1);
            let items = (0..stacked.len()).map(|place| Item {
                name: stacked.name(place),
                class: labels.as_ref().map(|labels| labels[place]),
                place,
            });
            let items = items.collect();
            let classes = (0..classes).map(|c| c.to_string()).collect();
            return Ok(Self { path: path.to_owned(), source: Source::Stacked(stacked), items, classes, part });
        }
        if archive::recognises(&first) {
            let (listing, sizes) = archive::list(path)?;
            return pictures(Source::Archive(sizes), listing);
        }
        Err(SetError::Kind { path: path.to_owned() }.into())
    }

    /// Its entries, in an order that depends on their names alone.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The classes' names, sorted; empty if the set is not labelled.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// True if the samples are pictures, or arrays of bytes that may be pixels.
    pub fn holds_pixels(&self) -> bool {
        match &self.source {
            Source::Folder | Source::Archive(_) => true,
            Source::Stacked(stacked) => stacked.dtype() == Some(Dtype::Uint8),
        }
    }

    /// True if the samples are arrays, whose axes may lie in one order or another.
    pub fn holds_arrays(&self) -> bool {
        matches!(self.source, Source::Stacked(_))
    }

    /// The part that was taken, where the set has several.
    pub fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// Indices of at most `count` items, in an order of which every beginning is spread over the classes as evenly as
    /// their items allow. The same seed gives the same choice.
    pub fn choose(&self, count: usize, seed: u64) -> Vec<usize> {
        choice::choose(&self.items, count, seed)
    }

    /// Reads these items in this order. An error about [one picture](Self::is_one_picture) is that picture's alone; any other
    /// ends the reading. An archive is read by a thread of its own, ahead of
    /// the caller: as often as it takes to hold no more of it in memory than some hundred megabytes.
    pub fn read(&self, indices: &[usize]) -> Box<dyn Iterator<Item = Result<Sample, Error>> + Send + '_> {
        let sample = |index: usize, content| {
            let Item { name, class, .. } = &self.items[index];
            Sample { index, name: name.clone(), class: *class, content }
        };
        let indices = indices.to_vec();
        match &self.source {
            Source::Folder => Box::new(indices.into_iter().map(move |index| {
                let bytes = files::read(&self.path.join(&self.items[index].name))?;
                Ok(sample(index, Content::Picture(bytes)))
            })),
            Source::Archive(sizes) => {
                let wanted = |index: usize| {
                    let place = self.items[index].place;
                    archive::Wanted { place, number: index, bytes: sizes.get(&place).copied().unwrap_or(0) }
                };
                let entries = archive::read(self.path.clone(), indices.into_iter().map(wanted).collect());
                Box::new(entries.map(move |entry| {
                    let (index, bytes) = entry?;
                    Ok(sample(index, Content::Picture(bytes)))
                }))
            }
            Source::Stacked(stacked) => Box::new(
                indices
                    .into_iter()
                    .map(move |index| Ok(sample(index, Content::Arrays(stacked.get(self.items[index].place))))),
            ),
        }
    }

    /// True if an error of [`read`](Self::read), or in making a sample into an input, is about one picture, which is damaged or cannot be
    /// read, and the rest of the set may be sound.
    pub fn is_one_picture(&self, error: &Error) -> bool {
        match (&self.source, error) {
            (Source::Stacked(_), _) | (Source::Archive(_), Error::File(_)) => false,
            _ => error.is_one_picture(),
        }
    }

    /// The path of one of its files, as [`Item::name`] has it.
    pub fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(&self.path).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// The file in which an item lies, for messages.
    pub fn path_of(&self, index: usize) -> PathBuf {
        self.path.join(&self.items[index].name)
    }
}
