//! `smidgen adapt`: what is asked for wrongly is refused before anything takes long, and what is told is right.

use crate::adapt::{data, folder};
use crate::support::{Finished, Folder, simulates};
use smidgen::boards::Core;
use smidgen::{Array, Dtype, Network};

/// What is said on standard error, without line breaks and the marks of boxes.
fn said(finished: &Finished) -> String {
    finished.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn eval(folder: &Folder, more: &[&str]) -> Finished {
    folder.smidgen(&[&["adapt", "eval", "small.tflite"], more].concat())
}

/// Samples of the network's input, all alike.
fn samples(folder: &Folder, count: usize) -> Array {
    let network = Network::open(folder.path("small.tflite")).expect("the test's network");
    let mut shape = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
    shape[0] = count;
    Array::from_i8(&shape, &vec![5; shape.iter().product()])
}

fn labels(labels: &[i32]) -> Array {
    let data = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    Array { dtype: Dtype::Int32, shape: vec![labels.len()], data }
}

/// A network of pictures of 8x8 grey pixels, and pictures of these parts and classes, six of each.
fn pictures(classes: &[&str]) -> Folder {
    let folder = Folder::new();
    let graph = crate::adapt_scheme::POOLED;
    let network = Network::from_text(graph).expect("a valid network");
    folder.write("small.tflite", network.to_tflite().expect("it can be written"));
    for (c, class) in classes.iter().enumerate() {
        let at = folder.path("photos").join(class);
        std::fs::create_dir_all(&at).unwrap();
        for i in 0..6u8 {
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([c as u8 * 40 + i]));
            picture.save(at.join(format!("{i}.png"))).unwrap();
        }
    }
    folder
}

#[test]
fn counts_rates_and_parts_have_bounds_in_all_commands() {
    let folder = folder();
    data(&folder);
    let firmware = ["small.tflite", "--scheme", "last-layer", "--board", "stm32f746"];
    let simulate = [&["adapt", "simulate", "--classes", "3"][..], &firmware].concat();
    let compile = [&["adapt", "compile", "-o", "out"][..], &firmware].concat();
    let eval = vec!["adapt", "eval", "small.tflite", "--data", "data.npz"];
    let scheme = vec!["adapt", "scheme", "small.tflite", "--data", "data.npz", "--sram", "1M", "-o", "a.toml"];
    for (command, option, values) in [
        (&eval, "--seeds", &["0", "1001"][..]),
        (&eval, "--epochs", &["0"]),
        (&eval, "--train-samples", &["0"]),
        (&eval, "--test-samples", &["0"]),
        (&eval, "--folds", &["0", "1"]),
        (&eval, "--rate", &["0", "nan", "1e30", "-1", "0.1,0"]),
        (&eval, "--warm-up", &["2", "nan", "1", "-0.1"]),
        (&simulate, "--rate", &["0", "nan", "1000", "inf"]),
        (&simulate, "--steps", &["0"]),
        (&compile, "--classes", &["0", "1", "65537"]),
        (&compile, "--sram", &["0", "x"]),
        (&scheme, "--rate", &["0", "nan", "101"]),
        (&scheme, "--warm-up", &["1"]),
        (&scheme, "--samples", &["0", "1"]),
        (&scheme, "--seeds", &["0"]),
        (&scheme, "--epochs", &["0"]),
        (&scheme, "--evaluations", &["0"]),
        (&scheme, "--threads", &["0"]),
    ] {
        for value in values {
            let given = format!("{option}={value}");
            let finished = folder.smidgen(&[&command[..], &[given.as_str()]].concat()).expect(2);
            let told = said(&finished);
            assert!(told.contains(option) && finished.stdout.is_empty(), "{given}: {told}");
        }
    }
    assert_eq!(folder.files(), ["data.npz", "small.tflite"]);
}

#[test]
fn what_is_learnt_and_what_is_tested_is_told() {
    let folder = folder();
    data(&folder);
    let quick = ["--data", "data.npz", "--scheme", "last-layer", "--epochs", "1", "--rate", "0.002"];
    let told = |more: &[&str]| {
        let finished = eval(&folder, &[&quick[..], more].concat()).expect(0);
        finished.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (more, wanted) in [
        (&[][..], "part `train`: 60 samples to learn; part `test`: 20 samples to test"),
        (&["--split", "test"], "part `train`: 60 samples to learn; part `test`: 20 samples to test"),
        (
            &["--train-samples", "10", "--test-samples", "4"],
            "10 of 60 samples to learn; part `test`: 4 of 20 samples to test",
        ),
        (&["--folds", "3"], "part `train`: 60 samples; part `test`: 20 samples"),
        (&["--folds", "3"], "3 trainings, so that each of all 80 samples is tested once"),
    ] {
        let told = told(more);
        assert!(told.contains(wanted), "{more:?}: {told}");
    }
    let refused = |more: &[&str]| said(&eval(&folder, &[&quick[..], more].concat()).expect(2));
    assert!(refused(&["--split", "train"]).contains("the part `train` is what is learnt"));
    assert!(refused(&["--split", "other"]).contains("has no part `other`"));
    assert!(refused(&["--folds", "81"]).contains("81 folds of 80 samples"));
    assert!(refused(&["--scheme", "last-layer,bias-only,last-layer"]).contains("named twice"));
    assert!(refused(&["--train-samples", "1"]).contains("--train-samples"));
    let warned = eval(&folder, &[&quick[..5], &["1", "--rate", "1e-12", "--scheme", "full"]].concat());
    assert!(said(&warned).contains("is 0 on the device"), "{warned:?}");
}

#[test]
fn classes_that_cannot_be_learnt_are_named() {
    let folder = pictures(&["train/cat", "train/dog", "test/cat", "test/dog", "test/zebra"]);
    let quick = ["--scheme", "last-layer", "--epochs", "1", "--rate", "0.002"];
    let told =
        |folder: &Folder, data: &str, code| said(&eval(folder, &[&quick[..], &["--data", data]].concat()).expect(code));
    let refused = told(&folder, "photos", 2);
    assert!(
        refused.contains("`test` has samples of the class `zebra`, of which the part `train` has none"),
        "{refused}"
    );
    for class in ["cat", ""] {
        let refused = told(&pictures(&[class]), "photos", 2);
        assert!(refused.contains("one class at most: 6 samples, all in one folder"), "{class}: {refused}");
    }
    folder.npz("unlabelled.npz", &[("x", samples(&folder, 4))]);
    folder.npz("alike.npz", &[("x", samples(&folder, 4)), ("y", labels(&[0; 4]))]);
    folder.npz("wrong.npz", &[("x", samples(&folder, 4)), ("y", labels(&[0, 1, -1, 1]))]);
    folder.npz("great.npz", &[("x", samples(&folder, 4)), ("y", labels(&[0, 1, 1, 70_000]))]);
    for (file, wanted) in [
        ("unlabelled.npz", "`unlabelled.npz` has no labels: 4 samples of no class"),
        ("alike.npz", "`alike.npz` has 1 class: 4 samples, all with the label 0"),
        ("wrong.npz", "the label of sample 2 in `y` is -1; class numbers are 0 to 65535"),
        ("great.npz", "the label of sample 3 in `y` is 70000; class numbers are 0 to 65535"),
    ] {
        let refused = told(&folder, file, 2);
        assert!(refused.contains(wanted), "{refused}");
    }
    folder.npz("three.npz", &[("x", samples(&folder, 6)), ("y", labels(&[0, 1, 2, 0, 1, 2]))]);
    let simulate = ["adapt", "simulate", "small.tflite", "--classes", "2", "--scheme", "last-layer"];
    let more = ["--board", "mps2-an500", "--data", "three.npz"];
    let refused = said(&folder.smidgen(&[&simulate[..], &more].concat()).expect(2));
    assert!(refused.contains("`three.npz` has 3 classes, and --classes is 2"), "{refused}");
}

#[test]
fn a_picture_that_cannot_be_read_is_told_once_and_not_counted() {
    let folder = pictures(&["train/cat", "train/dog", "test/cat", "test/dog"]);
    folder.write("photos/train/cat/0.png", "");
    folder.write("other.toml", "n_bias_update = 1\n");
    let arguments = ["--data", "photos", "--scheme", "last-layer,other.toml", "--epochs", "1", "--rate", "0.002"];
    let finished = eval(&folder, &arguments).expect(0);
    let (told, out) = (said(&finished), finished.stdout.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(told.matches("left out").count(), 1, "{told}");
    assert!(told.contains("1 picture of 24 left out") && told.contains("`train/cat/0.png` (empty)"), "{told}");
    assert!(out.contains("11 of 12 samples to learn; part `test`: 12 samples to test"), "{out}");
    let strict = said(&eval(&folder, &[&arguments[..], &["--strict"]].concat()).expect(4));
    assert!(strict.contains("0.png"), "{strict}");
}

#[test]
fn a_report_is_written_or_refused_before_anything_is_learnt() {
    let folder = folder();
    data(&folder);
    let quick = ["--data", "data.npz", "--epochs", "2", "--rate", "0.002"];
    eval(&folder, &[&quick[..], &["--scheme", "last-layer,full", "--report", "schemes.html"]].concat()).expect(0);
    let page = std::fs::read_to_string(folder.path("schemes.html")).unwrap();
    assert!(page.contains("</html>") && page.contains("last-layer") && page.contains("full"), "{page}");
    for wrong in ["none/schemes.html", "."] {
        let refused = eval(&folder, &[&quick[..], &["--report", wrong]].concat()).expect(2);
        assert!(said(&refused).contains("cannot be written") && refused.stdout.is_empty(), "{refused:?}");
    }
    assert_eq!(folder.files(), ["data.npz", "schemes.html", "small.tflite"]);
}

#[test]
fn the_file_that_is_wrong_is_named() {
    let folder = folder();
    data(&folder);
    folder.write("beyond.toml", "manual_weight_idx = [99]\nweight_update_ratio = [1.0]\n");
    folder.write("broken.toml", "\nn_bias_updates = 3\n");
    folder.write("parts.toml", "manual_weight_idx = [0, 1]\nweight_update_ratio = [0.0001, 0.0001]\n");
    let compile = |scheme: &str, code| {
        let words = ["adapt", "compile", "small.tflite", "--classes", "3", "--board", "stm32f746", "-o", "out"];
        said(&folder.smidgen(&[&words[..], &["--scheme", scheme]].concat()).expect(code))
    };
    // The data are not even looked for.
    let eval = |scheme: &str| said(&eval(&folder, &["--data", "none.npz", "--scheme", scheme]).expect(2));
    for told in [compile("beyond.toml", 2), eval("beyond.toml")] {
        assert!(told.contains("`beyond.toml`") && told.contains("convolution 99"), "{told}");
        assert!(!told.contains("small.tflite"), "{told}");
    }
    for told in [compile("broken.toml", 2), eval("last-layer,broken.toml")] {
        assert!(told.contains("`broken.toml`") && told.contains("line 2, column 1"), "{told}");
        assert!(told.contains("there is no field `n_bias_updates`"), "{told}");
    }
    assert!(compile("last-layer,full", 2).contains("`smidgen adapt eval` compares several"));
    assert!(!folder.path("out").exists());
    let told = compile("parts.toml", 0);
    assert!(told.contains("warning: `parts.toml`: ") && told.contains("convolution 0"), "{told}");
    let no_budget = ["adapt", "scheme", "small.tflite", "--data", "data.npz", "-o", "a.toml"];
    let told = said(&folder.smidgen(&no_budget).expect(2));
    assert!(told.contains("--sram") && told.contains("--board"), "{told}");
}

#[test]
fn steps_that_do_not_fit_are_errors_that_say_what_would() {
    let folder = folder();
    let firmware = ["small.tflite", "--classes", "3", "--board", "stm32f746"];
    let run = |command: &[&str], more: &[&str]| {
        let finished = folder.smidgen(&[&["adapt"], command, &firmware, more].concat()).expect(5);
        assert!(finished.stdout.is_empty() || more.contains(&"--json"), "{finished:?}");
        said(&finished)
    };
    for command in [&["compile", "-o", "out"][..], &["simulate"]] {
        let told = run(command, &["--scheme", "full", "--sram", "100"]);
        assert!(told.contains("what it keeps between steps is") && told.contains("SRAM alone"), "{told}");
        let (kept, _) = figures(&folder, "full");
        let told = run(command, &["--scheme", "full", "--sram", &kept.to_string()]);
        assert!(told.contains("it takes") && told.contains("`--scheme last-layer`, the least, takes"), "{told}");
        let (kept, _) = figures(&folder, "last-layer");
        let told = run(command, &["--scheme", "last-layer", "--sram", &kept.to_string(), "--json"]);
        assert!(told.contains("does not fit") && !told.contains("trains less") && !told.contains("plan`"), "{told}");
    }
    assert!(!folder.path("out").exists());
}

/// Bytes that a scheme keeps, and of constants, as `adapt compile` says.
fn figures(folder: &Folder, scheme: &str) -> (u64, u64) {
    let words = ["adapt", "compile", "small.tflite", "--classes", "3", "--board", "mps2-an500", "-o", "made", "--json"];
    let json = folder.smidgen(&[&words[..], &["--scheme", scheme]].concat()).expect(0).json();
    (json["kept"].as_u64().unwrap(), json["constants"].as_u64().unwrap())
}

#[test]
fn host_and_device_and_code_have_the_same_figures() {
    let folder = folder();
    data(&folder);
    let kept = |scheme: &str| {
        let json =
            eval(&folder, &["--data", "data.npz", "--epochs", "1", "--rate", "0.01", "--json", "--scheme", scheme]);
        json.expect(0).json()["schemes"][0]["kept"].as_u64().unwrap()
    };
    // The data have two classes.
    let compiled = |scheme: &str| {
        let words = ["adapt", "compile", "small.tflite", "--classes", "2", "--board", "mps2-an500", "-o", "made"];
        folder.smidgen(&[&words[..], &["--json", "--scheme", scheme]].concat()).expect(0).json()
    };
    for scheme in ["last-layer", "bias-only", "full"] {
        assert_eq!(Some(kept(scheme)), compiled(scheme)["kept"].as_u64(), "{scheme}");
    }
    if !simulates(Core::CortexM7) {
        return;
    }
    let words = ["adapt", "simulate", "small.tflite", "--classes", "3", "--scheme", "full", "--board", "mps2-an500"];
    let simulate = [&words[..], &["--steps", "12", "--rate", "0.01"]].concat();
    let json = folder.smidgen(&[&simulate[..], &["--json"]].concat()).expect(0).json();
    let of = |name: &str| json["instructions"][name].as_u64().unwrap_or_else(|| panic!("{name}: {json}"));
    let parts = [of("forward"), of("backward"), of("update"), of("other")];
    assert!(parts.iter().all(|&part| part > 0), "{parts:?}");
    assert_eq!(parts.iter().sum::<u64>(), of("total"));
    assert!((of("least")..=of("most")).contains(&of("total")) && of("other") < of("total") / 10, "{json}");
    assert_eq!((json["kept"].as_u64().unwrap(), json["constants"].as_u64().unwrap()), figures(&folder, "full"));
    assert!(json["flash"]["constants"].as_u64() >= json["constants"].as_u64(), "{json}");
    let text = folder.smidgen(&simulate).expect(0).stdout;
    let losses = text.lines().find(|line| line.starts_with("loss")).expect("the losses");
    assert!(losses.contains(", ... ") && losses.ends_with("before each step"), "{losses}");
}

#[test]
fn samples_with_what_is_no_number_are_learnt_by_no_command() {
    let folder = folder();
    let Array { shape, .. } = samples(&folder, 12);
    let size: usize = shape.iter().product();
    let named = |name: &str, values: &[f32]| {
        let other = Array::from_f32(&shape, &vec![0.5; size]);
        let alternating = labels(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        let arrays = [("x_train", Array::from_f32(&shape, values)), ("y_train", alternating.clone())];
        folder.npz(name, &[&arrays[..], &[("x_test", other), ("y_test", alternating)]].concat());
    };
    let tried = |data: &str| {
        let simulate =
            ["adapt", "simulate", "small.tflite", "--classes", "2", "--scheme", "last-layer", "--board", "stm32f746"];
        let simulate = [&simulate[..], &["--steps", "12", "--data", data]].concat();
        let scheme =
            ["adapt", "scheme", "small.tflite", "--sram", "1M", "-o", "a.toml", "--epochs", "1", "--data", data];
        let train = ["train", "small.tflite", "--data", data, "-o", "b.tflite", "--epochs", "1"];
        let quick = ["--scheme", "last-layer", "--epochs", "1", "--rate", "0.002", "--data", data];
        [eval(&folder, &quick), eval(&folder, &[&quick[..], &["--folds", "2"]].concat())]
            .into_iter()
            .chain([&scheme[..], &train, &simulate].map(|words| folder.smidgen(words)))
            .collect::<Vec<_>>()
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = vec![0.5; size];
        values[7 * size / 12 + 1] = value;
        named("bad.npz", &values);
        for finished in tried("bad.npz") {
            let told = said(&finished);
            assert_eq!(finished.code, Some(2), "{value}: {told}");
            let wanted = format!("holds {value}, at element 1 from 0");
            assert!(told.contains("bad.npz/x_train[7]") && told.contains(&wanted), "{told}");
        }
    }
    assert_eq!(folder.files(), ["bad.npz", "small.tflite"]);
}

/// What was complete before is told and written, with the word that it is not all.
#[cfg(unix)]
#[test]
fn what_is_complete_when_an_evaluation_is_ended_is_reported() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = folder();
    data(&folder);
    let names: Vec<String> = (0..12).map(|i| format!("scheme-{i}.toml")).collect();
    names.iter().for_each(|name| {
        folder.write(name, "n_bias_update = 1");
    });
    let schemes = names.join(",");
    let words = ["adapt", "eval", "small.tflite", "--data", "data.npz", "--rate", "0.002", "--report", "a.html"];
    let words = [&words[..], &["--epochs", "300", "--scheme", &schemes]].concat();
    let mut partly = [false; 2];
    for (at, wait) in (0..60).map(|i| Duration::from_millis(20).mul_f64(1.15f64.powi(i / 2))).enumerate() {
        let json = at % 2 == 0;
        let mut command = folder.command(&[&words[..], if json { &["--json"] } else { &[] }].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(wait);
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGINT);
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let page = std::fs::read_to_string(folder.path("a.html")).ok();
        let _ = std::fs::remove_file(folder.path("a.html"));
        let told = stderr.split_once("interrupted: ").and_then(|(_, told)| told.split_once(" of 12 schemes learnt"));
        let complete = match (output.status.code(), told) {
            (Some(130), Some((complete, _))) => complete.parse::<usize>().unwrap(),
            // Before the handler was there it just ends, and before there is anything to end early nothing is told.
            (None | Some(130), None) if stdout.is_empty() => continue,
            other => {
                assert_eq!(other.0, Some(0), "{stderr}");
                break;
            }
        };
        assert_eq!(page.is_some(), complete > 0, "a report of {complete}");
        if json {
            let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON all the same");
            let rows = json["schemes"].as_array().unwrap();
            assert_eq!((json["interrupted"].as_bool(), rows.len()), (Some(true), complete), "{json:#}");
        } else {
            assert!(
                (0..12).all(|i| stdout.contains(&format!("{} ", names[i])) == (i < complete)),
                "{complete}: {stdout}"
            );
        }
        if let Some(page) = page {
            let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(page.contains(&format!("interrupted: {complete} of 12 schemes.")), "{page}");
            assert!((0..12).all(|i| page.contains(&format!("scheme-{i}<")) == (i < complete)), "{complete}: {page}");
            assert!(page.ends_with("</html>"), "it is whole");
            partly[usize::from(json)] = true;
        }
        if partly == [true; 2] {
            return;
        }
    }
    panic!("it was never ended with something complete: {partly:?}");
}

/// What is printed then says that it is not all.
#[cfg(unix)]
#[test]
fn an_evaluation_that_is_ended_says_so() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = folder();
    data(&folder);
    let words =
        ["adapt", "eval", "small.tflite", "--data", "data.npz", "--epochs", "100000", "--rate", "0.01", "--json"];
    let mut ended = false;
    for wait in (0..20).map(|i| Duration::from_millis(10).mul_f64(1.5f64.powi(i))) {
        let mut command = folder.command(&words);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        let output = child.wait_with_output().unwrap();
        // Before the handler was there it just ends, and before there is anything to end early nothing is told.
        if output.status.code() == Some(130) && !output.stdout.is_empty() {
            let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON all the same");
            assert_eq!((&json["interrupted"], &json["schemes"]), (&true.into(), &serde_json::json!([])));
            ended = true;
            break;
        }
        assert!(matches!(output.status.code(), None | Some(130)), "{output:?}");
    }
    assert!(ended, "it was never ended");
}

#[cfg(unix)]
#[test]
fn a_signal_to_end_leaves_nothing_half_written() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::Duration;

    let folder = folder();
    let words = ["adapt", "compile", "small.tflite", "--classes", "3", "--scheme", "full", "--board", "stm32f746"];
    let (mut ended, mut done) = (0, 0);
    for wait in (0..).map(|i| Duration::from_millis(2).mul_f64(1.3f64.powi(i))) {
        let mut command = folder.command(&[&words[..], &["-o", "out"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        match child.wait().unwrap().code() {
            Some(0) => done += 1,
            Some(130) => ended += 1,
            // Before the handler was there.
            None => {}
            other => panic!("{other:?}"),
        }
        let files: Vec<String> = folder.files().into_iter().filter(|file| file != "out").collect();
        assert_eq!(files, ["small.tflite"], "after {wait:?}");
        assert_eq!(folder.path("out").exists(), folder.path("out/rust/src/lib.rs").exists());
        if done > 1 {
            break;
        }
    }
    assert!(ended > 0, "it was never ended");
}
