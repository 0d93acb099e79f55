//! `smidgen run`: every kind of input file, right and wrong.

use crate::support::{FLOAT, Folder, TINY};
use smidgen::data::{Archive, Array, Dtype};
use std::fs;

fn tiny() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.ir", TINY);
    let pixels: Vec<i8> = (0..16).map(|i| (i * 37) as u8 as i8).collect();
    folder.npy("x.npy", &Array::from_i8(&[1, 4, 4, 1], &pixels));
    let mut picture = image::GrayImage::new(4, 4);
    for (pixel, q) in picture.pixels_mut().zip(&pixels) {
        pixel.0 = [(*q as u8) ^ 0x80];
    }
    picture.save(folder.path("x.png")).unwrap();
    folder
}

fn values(folder: &Folder, arguments: &[&str]) -> serde_json::Value {
    let arguments = [&["run", "tiny.ir", "--json"], arguments].concat();
    folder.smidgen(&arguments).expect(0).json()["outputs"][0]["values"].clone()
}

#[test]
fn an_array_a_picture_and_real_numbers_give_the_same() {
    let folder = tiny();
    let stored = values(&folder, &["--input", "x.npy"]);
    // Pixels of 0..1 are what this input's quantisation asks for.
    assert_eq!(values(&folder, &["--input", "x.png"]), stored);
    let pixels: Vec<u8> = (0..16).map(|i| (i * 37) as u8 ^ 0x80).collect();
    folder.npy("pixels.npy", &Array::new(Dtype::Uint8, &[4, 4, 1], pixels.clone()));
    assert_eq!(values(&folder, &["--input", "pixels.npy"]), stored);
    let reals: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
    folder.npy("reals.npy", &Array::from_f32(&[1, 4, 4, 1], &reals));
    assert_eq!(values(&folder, &["--input", "reals.npy"]), stored);
}

#[test]
fn what_is_printed_is_as_reviewed() {
    let folder = tiny();
    folder.write("labels.txt", "cat\ndog\nfish\n");
    let arguments = ["run", "tiny.ir", "--input", "x.png", "--labels", "labels.txt", "--output", "out.npz"];
    insta::assert_snapshot!("run", folder.smidgen(&arguments).expect(0).stdout);
    insta::assert_snapshot!("run_quiet", folder.smidgen(&[&arguments[..], &["-q"]].concat()).expect(0).stdout);
}

#[test]
fn the_output_file_is_a_golden_file() {
    let folder = tiny();
    folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--output", "out.npz"]).expect(0);
    folder.smidgen(&["verify", "tiny.ir", "--golden", "out.npz"]).expect(0);
    let mut archive = Archive::new(fs::read(folder.path("out.npz")).unwrap()).unwrap();
    assert_eq!(archive.names(), ["input_0", "output_0_0"]);
    assert_eq!(archive.get("output_0_0").unwrap().unwrap().shape, [1, 3]);
    // The same run writes the same bytes.
    let first = fs::read(folder.path("out.npz")).unwrap();
    folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--output", "out.npz"]).expect(0);
    assert_eq!(fs::read(folder.path("out.npz")).unwrap(), first);
}

#[test]
fn the_normalisation_can_be_chosen() {
    let folder = tiny();
    let run = |n: &str| folder.smidgen(&["run", "tiny.ir", "--input", "x.png", "--normalise", n]).expect(0).stdout;
    assert!(run("raw").contains("normalised `raw` (stored as pixel - 128), as asked"));
    assert!(run("symmetric").contains("normalised `symmetric` (-1..1), as asked"));
    assert!(run("bytes").contains("normalised `bytes`"));
    assert!(run("auto").contains("normalised `unit` (0..1), since the input holds real numbers"));
    folder.smidgen(&["run", "tiny.ir", "--input", "x.png", "--normalise", "imagenet"]).expect(2);
}

#[test]
fn a_guess_is_a_warning() {
    let folder = tiny();
    folder.write("odd.ir", TINY.replace("{0.003921569; -128}", "{0.0235; -18}"));
    let finished = folder.smidgen(&["run", "odd.ir", "--input", "x.png"]).expect(0);
    assert!(finished.stderr.contains("normalisation `fill` is a guess"), "{}", finished.stderr);
    assert_eq!(folder.smidgen(&["run", "odd.ir", "--input", "x.png", "-q"]).expect(0).stderr, "");
}

#[test]
fn an_archive_is_searched_and_its_arrays_named() {
    let folder = tiny();
    let x = Array::from_i8(&[1, 4, 4, 1], &[7; 16]);
    folder.npz("two.npz", &[("a", x.clone()), ("b", x)]);
    let finished = folder.smidgen(&["run", "tiny.ir", "--input", "two.npz"]).expect(2);
    assert!(finished.stderr.contains("`a`, `b`") && finished.stderr.contains("--array"), "{}", finished.stderr);
    folder.smidgen(&["run", "tiny.ir", "--input", "two.npz", "--array", "b"]).expect(0);
    folder.smidgen(&["run", "tiny.ir", "--input", "two.npz", "--array", "c"]).expect(2);
}

#[test]
fn inputs_that_do_not_suit_are_refused_with_both_shapes() {
    let folder = tiny();
    folder.npy("wide.npy", &Array::from_i8(&[1, 4, 5, 1], &[0; 20]));
    folder.npy("int.npy", &Array::new(Dtype::Int32, &[1, 4, 4, 1], vec![0; 64]));
    folder.write("float.ir", FLOAT).npy("four.npy", &Array::from_f32(&[4], &[1.0; 4]));
    let error = |arguments: &[&str]| folder.smidgen(&[&["run"], arguments].concat()).expect(2).stderr;
    let shape = error(&["tiny.ir", "--input", "wide.npy"]);
    assert!(shape.contains("int8 1x4x4x1") && shape.contains("int8 1x4x5x1"), "{shape}");
    assert!(error(&["tiny.ir", "--input", "int.npy"]).contains("int32 1x4x4x1"));
    assert!(error(&["float.ir", "--input", "x.png"]).contains("not one picture"));
    assert!(error(&["tiny.ir", "--input", "x.npy", "--input", "x.npy"]).contains("1 input"));
    folder.smidgen(&["run", "float.ir", "--input", "four.npy"]).expect(0);
}

#[test]
fn pictures_in_colour_and_of_another_size_are_brought_to_the_input() {
    let folder = tiny();
    image::RgbImage::from_pixel(20, 10, image::Rgb([255, 255, 255])).save(folder.path("white.bmp")).unwrap();
    image::GrayImage::from_pixel(4, 4, image::Luma([255])).save(folder.path("grey.png")).unwrap();
    let white = values(&folder, &["--input", "white.bmp"]);
    assert_eq!(white, values(&folder, &["--input", "grey.png"]));
    assert_eq!(white, values(&folder, &["--input", "white.bmp", "--fit", "crop"]));
    let said = folder.smidgen(&["run", "tiny.ir", "--input", "white.bmp"]).expect(0).stdout;
    assert!(said.contains("20x10, scaled to 4x4"), "{said}");
}

#[test]
fn labels_that_do_not_suffice_are_a_warning() {
    let folder = tiny();
    folder.write("labels.txt", "cat\n").write("bytes.txt", [0xff, 0xfe]);
    let finished = folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--labels", "labels.txt"]).expect(0);
    assert!(finished.stderr.contains("1 label"), "{}", finished.stderr);
    folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--labels", "bytes.txt"]).expect(2);
    folder.smidgen(&["run", "tiny.ir", "--input", "x.npy", "--labels", "none.txt"]).expect(2);
}
