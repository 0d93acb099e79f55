//! Links for the emulated boards, whose memories lie alike.

fn main() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../c/link.ld");
    println!("cargo::rustc-link-arg=-T{}", script.display());
    println!("cargo::rerun-if-changed={}", script.display());
}
