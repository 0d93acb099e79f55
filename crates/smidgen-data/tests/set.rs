//! Folders and archives as sets of samples: the same samples either way, and a clear word on what cannot be used.

use flate2::{Compression, write::GzEncoder};
use smidgen_data::set::{Content, Part, Sample};
use smidgen_data::{Array, Dataset, Dtype, Error, Feeder, Fit, Interface, Normalise, SetError, npz};
use smidgen_ir::front::{Port, Ports};
use smidgen_ir::{DataType, Graph, Tensor};
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// A picture of one colour, told by its red.
fn png(red: u8, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(width, height, image::Rgb([red, 0, 0]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn pictures() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (s, split) in ["train", "test"].iter().enumerate() {
        for (c, class) in ["owl", "ape", "elk"].iter().enumerate() {
            for i in 0..4 {
                all.push((format!("zoo/{split}/{class}/{i}.png"), png((100 * s + 10 * c + i) as u8, 4, 4)));
            }
        }
    }
    all.push(("zoo/README.txt".into(), b"text".to_vec()));
    all.push(("zoo/test/ape/._0.png".into(), b"left behind by an archiver".to_vec()));
    all
}

fn folder(files: &[(String, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn archive(folder: &Path, name: &str, files: &[(String, Vec<u8>)], gzip: bool) -> PathBuf {
    let mut tar = tar::Builder::new(Vec::new());
    // In another order than a folder lists them.
    for (name, bytes) in files.iter().rev() {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let path = folder.join(name);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&bytes).unwrap();
    fs::write(&path, if gzip { gz.finish().unwrap() } else { bytes }).unwrap();
    path
}

fn contents(set: &Dataset, indices: &[usize]) -> Vec<(usize, Option<usize>, Content)> {
    let mut all: Vec<_> =
        set.read(indices).map(|sample| sample.map(|s| (s.index, s.class, s.content)).unwrap()).collect();
    all.sort_by_key(|&(index, ..)| index);
    all
}

#[test]
fn a_folder_and_archives_of_it_give_the_same_samples() {
    let files = pictures();
    let folder = folder(&files);
    let plain = archive(folder.path(), "zoo.tar", &files, false);
    let gzipped = archive(folder.path(), "zoo.tar.gz", &files, true);
    let part = Part::Named("train".into());
    let from_folder = Dataset::open(&folder.path().join("zoo"), &part).unwrap();
    assert_eq!(from_folder.classes(), ["ape", "elk", "owl"]);
    assert_eq!(from_folder.items().len(), 12);
    let chosen = from_folder.choose(6, 3);
    for other in [plain, gzipped] {
        let set = Dataset::open(&other, &part).unwrap();
        assert_eq!(set.classes(), from_folder.classes());
        assert_eq!(set.choose(6, 3), chosen);
        assert_eq!(contents(&set, &chosen), contents(&from_folder, &chosen));
        let order: Vec<usize> = set.read(&chosen).map(|sample| sample.unwrap().index).collect();
        assert_eq!(order, chosen, "samples come in the order asked for");
        // Whoever stops listening early leaves nothing hanging.
        assert!(set.read(&chosen).next().unwrap().is_ok());
    }
    let test = Dataset::open(folder.path(), &Part::Test).unwrap();
    assert_eq!(test.part(), Some("test"));
    assert!(test.items().iter().all(|item| item.name.starts_with("zoo/test/")), "hidden files are none");
}

#[test]
fn the_first_samples_are_spread_over_the_classes_wherever_they_lie() {
    let files = pictures();
    let folder = folder(&files);
    let gzipped = archive(folder.path(), "zoo.tar.gz", &files, true);
    let rows = Array::from_f32(&[12, 2], &[0.0; 24]);
    let classes = Array::new(Dtype::Uint8, &[12], vec![0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    let npz = folder.path().join("rows.npz");
    fs::write(&npz, npz::to_bytes(&[("x".into(), rows), ("y".into(), classes)])).unwrap();
    for path in [folder.path().join("zoo"), gzipped, npz] {
        let set = Dataset::open(&path, &Part::Test).unwrap();
        let order = set.choose(usize::MAX, 0);
        let classes: Vec<usize> = set.read(&order).map(|sample| sample.unwrap().class.unwrap()).collect();
        assert_eq!(classes.len(), 12);
        for three in classes.chunks(3) {
            let mut three = three.to_vec();
            three.sort_unstable();
            assert_eq!(three, [0, 1, 2], "{}: {classes:?}", path.display());
        }
    }
}

#[test]
fn pictures_of_any_size_are_made_to_fit() {
    let folder = folder(&[("a.png".into(), png(200, 9, 5)), ("b.png".into(), b"\x89PNG\r\n\x1a\nno more".to_vec())]);
    let set = Dataset::open(folder.path(), &Part::Training).unwrap();
    let mut graph = Graph::new("");
    graph.add_input(Tensor::activation("x", [1, 2, 2, 1], DataType::int8(1.0, -128)));
    let feeder = Feeder::new(&graph, Normalise::Auto, Fit::Stretch);
    let samples: Vec<_> = set.read(&[0, 1]).collect::<Result<_, _>>().unwrap();
    let array = &feeder.inputs(&samples[0]).unwrap()[0];
    assert_eq!((array.dtype, array.shape.as_slice()), (Dtype::Int8, &[1, 2, 2, 1][..]));
    let damaged = feeder.inputs(&samples[1]).unwrap_err();
    assert!(damaged.is_malformed() && matches!(damaged, Error::Picture(_)), "{damaged}");
}

#[test]
fn pixels_lie_as_in_the_networks_file() {
    let mut graph = Graph::new("");
    graph.add_input(Tensor::activation("x", [1, 2, 3, 3], DataType::int8(1.0, -128)));
    let port = Port { name: "x".into(), shape: vec![1, 3, 2, 3], axes: vec![0, 2, 3, 1] };
    let ports = Ports { inputs: vec![port], outputs: vec![] };
    let feeder = Feeder::new(Interface::new(&graph, Some(&ports)), Normalise::Auto, Fit::Stretch);
    let sample = |shape: &[usize], pixels: Vec<u8>| Sample {
        index: 0,
        name: String::new(),
        class: None,
        content: Content::Arrays(vec![Array::new(Dtype::Uint8, shape, pixels)]),
    };
    // Each channel has one value: the pixels' own order does not matter.
    let (first, last) = ([[10; 6], [20; 6], [30; 6]].concat(), [10, 20, 30].repeat(6));
    let wanted: Vec<f64> = last.iter().map(|&p| f64::from(p) - 128.0).collect();
    for (shape, pixels) in [(&[3, 2, 3][..], &first), (&[2, 3, 3], &last)] {
        assert_eq!(feeder.inputs(&sample(shape, pixels.clone())).unwrap()[0].to_f64(), wanted, "{shape:?}");
    }
    // Of another size, to be scaled.
    let large = [[10; 24], [20; 24], [30; 24]].concat();
    assert_eq!(feeder.inputs(&sample(&[3, 4, 6], large)).unwrap()[0].to_f64(), wanted);
    let large = [10, 20, 30].repeat(24);
    assert_eq!(feeder.inputs(&sample(&[4, 6, 3], large)).unwrap()[0].to_f64(), wanted);
}

#[test]
fn what_is_no_set_is_refused_by_name() {
    let folder = folder(&[("empty/notes.txt".into(), b"text".to_vec()), ("file".into(), b"text".to_vec())]);
    let open = |name: &str| Dataset::open(&folder.path().join(name), &Part::Test).unwrap_err();
    let empty = open("empty");
    assert!(empty.to_string().ends_with("holds no pictures"), "{empty}");
    assert!(empty.help().unwrap().starts_with("it holds `notes.txt`"), "{:?}", empty.help());
    assert!(matches!(open("file"), Error::Set(SetError::Kind { .. })));
    assert!(matches!(open("missing"), Error::File(_)));
    let files = pictures();
    let whole = fs::read(archive(folder.path(), "whole.tar.gz", &files, true)).unwrap();
    fs::write(folder.path().join("cut.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    let cut = open("cut.tar.gz");
    assert!(cut.is_malformed() && matches!(cut, Error::Set(SetError::Archive { .. })), "{cut}");
    let text = archive(folder.path(), "text.tar", &[("notes.txt".into(), b"text".to_vec())], false);
    assert!(matches!(open(text.to_str().unwrap()), Error::Set(SetError::NoPictures { .. })));
}
