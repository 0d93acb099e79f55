//! From the paths of pictures to classes and splits.

use super::{Item, Part, SetError};
use std::collections::BTreeSet;
use std::path::Path;

/// Folder names that stand for a part of the data rather than a class.
const TRAINING: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["val", "valid", "validation"];
const TEST: &[&str] = &["test", "testing", "eval"];

/// Items of one part, and the classes of all.
#[derive(Debug)]
pub(super) struct Layout {
    pub items: Vec<Item>,
    pub classes: Vec<String>,
    pub part: Option<String>,
}

/// True if the name is a picture's.
pub(super) fn is_picture(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let extension = extension.to_ascii_lowercase();
    !stem.is_empty() && ["jpg", "jpeg", "png", "bmp"].contains(&extension.as_str())
}

/// True for files and folders that systems leave behind: hidden ones, and those of macOS' archiver.
pub(super) fn is_hidden(component: &str) -> bool {
    component.starts_with('.') || component == "__MACOSX"
}

fn is_split(name: &str) -> bool {
    [TRAINING, VALIDATION, TEST].concat().contains(&name.to_ascii_lowercase().as_str())
}

/// Sorts pictures (paths with `/`, and where their contents lie) into classes, taking one part if there are several.
pub(super) fn arrange(set: &Path, mut listing: Vec<(String, usize)>, part: &Part) -> Result<Layout, SetError> {
    listing.sort();
    if listing.is_empty() {
        return Err(SetError::NoPictures { path: set.to_owned(), found: None });
    }
    let folders = |path: &str| -> Vec<String> {
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        parts.pop();
        parts
    };
    let mut all: Vec<Vec<String>> = listing.iter().map(|(path, _)| folders(path)).collect();
    // Folders around everything say nothing.
    while let Some(first) = all[0].first().filter(|first| !is_split(first)).cloned()
        && all.iter().all(|path| path.len() > 1 && path[0] == first)
    {
        all.iter_mut().for_each(|path| drop(path.remove(0)));
    }
    let splits: Vec<Option<String>> = match all.iter().all(|path| path.first().is_some_and(|f| is_split(f))) {
        true => all.iter_mut().map(|path| Some(path.remove(0))).collect(),
        false => vec![None; all.len()],
    };
    let depth = all[0].len();
    if let Some(other) = all.iter().position(|path| path.len() != depth || path.len() > 1) {
        let one = all.iter().position(|path| path.len() != all[other].len()).unwrap_or(0);
        let [one, other] = [one, other].map(|i| listing[i].0.clone());
        return Err(SetError::Layout { path: set.to_owned(), one, other });
    }
    let names: BTreeSet<&String> = all.iter().flatten().collect();
    // A single folder of pictures says nothing about classes.
    let classes: Vec<String> = if names.len() > 1 { names.into_iter().cloned().collect() } else { Vec::new() };
    let there: BTreeSet<&str> = splits.iter().flatten().map(String::as_str).collect();
    let part = pick(set, &there, part)?;
    let items = listing.into_iter().zip(&all).zip(&splits).filter(|(_, split)| **split == part);
    let items = items.map(|(((name, place), folders), _)| {
        let class = folders.first().and_then(|folder| classes.binary_search(folder).ok());
        Item { name, class, place }
    });
    let items: Vec<Item> = items.collect();
    Ok(Layout { items, classes, part })
}

/// Which of the splits that are there is meant; `None` if there are none.
pub(super) fn pick(set: &Path, there: &BTreeSet<&str>, part: &Part) -> Result<Option<String>, SetError> {
    let find = |names: &[&str]| there.iter().find(|name| names.contains(&name.to_ascii_lowercase().as_str()));
    let found = match part {
        Part::Named(name) => {
            let Some(found) = there.get(name.as_str()) else {
                let listed: Vec<String> = there.iter().map(|name| format!("`{name}`")).collect();
                let found = if listed.is_empty() { "no parts".into() } else { listed.join(", ") };
                return Err(SetError::Split { path: set.to_owned(), wanted: name.clone(), found });
            };
            Some(found)
        }
        Part::Training => find(TRAINING).or(there.first()),
        Part::Test => find(TEST).or(find(VALIDATION)).or(there.first()),
    };
    Ok(found.map(|&name| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(paths: &[&str], part: &Part) -> Result<Layout, SetError> {
        let listing = paths.iter().enumerate().map(|(i, p)| (p.to_string(), i)).collect();
        arrange(Path::new("set"), listing, part)
    }

    fn shown(layout: &Layout) -> Vec<(&str, Option<usize>, usize)> {
        layout.items.iter().map(|item| (item.name.as_str(), item.class, item.place)).collect()
    }

    #[test]
    fn a_folder_for_each_class() {
        let layout = arranged(&["dog/1.jpg", "cat/2.jpg", "cat/1.jpg"], &Part::Test).unwrap();
        assert_eq!(layout.classes, ["cat", "dog"]);
        assert_eq!(layout.part, None);
        assert_eq!(shown(&layout), [("cat/1.jpg", Some(0), 2), ("cat/2.jpg", Some(0), 1), ("dog/1.jpg", Some(1), 0)]);
    }

    #[test]
    fn splits_are_told_from_classes_and_share_them() {
        let paths = ["all/train/a/1.png", "all/train/c/1.png", "all/test/a/1.png", "all/test/b/1.png"];
        let test = arranged(&paths, &Part::Test).unwrap();
        assert_eq!(test.classes, ["a", "b", "c"]);
        assert_eq!(test.part.as_deref(), Some("test"));
        assert_eq!(shown(&test), [("all/test/a/1.png", Some(0), 2), ("all/test/b/1.png", Some(1), 3)]);
        let train = arranged(&paths, &Part::Training).unwrap();
        assert_eq!(shown(&train), [("all/train/a/1.png", Some(0), 0), ("all/train/c/1.png", Some(2), 1)]);
        assert_eq!(arranged(&paths, &Part::Named("train".into())).unwrap().items, train.items);
        let none = arranged(&paths, &Part::Named("val".into())).unwrap_err();
        assert_eq!(none.to_string(), "`set` has no part `val`; it has `test`, `train`");
    }

    #[test]
    fn pictures_without_classes() {
        for paths in [&["b.jpg", "a.jpg"][..], &["x/b.jpg", "x/a.jpg"], &["x/train/a.jpg", "x/train/b.jpg"]] {
            let layout = arranged(paths, &Part::Training).unwrap();
            assert_eq!(layout.classes, [""; 0]);
            assert!(layout.items.iter().all(|item| item.class.is_none()));
            assert_eq!(layout.items.len(), 2);
        }
    }

    #[test]
    fn other_layouts_are_refused_by_example() {
        let mixed = arranged(&["a/1.jpg", "2.jpg"], &Part::Test).unwrap_err();
        assert!(matches!(mixed, SetError::Layout { .. }), "{mixed}");
        let deep = arranged(&["a/b/1.jpg", "c/d/2.jpg"], &Part::Test).unwrap_err();
        assert!(matches!(deep, SetError::Layout { .. }), "{deep}");
        assert!(matches!(arranged(&[], &Part::Test), Err(SetError::NoPictures { .. })));
    }

    #[test]
    fn names_of_pictures() {
        assert!(["a.jpg", "a.JPEG", "a.b.png", "a.bmp"].iter().all(|name| is_picture(name)));
        assert!(["a.txt", "jpg", ".jpg", "a.jpg.gz"].iter().all(|name| !is_picture(name)));
    }
}
