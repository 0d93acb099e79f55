//! Fills `corpus/` with files to start from. For `read_tflite`: one small network for each operator, the hostile files, and the real
//! models beside the checkout (or in `SMIDGEN_SHARED`) if they are there. For `read_onnx`: the networks of its reader's tests and of
//! the command line's. For `pipeline`: all of these that are small, and the same networks as text.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "../../../crates/smidgen/tests/pipeline/seeds.rs"]
mod pipeline;

use pipeline::{build, samples};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("corpus/read_tflite");
    fs::create_dir_all(&corpus)?;
    for (name, graph) in samples::graphs() {
        let file = smidgen_tflite::write(&graph).map_err(io::Error::other)?;
        fs::write(corpus.join(name.replace(' ', "-")), file)?;
    }
    let shared = env::var_os("SMIDGEN_SHARED").map_or_else(|| root.join("../../shared"), PathBuf::from);
    for folder in [root.join("../crates/smidgen-tflite/tests/hostile"), shared.join("models")] {
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!("skipped {}: there is no such folder", folder.display());
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|e| e == "tflite")) {
                fs::copy(&path, corpus.join(name))?;
            }
        }
    }
    println!("{} holds {} files", corpus.display(), fs::read_dir(&corpus)?.count());
    onnx(root)?;
    let corpus = root.join("corpus/pipeline");
    fs::create_dir_all(&corpus)?;
    for (name, file) in pipeline::seeds() {
        fs::write(corpus.join(name), file)?;
    }
    println!("{} holds {} files", corpus.display(), fs::read_dir(&corpus)?.count());
    Ok(())
}

fn onnx(root: &Path) -> io::Result<()> {
    let corpus = root.join("corpus/read_onnx");
    fs::create_dir_all(&corpus)?;
    for (name, file) in
        [("classifier", build::classifier()), ("mixer", build::mixer()), ("quantised", build::quantised())]
    {
        fs::write(corpus.join(name), file)?;
    }
    for entry in fs::read_dir(root.join("../crates/smidgen/tests/cli"))? {
        let path = entry?.path();
        if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|e| e == "onnx")) {
            fs::copy(&path, corpus.join(name))?;
        }
    }
    println!("{} holds {} files", corpus.display(), fs::read_dir(&corpus)?.count());
    Ok(())
}
