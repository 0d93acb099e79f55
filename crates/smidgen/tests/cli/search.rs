//! `smidgen search`: from a set and a board to a network that fits, interrupted or not, and what is refused.

use crate::support::{Finished, Folder};
use smidgen::data::{Array, Dtype};
use std::fs;

/// Three shapes of 24x24 pixels.
fn shapes(folder: &Folder) {
    folder.smidgen(&["demo-data", "set", "--classes", "3", "--per-class", "80", "--size", "24"]).expect(0);
}

/// What was said, however it was wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

const FIXED: [&str; 9] = ["search", "--data", "set", "--board", "stm32f412", "--batch", "32", "--seed", "3"];
const COUNTS: [&str; 8] = ["--epochs", "16", "--supernet-epochs", "4", "--evaluations", "10", "--draws", "6"];

fn search(folder: &Folder, more: &[&str]) -> Finished {
    folder.smidgen(&[&FIXED[..], &["--resolution", "24"], more].concat())
}

fn bytes(folder: &Folder, name: &str) -> Vec<u8> {
    fs::read(folder.path(name)).unwrap()
}

#[test]
fn what_is_found_fits_and_is_worth_what_is_printed() {
    let folder = Folder::new();
    shapes(&folder);
    let limits = ["--sram", "12000", "--flash", "64K", "--macs", "2M"];
    let one = [&COUNTS[..], &limits, &["--threads", "1", "--json", "-o", "one"]].concat();
    let json = search(&folder, &one).expect(0).json();
    let figure = |what: &str| json["figures"][what].as_u64().unwrap();
    assert!(figure("sram") <= 12_000 && figure("flash") <= 65_536 && figure("macs") <= 2_000_000, "{json:#}");
    assert_eq!((json["compared"].as_u64(), json["spaces"].as_u64()), (Some(10), Some(18)));
    let accuracy = json["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.6, "{json:#}");
    let mut files: Vec<String> = fs::read_dir(folder.path("one"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    for name in ["architecture.json", "firmware", "labels.txt", "network.tflite", "progress.jsonl", "result.json"] {
        assert!(files.iter().any(|file| file == name), "{files:?}");
    }
    assert!(folder.path("one/firmware/rust/Cargo.toml").exists());
    let lines = fs::read_to_string(folder.path("one/progress.jsonl")).unwrap();
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |event: &str| events.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("supernet"), count("evaluated"), count("epoch")), (4, 10, 16));

    // The written network is worth what was printed, and takes what was printed.
    let eval = ["eval", "one/network.tflite", "--data", "set", "--json"];
    assert_eq!(folder.smidgen(&eval).expect(0).json()["top1"].as_f64(), Some(accuracy));
    let plan = ["plan", "one/network.tflite", "--sram", "12000", "--json"];
    let planned = folder.smidgen(&plan).expect(0).json();
    assert_eq!(planned["total_bytes"].as_u64(), Some(figure("sram")), "{planned:#}");

    // Two threads, and the words for people.
    let two = [&COUNTS[..], &limits, &["--threads", "2", "-o", "two"]].concat();
    let told = search(&folder, &two).expect(0);
    assert_eq!(bytes(&folder, "one/network.tflite"), bytes(&folder, "two/network.tflite"));
    let stdout = words(&told.stdout);
    for text in
        ["18 spaces: skeletons early, small", "which binds", "the best of 10 networks", "epoch 16 of 16", "int8 "]
    {
        assert!(stdout.contains(text), "{text}: {}", told.stdout);
    }
    assert_eq!(told.stderr, "");

    // The command that counts it plans what was written.
    let hint = stdout.split("`smidgen ").last().unwrap().split('`').next().unwrap();
    assert_eq!(hint, "simulate two/network.tflite --board stm32f412 --sram 12000", "{stdout}");

    // What was found can be trained anew, and another search does not go where this one was.
    let again = ["train", "--arch", "one/architecture.json", "--data", "set", "--epochs", "1", "-o", "again.tflite"];
    folder.smidgen(&again).expect(0);
    let other = [&COUNTS[..], &limits, &["--threads", "2", "-o", "two", "--rate", "0.1"]].concat();
    let refused = search(&folder, &other).expect(2);
    assert!(words(&refused.stderr).contains("there the rate is 0.2, here 0.1"), "{}", refused.stderr);
}

/// Killed where it happens to be, without a word, in every stage.
#[cfg(unix)]
#[test]
fn killed_at_random_moments_a_search_ends_with_the_same_bytes() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let folder = Folder::new();
    shapes(&folder);
    // With all that has a state: the supernet, the network found, and the larger ones around it.
    let counts =
        ["--epochs", "8", "--supernet-epochs", "8", "--evaluations", "12", "--draws", "4", "--netaug", "--macs", "1M"];
    search(&folder, &[&counts[..], &["-o", "whole"]].concat()).expect(0);
    let parts = [&FIXED[..], &["--resolution", "24"], &counts, &["-o", "parts"]].concat();
    let mut kills = 0;
    // Each lives longer than the one before it, so that all stages are met and it ends at last. Every other one may keep
    // where it is.
    let mut life = Duration::from_millis(150);
    loop {
        let mut child = folder.command(&parts).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            let status = child.try_wait().unwrap();
            if status.is_some() || begun.elapsed() > life {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(status) = status {
            assert!(status.success(), "{status}");
            break;
        }
        if kills % 2 == 0 {
            child.kill().unwrap();
        } else {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        }
        child.wait().unwrap();
        (kills, life) = (kills + 1, life.mul_f64(1.3));
    }
    assert!(kills > 3, "{kills}");
    assert_eq!(bytes(&folder, "whole/network.tflite"), bytes(&folder, "parts/network.tflite"));
}

#[cfg(unix)]
#[test]
fn a_search_by_the_clock_is_interrupted_goes_on_and_can_be_repeated() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = Folder::new();
    shapes(&folder);
    let timed = [&FIXED[..], &["--resolution", "24", "--time", "12s", "-o", "timed"]].concat();
    let child = folder.command(&timed).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path("timed/state/search.json").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted: the same command goes on"), "{stderr}");
    assert!(!folder.path("timed/network.tflite").exists() && !folder.path("timed/record.json").exists());

    let json = folder.smidgen(&[&timed[..], &["--json"]].concat()).expect(0).json();
    assert!(json["seconds"].as_f64().unwrap() < 40.0, "{json:#}");
    let again = ["--replay", "timed/record.json", "--time", "12s", "-o", "again", "--threads", "1"];
    search(&folder, &again).expect(0);
    assert_eq!(bytes(&folder, "timed/network.tflite"), bytes(&folder, "again/network.tflite"));
    // A record that is none, or whose training is cut short, and a state that is damaged: the file is named, and what to do.
    let mut record: serde_json::Value = serde_json::from_slice(&bytes(&folder, "timed/record.json")).unwrap();
    let training = record["training"].as_str().unwrap();
    record["training"] = training[..training.len() - 9].into();
    folder.write("no.json", "{}x");
    folder.write("cut.json", record.to_string());
    for file in ["no.json", "cut.json"] {
        let said = words(&search(&folder, &["--replay", file, "-o", "no"]).expect(4).stderr);
        assert!(said.contains(file) && said.contains("the record of a `smidgen search`"), "{said}");
        assert!(said.contains("record.json that a search with `--time`"), "{said}");
    }
    for (file, text) in [("search.json", "{}"), ("supernet.bin", "no"), ("training.bin", "no")] {
        let path = format!("timed/state/{file}");
        let whole = bytes(&folder, &path);
        folder.write(&path, text);
        let said = words(&folder.smidgen(&timed).expect(4).stderr);
        assert!(said.contains(&path) && said.contains("`smidgen search`"), "{file}: {said}");
        assert!(said.contains("name another folder with `-o`") && !said.contains("smidgen train"), "{file}: {said}");
        folder.write(&path, whole);
    }
}

#[test]
fn what_cannot_be_searched_is_told() {
    let folder = Folder::new();
    shapes(&folder);
    let with = |more: &[&str]| search(&folder, &[&COUNTS[..], &["-o", "out"], more].concat());
    let refused = with(&["--sram", "200"]).expect(5);
    let said = words(&refused.stderr);
    assert!(said.contains("no network fits 200 bytes of SRAM") && said.contains("smallest of all spaces"), "{said}");
    // Less than code alone takes.
    assert!(with(&["--flash", "9K"]).expect(5).stderr.contains("bytes of flash"));
    assert!(with(&["--macs", "10"]).expect(5).stderr.contains("10 MACs"));
    assert!(with(&["--macs", "many"]).expect(2).stderr.contains("12.5M"));
    assert!(!folder.path("out/network.tflite").exists());
    let refused = search(&folder, &["--time", "0.01s", "-o", "hasty"]).expect(2);
    assert!(words(&refused.stderr).contains("there is no time to train"), "{}", refused.stderr);

    // What a search holds back nobody has asked for.
    for (class, count) in [("many", 9), ("single", 1)] {
        fs::create_dir_all(folder.path(&format!("uneven/{class}"))).unwrap();
        let picture = fs::read_dir(folder.path("set/train/disc")).unwrap().next().unwrap().unwrap().path();
        for i in 0..count {
            fs::copy(&picture, folder.path(&format!("uneven/{class}/{i}.png"))).unwrap();
        }
    }
    let uneven = ["search", "--data", "uneven", "--board", "stm32f412", "--epochs", "1", "-o", "uneven-out"];
    let said = words(&folder.smidgen(&uneven).expect(2).stderr);
    assert!(said.contains("the class `single` has one sample") && said.contains("DIR/test/CLASS"), "{said}");
    assert!(!said.contains("--hold-out"), "{said}");

    fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/notes.txt", "mine");
    let refused = search(&folder, &[&COUNTS[..], &["-o", "mine"]].concat()).expect(2);
    assert!(words(&refused.stderr).contains("holds other things than a search"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(folder.path("mine")).unwrap().count(), 1);

    // Rows of numbers are no images, and one folder of pictures is no set of classes.
    let labels: Vec<u8> = (0..40i32).flat_map(|i| (i % 2).to_le_bytes()).collect();
    let labels = Array::new(Dtype::Int32, &[40], labels);
    let rows = Array::from_f32(&[40, 6], &[0.5; 240]);
    folder.npz(
        "rows.npz",
        &[("x_train", rows.clone()), ("y_train", labels.clone()), ("x_test", rows), ("y_test", labels)],
    );
    let rows = ["search", "--data", "rows.npz", "--board", "stm32f412", "--epochs", "1", "-o", "rows"];
    let refused = folder.smidgen(&rows).expect(2);
    assert!(words(&refused.stderr).contains("rows, columns and channels"), "{}", refused.stderr);
    fs::create_dir_all(folder.path("one/only")).unwrap();
    fs::copy(folder.path("set/train/disc/0000.png"), folder.path("one/only/a.png"))
        .or_else(|_| {
            let first = fs::read_dir(folder.path("set/train/disc")).unwrap().next().unwrap().unwrap().path();
            fs::copy(first, folder.path("one/only/a.png"))
        })
        .unwrap();
    let one = ["search", "--data", "one", "--board", "stm32f412", "--epochs", "1", "-o", "ones"];
    assert!(words(&folder.smidgen(&one).expect(2).stderr).contains("no labels"));
}

/// Pictures of one shape keep it; those of several are stretched, which is told.
#[test]
fn inputs_have_the_shape_of_the_pictures() {
    let folder = Folder::new();
    // Bright on one side or the other.
    let picture = |class: usize, s: usize, rows: usize, columns: usize| {
        let pixel = |i: usize| {
            let bright = (i % columns < columns / 2) == (class == 0);
            (if bright { 180 } else { 40 }) + ((i * 7 + s * 31) % 40) as u8
        };
        let pixels: Vec<u8> = (0..rows * columns).map(pixel).collect();
        smidgen::data::Picture::from_pixels(&[rows, columns, 1], &pixels).unwrap().png().unwrap()
    };
    let set = |name: &str, sides: &dyn Fn(usize) -> [usize; 2]| {
        for s in 0..40 {
            let [rows, columns] = sides(s);
            fs::create_dir_all(folder.path(&format!("{name}/{}", s % 2))).unwrap();
            folder.write(&format!("{name}/{}/{s}.png", s % 2), picture(s % 2, s, rows, columns));
        }
    };
    set("wide", &|_| [15, 30]);
    set("mixed", &|s| if s % 3 == 0 { [15, 30] } else { [30, 20] });
    let counts = ["--epochs", "4", "--supernet-epochs", "1", "--evaluations", "2", "--draws", "3", "--batch", "16"];
    let search = |data: &str, more: &[&str]| {
        let fixed = ["search", "--data", data, "--board", "stm32f412", "--sram", "8K"];
        folder.smidgen(&[&fixed[..], &counts, more].concat()).expect(0)
    };
    let told = words(&search("wide", &["-o", "wide-out"]).stdout);
    assert!(told.contains("0.50 rows for a column, and the inputs about as many"), "{told}");
    assert!(told.contains("15x30"), "{told}");
    let result: serde_json::Value = serde_json::from_slice(&bytes(&folder, "wide-out/result.json")).unwrap();
    let [rows, columns] = [0, 1].map(|axis| result["space"]["input"][axis].as_f64().unwrap());
    assert!((0.4..0.6).contains(&(rows / columns)), "{rows}x{columns}");
    let told = words(&search("mixed", &["-o", "mixed-out"]).stdout);
    assert!(told.contains("pictures of several shapes") && told.contains("`--fit crop`"), "{told}");
    let json = search("wide", &["--resolution", "10x16", "-o", "asked", "--json"]).json();
    assert_eq!(json["space"]["input"], serde_json::json!([10, 16, 1]));
    let wrong = folder.smidgen(&["search", "--data", "wide", "--board", "stm32f412", "--resolution", "9x", "-o", "x"]);
    assert!(wrong.expect(2).stderr.contains("84x112"));
}

/// What is cut from a pretrained network has its weights: right at once where fresh ones would guess.
#[test]
fn a_search_begins_with_a_pretrained_network() {
    let folder = Folder::new();
    shapes(&folder);
    folder.smidgen(&["demo-data", "six", "--classes", "6", "--per-class", "60", "--size", "32"]).expect(0);
    let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/shapes/network.tflite");
    fs::copy(zoo, folder.path("backbone.tflite")).unwrap();
    let counts = ["--epochs", "2", "--supernet-epochs", "1", "--evaluations", "4", "--draws", "3", "--batch", "32"];
    let from = |data: &str, more: &[&str]| {
        let fixed = ["search", "--data", data, "--board", "stm32f412", "--from", "backbone.tflite", "--json"];
        folder.smidgen(&[&fixed[..], &counts, more].concat())
    };
    // Its own data at its own resolution.
    let json = from("six", &["--resolution", "32", "-o", "one", "--threads", "1"]).expect(0).json();
    assert_eq!(json["space"]["skeleton"], "backbone");
    assert!(json["accuracy"].as_f64().unwrap() > 0.8, "{json:#}");
    from("six", &["--resolution", "32", "-o", "two", "--threads", "2"]).expect(0);
    assert_eq!(bytes(&folder, "one/network.tflite"), bytes(&folder, "two/network.tflite"));
    // Other classes, at the resolutions of the grid.
    let json = from("set", &["-o", "three"]).expect(0).json();
    assert_eq!(json["classes"].as_array().unwrap().len(), 3);
    let spaces = fs::read_to_string(folder.path("three/state/search.json")).unwrap();
    let spaces: serde_json::Value = serde_json::from_str(&spaces).unwrap();
    assert!(spaces["spaces"].as_array().unwrap().len() > 2);
    // A network that is no blocks.
    let train = ["train", "--arch", "resnet8", "--data", "set", "--epochs", "1", "-o", "backbone.tflite"];
    folder.smidgen(&train).expect(0);
    let refused = from("set", &["-o", "four"]).expect(3);
    let said = words(&refused.stdout);
    assert!(
        said.contains("cannot be cut to fit") && said.contains("ADD") && said.contains("backbone.tflite"),
        "{said}"
    );
    assert!(!folder.path("four").exists());
}

/// What teaches the network found is no part of it: it takes what was estimated, and the same bytes come out for any
/// number of threads.
#[test]
fn a_network_that_was_augmented_takes_no_more() {
    let folder = Folder::new();
    shapes(&folder);
    let limits = ["--sram", "12000", "--macs", "1M", "--netaug", "--json"];
    let one = search(&folder, &[&COUNTS[..], &limits, &["--threads", "1", "-o", "one"]].concat()).expect(0).json();
    search(&folder, &[&COUNTS[..], &limits, &["--threads", "2", "-o", "two"]].concat()).expect(0);
    assert_eq!(bytes(&folder, "one/network.tflite"), bytes(&folder, "two/network.tflite"));
    assert_eq!(one["figures"]["macs"], one["estimated"]["macs"]);
    assert!(one["figures"]["flash"].as_u64() <= one["estimated"]["flash"].as_u64(), "{one:#}");
    assert!(one["accuracy"].as_f64().unwrap() > 0.6, "{one:#}");
    // The same network without it has other weights, and as many.
    let plain = [&COUNTS[..], &limits[..4], &["--json", "-o", "plain"]].concat();
    let plain = search(&folder, &plain).expect(0).json();
    assert_eq!(one["figures"]["macs"], plain["figures"]["macs"]);
    assert_ne!(bytes(&folder, "one/network.tflite"), bytes(&folder, "plain/network.tflite"));
}

/// Fused blocks are found, written, and described as they can be trained anew.
#[test]
fn early_blocks_may_be_fused() {
    let folder = Folder::new();
    shapes(&folder);
    let fused = ["--fused", "--sram", "12000", "--macs", "4M", "--json"];
    let one = search(&folder, &[&COUNTS[..], &fused, &["--threads", "1", "-o", "one"]].concat()).expect(0).json();
    assert_eq!(one["spaces"], 36);
    assert!(one["space"]["skeleton"].as_str().unwrap().contains("fused"), "{one:#}");
    search(&folder, &[&COUNTS[..], &fused, &["--threads", "2", "-o", "two"]].concat()).expect(0);
    assert_eq!(bytes(&folder, "one/network.tflite"), bytes(&folder, "two/network.tflite"));
    let described = String::from_utf8(bytes(&folder, "one/architecture.json")).unwrap();
    assert!(described.contains("\"fused\": "), "{described}");
    assert_eq!(one["figures"]["macs"], one["estimated"]["macs"]);
    let again = ["train", "--arch", "one/architecture.json", "--data", "set", "--epochs", "1", "-o", "again.tflite"];
    folder.smidgen(&again).expect(0);
    let planned = folder.smidgen(&["plan", "one/network.tflite", "--sram", "12000", "--json"]).expect(0).json();
    assert!(planned["total_bytes"].as_u64().unwrap() <= 12_000);
}

#[test]
fn spectrograms_are_searched_too() {
    let folder = Folder::new();
    // Where the energy lies tells the class.
    let sample = |s: usize, i: usize| {
        let noise = ((i * 7 + s * 13) % 11) as f32 * 0.05;
        if i / 10 / 7 == s % 3 { 1.0 + noise } else { noise }
    };
    let arrays = |count: usize| {
        let values: Vec<f32> = (0..count).flat_map(|s| (0..200).map(move |i| sample(s, i))).collect();
        let labels: Vec<u8> = (0..count as i32).flat_map(|s| (s % 3).to_le_bytes()).collect();
        (Array::from_f32(&[count, 20, 10, 1], &values), Array::new(Dtype::Int32, &[count], labels))
    };
    let ((x, y), (tx, ty)) = (arrays(90), arrays(30));
    folder.npz("sound.npz", &[("x_train", x), ("y_train", y), ("x_test", tx), ("y_test", ty)]);
    let fixed = ["search", "--data", "sound.npz", "--board", "rp2040", "--batch", "32", "-o", "out", "--json"];
    let json = folder.smidgen(&[&fixed[..], &COUNTS].concat()).expect(0).json();
    assert_eq!(json["space"]["input"], serde_json::json!([20, 10, 1]));
    assert!(json["accuracy"].as_f64().unwrap() > 0.8, "{json:#}");
}
