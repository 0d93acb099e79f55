//! `smidgen adapt scheme`: from a budget and samples to an update scheme, interrupted or not, and what is refused.

use crate::adapt::{data, folder};
use crate::support::{Finished, Folder};
use smidgen::plan::Objective;
use smidgen::{Array, Dtype, Network, Target, adapting};
use std::fs;

const FIXED: [&str; 11] = [
    "adapt",
    "scheme",
    "small.tflite",
    "--data",
    "data.npz",
    "--samples",
    "40",
    "--rate",
    "0.004",
    "--evaluations",
    "60",
];

fn search(folder: &Folder, more: &[&str]) -> Finished {
    folder.smidgen(&[&FIXED[..], &["--epochs", "1"], more].concat())
}

fn network(folder: &Folder) -> Network {
    let mut network = Network::open(folder.path("small.tflite")).expect("the test's network");
    network.canonicalise().expect("nothing to fold");
    network
}

/// What a scheme takes as `adapt simulate` would plan it with `--objective sram`.
fn planned(network: &Network, scheme: &adapting::Scheme) -> usize {
    let adaptation = network.adapt(2, scheme, &Default::default(), &[]).expect("operators with gradients");
    let mut target = Target::default();
    target.plan.objective = Objective::Sram;
    adaptation.plan(&target).expect("a plan").plan.report.total_bytes
}

/// The least there is, and what all biases with all weights take.
fn ends(folder: &Folder) -> (usize, usize) {
    let network = network(folder);
    let count = adapting::Features::of(network.graph()).expect("a classifier").convolutions.len();
    let taken = |scheme| planned(&network, &scheme);
    (taken(adapting::Scheme::last_layer()), taken(adapting::Scheme::full(count)))
}

fn text(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).expect("a file that was written")
}

/// What was said, however it was wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_found_fits_and_nothing_is_measured_twice() {
    let folder = folder();
    data(&folder);
    let (least, most) = ends(&folder);
    let budget = usize::midpoint(least, most);
    let sram = budget.to_string();
    let words_of = ["--sram", &sram, "-o", "a.toml", "--work", "work", "--report", "a.html", "--json"];
    let json = search(&folder, &words_of).expect(0).json();
    let bytes = json["bytes"].as_u64().unwrap() as usize;
    let scheme: adapting::Scheme = text(&folder, "a.toml").parse().expect("a scheme");
    assert!(bytes <= budget && bytes == planned(&network(&folder), &scheme), "{json:#}");
    assert_eq!(json["scheme"]["n_bias_update"].as_u64(), Some(scheme.n_bias_update as u64));
    assert_eq!(json["samples"], serde_json::json!({ "learnt": 26, "held_out": 14 }));
    // The sum of the gains of what was chosen.
    let chosen = |list: &str| -> Vec<f64> {
        let all = json[list].as_array().unwrap().iter().filter(|one| one["chosen"] == true);
        all.map(|one| one["gain"].as_f64().unwrap()).collect()
    };
    let (biases, weights) = (chosen("biases"), chosen("weights"));
    assert_eq!((biases.len(), weights.len()), (1, scheme.manual_weight_idx.len()), "{json:#}");
    let sum: f64 = biases.iter().chain(&weights).sum();
    assert!((sum - json["gain"].as_f64().unwrap()).abs() < 1e-9, "{json:#}");
    assert!(weights.iter().all(|&gain| gain > 0.0));
    // Gains are differences of scores that are there, less what does not rise.
    let measured: Vec<f64> = json["biases"].as_array().unwrap().iter().map(|b| b["score"].as_f64().unwrap()).collect();
    let rising = adapting::search::rising(&measured);
    for (bias, score) in json["biases"].as_array().unwrap().iter().zip(&rising) {
        assert!((bias["gain"].as_f64().unwrap() - (score - rising[0])).abs() < 1e-9, "{json:#}");
    }
    // Every single part of weights that was measured fits.
    assert!(json["weights"].as_array().unwrap().len() > 3, "{json:#}");
    let points = text(&folder, "work/points.jsonl");
    assert_eq!(points.lines().count() - 1, json["measured_now"].as_u64().unwrap() as usize);
    let page = text(&folder, "a.html");
    for told in ["Memory of biases alone", "chosen", "n_bias_update"] {
        assert!(page.contains(told), "{told}");
    }

    // Again, with other threads and in words: the same bytes, and nothing measured.
    let again = search(&folder, &["--sram", &sram, "-o", "b.toml", "--work", "work", "--threads", "1"]).expect(0);
    assert!(again.stdout.contains(", 0 of them now") && again.stdout.contains("b.toml written."), "{}", again.stdout);
    let without = |name: &str| {
        let all = text(&folder, name);
        all.lines().filter(|line| !line.starts_with("# Found by")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without("a.toml"), without("b.toml"));
    assert_eq!(points, text(&folder, "work/points.jsonl"));

    // What is found is what the other commands take.
    let compile = ["adapt", "compile", "small.tflite", "--classes", "2", "--scheme", "a.toml", "--board", "stm32f746"];
    let said =
        folder.smidgen(&[&compile[..], &["--objective", "sram", "-o", "out", "--json"]].concat()).expect(0).json();
    assert_eq!(said["sram"].as_u64(), Some(bytes as u64));

    // A scheme is replaced, and that is said.
    let again = search(&folder, &["--sram", &sram, "-o", "b.toml", "--work", "work"]).expect(0);
    assert!(again.stdout.contains("b.toml replaced."), "{}", again.stdout);
}

#[test]
fn more_memory_gains_no_less_and_the_formula_s_optimum_is_reached() {
    let folder = folder();
    data(&folder);
    let mut before = f64::NEG_INFINITY;
    for budget in ["80", "400", "1K", "4K", "1M"] {
        let more = ["--memory", "formula", "--beyond", "--sram", budget, "-o", "f.toml", "--json"];
        let finished = search(&folder, &more);
        if budget == "80" && finished.code == Some(5) {
            continue;
        }
        let json = finished.expect(0).json();
        assert_eq!(json["bytes"], json["formula_bytes"], "{json:#}");
        assert!(json["bytes"].as_u64() <= json["budget"].as_u64(), "{json:#}");
        assert!(json["evolution"].as_f64().unwrap() >= 0.99, "{json:#}");
        let gain = json["gain"].as_f64().unwrap();
        assert!(gain >= before, "{budget}: {gain} after {before}");
        // All budgets share what was measured, but for the schemes themselves.
        assert!(before == f64::NEG_INFINITY || json["measured_now"].as_u64().unwrap() <= 1, "{json:#}");
        before = gain;
    }
    assert!(before > 0.0);
}

#[test]
fn a_budget_for_the_last_layer_alone_is_the_least() {
    let folder = folder();
    data(&folder);
    let (least, _) = ends(&folder);
    let (enough, short) = (least.to_string(), (least - 1).to_string());
    let refused = search(&folder, &["--sram", &short, "-o", "a.toml"]).expect(5);
    let told = words(&refused.stderr);
    assert!(
        told.contains("no scheme fits") && told.contains(&format!("{least} bytes for the last layer alone")),
        "{told}"
    );
    assert!(!folder.path("a.toml").exists() && !folder.path("a.points.jsonl").exists());
    let json = search(&folder, &["--sram", &enough, "-o", "a.toml", "--json"]).expect(0).json();
    assert_eq!((json["bytes"].as_u64(), json["scheme"]["n_bias_update"].as_u64()), (Some(least as u64), Some(0)));
    assert_eq!(text(&folder, "a.toml").parse::<adapting::Scheme>().unwrap(), adapting::Scheme::last_layer());
}

#[test]
fn wrong_requests_are_refused_with_a_reason() {
    let folder = folder();
    data(&folder);
    let array = |count: usize| {
        let network = network(&folder);
        let mut dims = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
        dims[0] = count;
        Array::from_i8(&dims, &vec![3; dims.iter().product()])
    };
    let labels = |labels: &[u8]| Array { dtype: Dtype::Uint8, shape: vec![labels.len()], data: labels.to_vec() };
    folder.npz("unlabelled.npz", &[("x_train", array(6))]);
    folder.npz("single.npz", &[("x_train", array(6)), ("y_train", labels(&[0; 6]))]);
    folder.npz("once.npz", &[("x_train", array(2)), ("y_train", labels(&[0, 1]))]);
    folder.npz("short.npz", &[("x_train", array(6)), ("y_train", labels(&[0, 1]))]);
    folder.write("notes.txt", "n_bias = 3");
    for (more, code, wanted) in [
        (&["--data", "unlabelled.npz"][..], 2, "no labels"),
        (&["--data", "single.npz"], 2, "1 class: 6 samples"),
        (&["--data", "once.npz"], 2, "can be held out"),
        (&["--data", "short.npz"], 2, "one class number for each of 6"),
        (&["--data", "data.npz", "--layers", "2-99"], 2, "--layers names"),
        (&["--data", "data.npz", "--biases", "99"], 2, "--biases names 99"),
        (&["--data", "data.npz", "--ratios", "3"], 2, "a part such as 1/4"),
        (&["--data", "data.npz", "--work", "data.npz/x"], 2, "cannot be made"),
    ] {
        let words_of = [&["adapt", "scheme", "small.tflite", "--sram", "100K", "-o", "a.toml", "--epochs", "1"], more];
        let finished = folder.smidgen(&words_of.concat());
        let told = words(&finished.stderr);
        assert_eq!(finished.code, Some(code), "{more:?}: {told}");
        assert!(told.contains(wanted), "{more:?}: {told}");
        assert!(!folder.path("a.toml").exists(), "{more:?}: something was written");
    }
    let told = |more: &[&str], code| words(&search(&folder, more).expect(code).stderr);
    assert!(told(&["-o", "a.toml"], 2).contains("--sram"));
    assert!(told(&["-o", "notes.txt", "--sram", "100K"], 2).contains("holds no scheme"));
    assert_eq!(text(&folder, "notes.txt"), "n_bias = 3");
    assert!(told(&["-o", "none/a.toml", "--sram", "100K"], 2).contains("cannot be written"));
    let formula = ["--memory", "formula", "--board", "stm32f746", "-o", "a.toml"];
    assert!(told(&formula, 2).contains("--sram"));

    // What was measured with another seed or other samples is not taken for this.
    let small = ["--sram", "100K", "-o", "a.toml", "--layers", "0", "--biases", "1"];
    search(&folder, &small).expect(0);
    let kept = text(&folder, "a.points.jsonl");
    let other = told(&[&small[..], &["--seed", "1"]].concat(), 2);
    assert!(other.contains("there the seed is 0, here 1"), "{other}");
    let fewer = ["adapt", "scheme", "small.tflite", "--data", "data.npz", "--samples", "20", "--epochs", "1"];
    let other = words(&folder.smidgen(&[&fewer[..], &["--sram", "100K", "-o", "a.toml"]].concat()).expect(2).stderr);
    assert!(other.contains("what samples are learnt"), "{other}");
    assert_eq!(kept, text(&folder, "a.points.jsonl"));
    for damaged in [kept[..kept.len() - 9].to_owned(), "nothing of the kind".to_owned(), String::new()] {
        folder.write("a.points.jsonl", &damaged);
        let finished = search(&folder, &small);
        assert!(matches!(finished.code, Some(2 | 4)), "{finished:?}");
        assert_eq!(damaged, text(&folder, "a.points.jsonl"));
    }
}

#[test]
fn where_nothing_is_gained_the_classifier_alone_is_chosen() {
    let folder = folder();
    data(&folder);
    let (least, _) = ends(&folder);
    let pictures = network(&folder);
    let mut dims = pictures.graph().tensor(pictures.graph().inputs[0]).shape.dims().to_vec();
    let size: usize = dims.iter().product();
    dims[0] = 40;
    let (mut alone, mut beaten) = (0, 0);
    for seed in 0..8u64 {
        // Classes that have nothing to do with the pictures: what is learnt of some says nothing of the others.
        let mut chance = smidgen_train::Random::new(seed);
        let values: Vec<i8> = (0..40 * size).map(|_| chance.below(256) as u8 as i8).collect();
        let labels: Vec<u8> = (0..40).map(|_| chance.below(2) as u8).collect();
        let labels = Array { dtype: Dtype::Uint8, shape: vec![40], data: labels };
        folder.npz("data.npz", &[("x_train", Array::from_i8(&dims, &values)), ("y_train", labels)]);
        let (name, report) = (format!("{seed}.toml"), format!("{seed}.html"));
        let finished = search(&folder, &["--sram", "1M", "-o", &name, "--report", &report, "--json"]).expect(0);
        let (json, told) = (finished.json(), words(&finished.stderr));
        let score = |of: &serde_json::Value| of["score"].as_f64().unwrap();
        let scheme: adapting::Scheme = text(&folder, &name).parse().expect("a scheme");
        let is_alone = scheme == adapting::Scheme::last_layer();
        // Less is told as +0.00.
        assert!(is_alone || score(&json["measured"]) - score(&json["base"]) >= 5e-5, "{json:#}");
        assert_eq!(told.contains("the scheme is the last layer"), is_alone, "{told}");
        assert_eq!(text(&folder, &report).contains("The classifier alone, "), is_alone);
        if is_alone {
            assert_eq!((json["bytes"].as_u64(), json["gain"].as_f64()), (Some(least as u64), Some(0.0)), "{json:#}");
            assert_eq!(json["measured"], json["base"]);
            alone += 1;
        }
        if let Some(other) = json["beaten"].as_object() {
            assert!(is_alone && score(&other["measured"]) - score(&json["base"]) < 5e-5, "{json:#}");
            assert!(told.contains("have the greatest sum of gains"), "{told}");
            beaten += 1;
        }
    }
    assert!(alone > 0 && beaten > 0, "{alone} {beaten}");
}

/// Killed or interrupted where it happens to be.
#[cfg(unix)]
#[test]
fn interrupted_at_random_moments_it_ends_with_the_same_scheme() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let folder = folder();
    data(&folder);
    let (least, most) = ends(&folder);
    let sram = usize::midpoint(least, most).to_string();
    let words_of = |name: &'static str| {
        [&FIXED[..], &["--epochs", "20", "--ratios", "1/2,1", "--sram", &sram, "-o", name]].concat()
    };
    folder.smidgen(&words_of("whole.toml")).expect(0);
    let parts = words_of("parts.toml");
    let known = || std::fs::read_to_string(folder.path("parts.points.jsonl")).map_or(0, |text| text.lines().count());
    let (mut kills, mut interrupted) = (0, 0);
    loop {
        let mut child = folder.command(&parts).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // Every third life ends where it happens to be, the others when they have measured something.
        let (begun, before) = (Instant::now(), known());
        let is_over = || match kills % 3 {
            0 => begun.elapsed() > Duration::from_millis(20 + 10 * kills),
            _ => known() > before,
        };
        let status = loop {
            let status = child.try_wait().unwrap();
            if status.is_some() || is_over() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        if let Some(status) = status {
            assert!(status.success(), "{status}");
            break;
        }
        if kills % 2 == 0 {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(130 | 0)), "{told}");
            interrupted += usize::from(output.status.code() == Some(130));
        }
        assert!(!folder.path("parts.toml").exists() || kills > 0);
        kills += 1;
    }
    assert!(kills > 5 && interrupted > 0, "{kills} {interrupted}");
    let scheme = |name: &str| text(&folder, name).parse::<adapting::Scheme>().unwrap();
    assert_eq!(scheme("whole.toml"), scheme("parts.toml"));
    let points = |name: &str| {
        let mut lines: Vec<String> = text(&folder, name).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(points("whole.points.jsonl"), points("parts.points.jsonl"));
}

/// A maximum along an axis has no gradient on the device: the first convolution is out of reach.
pub const POOLED: &str = r#"
graph "pooled"
inputs(%0)
outputs(%11)

%0 "picture" : i8[1x8x8x1]{0.02; 0}
%1 "kernel" : i8[4x3x3x1]{axis 0: 0.02, 0.03, 0.02, 0.03} = splat 9
%2 "bias" : i32[4]{axis 0: 0.0004, 0.0006, 0.0004, 0.0006} = [100, -200, 300, 50]
%3 "first" : i8[1x8x8x4]{0.03; -3} = CONV_2D(%0, %1, %2) stride=[1, 1] padding=same
%4 "most" : i8[1x1x8x4]{0.03; -3} = REDUCE_MAX(%3) axes=[1] keep_dims=true
%5 "point" : i8[4x1x1x4]{axis 0: 0.02, 0.02, 0.02, 0.02} = [90, -6, 7, 20, -30, 50, 60, 1, 2, 3, 80, -70, 11, 40, -9, 33]
%6 "point_bias" : i32[4]{axis 0: 0.0006, 0.0006, 0.0006, 0.0006} = [10, 20, -30, 40]
%7 "second" : i8[1x1x8x4]{0.05; 2} = CONV_2D(%4, %5, %6) stride=[1, 1] padding=same
%8 "mean" : i8[1x4]{0.05; 2} = MEAN(%7) axes=[1, 2]
%9 "weights" : i8[2x4]{0.01; 0} = splat 3
%10 "last_bias" : i32[2]{0.0005; 0} = [100, -50]
%11 "classes" : i8[1x2]{0.05; 4} = FULLY_CONNECTED(%8, %9, %10)
"#;

#[test]
fn what_gradients_do_not_reach_is_left_alone() {
    let folder = Folder::new();
    let network = Network::from_text(POOLED).expect("a valid network");
    folder.write("small.tflite", network.to_tflite().expect("it can be written"));
    data(&folder);
    for memory in ["planned", "formula"] {
        let more = ["--sram", "1M", "--memory", memory, "-o", "a.toml"];
        let json = search(&folder, &[&more[..], &["--json"]].concat()).expect(0).json();
        let counts: Vec<u64> =
            json["biases"].as_array().unwrap().iter().map(|bias| bias["count"].as_u64().unwrap()).collect();
        assert_eq!(counts, [0, 1], "{memory}: {json:#}");
        for part in json["weights"].as_array().unwrap() {
            assert_eq!(part["convolution"].as_u64(), Some(1), "{memory}: {json:#}");
        }
        let told = words(&search(&folder, &more).expect(0).stderr);
        assert!(told.contains("gradients do not reach the last 2 convolutions"), "{told}");
    }
}
