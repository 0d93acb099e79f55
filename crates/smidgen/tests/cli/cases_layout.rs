//! Files from the field whose arrays are channels first, or one quantised step away: the commands of their
//! descriptions.

use crate::support::{Folder, cases};

/// A file of the cases; `None` where there are none.
fn path(name: &str) -> Option<String> {
    Some(cases()?.join(name).to_str().expect("a path of text").to_owned())
}

#[test]
fn verify_takes_goldens_as_onnx_runtime_gives_them() {
    for name in ["oblong", "square"] {
        let (Some(model), Some(golden)) =
            (path(&format!("onnx_layout/{name}.onnx")), path(&format!("onnx_layout/{name}.npz")))
        else {
            return;
        };
        let finished = Folder::new().smidgen(&["verify", &model, "-g", &golden]).expect(0);
        assert!(finished.stdout.starts_with("equal  "), "{}", finished.stdout);
        assert!(finished.stdout.contains("transposed"), "{}", finished.stdout);
    }
}

#[test]
fn run_gives_what_onnx_runtime_gives() {
    let (Some(model), Some(input)) = (path("onnx_layout/square.onnx"), path("onnx_layout/square.npz")) else { return };
    let json = Folder::new().smidgen(&["run", &model, "-i", &input, "--json"]).expect(0).json();
    let value = json["outputs"][0]["values"][2].as_f64().unwrap();
    assert!((value + 0.859_071).abs() < 1e-5, "{value}");
}

#[test]
fn quantize_calibrates_on_what_the_file_means() {
    for name in ["oblong", "square"] {
        let (Some(model), Some(data)) =
            (path(&format!("onnx_layout/{name}.onnx")), path(&format!("onnx_layout/{name}_calibration.npz")))
        else {
            return;
        };
        let folder = Folder::new();
        let quantise = ["quantize", &model, "-o", "out.tflite", "--ends", "float32", "--data", &data];
        let told = folder.smidgen(&quantise).expect(0).stdout;
        assert!(told.contains("transposed"), "{told}");
        // The same calibration from the channels-last file, whose arrays are turned here.
        folder.smidgen(&["convert", &model, "last.tflite"]).expect(0);
        let bytes = smidgen::files::read(data.as_ref()).unwrap();
        let mut archive = smidgen::data::Archive::new(bytes).unwrap();
        let names = archive.names().to_vec();
        let last: Vec<_> = names
            .iter()
            .map(|name| {
                let array = archive.get(name).unwrap().unwrap();
                let &[samples, channels, length] = &array.shape[..] else { panic!("{name}: {:?}", array.shape) };
                let values = array.to_f32().unwrap();
                let turned: Vec<f32> = (0..samples * length * channels)
                    .map(|i| {
                        let (sample, l, c) = (i / (length * channels), i / channels % length, i % channels);
                        values[(sample * channels + c) * length + l]
                    })
                    .collect();
                (name.as_str(), smidgen::Array::from_f32(&[samples, length, channels], &turned))
            })
            .collect();
        folder.npz("last.npz", &last);
        let ratios = |model: &str, data: &str| {
            let quantise = ["quantize", model, "-o", "again.tflite", "--data", data, "--json"];
            folder.smidgen(&quantise).expect(0).json()["outputs_db"].clone()
        };
        assert_eq!(ratios(&model, &data), ratios("last.tflite", "last.npz"));
    }
}

#[test]
fn a_quantised_network_is_equal_within_one_step() {
    let (Some(model), Some(golden)) = (path("qdq_one_step/model.onnx"), path("qdq_one_step/golden_channels_last.npz"))
    else {
        return;
    };
    let folder = Folder::new();
    let finished = folder.smidgen(&["verify", &model, "-g", &golden]).expect(1);
    let told = finished.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("(1 step)") && told.contains("with --tolerance 1 all is equal"), "{told}");
    assert!(told.contains("no element is more than one step away") && !told.contains("other weights"), "{told}");
    let finished = folder.smidgen(&["verify", &model, "-g", &golden, "--tolerance", "1"]).expect(0);
    assert!(finished.stdout.starts_with("equal within 1 step  "), "{}", finished.stdout);
}
